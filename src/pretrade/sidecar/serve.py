# SPDX-License-Identifier: Apache-2.0
"""Bodies of the long-running verbs: ``capture``, ``sidecar`` and ``gateway``, each restartable alone."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final

import numpy as np

from pretrade import calibration, gateway, models
from pretrade.bus import Journal, JournalReader
from pretrade.bus.tcp import RecordSocket
from pretrade.calibration import AlertJournal
from pretrade.domain import EVENT_DTYPE, Config, Instrument
from pretrade.domain.clock import RecordClock, WallClock
from pretrade.domain.errors import GateError, PretradeError
from pretrade.gateway.metrics import Latencies, MetricsServer, exposition
from pretrade.gateway.server import GatewayServer
from pretrade.gateway.watch import Watch
from pretrade.limits import Controls, LimitsTable, QuotesTable, RunDirectory, is_simulated, refuse_unsigned, survive_truncation
from pretrade.limits.layouts import dtype_of
from pretrade.sidecar.capture import Capture
from pretrade.sidecar.checkpoint import CheckpointFile
from pretrade.sidecar.process import Sidecar, publish_static
from pretrade.sidecar.snapshots import SnapshotPositions

TIER_CHANGES: Final = "tier_changes.jsonl"
ALERTS: Final = "alerts.jsonl"
CHECKPOINT: Final = "sidecar.checkpoint"
SNAPSHOTS: Final = "capture.snapshots"
_CLOCK_WAIT_S: Final = 600.0


def stop_on_signals() -> Callable[[], bool]:
    """Turn SIGTERM and SIGINT into a question the loops ask."""
    told = False

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        nonlocal told
        told = True

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    return lambda: told


def _say(text: str) -> None:
    sys.stderr.write(f"pretrade: {text}\n")
    sys.stderr.flush()


def announce(path: Path, **facts: int | str) -> None:
    """Write what a process offers to a JSON file that appears whole."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps({"pid": os.getpid(), **facts}))
    temporary.rename(path)


def await_file(path: Path, is_stopped: Callable[[], bool], *, timeout_s: float = 30.0) -> dict[str, Any]:
    """Facts another process announced.

    Raises
    ------
    PretradeError
        If the file does not appear in time.
    """
    end = time.monotonic() + timeout_s
    while time.monotonic() < end and not is_stopped():
        if path.exists():
            facts: dict[str, Any] = json.loads(path.read_text())
            return facts
        time.sleep(0.01)
    raise PretradeError(f"{path.name} did not appear within {timeout_s:g} s; is the process that writes it running?")


def set_clock(path: Path, offset_ns: int) -> None:
    """Start the clock of a paced simulation: processes that wait for it go on."""
    announce(path, utc_offset_ns=offset_ns)


def await_clock(path: Path | None, offset_ns: int, is_stopped: Callable[[], bool]) -> WallClock:
    """The clock of a paced simulation once somebody set it; wall time shifted by ``offset_ns`` where there is no file to wait for."""
    if path is None:
        return WallClock(offset_ns)
    return WallClock(int(await_file(path, is_stopped, timeout_s=_CLOCK_WAIT_S)["utc_offset_ns"]))


def prepare(run: RunDirectory, config: Config, instruments: tuple[Instrument, ...]) -> None:
    """Create the tables of a run directory: static limits, ceilings and accounts from the configuration."""
    ids = [i.instrument_id for i in instruments]
    run.create()
    LimitsTable.create(run, ids)
    QuotesTable.create(run, ids)
    Controls.create(run, config)


def serve_capture(run_path: Path, config: Config, instruments: tuple[Instrument, ...]) -> None:
    """Capture the venue announced in the run directory until it ends."""
    is_stopped = stop_on_signals()
    survive_truncation()
    run = RunDirectory(run_path)
    port = int(await_file(run_path / "venue.json", is_stopped)["data_port"])
    with Journal(run.market_journal) as journal:
        snapshots = SnapshotPositions(run.journals / SNAPSHOTS, run.market_journal)
        capture = Capture(config, instruments, journal, QuotesTable.open(run, writable=True), WallClock(), snapshots=snapshots, say=_say)
        feed = RecordSocket.connect(port, EVENT_DTYPE)
        announce(run_path / "capture.json")
        capture.run(feed, is_stopped)
        feed.close()


def serve_sidecar(run_path: Path, config: Config, instruments: tuple[Instrument, ...], model_path: Path | None) -> None:
    """Publish limits; without a model this is the control arm: static limits kept fresh."""
    is_stopped = stop_on_signals()
    survive_truncation()
    run = RunDirectory(run_path)
    # What calibration publishes under a configuration nobody loaded would be bounded by the envelope only.
    refuse_unsigned(run, config)
    limits = LimitsTable.open(run, writable=True)
    clock = WallClock()
    if model_path is None:
        ids = [i.instrument_id for i in instruments]
        records = calibration.static_records(config, ids, epoch=limits.epoch, now_mono=clock.mono())
        announce(run_path / "sidecar.json")
        publish_static(limits, records, clock, is_stopped)
        return
    model = models.load(model_path, config)
    await_file(run_path / "capture.json", is_stopped)
    sidecar = Sidecar(
        config,
        instruments,
        model,
        reader=JournalReader(run.market_journal),
        limits=limits,
        quotes=QuotesTable.open(run),
        controls=Controls.open(run),
        alerts=AlertJournal(run_path / ALERTS),
        changes_path=run_path / TIER_CHANGES,
        clock=clock,
        checkpoints=CheckpointFile(run.journals / CHECKPOINT, config, instruments, model, run.market_journal),
        say=_say,
    )
    announce(run_path / "sidecar.json")
    sidecar.run(is_stopped)


def serve_gateway(
    run_path: Path,
    config: Config,
    *,
    gateway_id: int,
    clock: str,
    venue_path: Path | None,
    quotes: Path | None = None,
    metrics_port: int | None = None,
) -> None:
    """Decide orders from a loopback port until told to stop.

    Parameters
    ----------
    run_path
        Run directory with the tables.
    gateway_id
        Row of the ``controls`` table it claims.
    clock
        ``wall``, or ``records``: time read from each order, for tables of a simulated run only.
    venue_path
        File the venue announced its ports in; it states the positions. ``None`` keeps accepted orders here: nothing is ever filled.
    quotes
        Another ``quotes`` table than the run directory's.
    metrics_port
        Loopback port of ``/metrics``, 0 for any that is free; ``None`` answers nobody.

    Notes
    -----
    SIGTERM drains: no new client, what had been sent is decided and answered, the journal is durable, then it ends. What changes in the gate is
    logged to ``gateway-N.log`` in the run directory by a thread that reads the gate's table.

    Raises
    ------
    GateError
        If ``clock`` is ``records`` and the tables carry the machine's clock, or the gate refuses to start.
    """
    is_stopped = stop_on_signals()
    survive_truncation()
    domain = _simulated_domain(RunDirectory(run_path)) if clock == "records" else None
    # A first life without a venue is flat, and says so. A later one reads its journal: what that no longer knows is no zero.
    is_flat = venue_path is None and not (RunDirectory(run_path).journals / f"gate-{gateway_id}.journal").exists()
    gate = gateway.Gate(run_path, gateway_id=gateway_id, config=config, quotes=quotes, domain=domain)
    cells = [(i.instrument_id, a.account_id) for i in config.instruments for a in config.accounts]
    doubt = gateway.DoubtList(gate, RunDirectory(run_path), gateway_id, cells, _say)
    venue = None
    if is_flat:
        _state_flat(gate, config)
    if venue_path is not None:
        venue = RecordSocket.connect(int(await_file(venue_path, is_stopped)["order_port"]), EVENT_DTYPE)
    ticking = RecordClock() if clock == "records" else WallClock()
    run, latencies = RunDirectory(run_path, domain=domain), Latencies()
    with (run_path / f"gateway-{gateway_id}.log").open("a", encoding="utf-8") as stream:
        watch = Watch(run, gateway_id, stream, time.time_ns)
        watch.say("started", pid=os.getpid(), in_doubt=len(doubt), config=config.hash[:12])
        watch.start()
        server = GatewayServer(gate, ticking, venue, gateway.HoldDesk(gate, RunDirectory(run_path), gateway_id), doubt=doubt, latencies=latencies)
        metrics = None if metrics_port is None else MetricsServer(lambda: exposition(run, gateway_id, time.monotonic_ns(), latencies), metrics_port)
        announce(run_path / "gateway.json", port=server.port, **({} if metrics is None else {"metrics_port": metrics.port}))
        server.run(is_stopped)
        is_durable = gate.flush()
        gate.close()
        if metrics is not None:
            metrics.close()
        watch.close()
        watch.say("stopped", decided=server.decided, is_durable=is_durable, in_doubt=len(doubt))


def _simulated_domain(run: RunDirectory) -> bytes:
    """Clock domain of a run's tables, which must be that of a simulation: an order's own time is its sender's word."""
    try:
        with run.limits.open("rb") as file:
            page = np.frombuffer(file.read(dtype_of("header").itemsize), dtype_of("header"))
    except (OSError, ValueError) as e:
        raise GateError(f"{run.limits}: has no header to read the clock from: {e}") from e
    domain = bytes(page["clock_domain"][0])
    if not is_simulated(domain):
        raise GateError(
            f"{run.limits}: carries the machine's clock {domain.hex()}; --clock records decides at the time an order claims, simulated only"
        )
    return domain


def _state_flat(gate: gateway.Gate, config: Config) -> None:
    """No venue, no fills, no earlier life: every position is zero."""
    clock = WallClock()
    for account in config.accounts:
        for instrument in config.instruments:
            gate.on_position(instrument.instrument_id, account.account_id, 0, clock.mono(), clock.utc())
