# SPDX-License-Identifier: Apache-2.0
"""The systemic score only ever tightens, no instrument alone moves it, and what all share does."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.scoring import GROUP_ID, systemic, tick

from pretrade.calibration import Calibrator, alarms, alerts
from pretrade.calibration.rules import INTEGERS
from pretrade.domain import LIMITS_DTYPE, Config, Group, Phase, Tier
from pretrade.domain.config import DIRECTIONS
from pretrade.domain.errors import CalibrationError
from pretrade.models.systemic import CommonStress

S: Final = 10**9
ROW: Final = S // 10
T0: Final = 10**18
IDS: Final = (1, 7, 8)
_PACKAGED: Final = Config.load()
_HYSTERESIS: Final = dataclasses.replace(_PACKAGED.hysteresis, dwell_elevated_s=0.5, dwell_high_s=1.0, ramp_s=0.5)
CONFIG: Final = dataclasses.replace(_PACKAGED, groups=(Group(GROUP_ID, "three", ("ES", "BTCUSDT", "ETHUSDT")),), hysteresis=_HYSTERESIS)
_SCORES: Final = st.one_of(st.floats(0, 1), st.sampled_from([0.01, 0.1, 0.3, 0.99, math.nan]))
_STEPS: Final = st.lists(
    st.tuples(_SCORES, _SCORES, st.one_of(_SCORES, st.sampled_from([-1.0, 7.0, math.inf])), st.sampled_from([ROW] * 6 + [3 * S]), st.booleans()),
    min_size=1,
    max_size=60,
)


def _is_looser(name: str, new: int, old: int) -> bool:
    return new > old if DIRECTIONS[name] < 0 else new < old


def _common(n: int = 4, **systemic_settings: float) -> CommonStress:
    config = dataclasses.replace(CONFIG, systemic=dataclasses.replace(CONFIG.systemic, **systemic_settings))
    return CommonStress(range(1, n + 1), config)


def _run(stress: CommonStress, rows: np.ndarray[Any, np.dtype[np.float64]]) -> list[float]:
    ids = np.arange(1, rows.shape[1] + 1, dtype=np.uint32)
    return [stress.step(T0 + k * ROW, ids, row) for k, row in enumerate(rows)]


@settings(max_examples=80, deadline=None)
@given(_STEPS, st.integers(0, 2))
def test_no_group_score_makes_a_limit_looser_than_it_would_be_without(steps: list[Any], absent: int) -> None:
    with_group, without = Calibrator(CONFIG, IDS), Calibrator(CONFIG, IDS)
    ts = T0
    for k, (a, b, common, step, all_rows) in enumerate(steps):
        ts += step
        ids = IDS if all_rows or k == 0 else tuple(i for i in IDS if i != IDS[absent])
        own = dict(zip(IDS, (a, b, 0.01), strict=True))
        scores = [own[i] for i in ids]
        update = with_group.update(tick(ts, *scores, ids=ids, group=systemic(len(ids), common)), ts, ts)
        without.update(tick(ts, *scores, ids=ids), ts, ts)
        for name in INTEGERS:
            for mine, other in zip(with_group._valve.limit[name].tolist(), without._valve.limit[name].tolist(), strict=True):
                assert not _is_looser(name, mine, other), name
        for record in update.records:
            k_of = IDS.index(int(record["instrument_id"]))
            assert int(record["tier"]) >= without.state.tier[k_of]
        assert int(with_group.groups.state.tier[0]) <= Tier.HIGH, "a statistic over others trips nothing"


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.5, 16), st.integers(20, 900))
def test_how_stressed_one_noisy_instrument_is_changes_nothing(seed: int, extra: float, n: int) -> None:
    rows = np.random.default_rng(seed).exponential(1.0, (n, 4))
    noisy = rows.copy()
    noisy[:, 2] = rows.max(axis=1) + extra
    noisier = noisy.copy()
    noisier[:, 2] = 16.0 + extra
    quiet = _run(_common(), noisy)
    assert quiet == _run(_common(), noisier)
    others = np.delete(noisy, 2, axis=1).mean(axis=1)
    assert (np.array(quiet) <= np.log(2 * others + 0.01) + 1e-12).all(), "never above what the others show"


def test_a_stress_that_all_share_moves_it_and_correlation_counts() -> None:
    rng = np.random.default_rng(3)
    alone = rng.exponential(1.0, (3_000, 6))
    shared = np.tile(rng.exponential(1.0, (3_000, 1)), (1, 6)) + rng.exponential(0.05, (3_000, 6))
    apart, together = _common(6), _common(6)
    _run(apart, alone)
    _run(together, shared)
    assert apart.correlation < 0.15
    assert together.correlation > 0.8
    calm = np.full(6, 1.0)
    burst = np.full(6, 6.0)
    ids = np.arange(1, 7, dtype=np.uint32)
    one = calm.copy()
    one[3] = 16.0
    at = T0 + 3_000 * ROW
    before = apart.step(at, ids, calm)
    assert apart.step(at + ROW, ids, one) <= before + 0.01
    assert apart.step(at + 2 * ROW, ids, burst) > before + 1.0


def test_fewer_than_two_fresh_members_have_no_score() -> None:
    stress = _common(3)
    ids = np.array([1, 2, 3], np.uint32)
    assert np.isnan(stress.step(T0, ids, np.array([3.0, np.nan, np.nan])))
    assert np.isfinite(stress.step(T0 + ROW, ids, np.array([3.0, 3.0, np.nan])))
    assert np.isfinite(stress.step(T0 + 5 * S, ids[:1], np.array([3.0])))
    assert np.isnan(stress.step(T0 + 6 * S, ids[:1], np.array([3.0]))), "what nobody heard of for five seconds is no member"


@pytest.mark.parametrize(("thin", "share", "has"), [((1,), 0.25, False), ((1, 2), 0.25, True), ((1, 2), 0.75, False), ((1, 2, 3), 0.75, True)])
def test_evidence_is_that_of_several_books(thin: tuple[int, ...], share: float, *, has: bool) -> None:
    stress = _common(4, evidence_share=share)
    ids = np.arange(1, 5, dtype=np.uint32)
    stress.step(T0, ids, np.full(4, 5.0), thin=np.isin(ids, thin))
    assert stress.has_evidence is has


def test_common_stress_tightens_every_member_at_once_and_is_told_once_with_its_drivers() -> None:
    calibrator = Calibrator(CONFIG, IDS)
    calibrator.update(tick(T0, 0.01, 0.01, 0.01, ids=IDS, group=systemic(3, 0.01)), T0, T0)
    update = calibrator.update(tick(T0 + 1, 0.02, ids=(7,), group=systemic(1, 0.4, 8, 1)), T0 + 1, T0 + 1)
    assert dict(zip(update.records["instrument_id"].tolist(), update.records["max_order_quantity"].tolist(), strict=True)) == {1: 50, 7: 50, 8: 50}
    assert update.records["tier"].tolist() == [Tier.HIGH] * 3
    assert update.records["systemic_score"].tolist() == [pytest.approx(0.4)] * 3
    (group,) = update.groups
    assert (int(group["instrument_id"]), int(group["tier"]), int(group["valid_mask"])) == (GROUP_ID, Tier.HIGH, 0)
    told = update.tier_changes
    assert {(c.instrument_id, c.cause, c.drivers) for c in told} == {(i, "systemic", ("ETHUSDT", "ES")) for i in (GROUP_ID, *IDS)}
    (alert,) = alerts(told, update.records)
    assert (alert.instrument_id, alert.drivers, alert.severity) == (GROUP_ID, ("ETHUSDT", "ES"), "alarm")
    assert alarms(told) == 1


def test_a_group_falls_by_dwell_and_its_members_loosen_by_the_ramp() -> None:
    calibrator = Calibrator(CONFIG, IDS)
    seen = []
    for k, common in enumerate([0.01, 0.4, *[0.0] * 60]):
        ts = T0 + k * ROW
        update = calibrator.update(tick(ts, 0.01, 0.01, 0.01, ids=IDS, group=systemic(3, common)), ts, ts)
        seen += [int(r["max_order_quantity"]) for r in update.records if r["instrument_id"] == 8]
    assert seen[:2] == [500, 50]
    assert seen[1:] == sorted(seen[1:])
    assert seen[-1] == 500
    assert max(np.diff(seen[1:])) <= 100


def test_without_a_score_or_with_a_backlog_a_group_holds() -> None:
    for absent in (True, False):
        calibrator = Calibrator(CONFIG, IDS)
        for k in range(100):
            ts = T0 + k * ROW
            common = 0.4 if k == 0 else math.nan if absent else 0.0
            group = systemic(3, common)
            calibrator.update(tick(ts, 0.01, 0.01, 0.01, ids=IDS, group=group), ts, ts, is_behind=not absent and k > 0)
        assert calibrator.groups.state.tier.tolist() == [Tier.HIGH]
        assert calibrator._valve.limit["max_order_quantity"].tolist() == [50, 50, 50]


def test_a_tripped_member_stays_tripped_whatever_its_group_does() -> None:
    calibrator = Calibrator(CONFIG, IDS)
    for k in range(100):
        ts = T0 + k * ROW
        calibrator.update(tick(ts, 0.99 if k == 0 else 0.0, 0.0, 0.0, ids=IDS, group=systemic(3, 0.3 if k == 0 else 0.0)), ts, ts)
    assert calibrator.state.tier.tolist() == [Tier.CRITICAL, Tier.NORMAL, Tier.NORMAL]
    assert calibrator._valve.limit["max_order_quantity"].tolist() == [50, 500, 500]


@settings(max_examples=25, deadline=None)
@given(_STEPS, _STEPS)
def test_a_restored_calibrator_with_groups_goes_on_as_if_never_stopped(first: list[Any], second: list[Any]) -> None:
    whole, ts = Calibrator(CONFIG, IDS), T0
    for a, b, common, step, _ in first:
        ts += step
        whole.update(tick(ts, a, b, 0.01, ids=IDS, group=systemic(3, common)), ts, ts)
    restored = Calibrator(CONFIG, IDS)
    restored.restore(json.loads(json.dumps(whole.checkpoint())))
    for a, b, common, step, _ in second:
        ts += step
        row = tick(ts, a, b, 0.01, ids=IDS, group=systemic(3, common))
        mine, other = restored.update(row, ts, ts), whole.update(row, ts, ts)
        assert mine.records.tobytes() == other.records.tobytes()
        assert mine.groups.tobytes() == other.groups.tobytes()
        assert repr(mine.tier_changes) == repr(other.tier_changes)


def test_a_new_writer_is_no_looser_than_the_group_record_in_the_table() -> None:
    first = Calibrator(CONFIG, IDS)
    update = first.update(tick(T0, 0.01, 0.01, 0.01, ids=IDS, group=systemic(3, 0.4)), T0, T0)
    previous = np.concatenate([update.records, update.groups]).astype(LIMITS_DTYPE)
    second = Calibrator(CONFIG, IDS, previous=previous, epoch=2)
    again = second.update(tick(T0 + ROW, 0.0, 0.0, 0.0, ids=IDS, group=systemic(3, 0.0)), T0 + ROW, T0 + ROW)
    assert again.groups["tier"].tolist() == [Tier.HIGH]
    assert again.groups["epoch"].tolist() == [2]
    assert again.records["max_order_quantity"].tolist() == [50, 50, 50]


def test_a_group_the_configuration_lacks_is_refused() -> None:
    config = dataclasses.replace(CONFIG, groups=())
    with pytest.raises(CalibrationError, match="0xff000001, which the configuration lacks"):
        Calibrator(config, IDS).update(tick(T0, 0.1, group=systemic(1, 0.1)), T0, T0)


def test_closed_members_are_tightened_too() -> None:
    calibrator = Calibrator(CONFIG, IDS)
    calibrator.update(tick(T0, 0.01, 0.01, 0.01, ids=IDS, phase=Phase.BREAK, group=systemic(3, 0.4)), T0, T0)
    assert calibrator._valve.limit["max_order_quantity"].tolist() == [50, 50, 50]
