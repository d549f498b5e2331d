"""`feedsvc.toml` read into `Settings`: the file itself, its outermost keys, and the tables that no plug-in has a part in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from feedsvc.config.nodes import Node, reason_of
from feedsvc.config.outputs import COLLECTION, EXPORT
from feedsvc.config.settings import Http, Limits, Producer, Settings
from feedsvc.config.shapes import Key, Shape, choice, duration, gather, many, real, table, text, whole
from feedsvc.config.sources import source
from feedsvc.config.toml import parse
from feedsvc.config.values import LISTEN, URL, ZONE, existing, path, state
from feedsvc.errors import ConfigError, Fault, UsageError

T = TypeVar("T")

_LISTS = {"source", "collection", "export"}
_LONGEST = 4 * 1024 * 1024  # bytes; a configuration of a thousand sources stays far below

_PRODUCER = table(
    Producer,
    {
        "name": Key(text(), "who publishes, as readers of the feed see it"),
        "contact": Key(text(empty=True), "where readers of the feed can write to"),
        "identity_class": Key(
            choice(("individual", "group", "system", "organization", "class", "unknown")),
            "what kind of identity that is (STIX 2.1 §10.7)",
        ),
    },
)

_LIMITS = table(
    Limits,
    {
        "shrink": Key(real(0, 1), "the share of a list that may leave it at once without a person's word"),
        "findings_per_poll": Key(whole(1, 1_000_000), "a poll with more new names for one watch is held as a whole"),
        "keep_observations": Key(duration(), "how long observations are kept"),
        "keep_clients": Key(duration(), "how long it is kept who asked"),
        "hunt_back": Key(duration(), "how far back logs are searched for who asked for a new finding"),
    },
)


def load(file: Path, environ: Mapping[str, str]) -> Settings:
    """Read a configuration.

    Args:
        file: `feedsvc.toml`; relative paths in it start at its own directory.
        environ: where the secrets that `*_env` keys name are looked up.

    Raises:
        UsageError: there is no such file, or it cannot be read.
        ConfigError: with every fault of the file: syntax, unknown keys, wrong kinds, secrets that are not there.
    """
    found, faults = examine(file, environ)
    if faults:
        raise ConfigError(faults)
    return found


def examine(file: Path, environ: Mapping[str, str]) -> tuple[Settings, tuple[Fault, ...]]:
    """What of a configuration can be read, and its faults: so that those of plug-ins and rules are found beside them.

    Returns:
        Settings in which each key at fault has its default, a table at fault is left out; and every fault.

    Raises:
        UsageError, ConfigError: as `load`, when nothing can be read.
    """
    values, faults = gather(parse(_decoded(file), str(file)), _keys(file.parent, environ))
    for name in _LISTS & values.keys():
        values[name], more = values[name]
        faults.add(*more)
    return _settings(file, **values), tuple(sorted(faults.found))


def _settings(
    file: Path,
    *,
    state: Path | None = None,
    rules: Path | None = None,
    exports: Path | None = None,
    source: tuple[Any, ...] = (),
    collection: tuple[Any, ...] = (),
    export: tuple[Any, ...] = (),
    **rest: Any,  # noqa: ANN401 - fields of Settings that bear the name of their key
) -> Settings:
    base = file.parent
    return Settings(
        file=file,
        state=state or base / "var/feedsvc.db",
        rules=rules or base / "rules",
        exports_dir=exports or base / "exports",
        sources=source,
        collections=collection,
        exports=export,
        **rest,
    )


def _decoded(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            raw = stream.read(_LONGEST + 1)
    except FileNotFoundError as err:
        raise UsageError(f"no configuration at {file}; run `feedsvc init DIR` for a first one, or give --config") from err
    except OSError as err:
        raise UsageError(f"cannot read the configuration {file}: {reason_of(err)}; give another with --config") from err
    if len(raw) > _LONGEST:
        raise ConfigError([Fault(str(file), 0, f"over {_LONGEST} bytes; this is no configuration")])
    try:
        return raw.decode("utf-8-sig")  # some editors of Windows put a byte order mark in front
    except UnicodeDecodeError as err:
        line = raw.count(b"\n", 0, err.start) + 1
        raise ConfigError([Fault(str(file), line, "not UTF-8; save the file in that encoding")]) from err


def _keys(base: Path, environ: Mapping[str, str]) -> dict[str, Key]:
    return {
        "state": Key(state(base), "the file that keeps all that is known"),
        "rules": Key(path(base), "the folder of the rules"),
        "exports": Key(path(base), "the folder of the block lists"),
        "timezone": Key(ZONE, "where a day begins, for diffs and digests"),
        "producer": Key(_PRODUCER, "who publishes"),
        "http": Key(_http(base), "where we listen, and what we say of ourselves there"),
        "source": Key(_tables(source(base, environ), "source", "name", "listen"), "a provider to ask, or logs to follow"),
        "collection": Key(_tables(COLLECTION, "collection", "alias", "id"), "a TAXII collection"),
        "export": Key(_tables(EXPORT, "export", "name"), "a block list file"),
        "notice": Key(_NOTICE, "a message to people, in a later version"),
        "limits": Key(_LIMITS, "guards"),
    }


def _tables(of: Shape[T], heading: str, *distinct: str) -> Shape[tuple[tuple[T, ...], tuple[Fault, ...]]]:
    """Tables under one heading: those that are right, and the faults of the others."""
    every = many(of, distinct=distinct, expected=f"tables under [[{heading}]], in two brackets")

    def read(node: Node) -> tuple[tuple[T, ...], tuple[Fault, ...]]:
        try:
            return every.read(node), ()
        except ConfigError as err:
            return tuple(_right_ones(of, node)), err.faults

    return Shape(every.expected, read, every.schema)


def _right_ones(of: Shape[T], node: Node) -> Iterator[T]:
    for element in node.value if isinstance(node.value, tuple) else ():
        try:
            value = of.read(element)
        except ConfigError:
            continue
        yield value


def _no_notices(node: Node) -> None:
    # To accept it would promise messages that nobody sends.
    raise node.refused("this version sends no notices yet; take every [[notice]] out")


_NOTICE: Shape[None] = Shape("nothing", _no_notices, {"type": "array"})


def _http(base: Path) -> Shape[Http]:
    keys = {
        "listen": Key(LISTEN, "address and port"),
        "public_url": Key(URL, "the address that others know us by, when a proxy stands in between"),
        "tls_certificate": Key(existing(base), "certificate chain in PEM"),
        "tls_key": Key(existing(base), "its private key in PEM"),
        "tls_client_ca": Key(existing(base), "whose client certificates are asked for, in PEM"),
        "page_limit": Key(whole(1, 10_000), "objects on one page of the feed, at most"),
    }
    return table(_built_http, keys, check=_tls_faults)


def _built_http(listen: tuple[str, int] | None = None, **rest: Any) -> Http:  # noqa: ANN401 - fields of Http
    http = Http(**rest)
    return replace(http, host=listen[0], port=listen[1]) if listen else http


def _tls_faults(node: Node) -> Iterator[Fault]:
    given = [key for key in ("tls_certificate", "tls_key", "tls_client_ca") if node.child(key)]
    lacking = [key for key in ("tls_certificate", "tls_key") if key not in given]
    if given and lacking:
        yield node.fault(f"{' and '.join(given)} without {' and '.join(lacking)}; TLS needs both, give the other too")
