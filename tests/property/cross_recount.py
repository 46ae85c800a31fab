# SPDX-License-Identifier: Apache-2.0
"""Cross-asset columns counted again from raw touches, figures and scores: NumPy alone, nothing of ours is imported.

Sums are written out over the whole past with their weights; the kernel keeps running ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

NS: Final = 10**9
GRID: Final = NS // 10
STALE: Final = 5 * NS
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Tape:
    """One instrument: receive time, bid and ask (1e-9, NaN where the side is empty) after each venue event, in time order."""

    ts: NDArray[np.int64]
    bid: Floats
    ask: Floats

    def log_mid(self, at: NDArray[np.int64]) -> Floats:
        """Logarithm of the mid at instants, NaN where a side is empty, the book is crossed, or nothing was heard for five seconds."""
        place = np.searchsorted(self.ts, at, side="right") - 1
        known = place >= 0
        place = np.maximum(place, 0)
        bid, ask = self.bid[place], self.ask[place]
        usable = known & (bid <= ask) & (at - self.ts[place] <= STALE)
        return np.where(usable, np.log(np.where(usable, bid + ask, 1.0)), np.nan)

    def age_ms(self, at: int) -> float:
        """Time since the last venue event."""
        return (at - int(self.ts[np.searchsorted(self.ts, at, side="right") - 1])) / 1e6


def moments(own: Floats, factor: Floats, half_life: float) -> tuple[float, float, float, int]:
    """Weighted sums of squares and products over the seconds where both are known, and how many there were."""
    seen = np.isfinite(own) & np.isfinite(factor)
    x, f = own[seen], factor[seen]
    weight = 0.5 ** (np.arange(len(x))[::-1] / half_life)
    return float(np.sum(weight * x * x)), float(np.sum(weight * f * f)), float(np.sum(weight * x * f)), len(x)


def mean_of_others(i: int, of: Floats) -> Floats:
    """Mean of the defined columns but ``i``, shape of one column."""
    others = np.delete(of, i, axis=1)
    n = np.isfinite(others).sum(axis=1)
    return np.where(n > 0, np.nansum(others, axis=1) / np.maximum(n, 1), np.nan)


def columns(tapes: Sequence[Tape], factor: int | None, leader: int, ts_first: int, at: int) -> list[dict[str, float]]:
    """Every cross-asset column of each instrument at grid instant ``at``; NaN where undefined."""
    grid = np.arange(ts_first, at + 1, GRID)
    logs = np.column_stack([tape.log_mid(grid) for tape in tapes])
    second = np.flatnonzero(grid % NS == 0)
    second = second[second >= 10]
    returns = logs[second] - logs[second - 10]
    now = logs[-1:] - logs[-11:-10]
    out = []
    for i in range(len(tapes)):
        own_factor = factor is None or factor == i
        f_all = mean_of_others(i, returns) if own_factor else returns[:, factor or 0]
        f_now = float((mean_of_others(i, now) if own_factor else now[:, factor or 0])[0])
        s_own, s_factor, s_both, n = moments(returns[:, i], f_all, 300.0)
        # The last whole second that lies a full second back: the loading known when this second began.
        before = grid[second] <= (at // NS - 1) * NS
        *_, lag_factor, lag_both, lag_n = (*moments(returns[before, i], f_all[before], 300.0),)
        beta = lag_both / lag_factor if lag_n >= 60 else np.nan
        out.append(
            {
                "factor_return_1s": 100 * f_now,
                "residual_return_1s": 100 * (float(now[0, i]) - beta * f_now),
                "beta_5m": s_both / s_factor if n >= 60 else np.nan,
                "corr_5m": s_both / np.sqrt(s_own * s_factor) if n >= 60 else np.nan,
                "leader_return": np.nan if i == leader else 100 * leader_return(logs[:, i], logs[:, leader]),
                "factor_age_ms": _age(i, tapes, factor, now, at),
            }
        )
    return out


def _age(i: int, tapes: Sequence[Tape], factor: int | None, now: Floats, at: int) -> float:
    if factor is not None and factor != i:
        return tapes[factor].age_ms(at)
    return max((tapes[j].age_ms(at) for j in range(len(tapes)) if j != i and np.isfinite(now[0, j])), default=np.nan)


def leader_return(own: Floats, leader: Floats) -> float:
    """The leader's one-second log return that ended as many rows ago as it leads."""
    r, lead = np.diff(own), np.diff(leader)
    rows = [t for t in range(20, len(r)) if np.isfinite(r[t]) and np.isfinite(lead[t - 20 : t + 1]).all()]
    if len(rows) < 600:
        return float("nan")
    weight = 0.5 ** (np.arange(len(rows))[::-1] / 3_000.0)
    products = [abs(float(sum(w * r[t] * lead[t - k] for w, t in zip(weight, rows, strict=True)))) for k in range(21)]
    lag = int(np.argmax(products))
    return float(leader[-1 - lag] - leader[-11 - lag])


def ratio(near: NDArray[Any], far: NDArray[Any], at: int) -> float:
    """Near over far figure, rows of (receipt, publication, value): the last received of each, five days old at most, twelve hours apart at most."""
    last = [rows[rows[:, 0] <= at][-1:] for rows in (near, far)]
    if any(len(rows) == 0 or at - int(rows[0, 0]) > 5 * 86_400 * NS for rows in last):
        return float("nan")
    (_, t_near, v_near), (_, t_far, v_far) = (rows[0].tolist() for rows in last)
    return v_near / v_far if abs(t_near - t_far) <= 12 * 3_600 * NS else float("nan")


def sentiment(ts: NDArray[np.int64], score: Floats, at: int) -> float:
    """Sum of the scores received so far, each halved every five minutes; NaN before the first."""
    heard = ts <= at
    return float(np.sum(score[heard] * 0.5 ** ((at - ts[heard]) / (300 * NS)))) if heard.any() else float("nan")


def news_surge(ts: NDArray[np.int64], items: NDArray[np.int64], at: int) -> float:
    """Items of the last five minutes over their usual number at this time of day: the lower median over the last 5 to 20 days.

    A day's number is the lower median over the whole seconds of the same five minutes of the UTC day, once anything was heard.
    """

    def count(t: int) -> int:
        return int(items[(ts > t - 300 * NS) & (ts <= t)].sum())

    begin = at // (300 * NS) * 300 * NS
    usual = []
    for day in range(1, 40):
        seconds = [t for t in range(begin - day * 86_400 * NS, begin - day * 86_400 * NS + 300 * NS, NS) if t >= ts[0]]
        if seconds:
            usual.append(sorted(count(t) for t in seconds)[(len(seconds) - 1) // 2])
    last = sorted(usual[:20])
    if len(last) < 5 or last[(len(last) - 1) // 2] <= 0:
        return float("nan")
    return count(at) / last[(len(last) - 1) // 2]
