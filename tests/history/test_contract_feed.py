"""What every engine of history promises of the feed: bytes for ever, `date_added` always later, pages without gaps."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedsvc.errors import HistoryError
from feedsvc.history.port import FeedPage, FeedRow, History
from feedsvc.model import StixObject, Tlp
from tests.history.making import (
    COLLECTION,
    ENGINES,
    HOUR,
    NOW,
    OTHER,
    add,
    ask,
    child,
    ends_well,
    everything,
    fresh,
    keys,
    named,
    stix,
    stix_id,
    version,
)

NOW_IN_MILLISECONDS = int(NOW.timestamp() * 1000) * 1000
ALL = frozenset({"all"})


def dates(rows: Sequence[FeedRow]) -> list[int]:
    return [row.date_added for row in rows]


def assert_rising(rows: Sequence[FeedRow]) -> None:
    assert all(before < after for before, after in pairwise(dates(rows)))


# -- adding ------------------------------------------------------------------------------------------------------------


def test_the_uuid_of_an_alias_is_kept_for_ever(history: History) -> None:
    assert history.feed.collection("indicators") is None
    with history.transaction():
        history.feed.keep_collection("indicators", COLLECTION.id)
        history.feed.keep_collection("indicators", COLLECTION.id)
    with pytest.raises(HistoryError, match="indicators"), history.transaction():
        history.feed.keep_collection("indicators", OTHER.id)
    assert history.feed.collection("indicators") == COLLECTION.id


def test_objects_are_dated_in_their_order_by_whole_milliseconds_of_the_clock(history: History) -> None:
    add(history, stix(2), stix(1), stix(3))
    rows = everything(history)
    assert named(rows) == keys(stix(2), stix(1), stix(3))
    assert dates(rows) == [NOW_IN_MILLISECONDS, NOW_IN_MILLISECONDS + 1000, NOW_IN_MILLISECONDS + 2000]
    assert [row.body for row in rows] == [stix(2).body, stix(1).body, stix(3).body]


@pytest.mark.parametrize("step", [timedelta(0), timedelta(microseconds=400), -HOUR, timedelta(days=-4000)])
def test_dates_rise_whatever_the_clock_does(history: History, step: timedelta) -> None:
    add(history, stix(1), stix(2))
    add(history, stix(3), now=NOW + step)
    assert dates(everything(history)) == [NOW_IN_MILLISECONDS + count * 1000 for count in range(3)]


def test_dates_follow_the_clock_again_when_it_has_caught_up(history: History) -> None:
    add(history, stix(1))
    add(history, stix(2), now=NOW - HOUR)
    add(history, stix(3), now=NOW + HOUR)
    assert dates(everything(history))[-1] == NOW_IN_MILLISECONDS + 3_600_000_000


def test_what_a_collection_has_is_left_alone(history: History) -> None:
    add(history, stix(1), stix(2))
    before = everything(history)
    add(history, stix(2), stix(3), stix(1), stix(3), now=NOW + HOUR)
    after = everything(history)
    assert after[:2] == before
    assert named(after[2:]) == keys(stix(3))
    assert dates(after)[2] == NOW_IN_MILLISECONDS + 3_600_000_000


def test_adding_nothing_is_no_fault(history: History) -> None:
    add(history)
    assert everything(history) == []


def test_each_collection_has_dates_of_its_own(history: History) -> None:
    add(history, stix(1), stix(2))
    add(history, stix(2), to=OTHER)
    assert dates(everything(history, collection=OTHER.id)) == [NOW_IN_MILLISECONDS]


@pytest.mark.parametrize(
    "objects",
    [[stix(9), stix(1, body=b"other")], [stix(9), stix(8), stix(8, body=b"other")]],
    ids=["than stored", "in one step"],
)
def test_a_published_version_never_changes_a_byte(history: History, objects: list[StixObject]) -> None:
    add(history, stix(1))
    with history.transaction():
        with pytest.raises(HistoryError, match=f"{objects[-1].id} .* version {objects[-1].version}"):
            history.feed.add(COLLECTION, objects, NOW)
        history.feed.add(COLLECTION, [stix(2)], NOW)
    assert named(everything(history)) == keys(stix(1), stix(2))
    assert everything(history)[0].body == stix(1).body
    assert history.feed.current(stix_id(9)) is None


def test_the_same_bytes_may_be_added_again_and_elsewhere(history: History) -> None:
    add(history, stix(1))
    add(history, stix(1))
    add(history, stix(1), to=OTHER)
    assert everything(history)[0].body == everything(history, collection=OTHER.id)[0].body == stix(1).body


def test_the_current_version_is_the_newest_in_time_however_it_is_written(history: History) -> None:
    old = stix(1, version="2026-11-24T06:52:32Z")
    new = stix(1, version="2026-11-24T06:52:32.123Z", revoked=True, watch=None, name=None)
    add(history, new, old, to=OTHER)
    assert history.feed.current(stix_id(1)) == new
    assert history.feed.current(stix_id(2)) is None


# -- what is missing ---------------------------------------------------------------------------------------------------


def test_missing_is_what_the_collection_takes_and_has_not(history: History) -> None:
    narrow = dataclasses.replace(COLLECTION, id=OTHER.id, watches=("one", "two"), max_tlp=Tlp.GREEN)
    taken = [stix(1, watch="two", tlp=Tlp.CLEAR), stix(2, watch="one")]
    add(
        history,
        *taken,
        stix(3, watch="three"),
        stix(4, watch="one", tlp=Tlp.AMBER),
        stix(5, kind="identity", watch=None, name=None),
    )
    assert history.feed.missing(narrow) == tuple(taken)
    add(history, taken[0], to=narrow)
    assert history.feed.missing(narrow) == (taken[1],)
    assert history.feed.missing(COLLECTION) == ()


def test_missing_is_asked_of_the_current_version_alone(history: History) -> None:
    add(history, stix(1), stix(1, 1), stix(2), stix(2, 1, tlp=Tlp.RED), stix(3))
    add(history, stix(3), to=OTHER)
    open_one = dataclasses.replace(OTHER, max_tlp=Tlp.GREEN)
    assert history.feed.missing(open_one) == (stix(1, 1),)


# -- pages -------------------------------------------------------------------------------------------------------------


def test_a_page_ends_at_its_limit_and_tells_whether_more_follow(history: History) -> None:
    add(history, stix(1), stix(2), stix(3))
    first = history.feed.objects(ask(limit=2))
    assert (named(first.rows), first.more) == (keys(stix(1), stix(2)), True)
    last = history.feed.objects(ask(limit=1, after=first.rows[-1].date_added))
    assert (named(last.rows), last.more) == (keys(stix(3)), False)
    assert history.feed.objects(ask(limit=3)).more is False
    assert history.feed.objects(ask(after=last.rows[-1].date_added)) == FeedPage((), more=False)


def test_a_manifest_is_the_page_without_bodies(history: History) -> None:
    add(history, stix(1), stix(2), stix(1, 1))
    page = history.feed.objects(ask(versions=ALL))
    bare = tuple(dataclasses.replace(row, body=b"") for row in page.rows)
    assert history.feed.manifest(ask(versions=ALL)) == dataclasses.replace(page, rows=bare)


def test_a_page_is_filtered_by_id_and_type(history: History) -> None:
    add(history, stix(1), stix(2), stix(3, kind="identity"), stix(1, 1))
    assert named(everything(history, ids=frozenset({stix_id(2), stix_id(1), "none"}))) == keys(stix(2), stix(1, 1))
    assert named(everything(history, types=frozenset({"identity", "tool"}))) == keys(stix(3, kind="identity"))
    assert everything(history, types=frozenset({"identity"}), ids=frozenset({stix_id(2)})) == []
    assert named(everything(history, ids=frozenset({stix_id(1)}), versions=ALL, limit=1)) == keys(stix(1), stix(1, 1))


def test_every_object_here_is_of_version_2_1(history: History) -> None:
    add(history, stix(1))
    assert named(everything(history, spec_versions=frozenset({"2.0", "2.1"}))) == keys(stix(1))
    assert everything(history, spec_versions=frozenset({"2.0"})) == []


def test_a_reader_sees_nothing_above_its_clearance(history: History) -> None:
    kept = [stix(rank, tlp=tlp) for rank, tlp in enumerate(Tlp)]
    add(history, *kept)
    for rank in range(len(kept)):
        assert named(everything(history, max_rank=rank)) == keys(*kept[: rank + 1])
        assert history.feed.has(COLLECTION.id, stix_id(rank), rank)
        assert not history.feed.has(COLLECTION.id, stix_id(rank), rank - 1)
    assert everything(history, max_rank=-1) == []


def test_an_object_is_seen_in_its_collection_alone(history: History) -> None:
    add(history, stix(1))
    assert not history.feed.has(OTHER.id, stix_id(1), 4)
    assert not history.feed.has(COLLECTION.id, stix_id(2), 4)
    assert everything(history, collection=OTHER.id) == []


def test_the_newest_version_is_the_newest_that_the_reader_may_see(history: History) -> None:
    add(history, stix(1), stix(1, 1, tlp=Tlp.RED), stix(2), stix(2, 1, tlp=Tlp.CLEAR))
    assert named(everything(history, max_rank=Tlp.GREEN.rank)) == keys(stix(1), stix(2, 1, tlp=Tlp.CLEAR))
    assert named(everything(history, max_rank=Tlp.RED.rank)) == keys(stix(1, 1), stix(2, 1))


def test_versions_are_compared_within_the_collection(history: History) -> None:
    add(history, stix(1), to=OTHER)
    add(history, stix(1, 1))
    assert named(everything(history, collection=OTHER.id)) == keys(stix(1))


def test_exact_versions_add_to_what_else_is_asked_for(history: History) -> None:
    add(history, stix(1), stix(1, 1), stix(1, 2), stix(2, 1))
    exact = frozenset({version(1)})
    assert named(everything(history, versions=frozenset(), exact_versions=exact)) == keys(stix(1, 1), stix(2, 1))
    either = everything(history, versions=frozenset({"last"}), exact_versions=frozenset({version(0)}))
    assert named(either) == keys(stix(1), stix(1, 2), stix(2, 1))
    assert everything(history, versions=frozenset()) == []


# -- laws --------------------------------------------------------------------------------------------------------------

Version = tuple[int, int]
"""Number of an object and of its revision."""

markings = st.sampled_from(Tlp)
versions = st.tuples(st.integers(0, 3), st.integers(0, 4))
contents = st.dictionaries(versions, markings, min_size=1, max_size=14)


def naively(added: Sequence[StixObject], rank: int, wanted: frozenset[str], exact: frozenset[str]) -> list[tuple[str, str]]:
    """What a reader should get, by looking at everything."""
    visible = [one for one in added if one.tlp.rank <= rank]

    def fits(one: StixObject) -> bool:
        same = [other.version for other in visible if other.id == one.id]
        return (
            "all" in wanted
            or ("last" in wanted and one.version == max(same))
            or ("first" in wanted and one.version == min(same))
            or one.version in exact
        )

    return keys(*filter(fits, visible))


@pytest.mark.parametrize("engine", ENGINES)
@given(contents=contents, cut=st.integers(0, 14), data=st.data())
@settings(max_examples=40)
def test_a_reader_gets_what_it_asked_for_and_may_see(
    engine: str, contents: dict[Version, Tlp], cut: int, data: st.DataObject
) -> None:
    added = [stix(number, revision, tlp=tlp) for (number, revision), tlp in contents.items()]
    exact = frozenset({version(data.draw(st.integers(0, 4)))})
    ids = frozenset(stix_id(number) for number in data.draw(st.sets(st.integers(0, 4), min_size=1)))
    with fresh(engine) as history:
        add(history, *added[:cut])
        add(history, *added[cut:])
        for rank in range(5):
            for wanted in map(frozenset, ([], ["last"], ["first"], ["all"], ["first", "last"])):
                for asked in (frozenset[str](), exact):
                    expected = naively(added, rank, wanted, asked)
                    question = {"max_rank": rank, "versions": wanted, "exact_versions": asked, "limit": 3}
                    assert named(everything(history, **question)) == expected
                    among = [key for key in expected if key[0] in ids]
                    assert named(everything(history, **question, ids=ids)) == among


steps = st.lists(
    st.one_of(
        st.integers(1, 5),  # read a page of so many
        st.lists(st.integers(0, 5), min_size=1, max_size=4),  # publish the next version of each of these
    ),
    max_size=20,
)


@pytest.mark.parametrize("engine", ENGINES)
@given(steps=steps)
@settings(max_examples=60)
def test_paging_by_any_limits_while_rows_are_added_visits_each_row_once_in_order(
    engine: str, steps: list[int | list[int]]
) -> None:
    revisions = dict.fromkeys(range(6), 0)
    visited: list[FeedRow] = []
    newest: list[FeedRow] = []
    with fresh(engine) as history:
        for step in [*steps, 1000]:
            if isinstance(step, list):
                for number in step:
                    revisions[number] += 1
                add(history, *{stix(number, revisions[number]) for number in step}, now=NOW - len(visited) * HOUR)
                continue
            visited += history.feed.objects(ask(limit=step, versions=ALL, after=after(visited))).rows
            newest += history.feed.objects(ask(limit=step, after=after(newest))).rows
        assert visited == everything(history, versions=ALL)
        assert_rising(newest)
        assert set(everything(history)) <= set(newest) <= set(visited)


def after(rows: Sequence[FeedRow]) -> int | None:
    return rows[-1].date_added if rows else None


PUBLISHES = """
import sys
from datetime import timedelta
from pathlib import Path
from feedsvc.history import open_history
from tests.history.making import HOUR, NOW, add, stix
writer = int(sys.argv[2])
history = open_history(Path(sys.argv[1]))
for step in range(25):
    own_clock = NOW + (writer - 2) * HOUR - step * timedelta(seconds=writer)
    add(history, *(stix(100 * writer + step, revision) for revision in range(3)), now=own_clock)
"""


def test_who_polls_while_four_processes_publish_misses_nothing_and_sees_nothing_twice(state: Path, history: History) -> None:
    visited: list[FeedRow] = []
    with ExitStack() as stack:
        processes = [stack.enter_context(child(PUBLISHES, state, writer)) for writer in range(4)]
        while any(process.poll() is None for process in processes):
            visited += history.feed.objects(ask(limit=7, versions=ALL, after=after(visited))).rows
        assert all(map(ends_well, processes))
    visited += everything(history, versions=ALL, after=after(visited))
    assert_rising(visited)
    assert visited == everything(history, versions=ALL)
    assert len(visited) == 4 * 25 * 3
