# SPDX-License-Identifier: Apache-2.0
"""Truth on real files: figures counted from the files themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pretrade import features, feeds
from pretrade.domain import Config, EventFlag, EventKind, Side

pytestmark = pytest.mark.shared_data


def _es(shared_data: Path) -> list[Path]:
    return sorted((shared_data / "databento_es_mbo_202312").glob("*.dbn.zst"))


def test_es_decodes_to_the_records_counted_in_the_file(shared_data: Path, config: Config) -> None:
    stream = feeds.open(_es(shared_data)[1:], format="dbn", config=config)
    events = np.concatenate(list(stream))
    live = events[(events["flags"] & EventFlag.SNAPSHOT) == 0]
    counts = {
        kind: int((live["kind"] == kind).sum()) for kind in (EventKind.ADD, EventKind.CANCEL, EventKind.MODIFY, EventKind.EXECUTE, EventKind.TRADE)
    }
    assert list(counts.values()) == [20_491, 17_999, 12_233, 6_371, 2_973]
    assert int(((events["flags"] & EventFlag.SNAPSHOT) != 0).sum()) == 8_725 + 1
    assert stream.faults == {}


def test_es_ends_with_the_book_an_independent_rebuild_has(shared_data: Path, config: Config) -> None:
    stream = feeds.open(_es(shared_data), format="dbn", config=config)
    engine = features.engine(config, stream.instruments)
    rows = features.collect(iter(stream), engine)
    orders, bids, asks = engine.book(config.instrument("ESH4").instrument_id)
    assert (orders, len(bids), len(asks)) == (11_217, 922, 565)
    assert bids[0].tolist() == [4_810_000_000_000, 22]
    assert asks[0].tolist() == [4_810_250_000_000, 28]
    assert (bids[:, 1].sum(), asks[:, 1].sum()) == (22_050, 20_110)
    assert engine.faults()["unknown_order"] == 0
    assert engine.faults()["crossed_book"] <= 1
    assert int(rows.ts_recv.min()) >= 1_703_545_200 * 10**9, "no row before the opening: a pre-open book is no anomaly"


def _one_step(shared_data: Path, config: Config, symbol: str, levels: int) -> tuple[int, int]:
    """Rows whose message, applied to the true book before, gives the true book after; and rows that can be judged."""
    stream = feeds.open(sorted((shared_data / "lobster_20120621").glob(f"{symbol}*")), format="lobster", config=config)
    events = np.concatenate(list(stream))
    books: dict[int, dict[int, int]] = {Side.BID: {}, Side.ASK: {}}
    good = judged = 0
    for message, after in _rows(events):
        before = {side: dict(book) for side, book in books.items()}
        for e in after:
            if e["kind"] == EventKind.CLEAR:
                books = {Side.BID: {}, Side.ASK: {}}
                continue
            book = books[int(e["side"])]
            if e["size"]:
                book[int(e["price"])] = int(e["size"])
            else:
                book.pop(int(e["price"]), None)
        expected, emptied = _applied(before, message, levels)
        if emptied or not before[Side.BID]:
            continue
        judged += 1
        good += all(_top(expected[s], s, levels) == _top(books[s], s, levels) for s in books)
    return good, judged


def _rows(events: NDArray[Any]) -> list[tuple[np.void | None, NDArray[Any]]]:
    """Per message line: the flow record of the line (a hidden execution has none: the book stands), and the level records."""
    out = []
    for line in np.split(events, np.flatnonzero(np.diff(events["sequence"].astype(np.int64))) + 1):
        flow = line[(line["flags"] & EventFlag.INFORMATIVE) != 0]
        out.append((flow[0] if len(flow) else None, line[np.isin(line["kind"], (EventKind.LEVEL, EventKind.CLEAR))]))
    return out


def _applied(before: dict[int, dict[int, int]], message: np.void | None, levels: int) -> tuple[dict[int, dict[int, int]], bool]:
    books = {side: dict(book) for side, book in before.items()}
    if message is None:
        return books, False
    side, price, size = int(message["side"]), int(message["price"]), int(message["size"])
    book = books[side]
    sign = 1 if message["kind"] == EventKind.ADD else -1
    if sign < 0 and price not in book:
        return books, False
    left = book.get(price, 0) + sign * size
    if left > 0:
        book[price] = left
        return books, False
    book.pop(price, None)
    return books, True


def _top(book: dict[int, int], side: int, levels: int) -> list[tuple[int, int]]:
    return sorted(book.items(), reverse=side == Side.BID)[:levels]


def test_aapl_ten_level_book_follows_every_message(shared_data: Path, config: Config) -> None:
    assert _one_step(shared_data, config, "AAPL", 10) == (680, 680)


def test_amzn_level_one_book_follows_every_message(shared_data: Path, config: Config) -> None:
    good, judged = _one_step(shared_data, config, "AMZN", 1)
    assert (good, judged) == (43_561, 43_561)


def test_es_prints_are_the_fills_of_the_orders_that_rested(shared_data: Path, config: Config) -> None:
    events = np.concatenate(list(feeds.open(_es(shared_data)[1:], format="dbn", config=config)))
    ends = np.cumsum((events["flags"] & EventFlag.LAST) != 0)
    of = np.concatenate([[0], ends[:-1]])

    def sizes(kind: EventKind, side: Side) -> NDArray[np.float64]:
        mask = (events["kind"] == kind) & (events["side"] == side)
        return np.asarray(np.bincount(of[mask], weights=events["size"][mask], minlength=int(of.max()) + 1), np.float64)

    assert int(events["size"][events["kind"] == EventKind.TRADE].sum()) == 9_892
    for aggressor, resting in ((Side.BID, Side.ASK), (Side.ASK, Side.BID)):
        printed, filled = sizes(EventKind.TRADE, aggressor), sizes(EventKind.EXECUTE, resting)
        assert np.array_equal(filled[printed > 0], printed[printed > 0])
    # The opening has no aggressor: what it prints was filled on both sides.
    opening, filled = sizes(EventKind.TRADE, Side.NONE), sizes(EventKind.EXECUTE, Side.NONE)
    assert (opening > 0).sum() == 1
    assert filled[opening > 0].tolist() == (2 * opening[opening > 0]).tolist()
