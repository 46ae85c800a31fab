# SPDX-License-Identifier: Apache-2.0
"""Scored rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pretrade.features import Features
from pretrade.models.systemic import GroupScores


@dataclass(frozen=True, slots=True)
class Scores:
    """What a model says of each row, all arrays of shape ``(n,)`` unless said.

    Parameters
    ----------
    ts_recv, instrument_id, phase, feed_state
        Of the row.
    raw
        Smoothed model output, log scale, without what instrument and time of day add to it; NaN where not scored.
    score
        Calibrated, in [0, 1], higher is worse; capped by the evidence of the book; NaN where not scored.
    evidence_high, evidence_critical
        What the book itself shows.
    top_features
        Codes (place + 1) of the three features with the largest part, ``(n, 3)`` uint8, 0 where none.
    top_parts
        Their parts of the raw value, ``(n, 3)``.
    features
        The rows.
    model_id
        Content hash of the model.
    provisional
        The model had too short a history.
    systemic
        Scores of the groups the model knows; ``None`` where it knows none.
    """

    ts_recv: NDArray[np.int64]
    instrument_id: NDArray[np.uint32]
    phase: NDArray[np.uint8]
    feed_state: NDArray[np.uint8]
    raw: NDArray[np.float64]
    score: NDArray[np.float64]
    evidence_high: NDArray[np.bool_]
    evidence_critical: NDArray[np.bool_]
    top_features: NDArray[np.uint8]
    top_parts: NDArray[np.float64]
    features: Features
    model_id: str
    provisional: bool
    systemic: GroupScores | None = None

    def __len__(self) -> int:
        return len(self.ts_recv)

    def __getitem__(self, key: Any) -> Scores:  # noqa: ANN401 - any NumPy row index
        """Rows by slice, mask or index array."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return Scores(**{name: v if name in ("model_id", "provisional") or v is None else v[key] for name, v in values.items()})

    @classmethod
    def concat(cls, parts: Sequence[Scores], features: Features) -> Scores:
        """Scores of consecutive parts of ``features`` by one model."""
        last = parts[-1]
        joined = {
            f.name: np.concatenate([getattr(p, f.name) for p in parts])
            for f in fields(cls)
            if f.name not in ("features", "model_id", "provisional", "systemic")
        }
        groups = [p.systemic for p in parts if p.systemic is not None]
        systemic = GroupScores.concat(groups) if groups else None
        return cls(**joined, features=features, model_id=last.model_id, provisional=last.provisional, systemic=systemic)

    @property
    def is_scored(self) -> NDArray[np.bool_]:
        """Rows with a score."""
        return ~np.isnan(self.score)
