# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
import json
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from tests import simulated_group as group
from tests.scoring import GROUP_ID

from pretrade import calibration, conformance, features, models
from pretrade.domain import Config, Tier
from pretrade.domain.errors import ModelError
from pretrade.features import Features
from pretrade.models import Anomaly, Scores
from pretrade.simulation.market import SELLER_START_NS

N: Final = 4


@pytest.fixture(scope="module")
def many(config: Config) -> Config:
    return group.grouped(config, N)


@pytest.fixture(scope="module")
def calm(many: Config) -> Features:
    return group.calm(many, 0.5, seed=500).calm()


@pytest.fixture(scope="module")
def model(many: Config, calm: Features) -> Anomaly:
    return models.new("pca", many).fit(calm)


@pytest.fixture(scope="module")
def broad(many: Config) -> Features:
    return features.compute(group.fall(many, seed=1_000, rates=[0.5] * N), many)


def _systemic(scores: Scores) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    assert scores.systemic is not None
    assert scores.systemic.group_ids == (GROUP_ID,)
    return scores.systemic.score[:, 0]


def test_the_group_has_thresholds_of_its_own_on_the_card(model: Anomaly) -> None:
    (told,) = model.card()["systemic"]["groups"]
    assert told["members"] == [101, 102, 103, 104]
    assert told["thresholds"]["knots"] == sorted(told["thresholds"]["knots"])
    assert model.card()["systemic"]["settings"]["budget_high"] == 0.05


def test_a_fall_of_all_raises_the_group_and_every_member_is_no_looser(many: Config, model: Anomaly, broad: Features) -> None:
    scores = model.score(broad)
    limits = calibration.calibrate(scores, many)
    apart = calibration.calibrate(dataclasses.replace(scores, systemic=None), many)
    rose = [c for c in limits.tier_changes if c.instrument_id == GROUP_ID and c.to_tier > c.from_tier]
    assert rose
    assert rose[0].ts_recv > SELLER_START_NS
    assert set(rose[0].drivers) <= {"S0", "S1", "S2", "S3"}
    assert len(rose[0].drivers) >= 2
    first = {i: _first(limits, i) for i in (101, 102, 103, 104)}
    alone = {i: _first(apart, i) for i in (101, 102, 103, 104)}
    assert all(first[i] <= alone[i] for i in first)
    assert any(first[i] < alone[i] for i in first), "somebody is warned before its own score says so"


def _first(limits: calibration.Limits, instrument_id: int) -> int:
    return next((c.ts_recv for c in limits.tier_changes if c.instrument_id == instrument_id and c.to_tier >= Tier.ELEVATED), 2**62)


def test_a_fall_of_one_alone_is_no_stress_of_the_group(many: Config, model: Anomaly) -> None:
    rows = features.compute(group.fall(many, seed=1_000, rates=[2.0, 0.0, 0.0, 0.0]), many)
    scores = model.score(rows)
    changes = calibration.calibrate(scores, many).tier_changes
    assert max(c.to_tier for c in changes if c.instrument_id == 101) >= Tier.HIGH
    assert [c for c in changes if c.instrument_id == GROUP_ID] == []


def test_chunks_and_a_restart_give_the_same_group_scores(model: Anomaly, broad: Features) -> None:
    whole = model.score(broad)
    # Whole instants, as the engine closes them.
    cuts = np.unique(np.searchsorted(broad.ts_recv, broad.ts_recv[np.linspace(0, len(broad) - 1, 40).astype(int)]))
    stream, parts = model.stream(), []
    for a, b in pairwise([*cuts.tolist(), len(broad)]):
        parts.append(stream.update(broad[a:b]))
        saved = json.loads(json.dumps(stream.checkpoint()))
        stream = model.stream()
        stream.restore(saved)
    again = Scores.concat(parts, broad)
    assert np.array_equal(_systemic(again), _systemic(whole), equal_nan=True)
    assert again.systemic is not None
    assert whole.systemic is not None
    assert np.array_equal(again.systemic.drivers, whole.systemic.drivers)
    assert np.isfinite(_systemic(whole)).mean() > 0.9


def test_what_is_to_come_changes_no_group_score_before_it(model: Anomaly, broad: Features) -> None:
    half = int(np.searchsorted(broad.ts_recv, broad.ts_recv[len(broad) // 2]))
    rows = broad.rows.copy()
    rows["values"][half:] = rows["values"][half:] * 3.0 + 1.0
    other = _systemic(model.score(Features(rows, broad.quotes)))
    assert np.array_equal(other[:half], _systemic(model.score(broad))[:half], equal_nan=True)
    assert not np.array_equal(other[half:], _systemic(model.score(broad))[half:], equal_nan=True)


def test_a_saved_model_keeps_it_and_other_groups_or_budgets_are_refused(model: Anomaly, many: Config, broad: Features, tmp_path: Path) -> None:
    model.save(tmp_path / "m")
    again = models.load(tmp_path / "m", many)
    assert again.id == model.id
    assert np.array_equal(_systemic(again.score(broad)), _systemic(model.score(broad)), equal_nan=True)
    with pytest.raises(ModelError, match="other members"):
        models.load(tmp_path / "m", dataclasses.replace(many, groups=()))
    with pytest.raises(ModelError, match=r"budget_high=0\.05"):
        models.load(tmp_path / "m", dataclasses.replace(many, systemic=dataclasses.replace(many.systemic, budget_high=0.5)))


def test_a_model_with_groups_conforms(model: Anomaly, many: Config, calm: Features, broad: Features) -> None:
    assert conformance.check_model(lambda: models.new("pca", many), calm, broad[-4_000:]) == []


def test_a_model_of_one_instrument_knows_no_group(many: Config, calm: Features) -> None:
    alone = models.new("pca", many).fit(calm[calm.instrument_id == 101])
    assert alone.systemic is None
    assert "systemic" not in alone.as_dict()
