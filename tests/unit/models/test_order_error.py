# SPDX-License-Identifier: Apache-2.0
"""The starter order-error model: what it is, what it never does, and what its folder refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pretrade.domain.errors import ModelError
from pretrade.models import desk, order_error, registry, starter_recipe
from pretrade.models import order_contenders as contenders
from pretrade.models.order_error import FEATURES, MONOTONE


@pytest.fixture(scope="module")
def card() -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((order_error.starter() / "card.json").read_text())
    return facts


@pytest.fixture(scope="module")
def stranger() -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Rows of a desk that neither trees nor cuts saw."""
    made = desk.make_desk(150_000, prevalence=1e-3, seed=77)
    sizes = {"instruments": desk.INSTRUMENTS, "traders": desk.TRADERS, "strategies": desk.STRATEGIES}
    rows = order_error.order_rows(made.orders, made.is_accepted, **sizes)
    return rows[15_000:], made.kind[15_000:]


def score(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return order_error.load(order_error.starter()).score(np.ascontiguousarray(rows).reshape(-1))


def test_the_starter_has_the_promised_size_and_says_what_it_is(card: dict[str, Any]) -> None:
    text = (order_error.starter() / "model.txt").read_text()
    assert text.count("\nTree=") == 96
    assert text.count("\nnum_leaves=16\n") > 70
    assert "made-up desk" in card["warning"]
    assert (order_error.starter() / "check.csv").read_text().count("\n") == 1_001


def test_a_larger_value_of_a_monotone_feature_never_scores_lower() -> None:
    rng = np.random.default_rng(3)
    rows = order_error.check_rows(order_error.starter())
    base = score(rows)
    for i, sign in enumerate(MONOTONE):
        bumped = rows.copy()
        bumped[:, i] += rng.exponential(np.nanstd(rows[:, i]) + 0.1, len(rows)).astype(np.float32)
        moved = score(bumped)
        if sign:
            assert (moved >= base).all(), FEATURES[i]
        elif FEATURES[i] in contenders.MASKED:
            np.testing.assert_array_equal(moved, base)


def test_a_stranger_desk_meets_both_budgets_about(card: dict[str, Any], stranger: tuple[NDArray[np.float32], NDArray[np.int8]]) -> None:
    rows, kind = stranger
    scores = score(rows)
    for name, most in (("hold", 3e-4), ("reject", 6e-5)):
        stopped = scores >= card["operating_points"][name]["score_cut"]
        assert stopped[kind == 0].mean() <= most
        assert stopped[kind > 0].mean() > 0.4


def test_rule_or_trees_stop_an_order_where_one_of_them_alone_reaches_its_cut(
    card: dict[str, Any], stranger: tuple[NDArray[np.float32], NDArray[np.int8]]
) -> None:
    rows, _ = stranger
    for name, point in card["operating_points"].items():
        ruled = starter_recipe.rule_of(rows) >= np.float32(point["rule_cut"]) * np.float32(1.0001)
        assert (score(rows)[ruled] >= point["score_cut"]).all(), name
        assert ruled.sum() > 3


def test_a_price_ten_times_the_market_is_rejected_whatever_the_trees_say(card: dict[str, Any]) -> None:
    row = np.full(len(FEATURES), np.nan, np.float32)
    row[FEATURES.index("aggression_volatility")] = 900.0
    assert score(row)[0] >= card["operating_points"]["reject"]["score_cut"]


def test_the_shift_brings_the_mean_to_the_prevalence_in_use(card: dict[str, Any]) -> None:
    told = card["calibration_on_test"]
    assert abs(told["mean_shifted"] / told["prevalence"] - 1) < 0.25
    assert told["brier_shifted"] < told["brier_unshifted"]
    assert told["mean_unshifted"] > 2 * told["prevalence"]


@pytest.mark.parametrize(
    ("file", "said"), [("model.txt", "model.txt was changed"), ("check.csv", "check.csv was changed"), ("manifest.json", "malformed")]
)
def test_a_byte_flipped_refuses_the_folder(tmp_path: Path, file: str, said: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(order_error.starter(), folder)
    data = bytearray((folder / file).read_bytes())
    data[len(data) // 2] ^= 0x80
    (folder / file).write_bytes(data)
    with pytest.raises(ModelError, match=said):
        order_error.load(folder)


def test_a_model_over_other_features_is_refused(tmp_path: Path) -> None:
    import lightgbm

    x = np.random.default_rng(0).normal(size=(200, 2))
    booster = lightgbm.train({"objective": "binary", "num_threads": 1, "verbosity": -1}, lightgbm.Dataset(x, x[:, 0] > 0), 2)
    with pytest.raises(ModelError, match="the gate makes"):
        order_error.save(booster, x.astype(np.float32), tmp_path, facts={}, card={})


@pytest.mark.parametrize("name", ["order-error-monotone", "order-error-trees"])
def test_a_rule_with_scales_scores_here_as_in_the_native_scorer(name: str) -> None:
    import lightgbm

    folder = registry.find(name).folder
    facts = json.loads((folder / "manifest.json").read_text())
    rows = order_error.check_rows(folder)
    price = FEATURES.index("aggression_volatility")
    rows[::3, price] *= 100
    raw = np.asarray(lightgbm.Booster(model_file=str(folder / "model.txt")).predict(rows, raw_score=True, num_threads=1))
    trees = (
        raw + np.log(facts["prevalence_use"] / (1 - facts["prevalence_use"])) - np.log(facts["prevalence_train"] / (1 - facts["prevalence_train"]))
    )
    (hold, low), (reject, high) = facts["rule"]["hold"], facts["rule"]["reject"]
    slope = (np.log(high / (1 - high)) - np.log(low / (1 - low))) / (reject - hold)
    rule = np.log(low / (1 - low)) + slope * (contenders.rule_of(rows, tuple(facts["rule"]["scales"])) - hold)
    with np.errstate(over="ignore"):
        wanted = 1 / (1 + np.exp(-np.maximum(trees, rule)))
    scored = order_error.load(folder).score(rows.reshape(-1))
    np.testing.assert_allclose(scored, wanted, rtol=1e-5)
    assert (rule > trees).sum() > 20
    passive = np.full(len(FEATURES), np.nan, np.float32)
    passive[price] = -900.0
    assert order_error.load(folder).score(passive)[0] >= low


@pytest.mark.parametrize(("scales", "said"), [([1.0, 0.0, 1.0], "three numbers above 0"), ([1.0, 2.0], "three numbers above 0")])
def test_scales_that_are_none_are_refused(tmp_path: Path, scales: list[float], said: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(order_error.starter(), folder)
    facts = json.loads((folder / "manifest.json").read_text())
    facts["rule"]["scales"] = scales
    (folder / "manifest.json").write_text(json.dumps(facts))
    with pytest.raises(ModelError, match=said):
        order_error.load(folder)


@pytest.mark.slow
def test_the_recipe_makes_the_starter_again_byte_for_byte(tmp_path: Path, card: dict[str, Any]) -> None:
    import lightgbm

    if lightgbm.__version__ != card["lightgbm"]:
        pytest.skip(f"the starter was trained by LightGBM {card['lightgbm']}, this is {lightgbm.__version__}")
    made = registry.reproduce(registry.find("order-error-starter"), into=tmp_path / "again")
    assert made.is_same, made.files
