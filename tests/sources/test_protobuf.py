"""Protocol Buffers off the wire, as Google's own library reads them, and never by more than their length allows."""

from __future__ import annotations

import contextlib
import struct
from typing import Any

import pytest
from dnstap_pb import Dnstap  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.sources.protobuf import Value, fields, last_of
from feedsvc.sources.readings import Unreadable

OCTETS = {"identity": 1, "version": 2, "extra": 3}
ADDRESSES = {"query_address": 4, "response_address": 5, "query_message": 10, "query_zone": 11, "response_message": 14}
NUMBERS = {"query_port": 6, "response_port": 7}
LONG_NUMBERS = {"query_time_sec": 8, "response_time_sec": 12}
FIXED = {"query_time_nsec": 9, "response_time_nsec": 13}

Kinds = tuple[tuple[dict[str, int], Any, dict[int, Value], st.SearchStrategy[Any]], ...]


@st.composite
def written(draw: st.DrawFn) -> tuple[bytes, dict[int, Value], dict[int, Value]]:
    """A dnstap frame as Google's library writes it, and the fields of its two messages."""
    made = Dnstap(type=Dnstap.MESSAGE)
    made.message.type = draw(st.integers(1, 14))
    outer: dict[int, Value] = {15: 1}
    inner: dict[int, Value] = {1: made.message.type}
    kinds: Kinds = (
        (OCTETS, made, outer, st.binary(max_size=300)),
        (ADDRESSES, made.message, inner, st.binary(max_size=20)),
        (NUMBERS, made.message, inner, st.integers(0, 2**32 - 1)),
        (LONG_NUMBERS, made.message, inner, st.integers(0, 2**64 - 1)),
        (FIXED, made.message, inner, st.integers(0, 2**32 - 1)),
    )
    for names, message, expected, values in kinds:
        for name, number in names.items():
            if draw(st.booleans()):
                value: Value = draw(values)
                expected[number] = value
                setattr(message, name, value)
    outer[14] = made.message.SerializeToString()
    return made.SerializeToString(), outer, inner


def key(number: int, kind: int) -> bytes:
    assert number < 16
    return bytes([number << 3 | kind])


class TestFields:
    @given(written())
    def test_what_googles_library_writes_is_read_as_it_was_meant(
        self, made: tuple[bytes, dict[int, Value], dict[int, Value]]
    ) -> None:
        text, outer, inner = made
        assert last_of(text) == outer
        message = outer[14]
        assert isinstance(message, bytes)
        assert last_of(message) == inner

    @given(written(), st.data())
    def test_what_googles_library_reads_of_a_damaged_message_is_read_alike(
        self, made: tuple[bytes, object, object], data: st.DataObject
    ) -> None:
        text = bytearray(made[0])
        for _ in range(data.draw(st.integers(1, 3))):
            text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
        judge = Dnstap()
        try:
            judge.ParseFromString(bytes(text))
        except DecodeError:
            return
        if any(kind in {3, 4} for kind in kinds_of(bytes(text))):
            return  # groups, which we refuse
        read = fields(bytes(text))
        for name, number in OCTETS.items():
            # It passes over values of another kind than the schema's, as whoever asks for a field has to.
            values = [b"", *(value for found, value in read if found == number and isinstance(value, bytes))]
            assert getattr(judge, name) == values[-1]

    def test_every_kind_of_value_is_read_to_its_end(self) -> None:
        message = (
            key(1, 0) + b"\xff" * 9 + b"\x01"
            + key(2, 1) + struct.pack("<Q", 2**64 - 2)
            + key(3, 2) + b"\x80\x01" + b"x" * 128
            + key(4, 5) + struct.pack("<I", 7)
            + b"\xfa\xff\xff\xff\x0f" + b"\x01y"
        )  # fmt: skip
        assert fields(message) == [(1, 2**64 - 1), (2, 2**64 - 2), (3, b"x" * 128), (4, 7), (2**29 - 1, b"y")]

    def test_of_a_field_that_is_there_twice_the_last_counts(self) -> None:
        message = key(1, 0) + b"\1" + key(1, 0) + b"\2"
        assert fields(message) == [(1, 1), (1, 2)]
        assert last_of(message) == {1: 2}

    def test_nothing_has_no_fields(self) -> None:
        assert fields(b"") == []

    @pytest.mark.parametrize(
        ("message", "reason"),
        [
            (key(1, 0), "message ends within a field"),
            (key(1, 0) + b"\x80", "message ends within a field"),
            (key(1, 2) + b"\x02a", "message ends within a field"),
            (key(1, 2) + b"\xff" * 9 + b"\x01", "message ends within a field"),
            (key(1, 5) + b"abc", "message ends within a field"),
            (key(1, 1) + b"abcdefg", "message ends within a field"),
            (b"\x80", "message ends within a field"),
            (key(1, 0) + b"\xff" * 10 + b"\1", "number longer than any may be"),
            (key(1, 3) + b"abc", "field of no known kind"),
            (key(1, 4), "field of no known kind"),
            (key(1, 6) + b"abc", "field of no known kind"),
            (key(1, 7) + b"abc", "field of no known kind"),
        ],
    )
    def test_what_is_no_message_says_why(self, message: bytes, reason: str) -> None:
        with pytest.raises(Unreadable, match=f"^{reason}$"):
            fields(message)

    @given(st.binary(max_size=300))
    def test_no_octets_make_it_raise_anything_else(self, message: bytes) -> None:
        with contextlib.suppress(Unreadable):
            assert sum(len(value) for _, value in fields(message) if isinstance(value, bytes)) < max(1, len(message))


def kinds_of(message: bytes) -> list[int]:
    """The kinds of all fields up to the first that we cannot read."""
    found: list[int] = []
    for size in range(len(message)):
        with contextlib.suppress(Unreadable):
            fields(message[:size])
            found.append(message[size] & 7)
    return found
