"""VirusTotal's own: its one date, pages and cursors, rows that are lacking, and where a poll may stop."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from urllib.parse import quote

import pytest

from feedsvc.http import Client, HttpError
from feedsvc.model import Outcome
from feedsvc.names import parse_netblock
from feedsvc.sources import cof
from feedsvc.sources.pdns.virustotal import NOT_A_ROW, Options
from feedsvc.sources.polling import PdnsSource
from feedsvc.sources.port import Poll, Question
from tests.sources.conftest import FEW, NOW, Heard, gather
from tests.sources.pdns.asking import Counted
from tests.sources.pdns.virustotal_asked import ADDRESS, MANY, ONE, built, kept, marked, poll, rows_of, sample
from tests.standins.provider import Seen
from tests.standins.server import Reply
from tests.standins.virustotal import LIMIT, Server, error


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def test_a_recorded_row_has_a_last_time_and_no_first(http: Client, server: Server) -> None:
    server.answers["1.1.1.1"] = sample("one_row.json")
    heard = poll(http, server, netblock=parse_netblock("1.1.1.1"))
    (seen,) = heard.observations
    assert (seen.rrname, seen.rrtype, seen.rdata) == ("muhaha.xyz", "A", "1.1.1.1")
    assert (seen.time_first, seen.time_last) == (None, 1617085962)
    assert heard.end.outcome is Outcome.COMPLETE


def test_a_page_as_documented_is_read_with_all_its_statistics(http: Client, server: Server) -> None:
    server.answers[ADDRESS] = sample("page.json")
    heard = poll(http, server)
    assert heard.names == ["k3xq.example.net", "w7b2.example.org"]
    assert [seen.time_last for seen in heard.observations] == [1763900000, 1763800000]
    assert heard.refused == {}


def test_odd_rows_are_counted_and_the_others_kept(http: Client, server: Server) -> None:
    server.answers[ADDRESS] = sample("odd_rows.json")
    heard = poll(http, server)
    times = {seen.rrname: seen.time_last for seen in heard.observations}
    assert times == {
        "k3xq.example.net": 1763900000,
        "later.example.net": int(NOW.timestamp()),
        "undated.example.net": None,
        "dateless.example.net": None,
    }
    assert {reason: count for reason, count in heard.refused.items() if not reason.startswith(cof.NOT_A_NAME)} == {
        cof.IN_FUTURE: 1,
        cof.NO_TIME: 1,
        cof.OUTSIDE: 1,
        "rdata that is no text": 1,
        "no rrname": 1,
        NOT_A_ROW: 3,
    }
    assert sum(heard.refused.values()) == 9
    assert heard.end.outcome is Outcome.COMPLETE


def test_pages_of_forty_are_walked_by_cursor_until_there_is_none(http: Client, server: Server) -> None:
    server.seen = MANY
    heard = poll(http, server)
    assert len(heard.names) == 157
    assert heard.end.outcome is Outcome.COMPLETE
    assert [call.query["limit"] for call in server.calls] == ["40"] * 4
    assert ["cursor" in call.query for call in server.calls] == [False, True, True, True]


def test_a_cursor_that_stands_in_the_link_alone_is_found_there(http: Client, server: Server) -> None:
    page = json.loads(sample("page.json"))
    cursor = base64.b64encode(b"1:02").decode()
    page["links"]["next"] = f"{server.url}/api/v3/ip_addresses/{ADDRESS}/resolutions?limit=40&cursor={quote(cursor)}"
    server.faults = [Reply(200, {}, [json.dumps(page).encode()])]
    server.seen = [Seen(f"n{n}.example.net", ADDRESS) for n in range(3)]
    heard = poll(http, server)
    assert server.calls[1].query["cursor"] == cursor
    assert len(heard.names) == 3


def test_a_walk_that_was_cut_short_goes_on_with_its_cursor_in_a_later_poll(http: Client, server: Server) -> None:
    server.seen = MANY
    first = poll(http, server, budget=Counted(most=2))
    assert first.end.outcome is Outcome.PARTIAL
    assert not marked(first)
    second = poll(http, server, cursors=kept(first))
    assert second.end.outcome is Outcome.COMPLETE
    assert len(server.calls) == 4
    assert len(first.observations) + len(second.observations) == 157
    assert len({*first.names, *second.names}) == 157


def test_a_cursor_that_was_forgotten_since_begins_the_address_anew(http: Client, server: Server) -> None:
    server.seen = MANY
    first = poll(http, server, budget=Counted(most=2))
    server.era += 1
    later = poll(http, server, cursors=kept(first), now=NOW + timedelta(days=1))
    assert later.end.outcome is Outcome.COMPLETE
    assert len(later.names) == 157
    assert len(server.calls) == 2 + (1 + 4) + 4  # of which the last ask what is new since the first


class Forgetful(Server):
    """Gives cursors and takes none."""

    def _start(self, cursor: str | None) -> int:
        if cursor is not None:
            raise ValueError("Invalid cursor")
        return 0


def test_cursors_that_are_refused_as_soon_as_they_are_given_are_not_asked_for_without_end(http: Client) -> None:
    with Forgetful(MANY) as server:
        first = poll(http, server)
        assert first.end.outcome is Outcome.PARTIAL
        assert "400" in first.end.reason
        assert len(server.calls) == 2
        later = poll(http, server, cursors=kept(first), now=NOW + timedelta(days=1))
        assert later.end.outcome is Outcome.PARTIAL
        assert len(server.calls) == 2 + 3
        assert not marked(later)


@pytest.mark.parametrize("status", [400, 404])
@pytest.mark.parametrize(("minutes", "stale"), [(59, False), (61, True)])
def test_a_cursor_counts_as_forgotten_an_hour_after_it_was_given(status: int, minutes: int, stale: bool) -> None:
    given = int((NOW - timedelta(minutes=minutes)).timestamp())
    body = b"".join(error(status, "NotFoundError", "no such cursor").body)  # type: ignore[arg-type]
    reply = built().refused(HttpError("no", status=status, body=body), Question(ONE, page=f"{given}/80/3.5d41402abc4b/c"))
    assert reply is not None
    assert (reply.end.outcome, reply.stale, reply.end.stop) == (Outcome.PARTIAL, stale, False)


def test_a_refused_cursor_of_one_address_does_not_keep_others_from_being_asked(http: Client) -> None:
    with Forgetful([*MANY, Seen("k3xq.example.net", "198.51.100.6")]) as server:
        heard = poll(http, server, netblock=FEW)
    assert "k3xq.example.net" in heard.names


@pytest.mark.parametrize(("rows", "count"), [(3, 4), (40, 41), (157, 198)])
def test_pages_that_end_before_as_many_rows_came_as_counted_are_partial(
    http: Client, server: Server, rows: int, count: int
) -> None:
    server.seen = [Seen(f"n{n:03}.example.net", ADDRESS) for n in range(count)]
    server.reach = rows
    heard = poll(http, server)
    assert heard.end.outcome is Outcome.PARTIAL
    assert f"counts {count:,} resolutions, and its pages ended after {rows:,}" in heard.end.reason
    assert len(heard.names) == rows
    assert not marked(heard)


def test_an_address_that_lacks_rows_is_walked_through_anew_by_the_next_poll(http: Client, server: Server) -> None:
    server.seen = [Seen(f"n{n:03}.example.net", ADDRESS) for n in range(198)]
    server.reach = 157
    first = poll(http, server)
    server.seen += [Seen("k3xq.example.net", ADDRESS, last=1_750_000_000)]
    second = poll(http, server, cursors=kept(first))
    assert "k3xq.example.net" in second.names
    assert second.end.outcome is Outcome.PARTIAL
    server.reach = None
    assert poll(http, server, cursors=kept(second)).end.outcome is Outcome.COMPLETE


def test_rows_that_come_while_pages_are_turned_do_not_make_a_walk_partial(http: Client, server: Server) -> None:
    server.seen = MANY

    def grows(call: object) -> Reply:
        reply = Server.answer(server, call)  # type: ignore[arg-type]
        server.seen = [*server.seen, Seen(f"new{len(server.calls)}.example.net", ADDRESS, last=1_600_000_000)]
        return reply

    server.reach = 157
    server.answer = grows  # type: ignore[method-assign]
    assert poll(http, server).end.outcome is Outcome.COMPLETE


def full_page(**more: object) -> Reply:
    data = [json.loads(json.dumps(row)) for row in rows_of(LIMIT)]
    return Reply(200, {}, [json.dumps({"data": data, **more}).encode()])


def test_a_full_page_that_says_neither_that_it_is_the_last_nor_how_many_there_are_is_partial(
    http: Client, server: Server
) -> None:
    server.faults = [full_page()]
    heard = poll(http, server)
    assert heard.end.outcome is Outcome.PARTIAL
    assert "a full page has no next one" in heard.end.reason
    server.faults = [full_page(meta={"count": LIMIT})]
    assert poll(http, server).end.outcome is Outcome.COMPLETE


@pytest.mark.parametrize(
    "more",
    [{"meta": {"cursor": 7}}, {"meta": {"cursor": "c" * 5000}}, {"links": {"next": "http://["}}, {"links": {"next": 1}}],
)
def test_a_next_page_that_nobody_can_ask_for_is_partial(http: Client, server: Server, more: Mapping[str, object]) -> None:
    server.faults = [full_page(**more)]
    heard = poll(http, server)
    assert heard.end.outcome is Outcome.PARTIAL
    assert "no cursor to ask for it with" in heard.end.reason
    assert len(server.calls) == 1


def test_a_cursor_that_leads_to_itself_is_not_followed(http: Client, server: Server) -> None:
    server.fault = full_page(meta={"cursor": "MTo0MA=="})
    heard = poll(http, server)
    assert heard.end.outcome is Outcome.PARTIAL
    assert "the cursor of one that was read" in heard.end.reason
    assert len(server.calls) == 2


# -- newest first -------------------------------------------------------------------------------------------------------

SINCE = {f"{ADDRESS}/32": "2023-11-14T22:12:00.000Z"}  # 80 s before the newest of MANY


def since(http: Client, server: Server, options: Options) -> Heard:
    source = PdnsSource("vt", built(server.url, options), http, lambda: NOW, overlap=timedelta(0))
    return gather(source.read(Poll([ONE], SINCE, NOW, Counted())))


def test_a_poll_stops_at_what_is_older_than_the_last_one_only_when_told_that_the_newest_stand_first(
    http: Client, server: Server
) -> None:
    server.seen = MANY
    assert since(http, server, Options()).end.outcome is Outcome.COMPLETE
    assert len(server.calls) == 4
    heard = since(http, server, Options(newest_first=True))
    assert heard.end.outcome is Outcome.COMPLETE
    assert len(server.calls) == 4 + 3
    assert {f"n{n:03}.example.net" for n in range(80)} < set(heard.names)


def test_everything_is_walked_through_when_nothing_was_told_before(http: Client, server: Server) -> None:
    server.seen = MANY
    heard = poll(http, server, Options(newest_first=True))
    assert len(heard.names) == 157


@pytest.mark.parametrize("dates", [[1_500_000_000, 1_700_000_000], [1_500_000_000, None], [1_600_000_000, "x"]])
def test_a_page_in_another_order_or_without_a_date_is_no_place_to_stop(
    http: Client, server: Server, dates: list[object]
) -> None:
    server.seen = MANY[:3]
    rows = rows_of(len(dates))
    for row, date in zip(rows, dates, strict=True):
        row["attributes"]["date"] = date  # type: ignore[index]
    cursor = base64.urlsafe_b64encode(b"1:0").decode()
    server.faults = [Reply(200, {}, [json.dumps({"data": rows, "meta": {"cursor": cursor}}).encode()])]
    heard = since(http, server, Options(newest_first=True))
    assert len(server.calls) == 2
    assert "n000.example.net" in heard.names
