"""What is said over a socket by programs that send logs: understood however it is cut, refused when it is something else."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.sources import sessions
from feedsvc.sources.framestreams import ACCEPT, FINISH, READY, START, STOP, control
from feedsvc.sources.logs import dnstap
from feedsvc.sources.port import Heard, Session
from tests.sources.logs import dnstap_making, powerdns_making
from tests.sources.logs.making import hit
from tests.sources.sending import sent

TYPE = dnstap.CONTENT_TYPE
DATA = [dnstap_making.frame(dnstap_making.message("CLIENT_RESPONSE", hit(name))) for name in "abc"]
MESSAGES = [powerdns_making.frame(powerdns_making.message(2, hit(name))) for name in "abc"]
TALK = control(READY, TYPE) + control(START, TYPE) + b"".join(DATA) + control(STOP)

Make = Callable[[], Session]


def stream() -> Session:
    return sent("dnstap").session()


def frames() -> Session:
    return sent("powerdns").session()


def heard(session: Session, *pieces: bytes) -> Heard:
    """Everything that was understood of pieces, until the end or a fault."""
    kept, count, reply = b"", 0, b""
    for piece in pieces:
        one = session.hear(piece)
        kept, count, reply = kept + one.frames, count + one.count, reply + one.reply
        if one.over:
            return Heard(kept, count, reply, over=True, fault=one.fault)
    return Heard(kept, count, reply)


def pieces(text: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(text) + 1) for cut in cuts})
    return [text[begin:end] for begin, end in zip([0, *places], [*places, len(text)], strict=True)]


@given(st.lists(st.integers(0, 10_000), max_size=12))
def test_a_stream_is_understood_however_it_is_cut(cuts: list[int]) -> None:
    expected = Heard(b"".join(DATA), 3, control(ACCEPT, TYPE) + control(FINISH), over=True)
    assert heard(stream(), *pieces(TALK, cuts)) == expected


@given(st.lists(st.integers(0, 10_000), max_size=12))
def test_frames_alone_are_understood_however_they_are_cut(cuts: list[int]) -> None:
    session = frames()
    assert heard(session, *pieces(b"".join(MESSAGES) + MESSAGES[0][:9], cuts)) == Heard(b"".join(MESSAGES), 3)
    assert session.rest() == 9


def test_a_stream_may_begin_without_being_asked_and_is_answered_nothing() -> None:
    text = control(START, TYPE) + DATA[0] + control(STOP)
    assert heard(stream(), text) == Heard(DATA[0], 1, over=True)


@pytest.mark.parametrize("ready", [control(READY), control(READY, TYPE)], ids=["any", "ours"])
def test_who_would_send_anything_is_told_what_to_send(ready: bytes) -> None:
    assert heard(stream(), ready).reply == control(ACCEPT, TYPE)


def test_it_has_begun_when_data_may_come() -> None:
    session = stream()
    session.hear(control(READY, TYPE))
    assert not session.begun
    session.hear(control(START, TYPE))
    assert session.begun


def test_frames_alone_have_begun_with_the_first() -> None:
    session = frames()
    session.hear(MESSAGES[0][:-1])
    assert not session.begun
    session.hear(MESSAGES[0][-1:])
    assert session.begun


OTHER = b"protobuf:other"


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (DATA[0], "data before the stream has begun"),
        (control(READY, TYPE) + DATA[0], "data before the stream has begun"),
        (control(READY, OTHER), "stream of something else"),
        (control(START, OTHER), "stream of something else"),
        (control(READY, TYPE) * 2, "control frame out of turn"),
        (control(STOP), "control frame out of turn"),
        (control(ACCEPT, TYPE), "control frame out of turn"),
        (control(START, TYPE) * 2, "control frame out of turn"),
        (control(99), "control frame out of turn"),
        (struct.pack("!II", 0, 513) + bytes(513), "what can be no frame"),
        (struct.pack("!III", 0, 4 + 6, READY) + bytes(6), "control frame whose fields do not fill it"),
        (control(START, TYPE) + struct.pack("!I", 0xFFFFFFFF), f"frame of more than {sessions.LARGEST} octets"),
        (b"GET / HTTP/1.1\r\n\r\n", f"frame of more than {sessions.LARGEST} octets"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_stream_is_refused_at_the_first_octets_that_show_it(said: bytes, fault: str) -> None:
    found = heard(stream(), said)
    assert (found.over, found.fault) == (True, fault)


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n", bytes(8), b"\xff\xff\xff\xff", b"\x16\x03\x01\x02\x00\x01"])
def test_what_is_no_message_is_refused_at_its_first_octets(said: bytes) -> None:
    assert heard(frames(), said).fault == "what can be no frame"


@pytest.mark.parametrize(
    ("make", "good", "bad"),
    [
        (stream, control(START, TYPE) + DATA[0], control(READY, TYPE)),
        (frames, MESSAGES[0], b"\xff\xff\xff\xff"),
    ],
    ids=["stream", "frames"],
)
def test_what_came_before_a_fault_is_kept(make: Make, good: bytes, bad: bytes) -> None:
    found = heard(make(), good + bad)
    assert (found.count, found.over) == (1, True)


@given(st.lists(st.binary(max_size=300), max_size=20))
@pytest.mark.parametrize("make", [stream, frames])
def test_whatever_comes_nothing_breaks_and_little_is_held(make: Make, said: list[bytes]) -> None:
    session = make()
    for piece in said:
        if session.hear(piece).over:
            return
        assert session.rest() <= sessions.LARGEST
