"""What is said over a socket by programs that send logs, as far as it has to be understood to keep it. Pure.

    Frame Streams   READY, ACCEPT, START, data, STOP, FINISH, or without the answers START, data, STOP; see
                    `feedsvc.sources.framestreams` and farsightsec.github.io/fstrm
    frames alone    each behind its length, and nothing else: PowerDNS

Sockets, files and the meaning of frames are others' affair. What does not speak the protocol is refused at the first octets
that show it; memory is bounded by one frame.
"""

from __future__ import annotations

from collections.abc import Iterator

from feedsvc.errors import SourceError
from feedsvc.sources import framestreams
from feedsvc.sources.frames import LOST, Framing
from feedsvc.sources.framestreams import ACCEPT, FINISH, READY, START, STOP
from feedsvc.sources.port import Heard
from feedsvc.sources.readings import Unreadable

LARGEST = 256 * 1024
"""Octets of a frame that is taken: a dnstap message holds two DNS messages of 64 KiB at most, and little beside them."""


class Frames:
    """A connection over which come frames alone.

    Args:
        framing: how they are divided.

    Attributes:
        begun: whether a frame has come that may be one.
    """

    def __init__(self, framing: Framing) -> None:
        self.begun = False
        self._size = framing.size
        self._buffer = bytearray()

    def hear(self, octets: bytes) -> Heard:
        """See `Session`."""
        self._buffer += octets
        at, count, fault = 0, 0, ""
        try:
            while size := _whole(self._size(self._buffer, at), len(self._buffer) - at):
                at += size
                count += 1
        except SourceError as err:
            fault = str(err)
        frames = bytes(self._buffer[:at])
        del self._buffer[:at]
        self.begun = self.begun or count > 0
        return Heard(frames, count, over=fault != "", fault=fault)

    def rest(self) -> int:
        """See `Session`."""
        return len(self._buffer)


class FrameStream:
    """A connection of Frame Streams, from the side that takes the data.

    Args:
        content_type: what the data must be.

    Attributes:
        begun: whether the stream has begun, so that data may come.
    """

    def __init__(self, content_type: bytes) -> None:
        self.begun = False
        self._content_type = content_type
        self._buffer = bytearray()
        self._asked = False  # READY has come: the other side wants answers
        self._over = False

    def hear(self, octets: bytes) -> Heard:
        """See `Session`."""
        self._buffer += octets
        frames: list[bytes] = []
        replies: list[bytes] = []
        fault = ""
        try:
            for frame in self._taken():
                if framestreams.is_control(frame):
                    replies.append(self._control(frame))
                else:
                    frames.append(self._data(frame))
        except (SourceError, Unreadable) as err:
            fault = str(err)
        return Heard(b"".join(frames), len(frames), b"".join(replies), over=self._over or fault != "", fault=fault)

    def _taken(self) -> Iterator[bytes]:
        """The frames that are whole."""
        at = 0
        try:
            while not self._over and (size := _whole(framestreams.size_of(self._buffer, at), len(self._buffer) - at)):
                at += size
                yield bytes(self._buffer[at - size : at])
        finally:
            del self._buffer[:at]

    def rest(self) -> int:
        """See `Session`."""
        return len(self._buffer)

    def _data(self, frame: bytes) -> bytes:
        if not self.begun:
            raise SourceError("data before the stream has begun")
        return frame

    def _control(self, frame: bytes) -> bytes:
        """What is answered to a control frame."""
        control = framestreams.control_of(frame)
        if control.kind == READY and not self._asked and not self.begun:
            self._check(control.content_types)
            self._asked = True
            return framestreams.control(ACCEPT, self._content_type)
        if control.kind == START and not self.begun:
            self._check(control.content_types)
            self.begun = True
            return b""
        if control.kind == STOP and self.begun:
            self._over = True
            return framestreams.control(FINISH) if self._asked else b""
        raise SourceError("control frame out of turn")

    def _check(self, content_types: tuple[bytes, ...]) -> None:
        if content_types and self._content_type not in content_types:
            raise SourceError("stream of something else")


def _whole(size: int, there: int) -> int:
    """The size of a frame that is there as a whole; 0 when it is not.

    Raises:
        SourceError: it can be no frame, or is larger than may be.
    """
    if size == LOST:
        raise SourceError("what can be no frame")
    if size > LARGEST:
        raise SourceError(f"frame of more than {LARGEST} octets")
    return size if 0 < size <= there else 0
