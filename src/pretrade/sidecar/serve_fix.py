# SPDX-License-Identifier: Apache-2.0
"""Body of ``pretrade gateway --config`` where the configuration has a ``[fix]``: the FIX edge, served by the native loop."""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Final

from pretrade.domain import Config
from pretrade.domain.clock import WallClock
from pretrade.domain.errors import ConfigError, PretradeError, TableError
from pretrade.domain.fix import FixConfig
from pretrade.gateway.fix import open_edge
from pretrade.gateway.holds import HoldDesk
from pretrade.limits import Controls, LimitsTable, QuotesTable, RunDirectory, survive_truncation
from pretrade.sidecar.serve import announce

LISTEN: Final = "PRETRADE_FIX_LISTEN"
VENUE: Final = "PRETRADE_FIX_VENUE"
_LOOK_S: Final = 0.1


def serve_fix(run_path: Path | None, config: Config, *, gateway_id: int = 0, quotes: Path | None = None) -> None:
    """Serve FIX until told to stop; the interpreter is released for good once the loop runs.

    Parameters
    ----------
    run_path
        Run directory; the configuration's where ``None``.
    config
        Configuration with a ``[fix]``; PRETRADE_FIX_LISTEN and PRETRADE_FIX_VENUE override its addresses.
    gateway_id
        Row of the ``controls`` table it claims.
    quotes
        Another ``quotes`` table than the run directory's.

    Raises
    ------
    ConfigError
        If the configuration has no ``[fix]``.
    GateError
        If a table, store or journal is refused.
    """
    fix = config.fix
    if fix is None:
        raise ConfigError("the configuration has no [fix] to serve")
    config = dataclasses.replace(config, fix=_addressed(fix))
    survive_truncation()
    journals = Path(fix.journals_directory) if fix.journals_directory else None
    run = RunDirectory(run_path or Path(fix.run_directory), journals).create()
    if fix.standalone:
        prepare_standalone(run, config)
    heard, told = socket.socketpair()
    told.settimeout(0)
    with heard, told:
        # The interpreter writes a byte for a signal it may not handle any more: the loop hears it.
        signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: None)
        edge = open_edge(run, config, heard.fileno(), gateway_id=gateway_id, quotes=quotes)
        announce(run.path / "gateway.json", port=edge.port)
        reviews = Reviews(HoldDesk(edge.desk(), run, gateway_id))
        reviews.start()
        try:
            edge.run()
        finally:
            reviews.stop()


class Reviews(threading.Thread):
    """Brings what persons decided about held orders to the loop, ten times a second; no order waits for it."""

    def __init__(self, desk: HoldDesk) -> None:
        super().__init__(name="fix-reviews", daemon=True)
        self._desk, self._is_over = desk, threading.Event()

    def run(self) -> None:
        """Look until told to stop; a desk that cannot be read is told once, and held orders then end by the clock."""
        clock = WallClock()
        while not self._is_over.wait(_LOOK_S):
            try:
                self._desk.look(clock.mono(), clock.utc())
            except PretradeError as e:
                if not self._is_over.is_set():
                    sys.stderr.write(f"pretrade: held orders are not reviewed any more: {e}\n")
                return

    def stop(self) -> None:
        """End the thread."""
        self._is_over.set()
        self.join()


def prepare_standalone(run: RunDirectory, config: Config) -> None:
    """Tables of an edge that runs alone, loaded with its configuration; those that are there are kept."""
    ids = [i.instrument_id for i in config.instruments]
    tables: tuple[type[LimitsTable] | type[QuotesTable], ...] = (LimitsTable, QuotesTable)
    for table in tables:
        try:
            table.open(run)
        except TableError:
            # Absent, or of an earlier boot of this machine: nothing in it is of use.
            table.create(run, ids)
    Controls.create(run, config)


def _addressed(fix: FixConfig) -> FixConfig:
    return dataclasses.replace(fix, listen=os.environ.get(LISTEN, fix.listen), venue=os.environ.get(VENUE, fix.venue))
