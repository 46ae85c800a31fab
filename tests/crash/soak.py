# SPDX-License-Identifier: Apache-2.0
"""A gate under load for minutes: ``python -m tests.crash.soak --seconds 600 --rate 15000``.

One process decides and is told of every end; another publishes limits, trips and resumes the breaker through the control service, and watches the
first one's memory. At the end the journal on disk must hold every decision, its chain must verify, and memory must not have grown.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade import audit, calibration
from pretrade.domain import Config, ReasonCode, Side, VenueKind, Verdict
from pretrade.gateway import Gate
from pretrade.limits import Controls, LimitsTable, QuotesTable, RunDirectory
from pretrade.limits.layouts import dtype_of
from pretrade.sidecar.serve import prepare
from tests.crash.kill import config
from tests.unit.gateway import market

_BATCH: Final = 500
_DECISION: Final = 2
_WARM_S: Final = 20.0
_GROWTH: Final = 0.02
"""Memory may end this much above what it was when warm: allocators breathe."""
_ALLOWED: Final = {int(r) for r in (ReasonCode.NONE, ReasonCode.BREAKER_TRIPPED, ReasonCode.ORDER_EXCEEDS_LIMIT, ReasonCode.LIMITS_STALE)}


def decide_on_and_on(run: RunDirectory, settings: Config, seconds: float, rate: float) -> dict[str, Any]:
    """The gate's side: batches at a rate, every accepted order ended by the venue; what was decided, by reason."""
    gate = Gate(run.path, config=settings, journals=run.journals, id_blocks=1 << 18)
    gate.on_position(1, 1, 0, time.monotonic_ns(), time.time_ns())
    orders = np.concatenate([market.order(0, n, 1 + n % 20, (Side.BID, Side.ASK)[n % 2], market.BID) for n in range(_BATCH)])
    reasons: dict[int, int] = {}
    start, number, slowest = time.monotonic(), 0, 0.0
    while (elapsed := time.monotonic() - start) < seconds:
        if number > elapsed * rate:
            time.sleep(0.001)
            continue
        orders["client_order_id"] = np.arange(number + 1, number + 1 + _BATCH)
        orders["ts_event"] = time.time_ns()
        orders["quantity"][::97] = 600
        before = time.monotonic()
        decisions = gate.decide(orders, time.monotonic_ns(), time.time_ns())
        slowest = max(slowest, time.monotonic() - before)
        accepted = orders["client_order_id"][decisions["verdict"] == Verdict.ACCEPT].tolist()
        done = [(int(VenueKind.CANCELLED), n, 0, 0, 0, 1, 1, 0, 0) for n in accepted]
        gate.on_venue_messages(done, time.monotonic_ns(), time.time_ns())
        gate.poll(time.monotonic_ns(), time.time_ns())
        for reason, count in zip(*np.unique(decisions["reason"], return_counts=True), strict=True):
            reasons[int(reason)] = reasons.get(int(reason), 0) + int(count)
        number += _BATCH
    is_durable = gate.flush()
    facts = {"decided": number, "reasons": reasons, "open_orders": gate.open_orders, "is_durable": is_durable, "slowest_batch_ms": slowest * 1e3}
    gate.close()
    return facts


class Disturber:
    """The other side: limits, heartbeats, trips, resumes, and an eye on memory."""

    def __init__(self, run: RunDirectory, settings: Config) -> None:
        self._controls = Controls.open(run)
        self._limits, self._quotes = LimitsTable.open(run, writable=True), QuotesTable.open(run, writable=True)
        self._record = calibration.static_records(settings, [1], epoch=self._limits.epoch, now_mono=time.monotonic_ns())
        self._record["score"] = np.float32(0.0)
        self._trip, self._due = 0, time.monotonic() + 1
        self.published = self.trips = 0

    def act(self) -> None:
        """Publish, beat, and every second trip or resume."""
        now = time.monotonic_ns()
        self._record["version"] += 1
        self._record["max_order_quantity"] = 400 + self.published % 100
        self._limits.publish(self._record)
        self._quotes.publish(market.quotes(time.time_ns()))
        for table in (self._limits, self._quotes):
            table.heartbeat(0, now, now)
        self.published += 1
        if time.monotonic() > self._due:
            self._due = time.monotonic() + 1
            if self._trip:
                self._controls.resume(1, self._trip, "Ada", "the soak goes on now")
                self._trip = 0
            else:
                self._trip, self.trips = self._controls.trip(1, "Ada", "the soak stops here"), self.trips + 1


def resident(pid: int) -> int:
    """Bytes of memory that are a process's own: what it shares with files is not growth."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return int(fields["RssAnon"].split()[0]) * 1024


def judge(run: RunDirectory, facts: dict[str, Any], memory: NDArray[np.int64]) -> list[str]:
    """What was not kept; empty where all was."""
    dtype = dtype_of("gate_journal_record")
    path = run.gate_journal(0)
    kinds = np.memmap(path, dtype, "r", offset=4_096, shape=((path.stat().st_size - 4_096) // dtype.itemsize,))["kind"]
    decisions = sum(int((kinds[i : i + 1_000_000] == _DECISION).sum()) for i in range(0, len(kinds), 1_000_000))
    verified = audit.verify(path)
    found = {int(reason) for reason in facts["reasons"]}
    problems = [] if verified.ok else list(verified.problems)
    if decisions != facts["decided"]:
        problems.append(f"the journal holds {decisions} decisions, {facts['decided']} were made")
    if not facts["is_durable"] or facts["open_orders"]:
        problems.append(f"is_durable {facts['is_durable']}, open orders {facts['open_orders']}")
    if found - _ALLOWED:
        problems.append(f"refusals that nothing here causes: {[ReasonCode(r).name for r in found - _ALLOWED]}")
    if {int(ReasonCode.NONE), int(ReasonCode.BREAKER_TRIPPED), int(ReasonCode.ORDER_EXCEEDS_LIMIT)} - found:
        problems.append(f"the load did not meet its stops: {sorted(found)}")
    if memory[-1] > memory[0] * (1 + _GROWTH):
        problems.append(f"memory grew from {memory[0]} to {memory[-1]} bytes")
    return problems


def soak(seconds: float, rate: float, folder: Path, tables: Path, warm_s: float = _WARM_S) -> dict[str, Any]:
    """Run it; facts, with what was not kept under ``problems``."""
    settings, run = config(), RunDirectory(tables, folder / "journals")
    prepare(run, settings, settings.instruments)
    disturber = Disturber(run, settings)
    disturber.act()
    result = folder / "facts.json"
    pid = os.fork()
    if not pid:
        code = 1
        try:
            result.write_text(json.dumps(decide_on_and_on(run, settings, seconds, rate)))
            code = 0
        except BaseException:  # noqa: BLE001 - a forked process has nobody above it
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    samples: list[int] = []
    start = time.monotonic()
    while not os.waitpid(pid, os.WNOHANG)[0]:
        disturber.act()
        if time.monotonic() - start > warm_s + len(samples):
            samples.append(resident(pid) if Path(f"/proc/{pid}/status").read_text().find("RssAnon") >= 0 else samples[-1])
        time.sleep(0.001)
    facts = json.loads(result.read_text())
    memory = np.array(samples[:-2] or samples, np.int64)
    facts["problems"] = judge(run, facts, memory)
    facts["reasons"] = {ReasonCode(int(reason)).name: count for reason, count in facts["reasons"].items()}
    facts |= {"published": disturber.published, "trips": disturber.trips, "memory_start": int(memory[0]), "memory_end": int(memory[-1])}
    return {**facts, "journal_bytes": run.gate_journal(0).stat().st_size, "seconds": seconds, "per_second": round(facts["decided"] / seconds)}


def main(arguments: list[str] | None = None) -> int:
    """One JSON object; exit 1 where anything was not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--rate", type=float, default=15_000.0, help="orders per second asked for; the journal grows by 512 bytes each")
    parser.add_argument("--folder", type=Path, default=None, help="where the journal goes; a temporary folder otherwise")
    given = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="pretrade-soak-", dir=given.folder))
    tables = Path(tempfile.mkdtemp(prefix="pretrade-soak-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    try:
        facts = soak(given.seconds, given.rate, folder, tables, min(_WARM_S, given.seconds / 4))
    finally:
        for path in (folder, tables):
            shutil.rmtree(path, ignore_errors=True)
    sys.stdout.write(json.dumps(facts) + "\n")
    return 1 if facts["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
