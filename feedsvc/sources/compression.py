"""Compressed files as text: gzip, zstd, bzip2 and xz, in constant memory, and all that a damaged one still holds.

A file is any number of streams, one after the other. Every kind of stream is made to behave as those of bz2 and lzma do.
"""

from __future__ import annotations

import bz2
import lzma
import sys
import zlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from isal import igzip_lib

from feedsvc.errors import SourceError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

BLOCK = 256 * 1024
"""Bytes decompressed at a time: enough to make calls cheap, and they stay in the cache."""

Compression = Literal["", "gzip", "bzip2", "xz", "zstd"]

_MAGIC: tuple[tuple[bytes, Compression], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x50\x2a\x4d\x18", "zstd"),  # the skippable frame that pzstd begins with
)
_NOT_READ = (
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"PK\x03\x04", "zip"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"\x1f\x9d", "compress"),
)

DAMAGES = (EOFError, OSError, ValueError, zlib.error, lzma.LZMAError, zstd.ZstdError)
"""What is raised where the text of a file ends too early."""

_XZ_MEMORY = 256 * 1024 * 1024  # `xz -9` needs 65 MiB; a header may demand 4 GiB
_ZSTD_WINDOW = 27  # 128 MiB, as far as `zstd --long` and its decoder go by themselves; a header may demand 2 GiB


def kind_of(first: bytes) -> Compression:
    """How a file that begins with these bytes is compressed; six bytes show it.

    Raises:
        SourceError: in a way that is not read.
    """
    for magic, kind in _NOT_READ:
        if first.startswith(magic):
            raise SourceError(
                f"{kind} is not read; decompress it, or compress it with gzip, zstd, bzip2 or xz", permanent=True
            )
    return next((kind for magic, kind in _MAGIC if first.startswith(magic)), "")


def text_of(kind: Compression, blocks: Callable[[int], Iterator[bytes]], *, again: bool) -> Iterator[bytes]:
    """The text of a compressed file, in pieces of at most `BLOCK` bytes, however far they expand.

    Args:
        blocks: gives the file from an offset on.
        again: it can be asked for more than once.

    Raises:
        Exception: one of `DAMAGES`, after all that can be read.
    """
    if kind == "gzip" and again:
        return _fast_gzip(blocks)
    return _expand(blocks(0), _STREAMS[kind])


def _fast_gzip(blocks: Callable[[int], Iterator[bytes]]) -> Iterator[bytes]:
    """By ISA-L, three times as fast as zlib; a member that it cannot read to its end is read again by zlib.

    Before a fault ISA-L gives less than there is, and the state that it was in cannot be gone back to.
    """
    place = _Place()
    try:
        yield from _expand(blocks(0), _isal_stream, place)
    except (EOFError, igzip_lib.IsalError):  # type: ignore[misc] # its stub makes an instance of the class
        yield from from_offset(_expand(blocks(place.begin), _GzipMember), place.given)


def from_offset(blocks: Iterator[bytes], start: int) -> Iterator[bytes]:
    """The same blocks without so many of their first bytes."""
    for block in blocks:
        if start < len(block):
            yield block[start:]
        start = max(0, start - len(block))


class _Stream(Protocol):
    """One compressed stream, as bz2 and lzma have it."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


@dataclass(slots=True)
class _Place:
    """How far a pass over the streams of a file is.

    Attributes:
        begin: where the stream at hand begins, in bytes of the file itself.
        given: bytes of text that it has given.
    """

    begin: int = 0
    given: int = 0


class _GzipMember:
    """A gzip member in the manner of bz2 and lzma, that gives all it can before it fails.

    zlib throws away what it made of a block in which it finds a fault. So each block is tried on a copy of the stream's
    state, and one with a fault is gone through byte by byte up to it.
    """

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)
        self._left = b""
        self._fault: zlib.error | None = None

    @property
    def eof(self) -> bool:
        return self._member.eof

    @property
    def needs_input(self) -> bool:
        return not self._left and self._fault is None

    @property
    def unused_data(self) -> bytes:
        return self._member.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        if self._fault is not None:
            raise self._fault
        data = self._left + data
        before = self._member.copy()
        try:
            text = self._member.decompress(data, max_length)
        except zlib.error as err:
            self._fault = err
            return b"".join(_up_to_fault(before, data))
        self._left = self._member.unconsumed_tail
        return text


def _up_to_fault(member: zlib._Decompress, data: bytes) -> Iterator[bytes]:
    try:
        for at in range(len(data)):
            yield member.decompress(data[at : at + 1])
    except zlib.error:
        return


class _ZstdFrame:
    """A zstd frame in the manner of bz2 and lzma, that gives every block before the one that is faulty.

    The decoder throws away what it made of the bytes among which it finds a fault, so it is shown a block at a time.
    """

    def __init__(self) -> None:
        self._frame = zstd.ZstdDecompressor(options={int(zstd.DecompressionParameter.window_log_max): _ZSTD_WINDOW})
        self._data = b""
        self._at = 0  # how far it is shown
        self._parts = _zstd_parts()
        self._part = b""  # the first bytes of the part at hand
        self._wanted = next(self._parts)

    @property
    def eof(self) -> bool:
        return self._frame.eof

    @property
    def needs_input(self) -> bool:
        return self._at >= len(self._data) and self._frame.needs_input

    @property
    def unused_data(self) -> bytes:
        return self._frame.unused_data + self._data[self._at :]

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        if data:
            self._data, self._at = self._data[self._at :] + data, 0
        if not self._frame.needs_input:
            return self._frame.decompress(b"", max_length)
        piece = self._data[self._at : self._at + self._wanted]
        self._at += len(piece)
        self._go_on(piece)
        return self._frame.decompress(piece, max_length)

    def _go_on(self, piece: bytes) -> None:
        self._wanted -= len(piece)
        self._part = (self._part + piece)[:4]
        while not self._wanted:
            try:
                self._wanted = self._parts.send(self._part)
            except StopIteration:
                self._wanted = BLOCK
            self._part = b""


def _zstd_parts() -> Generator[int, bytes, None]:
    """How long each part of a frame is (RFC 8878 §3.1); is sent the first bytes of each."""
    magic = yield 4
    if magic != b"\x28\xb5\x2f\xfd":
        yield int.from_bytes((yield 4), "little")
        return
    (descriptor,) = yield 1
    single_segment = descriptor >> 5 & 1
    size_of_size = (single_segment, 2, 4, 8)[descriptor >> 6]
    yield 1 - single_segment + (0, 1, 2, 4)[descriptor & 3] + size_of_size
    block = 0
    while not block & 1:
        block = int.from_bytes((yield 3), "little")
        yield 1 if block >> 1 & 3 == 1 else block >> 3
    yield descriptor & 4  # a checksum, or none


def _isal_stream() -> _Stream:
    return igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)


def _bzip2_stream() -> _Stream:
    return bz2.BZ2Decompressor()


def _xz_stream() -> _Stream:
    return lzma.LZMADecompressor(memlimit=_XZ_MEMORY)


_STREAMS: dict[str, Callable[[], _Stream]] = {
    "gzip": _GzipMember,
    "zstd": _ZstdFrame,
    "bzip2": _bzip2_stream,
    "xz": _xz_stream,
}


def _expand(blocks: Iterator[bytes], begin: Callable[[], _Stream], place: _Place | None = None) -> Iterator[bytes]:
    """All streams of a file, one after the other, in pieces of at most `BLOCK` bytes, however far they expand.

    Args:
        blocks: the file from its beginning.
        begin: begins a stream.
        place: is told how far this is, whenever a piece is given.
    """
    place = place or _Place()
    stream: _Stream | None = None
    taken = 0
    for block in blocks:
        data = block
        taken += len(block)
        while data:
            if stream is None:
                data = data.lstrip(b"\0")  # zeros may pad the space between streams
                if not data:
                    break
                stream = begin()
                place.begin, place.given = taken - len(data), 0
            yield from _pieces(stream, data, place)
            data = stream.unused_data if stream.eof else b""
            stream = None if stream.eof else stream
    if stream is not None:
        while text := stream.decompress(b"", BLOCK):
            place.given += len(text)
            yield text
        raise EOFError("cut short")


def _pieces(stream: _Stream, data: bytes, place: _Place) -> Iterator[bytes]:
    """All that a stream makes of some more bytes."""
    while True:
        text, data = stream.decompress(data, BLOCK), b""
        place.given += len(text)
        if text:
            yield text
        if stream.eof or stream.needs_input:
            return
