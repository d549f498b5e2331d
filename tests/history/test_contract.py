"""What every engine of history promises: transactions first, then the families of the port one by one."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from feedsvc.errors import Busy, HistoryError, UsageError
from feedsvc.history import open_history
from feedsvc.history.port import History, NameFacts
from feedsvc.model import (
    Cursor,
    Evidence,
    ListedName,
    Outcome,
    Refused,
    Sighting,
    SourceOutcome,
    Status,
    Tlp,
)
from tests.history.making import (
    COLLECTION,
    COMPLETE,
    DAY,
    EXPORT,
    HOUR,
    NOW,
    PARTNER,
    REFUSED,
    SECOND,
    add,
    assert_untouched,
    change,
    child,
    decision,
    finding,
    keep,
    kill,
    observation,
    published,
    sighting,
    stix,
    wait_for_word,
    write_much,
)

# -- transactions ------------------------------------------------------------------------------------------------------

WRITES: dict[str, Callable[[History], object]] = {
    "runs.begin": lambda history: history.runs.begin("poll/circl", NOW, NOW),
    "runs.end": lambda history: history.runs.end(1, [], NOW),
    "facts.move": lambda history: history.facts.move([Cursor("circl", "a", "1")], NOW),
    "facts.complete": lambda history: history.facts.complete("circl", ["a"], NOW),
    "facts.add_baselines": lambda history: history.facts.add_baselines([("w", "f", "s", "n")], NOW),
    "facts.store": lambda history: history.facts.store("circl", [observation()], NOW),
    "facts.sight": lambda history: history.facts.sight("zeek", [sighting()]),
    "facts.refuse": lambda history: history.facts.refuse(1, "circl", [REFUSED]),
    "findings.apply": lambda history: history.findings.apply([change(finding())]),
    "findings.extend": lambda history: history.findings.extend([finding()]),
    "feed.keep_collection": lambda history: history.feed.keep_collection("a", COLLECTION.id),
    "feed.add": lambda history: history.feed.add(COLLECTION, [stix()], NOW),
    "partners.add": lambda history: history.partners.add(PARTNER, "00"),
    "partners.rotate": lambda history: history.partners.rotate(PARTNER.name, "00"),
    "partners.remove": lambda history: history.partners.remove(PARTNER.name),
    "partners.fetched": lambda history: history.partners.fetched({PARTNER.name: NOW}),
    "exports.keep": lambda history: history.exports.keep(EXPORT),
    "keep_note": lambda history: history.keep_note("key", "text"),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_nothing_is_written_outside_a_transaction(history: History, write: Callable[[History], object]) -> None:
    with pytest.raises(HistoryError, match="outside a transaction"):
        write(history)


def test_a_block_that_raises_leaves_nothing_behind(history: History) -> None:
    def break_off() -> None:
        with history.transaction():
            write_much(history)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_off()
    assert_untouched(history)


def test_a_block_sees_what_it_wrote_and_others_see_it_when_it_ends(history: History, reader: History) -> None:
    with history.transaction():
        history.keep_note("key", "text")
        assert history.note("key") == "text"
        assert reader.note("key") is None
    assert reader.note("key") == "text"


def test_blocks_do_not_nest(history: History) -> None:
    with history.transaction(), pytest.raises(RuntimeError, match="do not nest"), history.transaction():
        raise AssertionError("the inner block was entered")


def test_a_block_may_follow_one_that_raised(history: History) -> None:
    with pytest.raises(ZeroDivisionError), history.transaction():
        raise ZeroDivisionError
    with history.transaction():
        history.keep_note("key", "text")
    assert history.note("key") == "text"


def test_who_opened_to_look_only_cannot_write(history: History, reader: History) -> None:
    with pytest.raises(HistoryError, match="reading alone"), reader.transaction():
        reader.keep_note("key", "text")
    with pytest.raises(HistoryError, match="reading alone"):
        reader.runs.claim("poll/circl")
    assert history.note("key") is None


def test_looking_only_makes_no_state(state: Path) -> None:
    with pytest.raises(HistoryError, match="feedsvc run"):
        open_history(state, read_only=True)
    assert not state.parent.exists()


STOPS_HALFWAY = """
import sys
from pathlib import Path
from feedsvc.history import open_history
from tests.history.making import write_much
history = open_history(Path(sys.argv[1]))
with history.transaction():
    write_much(history)
    print("halfway", flush=True)
    sys.stdin.read()
"""


def test_a_process_that_is_killed_in_a_block_leaves_nothing_behind(state: Path, history: History) -> None:
    process = child(STOPS_HALFWAY, state)
    wait_for_word(process, "halfway")
    kill(process)
    assert_untouched(history)
    keep(history, finding())
    assert history.findings.named("k3xq.example.net") == (finding(),)


ENDS_WELL = """
import os, sys
from pathlib import Path
from feedsvc.history import open_history
history = open_history(Path(sys.argv[1]))
with history.transaction():
    history.keep_note("key", "text")
os.kill(os.getpid(), 9)
"""


def test_what_a_process_stored_is_there_though_it_was_killed_right_after(state: Path) -> None:
    child(ENDS_WELL, state).communicate()
    with closing(open_history(state, read_only=True)) as reader:
        assert reader.note("key") == "text"


# -- runs --------------------------------------------------------------------------------------------------------------

HOLDS_A_JOB = """
import sys
from pathlib import Path
from feedsvc.history import open_history
history = open_history(Path(sys.argv[1]))
with history.runs.claim("poll/circl"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_job_is_held_once(state: Path, history: History) -> None:
    with closing(open_history(state)) as other, history.runs.claim("poll/circl"):
        with pytest.raises(Busy, match="poll/circl"), other.runs.claim("poll/circl"):
            raise AssertionError("held twice")
        with other.runs.claim("poll/dnsdb"):
            pass
    with history.runs.claim("poll/circl"):
        pass


def test_a_job_is_let_go_of_when_its_block_raises(history: History) -> None:
    with pytest.raises(ZeroDivisionError), history.runs.claim("poll/circl"):
        raise ZeroDivisionError
    with history.runs.claim("poll/circl"):
        pass


def test_threads_of_one_process_exclude_each_other(state: Path, history: History) -> None:
    refused = threading.Event()

    def try_it() -> None:
        with closing(open_history(state)) as other:
            try:
                with other.runs.claim("poll/circl"):
                    pass
            except Busy:
                refused.set()

    with history.runs.claim("poll/circl"):
        thread = threading.Thread(target=try_it)
        thread.start()
        thread.join()
    assert refused.is_set()


def test_a_killed_process_lets_go_of_its_job_at_once(state: Path, history: History) -> None:
    process = child(HOLDS_A_JOB, state)
    wait_for_word(process, "held")
    with pytest.raises(Busy, match=str(process.pid)), history.runs.claim("poll/circl"):
        raise AssertionError("held twice")
    kill(process)
    with history.runs.claim("poll/circl"):
        pass


def test_a_job_may_have_any_name(history: History) -> None:
    with history.runs.claim("../" + "ü/" * 300), history.runs.claim(""), history.runs.claim("schema"):
        pass


def test_a_window_has_one_run(history: History) -> None:
    with history.transaction():
        run = history.runs.begin("poll/circl", NOW, NOW + HOUR)
        assert run is not None
        assert history.runs.begin("poll/dnsdb", NOW, NOW) is not None
        history.runs.end(run.id, [COMPLETE], NOW + HOUR)
        assert history.runs.begin("poll/circl", NOW, NOW + 2 * HOUR) is None
    assert (run.job, run.window, run.started_at, run.ended_at, run.sources) == ("poll/circl", NOW, NOW + HOUR, None, ())


def test_a_run_ends_with_how_its_sources_fared(history: History) -> None:
    refused = (Refused("no name", 9, "a"), Refused("odd type", 2, "b"))
    sources = (SourceOutcome("zeek", Outcome.PARTIAL, "cut", refused), COMPLETE)
    with history.transaction():
        run = history.runs.begin("all", NOW, NOW)
        assert run is not None
        history.runs.end(run.id, sources, NOW + HOUR)
    assert history.runs.get(run.id) == dataclasses.replace(run, ended_at=NOW + HOUR, sources=sources)


def test_refusals_told_by_batch_and_again_at_the_end_count_once(history: History) -> None:
    with history.transaction():
        run = history.runs.begin("poll/circl", NOW, NOW)
        assert run is not None
        history.facts.refuse(run.id, "circl", [Refused("no name", 3, "first"), Refused("no name", 4, "second")])
        history.facts.refuse(run.id, "circl", [Refused("odd type", 1, "third")])
        total = (Refused("no name", 7, "second"), Refused("odd type", 1, "third"))
        history.runs.end(run.id, [dataclasses.replace(COMPLETE, refused=total)], NOW)
    found = history.runs.get(run.id)
    assert found is not None
    assert found.sources[0].refused == (Refused("no name", 7, "first"), Refused("odd type", 1, "third"))


def test_a_run_that_never_ended_is_closed_as_interrupted_by_the_next(history: History) -> None:
    with history.transaction():
        first = history.runs.begin("poll/circl", NOW, NOW)
        other = history.runs.begin("poll/dnsdb", NOW, NOW)
        assert first is not None
        assert other is not None
        history.facts.refuse(first.id, "circl", [REFUSED])
    with history.transaction():
        history.runs.begin("poll/circl", NOW + HOUR, NOW + HOUR)
    interrupted = SourceOutcome("circl", Outcome.FAILED, "interrupted", (REFUSED,))
    assert history.runs.get(first.id) == dataclasses.replace(first, ended_at=NOW + HOUR, sources=(interrupted,))
    assert history.runs.get(other.id) == other


def test_a_run_ends_once(history: History) -> None:
    with history.transaction():
        run = history.runs.begin("all", NOW, NOW)
        assert run is not None
        history.runs.end(run.id, [], NOW)
    for number in (run.id, 77):
        with pytest.raises(HistoryError, match=f"run {number}"), history.transaction():
            history.runs.end(number, [], NOW)


def test_the_last_run_of_a_job_is_that_of_the_latest_window(history: History) -> None:
    with history.transaction():
        late = history.runs.begin("all", NOW + HOUR, NOW)
        assert late is not None
        history.runs.end(late.id, [], NOW)
        history.runs.begin("all", NOW, NOW)
        history.runs.begin("other", NOW + DAY, NOW)
    found = history.runs.last("all")
    assert found is not None
    assert found.id == late.id
    assert history.runs.last("none") is None


def test_runs_of_a_span_are_those_that_began_in_it_oldest_first(history: History) -> None:
    with history.transaction():
        runs = [history.runs.begin(f"job {hour}", NOW, NOW + hour * HOUR) for hour in (3, 1, 2, 0)]
    three, one, two, _ = runs
    assert history.runs.between(NOW + HOUR, NOW + 3 * HOUR) == (one, two)
    assert history.runs.between(NOW + 3 * HOUR, NOW + 4 * HOUR) == (three,)


def test_the_latest_outcome_of_each_source_is_that_of_its_latest_ended_run(history: History) -> None:
    with history.transaction():
        for hour, outcome in enumerate((Outcome.COMPLETE, Outcome.FAILED)):
            run = history.runs.begin("all", NOW + hour * HOUR, NOW + hour * HOUR)
            assert run is not None
            circl = SourceOutcome("circl", outcome, f"at {hour}")
            sources = (circl, SourceOutcome("zeek", Outcome.PARTIAL)) if hour == 0 else (circl,)
            history.runs.end(run.id, sources, NOW + hour * HOUR)
        history.runs.begin("all", NOW + DAY, NOW + DAY)
    latest = history.runs.latest_outcomes()
    assert {name: (run.window, outcome) for name, (run, outcome) in latest.items()} == {
        "circl": (NOW + HOUR, SourceOutcome("circl", Outcome.FAILED, "at 1")),
        "zeek": (NOW, SourceOutcome("zeek", Outcome.PARTIAL)),
    }


def test_without_runs_there_are_no_outcomes(history: History) -> None:
    assert history.runs.latest_outcomes() == {}
    assert history.runs.get(1) is None


# -- facts -------------------------------------------------------------------------------------------------------------


def test_cursors_are_kept_by_source_and_scope(history: History) -> None:
    with history.transaction():
        history.facts.move([Cursor("circl", "a", "1"), Cursor("circl", "b", "2"), Cursor("zeek", "a", "3")], NOW)
    with history.transaction():
        history.facts.move([Cursor("circl", "a", "4"), Cursor("circl", "b", ""), Cursor("circl", "c", "")], NOW + HOUR)
    assert history.facts.cursors("circl") == {"a": "4"}
    assert history.facts.cursors("zeek") == {"a": "3"}
    assert history.facts.cursors("none") == {}


def test_of_two_positions_for_one_scope_the_later_counts(history: History) -> None:
    with history.transaction():
        history.facts.move([Cursor("circl", "a", "1"), Cursor("circl", "a", "")], NOW)
        history.facts.move([Cursor("circl", "b", ""), Cursor("circl", "b", "2")], NOW)
    assert history.facts.cursors("circl") == {"b": "2"}


def test_marks_tell_when_a_netblock_was_last_read_completely(history: History) -> None:
    with history.transaction():
        history.facts.complete("circl", ["198.51.100.0/24", "203.0.113.0/24"], NOW)
        history.facts.complete("circl", ["198.51.100.0/24"], NOW + HOUR)
    assert history.facts.marks() == {("circl", "198.51.100.0/24"): NOW + HOUR, ("circl", "203.0.113.0/24"): NOW}


def test_a_baseline_keeps_its_first_time(history: History) -> None:
    key = ("jar-callbacks", "f1", "circl", "198.51.100.0/24")
    with history.transaction():
        history.facts.add_baselines([key], NOW)
        history.facts.add_baselines([key, (*key[:3], "203.0.113.0/24")], NOW + HOUR)
    assert history.facts.baselines() == {key: NOW, (*key[:3], "203.0.113.0/24"): NOW + HOUR}


def test_evidence_is_kept_by_source_with_its_times_and_ours(history: History) -> None:
    with history.transaction():
        history.facts.store("circl", [observation(time_first=100, time_last=200, count=5)], NOW)
        history.facts.store("dnsdb", [observation(zone_time_first=50, zone_time_last=60)], NOW + HOUR)
    assert history.facts.evidence("k3xq.example.net") == (
        Evidence("k3xq.example.net", "A", "198.51.100.7", "dnsdb", at(50), at(60), None, NOW + HOUR, NOW + HOUR),
        Evidence("k3xq.example.net", "A", "198.51.100.7", "circl", at(100), at(200), 5, NOW, NOW),
    )


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def test_evidence_seen_again_widens_its_times_and_keeps_the_larger_count(history: History) -> None:
    with history.transaction():
        history.facts.store("circl", [observation(time_first=100, time_last=200, count=5)], NOW)
        history.facts.store("circl", [observation(time_first=150, time_last=300, count=2)], NOW + HOUR)
        history.facts.store("circl", [observation(time_first=90, time_last=None)], NOW - HOUR)
        history.facts.store("circl", [observation(zone_time_first=95, zone_time_last=400)], NOW)
    (evidence,) = history.facts.evidence("k3xq.example.net")
    assert (evidence.time_first, evidence.time_last, evidence.count) == (at(90), at(400), 5)
    assert (evidence.seen_first, evidence.seen_last) == (NOW - HOUR, NOW + HOUR)


def test_what_a_source_said_later_fills_what_it_left_open(history: History) -> None:
    with history.transaction():
        history.facts.store("circl", [observation()], NOW)
        history.facts.store("circl", [observation(time_first=100, time_last=200, count=5)], NOW)
    (evidence,) = history.facts.evidence("k3xq.example.net")
    assert (evidence.time_first, evidence.time_last, evidence.count) == (at(100), at(200), 5)


def test_evidence_comes_oldest_first_by_the_providers_time_else_by_ours(history: History) -> None:
    now = SECOND
    with history.transaction():
        history.facts.store("circl", [observation(rdata="198.51.100.1", time_first=now + 60)], NOW - HOUR)
        history.facts.store("circl", [observation(rdata="198.51.100.2")], NOW)
        history.facts.store("circl", [observation(rdata="198.51.100.3", time_first=now - 60)], NOW + HOUR)
    assert [one.rdata[-1] for one in history.facts.evidence("k3xq.example.net")] == ["3", "2", "1"]


def test_a_batch_may_hold_an_observation_twice(history: History) -> None:
    with history.transaction():
        history.facts.store("circl", [observation(time_last=1), observation(time_last=9), observation(time_last=4)], NOW)
    (evidence,) = history.facts.evidence("k3xq.example.net")
    assert evidence.time_last == at(9)


def test_hostile_names_are_kept_as_they_are(history: History) -> None:
    name = r"a\032b\"\;drop\000.ex\.ample.net"
    with history.transaction():
        history.facts.store("circl", [observation(name, time_last=1)], NOW)
    assert history.facts.evidence(name)[0].rrname == name
    assert history.facts.name_facts([name])[name].last_seen == at(1)


def test_facts_of_a_known_name_are_its_addresses_and_its_latest_evidence(history: History) -> None:
    seen = [
        observation(rdata="198.51.100.7", time_last=100),
        observation(rdata="198.51.100.8", zone_time_last=300),
        observation(rdata="2001:db8::1", rrtype="AAAA", time_last=200),
        observation(rdata="alias.example.com", rrtype="CNAME", time_last=250),
    ]
    with history.transaction():
        history.facts.store("circl", seen, NOW)
        history.facts.store("dnsdb", seen[:1], at(10))
    addresses = frozenset({"198.51.100.7", "198.51.100.8", "2001:db8::1"})
    assert history.facts.name_facts(["k3xq.example.net"]) == {
        "k3xq.example.net": NameFacts(addresses, at(300), domain_known=True)
    }


def test_without_a_providers_time_the_latest_evidence_is_ours(history: History) -> None:
    with history.transaction():
        history.facts.store("zeek", [observation()], NOW)
    assert history.facts.name_facts(["k3xq.example.net"])["k3xq.example.net"].last_seen == NOW


def test_facts_of_an_unknown_name_tell_whether_its_domain_was_seen(history: History) -> None:
    with history.transaction():
        history.facts.store("circl", [observation("k3xq.example.co.uk"), observation("a.b.evil.github.io")], NOW)
    assert history.facts.name_facts({"www.example.co.uk", "example.co.uk", "evil.github.io"}) == {
        "www.example.co.uk": NameFacts(domain_known=True),
        "example.co.uk": NameFacts(domain_known=True),
        "evil.github.io": NameFacts(domain_known=True),
    }
    strangers = {"other.co.uk", "co.uk", "good.github.io", "q3xq.example.net", "no-such-tld"}
    assert history.facts.name_facts(strangers) == dict.fromkeys(strangers, NameFacts())


def test_names_without_a_registered_domain_are_facts_too(history: History) -> None:
    with history.transaction():
        history.facts.store("circl", [observation("co.uk", time_last=5)], NOW)
    facts = history.facts.name_facts(["co.uk", "org.uk"])
    assert facts["co.uk"].last_seen == at(5)
    assert facts["org.uk"] == NameFacts()


def test_facts_of_nothing_are_nothing(history: History) -> None:
    assert history.facts.name_facts([]) == {}


def test_sightings_widen_and_add_up_by_name_client_and_source(history: History) -> None:
    with history.transaction():
        history.facts.sight("zeek", [sighting(time_first=10, time_last=20, count=2)])
        history.facts.sight("zeek", [sighting(time_first=5, time_last=15), sighting(client="192.0.2.11", time_first=1)])
        history.facts.sight("suricata", [sighting(time_first=7, time_last=9)])
    assert history.facts.sightings("k3xq.example.net") == (
        ("zeek", Sighting("k3xq.example.net", "192.0.2.11", 1, SECOND)),
        ("zeek", Sighting("k3xq.example.net", "192.0.2.10", 5, 20, 3)),
        ("suricata", Sighting("k3xq.example.net", "192.0.2.10", 7, 9)),
    )
    assert history.facts.sightings("other.example.net") == ()


# -- findings ----------------------------------------------------------------------------------------------------------


def test_a_finding_comes_back_as_it_was_stored(history: History) -> None:
    bare = finding("a.example.net", provider_first_seen=None, valid_until=None, rdata=(), sources=())
    full = published("b.example.net", novelty="new-to-us", tlp=Tlp.AMBER_STRICT, episode=3)
    keep(history, bare, full)
    assert history.findings.get("jar-callbacks", ["a.example.net", "b.example.net", "c.example.net"]) == {
        "a.example.net": bare,
        "b.example.net": full,
    }
    assert history.findings.get("other", ["a.example.net"]) == {}
    assert history.findings.get("jar-callbacks", []) == {}


def test_a_name_has_one_finding_a_watch(history: History) -> None:
    second = finding(watch="zz-other")
    keep(history, second, finding(), finding("other.example.net"))
    assert history.findings.named("k3xq.example.net") == (finding(), second)


def test_a_decision_replaces_its_finding_and_is_appended(history: History) -> None:
    approved = finding(status=Status.APPROVED, reason="looks right", confidence=90)
    (first,) = keep(history, finding())
    with history.transaction():
        (second,) = history.findings.apply([change(approved, verb="approve", before=Status.CANDIDATE, undoes=first)])
    assert history.findings.named("k3xq.example.net") == (approved,)
    assert history.findings.decisions("k3xq.example.net") == (
        decision(finding(), id=first),
        decision(approved, verb="approve", before=Status.CANDIDATE, undoes=first, id=second),
    )
    assert history.findings.decision(second) == history.findings.decisions("k3xq.example.net")[1]
    assert history.findings.decision(77) is None


def test_ids_of_decisions_rise_in_the_order_given(history: History) -> None:
    numbers = keep(history, *(finding(f"n{number}.example.net") for number in range(5)))
    assert list(numbers) == sorted(set(numbers))
    more = keep(history, finding())
    assert more > numbers[-1:]
    found = [history.findings.decision(number) for number in numbers]
    assert [one.name for one in found if one] == [f"n{number}.example.net" for number in range(5)]
    with history.transaction():
        assert history.findings.apply([]) == ()


def test_a_name_may_be_decided_on_twice_in_one_step(history: History) -> None:
    later = finding(status=Status.HELD)
    with history.transaction():
        history.findings.apply([change(finding()), change(later, before=Status.CANDIDATE)])
    assert history.findings.named("k3xq.example.net") == (later,)
    assert [one.after for one in history.findings.decisions("k3xq.example.net")] == [Status.CANDIDATE, Status.HELD]


def test_findings_of_a_status_are_sorted_by_watch_case_and_name(history: History) -> None:
    kept = [
        finding("b.example.net", case="w/example.net"),
        finding("a.example.org", case="w/example.org"),
        finding("a.example.net", case="w/example.net"),
        finding("c.example.net", watch="aa", case="z", status=Status.HELD),
        published("d.example.net"),
    ]
    keep(history, *kept)
    waiting = history.findings.with_status({Status.CANDIDATE, Status.HELD})
    assert [one.name for one in waiting] == ["c.example.net", "a.example.net", "b.example.net", "a.example.org"]
    assert history.findings.with_status({Status.HELD}, "aa") == (kept[3],)
    assert history.findings.with_status({Status.HELD}, "jar-callbacks") == ()
    assert history.findings.with_status(set()) == ()


def test_findings_are_counted_by_watch_and_status(history: History) -> None:
    assert history.findings.counts() == {}
    keep(history, finding("a.example.net"), finding("b.example.net"), published(), published(watch="other"))
    assert history.findings.counts() == {
        ("jar-callbacks", Status.CANDIDATE): 2,
        ("jar-callbacks", Status.PUBLISHED): 1,
        ("other", Status.PUBLISHED): 1,
    }


def test_new_evidence_extends_a_finding_and_decides_nothing(history: History) -> None:
    keep(history, finding())
    extended = finding(
        last_seen=NOW + DAY,
        first_seen=NOW - DAY,
        provider_first_seen=None,
        rdata=("198.51.100.200",),
        sources=("circl",),
        valid_until=NOW + 46 * DAY,
    )
    with history.transaction():
        history.findings.extend([dataclasses.replace(extended, status=Status.PUBLISHED, confidence=1)])
        history.findings.extend([])
    assert history.findings.named("k3xq.example.net") == (extended,)
    assert len(history.findings.decisions("k3xq.example.net")) == 1


def test_what_was_never_found_cannot_be_extended(history: History) -> None:
    keep(history, finding())
    with pytest.raises(HistoryError, match="extended"), history.transaction():
        history.findings.extend([finding(last_seen=NOW + DAY), finding("never.example.net")])
    assert history.findings.named("k3xq.example.net") == (finding(),)


def test_published_findings_expire_when_their_validity_has_passed(history: History) -> None:
    over = [published(f"{letter}.example.net", valid_until=NOW - hours * HOUR) for letter, hours in (("b", 0), ("a", 5))]
    keep(
        history,
        *over,
        published("c.example.net", valid_until=NOW + timedelta(microseconds=1)),
        published("d.example.net", valid_until=None),
        published("e.example.net", watch="other", valid_until=NOW - HOUR),
        finding("f.example.net", valid_until=NOW - HOUR),
    )
    assert history.findings.expiring("jar-callbacks", NOW) == (over[1], over[0])


def test_decisions_of_a_span_come_oldest_first_without_its_end(history: History) -> None:
    with history.transaction():
        history.findings.apply([change(finding(), at=NOW + hour * HOUR, reason=str(hour)) for hour in (2, 0, 1, 3, 1)])
    found = history.findings.decided_between(NOW, NOW + 3 * HOUR)
    assert [one.reason for one in found] == ["0", "1", "1", "2"]
    assert found[1].id < found[2].id


def listing(history: History, *, watches: tuple[str, ...] = ("*",), max_tlp: Tlp = Tlp.RED, least: int = 0) -> list[str]:
    return [one.name for one in history.findings.listed(watches, max_tlp, least)]


def test_a_list_shows_published_names_sorted_by_bytes(history: History) -> None:
    names = ["b.example.net", "a-b.example.net", "a.example.net", "_a.example.net", "0.example.net"]
    keep(
        history, *map(published, names), finding("candidate.example.net"), finding("gone.example.net", status=Status.EXPIRED)
    )
    assert listing(history) == sorted(names, key=str.encode)


def test_a_list_takes_its_watches_markings_and_confidence_alone(history: History) -> None:
    keep(
        history,
        published("a.example.net", watch="one", tlp=Tlp.CLEAR, confidence=10),
        published("b.example.net", watch="two", tlp=Tlp.AMBER, confidence=50),
        published("c.example.net", watch="three", tlp=Tlp.RED, confidence=90),
    )
    assert listing(history, watches=("one", "three")) == ["a.example.net", "c.example.net"]
    assert listing(history, watches=()) == []
    assert listing(history, watches=("one", "*")) == ["a.example.net", "b.example.net", "c.example.net"]
    assert listing(history, max_tlp=Tlp.AMBER) == ["a.example.net", "b.example.net"]
    assert listing(history, least=50) == ["b.example.net", "c.example.net"]


def test_a_list_shows_a_name_once_with_its_highest_confidence_and_longest_validity(history: History) -> None:
    until = NOW + DAY
    keep(
        history,
        published("a.example.net", watch="a", confidence=60, valid_until=None),
        published("a.example.net", watch="b", confidence=70, valid_until=until, tlp=Tlp.CLEAR, first_seen=NOW - DAY),
        published("a.example.net", watch="c", confidence=70, valid_until=until - HOUR),
        published("b.example.net", watch="a", valid_until=until),
        published("b.example.net", watch="b", valid_until=None),
    )
    assert list(history.findings.listed(["*"], Tlp.RED, 0)) == [
        ListedName("a.example.net", "b", 70, NOW - DAY, until, Tlp.CLEAR),
        ListedName("b.example.net", "b", 70, NOW, None, Tlp.GREEN),
    ]
    assert [one.watch for one in history.findings.listed(["a", "c"], Tlp.RED, 0)] == ["c", "a"]


# -- partners, exports, notes ------------------------------------------------------------------------------------------


def test_a_partner_is_known_by_its_token(history: History) -> None:
    other = dataclasses.replace(PARTNER, name="bank", collections=(), exports=(), added_at=None)
    with history.transaction():
        history.partners.add(PARTNER, "aa")
        history.partners.add(other, "bb")
    assert history.partners.by_token("aa") == PARTNER
    assert history.partners.by_token("bb") == other
    assert history.partners.by_token("cc") is None
    assert history.partners.all() == (other, PARTNER)


def test_two_partners_have_neither_one_name_nor_one_token(history: History) -> None:
    with history.transaction():
        history.partners.add(PARTNER, "aa")
    with pytest.raises(UsageError, match="csirt"), history.transaction():
        history.partners.add(PARTNER, "bb")
    with pytest.raises(HistoryError), history.transaction():
        history.partners.add(dataclasses.replace(PARTNER, name="bank"), "aa")
    assert history.partners.all() == (PARTNER,)


def test_a_rotated_token_replaces_the_old_one(history: History) -> None:
    with history.transaction():
        history.partners.add(PARTNER, "aa")
        history.partners.rotate("csirt", "bb")
    assert history.partners.by_token("aa") is None
    assert history.partners.by_token("bb") == PARTNER
    with pytest.raises(UsageError, match="nobody"), history.transaction():
        history.partners.rotate("nobody", "cc")


def test_a_removed_partner_is_gone(history: History) -> None:
    with history.transaction():
        history.partners.add(PARTNER, "aa")
        history.partners.remove("csirt")
    assert history.partners.by_token("aa") is None
    with pytest.raises(UsageError, match="csirt"), history.transaction():
        history.partners.remove("csirt")


def test_the_last_fetch_never_moves_back(history: History) -> None:
    with history.transaction():
        history.partners.add(PARTNER, "aa")
        history.partners.fetched({"csirt": NOW, "gone": NOW})
        history.partners.fetched({"csirt": NOW - HOUR})
    assert history.partners.all() == (dataclasses.replace(PARTNER, last_fetch=NOW),)


def test_the_state_of_a_list_is_replaced(history: History) -> None:
    first = dataclasses.replace(EXPORT, held="", serial=1)
    with history.transaction():
        history.exports.keep(first)
        history.exports.keep(dataclasses.replace(EXPORT, name="a.rpz"))
        history.exports.keep(EXPORT)
    assert history.exports.all() == (dataclasses.replace(EXPORT, name="a.rpz"), EXPORT)


def test_notes_are_kept(history: History, reader: History) -> None:
    assert history.note("producer") is None
    for text in ("one", "two ü \n"):
        with history.transaction():
            history.keep_note("producer", text)
        assert reader.note("producer") == text


def test_objects_of_the_feed_outlive_the_process(state: Path, history: History) -> None:
    add(history, stix())
    history.close()
    with closing(open_history(state)) as again:
        assert again.feed.current(stix().id) == stix()
