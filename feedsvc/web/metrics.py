"""How the service fares, in the Prometheus text format, read from the history at each scrape.

Nothing is counted in this process: any worker tells the same, also right after a start. Names of sources, watches, lists and
partners are in it; names that were found, clients and secrets are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from feedsvc.config import SourceSettings
from feedsvc.history import open_history
from feedsvc.history.port import History
from feedsvc.model import Outcome

CONTENT_TYPE = "text/plain; version=0.0.4"  # litestar adds the charset


def render(state: Path, sources: Sequence[SourceSettings]) -> bytes:
    """One scrape. Opens a history of its own: call it in any thread.

    Args:
        state: where the history is.
        sources: those configured, so that one which never ran is seen too.

    Raises:
        HistoryError: the state cannot be read.
    """
    with closing(open_history(state, read_only=True)) as history:
        registry = CollectorRegistry()
        registry.register(_FromHistory(history, sources))
        return generate_latest(registry)


class _FromHistory(Collector):
    def __init__(self, history: History, sources: Sequence[SourceSettings]) -> None:
        self._history = history
        self._sources = sources

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("feedsvc_build", "The running release.", {"version": _release()})
        yield from _sources(self._history, self._sources)
        yield _findings(self._history)
        yield from _exports(self._history)
        yield _partners(self._history)


def _release() -> str:
    try:
        return version("feedsvc")
    except PackageNotFoundError:  # run from a tree that was never installed
        return "unknown"


def _sources(history: History, configured: Sequence[SourceSettings]) -> Iterator[Metric]:
    every = _gauge("source_every_seconds", "How often a source is asked.", "source")
    outcomes = _gauge("source_outcome", "1 for how the latest run of a source ended.", "source", "outcome")
    ran = _gauge("source_last_run_timestamp_seconds", "When the latest run of a source ended.", "source")
    refused = _gauge("source_refused", "Input that the latest run of a source could not use.", "source")
    for source in configured:
        every.add_metric([source.name], source.every.total_seconds())
    for name, (run, outcome) in sorted(history.runs.latest_outcomes().items()):
        for possible in Outcome:
            outcomes.add_metric([name, possible.value], float(outcome.outcome is possible))
        ran.add_metric([name], (run.ended_at or run.started_at).timestamp())
        refused.add_metric([name], sum(one.count for one in outcome.refused))
    yield from (every, outcomes, ran, refused, _completed(history))


def _completed(history: History) -> Metric:
    # The latest of its netblocks: marks of netblocks that no rule has any more stay behind, and would look overdue.
    gauge = _gauge("source_last_complete_timestamp_seconds", "When a source last read a netblock completely.", "source")
    latest: dict[str, datetime] = {}
    for (name, _), at in history.facts.marks().items():
        latest[name] = max(at, latest.get(name, at))
    for name, at in sorted(latest.items()):
        gauge.add_metric([name], at.timestamp())
    return gauge


def _findings(history: History) -> Metric:
    gauge = _gauge("findings", "Names found, by watch and where they stand.", "watch", "status")
    for (watch, status), count in sorted(history.findings.counts().items()):
        gauge.add_metric([watch, status.value], count)
    return gauge


def _exports(history: History) -> Iterator[Metric]:
    names = _gauge("export_names", "Names on a block list.", "export", "format")
    changed = _gauge("export_changed_timestamp_seconds", "When a block list changed last.", "export")
    held = _gauge("export_held", "1 while a guard keeps the next content of a block list back.", "export")
    for state in history.exports.all():
        names.add_metric([state.name, state.format], state.count)
        changed.add_metric([state.name], state.changed_at.timestamp())
        held.add_metric([state.name], float(bool(state.held)))
    yield from (names, changed, held)


def _partners(history: History) -> Metric:
    gauge = _gauge("partner_last_fetch_timestamp_seconds", "When a partner was given data last.", "partner")
    for partner in history.partners.all():
        if partner.last_fetch is not None:
            gauge.add_metric([partner.name], partner.last_fetch.timestamp())
    return gauge


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"feedsvc_{name}", text, labels=labels)
