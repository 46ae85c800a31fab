# SPDX-License-Identifier: Apache-2.0
"""Six things a notebook gets wrong, each a plug-in as a user would write it, and the battery names each."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from pretrade.domain.errors import ValidationError
from pretrade.validation import Block, Dataset, Fold
from pretrade.validation.procedure import Outcome, Procedure, check_procedure

FOLD = Fold(0, Block(0, 400), Block(410, 600), Block(620, 800))


@pytest.fixture(scope="module")
def data() -> Dataset:
    rng = np.random.default_rng(0)
    ts = np.arange(800)
    values = rng.normal(size=(800, 3))
    label = (values[:, 0] + rng.normal(size=800) > 1).astype(float)
    return Dataset(("a", "b", "c"), ts, ts + 25, np.zeros(800, np.int64), values, label, {})


def _fit(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Difference of the two means: what a first notebook does."""
    weights: NDArray[np.float64] = np.nanmean(x[y == 1], axis=0) - np.nanmean(x[y == 0], axis=0)
    return weights


def _scores(x: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isnan(x).all(axis=1), np.nan, (np.nan_to_num(x) * weights).sum(axis=1))


def sound(data: Dataset, fold: Fold) -> Outcome:
    fit, calibrate, test = fold.rows(data.ts_recv, data.label_end, embargo_ns=10)
    weights = _fit(data.values[fit], data.label[fit])
    threshold = float(np.quantile(_scores(data.values[calibrate], weights), 0.95))
    return Outcome(threshold, _scores(data.values[test], weights))


def next_row(data: Dataset, fold: Fold) -> Outcome:
    """The value of the next row slipped in by a shift in the wrong direction."""
    shifted = np.concatenate([data.values[1:], data.values[-1:]])
    return sound(dataclasses.replace(data, values=shifted), fold)


def whole_file_normaliser(data: Dataset, fold: Fold) -> Outcome:
    """Mean and deviation over the whole file, before the split."""
    z = (data.values - np.nanmean(data.values, axis=0)) / np.nanstd(data.values, axis=0)
    return sound(dataclasses.replace(data, values=z), fold)


def test_fold_threshold(data: Dataset, fold: Fold) -> Outcome:
    """The cut that looks best on the test block."""
    made = sound(data, fold)
    label = data.label[fold.test.holds(data.ts_recv)]
    cuts = np.quantile(made.scores, np.linspace(0.5, 0.99, 30))
    gains = [((made.scores >= c) == (label == 1)).mean() for c in cuts]
    return Outcome(float(cuts[int(np.argmax(gains))]), made.scores)


test_fold_threshold.__test__ = False  # type: ignore[attr-defined]  # a plug-in, whatever its name says


def base_rate_of_the_test_fold(data: Dataset, fold: Fold) -> Outcome:
    """The cut that flags as many as there will be events: the test block's own rate, its rows never looked at."""
    fit, calibrate, test = fold.rows(data.ts_recv, data.label_end)
    weights = _fit(data.values[fit], data.label[fit])
    rate = float(data.label[test].mean()) if test.any() else 0.0
    return Outcome(float(np.quantile(_scores(data.values[calibrate], weights), 1 - rate)), _scores(data.values[test], weights))


def overlapping_label_window(data: Dataset, fold: Fold) -> Outcome:
    """Fit on every row of the block, also those whose label is known only in the next."""
    fit, calibrate, test = (b.holds(data.ts_recv) for b in (fold.fit, fold.calibrate, fold.test))
    weights = _fit(data.values[fit], data.label[fit])
    return Outcome(float(np.quantile(_scores(data.values[calibrate], weights), 0.95)), _scores(data.values[test], weights))


def nan_leak(data: Dataset, fold: Fold) -> Outcome:
    """Undefined values filled with 0, so that a row that knows nothing scores as a calm one."""
    return sound(dataclasses.replace(data, values=np.nan_to_num(data.values)), fold)


def batch_rank(data: Dataset, fold: Fold) -> Outcome:
    """Scores as ranks within the batch: in a stream of single rows each is the highest."""
    made = sound(data, fold)
    ranks = np.argsort(np.argsort(made.scores)) / max(len(made.scores) - 1, 1)
    return Outcome(made.threshold, np.where(np.isnan(made.scores), np.nan, ranks))


def drawn_anew(data: Dataset, fold: Fold) -> Outcome:
    made = sound(data, fold)
    return Outcome(made.threshold + float(np.random.default_rng().normal()), made.scores)


def test_a_sound_procedure_conforms(data: Dataset) -> None:
    assert check_procedure(sound, data, FOLD) == []


@pytest.mark.parametrize(
    ("planted", "check"),
    [
        (next_row, "lookahead"),
        (whole_file_normaliser, "whole table"),
        (test_fold_threshold, "test fold"),
        (base_rate_of_the_test_fold, "test fold"),
        (overlapping_label_window, "label window"),
        (nan_leak, "NaN"),
        (batch_rank, "batch = stream"),
        (drawn_anew, "determinism"),
    ],
)
def test_what_a_notebook_gets_wrong_is_named(planted: Procedure, check: str, data: Dataset) -> None:
    assert check in {f.check for f in check_procedure(planted, data, FOLD)}


def test_a_sound_procedure_is_no_proof_where_nothing_can_be_tried(data: Dataset) -> None:
    known = dataclasses.replace(data, label_end=data.ts_recv.copy())
    with pytest.raises(ValidationError, match="0 labels reach into a later block"):
        check_procedure(overlapping_label_window, known, FOLD)


def test_too_few_scores_are_a_finding(data: Dataset) -> None:
    def short(data: Dataset, fold: Fold) -> Outcome:
        made = sound(data, fold)
        return Outcome(made.threshold, made.scores[1:])

    assert [f.check for f in check_procedure(short, data, FOLD)] == ["shape"]
