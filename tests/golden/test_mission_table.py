# SPDX-License-Identifier: Apache-2.0
"""The mission's score-to-tier table and the 14:30 story's scores; they fix the mapping, not a time scale of markets."""

from __future__ import annotations

import numpy as np
import pytest
from tests.scoring import tick

from pretrade.calibration import Calibrator
from pretrade.domain import Config, Tier

_SECOND = 10**9


@pytest.fixture
def calibrator(config: Config) -> Calibrator:
    return Calibrator(config, [1])


def _limits(calibrator: Calibrator, scores: list[float], step_ns: int = _SECOND // 10, start: int = 10**18) -> list[tuple[Tier, int]]:
    out, standing = [], (Tier.NORMAL, 500)
    for i, score in enumerate(scores):
        ts = start + i * step_ns
        update = calibrator.update(tick(ts, score), ts, ts)
        for r in update.records:
            standing = (Tier(int(r["tier"])), int(r["max_order_quantity"]))
        out.append(standing)
    return out


def test_five_rows_of_the_mission_table(calibrator: Calibrator) -> None:
    expected = [(Tier.NORMAL, 500), (Tier.NORMAL, 500), (Tier.ELEVATED, 250), (Tier.HIGH, 50), (Tier.CRITICAL, 50)]
    assert _limits(calibrator, [0.013, 0.015, 0.089, 0.452, 0.981]) == expected


@pytest.mark.parametrize(
    ("score", "tier", "limit"),
    [
        (0.02, Tier.NORMAL, 500),
        (0.05, Tier.ELEVATED, 250),
        (0.15, Tier.ELEVATED, 250),
        (0.25, Tier.HIGH, 50),
        (0.35, Tier.HIGH, 50),
        (0.9, Tier.HIGH, 50),
        (0.95, Tier.CRITICAL, 50),
    ],
)
def test_story_scores_stand_for_their_tiers(config: Config, score: float, tier: Tier, limit: int) -> None:
    assert _limits(Calibrator(config, [1]), [score]) == [(tier, limit)]


def test_another_static_limit_scales(config: Config) -> None:
    assert _limits(Calibrator(config.with_static_limit(730), [1]), [0.01, 0.1, 0.4])[1:] == [(Tier.ELEVATED, 365), (Tier.HIGH, 73)]


def test_fed_back_downwards_high_does_not_loosen_at_once(calibrator: Calibrator) -> None:
    assert _limits(calibrator, [0.452, 0.089, 0.013])[1:] == [(Tier.HIGH, 50), (Tier.HIGH, 50)]


def test_after_critical_no_score_loosens_anything_until_a_human_resumes(calibrator: Calibrator) -> None:
    ts = 10**18
    assert _limits(calibrator, [0.981], start=ts) == [(Tier.CRITICAL, 50)]
    for _ in range(1_000):
        ts += _SECOND
        assert len(calibrator.update(tick(ts, 0.01), ts, ts, {1: 0}).records) == 0
    for _ in range(120):
        ts += _SECOND
        calibrator.update(tick(ts, 0.01), ts, ts, {1: 1})
    assert calibrator.state.tier.tolist() == [Tier.NORMAL]


def test_a_resume_above_our_own_ids_ends_no_trip(calibrator: Calibrator) -> None:
    ts = 10**18
    calibrator.update(tick(ts, 0.981), ts, ts)
    (again,) = calibrator.update(tick(ts + _SECOND, 0.01), ts, ts, {1: 99}).records
    assert (int(again["trip_id"]), int(again["tier"]), int(again["flags"]) & 1) == (100, Tier.CRITICAL, 1)


def test_resumed_but_still_critical_trips_again_under_a_new_id(calibrator: Calibrator) -> None:
    ts = 10**18
    first = calibrator.update(tick(ts, 0.99), ts, ts).records[0]
    again = calibrator.update(tick(ts + _SECOND, 0.99), ts + _SECOND, ts + _SECOND, {1: int(first["trip_id"])}).records[0]
    assert int(again["trip_id"]) == int(first["trip_id"]) + 1
    assert np.uint8(again["flags"]) & 1
