"""Run as a program of its own: reads chunks of Windows event logs with the `evtx` package, within limits.

A chunk is 64 KiB of binary XML, and there are chunks over which the package never ends, takes all memory or brings its
process down. So it lives in a process that may be lost, which `feedsvc.sources.evtx_chunks` starts. That process is told
nothing but the chunks, and imports nothing of feedsvc.

Read from standard input, until it ends: a chunk's length in four octets, and the chunk. Written for each: the number of its
events in four octets, and for each of them the length of a text in four octets and the text: JSON, or "" for an event that
cannot be read.
"""

from __future__ import annotations

import io
import resource
import struct
import sys
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from evtx import PyEvtxParser

MEMORY = 512 * 1024 * 1024
"""Octets of address space; a chunk needs a few megabytes."""

SECONDS = 2
"""Of the processor that one chunk may take; a full one takes a few milliseconds."""

OUTPUT = 16 * 1024 * 1024
"""Octets of JSON that one chunk may become; an honest one has a few hundred thousand."""

_SIZE = struct.Struct(">I")


def file_header() -> bytes:
    """The header of an EVTX file of one chunk."""
    fields = struct.pack("<8sQQQIHHHH", b"ElfFile\0", 0, 0, 1, 128, 1, 3, 4096, 1).ljust(120, b"\0")
    return (fields + struct.pack("<II", 0, zlib.crc32(fields))).ljust(4096, b"\0")


def events(chunk: bytes) -> Iterator[bytes]:
    """The events of a chunk as JSON."""
    records = PyEvtxParser(io.BytesIO(file_header() + chunk), number_of_threads=1).records_json()
    left = OUTPUT
    while left > 0:
        try:
            record = next(records)
        except StopIteration:
            return
        except (RuntimeError, OSError, ValueError):
            yield b""  # the package goes on with the next one, and ends where it cannot
            left -= 1024
            continue
        text = str(record["data"]).encode() if record else b""
        left -= len(text)
        yield text
    yield b""  # what is too much


def _limit(kind: int, most: int) -> None:
    """Allow so much of something, or what is allowed already where that is less."""
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _limit_time() -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + 1 + SECONDS)


def main(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer until there are no more chunks."""
    _limit(resource.RLIMIT_AS, MEMORY)
    _limit(resource.RLIMIT_CORE, 0)
    while size := source.read(4):
        chunk = source.read(*_SIZE.unpack(size))
        _limit_time()
        found = list(events(chunk))
        sink.write(_SIZE.pack(len(found)) + b"".join(_SIZE.pack(len(text)) + text for text in found))
        sink.flush()


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
