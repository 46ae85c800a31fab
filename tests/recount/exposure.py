# SPDX-License-Identifier: Apache-2.0
"""Exposure, counters and realised profit of an account and the firm, recounted from the bytes of a gate journal.

Imports nothing of ours: the places of the fields are read from ``schemas/``, the rules are those of the sheet written anew.
"""

from __future__ import annotations

import json
import struct
from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

SCHEMAS: Final = Path(__file__).resolve().parents[2] / "schemas"
PAGE, RECORD, PAYLOAD = 4_096, 256, 40
DECISION, VENUE = 2, 4
NEW, REPLACE, CANCEL = 1, 2, 3
FILLED, CANCELLED, REJECTED, REPLACED, REPLACE_REJECTED, POSITION = 2, 3, 4, 5, 6, 8
BUY, MARKET, ACCEPT = 1, 1, 1
COUNTED: Final = ("value", "quantity", "orders", "cancels", "trades")
_CODES: Final = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q", "i32": "i", "i64": "q", "f32": "f"}


def fields(name: str, raw: bytes) -> dict[str, Any]:
    """The fields of one record by name."""
    schema = json.loads((SCHEMAS / f"{name}.json").read_text())
    plain = [f for f in schema["fields"] if f["type"] in _CODES]
    return {f["name"]: struct.unpack_from("<" + _CODES[f["type"]], raw, f["offset"])[0] for f in plain}


@dataclass
class Live:
    """An order that works."""

    account: int
    side: int
    price: int
    quantity: int
    leaves: int
    pending: tuple[int, int, int] | None = None
    """Id, price and quantity of a replace that was not answered."""

    def value(self, per_lot_tick: Fraction) -> int:
        """Larger leaves at the worse price while a replace is pending."""
        counted, price = self.leaves, self.price
        if self.pending is not None:
            counted = max(counted, self.pending[2] - (self.quantity - self.leaves))
            price = max(price, self.pending[1])
        return _up(Fraction(counted * price) * per_lot_tick)


@dataclass
class Held:
    """A position at average cost."""

    position: int = 0
    cost: Fraction = Fraction(0)
    realised: Fraction = Fraction(0)

    def fill(self, signed: int, price: Fraction) -> None:
        """Closes what is open at its average cost, opens the rest."""
        closed = min(abs(signed), abs(self.position)) if signed * self.position < 0 else 0
        if closed:
            average, direction = self.cost / self.position, 1 if self.position > 0 else -1
            self.realised += (price - average) * closed * direction
            self.cost -= average * closed * direction
            self.position -= closed * direction
            signed += closed * direction
        self.position += signed
        self.cost += price * signed


@dataclass
class Recount:
    """What the journal adds up to, per account; one instrument."""

    held: dict[int, Held] = field(default_factory=lambda: defaultdict(Held))
    live: dict[int, Live] = field(default_factory=dict)
    day: dict[int, dict[str, int]] = field(default_factory=lambda: defaultdict(lambda: dict.fromkeys(COUNTED, 0)))

    def working(self, account: int, side: int, per_lot_tick: Fraction) -> int:
        """Value of what an account works on one side."""
        return sum(o.value(per_lot_tick) for o in self.live.values() if o.account == account and o.side == side)


def _up(value: Fraction) -> int:
    return -((-value.numerator) // value.denominator)


def recount(journal: Path, per_lot_tick: Fraction) -> Recount:
    """Fold of every decision and venue message on disk; ``per_lot_tick`` is money of one lot per 1e-9 of price."""
    raw, state = journal.read_bytes()[PAGE:], Recount()
    for start in range(0, len(raw) - RECORD + 1, RECORD):
        record = raw[start : start + RECORD]
        kind, payload = record[32], record[PAYLOAD:]
        if kind == DECISION:
            decision = fields("decision", payload)
            if decision["verdict"] == ACCEPT:
                original = struct.unpack_from("<Q", payload, 128)[0]
                _decide(state, decision, original, payload[144], struct.unpack_from("<qq", payload, 152), per_lot_tick)
        elif kind == VENUE:
            _hear(state, struct.unpack_from("<QQqqqIIIBB", payload), per_lot_tick)
    return state


def _decide(state: Recount, d: dict[str, Any], original: int, order_type: int, touches: tuple[int, int], per_lot_tick: Fraction) -> None:
    if d["action"] == CANCEL:
        named = _find(state, original)
        if named is not None:
            state.day[named[1].account]["cancels"] += 1
        return
    day, price = state.day[d["account_id"]], d["price"]
    if order_type == MARKET:
        price = touches[1] if d["side"] == BUY else touches[0]
    day["orders"] += 1
    if d["action"] == NEW:
        order = Live(d["account_id"], d["side"], price, d["quantity"], d["quantity"])
        state.live[d["client_order_id"]] = order
        day["value"] += order.value(per_lot_tick)
        day["quantity"] += d["quantity"]
    else:
        order = state.live[original]
        before = order.value(per_lot_tick)
        day["quantity"] += max(0, d["quantity"] - (order.quantity - order.leaves) - order.leaves)
        order.pending = (d["client_order_id"], price, d["quantity"])
        day["value"] += max(0, order.value(per_lot_tick) - before)


def _find(state: Recount, order_id: int) -> tuple[int, Live] | None:
    for own, order in state.live.items():
        if own == order_id or (order.pending is not None and order.pending[0] == order_id):
            return own, order
    return None


def _hear(state: Recount, message: tuple[int, ...], per_lot_tick: Fraction) -> None:
    order_id, original, quantity, price, _, _, _, account, kind, _ = message
    if kind == POSITION:
        held = state.held[account]
        held.fill(quantity - held.position, price * per_lot_tick)
        return
    found = _find(state, original if kind in (REPLACED, REPLACE_REJECTED) and original else order_id)
    if found is None:
        return
    own, order = found
    if kind == FILLED:
        state.day[order.account]["trades"] += 1
        state.held[order.account].fill(quantity if order.side == BUY else -quantity, (price or order.price) * per_lot_tick)
        order.leaves -= min(quantity, order.leaves)
        if order.leaves == 0 and order.pending is None:
            del state.live[own]
    elif kind == REPLACED and order.pending is not None:
        new_id, new_price, new_quantity = order.pending
        del state.live[own]
        leaves = max(0, new_quantity - (order.quantity - order.leaves))
        if leaves:
            state.live[new_id] = Live(order.account, order.side, new_price, new_quantity, leaves)
    elif kind == REPLACE_REJECTED and order.pending is not None:
        order.pending = None
        if order.leaves == 0:
            del state.live[own]
    elif kind in (CANCELLED, REJECTED) and own == order_id:
        del state.live[own]
