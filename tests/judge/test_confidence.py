"""Confidence: a prior and weights on the scale of log-odds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.judge.confidence import CLAIMED, weigh


@given(st.integers(0, 100))
def test_without_weights_it_is_the_prior(prior: int) -> None:
    assert weigh(prior) == prior


@pytest.mark.parametrize(("prior", "claimed"), [(0, 0), (10, 1), (50, 12), (70, 24), (90, 55), (100, 96)])
def test_what_clients_claim_is_worth_less(prior: int, claimed: int) -> None:
    assert weigh(prior, CLAIMED) == claimed


@given(st.integers(0, 100), st.lists(st.floats(-20, 20), min_size=1, max_size=5))
def test_no_weights_leave_the_scale_and_their_order_does_not_matter(prior: int, weights: list[float]) -> None:
    assert 0 <= weigh(prior, *weights) <= 100
    assert abs(weigh(prior, *weights) - weigh(prior, *reversed(weights))) <= 1


@given(st.integers(0, 100), st.floats(0, 20))
def test_a_weight_moves_it_its_own_way(prior: int, weight: float) -> None:
    assert weigh(prior, -weight) <= weigh(prior, 0.0) <= weigh(prior, weight)
