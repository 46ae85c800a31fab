# SPDX-License-Identifier: Apache-2.0
"""A recording of single orders laid into the simulated exchange's engine: the book it keeps, and what it would have traded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade._native import simulation as _native
from pretrade.domain import EVENT_DTYPE, Side
from pretrade.domain.errors import SimulationError

Share = tuple[int, int]
"""Order id and lots."""
_MOST_TICKS: Final = 1 << 22


@dataclass(frozen=True, slots=True)
class Auction:
    """What an auction gives.

    Parameters
    ----------
    price
        The one price, 1e-9.
    volume
        Lots traded.
    imbalance
        Lots left over at that price, above 0 where more is bought than sold.
    shares
        Resting orders that trade, buyers first, each side by price and time.
    """

    price: int
    volume: int
    imbalance: int
    shares: tuple[Share, ...]


class OrderReplay:
    """The engine's book of one instrument under the venue's own order ids.

    Recorded fills change nothing: the cancel or modify that follows one does, as in the recording. A modify to a smaller size at the same
    price keeps its place; any other, an unchanged one too, loses it.

    Parameters
    ----------
    tick_size
        In 1e-9.
    lowest, highest
        Prices the ladder spans, 1e-9.

    Raises
    ------
    SimulationError
        If the span is empty or holds more than four million ticks.
    """

    def __init__(self, *, tick_size: int, lowest: int, highest: int) -> None:
        ticks = (highest - lowest) // tick_size + 1 if tick_size > 0 else 0
        if not 0 < ticks <= _MOST_TICKS:
            raise SimulationError(f"a ladder from {lowest} to {highest} in steps of {tick_size} has {ticks} ticks; it must have 1 to {_MOST_TICKS}")
        self._native = _native.OrderReplay(tick_size, lowest // tick_size, ticks)

    def push(self, events: NDArray[Any]) -> None:
        """Take recorded events, EVENT_DTYPE, in order."""
        if events.dtype != EVENT_DTYPE:
            raise SimulationError(f"events have dtype {events.dtype}; it must be EVENT_DTYPE")
        self._native.push(np.ascontiguousarray(events).tobytes())

    def book(self, side: Side) -> list[tuple[int, list[Share]]]:
        """Levels from the best on: price and its orders, oldest first."""
        return self._native.book(int(side))

    def queue(self, side: Side, price: int) -> list[Share]:
        """Orders at one price, oldest first."""
        return self._native.queue(int(side), price)

    def touch(self) -> tuple[int | None, int | None]:
        """Best bid and best ask."""
        return self._native.touch()

    def __len__(self) -> int:
        """Orders that rest."""
        return self._native.orders()

    @property
    def faults(self) -> tuple[int, int]:
        """Events that named an order nobody had added, and orders off the grid or the ladder."""
        return self._native.faults()

    def would_fill(self, side: Side, quantity: int) -> list[Share]:
        """Whom an aggressor would trade with now, in that order; the book stays as it is."""
        return self._native.would_fill(int(side), quantity)

    def would_uncross(self, *, reference: int, market_buys: int = 0, market_sells: int = 0) -> Auction | None:
        """What an auction would give now, ``None`` where nothing would trade; of prices as good the one nearest ``reference``."""
        found = self._native.would_uncross(market_buys, market_sells, reference)
        return None if found is None else Auction(*found[:3], tuple(found[3]))
