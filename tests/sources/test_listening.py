"""Sockets on which programs send logs: who may connect, what is kept, and what hostile ones can do."""

from __future__ import annotations

import functools
import socket
import stat
import struct
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from feedsvc.config import ListenPlace
from feedsvc.errors import UsageError
from feedsvc.sources import sessions
from feedsvc.sources.framestreams import READY, START, control
from feedsvc.sources.listening import BROKEN, CROWDED, CUT, MUTE, Bounds
from feedsvc.sources.spool import FULL, glance
from tests.sources.logs import dnstap_making, powerdns_making
from tests.sources.logs.making import hit
from tests.sources.sending import TYPE, Sender, listening, wait_until


@functools.cache  # it has a random number in it
def message(name: str) -> bytes:
    return dnstap_making.frame(dnstap_making.message("CLIENT_RESPONSE", hit(name)))


def kept(folder: Path) -> bytes:
    """All frames, without what their files begin with."""
    files = [*sorted(folder.glob("current.*")), folder / "current"]
    return b"".join(path.read_bytes().removeprefix(control(START, TYPE)) for path in files)


def lost(folder: Path) -> dict[str, int]:
    status = glance(folder).status
    return dict(status.lost) if status else {}


def wait_for_loss(folder: Path, expected: dict[str, int]) -> None:
    wait_until(lambda: lost(folder) == expected, f"{expected}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


class TestTaking:
    def test_what_one_sends_is_kept_as_it_is(self, folder: Path) -> None:
        text = b"".join(message(f"n{number}") for number in range(500))
        with listening(folder) as listener, Sender(listener) as sender:
            sender.begin()
            sender.send(text)
            sender.end()
            assert kept(folder) == text

    def test_of_several_that_send_at_once_every_frame_is_whole(self, folder: Path) -> None:
        with listening(folder) as listener, ExitStack() as stack:
            senders = [stack.enter_context(Sender(listener)) for _ in range(5)]
            for sender in senders:
                sender.begin()
            halves = [(text[:50], text[50:]) for text in (message(f"s{number}") for number in range(5))]
            for half in (0, 1):
                for sender, text in zip(senders, halves, strict=True):
                    sender.send(text[half])
            for sender in senders:
                sender.end()
            found, size = kept(folder), len(message("s0"))
            assert sorted(found[at : at + size] for at in range(0, len(found), size)) == sorted(map(b"".join, halves))

    def test_frames_alone_are_kept_when_their_connection_ends(self, folder: Path) -> None:
        text = powerdns_making.frame(powerdns_making.message(2, hit("a")))
        with listening(folder, form="powerdns") as listener, Sender(listener) as sender:
            sender.send(text)
            sender.sock.shutdown(socket.SHUT_WR)
            assert sender.is_closed()
        assert (folder / "current").read_bytes() == text
        assert lost(folder) == {}

    def test_who_is_connected_and_speaks_is_counted(self, folder: Path) -> None:
        def connected(count: int) -> Callable[[], bool]:
            return lambda: getattr(glance(folder).status, "connected", None) == count

        with listening(folder) as listener:
            with Sender(listener), Sender(listener) as sender:
                sender.begin()
                wait_until(connected(1), "one that speaks")
            wait_until(connected(0), "none")

    def test_what_came_before_it_stopped_is_taken(self, folder: Path) -> None:
        with listening(folder) as listener, Sender(listener) as sender:
            sender.begin()
            sender.send(message("a"))
            listener.stop()
            assert sender.is_closed()
        assert kept(folder) == message("a")


class TestPlaces:
    def test_a_socket_is_for_its_owner_and_group_and_gone_at_the_end(self, folder: Path, tmp_path: Path) -> None:
        path = tmp_path / "dnstap.sock"
        with listening(folder, ListenPlace(path=str(path))), Sender(str(path)) as sender:
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
            sender.begin()
            sender.send(message("a"))
            sender.end()
            assert kept(folder) == message("a")
        assert list(tmp_path.iterdir()) == [folder]

    def test_a_socket_that_a_dead_process_left_is_replaced(self, folder: Path, tmp_path: Path) -> None:
        path = tmp_path / "dnstap.sock"
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(path))
        with listening(folder, ListenPlace(path=str(path))), Sender(str(path)) as sender:
            sender.begin()

    def test_a_socket_on_which_somebody_listens_is_left_alone(self, tmp_path: Path) -> None:
        place = ListenPlace(path=str(tmp_path / "dnstap.sock"))
        with listening(tmp_path / "one", place):
            with pytest.raises(UsageError, match="somebody does already"), listening(tmp_path / "other", place):
                pass
            with Sender(place.path) as sender:
                sender.begin()

    def test_a_file_in_the_place_of_a_socket_is_left_alone(self, folder: Path, tmp_path: Path) -> None:
        (tmp_path / "dnstap.sock").write_text("precious")
        with pytest.raises(UsageError, match="is no socket"), listening(folder, ListenPlace(path=f"{tmp_path}/dnstap.sock")):
            pass
        assert (tmp_path / "dnstap.sock").read_text() == "precious"

    def test_a_socket_that_is_not_ours_any_more_is_left_when_we_end(self, folder: Path, tmp_path: Path) -> None:
        path = tmp_path / "dnstap.sock"
        with listening(folder, ListenPlace(path=str(path))), socket.socket(socket.AF_UNIX) as other:
            path.unlink()
            other.bind(str(path))
        assert path.is_socket()

    @pytest.mark.parametrize(
        ("place", "why"),
        [
            (ListenPlace(path="/nowhere/dnstap.sock"), "no such file or directory"),
            (ListenPlace(host="203.0.113.1"), "cannot assign requested address"),
        ],
        ids=["path", "address"],
    )
    def test_a_place_that_is_not_to_be_had_is_named(self, folder: Path, place: ListenPlace, why: str) -> None:
        with pytest.raises(UsageError, match=f"cannot listen on {place}: {why}"), listening(folder, place):
            pass

    def test_a_port_that_is_taken_is_named(self, tmp_path: Path) -> None:
        with listening(tmp_path / "one") as listener:
            taken = ListenPlace(host="127.0.0.1", port=listener.port)
            with pytest.raises(UsageError, match="address already in use"), listening(tmp_path / "other", taken):
                pass


class TestHostile:
    @pytest.mark.parametrize(
        "said",
        [b"GET / HTTP/1.1\r\n\r\n", message("a"), control(READY, b"protobuf:other"), struct.pack("!II", 0, 0xFFFFFFFF)],
        ids=["http", "data", "other", "length"],
    )
    def test_who_does_not_speak_the_protocol_is_closed_and_counted(self, folder: Path, said: bytes) -> None:
        with listening(folder) as listener, Sender(listener) as sender:
            sender.send(said)
            assert sender.is_closed()
            wait_for_loss(folder, {MUTE: 1})

    def test_a_huge_frame_ends_its_connection_and_what_came_before_it_is_kept(self, folder: Path) -> None:
        with listening(folder) as listener, Sender(listener) as sender:
            sender.begin()
            sender.send(message("a") + struct.pack("!I", sessions.LARGEST))
            assert sender.is_closed()
            wait_for_loss(folder, {BROKEN: 1})
            assert kept(folder) == message("a")

    def test_a_frame_that_is_cut_by_the_end_of_its_connection_is_counted(self, folder: Path) -> None:
        with listening(folder) as listener:
            with Sender(listener) as sender:
                sender.begin()
                sender.send(message("a") + message("b")[:-1])
            wait_for_loss(folder, {CUT: 1})
            assert kept(folder) == message("a")

    def test_who_says_nothing_is_closed_after_a_while(self, folder: Path) -> None:
        bounds = Bounds(patience=0.1, tend=0)
        with listening(folder, bounds=bounds) as listener, Sender(listener) as silent, Sender(listener) as asking:
            asking.send(control(READY, TYPE))
            assert silent.is_closed()
            wait_for_loss(folder, {MUTE: 2})

    def test_who_speaks_the_protocol_may_be_silent(self, folder: Path) -> None:
        bounds = Bounds(patience=0.1, tend=0)
        with listening(folder, bounds=bounds) as listener, Sender(listener) as quiet:
            quiet.begin()
            with Sender(listener) as silent:
                assert silent.is_closed()
            quiet.send(message("a"))
            quiet.end()
            assert kept(folder) == message("a")

    def test_many_connections_do_not_keep_a_sender_out_nor_drive_one_out(self, folder: Path) -> None:
        bounds = Bounds(connections=4, tend=0)
        with listening(folder, bounds=bounds) as listener, ExitStack() as stack, Sender(listener) as sender:
            sender.begin()
            crowd = [stack.enter_context(Sender(listener)) for _ in range(50)]
            with Sender(listener) as late:
                late.begin()
                late.send(message("late"))
                late.end()
            sender.send(message("a"))
            sender.end()
            assert kept(folder) == message("late") + message("a")
            assert all(one.is_closed() for one in crowd[:40])
            assert set(lost(folder)) == {MUTE}

    def test_of_too_many_senders_the_one_that_is_silent_for_longest_gives_way(self, folder: Path) -> None:
        with listening(folder, bounds=Bounds(connections=2, tend=0)) as listener, ExitStack() as stack:
            senders = [stack.enter_context(Sender(listener)) for _ in range(2)]
            for sender in senders:
                sender.begin()
            senders[0].send(message("a"))
            wait_until(lambda: kept(folder) == message("a"), "the frame")
            with Sender(listener) as third:
                third.begin()
                assert senders[1].is_closed()
                wait_for_loss(folder, {CROWDED: 1})

    def test_who_does_not_read_the_answers_holds_up_nobody(self, folder: Path) -> None:
        with listening(folder) as listener, Sender(listener) as deaf, Sender(listener) as sender:
            deaf.send(control(READY, TYPE))
            sender.begin()
            sender.send(message("a"))
            sender.end()
            assert kept(folder) == message("a")

    def test_when_there_is_no_room_frames_are_taken_and_counted_as_lost(self, folder: Path) -> None:
        with listening(folder, limit=2000, turn=500) as listener, Sender(listener) as sender:
            sender.begin()
            for number in range(100):
                sender.send(message(f"n{number}"))
            sender.end()
            wait_until(lambda: FULL in lost(folder), "the loss")
        total = sum(path.stat().st_size for path in folder.glob("current*"))
        assert total <= 2000
        assert lost(folder)[FULL] + kept(folder).count(b"\x07example\x03net\x00\x00\x01\x00\x01\xc0") == 100
