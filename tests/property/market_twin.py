# SPDX-License-Identifier: Apache-2.0
"""Random order flow, and plain recounts of every feature from its raw events: the oracle of the native kernel."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade.domain import EVENT_DTYPE, EventFlag, EventKind, Side

NS: Final = 10**9
GRID: Final = NS // 10
START: Final = 1_767_706_200 * NS  # 6 January 2026, 13:30 UTC, continuous trading
TICK: Final = 250_000_000
INSTRUMENT: Final = 1
Levels = dict[int, int]


def random_flow(seed: int, seconds: int = 330, rate: float = 12.0) -> NDArray[Any]:
    """Orders, changes, fills and prints of a small uncrossed market; some on exact grid points, some in one venue event."""
    rng = np.random.default_rng(seed)
    ts = START + np.sort(rng.integers(1, seconds * NS, int(seconds * rate)))
    on_grid = rng.random(len(ts)) < 0.05
    ts[on_grid] = ts[on_grid] // GRID * GRID
    ts.sort()
    live: dict[int, list[int]] = {}
    out: list[tuple[int, ...]] = []
    centre = 19_200
    for i, at in enumerate(ts.tolist()):
        if rng.random() < 0.02:
            centre += int(rng.integers(-2, 3))
        out.extend(_venue_event(rng, at, i + 1, live, centre))
    events = np.zeros(len(out), EVENT_DTYPE)
    names = ("ts_event", "ts_recv", "kind", "side", "order_id", "price", "size", "flags")
    for name, column in zip(names, np.array(out, np.int64).T, strict=True):
        events[name] = column
    events["instrument_id"] = INSTRUMENT
    return events


def _venue_event(rng: np.random.Generator, ts: int, order_id: int, live: dict[int, list[int]], centre: int) -> list[tuple[int, ...]]:
    """One venue event as (ts_event, ts_recv, kind, side, order id, price, size, flags) records."""
    sent = ts - int(rng.integers(0, 200_000))
    draw = rng.random()
    if draw < 0.5 or len(live) < 30:
        side = int(rng.integers(1, 3))
        price = (centre - int(rng.geometric(0.3)) + 1 if side == Side.BID else centre + int(rng.geometric(0.3))) * TICK
        best = [o[1] for o in live.values() if o[0] != side]
        if best and (price >= min(best) if side == Side.BID else price <= max(best)):
            return []
        live[order_id] = [side, price, int(rng.integers(1, 9))]
        return [(sent, ts, EventKind.ADD, side, order_id, price, live[order_id][2], EventFlag.LAST)]
    known = int(rng.choice(list(live)))
    side, price, size = live[known]
    if draw < 0.75:
        part = size if rng.random() < 0.7 else int(rng.integers(1, size + 1))
        _take(live, known, part)
        return [(sent, ts, EventKind.CANCEL, side, known, price, part, EventFlag.LAST)]
    if draw < 0.85:
        live[known][2] = int(rng.integers(1, 9))
        return [(sent, ts, EventKind.MODIFY, side, known, price, live[known][2], EventFlag.LAST)]
    return _sweep(rng, ts, sent, live, side)


def _sweep(rng: np.random.Generator, ts: int, sent: int, live: dict[int, list[int]], side: int) -> list[tuple[int, ...]]:
    """A print that takes one or many of the best orders of ``side``; its fills as executions or as cancels a fill caused."""
    resting = sorted((o for o in live if live[o][0] == side), key=lambda o: -live[o][1] if side == Side.BID else live[o][1])
    taken = resting[: 1 + int(rng.random() < 0.4) * int(rng.integers(4, 12))][: len(resting) - 3]
    if not taken:
        return []
    aggressor = 3 - side if rng.random() < 0.9 else Side.NONE
    last_price = live[taken[-1]][1]
    fills = []
    total = 0
    by_cancel = rng.random() < 0.5
    for order in taken:
        size = live[order][2]
        kind, flag = (EventKind.CANCEL, EventFlag.CAUSED_BY_FILL) if by_cancel else (EventKind.EXECUTE, 0)
        fills.append((sent, ts, kind, side, order, live[order][1], size, flag))
        total += size
        _take(live, order, size)
    fills[-1] = (*fills[-1][:-1], fills[-1][-1] | EventFlag.LAST)
    return [(sent, ts, EventKind.TRADE, aggressor, 0, last_price, total, 0), *fills]


def _take(live: dict[int, list[int]], order: int, size: int) -> None:
    live[order][2] -= size
    if live[order][2] == 0:
        del live[order]


@dataclass
class Twin:
    """Everything that happened, as lists; features are recounted from them at any instant."""

    events: NDArray[Any]
    ends: list[tuple[int, Levels, Levels]] = field(default_factory=list)
    trades: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    counted: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        orders: dict[int, list[int]] = {}
        sign, last = 0, None
        for e in self.events:
            kind, ts, key, side, price, size = (int(e[n]) for n in ("kind", "ts_recv", "order_id", "side", "price", "size"))
            if kind == EventKind.TRADE:
                known = {Side.BID: 1, Side.ASK: -1}.get(Side(side))
                sign = known if known is not None else (int(np.sign(price - last)) if last is not None and price != last else sign)
                last = price
                self.trades.append((ts, sign, size, int(known is None), len(self.ends)))
            elif kind == EventKind.ADD:
                orders[key] = [side, price, size]
            elif kind == EventKind.MODIFY:
                orders[key][1:] = [price, size]
            else:
                orders[key][2] -= size
            if not int(e["flags"]) & EventFlag.CAUSED_BY_FILL:
                self.counted.append((ts, kind))
            if int(e["flags"]) & EventFlag.LAST:
                self.ends.append((ts, _levels(orders, Side.BID), _levels(orders, Side.ASK)))
        self.end_ts = np.array([e[0] for e in self.ends])
        self.quotes = [(ts, _best(b, Side.BID), _best(a, Side.ASK)) for ts, b, a in self.ends]

    def book(self, ts: int) -> tuple[Levels, Levels]:
        """Levels at ``ts``, best first."""
        at = int(np.searchsorted(self.end_ts, ts, side="right")) - 1
        return self.ends[at][1:] if at >= 0 else ({}, {})

    def mid(self, ts: int) -> float | None:
        """Mid in 1e-9, ``None`` where a side is empty."""
        bids, asks = self.book(ts)
        return (next(iter(bids)) + next(iter(asks))) / 2 if bids and asks else None

    def count(self, kind: EventKind, ts: int, window: int) -> int:
        """Records of a kind in (ts - window, ts], those a fill caused left out."""
        return sum(1 for at, k in self.counted if k == kind and ts - window < at <= ts)

    def flow(self, ts: int, window: int) -> tuple[int, int, int]:
        """Signed, total and inferred traded size in (ts - window, ts]."""
        inside = [t for t in self.trades if ts - window < t[0] <= ts]
        return sum(t[1] * t[2] for t in inside), sum(t[2] for t in inside), sum(t[2] * t[3] for t in inside)

    def quote_changes(self, ts: int, window: int) -> list[tuple[int, int]]:
        """(time, order-flow imbalance) of each change of the best quotes in (ts - window, ts]."""
        out = []
        before: tuple[Any, Any] = (None, None)
        for at, bid, ask in self.quotes:
            after = (bid, ask)
            if after != before and ts - window < at <= ts:
                out.append((at, _ofi(before, after)))
            before = after
        return out

    def spread(self, begin: int, ts: int) -> float | None:
        """Time-weighted spread over (begin, ts] in 1e-9, the one at ``ts`` where no time passed with two sides."""
        area = held = 0
        marks = [begin, *(int(t) for t in self.end_ts if begin < t <= ts), ts]
        for a, b in pairwise(marks):
            bids, asks = self.book(a)
            if bids and asks:
                area += (next(iter(asks)) - next(iter(bids))) * (b - a)
                held += b - a
        return area / held if held else None

    def shocks(self, side: Side) -> list[tuple[int, int, int]]:
        """(time, depth before, lowest depth in the next 50 ms) of each shock to a side."""
        out, window_end = [], -1
        depth = [sum(list((b if side == Side.BID else a).values())[:5]) for _, b, a in self.ends]
        for ts, sign, _, _, done in self.trades:
            if sign != (-1 if side == Side.BID else 1) or ts <= window_end:
                continue
            window_end = ts + 50_000_000
            before = depth[done - 1] if done else 0
            inside = [d for at, d in zip(self.end_ts[done:].tolist(), depth[done:], strict=True) if at <= window_end]
            if before > 0 and inside and before - min(inside) >= 0.25 * before:
                out.append((ts, before, min(inside)))
        return out

    def depth_at(self, side: Side, ts: int) -> int:
        """Five-level depth of a side at ``ts``."""
        return sum(list(self.book(ts)[0 if side == Side.BID else 1].values())[:5])

    def resilience(self, side: Side, ts: int) -> float | None:
        """EWMA (0.2) of the share of lost depth back after 1 s, over shocks known by ``ts``; ``None`` before the fifth."""
        share, n = 0.0, 0
        for at, before, after in self.shocks(side):
            if at + NS <= ts:
                back = (self.depth_at(side, at + NS) - after) / (before - after)
                share, n = (back if n == 0 else share + 0.2 * (back - share)), n + 1
        return share if n >= 5 else None

    def half_life(self, ts: int) -> float | None:
        """Lower median, s, of the last 20 half-lives known by ``ts``; ``None`` before the tenth."""
        lives = []
        for side in (Side.BID, Side.ASK):
            for at, before, after in self.shocks(side):
                since = self._half_back(side, at, before, after)
                life = min(since - at, 60 * NS)
                known = max(at + life, at + 50_000_001)
                if known <= ts:
                    lives.append((known, life))
        last = sorted(life for _, life in sorted(lives)[-20:])
        return last[(len(last) - 1) // 2] / NS if len(last) >= 10 else None

    def _half_back(self, side: Side, at: int, before: int, after: int) -> int:
        begun = None
        for end in self.end_ts[self.end_ts >= at].tolist():
            if end > at + 50_000_000 and begun is not None:
                break
            begun = (begun or end) if 2 * (self.depth_at(side, end) - after) >= before - after else None
        return at + 60 * NS if begun is None else begun


def _levels(orders: dict[int, list[int]], side: Side) -> Levels:
    sizes: Levels = {}
    for s, price, size in orders.values():
        if s == side and size > 0:
            sizes[price] = sizes.get(price, 0) + size
    return dict(sorted(sizes.items(), reverse=side == Side.BID))


def _best(levels: Levels, side: Side) -> tuple[int, int] | None:
    return next(iter(levels.items()), None)


def _ofi(before: tuple[Any, Any], after: tuple[Any, Any]) -> int:
    (b0, a0), (b1, a1) = before, after
    if None in (b0, a0, b1, a1):
        return 0
    bid = (b1[1] if b1[0] >= b0[0] else 0) - (b0[1] if b1[0] <= b0[0] else 0)
    ask = (a1[1] if a1[0] <= a0[0] else 0) - (a0[1] if a1[0] >= a0[0] else 0)
    return bid - ask
