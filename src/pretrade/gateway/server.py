# SPDX-License-Identifier: Apache-2.0
"""The gateway process: orders in over loopback TCP, decisions out, accepted orders on to the venue."""

from __future__ import annotations

import functools
import selectors
import sys
import time
from collections.abc import Callable
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from pretrade.bus.tcp import RecordListener, RecordSocket
from pretrade.domain import DECISION_DTYPE, EVENT_DTYPE, ORDER_DTYPE, EventKind, Verdict
from pretrade.domain.clock import Clock, RecordClock
from pretrade.domain.errors import GateError, JournalError
from pretrade.gateway.doubt import DoubtList
from pretrade.gateway.holds import HoldDesk, Resolved
from pretrade.gateway.metrics import Latencies

LOOK_NS: Final = 100_000_000
"""Longest time between two looks of the gate at its tables."""
DRAIN_NS: Final = 2_000_000_000
"""Longest time that a gateway which was told to stop goes on deciding what had been sent."""
QUIET_S: Final = 0.05


class DecidingGate(Protocol):
    """What the server needs of a gate."""

    def decide(self, orders: NDArray[np.void], now_mono: int, now_utc: int) -> NDArray[np.void]:
        """One decision per order."""
        ...

    def on_venue(self, messages: NDArray[np.void], now_mono: int, now_utc: int) -> int:
        """Venue answers change working quantities and positions."""
        ...

    def poll(self, now_mono: int, now_utc: int) -> None:
        """Look at the tables between orders: trips latch, replaced tables are opened, the status is published."""
        ...

    def due_cancels(self, now_mono: int, now_utc: int) -> bytes:
        """ORDER bytes of the cancels that a kill, a trip or a lost session calls for now (38, 40)."""
        ...

    def unconfirmed_cancels(self) -> list[tuple[int, int]]:
        """Orders whose cancel was asked for three times and is not confirmed."""
        ...

    def disconnect(self, session_id: int, now_mono: int) -> None:
        """The sender of a session is gone."""
        ...

    def reconnect(self, session_id: int) -> None:
        """The sender of a session is back."""
        ...

    @property
    def is_poisoned(self) -> bool:
        """A panic was caught: cancels pass, everything else is refused."""
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
    holds
        Brings what reviewers decide; ``None`` lets held orders wait for their time-out alone.
    doubt
        Orders of an earlier life; each leaves the list when the venue speaks about it.
    latencies
        Takes what each batch of decisions took, for ``/metrics``.

    Notes
    -----
    The gate looks at its tables whenever nothing arrives and at least every 100 ms, never between an order's arrival and its
    answer. With a :class:`RecordClock` time stands still between orders, so there is nothing to look at.
    """

    def __init__(
        self,
        gate: DecidingGate,
        clock: Clock,
        venue: RecordSocket | None = None,
        holds: HoldDesk | None = None,
        *,
        doubt: DoubtList | None = None,
        latencies: Latencies | None = None,
    ) -> None:
        self._gate = gate
        self._latencies = latencies or Latencies()
        self._doubt = doubt
        self._holds = holds
        self._senders: dict[tuple[int, int], RecordSocket] = {}
        self._clock = clock
        self._venue = venue
        self._listener = RecordListener(ORDER_DTYPE)
        self._clients: list[RecordSocket] = []
        self._selector = selectors.DefaultSelector()
        for source in (self._listener, venue):
            if source is not None:
                self._selector.register(source, selectors.EVENT_READ)
        self._looked = 0
        self.port = self._listener.port
        self.decided = 0
        self.problem: str | None = None
        self.unconfirmed: list[tuple[int, int]] = []
        self._sessions: dict[int, RecordSocket] = {}

    def run(self, is_stopped: Callable[[], bool]) -> None:
        """Serve until told to stop, then drain; a client that leaves is forgotten."""
        while not is_stopped():
            self.poll()
        self.drain()
        self.close()

    def drain(self, most_ns: int = DRAIN_NS) -> None:
        """No client comes in any more; what the others sent is decided and answered, until nobody says anything or the time is up."""
        self._selector.unregister(self._listener)
        end = time.monotonic_ns() + most_ns
        while time.monotonic_ns() < end and self.poll(QUIET_S):
            pass
        self._look()

    def poll(self, wait_s: float = LOOK_NS / 1e9) -> bool:
        """One round: new clients, the venue's answers, then orders: what the venue said before an order came is known to it.

        Returns
        -------
        bool
            False where nothing had come.
        """
        due_s = (self._looked + LOOK_NS - time.monotonic_ns()) / 1e9
        ready = {key.fileobj for key, _ in self._selector.select(max(0.0, min(wait_s, due_s)))}
        if self._listener in ready:
            self._welcome(self._listener.accept(0.0))
        self._hear_venue()
        for client in list(self._clients):
            if client in ready:
                self._serve(client)
        if not ready or time.monotonic_ns() - self._looked >= LOOK_NS:
            self._look()
        return bool(ready)

    def _welcome(self, client: RecordSocket | None) -> None:
        if client is not None:
            self._clients.append(client)
            self._selector.register(client, selectors.EVENT_READ)

    def _look(self) -> None:
        self._looked = time.monotonic_ns()
        if not isinstance(self._clock, RecordClock):
            self._guard(lambda: self._gate.poll(self._clock.mono(), self._clock.utc()))
            self._guard(self._end_waits)
            self._guard(self._cancel_due)

    def _cancel_due(self) -> None:
        """What must leave the venue is asked for; what will not is a human's to see."""
        due = np.frombuffer(self._gate.due_cancels(self._clock.mono(), self._clock.utc()), ORDER_DTYPE)
        if self._venue is not None and len(due) and not self._venue.is_closed:
            self._venue.send(due)
        unconfirmed = self._gate.unconfirmed_cancels()
        if set(unconfirmed) - set(self.unconfirmed):
            sys.stderr.write(f"pretrade: cancels asked for again and again and not confirmed: {', '.join(str(n) for n, _ in unconfirmed[:20])}\n")
        self.unconfirmed = unconfirmed

    def _end_waits(self) -> None:
        """What waits and is over goes to its sender, and on to the venue where it was accepted."""
        if self._holds is not None:
            for ended in self._holds.look(self._clock.mono(), self._clock.utc()):
                self._deliver(ended)

    def _deliver(self, ended: Resolved) -> None:
        if ended.order is not None and self._venue is not None:
            self._venue.send(ended.order)
        client = next((c for (number, _), c in self._senders.items() if number == int(ended.decision["client_order_id"][0])), None)
        if client is not None and not client.is_closed:
            client.send(ended.decision)

    def _forget(self, client: RecordSocket) -> None:
        """What a client left waiting is refused: it could not hear the answer (control 38)."""
        for session in [session for session, sender in self._sessions.items() if sender is client]:
            del self._sessions[session]
            self._guard(functools.partial(self._gate.disconnect, session, self._clock.mono()))
        for key in [key for key, sender in self._senders.items() if sender is client]:
            del self._senders[key]
            if self._holds is not None:
                self._guard(functools.partial(self._holds.leave, *key, self._clock.mono(), self._clock.utc()))

    def _guard(self, act: Callable[[], object]) -> None:
        """A gate that poisoned itself is still served: it passes cancels."""
        try:
            act()
        except GateError as e:
            if not self._gate.is_poisoned:
                raise
            if self.problem is None:
                sys.stderr.write(f"{e}\n")
            self.problem = str(e)

    def close(self) -> None:
        """Close all connections."""
        for connection in (*self._clients, self._venue):
            if connection is not None:
                connection.close()
        self._selector.close()
        self._listener.close()

    def _serve(self, client: RecordSocket) -> None:
        try:
            orders = client.receive()
            if len(orders):
                self._hear_venue()
                self._note_sessions(orders, client)
                decisions = self.decide(orders)
                held = orders[decisions["verdict"] == Verdict.HOLD]
                self._senders |= dict.fromkeys(zip(held["client_order_id"].tolist(), held["session_id"].tolist(), strict=True), client)
                client.send(decisions)
        except JournalError:
            client.is_closed = True
        if client.is_closed:
            self._selector.unregister(client)
            client.close()
            self._clients.remove(client)
            self._forget(client)

    def _note_sessions(self, orders: NDArray[np.void], client: RecordSocket) -> None:
        """A session is whose orders came last under it; one that was lost is back with its first order."""
        for session in set(orders["session_id"].tolist()):
            if self._sessions.get(session) is not client:
                self._sessions[session] = client
                self._guard(functools.partial(self._gate.reconnect, session))

    def decide(self, orders: NDArray[np.void]) -> NDArray[np.void]:
        """Decide orders in arrival order and pass on what was accepted.

        Returns
        -------
        ndarray of DECISION_DTYPE
            One per order; it is journalled before this returns.
        """
        start = time.perf_counter_ns()
        if isinstance(self._clock, RecordClock):
            decisions = np.concatenate([self._decide_at(orders[i : i + 1]) for i in range(len(orders))])
        else:
            decisions = self._gate.decide(orders, self._clock.mono(), self._clock.utc())
        self._latencies.observe(len(decisions), time.perf_counter_ns() - start)
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
        venue = self._venue
        if venue is None or venue not in self._selector.get_map():
            return
        messages = venue.receive()
        assert messages.dtype == EVENT_DTYPE
        own = messages[np.isin(messages["kind"], (EventKind.OWN_ORDER, EventKind.OWN_EXECUTION))]
        if len(own):
            self._guard(lambda: self._gate.on_venue(own, self._clock.mono(), self._clock.utc()))
            if self._doubt:
                self._doubt.hear(zip(own["order_id"].tolist(), own["sequence"].tolist(), strict=True))
        if venue.is_closed:
            self._selector.unregister(venue)
