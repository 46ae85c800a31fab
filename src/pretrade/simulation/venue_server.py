# SPDX-License-Identifier: Apache-2.0
"""The venue process: the simulated exchange at its own pace, market data as records over loopback TCP, orders over FIX."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from pretrade.bus.tcp import RecordListener, RecordSocket
from pretrade.domain import EVENT_DTYPE
from pretrade.domain.clock import Clock
from pretrade.domain.errors import SimulationError
from pretrade.simulation.fix_orders import FixOrders, OrderBook

_WARM_STEP_NS: Final = 10_000_000_000
_POLL_S: Final = 0.002


class PacedSimulator(OrderBook, Protocol):
    """What the server needs of a simulator."""

    def run_until(self, ts: int) -> NDArray[np.void]:
        """Events up to an instant, nanoseconds UTC."""
        ...


class VenueServer:
    """Streams one simulated run to one market-data client: what is past at once, the rest on the clock.

    Parameters
    ----------
    simulator
        The simulated exchange.
    gateways
        CompIDs that may send orders.
    symbols
        Instrument ids by symbol.
    """

    def __init__(self, simulator: PacedSimulator, gateways: Sequence[str] = (), symbols: Mapping[str, int] | None = None) -> None:
        self._simulator = simulator
        self._feed: RecordSocket | None = None
        self._data = RecordListener(EVENT_DTYPE)
        self.orders = FixOrders(simulator, gateways, symbols or {})

    def announce(self, path: Path) -> None:
        """Write the two ports to a JSON file that appears whole."""
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps({"data_port": self._data.port, "fix_port": self.orders.port}))
        temporary.rename(path)

    def warm_up(self, ts_first: int, ts_paced: int, is_stopped: Callable[[], bool], *, wait_s: float = 60.0) -> int:
        """Send what lies between two instants as fast as the client takes it.

        Returns
        -------
        int
            Events sent.

        Raises
        ------
        SimulationError
            If no market-data client comes within ``wait_s``.
        """
        self._feed = self._data.accept(wait_s)
        if self._feed is None:
            raise SimulationError(f"no market-data client within {wait_s:g} s")
        sent = 0
        at = ts_first
        while at < ts_paced and not is_stopped():
            self.orders.serve()
            at = min(at + _WARM_STEP_NS, ts_paced)
            sent += self._send(self._feed, self._simulator.run_until(at))
        return sent

    def run(self, ts_paced: int, ts_end: int, clock: Clock, is_stopped: Callable[[], bool]) -> int:
        """Serve market data and orders on the clock, whose UTC is the simulated day's, until ``ts_end`` or until told to stop.

        Returns
        -------
        int
            Events sent.
        """
        if self._feed is None:
            raise SimulationError("the venue has no market-data client; warm_up waits for one")
        sent = 0
        at = ts_paced
        while at < ts_end and not is_stopped():
            self.orders.serve()
            now = min(clock.utc(), ts_end)
            if now > at:
                sent += self._send(self._feed, self._simulator.run_until(now))
                self.orders.tell()
                at = now
            time.sleep(_POLL_S)
        return sent

    def close(self) -> None:
        """Close every connection."""
        self.orders.close()
        if self._feed is not None:
            self._feed.close()
        self._data.close()

    @staticmethod
    def _send(feed: RecordSocket, events: NDArray[np.void]) -> int:
        if len(events):
            feed.send(events)
        return len(events)
