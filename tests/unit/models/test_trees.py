# SPDX-License-Identifier: Apache-2.0
"""The native tree scorer against LightGBM itself: the same bits, whatever is missing."""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np
import pytest
from numpy.typing import NDArray

from pretrade._native.models import Trees

_COMMON: dict[str, Any] = {"objective": "binary", "num_threads": 1, "deterministic": True, "force_row_wise": True, "verbosity": -1, "seed": 3}


def table(rows: int, width: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Rows with NaN, zeros and a mistake hidden in them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, width)).astype(np.float32)
    y = (np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + rng.normal(size=rows) > 0).astype(np.int64)
    x[rng.random(x.shape) < 0.1] = np.nan
    x[rng.random(x.shape) < 0.2] = 0.0
    return x, y


def hostile(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same rows with what no feature should ever hold."""
    rng = np.random.default_rng(9)
    odd = np.array([np.nan, 0.0, -0.0, np.inf, -np.inf, 1e-36, -1e-35, 1e-35, np.finfo(np.float32).max, np.finfo(np.float32).tiny], np.float32)
    out = x.copy()
    at = rng.random(x.shape) < 0.3
    out[at] = rng.choice(odd, size=int(at.sum()))
    return out


def assert_same_bits(booster: lightgbm.Booster, x: NDArray[np.float32]) -> None:
    theirs = booster.predict(x, raw_score=True, num_threads=1)
    ours = Trees(booster.model_to_string()).score(x.reshape(-1))
    np.testing.assert_array_equal(ours.view(np.int64), np.asarray(theirs).view(np.int64))


@pytest.mark.parametrize("missing", [{}, {"use_missing": False}, {"zero_as_missing": True}])
@pytest.mark.parametrize("trees", [1, 7, 9, 64, 100])
def test_scores_are_the_bits_of_lightgbm(missing: dict[str, Any], trees: int) -> None:
    x, y = table(3_000, 6)
    booster = lightgbm.train(_COMMON | missing | {"num_leaves": 31, "min_data_in_leaf": 5}, lightgbm.Dataset(x, y), trees)
    assert Trees(booster.model_to_string()).trees == trees
    assert_same_bits(booster, np.vstack([x, hostile(x)]))


def test_a_hundred_thousand_rows_of_the_model_in_use_agree() -> None:
    x, y = table(100_000, 20)
    signs = [1, 1, -1] + [0] * 17
    options = _COMMON | {"num_leaves": 16, "max_depth": 5, "max_bin": 63, "monotone_constraints": signs}
    booster = lightgbm.train(options, lightgbm.Dataset(x, y), 96)
    assert_same_bits(booster, hostile(x))


def test_a_tree_of_one_leaf_counts() -> None:
    x, y = table(200, 3)
    booster = lightgbm.train(_COMMON | {"min_data_in_leaf": 200}, lightgbm.Dataset(x, y), 3)
    assert_same_bits(booster, x)


def test_categorical_splits_are_refused() -> None:
    x, y = table(2_000, 3)
    x[:, 0] = np.random.default_rng(1).integers(0, 9, 2_000)
    y = np.isin(x[:, 0], [1, 4, 7]).astype(np.int64)
    booster = lightgbm.train(_COMMON, lightgbm.Dataset(x, y, categorical_feature=[0]), 2)
    with pytest.raises(ValueError, match="tree 0: num_cat is 1; categorical splits are not scored here"):
        Trees(booster.model_to_string())


def test_rows_of_another_width_are_refused() -> None:
    x, y = table(500, 3)
    trees = Trees(lightgbm.train(_COMMON, lightgbm.Dataset(x, y), 2).model_to_string())
    with pytest.raises(ValueError, match="4 values do not fit 1 rows of 3"):
        trees.score(np.zeros(4, np.float32))
