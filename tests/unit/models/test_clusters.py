# SPDX-License-Identifier: Apache-2.0
"""Anomalous stretches are found, grouped, named, and told as unlike any where they are."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pretrade.domain.errors import ModelError
from pretrade.features import VECTOR
from pretrade.models.clusters import LOOK_ROWS, UNLIKE, VIEWS, Clusters, View, adjusted_rand, choose, silhouette, stretches

NAMES = VIEWS["liquidity"]
BIDS_GONE = {"depth_rel_bid": -6.0, "imbalance_l10": -4.0}
ALL_GONE = {"depth_rel_bid": -5.0, "depth_rel_ask": -5.0, "spread_bps": 7.0}
SLOW = {"recovery_half_life_s": 8.0, "resilience_1s_ask": -5.0}


def _profiles(n: int, seed: int = 1) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(3 * n, len(NAMES))) * 0.6
    label = np.repeat([0, 1, 2], n)
    for k, kind in enumerate((BIDS_GONE, ALL_GONE, SLOW)):
        for name, value in kind.items():
            x[label == k, NAMES.index(name)] += value
    return x, label


def _calm(n: int = 5_000) -> NDArray[np.float64]:
    return np.random.default_rng(0).normal(size=(n, len(VECTOR)))


def test_a_stretch_ends_after_half_a_minute_of_calm() -> None:
    ts = np.arange(2_000, dtype=np.int64) * 100_000_000
    far = np.zeros(2_000, bool)
    far[[100, 101, 350, 1_000]] = True
    assert stretches(far, ts) == [(100, 350), (1_000, 1_000)]


def test_calm_rows_are_anomalous_once_in_a_thousand_and_a_planted_stretch_is_profiled() -> None:
    view = View.fit("liquidity", _calm())
    z = _calm(3_000) * 0.3
    ts = np.arange(3_000, dtype=np.int64) * 100_000_000
    for name, value in ALL_GONE.items():
        z[1_000:1_200, VECTOR.index(name)] = value
        z[1_390:1_400, VECTOR.index(name)] = value
    profiles, found = view.profiles(z, ts)
    assert found == [(1_000, 1_399)], "nineteen seconds of calm do not end it"
    for name, value in ALL_GONE.items():
        assert profiles[0, NAMES.index(name)] == pytest.approx(value)
    z[1_000 + LOOK_ROWS :] += 9.0
    assert view.profiles(z, ts)[0][0].tolist() == profiles[0].tolist(), "what comes after its first half minute is no part of it"
    z[1_100:1_150, VECTOR.index("spread_bps")] = 9.5
    assert view.profiles(z, ts)[0][0, NAMES.index("spread_bps")] == pytest.approx(9.5), "the five worst seconds tell what it is"


def test_planted_kinds_come_back_whole_stable_and_with_names() -> None:
    x, label = _profiles(30)
    clusters, told = choose(View("liquidity", 1.0), x)
    assert len(clusters) == 3
    assert adjusted_rand(clusters.assign(x)[clusters.assign(x) >= 0], label[clusters.assign(x) >= 0]) == 1.0
    assert told[3]["stability"] == 1.0
    names = [clusters.card(k)["name"] for k in range(3)]
    assert "bids gone, bids thin" in names
    assert "wide spread, asks gone, bids gone" in names or "wide spread, bids gone, asks gone" in names
    assert "slow recovery, asks do not refill" in names


def test_what_lies_far_from_every_group_is_unlike_any() -> None:
    x, _ = _profiles(30)
    clusters = Clusters.fit(View("liquidity", 1.0), x, 3)
    strange = np.zeros((1, len(NAMES)))
    strange[0, NAMES.index("spread_ticks")] = 10.0
    assert clusters.assign(strange).tolist() == [UNLIKE]
    assert (clusters.assign(x) != UNLIKE).mean() > 0.97


def test_noise_is_not_stable() -> None:
    x = np.random.default_rng(4).normal(size=(120, len(NAMES)))
    assert Clusters.fit(View("liquidity", 1.0), x, 6).stability < 0.6


def test_silhouette_and_agreement_are_scikit_learns() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    x, label = _profiles(15)
    other = np.random.default_rng(2).integers(0, 4, len(x))
    assert silhouette(x, label) == pytest.approx(metrics.silhouette_score(x, label))
    assert adjusted_rand(label, other) == pytest.approx(metrics.adjusted_rand_score(label, other))


def test_saved_groups_come_back_and_other_features_are_refused() -> None:
    x, _ = _profiles(20)
    clusters = Clusters.fit(View("liquidity", 1.25), x, 3)
    again = Clusters.from_dict(clusters.as_dict())
    assert again.assign(x).tolist() == clusters.assign(x).tolist()
    assert again.view == clusters.view
    with pytest.raises(ModelError, match="other features of view 'liquidity'"):
        Clusters.from_dict({**clusters.as_dict(), "features": ["spread_bps"]})


def test_too_few_profiles_and_unknown_views_are_refused() -> None:
    with pytest.raises(ModelError, match="5 profiles are too few for 3 groups; at least 6"):
        Clusters.fit(View("liquidity", 1.0), np.zeros((5, len(NAMES))), 3)
    with pytest.raises(ModelError, match="'colour'; known are liquidity, trading"):
        View.fit("colour", _calm(600))
