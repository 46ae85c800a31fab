# SPDX-License-Identifier: Apache-2.0
"""What the venue says reaches the gate as it was said: an order's end is never inferred, its session never dropped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.unit.gateway import market

from pretrade.domain import EVENT_DTYPE, Action, Config, EventKind, ReasonCode, Side, TimeInForce, VenueKind, Verdict
from pretrade.domain.errors import GateError
from pretrade.gateway import Gate
from pretrade.limits import Controls, LimitsTable, QuotesTable, RunDirectory, clock_domain
from pretrade.simulation import MarketParameters, Simulator
from pretrade.simulation.market import CALM_START_NS

NOW = 10 * market.S


@pytest.fixture
def run(tmp_path: Path, config: Config) -> RunDirectory:
    run = RunDirectory(tmp_path / "run", domain=clock_domain(1)).create()
    Controls.create(run, config)
    limits, quotes = LimitsTable.create(run, [1]), QuotesTable.create(run, [1])
    record = market.limits(config, NOW, 1)
    record["epoch"] = limits.epoch
    limits.publish(record)
    quotes.publish(market.quotes(NOW))
    for table in (limits, quotes):
        table.heartbeat(0, NOW, NOW)
    return run


@pytest.fixture
def gate(run: RunDirectory, config: Config) -> Iterator[Gate]:
    gate = Gate(run.path, domain=run.clock_domain, config=config, is_flat_at_start=1)
    assert gate.on_position(1, 1, 0, NOW, NOW)
    yield gate
    gate.close()


def put(gate: Gate, number: int, quantity: int, side: Side = Side.BID, **changes: object) -> np.void:
    record: np.void = gate.decide(market.order(NOW, number, quantity, side, **changes), NOW, NOW)[0]  # type: ignore[arg-type]
    return record


def told(number: int, said: int, size: int = 0, kind: int = EventKind.OWN_ORDER, session: int = 0, side: Side = Side.BID) -> NDArray[np.void]:
    event = np.zeros(1, EVENT_DTYPE)
    event["kind"], event["order_id"], event["size"], event["sequence"] = kind, number, size, session
    event["instrument_id"], event["side"], event["aux"], event["flags"] = 1, side, (1 << 32) | 1, said << 8 | 1
    return event


def venue() -> tuple[Simulator, int]:
    """A fresh market, and a price at which a buy rests in it."""
    simulator = Simulator(MarketParameters(), 3, CALM_START_NS)
    events = simulator.run_until(CALM_START_NS + market.S)
    return simulator, int(events["price"][(events["kind"] == EventKind.ADD) & (events["side"] == Side.BID)].min())


def test_a_refused_replace_of_the_simulated_venue_leaves_the_order_working(gate: Gate) -> None:
    simulator, low = venue()
    new = market.order(NOW, 1, 500)
    replace = market.order(NOW, 2, 400, price=market.BID + market.TICK, action=Action.REPLACE, original_client_order_id=1)
    for order in (new, replace):
        assert gate.decide(order, NOW, NOW)["verdict"][0] == Verdict.ACCEPT
    new["price"], replace["price"] = low, low + 1
    assert gate.on_venue(simulator.submit(new), NOW, NOW) == 0
    assert gate.on_venue(simulator.submit(replace), NOW, NOW) == 0
    assert (gate.working(1, 1), gate.open_orders) == ((500, 0), 1)
    assert simulator.withdraw(0) == 1, "500 lots were live at the venue all the time"


def test_every_answer_of_the_simulated_venue_keeps_gate_and_venue_equal(gate: Gate) -> None:
    simulator, low = venue()

    def step(number: int, quantity: int, **changes: object) -> tuple[int, int] | None:
        order = market.order(NOW, number, quantity, price=market.BID, **changes)  # type: ignore[arg-type]
        assert gate.decide(order, NOW, NOW)["verdict"][0] == Verdict.ACCEPT
        order["price"] = low
        gate.on_venue(simulator.submit(order), NOW, NOW)
        return gate.working(1, 1)

    assert step(1, 300) == (300, 0)
    assert step(2, 100, action=Action.REPLACE, original_client_order_id=1) == (100, 0)
    assert step(3, 0, action=Action.CANCEL, original_client_order_id=2) == (0, 0)
    assert step(4, 50, time_in_force=TimeInForce.IOC) == (0, 0)
    assert (gate.position(1, 1), gate.open_orders, gate.counters()["unknown_venue"]) == (0, 0, 0)


def test_size_0_alone_ends_nothing(gate: Gate) -> None:
    put(gate, 1, 500)
    assert gate.on_venue(told(1, 0), NOW, NOW) == 1
    assert gate.on_venue(told(1, VenueKind.ACKNOWLEDGED), NOW, NOW) == 0
    assert gate.on_venue(told(1, VenueKind.FILLED), NOW, NOW) == 1, "an order event is no execution"
    assert gate.working(1, 1) == (500, 0)
    assert gate.on_venue(told(1, VenueKind.CANCELLED), NOW, NOW) == 0
    assert gate.working(1, 1) == (0, 0)


def test_an_execution_is_a_fill_whatever_its_flags_say(gate: Gate) -> None:
    put(gate, 1, 500)
    for said in (0, VenueKind.FILLED, VenueKind.CANCELLED):
        assert gate.on_venue(told(1, said, 100, EventKind.OWN_EXECUTION), NOW, NOW) == 0
    assert (gate.position(1, 1), gate.working(1, 1)) == (300, (200, 0))


def test_the_session_tells_two_orders_of_the_same_number_apart(gate: Gate) -> None:
    put(gate, 1, 100)
    put(gate, 1, 300, session_id=7)
    assert gate.working(1, 1) == (400, 0)
    assert gate.on_venue(told(1, VenueKind.CANCELLED, session=7), NOW, NOW) == 0
    assert gate.working(1, 1) == (100, 0)
    assert gate.on_venue(told(1, VenueKind.CANCELLED, session=1 << 33), NOW, NOW) == 1, "no session, no order"
    assert gate.working(1, 1) == (100, 0)


def test_a_position_is_stated(run: RunDirectory, config: Config) -> None:
    gate = Gate(run.path, domain=run.clock_domain, config=config)
    assert gate.position(1, 1) is None
    assert put(gate, 1, 10)["verdict"] == Verdict.REJECT
    assert gate.on_position(1, 1, -40, NOW, NOW)
    assert gate.position(1, 1) == -40
    assert put(gate, 2, 10)["verdict"] == Verdict.ACCEPT
    event = told(0, VenueKind.POSITION, 25)
    assert gate.on_venue(event, NOW, NOW) == 0
    assert gate.position(1, 1) == 25
    assert not gate.on_position(99, 1, 0, NOW, NOW)
    gate.close()


def test_a_panic_in_a_venue_message_poisons_the_gate(gate: Gate) -> None:
    put(gate, 1, 100)
    gate._plant_venue_panic()  # type: ignore[attr-defined]
    with pytest.raises(GateError, match="poisoned"):
        gate.on_venue(told(1, VenueKind.CANCELLED), NOW, NOW)
    assert gate.is_poisoned
    gate.poll(NOW, NOW)
    refused = put(gate, 2, 1)
    assert (refused["verdict"], refused["reason"]) == (Verdict.REJECT, ReasonCode.INTERNAL)
    assert put(gate, 3, 0, action=Action.CANCEL, original_client_order_id=1)["verdict"] == Verdict.ACCEPT
    with pytest.raises(GateError, match="poisoned"):
        gate.on_venue(told(1, VenueKind.CANCELLED), NOW, NOW)
