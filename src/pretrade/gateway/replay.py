# SPDX-License-Identifier: Apache-2.0
"""Orders and limit records of a day through the real gate, on a simulated clock."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from pretrade._native import gateway as _native
from pretrade.domain import DECISION_DTYPE, LIMITS_DTYPE, ORDER_DTYPE, QUOTES_DTYPE, Config, ReasonCode, Side, Tier, Unit, Verdict
from pretrade.domain.errors import GateError
from pretrade.gateway.options import options, order_error_folder
from pretrade.limits import RunDirectory, configured_records

_SHARED_MEMORY: Final = Path("/dev/shm")
_SCALES: Final = {Unit.PRICE_1E9: 1e9, Unit.SCORE_1E9: 1e9}


class LimitHistory(Protocol):
    """Limit records over a stretch of time, with the quotes they stood beside."""

    @property
    def records(self) -> NDArray[Any]:
        """LIMITS_DTYPE in ``ts_published`` order."""
        ...

    @property
    def quotes(self) -> NDArray[Any] | None:
        """QUOTES_DTYPE in ``ts_recv`` order."""
        ...

    @property
    def config(self) -> Config:
        """The configuration behind both."""
        ...


class Lines(tuple[str, ...]):
    """Lines of text that print one below the other."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "\n".join(self)


@dataclass(frozen=True)
class Replay:
    """What the gate said.

    Parameters
    ----------
    decisions
        DECISION_DTYPE, one per order.
    config
        The configuration it ran under.
    is_verified
        True where the gate journal's hash chain holds every decision.
    """

    decisions: NDArray[Any]
    config: Config = field(repr=False)
    is_verified: bool

    @property
    def rejected(self) -> Lines:
        """One line per refused order."""
        refused = self.decisions[self.decisions["verdict"] == Verdict.REJECT]
        words = _native.lines(refused.tobytes())
        return Lines([f"{self._order(d)} {text}" for d, text in zip(refused, words, strict=True)])

    def verify(self) -> bool:
        """True where the gate journal was whole: every decision recorded, hash chain unbroken."""
        return self.is_verified

    def as_dicts(self) -> list[dict[str, Any]]:
        """Decisions in words; numbers in the unit named."""
        return [decision_as_dict(d) for d in self.decisions]

    def _order(self, decision: np.void) -> str:
        at = datetime.fromtimestamp(int(decision["ts_event"]) / 1e9, UTC)
        symbols = {i.instrument_id: i.symbol for i in self.config.instruments}
        symbol = symbols.get(int(decision["instrument_id"]), str(decision["instrument_id"]))
        side = {Side.BID: "BUY", Side.ASK: "SELL"}.get(int(decision["side"]), "?")  # type: ignore[call-overload]
        return f"{at:%H:%M:%S}.{at.microsecond // 1000:03d} {symbol} {side} {int(decision['quantity'])}"


def replay(orders: NDArray[Any], limits: LimitHistory) -> Replay:
    """Put orders to a gate whose tables follow the limit records and quotes in time order.

    The tables, the gate and its journal are real and live in a temporary directory; the clock is simulated: each order
    is decided at its own ``ts_event``. No venue answers, so an accepted order that may not rest is taken as done
    unfilled, and any other keeps working.

    Parameters
    ----------
    orders
        ORDER_DTYPE in ``ts_event`` order.
    limits
        What calibration gave.

    Returns
    -------
    Replay
        One decision per order.

    Raises
    ------
    GateError
        If there are no quotes, orders are out of order, or a record is of an unknown instrument.
    """
    if limits.quotes is None:
        raise GateError("the limit history has no quotes; phase and price checks would refuse every order")
    if len(orders) and np.any(np.diff(orders["ts_event"].astype(np.int64)) < 0):
        raise GateError("orders are not in ts_event order")
    records = limits.records[np.argsort(limits.records["ts_published"], kind="stable")]
    quotes = limits.quotes[np.argsort(limits.quotes["ts_recv"], kind="stable")]
    with tempfile.TemporaryDirectory(prefix="pretrade-replay-", dir=_SHARED_MEMORY if _SHARED_MEMORY.is_dir() else None) as directory:
        data = _native.replay(
            Path(directory),
            configured_records(limits.config).tobytes(),
            np.ascontiguousarray(orders, dtype=ORDER_DTYPE).tobytes(),
            np.ascontiguousarray(records, dtype=LIMITS_DTYPE).tobytes(),
            np.ascontiguousarray(quotes, dtype=QUOTES_DTYPE).tobytes(),
            # A replay begins flat; that is its premise, not a default of the gate.
            {**options(limits.config), "is_flat_at_start": 1},
            order_error_folder(limits.config),
        )
        recorded, problems = _native.verify_journal(Path(directory) / "gate-0.journal")
    decisions = np.frombuffer(data, dtype=DECISION_DTYPE)
    return Replay(decisions, limits.config, is_verified=not problems and recorded >= len(decisions))


def journalled(run: RunDirectory, gateway_id: int = 0) -> NDArray[Any]:
    """Every decision a gateway wrote into its journal, DECISION_DTYPE, in order.

    Raises
    ------
    GateError
        If the journal cannot be read, or a record inside it is corrupt or missing.
    """
    return np.frombuffer(_native.decisions(run.gate_ring(gateway_id), run.gate_journal(gateway_id), gateway_id), DECISION_DTYPE)


def decision_as_dict(decision: np.void) -> dict[str, Any]:
    """One DECISION_DTYPE row in words; ``measured`` and ``limit`` in the unit named."""
    unit = Unit(int(decision["unit"]))
    scale = _SCALES.get(unit, 1.0)
    return {
        "client_order_id": int(decision["client_order_id"]),
        "ts_decision": int(decision["ts_decision"]),
        "verdict": Verdict(int(decision["verdict"])).name,
        "reason": ReasonCode(int(decision["reason"])).name,
        "measured": float(decision["measured"]) / scale,
        "limit": float(decision["limit"]) / scale,
        "unit": unit.name.lower(),
        "limit_version": int(decision["limit_version"]),
        "tier": Tier(int(decision["tier"])).name,
        "stage": int(decision["stage"]),
    }
