"""All of `feedsvc.toml` as frozen values, paths resolved; what each key means and its safe default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from feedsvc.config.nodes import Node
from feedsvc.model import Tlp


class Secret:
    """A secret: prints as stars, says its value only when asked."""

    __slots__ = ("_value", "origin")

    def __init__(self, value: str, origin: str) -> None:
        self._value = value
        self.origin = origin
        """Where it came from (`environment FOO`, `file PATH`): safe to show."""

    def reveal(self) -> str:
        """The secret itself: for the one call that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "********"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class Place:
    """Where a table of the file begins and on which line each of its keys stands: for faults found later."""

    file: str
    line: int
    keys: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, node: Node) -> Place:
        """The place of a table that was read."""
        return cls(node.file, node.line, {key: child.line for key, child in node.children()})

    def line_of(self, key: str) -> int:
        """The line of a key; that of its table when the key is not there."""
        return self.keys.get(key, self.line)


@dataclass(frozen=True, slots=True)
class Producer:
    """Who publishes: becomes the STIX identity."""

    name: str = "feedsvc"
    contact: str = ""
    identity_class: Literal["individual", "group", "system", "organization", "class", "unknown"] = "organization"


@dataclass(frozen=True, slots=True)
class Http:
    """Where we listen and what we say of ourselves there."""

    host: str = "127.0.0.1"
    port: int = 8471
    public_url: str = ""
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    page_limit: int = 1000


@dataclass(frozen=True, slots=True)
class ListenPlace:
    """Where a source listens: the path of a socket, or an IP address and a port."""

    path: str = ""
    host: str = ""
    port: int = 0

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"unix:{self.path}" if self.path else f"tcp:{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """One `[[source]]`.

    Attributes:
        secrets: by what they are (`api_key`, `username`, `password`).
        daily_quota: calls a day, at most; None leaves it to what the provider says.
        reserved: the share of a day's or month's calls that the schedule leaves to people.
        tlp: how far what it says may be passed on; None leaves it to the provider's terms.
        fronts: names of findings that are asked about in a poll, to find those that point at them.
        overlap: how far behind the since-mark to ask again; None leaves it to the provider.
        path: of a log that is read from files; "" of one that is sent to us.
        listen: where it is sent to.
        spool_mib: how much of that is kept until it is read, in MiB.
        options: all other keys, for the plug-in's `Options`.
    """

    name: str
    kind: Literal["pdns", "log"]
    every: timedelta = timedelta(hours=1)
    provider: str = ""
    url: str = ""
    format: str = "auto"
    path: str = ""
    listen: ListenPlace | None = None
    spool_mib: int = 256
    tz: ZoneInfo | None = None
    daily_quota: int | None = None
    reserved: float = 0.1
    tlp: Tlp | None = None
    fronts: int = 10
    overlap: timedelta | None = None
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    options: Mapping[str, object] = field(default_factory=dict)
    place: Place = Place("feedsvc.toml", 0)


@dataclass(frozen=True, slots=True)
class CollectionSettings:
    """One `[[collection]]`. `id` is None when the file gives none: it is made once and kept in the state."""

    alias: str
    id: str | None = None
    title: str = ""
    description: str = ""
    watches: tuple[str, ...] = ("*",)
    content: Literal["indicators"] = "indicators"
    max_tlp: Tlp = Tlp.GREEN
    place: Place = Place("feedsvc.toml", 0)


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """One `[[export]]`. `name` is the file's name under the exports directory."""

    name: str
    format: str
    public: bool = False
    watches: tuple[str, ...] = ("*",)
    max_tlp: Tlp = Tlp.GREEN
    min_confidence: int = 0
    options: Mapping[str, object] = field(default_factory=dict)
    place: Place = Place("feedsvc.toml", 0)


@dataclass(frozen=True, slots=True)
class Limits:
    """Guards.

    Attributes:
        shrink: the share of a list that may leave it at once without a person's word.
        findings_per_poll: a poll that finds more new names for one watch is held as a whole.
        keep_clients: clients are forgotten so long after a log last told of them.
        hunt_back: how far back it is looked for who asked for a new finding.
    """

    shrink: float = 0.2
    findings_per_poll: int = 500
    keep_observations: timedelta = timedelta(days=3 * 365)
    keep_clients: timedelta = timedelta(days=90)
    hunt_back: timedelta = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Settings:
    """All of `feedsvc.toml`, paths resolved against its own directory."""

    file: Path
    state: Path
    rules: Path
    exports_dir: Path
    timezone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    producer: Producer = Producer()
    http: Http = Http()
    sources: tuple[SourceSettings, ...] = ()
    collections: tuple[CollectionSettings, ...] = ()
    exports: tuple[ExportSettings, ...] = ()
    limits: Limits = Limits()
