# SPDX-License-Identifier: Apache-2.0
"""HOLD at a gateway: what waits is shown in a file, and what persons decide is read from the control journal.

Reads the control journal (durable before anything acts on it) and the gate. Gives decisions and the orders to send. Decides
nothing: the gate runs every control again, and refuses a release that lacks a second person.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from pretrade.audit import ControlJournal, Entry
from pretrade.domain import DECISION_DTYPE, ORDER_DTYPE, ReasonCode, Side
from pretrade.domain.errors import ControlError
from pretrade.gateway.reviewers import Reviewers
from pretrade.limits import RunDirectory

_REMEMBERED: Final = 100
"""Actions whose outcome the file still tells."""
NOT_INDEPENDENT: Final = "NOT_INDEPENDENT"
"""Outcome of a release by whoever trades the order or owns its algorithm: it still waits."""
Ended = tuple[str, bytes | None, bytes | None]


class HoldingGate(Protocol):
    """What this needs of a gate."""

    def holds(self) -> list[tuple[bytes, bytes, int, bool]]:
        """Orders that wait."""
        ...

    def release_hold(
        self, client_order_id: int, session_id: int, quantity: int | None, reviewed: tuple[int, int, int], now_mono: int, now_utc: int, /
    ) -> Ended:
        """Release one."""
        ...

    def refuse_hold(self, client_order_id: int, session_id: int, reviewed: tuple[int, int, int] | None, now_mono: int, now_utc: int, /) -> Ended:
        """Refuse one."""
        ...

    def take_resolved(self) -> bytes:
        """Waits that ended by themselves."""
        ...


@dataclass(frozen=True, slots=True)
class Resolved:
    """The end of one wait."""

    decision: NDArray[np.void]
    """One DECISION record."""
    order: NDArray[np.void] | None
    """The order to send, where it was accepted."""


class HoldDesk:
    """Brings what persons decided to one gate.

    Parameters
    ----------
    gate
        The gate.
    run
        Its run directory.
    gateway_id
        Which gateway it is; actions for others are theirs.
    """

    def __init__(self, gate: HoldingGate, run: RunDirectory, gateway_id: int = 0) -> None:
        self._gate = gate
        self._journal = ControlJournal(run.control_journal)
        self._path = run.holds(gateway_id)
        self._gateway_id = gateway_id
        self._outcomes: dict[int, str] = {}
        self._shown = ""
        self._is_first = True
        self._reviewers = Reviewers()

    def look(self, now_mono: int, now_utc: int) -> list[Resolved]:
        """Apply what was decided since the last look, and show what waits.

        Raises
        ------
        JournalError
            If the control journal is corrupt.
        """
        ended = [Resolved(record, None) for record in _records(self._gate.take_resolved(), DECISION_DTYPE)]
        entries, is_first, self._is_first = self._journal.read_new(), self._is_first, False
        for entry in entries:
            if entry.action == "configure":
                self._reviewers.learn(entry.fields)
            if entry.action == "decide_hold" and int(entry.fields["gateway"]) == self._gateway_id:
                # What is read while the gate runs was said of what waits now. What an earlier life left may be about an older order.
                ended += self._act(entry, entry.ts if is_first else max(entry.ts, now_utc), now_mono, now_utc)
        self._show()
        return ended

    def leave(self, client_order_id: int, session_id: int, now_mono: int, now_utc: int) -> list[Resolved]:
        """The client of a held order has gone: the wait ends."""
        return _resolved(self._gate.refuse_hold(client_order_id, session_id, None, now_mono, now_utc))

    def _act(self, entry: Entry, said: int, now_mono: int, now_utc: int) -> list[Resolved]:
        fields = entry.fields
        order, session, quantity = int(fields["order"]), int(fields["session"]), fields["quantity"]
        reviewed = (entry.seq, said, 2 if fields.get("second_by") else 1)
        # Whoever trades it may still throw it away.
        if quantity != 0 and self._partial(order, session, fields) is not None:
            self._remember(entry.seq, NOT_INDEPENDENT)
            return []
        if quantity == 0:
            ended = self._gate.refuse_hold(order, session, reviewed, now_mono, now_utc)
        else:
            ended = self._gate.release_hold(order, session, quantity, reviewed, now_mono, now_utc)
        resolved = _resolved(ended)
        self._remember(entry.seq, _told(ended[0], resolved))
        return resolved

    def _remember(self, entry: int, outcome: str) -> None:
        self._outcomes[entry] = outcome
        while len(self._outcomes) > _REMEMBERED:
            del self._outcomes[next(iter(self._outcomes))]

    def _partial(self, client_order_id: int, session_id: int, fields: Mapping[str, Any]) -> str | None:
        """Who of those that act trades the order or owns its algorithm."""
        orders = [np.frombuffer(order, ORDER_DTYPE)[0] for order, *_ in self._gate.holds()]
        strategy = next((int(o["strategy_id"]) for o in orders if (o["client_order_id"], o["session_id"]) == (client_order_id, session_id)), 0)
        return self._reviewers.partial(session_id, strategy, (fields.get("by"), fields.get("second_by")))

    def _show(self) -> None:
        """The file is replaced as a whole, and only where it changes."""
        waiting = [_row(*held) for held in self._gate.holds()]
        text = json.dumps({"gateway": self._gateway_id, "waiting": waiting, "outcomes": self._outcomes}, indent=1)
        if text == self._shown:
            return
        draft = self._path.with_suffix(".new")
        draft.write_text(text)
        os.replace(draft, self._path)
        self._shown = text


def _records(data: bytes, dtype: np.dtype[np.void]) -> list[NDArray[np.void]]:
    found = np.frombuffer(data, dtype)
    return [found[i : i + 1] for i in range(len(found))]


def _resolved(ended: Ended) -> list[Resolved]:
    _, decision, order = ended
    if decision is None:
        return []
    return [Resolved(np.frombuffer(decision, DECISION_DTYPE), None if order is None else np.frombuffer(order, ORDER_DTYPE))]


def _told(outcome: str, resolved: list[Resolved]) -> str:
    if outcome != "DECIDED":
        return outcome
    reason = ReasonCode(int(resolved[0].decision["reason"][0]))
    return "ACCEPT" if reason is ReasonCode.NONE else f"REJECT {reason.name}"


def _row(order_bytes: bytes, decision_bytes: bytes, mono: int, needs_second: bool) -> dict[str, Any]:  # noqa: FBT001 - a row of the native list
    order, decision = np.frombuffer(order_bytes, ORDER_DTYPE)[0], np.frombuffer(decision_bytes, DECISION_DTYPE)[0]
    return {
        "client_order_id": int(order["client_order_id"]),
        "session_id": int(order["session_id"]),
        "instrument_id": int(order["instrument_id"]),
        "account_id": int(order["account_id"]),
        "strategy_id": int(order["strategy_id"]),
        "side": "BUY" if order["side"] == Side.BID else "SELL",
        "quantity": int(order["quantity"]),
        "price": int(order["price"]) / 1e9,
        "control": int(decision["control"]),
        "reason": ReasonCode(int(decision["reason"])).name,
        "measured": int(decision["measured"]),
        "limit": int(decision["limit"]),
        "ts_held": int(decision["ts_decision"]),
        "mono_held": mono,
        "needs_second_person": needs_second,
    }


def waiting(run: RunDirectory, gateway_id: int = 0) -> list[dict[str, Any]]:
    """Orders that wait at a gateway, as it last said.

    Raises
    ------
    ControlError
        If the gateway never said anything here.
    """
    rows: list[dict[str, Any]] = _read(run, gateway_id)["waiting"]
    return rows


def outcome(run: RunDirectory, gateway_id: int, entry: int, *, sleep: Callable[[float], None], tries: int = 40) -> str | None:
    """What a gateway did with an action; ``None`` while it has not said so (it may be down: it acts when it is back).

    Raises
    ------
    ControlError
        If the gateway never said anything here.
    """
    for _ in range(tries):
        told = _read(run, gateway_id)["outcomes"].get(str(entry))
        if told is not None:
            return str(told)
        sleep(0.05)
    return None


def _read(run: RunDirectory, gateway_id: int) -> dict[str, Any]:
    path = run.holds(gateway_id)
    try:
        facts: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as e:
        raise ControlError(f"{path} says nothing of what waits at gateway {gateway_id}: {e}") from e
    return facts
