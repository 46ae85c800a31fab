# SPDX-License-Identifier: Apache-2.0
"""Invariants I2, I4 and I5 of the limit records, whatever scores, rules, gaps and restarts do."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.scoring import tick

from pretrade.calibration import Calibrator, Columns, calibrate, rule
from pretrade.calibration.rules import INTEGERS
from pretrade.domain import LIMITS_DTYPE, Config, FeedState, Phase, Tier
from pretrade.domain.config import DIRECTIONS
from pretrade.domain.errors import CalibrationError
from pretrade.features import Features
from pretrade.models import Scores

_SECOND = 10**9
_ROW = _SECOND // 10
_START = 10**18
_CONFIG = Config.load()
_QUICK = dataclasses.replace(_CONFIG, hysteresis=dataclasses.replace(_CONFIG.hysteresis, dwell_elevated_s=0.5, dwell_high_s=1.0, ramp_s=0.5))
_BAD = [math.nan, math.inf, -math.inf, -0.5, 1.5, 1e300]

score_values = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.01, 0.1, 0.3, 0.99]), st.sampled_from(_BAD))
rows = st.lists(
    st.tuples(
        score_values,
        st.sampled_from([Phase.CONTINUOUS] * 8 + [Phase.BREAK, Phase.AUCTION]),
        st.sampled_from([0] * 8 + [int(FeedState.GAP), int(FeedState.CROSSED)]),
        st.sampled_from([_ROW] * 8 + [1, 90 * _SECOND]),
    ),
    min_size=1,
    max_size=60,
)


def _is_looser(name: str, new: int, old: int) -> bool:
    return (new > old) if DIRECTIONS[name] < 0 else (new < old)


def _loosened(new: np.void, old: np.void) -> list[str]:
    return [name for name in INTEGERS if _is_looser(name, int(new[name]), int(old[name]))]


@settings(max_examples=60, deadline=None)
@given(rows, st.integers(-(2**62), 2**62), st.sampled_from(INTEGERS))
def test_no_score_rule_or_feed_state_takes_a_limit_out_of_the_envelope(steps: list[Any], wild: int, name: str) -> None:
    @rule
    def anything(columns: Columns) -> dict[str, Any]:
        return {name: np.full(len(columns.tier), wild, np.int64)}

    calibrator = Calibrator(_QUICK, [1], rules=[anything])
    ts = _START
    for score, phase, feed_state, step in steps:
        ts += step
        for record in calibrator.update(tick(ts, score, phase=phase, feed_state=feed_state), ts, ts).records:
            for parameter in INTEGERS:
                value = int(record[parameter])
                assert not _is_looser(parameter, value, int(_QUICK.static[parameter])), parameter
                assert value >= 0 or parameter == "passive_standoff_ticks", parameter
                floor = _QUICK.floor.get(parameter)
                assert floor is None or not _is_looser(parameter, int(floor), value) or value == int(_QUICK.static[parameter])


@settings(max_examples=60, deadline=None)
@given(rows)
def test_nothing_loosens_without_dwell_ramp_and_a_sound_book(steps: list[Any]) -> None:
    calibrator = Calibrator(_QUICK, [1])
    ts, quiet_from, before, last_loosening = _START, None, None, -(10**18)
    tightest = Tier.NORMAL
    for score, phase, feed_state, step in steps:
        ts += step
        sound = phase == Phase.CONTINUOUS and feed_state == 0 and 0 <= score <= 1
        update = calibrator.update(tick(ts, score, phase=phase, feed_state=feed_state), ts, ts)
        for change in update.tier_changes:
            if change.to_tier < change.from_tier:
                assert sound
                assert change.from_tier - change.to_tier == 1
                assert change.from_tier is not Tier.CRITICAL, "nobody resumed"
                assert quiet_from is not None
                assert ts - quiet_from >= 0.5 * _SECOND
        for record in update.records:
            if before is not None and _loosened(record, before):
                assert sound
                assert ts - last_loosening >= _ROW, "at most ten steps a second"
                assert tightest is not Tier.CRITICAL
                last_loosening = ts
            if sound and before is not None and int(record["tier"]) > int(before["tier"]):
                assert not _loosened(record, before)
            before = record
        tightest = max(tightest, Tier(int(calibrator.state.tier[0])))
        if not sound or score >= 0.6 * 0.95 or step > 5 * _SECOND:
            quiet_from = ts if sound and score < 0.6 * 0.95 else None
        elif quiet_from is None:
            quiet_from = ts


@settings(max_examples=40, deadline=None)
@given(st.lists(score_values, min_size=1, max_size=40), st.lists(score_values, min_size=1, max_size=40))
def test_after_critical_no_parameter_loosens_until_the_fresh_trip_is_resumed(before: list[float], after: list[float]) -> None:
    @rule
    def moody(columns: Columns) -> dict[str, Any]:
        return {"max_order_notional": np.where(columns.score > 0.5, 10**6, 10**9).astype(np.int64)}

    calibrator = Calibrator(_QUICK, [1], rules=[moody])
    ts = _START
    for score in before:
        ts += _ROW
        calibrator.update(tick(ts, score), ts, ts)
    ts += _ROW
    calibrator.update(tick(ts, 0.99), ts, ts)
    trip = int(calibrator.state.trip_id[0])
    standing = None
    for i, score in enumerate(after):
        ts += 20 * _SECOND if i % 2 else _ROW
        for record in calibrator.update(tick(ts, score), ts, ts, {1: trip - 1}).records:
            assert standing is None or not _loosened(record, standing)
            assert (int(record["tier"]), int(record["trip_id"])) == (Tier.CRITICAL, trip)
            standing = record
    assert calibrator.state.tier.tolist() == [Tier.CRITICAL]


def test_dwell_does_not_run_while_there_is_no_data() -> None:
    calibrator = Calibrator(_CONFIG, [1])
    for ts, score in ((_START, 0.5), (_START + _ROW, 0.0), (_START + 3_600 * _SECOND, 0.0)):
        update = calibrator.update(tick(ts, score), ts, ts)
    assert update.tier_changes == []
    assert calibrator.state.tier.tolist() == [Tier.HIGH]


def test_a_loosening_under_way_stops_at_an_unsound_book() -> None:
    calibrator = Calibrator(_CONFIG, [1])
    ts = _START
    calibrator.update(tick(ts, 0.5), ts, ts)
    for _ in range(321):
        ts += _ROW
        update = calibrator.update(tick(ts, 0.0), ts, ts)
    assert calibrator.state.tier.tolist() == [Tier.ELEVATED]
    (standing,) = update.records
    assert 50 < int(standing["max_order_quantity"]) < 250
    for _ in range(60):
        ts += _ROW
        for record in calibrator.update(tick(ts, math.nan, feed_state=int(FeedState.RESYNC)), ts, ts).records:
            assert _loosened(record, standing) == []
    ts += _ROW
    (again,) = calibrator.update(tick(ts, 0.0), ts, ts).records
    assert int(again["max_order_quantity"]) - int(standing["max_order_quantity"]) <= 3, "it goes on by one step, not by the time that went by"


def test_a_users_rule_tightens_within_a_tier_and_loosens_by_the_ramp() -> None:
    @rule
    def by_score(columns: Columns) -> dict[str, Any]:
        return {"position_max_long": np.where(columns.score > 0.02, 100, 5_000).astype(np.int64)}

    calibrator = Calibrator(_CONFIG, [1], rules=[by_score])
    seen = []
    for i, score in enumerate([0.01, 0.03, *[0.01] * 120]):
        ts = _START + i * _ROW
        seen += [int(r["position_max_long"]) for r in calibrator.update(tick(ts, score), ts, ts).records]
    assert seen[:2] == [5_000, 100]
    assert seen[1:] == sorted(seen[1:])
    assert max(np.diff(seen[1:])) <= 49
    assert seen[-1] == 5_000


def test_a_version_rises_only_when_something_changes() -> None:
    config = _CONFIG.with_static_limit(5)
    calibrator = Calibrator(config, [1])
    records = []
    for i, score in enumerate([0.01, 0.1, *[0.0] * 300]):
        ts = _START + i * _ROW
        records += list(calibrator.update(tick(ts, score), ts, ts).records)
    contents = [tuple(int(r[n]) for n in (*INTEGERS, "tier", "flags", "trip_id")) for r in records]
    assert all(a != b for a, b in itertools.pairwise(contents))
    assert [int(r["version"]) for r in records] == list(range(1, len(records) + 1))


def _restarted(previous: np.void, **kwargs: Any) -> Calibrator:
    return Calibrator(_CONFIG, [1], previous=np.array([previous], LIMITS_DTYPE), epoch=2, **kwargs)


def _last(scores: list[float], calibrator: Calibrator | None = None) -> tuple[np.void, int]:
    calibrator = calibrator or Calibrator(_CONFIG, [1])
    out, ts = [], _START + 1_000 * _SECOND
    for score in scores:
        ts += _ROW
        out += list(calibrator.update(tick(ts, score), ts, ts).records)
    return out[-1], ts


def test_rows_the_last_writer_judged_loosen_nothing_after_a_restart() -> None:
    last, ts = _last([0.01, 0.5])
    calibrator = _restarted(last)
    for past in range(_START, ts + 1, _SECOND):
        for record in calibrator.update(tick(past, 0.0), past, past).records:
            assert _loosened(record, last) == []
            assert int(record["tier"]) == Tier.HIGH
    assert calibrator.state.tier.tolist() == [Tier.HIGH]


def test_a_trip_already_resumed_is_not_told_again_after_a_restart() -> None:
    first, ts = _last([0.01, 0.99])
    calibrator = _restarted(first)
    ts += _ROW
    (resumed,) = calibrator.update(tick(ts, 0.3), ts, ts, {1: 1}).records
    assert not int(resumed["flags"]) & 1
    again = _restarted(resumed)
    again.update(tick(ts - _ROW, 0.99), ts, ts, {1: 1})
    assert again.state.trip_id.tolist() == [1]
    again.update(tick(ts + _ROW, 0.99), ts, ts, {1: 1})
    assert again.state.trip_id.tolist() == [2], "a row nobody judged before trips"


def test_trip_ids_go_on_above_what_was_resumed_when_the_table_is_lost() -> None:
    calibrator = Calibrator(_CONFIG, [1])
    calibrator.update(tick(_START, 0.01), _START, _START, {1: 7})
    (record,) = calibrator.update(tick(_START + 1, 0.99), _START, _START, {1: 7}).records
    assert int(record["trip_id"]) == 8
    assert int(record["flags"]) & 1


@settings(max_examples=25, deadline=None)
@given(rows, rows)
def test_a_calibrator_restored_from_its_checkpoint_goes_on_as_if_never_stopped(first: list[Any], second: list[Any]) -> None:
    whole, ts = Calibrator(_QUICK, [1]), _START
    for score, phase, feed_state, step in first:
        ts += step
        whole.update(tick(ts, score, phase=phase, feed_state=feed_state), ts, ts)
    restored = Calibrator(_QUICK, [1])
    restored.restore(json.loads(json.dumps(whole.checkpoint())))
    for score, phase, feed_state, step in second:
        ts += step
        row = tick(ts, score, phase=phase, feed_state=feed_state)
        assert restored.update(row, ts, ts).records.tobytes() == whole.update(row, ts, ts).records.tobytes()


def test_a_checkpoint_of_other_instruments_or_a_torn_one_is_refused() -> None:
    checkpoint = Calibrator(_CONFIG, [1]).checkpoint()
    with pytest.raises(CalibrationError, match="this calibrator has"):
        Calibrator(_CONFIG, [2]).restore(checkpoint)
    with pytest.raises(CalibrationError, match="not whole"):
        Calibrator(_CONFIG, [1]).restore({**checkpoint, "records": checkpoint["records"][:-2]})


@pytest.mark.parametrize("bad", [math.nan, math.inf, -1])
def test_an_unusable_static_limit_is_refused(bad: float) -> None:
    static = {**_CONFIG.static, "max_order_quantity": bad}
    with pytest.raises(CalibrationError, match="max_order_quantity"):
        Calibrator(_CONFIG, [1], static={1: static})


def test_a_rule_that_cannot_run_stops_the_start() -> None:
    def broken(columns: Columns) -> dict[str, Any]:
        return {"max_order_quantity": np.full(len(columns.tier), math.nan)}

    with pytest.raises(CalibrationError, match="broken gave max_order_quantity as float64"):
        Calibrator(_CONFIG, [1], rules=[broken])


def test_two_rows_of_an_instrument_in_one_tick_are_refused() -> None:
    calibrator = Calibrator(_CONFIG, [1, 2])
    with pytest.raises(CalibrationError, match="instrument 1 has several rows"):
        calibrator.update(tick(_START, 0.1, 0.2, ids=(1, 1)), _START, _START)


@settings(max_examples=25, deadline=None)
@given(rows, st.integers(1, 200))
def test_the_batch_with_faults_phases_and_gaps_equals_the_loop(steps: list[Any], calm: int) -> None:
    parts, ts = [], _START
    for score, phase, feed_state, step in [*steps, *[(0.01, Phase.CONTINUOUS, 0, _ROW)] * calm, *steps]:
        ts += step
        parts.append(tick(ts, score, phase=phase, feed_state=feed_state))
    whole = _joined(parts)
    calibrator, loop = Calibrator(_QUICK, [1]), []
    for part in parts:
        now = int(part.ts_recv[0])
        update = calibrator.update(part, now, now)
        loop += [r for r in (update.records, update.refreshed) if len(r)]
    assert calibrate(whole, _QUICK).records.tobytes() == np.concatenate(loop).tobytes()


@settings(max_examples=25, deadline=None)
@given(rows)
def test_each_instrument_of_a_group_gets_what_it_would_get_alone(steps: list[Any]) -> None:
    together, alone = Calibrator(_QUICK, [1, 2]), Calibrator(_QUICK, [2])
    ts = _START
    for score, phase, feed_state, step in steps:
        ts += step
        both = together.update(tick(ts, 0.99, score, ids=(1, 2), phase=phase, feed_state=feed_state), ts, ts).records
        one = alone.update(tick(ts, score, ids=(2,), phase=phase, feed_state=feed_state), ts, ts).records
        assert both[both["instrument_id"] == 2].tobytes() == one.tobytes()


def _joined(parts: list[Scores]) -> Scores:
    arrays: dict[str, Any] = {
        f.name: np.concatenate([getattr(p, f.name) for p in parts])
        for f in dataclasses.fields(Scores)
        if f.name not in ("features", "model_id", "provisional", "systemic")
    }
    return Scores(**arrays, features=Features.concat([p.features for p in parts]), model_id="test", provisional=False)
