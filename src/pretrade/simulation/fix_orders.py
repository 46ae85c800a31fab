# SPDX-License-Identifier: Apache-2.0
"""The order side of the simulated venue: FIX sessions of gateways in, the simulator's answers out as execution reports."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from pretrade.domain import ORDER_DTYPE, Action, OrderType, Side, TimeInForce, VenueKind
from pretrade.simulation.fix_party import Fields, FixParty, Line, decimal, nanos

COMP_ID: Final = "XSIM"
_SIDES: Final = {"1": Side.BID, "2": Side.ASK}
_TYPES: Final = {"1": OrderType.MARKET, "2": OrderType.LIMIT}
_TIMES: Final = {"0": TimeInForce.DAY, "1": TimeInForce.GTC, "3": TimeInForce.IOC, "4": TimeInForce.FOK}
_ACTIONS: Final = {"D": Action.NEW, "G": Action.REPLACE, "F": Action.CANCEL}
_DUPLICATE_ORDER: Final = 6
_UNKNOWN_ORDER: Final = 1


class OrderBook(Protocol):
    """What the venue's order side needs of a simulator."""

    def submit(self, orders: NDArray[np.void], owner: int) -> NDArray[np.void]:
        """Enter an owner's orders now; what it has not been told yet, as OWN_ORDER and OWN_EXECUTION events."""
        ...

    def reports(self, owner: int) -> NDArray[np.void]:
        """What an owner has not been told yet."""
        ...

    def withdraw(self, owner: int) -> int:
        """Cancel what an owner that is gone left working."""
        ...


@dataclass(slots=True)
class _Known:
    """One order as FIX knows it."""

    text: str
    fields: Fields
    quantity: int
    filled: int = 0
    spent: int = 0
    status: str = "A"
    request: str = ""

    @property
    def is_open(self) -> bool:
        return self.status in {"A", "0", "1", "5"}


class FixOrders:
    """Serves gateways by name, each an owner of its own: it alone hears of its orders, and they are cancelled when it goes.

    Parameters
    ----------
    simulator
        The simulated exchange.
    gateways
        CompIDs that may log on.
    symbols
        Instrument ids by symbol.
    """

    def __init__(self, simulator: OrderBook, gateways: Sequence[str], symbols: Mapping[str, int]) -> None:
        self._simulator, self._symbols = simulator, dict(symbols)
        self._party = FixParty([Line(COMP_ID, name) for name in gateways], listen="127.0.0.1:0")
        self._orders: list[dict[int, _Known]] = [{} for _ in gateways]
        self._ids: list[dict[str, int]] = [{} for _ in gateways]
        self._executions = 0

    @property
    def port(self) -> int:
        """Port the gateways reach it at."""
        return self._party.port

    def serve(self) -> None:
        """Take what came since the last call."""
        for heard in self._party.poll():
            if heard.what == "logged out":
                self._simulator.withdraw(heard.line + 1)
                self._orders[heard.line].clear()
            elif heard.what in _ACTIONS:
                self._enter(heard.line, heard.what, heard.fields)
            elif heard.what == "H":
                self._tell_status(heard.line, heard.fields)
            elif heard.what not in {"logged on", "3", "j"}:
                words = [(45, heard.fields[34]), (372, heard.what), (380, 3), (58, "Unsupported Message Type")]
                self._party.send(heard.line, "j", words)

    def tell(self) -> None:
        """Report what happened to resting orders."""
        for line in range(len(self._orders)):
            self._report(line, self._simulator.reports(line + 1))

    def close(self) -> None:
        """Log out."""
        self._party.close()

    def _enter(self, line: int, what: str, fields: Fields) -> None:
        text, original = fields[11], fields.get(41, "")
        known = self._find(line, original)
        if (what != "D" and known is None) or self._find(line, text) is not None:
            self._refuse(line, what, fields)
            return
        number = len(self._ids[line]) + 1
        self._ids[line][text] = number
        if what == "F":
            assert known is not None
            known.request = text
        else:
            self._orders[line][number] = _Known(text, fields, int(fields.get(38, "0")))
        self._report(line, self._simulator.submit(self._order(line, what, fields, number), line + 1))

    def _find(self, line: int, text: str) -> _Known | None:
        return self._orders[line].get(self._ids[line].get(text, 0))

    def _order(self, line: int, what: str, fields: Fields, number: int) -> NDArray[np.void]:
        order = np.zeros(1, ORDER_DTYPE)
        order["client_order_id"], order["action"], order["session_id"] = number, _ACTIONS[what], 1
        order["original_client_order_id"] = self._ids[line].get(fields.get(41, ""), 0)
        order["instrument_id"] = self._symbols.get(fields.get(55, ""), 0)
        order["price"], order["quantity"] = nanos(fields.get(44, "0")), int(fields.get(38, "0"))
        order["side"], order["order_type"] = _SIDES.get(fields.get(54, ""), 0), _TYPES.get(fields.get(40, ""), 0)
        order["time_in_force"] = _TIMES.get(fields.get(59, "0"), 0)
        return order

    def _report(self, line: int, events: NDArray[np.void]) -> None:
        for event in events:
            kind, known = VenueKind(int(event["flags"]) >> 8), self._orders[line].get(int(event["order_id"]))
            if known is None:
                continue
            match kind:
                case VenueKind.ACKNOWLEDGED:
                    self._say(line, known, "0", "0")
                case VenueKind.FILLED:
                    self._fill(line, known, int(event["size"]), int(event["price"]))
                case VenueKind.CANCELLED:
                    self._say(line, known, "4", "4")
                case VenueKind.REJECTED:
                    self._say(line, known, "8", "8")
                case VenueKind.REPLACED:
                    self._replace(line, known)
                case _:
                    self._refuse(line, "F" if kind == VenueKind.CANCEL_REJECTED else "G", {**known.fields, 11: known.request or known.text})

    def _replace(self, line: int, known: _Known) -> None:
        before = self._find(line, known.fields.get(41, ""))
        if before is not None:
            known.filled, known.spent, before.status = before.filled, before.spent, "5"
            self._orders[line].pop(self._ids[line][before.text])
        self._say(line, known, "5", "1" if known.filled else "0")

    def _fill(self, line: int, known: _Known, size: int, price: int) -> None:
        known.filled += size
        known.spent += size * price
        self._say(line, known, "F", "2" if known.filled >= known.quantity else "1", (31, decimal(price)), (32, size))

    def _say(self, line: int, known: _Known, exec_type: str, status: str, *more: tuple[int, object]) -> None:
        self._executions += 1
        known.status = status
        text, original = (known.request, known.text) if exec_type == "4" and known.request else (known.text, known.fields.get(41, ""))
        average = decimal(known.spent // known.filled) if known.filled else "0"
        leaves = known.quantity - known.filled if known.is_open else 0
        head: list[tuple[int, object]] = [(37, f"X{self._ids[line][known.text]}"), (11, text), (17, f"E{self._executions}"), (150, exec_type)]
        head += [(39, status), (55, known.fields[55]), (54, known.fields[54]), (38, known.quantity), (151, leaves), (14, known.filled), (6, average)]
        head += [(41, original)] if original else []
        head += [(1, known.fields[1])] if 1 in known.fields else []
        self._party.send(line, "8", [*head, *more, (60, now_text())])

    def _refuse(self, line: int, what: str, fields: Fields) -> None:
        self._executions += 1
        if what == "D":
            told = [(37, "NONE"), (11, fields[11]), (17, f"E{self._executions}"), (150, 8), (39, 8), (55, fields[55]), (54, fields[54])]
            self._party.send(line, "8", [*told, (151, 0), (14, 0), (6, 0), (103, _DUPLICATE_ORDER)])
            return
        told = [(37, "NONE"), (11, fields[11]), (41, fields.get(41, fields[11])), (39, 8), (434, 1 if what == "F" else 2), (102, _UNKNOWN_ORDER)]
        self._party.send(line, "9", told)

    def _tell_status(self, line: int, fields: Fields) -> None:
        known = self._find(line, fields[11])
        if known is None:
            told = [(37, "NONE"), (11, fields[11]), (17, 0), (150, "I"), (39, 8), (55, fields[55]), (54, fields[54]), (151, 0), (14, 0), (6, 0)]
            self._party.send(line, "8", told)
            return
        self._say(line, known, "I", known.status)


def now_text() -> str:
    """The present as UTCTimestamp in milliseconds."""
    ns = time.time_ns()
    return time.strftime("%Y%m%d-%H:%M:%S", time.gmtime(ns // 10**9)) + f".{ns // 10**6 % 1000:03d}"
