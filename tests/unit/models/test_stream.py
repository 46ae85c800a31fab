# SPDX-License-Identifier: Apache-2.0
"""However rows of many instruments arrive, each scores as if it had come with all others at once."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pretrade import features, models, simulation
from pretrade.domain import Config
from pretrade.domain.errors import ModelError
from pretrade.features import Features
from pretrade.models import Anomaly, Scores
from pretrade.models.stream import nan_median

_FIELDS = ("raw", "score", "evidence_high", "evidence_critical", "top_features", "top_parts")
_GRID = 10**8


@pytest.fixture(scope="module")
def calm(config: Config) -> Features:
    return simulation.calm(0.3, seed=21, config=config)


@pytest.fixture(scope="module")
def model(calm: Features) -> Anomaly:
    return models.new("pca").fit(calm)


@pytest.fixture(scope="module")
def mixed(config: Config) -> Features:
    """Three instruments, rows between grid points, unsound rows and a gap, in receive order."""
    day = simulation.flash_crash(seed=22, warm_up_s=330, story_s=45)
    rows = features.compute(day.events, config).rows[-600:]
    rng = np.random.default_rng(3)
    parts = []
    for instrument in (1, 7, 2):
        part = rows.copy()
        part["instrument_id"] = instrument
        part["ts_recv"] += instrument
        between = rng.random(len(part)) < 0.2
        part["kind"][between] = 1
        part["feed_state"][rng.random(len(part)) < 0.03] |= 128
        parts.append(part[rng.random(len(part)) < 0.95])
    joined = np.concatenate(parts)
    joined = joined[np.argsort(joined["ts_recv"], kind="stable")]
    return Features(np.delete(joined, slice(900, 960)))


def _assert_same(parts: list[Scores], whole: Scores) -> None:
    for name in _FIELDS:
        again: Any = np.concatenate([getattr(p, name) for p in parts])
        assert again.tobytes() == np.ascontiguousarray(getattr(whole, name)).tobytes(), name


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(cuts=st.lists(st.floats(0, 1), max_size=30), restart=st.booleans())
def test_rows_score_the_same_bits_however_they_are_cut(model: Anomaly, mixed: Features, cuts: list[float], *, restart: bool) -> None:
    whole = model.score(mixed)
    stream = model.stream()
    at = sorted(int(c * len(mixed)) for c in cuts)
    parts = []
    for a, b in zip([0, *at], [*at, len(mixed)], strict=True):
        parts.append(stream.update(mixed[a:b]))
        if restart:
            saved = json.loads(json.dumps(stream.checkpoint()))
            stream = model.stream()
            stream.restore(saved)
    _assert_same(parts, whole)
    assert whole.evidence_high.any()
    assert np.isnan(whole.score).any()


def test_each_row_alone_scores_the_same_bits_as_in_the_batch(model: Anomaly, mixed: Features) -> None:
    stream = model.stream()
    _assert_same([stream.update(mixed[i : i + 1]) for i in range(300)], model.score(mixed)[:300])


def test_an_instrument_scores_the_same_alone_as_among_others(model: Anomaly, mixed: Features) -> None:
    whole = model.score(mixed)
    for instrument in (1, 2, 7):
        mine = mixed.instrument_id == instrument
        _assert_same([model.score(mixed[mine])], whole[mine])


def test_ten_thousand_instruments_in_one_tick_score_as_each_alone(model: Anomaly, mixed: Features) -> None:
    grid = mixed.rows[(mixed.rows["kind"] == 0) & (mixed.rows["instrument_id"] == 1)]
    rng = np.random.default_rng(4)
    stream, alone = model.stream(), model.stream()
    watched = np.array([0, 17, 9_999])
    for tick in range(12):
        rows = grid[rng.integers(0, len(grid), 10_000)].copy()
        rows["ts_recv"] = 10**18 + tick * _GRID
        rows["instrument_id"] = np.arange(10_000) + 5
        together = stream.update(Features(rows))
        for i in watched.tolist():
            _assert_same([alone.update(Features(rows[i : i + 1]))], together[np.array([i])])


def test_history_older_than_the_window_is_not_remembered(model: Anomaly, mixed: Features) -> None:
    rows = mixed.rows[mixed.rows["instrument_id"] == 1][:40].copy()
    rows["kind"], rows["feed_state"] = 0, 0
    rows["ts_recv"] = 10**18 + np.arange(40) * _GRID
    rows["ts_recv"][20:] += 10**9
    whole, fresh = model.score(Features(rows)), model.score(Features(rows[20:]))
    assert np.array_equal(whole.score[20:], fresh.score)
    assert not np.array_equal(model.score(Features(rows[10:])).raw[:3], whole.raw[10:13])


def test_a_checkpoint_of_another_model_or_cut_is_refused(model: Anomaly, mixed: Features, calm: Features) -> None:
    stream = model.stream()
    stream.update(mixed[:50])
    saved = stream.checkpoint()
    with pytest.raises(ModelError, match="taken of model"):
        models.new("depth").fit(calm).stream().restore(saved)
    with pytest.raises(ModelError, match="not whole"):
        stream.restore({**saved, "past": saved["past"][:-2]})
    assert stream.checkpoint() == saved


def test_median_leaves_undefined_values_out() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(400, 5))
    values[rng.random(values.shape) < 0.3] = np.nan
    values[0] = np.nan
    with pytest.warns(RuntimeWarning, match="All-NaN"):
        expected = np.nanmedian(values, axis=1)
    assert np.array_equal(nan_median(values), expected, equal_nan=True)
