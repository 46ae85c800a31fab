# SPDX-License-Identifier: Apache-2.0
"""Level limits in a configuration: read, refused where they could never fire, loosened by two persons only."""

from __future__ import annotations

import dataclasses
from importlib import resources
from pathlib import Path

import pytest

from pretrade.domain import Config
from pretrade.domain.errors import ConfigError, ControlError
from pretrade.limits import Controls, Level, RunDirectory

STATIC = """
max_order_quantity = "unlimited"
max_order_notional = "unlimited"
rate_new_per_s = "unlimited"
rate_replace_per_s = "unlimited"
"""
ROWS = f"""
[[desk]]
desk_id = 3
name = "rates"
open_orders_max = 50
limits = {{ gross_exposure = 1000, soft_limit_ppm = 700000 }}
[desk.static]{STATIC}
[[trader]]
trader_id = 7
desk_id = 3
name = "Ada"
open_orders_max = 50
[trader.static]{STATIC}
[[venue_session]]
session_id = 0
trader_id = 7
name = "EMS1"
open_orders_max = 50
limits = {{ rate_new_per_min = 600 }}
[venue_session.static]{STATIC}
[[strategy]]
strategy_id = 1
name = "maker"
open_orders_max = 50
limits = {{ executions = 100, loss_soft = 10, loss_hard = 20 }}
[strategy.static]{STATIC}
"""


def load(folder: Path, text: str) -> Config:
    file = folder / "config.toml"
    file.write_text(resources.files("pretrade.domain").joinpath("default.toml").read_text() + text)
    return Config.load(file)


def test_rows_above_accounts_reach_the_controls_table(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run").create()
    controls = Controls.create(run, load(tmp_path, ROWS))
    desk, trader = controls.record(Level.DESK, 3), controls.record(Level.TRADER, 7)
    assert (desk["level_mask"], desk["level_limits"][0], desk["level_limits"][19]) == (1 | 1 << 19, 1_000, 700_000)
    assert (trader["level_mask"], trader["level_limits"][30]) == (1 << 30, 3)
    assert controls.record(Level.VENUE, 0)["level_limits"][30] == 7
    assert controls.record(Level.STRATEGY, 1)["level_limits"][16] == 100


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("rate_new_per_min = 600", "gross_exposure = 1", "unknown key 'gross_exposure'"),
        ("executions = 100", "margin = 1", "unknown key 'margin'"),
        ("executions = 100", "executons = 1", "did you mean 'executions'"),
        ("executions = 100", "executions = -1", "it must be a whole number from 0"),
        ("gross_exposure = 1000, ", "", "soft_limit_ppm can never fire: it needs"),
        ("loss_soft = 10", "loss_soft = 30", "loss_soft 30 can never fire: loss_hard 20 kills before it"),
        ("rate_new_per_min = 600", "window_ms = 600", "window_ms can never fire: it needs"),
        ('desk_id = 3\nname = "Ada"', 'desk_id = 4\nname = "Ada"', "desk_id 4, which has no"),
        ('trader_id = 7\nname = "EMS1"', 'name = "EMS1"', r"\[\[trader\]\] Ada can never fire: no session"),
    ],
)
def test_limit_that_could_never_fire_is_refused(tmp_path: Path, old: str, new: str, match: str) -> None:
    assert old in ROWS
    with pytest.raises(ConfigError, match=match):
        load(tmp_path, ROWS.replace(old, new))


def test_margin_without_the_margin_of_an_instrument_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    text = resources.files("pretrade.domain").joinpath("default.toml").read_text()
    file.write_text(text.replace('name = "ACC1"\n', 'name = "ACC1"\nlimits = { margin = 5 }\n'))
    with pytest.raises(ConfigError, match="lack margin_per_lot and would refuse every order"):
        Config.load(file)


@pytest.mark.parametrize(
    ("changed", "takes_two"),
    [
        ({"gross_exposure": 999, "soft_limit_ppm": 700_000}, False),
        ({"gross_exposure": 1_001, "soft_limit_ppm": 700_000}, True),
        ({"gross_exposure": 1_000}, True),
        ({"gross_exposure": 1_000, "soft_limit_ppm": 700_000, "day_orders": 5}, False),
        ({}, True),
    ],
)
def test_a_limit_that_goes_or_grows_takes_two_persons_and_a_new_one_does_not(tmp_path: Path, changed: dict[str, int], takes_two: bool) -> None:
    run, before = RunDirectory(tmp_path / "run").create(), load(tmp_path, ROWS)
    Controls.create(run, before)
    after = dataclasses.replace(before, desks=(dataclasses.replace(before.desks[0], limits=changed),), hash="3" * 64)
    if takes_two:
        with pytest.raises(ControlError, match=r"loosens [12] things \(desk 3 .*needs a second person"):
            Controls.create(run, after, by="Ada")
        Controls.create(run, after, by="Ada", second_by="Grace")
    else:
        Controls.create(run, after)
    places = {"gross_exposure": 0, "soft_limit_ppm": 19, "day_orders": 5}
    assert Controls.open(run).record(Level.DESK, 3)["level_mask"] == sum(1 << places[name] for name in changed)


def test_a_trader_that_moves_to_another_desk_takes_two_persons(tmp_path: Path) -> None:
    run, before = RunDirectory(tmp_path / "run").create(), load(tmp_path, ROWS)
    Controls.create(run, before)
    after = dataclasses.replace(before, traders=(dataclasses.replace(before.traders[0], desk_id=4),), hash="4" * 64)
    with pytest.raises(ControlError, match=r"trader 7 parent_id"):
        Controls.create(run, after, by="Ada")


@pytest.mark.parametrize(
    ("old", "new", "takes_two"), [("free", "none", False), ("none", "free", True), ("none", "locate", True), ("free", "locate", False)]
)
def test_short_sales_are_allowed_by_two_persons_and_barred_by_one(tmp_path: Path, old: str, new: str, takes_two: bool) -> None:
    def with_rule(rule: str, digest: str) -> Config:
        config = Config.load()
        first = dataclasses.replace(config.instruments[0], short_sale=rule)
        return dataclasses.replace(config, instruments=(first, *config.instruments[1:]), hash=digest * 64)

    run = RunDirectory(tmp_path / "run").create()
    Controls.create(run, with_rule(old, "5"))
    if takes_two:
        with pytest.raises(ControlError, match="instrument 1 flags"):
            Controls.create(run, with_rule(new, "6"), by="Ada")
    else:
        Controls.create(run, with_rule(new, "6"))
        assert Controls.open(run).record(Level.INSTRUMENT, 1)["flags"] == 2 | {"none": 16, "locate": 32}[new]
