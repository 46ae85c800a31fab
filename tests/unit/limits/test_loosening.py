# SPDX-License-Identifier: Apache-2.0
"""What a new configuration may change with one person, and what takes two."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from pretrade.domain import Config
from pretrade.domain.config import Account, GateConfig
from pretrade.domain.errors import ControlError
from pretrade.limits import Controls, Level, RunDirectory, refuse_unsigned
from pretrade.limits.loosening import _SETTINGS

REASON = "drill of the desk"
ENABLED = 2


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory(tmp_path / "run", tmp_path / "journals").create()


@pytest.fixture
def before(config: Config) -> Config:
    """A configuration with room to both sides: an account, floors that allow a model something, negative prices at one instrument."""
    names = ("max_order_quantity", "max_order_notional", "rate_new_per_s", "rate_replace_per_s", "position_max_long", "position_max_short")
    account = Account(9, "desk", 50, {name: config.static[name] for name in names})
    instruments = (dataclasses.replace(config.instruments[0], allow_negative_price=True), *config.instruments[1:])
    return dataclasses.replace(
        config,
        instruments=instruments,
        accounts=(*config.accounts, account),
        firm=dataclasses.replace(config.firm, open_orders_max=100),
        floor={"max_order_quantity": 10, "passive_standoff_ticks": 8},
        static={**config.static, "order_error_hold": 0.5},
    )


def instrument(config: Config, **changes: Any) -> Config:
    return dataclasses.replace(config, instruments=(dataclasses.replace(config.instruments[0], **changes), *config.instruments[1:]))


def section(config: Config, name: str, **changes: Any) -> Config:
    return dataclasses.replace(config, **{name: dataclasses.replace(getattr(config, name), **changes)})


def firm(config: Config, **changes: Any) -> Config:
    return dataclasses.replace(config, firm=dataclasses.replace(config.firm, **changes))


def accounts(config: Config, *last: Account) -> Config:
    return dataclasses.replace(config, accounts=(*config.accounts[:-1], *last))


def static(config: Config, **changes: float) -> Config:
    return dataclasses.replace(config, static={**config.static, **changes})


LOOSER: dict[str, Any] = {
    "instrument 1 max_order_quantity": lambda c: static(c, max_order_quantity=501),
    "instrument 1 order_error_hold": lambda c: static(c, order_error_hold=0.95),
    "instrument 1 floor of max_order_quantity": lambda c: dataclasses.replace(c, floor={**c.floor, "max_order_quantity": 11}),
    "instrument 1 floor of passive_standoff_ticks": lambda c: dataclasses.replace(c, floor={**c.floor, "passive_standoff_ticks": 7}),
    "instrument 1 floor of collar_ticks": lambda c: dataclasses.replace(c, floor={**c.floor, "collar_ticks": 1}),
    "instrument 1 fallback_factor_ppm": lambda c: section(c, "gate", fallback_factor=0.6),
    "instrument 1 open_orders_limit": lambda c: section(c, "gate", open_orders_max=1_001),
    "instrument 1 tick_size": lambda c: instrument(c, tick_size=1),
    "instrument 1 lot_size": lambda c: instrument(c, lot_size=2),
    "instrument 1 value_per_tick_lot": lambda c: instrument(c, value_per_tick_lot=1),
    "instrument 1 money_exponent": lambda c: instrument(c, money_exponent=-3),
    "instrument 2 flags": lambda c: dataclasses.replace(
        c, instruments=(c.instruments[0], dataclasses.replace(c.instruments[1], allow_negative_price=True), *c.instruments[2:])
    ),
    "firm 0 open_orders_limit": lambda c: firm(c, open_orders_max=4_294_967_295),
    "account 9 open_orders_limit": lambda c: accounts(c, dataclasses.replace(c.accounts[-1], open_orders_max=51)),
    "account 10 (a new row)": lambda c: accounts(c, c.accounts[-1], dataclasses.replace(c.accounts[-1], account_id=10, name="new")),
    "instrument 77 (a new row)": lambda c: dataclasses.replace(
        c, instruments=(*c.instruments, dataclasses.replace(c.instruments[0], instrument_id=77, symbol="NEW"))
    ),
    "instrument.1.adv": lambda c: instrument(c, adv=10**12),
    "instrument.1.symbol": lambda c: instrument(c, symbol="XX"),
    "gate.t1_ms": lambda c: section(c, "gate", t1_ms=1_001),
    "gate.t2_ms": lambda c: section(c, "gate", t2_ms=10**7),
    "gate.reference_ttl_ms": lambda c: section(c, "gate", reference_ttl_ms=2_000),
    "gate.stale_order_ms": lambda c: section(c, "gate", stale_order_ms=6_000),
    "gate.duplicate_window_ms": lambda c: section(c, "gate", duplicate_window_ms=0),
    "gate.duplicate_count": lambda c: section(c, "gate", duplicate_count=6),
    "gate.fallback_standoff_ticks": lambda c: section(c, "gate", fallback_standoff_ticks=4),
    "hysteresis.ramp_s": lambda c: section(c, "hysteresis", ramp_s=1.0),
    "anomaly.cut_high": lambda c: section(c, "anomaly", cut_high=0.9),
    "tiers.high.order_quantity_factor": lambda c: section(c, "tiers", high=dataclasses.replace(c.tiers.high, order_quantity_factor=1.0)),
    "systemic.budget_high": lambda c: section(c, "systemic", budget_high=0.01),
    "group.4278190081.factor": lambda c: dataclasses.replace(c, groups=(dataclasses.replace(c.groups[0], factor=None),)),
    "group.4278190081": lambda c: dataclasses.replace(c, groups=()),
    "sessions": lambda c: dataclasses.replace(
        c, sessions={k: dataclasses.replace(s, timezone="Asia/Tokyo") for k, s in c.sessions.items()}
    ),
}  # fmt: skip
TIGHTER: dict[str, Any] = {
    "a limit": lambda c: static(c, max_order_quantity=499),
    "a floor": lambda c: dataclasses.replace(c, floor={**c.floor, "max_order_quantity": 9}),
    "no floor": lambda c: dataclasses.replace(c, floor={}),
    "fallback": lambda c: section(c, "gate", fallback_factor=0.4),
    "open orders": lambda c: firm(c, open_orders_max=1),
    "negative prices": lambda c: instrument(c, allow_negative_price=False),
    "T1": lambda c: section(c, "gate", t1_ms=999),
    "duplicate window": lambda c: section(c, "gate", duplicate_window_ms=51),
    "ramp": lambda c: section(c, "hysteresis", ramp_s=60.0),
    "an account": lambda c: dataclasses.replace(c, accounts=c.accounts[:-1]),
}


@pytest.mark.parametrize("name", LOOSER)
def test_looser_configuration_takes_two_persons(run: RunDirectory, before: Config, name: str) -> None:
    Controls.create(run, before)
    after = dataclasses.replace(LOOSER[name](before), hash="1" * 64)
    for by, second in (("Ada", None), ("Ada", "ada"), ("configuration", "Grace")):
        with pytest.raises(ControlError, match=rf"loosens .*{name.replace('(', '.').replace(')', '.')}.*needs"):
            Controls.create(run, after, by=by, second_by=second)
    with pytest.raises(ControlError, match="111111111111"):
        refuse_unsigned(run, after)
    assert refuse_unsigned(run, before)
    Controls.create(run, after, by="Ada", second_by="Grace")
    assert refuse_unsigned(run, after)


@pytest.mark.parametrize("name", TIGHTER)
def test_tighter_configuration_takes_one_and_the_way_back_two(run: RunDirectory, before: Config, name: str) -> None:
    Controls.create(run, before)
    Controls.create(run, dataclasses.replace(TIGHTER[name](before), hash="1" * 64))
    with pytest.raises(ControlError, match="loosens"):
        Controls.create(run, before, by="Ada")


def test_every_setting_of_the_gate_has_a_direction() -> None:
    assert {f"gate.{f.name}" for f in dataclasses.fields(GateConfig)} == {name for name in _SETTINGS if name.startswith("gate.")}


def test_limit_that_a_configuration_no_longer_names_takes_two_persons(run: RunDirectory, before: Config) -> None:
    Controls.create(run, before)
    gone = {name: value for name, value in before.firm.static.items() if name != "max_order_notional"}
    with pytest.raises(ControlError, match="firm 0 max_order_notional"):
        Controls.create(run, dataclasses.replace(firm(before, static=gone), hash="1" * 64), by="Ada")


def test_new_configuration_leaves_the_shares_of_gateways_alone(run: RunDirectory, before: Config) -> None:
    controls = Controls.create(run, before)
    for gateway_id in (0, 1):
        controls.set_shares(gateway_id, {Level.FIRM: 500_000}, "Ada", "Grace", REASON)
    again = Controls.create(run, dataclasses.replace(before, hash="1" * 64))
    assert [again.record(Level.GATEWAY, i)["shares_ppm"][Level.FIRM] for i in (0, 1)] == [500_000, 500_000]
    run.controls.unlink()
    rebuilt = Controls.create(run, dataclasses.replace(before, hash="1" * 64))
    assert [rebuilt.record(Level.GATEWAY, i)["shares_ppm"][Level.FIRM] for i in (0, 1)] == [500_000, 500_000]


def test_row_that_a_configuration_no_longer_names_may_not_trade_until_two_persons_bring_it_back(run: RunDirectory, before: Config) -> None:
    Controls.create(run, before)
    without = dataclasses.replace(before, instruments=before.instruments[1:], accounts=before.accounts[:-1], hash="1" * 64)
    controls = Controls.create(run, without)
    for level, row_id in ((Level.INSTRUMENT, 1), (Level.ACCOUNT, 9)):
        assert not int(controls.record(level, row_id)["flags"]) & ENABLED
    with pytest.raises(ControlError, match="instrument 1 flags"):
        Controls.create(run, before, by="Ada")
    again = Controls.create(run, before, by="Ada", second_by="Grace")
    assert int(again.record(Level.INSTRUMENT, 1)["flags"]) & ENABLED


def test_tightening_by_hand_is_not_undone_by_one_person_with_a_configuration(run: RunDirectory, before: Config) -> None:
    Controls.create(run, before).set_static(1, {"max_order_quantity": 100}, "Ada", REASON)
    with pytest.raises(ControlError, match="instrument 1 max_order_quantity"):
        Controls.create(run, dataclasses.replace(before, hash="1" * 64), by="Ada")


def test_configuration_changed_in_memory_under_the_same_hash_is_refused(run: RunDirectory, before: Config) -> None:
    Controls.create(run, before)
    with pytest.raises(ControlError, match=r"changed after it was read: gate\.t1_ms"):
        refuse_unsigned(run, section(before, "gate", t1_ms=10**7))


def test_table_whose_journal_is_elsewhere_vouches_for_no_configuration(run: RunDirectory, before: Config, tmp_path: Path) -> None:
    Controls.create(run, before)
    with pytest.raises(ControlError, match="holds none"):
        refuse_unsigned(RunDirectory(run.path, tmp_path / "elsewhere"), before)
