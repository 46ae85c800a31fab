# SPDX-License-Identifier: Apache-2.0
"""How sure the thresholds are: block bootstrap of the tail, and the rate on later calm rows that did not set them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade.domain.config import AnomalyConfig
from pretrade.models.score_map import ENOUGH_ROWS, ROWS_PER_DAY, ScoreMap, Tail, cluster_maxima, cluster_starts, fit_excesses

REPLICATES: Final = 500
HOUR_NS: Final = 3_600_000_000_000
DAY_NS: Final = 24 * HOUR_NS
ENOUGH_BLOCKS: Final = 5
LATER_SHARE: Final = 0.3
_Z: Final = 1.959964
_Values = NDArray[np.float64]
_Times = NDArray[np.int64]
_Ids = NDArray[np.uint32]


def tail_intervals(raw: _Values, ts_recv: _Times, instrument_id: _Ids, score_map: ScoreMap, config: AnomalyConfig, *, seed: int) -> dict[str, Any]:
    """95 % intervals of the thresholds and of what they let through, by resampling blocks of calm time.

    Parameters
    ----------
    raw, ts_recv, instrument_id
        The calibration rows, by instrument, then time.
    score_map
        Fitted on them.
    config
        Budgets.
    seed
        Of the resampling.

    Returns
    -------
    dict
        ``block`` (``day``, or ``hour`` where there are fewer than five days), ``blocks``, and for ``elevated`` and ``high`` the
        interval ``raw`` of the threshold and ``events_per_day`` of the rate that the threshold in use then has. Empty below five blocks.

    Notes
    -----
    The peak threshold stays; clusters are drawn with their block, so that dependence within a block is kept (Politis, Romano 1994).
    """
    tail = score_map.tail
    block_ns, name = (DAY_NS, "day") if len(np.unique(ts_recv // DAY_NS)) >= ENOUGH_BLOCKS else (HOUR_NS, "hour")
    blocks, rows = np.unique(ts_recv // block_ns, return_counts=True)
    if len(blocks) < ENOUGH_BLOCKS:
        return {}
    above = np.flatnonzero(raw > tail.threshold)
    starts = cluster_starts(ts_recv[above], config.event_gap_s, instrument_id[above])
    excess = np.maximum.reduceat(raw[above], starts) - tail.threshold
    members = np.searchsorted(blocks, ts_recv[above][starts] // block_ns)
    by_block = [excess[members == b] for b in range(len(blocks))]
    rng = np.random.default_rng(seed)
    used = {"elevated": (score_map.knots[2], config.budget_elevated), "high": (score_map.knots[3], config.budget_high)}
    found: dict[str, list[tuple[float, float]]] = {word: [] for word in used}
    for _ in range(REPLICATES):
        drawn = rng.integers(0, len(blocks), len(blocks))
        again = np.sort(np.concatenate([by_block[b] for b in drawn]))
        if len(again) == 0:
            continue
        xi, sigma = fit_excesses(again)
        other = Tail(tail.threshold, xi, sigma, len(again) / (rows[drawn].sum() / ROWS_PER_DAY), len(again))
        for word, (cut, budget) in used.items():
            found[word].append((other.level(budget), other.rate_over(cut)))
    out: dict[str, Any] = {"block": name, "blocks": len(blocks)}
    for word, pairs in found.items():
        low, high = np.quantile(np.array(pairs), (0.025, 0.975), axis=0).tolist()
        out[word] = {"raw": [low[0], high[0]], "events_per_day": [low[1], high[1]]}
    return out


def later_rates(raw: _Values, ts_recv: _Times, instrument_id: _Ids, config: AnomalyConfig) -> dict[str, Any]:
    """Set the thresholds on the earlier calibration rows only and count events in the later ones, which they did not see.

    Returns
    -------
    dict
        Empty where there are too few rows; else ``days`` counted and, for ``elevated`` and ``high``, ``events``, ``per_day`` and its
        95 % Poisson interval (Byar's).
    """
    cut = int(np.quantile(ts_recv, 1 - LATER_SHARE))
    early, late = ts_recv <= cut, ts_recv > cut + config.event_gap_s * 1e9
    if early.sum() < ENOUGH_ROWS or not late.any():
        return {}
    score_map = ScoreMap.fit(raw[early], ts_recv[early], config, instrument_id[early])
    days = float(late.sum() / ROWS_PER_DAY)
    out: dict[str, Any] = {"days": days}
    for word, knot in (("elevated", score_map.knots[2]), ("high", score_map.knots[3])):
        n = len(cluster_maxima(raw[late], ts_recv[late], knot, config.event_gap_s, instrument_id[late]))
        low, high = poisson_interval(n)
        out[word] = {"events": n, "per_day": n / days, "interval_per_day": [low / days, high / days]}
    return out


def poisson_interval(events: int) -> tuple[float, float]:
    """95 % interval of the mean of a Poisson count (Byar's approximation; exact at 0 to a few per cent)."""
    low = events * (1 - 1 / (9 * events) - _Z / (3 * events**0.5)) ** 3 if events else 0.0
    above = events + 1
    return low, above * (1 - 1 / (9 * above) + _Z / (3 * above**0.5)) ** 3
