"""The five meanings of "new", each told from the others."""

from __future__ import annotations

from datetime import timedelta

import pytest

from feedsvc.judge.novelty import GAP, LAG, PHRASES, Past, novelty
from feedsvc.model import Novelty
from tests.making import NOW

HOUR = timedelta(hours=1)
SINCE = NOW - timedelta(days=30)


@pytest.mark.parametrize(
    ("past", "provider_first_seen", "expected"),
    [
        pytest.param(Past(), NOW - HOUR, Novelty.NEW_REGISTRABLE, id="nothing under the domain known"),
        pytest.param(Past(), None, Novelty.NEW_REGISTRABLE, id="no provider time"),
        pytest.param(Past(domain_known=True), NOW - HOUR, Novelty.NEW_HOST, id="domain known, host not"),
        pytest.param(Past(seen_elsewhere=True), NOW - HOUR, Novelty.NEW_TO_NETBLOCK, id="known from elsewhere"),
        pytest.param(Past(), SINCE - LAG - HOUR, Novelty.NEW_TO_US, id="a provider saw it before we watched"),
        pytest.param(Past(), SINCE - LAG, Novelty.NEW_REGISTRABLE, id="late by no more than the lag"),
        pytest.param(Past(seen_here=True, last_seen=NOW - GAP), NOW, Novelty.REACTIVATED, id="back after the gap"),
        pytest.param(Past(seen_here=True, last_seen=NOW - GAP + HOUR), NOW, Novelty.NEW_TO_US, id="back before the gap"),
        pytest.param(
            Past(seen_elsewhere=True), SINCE - LAG - HOUR, Novelty.NEW_TO_NETBLOCK, id="an old name, newly here, is news"
        ),
    ],
)
def test_each_meaning_has_its_case(past: Past, provider_first_seen: object, expected: Novelty) -> None:
    assert novelty(past, provider_first_seen, NOW, SINCE) is expected  # type: ignore[arg-type]


def test_every_meaning_can_be_put_in_words() -> None:
    assert set(PHRASES) == set(Novelty)
