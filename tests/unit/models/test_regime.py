# SPDX-License-Identifier: Apache-2.0
"""Regimes are read forwards only, switch when sure, say when none fits, and never loosen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from pretrade.domain import Config
from pretrade.domain.errors import ModelError
from pretrade.models.regime import NOVEL, NOVEL_STEPS, JumpModel, RegimeModel, RegimeStream, at_rows, tightened
from pretrade.models.score_map import ScoreMap, Tail

MEAN = np.array([[-4.0, 0.0, 5.0], [-2.5, 0.4, 4.4]])


def _model(factors: tuple[float, ...] = (1.0, 2.0, 2.0)) -> RegimeModel:
    return RegimeModel(np.array([0.5, 0.5]), np.array([[0.98, 0.02], [0.05, 0.95]]), MEAN, np.full((2, 3), 0.4), -20.0, factors)


def _draw(states: NDArray[np.int64], seed: int = 3) -> NDArray[np.float64]:
    return MEAN[states] + 0.4 * np.random.default_rng(seed).normal(size=(len(states), 3))


def test_the_filter_is_bayes_rule_summed_over_all_paths() -> None:
    """Against every path of six steps, written out."""
    model, x = _model(), _draw(np.array([0, 0, 1, 1, 0, 1]))
    density = np.exp(model.log_density(x))
    weight = np.zeros(2)
    for path in np.ndindex(*([2] * 6)):
        p = model.start[path[0]] * density[0, path[0]]
        for t in range(1, 6):
            p *= model.transition[path[t - 1], path[t]] * density[t, path[t]]
        weight[path[-1]] += p
    posterior, told = model.filter(x)
    np.testing.assert_allclose(posterior[-1], weight / weight.sum(), rtol=1e-10)
    np.testing.assert_allclose(told.sum(), np.log(weight.sum()), rtol=1e-10)


def test_density_is_hmmlearns_and_the_filter_ends_where_its_smoother_ends() -> None:
    hmm = pytest.importorskip("hmmlearn.hmm")
    model, x = _model(), _draw(np.repeat([0, 1, 0], 40))
    other = hmm.GaussianHMM(2, covariance_type="diag")
    other.startprob_, other.transmat_, other.means_, other.covars_ = model.start, model.transition, model.mean, model.sd**2
    np.testing.assert_allclose(model.filter(x)[1].sum(), other.score(x), rtol=1e-9)
    np.testing.assert_allclose(model.filter(x)[0][-1], other.predict_proba(x)[-1], atol=1e-9)
    assert np.abs(model.filter(x)[0] - other.predict_proba(x)).max() > 0.01, "before the end the smoother knows what comes"


def test_nothing_that_comes_later_moves_an_earlier_regime() -> None:
    x = _draw(np.repeat([0, 1], 60))
    before = RegimeStream(_model()).update(x)
    x[80:] += 30.0
    assert RegimeStream(_model()).update(x)[:80].tolist() == before[:80].tolist()


def test_a_stream_is_a_batch_however_it_is_cut() -> None:
    x = _draw(np.repeat([0, 1, 0, 1], 50))
    whole, stream = RegimeStream(_model()).update(x), RegimeStream(_model())
    parts = [stream.update(part) for part in np.split(x, [1, 7, 60, 61, 150])]
    assert np.concatenate(parts).tolist() == whole.tolist()


def test_a_blip_is_no_switch_and_a_stay_is() -> None:
    states = np.zeros(200, np.int64)
    states[50:53] = 1
    states[120:] = 1
    regime = RegimeStream(_model()).update(_draw(states))
    assert set(regime[:120].tolist()) == {0}
    assert 120 + 5 <= int(np.flatnonzero(regime == 1)[0]) <= 120 + 12
    assert set(regime[140:].tolist()) == {1}


def test_what_no_regime_fits_is_said_and_ends() -> None:
    x = _draw(np.zeros(120, np.int64))
    x[60:80] += np.array([4.0, 4.0, -4.0])
    regime = RegimeStream(_model()).update(x)
    assert (regime[:60] == 0).all()
    assert (regime[60 + NOVEL_STEPS : 80] == NOVEL).all()
    assert (regime[80 + NOVEL_STEPS :] == 0).all()


def test_fitted_states_are_ordered_by_volatility_and_keep_their_places_on_retrain() -> None:
    pytest.importorskip("hmmlearn")
    x = _draw(np.tile(np.repeat([1, 0], 150), 4))
    first = RegimeModel.fit(x, 2, seed=0)
    np.testing.assert_allclose(first.mean, MEAN, atol=0.15)
    # The calm state of the old model became the more volatile one: the nearest keeps its place, not the calmer.
    swapped = replace(first, mean=first.mean[::-1].copy())
    again = RegimeModel.fit(x, 2, seed=1, previous=swapped)
    np.testing.assert_allclose(again.mean, MEAN[::-1], atol=0.15)
    assert again.transition[0, 0] == pytest.approx(first.transition[1, 1], abs=0.02)


def test_a_regime_tightens_and_never_loosens(config: Config) -> None:
    score_map = ScoreMap((0.0, 0.5, 2.0, 4.0, 6.0), Tail(1.0, 0.0, 1.0, 1.36, 60), 5.0, (0.5, 0.05))
    raw = np.linspace(-1.0, 9.0, 200)
    plain = score_map(raw)
    for regime in (0, 1, NOVEL):
        score = tightened(raw, np.full(200, regime, np.int8), _model(), score_map, config.anomaly)
        assert (score >= plain).all()
        assert bool((score > plain + 1e-6).any()) == (regime != 0)
    assert np.isnan(tightened(np.array([np.nan]), np.array([1], np.int8), _model(), score_map, config.anomaly)).all()


def test_a_factor_that_loosens_is_refused() -> None:
    with pytest.raises(ModelError, match=r"0\.5; below 1 it would loosen"):
        _model((1.0, 0.5, 2.0))
    with pytest.raises(ModelError, match="2 budget factors were given for 2 regimes"):
        _model((1.0, 2.0))


def test_a_row_knows_the_last_regime_seen_before_it() -> None:
    seen, regime = np.array([100, 200], np.int64), np.array([1, NOVEL], np.int8)
    assert at_rows(np.array([50, 100, 199, 200, 900], np.int64), seen, regime).tolist() == [0, 1, 1, NOVEL, NOVEL]


def test_saved_parameters_come_back_and_other_inputs_are_refused() -> None:
    facts = _model().as_dict()
    x = _draw(np.repeat([0, 1], 30))
    assert RegimeModel.from_dict(facts).filter(x)[0].tolist() == _model().filter(x)[0].tolist()
    with pytest.raises(ModelError, match="reads"):
        RegimeModel.from_dict({**facts, "inputs": ["rv_1m"]})


def test_a_jump_model_reads_forwards_and_finds_two_states() -> None:
    states = np.tile(np.repeat([0, 1], 100), 3)
    x = _draw(states)
    model = JumpModel(2, 10.0).fit(x)
    found = model.read(x)
    assert (found == states).mean() > 0.95
    x[300:] += 50.0
    assert model.read(x)[:300].tolist() == found[:300].tolist()
