# SPDX-License-Identifier: Apache-2.0
"""The writer of ``limits`` dies by SIGKILL at arbitrary instants; the gate falls back, then only reduces. Time is passed in."""

from __future__ import annotations

import dataclasses
import multiprocessing
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pretrade.domain import LIMITS_DTYPE, ORDER_DTYPE, QUOTES_DTYPE, Action, Config, OrderType, Phase, ReasonCode, Side, Tier, TimeInForce, Verdict
from pretrade.domain.errors import TableError
from pretrade.gateway import Gate
from pretrade.limits import Controls, LimitsTable, QuotesTable, RunDirectory

S = 1_000_000_000
TICK = S // 4
BID = 4_800 * S
START = 1_000 * S
STATIC, HIGH = 500, 50


@pytest.fixture(scope="module")
def config() -> Config:
    """The packaged configuration without a duplicate window: these tests send the same order on and on."""
    packaged = Config.load()
    return dataclasses.replace(packaged, gate=dataclasses.replace(packaged.gate, duplicate_window_ms=0), hash="0" * 64)


@pytest.fixture
def run(tmp_path: Path, config: Config) -> RunDirectory:
    directory = RunDirectory(tmp_path / "run", domain=None).create()
    Controls.create(directory, config)
    ids = [i.instrument_id for i in config.instruments]
    QuotesTable.create(directory, ids)
    LimitsTable.create(directory, ids)
    return directory


def record(config: Config, version: int, quantity: int, tier: Tier) -> NDArray[Any]:
    r = np.zeros(1, LIMITS_DTYPE)
    for name, value in config.static_of(config.instruments[0]).items():
        r[name] = value
    r["instrument_id"], r["version"], r["valid_mask"], r["score"] = 1, version, 2**21 - 1, 0.5
    r["max_order_quantity"], r["tier"] = quantity, tier
    return r


def calm_quotes() -> NDArray[Any]:
    q = np.zeros(1, QUOTES_DTYPE)
    q["instrument_id"], q["phase"] = 1, Phase.CONTINUOUS
    q["bid_price"], q["ask_price"], q["slow_reference"] = BID, BID + TICK, BID
    q["mid_10s"] = q["mid_5m"] = BID
    q["depth_bid"] = q["depth_ask"] = 1_000
    return q


def order(number: int, quantity: int, now: int, side: Side = Side.BID) -> NDArray[Any]:
    o = np.zeros(1, ORDER_DTYPE)
    o["client_order_id"], o["ts_event"], o["quantity"] = number, now, quantity
    o["price"] = BID - 20 * TICK if side == Side.BID else BID + 20 * TICK
    o["instrument_id"] = o["strategy_id"] = o["account_id"] = 1
    o["side"], o["order_type"], o["time_in_force"], o["action"] = side, OrderType.LIMIT, TimeInForce.DAY, Action.NEW
    return o


# From a server without threads: a fork of this process would copy whatever libraries other tests have started.
_WRITERS = multiprocessing.get_context("forkserver")
_WRITERS.set_forkserver_preload(["tests.integration.test_writer_killed"])


def sidecar(run: RunDirectory, config: Config, tick: int) -> BaseProcess:
    """A writer that publishes NORMAL, HIGH, NORMAL, ... as fast as it can and beats at ``tick``."""
    child = _WRITERS.Process(target=publish_for_ever, args=(run, config, tick), daemon=True)
    child.start()
    return child


def publish_for_ever(run: RunDirectory, config: Config, tick: int) -> None:
    """Body of the writer; it ends by SIGKILL only."""
    table = LimitsTable.open(run, writable=True)
    version = 0
    while True:
        version += 1
        quantity, tier = (STATIC, Tier.NORMAL) if version % 2 else (HIGH, Tier.HIGH)
        r = record(config, version, quantity, tier)
        r["epoch"] = table.epoch
        table.publish(r)
        table.heartbeat(0, tick + version, tick + version)


def kill_after(run: RunDirectory, child: BaseProcess, versions: int, epoch: int, gate: Gate | None = None, now: int = 0) -> None:
    """Kill the writer once it has published ``versions`` records of its epoch and the gate, if any, trusts it again."""
    reader = LimitsTable.open(run)
    try:
        while True:
            version = published(reader, epoch)
            if version >= versions and (gate is None or gate.stage(1) == 0):
                break
            if gate is not None:
                gate.poll(now, now)
    finally:
        child.kill()
        child.join()


def published(reader: LimitsTable, epoch: int) -> int:
    """Version of the record of a later epoch than ``epoch``; -1 where there is none, or its writer is held up inside a write."""
    try:
        record = reader.snapshot()[0]
    except TableError:
        return -1
    return int(record["version"]) if int(record["epoch"]) > epoch else -1


def test_writer_killed_at_50_instants_never_loosens_and_then_only_reduces(run: RunDirectory, config: Config) -> None:
    quotes = QuotesTable.open(run, writable=True)
    quotes.publish(calm_quotes())
    gate = Gate(run.path, config=config, is_flat_at_start=1)
    rng = np.random.default_rng(7)
    now, number = START, 0
    seen = set()
    for _ in range(50):
        now += 100 * S
        quotes.heartbeat(0, now, now)
        epoch = LimitsTable.open(run).epoch
        child = sidecar(run, config, now)
        kill_after(run, child, int(rng.integers(2, 400)), epoch, gate, now)
        gate.poll(now, now)
        in_force = gate.limits_in_force(1)
        assert in_force is not None
        last_good = min(in_force["max_order_quantity"], STATIC)
        seen.add(last_good)
        for age_s, stages in ((2, {1}), (59, {1}), (80, {2})):
            later = now + age_s * S
            quotes.heartbeat(0, later, later)
            number += 1
            refused = gate.decide(order(number, last_good + 1, later), later, later)[0]
            assert int(refused["stage"]) in stages
            assert int(refused["verdict"]) == Verdict.REJECT
            if int(refused["reason"]) == ReasonCode.ORDER_EXCEEDS_LIMIT:
                assert int(refused["limit"]) <= last_good
            else:
                assert int(refused["reason"]) in (ReasonCode.LIMITS_STALE, ReasonCode.LIMITS_INVALID)
        assert int(refused["reason"]) in (ReasonCode.LIMITS_STALE, ReasonCode.LIMITS_INVALID)
    assert HIGH in seen
    assert gate.counters()["unrecorded"] == 0
    gate.close()


def test_kill_and_release_work_with_the_writer_dead(run: RunDirectory, config: Config) -> None:
    quotes = QuotesTable.open(run, writable=True)
    quotes.publish(calm_quotes())
    quotes.heartbeat(0, START, START)
    child = sidecar(run, config, START)
    kill_after(run, child, 3, 0)
    gate = Gate(run.path, config=config, is_flat_at_start=1)
    assert int(gate.decide(order(1, 1, START), START, START)[0]["verdict"]) == Verdict.ACCEPT
    controls = Controls.open(run)
    number = controls.arm_kill("ann", "runaway algorithm seen")
    assert int(gate.decide(order(2, 1, START), START, START)[0]["reason"]) == ReasonCode.KILL_SWITCH
    cancel = order(3, 0, START)
    cancel["action"], cancel["original_client_order_id"] = Action.CANCEL, 1
    assert int(gate.decide(cancel, START, START)[0]["verdict"]) == Verdict.ACCEPT
    controls.release_kill(number, "ann", "bob", "algorithm stopped and checked")
    assert int(gate.decide(order(4, 1, START), START, START)[0]["verdict"]) == Verdict.ACCEPT
    gate.close()
