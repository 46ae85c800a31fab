# SPDX-License-Identifier: Apache-2.0
"""HOLD over the server: a person decides in the control journal, the gate acts, the client and the venue hear it."""

from __future__ import annotations

import dataclasses
import functools
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.unit.gateway import market
from tests.unit.gateway.test_server import World
from typer.testing import CliRunner

from pretrade.bus.tcp import RecordListener
from pretrade.cli.main import app
from pretrade.domain import ORDER_DTYPE, Config, ReasonCode, VenueKind, Verdict
from pretrade.domain.config import LEVEL_PARAMETERS, Strategy, Trader, VenueSession
from pretrade.domain.errors import ControlError, GateError
from pretrade.gateway import HoldDesk, waiting
from pretrade.gateway.options import options
from pretrade.limits import Controls, RunDirectory

WHY = "checked with the trader"
# 300 lots at 4,800 in ticks of 0.25, 125,000 each, are 720,000,000,000.
SECOND = 800_000_000_000


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    base = Config.load()
    gate = dataclasses.replace(base.gate, hold_controls=[12], hold_second_notional=SECOND)
    config = dataclasses.replace(base, gate=gate, static={**base.static, "max_order_quantity": 100}, hash="2" * 64)
    listener = RecordListener(ORDER_DTYPE)
    world = World(tmp_path, config, listener)
    world.server._holds = HoldDesk(world.gate, world.run)
    yield world
    for connection in (world.client, world.venue, world.server, world.gate, listener):
        connection.close()


def held(world: World, number: int, quantity: int = 300) -> None:
    decision = world.ask(number, quantity)
    assert (decision["verdict"], decision["reason"]) == (Verdict.HOLD, ReasonCode.ORDER_EXCEEDS_LIMIT)
    world.serve_until(lambda: any(row["client_order_id"] == number for row in shown(world)))


def shown(world: World) -> list[dict[str, object]]:
    try:
        return waiting(world.run)
    except ControlError:
        return []


def heard(world: World) -> np.void:
    parts = []

    def answered() -> bool:
        parts.append(world.client.receive())
        return len(parts[-1]) > 0

    world.serve_until(answered)
    record: np.void = parts[-1][0]
    return record


def test_a_released_order_reaches_the_venue_and_its_client(world: World) -> None:
    held(world, 1)
    row = shown(world)[0]
    assert (row["quantity"], row["side"], row["reason"], row["needs_second_person"]) == (300, "BUY", "ORDER_EXCEEDS_LIMIT", False)
    Controls.open(world.run).decide_hold(0, 0, 1, "Ada", WHY, quantity=None)
    answer = heard(world)
    assert (answer["client_order_id"], answer["verdict"], answer["quantity"]) == (1, Verdict.ACCEPT, 300)
    sent = world.venue.receive()
    assert [(o["client_order_id"], o["quantity"]) for o in sent] == [(1, 300)]
    assert shown(world) == []


def test_an_amended_order_is_sent_with_the_lower_quantity(world: World) -> None:
    held(world, 1)
    Controls.open(world.run).decide_hold(0, 0, 1, "Ada", WHY, quantity=120)
    assert heard(world)["quantity"] == 120
    assert [o["quantity"] for o in world.venue.receive()] == [120]


def test_a_rejected_order_is_told_to_its_client_alone(world: World) -> None:
    held(world, 1)
    Controls.open(world.run).decide_hold(0, 0, 1, "Ada", WHY, quantity=0)
    answer = heard(world)
    assert (answer["verdict"], answer["reason"], answer["control"]) == (Verdict.REJECT, ReasonCode.HOLD_REFUSED, 41)
    assert len(world.venue.receive()) == 0


def test_a_large_order_waits_for_a_second_person(world: World) -> None:
    held(world, 1, 400)
    controls = Controls.open(world.run)
    controls.decide_hold(0, 0, 1, "Ada", WHY, quantity=None)
    world.serve_until(lambda: json.loads(world.run.holds(0).read_text())["outcomes"] != {})
    assert [row["needs_second_person"] for row in shown(world)] == [True]
    with pytest.raises(ControlError, match="two different persons"):
        controls.decide_hold(0, 0, 1, "Ada", WHY, quantity=None, second_by="ada ")
    controls.decide_hold(0, 0, 1, "Ada", WHY, quantity=None, second_by="Grace")
    assert heard(world)["verdict"] == Verdict.ACCEPT


def test_a_wait_ends_after_its_time_without_anybody(world: World) -> None:
    held(world, 1)
    world.clock.now += 60 * market.S
    world.publish()
    assert heard(world)["reason"] == ReasonCode.HOLD_EXPIRED


def test_what_a_client_left_waiting_is_refused_when_it_goes(world: World) -> None:
    held(world, 1)
    world.client.close()
    world.serve_until(lambda: shown(world) == [])
    assert world.gate.open_orders == 0
    Controls.open(world.run).decide_hold(0, 0, 1, "Ada", WHY, quantity=None)
    world.serve_until(lambda: "UNKNOWN" in json.loads(world.run.holds(0).read_text())["outcomes"].values())


def test_no_reviewer_acts_without_a_name_and_a_reason(world: World) -> None:
    held(world, 1)
    with pytest.raises(ControlError, match="names a person"):
        Controls.open(world.run).decide_hold(0, 0, 1, " ", WHY, quantity=None)
    with pytest.raises(ControlError, match="at least 10"):
        Controls.open(world.run).decide_hold(0, 0, 1, "Ada", "ok", quantity=None)


def test_the_command_line_lists_releases_and_says_what_came_of_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # The verbs open tables of this boot; these carry a simulated clock.
    monkeypatch.setattr("pretrade.limits.RunDirectory", functools.partial(RunDirectory, domain=world.run.clock_domain))
    held(world, 1)
    held(world, 2)
    run = ["--run", str(world.run.path)]
    listed = CliRunner().invoke(app, ["holds", "list", "--json", *run])
    assert [row["client_order_id"] for row in json.loads(listed.stdout)["holds"]] == [1, 2]
    is_done = threading.Event()
    server = threading.Thread(target=lambda: world.serve_until(is_done.is_set))
    server.start()
    try:
        person = ["--by", "Ada", "--reason", WHY, *run]
        released = CliRunner().invoke(app, ["holds", "release", "1", *person])
        rejected = CliRunner().invoke(app, ["holds", "reject", "2", *person])
        absent = CliRunner().invoke(app, ["holds", "amend", "9", "5", *person])
    finally:
        is_done.set()
        server.join()
    assert json.loads(released.stdout)["outcome"] == "ACCEPT"
    assert json.loads(rejected.stdout)["outcome"] == "REJECT HOLD_REFUSED"
    assert "does not wait at gateway 0" in str(absent.exception)


def test_only_numbers_of_controls_may_be_configured_to_hold() -> None:
    base = Config.load()
    for wrong in (0, 63, "12"):
        with pytest.raises(GateError, match="controls are numbered from 1 to 62"):
            options(dataclasses.replace(base, gate=dataclasses.replace(base.gate, hold_controls=[wrong])))  # type: ignore[list-item]


def test_who_trades_or_owns_the_algorithm_releases_nothing(tmp_path: Path) -> None:
    base = Config.load()
    gate = dataclasses.replace(base.gate, hold_controls=[12])
    free: dict[str, int | float] = {name: 2**32 - 1 if name.startswith("rate") else 2**63 - 1 for name in LEVEL_PARAMETERS["strategy"]}
    strategy = Strategy(1, "ALGO", 2**32 - 1, free, persons=["Ada Lovelace"])
    trader = Trader(7, "T7", 2**32 - 1, free, persons=["Charles"])
    session = VenueSession(0, "S0", 2**32 - 1, free, trader_id=7)
    changes: dict[str, Any] = {"strategies": (strategy,), "traders": (trader,), "venue_sessions": (session,)}
    config = dataclasses.replace(base, gate=gate, static={**base.static, "max_order_quantity": 100}, hash="4" * 64, **changes)
    with RecordListener(ORDER_DTYPE) as listener:
        world = World(tmp_path, config, listener)
        world.server._holds = HoldDesk(world.gate, world.run)
        world.say(0, VenueKind.POSITION)
        held(world, 1)
        controls = Controls.open(world.run)
        for by, second in (("ada lovelace ", None), ("CHARLES", None), ("Grace", "Charles")):
            entry = controls.decide_hold(0, 0, 1, by, WHY, quantity=None, second_by=second)
            world.serve_until(functools.partial(told, world, entry, "NOT_INDEPENDENT"))
            assert [row["client_order_id"] for row in shown(world)] == [1], "it still waits"
        entry = controls.decide_hold(0, 0, 1, "Grace", WHY, quantity=None)
        world.serve_until(functools.partial(told, world, entry, "ACCEPT"))
        world.serve_until(lambda: len(world.client.receive()) > 0)
        held(world, 2)
        entry = controls.decide_hold(0, 0, 2, "Charles", WHY, quantity=0)
        world.serve_until(functools.partial(told, world, entry, "REJECT HOLD_REFUSED"))
        for part in (world.client, world.venue, world.server, world.gate):
            part.close()


def told(world: World, entry: int, expected: str) -> bool:
    return bool(json.loads(world.run.holds(0).read_text())["outcomes"].get(str(entry)) == expected)
