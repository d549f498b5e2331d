"""A delta as text for a terminal, Markdown, JSON or CSV.

What went wrong comes first: silence is never success, so "nothing new" is said only with the proof (design §6.12). Texts of
others (reasons, samples) may hold anything: control characters are shown as escapes, Markdown is escaped, and no cell of the
CSV begins like a formula (OWASP, "CSV Injection"). Pure.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Literal

from feedsvc.model import Delta, Finding, Outcome, SourceOutcome
from feedsvc.publish.shapes import Json, finding_json, source_json

PER_CASE = 20
"""Names of one case that the text shows; random siblings come by the hundred and are one decision."""

WIDEST = 60
"""Characters that names are lined up to; longer ones stand out."""

_COLUMNS = (
    *("change", "name", "watch", "status", "novelty", "reason", "first_seen", "last_seen", "provider_first_seen"),
    *("netblock", "rdata", "sources", "confidence", "case", "at"),
)
_FORMULA = re.compile("[=+@\t\r\uff1d\uff0b\uff20\uff0d-]")  # spreadsheets take the full-width signs for the ASCII ones
# What begins markup, a link or an entity inside a line; texts of others never begin one. CommonMark 0.31 §2.4 lets all
# of it be escaped; the full stop, colon and at sign are there for the links that GitHub makes of bare addresses.
_MARKDOWN = re.compile(r"[\\`*_\[\]()<>!|~&$.:@]")


def _sections(delta: Delta) -> tuple[tuple[str, tuple[Finding, ...]], ...]:
    return ("added", delta.added), ("published", delta.published), ("held", delta.held), ("removed", delta.removed)


def _quiet(delta: Delta) -> bool:
    return not any(findings for _, findings in _sections(delta))


def _incomplete(delta: Delta) -> list[SourceOutcome]:
    return [source for source in delta.sources if source.outcome is not Outcome.COMPLETE]


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def _moment(moment: datetime | None, zone: tzinfo) -> str:
    return "" if moment is None else f"{moment.astimezone(zone):%Y-%m-%d %H:%M %Z}"


def _proof(delta: Delta, zone: tzinfo) -> str:
    """What a delta without changes proves."""
    if not delta.sources:
        return "nothing to show: no source was asked, so nobody knows"
    if _incomplete(delta):
        return "nothing found, which proves nothing: see the sources that did not answer completely"
    return f"nothing new; {_complete(delta, zone)}"


def _complete(delta: Delta, zone: tzinfo) -> str:
    complete = (source for source in delta.sources if source.outcome is Outcome.COMPLETE)
    answers = [" at ".join(filter(None, [_printable(one.name), _moment(one.at, zone)])) for one in complete]
    return f"answered completely: {', '.join(answers) or 'no source'}"


def _counts(delta: Delta) -> str:
    return ", ".join(f"{len(findings)} {section}" for section, findings in _sections(delta))


# -- text --------------------------------------------------------------------------------------------------------------


def as_text(delta: Delta, zone: tzinfo) -> str:
    """For a terminal, without the last line end.

    Args:
        zone: whose time is shown.
    """
    summary = _proof(delta, zone) if _quiet(delta) else f"{_counts(delta)}\n{_complete(delta, zone)}"
    title = f"{_printable(delta.label)}: {summary}"
    blocks = [*_source_block(delta), title, *(_section(section, found) for section, found in _sections(delta) if found)]
    return "\n\n".join(blocks)


def _source_block(delta: Delta) -> Iterator[str]:
    bad = _incomplete(delta)
    if bad:
        width = max(len(_printable(source.name)) for source in bad)
        head = f"NOT COMPLETE: {len(bad)} of {len(delta.sources)} sources; names that only they know are missing here"
        rows = (f"  {_printable(one.name):{width}}  {one.outcome:8}  {_printable(one.reason)}".rstrip() for one in bad)
        yield "\n".join([head, *rows])
    refusals = [
        f"  {_printable(source.name)}: {one.count} x {_printable(one.reason)}, for example {_printable(one.sample)}"
        for source in delta.sources
        for one in source.refused
    ]
    if refusals:
        yield "\n".join(["not taken as it came:", *refusals])


def _section(section: str, findings: Sequence[Finding]) -> str:
    lines = [f"{section} ({len(findings)})"]
    for case, members in itertools.groupby(findings, key=lambda finding: finding.case):
        lines += _case(case, list(members))
    return "\n".join(lines)


def _case(case: str, findings: Sequence[Finding]) -> Iterator[str]:
    yield f"  {_printable(case)}"
    shown = findings[:PER_CASE]
    width = min(max(len(finding.name) for finding in shown), WIDEST)
    for finding in shown:
        addresses = ", ".join(finding.rdata)
        facts = f"{finding.status}, confidence {finding.confidence}, {addresses}"
        yield f"    {finding.name:{width}}  {facts}; {_printable(finding.reason)}"
    if len(findings) > PER_CASE:
        yield f"    … and {len(findings) - PER_CASE} more of this case; the other formats list them all"


# -- Markdown ----------------------------------------------------------------------------------------------------------


def as_markdown(delta: Delta, zone: tzinfo) -> str:
    """For a chat, a ticket or a wiki, without the last line end.

    Args:
        zone: whose time is shown.
    """
    bad = len(_incomplete(delta))
    warning = f"**NOT COMPLETE: {bad} of {len(delta.sources)} sources; names that only they know are missing here.**"
    summary = _escaped(_proof(delta, zone) if _quiet(delta) else _counts(delta))
    sections = [_md_section(section, found) for section, found in _sections(delta) if found]
    blocks = [f"# {_escaped(delta.label)}", warning if bad else "", _md_sources(delta, zone), summary, *sections]
    return "\n\n".join(filter(None, blocks))


def _escaped(text: str) -> str:
    return _MARKDOWN.sub(r"\\\g<0>", _printable(text))


def _code(text: str) -> str:
    # A name as code: no renderer makes a link of it that somebody clicks.
    return f"`{_printable(text).replace('`', chr(39)).replace('|', '')}`"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _md_sources(delta: Delta, zone: tzinfo) -> str:
    worst_first = sorted(delta.sources, key=lambda source: source.outcome is Outcome.COMPLETE)
    rows = [
        [_code(one.name), str(one.outcome), _moment(one.at, zone), _escaped(one.reason), _refusals(one)]
        for one in worst_first
    ]
    return _table(["source", "outcome", "at", "reason", "not taken as it came"], rows)


def _refusals(source: SourceOutcome) -> str:
    return "; ".join(f"{one.count} x {_escaped(one.reason)}: {_escaped(one.sample)}" for one in source.refused)


def _md_section(section: str, findings: Sequence[Finding]) -> str:
    rows = [
        [
            _code(one.name),
            _code(one.watch),
            str(one.status),
            str(one.confidence),
            _code(", ".join(one.rdata)),
            _escaped(one.reason),
        ]
        for one in findings
    ]
    return f"## {section} ({len(findings)})\n\n" + _table(
        ["name", "watch", "status", "confidence", "address", "reason"], rows
    )


# -- JSON and CSV ------------------------------------------------------------------------------------------------------


def as_json(delta: Delta, span: Literal["date", "run"]) -> Json:
    """The shape of `diff --json` and `run --json`.

    Args:
        span: what the delta's label is.
    """
    return {
        span: delta.label,
        "sources": [source_json(source) for source in delta.sources],
        **{section: [finding_json(finding) for finding in found] for section, found in _sections(delta)},
    }


def as_csv(delta: Delta) -> str:
    """A table: one row a source (`change` is `source`, `status` its outcome), then one a finding and change."""
    out = io.StringIO()
    table = csv.DictWriter(out, _COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    for source in delta.sources:
        shape = source_json(source)
        table.writerow(_csv_row("source", {**shape, "status": shape["outcome"]}))
    for section, findings in _sections(delta):
        table.writerows(_csv_row(section, finding_json(finding)) for finding in findings)
    return out.getvalue()


def _csv_row(section: str, shape: Mapping[str, object]) -> dict[str, str]:
    return {column: _cell(value) for column, value in {"change": section, **shape}.items()}


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = _printable(" ".join(map(str, value)) if isinstance(value, list) else str(value))
    return f"'{text}" if _FORMULA.match(text) else text
