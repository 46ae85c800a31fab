# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.scoring import tick

from pretrade.calibration import Calibrator, Columns, alarms, alerts, calibrate, rule
from pretrade.calibration.rules import INTEGERS, TIGHTEST
from pretrade.domain import LIMITS_DTYPE, Config, FeedState, LimitFlag, Phase, Tier
from pretrade.domain.config import DIRECTIONS
from pretrade.domain.errors import CalibrationError
from pretrade.features import Features
from pretrade.models import Scores

_SECOND = 10**9
_START = 10**18


def _looser(name: str, new: int, old: int) -> bool:
    return (new > old) if DIRECTIONS[name] < 0 else (new < old)


def _track(config: Config, scores: list[float], step_ns: int = _SECOND // 10, **kwargs: Any) -> list[np.void]:
    calibrator = Calibrator(config, [1], **kwargs)
    out: list[np.void] = []
    for i, score in enumerate(scores):
        ts = _START + i * step_ns
        out.extend(calibrator.update(tick(ts, score), ts, ts).records)
    return out


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.floats(0, 1), st.just(float("nan"))), min_size=2, max_size=60))
def test_a_higher_tier_never_loosens_and_nothing_leaves_the_envelope(scores: list[float]) -> None:
    config = Config.load()
    static = config.static
    before = None
    for record in _track(config, scores):
        for name in INTEGERS:
            assert not _looser(name, int(record[name]), int(static[name])), name
            if before is not None and record["tier"] >= before["tier"]:
                assert not _looser(name, int(record[name]), int(before[name])) or record["tier"] == before["tier"]
        assert int(record["valid_mask"]) == (1 << 21) - 1
        before = record


def test_tightening_is_immediate_and_loosening_takes_dwell_and_ramp(config: Config) -> None:
    scores = [0.01, 0.5] + [0.0] * 1_200
    records = _track(config, scores)
    high = next(r for r in records if r["tier"] == Tier.HIGH)
    assert int(high["ts_published"]) == _START + _SECOND // 10
    later = [r for r in records if r["ts_published"] > high["ts_published"]]
    elevated = next(r for r in later if r["tier"] == Tier.ELEVATED)
    assert int(elevated["ts_published"] - high["ts_published"]) >= config.hysteresis.dwell_high_s * _SECOND
    quantities = [int(r["max_order_quantity"]) for r in later]
    assert quantities == sorted(quantities)
    assert len(set(quantities)) > 10, "it loosens in steps"
    assert quantities[-1] == 500
    gaps = np.diff([int(r["ts_published"]) for r in later])
    assert gaps.min() >= _SECOND // 10, "at most ten steps a second"


def test_a_bad_book_raises_to_elevated_but_is_no_alarm(config: Config) -> None:
    calibrator = Calibrator(config, [1])
    calibrator.update(tick(_START, 0.01), _START, _START)
    update = calibrator.update(tick(_START + 1, float("nan"), feed_state=int(FeedState.RESYNC)), _START + 1, _START + 1)
    (change,) = update.tier_changes
    assert (change.to_tier, change.cause) == (Tier.ELEVATED, "feed_state")
    assert alarms(update.tier_changes) == 0
    assert update.records["flags"][0] & 8


def test_outside_continuous_trading_the_tier_holds(config: Config) -> None:
    calibrator = Calibrator(config, [1])
    calibrator.update(tick(_START, 0.5), _START, _START)
    for i, phase in enumerate((Phase.PRE_OPEN, Phase.BREAK, Phase.CLOSED, Phase.AUCTION)):
        ts = _START + (i + 1) * 100 * _SECOND
        update = calibrator.update(tick(ts, float("nan"), phase=phase, feed_state=int(FeedState.CROSSED)), ts, ts)
        assert update.tier_changes == []
    assert calibrator.state.tier.tolist() == [Tier.HIGH]


def test_a_missing_score_is_marked_and_changes_no_tier(config: Config) -> None:
    calibrator = Calibrator(config, [1])
    calibrator.update(tick(_START, 0.1), _START, _START)
    update = calibrator.update(tick(_START + 1, float("nan")), _START + 1, _START + 1)
    assert update.records["flags"][0] & 4
    assert update.records["tier"][0] == Tier.ELEVATED


def test_first_records_of_a_new_epoch_are_never_looser(config: Config) -> None:
    last = _track(config, [0.01, 0.5])[-1]
    previous = np.array([last], LIMITS_DTYPE)
    (first,) = _track(config, [0.01], previous=previous, epoch=2)[:1]
    for name in INTEGERS:
        assert not _looser(name, int(first[name]), int(last[name])), name
    assert (int(first["tier"]), int(first["epoch"])) == (Tier.HIGH, 2)
    assert first["version"] > last["version"]


def test_a_trip_survives_the_writer(config: Config) -> None:
    last = _track(config, [0.99])[-1]
    calibrator = Calibrator(config, [1], previous=np.array([last], LIMITS_DTYPE), epoch=2)
    for i in range(200):
        ts = _START + i * _SECOND
        calibrator.update(tick(ts, 0.0), ts, ts)
    assert calibrator.state.tier.tolist() == [Tier.CRITICAL]
    assert calibrator.state.trip_id.tolist() == [1]


def test_a_record_repaired_after_a_killed_writer_keeps_tier_and_trip_and_starts_at_the_floor(config: Config) -> None:
    last = _track(config, [0.01, 0.99])[-1].copy()
    last["valid_mask"], last["score"] = 0, np.nan
    last["max_order_quantity"], last["passive_standoff_ticks"] = 2**62, -(2**31)
    calibrator = Calibrator(config, [1], previous=np.array([last], LIMITS_DTYPE), epoch=2)
    assert (calibrator.state.tier.tolist(), calibrator.state.trip_id.tolist()) == ([Tier.CRITICAL], [1])
    (first,) = calibrator.update(tick(_START + _SECOND, 0.0), _START, _START).records
    assert int(first["flags"]) & LimitFlag.TRIPPED
    assert first["version"] > last["version"]
    for name in INTEGERS:
        floor, static = int(config.floor.get(name, TIGHTEST[name])), int(config.static[name])
        assert int(first[name]) == (static if _looser(name, floor, static) else floor), name


def test_a_record_never_published_starts_at_the_static_limits(config: Config) -> None:
    empty = np.zeros(1, LIMITS_DTYPE)
    empty["instrument_id"] = 1
    (first,) = _track(config, [0.01], previous=empty)
    assert int(first["max_order_quantity"]) == 500


def test_a_users_rule_can_only_tighten(config: Config) -> None:
    @rule
    def generous(columns: Columns) -> dict[str, np.ndarray[Any, np.dtype[np.int64]]]:
        return {"max_order_quantity": np.full(len(columns.tier), 10_000, np.int64), "collar_ticks": np.full(len(columns.tier), 7, np.int64)}

    (record,) = _track(config, [0.01], rules=[generous])
    assert (int(record["max_order_quantity"]), int(record["collar_ticks"])) == (500, 7)

    @rule
    def broken(columns: Columns) -> dict[str, np.ndarray[Any, np.dtype[np.int64]]]:
        return {"max_quantity": columns.tier}

    with pytest.raises(CalibrationError, match="broken sets 'max_quantity'"):
        _track(config, [0.01], rules=[broken])


def test_a_moved_score_refreshes_without_a_new_version(config: Config) -> None:
    calibrator = Calibrator(config, [1])
    first = calibrator.update(tick(_START, 0.010), _START, _START).records[0]
    assert len(calibrator.update(tick(_START + 1, 0.015), _START + 1, _START + 1).refreshed) == 0
    (again,) = calibrator.update(tick(_START + 2, 0.021), _START + 2, _START + 2).refreshed
    assert again["version"] == first["version"]
    assert float(again["score"]) == pytest.approx(0.021)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_batch_equals_the_loop_of_updates(seed: int) -> None:
    config = Config.load()
    rng = np.random.default_rng(seed)
    score = np.clip(rng.beta(0.5, 20, 600) + (rng.random(600) < 0.01) * rng.random(600), 0, 1)
    whole = _table(score)
    batch = calibrate(whole, config)
    calibrator = Calibrator(config, [1])
    loop: list[Any] = []
    for i in range(len(whole)):
        ts = int(whole.ts_recv[i])
        update = calibrator.update(whole[i : i + 1], ts, ts)
        loop.extend(part for part in (update.records, update.refreshed) if len(part))
    assert batch.records.tobytes() == np.concatenate(loop).tobytes()


def _table(score: np.ndarray[Any, np.dtype[np.float64]]) -> Scores:
    parts = [tick(_START + i * _SECOND // 10, s) for i, s in enumerate(score)]
    arrays: dict[str, Any] = {
        f.name: np.concatenate([getattr(p, f.name) for p in parts])
        for f in dataclasses.fields(Scores)
        if f.name not in ("features", "model_id", "provisional", "systemic")
    }
    return Scores(**arrays, features=Features.concat([p.features for p in parts]), model_id="test", provisional=False)


def test_alarms_within_a_minute_are_one_event(config: Config) -> None:
    score = np.zeros(3_000)
    score[[100, 400, 2_500]] = 0.5
    quick = dataclasses.replace(config, hysteresis=dataclasses.replace(config.hysteresis, dwell_high_s=0.1, dwell_elevated_s=0.1, ramp_s=0.1))
    limits = calibrate(_table(score), quick)
    highs = [c for c in limits.tier_changes if c.to_tier is Tier.HIGH and c.to_tier > c.from_tier]
    assert len(highs) == 3
    assert alarms(limits.tier_changes) == 2
    told = alerts(limits.tier_changes, limits.records)
    assert [(a.condition, a.severity, a.new_limit) for a in told if a.condition == "HIGH"] == [("HIGH", "alarm", 50)] * 3
    assert told[0].old_limit == 500
    assert told[0].top_features == ("depth_rel_bid", "imbalance_l10")
