# SPDX-License-Identifier: Apache-2.0
"""Scored rows made by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pretrade.domain import Phase
from pretrade.features import ROW_DTYPE, Features
from pretrade.models import Scores


def tick(ts: int, *scores: float, ids: Sequence[int] = (1,), phase: Phase = Phase.CONTINUOUS, feed_state: int = 0) -> Scores:
    """One tick with one row an instrument."""
    n = len(scores)
    rows = np.zeros(n, ROW_DTYPE)
    rows["ts_recv"], rows["instrument_id"], rows["phase"], rows["feed_state"] = ts, list(ids)[:n], phase, feed_state
    score = np.array(scores, np.float64)
    return Scores(
        rows["ts_recv"],
        rows["instrument_id"],
        rows["phase"],
        rows["feed_state"],
        score.copy(),
        score,
        np.zeros(n, bool),
        np.zeros(n, bool),
        np.tile(np.array([7, 5, 0], np.uint8), (n, 1)),
        np.zeros((n, 3)),
        Features(rows),
        "test",
        False,
    )
