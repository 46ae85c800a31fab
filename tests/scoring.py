# SPDX-License-Identifier: Apache-2.0
"""Scored rows made by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pretrade.domain import Phase
from pretrade.features import ROW_DTYPE, Features
from pretrade.models import GroupScores, Scores

GROUP_ID = 0xFF00_0001


def systemic(n: int, score: float, *drivers: int) -> GroupScores:
    """Score of one group at ``n`` rows of an instant."""
    who = np.tile(np.array([*drivers, 0, 0, 0][:3], np.uint32), (n, 1, 1))
    return GroupScores((GROUP_ID,), np.full((n, 1), score), who, (who > 0).astype(np.uint8) * 7)


def tick(
    ts: int, *scores: float, ids: Sequence[int] = (1,), phase: Phase = Phase.CONTINUOUS, feed_state: int = 0, group: GroupScores | None = None
) -> Scores:
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
        group,
    )
