# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pretrade._native import domain as native
from pretrade.domain import (
    Action,
    Config,
    EventFlag,
    EventKind,
    FeedState,
    LimitFlag,
    OrderType,
    Phase,
    ReasonCode,
    ReferenceKind,
    Side,
    Tier,
    TimeInForce,
    VenueKind,
    Verdict,
)
from pretrade.domain.config import STANDOFF_OFF, parameters
from pretrade.domain.errors import ConfigError


def _ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


def test_python_and_native_code_sets_are_equal() -> None:
    for names, enum in (
        (native.TIERS, Tier),
        (native.SIDES, Side),
        (native.VERDICTS, Verdict),
        (native.PHASES, Phase),
        (native.EVENT_KINDS, EventKind),
        (native.REFERENCE_KINDS, ReferenceKind),
        (native.ACTIONS, Action),
        (native.ORDER_TYPES, OrderType),
        (native.TIMES_IN_FORCE, TimeInForce),
        (native.REASON_CODES, ReasonCode),
        (native.VENUE_KINDS, VenueKind),
        (native.EVENT_FLAGS, EventFlag),
        (native.FEED_STATES, FeedState),
        (native.LIMIT_FLAGS, LimitFlag),
    ):
        assert {m.name: int(m) for m in enum} == names


def test_unknown_key_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    packaged = (Path(__file__).parents[3] / "src/pretrade/domain/default.toml").read_text()
    file.write_text(packaged.replace("budget_high", "budget_hihg"))
    with pytest.raises(ConfigError, match=r"budget_hihg.*did you mean 'budget_high'"):
        Config.load(file)


def test_absent_static_limit_is_an_error_not_unlimited(tmp_path: Path) -> None:
    packaged = (Path(__file__).parents[3] / "src/pretrade/domain/default.toml").read_text()
    file = tmp_path / "c.toml"
    file.write_text(packaged.replace("max_order_quantity = 500\n", ""))
    with pytest.raises(ConfigError, match=r"\[static\] lacks max_order_quantity"):
        Config.load(file)


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        ('[firm.static]\nmax_order_quantity = "unlimited"\n', r"\[firm\] static lacks max_order_quantity; an absent limit is invalid"),
        ('position_max_short = "unlimited"\n', r"\[\[account\]\] ACC1 static lacks position_max_short"),
        ('name = "ACC1"\nopen_orders_max = "unlimited"\n', r"\[\[account\]\] \? lacks open_orders_max"),
    ],
)
def test_absent_limit_of_a_level_is_an_error_not_unlimited(tmp_path: Path, cut: str, message: str) -> None:
    packaged = (Path(__file__).parents[3] / "src/pretrade/domain/default.toml").read_text()
    assert packaged.count(cut) == 1
    file = tmp_path / "c.toml"
    file.write_text(packaged.replace(cut, "[firm.static]\n" if cut.startswith("[firm.static]") else ""))
    with pytest.raises(ConfigError, match=message):
        Config.load(file)


def test_limit_of_the_firm_that_nothing_judges_is_refused(tmp_path: Path) -> None:
    packaged = (Path(__file__).parents[3] / "src/pretrade/domain/default.toml").read_text()
    file = tmp_path / "c.toml"
    file.write_text(packaged.replace("[firm.static]\n", "[firm.static]\nposition_max_long = 5\n"))
    with pytest.raises(ConfigError, match="unknown key 'position_max_long'"):
        Config.load(file)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"max_order_quantity": -1}, "from 0 to"),
        ({"max_order_quantity": True}, "whole number"),
        ({"collar_ticks": 2**32}, "from 0 to 4294967295"),
        ({"passive_standoff_ticks": 1.5}, '"off"'),
        ({"order_error_hold": "off"}, "unlimited"),
        ({"max_order": 1}, "did you mean 'max_order_"),
    ],
)
def test_parameter_out_of_range_says_value_and_bound(table: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parameters(table, "here")


def test_off_is_the_loosest_standoff() -> None:
    assert parameters({"passive_standoff_ticks": "off"}, "here")["passive_standoff_ticks"] == STANDOFF_OFF


def test_globex_christmas_opens_at_eighteen_new_york(config: Config) -> None:
    globex = config.sessions["globex"]
    expected = {
        "2023-12-25T21:59:59": Phase.CLOSED,
        "2023-12-25T22:30:00": Phase.PRE_OPEN,
        "2023-12-25T23:00:00": Phase.CONTINUOUS,
        "2023-05-01T20:59:59": Phase.CONTINUOUS,
        "2023-05-01T21:30:00": Phase.BREAK,
        "2023-03-12T21:59:59": Phase.PRE_OPEN,
    }
    assert {t: globex.phase_at(_ns(t)) for t in expected} == expected


def test_another_static_limit_changes_the_hash(config: Config) -> None:
    other = config.with_static_limit(730)
    assert other.static_of(other.instrument("ES"))["max_order_quantity"] == 730
    assert other.hash != config.hash


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('factor = "BTCUSDT"', 'factor = "GC"', "factor is 'GC'; it must be one of its members BTCUSDT, ETHUSDT"),
        ('members = ["BTCUSDT", "ETHUSDT"]', 'members = ["BTCUSDT"]', "distinct and at least 2"),
        ('members = ["BTCUSDT", "ETHUSDT"]', 'members = ["BTCUSDT", "NONE"]', "members NONE are not in the configuration"),
        ("group_id = 0xFF000001", "group_id = 7", "group_id is 7; it must be 0 for the market or from 0xff000000"),
        ('leader = "BTCUSDT"', 'leader = "BTCUSDT"\nvolatility = [900, 900]', "a near and a far index"),
        ('leader = "BTCUSDT"', 'leadr = "BTCUSDT"', "did you mean 'leader'"),
    ],
)
def test_a_group_that_cannot_be_is_refused_by_name(tmp_path: Path, old: str, new: str, message: str) -> None:
    packaged = (Path(__file__).parents[3] / "src/pretrade/domain/default.toml").read_text()
    assert packaged.count(old) == 1
    (tmp_path / "bad.toml").write_text(packaged.replace(old, new))
    with pytest.raises(ConfigError, match=message):
        Config.load(tmp_path / "bad.toml")


def test_the_packaged_group_leads_by_bitcoin(config: Config) -> None:
    (group,) = config.groups
    assert (group.group_id, group.members, group.factor, group.leader) == (0xFF00_0001, ("BTCUSDT", "ETHUSDT"), "BTCUSDT", "BTCUSDT")
