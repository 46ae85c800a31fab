# SPDX-License-Identifier: Apache-2.0
"""Volume under the precision-recall surface over buffer lengths (Paparrizos et al. 2022), several series at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

BUFFERS: Final = (0, 100, 200, 300)
"""Rows added round an anomalous stretch, half on either side."""


def softened(label: NDArray[np.bool_], buffer: int) -> NDArray[np.float64]:
    """Label 1 inside a stretch, falling as a square root to 0 within half a buffer of it."""
    soft = label.astype(np.float64)
    half = buffer // 2
    edges = np.flatnonzero(np.diff(np.r_[False, label, False].astype(np.int8)))
    for begin, end in edges.reshape(-1, 2).tolist():
        for d in range(1, half + 1):
            weight = (1 - d / (half + 1)) ** 0.5
            for at in (begin - d, end - 1 + d):
                if 0 <= at < len(soft):
                    soft[at] = max(soft[at], weight)
    return soft


def pr_area(raw: Sequence[NDArray[np.float64]], labels: Sequence[NDArray[np.bool_]], buffer: int) -> float:
    """Average precision with soft labels, recall scaled by the share of stretches that were met at all."""
    score = np.concatenate(raw)
    soft = np.concatenate([softened(label, buffer) for label in labels])
    hard = np.concatenate(labels)
    order = np.argsort(-np.nan_to_num(score, nan=-np.inf), kind="stable")
    true = np.cumsum(soft[order])
    precision = true / np.arange(1, len(order) + 1)
    positives = (float(hard.sum()) + float(soft.sum())) / 2
    tops = []
    for values, label in zip(raw, labels, strict=True):
        half = buffer // 2
        edges = np.flatnonzero(np.diff(np.r_[False, label, False].astype(np.int8))).reshape(-1, 2)
        tops += [float(np.nanmax(values[max(0, a - half) : b + half])) for a, b in edges.tolist()]
    ranked = np.sort(-np.array(tops))
    met = np.searchsorted(ranked, -np.nan_to_num(score[order], nan=-np.inf), side="right") / len(tops)
    recall = np.minimum(true / positives, 1.0) * met
    return float(np.sum(np.diff(np.r_[0.0, recall]) * precision))


def vus_pr(raw: Sequence[NDArray[np.float64]], labels: Sequence[NDArray[np.bool_]]) -> float:
    """Mean of the areas over all buffers; a random score gives about the share of anomalous rows, a perfect one about 1."""
    return float(np.mean([pr_area(raw, labels, buffer) for buffer in BUFFERS]))
