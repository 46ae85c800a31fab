# SPDX-License-Identifier: Apache-2.0
"""A running gateway process: metrics, log, drain, and what the control service changes under it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.unit.gateway import market

from pretrade import audit, calibration
from pretrade.bus.tcp import RecordSocket
from pretrade.domain import DECISION_DTYPE, Config, ReasonCode, Side, Verdict
from pretrade.limits import Controls, Level, LimitsTable, QuotesTable, RunDirectory
from pretrade.sidecar.serve import prepare

REASON = "asked for by the desk"


class Live:
    """A gateway process without a venue, its tables kept fresh by whoever asks."""

    def __init__(self, path: Path, config: Config) -> None:
        self.run, self.number = RunDirectory(path / "run"), 0
        prepare(self.run, config, config.instruments)
        self._limits, self._quotes = LimitsTable.open(self.run, writable=True), QuotesTable.open(self.run, writable=True)
        records = calibration.static_records(config, [1], epoch=self._limits.epoch, now_mono=time.monotonic_ns())
        records["score"] = np.float32(0.0)
        self._limits.publish(records)
        self._quotes.publish(market.quotes(time.time_ns()))
        self.is_silent = threading.Event()
        self._thread = threading.Thread(target=self._beat_until_silent)
        self._thread.start()
        command = [sys.executable, "-m", "pretrade", "gateway", f"--run={self.run.path}", "--metrics-port=0"]
        self.process = subprocess.Popen(command)
        facts = self.wait_for(self._announced)
        self.metrics_port = int(facts["metrics_port"])
        self.client = RecordSocket.connect(int(facts["port"]), DECISION_DTYPE)

    def _announced(self) -> Any:
        path = self.run.path / "gateway.json"
        assert self.process.poll() is None, "the gateway process ended"
        return json.loads(path.read_text()) if path.exists() else None

    def _beat_until_silent(self) -> None:
        while not self.is_silent.wait(0.02):
            now = time.monotonic_ns()
            self._limits.heartbeat(0, now, now)
            self._quotes.heartbeat(0, now, now)

    def fall_silent(self) -> None:
        self.is_silent.set()
        self._thread.join()

    def wait_for(self, found: Callable[[], Any]) -> Any:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if value := found():
                return value
            time.sleep(0.005)
        raise AssertionError("it never came")

    def order(self, quantity: int, side: Side = Side.BID) -> NDArray[Any]:
        self.number += 1
        price = market.BID - self.number % 40 * market.TICK
        return market.order(time.time_ns(), self.number, quantity, side, price)

    def ask(self, quantity: int) -> np.void:
        self.client.send(self.order(quantity))
        got: NDArray[Any] = self.wait_for(lambda: found if len(found := self.client.receive()) else None)
        record: np.void = got[0]
        return record

    def metrics(self) -> dict[str, float]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=30) as answer:
            text = answer.read().decode()
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        samples = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
        assert all(re.fullmatch(r'[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})?', name) for name, _ in samples)
        return {name: float(value) for name, value in samples}

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.run.path / "gateway-0.log").read_text().splitlines()]

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@pytest.fixture
def live(tmp_path: Path, config: Config) -> Iterator[Live]:
    found = Live(tmp_path, config)
    yield found
    found.client.close()
    found.fall_silent()
    if found.process.poll() is None:
        found.process.kill()
        found.process.wait()


def test_metrics_tell_decisions_stages_ages_and_latency(live: Live) -> None:
    assert live.ask(10)["verdict"] == Verdict.ACCEPT
    assert live.ask(501)["reason"] == ReasonCode.ORDER_EXCEEDS_LIMIT
    assert live.ask(502)["reason"] == ReasonCode.ORDER_EXCEEDS_LIMIT
    accepted, stage = 'pretrade_decisions_total{verdict="ACCEPT",reason="NONE"}', 'pretrade_fallback_active{scope="instrument:1"}'
    found = live.wait_for(lambda: m if (m := live.metrics())[accepted] == 1 and m[stage] == 0 else None)
    assert found['pretrade_decisions_total{verdict="REJECT",reason="ORDER_EXCEEDS_LIMIT"}'] == 2
    assert (found["pretrade_gate_up"], found['pretrade_fallback_active{scope="instrument:1"}'], found["pretrade_kill_armed"]) == (1, 0, 0)
    assert 0 <= found['pretrade_limits_age_seconds{channel="0"}'] < 30
    assert found["pretrade_decision_seconds_count"] == found['pretrade_decision_seconds_bucket{le="+Inf"}'] == 3
    assert found["pretrade_decision_seconds_sum"] > 0
    live.wait_for(lambda: live.metrics()["pretrade_journal_lag_records"] == 0)
    with pytest.raises(urllib.error.HTTPError, match="404") as refused:
        urllib.request.urlopen(f"http://127.0.0.1:{live.metrics_port}/else", timeout=30)
    refused.value.close()


def test_a_silent_sidecar_and_a_kill_are_shown_and_logged(live: Live) -> None:
    assert live.ask(10)["verdict"] == Verdict.ACCEPT
    live.fall_silent()
    live.wait_for(lambda: live.metrics()['pretrade_fallback_active{scope="instrument:1"}'] == 1)
    assert live.metrics()['pretrade_limits_age_seconds{channel="0"}'] > 1
    number = Controls.open(live.run).arm_kill("Ada", REASON)
    live.wait_for(lambda: live.metrics()["pretrade_kill_armed"] == 1)
    live.wait_for(lambda: [e for e in live.events() if e["event"] == "kill"])
    assert live.end() == 0
    events = live.events()
    assert [e["event"] for e in (events[0], events[-1])] == ["started", "stopped"]
    assert 1 in [e["stage"] for e in events if e["event"] == "stage"]
    assert [e["number"] for e in events if e["event"] == "kill"] == [number]
    assert all(e["gateway"] == 0 and e["ts"] > 0 for e in events)


def test_a_gateway_told_to_stop_answers_what_had_been_sent(live: Live) -> None:
    assert live.ask(1)["verdict"] == Verdict.ACCEPT
    # Stopped by the shell, so that orders and the signal wait together; then it goes on and finds both.
    os.kill(live.process.pid, signal.SIGSTOP)
    live.client.send(np.concatenate([live.order(1) for _ in range(50)]))
    os.kill(live.process.pid, signal.SIGTERM)
    os.kill(live.process.pid, signal.SIGCONT)
    got: list[int] = []

    def hear() -> bool:
        got.extend(live.client.receive()["client_order_id"].tolist())
        return len(got) == 50

    live.wait_for(hear)
    assert live.process.wait(60) == 0
    stopped = live.events()[-1]
    assert (stopped["event"], stopped["decided"], stopped["is_durable"]) == ("stopped", 51, True)
    assert audit.verify(live.run.gate_journal(0)).ok


def test_static_limits_and_directories_change_under_a_running_gateway(live: Live) -> None:
    controls = Controls.open(live.run)
    assert live.ask(400)["verdict"] == Verdict.ACCEPT
    controls.set_static(1, {"max_order_quantity": 300}, "Ada", REASON, level=Level.ACCOUNT)
    refused = live.ask(400)
    assert (refused["reason"], refused["limit"]) == (ReasonCode.ORDER_EXCEEDS_LIMIT, 300)
    controls.set_static(1, {"max_order_quantity": 450}, "Ada", REASON, level=Level.ACCOUNT, second_by="Grace")
    assert live.ask(400)["verdict"] == Verdict.ACCEPT
    controls.set_enabled(Level.ACCOUNT, 1, "Ada", REASON, on=False)
    assert live.ask(1)["reason"] == ReasonCode.PARTY_NOT_AUTHORISED
    controls.set_enabled(Level.ACCOUNT, 1, "Ada", REASON, on=True, second_by="Grace")
    assert live.ask(1)["verdict"] == Verdict.ACCEPT
