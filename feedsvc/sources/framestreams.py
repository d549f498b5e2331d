"""Frame Streams, in which dnstap is written to files and sockets (farsightsec.github.io/fstrm).

A frame is its length in four octets and so many octets of data. A length of 0 escapes a control frame: again a length, then
a type and fields, of which the content type is the only one. A file is START, data, STOP; when a server is started again and
appends, or was killed, it is several of these, with or without a STOP.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Collection
from typing import NamedTuple

from feedsvc.sources.frames import LOST, Framing
from feedsvc.sources.readings import Unreadable

ACCEPT, START, STOP, READY, FINISH = 1, 2, 3, 4, 5

MAX_CONTROL = 512
"""Octets of a control frame, without what frames it: what the library of the protocol's makers takes."""

_UINT32 = struct.Struct("!I")
_LENGTHS = struct.Struct("!II")
_ESCAPE = bytes(4)
_CONTENT_TYPE = 1


class Control(NamedTuple):
    """A control frame: its type, and the content types it names."""

    kind: int
    content_types: tuple[bytes, ...] = ()


def framing(content_type: bytes, firsts: Collection[int], sound: Callable[[bytes], bool]) -> Framing:
    """How a file is divided in which a START of this content type begins a stream.

    Args:
        firsts: octets with which data may begin.
        sound: whether data is what it should be.
    """
    mark = start(content_type)

    def size(buffer: bytearray, at: int) -> int:
        whole = size_of(buffer, at)
        if len(buffer) - at < 5:
            return 0
        return whole if buffer.startswith(_ESCAPE, at) or buffer[at + 4] in firsts else LOST

    def is_sound(frame: bytes) -> bool:
        return is_control(frame) or sound(frame[4:])

    return Framing(size, is_sound, re.compile(re.escape(mark)), len(mark))


def start(content_type: bytes) -> bytes:
    """The control frame that begins a stream."""
    return control(START, content_type)


def control(kind: int, content_type: bytes = b"") -> bytes:
    """A control frame."""
    fields = _UINT32.pack(kind)
    if content_type:
        fields += _LENGTHS.pack(_CONTENT_TYPE, len(content_type)) + content_type
    return _LENGTHS.pack(0, len(fields)) + fields


def is_control(frame: bytes) -> bool:
    """Whether a frame, as it was cut, is a control frame; or would be, if it were whole."""
    return frame.startswith(_ESCAPE)


def data_of(frame: bytes) -> bytes:
    """The data of a frame as it was cut.

    Raises:
        Unreadable: it was cut short, or is none.
    """
    if len(frame) < 5 or len(frame) != 4 + _UINT32.unpack_from(frame)[0]:
        raise Unreadable("frame that is cut short, or none")
    return frame[4:]


def control_of(frame: bytes) -> Control:
    """A control frame as it was cut.

    Raises:
        Unreadable: it was cut short, or is none.
    """
    if len(frame) < 12 or not is_control(frame) or len(frame) != 8 + _UINT32.unpack_from(frame, 4)[0]:
        raise Unreadable("control frame that is cut short, or none")
    (kind,) = _UINT32.unpack_from(frame, 8)
    found, at = [], 12
    while at + 8 <= len(frame):
        field, length = _LENGTHS.unpack_from(frame, at)
        at += 8 + length
        if field == _CONTENT_TYPE:
            found.append(frame[at - length : at])
    if at != len(frame):
        raise Unreadable("control frame whose fields do not fill it")
    return Control(kind, tuple(found))


def size_of(buffer: bytearray, at: int) -> int:
    """See `Framing.size`; as far as its first octets tell."""
    if len(buffer) - at < 4:
        return 0
    (size,) = _UINT32.unpack_from(buffer, at)
    if size:
        return 4 + int(size)
    if len(buffer) - at < 8:
        return 0
    (size,) = _UINT32.unpack_from(buffer, at + 4)
    return 8 + int(size) if 4 <= size <= MAX_CONTROL else LOST
