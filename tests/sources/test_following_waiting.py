"""Logs whose records span lines, followed through rotation: what waits for its end waits in the log that goes on."""

from __future__ import annotations

import gzip
import os
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.sources.logs.making import append
from tests.sources.logs.reading import LATER, Reader, once


def written(path: Path, age: int) -> None:
    """Say that a log was written to so many seconds ago: an hour makes it a log at rest."""
    moment = time.time() - age
    os.utime(path, (moment, moment))


def asked(serial: int, name: str) -> bytes:
    return _lines(serial, f"query[A] {name}.example.net from 10.0.0.1", f"forwarded {name}.example.net to 192.0.2.53")


def answered(serial: int, name: str) -> bytes:
    return _lines(serial, f"reply {name}.example.net is 198.51.100.7")


def looked_up(serial: int, name: str) -> bytes:
    return asked(serial, name) + answered(serial, name)


def _lines(serial: int, *texts: str) -> bytes:
    stamp = f"Nov 24 06:00:{serial % 60:02d} dnsmasq[801]: {serial} 10.0.0.1/{40000 + serial} "
    return "".join(f"{stamp}{text}\n" for text in texts).encode()


@pytest.fixture
def live(tmp_path: Path) -> Path:
    """A log with a lookup that is whole, and one that waits for its answer."""
    path = tmp_path / "dnsmasq.log"
    path.write_bytes(looked_up(1, "a") + asked(2, "b"))
    written(path, 200)
    return path


@pytest.fixture
def follower(live: Path) -> Reader:
    return Reader(f"{live}*", form="dnsmasq")


def end(follower: Reader) -> None:
    """Once all is at rest, nothing waits any more."""
    for _ in range(2):
        follower.poll_all(LATER)


@pytest.mark.parametrize("polled", [True, False], ids=["polled before", "new"])
def test_an_answer_in_the_next_log_is_that_to_a_question_in_the_one_before(
    live: Path, follower: Reader, polled: bool
) -> None:
    if polled:
        follower.poll_all()
    live.rename(live.with_name("dnsmasq.log.1"))
    live.write_bytes(answered(2, "b") + looked_up(3, "c"))
    follower.poll_all()
    end(follower)
    assert follower.names() == once(*"abc")
    assert follower.refused == []


@pytest.mark.parametrize("there", ["absent", "empty"])
def test_a_poll_before_the_next_log_has_begun_changes_nothing(live: Path, follower: Reader, there: str) -> None:
    follower.poll_all()
    old = live.rename(live.with_name("dnsmasq.log.1"))
    if there == "empty":
        live.touch()
    follower.poll_all()
    append(old, answered(2, "b") + asked(3, "c"))
    follower.poll_all()
    append(live, answered(3, "c") + looked_up(4, "d"))
    follower.poll_all()
    end(follower)
    assert follower.names() == once(*"abcd")
    assert follower.refused == []


def test_a_log_that_goes_out_of_the_glob_hands_over_as_well(live: Path) -> None:
    follower = Reader(str(live), form="dnsmasq")
    follower.poll_all()
    live.rename(live.with_name("old-dnsmasq"))
    live.write_bytes(answered(2, "b"))
    follower.poll_all()
    end(follower)
    assert follower.names() == once(*"ab")
    assert follower.refused == []


def test_a_log_that_is_gone_hands_over_what_it_waited_for(live: Path, follower: Reader) -> None:
    follower.poll_all()
    live.with_name("next").write_bytes(answered(2, "b"))
    live.with_name("next").rename(live)
    follower.poll_all()
    end(follower)
    assert follower.names() == once(*"ab")
    assert follower.refused == []


def test_a_log_on_the_inode_of_one_that_was_thrown_away_goes_on_after_the_one_in_its_place(
    live: Path, follower: Reader
) -> None:
    oldest = live.with_name("dnsmasq.log.1")
    oldest.write_bytes(looked_up(9, "old") * 2)
    follower.poll_all()
    live.rename(live.with_name("dnsmasq.log.2"))
    oldest.rename(live)
    live.write_bytes(answered(2, "b"))
    follower.poll_all()
    end(follower)
    assert follower.names() == once("a", "b") | {"old.example.net": 2}
    assert follower.refused == []


def test_logs_rotated_while_nobody_looked_hand_over_one_to_the_next(live: Path, follower: Reader) -> None:
    follower.poll_all()
    for number, (serial, name) in enumerate(zip(range(3, 7), "cdef", strict=True)):
        live.rename(live.with_name(f"dnsmasq.log-{number}"))
        live.write_bytes(answered(serial - 1, chr(ord(name) - 1)) + asked(serial, name))
        written(live, 100 - number)
    append(live, answered(6, "f"))
    follower.poll_all()
    end(follower)
    assert follower.names() == once(*"abcdef")
    assert follower.refused == []


def test_an_archive_that_is_read_for_the_first_time_is_read_as_one_log(live: Path, follower: Reader) -> None:
    live.with_name("dnsmasq.log.2.gz").write_bytes(gzip.compress(asked(11, "x")))
    live.with_name("dnsmasq.log.1").write_bytes(answered(11, "x") + asked(12, "y"))
    live.write_bytes(answered(12, "y"))
    for days, path in enumerate(sorted(live.parent.iterdir())):
        written(path, days * 86400)
    follower.poll_all()
    end(follower)
    assert follower.names() == once(*"xy")
    assert follower.refused == []


def test_of_a_copied_and_truncated_log_what_waits_goes_on_in_the_truncated_one(live: Path, follower: Reader) -> None:
    append(live, answered(2, "b"))  # the last record waits until the next begins
    follower.poll_all()
    append(live, asked(3, "c"))
    shutil.copy(live, live.with_name("dnsmasq.log.1"))
    os.truncate(live, 0)
    append(live, answered(3, "c") + looked_up(4, "d"))
    follower.poll_all()
    end(follower)
    assert follower.names() == once(*"abcd")
    assert follower.refused == []


def test_of_a_log_truncated_several_times_while_nobody_looked_nothing_waits_in_a_copy(live: Path, follower: Reader) -> None:
    append(live, answered(2, "b"))
    follower.poll_all()
    for number, name in enumerate("cde", 3):
        shutil.copy(live, live.with_name(f"dnsmasq.log-{number}"))
        written(live.with_name(f"dnsmasq.log-{number}"), 100 - number)
        os.truncate(live, 0)
        append(live, looked_up(number, name))
    append(live, asked(6, "f"))
    follower.poll_all()
    assert follower.names() == once(*"abcde")
    end(follower)
    assert follower.names() == once(*"abcde")
    assert follower.refused == []


class TestQuiet:
    """An answer is written at once: when nothing was written for a second, it is whole, though no other line has come."""

    def test_the_last_answer_is_told_a_second_later(self, live: Path, follower: Reader) -> None:
        append(live, answered(2, "b") + asked(3, "c"))
        changed = datetime.fromtimestamp(live.stat().st_mtime, UTC)
        follower.poll_all(changed + timedelta(seconds=0.9))
        assert follower.names() == once("a", "b")
        append(live, answered(3, "c"))
        changed = datetime.fromtimestamp(live.stat().st_mtime, UTC)
        follower.poll_all(changed + timedelta(seconds=0.9))
        assert follower.names() == once("a", "b")
        follower.poll_all(changed + timedelta(seconds=1.1))
        assert follower.names() == once(*"abc")
        end(follower)
        assert follower.names() == once(*"abc")

    def test_so_is_the_last_answer_that_does_not_say_of_which_lookup_it_is(self, live: Path, follower: Reader) -> None:
        stamp = "Nov 24 06:00:00 dnsmasq[801]: "
        texts = ("query[A] z.example.net from 10.0.0.1", "reply z.example.net is 198.51.100.7")
        live.write_bytes("".join(f"{stamp}{text}\n" for text in texts).encode())
        follower.poll_all(datetime.now(UTC) + timedelta(seconds=2))
        assert follower.names() == once("z")

    def test_a_question_waits_for_its_answer(self, live: Path, follower: Reader) -> None:
        follower.poll_all(datetime.now(UTC) + timedelta(seconds=30))
        append(live, answered(2, "b"))
        follower.poll_all(datetime.now(UTC) + timedelta(seconds=30))
        assert follower.names() == once("a", "b")
        assert follower.refused == []


def test_what_waits_is_told_once_however_often_the_follower_dies(live: Path, follower: Reader) -> None:
    follower.batch_facts = 1
    for rotation in range(12):
        follower.poll_and_die(rotation % 4)
        live.rename(live.with_name(f"dnsmasq.log-{rotation:02d}"))
        serial = 2 + rotation
        before, name = f"n{rotation - 1}" if rotation else "b", f"n{rotation}"
        live.write_bytes(answered(serial, before) + asked(serial + 1, name))
        written(live, 100 - rotation)
    append(live, answered(serial + 1, name))
    follower.poll_all()
    end(follower)
    assert follower.names() == once("a", "b", *(f"n{rotation}" for rotation in range(12)))
    assert follower.refused == []


def test_a_log_beside_one_that_is_still_at_its_place_takes_nothing_from_it(live: Path, follower: Reader) -> None:
    follower.poll_all()
    live.with_name("dnsmasq.log-other").write_bytes(looked_up(7, "o"))
    follower.poll_all()
    append(live, answered(2, "b"))
    follower.poll_all()
    end(follower)
    assert follower.names() == once(*"abo")
    assert follower.refused == []
