# SPDX-License-Identifier: Apache-2.0
"""Exit tickets and restricted lists: who may, what reaches the gate, what a dead disk or a lost file leaves."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from tests.unit.gateway import market

from pretrade import gateway
from pretrade.domain import Action, Config, ReasonCode, Side, Verdict
from pretrade.domain.errors import ConfigError, ControlError
from pretrade.limits import Controls, Level, LimitsTable, QuotesTable, RunDirectory, permissions, rules

REASON = "the desk leaves its position"
_WITH_TICKET = 4


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory(tmp_path / "run", tmp_path / "journals").create()


@pytest.fixture
def controls(run: RunDirectory, config: Config) -> Controls:
    return Controls.create(run, config)


class Desk:
    """A gate over live tables that is long 50 in account 1."""

    def __init__(self, run: RunDirectory, config: Config) -> None:
        self.config, self.number, self.run = config, 0, run
        self.limits, self.quotes = LimitsTable.create(run, [1]), QuotesTable.create(run, [1])
        self.open()
        self.gate.on_position(1, 1, 50, time.monotonic_ns(), time.time_ns())

    def open(self) -> None:
        self.beat()
        self.gate = gateway.Gate(self.run.path, config=self.config, journals=self.run.journals)

    def beat(self) -> None:
        now = time.monotonic_ns()
        record = market.limits(self.config, time.time_ns(), 1 + self.number)
        record["epoch"] = self.limits.epoch
        self.limits.publish(record)
        self.quotes.publish(market.quotes(time.time_ns()))
        self.limits.heartbeat(0, now, now)
        self.quotes.heartbeat(0, now, now)

    def sell(self, quantity: int, ticket: int | None = None, **changes: object) -> Any:
        self.number += 1
        self.beat()
        if ticket is not None:
            changes |= {"flags": _WITH_TICKET, "original_client_order_id": ticket}
        order = market.order(time.time_ns(), self.number, quantity, Side.ASK, market.BID, **changes)
        return self.gate.decide(order, time.monotonic_ns(), time.time_ns())[0]


@pytest.fixture
def desk(run: RunDirectory, controls: Controls, config: Config) -> Desk:
    return Desk(run, config)


def issue(controls: Controls, **changes: Any) -> int:
    said: dict[str, Any] = {"account_id": 1, "instrument_id": 1, "side": Side.ASK, "quantity": 50, "price": market.BID - market.TICK}
    return permissions.issue_ticket(controls, **{**said, "by": "Ada", "reason": REASON, **changes})


def test_a_ticket_passes_a_tripped_breaker_once_also_over_a_restart(run: RunDirectory, controls: Controls, desk: Desk) -> None:
    controls.trip(1, "Ada", "prices look wrong today")
    assert desk.sell(50)["reason"] == ReasonCode.BREAKER_TRIPPED
    ticket = issue(controls)
    desk.gate.close()
    desk.open()
    assert desk.sell(51, ticket)["reason"] == ReasonCode.EXIT_NOT_VERIFIED
    passed = desk.sell(50, ticket)
    assert (passed["verdict"], passed["passed_as"]) == (Verdict.ACCEPT, 3)
    desk.gate.close()
    assert permissions.spent(run, 0) == {ticket: int(passed["client_order_id"])}
    desk.open()
    assert desk.sell(1, ticket)["reason"] == ReasonCode.EXIT_NOT_VERIFIED


def test_a_revoked_ticket_is_good_for_nothing(run: RunDirectory, controls: Controls, desk: Desk) -> None:
    controls.trip(1, "Ada", "prices look wrong today")
    ticket = issue(controls)
    permissions.revoke_ticket(Controls.open(run), ticket, "Grace", REASON)
    assert desk.sell(50, ticket)["reason"] == ReasonCode.EXIT_NOT_VERIFIED
    with pytest.raises(ControlError, match=f"exit ticket {ticket} is not issued"):
        permissions.revoke_ticket(controls, ticket, "Grace", REASON)


def test_a_ticket_passes_the_kill_that_stood_and_not_the_next(controls: Controls, desk: Desk) -> None:
    controls.arm_kill("Ada", "stop everything now")
    assert desk.sell(10, issue(controls, quantity=10))["reason"] == ReasonCode.KILL_SWITCH
    through = issue(controls, quantity=10, is_through_kill=True)
    later = issue(controls, quantity=10, is_through_kill=True)
    assert desk.sell(10, through)["verdict"] == Verdict.ACCEPT
    controls.arm_kill("Ada", "stop that as well now")
    assert desk.sell(10, later)["reason"] == ReasonCode.KILL_SWITCH


def test_a_ticket_beyond_what_can_be_is_refused(controls: Controls) -> None:
    for changes, said in (
        ({"quantity": 0}, "quantity of an exit ticket is 0"),
        ({"minutes": 15.1}, r"good for 15\.1 minutes"),
        ({"minutes": 0}, "good for 0 minutes"),
        ({"account_id": 9}, "no row of account 9"),
        ({"gateway_id": 3}, "no row of gateway 3"),
        ({"second_by": "ada"}, "two different persons"),
        ({"second_by": " "}, "needs a second person"),
        ({"reason": "why not"}, "at least 10 are needed"),
    ):
        with pytest.raises(ControlError, match=said):
            issue(controls, **changes)


def test_a_barred_account_does_not_trade_until_two_persons_say_so(run: RunDirectory, controls: Controls, desk: Desk) -> None:
    assert desk.sell(1)["verdict"] == Verdict.ACCEPT
    permissions.restrict(controls, 1, 1, "Ada", "listed by compliance")
    refused = desk.sell(1)
    assert (refused["reason"], refused["control"]) == (ReasonCode.INSTRUMENT_NOT_PERMITTED, 6)
    assert desk.sell(0, action=Action.CANCEL, original_client_order_id=1)["verdict"] == Verdict.ACCEPT
    with pytest.raises(ControlError, match="needs a second person"):
        permissions.restrict(controls, 1, 1, "Ada", "listed by mistake", on=False)
    assert permissions.restricted(run) == [(1, 1)]
    permissions.restrict(controls, 1, 1, "Ada", "listed by mistake", on=False, second_by="Grace")
    assert desk.sell(1)["verdict"] == Verdict.ACCEPT


def test_a_lost_annex_is_written_again_from_the_journal(run: RunDirectory, controls: Controls, config: Config) -> None:
    permissions.restrict(controls, 1, 1, "Ada", "listed by compliance")
    text = run.annex.read_text()
    run.annex.unlink()
    run.controls.unlink()
    Controls.create(run, config)
    assert run.annex.read_text() == text


def test_surveillance_blocks_and_two_persons_lift(run: RunDirectory, controls: Controls, desk: Desk) -> None:
    assert desk.sell(1)["verdict"] == Verdict.ACCEPT
    permissions.block(controls, Level.ACCOUNT, 1, "Ada", "layering in the open")
    assert desk.sell(1)["reason"] == ReasonCode.SURVEILLANCE_BLOCK
    with pytest.raises(ControlError, match="needs a second person"):
        permissions.block(controls, Level.ACCOUNT, 1, "Ada", "explained by the desk", on=False)
    assert permissions.blocked(run) == [(Level.ACCOUNT, 1)]
    permissions.block(controls, Level.ACCOUNT, 1, "Ada", "explained by the desk", on=False, second_by="Grace")
    assert desk.sell(1)["verdict"] == Verdict.ACCEPT


RULES = """
[[check]]
level = "account"
id = 1
input = "quantity"
above = 60

[[bucket]]
level = "firm"
id = 0
most = 3000
good_for_s = 3600
weights = { ES = 40 }
"""


def test_rules_of_a_file_bind_orders_and_go_with_two_persons(tmp_path: Path, controls: Controls, desk: Desk, config: Config) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(RULES)
    lines = rules.read(file, config, time.time_ns())
    permissions.set_rules(controls, lines, "Ada", REASON)
    refused = desk.sell(61)
    assert (refused["reason"], refused["control"], refused["measured"], refused["limit"]) == (ReasonCode.USER_CHECK, 46, 61, 60)
    assert desk.sell(60)["verdict"] == Verdict.ACCEPT
    # Long 50: 60 to sell leave 10 short at worst, 120 leave 70, and 130 would leave 80.
    assert desk.sell(60)["verdict"] == Verdict.ACCEPT
    refused = desk.sell(10)
    assert (refused["reason"], refused["control"], refused["limit"]) == (ReasonCode.CONCENTRATION_EXCEEDS_LIMIT, 22, 3000)
    with pytest.raises(ControlError, match="needs a second person"):
        permissions.set_rules(controls, lines[1:], "Ada", REASON)
    permissions.set_rules(controls, lines[:1], "Ada", REASON, second_by="Grace")
    assert desk.sell(60)["verdict"] == Verdict.ACCEPT


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('input = "quantity"', 'input = "mood"'), "input is 'mood'; it must be one of quantity"),
        (("above = 60", ""), "either above or below"),
        (("above = 60", "above = 60\nbelow = 3"), "either above or below"),
        (("above = 60", "above = 6.5"), r"above is 6\.5; it must be a whole number"),
        (('level = "account"', 'level = "planet"'), "level is 'planet'"),
        (("id = 1", ""), "id is None; it must be a whole number"),
        (("weights = { ES = 40 }", "weights = {}"), "can never fire"),
        (("weights = { ES = 40 }", "weights = { XX = 40 }"), "XX"),
        (('level = "firm"', 'level = "strategy"'), "a bucket belongs to one of"),
        (("most = 3000", "most = 3000\nfoo = 1"), "'foo'"),
    ],
)
def test_a_rule_without_its_unit_row_or_bound_is_refused(tmp_path: Path, config: Config, change: tuple[str, str], said: str) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(RULES.replace(*change, 1))
    with pytest.raises(ConfigError, match=said):
        rules.read(file, config, 0)
