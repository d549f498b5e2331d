"""What every engine of history promises of runs: jobs are held once, windows run once, ends are known."""

from __future__ import annotations

import dataclasses
import threading
from contextlib import closing
from pathlib import Path

import pytest

from feedsvc.errors import Busy, HistoryError
from feedsvc.history import open_history
from feedsvc.history.port import History
from feedsvc.model import (
    Outcome,
    Refused,
    SourceOutcome,
)
from tests.history.making import (
    COMPLETE,
    DAY,
    HOUR,
    NOW,
    REFUSED,
    child,
    kill,
    wait_for_word,
)

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
    with child(HOLDS_A_JOB, state) as process:
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
