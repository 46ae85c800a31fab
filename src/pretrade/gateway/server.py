# SPDX-License-Identifier: Apache-2.0
"""The gateway process: orders in over loopback TCP, decisions out, accepted orders on to the venue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pretrade.bus.tcp import RecordListener, RecordSocket
from pretrade.domain import DECISION_DTYPE, EVENT_DTYPE, ORDER_DTYPE, EventKind, Verdict
from pretrade.domain.clock import Clock, RecordClock
from pretrade.domain.errors import JournalError


class DecidingGate(Protocol):
    """What the server needs of a gate."""

    def decide(self, orders: NDArray[np.void], now_mono: int, now_utc: int) -> NDArray[np.void]:
        """One decision per order."""
        ...

    def on_venue(self, messages: NDArray[np.void], now_mono: int, now_utc: int) -> int:
        """Venue answers change working quantities and positions."""
        ...


class GatewayServer:
    """Serves one gate on one loopback port.

    Parameters
    ----------
    gate
        The gate; this server is its only user.
    clock
        Wall clock, or a :class:`RecordClock`, in which case each order is decided at its own ``ts_event``.
    venue
        Connection to the venue's order port; ``None`` keeps accepted orders here (shadow, replay).
    """

    def __init__(self, gate: DecidingGate, clock: Clock, venue: RecordSocket | None = None) -> None:
        self._gate = gate
        self._clock = clock
        self._venue = venue
        self._listener = RecordListener(ORDER_DTYPE)
        self._clients: list[RecordSocket] = []
        self.port = self._listener.port
        self.decided = 0

    def run(self, is_stopped: Callable[[], bool]) -> None:
        """Serve until told to stop; a client that leaves is forgotten."""
        while not is_stopped():
            self.poll()
        self.close()

    def poll(self, wait_s: float = 0.002) -> None:
        """One round: new clients, the venue's answers, then orders: what the venue said before an order came is known to it."""
        client = self._listener.accept(wait_s if not self._clients else 0.0)
        if client is not None:
            self._clients.append(client)
        self._hear_venue()
        for client in list(self._clients):
            self._serve(client, wait_s)

    def close(self) -> None:
        """Close all connections."""
        for client in self._clients:
            client.close()
        self._listener.close()

    def _serve(self, client: RecordSocket, wait_s: float) -> None:
        try:
            orders = client.receive(wait_s)
            if len(orders):
                self._hear_venue()
                client.send(self.decide(orders))
        except JournalError:
            client.is_closed = True
        if client.is_closed:
            client.close()
            self._clients.remove(client)

    def decide(self, orders: NDArray[np.void]) -> NDArray[np.void]:
        """Decide orders in arrival order and pass on what was accepted.

        Returns
        -------
        ndarray of DECISION_DTYPE
            One per order; it is journalled before this returns.
        """
        if isinstance(self._clock, RecordClock):
            decisions = np.concatenate([self._decide_at(orders[i : i + 1]) for i in range(len(orders))])
        else:
            decisions = self._gate.decide(orders, self._clock.mono(), self._clock.utc())
        self.decided += len(decisions)
        accepted = orders[decisions["verdict"] == Verdict.ACCEPT]
        if self._venue is not None and len(accepted):
            self._venue.send(accepted)
        assert decisions.dtype == DECISION_DTYPE
        return decisions

    def _decide_at(self, order: NDArray[np.void]) -> NDArray[np.void]:
        now = int(order["ts_event"][0])
        if isinstance(self._clock, RecordClock):
            self._clock.now = now
        return self._gate.decide(order, now, now)

    def _hear_venue(self) -> None:
        if self._venue is None or self._venue.is_closed:
            return
        messages = self._venue.receive()
        assert messages.dtype == EVENT_DTYPE
        own = messages[np.isin(messages["kind"], (EventKind.OWN_ORDER, EventKind.OWN_EXECUTION))]
        if len(own):
            self._gate.on_venue(own, self._clock.mono(), self._clock.utc())
