# SPDX-License-Identifier: Apache-2.0
"""Orders of made-up firms without a mistake, with what an injector must know beside them, and their rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade.models import desk, mistakes
from pretrade.models.order_error import order_rows

DAY_NS: Final = 86_400 * 10**9
_MINUTE_NS: Final = 60 * 10**9
_LOT: Final = 100


@dataclass(frozen=True, slots=True)
class Flow:
    """Good orders of one firm or market in their order of arrival."""

    name: str
    orders: NDArray[Any]
    hints: NDArray[Any]
    sizes: dict[str, int]
    """``instruments``, ``traders`` and ``strategies`` of the directory."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Features of orders, and what they are."""

    x: NDArray[np.float32]
    """Shape ``(n, 24)``."""
    kind: NDArray[np.int8]
    """Place in :data:`pretrade.models.mistakes.NAMES`."""
    ts: NDArray[np.int64]
    """Arrival, nanoseconds UTC."""
    trader: NDArray[np.int64]
    event: NDArray[np.int64]
    """Number of the mistake, -1 = none."""

    def __getitem__(self, key: NDArray[Any]) -> Rows:
        """Rows by mask or index."""
        return Rows(self.x[key], self.kind[key], self.ts[key], self.trader[key], self.event[key])

    def __len__(self) -> int:
        return len(self.x)

    @property
    def is_error(self) -> NDArray[np.bool_]:
        """Whether each order is a mistake."""
        return self.kind > 0

    @classmethod
    def concat(cls, parts: list[Rows]) -> Rows:
        """Rows of several flows one after the other."""
        columns = {name: np.concatenate([getattr(p, name) for p in parts]) for name in ("x", "kind", "ts", "trader", "event")}
        return cls(**columns)


def desk_flow(seed: int, *, orders: int, days: int) -> Flow:
    """Good orders of a made-up firm; another seed is another firm, with other traders and instruments."""
    rng = np.random.default_rng([seed, 1])
    market = desk._Market(rng, days)
    traders = desk._Traders(rng, market)
    who = rng.choice(desk.TRADERS, size=orders, p=traders.share)
    what, when = traders.instruments(rng, who), traders.times(rng, who, days)
    order = np.argsort(when, kind="stable")
    who, what, when = who[order], what[order], when[order]
    made = desk._draw(rng, market, traders, who, what, when)
    made["mono"] = made["utc"] - desk._FIRST_DAY_NS
    made["notional"] = made["quantity"] / 1 * (np.abs(made["price"]) / made["tick_size"]) * market.value[what]
    hints = np.zeros(orders, mistakes.HINTS)
    ago = rng.integers(10, 240, orders) * _MINUTE_NS
    hints["stale_price"] = market.mid[what, market.at(when - ago)] * 1e9
    other = traders.instruments(rng, who)
    other = np.where(other == what, (what + rng.integers(1, desk.INSTRUMENTS, orders)) % desk.INSTRUMENTS, other)
    hints["other_price"] = market.mid[other, market.at(when)] * 1e9
    hints["other_trader"] = (who + rng.integers(1, desk.TRADERS, orders)) % desk.TRADERS
    hints["lot"] = _LOT
    return Flow(f"desk-{seed}", made, hints, {"instruments": desk.INSTRUMENTS, "traders": desk.TRADERS, "strategies": desk.STRATEGIES})


def good_rows(flow: Flow) -> Rows:
    """Rows of a flow without any mistake."""
    n = len(flow.orders)
    x = order_rows(flow.orders, np.ones(n, np.bool_), **flow.sizes)
    return Rows(x, np.zeros(n, np.int8), flow.orders["utc"].copy(), flow.orders["trader"].astype(np.int64), np.full(n, -1))


def bad_rows(flow: Flow, *, share: float, seed: int, kinds: tuple[str, ...] = (*mistakes.KINDS, *mistakes.CASES)) -> Rows:
    """Rows of the mistakes alone, one drawn from each mistake that was sent again.

    Notes
    -----
    The good orders around them are scored in :func:`good_rows`, in a stream without mistakes: at the prevalence of real desks
    a loop does not stand beside every good order.
    """
    rng = np.random.default_rng([seed, 2])
    spoiled = mistakes.inject(rng, flow.orders, flow.hints, mistakes.draw(rng, len(flow.orders), share, kinds))
    x = order_rows(spoiled.orders, spoiled.is_accepted, **flow.sizes)
    at = np.flatnonzero(spoiled.kind > 0)
    at = rng.permutation(at)
    at = np.sort(at[np.unique(spoiled.event[at], return_index=True)[1]])
    return Rows(x[at], spoiled.kind[at], spoiled.orders["utc"][at], spoiled.orders["trader"][at].astype(np.int64), spoiled.event[at])
