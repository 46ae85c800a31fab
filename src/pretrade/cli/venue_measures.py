# SPDX-License-Identifier: Apache-2.0
"""How fast the simulated exchange is: its matching engine alone, and the whole loop with gate, firm and log."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from pretrade import models
from pretrade._native import bench as _native
from pretrade.bus import JournalReader
from pretrade.domain import Config, EventKind
from pretrade.gateway import bench as gate_bench
from pretrade.models import registry
from pretrade.simulation import closed_loop
from pretrade.simulation.arms import Arm, Dynamic, Static
from pretrade.simulation.market import CALM_START_NS, MarketParameters
from pretrade.simulation.play import play
from pretrade.simulation.scenario import Episode

_OPERATIONS: Final = 2_000_000
_ROUNDS: Final = 7
_SEEDS: Final = (1, 2, 3, 4, 5, 6)
_CALM_S: Final = 600.0
_ONSET_NS: Final = 600_000_000_000
_PLAYED_S: Final = 600.0
_MODEL: Final = "anomaly-pca"
Result = dict[str, Any]


def run(*, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure the suite."""
    say("measuring suite simulator; a run takes about half a minute")
    return gate_bench.report_of((matching_engine, simulator, simulator_python, simulator_dynamic))


def matching_engine() -> Result:
    """Adds 49.6 %, cancels 45.6 %, immediate-or-cancel orders 4.8 % on a book of 11,217 orders; ``per_second`` counts CPU time."""
    figures = _native.matching_engine(_OPERATIONS, _ROUNDS)
    result: Result = {"name": "matching_engine", "n": int(figures["n"])}
    return result | {k: round(figures[k], 2) for k in ("min_ns", "p50_ns", "p99_ns", "kept")} | {"per_second": round(figures["per_second"])}


def simulator() -> Result:
    """Book events of the log a CPU-second of this process: market, latencies, log, rows, gate with journal, three strategies, static limits."""
    config, each, n = Config.load(), [], 0
    for seed in _SEEDS:
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            log = Path(folder) / "events.journal"
            begun = time.process_time_ns()
            what = closed_loop.LongRun(MarketParameters(), seed, CALM_START_NS, seconds=_CALM_S, ts_onset=CALM_START_NS + _ONSET_NS, log=log)
            closed_loop.run(what, config)
            took = time.process_time_ns() - begun
            events = book_events(log)
        each.append(took / events)
        n += events
    return _rate("simulator", each, n)


def simulator_python() -> Result:
    """As :func:`simulator` with the firm, its truth and its looks in Python, as families of scenarios are played."""
    config = Config.load()
    return _played("simulator_python", lambda: Static(config), config)


def simulator_dynamic() -> Result:
    """As :func:`simulator_python` under the shipped PCA model: every row scored and calibrated on its way to the gate."""
    config, model = Config.load(), models.load(registry.FOLDER / _MODEL)
    return _played("simulator_dynamic", lambda: Dynamic(config, model), config)


def _played(name: str, fresh: Callable[[], Arm], config: Config) -> Result:
    each, n = [], 0
    for seed in _SEEDS[:2]:
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            begun = time.process_time_ns()
            play(Episode(MarketParameters(), _PLAYED_S), seed, name, fresh(), config, events=Path(folder))
            took = time.process_time_ns() - begun
            events = book_events(Path(folder) / f"{name}-{seed}.events.journal")
        each.append(took / events)
        n += events
    return _rate(name, each, n)


def _rate(name: str, each: list[float], n: int) -> Result:
    middle = float(np.median(each))
    return {"name": name, "n": n, "min_ns": round(min(each), 1), "p50_ns": round(middle, 1), "per_second": round(1e9 / middle)}


def book_events(path: Path) -> int:
    """Adds, cancels, modifies and trades in a log, counted by reading it; executions are left out, each trade tells of them."""
    reader, n = JournalReader(path), 0
    kinds = (EventKind.ADD, EventKind.CANCEL, EventKind.MODIFY, EventKind.TRADE)
    while len(events := reader.read()):
        n += int(np.isin(events["kind"], kinds).sum())
    return n
