"""Logs searched again: what was read of them gives exactly what those who follow them would have counted."""

from __future__ import annotations

import gzip
import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedsvc.errors import SourceError
from feedsvc.model import Batch, Stretch
from feedsvc.sources.identity import parse_position
from feedsvc.sources.logs import Formats
from feedsvc.sources.lookback import look_back
from tests.sources.logs import dnsmasq_making, dnstap_making, eve_making, making
from tests.sources.logs.dnsmasq_making import Asked
from tests.sources.logs.eve_making import Style
from tests.sources.logs.making import START, Exchange
from tests.sources.logs.reading import LATER, Reader

Counted = Counter[tuple[str, str]]

NAMES = frozenset(f"n{number}.example.net" for number in range(4))


def exchanges(seed: int, size: int = 40) -> list[Exchange]:
    """Lookups of few names by few clients, with answers and without, each at a moment of its own."""
    rng = random.Random(seed)
    answers = [(), ("203.0.113.1",), ("198.51.100.7",)]
    return [
        Exchange(
            f"n{rng.randrange(8)}.example.net",
            "A",
            rng.choice(answers),
            client=f"10.0.0.{rng.randrange(3)}",
            time=START + at,
        )
        for at in range(size)
    ]


def dnsmasq(seed: int) -> bytes:
    """The same of two processes whose lines are mixed, and some of which answer late."""
    rng = random.Random(seed)
    lookups = [Asked(one.query, "A", one.client, answers=one.answers, late=rng.random() < 0.4) for one in exchanges(seed)]
    return dnsmasq_making.log([lookups[::2], lookups[1::2]], seed, extra=True)


LOGS: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "zeek tsv": ("zeek", lambda seed: making.tsv_log(exchanges(seed))),
    "zeek json": ("zeek", lambda seed: making.json_log(exchanges(seed))),
    "eve v1": ("eve", lambda seed: eve_making.log(exchanges(seed), Style(version=1))),
    "eve v3": ("eve", lambda seed: eve_making.log(exchanges(seed), Style(version=3))),
    "dnsmasq": ("dnsmasq", dnsmasq),
    "dnstap": ("dnstap", lambda seed: dnstap_making.log(exchanges(seed), "CLIENT_QUERY", "CLIENT_RESPONSE")),
}


def count(batches: Iterator[Batch], reader: Reader | None = None) -> Counted:
    """How often each client asked for each of the names."""
    counted: Counted = Counter()
    for batch in batches:
        for one in (*batch.sightings, *batch.lookups):
            if one.rrname in NAMES:
                counted[one.rrname, one.client] += one.count
        if reader is not None:
            reader.store(batch)
    return counted


def stretch_of(reader: Reader, start: str = "", since: float = 0.0, until: str = "") -> Stretch:
    """All that a reader has read of its one log."""
    [(scope, position)] = reader.cursors.items()
    return Stretch((1,), "zeek", scope, start, until or position, position, NAMES, since)


def searched(reader: Reader, stretch: Stretch, **how: object) -> list[Batch]:
    step, at_once = how.get("step", 1 << 26), how.get("at_once", True)
    assert isinstance(step, int)
    return list(look_back(reader.path, Formats(reader.form), stretch, step=step, at_once=bool(at_once)))


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "step by step"])
@pytest.mark.parametrize("kind", LOGS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999), part=st.floats(0.05, 1))
def test_what_was_read_and_what_comes_after_are_all_there_is(
    tmp_path_factory: pytest.TempPathFactory, kind: str, at_once: bool, seed: int, part: float
) -> None:
    folder = tmp_path_factory.mktemp("log")
    form, write = LOGS[kind]
    text = write(seed)
    (folder / "whole").write_bytes(text)
    truth = count(Reader(f"{folder}/whole", form=form).batches(LATER))
    log, reader = folder / "log", Reader(f"{folder}/log", form=form)
    log.write_bytes(text[: int(len(text) * part)])
    count(reader.batches(), reader)
    if not reader.cursors:
        return
    stretch = stretch_of(reader)
    making.append(log, text[int(len(text) * part) :])
    after = count(reader.batches(LATER), reader)
    assert count(iter(searched(reader, stretch, at_once=at_once, step=500))) + after == truth


@pytest.mark.parametrize("kind", LOGS)
def test_what_was_read_to_its_end_at_rest_is_searched_with_what_waited_there(tmp_path: Path, kind: str) -> None:
    form, write = LOGS[kind]
    log = tmp_path / "log.gz"
    log.write_bytes(gzip.compress(write(3)))
    reader = Reader(str(log), form=form)
    truth = count(reader.batches(LATER), reader)
    assert truth
    for at_once in (True, False):
        assert count(iter(searched(reader, stretch_of(reader), at_once=at_once))) == truth


def test_each_batch_says_where_to_go_on_and_nothing_is_lost_or_doubled_there(tmp_path: Path) -> None:
    log = tmp_path / "dns.log"
    log.write_bytes(making.tsv_log(exchanges(1, 200)))
    reader = Reader(str(log))
    truth = count(reader.batches(LATER), reader)
    whole = stretch_of(reader)
    batches = searched(reader, whole, at_once=False, step=1000)
    assert len(batches) > 5
    found: Counted = Counter()
    for batch in batches[:-1]:
        found += count(iter([batch]))
        [cursor] = batch.cursors
        rest = searched(reader, stretch_of(reader, start=cursor.position))
        assert found + count(iter(rest)) == truth
    assert batches[-1].cursors[0].position == whole.until


def test_a_stretch_may_end_in_the_middle_of_what_was_read(tmp_path: Path) -> None:
    log = tmp_path / "dns.log"
    log.write_bytes(making.json_log(exchanges(2, 100)))
    reader = Reader(str(log))
    truth = count(reader.batches(LATER), reader)
    first, *_ = searched(reader, stretch_of(reader), at_once=False, step=3000)
    middle = first.cursors[0].position
    head = searched(reader, stretch_of(reader, until=middle))
    tail = searched(reader, stretch_of(reader, start=middle))
    assert count(iter(head)) + count(iter(tail)) == truth
    assert count(iter(head)) == count(iter([first]))


def test_records_and_files_that_are_too_old_are_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "dns.log"
    log.write_bytes(making.json_log(exchanges(3)))
    reader = Reader(str(log))
    count(reader.batches(LATER), reader)
    half = START + 20
    expected = count(iter(searched(reader, stretch_of(reader)))).total()
    young = count(iter(searched(reader, stretch_of(reader, since=half)))).total()
    assert 0 < young < expected
    [batch] = searched(reader, stretch_of(reader, since=LATER.timestamp()))
    assert (batch.lookups, batch.cursors[0].position) == ((), stretch_of(reader).until)


def test_a_log_that_was_truncated_is_read_with_the_header_that_it_once_had(tmp_path: Path) -> None:
    log = tmp_path / "dns.log"
    lines = [making.tsv_line(one) for one in exchanges(4, 60)]
    log.write_bytes(making.header() + b"".join(lines[:20]))
    reader = Reader(str(log))
    count(reader.batches(), reader)
    (tmp_path / "aside").write_bytes(log.read_bytes())
    with log.open("r+b") as out:
        out.truncate(0)
        out.write(b"".join(lines[20:]))
    truth = count(reader.batches(), reader)
    assert truth
    [scope] = [scope for scope, text in reader.cursors.items() if parse_position(text).offset == log.stat().st_size]
    position = reader.cursors[scope]
    stretch = Stretch((1,), "zeek", scope, "", position, position, NAMES, 0.0)
    assert count(iter(searched(reader, stretch))) == truth


def test_a_damaged_log_is_searched_as_far_as_it_can_be_read(tmp_path: Path) -> None:
    log = tmp_path / "dns.log.gz"
    log.write_bytes(gzip.compress(making.json_log(exchanges(5, 400)))[:-200])
    reader = Reader(str(log))
    truth = count(reader.batches(LATER), reader)
    assert truth
    for at_once in (True, False):
        assert count(iter(searched(reader, stretch_of(reader), at_once=at_once))) == truth


def test_another_log_in_the_same_place_is_not_taken_for_it(tmp_path: Path) -> None:
    log = tmp_path / "dns.log"
    log.write_bytes(making.json_log(exchanges(6)))
    reader = Reader(str(log))
    count(reader.batches(LATER), reader)
    log.write_bytes(making.json_log(exchanges(7)))
    with pytest.raises(SourceError, match="what was read of it is not there any more") as raised:
        searched(reader, stretch_of(reader))
    assert raised.value.permanent


def test_where_nothing_is_to_be_seen_a_disk_may_come_back(tmp_path: Path) -> None:
    log = tmp_path / "dns.log"
    log.write_bytes(making.json_log(exchanges(8)))
    reader = Reader(str(log))
    count(reader.batches(LATER), reader)
    log.unlink()
    with pytest.raises(SourceError, match="no file matches") as raised:
        searched(reader, stretch_of(reader))
    assert not raised.value.permanent


def test_a_format_that_is_gone_is_told(tmp_path: Path) -> None:
    log = tmp_path / "dns.log"
    log.write_bytes(making.json_log(exchanges(9)))
    reader = Reader(str(log))
    count(reader.batches(LATER), reader)
    stretch = stretch_of(reader, until=stretch_of(reader).until.replace('"format":"zeek"', '"format":"none"'))
    with pytest.raises(SourceError, match="none"):
        searched(reader, stretch)
