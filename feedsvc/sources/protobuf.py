"""Protocol Buffers as they go over the wire (protobuf.dev/programming-guides/encoding): the fields of one message.

No schema: who asks for a field knows what it should be. Groups, which nobody has written for fifteen years, are refused. A
message within a message is octets until somebody reads it for itself, so that nothing here calls itself, and what is read
costs no more than its octets.
"""

from __future__ import annotations

from feedsvc.sources.readings import Unreadable

Value = int | bytes
"""Octets where their number goes with them (texts, messages); everything else is a number without a sign."""

_VARINT, _OCTETS = 0, 2
_WIDTHS = {1: 8, 5: 4}  # octets of the other kinds, both little-endian
_LAST_SHIFT = 63  # of the tenth octet of a number, the last one that it may have
_UINT64 = (1 << 64) - 1


def fields(message: bytes) -> list[tuple[int, Value]]:
    """Every field of a message, by its number, in the order in which they stand there.

    Raises:
        Unreadable: it ends within a field, or holds what is none.
    """
    found: list[tuple[int, Value]] = []
    at, end = 0, len(message)
    try:
        while at < end:
            number, at, value = _field(message, at)
            found.append((number, value))
    except IndexError:
        at = end + 1
    if at > end:
        raise Unreadable("message ends within a field")
    return found


def last_of(message: bytes) -> dict[int, Value]:
    """Fields by their numbers; of one that is there more than once the last, as the specification has it.

    Raises:
        Unreadable: see `fields`.
    """
    return dict(fields(message))


def _field(message: bytes, at: int) -> tuple[int, int, Value]:
    """A field's number, where the next field begins, and the value, cut short where the message is."""
    key, at = _varint(message, at)
    kind = key & 7
    if kind == _VARINT:
        value, at = _varint(message, at)
        return key >> 3, at, value
    if kind == _OCTETS:
        size, at = _varint(message, at)
        return key >> 3, at + size, message[at : at + size]
    width = _WIDTHS.get(kind)
    if width is None:
        raise Unreadable("field of no known kind")
    return key >> 3, at + width, int.from_bytes(message[at : at + width], "little")


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """A number of up to ten octets, and where it ends."""
    octet = message[at]
    if octet < 128:
        return octet, at + 1
    value, shift = octet & 127, 7
    while (octet := message[at + shift // 7]) > 127:
        value |= (octet & 127) << shift
        shift += 7
        if shift > _LAST_SHIFT:
            raise Unreadable("number longer than any may be")
    return (value | octet << shift) & _UINT64, at + shift // 7 + 1
