# SPDX-License-Identifier: Apache-2.0
"""The firm: a maker, a momentum strategy with a stop-loss and an execution strategy, whose orders reach the market through the gate alone.

What each does is simple and fixed, so that arms differ by their limits and by nothing else. Strategies look twice a second (humans and slow
algorithms); they see the touch and their own fills.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade.domain import ORDER_DTYPE, Action, EventKind, OrderType, ReasonCode, Side, TimeInForce, VenueKind, Verdict
from pretrade.simulation.market import INSTRUMENT_ID, TICK_SIZE

ACCOUNT: Final = 1
MAKER, MOMENTUM, EXECUTION = 1, 2, 3
LOOKS_EVERY_NS: Final = 500_000_000
FIRST_LOOK_S: Final = -60.0

_QUOTE: Final = 20
_INVENTORY: Final = 200
_STEP_BACK_TICKS: Final = 6
_STEP_BACK_NS: Final = 5_000_000_000
_POSITION: Final = 300
_ENTRY_CLIP: Final = 30
_STOP_LOSS: Final = 0.003
_PARENT: Final = 1_200
_SLICE: Final = 2
_BLOCK: Final = 100
_BLOCK_EVERY_NS: Final = 20_000_000_000
_CHASE_FROM: Final = 0.004
_CHASE_CLIP: Final = 200
_CHASE_EVERY_NS: Final = 2_000_000_000
_THROUGH_TICKS: Final = 20
_MOST_WORKING_NS: Final = 10_000_000_000
_AFTER_REFUSAL_NS: Final = 10_000_000_000

OPENING_POSITION: Final = _PARENT
"""Lots of the client's parent order, held at the start and to be sold."""


@dataclass(frozen=True, slots=True)
class View:
    """What a strategy sees: the touch in 1e-9, and the time in nanoseconds UTC."""

    now: int
    since_s: float
    bid: int
    ask: int

    @property
    def mid(self) -> float:
        """Middle of the touch, 1e-9."""
        return (self.bid + self.ask) / 2


@dataclass(slots=True)
class _Working:
    strategy: int
    side: int
    price: int
    leaves: int
    since: int


@dataclass(slots=True)
class Firm:
    """Strategies, what they have working, what they hold."""

    position: dict[int, int] = field(default_factory=lambda: {MAKER: 0, MOMENTUM: 0, EXECUTION: OPENING_POSITION})
    cash: int = 0
    sold: list[tuple[int, int]] = field(default_factory=list)
    _working: dict[int, _Working] = field(default_factory=dict)
    _next_id: int = 0
    _quiet_until: dict[tuple[int, int], int] = field(default_factory=dict)
    _back_until: dict[int, int] = field(default_factory=lambda: {int(Side.BID): 0, int(Side.ASK): 0})
    _entry: float = 0.0
    _arrival: float = 0.0
    _is_stopping: bool = False
    _next_block: int = 0
    _next_chase: int = 0

    def act(self, view: View) -> NDArray[Any]:
        """Orders of this look, ORDER_DTYPE: cancels first."""
        self._arrival = self._arrival or view.mid
        wanted = [*self._make(view), *self._follow(view), *self._execute(view)]
        # A refusal goes to a human; the strategy tries again after a while.
        allowed = [o for o in wanted if view.now >= self._quiet_until.get((o[_STRATEGY], o[_SIDE]), 0)]
        orders = [*self._cancels(view), *allowed]
        return np.array(orders, ORDER_DTYPE) if orders else np.empty(0, ORDER_DTYPE)

    def sent(self, orders: NDArray[Any], decisions: NDArray[Any], now: int) -> None:
        """Take what the gate said: accepted orders work, refused quotes step back."""
        for order, decision in zip(orders, decisions, strict=True):
            if decision["verdict"] == Verdict.ACCEPT:
                if order["action"] == Action.NEW:
                    of = (int(order["strategy_id"]), int(order["side"]), int(order["price"]), int(order["quantity"]), now)
                    self._working[int(order["client_order_id"])] = _Working(*of)
            elif decision["reason"] == ReasonCode.PRICE_INSIDE_STANDOFF:
                self._back_until[int(order["side"])] = now + _STEP_BACK_NS
            elif order["action"] == Action.NEW:
                self._quiet_until[int(order["strategy_id"]), int(order["side"])] = now + _AFTER_REFUSAL_NS

    def told(self, messages: NDArray[Any]) -> None:
        """Take the venue's answers, EVENT_DTYPE."""
        for m in messages:
            number = int(m["order_id"])
            known = self._working.get(number)
            if int(m["kind"]) == EventKind.OWN_EXECUTION:
                self._filled(known, int(m["aux"]) >> 32, int(m["side"]), int(m["price"]), int(m["size"]), int(m["ts_event"]))
                if known is not None and known.leaves <= 0:
                    self._working.pop(number, None)
            elif int(m["flags"]) >> 8 in (VenueKind.CANCELLED, VenueKind.REJECTED):
                self._working.pop(number, None)

    def value(self, mid: float) -> int:
        """Cash and position at a mid price, in 1e-9 price units times lots."""
        return self.cash + round(sum(self.position.values()) * mid)

    def _filled(self, known: _Working | None, strategy: int, side: int, price: int, size: int, ts: int) -> None:
        signed = size if side == Side.BID else -size
        self.position[strategy] = self.position.get(strategy, 0) + signed
        self.cash -= signed * price
        if known is not None:
            known.leaves -= size
        if signed < 0:
            self.sold.append((ts, size))

    def _order(self, view: View, strategy: int, side: Side, price: int, quantity: int, tif: TimeInForce) -> tuple[Any, ...]:
        self._next_id += 1
        return _order(self._next_id, view.now, strategy, side, price, quantity, tif)

    def _cancels(self, view: View) -> list[tuple[Any, ...]]:
        """Quotes that left the touch, and whatever works too long."""
        out = []
        for number, w in self._working.items():
            touch = view.bid if w.side == Side.BID else view.ask
            is_stray = w.strategy == MAKER and abs(w.price - touch) > (_STEP_BACK_TICKS + 1) * TICK_SIZE
            if is_stray or view.now - w.since >= _MOST_WORKING_NS:
                self._next_id += 1
                out.append(_cancel(self._next_id, number, view.now, w))
        return out

    def _make(self, view: View) -> list[tuple[Any, ...]]:
        """A quote a side at the touch, or behind it after a refusal, while the inventory leaves room."""
        out = []
        for side, sign in ((Side.BID, 1), (Side.ASK, -1)):
            quoted = any(w.strategy == MAKER and w.side == side for w in self._working.values())
            if quoted or sign * self.position[MAKER] >= _INVENTORY:
                continue
            back = _STEP_BACK_TICKS * TICK_SIZE if view.now < self._back_until[int(side)] else 0
            price = view.bid - back if side == Side.BID else view.ask + back
            out.append(self._order(view, MAKER, side, price, _QUOTE, TimeInForce.DAY))
        return out

    def _follow(self, view: View) -> list[tuple[Any, ...]]:
        """Buys before the onset, and sells everything at once when the price has fallen by the stop-loss."""
        held = self.position[MOMENTUM]
        if not self._is_stopping and view.since_s < 0 and held < _POSITION:
            self._entry = view.mid
            return [self._order(view, MOMENTUM, Side.BID, view.ask, min(_ENTRY_CLIP, _POSITION - held), TimeInForce.IOC)]
        self._is_stopping = self._is_stopping or (self._entry > 0 and view.mid <= self._entry * (1 - _STOP_LOSS))
        if self._is_stopping and held > 0:
            return [self._order(view, MOMENTUM, Side.ASK, view.bid - _THROUGH_TICKS * TICK_SIZE, held, TimeInForce.IOC)]
        return []

    def _execute(self, view: View) -> list[tuple[Any, ...]]:
        """Sells a parent in small slices and a resting block now and then; chases with large clips once the price runs away."""
        left = self.position[EXECUTION]
        if left <= 0:
            return []
        if view.mid <= self._arrival * (1 - _CHASE_FROM):
            if view.now < self._next_chase:
                return []
            self._next_chase = view.now + _CHASE_EVERY_NS
            return [self._order(view, EXECUTION, Side.ASK, view.bid - _THROUGH_TICKS * TICK_SIZE, min(_CHASE_CLIP, left), TimeInForce.IOC)]
        out = [self._order(view, EXECUTION, Side.ASK, view.bid, min(_SLICE, left), TimeInForce.IOC)]
        if view.now >= self._next_block and left > _BLOCK:
            self._next_block = view.now + _BLOCK_EVERY_NS
            out.append(self._order(view, EXECUTION, Side.ASK, view.ask, _BLOCK, TimeInForce.DAY))
        return out


def _order(number: int, now: int, strategy: int, side: int, price: int, quantity: int, tif: TimeInForce) -> tuple[Any, ...]:
    values = {
        "client_order_id": number,
        "ts_event": now,
        "price": price,
        "quantity": quantity,
        "instrument_id": INSTRUMENT_ID,
        "strategy_id": strategy,
        "account_id": ACCOUNT,
        "side": side,
        "order_type": OrderType.LIMIT,
        "time_in_force": tif,
        "action": Action.NEW,
    }
    return tuple(values.get(name, 0) for name in _FIELDS)


def _cancel(number: int, original: int, now: int, working: _Working) -> tuple[Any, ...]:
    values = {
        "client_order_id": number,
        "original_client_order_id": original,
        "ts_event": now,
        "instrument_id": INSTRUMENT_ID,
        "strategy_id": working.strategy,
        "account_id": ACCOUNT,
        "side": working.side,
        "action": Action.CANCEL,
    }
    return tuple(values.get(name, 0) for name in _FIELDS)


_FIELDS: Final = ORDER_DTYPE.names or ()
_STRATEGY: Final = _FIELDS.index("strategy_id")
_SIDE: Final = _FIELDS.index("side")
