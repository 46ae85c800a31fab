# SPDX-License-Identifier: Apache-2.0
"""What a gateway must hold after it was killed: recounted from the bytes of its journal, and of what the venue received and said.

Imports nothing of ours: places of the fields are those of ``schemas/`` and ``crates/gate/src/journal.rs``, written anew.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

PAGE, RECORD, PAYLOAD, ORDER, EVENT = 4_096, 256, 40, 64, 64
DECISION, VENUE = 2, 4
NEW, REPLACE, CANCEL = 1, 2, 3
ACCEPT = 1
ACKNOWLEDGED, FILLED, CANCELLED, REJECTED, REPLACED, REPLACE_REJECTED, POSITION = 1, 2, 3, 4, 5, 6, 8
BUY = 1
OWN_EXECUTION = 14
Key = tuple[int, int]


@dataclass
class Live:
    """An order that counts."""

    account: int
    instrument: int
    side: int
    quantity: int
    leaves: int
    pending: tuple[int, int] | None = None
    """Id and quantity of a replace that was not answered."""

    @property
    def counted(self) -> int:
        """The larger leaves while a replace is pending."""
        filled = self.quantity - self.leaves
        return self.leaves if self.pending is None else max(self.leaves, self.pending[1] - filled)


@dataclass
class Journal:
    """Fold of a gate journal, fed as it grows."""

    path: Path
    offset: int = PAGE
    decisions: dict[Key, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    """(verdict, reason) of every decision by (client order id, session)."""
    sent: set[int] = field(default_factory=set)
    """New orders and replaces that were accepted."""
    acknowledged: set[int] = field(default_factory=set)
    live: dict[int, Live] = field(default_factory=dict)
    position: dict[Key, int] = field(default_factory=lambda: defaultdict(int))

    def grow(self) -> None:
        """Take what was appended since."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            raw = file.read()
        whole = len(raw) // RECORD * RECORD
        self.offset += whole
        for start in range(0, whole, RECORD):
            kind, payload = raw[start + 32], raw[start + PAYLOAD : start + RECORD]
            if kind == DECISION:
                self._decide(payload)
            elif kind == VENUE:
                self._hear(payload)

    def _decide(self, raw: bytes) -> None:
        number, quantity = struct.unpack_from("<Q", raw, 0)[0], struct.unpack_from("<q", raw, 64)[0]
        instrument, _, account = struct.unpack_from("<III", raw, 88)
        verdict, reason, side, action = raw[108], raw[109], raw[115], raw[116]
        original, session = struct.unpack_from("<QI", raw, 128)
        self.decisions[(number, session)].append((verdict, reason))
        if verdict != ACCEPT or action == CANCEL:
            return
        self.sent.add(number)
        if action == NEW:
            self.live[number] = Live(account, instrument, side, quantity, quantity)
        else:
            self.live[original].pending = (number, quantity)

    def _find(self, number: int) -> tuple[int, Live] | None:
        if number in self.live:
            return number, self.live[number]
        return next(((own, order) for own, order in self.live.items() if order.pending is not None and order.pending[0] == number), None)

    def _hear(self, raw: bytes) -> None:
        number, _, quantity, _, _, _, instrument, account, kind, side = struct.unpack_from("<QQqqqIIIBB", raw)
        if kind == POSITION:
            self.position[(instrument, account)] = quantity
            return
        self.acknowledged.add(number)
        found = self._find(number)
        if found is None:
            if kind == FILLED and side:
                self.position[(instrument, account)] += quantity if side == BUY else -quantity
            return
        own, order = found
        if kind == FILLED:
            self.position[(order.instrument, order.account)] += quantity if order.side == BUY else -quantity
            order.leaves -= min(quantity, order.leaves)
            if order.leaves == 0 and order.pending is None:
                del self.live[own]
        elif kind == REPLACED and order.pending is not None:
            new_id, new_quantity = order.pending
            del self.live[own]
            leaves = max(0, new_quantity - (order.quantity - order.leaves))
            if leaves:
                self.live[new_id] = Live(order.account, order.instrument, order.side, new_quantity, leaves)
        elif kind in (REPLACE_REJECTED, REJECTED) and order.pending is not None and (kind == REPLACE_REJECTED or own != number):
            order.pending = None
            if order.leaves == 0:
                del self.live[own]
        elif kind in (CANCELLED, REJECTED) and own == number:
            del self.live[own]

    def exposure(self, instrument: int, account: int) -> tuple[int, int, int]:
        """Position, working buys and working sells."""
        mine = [o for o in self.live.values() if (o.instrument, o.account) == (instrument, account)]
        buy, sell = (sum(o.counted for o in mine if (o.side == BUY) == is_buy) for is_buy in (True, False))
        return self.position[(instrument, account)], buy, sell


@dataclass
class VenueBytes:
    """What the venue received and what it said, as bytes."""

    received: bytearray = field(default_factory=bytearray)
    said: bytearray = field(default_factory=bytearray)

    def orders(self) -> list[tuple[int, int]]:
        """(client order id, action) of everything that arrived whole, in order."""
        whole = len(self.received) // ORDER * ORDER
        return [(struct.unpack_from("<Q", self.received, i)[0], self.received[i + 47]) for i in range(0, whole, ORDER)]

    def positions(self) -> dict[Key, int]:
        """Signed position of every instrument and account, from executions alone."""
        held: dict[Key, int] = defaultdict(int)
        for i in range(0, len(self.said), EVENT):
            kind, side, instrument, size, account = _execution(self.said, i)
            if kind == OWN_EXECUTION:
                held[(instrument, account)] += size if side == BUY else -size
        return held


def _execution(raw: bytearray, at: int) -> tuple[int, int, int, int, int]:
    size, aux = struct.unpack_from("<q", raw, at + 32)[0], struct.unpack_from("<Q", raw, at + 48)[0]
    return raw[at + 60], raw[at + 61], struct.unpack_from("<I", raw, at + 56)[0], size, aux & 0xFFFF_FFFF
