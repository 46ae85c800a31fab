# SPDX-License-Identifier: Apache-2.0
"""The simulated market from Python: determinism, outside orders, the crash and its controls."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pretrade import features
from pretrade.domain import ORDER_DTYPE, Action, Config, EventKind, OrderType, Side, TimeInForce, VenueKind
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


def said(reports: NDArray[np.void]) -> list[str]:
    """Answers by name."""
    return [VenueKind(int(flags) >> 8).name for flags in reports["flags"]]


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
    assert said(reports) == ["ACKNOWLEDGED"] + ["FILLED"] * len(fills) + (["CANCELLED"] if fills["size"].sum() < 200 else [])
    assert simulator.position(0, 1) == fills["size"].sum()


def test_fill_or_kill_takes_all_or_nothing(simulator: Simulator) -> None:
    _, ask = touch(simulator)
    killed = simulator.submit(order(price=ask, quantity=1_000_000, time_in_force=TimeInForce.FOK))
    assert said(killed) == ["ACKNOWLEDGED", "CANCELLED"]
    filled = simulator.submit(order(client_order_id=2, price=ask, quantity=1, time_in_force=TimeInForce.FOK))
    assert said(filled) == ["ACKNOWLEDGED", "FILLED"]


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
    assert (said(moved), moved[-1]["order_id"], moved[-1]["size"]) == (["REPLACED"], 2, 5)
    gone = simulator.submit(order(client_order_id=3, original_client_order_id=2, action=Action.CANCEL))
    assert (said(gone), gone[-1]["order_id"]) == (["CANCELLED"], 2)
    again = simulator.submit(order(client_order_id=4, original_client_order_id=2, action=Action.CANCEL))
    assert (said(again), again[-1]["order_id"]) == (["CANCEL_REJECTED"], 2)


def resting(simulator: Simulator, quantity: int, **fields: int) -> int:
    """Rest a bid far from the touch; its price."""
    bid, _ = touch(simulator)
    price = bid - 40 * TICK_SIZE
    assert said(simulator.submit(order(price=price, quantity=quantity, time_in_force=TimeInForce.DAY, **fields))) == ["ACKNOWLEDGED"]
    return price


@pytest.mark.parametrize("change", [{"price": 1}, {"quantity": 0}, {"price": TICK_SIZE}, {"original_client_order_id": 9}, {"session_id": 5}])
def test_a_refused_replace_is_said_to_be_one_and_the_order_stands(simulator: Simulator, change: dict[str, int]) -> None:
    price = resting(simulator, 7)
    fields = {"client_order_id": 2, "original_client_order_id": 1, "price": price, "quantity": 9, "time_in_force": TimeInForce.DAY}
    refused = simulator.submit(order(action=Action.REPLACE, **{**fields, **change}))
    assert (said(refused), refused[-1]["order_id"]) == (["REPLACE_REJECTED"], 2)
    assert simulator.withdraw(0) == 1


def test_a_replace_counts_what_was_filled_before(simulator: Simulator) -> None:
    _, ask = touch(simulator)
    first = simulator.submit(order(price=ask, quantity=5_000, time_in_force=TimeInForce.DAY))
    filled = int(first[first["kind"] == EventKind.OWN_EXECUTION]["size"].sum())
    assert 0 < filled < 5_000
    moved = simulator.submit(
        order(client_order_id=2, original_client_order_id=1, action=Action.REPLACE, price=ask, quantity=5_010, time_in_force=TimeInForce.DAY)
    )
    assert (said(moved)[0], int(moved[0]["size"])) == ("REPLACED", 5_010 - filled)
    fields = {"client_order_id": 3, "original_client_order_id": 2, "price": ask, "quantity": filled, "time_in_force": TimeInForce.DAY}
    done = simulator.submit(order(action=Action.REPLACE, **fields))
    assert (said(done)[0], int(done[0]["size"])) == ("REPLACED", 0)
    assert simulator.withdraw(0) == 0


def test_owners_and_sessions_may_use_the_same_ids(simulator: Simulator) -> None:
    _, price = touch(simulator)
    for owner, session, quantity in ((1, 0, 3), (2, 0, 4), (2, 6, 5)):
        fields = {"side": Side.ASK, "price": price, "quantity": quantity, "session_id": session, "time_in_force": TimeInForce.DAY}
        assert int(simulator.submit(order(**fields), owner)["size"].sum()) == quantity
    simulator.run_until(CALM_START_NS + 600 * SECOND)
    assert len(simulator.reports(0)) == 0
    told = {owner: simulator.reports(owner) for owner in (1, 2)}
    assert int(told[1]["size"].sum()) == 3
    by_session = [int(told[2][told[2]["sequence"] == session]["size"].sum()) for session in (0, 6)]
    assert by_session == [4, 5]
    assert simulator.position(0, 1) == -12


def test_what_an_owner_left_behind_is_withdrawn(simulator: Simulator) -> None:
    resting(simulator, 7)
    assert simulator.withdraw(1) == 0
    assert simulator.withdraw(0) == 1
    gone = simulator.submit(order(client_order_id=3, original_client_order_id=1, action=Action.CANCEL))
    assert said(gone) == ["CANCEL_REJECTED"]


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
    assert said(reports) == ["REJECTED"]


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
