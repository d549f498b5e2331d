"""Logs that come over a socket, as a source: each frame is read once, and silence is told from nothing new."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from feedsvc.errors import SourceError
from feedsvc.model import Batch, End, Outcome
from feedsvc.sources.listening import CUT, MUTE
from feedsvc.sources.port import Poll
from feedsvc.sources.spool import FULL, glance
from tests.sources.logs import dnstap_making, powerdns_making
from tests.sources.logs.making import Exchange, hit
from tests.sources.logs.reading import NETBLOCKS, Reader, once
from tests.sources.sending import Sender, listening, spooled, wait_until


@dataclass
class SpoolReader(Reader):
    """Polls what a listener keeps."""

    def batches(self, now: datetime | None = None) -> Iterator[Batch]:
        return spooled(Path(self.path), self.form).read(Poll(NETBLOCKS, dict(self.cursors), now or datetime.now(UTC)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def reader(folder: Path) -> SpoolReader:
    return SpoolReader(str(folder), form="dnstap")


def message(name: str) -> bytes:
    return dnstap_making.frame(dnstap_making.message("CLIENT_RESPONSE", hit(name)))


def send_and_wait(sender: Sender, folder: Path, name: str) -> None:
    """Send a message, and wait until it was kept or lost."""

    def account() -> tuple[int, dict[str, int]]:
        return sum(path.stat().st_size for path in folder.glob("current*")), lost(folder)

    before = account()
    sender.send(message(name))
    wait_until(lambda: account() != before, f"{name} to be kept or lost")


def wait_for_senders(folder: Path, count: int) -> None:
    def connected() -> bool:
        status = glance(folder).status
        return status is not None and status.connected == count

    wait_until(connected, f"{count} senders")


def test_what_is_sent_is_read_and_nothing_of_it_twice(folder: Path, reader: SpoolReader) -> None:
    with listening(folder) as listener, Sender(listener) as quiet:
        quiet.begin()
        for names in ("ab", "cde", ""):
            with Sender(listener) as sender:
                sender.begin()
                sender.send(b"".join(map(message, names)))
                sender.end()
            wait_for_senders(folder, 1)
            reader.poll_all()
        assert reader.names() == once(*"abcde")


def test_messages_of_powerdns_are_read_as_well(folder: Path) -> None:
    reader = SpoolReader(str(folder), form="powerdns")
    with listening(folder, form="powerdns") as listener, Sender(listener) as sender:
        for name in "ab":
            sender.send(powerdns_making.frame(powerdns_making.message(2, hit(name))))
        wait_until(lambda: reader.poll().outcome is Outcome.COMPLETE and reader.names() == once("a", "b"), "a and b")


def test_no_sighting_names_a_file_that_will_be_gone(folder: Path, reader: SpoolReader) -> None:
    with listening(folder) as listener, Sender(listener) as sender:
        sender.begin()
        sender.send(
            message("a") + dnstap_making.frame(dnstap_making.message("CLIENT_RESPONSE", Exchange("www.example.org")))
        )
        sender.end()
    (batch,) = reader.batches()
    assert len(batch.sightings) == len(batch.lookups) == 1
    assert {one.log for one in (*batch.sightings, *batch.lookups)} == {""}


def test_files_are_removed_once_what_they_hold_is_stored(folder: Path, reader: SpoolReader) -> None:
    names = [f"n{number}" for number in range(200)]
    with listening(folder, turn=1000) as listener, Sender(listener) as sender:
        sender.begin()
        for name in names:
            send_and_wait(sender, folder, name)
        assert len(list(folder.glob("current.*"))) > 3
        left = sorted(folder.glob("current.*"))
        reader.poll_and_die(0)
        assert sorted(folder.glob("current.*"))[: len(left)] == left
        wait_until(lambda: reader.poll().outcome is Outcome.COMPLETE and len(reader.seen) == 200, "all")
        reader.poll_all()
        assert not any(path.exists() for path in left)
        assert len(reader.cursors) < 5
    assert reader.names() == once(*names)


@pytest.mark.parametrize("seed", range(3))
def test_a_reader_that_dies_at_any_moment_loses_nothing_and_reads_nothing_twice(folder: Path, seed: int) -> None:
    rng = random.Random(seed)
    names: list[str] = []
    reader = SpoolReader(str(folder), form="dnstap")
    for _ in range(4):
        with listening(folder, turn=1000) as listener, Sender(listener) as sender:
            sender.begin()
            for _ in range(rng.randrange(8)):
                new = [f"n{len(names) + number}" for number in range(rng.randrange(30))]
                sender.send(b"".join(map(message, new)))
                names += new
                reader.poll_and_die(rng.randrange(3))
            sender.end()
    reader.poll()
    reader.poll()
    assert reader.names() == once(*names)
    assert reader.refused == []


class TestEnds:
    def test_before_anything_listened_a_poll_has_failed(self, reader: SpoolReader) -> None:
        reason = "nothing was received on tcp:127.0.0.1:6000 so far; `feedsvc serve` listens there"
        assert reader.poll() == End(Outcome.FAILED, reason)

    def test_while_nobody_listens_a_poll_is_partial(self, folder: Path, reader: SpoolReader) -> None:
        with listening(folder) as listener, Sender(listener) as sender:
            sender.begin()
            sender.send(message("a"))
            sender.end()
        assert reader.poll() == End(Outcome.PARTIAL, "nobody listens on tcp:127.0.0.1:6000; `feedsvc serve` does")
        assert reader.names() == once("a")

    def test_while_no_server_is_connected_a_poll_is_partial(self, folder: Path, reader: SpoolReader) -> None:
        with listening(folder):
            assert reader.poll() == End(Outcome.PARTIAL, "no server is connected to tcp:127.0.0.1:6000")

    def test_what_was_lost_is_told_once_with_how_much_it_was(self, folder: Path, reader: SpoolReader) -> None:
        with listening(folder, limit=500) as listener, Sender(listener) as sender:
            sender.begin()
            for name in "abcdefgh":
                send_and_wait(sender, folder, name)
            wait_for_senders(folder, 1)
            end = reader.poll()
            assert end.outcome is Outcome.PARTIAL
            assert end.reason.startswith(f"lost: {FULL} (")
            assert reader.poll() == End(Outcome.COMPLETE)
            assert len(reader.seen) + sum(one.count for one in reader.refused) == 8

    def test_losses_are_told_though_the_poll_before_died(self, folder: Path, reader: SpoolReader) -> None:
        with listening(folder) as listener, Sender(listener) as quiet:
            quiet.begin()
            with Sender(listener) as sender:
                sender.begin()
                sender.send(message("a")[:-1])
            wait_until(lambda: CUT in lost(folder), "the loss")
            wait_for_senders(folder, 1)
            reader.poll_and_die(0)
            assert reader.poll() == End(Outcome.PARTIAL, f"lost: {CUT} (1 times)")
            assert reader.poll() == End(Outcome.COMPLETE)
            assert [(one.reason, one.count) for one in reader.refused] == [(CUT, 1)]

    def test_who_does_not_speak_the_protocol_is_counted_and_spoils_no_poll(self, folder: Path, reader: SpoolReader) -> None:
        with listening(folder) as listener, Sender(listener) as quiet:
            quiet.begin()
            with Sender(listener) as sender:
                sender.send(b"GET / HTTP/1.1\r\n\r\n")
                assert sender.is_closed()
            wait_until(lambda: MUTE in lost(folder), "the loss")
            wait_for_senders(folder, 1)
            reader.poll_all()
            assert [(one.reason, one.count) for one in reader.refused] == [(MUTE, 1)]

    def test_a_cursor_of_somebody_else_is_refused(self, reader: SpoolReader) -> None:
        reader.cursors["lost"] = "nonsense"
        with pytest.raises(SourceError, match="a stored cursor cannot be read"):
            reader.poll()


def lost(folder: Path) -> dict[str, int]:
    status = glance(folder).status
    return dict(status.lost) if status else {}
