# SPDX-License-Identifier: Apache-2.0
"""Orders in doubt after a restart: told to a human, counted as working, never sent again (``controls`` 4.4).

An order that lived when the gateway died may be at the venue or may never have left. Only the venue knows; until it says something
about an order, that order stands in ``gate-N-doubt.json``, with what the gate believes to hold.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from pretrade.limits import RunDirectory

Live = tuple[int, int, int, int, int, int, int, int, int, int]
HELD: Final = 5
"""State of an order that waits for a reviewer, as in crates/gate/src/orders.rs: it was never sent."""


class BelievingGate(Protocol):
    """What this needs of a gate."""

    def live_orders(self) -> list[Live]:
        """Orders that count."""
        ...

    def position(self, instrument_id: int, account_id: int) -> int | None:
        """Signed position, ``None`` where unknown."""
        ...

    def working(self, instrument_id: int, account_id: int) -> tuple[int, int] | None:
        """Working (buy, sell) quantity."""
        ...


class DoubtList:
    """What a restarted gate counts and the venue has not spoken about.

    Parameters
    ----------
    gate
        The gate, rebuilt from its journal and nothing else.
    run, gateway_id
        Where the list lies.
    cells
        Instruments and accounts whose exposure it tells.
    say
        Called with one line where there is any doubt.
    """

    def __init__(self, gate: BelievingGate, run: RunDirectory, gateway_id: int, cells: Iterable[tuple[int, int]], say: Callable[[str], None]) -> None:
        self._path = run.doubt(gateway_id)
        self._exposure = [_exposure(gate, instrument, account) for instrument, account in cells]
        self._orders = {(order[0], order[1]): order for order in gate.live_orders() if order[5] != HELD}
        if self._orders:
            shown = ", ".join(str(number) for number, _ in list(self._orders)[:20])
            say(f"{len(self._orders)} orders in doubt after a restart, counted as working and not sent again: {shown}")
        self._write()

    def __len__(self) -> int:
        return len(self._orders)

    def hear(self, named: Iterable[tuple[int, int]]) -> None:
        """The venue spoke about these (client order id, session): they are in doubt no more."""
        before = len(self._orders)
        for key in named:
            self._orders.pop(key, None)
        if len(self._orders) != before:
            self._write()

    def _write(self) -> None:
        facts = {"exposure_at_start": self._exposure, "orders": [_row(order) for order in self._orders.values()]}
        draft = self._path.with_suffix(".new")
        draft.write_text(json.dumps(facts, indent=1))
        os.replace(draft, self._path)


def _exposure(gate: BelievingGate, instrument_id: int, account_id: int) -> dict[str, Any]:
    buy, sell = gate.working(instrument_id, account_id) or (0, 0)
    position = gate.position(instrument_id, account_id)
    return {"instrument_id": instrument_id, "account_id": account_id, "position": position, "working_buy": buy, "working_sell": sell}


def _row(order: Live) -> dict[str, Any]:
    names = ("client_order_id", "session_id", "instrument_id", "account_id", "side", "state", "price", "quantity", "leaves", "counted")
    return {**dict(zip(names, order, strict=True)), "price": order[6] / 1e9}
