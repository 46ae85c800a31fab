# SPDX-License-Identifier: Apache-2.0
"""The simulated market from Python: determinism, outside orders, the crash and its controls."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pretrade import features
from pretrade.domain import ORDER_DTYPE, Action, Config, EventKind, OrderType, Side, TimeInForce
from pretrade.domain.errors import SimulationError
from pretrade.simulation import MarketParameters, Simulator, calm, flash_crash, story
from pretrade.simulation.market import CALM_START_NS, FEED_LATENCY_NS, SELLER_START_NS, TICK_SIZE

SECOND = 1_000_000_000


def order(**fields: int) -> NDArray[np.void]:
    values = {"client_order_id": 1, "instrument_id": 1, "side": Side.BID, "order_type": OrderType.LIMIT, "action": Action.NEW}
    out = np.zeros(1, ORDER_DTYPE)
    for name, value in {**values, **fields}.items():
        out[name] = value
    return out


def touch(simulator: Simulator) -> tuple[int, int]:
    """Best bid and ask from the published orders of a fresh market."""
    live: dict[int, list[int]] = {}
    for e in simulator.run_until(CALM_START_NS + 10 * SECOND):
        if e["kind"] == EventKind.ADD:
            live[int(e["order_id"])] = [int(e["side"]), int(e["price"]), int(e["size"])]
        elif e["kind"] in (EventKind.CANCEL, EventKind.EXECUTE):
            live[int(e["order_id"])][2] -= int(e["size"])
    bids = [p for s, p, n in live.values() if s == Side.BID and n > 0]
    asks = [p for s, p, n in live.values() if s == Side.ASK and n > 0]
    return max(bids), min(asks)


@pytest.fixture
def simulator() -> Simulator:
    return Simulator(MarketParameters(), 3, CALM_START_NS)


def test_same_seed_same_bytes_whatever_the_stops() -> None:
    one, many = (Simulator(MarketParameters(), 5, CALM_START_NS) for _ in range(2))
    whole = one.run_until(CALM_START_NS + 20 * SECOND)
    parts = np.concatenate([many.run_until(CALM_START_NS + k * SECOND // 3) for k in range(1, 61)])
    assert whole.tobytes() == parts.tobytes()
    assert one.event_log_hash == many.event_log_hash
    other = Simulator(MarketParameters(), 6, CALM_START_NS)
    other.run_until(CALM_START_NS + 20 * SECOND)
    assert other.event_log_hash != one.event_log_hash


def test_receive_follows_event_and_never_runs_backwards(simulator: Simulator) -> None:
    events = simulator.run_until(CALM_START_NS + 20 * SECOND)
    assert (events["ts_recv"] - events["ts_event"] == FEED_LATENCY_NS).all()
    assert (np.diff(events["ts_recv"]) >= 0).all()
    assert (np.diff(events["sequence"].astype(np.int64)) == 1).all()


def test_immediate_order_fills_by_price_and_never_rests(simulator: Simulator) -> None:
    _, ask = touch(simulator)
    reports = simulator.submit(order(price=ask + 2 * TICK_SIZE, quantity=200, time_in_force=TimeInForce.IOC))
    fills = reports[reports["kind"] == EventKind.OWN_EXECUTION]
    assert 0 < fills["size"].sum() <= 200
    assert (np.diff(fills["price"]) > 0).all()
    assert fills["price"][0] == ask
    assert reports[-1]["kind"] == EventKind.OWN_ORDER
    assert reports[-1]["size"] == 0


def test_fill_or_kill_takes_all_or_nothing(simulator: Simulator) -> None:
    _, ask = touch(simulator)
    killed = simulator.submit(order(price=ask, quantity=1_000_000, time_in_force=TimeInForce.FOK))
    assert killed["kind"].tolist() == [EventKind.OWN_ORDER]
    filled = simulator.submit(order(client_order_id=2, price=ask, quantity=1, time_in_force=TimeInForce.FOK))
    assert filled["kind"].tolist() == [EventKind.OWN_EXECUTION, EventKind.OWN_ORDER]


def test_resting_order_is_replaced_cancelled_and_reported(simulator: Simulator) -> None:
    bid, _ = touch(simulator)
    working = simulator.submit(order(price=bid - 40 * TICK_SIZE, quantity=7, time_in_force=TimeInForce.DAY))
    assert working[-1]["size"] == 7
    moved = simulator.submit(
        order(
            client_order_id=2,
            original_client_order_id=1,
            action=Action.REPLACE,
            price=bid - 30 * TICK_SIZE,
            quantity=5,
            time_in_force=TimeInForce.DAY,
        )
    )
    assert moved[-1]["size"] == 5
    gone = simulator.submit(order(client_order_id=3, original_client_order_id=2, action=Action.CANCEL))
    assert gone[-1]["size"] == 0
    assert len(simulator.submit(order(client_order_id=4, original_client_order_id=2, action=Action.CANCEL))) == 0


def test_passive_fills_are_told(simulator: Simulator) -> None:
    bid, _ = touch(simulator)
    simulator.submit(order(side=Side.ASK, price=bid + TICK_SIZE, quantity=2, time_in_force=TimeInForce.DAY))
    simulator.run_until(CALM_START_NS + 40 * SECOND)
    reports = simulator.reports()
    assert reports["size"].sum() == 2
    assert set(reports["order_id"].tolist()) == {1}


def test_price_off_the_grid_is_refused(simulator: Simulator) -> None:
    _, ask = touch(simulator)
    reports = simulator.submit(order(price=ask + 1, quantity=1, time_in_force=TimeInForce.IOC))
    assert reports["kind"].tolist() == [EventKind.OWN_ORDER]


def test_fused_rows_equal_rows_from_events() -> None:
    config = Config.load()
    end = CALM_START_NS + 400 * SECOND
    instruments = (config.instrument("ES"),)
    fused_engine, plain_engine = (features.engine(config, instruments, with_quotes=False) for _ in range(2))
    fused, plain = (Simulator(MarketParameters(), 8, CALM_START_NS) for _ in range(2))
    a = features.Features.concat([fused.run_features(end, fused_engine, ts_first=CALM_START_NS + FEED_LATENCY_NS), fused_engine.close(end)])
    b = features.Features.concat([plain_engine.push(plain.run_until(end)), plain_engine.close(end)])
    assert np.array_equal(a.ts_recv, b.ts_recv)
    assert np.array_equal(a.values, b.values, equal_nan=True)
    assert fused.event_log_hash == plain.event_log_hash


def test_unknown_and_negative_parameters_are_refused() -> None:
    with pytest.raises(SimulationError, match="no parameter makersx"):
        Simulator(MarketParameters(overrides={"makersx": 1}), 1, 0)
    with pytest.raises(SimulationError, match="seller_rate is -1"):
        Simulator(MarketParameters(seller_rate=-1.0), 1, 0)
    with pytest.raises(SimulationError, match="seed is -1"):
        Simulator(MarketParameters(), -1, 0)
    with pytest.raises(SimulationError, match="calm hours"):
        calm(0.0, seed=1, config=Config.load())


def first_time(rows: features.Features, condition: NDArray[np.bool_]) -> float:
    at = np.flatnonzero(condition & (rows.ts_recv > SELLER_START_NS))
    return (int(rows.ts_recv[at[0]]) - SELLER_START_NS) / 1e9 if len(at) else np.inf


@pytest.mark.parametrize("seed", [7, 71])
def test_depth_and_imbalance_lead_the_fall(seed: int) -> None:
    day = flash_crash(seed)
    rows = features.compute(day.events)
    depth, imbalance = rows.column("depth_ratio_bid"), rows.column("imbalance_l10")
    fall = story.fall(rows.ts_recv, rows.column("mid_price"), day.ts_seller_start)
    assert fall.ts_minus_1pct is not None
    assert fall.ts_minus_2pct is not None
    minus_1, minus_2 = ((ts - day.ts_seller_start) / 1e9 for ts in (fall.ts_minus_1pct, fall.ts_minus_2pct))
    thin = first_time(rows, (depth <= 0.35) & (imbalance <= 0.35))
    assert first_time(rows, depth < 0.5) < thin < minus_1 < minus_2 < 60.0
    assert len(day.orders) == 104
    assert set(day.orders["quantity"].tolist()) == {story.PROBE_QUANTITY}


def test_without_the_seller_nothing_breaks_even_when_value_is_wild() -> None:
    for wild in (1.0, 4.0):
        day = flash_crash(7, seller_rate=0.0, value_volatility=wild)
        rows = features.compute(day.events)
        fall = story.fall(rows.ts_recv, rows.column("mid_price"), day.ts_seller_start)
        assert fall.ts_minus_1pct is None
        assert day.truth["onset_ns"] is None
        assert np.nanmin(rows.column("depth_ratio_bid")) > 0.35


def test_calm_is_varied_but_shows_no_thin_one_sided_book() -> None:
    rows = calm(1.0, seed=4, config=Config.load())
    spread, imbalance = rows.column("spread_now_ticks"), rows.column("imbalance_l10")
    assert 0.88 < np.nanmean(spread == 1.0) < 0.995
    assert np.nanquantile(imbalance, 0.001) > 0.325
    assert np.nanquantile(imbalance, 0.999) < 0.675
    for side in ("bid", "ask"):
        ratio = rows.column(f"depth_ratio_{side}")
        assert np.nanmin(ratio) > 0.35
        assert np.nanquantile(ratio, 0.99) - np.nanquantile(ratio, 0.01) > 0.2
