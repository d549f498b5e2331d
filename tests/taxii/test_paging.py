"""Pages and `next`: every row once, whatever a client does between two pages; and no way around the filters (appendix B)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.model import Partner, StixObject, Tlp
from feedsvc.taxii import tokens
from feedsvc.taxii.query import Malformed
from tests.taxii.house import AMBER, BOTH, CALLBACKS, GREEN, OTHER, House, indicator, opened

OBJECTS = f"/taxii2/feeds/collections/{CALLBACKS.id}/objects/"
MANIFEST = f"/taxii2/feeds/collections/{CALLBACKS.id}/manifest/"

# -- walking -----------------------------------------------------------------------------------------------------------


def walk(house: House, where: str, query: str, limits: Iterator[int | None], *, by: Partner = AMBER) -> list[list[str]]:
    """Ids of each page, to the end; a limit for each, None for none."""
    pages: list[list[str]] = []
    following: str | None = ""
    while following is not None:
        limit = next(limits)
        parts = [query, f"limit={limit}" if limit else "", f"next={following}" if following else ""]
        reply = house.rows(where, "&".join(part for part in parts if part), by=by)
        pages.append(reply.ids)
        following = reply.json.get("next")
    return pages


@pytest.mark.parametrize("where", ["objects", "manifest"])
@pytest.mark.parametrize("limits", [[1], [2], [7], [1000], [3, 1, 5], [2, None], [None]], ids=str)
def test_every_object_comes_once_with_any_page_size_and_with_changing_ones(
    house: House, where: str, limits: list[int | None]
) -> None:
    house.page_limit = 6
    published = [indicator(number) for number in range(20)]
    house.publish(*published)
    pages = walk(house, where, "", itertools.cycle(limits))
    assert [one for page in pages for one in page] == [one.id for one in published]
    assert all(pages)


def test_a_last_page_that_is_full_says_that_nothing_follows(house: House) -> None:
    house.publish(*(indicator(number) for number in range(4)))
    assert [len(page) for page in walk(house, "objects", "", itertools.repeat(2))] == [2, 2]


def test_what_is_added_between_two_pages_comes_at_the_end_and_once(house: House) -> None:
    house.publish(*(indicator(number) for number in range(3)))
    first = house.rows("objects", "limit=2")
    house.publish(indicator(3), indicator(0, version="2026-11-25T12:00:00.000Z"))
    second = house.rows("objects", f"limit=2&next={first.json['next']}")
    third = house.rows("objects", f"limit=2&next={second.json['next']}")
    assert first.ids == [indicator(0).id, indicator(1).id]
    assert second.ids == [indicator(2).id, indicator(3).id]
    assert third.json == {"objects": [{**third.json["objects"][0], "modified": "2026-11-25T12:00:00.000Z"}]}
    assert third.ids == [indicator(0).id]


def test_a_token_carries_the_place_with_or_without_the_first_added_after(house: House) -> None:
    house.publish(*(indicator(number) for number in range(6)))
    dates = [record["date_added"] for record in house.rows("manifest").json["objects"]]
    first = house.rows("objects", f"added_after={dates[0]}&limit=2")
    following = first.json["next"]
    rest = [indicator(number).id for number in (3, 4, 5)]
    for query in ("", f"added_after={dates[0]}", f"added_after={dates[1]}", "added_after=1970-01-01T00:00:00Z"):
        assert house.rows("objects", f"next={following}&{query}").ids == rest


def test_a_client_that_raises_added_after_while_it_pages_sees_no_row_again(house: House) -> None:
    house.publish(*(indicator(number) for number in range(6)))
    dates = [record["date_added"] for record in house.rows("manifest").json["objects"]]
    following = house.rows("objects", "limit=2").json["next"]
    assert house.rows("objects", f"next={following}&added_after={dates[3]}").ids == [indicator(4).id, indicator(5).id]


def test_a_token_can_be_used_again_and_by_a_server_that_never_made_it(house: House) -> None:
    house.publish(*(indicator(number) for number in range(4)))
    following = house.rows("objects", "limit=2").json["next"]
    # `House.ask` builds a new server for each request.
    first, second = (house.rows("objects", f"next={following}") for _ in range(2))
    assert first == second
    assert first.ids == [indicator(2).id, indicator(3).id]


def test_the_key_of_tokens_is_made_once_and_kept(house: House) -> None:
    with house.history.transaction():
        assert tokens.keep_key(house.history) == tokens.keep_key(house.history)
        assert len(tokens.keep_key(house.history)) == 32


# -- no way around -----------------------------------------------------------------------------------------------------

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_QUESTIONS = st.lists(st.text(), min_size=5, max_size=5).map(tuple)
_KEY = b"k" * 32


@given(st.integers(0, 2**63), _QUESTIONS)
def test_a_token_is_read_back(position: int, question: tuple[str, ...]) -> None:
    assert tokens.read(_KEY, tokens.make(_KEY, position, question), question) == position


@given(st.integers(0, 2**63), st.integers(0, 31), st.sampled_from(_ALPHABET))
def test_a_token_with_one_letter_changed_is_refused(position: int, place: int, letter: str) -> None:
    token = tokens.make(_KEY, position, ("objects",))
    changed = token[:place] + letter + token[place + 1 :]
    if changed != token:
        with pytest.raises(Malformed):
            tokens.read(_KEY, changed, ("objects",))


@given(_QUESTIONS, _QUESTIONS, st.integers(0, 2**63))
def test_a_token_for_another_question_or_of_another_key_is_refused(
    question: tuple[str, ...], other: tuple[str, ...], position: int
) -> None:
    token = tokens.make(_KEY, position, question)
    if question != other:
        with pytest.raises(Malformed):
            tokens.read(_KEY, token, other)
    with pytest.raises(Malformed):
        tokens.read(b"o" * 32, token, question)


@given(st.text())
def test_no_text_is_taken_for_a_token(text: str) -> None:
    with pytest.raises(Malformed):
        tokens.read(_KEY, text, ("objects",))


@pytest.mark.parametrize(
    ("path", "query", "partner"),
    [
        (OBJECTS, "", GREEN),
        (OBJECTS, "", AMBER),
        (MANIFEST, "", BOTH),
        (OBJECTS, "match[type]=indicator", BOTH),
        (OBJECTS, "match[version]=all", BOTH),
        (OBJECTS, "match[version]=first,last", BOTH),
        (OBJECTS, "match[spec_version]=2.1", BOTH),
        (OBJECTS, f"match[id]={indicator(3).id}", BOTH),
        (f"{OBJECTS}{indicator(1).id}/", "", BOTH),
        (f"{OBJECTS}{indicator(1).id}/versions/", "", BOTH),
        (f"/taxii2/feeds/collections/{OTHER.alias}/objects/", "", BOTH),
    ],
)
def test_a_token_continues_the_request_it_came_from_and_no_other(
    house: House, path: str, query: str, partner: Partner
) -> None:
    house.publish(*(indicator(number) for number in range(4)))
    house.publish(*(indicator(number) for number in range(4)), collection=OTHER)
    following = house.ask(OBJECTS, "limit=2", by=BOTH).json["next"]
    assert house.ask(OBJECTS, f"next={following}", by=BOTH).status == 200
    refused = house.ask(path, f"next={following}&{query}", by=partner)
    assert refused.status == 400
    assert refused.json["description"] == "next continues another request, or is none; start again without it"


def test_the_order_of_match_values_does_not_make_another_request(house: House) -> None:
    house.publish(*(indicator(number) for number in range(4)))
    following = house.rows("objects", "match[type]=indicator,malware&limit=2").json["next"]
    assert house.rows("objects", f"match[type]=malware%2Cindicator&next={following}").ids


# -- against an oracle -------------------------------------------------------------------------------------------------

VERSIONS = [f"2026-11-24T12:00:0{second}.000Z" for second in range(3)]


@dataclass(frozen=True)
class Row:
    date: str
    published: StixObject


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, list[Row]]]:
    """A collection in which versions, types and markings are thoroughly mixed, and its rows."""
    with opened(tmp_path_factory.mktemp("mixed") / "feedsvc.db") as house:
        house.page_limit = 1000
        published = [
            indicator(number, version=version, tlp=tlp, kind=kind)
            for version in VERSIONS
            for number, (tlp, kind) in enumerate(
                itertools.product((Tlp.CLEAR, Tlp.GREEN, Tlp.AMBER), ("indicator", "malware", "tool"))
            )
            if (number + VERSIONS.index(version)) % 4
        ]
        house.publish(*published)
        dates = [record["date_added"] for record in house.rows("manifest", "match[version]=all").json["objects"]]
        yield house, [Row(date, one) for date, one in zip(dates, published, strict=True)]


def expected(rows: list[Row], partner: Partner, after: str, types: set[str], versions: set[str]) -> list[str]:
    """TAXII 2.1 §3.4 said again, as simply as it goes."""
    visible = [row for row in rows if row.published.tlp.rank <= partner.max_tlp.rank]

    def chosen(row: Row) -> bool:
        mine = [one.published.version for one in visible if one.published.id == row.published.id]
        version = row.published.version
        words = {"all": True, "last": version == max(mine), "first": version == min(mine)}
        return any(words.get(wanted, version == wanted) for wanted in versions)

    return [row.date for row in visible if row.date > after and (not types or row.published.type in types) and chosen(row)]


@given(
    partner=st.sampled_from([AMBER, GREEN]),
    after=st.none() | st.integers(0, 19),
    types=st.sets(st.sampled_from(["indicator", "malware", "tool", "x-none"])),
    versions=st.just({"all"}) | st.sets(st.sampled_from(["first", "last", *VERSIONS]), min_size=1),
    limits=st.lists(st.integers(1, 30), min_size=1, max_size=4),
)
def test_pages_are_what_the_filters_say_for_every_filter_limit_and_reader(
    mixed: tuple[House, list[Row]],
    partner: Partner,
    after: int | None,
    types: set[str],
    versions: set[str],
    limits: list[int],
) -> None:
    house, rows = mixed
    date = rows[min(after, len(rows) - 1)].date if after is not None else ""
    query = f"match[version]={','.join(sorted(versions))}"
    query += f"&match[type]={','.join(sorted(types))}" if types else ""
    query += f"&added_after={date}" if date else ""
    seen: list[str] = []
    following: str | None = ""
    for limit in itertools.cycle(limits):
        page = house.rows("manifest", f"{query}&limit={limit}" + (f"&next={following}" if following else ""), by=partner)
        dates = [record["date_added"] for record in page.json.get("objects", [])]
        assert len(dates) <= limit
        seen += dates
        following = page.json.get("next")
        if following is None:
            break
    assert seen == expected(rows, partner, date, types, versions)
