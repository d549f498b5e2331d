"""What documents of the Elastic Common Schema answer: `dns.answers` in each of its shapes, and `dns.resolved_ip`. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from feedsvc.names import Address
from feedsvc.sources import texts
from feedsvc.sources.answers import Answer, Answers, read_answers
from feedsvc.sources.ecs_documents import Document, Path
from feedsvc.sources.port import BadLine
from feedsvc.sources.readings import SAMPLE, Unreadable

_ADDRESSED = frozenset({"A", "AAAA"})
_PLAIN = frozenset({"A", "AAAA", "CNAME"})

_ANSWERS, _RESOLVED = Path("dns.answers"), Path("dns.resolved_ip")
_DATA, _TYPES, _OWNERS = (Path(f"dns.answers.{key}") for key in ("data", "type", "name"))
_ROW_DATA, _ROW_TYPE, _ROW_OWNER = Path("data"), Path("type"), Path("name")
# What Zeek writes for records of other types (`TXT 5 hello`, `RRSIG …`); no name begins so.
_OTHER_TYPE = re.compile(r"[A-Z][A-Z0-9]*:? |<|NSEC3(?:PARAM)?\Z")


def answers_of(document: Document, rrname: str, rrtype: str, offset: int) -> Answers:
    """The answers to the question of a document.

    Args:
        rrtype: what was asked for; "" when nobody says.
    """
    unread: tuple[BadLine, ...] = ()
    rows: list[Answer] = []
    try:
        rows += [_with_type(row, rrtype) for row in _rows(document)]
    except Unreadable as err:
        unread = (BadLine(offset, str(err), rrname.encode()[:SAMPLE]),)
    found = read_answers(rrname, rows, offset)
    if rrtype in {"A", "AAAA", ""} and not any(row.rrtype in _ADDRESSED for row in rows):
        others = [row.data for row in rows if row.rrtype not in _PLAIN]
        found = found._replace(answers=tuple(_resolved(document, others)))
    return found._replace(unread=(*found.unread, *unread))


def _with_type(row: Answer, asked: str) -> Answer:
    """An answer whose type is not told, with the one that it must be of."""
    if row.rrtype or asked not in _ADDRESSED or not isinstance(row.data, str) or _OTHER_TYPE.match(row.data):
        return row
    return row._replace(rrtype="CNAME" if texts.address_of(row.data) is None else asked)


def _resolved(document: Document, others: list[object]) -> Iterator[Address]:
    """Addresses that pipelines gathered, but for those that stand in answers which are no addresses."""
    value = _RESOLVED.of(document)
    seen = {texts.address_of(data) for data in others}
    for one in value if isinstance(value, list) else [value]:
        address = texts.address_of(one)
        if address is not None and address not in seen:
            seen.add(address)
            yield address


# -- the shapes of dns.answers -----------------------------------------------------------------------------------------


def _rows(document: Document) -> Iterator[Answer]:
    value = _ANSWERS.of(document)
    if isinstance(value, list):
        for row in value:
            yield from _row(row) if isinstance(row, dict) else [Answer("", row)]
    elif isinstance(value, dict):
        yield from _row(value)
    else:
        yield from _columns(_DATA.of(document), _TYPES.of(document), _OWNERS.of(document))


def _row(row: Document) -> Iterator[Answer]:
    """One answer, or one object that has all of them in columns."""
    return _columns(_ROW_DATA.of(row), _ROW_TYPE.of(row), _ROW_OWNER.of(row))


def _columns(data: object, types: object, owners: object) -> Iterator[Answer]:
    """Answers whose data, types and owners are told apart from each other.

    Raises:
        Unreadable: nobody can say what belongs together.

    Columns of different lengths do not belong together, and Elasticsearch may sort each of them for itself. So of columns
    that are longer than one the owners are left out; and the types, but to tell that there are no others than addresses and
    CNAMEs, which are known by their looks.
    """
    if not isinstance(data, list):
        yield from [] if data is None else [Answer(texts.rrtype_of(_only(types)), data, _only(owners))]
        return
    kinds = [texts.rrtype_of(kind) for kind in (types if isinstance(types, list) else [types] * len(data))]
    if len(data) == len(kinds) == 1:
        yield Answer(kinds[0], data[0], _only(owners))
    elif kinds and _PLAIN.issuperset(kinds):
        yield from (_by_looks(one) for one in data)
    elif len(kinds) == len(data):
        yield from map(Answer, kinds, data)
    else:
        raise Unreadable("answers in columns that do not fit each other")


def _by_looks(data: object) -> Answer:
    address = texts.address_of(data)
    return Answer("CNAME" if address is None else "A", data)


def _only(value: object) -> object:
    return value[0] if isinstance(value, list) and len(value) == 1 else value
