"""What one answer may cost, and how often it is asked for."""

from __future__ import annotations

from dataclasses import dataclass

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What one answer may cost, and how often it is asked for.

    Attributes:
        connect: seconds to reach the server, TLS included.
        silence: seconds without a byte.
        deadline: seconds for a whole answer, from the question to its last byte, however it drips; nothing is asked again
            after it either.
        max_bytes: of the body, decompressed.
        max_line: bytes of one line.
        redirects: how many are followed.
        attempts: how often a question is asked when the fault is transient.
        wait: seconds before the second attempt; doubles, and is jittered by up to as much again.
        max_wait: seconds of the longest pause; a `Retry-After` above it is not waited for, but told to the caller.
        grace: seconds for which an answer is still waited for once the process was asked to end: it was paid for.
    """

    connect: float = 10.0
    silence: float = 30.0
    deadline: float = 120.0
    max_bytes: int = 128 * MEBIBYTE
    max_line: int = MEBIBYTE
    redirects: int = 3
    attempts: int = 3
    wait: float = 0.5
    max_wait: float = 10.0
    grace: float = 5.0
