# SPDX-License-Identifier: Apache-2.0
"""A gateway process whose tables are cut off under it goes on deciding: limits lost is stage 1, controls lost is stage 3."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray

from pretrade import calibration
from pretrade.bus.tcp import RecordSocket
from pretrade.domain import DECISION_DTYPE, ORDER_DTYPE, QUOTES_DTYPE, Action, Config, OrderType, Phase, ReasonCode, Side, TimeInForce, Verdict
from pretrade.limits import LimitsTable, QuotesTable, RunDirectory
from pretrade.sidecar.serve import prepare

S: Final = 1_000_000_000
TICK: Final = S // 4
BID: Final = 4_800 * S
PATIENCE_S: Final = 60


@dataclass
class Desk:
    """A gateway process, an order session to it, and the writers of both tables."""

    run: RunDirectory
    process: subprocess.Popen[bytes]
    session: RecordSocket
    alive: list[LimitsTable | QuotesTable]
    number: int = 0

    def cut_off(self, table: LimitsTable | QuotesTable) -> None:
        """Truncate a table that the gateway has mapped."""
        self.alive.remove(table)
        os.truncate(table.path, 0)

    def restart(self) -> None:
        """Kill the gateway as a power cut would, and start it again on the same run directory."""
        self.session.close()
        self.process.kill()
        self.process.wait(30)
        (self.run.path / "gateway.json").unlink()
        self.process = start(self.run)
        self.session = connect(self.run, self.process)

    def ask(self, action: Action = Action.NEW) -> np.void:
        """One small order (or a cancel of the first), decided on fresh tables."""
        now = time.monotonic_ns()
        for table in self.alive:
            table.heartbeat(0, now, now)
        self.number += 1
        order = np.zeros(1, ORDER_DTYPE)
        order["client_order_id"], order["ts_event"], order["quantity"], order["price"] = self.number, time.time_ns(), 1, BID - 20 * TICK
        order["instrument_id"] = order["strategy_id"] = order["account_id"] = 1
        order["side"], order["order_type"], order["time_in_force"], order["action"] = Side.BID, OrderType.LIMIT, TimeInForce.DAY, action
        if action == Action.CANCEL:
            order["original_client_order_id"] = 1
        self.session.send(order)
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            decisions = self.session.receive(0.1)
            if len(decisions):
                decided: np.void = decisions[0]
                return decided
            assert self.process.poll() is None, f"the gateway ended with {self.process.returncode}"
        raise AssertionError("the gateway did not decide")

    def ask_until(self, stage: int) -> np.void:
        """Ask again until the gate stands in a stage; 3 is the whole gate's and tells itself by its reason."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            decision = self.ask()
            is_halted = int(decision["reason"]) == ReasonCode.CONTROLS_UNAVAILABLE
            if (3 if is_halted else int(decision["stage"])) == stage:
                return decision
        raise AssertionError(f"the gate never came to stage {stage}, but said {decision}")


def quotes_record() -> NDArray[Any]:
    q = np.zeros(1, QUOTES_DTYPE)
    q["instrument_id"], q["phase"] = 1, Phase.CONTINUOUS
    q["bid_price"], q["ask_price"], q["slow_reference"] = BID, BID + TICK, BID
    q["mid_10s"] = q["mid_5m"] = BID
    q["depth_bid"] = q["depth_ask"] = 1_000
    return q


@pytest.fixture
def desk(tmp_path: Path, config: Config) -> Iterator[Desk]:
    run = RunDirectory(tmp_path / "run")
    prepare(run, config, (config.instrument("ES"),))
    limits, quotes = LimitsTable.open(run, writable=True), QuotesTable.open(run, writable=True)
    limits.publish(calibration.static_records(config, [1], epoch=limits.epoch, now_mono=time.monotonic_ns()))
    quotes.publish(quotes_record())
    process = start(run)
    desk = None
    try:
        desk = Desk(run, process, connect(run, process), [limits, quotes])
        yield desk
        desk.session.close()
    finally:
        process = desk.process if desk is not None else process
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def start(run: RunDirectory) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "pretrade", "gateway", f"--run={run.path}"])


def connect(run: RunDirectory, process: subprocess.Popen[bytes]) -> RecordSocket:
    end = time.monotonic() + PATIENCE_S
    while not (run.path / "gateway.json").exists():
        assert process.poll() is None
        assert time.monotonic() < end, "the gateway did not come up"
    return RecordSocket.connect(int(json.loads((run.path / "gateway.json").read_text())["port"]), DECISION_DTYPE)


@pytest.mark.slow
def test_limits_cut_off_are_stage_1_and_controls_cut_off_stage_3(desk: Desk) -> None:
    fresh = desk.ask_until(0)
    assert int(fresh["verdict"]) == Verdict.ACCEPT
    desk.cut_off(desk.alive[0])
    fallback = desk.ask_until(1)
    assert int(fallback["verdict"]) == Verdict.ACCEPT, "one lot is within the last good limits"
    os.truncate(desk.run.controls, 0)
    halted = desk.ask_until(3)
    assert int(halted["verdict"]) == Verdict.REJECT
    assert int(desk.ask(Action.CANCEL)["verdict"]) == Verdict.ACCEPT, "cancels pass in every stage"
    assert desk.process.poll() is None


@pytest.mark.slow
def test_quotes_cut_off_leave_no_reference_price_and_a_living_gateway(desk: Desk) -> None:
    assert int(desk.ask_until(0)["verdict"]) == Verdict.ACCEPT
    desk.cut_off(desk.alive[1])
    assert int(desk.ask()["verdict"]) == Verdict.REJECT
    assert int(desk.ask(Action.CANCEL)["verdict"]) == Verdict.ACCEPT
    assert desk.process.poll() is None


@pytest.mark.slow
def test_a_gateway_without_a_venue_is_flat_in_its_first_life_and_states_nothing_over_a_broken_journal(desk: Desk) -> None:
    assert int(desk.ask_until(0)["verdict"]) == Verdict.ACCEPT
    desk.restart()
    assert int(desk.ask_until(0)["verdict"]) == Verdict.ACCEPT, "what was stated stands in the journal"
    (desk.run.path / "gate-0.ring").unlink()
    desk.restart()
    refused = desk.ask_until(0)
    assert (int(refused["verdict"]), int(refused["reason"]), int(refused["control"])) == (Verdict.REJECT, ReasonCode.INPUT_MISSING, 18)
