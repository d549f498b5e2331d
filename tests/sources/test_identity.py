"""Which file is which: a log is known by its text, wherever it went and whatever was made of it."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import pytest

from feedsvc.errors import SourceError
from feedsvc.sources.identity import (
    HEAD,
    Found,
    Heads,
    Kinship,
    Position,
    beside,
    fingerprint,
    is_mount_without_its_disk,
    kinship,
    look,
    nothing_of,
    open_found,
    parse_position,
)

LINES = [b"record number %d of a log\n" % number for number in range(400)]
TEXT = b"".join(LINES)


def position_after(lines: int) -> Position:
    """The position of who read so many lines."""
    offset, last = sum(map(len, LINES[:lines])), LINES[lines - 1]
    return Position(
        "dns.log",
        "0:0",
        offset,
        head=fingerprint(0, TEXT[: min(HEAD, offset)]),
        last=fingerprint(offset - len(last), last.rstrip()),
        format="zeek",
    )


def found(path: Path) -> Found:
    (file,) = look(str(path)).files
    return file


@pytest.mark.parametrize("read", [2, 150, 399, 400])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TEXT, Kinship.SAME),
        (TEXT + b"more\n", Kinship.SAME),
        (b"", Kinship.OTHER),
        (b"x" + TEXT, Kinship.OTHER),
        (TEXT.replace(b"number 1 ", b"number 0 "), Kinship.OTHER),
        (TEXT.upper(), Kinship.OTHER),
    ],
    ids=["the log", "the log grown", "empty", "shifted", "another beginning", "another log"],
)
@pytest.mark.parametrize("press", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_log_is_known_by_its_beginning_and_the_last_line_read(
    tmp_path: Path, read: int, text: bytes, expected: Kinship, press: type[bytes]
) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(press(text))
    assert kinship(found(path), position_after(read)) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TEXT[:6000], Kinship.SHORT),
        (TEXT[:HEAD], Kinship.SHORT),
        (TEXT[: HEAD - 1], Kinship.OTHER),
        (TEXT[:9000] + b"y" * 9000, Kinship.OTHER),
        (TEXT[:-1], Kinship.SAME),
    ],
    ids=["short", "the beginning alone", "less than that", "another end", "the last line end lacks"],
)
def test_a_log_that_begins_alike_and_ends_early_may_be_a_copy_in_the_making(
    tmp_path: Path, text: bytes, expected: Kinship
) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(text)
    assert kinship(found(path), position_after(400)) is expected


def test_a_gzip_cut_short_is_what_can_be_read_of_it(tmp_path: Path) -> None:
    path = tmp_path / "a.log.gz"
    noise = b"".join(b"%064x\n" % (7**number % 2**256) for number in range(400))
    path.write_bytes(gzip.compress(noise)[:-6000])
    position = replace(
        position_after(400),
        head=fingerprint(0, noise[:HEAD]),
        last=fingerprint(len(noise) - 65, noise[-65:-1]),
        offset=len(noise),
    )
    assert kinship(found(path), position) is Kinship.SHORT


def test_a_position_of_nothing_is_kin_to_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(TEXT)
    assert kinship(found(path), nothing_of(found(path))) is Kinship.OTHER
    assert not Heads().may_be(found(path), nothing_of(found(path)))


def test_heads_agree_with_the_last_word_where_they_say_no(tmp_path: Path) -> None:
    heads = Heads()
    for name, text in {"same": TEXT, "other": TEXT.upper(), "empty": b""}.items():
        path = tmp_path / name
        path.write_bytes(text)
        assert heads.may_be(found(path), position_after(200)) is (name == "same")


def test_a_position_comes_back_from_its_text() -> None:
    position = replace(position_after(3), state='{"fields":[]}', rest="1:2", damage="cut short")
    assert parse_position(position.text()) == position


@pytest.mark.parametrize("text", ["", "12", "{}", '{"path": 1}', "[]"])
def test_a_text_that_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(SourceError, match="a stored cursor cannot be read"):
        parse_position(text)


def test_a_file_that_was_replaced_since_it_was_looked_at_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"old")
    file = found(path)
    path.rename(tmp_path / "b.log")
    assert open_found(file) is None
    path.write_bytes(b"new")
    assert open_found(file) is None
    (tmp_path / "b.log").replace(path)
    log = open_found(file)
    assert log is not None
    with log:
        assert log.slice(0, 9) == b"old"


def test_the_folder_of_a_file_that_is_gone_has_no_files(tmp_path: Path) -> None:
    assert beside(str(tmp_path / "gone" / "a.log")).files == ()


def test_an_empty_folder_may_be_a_mount_point_without_its_disk(tmp_path: Path) -> None:
    assert is_mount_without_its_disk(str(tmp_path))
    assert not is_mount_without_its_disk(str(tmp_path / "gone"))
    (tmp_path / "a.log").touch()
    assert not is_mount_without_its_disk(str(tmp_path))
