"""What came over a socket, kept in files: bounded, whole frames alone, and each loss counted."""

from __future__ import annotations

import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from feedsvc.errors import UsageError
from feedsvc.sources import spool
from feedsvc.sources.spool import FULL, Spool, Status, glance

FRAME = b"frame\n"


@contextmanager
def opened(
    folder: Path, preamble: bytes = b"BEGIN\n", limit: int = 10_000, turn: int = 100, age: float = 60
) -> Iterator[Spool]:
    found = Spool(folder, preamble, limit, turn=turn, age=age)
    found.open(0)
    try:
        yield found
    finally:
        found.close()


@contextmanager
def files_no_longer_than(size: int) -> Iterator[None]:
    """What a full disk does, this does: the system takes a part, and then nothing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state.db-spool" / "dnstap"


def texts(folder: Path) -> list[bytes]:
    """The files, the oldest first."""
    return [path.read_bytes() for path in (*sorted(spool.done(folder)), folder / "current")]


def test_frames_are_in_a_file_at_once_that_its_owner_alone_may_read(folder: Path) -> None:
    with opened(folder) as writer:
        writer.write(FRAME * 2, 2, 0)
        assert texts(folder) == [b"BEGIN\n" + FRAME * 2]
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_file_that_is_full_is_left_and_the_next_begun(folder: Path) -> None:
    with opened(folder) as writer:
        for _ in range(3):
            writer.write(FRAME * 10, 10, 0)
        assert texts(folder) == [b"BEGIN\n" + FRAME * 10] * 3


def test_a_file_that_is_old_is_left_when_it_holds_anything(folder: Path) -> None:
    with opened(folder, age=60) as writer:
        writer.tend(0, 61)
        assert texts(folder) == [b"BEGIN\n"]
        writer.write(FRAME, 1, 62)
        writer.tend(0, 100)
        assert len(texts(folder)) == 1
        writer.tend(0, 200)
        assert texts(folder) == [b"BEGIN\n" + FRAME, b"BEGIN\n"]


def test_what_an_earlier_process_left_is_kept_and_not_written_on(folder: Path) -> None:
    for _ in range(2):
        with opened(folder) as writer:
            writer.write(FRAME, 1, 0)
    with opened(folder):
        assert texts(folder) == [b"BEGIN\n" + FRAME, b"BEGIN\n" + FRAME, b"BEGIN\n"]


def test_a_format_without_a_beginning_begins_with_nothing(folder: Path) -> None:
    with opened(folder, preamble=b"") as writer:
        writer.write(FRAME, 1, 0)
        assert texts(folder) == [FRAME]


def test_when_it_is_full_frames_are_counted_as_lost_until_something_was_read(folder: Path) -> None:
    with opened(folder, limit=400, turn=100) as writer:
        for _ in range(10):
            writer.write(FRAME * 10, 10, 0)
        writer.tend(1, 1)
        assert sum(map(len, texts(folder))) <= 400
        assert glance(folder).status == Status(1, {FULL: 40})
        next(iter(spool.done(folder))).unlink()
        writer.tend(1, 2)
        writer.write(FRAME * 10, 10, 2)
        writer.tend(1, 3)
        assert glance(folder).status == Status(1, {FULL: 40})


def test_when_the_disk_takes_no_more_no_half_frame_is_left_and_the_loss_is_counted(folder: Path) -> None:
    with opened(folder, turn=2000) as writer:
        writer.write(b"0" * 990 + b"\n", 1, 0)
        with files_no_longer_than(1024):
            writer.write(FRAME * 50, 50, 0)
            writer.tend(1, 1)
        writer.write(FRAME, 1, 2)
        assert texts(folder) == [b"BEGIN\n" + b"0" * 990 + b"\n" + FRAME]
        [why] = (glance(folder).status or Status()).lost
        assert why.startswith("frame that could not be kept: file too large")


def test_a_file_that_could_not_be_begun_is_begun_when_there_is_room(folder: Path) -> None:
    with opened(folder, preamble=b"BEGIN" * 10 + b"\n", turn=100) as writer:
        writer.write(FRAME * 8, 8, 0)
        with files_no_longer_than(20):
            writer.write(FRAME * 9, 9, 0)
        writer.write(FRAME, 1, 0)
        assert texts(folder) == [b"BEGIN" * 10 + b"\n" + FRAME * 8, b"BEGIN" * 10 + b"\n" + FRAME]


def test_losses_are_counted_on_by_the_next_process(folder: Path) -> None:
    for _ in range(2):
        with opened(folder) as writer:
            writer.lose("frame of somebody", 3)
    assert glance(folder).status == Status(0, {"frame of somebody": 6})


def test_it_shows_whether_somebody_writes(folder: Path) -> None:
    assert glance(folder) == spool.Glance(None, written=False)
    with opened(folder) as writer:
        writer.tend(2, 1)
        assert glance(folder) == spool.Glance(Status(2), written=True)
    assert glance(folder) == spool.Glance(Status(0), written=False)


def test_two_do_not_write_at_once(folder: Path) -> None:
    with opened(folder), pytest.raises(UsageError, match="another process listens"):
        Spool(folder, b"", 1000).open(0)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"cannot write into .*/file/spool: not a directory"):
        Spool(tmp_path / "file" / "spool", b"", 1000).open(0)


def test_a_status_that_nobody_can_read_is_begun_anew(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "status").write_text("{")
    with opened(folder) as writer:
        writer.tend(0, 1)
        assert glance(folder).status == Status()
