# SPDX-License-Identifier: Apache-2.0
"""The 14:30 story as numbers: when the market fell, when the tiers rose, what each gate said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade.domain import Action, OrderType, Side, Tier, TimeInForce, Verdict
from pretrade.domain.errors import SimulationError
from pretrade.gateway import decision_as_dict

PROBE_QUANTITY: Final = 200
PROBE_TICKS_ABOVE_ASK: Final = 20
PROBE_EVERY_NS: Final = 500_000_000
PROBE_FROM_NS: Final = 10_000_000_000
_MEDIAN_ROWS: Final = 10


@dataclass(frozen=True, slots=True)
class Fall:
    """How far and when the 1 s median mid price fell from its value at the seller's start."""

    ts_minus_1pct: int | None
    ts_minus_2pct: int | None
    low_pct: float


def fall(ts_recv: NDArray[np.int64], mid_price: NDArray[np.float64], ts_start: int) -> Fall:
    """First instants at which the 1 s causal median of the mid price is 1 % and 2 % below its value at ``ts_start``.

    Parameters
    ----------
    ts_recv
        Row times on the 100 ms grid, nanoseconds UTC, shape ``(n,)``.
    mid_price
        Mid price, shape ``(n,)``; NaN where a side is empty.
    ts_start
        When the seller starts.

    Raises
    ------
    SimulationError
        If no sound mid price is known at ``ts_start``.
    """
    median = _rolling_median(mid_price, _MEDIAN_ROWS)
    before = median[(ts_recv <= ts_start) & np.isfinite(median)]
    if len(before) == 0:
        raise SimulationError(f"no mid price is known at the seller's start {ts_start}")
    after = (ts_recv > ts_start) & np.isfinite(median)
    change = median[after] / before[-1] - 1.0
    ts = ts_recv[after]

    def first(level: float) -> int | None:
        below = np.flatnonzero(change <= level)
        return int(ts[below[0]]) if len(below) else None

    return Fall(first(-0.01), first(-0.02), float(100.0 * change.min()) if len(change) else 0.0)


def _rolling_median(values: NDArray[np.float64], rows: int) -> NDArray[np.float64]:
    padded = np.concatenate([np.full(rows - 1, np.nan), values])
    windows = np.lib.stride_tricks.sliding_window_view(padded, rows)
    out = np.full(len(values), np.nan)
    known = np.isfinite(windows).any(axis=1)
    out[known] = np.nanmedian(windows[known], axis=1)
    return out


def probe_orders(ts: Sequence[int], ask_price: Sequence[int], *, instrument_id: int, tick_size: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Build the 200-lot IOC sells, priced 20 ticks above the ask so that an accepted one cannot trade."""
    orders = np.zeros(len(ts), dtype)
    orders["client_order_id"] = np.arange(1, len(ts) + 1)
    orders["ts_event"] = ts
    orders["price"] = np.asarray(ask_price, np.int64) + PROBE_TICKS_ABOVE_ASK * tick_size
    orders["quantity"] = PROBE_QUANTITY
    orders["instrument_id"] = instrument_id
    orders["strategy_id"] = 1
    orders["account_id"] = 1
    orders["side"] = Side.ASK
    orders["order_type"] = OrderType.LIMIT
    orders["time_in_force"] = TimeInForce.IOC
    orders["action"] = Action.NEW
    return orders


def first_refused(dynamic: NDArray[Any], static: NDArray[Any]) -> dict[str, Any]:
    """The first 200-lot order the dynamic gate refuses, beside what the static gate said of the same order.

    Raises
    ------
    SimulationError
        If the two gates were not asked the same orders, or no order was sent.
    """
    if len(dynamic) == 0 or not np.array_equal(dynamic["client_order_id"], static["client_order_id"]):
        raise SimulationError(f"the two gates decided {len(dynamic)} and {len(static)} orders; they must decide the same ones")
    refused = np.flatnonzero(dynamic["verdict"] == Verdict.REJECT)
    at = int(refused[0]) if len(refused) else len(dynamic) - 1
    return {"dynamic": decision_as_dict(dynamic[at]), "static": decision_as_dict(static[at])}


def first_tier(changes: Sequence[Mapping[str, Any]], tier: Tier, ts_start: int) -> int | None:
    """When the tier first stood at ``tier`` or above from ``ts_start`` on; ``ts_start`` itself where it already did."""
    standing = Tier.NORMAL
    for change in changes:
        if change["ts_recv"] > ts_start:
            break
        standing = Tier[change["to"]]
    if standing >= tier:
        return ts_start
    for change in changes:
        if change["ts_recv"] >= ts_start and Tier[change["to"]] >= tier:
            return int(change["ts_recv"])
    return None
