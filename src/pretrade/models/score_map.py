# SPDX-License-Identifier: Apache-2.0
"""Raw values to a score in [0, 1] whose cuts stand for false-alarm budgets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from pretrade.domain.config import AnomalyConfig
from pretrade.domain.errors import ModelError

ROWS_PER_DAY: Final = 234_000
"""10 Hz x 6.5 h: one instrument-day."""
CRITICAL_BUDGET: Final = 0.001
ENOUGH_ROWS: Final = 200
_ENOUGH_DAYS: Final = 3.5
_FEW: Final = 10
_LEVELS: Final = (0.999, 0.995, 0.99, 0.98)
_ANCHORS: Final = (0.0, 0.01, 0.05, 0.20, 0.95)


@dataclass(frozen=True, slots=True)
class Tail:
    """Generalised Pareto tail of cluster maxima over ``threshold``; ``rate`` clusters per instrument-day."""

    threshold: float
    xi: float
    sigma: float
    rate: float
    clusters: int

    def level(self, budget: float) -> float:
        """Raw value exceeded by ``budget`` clusters per instrument-day."""
        ratio = self.rate / budget
        if abs(self.xi) < 1e-6:
            return float(self.threshold + self.sigma * np.log(ratio))
        return float(self.threshold + self.sigma / self.xi * (ratio**self.xi - 1.0))

    def rate_over(self, level: float) -> float:
        """Clusters per instrument-day that exceed ``level``, not below the threshold."""
        units = (level - self.threshold) / self.sigma
        if abs(self.xi) < 1e-6:
            return float(self.rate * np.exp(-units))
        return float(self.rate * max(1.0 + self.xi * units, 0.0) ** (-1.0 / self.xi))


def fit_tail(
    raw: NDArray[np.float64],
    ts_recv: NDArray[np.int64],
    gap_s: float,
    instrument_id: NDArray[np.uint32] | None = None,
    *,
    days: float | None = None,
) -> Tail:
    """Peaks over threshold with de-clustering; probability-weighted moments (Hosking, Wallis 1987).

    The threshold is the highest of the 99.9, 99.5, 99 and 98 % quantiles that leaves 30 clusters; the shape is set to 0
    (exponential) where fewer than 50 clusters or an estimate below -0.5 make it unstable, and it is never above 0: raw
    values are logarithms, whose tail is exponential where the value itself has a power law, the heaviest we admit. A history so short that
    it holds fewer than 10 clusters takes its scale from all points above the threshold: two or three maxima say nothing.
    ``days`` are the instrument-days behind the rows where they are thinner than ten a second.
    """
    days = len(raw) / ROWS_PER_DAY if days is None else days
    maxima: NDArray[np.float64] = np.empty(0)
    threshold = float(raw.max())
    for level in _LEVELS:
        threshold = float(np.quantile(raw, level))
        maxima = cluster_maxima(raw, ts_recv, threshold, gap_s, instrument_id)
        if len(maxima) >= 30:
            break
    excess = np.sort(maxima - threshold)
    n = len(excess)
    if n == 0:
        return Tail(threshold, 0.0, 0.1, 1.0 / max(days, 1e-9), 0)
    if n < _FEW:
        excess = np.sort(raw[raw > threshold] - threshold)
    return Tail(threshold, *fit_excesses(excess, n), n / days, n)


def fit_excesses(excess: NDArray[np.float64], clusters: int | None = None) -> tuple[float, float]:
    """Shape and scale of sorted excesses; of fewer than 50 clusters the scale alone."""
    n = len(excess) if clusters is None else clusters
    mean = max(float(excess.mean()), 1e-6)
    if n >= 50:
        weighted = float((excess * (1 - (np.arange(1, n + 1) - 0.35) / n)).mean())
        gap = mean - 2 * weighted
        estimate = 2 - mean / gap if gap > 0 else 0.0
        if -0.5 <= estimate < 0.0:
            return estimate, 2 * mean * weighted / gap
    return 0.0, mean


def cluster_starts(ts_recv: NDArray[np.int64], gap_s: float, instrument_id: NDArray[np.uint32] | None = None) -> NDArray[np.intp]:
    """Places where a cluster begins: another instrument, or more than ``gap_s`` after the place before; rows by instrument, then time."""
    begins = np.diff(ts_recv) > gap_s * 1e9
    if instrument_id is not None:
        begins |= np.diff(instrument_id.astype(np.int64)) != 0
    return np.flatnonzero(np.r_[True, begins])


def cluster_maxima(
    raw: NDArray[np.float64], ts_recv: NDArray[np.int64], threshold: float, gap_s: float, instrument_id: NDArray[np.uint32] | None = None
) -> NDArray[np.float64]:
    """Largest value of each cluster of values above ``threshold``; rows by instrument, then time."""
    above = np.flatnonzero(raw > threshold)
    if len(above) == 0:
        return np.empty(0)
    return np.maximum.reduceat(raw[above], cluster_starts(ts_recv[above], gap_s, None if instrument_id is None else instrument_id[above]))


@dataclass(frozen=True, slots=True)
class ScoreMap:
    """Strictly increasing piecewise-linear map with an exponential end.

    Parameters
    ----------
    knots
        Raw values of calm minimum, calm median, r_E, r_H, r_C; they map to 0, .01, .05, .20, .95.
    tail
        What the last three came from.
    days
        Instrument-days of calm rows behind it.
    realised
        Events per instrument-day over r_E and r_H in the calibration rows themselves.
    """

    knots: tuple[float, ...]
    tail: Tail
    days: float
    realised: tuple[float, float]

    @property
    def provisional(self) -> bool:
        """True where there are fewer than 3.5 instrument-days behind it (24 h of 10 Hz rows are 3.7)."""
        return self.days < _ENOUGH_DAYS

    @classmethod
    def fit(
        cls,
        raw: NDArray[np.float64],
        ts_recv: NDArray[np.int64],
        config: AnomalyConfig,
        instrument_id: NDArray[np.uint32] | None = None,
        *,
        days: float | None = None,
    ) -> Self:
        """Fit on calm rows that the model was not fitted on, by instrument, then time; ``days`` where rows are thinner than ten a second.

        Raises
        ------
        ModelError
            If fewer than 200 rows are finite.
        """
        finite = np.isfinite(raw)
        raw, ts_recv = raw[finite], ts_recv[finite]
        ids = None if instrument_id is None else instrument_id[finite]
        if len(raw) < ENOUGH_ROWS:
            raise ModelError(f"{len(raw)} scored calm rows are too few to calibrate on; at least {ENOUGH_ROWS} are needed")
        days = len(raw) / ROWS_PER_DAY if days is None else days
        tail = fit_tail(raw, ts_recv, config.event_gap_s, ids, days=days)
        wanted = [float(raw.min()), float(np.median(raw)), *(tail.level(b) for b in (config.budget_elevated, config.budget_high, CRITICAL_BUDGET))]
        knots = [wanted[0]]
        for value in wanted[1:]:
            knots.append(max(value, knots[-1] + 1e-3))
        realised = tuple(len(cluster_maxima(raw, ts_recv, k, config.event_gap_s, ids)) / days for k in knots[2:4])
        return cls(tuple(knots), tail, days, (realised[0], realised[1]))

    def __call__(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores in [0, 1]; NaN stays NaN."""
        score = np.interp(raw, self.knots, _ANCHORS)
        over = raw > self.knots[4]
        with np.errstate(over="ignore", invalid="ignore"):
            end = 1.0 - 0.05 * np.exp(-(raw - self.knots[4]) / (self.knots[4] - self.knots[3]))
        return np.where(np.isnan(raw), np.nan, np.where(over, end, score))

    def at(self, factor: float, config: AnomalyConfig) -> ScoreMap:
        """The map of the same tail at ``factor`` times the budgets of ``config``."""
        wanted = [self.tail.level(b) for b in (config.budget_elevated * factor, config.budget_high * factor, CRITICAL_BUDGET)]
        knots = list(self.knots[:2])
        for value in wanted:
            knots.append(max(value, knots[-1] + 1e-3))
        return replace(self, knots=tuple(knots))

    @property
    def raw_high(self) -> float:
        """Raw value that stands for HIGH."""
        return self.knots[3]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        t = self.tail
        tail = {"threshold": t.threshold, "xi": t.xi, "sigma": t.sigma, "rate": t.rate, "clusters": t.clusters}
        return {"knots": list(self.knots), "tail": tail, "days": self.days, "realised_per_day": list(self.realised)}

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> Self:
        """Rebuild."""
        return cls(tuple(facts["knots"]), Tail(**facts["tail"]), facts["days"], (facts["realised_per_day"][0], facts["realised_per_day"][1]))
