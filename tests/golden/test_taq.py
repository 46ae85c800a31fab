# SPDX-License-Identifier: Apache-2.0
"""The national best bid and offer, judged by the prints of the same days."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray

from pretrade import feeds
from pretrade.domain import Config, EventKind

pytestmark = pytest.mark.shared_data

FOLDER: Final = "us_equity_ticks_201310"
FIRM: Final = 0x801
REGULAR: Final = {"1", "20", "20000000", "20000020"}
"""Regular sales, with and without the intermarket sweep and the trade-through exemption that go with it."""
OPEN_S, CLOSE_S = 13.5 * 3_600, 20 * 3_600


def _config(config: Config, symbol: str) -> Config:
    return dataclasses.replace(config, instruments=(dataclasses.replace(config.instrument("AAPL"), symbol=symbol),))


def _columns(path: Path) -> dict[str, list[Any]]:
    parquet = pytest.importorskip("pyarrow.parquet")
    rows: dict[str, list[Any]] = parquet.read_table(path).to_pydict()
    return rows


def _national(path: Path) -> NDArray[np.int64]:
    """Bid and offer after each sound row, counted row by row: stamp, bid, size, ask, size (1e-4)."""
    rows = _columns(path)
    best = [(0, 0), (0, 0)]
    out: list[tuple[int, ...]] = []
    last = 0
    names = ("ts_ns_utc", "bid_1e4", "bid_size", "ask_1e4", "ask_size", "condition", "suspicious")
    for ts, bid, bid_size, ask, ask_size, condition, suspicious in zip(*(rows[n] for n in names), strict=True):
        if suspicious:
            continue
        if last and ts - last > 4 * 3_600 * 10**9:
            best = [(0, 0), (0, 0)]
        last = ts
        for side, price, size in ((0, bid, bid_size), (1, ask, ask_size)):
            if price:
                best[side] = (price, size) if int(condition, 16) & FIRM else (0, 0)
        out.append((ts, *best[0], *best[1]))
    return np.array(out)


def _tops(events: NDArray[Any]) -> NDArray[np.int64]:
    """The same from our events."""
    book: list[dict[int, int]] = [{}, {}]
    out: list[tuple[int, ...]] = []
    for kind, side, price, size, flags, ts in zip(*(events[n].tolist() for n in ("kind", "side", "price", "size", "flags", "ts_recv")), strict=True):
        if kind == EventKind.CLEAR:
            book = [{}, {}]
        elif kind == EventKind.LEVEL:
            levels = book[side - 1]
            levels[price // 100_000] = size
            if not size:
                del levels[price // 100_000]
        if flags & 1:
            bid, ask = max(book[0], default=0), min(book[1], default=0)
            out.append((ts, bid, book[0].get(bid, 0), ask, book[1].get(ask, 0)))
    return np.array(out)


def test_the_book_is_the_last_row_of_each_side(shared_data: Path, config: Config) -> None:
    path = shared_data / FOLDER / "IBM_quotes.parquet"
    stream = feeds.open([path], format="taq", config=_config(config, "IBM"))
    events = np.concatenate(list(stream))
    want = _national(path)
    assert stream.faults == {"bad_line": 2}, "two rows are marked suspicious"
    assert np.array_equal(_tops(events), want)
    assert len(want) == 370_309 - 2


@pytest.mark.parametrize(("symbol", "least"), [("IBM", 0.96), ("BAC", 0.995)])
def test_regular_sales_print_inside_the_national_best_bid_and_offer(shared_data: Path, config: Config, symbol: str, least: float) -> None:
    files = [shared_data / FOLDER / f"{symbol}_{kind}.parquet" for kind in ("quotes", "trades")]
    stream = feeds.open(files, format="taq", config=_config(config, symbol))
    events = np.concatenate(list(stream))
    trades = events[np.isin(events["kind"], (EventKind.TRADE, EventKind.REFERENCE))]
    tops = _tops(events[np.isin(events["kind"], (EventKind.LEVEL, EventKind.CLEAR))])
    of_day = trades["ts_recv"] // 10**9 % 86_400
    trades = trades[(of_day >= OPEN_S + 60) & (of_day < CLOSE_S)]
    inside = _inside(trades, tops)
    condition = np.where(trades["kind"] == EventKind.TRADE, trades["aux"], trades["order_id"])
    shares: dict[str, tuple[int, float]] = {}
    for code in np.unique(condition):
        of = condition == code
        shares[f"{int(code):X}"] = (int(of.sum()), float(inside[of].mean()))
    regular = np.isin(condition, [int(c, 16) for c in REGULAR])
    assert regular.sum() > 50_000
    assert inside[regular].mean() >= least, shares
    late = trades["kind"] == EventKind.REFERENCE
    assert (tops[:, 1] > tops[:, 3])[tops[:, 3] > 0].mean() < 0.002, "the national best is hardly ever crossed"
    assert inside[late].mean() < inside[regular].mean(), "what tells no price of the moment lies outside more often"


def _inside(trades: NDArray[Any], tops: NDArray[np.int64]) -> NDArray[np.bool_]:
    """True where a print lies between bid and offer as they stood at its stamp."""
    at = np.maximum(np.searchsorted(tops[:, 0], trades["ts_recv"], side="right") - 1, 0)
    prices = trades["price"] // 100_000
    inside: NDArray[np.bool_] = (tops[at, 1] <= prices) & (prices <= tops[at, 3])
    return inside


def test_prints_are_counted_by_what_their_condition_says(shared_data: Path, config: Config) -> None:
    counted: defaultdict[int, int] = defaultdict(int)
    path = shared_data / FOLDER / "IBM_trades.parquet"
    rows = _columns(path)
    for code, size in zip(rows["condition"], rows["size"], strict=True):
        counted[int(code, 16)] += size
    events = np.concatenate(list(feeds.open([path], format="taq", config=_config(config, "IBM"))))
    condition = np.where(events["kind"] == EventKind.TRADE, events["aux"], events["order_id"])
    assert {int(c): int(events["size"][condition == c].sum()) for c in np.unique(condition)} == counted
