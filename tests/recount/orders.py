# SPDX-License-Identifier: Apache-2.0
"""Books of single orders, kept as plainly as can be: a dictionary a price, whose order is the queue."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Orders:
    """Two sides of price to queue (order id to size), and where each order stands."""

    sides: dict[int, dict[int, dict[int, int]]] = field(default_factory=lambda: {1: {}, 2: {}})
    place: dict[int, tuple[int, int]] = field(default_factory=dict)
    unknown: int = 0

    def add(self, order_id: int, side: int, price: int, size: int) -> None:
        """An order enters at the back."""
        self.sides[side].setdefault(price, {})[order_id] = size
        self.place[order_id] = (side, price)

    def take(self, order_id: int, size: int) -> None:
        """So much of an order leaves."""
        if order_id not in self.place:
            self.unknown += 1
            return
        side, price = self.place[order_id]
        queue = self.sides[side][price]
        queue[order_id] -= size
        if queue[order_id] <= 0:
            self._out(order_id)

    def modify(self, order_id: int, price: int, size: int) -> None:
        """A smaller size at its price keeps the place, everything else goes to the back."""
        if order_id not in self.place:
            self.unknown += 1
            return
        side, old = self.place[order_id]
        if price == old and size < self.sides[side][old][order_id]:
            self.sides[side][old][order_id] = size
            return
        self._out(order_id)
        self.add(order_id, side, price, size)

    def best(self) -> tuple[int | None, int | None]:
        """Best bid and best ask."""
        return max(self.sides[1], default=None), min(self.sides[2], default=None)

    def _out(self, order_id: int) -> None:
        side, price = self.place.pop(order_id)
        queue = self.sides[side][price]
        del queue[order_id]
        if not queue:
            del self.sides[side][price]
