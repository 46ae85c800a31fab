# SPDX-License-Identifier: Apache-2.0
"""The battery for a researcher's whole procedure: fit, choose a threshold, score the test block of a fold; tried as a black box.

The procedure is handed the whole table, as a notebook would have it. What it may not know is changed, and nothing of what it gives may move.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pretrade.conformance import Finding
from pretrade.domain.errors import PretradeError, ValidationError
from pretrade.validation.dataset import Dataset
from pretrade.validation.folds import Fold


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a procedure gives for one fold."""

    threshold: float
    scores: NDArray[np.float64]
    """One a row of the test block, in its order."""


Procedure = Callable[[Dataset, Fold], Outcome]


def check_procedure(procedure: Procedure, data: Dataset, fold: Fold) -> list[Finding]:
    """Try a procedure on a fold.

    Parameters
    ----------
    procedure
        Fits, calibrates and scores.
    data
        Rows with labels; some must be known only in a later block, or overlapping windows could not be tried.
    fold
        Fit, calibrate and test blocks.

    Returns
    -------
    list of Finding
        ``test fold``, ``label window``, ``lookahead``, ``whole table``, ``batch = stream``, ``NaN``, ``determinism`` or ``shape``;
        empty where it conforms.

    Raises
    ------
    ValidationError
        If the data cannot try every check.
    """
    fit, calibrate, test = (block.holds(data.ts_recv) for block in (fold.fit, fold.calibrate, fold.test))
    late = (fit & (data.label_end >= fold.calibrate.start_ns)) | (calibrate & (data.label_end >= fold.test.start_ns))
    if not late.any() or test.sum() < 20:
        raise ValidationError(
            f"{int(late.sum())} labels reach into a later block and {int(test.sum())} rows lie in the test block; "
            "at least 1 and 20 are needed to try a procedure"
        )
    try:
        whole = procedure(data, fold)
    except (PretradeError, ValueError, IndexError) as e:
        return [Finding("shape", str(e))]
    if whole.scores.shape != (int(test.sum()),):
        return [Finding("shape", f"scores have shape {whole.scores.shape}; the test block has {int(test.sum())} rows")]
    found = [] if _equal(whole, procedure(data, fold)) else [Finding("determinism", "two runs differ")]
    found += _unlabelled(procedure, data, fold, whole, test, late)
    return found + _changed_rows(procedure, data, fold, whole, test)


def _unlabelled(procedure: Procedure, data: Dataset, fold: Fold, whole: Outcome, test: NDArray[Any], late: NDArray[Any]) -> list[Finding]:
    """Labels that nobody knew yet are turned over."""
    found = []
    turned = dataclasses.replace(data, label=np.where(test, 1 - data.label, data.label))
    if not _equal(whole, procedure(turned, fold)):
        found.append(Finding("test fold", "other labels in the test block change the threshold or the scores: something was chosen on them"))
    turned = dataclasses.replace(data, label=np.where(late, 1 - data.label, data.label))
    if not _equal(whole, procedure(turned, fold)):
        found.append(Finding("label window", f"{int(late.sum())} labels that were known only in a later block change the outcome: purge those rows"))
    return found


def _changed_rows(procedure: Procedure, data: Dataset, fold: Fold, whole: Outcome, test: NDArray[Any]) -> list[Finding]:
    """Later half of the test block changed, left out, and undefined."""
    found = []
    at = np.flatnonzero(test)
    first, later = at[: len(at) // 2], at[len(at) // 2 :]
    n = len(first)
    values = data.values.copy()
    values[later] = values[later] * 3 + 1
    other = procedure(dataclasses.replace(data, values=values), fold)
    if not _same(other.scores[:n], whole.scores[:n]):
        found.append(Finding("lookahead", "changing later rows of the test block changes earlier scores"))
    if other.threshold != whole.threshold:
        found.append(Finding("test fold", "changing rows of the test block changes the threshold"))
    prefix = procedure(_rows(data, np.arange(len(data.ts_recv)) < later[0]), fold)
    if not _same(prefix.scores, whole.scores[:n]) or prefix.threshold != whole.threshold:
        found.append(Finding("whole table", "without its later rows the same rows score otherwise: something was computed over the whole table"))
    stream = [procedure(_rows(data, ~test | (np.arange(len(test)) == row)), fold).scores for row in first[:5]]
    if not all(len(s) == 1 for s in stream) or not _same(np.concatenate(stream), whole.scores[:5]):
        found.append(Finding("batch = stream", "a row of the test block alone scores otherwise than among the others"))
    return found + _undefined(procedure, data, fold, first)


def _undefined(procedure: Procedure, data: Dataset, fold: Fold, at: NDArray[np.intp]) -> list[Finding]:
    """A row without a single defined value must say that it has no score, and leave the others alone."""
    values = data.values.copy()
    values[at[0]] = np.nan
    scores = procedure(dataclasses.replace(data, values=values), fold).scores
    told = procedure(data, fold).scores
    out = [] if np.isnan(scores[0]) else [Finding("NaN", f"a row without any value scores {scores[0]:g}; it must be NaN")]
    if np.isnan(told).any() or not _same(scores[1:], told[1:]):
        out.append(Finding("NaN", f"{int(np.isnan(scores[1:]).sum())} defined rows have no score, or change with an undefined one"))
    return out


def _rows(data: Dataset, keep: NDArray[np.bool_]) -> Dataset:
    return Dataset(data.names, data.ts_recv[keep], data.label_end[keep], data.entity[keep], data.values[keep], data.label[keep], data.sources)


def _same(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    return bool(np.array_equal(a, b, equal_nan=True))


def _equal(a: Outcome, b: Outcome) -> bool:
    return a.threshold == b.threshold and _same(a.scores, b.scores)
