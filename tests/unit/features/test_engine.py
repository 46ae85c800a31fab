# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pretrade import features, simulation
from pretrade.domain import Config, EventFlag, EventKind, Side
from pretrade.domain.errors import FeatureInputError
from pretrade.domain.group import Group
from pretrade.features import NAMES, REGISTRY, Features

_SECOND = 10**9


@pytest.fixture(scope="module")
def day() -> simulation.Day:
    return simulation.flash_crash(seed=3, warm_up_s=120, story_s=40)


@pytest.fixture(scope="module")
def rows(day: simulation.Day, config: Config) -> Features:
    return features.compute(day.events, config)


def _book_at(events: NDArray[Any], ts: int) -> tuple[dict[int, int], dict[int, int]]:
    """Plain recount of the book from raw events: sizes by price."""
    orders: dict[int, tuple[int, int, int]] = {}
    for e in events[events["ts_recv"] <= ts]:
        key = int(e["order_id"])
        if e["kind"] == EventKind.ADD:
            orders[key] = (int(e["side"]), int(e["price"]), int(e["size"]))
        elif e["kind"] in (EventKind.CANCEL, EventKind.EXECUTE):
            side, price, size = orders[key]
            orders[key] = (side, price, size - int(e["size"]))
    sides: dict[int, dict[int, int]] = {Side.BID: {}, Side.ASK: {}}
    for side, price, size in orders.values():
        if size > 0:
            sides[side][price] = sides[side].get(price, 0) + size
    return sides[Side.BID], sides[Side.ASK]


def test_registry_names_every_feature_in_order() -> None:
    assert tuple(REGISTRY) == NAMES


def test_book_columns_equal_a_recount_from_raw_events(day: simulation.Day, rows: Features) -> None:
    for i in np.linspace(50, len(rows) - 1, 12).astype(int):
        bids, asks = _book_at(day.events, int(rows.ts_recv[i]))
        bid_levels, ask_levels = sorted(bids, reverse=True)[:10], sorted(asks)[:10]
        b, a = sum(bids[p] for p in bid_levels), sum(asks[p] for p in ask_levels)
        assert rows.column("depth_bid")[i] == b
        assert rows.column("depth_ask")[i] == a
        assert rows.column("imbalance_l10")[i] == pytest.approx(b / (a + b), rel=1e-12)
        mid = (bid_levels[0] + ask_levels[0]) / 2
        assert rows.column("mid_price")[i] == pytest.approx(mid / 1e9, rel=1e-12)
        assert rows.column("spread_now_ticks")[i] == (ask_levels[0] - bid_levels[0]) / 250_000_000
        weights = [np.exp(-(abs(p - mid) / 250_000_000) / 5) for p in (*bid_levels, *ask_levels)]
        sizes = [bids[p] for p in bid_levels] + [asks[p] for p in ask_levels]
        near = np.dot(weights[: len(bid_levels)], sizes[: len(bid_levels)])
        assert rows.column("book_pressure")[i] == pytest.approx(near / np.dot(weights, sizes), rel=1e-9)


def test_flow_columns_equal_a_recount_over_time_windows(day: simulation.Day, rows: Features) -> None:
    kinds = {"n_trade": EventKind.TRADE, "n_add": EventKind.ADD, "n_cancel": EventKind.CANCEL, "n_modify": EventKind.MODIFY}
    for i in np.linspace(150, len(rows) - 1, 25).astype(int):
        ts = int(rows.ts_recv[i])
        for window, length in (("1s", _SECOND), ("10s", 10 * _SECOND)):
            inside = day.events[(day.events["ts_recv"] > ts - length) & (day.events["ts_recv"] <= ts)]
            for name, kind in kinds.items():
                assert rows.column(f"{name}_{window}")[i] == (inside["kind"] == kind).sum(), (name, window, i)
            trades = inside[inside["kind"] == EventKind.TRADE]
            if len(trades):
                signed = np.where(trades["side"] == Side.BID, trades["size"], -trades["size"]).sum()
                assert rows.column(f"trade_flow_{window}")[i] == pytest.approx(signed / trades["size"].sum(), rel=1e-12)


def test_volatility_columns_equal_their_plain_twins(rows: Features) -> None:
    mid = rows.column("mid_price")
    r = np.diff(np.log(mid))
    for name, n in (("rv_1s", 10), ("rv_10s", 100), ("rv_1m", 600)):
        for i in (700, 1_000, len(rows) - 1):
            assert rows.column(name)[i] == pytest.approx(100 * np.sqrt((r[i - n : i] ** 2).sum()), rel=1e-9, abs=1e-12)
    i = len(rows) - 1
    window, before = r[i - 100 : i], r[i - 101 : i - 1]
    total, bpv = (window**2).sum(), np.pi / 2 * np.abs(window * before).sum()
    assert rows.column("jump_share_10s")[i] == pytest.approx(max(total - bpv, 0) / total, rel=1e-9)
    assert rows.column("return_10s_pct")[i] == pytest.approx(100 * (mid[i] / mid[i - 100] - 1), rel=1e-9)


def test_depth_baseline_is_the_median_of_seconds_that_ended_ten_seconds_ago(rows: Features) -> None:
    depth, ts = rows.column("depth_bid"), rows.ts_recv
    for i in (900, 1_299, len(rows) - 1):
        sampled = (ts % _SECOND == 0) & (ts > ts[i] // _SECOND * _SECOND - 310 * _SECOND) & (ts <= ts[i] // _SECOND * _SECOND - 10 * _SECOND)
        base = np.sort(depth[sampled])
        assert len(base) >= 60
        assert rows.column("depth_ratio_bid")[i] == pytest.approx(depth[i] / base[(len(base) - 1) // 2], rel=1e-12)
        assert rows.column("depth_rel_bid")[i] == pytest.approx(np.log(depth[i] / base[(len(base) - 1) // 2]), rel=1e-9)


def test_rows_do_not_depend_on_how_events_are_cut(day: simulation.Day, rows: Features, config: Config) -> None:
    rng = np.random.default_rng(1)
    cuts = np.sort(rng.choice(len(day.events), 200, replace=False))
    again = features.collect(np.split(day.events, cuts), features.engine(config, config.instruments))
    assert again.rows.tobytes() == rows.rows.tobytes()
    assert again.quotes is not None
    assert rows.quotes is not None
    assert again.quotes.tobytes() == rows.quotes.tobytes()


def test_changing_the_future_leaves_past_rows_as_they_were(day: simulation.Day, rows: Features, config: Config) -> None:
    half = len(day.events) // 2
    ts = int(day.events["ts_recv"][half])
    other = day.events.copy()
    other["size"][half:] += 1
    again = features.compute(other, config)
    n = int((rows.ts_recv < ts).sum())
    assert n > 100
    assert again.rows[:n].tobytes() == rows.rows[:n].tobytes()
    assert again.rows[n:].tobytes() != rows.rows[n:].tobytes()


def test_an_unknown_order_makes_rows_unscored_until_the_next_snapshot(day: simulation.Day, config: Config) -> None:
    events = day.events[:20_000].copy()
    events["order_id"][np.flatnonzero(events["kind"] == EventKind.CANCEL)[3_000]] = 2**60
    engine = features.engine(config, config.instruments)
    rows = features.collect([events], engine)
    assert engine.faults()["unknown_order"] >= 1
    assert rows.is_scored[:10].any()
    assert not rows.is_scored[-10:].any()


def test_a_gap_flag_makes_the_book_unsound(day: simulation.Day, config: Config) -> None:
    events = day.events[:20_000].copy()
    events["flags"][15_000] |= EventFlag.GAP
    rows = features.compute(events, config)
    after = rows.ts_recv > events["ts_recv"][15_000]
    assert after.any()
    assert not rows.is_scored[after].any()


def test_windows_of_flow_begin_with_the_first_whole_bucket_and_again_after_a_loss(day: simulation.Day, config: Config) -> None:
    lost = 15_000
    book = day.events[:lost]
    bids, asks = _book_at(book, int(book["ts_recv"][-1]))
    events = day.events.copy()
    clear = np.zeros(1 + len(bids) + len(asks), events.dtype)
    clear["ts_recv"] = clear["ts_event"] = events["ts_recv"][lost + 1]
    clear["instrument_id"], clear["kind"], clear["flags"] = events["instrument_id"][0], EventKind.ADD, EventFlag.SNAPSHOT
    clear["kind"][0], clear["flags"][-1] = EventKind.CLEAR, EventFlag.SNAPSHOT | EventFlag.LAST
    levels = [(Side.BID, p, q) for p, q in bids.items()] + [(Side.ASK, p, q) for p, q in asks.items()]
    for k, (side, price, size) in enumerate(levels, 1):
        clear["side"][k], clear["price"][k], clear["size"][k], clear["order_id"][k] = side, price, size, 10**12 + k
    events["flags"][lost] |= EventFlag.GAP
    whole = features.compute(day.events[:lost], config)
    since = (whole.ts_recv - whole.ts_recv[0]) / _SECOND
    for name, window in (("n_add_1s", 1.0), ("quote_rate_1s", 1.0), ("cancel_rate", 10.0), ("burst_ratio", 10.0)):
        known = np.isfinite(whole.column(name))
        assert not known[since < window].any(), name
        assert known[since >= window].all(), name
    begun = int(clear["ts_recv"][0])
    later = np.concatenate([_far_order(events, begun + _SECOND // 20 + k * _SECOND, 10**13 + k) for k in range(13)])
    after = features.compute(np.concatenate([events[: lost + 2], clear, later]), config)
    resumed = (after.ts_recv - begun) / _SECOND
    for name, window in (("n_add_1s", 1.0), ("n_add_10s", 10.0)):
        known = np.isfinite(after.column(name))
        assert known[resumed < -0.1].any(), name
        assert not known[(resumed > 0) & (resumed < window)].any(), name
        assert known[resumed > window + 0.2].all(), name


def _far_order(events: NDArray[Any], ts: int, order_id: int) -> NDArray[Any]:
    """One order far below the market."""
    event = events[:1].copy()
    event["kind"], event["side"], event["price"], event["size"], event["order_id"] = EventKind.ADD, Side.BID, 250_000_000, 1, order_id
    event["ts_recv"], event["ts_event"], event["flags"] = ts, ts, EventFlag.LAST
    return event


def test_calm_leaves_out_five_minutes_around_one_sided_thinning(config: Config) -> None:
    day = simulation.flash_crash(seed=3, warm_up_s=500, story_s=40)
    rows = features.compute(day.events, config)
    calm = rows.calm()
    assert 0 < len(calm) < len(rows)
    assert int(calm.ts_recv.max()) < day.ts_seller_start - 200 * _SECOND


def test_wrong_dtype_is_refused(config: Config) -> None:
    with pytest.raises(FeatureInputError, match="EVENT_DTYPE"):
        features.engine(config, config.instruments).push(np.zeros(3))


def test_state_saved_under_other_settings_is_refused_and_leaves_the_engine_as_it_was(day: simulation.Day, config: Config) -> None:
    on = features.engine(config, (config.instrument("ES"),))
    on.push(day.events[:5_000])
    state = on.state()
    deeper = replace(config, snapshot=replace(config.snapshot, depth_levels=5))
    other = features.engine(deeper, (deeper.instrument("ES"),))
    with pytest.raises(FeatureInputError, match="other instruments, calendars or snapshot settings"):
        other.restore(state)
    assert other.state() == b""
    for cut in (state[:5], state[:-1], state + b"\0"):
        with pytest.raises(FeatureInputError, match="saved engine state"):
            on.restore(cut)
    assert on.state() == state


def test_a_group_of_instruments_that_are_gone_is_named(day: simulation.Day, config: Config) -> None:
    lonely = replace(config, instruments=(config.instrument("ES"),), groups=(Group(0, "pair", ("ES", "NQX")),))
    with pytest.raises(FeatureInputError, match="group 0 names NQX; the configuration has instruments ES"):
        features.FeatureEngine(lonely, lonely.instruments).push(day.events[:10])
