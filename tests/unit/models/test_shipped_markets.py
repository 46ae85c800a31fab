# SPDX-License-Identifier: Apache-2.0
"""The shipped models of markets load under the packaged configuration and do what their cards say."""

from __future__ import annotations

import numpy as np
import pytest

from pretrade import models
from pretrade.domain import Config
from pretrade.models import clusters, regime, registry
from pretrade.simulation.alone import episode_rows
from pretrade.simulation.market import SELLER_START_NS

NAMES = ("anomaly-pca", "anomaly-vae", "regime-hmm", "pattern-clusters")


@pytest.fixture(scope="module")
def fall(config: Config) -> models.Scores:
    rows = episode_rows("seller", 7, config, warm_up_s=400)
    return models.load(registry.find("anomaly-pca").folder, config).score(rows)


@pytest.mark.parametrize("name", ["anomaly-pca", "anomaly-vae"])
def test_an_anomaly_model_loads_under_the_packaged_configuration(name: str, config: Config) -> None:
    model = models.load(registry.find(name).folder, config)
    assert not model.provisional, "24 calm hours stand behind its thresholds"
    assert registry.metrics(registry.find(name).card())["calibration_days"] == pytest.approx(model.score_map.days)


def test_the_shipped_champion_sees_a_fall_nobody_taught(fall: models.Scores) -> None:
    before = fall.score[fall.ts_recv <= SELLER_START_NS]
    assert np.nanmax(before) < 0.05
    assert np.nanmax(fall.score[fall.ts_recv > SELLER_START_NS]) >= 0.95


def test_the_shipped_regimes_are_ordered_and_the_fall_is_none_of_them(fall: models.Scores) -> None:
    model = regime.load(registry.find("regime-hmm").folder)
    assert (np.diff(model.mean[:, 0]) > 0).all()
    ts, x = regime.observe(fall.features)
    told = regime.RegimeStream(model).update(x)
    assert (told[ts > SELLER_START_NS] == regime.NOVEL).any()


def test_the_shipped_groups_have_names_of_their_own_and_tell_what_they_hold() -> None:
    for fitted in clusters.load(registry.find("pattern-clusters").folder):
        cards = [fitted.card(k) for k in range(len(fitted))]
        assert cards == registry.find("pattern-clusters").card()["groups"][fitted.view.name]
        assert fitted.assign(fitted.centre).tolist() == list(range(len(fitted)))


@pytest.mark.parametrize("name", NAMES)
def test_states_are_those_of_the_pages(name: str) -> None:
    model = registry.find(name)
    assert model.state == {"anomaly-vae": "challenger"}.get(name, "champion")
    assert model.recipe.startswith("pretrade.simulation.shipping:")
