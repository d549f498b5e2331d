"""Shapes of single values: names that are safe in files and URLs, paths, zones, addresses to listen on, URLs."""

from __future__ import annotations

import difflib
import glob
import ipaddress
import os
import re
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from feedsvc.config.nodes import Node
from feedsvc.config.settings import ListenPlace
from feedsvc.config.shapes import Shape, choice, parsed
from feedsvc.model import Tlp

_SAFE_NAME = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
_KEBAB = r"[a-z0-9]{1,64}(-[a-z0-9]{1,64})*"
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_UUID4 = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_SOCKET_PATH = 96  # unix(7) has 108; ours is made under a longer name
_LISTEN = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):([0-9]{1,5})")


def _safe_name(text: str) -> str:
    if not re.fullmatch(_SAFE_NAME, text):
        raise ValueError("is not safe in a file or URL; use up to 128 of A-Z a-z 0-9 . _ - neither dot nor hyphen in front")
    return text


def _file_name(text: str) -> str:
    if text.lower() == "index.json":
        raise ValueError("is the list of all exports; give another name")
    return _safe_name(text)


def _alias(text: str) -> str:
    if re.fullmatch(_UUID, text.lower()):
        raise ValueError("reads as the id of a collection; give a word here and the UUID as id")
    return _safe_name(text)


def _kebab(text: str) -> str:
    if len(text) > 64 or not re.fullmatch(_KEBAB, text):
        raise ValueError("is no kebab-case name; use up to 64 of a-z and 0-9, single hyphens between")
    return text


def _watch(text: str) -> str:
    return text if text == "*" else _kebab(text)


def _uuid4(text: str) -> str:
    if not re.fullmatch(_UUID4, text.lower()):
        raise ValueError("is no UUID of version 4; take the line out and one is made and kept")
    return text.lower()


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as err:  # OSError: the name of a folder of zones
        found = difflib.get_close_matches(text, sorted(available_timezones()), 1)
        hint = f"did you mean {found[0]!r}?" if found else "give one such as 'UTC' or 'Europe/Berlin'"
        raise ValueError(f"is no time zone; {hint}") from err


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        right = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a broken [IPv6] host, a port that is none
        right = False
    if not right or not text.isascii() or " " in text:
        raise ValueError("is no URL; give one such as https://pdns.example.org")
    if parts.query or parts.fragment:
        raise ValueError("has a query or fragment; take it out")
    return text.rstrip("/")


def _listen(text: str) -> tuple[str, int]:
    match = _LISTEN.fullmatch(text)
    if not match or int(match.group(3)) > 65535:
        raise ValueError("is no address and port; give one such as 127.0.0.1:8471 or [::1]:8471")
    return match.group(1) or match.group(2), int(match.group(3))


def _place(text: str, base: Path) -> ListenPlace:
    kind, _, rest = text.partition(":")
    if kind == "unix" and rest:
        path = str(base / _path(rest))
        if len(os.fsencode(path)) > _SOCKET_PATH:
            raise ValueError(f"is longer than a socket's path may be; give one of at most {_SOCKET_PATH} octets")
        return ListenPlace(path=path)
    if kind == "tcp" and rest:
        host, port = _listen(rest if ":" in rest else f"127.0.0.1:{rest}")
        try:
            return ListenPlace(host=str(ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)), port=port)
        except ValueError as err:
            raise ValueError("has a name where an IP address belongs; give one such as tcp:127.0.0.1:6000") from err
    raise ValueError("is no place to listen on; give one such as unix:/run/feedsvc/dnstap.sock or tcp:127.0.0.1:6000")


def _path(text: str) -> Path:
    if text.startswith("~"):
        raise ValueError("begins with ~, which nobody replaces here; write the folder out")
    return Path(text)


SAFE_NAME = parsed(_safe_name, "a name of letters, digits, dots, hyphens and underscores", f"^{_SAFE_NAME}$")
FILE_NAME = parsed(_file_name, SAFE_NAME.expected, f"^{_SAFE_NAME}$")
ALIAS = parsed(_alias, SAFE_NAME.expected, f"^{_SAFE_NAME}$")
KEBAB = parsed(_kebab, "a kebab-case name of a-z, 0-9 and hyphens", f"^{_KEBAB}$")
WATCH = parsed(_watch, "the id of a rule, or * for every rule", rf"^(\*|{_KEBAB})$")
UUID4 = parsed(_uuid4, "a UUID of version 4", f"^{_UUID4}$")
ZONE = parsed(_zone, "a time zone such as UTC or Europe/Berlin")
_ANY_URL = parsed(_url, "a URL that begins with http:// or https://")
LISTEN = parsed(_listen, "an address and port such as 127.0.0.1:8471")
TLP = choice(Tlp)


def _read_url(node: Node) -> str:
    if isinstance(node.value, str) and "@" in node.value:  # not shown, for it may be a password
        raise node.refused("holds a user or password; take them out, and name their variables where a key *_env is for them")
    return _ANY_URL.read(node)


URL = Shape(_ANY_URL.expected, _read_url, _ANY_URL.schema)


def path(base: Path) -> Shape[Path]:
    """A path; a relative one starts at `base`."""
    return parsed(lambda text: base / _path(text), "a path")


def place(base: Path) -> Shape[ListenPlace]:
    """Where a program sends its log to; a relative path starts at `base`."""
    return parsed(lambda text: _place(text, base), "a place such as unix:/run/feedsvc/dnstap.sock or tcp:127.0.0.1:6000")


def _is_there(file: Path) -> bool:
    try:
        return file.is_file()
    except OSError as err:
        return isinstance(err, PermissionError)  # a folder on the way is closed to us: nobody can tell


def existing(base: Path) -> Shape[Path]:
    """A path at which there is a file; whether this process may read it is not asked, for another may be meant to."""

    def parse(text: str) -> Path:
        found = base / _path(text)
        if not _is_there(found):
            raise ValueError("is no file; put it there, or correct the path")
        return found

    return parsed(parse, "the path of a file")


def state(base: Path) -> Shape[Path]:
    """Where the state is kept: a file for now."""

    def parse(text: str) -> Path:
        if "://" in text:
            raise ValueError("is a database; this version keeps its state in a file alone, give a path")
        return base / _path(text)

    return parsed(parse, "the path of a file")


def pattern(base: Path) -> Shape[str]:
    """A glob over files; a relative one starts at `base`, whose own letters are no pattern."""
    return parsed(lambda text: str(Path(glob.escape(str(base))) / _path(text)), "a path, which may have * and ?")
