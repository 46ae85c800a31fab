# SPDX-License-Identifier: Apache-2.0
"""Replay: the real gate over temporary tables, on a simulated clock."""

from __future__ import annotations

import numpy as np
import pytest

from pretrade import gateway
from pretrade.domain import Config, LimitFlag, ReasonCode, Side, TimeInForce, Verdict
from pretrade.domain.errors import GateError

from .market import ASK, T0, TICK, History, S, crash, grid, limits, order


def test_the_200_lot_order_passes_before_and_is_refused_in_high() -> None:
    config = Config.load()
    orders = np.concatenate(
        [order(T0 + second * S, second, 200, Side.ASK, ASK + 20 * TICK, time_in_force=TimeInForce.IOC) for second in (1, 2, 6, 7)]
    )
    replay = gateway.replay(orders, crash(config))
    assert replay.decisions["verdict"].tolist() == [Verdict.ACCEPT, Verdict.ACCEPT, Verdict.REJECT, Verdict.REJECT]
    assert len(replay.rejected) == 2
    assert replay.rejected[0].endswith("ES SELL 200 REJECT ORDER_EXCEEDS_LIMIT quantity=200 limit=50 unit=lots ver=8123 tier=HIGH")
    assert repr(replay.rejected).count("\n") == 1
    assert replay.verify()


def test_static_limit_730_gives_73_in_high() -> None:
    config = Config.load().with_static_limit(730)
    replay = gateway.replay(order(T0 + 6 * S, 1, 200), crash(config))
    assert int(replay.decisions["limit"][0]) == 73


def test_control_arm_without_a_score_uses_the_static_limits_at_stage_0() -> None:
    config = Config.load()
    record = limits(config, T0, 1, score=np.nan, flags=LimitFlag.STATIC)
    replay = gateway.replay(np.concatenate([order(T0 + S, 1, 500), order(T0 + S, 2, 501)]), History(record, grid(2), config))
    assert replay.decisions["stage"].tolist() == [0, 0]
    assert replay.decisions["verdict"].tolist() == [Verdict.ACCEPT, Verdict.REJECT]


def test_record_without_a_score_and_without_the_mark_of_the_control_arm_is_stage_1_at_half_the_limit() -> None:
    config = Config.load()
    record = limits(config, T0, 1, score=np.nan)
    replay = gateway.replay(np.concatenate([order(T0 + S, 1, 250), order(T0 + S, 2, 251)]), History(record, grid(2), config))
    assert replay.decisions["stage"].tolist() == [1, 1]
    assert int(replay.decisions["limit"][1]) == 250


def test_passive_order_inside_the_stand_off_is_refused_and_five_ticks_behind_passes() -> None:
    config = Config.load()
    at = T0 + 6 * S
    replay = gateway.replay(np.concatenate([order(at, 1, 10), order(at, 2, 10, price=ASK - 6 * TICK)]), crash(config))
    assert replay.decisions["reason"].tolist() == [ReasonCode.PRICE_INSIDE_STANDOFF, ReasonCode.NONE]


def test_frozen_feed_falls_back_after_t1_and_goes_reduce_only_after_t2() -> None:
    config = Config.load()
    history = History(limits(config, T0, 7), grid(1), config)
    times = [T0 + S, T0 + 3 * S, T0 + 70 * S]
    replay = gateway.replay(np.concatenate([order(t, n, 1) for n, t in enumerate(times, 1)]), history)
    assert replay.decisions["stage"].tolist() == [0, 1, 2]
    # In stage 1 the quotes are as old as the limits: no price, no order.
    assert replay.decisions["reason"].tolist() == [ReasonCode.NONE, ReasonCode.REFERENCE_PRICE_MISSING, ReasonCode.LIMITS_STALE]


def test_replay_without_quotes_is_refused() -> None:
    config = Config.load()
    with pytest.raises(GateError, match="no quotes"):
        gateway.replay(order(T0, 1, 1), History(limits(config, T0, 1), None, config))


def test_orders_out_of_time_order_are_refused() -> None:
    with pytest.raises(GateError, match="ts_event order"):
        gateway.replay(np.concatenate([order(T0 + 1, 1, 1), order(T0, 2, 1)]), crash(Config.load()))
