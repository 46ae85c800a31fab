# SPDX-License-Identifier: Apache-2.0
"""Contenders are judged as served models are, look back only, and share one calibration block."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from pretrade import features, models, simulation
from pretrade.calibration.tiers import tier_of
from pretrade.domain import Config
from pretrade.domain.errors import ModelError
from pretrade.features import VECTOR, Features
from pretrade.models.anomaly import FIT_SHARE
from pretrade.models.contenders import CONTENDERS, Contender, contender, shrunk_covariance
from pretrade.models.normaliser import Normaliser
from pretrade.models.panel import Judge, Prepared, events, first_in, prepare, tiers

NS = 10**9


@pytest.fixture(scope="module")
def calm(config: Config) -> Features:
    return simulation.calm(0.5, seed=11, config=config)


@pytest.fixture(scope="module")
def crash(config: Config) -> Features:
    day = simulation.flash_crash(seed=12, warm_up_s=400, story_s=40)
    return features.compute(day.events, config)


@pytest.fixture(scope="module")
def blocks(calm: Features, crash: Features, config: Config) -> tuple[Prepared, Prepared, Prepared]:
    rows = calm[calm.is_scored]
    cut = int(len(rows) * FIT_SHARE)
    normaliser = Normaliser.fit(rows[:cut])
    fit, held, test = (prepare(part, normaliser, config) for part in (rows[:cut], rows[cut:], crash))
    return fit, held, test


def _rows(n: int, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    return np.random.default_rng(seed).normal(size=(n, len(VECTOR))), np.arange(n, dtype=np.int64) * 100_000_000


def _fitted(kind: str) -> Contender:
    z, ts = _rows(2_000)
    made = contender(kind)
    made.fit(z, ts, 0)
    return made


@pytest.mark.parametrize("kind", ["pca", "rv_10s", "depth", "min"])
def test_the_panel_gives_the_tiers_of_the_served_model(
    calm: Features, crash: Features, blocks: tuple[Prepared, Prepared, Prepared], config: Config, kind: str
) -> None:
    fit, held, test = blocks
    served = models.new(kind, config).fit(calm)
    scores = served.score(crash)
    wanted = tier_of(scores.score, config.anomaly)[crash.is_scored & (crash.rows["kind"] == 0)]
    made = contender(kind, config)
    made.fit(fit.z, fit.ts_recv, 0)
    judge = Judge.of(made, held, config)
    tier = tiers(judge.raw(test), judge.score_map(), test, config, has_caps=True)
    assert tier.max() == 3, "the crash reaches CRITICAL"
    assert tier.tolist() == wanted.tolist()


@pytest.mark.parametrize("kind", [k for k in CONTENDERS if k != "vae"])
def test_no_contender_looks_ahead(kind: str) -> None:
    made = _fitted(kind)
    z, ts = _rows(300, seed=9)
    before = made.raw(z, ts)
    z[200:] = 50.0
    assert made.raw(z, ts)[:200].tolist() == before[:200].tolist()


@pytest.mark.parametrize("kind", [k for k in CONTENDERS if k != "vae"])
def test_every_contender_rises_when_depth_goes_and_volatility_comes(kind: str) -> None:
    made = _fitted(kind)
    z, ts = _rows(300, seed=9)
    z *= 0.3
    calm = made.raw(z, ts)
    z[250:, [VECTOR.index("depth_rel_bid"), VECTOR.index("depth_rel_ask")]] = -6.0
    z[250:, [VECTOR.index(name) for name in ("rv_1s", "rv_10s", "spread_bps")]] = 6.0
    stressed = made.raw(z, ts)[250:256]
    assert stressed.min() > np.quantile(calm[20:250], 0.99)


def test_a_forecaster_says_nothing_of_a_row_after_a_gap() -> None:
    made = _fitted("forecaster")
    z, ts = _rows(300, seed=9)
    z[250:] += 20.0
    ts[250:] += 3_600 * NS
    raw = made.raw(z, ts)
    assert raw[250] < raw[100] - 10, "an hour's change is no error of a one-second forecast"
    ts = np.arange(300, dtype=np.int64) * 100_000_000
    assert made.raw(z, ts)[250] > raw[100] + 3


def test_shrinkage_is_ledoit_and_wolfs() -> None:
    covariance = pytest.importorskip("sklearn.covariance")
    x = np.random.default_rng(1).normal(size=(80, 12)) @ np.random.default_rng(2).normal(size=(12, 12))
    x -= x.mean(axis=0)
    wanted, _ = covariance.ledoit_wolf(x, assume_centered=True)
    np.testing.assert_allclose(shrunk_covariance(x), wanted, rtol=1e-6, atol=1e-5)


def test_caps_hold_a_high_score_down_and_evidence_lets_it_up(blocks: tuple[Prepared, Prepared, Prepared], config: Config) -> None:
    fit, held, test = blocks
    made = contender("rv_10s", config)
    made.fit(fit.z, fit.ts_recv, 0)
    judge = Judge.of(made, held, config)
    high = np.full(len(test), judge.score_map().raw_high + 1e-6)
    capped, free = (tiers(high, judge.score_map(), test, config, has_caps=caps) for caps in (True, False))
    assert set(free.tolist()) == {2}
    assert (capped[~test.high & ~test.critical & test.has_book] == 1).all()
    assert (capped[test.high & ~test.critical] == 2).all()
    assert (capped[test.critical] == 3).all()


def test_half_the_budget_never_alarms_earlier(blocks: tuple[Prepared, Prepared, Prepared], config: Config) -> None:
    fit, held, _ = blocks
    made = contender("mahalanobis", config)
    made.fit(fit.z, fit.ts_recv, 0)
    judge = Judge.of(made, held, config)
    knots = [judge.score_map(factor).knots for factor in (0.5, 1.0, 2.0)]
    assert knots[0][2] > knots[1][2] > knots[2][2]
    assert knots[0][3] > knots[1][3] > knots[2][3]
    assert judge.score_map().at(2.0, config.anomaly).knots == pytest.approx(knots[2]), "the same tail, read at other budgets"


def test_alarms_within_a_minute_of_each_other_are_one_event() -> None:
    ts = np.arange(4_000, dtype=np.int64) * 100_000_000
    nothing = np.zeros(4_000, bool)
    of = Prepared(ts, np.ones(4_000, np.uint32), np.zeros((4_000, 32)), nothing, nothing, nothing, 1.0)
    tier = np.zeros(4_000, np.int8)
    tier[[100, 600, 1_300, 3_000]] = 1, 2, 1, 1
    assert [start for start, _, _ in events(tier, of, 1, 60.0)] == [10 * NS, 130 * NS, 300 * NS]
    assert [start for start, _, _ in events(tier, of, 2, 60.0)] == [60 * NS]


def test_first_in_a_window_is_its_begin_where_the_alarm_stood_before() -> None:
    found = [(10, 20, 1), (50, 60, 1)]
    assert first_in(found, 15, 30) == 15
    assert first_in(found, 30, 55) == 50
    assert first_in(found, 21, 49) is None


def test_thin_rows_say_how_many_days_they_stand_for(blocks: tuple[Prepared, Prepared, Prepared], config: Config) -> None:
    """Ten rows a minute are not ten a second: the same maxima over more days are fewer a day, and the threshold for a budget is lower."""
    fit, held, _ = blocks
    made = contender("pca", config)
    made.fit(fit.z, fit.ts_recv, 0)
    judge = Judge.of(made, held, config)
    longer = Judge.of(made, replace(held, days=held.days * 60), config)
    assert longer.score_map().tail.rate == pytest.approx(judge.score_map().tail.rate / 60)
    assert longer.score_map().knots[2] < judge.score_map().knots[2]


def test_an_unknown_contender_is_refused_by_name() -> None:
    with pytest.raises(ModelError, match="'kmeans'; known are pca, vae, rv_10s"):
        contender("kmeans")


def test_nothing_is_calibrated_on_nothing(blocks: tuple[Prepared, Prepared, Prepared], config: Config) -> None:
    none = replace(blocks[0], **{f.name: getattr(blocks[0], f.name)[:0] for f in fields(Prepared) if f.name != "days"})
    with pytest.raises(ModelError, match="no calm rows"):
        Judge.of(_fitted("max_z"), none, config)
