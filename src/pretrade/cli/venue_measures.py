# SPDX-License-Identifier: Apache-2.0
"""How fast the simulated exchange is: its matching engine alone, and the whole loop with gate, firm and log."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from pretrade._native import bench as _native
from pretrade.bus import JournalReader
from pretrade.domain import Config
from pretrade.gateway import bench as gate_bench
from pretrade.simulation.arms import Static
from pretrade.simulation.market import MarketParameters
from pretrade.simulation.play import play
from pretrade.simulation.scenario import Episode

_OPERATIONS: Final = 2_000_000
_ROUNDS: Final = 7
_SEEDS: Final = (1, 2, 3)
_CALM_S: Final = 600.0
Result = dict[str, Any]


def run(*, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure the suite."""
    say("measuring suite simulator; a run takes about half a minute")
    return gate_bench.report_of((matching_engine, simulator))


def matching_engine() -> Result:
    """Adds 49.6 %, cancels 45.6 %, immediate-or-cancel orders 4.8 % on a book of 11,217 orders; ``per_second`` counts CPU time."""
    figures = _native.matching_engine(_OPERATIONS, _ROUNDS)
    result: Result = {"name": "matching_engine", "n": int(figures["n"])}
    return result | {k: round(figures[k], 2) for k in ("min_ns", "p50_ns", "p99_ns", "kept")} | {"per_second": round(figures["per_second"])}


def simulator() -> Result:
    """Book events of the log a CPU-second of the process: market, latency, log, features, gate with journal, the firm; static limits."""
    config, each, n = Config.load(), [], 0
    for seed in _SEEDS:
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            begun = time.process_time_ns()
            play(Episode(MarketParameters(), _CALM_S), seed, "static", Static(config), config, events=Path(folder))
            took = time.process_time_ns() - begun
            events = logged(Path(folder) / f"static-{seed}.events.journal")
        each.append(took / events)
        n += events
    middle = float(np.median(each))
    return {"name": "simulator", "n": n, "min_ns": round(min(each), 1), "p50_ns": round(middle, 1), "per_second": round(1e9 / middle)}


def logged(path: Path) -> int:
    """Events in a log, counted by reading it."""
    reader, n = JournalReader(path), 0
    while len(events := reader.read()):
        n += len(events)
    return n
