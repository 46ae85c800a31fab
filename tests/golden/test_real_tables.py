# SPDX-License-Identifier: Apache-2.0
"""Real books as tables and as files of their own: rows, levels and refusals counted from the files themselves."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pretrade import features, feeds
from pretrade.domain import Config, EventFlag, EventKind, Side

pytestmark = pytest.mark.shared_data
MAP = Path(__file__).resolve().parents[2] / "examples" / "maps" / "comex.toml"


def _comex(shared_data: Path, config: Config, day: str, instrument: str) -> tuple[feeds.EventStream, NDArray[Any]]:
    pytest.importorskip("pyarrow")
    files = [shared_data / "comex_depth5_2023" / f"{day}_{kind}.parquet" for kind in ("trades", "quotes5")]
    stream = feeds.open(files, format="table", config=config, map=MAP, instruments=[instrument])
    return stream, np.concatenate(list(stream))


def test_a_gold_day_is_every_row_and_every_print(shared_data: Path, config: Config) -> None:
    stream, events = _comex(shared_data, config, "gold_20230501", "GC")
    assert stream.faults == {}
    assert int((events["flags"] & EventFlag.LAST).sum()) == 257_891, "one event end per quote row"
    prints = events[events["kind"] == EventKind.TRADE]
    assert len(prints) == 88_646
    assert [int((prints["side"] == side).sum()) for side in (Side.BID, Side.ASK)] == [43_720, 44_926], "offers lifted, bids hit"
    assert (np.diff(events["ts_recv"]) >= 0).all()
    assert not (events["price"] % 100_000_000).any(), "doubles are read to the tick"


def test_gold_depth_collapses_at_the_release(shared_data: Path, config: Config) -> None:
    stream, events = _comex(shared_data, config, "gold_20230501", "GC")
    engine = features.engine(config, stream.instruments)
    until = 1_682_949_602_400_000_000
    engine.push(events[events["ts_recv"] <= until])
    _, bids, asks = engine.book(config.instrument("GC").instrument_id)
    assert (len(bids), len(asks)) == (5, 5)
    assert bids[:, 1].sum() + asks[:, 1].sum() == 18, "of 114 contracts in the hour before"


def test_a_book_that_goes_empty_is_no_fault(shared_data: Path, config: Config) -> None:
    stream, events = _comex(shared_data, config, "xet_20230804", "XET")
    assert stream.faults == {}
    assert int((events["flags"] & EventFlag.LAST).sum()) == 232_499
    assert int((events["kind"] == EventKind.TRADE).sum()) == 20
    assert int((events["kind"] == EventKind.HEARTBEAT).sum()) == 1_153, "1,154 rows without a book: the first removes the levels"


@pytest.mark.parametrize(("symbol", "every"), [("AAPL", 1), ("AMZN", 501)])
def test_the_engines_book_is_the_orderbook_file(shared_data: Path, config: Config, symbol: str, every: int) -> None:
    files = sorted((shared_data / "lobster_20120621").glob(f"{symbol}*"))
    stream = feeds.open(files, format="lobster", config=config)
    engine = features.engine(config, stream.instruments)
    events = np.concatenate(list(stream))
    ends = np.flatnonzero(events["flags"] & EventFlag.LAST) + 1
    truth = _orderbook(next(f for f in files if "orderbook" in f.name))
    assert len(ends) == len(truth)
    at = 0
    for n in range(0, len(ends), every):
        engine.push(events[at : ends[n]])
        at = ends[n]
        _, bids, asks = engine.book(stream.instruments[0].instrument_id)
        assert (bids.tolist(), asks.tolist()) == truth[n], f"row {n + 1}"


def test_every_message_of_aapl_gives_the_next_best_level(shared_data: Path, config: Config) -> None:
    """998 of 998: with ten levels known, the message applied to the book before gives both best levels after it."""
    files = sorted((shared_data / "lobster_20120621").glob("AAPL*"))
    truth = _orderbook(next(f for f in files if "orderbook" in f.name))
    with gzip.open(next(f for f in files if "message" in f.name), "rt") as lines:
        messages = [[float(cell) for cell in row] for row in csv.reader(lines)]
    good = 0
    for (_, kind, _, size, price, direction), before, after in zip(messages[1:], truth[:-1], truth[1:], strict=True):
        sides = [{level[0]: level[1] for level in side} for side in before]
        book = sides[0] if direction > 0 else sides[1]
        level = round(price) * 100_000
        if kind == 1:
            book[level] = book.get(level, 0) + round(size)
        elif kind in (2, 3, 4) and level in book:
            book[level] -= round(size)
        best = [max((p for p, s in sides[0].items() if s > 0)), min((p for p, s in sides[1].items() if s > 0))]
        good += all([p, side[p]] == want[0] for p, side, want in zip(best, sides, after, strict=True))
    assert (good, len(truth) - 1) == (998, 998)


def _orderbook(file: Path) -> list[tuple[list[list[int]], list[list[int]]]]:
    """Levels of an orderbook file, read here without the decoder."""
    with gzip.open(file, "rt") as lines:
        rows = [[int(cell) for cell in row] for row in csv.reader(lines)]
    out = []
    for row in rows:
        levels = np.array(row).reshape(-1, 4)
        sides = [levels[:, [2, 3]], levels[:, [0, 1]]]
        bids, asks = ([[int(p) * 100_000, int(s)] for p, s in side if abs(p) != 9_999_999_999] for side in sides)
        out.append((bids, asks))
    return out
