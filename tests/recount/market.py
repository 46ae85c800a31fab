# SPDX-License-Identifier: Apache-2.0
"""What stood in the market at an instant, counted from plain messages."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

ROW_NS: Final = 100_000_000
SECOND: Final = 1_000_000_000
LEVELS: Final = 10


@dataclass(slots=True)
class Message:
    """One message of a file, as received at ``ts``.

    ``book`` replaces both sides, ``levels`` sets sizes (side 0 bid, 1 ask; 0 removes), ``trades`` counts prints; ``ends`` says that the
    book may be read after it.
    """

    ts: int
    key: str
    book: tuple[dict[int, int], dict[int, int]] | None = None
    levels: Sequence[tuple[int, int, int]] = ()
    trades: int = 0
    ends: bool = True


@dataclass(slots=True)
class Market:
    """One instrument's book, its prints of ten seconds, and its spread of the last moments."""

    sides: tuple[dict[int, int], dict[int, int]] = field(default_factory=lambda: ({}, {}))
    prints: deque[int] = field(default_factory=deque)
    spreads: deque[tuple[int, int | None]] = field(default_factory=lambda: deque([(0, None)]))

    def take(self, m: Message) -> None:
        """Apply a message."""
        if m.book is not None:
            self.sides = m.book
        for side, price, size in m.levels:
            if size:
                self.sides[side][price] = size
            else:
                self.sides[side].pop(price, None)
        self.prints.extend([m.ts] * m.trades)
        while self.prints and self.prints[0] <= m.ts - 11 * SECOND:
            self.prints.popleft()
        if m.ends and (m.book is not None or m.levels):
            bids, asks = self.sides
            spread = min(asks) - max(bids) if bids and asks else None
            self.spreads.append((m.ts, spread if spread is None or spread >= 0 else None))
            while len(self.spreads) > 1 and self.spreads[1][0] <= m.ts - 2 * ROW_NS:
                self.spreads.popleft()

    def at(self, ts: int) -> dict[str, float]:
        """Figures of the row that ends at ``ts``."""
        bids = [(p, self.sides[0][p]) for p in sorted(self.sides[0], reverse=True)[:LEVELS]]
        asks = [(p, self.sides[1][p]) for p in sorted(self.sides[1])[:LEVELS]]

        def share(n: int) -> float:
            b, a = (sum(size for _, size in side[:n]) for side in (bids, asks))
            return b / (b + a)

        out = {f"imbalance_l{n}": share(n) for n in (1, 5, 10)}
        out["depth_bid"], out["depth_ask"] = (float(sum(size for _, size in side)) for side in (bids, asks))
        for seconds in (1, 10):
            out[f"n_trade_{seconds}s"] = float(sum(ts - seconds * SECOND < t <= ts for t in self.prints))
        if bids and asks:
            now = asks[0][0] - bids[0][0]
            mid = (asks[0][0] + bids[0][0]) / 2
            out |= {"mid_price": mid / 1e9, "spread_now": float(now), "spread_mean": self._spread(ts, now)}
            out["spread_bps"] = out["spread_mean"] / mid * 1e4
        return out

    def _spread(self, ts: int, now: int) -> float:
        """Spread weighted by how long it stood in the row."""
        area = time = 0
        changes = [*self.spreads, (ts, None)]
        for (since, spread), (until, _) in pairwise(changes):
            held = min(until, ts) - max(since, ts - ROW_NS)
            if spread is not None and held > 0:
                area, time = area + spread * held, time + held
        return area / time if time else float(now)


def recount(messages: Iterable[Message], wanted: Iterable[tuple[int, str]]) -> Iterator[dict[str, float]]:
    """Figures at each wanted (row end, instrument), which come in rising order; a message of that very instant is in them."""
    markets: dict[str, Market] = {}
    left = iter(messages)
    ahead = next(left, None)
    for ts, key in wanted:
        while ahead is not None and ahead.ts <= ts:
            markets.setdefault(ahead.key, Market()).take(ahead)
            ahead = next(left, None)
        yield markets[key].at(ts)
