"""How values stand in columns: moments as whole numbers, lists of texts as JSON arrays."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec

from feedsvc.model import Tlp

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LEVELS = tuple(Tlp)
_TEXTS = msgspec.json.Decoder(tuple[str, ...])


def micros(moment: datetime) -> int:
    """Microseconds since 1970 UTC. Floats would lose the last digit, so there are none."""
    return (moment - _EPOCH) // _MICROSECOND


def micros_or_null(moment: datetime | None) -> int | None:
    """The same where a moment may be missing."""
    return None if moment is None else micros(moment)


def moment(number: int) -> datetime:
    """The moment of a number of microseconds."""
    return _EPOCH + timedelta(microseconds=number)


def moment_or_none(number: int | None) -> datetime | None:
    """The same where the column may be null."""
    return None if number is None else moment(number)


def second_or_none(number: int | None) -> datetime | None:
    """The moment of a number of seconds, as providers count."""
    return None if number is None else _EPOCH + timedelta(seconds=number)


def array(texts: Iterable[str]) -> str:
    """A JSON array, for a column or for `json_each`."""
    return msgspec.json.encode(list(texts)).decode()


def pairs(rows: Iterable[tuple[str, str]]) -> str:
    """A JSON array of arrays of two, for `json_each`."""
    return msgspec.json.encode(list(rows)).decode()


def texts(array: str) -> tuple[str, ...]:
    """What `array` wrote."""
    return _TEXTS.decode(array)


def tlp(rank: int) -> Tlp:
    """The level of a `Tlp.rank`."""
    return _LEVELS[rank]
