# SPDX-License-Identifier: Apache-2.0
"""What the gate knows of exposure and counters is what a recount of its journal's bytes says, before and after a restart."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from tests.recount.exposure import recount
from tests.unit.gateway import market

from pretrade.domain import ORDER_DTYPE, Action, Config, OrderType, Side, TimeInForce, VenueKind
from pretrade.gateway import Gate
from pretrade.limits import Controls, Level, LimitsTable, QuotesTable, RunDirectory

NOW, STEPS = 1_000_000_000_000, 1_500
TICK_VALUE = Fraction(125_000, market.TICK)
"""Money of one lot per 1e-9 of price: 12.5 at four decimals per tick."""


@pytest.fixture
def bounded(config: Config) -> Config:
    """The packaged configuration with a second account and limits so wide that they count and never refuse."""
    limits = {"gross_exposure": 2**62, "day_orders": 10**9, "loss_hard": 2**62}
    accounts = (dataclasses.replace(config.accounts[0], limits=limits), dataclasses.replace(config.accounts[0], account_id=2, name="ACC2"))
    most = {"max_order_quantity": 10**6, "rate_new_per_s": 2**32 - 1, "rate_replace_per_s": 2**32 - 1}
    most |= dict.fromkeys(("max_order_notional", "position_max_long", "position_max_short"), 2**63 - 1)
    gate = dataclasses.replace(config.gate, duplicate_window_ms=0, open_orders_max=10**6)
    return dataclasses.replace(config, accounts=accounts, static={**config.static, **most}, gate=gate, hash="2" * 64)


@pytest.fixture
def run(tmp_path: Path, bounded: Config) -> Iterator[RunDirectory]:
    directory = RunDirectory(tmp_path / "run").create()
    Controls.create(directory, bounded)
    tables = LimitsTable.create(directory, [1]), QuotesTable.create(directory, [1])
    tables[0].publish(market.limits(bounded, NOW, 1))
    tables[1].publish(market.quotes(NOW))
    for table in tables:
        table.heartbeat(0, NOW, NOW)
    yield directory
    del tables


@dataclasses.dataclass
class Working:
    """An order as its sender knows it."""

    account: int
    side: Side
    price: int
    quantity: int
    leaves: int
    pending: int = 0
    next_quantity: int = 0


class Flow:
    """Random orders, replaces, cancels and answers of a venue."""

    def __init__(self, gate: Gate, seed: int) -> None:
        self.gate, self.random, self.number = gate, random.Random(seed), 0
        self.live: dict[int, Working] = {}

    def order(self, action: Action, original: int, side: Side, quantity: int, price: int, account: int) -> bool:
        self.number += 1
        record = np.zeros(1, ORDER_DTYPE)
        record["client_order_id"], record["original_client_order_id"] = self.number, original
        record["ts_event"], record["instrument_id"], record["account_id"], record["strategy_id"] = NOW, 1, account, 1
        record["price"], record["quantity"], record["side"], record["action"] = price, quantity, side, action
        record["order_type"], record["time_in_force"] = OrderType.LIMIT, TimeInForce.DAY
        return bool(self.gate.decide(record, NOW, NOW)[0]["verdict"] == 1)

    def say(self, kind: VenueKind, order_id: int, original: int = 0, quantity: int = 0, price: int = 0) -> None:
        self.gate.on_venue_messages([(int(kind), order_id, original, quantity, price, 0, 0, 0, 0)], NOW, NOW)

    def step(self) -> None:
        if self.random.random() < 0.4 or not self.live:
            return self.new()
        own = self.random.choice(list(self.live))
        order, pick = self.live[own], self.random.random()
        if pick < 0.4 and order.leaves:
            filled = self.random.randrange(1, order.leaves + 1)
            self.say(VenueKind.FILLED, own, quantity=filled, price=order.price - market.TICK * self.random.randrange(3))
            order.leaves -= filled
        elif pick < 0.7 and not order.pending:
            quantity = order.quantity + self.random.randrange(-3, 30)
            if self.order(Action.REPLACE, own, order.side, quantity, order.price + market.TICK, order.account):
                order.pending, order.next_quantity = self.number, quantity
            return None
        elif order.pending:
            is_taken = self.random.random() < 0.5
            self.say(VenueKind.REPLACED if is_taken else VenueKind.REPLACE_REJECTED, order.pending, own)
            if is_taken:
                del self.live[own]
                leaves = max(0, order.next_quantity - (order.quantity - order.leaves))
                own, order = order.pending, Working(order.account, order.side, order.price + market.TICK, order.next_quantity, leaves)
                self.live[own] = order
            order.pending = 0
        else:
            self.order(Action.CANCEL, own, Side.NONE, 0, 0, order.account)
            self.say(VenueKind.CANCELLED, own)
            order.leaves = 0
        if order.leaves == 0 and not order.pending:
            del self.live[own]
        return None

    def new(self) -> None:
        is_buy = self.random.random() < 0.5
        side, ticks = (Side.BID, -1 - self.random.randrange(20)) if is_buy else (Side.ASK, 1 + self.random.randrange(20))
        account, quantity, price = self.random.choice((1, 2)), self.random.randrange(1, 40), market.BID + market.TICK * ticks
        if self.order(Action.NEW, 0, side, quantity, price, account):
            self.live[self.number] = Working(account, side, price, quantity, quantity)


def state_of(gate: Gate, account: int) -> dict[str, int]:
    found = gate.party(Level.ACCOUNT, account)
    assert found is not None
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_exposure_and_counters_equal_a_recount_of_the_journal_also_after_a_restart(run: RunDirectory, bounded: Config, seed: int) -> None:
    gate = Gate(run.path, config=bounded, is_flat_at_start=1)
    flow = Flow(gate, seed)
    for _ in range(STEPS):
        flow.step()
    before = {account: state_of(gate, account) for account in (1, 2)}
    gate.close()
    again = Gate(run.path, config=bounded, is_flat_at_start=1)
    found = recount(run.path / "journals" / "gate-0.journal", TICK_VALUE)
    assert sum(d["orders"] for d in found.day.values()) > STEPS // 4
    assert sum(d["trades"] for d in found.day.values()) > STEPS // 10
    firm = again.party(Level.FIRM, 0)
    assert firm is not None
    for account, held in before.items():
        assert {k: v for k, v in state_of(again, account).items() if k not in ("profit", "peak")} == {
            k: v for k, v in held.items() if k not in ("profit", "peak")
        }
        assert {name: held[f"day_{name}"] for name in found.day[account]} == found.day[account]
        assert held["working_buy"] == found.working(account, Side.BID, TICK_VALUE)
        assert held["working_sell"] == found.working(account, Side.ASK, TICK_VALUE)
        own = found.held[account]
        # Average costs are cut to whole money once per fill here, never there.
        fills = found.day[account]["trades"]
        assert abs(held["net"] - own.cost) <= fills
        assert abs(held["realised"] - own.realised) <= fills
    assert firm["gross"] == sum(held["gross"] for held in before.values())
    assert firm["day_orders"] == sum(d["orders"] for d in found.day.values())
    again.close()
