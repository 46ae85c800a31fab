# SPDX-License-Identifier: Apache-2.0
"""The gateway server looks at the tables between orders, hears the venue before it decides, and outlives a poisoned gate."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.unit.gateway import market

from pretrade.bus.tcp import RecordListener, RecordSocket
from pretrade.domain import DECISION_DTYPE, EVENT_DTYPE, ORDER_DTYPE, Action, Config, EventKind, LimitFlag, ReasonCode, Tier, VenueKind, Verdict
from pretrade.gateway import Gate
from pretrade.gateway.server import GatewayServer
from pretrade.limits import Controls, LimitsTable, QuotesTable, RunDirectory, clock_domain


class Now:
    """A clock that stands."""

    def __init__(self) -> None:
        self.now = 10 * market.S

    def mono(self) -> int:
        return self.now

    utc = mono


class World:
    def __init__(self, path: Path, config: Config, listener: RecordListener) -> None:
        self.config, self.clock, self.version = config, Now(), 0
        self.run = RunDirectory(path / "run", domain=clock_domain(1)).create()
        Controls.create(self.run, config)
        self.limits, self.quotes = LimitsTable.create(self.run, [1]), QuotesTable.create(self.run, [1])
        self.publish()
        self.gate = Gate(self.run.path, domain=self.run.clock_domain, config=config, is_flat_at_start=1)
        self.server = GatewayServer(self.gate, self.clock, RecordSocket.connect(listener.port, EVENT_DTYPE))
        session = listener.accept(10)
        assert session is not None
        self.venue = session
        self.client = RecordSocket.connect(self.server.port, DECISION_DTYPE)

    def publish(self, **changes: object) -> None:
        self.version += 1
        record = market.limits(self.config, self.clock.now, self.version, **changes)
        record["epoch"] = self.limits.epoch
        self.limits.publish(record)
        self.quotes.publish(market.quotes(self.clock.now))
        for table in (self.limits, self.quotes):
            table.heartbeat(0, self.clock.now, self.clock.now)

    def serve_until(self, is_done: Callable[[], bool]) -> None:
        for _ in range(1_000):
            self.server.poll(0.01)
            if is_done():
                return
        raise AssertionError("the server never got there")

    def ask(self, number: int, quantity: int, **changes: object) -> np.void:
        self.client.send(market.order(self.clock.now, number, quantity, **changes))  # type: ignore[arg-type]
        parts: list[NDArray[Any]] = []

        def answered() -> bool:
            parts.append(self.client.receive())
            return len(parts[-1]) > 0

        self.serve_until(answered)
        record: np.void = parts[-1][0]
        return record

    def say(self, number: int, said: int, size: int = 0) -> None:
        event = np.zeros(1, EVENT_DTYPE)
        event["kind"], event["order_id"], event["size"], event["flags"] = EventKind.OWN_ORDER, number, size, said << 8
        event["instrument_id"], event["side"], event["aux"] = 1, int(number != 0), (1 << 32) | 1
        self.venue.send(event)


@pytest.fixture
def world(tmp_path: Path, config: Config) -> Iterator[World]:
    with RecordListener(ORDER_DTYPE) as listener:
        world = World(tmp_path, config, listener)
        world.say(0, VenueKind.POSITION)
        yield world
        for part in (world.client, world.venue, world.server, world.gate):
            part.close()


def test_a_trip_between_two_orders_is_latched(world: World) -> None:
    assert world.ask(1, 10)["verdict"] == Verdict.ACCEPT
    world.publish(tier=Tier.CRITICAL, flags=LimitFlag.TRIPPED, trip_id=3, score=0.99)
    world.serve_until(lambda: world.gate.trips(1) == (3, 0))
    # The record that carried the trip is gone before the next order: the gate saw it.
    world.publish(score=0.01)
    assert world.ask(2, 10)["reason"] == ReasonCode.BREAKER_TRIPPED


def test_a_replaced_table_is_opened_without_an_order(world: World) -> None:
    assert world.ask(1, 10)["verdict"] == Verdict.ACCEPT
    world.run.limits.unlink()
    world.limits = LimitsTable.create(world.run, [1], epoch=2)
    world.publish(max_order_quantity=7)
    world.serve_until(lambda: (world.gate.limits_in_force(1) or {})["max_order_quantity"] == 7)


def test_the_gate_looks_at_its_tables_while_orders_keep_coming(world: World) -> None:
    looks = []
    poll = world.gate.poll

    class Counted:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.gate, name)

        def poll(self, now_mono: int, now_utc: int) -> None:
            looks.append(world.server.decided)
            poll(now_mono, now_utc)

    world.server._gate = Counted()
    number = 0
    while len(looks) < 3:
        number += 1
        world.client.send(market.order(world.clock.now, number, 1, price=market.BID - number % 40 * market.TICK))
        world.server.poll(0.0)
        assert number < 50_000
    assert looks[-1] > looks[0], "with orders in between"


def test_a_poisoned_gate_still_passes_cancels(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.ask(1, 10)["verdict"] == Verdict.ACCEPT
    world.gate._plant_venue_panic()  # type: ignore[attr-defined]
    world.say(1, VenueKind.ACKNOWLEDGED, 10)
    world.serve_until(lambda: world.server.problem is not None)
    assert "poisoned" in capsys.readouterr().err
    assert world.ask(2, 10)["reason"] == ReasonCode.INTERNAL
    assert world.ask(3, 0, action=Action.CANCEL, original_client_order_id=1)["verdict"] == Verdict.ACCEPT


def test_the_venue_going_away_finishes_no_order(world: World) -> None:
    assert world.ask(1, 10)["verdict"] == Verdict.ACCEPT
    world.venue.close()
    world.serve_until(lambda: len(world.server._selector.get_map()) == 2)
    assert (world.gate.working(1, 1), world.gate.open_orders) == ((10, 0), 1)


def test_orders_sent_before_the_stop_are_answered(world: World) -> None:
    assert world.ask(1, 10)["verdict"] == Verdict.ACCEPT
    world.client.send(market.order(world.clock.now, 2, 10))
    world.server.run(lambda: True)
    assert world.client.receive(5.0)["client_order_id"].tolist() == [2]


def test_a_kill_takes_what_works_out_of_the_venue(tmp_path: Path, config: Config) -> None:
    config = dataclasses.replace(config, gate=dataclasses.replace(config.gate, mass_cancel="all", disconnect_grace_ms=0), hash="2" * 64)
    with RecordListener(ORDER_DTYPE) as listener:
        world = World(tmp_path, config, listener)
        world.say(0, VenueKind.POSITION)
        assert world.ask(1, 10)["verdict"] == Verdict.ACCEPT
        assert world.venue.receive(5.0)["client_order_id"].tolist() == [1]
        Controls.open(world.run).arm_kill("Ada", "stop everything now")
        got: list[NDArray[Any]] = []

        def cancelled() -> bool:
            got.append(world.venue.receive())
            return len(got[-1]) > 0

        world.serve_until(cancelled)
        assert (int(got[-1]["action"][0]), int(got[-1]["original_client_order_id"][0])) == (Action.CANCEL, 1)
        for part in (world.client, world.venue, world.server, world.gate):
            part.close()


def test_what_a_lost_client_left_is_cancelled(tmp_path: Path, config: Config) -> None:
    config = dataclasses.replace(config, gate=dataclasses.replace(config.gate, disconnect_grace_ms=0), hash="3" * 64)
    with RecordListener(ORDER_DTYPE) as listener:
        world = World(tmp_path, config, listener)
        world.say(0, VenueKind.POSITION)
        assert world.ask(1, 10)["verdict"] == Verdict.ACCEPT
        assert world.venue.receive(5.0)["client_order_id"].tolist() == [1]
        world.client.close()
        got: list[NDArray[Any]] = []

        def cancelled() -> bool:
            got.append(world.venue.receive())
            return len(got[-1]) > 0

        world.serve_until(cancelled)
        assert got[-1]["original_client_order_id"].tolist() == [1]
        for part in (world.venue, world.server, world.gate):
            part.close()
