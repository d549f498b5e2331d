"""A delta as a person or a program reads it."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

import pytest

from feedsvc.model import Delta, Outcome, Refused, SourceOutcome, Status
from feedsvc.publish.delta_text import PER_CASE, as_csv, as_json, as_markdown, as_text
from tests.making import NOW
from tests.publish.making import finding

COMPLETE = SourceOutcome("circl", Outcome.COMPLETE, at=NOW)
FAILED = SourceOutcome("dnsdb", Outcome.FAILED, "401: the key is refused", at=NOW)
FULL_WIDTH = "\uff1d\uff0b\uff0d\uff20"
EVIL = "\x1b[31mred\n| `<script>` [a](http://evil.example.net) *b* \u202e"


def test_what_failed_comes_first() -> None:
    text = as_text(Delta("2026-11-24", (COMPLETE, FAILED), added=(finding(),)), UTC)
    assert text.splitlines()[:2] == [
        "NOT COMPLETE: 1 of 2 sources; names that only they know are missing here",
        "  dnsdb  failed    401: the key is refused",
    ]


def test_a_quiet_day_is_said_with_its_proof() -> None:
    sources = (COMPLETE, SourceOutcome("zeek", Outcome.COMPLETE, at=NOW + timedelta(minutes=3)))
    assert as_text(Delta("2026-11-24", sources), UTC) == (
        "2026-11-24: nothing new; answered completely: circl at 2026-11-24 06:52 UTC, zeek at 2026-11-24 06:55 UTC"
    )


@pytest.mark.parametrize("sources", [(), (FAILED,), (COMPLETE, FAILED), (SourceOutcome("a", Outcome.SKIPPED),)])
def test_silence_is_never_success(sources: tuple[SourceOutcome, ...]) -> None:
    for render in (as_text, as_markdown):
        assert "nothing new" not in render(Delta("2026-11-24", sources), UTC)


def test_times_are_those_of_the_configured_zone() -> None:
    assert "2026-11-24 07:52 CET" in as_text(Delta("2026-11-24", (COMPLETE,)), ZoneInfo("Europe/Berlin"))


def test_a_finding_is_one_line_under_its_case() -> None:
    delta = Delta("20261124T065232Z", (COMPLETE,), added=(finding(reason="new"),), held=(finding(status=Status.HELD),))
    assert as_text(delta, UTC).splitlines() == [
        "20261124T065232Z: 1 added, 0 published, 1 held, 0 removed",
        "answered completely: circl at 2026-11-24 06:52 UTC",
        "",
        "added (1)",
        "  jar-callbacks/example.net",
        "    k3xq.example.net  approved, confidence 70, 198.51.100.7; new",
        "",
        "held (1)",
        "  jar-callbacks/example.net",
        f"    k3xq.example.net  held, confidence 70, 198.51.100.7; {finding().reason}",
    ]


def test_hundreds_of_siblings_are_a_few_lines_and_a_count() -> None:
    siblings = tuple(finding(f"n{number:03d}.example.net") for number in range(300))
    lines = as_text(Delta("2026-11-24", (COMPLETE,), added=siblings), UTC).splitlines()
    assert "added (300)" in lines
    assert len(lines) < 30
    assert lines[-1].strip() == f"… and {300 - PER_CASE} more of this case; the other formats list them all"
    assert as_markdown(Delta("d", (COMPLETE,), added=siblings), UTC).count(".example.net") == 300


def test_what_was_not_understood_is_shown_with_a_sample() -> None:
    source = SourceOutcome("zeek", Outcome.COMPLETE, refused=(Refused("no JSON", 12, "{cut"),), at=NOW)
    assert "zeek: 12 x no JSON, for example {cut" in as_text(Delta("d", (source,)), UTC)
    assert "12 x no JSON: {cut" in as_markdown(Delta("d", (source,)), UTC)


def test_a_row_that_was_used_without_its_time_is_not_said_to_be_missing_from_the_history() -> None:
    source = SourceOutcome("cof", Outcome.COMPLETE, refused=(Refused("time in the future, taken as now", 1, "{}"),), at=NOW)
    for text in (as_text(Delta("d", (source,)), UTC), as_markdown(Delta("d", (source,)), UTC)):
        assert "not taken as it came" in text
        assert "not in the history" not in text


def test_text_of_others_cannot_steer_a_terminal_or_forge_a_line() -> None:
    source = SourceOutcome(EVIL, Outcome.FAILED, EVIL, (Refused(EVIL, 1, EVIL),))
    delta = Delta("2026-11-24", (source,), added=(finding(reason=EVIL, case=EVIL),))
    for text in (as_text(delta, UTC), as_markdown(delta, UTC), as_csv(delta)):
        assert all(char.isprintable() or char == "\n" for char in text)
    assert as_text(delta, UTC).count("\n") == as_text(
        Delta("2026-11-24", (SourceOutcome("a", Outcome.FAILED, "b", (Refused("c", 1, "d"),)),), added=(finding(),)), UTC
    ).count("\n")


def test_markdown_of_others_is_text_and_names_make_no_link() -> None:
    text = as_markdown(Delta("d", (SourceOutcome("a", Outcome.FAILED, EVIL),), added=(finding(),)), UTC)
    assert "<script>" not in text
    assert "](http" not in text
    assert "| `k3xq.example.net` |" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    cells = [len(line.replace("\\|", "").split("|")) for line in rows]
    assert cells == [7] * 3 + [8] * 3


def test_json_has_the_promised_shape() -> None:
    delta = Delta("2026-11-24", (COMPLETE, FAILED), (finding("a.example.net"),), (), (finding("b.example.net"),), ())
    shape = json.loads(json.dumps(as_json(delta, "date")))
    assert list(shape) == ["date", "sources", "added", "published", "held", "removed"]
    assert shape["date"] == "2026-11-24"
    assert [(one["name"], one["outcome"], one["reason"]) for one in shape["sources"]] == [
        ("circl", "complete", ""),
        ("dnsdb", "failed", "401: the key is refused"),
    ]
    assert [one["name"] for one in shape["added"]] == ["a.example.net"]
    assert [one["name"] for one in shape["held"]] == ["b.example.net"]
    assert next(iter(as_json(delta, "run"))) == "run"


def rows(text: str) -> list[dict[str, str]]:
    """What a spreadsheet reads."""
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_tells_of_sources_and_of_each_change() -> None:
    table = rows(as_csv(Delta("d", (COMPLETE, FAILED), (finding(rdata=("198.51.100.7", "198.51.100.8")),), (finding(),))))
    assert [(row["change"], row["name"], row["status"]) for row in table] == [
        ("source", "circl", "complete"),
        ("source", "dnsdb", "failed"),
        ("added", "k3xq.example.net", "approved"),
        ("published", "k3xq.example.net", "approved"),
    ]
    assert table[2]["rdata"] == "198.51.100.7 198.51.100.8"
    assert table[2]["provider_first_seen"] == "2026-11-24T04:52:32.000Z"
    assert table[0]["at"] == "2026-11-24T06:52:32.000Z"
    assert table[2]["confidence"] == "70"


@pytest.mark.parametrize("lead", ["=", "+", "-", "@", "\t", "\r", *FULL_WIDTH])
def test_no_cell_is_a_formula(lead: str) -> None:
    formula = f"{lead}cmd|' /C calc'!A0"
    delta = Delta("d", (SourceOutcome("a", Outcome.FAILED, formula),), (finding(reason=formula, case=formula),))
    for row in rows(as_csv(delta)):
        assert not any(cell and cell[0] in f"=+-@\t\r{FULL_WIDTH}" for cell in row.values())
