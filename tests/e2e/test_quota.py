"""The ledger against a provider that counts: whatever happens to a poll, what was spent is what was asked.

Polls of the real pipeline over real sockets and a real state file, cut short at any call, refused, carried on by other
processes, with a clock that runs on between them.
"""

from __future__ import annotations

import dataclasses
import gc
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from feedsvc.clock import monotonic, parse_rfc3339
from feedsvc.http import Client, Limits
from feedsvc.model import Outcome
from feedsvc.pipeline import budgeting, polling
from feedsvc.pipeline.parts import Parts
from feedsvc.pipeline.polling import Turn
from feedsvc.sources.polling import PdnsSource
from tests.site import Site, ago
from tests.standins import faults
from tests.standins.cof import CofServer, row
from tests.standins.dnsdb import DnsdbServer, Quota
from tests.standins.provider import KEY
from tests.standins.server import Call, refused_url
from tests.standins.validin import Server as Validin
from tests.standins.virustotal import Server as VirusTotal

ADDRESSES = [f"198.51.100.{number}" for number in range(16)]
DAILY = 40
START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


class Killed(BaseException):
    """The process is gone."""


def underway_has_left() -> None:
    """What a dead process had under way reaches the other side all the same."""
    gc.collect()  # lets go of the poll that was cut short
    for thread in threading.enumerate():
        if thread.name.startswith("pdns"):
            thread.join()


class Ledgers(RuleBasedStateMachine):
    """One source, sixteen addresses, forty calls a day."""

    @initialize()
    def begin(self) -> None:
        self.now, self.since = START, monotonic()
        self.folder = TemporaryDirectory()
        self.server = CofServer([row(f"n{n:03d}.example.net", address) for n, address in enumerate(ADDRESSES)])
        self.server.__enter__()
        self.site = Site(Path(self.folder.name), pdns_url=self.server.url, rule={"netblocks": ["198.51.100.0/28"]})
        self.site.source_options = {"daily_quota": DAILY, "reserved": 0.1, "concurrency": 3}
        self.site.write()
        self.by_day: Counter[str] = Counter()

    def teardown(self) -> None:
        if hasattr(self, "server"):
            self.server.__exit__(None, None, None)
            self.folder.cleanup()

    @contextmanager
    def parts(self, *, person: bool, batches: int | None = None, orderly: bool = False) -> Iterator[Parts]:
        """A process of its own, killed after so many batches if a number is given, or asked to end (orderly)."""
        left = batches

        def progress(_: str) -> None:
            nonlocal left
            if left is not None:
                left -= 1
                if left < 0 and not orderly:
                    raise Killed
                if left < 0:
                    parts.stop.set()

        with self.site.parts() as parts:
            yield dataclasses.replace(parts, clock=self.clock, person=person, progress=progress)

    def clock(self) -> datetime:
        """A clock that runs, from where this test put it."""
        return self.now + timedelta(seconds=monotonic() - self.since)

    def poll(
        self, *, person: bool = False, continuing: bool = False, batches: int | None = None, orderly: bool = False
    ) -> Outcome | None:
        """A poll; None when it was killed. Every call under way reaches the server before this returns."""
        before = len(self.server.calls)
        outcome = None
        with (
            self.parts(person=person, batches=batches, orderly=orderly) as parts,
            Client(limits=Limits(wait=0), now=self.clock, stopping=parts.stop.is_set) as http,
        ):
            [configured] = [one for one in parts.sources if isinstance(one, PdnsSource)]
            source = PdnsSource("pdns", configured.provider, http, self.clock)
            with suppress(Killed):
                outcome = polling.poll(parts, source, Turn(self.clock(), continuing)).outcome.outcome
            underway_has_left()
        self.by_day[f"{self.clock():%Y-%m-%d}"] += len(self.server.calls) - before
        self.now += timedelta(seconds=1)
        return outcome

    @rule(person=st.booleans())
    def a_poll_ends(self, person: bool) -> None:
        self.poll(person=person)

    @rule(batches=st.integers(0, 12))
    def a_poll_is_killed(self, batches: int) -> None:
        self.poll(batches=batches)

    @rule(batches=st.integers(0, 12))
    def a_process_is_asked_to_end(self, batches: int) -> None:
        self.poll(batches=batches, orderly=True)

    @rule()
    def some_calls_are_sent_elsewhere(self) -> None:
        self.server.faults = [faults.redirect("?again")] * 3
        self.poll()
        self.server.faults = []

    @rule()
    def a_poll_is_carried_on(self) -> None:
        self.poll(continuing=True)

    @rule(code=st.sampled_from([500, 503, 404]))
    def some_calls_fail(self, code: int) -> None:
        self.server.faults = [faults.status(code)] * 2
        self.poll()
        self.server.faults = []

    @rule(wait=st.sampled_from(["", "1", "1800"]))
    def the_provider_refuses(self, wait: str) -> None:
        self.server.faults = [faults.status(429, "", {"Retry-After": wait} if wait else None)]
        self.poll()
        self.server.faults = []

    @rule(minutes=st.sampled_from([1, 30, 60, 24 * 60]))
    def time_goes_by(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @precondition(lambda self: hasattr(self, "server"))
    @invariant()
    def the_ledger_has_what_the_provider_counted(self) -> None:
        assert self.spent() == self.by_day[f"{self.clock():%Y-%m-%d}"]

    @precondition(lambda self: hasattr(self, "server"))
    @invariant()
    def no_day_has_more_calls_than_its_quota(self) -> None:
        assert all(count <= DAILY for count in self.by_day.values())

    def spent(self) -> int:
        """What the ledger says of today."""
        with self.parts(person=True) as parts:
            stands = budgeting.ledger(parts.history, parts.billing["pdns"], parts.clock, person=True).standing()
        return sum(one.spent for one in stands.spans if one.span == "day")


Ledgers.TestCase.settings = settings(
    max_examples=200, stateful_step_count=5, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.mark.timeout(600)
class TestQuota(Ledgers.TestCase):  # type: ignore[misc, valid-type]
    """200 runs of up to five events each."""


@pytest.fixture
def server() -> Iterator[CofServer]:
    with CofServer([row(f"n{n:03d}.example.net", address) for n, address in enumerate(ADDRESSES)]) as running:
        yield running


@pytest.fixture
def site(tmp_path: Path, server: CofServer) -> Site:
    site = Site(tmp_path, pdns_url=server.url, rule={"netblocks": ["198.51.100.0/28"]})
    site.source_options = {"concurrency": 1}
    return site.write()


def asked(server: CofServer) -> Counter[str]:
    return Counter(server.asked)


def killed_after(site: Site, batches: int) -> None:
    left = batches

    def progress(_: str) -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            raise Killed

    with site.parts() as parts, pytest.raises(Killed):
        polling.poll(dataclasses.replace(parts, progress=progress), parts.sources[0])


@pytest.mark.parametrize("batches", range(1, 16))
def test_a_poll_that_is_killed_after_any_call_asks_nothing_twice_and_misses_nothing(
    site: Site, server: CofServer, batches: int
) -> None:
    killed_after(site, batches)
    [source] = site.poll().delta.sources
    assert source.outcome is Outcome.COMPLETE
    # The call that was under way when the process died is the one that has to be asked again.
    assert asked(server) - Counter(ADDRESSES) in (Counter(), *(Counter([one]) for one in ADDRESSES))
    assert set(server.asked) == set(ADDRESSES)


@pytest.mark.parametrize("batches", range(1, 16, 2))
@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_process_that_is_asked_to_end_after_any_call_asks_nothing_twice_and_misses_nothing(
    site: Site, server: CofServer, batches: int, concurrency: int
) -> None:
    site.source_options = {"concurrency": concurrency}
    site.write()
    left = batches

    def progress(_: str) -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            parts.stop.set()

    with site.parts() as parts:
        polled = polling.poll(dataclasses.replace(parts, progress=progress), parts.sources[0])
    asked_before = len(server.asked)
    assert batches <= asked_before <= batches + concurrency
    assert (polled.outcome.outcome is Outcome.COMPLETE) == (asked_before == len(ADDRESSES))
    assert site.poll().delta.sources[0].outcome is Outcome.COMPLETE
    assert len(set(server.asked)) == len(ADDRESSES)
    if asked_before < len(ADDRESSES):  # else the next poll is one of everything
        assert not set(server.asked[:asked_before]) & set(server.asked[asked_before:])
    [told] = site.json("status")["sources"]
    assert [one["spent"] for one in told["quota"]["spans"] if one["span"] == "day"] == [len(server.asked)]


def test_a_quota_that_is_spent_leaves_the_rest_for_when_it_begins_anew(site: Site, server: CofServer) -> None:
    site.source_options = {"daily_quota": 10, "reserved": 0}
    site.write()
    [source] = site.json("run", code=1)["sources"]
    assert source["outcome"] == "partial"
    assert "10 of 16 calls made" in source["reason"]
    assert len(server.asked) == 10
    told = site.json("status", code=1)["sources"][0]
    assert (told["quota"]["spent"], told["quota"]["limit"], told["quota"]["left"]) == (10, 10, 0)
    assert parse_rfc3339(told["quota"]["resets_at"]).hour == 0
    assert told["plan"]["calls_left"] == 6
    assert told["plan"]["goes_on_at"] == told["quota"]["resets_at"]
    assert told["plan"]["done_at"] >= told["plan"]["goes_on_at"]
    site.run("run", code=1)
    assert len(server.asked) == 10


def test_what_a_key_without_a_limit_has_spent_is_shown(site: Site, server: CofServer) -> None:
    site.run("run")
    quota = site.json("status")["sources"][0]["quota"]
    assert (quota["spent"], quota["limit"], quota["left"]) == (len(server.asked), None, None)


def test_a_share_is_left_to_people(site: Site, server: CofServer) -> None:
    site.source_options = {"daily_quota": 10, "reserved": 0.5}
    site.write()
    with site.parts() as parts:
        schedule = dataclasses.replace(parts, person=False)
        polling.poll(schedule, parts.sources[0])
    # The schedule spreads what it may spend over the day besides, so that it begins with one call.
    assert 1 <= len(server.asked) <= 5
    site.run("run", code=1)
    assert len(server.asked) == 10


def test_two_sources_with_one_key_spend_from_one_account(site: Site, server: CofServer) -> None:
    site.source_options = {"daily_quota": 20, "reserved": 0}
    again = {"name": "again", "kind": "pdns", "provider": "cof", "url": server.url, "daily_quota": 20, "reserved": 0}
    site.extra = "\n[[source]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in again.items())
    site.write()
    site.run("run", code=1)
    assert len(server.asked) == 20
    assert {one["quota"]["spent"] for one in site.json("status", code=1)["sources"]} == {20}


def test_a_dry_run_prints_the_calls_and_makes_none(site: Site, server: CofServer) -> None:
    [planned] = site.json("poll", "--dry-run")
    assert server.calls == []
    assert planned["cost"] == 16
    assert [call["url"] for call in planned["calls"]] == [f"{server.url}/query/{address}" for address in ADDRESSES]
    assert {call["method"] for call in planned["calls"]} == {"GET"}
    text = site.run("poll", "--dry-run")
    assert "cost: 16 calls" in text
    assert server.calls == []


def test_what_a_dry_run_tells_is_what_a_poll_asks(site: Site, server: CofServer) -> None:
    [planned] = site.json("poll", "--dry-run")
    site.run("poll")
    assert [f"{server.url}{call.path}" for call in server.calls] == [call["url"] for call in planned["calls"]]


def test_a_dry_run_tells_what_one_poll_may_cost_and_what_waits_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", KEY)
    with VirusTotal() as other:
        options = {"max_calls": 5, "per_minute": 0}
        site = with_source(tmp_path, "virustotal", f"{other.url}/api/v3", netblock="198.51.100.0/28", **options)
        [planned] = site.json("poll", "--source", "virustotal", "--dry-run")
        assert (planned["cost"], len(planned["calls"]), planned["waiting"]) == (5, 5, 11)
        text = site.run("poll", "--source", "virustotal", "--dry-run")
        assert "cost: 5 calls" in text
        assert "11 more wait for the next poll (max_calls)" in text
        assert other.calls == []
        site.run("poll", "--source", "virustotal", code=1)
        asked = {f"{other.url}{call.path}" for call in other.calls}
        assert asked == {call["url"].partition("?")[0] for call in planned["calls"]}
        assert len(other.calls) == 5


def test_a_dry_run_shows_what_a_call_is_about_where_its_url_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", KEY)
    site = with_source(tmp_path, "securitytrails", refused_url(), netblock="198.51.100.0/28")
    [planned] = site.json("poll", "--source", "securitytrails", "--dry-run")
    assert [call["netblock"] for call in planned["calls"]] == ["198.51.100.0/28"]
    text = site.run("poll", "--source", "securitytrails", "--dry-run")
    assert "/domains/list?page=1&include_ips=false (198.51.100.0/28)" in text


def test_a_dry_run_says_when_a_short_quota_lets_it_be_done(site: Site, server: CofServer) -> None:
    site.source_options = {"daily_quota": 10, "reserved": 0}
    site.write()
    [planned] = site.json("poll", "--dry-run")
    assert parse_rfc3339(planned["done_at"]) > datetime.now(UTC)
    assert "done about" in site.run("poll", "--dry-run")


def with_source(folder: Path, provider: str, url: str, netblock: str = "198.51.100.7", **options: object) -> Site:
    """A site that asks one provider about one netblock, with the key of stand-ins."""
    source = {"name": provider, "kind": "pdns", "provider": provider, "url": url, "api_key_env": "KEY", **options}
    folder.mkdir(exist_ok=True)
    site = Site(folder, rule={"netblocks": [netblock]})
    site.extra = "\n[[source]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in source.items())
    return site.write()


def test_a_call_that_the_provider_does_not_count_does_not_use_up_the_last_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", KEY)

    class Crowded(DnsdbServer):
        """One of whose block other calls were made before; it counts none that it turns away."""

        @property
        def used(self) -> int:
            return 599 if self.fault else 599 + super().used

        def costs(self, call: Call) -> bool:
            return not call.path.endswith("/rate_limit")

    with Crowded(key=KEY) as server:
        server.quota = Quota("block", limit=600, moment=ago(days=-9))
        server.fault = faults.status(503, "too many connections")
        site = with_source(tmp_path, "dnsdb", f"{server.url}/dnsdb/v2")
        site.run("run", code=1)
        [told] = site.json("status", code=1)["sources"]
        assert "503" in told["reason"]
        assert (told["quota"]["spent"], told["quota"]["left"], told["quota"]["closed_until"]) == (3, 1, None)
        server.calls.clear()
        server.fault = None
        site.run("run")
        assert len(server.asked) == 1
        assert site.json("status")["sources"][0]["quota"]["left"] == 0


@pytest.fixture
def validin() -> Iterator[Validin]:
    with Validin() as running:
        yield running


def test_a_provider_that_wants_to_be_left_alone_is_not_even_asked_for_its_quotas(
    tmp_path: Path, validin: Validin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", KEY)
    site = with_source(tmp_path, "validin", validin.url)
    validin.fault = validin.uncounted = faults.status(429, "", {"Retry-After": "7200"})
    for _ in range(3):
        site.run("run", code=1)
    assert [call.path for call in validin.calls] == ["/api/profile/usage"]
    [told] = site.json("status", code=1)["sources"]
    assert told["outcome"] == "skipped"
    assert told["quota"]["closed_until"] is not None
    assert [one["spent"] for one in told["quota"]["spans"] if one["span"] == "day"] in ([], [0])
