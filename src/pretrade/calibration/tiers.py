# SPDX-License-Identifier: Apache-2.0
"""Scores to tiers: up at once, down slowly, and never out of CRITICAL without a human."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade.domain import FeedState, Phase, Tier
from pretrade.domain.config import AnomalyConfig, HysteresisConfig

UNSCORED: Final = int(FeedState.GAP | FeedState.STALE | FeedState.CROSSED | FeedState.HALTED | FeedState.RESYNC)
_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class TierChange:
    """One change of one instrument's tier.

    ``cause`` is ``score``, ``feed_state``, ``dwell`` (loosening after its time) or ``resume``.
    """

    ts_recv: int
    instrument_id: int
    from_tier: Tier
    to_tier: Tier
    score: float
    top_features: tuple[str, ...]
    trip_id: int
    cause: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; ``score`` is ``None`` where absent."""
        return {
            "ts_recv": self.ts_recv,
            "instrument_id": self.instrument_id,
            "from": self.from_tier.name,
            "to": self.to_tier.name,
            "score": None if np.isnan(self.score) else round(float(self.score), 6),
            "top_features": list(self.top_features),
            "trip_id": self.trip_id,
            "cause": self.cause,
        }


def tier_of(score: NDArray[np.float64], config: AnomalyConfig) -> NDArray[np.int64]:
    """Tier a score stands for; NORMAL where it is NaN.

    Examples
    --------
    >>> tier_of(np.array([0.013, 0.015, 0.089, 0.452, 0.981]), AnomalyConfig()).tolist()
    [0, 0, 1, 2, 3]
    """
    cuts = np.array([config.cut_elevated, config.cut_high, config.cut_critical])
    return np.where(np.isnan(score), 0, np.searchsorted(cuts, score, side="right")).astype(np.int64)


@dataclass(slots=True)
class TierState:
    """Tier, dwell and trip of each instrument, as columns."""

    anomaly: AnomalyConfig
    hysteresis: HysteresisConfig
    tier: NDArray[np.int64]
    quiet_since: NDArray[np.int64]
    trip_id: NDArray[np.int64]
    resumed_id: NDArray[np.int64]
    model_absent: NDArray[np.bool_]
    feed_fault: NDArray[np.bool_]
    _exit: NDArray[np.float64] = field(init=False)
    _dwell: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        a, h = self.anomaly, self.hysteresis
        cuts = np.array([np.inf, a.cut_elevated, a.cut_high, a.cut_critical])
        self._exit = cuts * np.array([1.0, h.exit_ratio, h.exit_ratio, h.exit_ratio])
        self._dwell = (np.array([0.0, h.dwell_elevated_s, h.dwell_high_s, h.dwell_high_s]) * _NS).astype(np.int64)

    @classmethod
    def fresh(cls, n: int, anomaly: AnomalyConfig, hysteresis: HysteresisConfig) -> TierState:
        """All NORMAL, never tripped."""
        zeros = np.zeros(n, np.int64)
        never = np.zeros(n, bool)
        return cls(anomaly, hysteresis, zeros.copy(), np.full(n, -1), zeros.copy(), zeros.copy(), never.copy(), never.copy())

    @property
    def is_tripped(self) -> NDArray[np.bool_]:
        """Tripped and not resumed."""
        return self.trip_id > self.resumed_id

    def advance(
        self, at: NDArray[np.int64], score: NDArray[np.float64], phase: NDArray[np.uint8], feed_state: NDArray[np.uint8], ts: int
    ) -> tuple[NDArray[np.int64], list[str]]:
        """Take one tick's scores of the instruments at positions ``at``.

        Returns
        -------
        tuple
            Tiers before, and per position the cause of a change.
        """
        before = self.tier[at].copy()
        continuous = phase == Phase.CONTINUOUS
        faulty = continuous & ((feed_state & UNSCORED) != 0)
        absent = continuous & ~faulty & np.isnan(score)
        self.feed_fault[at], self.model_absent[at] = faulty, absent
        judged = continuous & ~faulty & ~absent
        wanted = np.where(judged, tier_of(score, self.anomaly), before)
        wanted = np.where(faulty, np.maximum(before, Tier.ELEVATED), wanted)
        up = wanted > before
        trips = judged & (wanted == Tier.CRITICAL) & ~self.is_tripped[at]
        self.trip_id[at] += trips
        self.tier[at] = np.where(up, wanted, before)
        down = self._loosen(at, judged, score, ts)
        causes = [("feed_state" if faulty[i] else "score") if up[i] else ("dwell" if down[i] else "") for i in range(len(at))]
        return before, causes

    def _loosen(self, at: NDArray[np.int64], judged: NDArray[np.bool_], score: NDArray[np.float64], ts: int) -> NDArray[np.bool_]:
        """One step down for instruments quiet for their tier's dwell; a tripped one stays."""
        tier = self.tier[at]
        quiet = judged & (tier > 0) & (np.nan_to_num(score, nan=1.0) < self._exit[tier]) & ~self.is_tripped[at]
        since = np.where(quiet, np.where(self.quiet_since[at] < 0, ts, self.quiet_since[at]), -1)
        down = quiet & (ts - since >= self._dwell[tier])
        self.tier[at] = np.where(down, tier - 1, tier)
        self.quiet_since[at] = np.where(down, ts, since)
        return down
