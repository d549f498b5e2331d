"""One row of the Passive DNS Common Output Format (draft-dulaunoy-dnsop-passive-dns-cof-13 §3), before it is believed.

Its fields may be of any type, missing, or called otherwise; what they mean is for `feedsvc.sources.cof` to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec

from feedsvc.model import Tlp
from feedsvc.sources import times

ADDRESS_TYPES = frozenset({"A", "AAAA", "1", "28", "TYPE1", "TYPE28"})  # RFC 1035 §3.2.2, RFC 3596 §2.1, RFC 3597 §5


class Row(msgspec.Struct):
    """One row before any of it is believed. A row has no other fields that matter here."""

    rrname: Any = None
    rrtype: Any = None
    rdata: Any = None
    rrdata: Any = None  # as Robtex calls it
    time_first: Any = None
    time_last: Any = None
    zone_time_first: Any = None
    zone_time_last: Any = None
    count: Any = None
    sensor_id: Any = None


_Type = Literal["A", "AAAA"]
_Number = Annotated[int, msgspec.Meta(ge=0, le=times.LARGEST)]


class Plain(msgspec.Struct, gc=False):
    """A row that needs no putting right, as most need none: types alone say so, and they are checked while it is decoded.

    It has the fields of an `Observation`: thousands of them become observations at once, for a third of what making each
    would cost. The last two are no COF; they are written over, whatever a row has by their names.
    """

    rrname: str
    rrtype: _Type
    rdata: str
    time_first: _Number
    time_last: _Number
    zone_time_first: None = None
    zone_time_last: None = None
    count: _Number | None = None
    sensor_id: str | int | None = None
    chain: Any = ()
    tlp: Any = None


class Said(msgspec.Struct, frozen=True):
    """What one row says, before any of it is believed; times in seconds since 1970 UTC (`sources.times` reads others).

    Attributes:
        rrname, rdata: a name and addresses, or the other way round.
        tlp: how far this row may be passed on; None when it does not say.
        chain: the canonical names of CNAMEs between a name and its address.
    """

    rrname: object
    rdata: Sequence[object]
    time_first: object = None
    time_last: object = None
    zone_time_first: object = None
    zone_time_last: object = None
    count: object = None
    sensor_id: object = None
    tlp: Tlp | None = None
    chain: tuple[str, ...] = ()


class Unfit(Exception):
    """A row that cannot be used; the text is the reason."""


def shape(row: Row) -> tuple[str, list[Any]]:
    """Name and values of a row that is COF at all."""
    if not isinstance(row.rrname, str):
        raise Unfit("no rrname")
    if not isinstance(row.rrtype, str | int) or isinstance(row.rrtype, bool):
        raise Unfit("no rrtype")
    rdata = row.rrdata if row.rdata is None else row.rdata
    if isinstance(rdata, str):
        return row.rrname, [rdata]
    if not isinstance(rdata, list) or not rdata:
        raise Unfit("no rdata")
    return row.rrname, rdata
