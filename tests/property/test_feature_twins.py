# SPDX-License-Identifier: Apache-2.0
"""Each native feature equals a plain recount from raw events, on the grid and between its points, whatever happened."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.property.market_twin import GRID, INSTRUMENT, NS, START, TICK, Twin, random_flow

from pretrade import features
from pretrade.domain import Config, EventKind, Side
from pretrade.features import NAMES, Features

_FLOWS = settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
_SEEDS = st.integers(0, 2**32)


def _engine(config: Config) -> features.FeatureEngine:
    return features.engine(config, (config.instrument(INSTRUMENT),))


def _share(bid: float, ask: float) -> float:
    return bid / (bid + ask)


def _book_twin(twin: Twin, ts: int, begin: int) -> dict[str, float | None]:
    bids, asks = twin.book(ts)
    b, a = list(bids.values()), list(asks.values())
    mid = twin.mid(ts)
    assert mid is not None
    weigh = [math.exp(-abs(p - mid) / TICK / 5) for p in (*list(bids)[:10], *list(asks)[:10])]
    heavy = [w * q for w, q in zip(weigh, (*b[:10], *a[:10]), strict=True)]
    now = next(iter(asks)) - next(iter(bids))
    mean = twin.spread(begin, ts)
    mean = now if mean is None else mean
    return {
        "imbalance_l1": _share(b[0], a[0]),
        "imbalance_l5": _share(sum(b[:5]), sum(a[:5])),
        "imbalance_l10": _share(sum(b[:10]), sum(a[:10])),
        "book_pressure": sum(heavy[: len(b[:10])]) / sum(heavy),
        "depth_bid": sum(b[:10]),
        "depth_ask": sum(a[:10]),
        "mid_price": mid / 1e9,
        "spread_now_ticks": now / TICK,
        "spread_ticks": mean / TICK,
        "spread_bps": mean / mid * 1e4,
        "microprice_dev_bps": now * (b[0] / (b[0] + a[0]) - 0.5) / mid * 1e4,
    }


def _flow_twin(twin: Twin, ts: int, grid: NDArray[np.int64]) -> dict[str, float | None]:
    kinds = {"trade": EventKind.TRADE, "add": EventKind.ADD, "cancel": EventKind.CANCEL, "modify": EventKind.MODIFY}
    out: dict[str, float | None] = {
        f"n_{name}_{word}": twin.count(kind, ts, w) for name, kind in kinds.items() for word, w in (("1s", NS), ("10s", 10 * NS))
    }
    sizes = []
    for at in grid[grid <= ts][-100:].tolist():
        bids, asks = twin.book(at)
        if bids and asks:
            sizes.append((next(iter(bids.values())) + next(iter(asks.values()))) / 2)
    for word, w in (("1s", NS), ("10s", 10 * NS)):
        signed, total, inferred = twin.flow(ts, w)
        out[f"trade_flow_{word}"] = signed / total if total else None
        out[f"ofi_{word}"] = sum(o for _, o in twin.quote_changes(ts, w)) / float(np.mean(sizes)) if sizes else None
        if word == "10s":
            out["side_inferred_10s"] = inferred / total if total else None
    trades, adds, cancels, modifies = (twin.count(k, ts, 10 * NS) for k in kinds.values())
    out["trade_to_order"] = trades / (adds + cancels + modifies) if adds + cancels + modifies else None
    out["cancel_rate"] = cancels / (adds + cancels) if adds + cancels else None
    out["quote_rate_1s"] = len(twin.quote_changes(ts, NS))
    out["resilience_1s_bid"] = twin.resilience(Side.BID, ts)
    out["resilience_1s_ask"] = twin.resilience(Side.ASK, ts)
    out["recovery_half_life_s"] = twin.half_life(ts)
    return out


_OF_ONE_SECOND = ("_1s", "quote_rate_1s")
_OF_TEN_SECONDS = ("_10s", "trade_to_order", "cancel_rate", "burst_ratio")
_WINDOWLESS = ("resilience_1s_bid", "resilience_1s_ask", "recovery_half_life_s")


def _where_whole(values: dict[str, float | None], since: int) -> dict[str, float | None]:
    """What counts over a window is known once the whole window was watched: ``since`` ns after the first grid point."""
    short = _OF_ONE_SECOND if since < NS else ()
    long = _OF_TEN_SECONDS if since < 10 * NS else ()
    return {name: None if name.endswith((*short, *long)) and name not in _WINDOWLESS else value for name, value in values.items()}


def _burst_twin(twin: Twin, ts: int) -> float | None:
    ten = twin.quote_changes(ts, 10 * NS)
    slots: dict[int, int] = {}
    for at, _ in ten:
        if at > ts - NS:
            slots[(at - 1) // 10_000_000] = slots.get((at - 1) // 10_000_000, 0) + 1
    return max(slots.values(), default=0) / (len(ten) / 1_000) if ten else None


def _return_twin(mids: NDArray[np.float64]) -> dict[str, float | None]:
    """From the mids of all rows so far, gaps filled with the last known."""
    logs = np.diff(np.log(mids))
    out: dict[str, float | None] = {
        name: 100 * math.sqrt(np.sum(logs[-n:] ** 2)) if len(logs) >= n else None
        for name, n in (("rv_1s", 10), ("rv_10s", 100), ("rv_1m", 600), ("rv_5m", 3_000))
    }
    for name, n in (("jump_share_10s", 100), ("jump_share_1m", 600)):
        if len(logs) < n:
            out[name] = None
            continue
        r, before = logs[-n:], np.concatenate([[0.0], logs])[-n - 1 : -1]
        total = np.sum(r**2)
        out[name] = max(total - math.pi / 2 * np.sum(np.abs(r * before)), 0) / total if total > 0 else None
    out["return_10s_pct"] = 100 * (mids[-1] / mids[-101] - 1) if len(mids) > 100 else None
    short, long = out["rv_10s"], out["rv_5m"]
    out["rv_ratio"] = short * math.sqrt(30) / long if short is not None and long else None
    lagged = np.concatenate([[0.0], logs])[:-100][-3_000:] if len(mids) > 100 else np.empty(0)
    out["sigma_10s_lagged_pct"] = 100 * math.sqrt(np.sum(lagged**2) * 100 / len(lagged)) if len(lagged) >= 600 else None
    return out


def _assert_equal(rows: Features, i: int, expected: dict[str, float | None]) -> None:
    for name, value in expected.items():
        got = rows.column(name)[i]
        where = f"{name} of row {i} at {(int(rows.ts_recv[i]) - START) / NS:.4f} s"
        if value is None:
            assert np.isnan(got), where
        elif name.startswith(("n_", "depth_")) or name in ("spread_now_ticks", "quote_rate_1s"):
            assert got == value, where
        else:
            assert got == pytest.approx(value, rel=1e-9, abs=1e-12), where


def _check_grid(config: Config, seed: int, seconds: int, rate: float, instants: int) -> Features:
    events = random_flow(seed, seconds, rate)
    rows = features.compute(events, config)
    twin = Twin(events)
    known = [twin.mid(int(ts)) for ts in rows.ts_recv]
    first = next(i for i, m in enumerate(known) if m is not None)
    mids: list[float] = []
    for m in known:
        mids.append(m if m is not None else mids[-1] if mids else math.nan)
    for i in np.linspace(first + 20, len(rows) - 1, instants).astype(int).tolist():
        ts = int(rows.ts_recv[i])
        if known[i] is None:
            continue
        _assert_equal(rows, i, _book_twin(twin, ts, ts - GRID))
        flow = _flow_twin(twin, ts, rows.ts_recv) | {"burst_ratio": _burst_twin(twin, ts)}
        _assert_equal(rows, i, _where_whole(flow, ts - int(rows.ts_recv[0])))
        if first == 0:
            _assert_equal(rows, i, _return_twin(np.array(mids[: i + 1])))
        last = events[events["ts_recv"] <= ts][-1]
        assert rows.column("feed_lag_ms")[i] == (int(last["ts_recv"]) - int(last["ts_event"])) / 1e6
        assert rows.column("book_age_ms")[i] == pytest.approx((ts - int(twin.end_ts[twin.end_ts <= ts][-1])) / 1e6)
    return rows


@_FLOWS
@given(_SEEDS)
def test_every_column_equals_its_recount_on_the_grid(config: Config, seed: int) -> None:
    _check_grid(config, seed, seconds=60, rate=60.0, instants=9)


def test_every_column_equals_its_recount_after_the_longest_windows_are_full(config: Config) -> None:
    rows = _check_grid(config, 5, seconds=330, rate=12.0, instants=12)
    undefined = {NAMES[j] for j in np.flatnonzero(~rows.valid[-1])}
    assert undefined == {
        "depth_rel_bid_tod", "depth_rel_ask_tod", "factor_return_1s", "residual_return_1s", "corr_5m", "beta_5m", "leader_return", "vix_ratio",
        "factor_age_ms", "sentiment", "news_surge", "vpin",
    }  # fmt: skip


@_FLOWS
@given(_SEEDS)
def test_rows_between_grid_points_have_windows_that_end_at_their_own_instant(config: Config, seed: int) -> None:
    events = random_flow(seed, seconds=25, rate=80.0)
    twin = Twin(events)
    grid = np.arange(START + GRID, START + 26 * NS, GRID)
    rng = np.random.default_rng(seed)
    for at in np.sort(rng.choice(np.arange(1_200, len(events)), 8, replace=False)).tolist():
        done = at
        on = _engine(config)
        on.push(events[: done + 1])
        ts = int(events["ts_recv"][done])
        mid = twin.mid(ts)
        if (events["ts_recv"][done + 1 :] == ts).any() or ts % GRID == 0 or mid is None:
            continue
        row = on.row_now(INSTRUMENT, ts)
        assert row.rows["kind"].tolist() == [1]
        _assert_equal(row, 0, _book_twin(twin, ts, ts // GRID * GRID))
        _assert_equal(row, 0, _where_whole(_flow_twin(twin, ts, grid), ts - int(grid[0])))
        closed = [m for m in (twin.mid(int(g)) for g in grid[grid < ts]) if m is not None]
        r = np.diff(np.log(np.array([*closed, mid])))
        assert row.column("rv_1s")[0] == pytest.approx(100 * math.sqrt(np.sum(r[-11:] ** 2)), rel=1e-9, abs=1e-12)
        assert row.column("return_10s_pct")[0] == pytest.approx(100 * (mid / closed[-101] - 1), rel=1e-9, abs=1e-12)


@_FLOWS
@given(seed=_SEEDS, cuts=st.lists(st.floats(0, 1), max_size=400), restart=st.booleans(), step=st.sampled_from([1, 50_000_000]))
def test_stream_equals_batch_however_events_are_cut_saved_and_asked_between(
    config: Config, seed: int, cuts: list[float], step: int, *, restart: bool
) -> None:
    events = random_flow(seed, seconds=40, rate=40.0)
    events["ts_recv"] = -(-events["ts_recv"] // step) * step  # many records of one instant, where the feed's clock is coarse
    whole = features.compute(events, config)
    on = _engine(config)
    parts = []
    for part in np.split(events, sorted(int(c * len(events)) for c in cuts)):
        parts.append(on.push(part))
        if len(part):
            on.row_now(INSTRUMENT, int(part["ts_recv"][-1]))
        if restart:
            state = on.state()
            on = _engine(config)
            on.restore(state)
            assert on.state() == state
    parts.append(on.close(int(events["ts_recv"][-1])))
    stream = Features.concat([p for p in parts if len(p)])
    assert stream.rows.tobytes() == whole.rows.tobytes()
    assert stream.quotes is not None
    assert whole.quotes is not None
    assert stream.quotes.tobytes() == whole.quotes.tobytes()


@_FLOWS
@given(_SEEDS, st.floats(0.2, 0.9))
def test_changing_the_future_leaves_past_rows_as_they_were(config: Config, seed: int, share: float) -> None:
    events = random_flow(seed, seconds=30, rate=40.0)
    whole = features.compute(events, config)
    cut = int(share * len(events))
    other = events.copy()
    rng = np.random.default_rng(seed)
    other["size"][cut:] = rng.integers(1, 50, len(events) - cut)
    other["ts_event"][cut:] -= 1_000
    again = features.compute(other, config)
    n = int((whole.ts_recv < events["ts_recv"][cut]).sum())
    assert again.rows[:n].tobytes() == whole.rows[:n].tobytes()
    assert again.rows[n:].tobytes() != whole.rows[n:].tobytes()


def test_quotes_records_equal_a_recount(config: Config) -> None:
    events = random_flow(9, seconds=120, rate=40.0)
    rows = features.compute(events, config)
    assert rows.quotes is not None
    twin = Twin(events)
    mids = np.array([twin.mid(int(ts)) or math.nan for ts in rows.ts_recv])
    start = int(np.flatnonzero(np.isfinite(mids))[0]) + 101
    prints = events[events["kind"] == EventKind.TRADE]
    for i in np.linspace(start, len(rows) - 1, 25).astype(int).tolist():
        if not np.isfinite(mids[start - 101 : i + 1]).all():
            continue
        ts, q = int(rows.ts_recv[i]), rows.quotes[i]
        bids, asks = twin.book(ts)
        assert [q["bid_price"], q["ask_price"], q["bid_size"], q["ask_size"]] == [
            *list(bids)[:1],
            *list(asks)[:1],
            *list(bids.values())[:1],
            *list(asks.values())[:1],
        ]
        recent: Any = np.sort(mids[i - 49 : i + 1])
        assert (q["slow_reference"], q["velocity_low"], q["velocity_high"]) == (recent[24], recent[0], recent[-1])
        assert q["mid_10s"] == mids[i - 100]
        assert q["depth_bid"] == sum(s for p, s in bids.items() if next(iter(bids)) - p < 10 * TICK)
        assert q["depth_ask"] == sum(s for p, s in asks.items() if p - next(iter(asks)) < 10 * TICK)
        done = prints[prints["ts_recv"] <= ts]
        assert q["volume_1m"] == done["size"][done["ts_recv"] > ts - 60 * NS].sum()
        if len(done):
            assert (q["last_price"], q["ts_last"]) == (done["price"][-1], done["ts_recv"][-1])
