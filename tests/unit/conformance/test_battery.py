# SPDX-License-Identifier: Apache-2.0
"""The battery passes what conforms and names what each planted plug-in does wrong."""

from __future__ import annotations

import time
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from pretrade import features, simulation
from pretrade.calibration import Columns, rule
from pretrade.calibration.rules import tier_actions
from pretrade.conformance import check_feature, check_model, check_rule
from pretrade.domain import Config
from pretrade.features import Features, feature
from pretrade.models import KINDS, PcaAnomaly


@pytest.fixture(scope="module")
def rows(config: Config) -> Features:
    return features.compute(simulation.flash_crash(seed=5, warm_up_s=150, story_s=20).events, config)


@pytest.fixture(scope="module")
def calm(config: Config) -> Features:
    return simulation.calm(0.2, seed=4, config=config)


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "vae"])
def test_our_models_conform(kind: str, calm: Features, rows: Features) -> None:
    assert check_model(KINDS[kind], calm, rows) == []


class _NextRow(PcaAnomaly):
    kind: ClassVar[str] = "next-row"

    def raw_and_parts(self, features: Features) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        raw, parts = super().raw_and_parts(features)
        return np.roll(raw, -4), parts


class _WholeFile(PcaAnomaly):
    kind: ClassVar[str] = "whole-file"

    def raw_and_parts(self, features: Features) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        raw, parts = super().raw_and_parts(features)
        return raw - np.nanmean(raw), parts


class _Leaky(PcaAnomaly):
    kind: ClassVar[str] = "leaky"

    def parts(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(np.abs(z) > 3, np.nan, super().parts(z))


class _Random(PcaAnomaly):
    kind: ClassVar[str] = "random"

    def fit_core(self, z: NDArray[np.float64], seed: int) -> None:
        super().fit_core(z + np.random.default_rng().normal(size=z.shape), seed)


@pytest.mark.parametrize(
    ("planted", "check"), [(_NextRow, "lookahead"), (_WholeFile, "prefix"), (_WholeFile, "batch = stream"), (_Leaky, "NaN"), (_Random, "determinism")]
)
def test_a_planted_model_is_caught(planted: Any, check: str, calm: Features, rows: Features) -> None:
    assert check in {f.check for f in check_model(planted, calm, rows)}


def test_a_feature_that_looks_ahead_is_caught(rows: Features) -> None:
    @feature(name="next_mid", formula="mid one row later", unit="price", range="any")
    def next_mid(features: Features) -> NDArray[np.float64]:
        return np.roll(features.column("mid_price"), -1)

    @feature(name="centred_mid", formula="mid - mean over the file", unit="price", range="any")
    def centred_mid(features: Features) -> NDArray[np.float64]:
        return features.column("mid_price") - np.nanmean(features.column("mid_price"))

    @feature(name="depth_sum", formula="bid + ask", unit="lots", range="[0, inf)")
    def depth_sum(features: Features) -> NDArray[np.float64]:
        return features.column("depth_bid") + features.column("depth_ask")

    assert check_feature(depth_sum, rows) == []
    assert {f.check for f in check_feature(next_mid, rows)} >= {"lookahead"}
    assert {f.check for f in check_feature(centred_mid, rows)} >= {"lookahead", "prefix"}


def test_our_rule_conforms_and_bad_rules_are_caught(config: Config) -> None:
    assert check_rule(tier_actions(config.tiers)) == []

    @rule
    def backwards(columns: Columns) -> dict[str, NDArray[np.int64]]:
        return {"max_order_quantity": 100 + 50 * columns.tier}

    @rule
    def averaged(columns: Columns) -> dict[str, NDArray[np.int64]]:
        return {"max_order_quantity": np.full(len(columns.tier), int(columns.score.mean() * 1e6), np.int64)}

    @rule
    def one_by_one(columns: Columns) -> dict[str, NDArray[np.int64]]:
        end = time.perf_counter() + 0.05
        while time.perf_counter() < end:
            pass
        return {"max_order_quantity": 500 - 100 * columns.tier}

    assert {f.check for f in check_rule(backwards)} == {"direction"}
    assert {f.check for f in check_rule(averaged)} == {"rows"}
    assert {f.check for f in check_rule(one_by_one)} == {"cost"}
