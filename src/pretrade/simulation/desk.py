# SPDX-License-Identifier: Apache-2.0
"""The shared memory of one simulated desk: real tables, the real gate and its journal, on the simulated clock."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from numpy.typing import NDArray

from pretrade.domain import Config
from pretrade.domain.clock import RecordClock
from pretrade.gateway import Gate
from pretrade.limits import Controls, LimitsTable, QuotesTable, RunDirectory, clock_domain
from pretrade.simulation.firm import ACCOUNT, OPENING_POSITION
from pretrade.simulation.market import INSTRUMENT_ID

CHANNEL: Final = 0


class Desk:
    """Tables, gate and journal of one arm in a directory of their own."""

    def __init__(self, directory: Path, seed: int, config: Config) -> None:
        run = RunDirectory(directory, domain=clock_domain(seed)).create()
        self._limits = LimitsTable.create(run, [INSTRUMENT_ID])
        self._quotes = QuotesTable.create(run, [INSTRUMENT_ID])
        Controls.create(run, config)
        self.journal = run.gate_journal(0)
        self.clock = RecordClock()
        self._config, self._run = config, run
        self.gate: Gate | None = None

    def publish(self, records: NDArray[Any], quotes: NDArray[Any] | None, now: int, heard_at: int) -> None:
        """Bring limits and quotes into the tables and beat both channels: now, over data heard last at ``heard_at``."""
        for record in records:
            self._limits.publish(record)
        if quotes is not None and len(quotes):
            self._quotes.publish(quotes[-1:])
        self._limits.heartbeat(CHANNEL, now, heard_at)
        self._quotes.heartbeat(CHANNEL, now, heard_at)
        self.clock.now = now
        if self.gate is None:
            self.gate = Gate(self._run.path, config=self._config, clock=self.clock, domain=self._run.clock_domain)
            self.gate.on_position(INSTRUMENT_ID, ACCOUNT, OPENING_POSITION, now, now)

    def decide(self, orders: NDArray[Any]) -> NDArray[Any]:
        """What the gate says."""
        assert self.gate is not None
        return self.gate.decide(orders, self.clock.now, self.clock.now)

    def told(self, messages: NDArray[Any]) -> None:
        """Hand the venue's answers to the gate."""
        assert self.gate is not None
        self.gate.on_venue(messages, self.clock.now, self.clock.now)

    @property
    def tables(self) -> tuple[Any, Any]:
        """The native ``limits`` and ``quotes`` tables, for a native loop."""
        return self._limits.native, self._quotes.native

    def close(self) -> None:
        """Drain the journal."""
        if self.gate is not None:
            self.gate.close()


@contextmanager
def desk(seed: int, config: Config) -> Iterator[Desk]:
    """A desk in shared memory that is gone afterwards."""
    base = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    directory = Path(tempfile.mkdtemp(prefix="pretrade-play-", dir=base))
    made = Desk(directory, seed, config)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(directory, ignore_errors=True)
