"""Rates and beta by progress, where their examples do not look: beyond both ends, without a warm-up, and shares at their limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlpoet.errors import RlpoetError
from rlpoet.training.schedule import beta_factor, check_warmup, rate_factor


@pytest.mark.parametrize("progress, expected", [(-1.0, 1.0), (0.0, 1.0), (0.5, 0.55), (1.0, 0.1), (2.0, 0.1)])
def test_without_a_warmup_the_rate_falls_from_its_peak_to_a_tenth(progress: float, expected: float) -> None:
    assert rate_factor(progress, 0.0) == pytest.approx(expected)


@given(st.floats(-2, 3), st.floats(0, 1))
def test_factors_stay_between_their_floor_and_one(progress: float, warmup: float) -> None:
    assert 0.0999 <= rate_factor(progress, warmup) <= 1.0
    assert 0.25 <= beta_factor(progress, warmup) <= 1.0
    assert rate_factor(min(max(progress, 0.0), 1.0), warmup) == rate_factor(progress, warmup)


@pytest.mark.parametrize("share", [0, 0.0, 0.5, 1, 1.0])
def test_a_warmup_may_be_none_of_a_run_or_all_of_it(share: float) -> None:
    check_warmup(warmup=share, beta_warmup=0.2)


@pytest.mark.parametrize("share", [-0.1, 1.01, 20, float("nan")])
def test_a_warmup_that_is_no_share_is_named(share: float) -> None:
    with pytest.raises(RlpoetError, match=f"--warmup: {share}; expected a share"):
        check_warmup(beta_warmup=0.2, warmup=share)
