"""`index.json` of the exports folder: what each list file is, for those who check what they fetched.

The file in the folder is complete: it names every list, the non-public ones too. Whoever serves it serves each reader only
the lines of the lists that this reader may fetch (`feedsvc.publish.release.may_read_export`).

    {"public_suffix_list": "publicsuffixlist 1.1.2.20261023",
     "lists": [{"name": "domains.txt", "format": "domains", "media_type": "text/plain; charset=us-ascii", "count": 2,
                "size": 36, "sha256": "…", "serial": 1795503152, "changed_at": "2026-11-24T06:52:32.000Z"}]}

Pure: same lists, same bytes.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import msgspec

from feedsvc.clock import rfc3339

NAME = "index.json"


@dataclass(frozen=True, slots=True)
class IndexLine:
    """One list file as it stands in the folder. `size` is in bytes, `sha256` of the bytes, in hex."""

    name: str
    format: str
    media_type: str
    count: int
    size: int
    sha256: str
    serial: int
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Index:
    """All list files, sorted by name, and the Public Suffix List that judged their names."""

    public_suffix_list: str
    lists: tuple[IndexLine, ...]


def render(public_suffix_list: str, lines: Iterable[IndexLine]) -> bytes:
    """The file's bytes."""
    rows = [
        dataclasses.asdict(line) | {"changed_at": rfc3339(line.changed_at)}
        for line in sorted(lines, key=lambda line: line.name)
    ]
    return json.dumps({"public_suffix_list": public_suffix_list, "lists": rows}, indent=1).encode("ascii") + b"\n"


def read(body: bytes) -> Index:
    """Read what `render` wrote.

    Raises:
        ValueError: the bytes are no such file.
    """
    try:
        return msgspec.json.decode(body, type=Index)
    except msgspec.DecodeError as err:
        raise ValueError(f"no index: {err}") from err
