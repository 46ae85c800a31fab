# SPDX-License-Identifier: Apache-2.0
"""The venue process: the simulated exchange at its own pace, market data and orders over loopback TCP."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from pretrade.bus.tcp import RecordListener, RecordSocket
from pretrade.domain import EVENT_DTYPE, ORDER_DTYPE, EventFlag, EventKind, VenueKind
from pretrade.domain.clock import Clock
from pretrade.domain.errors import JournalError, SimulationError
from pretrade.simulation.market import INSTRUMENT_ID

_WARM_STEP_NS: Final = 10_000_000_000
_POLL_S: Final = 0.002


class PacedSimulator(Protocol):
    """What the server needs of a simulator."""

    def run_until(self, ts: int) -> NDArray[np.void]:
        """Events up to an instant, nanoseconds UTC."""
        ...

    def submit(self, orders: NDArray[np.void], owner: int) -> NDArray[np.void]:
        """Enter an owner's orders now; what it has not been told yet, as OWN_ORDER and OWN_EXECUTION events."""
        ...

    def reports(self, owner: int) -> NDArray[np.void]:
        """What an owner has not been told yet."""
        ...

    def withdraw(self, owner: int) -> int:
        """Cancel what an owner that is gone left working."""
        ...

    def position(self, account_id: int, instrument_id: int) -> int:
        """Signed position of an account."""
        ...


class VenueServer:
    """Streams one simulated run to one market-data client: what is past at once, the rest on the clock.

    Parameters
    ----------
    simulator
        The simulated exchange.
    accounts
        Whose positions an order session is told when it connects.

    Notes
    -----
    Each order session is an owner of its own: it alone hears of its orders, and they are cancelled when it goes.
    """

    def __init__(self, simulator: PacedSimulator, accounts: Sequence[int] = ()) -> None:
        self._simulator = simulator
        self._accounts = tuple(accounts)
        self._feed: RecordSocket | None = None
        self._data = RecordListener(EVENT_DTYPE)
        self._orders = RecordListener(ORDER_DTYPE)
        self._sessions: dict[int, RecordSocket] = {}
        self._owners = 0

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
                self._tell()
                at = now
            time.sleep(_POLL_S)
        return sent

    def close(self) -> None:
        """Close every connection."""
        for session in self._sessions.values():
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

    def _tell(self) -> None:
        for owner in list(self._sessions):
            self._say(owner, self._simulator.reports(owner))

    def _say(self, owner: int, events: NDArray[np.void]) -> None:
        session = self._sessions[owner]
        try:
            self._send(session, events)
        except JournalError:
            self._forget(owner)

    def _forget(self, owner: int) -> None:
        """Nobody hears of these orders any more, so none may stay."""
        self._sessions.pop(owner).close()
        self._simulator.withdraw(owner)

    def _serve_orders(self) -> None:
        session = self._orders.accept(0.0)
        if session is not None:
            self._owners += 1
            self._sessions[self._owners] = session
            self._say(self._owners, self._positions())
        for owner, known in list(self._sessions.items()):
            try:
                orders = known.receive()
                if len(orders):
                    known.send(self._simulator.submit(orders, owner))
            except JournalError:
                known.is_closed = True
            if known.is_closed:
                self._forget(owner)

    def _positions(self) -> NDArray[np.void]:
        """What each account holds now, flat ones too."""
        events = np.zeros(len(self._accounts), EVENT_DTYPE)
        events["kind"], events["instrument_id"] = EventKind.OWN_ORDER, INSTRUMENT_ID
        events["aux"], events["flags"] = self._accounts, VenueKind.POSITION << 8 | EventFlag.LAST
        events["size"] = [self._simulator.position(account, INSTRUMENT_ID) for account in self._accounts]
        return events
