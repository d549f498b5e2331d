"""How the service fares, in the Prometheus text format, read from the history at each scrape.

Nothing is counted in this process: any worker tells the same, also right after a start. Names of sources, watches, lists and
partners are in it; names that were found, clients and secrets are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from feedsvc.clock import utc_now
from feedsvc.config import SourceSettings
from feedsvc.history import open_history
from feedsvc.history.port import History
from feedsvc.model import Outcome
from feedsvc.pipeline import budgeting
from feedsvc.pipeline.parts import Billing

CONTENT_TYPE = "text/plain; version=0.0.4"  # litestar adds the charset


@dataclass(frozen=True, slots=True)
class Told:
    """What the metrics speak of.

    Attributes:
        sources: those configured, so that one which never ran is seen too.
        billing: of those that cost calls, by name.
    """

    sources: Sequence[SourceSettings] = ()
    billing: Mapping[str, Billing] = field(default_factory=dict)


def render(state: Path, told: Told) -> bytes:
    """One scrape. Opens a history of its own: call it in any thread.

    Args:
        state: where the history is.

    Raises:
        HistoryError: the state cannot be read.
    """
    with closing(open_history(state, read_only=True)) as history:
        registry = CollectorRegistry()
        registry.register(_FromHistory(history, told))
        return generate_latest(registry)


class _FromHistory(Collector):
    def __init__(self, history: History, told: Told) -> None:
        self._history = history
        self._told = told

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("feedsvc_build", "The running release.", {"version": _release()})
        yield from _sources(self._history, self._told.sources)
        yield from _quotas(self._history, self._told.billing)
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


def _quotas(history: History, billing: Mapping[str, Billing]) -> Iterator[Metric]:
    spent = _gauge("quota_spent", "Calls spent in a span of a source's key.", "source", "span")
    left = _gauge("quota_left", "Calls left in a span; absent where there is no limit.", "source", "span")
    resets = _gauge("quota_resets_timestamp_seconds", "When a span begins anew.", "source", "span")
    closed = _gauge(
        "quota_closed_until_timestamp_seconds", "Until when a source's key may ask nothing; 0: it may.", "source"
    )
    for source, whose in sorted(billing.items()):
        stands = budgeting.ledger(history, whose, utc_now, person=False).standing()
        for one in stands.spans:
            spent.add_metric([source, one.span], one.spent)
            if one.left is not None:
                left.add_metric([source, one.span], one.left)
            if one.resets_at is not None:
                resets.add_metric([source, one.span], one.resets_at.timestamp())
        closed.add_metric([source], stands.closed_until.timestamp() if stands.closed_until else 0.0)
    yield from (spent, left, resets, closed)


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
