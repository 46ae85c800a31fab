# SPDX-License-Identifier: Apache-2.0
"""What was true of the market at each row, and of each order. Never part of what a model sees."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade.domain import Side
from pretrade.features import Features

THIN: Final = 0.5
EMPTY: Final = 0.1
FALL: Final = 0.01
AMPLIFIES: Final = 0.1
_HOLD_ROWS: Final = 10
_RECOVERY_ROWS: Final = 100
_BASE_ROWS: Final = 3_000
_PRICE_ROWS: Final = 3_000
_TREND_ROWS: Final = 100
_CALM_SPREAD: Final = 2.0

COLUMNS: Final = ("depth_bid", "depth_ask", "spread_now_ticks", "mid_price")


class MarketState(IntEnum):
    """State of the market at a row."""

    NORMAL = 0
    STRESSED = 1
    CRITICAL = 2


class Extreme:
    """Greatest (``sign`` 1) or least (-1) of the last ``length`` values."""

    def __init__(self, length: int, sign: int) -> None:
        self._length, self._sign, self._n = length, sign, 0
        self._kept: deque[tuple[int, float]] = deque()

    def append(self, value: float) -> None:
        """Take the next value."""
        while self._kept and (self._kept[-1][1] - value) * self._sign <= 0:
            self._kept.pop()
        self._kept.append((self._n, value))
        self._n += 1
        if self._kept[0][0] <= self._n - 1 - self._length:
            self._kept.popleft()

    @property
    def value(self) -> float:
        """The extreme; there must have been a value since the last :meth:`clear`."""
        return self._kept[0][1]

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()


@dataclass(slots=True)
class Truth:
    """Follows the market row by row.

    Notes
    -----
    Depth is that of the thinner side, ten levels, against its median over the five minutes before the onset. STRESSED: below half of
    it for a second. CRITICAL: from the point of no return (below a tenth for a second, or 1 % away from the highest or lowest mid of the last five
    minutes) until depth is back to half and the spread at two ticks for ten seconds. Without a base (no row before the onset) nothing is
    stressed.
    """

    ts_onset: int
    state: MarketState = MarketState.NORMAL
    states: list[int] = field(default_factory=list)
    ts: list[int] = field(default_factory=list)
    ts_no_return: int | None = None
    ts_recovered: int | None = None
    _base: tuple[float, float] | None = None
    _before: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=_BASE_ROWS))
    _mids: deque[float] = field(default_factory=lambda: deque(maxlen=_PRICE_ROWS))
    _highest: Extreme = field(default_factory=lambda: Extreme(_PRICE_ROWS, 1))
    _lowest: Extreme = field(default_factory=lambda: Extreme(_PRICE_ROWS, -1))
    _thin: int = 0
    _empty: int = 0
    _sound: int = 0
    _depth: tuple[float, float] = (np.nan, np.nan)

    def take(self, rows: Features) -> None:
        """Take rows in time order."""
        for ts, (bid, ask, spread, mid) in zip(rows.ts_recv.tolist(), rows.matrix(COLUMNS).tolist(), strict=True):
            self._take(ts, bid, ask, spread, mid)

    def _take(self, ts: int, bid: float, ask: float, spread: float, mid: float) -> None:
        self._depth = (bid, ask)
        if ts <= self.ts_onset:
            if bid == bid and ask == ask:
                self._before.append((bid, ask))
        elif self._base is None and self._before:
            median = np.median(np.array(self._before), axis=0)
            self._base = (float(median[0]), float(median[1]))
        if mid == mid:
            self._mids.append(mid)
            self._highest.append(mid)
            self._lowest.append(mid)
        ratio = 1.0 if self._base is None else min(_or_zero(bid) / self._base[0], _or_zero(ask) / self._base[1])
        self._thin = self._thin + 1 if ratio < THIN else 0
        self._empty = self._empty + 1 if ratio < EMPTY else 0
        self._sound = self._sound + 1 if ratio >= THIN and spread <= _CALM_SPREAD else 0
        self.state = self._next(ts, mid)
        self.states.append(self.state)
        self.ts.append(ts)

    def _next(self, ts: int, mid: float) -> MarketState:
        moved = bool(self._mids) and mid == mid and (mid <= self._highest.value * (1 - FALL) or mid >= self._lowest.value * (1 + FALL))
        if self.state == MarketState.CRITICAL:
            if self._sound < _RECOVERY_ROWS:
                return MarketState.CRITICAL
            self.ts_recovered = ts
            # What moved before the recovery is no new reason.
            self._mids.clear()
            self._highest.clear()
            self._lowest.clear()
            return MarketState.NORMAL
        if ts > self.ts_onset and (moved or self._empty >= _HOLD_ROWS):
            self.ts_no_return = self.ts_no_return or ts
            return MarketState.CRITICAL
        return MarketState.STRESSED if self._thin >= _HOLD_ROWS else MarketState.NORMAL

    def would_amplify(self, order: np.void, bid: int, ask: int) -> bool:
        """True of an aggressive order that goes with the move while the market is stressed or critical, and is a tenth of the depth it meets."""
        if self.state == MarketState.NORMAL or len(self._mids) < 2:
            return False
        past = self._mids[max(0, len(self._mids) - _TREND_ROWS)]
        is_sell = int(order["side"]) == Side.ASK
        is_with_move = self._mids[-1] < past if is_sell else self._mids[-1] > past
        is_aggressive = int(order["price"]) <= bid if is_sell else int(order["price"]) >= ask
        met = self._depth[0] if is_sell else self._depth[1]
        return is_with_move and is_aggressive and int(order["quantity"]) >= AMPLIFIES * _or_zero(met)

    def at(self, times: Sequence[int]) -> NDArray[np.int64]:
        """State that stood at each instant, shape ``(n,)``."""
        where = np.searchsorted(np.array(self.ts, np.int64), np.array(times, np.int64), side="right") - 1
        states: NDArray[Any] = np.array([*self.states, int(MarketState.NORMAL)], np.int64)
        return states[np.where(where < 0, len(self.states), where)]


def _or_zero(value: float) -> float:
    """Depth of an empty side is nothing."""
    return value if value == value else 0.0
