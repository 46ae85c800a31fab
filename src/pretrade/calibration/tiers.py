# SPDX-License-Identifier: Apache-2.0
"""Scores to tiers: up at once, down slowly, and never out of CRITICAL without a human."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade.domain import Config, FeedState, Phase, Tier
from pretrade.domain.config import AnomalyConfig, HysteresisConfig

UNSCORED: Final = int(FeedState.GAP | FeedState.STALE | FeedState.CROSSED | FeedState.HALTED | FeedState.RESYNC)
_NS: Final = 1_000_000_000
_COLUMNS: Final = (
    "tier", "quiet_since", "trip_id", "resumed_id", "model_absent", "feed_fault", "may_loosen", "held_until", "held_tier", "seen",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TierChange:
    """One change of one instrument's tier.

    ``cause`` is ``score``, ``feed_state``, ``systemic`` (of a group, or of a member its group raised), ``dwell`` (loosening after
    its time) or ``resume``. ``instrument_id`` may be a group's; ``drivers`` are the symbols that drove a systemic change.
    """

    ts_recv: int
    instrument_id: int
    from_tier: Tier
    to_tier: Tier
    score: float
    top_features: tuple[str, ...]
    trip_id: int
    cause: str
    drivers: tuple[str, ...] = ()

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
            "drivers": list(self.drivers),
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
    """Tier, dwell and trip of each instrument, as columns.

    Notes
    -----
    Rows up to ``held_until`` were judged by an earlier writer: after a restart they may tighten again on the way to the
    present, but they take no tier below ``held_tier``, loosen no limit and trip nothing a second time. Rows after that which
    are read with a backlog behind them trip and tighten, and loosen nothing. A dwell counts only time with rows: after a gap
    longer than ``longest_gap_ns`` it begins anew.
    """

    anomaly: AnomalyConfig
    hysteresis: HysteresisConfig
    tier: NDArray[np.int64]
    quiet_since: NDArray[np.int64]
    trip_id: NDArray[np.int64]
    resumed_id: NDArray[np.int64]
    model_absent: NDArray[np.bool_]
    feed_fault: NDArray[np.bool_]
    may_loosen: NDArray[np.bool_]
    held_until: NDArray[np.int64]
    held_tier: NDArray[np.int64]
    seen: NDArray[np.int64]
    longest_gap_ns: int
    _exit: NDArray[np.float64] = field(init=False)
    _dwell: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        a, h = self.anomaly, self.hysteresis
        cuts = np.array([np.inf, a.cut_elevated, a.cut_high, a.cut_critical])
        self._exit = cuts * np.array([1.0, h.exit_ratio, h.exit_ratio, h.exit_ratio])
        self._dwell = (np.array([0.0, h.dwell_elevated_s, h.dwell_high_s, h.dwell_high_s]) * _NS).astype(np.int64)

    @classmethod
    def fresh(cls, n: int, config: Config) -> TierState:
        """All NORMAL, never tripped."""
        zero, never = [np.zeros(n, np.int64) for _ in range(4)], [np.zeros(n, bool) for _ in range(3)]
        unset = [np.full(n, -1, np.int64) for _ in range(3)]
        gap_ns = config.snapshot.stale_after_ms * 1_000_000
        return cls(
            config.anomaly, config.hysteresis, zero[0], unset[0], zero[1], zero[2], never[0], never[1], never[2], unset[1], zero[3], unset[2], gap_ns
        )

    def hold(self, k: int, record: np.void, *, is_tripped: bool) -> None:
        """Take over tier and trip of the last record an earlier writer published."""
        self.tier[k] = self.held_tier[k] = min(int(record["tier"]), int(Tier.CRITICAL))
        self.trip_id[k] = int(record["trip_id"])
        self.resumed_id[k] = int(record["trip_id"]) - is_tripped
        self.held_until[k] = int(record["ts_data"])

    def resume(self, k: int, trip_id: int) -> None:
        """Take a trip id a human resumed; only the one in force ends the trip.

        Notes
        -----
        An id above our own means that the table our ids stood in was lost: we number on from it, because the gate counts every
        trip up to a resumed id as over. A trip in force stays in force, under a fresh id.
        """
        if trip_id > self.trip_id[k]:
            self.trip_id[k] = trip_id + bool(self.is_tripped[k])
            self.resumed_id[k] = trip_id
        elif trip_id == self.trip_id[k]:
            self.resumed_id[k] = trip_id

    @property
    def is_tripped(self) -> NDArray[np.bool_]:
        """Tripped and not resumed."""
        return self.trip_id > self.resumed_id

    def advance(
        self,
        at: NDArray[np.int64],
        score: NDArray[np.float64],
        phase: NDArray[np.uint8],
        feed_state: NDArray[np.uint8],
        ts: int,
        *,
        is_behind: bool = False,
    ) -> tuple[NDArray[np.int64], list[str]]:
        """Take one tick's scores of the instruments at positions ``at``; ``is_behind``: newer events wait unread.

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
        live = ts > self.held_until[at]
        trips = judged & live & (wanted == Tier.CRITICAL) & ~self.is_tripped[at]
        self.trip_id[at] += trips
        self.tier[at] = np.where(up, wanted, before)
        down = self._loosen(at, judged, score, ts, is_behind=is_behind)
        self.may_loosen[at] = judged & live & ~self.is_tripped[at] & (not is_behind)
        self.seen[at] = ts
        causes = [("feed_state" if faulty[i] else "score") if up[i] else ("dwell" if down[i] else "") for i in range(len(at))]
        return before, causes

    def facts(self) -> dict[str, Any]:
        """Plain values for a checkpoint."""
        return {name: getattr(self, name).tolist() for name in _COLUMNS}

    def take(self, facts: Mapping[str, Any]) -> None:
        """Go on from :meth:`facts`."""
        for name in _COLUMNS:
            getattr(self, name)[:] = facts[name]

    def _loosen(self, at: NDArray[np.int64], judged: NDArray[np.bool_], score: NDArray[np.float64], ts: int, *, is_behind: bool) -> NDArray[np.bool_]:
        """One step down for instruments quiet for their tier's dwell; a tripped one stays."""
        tier = self.tier[at]
        quiet = judged & (tier > 0) & (np.nan_to_num(score, nan=1.0) < self._exit[tier]) & ~self.is_tripped[at]
        begins = (self.quiet_since[at] < 0) | (ts - self.seen[at] > self.longest_gap_ns)
        since = np.where(quiet, np.where(begins, ts, self.quiet_since[at]), -1)
        may = np.where(ts > self.held_until[at], not is_behind, tier > self.held_tier[at])
        down = quiet & (ts - since >= self._dwell[tier]) & may
        self.tier[at] = np.where(down, tier - 1, tier)
        self.quiet_since[at] = np.where(down, ts, since)
        return down
