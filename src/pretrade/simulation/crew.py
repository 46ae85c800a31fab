# SPDX-License-Identifier: Apache-2.0
"""The separate processes of a live demo: started, waited for until all that is past is through all of them, stopped by pid."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pretrade.bus import JournalReader
from pretrade.domain import EventFlag
from pretrade.domain.errors import SimulationError
from pretrade.limits import LimitsTable, QuotesTable, RunDirectory
from pretrade.sidecar.serve import await_file

CHANNEL: Final = 0
_READY_S: Final = 240.0
_POLL_S: Final = 0.01


@dataclass(slots=True)
class Crew:
    """The processes of one demo, started and stopped by pid; logs lie in the run directory."""

    run_path: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *verb: str) -> None:
        """Start ``pretrade VERB...``."""
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
        with (self.run_path / f"{name}.log").open("wb") as log:
            command = [sys.executable, "-m", "pretrade", *verb]
            self.processes[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)

    def check(self) -> None:
        """Raise when a process died.

        Raises
        ------
        SimulationError
            With the last line the process wrote.
        """
        for name, process in self.processes.items():
            if process.poll() not in (None, 0):
                lines = (self.run_path / f"{name}.log").read_text(errors="replace").strip().splitlines()
                raise SimulationError(f"process {name} (pid {process.pid}) ended with {process.returncode}: {lines[-1] if lines else 'no word'}")

    def stop(self) -> None:
        """Ask every process to end, then make it."""
        for process in reversed(list(self.processes.values())):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)

    def listing(self) -> list[dict[str, Any]]:
        """Names and pids."""
        return [{"name": name, "pid": process.pid} for name, process in self.processes.items()]

    def facts(self, path: Path) -> dict[str, Any]:
        """What a process announced in a file; waits for it while all of them live."""

        def died() -> bool:
            self.check()
            return False

        return await_file(path, died, timeout_s=_READY_S)

    def wait_until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait for a condition while all processes live.

        Raises
        ------
        SimulationError
            If a process dies, or it does not come to hold in time.
        """
        end = time.monotonic() + _READY_S
        while not holds():
            self.check()
            if time.monotonic() > end:
                raise SimulationError(f"{what} did not happen within {_READY_S:g} s")
            time.sleep(_POLL_S)


def await_warm(crew: Crew, run: RunDirectory) -> int:
    """Wait until everything the venue sent of the past is journalled, in ``quotes``, and behind the sidecar's limits.

    Returns
    -------
    int
        Events.

    Notes
    -----
    The sidecar stamps the data behind its limits only with what it has worked off, so its stamp reaching that of ``quotes``
    says that nothing is left to do.
    """
    sent = int(crew.facts(run.path / "venue-warm.json")["events"])
    reader, read = JournalReader(run.market_journal), 0

    def captured() -> bool:
        nonlocal read
        events = reader.read()
        read += int((events["flags"] & EventFlag.RECAP == 0).sum())
        return read >= sent

    crew.wait_until(captured, f"the capture of {sent} events")
    quotes, limits = QuotesTable.open(run), LimitsTable.open(run)
    # The beat after the next one is begun after the last append was seen, so its data stamp covers it.
    beats = [quotes.channel(CHANNEL)[0]]

    def beat() -> bool:
        tick = quotes.channel(CHANNEL)[0]
        if tick != beats[-1]:
            beats.append(tick)
        return len(beats) > 2

    crew.wait_until(beat, "a beat of the capture process")
    data = quotes.channel(CHANNEL)[1]
    crew.wait_until(lambda: limits.channel(CHANNEL)[1] >= data, "the sidecar's way through the past")
    return sent
