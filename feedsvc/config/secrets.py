"""Secrets of a source: from the environment or from a file, never from the configuration itself.

No message shows a secret. A text that can be no variable's name is not shown either where one belongs: it may be the secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from feedsvc.config.nodes import Faults, Node, reason_of
from feedsvc.config.settings import Secret
from feedsvc.config.values import path

NAMES = ("api_key", "username", "password")
KEYS = frozenset(f"{name}{suffix}" for name in NAMES for suffix in ("", "_env", "_file"))

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_LONGEST = 64 * 1024  # bytes; a token is far shorter, a wrong path may be far longer


def read(table: Node, base: Path, environ: Mapping[str, str]) -> tuple[dict[str, Secret], Faults]:
    """The secrets that a `[[source]]` names, by what they are, and the faults of the others."""
    found: dict[str, Secret] = {}
    faults = Faults()
    for name in NAMES:
        with faults.kept():
            secret = _read_one(table, name, base, environ)
            if secret is not None:
                found[name] = secret
    return found, faults


def _read_one(table: Node, name: str, base: Path, environ: Mapping[str, str]) -> Secret | None:
    clear, variable, file = (table.child(f"{name}{suffix}") for suffix in ("", "_env", "_file"))
    if clear is not None:
        raise clear.refused(f"no secret stands in this file; name its variable as {name}_env or its file as {name}_file")
    if variable is not None and file is not None:
        raise file.refused(f"{name}_env stands on line {variable.line} already; keep one of the two")
    if variable is not None:
        return _from_variable(variable, environ)
    return None if file is None else _from_file(file, base)


def _from_variable(node: Node, environ: Mapping[str, str]) -> Secret:
    if not isinstance(node.value, str) or not _VARIABLE.fullmatch(node.value):
        raise node.refused("give the name of an environment variable: letters, digits and underscores")
    if node.value not in environ:
        raise node.refused(f"environment variable {node.value} is not set; set it, or take the line out")
    return _checked(environ[node.value], f"environment {node.value}", node)


def _from_file(node: Node, base: Path) -> Secret:
    file = path(base).read(node)
    try:
        with file.open("rb") as stream:
            raw = stream.read(_LONGEST + 1)
    except OSError as err:
        raise node.refused(f"cannot read {node}: {reason_of(err)}; put the secret there, or correct the path") from err
    if len(raw) > _LONGEST:
        raise node.refused(f"{node} is over {_LONGEST} bytes, too long for a secret; correct the path")
    return _checked(raw.decode("utf-8", "replace"), f"file {file}", node)


def _checked(value: str, origin: str, node: Node) -> Secret:
    value = value.strip()
    if not value:
        raise node.refused(f"{origin} is empty; put the secret there")
    # What goes into a header must be one line, and a byte that is no text would be sent as something else.
    if not value.isprintable() or "\N{REPLACEMENT CHARACTER}" in value:
        raise node.refused(f"{origin} holds more than one line of plain text; put the secret alone there")
    return Secret(value, origin)
