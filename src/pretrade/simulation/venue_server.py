# SPDX-License-Identifier: Apache-2.0
"""The venue process: the simulated exchange at its own pace, market data and orders over loopback TCP."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from pretrade.bus.tcp import RecordListener, RecordSocket
from pretrade.domain import EVENT_DTYPE, ORDER_DTYPE
from pretrade.domain.clock import Clock
from pretrade.domain.errors import JournalError, SimulationError

_WARM_STEP_NS: Final = 10_000_000_000
_POLL_S: Final = 0.002


class PacedSimulator(Protocol):
    """What the server needs of a simulator."""

    def run_until(self, ts: int) -> NDArray[np.void]:
        """Events up to an instant, nanoseconds UTC."""
        ...

    def submit(self, orders: NDArray[np.void]) -> NDArray[np.void]:
        """Enter outside orders now; their reports are OWN_ORDER and OWN_EXECUTION events."""
        ...

    def reports(self) -> NDArray[np.void]:
        """Fills of outside orders that rested, since the last call."""
        ...


class VenueServer:
    """Streams one simulated run to one market-data client: what is past at once, the rest on the clock.

    Parameters
    ----------
    simulator
        The simulated exchange.
    """

    def __init__(self, simulator: PacedSimulator) -> None:
        self._simulator = simulator
        self._feed: RecordSocket | None = None
        self._data = RecordListener(EVENT_DTYPE)
        self._orders = RecordListener(ORDER_DTYPE)
        self._sessions: list[RecordSocket] = []

    def announce(self, path: Path) -> None:
        """Write the two ports to a JSON file that appears whole."""
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps({"data_port": self._data.port, "order_port": self._orders.port}))
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
            self._serve_orders()
            now = min(clock.utc(), ts_end)
            if now > at:
                sent += self._send(self._feed, self._simulator.run_until(now))
                self._tell(self._simulator.reports())
                at = now
            time.sleep(_POLL_S)
        return sent

    def close(self) -> None:
        """Close every connection."""
        for session in self._sessions:
            session.close()
        if self._feed is not None:
            self._feed.close()
        self._data.close()
        self._orders.close()

    @staticmethod
    def _send(feed: RecordSocket, events: NDArray[np.void]) -> int:
        if len(events):
            feed.send(events)
        return len(events)

    def _tell(self, reports: NDArray[np.void]) -> None:
        """Every order session hears of every passive fill; a gateway leaves out orders that are not its own."""
        for session in self._sessions:
            if len(reports) and not session.is_closed:
                try:
                    session.send(reports)
                except JournalError:
                    session.is_closed = True

    def _serve_orders(self) -> None:
        session = self._orders.accept(0.0)
        if session is not None:
            self._sessions.append(session)
        for session in list(self._sessions):
            try:
                orders = session.receive()
                if len(orders):
                    session.send(self._simulator.submit(orders))
            except JournalError:
                session.is_closed = True
            if session.is_closed:
                session.close()
                self._sessions.remove(session)
