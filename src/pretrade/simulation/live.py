# SPDX-License-Identifier: Apache-2.0
"""The demo through real separate processes: venue, capture, sidecar, gateway, and the static twin beside them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade import audit, calibration, features
from pretrade.bus import JournalReader
from pretrade.bus.tcp import RecordSocket
from pretrade.domain import DECISION_DTYPE, ORDER_DTYPE, Config, Instrument, Tier
from pretrade.domain.clock import WallClock
from pretrade.domain.errors import SimulationError
from pretrade.limits import Controls, LimitsTable, QuotesTable, RunDirectory
from pretrade.sidecar.serve import ALERTS, MARKET_JOURNAL, TIER_CHANGES, await_file, prepare
from pretrade.simulation import story
from pretrade.simulation.demo import StoryOptions
from pretrade.simulation.market import SELLER_START_NS, TICK_SIZE

PACED_FROM_NS: Final = SELLER_START_NS - 5_000_000_000
STORY_END_NS: Final = SELLER_START_NS + 60_000_000_000
_WARM_UP_S: Final = 6.0
_SAMPLE_S: Final = 0.1


@dataclass(slots=True)
class Crew:
    """The processes of one demo, started and stopped by pid."""

    run_path: Path
    config_args: list[str]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *verb: str) -> None:
        """Start ``pretrade VERB...`` with its errors in a file of the run directory."""
        with (self.run_path / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(  # noqa: S603 - our own interpreter and package
                [sys.executable, "-m", "pretrade", *verb, *self.config_args],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment(),
            )

    @staticmethod
    def _environment() -> dict[str, str]:
        return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}

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
        for process in reversed(self.processes.values()):
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


@dataclass(slots=True)
class LiveStory:
    """What the observer saw while the story ran."""

    samples: list[dict[str, Any]] = field(default_factory=list)
    dynamic: list[NDArray[Any]] = field(default_factory=list)
    static: list[NDArray[Any]] = field(default_factory=list)


def run(
    seed: int,
    options: StoryOptions,
    run_path: Path,
    model_path: Path,
    config: Config,
    *,
    config_args: list[str],
    show: Callable[[Mapping[str, Any]], None] = lambda _: None,
) -> tuple[LiveStory, Crew]:
    """Run the story at its own pace through five processes.

    Parameters
    ----------
    seed, options
        Which market.
    run_path
        Fresh folder for tables, journals and logs.
    model_path
        Saved model.
    config
        Configuration the processes read too.
    config_args
        The command-line options that make the processes read the same configuration.
    show
        Called ten times a second with what a terminal shows.

    Raises
    ------
    SimulationError
        If a process dies or does not come up.
    """
    instrument = config.instrument("ES")
    twin_path = run_path / "twin"
    twin_path.mkdir(parents=True)
    run, twin = RunDirectory(run_path), RunDirectory(twin_path)
    prepare(run, config, (instrument,))
    prepare(twin, config, (instrument,))
    start_wall = time.time_ns() + int(_WARM_UP_S * 1e9)
    offset = PACED_FROM_NS - start_wall
    crew = Crew(run_path, config_args)
    try:
        _start_all(crew, seed, options, run_path, twin_path, model_path, offset)
        return _observe(crew, config, instrument, run, twin, WallClock(offset), show), crew
    finally:
        crew.stop()


def _start_all(crew: Crew, seed: int, options: StoryOptions, run_path: Path, twin_path: Path, model_path: Path, offset: int) -> None:
    market = [f"--seller-rate={options.seller_rate}", f"--maker-caps={options.maker_caps}", f"--value-volatility={options.value_volatility}"]
    clock = f"--utc-offset-ns={offset}"
    crew.start("venue", "simulate", "serve", f"--run={run_path}", f"--seed={seed}", clock, *market)
    crew.start("capture", "capture", f"--run={run_path}", "--instrument=ES")
    crew.start("sidecar", "sidecar", f"--run={run_path}", "--instrument=ES", f"--model={model_path}")
    crew.start("gateway", "gateway", f"--run={run_path}", clock, f"--venue={run_path / 'venue.json'}")
    crew.start("sidecar-static", "sidecar", f"--run={twin_path}", "--instrument=ES", "--static")
    os.symlink(RunDirectory(run_path).quotes, RunDirectory(twin_path).quotes) if not RunDirectory(twin_path).quotes.exists() else None
    crew.start("gateway-static", "gateway", f"--run={twin_path}", clock, f"--quotes={RunDirectory(run_path).quotes}")


def _observe(
    crew: Crew,
    config: Config,
    instrument: Instrument,
    run: RunDirectory,
    twin: RunDirectory,
    clock: WallClock,
    show: Callable[[Mapping[str, Any]], None],
) -> LiveStory:
    """Send the probes to both gateways and sample the tables until the story ends."""
    seen = LiveStory()
    never = lambda: False  # noqa: E731
    dynamic = RecordSocket.connect(int(await_file(run.path / "gateway.json", never)["port"]), DECISION_DTYPE)
    static = RecordSocket.connect(int(await_file(twin.path / "gateway.json", never)["port"]), DECISION_DTYPE)
    quotes, limits = QuotesTable.open(run.quotes), LimitsTable.open(run.limits)
    probe_at = SELLER_START_NS + story.PROBE_FROM_NS
    number = 0
    while (now := clock.utc()) < STORY_END_NS:
        crew.check()
        quote, limit = quotes.read(instrument.instrument_id), limits.read(instrument.instrument_id)
        if now >= probe_at and int(quote["ask_price"]) > 0:
            number += 1
            order = story.probe_orders(
                [now], [int(quote["ask_price"])], instrument_id=instrument.instrument_id, tick_size=TICK_SIZE, dtype=ORDER_DTYPE
            )
            order["client_order_id"] = number
            for gate, decisions in ((dynamic, seen.dynamic), (static, seen.static)):
                gate.send(order)
                decisions.append(_answer(gate))
            probe_at += story.PROBE_EVERY_NS
        if now >= PACED_FROM_NS:
            sample = _sample(now, quote, limit, seen)
            seen.samples.append(sample)
            show(sample)
        time.sleep(_SAMPLE_S)
    dynamic.close()
    static.close()
    return seen


def _answer(gate: RecordSocket, timeout_s: float = 2.0) -> NDArray[Any]:
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        decisions = gate.receive(0.05)
        if len(decisions):
            return decisions
    raise SimulationError(f"a gateway did not decide within {timeout_s:g} s")


def _sample(now: int, quote: np.void, limit: np.void, seen: LiveStory) -> dict[str, Any]:
    last = story.decision_json(seen.dynamic[-1][0]) if seen.dynamic else None
    return {
        "t_s": (now - SELLER_START_NS) / 1e9,
        "price": (int(quote["bid_price"]) + int(quote["ask_price"])) / 2e9,
        "depth_bid": int(quote["depth_bid"]),
        "depth_ask": int(quote["depth_ask"]),
        "spread_ticks": (int(quote["ask_price"]) - int(quote["bid_price"])) / TICK_SIZE,
        "score": float(limit["score"]),
        "tier": int(limit["tier"]),
        "limit": int(limit["max_order_quantity"]),
        "decision": last,
        "static_decision": story.decision_json(seen.static[-1][0]) if seen.static else None,
    }


def conclude(
    seed: int, options: StoryOptions, run_path: Path, config: Config, seen: LiveStory, crew: Crew, model: Mapping[str, Any]
) -> dict[str, Any]:
    """Assemble ``demo.json`` from what the processes left on disk."""
    run = RunDirectory(run_path)
    instrument = config.instrument("ES")
    with JournalReader(run_path / MARKET_JOURNAL) as reader:
        rows = features.collect(iter(reader.read, None), features.engine(config, (instrument,)))
    changes = [json.loads(line) for line in (run_path / TIER_CHANGES).read_text().splitlines()]
    fall = story.fall(rows.ts_recv, rows.column("mid_price"), SELLER_START_NS)
    before = [s["limit"] for s in seen.samples if s["t_s"] <= 0]
    high = [s["limit"] for s in seen.samples if s["tier"] >= Tier.HIGH]
    controls = Controls.open(run.controls)
    return {
        "seed": seed,
        "static_limit": options.static_limit,
        "max_order_quantity_before": before[-1] if before else None,
        "max_order_quantity_high": high[0] if high else None,
        "ts_seller_start": SELLER_START_NS,
        "ts_elevated": story.first_tier(changes, Tier.ELEVATED, SELLER_START_NS),
        "ts_high": story.first_tier(changes, Tier.HIGH, SELLER_START_NS),
        "ts_critical": story.first_tier(changes, Tier.CRITICAL, SELLER_START_NS),
        "ts_minus_1pct": fall.ts_minus_1pct,
        "ts_minus_2pct": fall.ts_minus_2pct,
        "low_pct": fall.low_pct,
        "tier_changes": changes,
        "order_200": story.first_refused(np.concatenate(seen.dynamic), np.concatenate(seen.static)),
        "alerts": [a.as_dict() for a in calibration.AlertJournal(run_path / ALERTS).read()],
        "processes": crew.listing(),
        "breaker_resumed_by": controls.resumed_by(instrument.instrument_id),
        "audit_verified": all(audit.verify_run(r.path).ok for r in (run, RunDirectory(run_path / "twin"))),
        "model": dict(model),
        "decisions": {k: [story.decision_json(d[0]) for d in getattr(seen, k)] for k in ("dynamic", "static")},
        "config_hash": config.hash,
    }
