# SPDX-License-Identifier: Apache-2.0
"""One run's orders and limit records through the real gateway process, time read from the records."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pretrade import audit, calibration, features, gateway, models, simulation
from pretrade.bus.tcp import RecordListener, RecordSocket
from pretrade.domain import DECISION_DTYPE, EVENT_DTYPE, ORDER_DTYPE, Config, EventFlag, EventKind, VenueKind, Verdict
from pretrade.limits import LimitsTable, QuotesTable, RunDirectory, clock_domain
from pretrade.sidecar.serve import prepare

_FIELDS = ("client_order_id", "verdict", "reason", "measured", "limit", "unit", "limit_version", "tier", "stage", "control", "trip_id")


@pytest.fixture
def run(tmp_path: Path, config: Config) -> RunDirectory:
    directory = RunDirectory(tmp_path / "run", domain=clock_domain(1))
    prepare(directory, config, (config.instrument("ES"),))
    return directory


@pytest.fixture
def venue(run: RunDirectory) -> Iterator[RecordListener]:
    with RecordListener(ORDER_DTYPE) as listener:
        (run.path / "venue.json").write_text(json.dumps({"order_port": listener.port}))
        yield listener


def _announced(run: RunDirectory, process: subprocess.Popen[bytes]) -> int:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if (run.path / "gateway.json").exists():
            return int(json.loads((run.path / "gateway.json").read_text())["port"])
        assert process.poll() is None, "the gateway process ended"
        time.sleep(0.01)
    raise AssertionError("the gateway process did not come up")


def _receive(socket: RecordSocket, n: int) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    parts: list[np.ndarray[tuple[int], np.dtype[np.void]]] = []
    end = time.monotonic() + 30
    while sum(map(len, parts)) < n and time.monotonic() < end:
        parts.append(socket.receive(0.1))
    return np.concatenate(parts)


def test_a_gateway_process_decides_as_the_gate_in_process(run: RunDirectory, venue: RecordListener, config: Config) -> None:
    day = simulation.flash_crash(seed=8, warm_up_s=500, story_s=40)
    rows = features.compute(day.events, config)
    limits = calibration.calibrate(models.PcaAnomaly(config).fit(rows.calm()).score(rows), config)
    expected = gateway.replay(day.orders, limits).decisions
    assert len(np.unique(expected["reason"])) >= 3, "the story must hold an accept, a size refusal and a tripped breaker"

    command = [sys.executable, "-m", "pretrade", "gateway", f"--run={run.path}", "--clock=records", f"--venue={run.path / 'venue.json'}"]
    process = subprocess.Popen(command)
    try:
        session = venue.accept(60)
        assert session is not None
        flat = np.zeros(1, EVENT_DTYPE)
        flat["kind"], flat["instrument_id"], flat["aux"], flat["flags"] = EventKind.OWN_ORDER, 1, 1, VenueKind.POSITION << 8 | EventFlag.LAST
        session.send(flat)
        client = RecordSocket.connect(_announced(run, process), DECISION_DTYPE)
        table, quotes = LimitsTable.open(run, writable=True), QuotesTable.open(run, writable=True)
        assert limits.quotes is not None
        decided, next_record = [], 0
        for order in day.orders.reshape(-1, 1):
            now = int(order["ts_event"][0])
            while next_record < len(limits.records) and int(limits.records["ts_published"][next_record]) <= now:
                record = limits.records[next_record : next_record + 1].copy()
                record["epoch"] = table.epoch
                table.publish(record)
                next_record += 1
            quotes.publish(limits.quotes[np.flatnonzero(rows.ts_recv <= now)[-1:]])
            table.heartbeat(0, now, now)
            quotes.heartbeat(0, now, now)
            client.send(order)
            answer = _receive(client, 1)
            decided.append(answer)
            if answer["verdict"][0] == Verdict.ACCEPT:
                assert _receive(session, 1)["client_order_id"][0] == order["client_order_id"][0]
                done = np.zeros(1, EVENT_DTYPE)
                done["kind"], done["order_id"], done["instrument_id"] = EventKind.OWN_ORDER, order["client_order_id"], 1
                done["side"], done["aux"], done["flags"] = order["side"], (1 << 32) | 1, VenueKind.CANCELLED << 8 | EventFlag.LAST
                session.send(done)
        client.close()
        session.close()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    got = np.concatenate(decided)
    for name in _FIELDS:
        assert got[name].tolist() == expected[name].tolist(), name
    verified = audit.verify(run.gate_journal(0))
    assert verified.ok, verified.problems


def test_a_live_run_is_not_decided_at_the_time_an_order_claims(tmp_path: Path, config: Config) -> None:
    live = RunDirectory(tmp_path / "live")
    prepare(live, config, (config.instrument("ES"),))
    command = [sys.executable, "-m", "pretrade", "gateway", f"--run={live.path}", "--clock=records"]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode != 0
    assert "carries the machine's clock" in refused.stderr
    assert not (live.path / "gateway.json").exists()
