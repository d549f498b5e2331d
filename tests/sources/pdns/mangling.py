"""Answers of which one part is something else than it should be: whatever comes of them, it is no crash and no lie."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from feedsvc.errors import SourceError
from feedsvc.http import Client
from feedsvc.model import Observation
from feedsvc.sources.port import Provider, Question

ODD: tuple[object, ...] = (
    None,
    True,
    -1,
    0.5,
    10**30,
    "",
    "\u0000",
    "\ud83d",
    "\U0001f600" * 700,
    "203.0.113.9",
    [],
    [[]],
    {},
    {"cursor": 1, "count": [], "next": {}},
)


def mangled(whole: object) -> Iterator[bytes]:
    """The body with each of its parts replaced by each odd value, one at a time, and without each of its fields."""
    for changed in _changed(whole):
        yield json.dumps(changed).encode()


def broken(body: bytes) -> Iterator[bytes]:
    """The body cut at a number of places, followed by more, nested without end, and in another encoding."""
    yield from (body[: len(body) * part // 16] for part in range(16))
    yield body + b"{}"
    yield body.decode().encode("utf-16")
    yield body.replace(b'"', b'"\xff', 9)
    yield b"[" * 200_000
    yield body.rstrip()[:-1] + b', "deep": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


def told(http: Client, provider: Provider, question: Question) -> list[Observation]:
    """What one answer says, read as the planner reads it; nothing but a `SourceError` may come of it."""
    found: list[Observation] = []
    try:
        with http.ask(provider.request(question), attempts=1) as answer:
            for batch in provider.read(answer, question):
                found += batch.observations
    except SourceError:
        pass
    return found


def _changed(part: Any) -> Iterator[object]:
    yield from ODD
    if isinstance(part, dict):
        for key, value in part.items():
            yield {other: kept for other, kept in part.items() if other != key}
            yield from ({**part, key: changed} for changed in _changed(value))
    if isinstance(part, list):
        for at, value in enumerate(part):
            yield from ([*part[:at], changed, *part[at + 1 :]] for changed in _changed(value))
