# SPDX-License-Identifier: Apache-2.0
"""The gate as a Python object: the native class, opened from a run directory and a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from pretrade._native import gateway as _native
from pretrade.domain import DECISION_DTYPE, EVENT_DTYPE, ORDER_DTYPE, Config, EventKind, VenueKind
from pretrade.domain.clock import Clock
from pretrade.domain.errors import ControlError, GateError, JournalError
from pretrade.gateway.options import options, order_error_folder
from pretrade.limits import RunDirectory, refuse_unsigned

Decision = _native.Decision

_MOVE_NO_LIMIT: Final = frozenset({"live_orders", "id_blocks", "is_flat_at_start"})
_SAYS_NOTHING: Final = 0
_NO_SESSION: Final = 0xFFFF_FFFF


class Gate(_native.Gate):
    """Checks orders against the tables of a run directory.

    ``check`` is the native method itself: ``check(instrument_id, strategy_id, account_id, side_type_tif, price, quantity,
    client_order_id) -> Decision``, seven positional integers, with ``side_type_tif = side | order_type << 8 |
    time_in_force << 16``. It takes both clocks once.

    Parameters
    ----------
    run_directory
        Where ``limits.tbl``, ``quotes.tbl`` and ``controls.tbl`` lie; ``gate-<id>.tbl`` and the journal ring are made here.
    gateway_id
        Row of the ``controls`` table it claims.
    journal
        Keep the gate journal, and rebuild the state from what an earlier life left in it.
    clock
        Both clocks of ``check``; the machine's where ``None``.
    config
        Deadlines and windows; the packaged configuration where ``None``. It must be the one loaded into ``controls``.
    quotes
        Another ``quotes`` table than the run directory's.
    journals
        Directory of the journal on disk; ``run_directory / "journals"`` where ``None``.
    domain
        Clock domain of the tables, 16 bytes; that of this boot where ``None``.
    **overrides
        Options of the native gate by name; beside a configuration that persons loaded, only those that move no limit. A position is
        unknown, and new risk refused, until :meth:`on_position` states it; ``is_flat_at_start=1`` states that all are zero.

    Raises
    ------
    GateError
        If a table is absent, corrupt or of a foreign clock, a journal is corrupt, the order-error model is refused, or ``config`` is not the
        one loaded into ``controls``.
    """

    def __new__(
        cls,
        run_directory: Path | str,
        *,
        gateway_id: int = 0,
        journal: bool = True,
        clock: Clock | None = None,
        config: Config | None = None,
        quotes: Path | None = None,
        journals: Path | None = None,
        domain: bytes | None = None,
        **overrides: int,
    ) -> Self:
        """Open the tables."""
        directory = Path(run_directory)
        files = None
        if journal:
            disk = journals or directory / "journals"
            disk.mkdir(mode=0o750, parents=True, exist_ok=True)
            files = (directory / f"gate-{gateway_id}.ring", disk / f"gate-{gateway_id}.journal")
        config = config or Config.load()
        _refuse_unsigned(RunDirectory(directory, journals, domain), config, overrides)
        numbers = {**options(config), **overrides}
        return super().__new__(cls, directory, quotes, gateway_id, files, domain, clock, numbers, order_error_folder(config))

    def decide(self, orders: NDArray[Any], now_mono: int, now_utc: int) -> NDArray[Any]:
        """Decide orders in their order, all at one reading of the clocks.

        Parameters
        ----------
        orders
            ORDER_DTYPE.
        now_mono, now_utc
            Taken when the orders arrived, nanoseconds.

        Returns
        -------
        ndarray of DECISION_DTYPE
            One per order; each stands in the journal's ring before the next is looked at.
        """
        data = self.decide_bytes(np.ascontiguousarray(orders, dtype=ORDER_DTYPE).tobytes(), now_mono, now_utc)
        return np.frombuffer(data, dtype=DECISION_DTYPE)

    def on_venue(self, messages: NDArray[Any], now_mono: int, now_utc: int) -> int:
        """Take the venue's answers: OWN_EXECUTION is a fill, OWN_ORDER carries a :class:`~pretrade.domain.VenueKind`.

        Parameters
        ----------
        messages
            EVENT_DTYPE with ``order_id`` = client order id, ``sequence`` = its session, ``aux`` = strategy << 32 | account and the
            answer in the high byte of ``flags``; other kinds are skipped.

        Returns
        -------
        int
            How many said nothing or named an order this gate does not know.
        """
        kinds = {int(EventKind.OWN_ORDER), int(EventKind.OWN_EXECUTION)}
        events = np.asarray(messages, dtype=EVENT_DTYPE)
        parts = [_venue_message(event) for event in events if int(event["kind"]) in kinds]
        return self.on_venue_messages(parts, now_mono, now_utc) if parts else 0

    def on_position(self, instrument_id: int, account_id: int, position: int, now_mono: int, now_utc: int) -> bool:
        """Take the signed position that a trusted source states; ``False`` where instrument or account is not known here."""
        message = (int(VenueKind.POSITION), 0, 0, position, 0, instrument_id, account_id, 0, 0)
        return self.on_venue_messages([message], now_mono, now_utc) == 0


def _refuse_unsigned(run: RunDirectory, config: Config, overrides: Mapping[str, int]) -> None:
    try:
        is_signed = refuse_unsigned(run, config)
    except (ControlError, JournalError) as e:
        raise GateError(str(e)) from e
    beside = sorted(set(overrides) - _MOVE_NO_LIMIT)
    if is_signed and beside:
        raise GateError(f"{', '.join(beside)} given beside configuration {config.hash[:12]}; only {', '.join(sorted(_MOVE_NO_LIMIT))} may be")


def _venue_message(event: np.void) -> tuple[int, int, int, int, int, int, int, int, int]:
    """What an event says, never more: an execution is a fill whatever else it carries, an order's end is said and not inferred."""
    said, session = int(event["flags"]) >> 8, int(event["sequence"])
    if int(event["kind"]) == EventKind.OWN_EXECUTION:
        said = int(VenueKind.FILLED)
    elif said == VenueKind.FILLED:
        said = _SAYS_NOTHING
    account, side = int(event["aux"]) & 0xFFFF_FFFF, int(event["side"])
    session = session if session <= _NO_SESSION else _NO_SESSION
    return (said, int(event["order_id"]), 0, int(event["size"]), int(event["price"]), int(event["instrument_id"]), account, side, session)
