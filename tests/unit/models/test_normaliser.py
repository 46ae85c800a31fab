# SPDX-License-Identifier: Apache-2.0
"""Rows are measured against their own instrument and time of day as soon as there is history, and against all before."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pretrade.features import NAMES, ROW_DTYPE, VECTOR, Features
from pretrade.models.groups import BUCKET_NS, Groups
from pretrade.models.normaliser import Normaliser, Season, transform
from pretrade.models.score_map import cluster_maxima

_DAY = 86_400 * 10**9
_RV = VECTOR.index("rv_10s")


def _rows(instrument: int, days: int, level: float, *, afternoon: float = 1.0, seed: int = 0) -> NDArray[Any]:
    """Two five-minute buckets a day, 200 rows each, of ``rv_10s`` around a level, times ``afternoon`` in the second."""
    rng = np.random.default_rng(seed)
    ts = np.concatenate([day * _DAY + bucket * BUCKET_NS + np.arange(200) * 10**8 for day in range(days) for bucket in (100, 200)])
    rows = np.zeros(len(ts), ROW_DTYPE)
    rows["ts_recv"], rows["instrument_id"], rows["phase"] = ts, instrument, 3
    second = ts % _DAY // BUCKET_NS == 200
    place = NAMES.index("rv_10s")
    rows["values"][:, place] = level * np.where(second, afternoon, 1.0) * np.exp(0.5 * rng.normal(size=len(ts)))
    rows["valid"] = np.uint64(1 << place)
    return rows


def _in_order(*parts: NDArray[Any]) -> Features:
    rows = np.concatenate(parts)
    return Features(rows[np.argsort(rows["ts_recv"], kind="stable")])


def test_instruments_of_other_levels_have_the_same_normalised_centre() -> None:
    both = _in_order(_rows(1, 3, 0.01), _rows(2, 3, 1.0, seed=1))
    z = Normaliser.fit(both)(both)[:, _RV]
    for instrument in (1, 2):
        assert np.median(z[both.instrument_id == instrument]) == pytest.approx(0.0, abs=1e-12)
    unseen = Features(both.rows.copy())
    unseen.rows["instrument_id"] = 99
    pooled = Normaliser.fit(both)(unseen)[:, _RV]
    assert np.median(pooled[both.instrument_id == 1]) < -0.5 < 0.5 < np.median(pooled[both.instrument_id == 2])


def test_time_of_day_counts_from_the_fifth_session_on() -> None:
    for days, apart in ((4, True), (5, False)):
        rows = Features(_rows(1, days, 0.1, afternoon=8.0))
        z = Normaliser.fit(rows)(rows)[:, _RV]
        second = rows.ts_recv % _DAY // BUCKET_NS == 200
        assert bool(np.median(z[second]) - np.median(z[~second]) > 0.5) is apart


def test_a_group_is_the_median_and_floored_scale_of_its_own_rows() -> None:
    rows = _in_order(_rows(1, 6, 0.1, afternoon=3.0), _rows(2, 2, 1.0, seed=1))
    x, z = transform(rows)[:, _RV], Normaliser.fit(rows)(rows)[:, _RV]
    bucket = rows.ts_recv % _DAY // BUCKET_NS
    for mine in ((rows.instrument_id == 1) & (bucket == 200), rows.instrument_id == 2):
        centre = np.median(x[mine])
        low, high = np.quantile(x[mine], (0.005, 0.995))
        scale = max(1.4826 * np.median(np.abs(x[mine] - centre)), (high - low) / 5.15, 0.35)
        assert z[mine] == pytest.approx((x[mine] - centre) / scale, rel=1e-12, abs=1e-12)


def test_groups_of_thousands_of_instruments_keep_their_own_rows() -> None:
    rng = np.random.default_rng(1)
    ids = rng.integers(1, 3_000, 1_000_000).astype(np.uint32)
    ids[:600] = 4_000
    ts = np.sort(rng.integers(0, _DAY, len(ids)))
    groups = Groups.fit(ts, ids)
    assert len(groups) == 2, "one instrument has 500 rows or more"
    members = groups.members(ts, ids)
    assert np.array_equal(members[1], np.arange(600))
    assert len(members[0]) == len(ids)
    again = Groups.from_dict(json.loads(json.dumps(groups.as_dict())))
    assert np.array_equal(again.of(ts, ids), groups.of(ts, ids))


def test_season_takes_level_and_spread_of_a_bucket_out_and_keeps_order() -> None:
    rows = _rows(1, 6, 1.0, seed=2)
    rng = np.random.default_rng(5)
    second = rows["ts_recv"] % _DAY // BUCKET_NS == 200
    raw = rng.normal(size=len(rows)) * np.where(second, 3.0, 1.0) + np.where(second, 2.0, 0.0)
    season = Season.fit(raw, rows["ts_recv"], rows["instrument_id"])
    level = season(raw, rows["ts_recv"], rows["instrument_id"])
    assert np.median(level[second]) == pytest.approx(np.median(level[~second]), abs=1e-12)
    assert np.std(level[second]) == pytest.approx(np.std(level[~second]), rel=0.15)
    assert np.array_equal(np.argsort(level[second]), np.argsort(raw[second]))
    one = Season.fit(raw[:400], rows["ts_recv"][:400], rows["instrument_id"][:400])
    assert np.array_equal(one(raw, rows["ts_recv"], rows["instrument_id"]), raw), "one pooled group changes no bit"


def test_events_of_two_instruments_are_not_one_cluster() -> None:
    ts = np.array([0, 1, 2, 1, 2, 3]) * 10**9
    raw = np.array([0.0, 0.0, 5.0, 7.0, 0.0, 0.0])
    ids = np.array([1, 1, 1, 2, 2, 2], np.uint32)
    assert cluster_maxima(raw, ts, 1.0, 60.0, ids).tolist() == [5.0, 7.0]
    assert cluster_maxima(raw, ts, 1.0, 60.0).tolist() == [7.0]
