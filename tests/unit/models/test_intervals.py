# SPDX-License-Identifier: Apache-2.0
"""Thresholds come with an interval that holds the truth, and with a rate on rows that did not set them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pretrade.domain.config import AnomalyConfig
from pretrade.models.intervals import HOUR_NS, later_rates, poisson_interval, tail_intervals
from pretrade.models.score_map import ROWS_PER_DAY, ScoreMap, Tail

_CONFIG = AnomalyConfig(event_gap_s=5.0)


def _noise(seed: int, days: float) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Independent calm rows with an exponential tail: log values whose exceedances are known exactly."""
    n = int(days * ROWS_PER_DAY)
    return np.random.default_rng(seed).exponential(size=n), np.arange(n) * 10**8, np.ones(n, np.uint32)


def test_intervals_hold_the_true_threshold_about_as_often_as_they_say() -> None:
    truth = np.log(ROWS_PER_DAY / 0.5)
    held = 0
    for seed in range(30):
        raw, ts, ids = _noise(seed, 4.0)
        found = tail_intervals(raw, ts, ids, ScoreMap.fit(raw, ts, _CONFIG, ids), _CONFIG, seed=1)
        assert found["block"] == "hour"
        low, high = found["elevated"]["raw"]
        held += low <= truth <= high
    assert 24 <= held <= 30, held


def test_a_longer_history_has_narrower_intervals_and_the_budget_lies_inside() -> None:
    widths = []
    for days in (2.0, 20.0):
        raw, ts, ids = _noise(7, days)
        score_map = ScoreMap.fit(raw, ts, _CONFIG, ids)
        found = tail_intervals(raw, ts, ids, score_map, _CONFIG, seed=1)
        low, high = found["high"]["raw"]
        assert low < score_map.knots[3] < high
        low, high = found["high"]["events_per_day"]
        assert low < _CONFIG.budget_high < high
        widths.append(high / low)
    assert widths[1] < 0.7 * widths[0]


def test_the_same_seed_gives_the_same_intervals_and_four_blocks_give_none() -> None:
    raw, ts, ids = _noise(3, 1.0)
    score_map = ScoreMap.fit(raw, ts, _CONFIG, ids)
    assert tail_intervals(raw, ts, ids, score_map, _CONFIG, seed=1) == tail_intervals(raw, ts, ids, score_map, _CONFIG, seed=1)
    short = ts < 4 * HOUR_NS
    assert tail_intervals(raw[short], ts[short], ids[short], score_map, _CONFIG, seed=1) == {}


def test_a_rise_after_calibration_shows_in_the_later_rate() -> None:
    raw, ts, ids = _noise(5, 10.0)
    calm = later_rates(raw, ts, ids, _CONFIG)
    assert calm["days"] == pytest.approx(3.0, rel=0.01)
    low, high = calm["elevated"]["interval_per_day"]
    assert low < _CONFIG.budget_elevated < high
    raw[int(0.7 * len(raw)) :] += 2.0
    assert later_rates(raw, ts, ids, _CONFIG)["elevated"]["per_day"] > 4 * calm["elevated"]["per_day"] + 1


@pytest.mark.parametrize(("events", "low", "high"), [(0, 0.0, 3.69), (1, 0.025, 5.57), (5, 1.62, 11.67), (100, 81.4, 121.6)])
def test_poisson_interval_equals_the_exact_one_nearly(events: int, low: float, high: float) -> None:
    assert poisson_interval(events) == pytest.approx((low, high), rel=0.05, abs=0.02)


@pytest.mark.parametrize("xi", [0.0, -0.2])
def test_rate_over_a_level_undoes_the_level_of_a_rate(xi: float) -> None:
    tail = Tail(1.0, xi, 0.4, 30.0, 100)
    for budget in (0.5, 0.05):
        assert tail.rate_over(tail.level(budget)) == pytest.approx(budget)
    assert tail.rate_over(1.0) == 30.0
