# SPDX-License-Identifier: Apache-2.0
"""Raw captures of many venues against readings of their lines that import nothing of ours."""

from __future__ import annotations

import dataclasses
import gzip
import json
import lzma
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray

from pretrade import feeds
from pretrade.domain import Config, EventFlag, EventKind, Instrument

pytestmark = pytest.mark.shared_data

FOLDER: Final = "crypto_ws_captures"
FILES: Final = {"BMEX": "BITMEX.ws.1.0", "CBSE": "COINBASE.ws.28.0", "KRKN": "KRAKEN.ws.50.0", "KRKF": "KRAKEN_FUTURES.ws.1.0"}
EXPONENT: Final = {"BMEX": 0, "CBSE": -8, "KRKN": -8, "KRKF": 0, "BYBT": 0, "BSTP": -8}
TOO_FINE: Final = "TRXU21"
"""Its prices are multiples of 5e-10, finer than any price of ours: it is left out by name."""
Books = dict[str, list[dict[int, int]]]


def _config(config: Config, venue: str, symbols: list[str]) -> Config:
    base = config.instrument("GC")
    made = [
        dataclasses.replace(base, instrument_id=100 + n, symbol=s, venue=venue, quantity_exponent=EXPONENT[venue], session="continuous")
        for n, s in enumerate(symbols)
    ]
    return dataclasses.replace(config, instruments=tuple(made))


def _messages(path: Path) -> Iterator[Any]:
    """Messages received, as JSON with exact numbers."""
    for line in gzip.decompress(path.read_bytes()).decode().splitlines():
        if line and not line.startswith("wss"):
            yield json.loads(line.split(": ", 1)[1], parse_float=Decimal)


def _path(shared_data: Path, venue: str) -> Path:
    return shared_data / FOLDER / f"{FILES[venue]}.txt.gz"


def _symbols(path: Path, venue: str) -> list[str]:
    out: dict[str, None] = {}
    for m in _messages(path):
        if venue == "KRKN" and isinstance(m, list):
            out[m[-1]] = None
        elif venue == "BMEX" and "table" in m:
            out |= dict.fromkeys(row["symbol"] for row in m["data"] if row["symbol"] != TOO_FINE)
        elif venue in ("CBSE", "KRKF") and "product_id" in m:
            out[m["product_id"]] = None
    return list(out)


def _price(value: Any) -> int:
    return int(Decimal(value) * 10**9)


def _recount(path: Path, venue: str) -> tuple[Books, Counter[str]]:
    """Books at the end of the file and prints per symbol, by the venue's own words."""
    books: Books = defaultdict(lambda: [{}, {}])
    ids: dict[tuple[str, int], int] = {}
    prints: Counter[str] = Counter()
    scale = 10 ** -EXPONENT[venue]

    def put(symbol: str, ask: bool, price: int, size: Any) -> None:
        book = books[symbol][ask]
        book[price] = int(Decimal(size) * scale)
        if not book[price]:
            del book[price]

    for m in _messages(path):
        if venue == "BMEX" and m.get("table") == "orderBookL2":
            for row in (row for row in m["data"] if row["symbol"] != TOO_FINE):
                key = (row["symbol"], row["id"])
                ids[key] = _price(row["price"]) if "price" in row else ids[key]
                put(row["symbol"], row["side"] == "Sell", ids[key], 0 if m["action"] == "delete" else row["size"])
        elif venue == "BMEX" and m.get("table") == "trade" and m["action"] == "insert":
            prints.update(row["symbol"] for row in m["data"] if row["symbol"] != TOO_FINE)
        elif venue == "CBSE" and m["type"] == "snapshot":
            for side in ("bids", "asks"):
                for price, size in m[side]:
                    put(m["product_id"], side == "asks", _price(price), size)
        elif venue == "CBSE" and m["type"] == "l2update":
            for side, price, size in m["changes"]:
                put(m["product_id"], side == "sell", _price(price), size)
        elif venue == "KRKF" and m.get("feed") == "book_snapshot":
            for side in ("bids", "asks"):
                for row in m[side]:
                    put(m["product_id"], side == "asks", _price(row["price"]), row["qty"])
        elif venue == "KRKF" and m.get("feed") == "book" and "seq" in m:
            put(m["product_id"], m["side"] == "sell", _price(m["price"]), m["qty"])
        elif venue == "KRKN" and isinstance(m, list):
            for part in m[1:-2]:
                for key, rows in part.items():
                    for price, size, *_ in rows if key != "c" else ():
                        if Decimal(price) > 10**9:
                            continue
                        put(m[-1], key[0] == "a", _price(price), size)
        if isinstance(m, dict) and (m.get("type") == "match" or (m.get("feed") == "trade" and "seq" in m)):
            prints[m["product_id"]] += 1
    if venue == "KRKN":
        for book in books.values():
            book[0] = dict(sorted(book[0].items(), reverse=True)[:1_000])
            book[1] = dict(sorted(book[1].items())[:1_000])
    return books, prints


def _rebuilt(events: NDArray[Any], instruments: tuple[Instrument, ...]) -> tuple[Books, int]:
    """Books at the end, and how many event ends were crossed."""
    names = {i.instrument_id: i.symbol for i in instruments}
    books: Books = defaultdict(lambda: [{}, {}])
    crossed = 0
    for e in events[(events["flags"] & EventFlag.INFORMATIVE) == 0]:
        symbol = names[int(e["instrument_id"])]
        if e["kind"] == EventKind.CLEAR:
            books[symbol] = [{}, {}]
        elif e["kind"] == EventKind.LEVEL:
            book = books[symbol][int(e["side"]) - 1]
            book[int(e["price"])] = int(e["size"])
            if not e["size"]:
                del book[int(e["price"])]
        if e["flags"] & EventFlag.LAST:
            bids, asks = books[symbol]
            crossed += bool(bids and asks) and max(bids) > min(asks)
    return books, crossed


@pytest.mark.parametrize("venue", FILES)
def test_books_and_prints_are_those_of_the_lines_and_never_crossed(shared_data: Path, config: Config, venue: str) -> None:
    path = _path(shared_data, venue)
    known = _config(config, venue, _symbols(path, venue))
    stream = feeds.open([path], format="cryptofeed", config=known, instruments=[i.symbol for i in known.instruments])
    events = np.concatenate(list(stream))
    want, prints = _recount(path, venue)
    books, crossed = _rebuilt(events, stream.instruments)
    assert {k: n for k, n in stream.faults.items() if k != "negative_age"} == ({"bad_line": 1} if venue == "KRKN" else {})
    assert crossed == 0
    assert {s: b for s, b in books.items() if any(b)} == {s: b for s, b in want.items() if any(b)}
    trades = events[events["kind"] == EventKind.TRADE]
    names = {i.instrument_id: i.symbol for i in known.instruments}
    assert Counter(names[int(t)] for t in trades["instrument_id"]) == prints


def test_every_bitmex_quote_is_a_top_that_the_rebuilt_book_went_through(shared_data: Path, config: Config) -> None:
    path = _path(shared_data, "BMEX")
    known = _config(config, "BMEX", _symbols(path, "BMEX"))
    wanted = [i.symbol for i in known.instruments]
    events = np.concatenate(list(feeds.open([path], format="cryptofeed", config=known, instruments=wanted)))
    tops: dict[int, set[tuple[int, ...]]] = defaultdict(set)
    books: dict[int, list[dict[int, int]]] = defaultdict(lambda: [{}, {}])
    quotes: list[tuple[int, int, tuple[int, ...]]] = []
    started: dict[int, int] = {}
    half: tuple[int, int] = (0, 0)
    for e in events:
        held, side = int(e["instrument_id"]), int(e["side"]) - 1
        if e["kind"] == EventKind.LEVEL and e["flags"] & EventFlag.INFORMATIVE:
            if side:
                quotes.append((held, int(e["ts_event"]), (*half, int(e["price"]), int(e["size"]))))
            half = (int(e["price"]), int(e["size"]))
        elif e["kind"] == EventKind.LEVEL:
            books[held][side][int(e["price"])] = int(e["size"])
            if not e["size"]:
                del books[held][side][int(e["price"])]
            if e["flags"] & EventFlag.LAST and all(books[held]):
                started.setdefault(held, int(e["ts_recv"]))
                bid, ask = max(books[held][0]), min(books[held][1])
                tops[held].add((bid, books[held][0][bid], ask, books[held][1][ask]))
    judged = [(held, quote) for held, ts, quote in quotes if held in started and ts > started[held]]
    assert len(judged) > 50
    met = sum(quote in tops[held] for held, quote in judged)
    assert met == len(judged), f"{met} of {len(judged)}"


@pytest.mark.parametrize(("venue", "word"), [("KRKN", '"c":'), ("KRKF", '"feed":"book","product_id":"PI_ETHUSD"'), ("CBSE", '"type":"match"')])
def test_one_lost_line_is_one_gap(shared_data: Path, config: Config, tmp_path: Path, venue: str, word: str) -> None:
    path = _path(shared_data, venue)
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    numbered = [n for n, line in enumerate(lines) if word in line]
    if venue == "KRKN":
        numbered = [n for n in numbered if lines[n].endswith('"XBT/CHF"]')]
    if venue == "CBSE":
        busiest = Counter(json.loads(lines[n].split(": ", 1)[1])["product_id"] for n in numbered).most_common(1)[0][0]
        numbered = [n for n in numbered if f'"product_id":"{busiest}"' in lines[n]]
    assert len(numbered) > 2
    del lines[numbered[len(numbered) // 2]]
    cut = tmp_path / "cut.txt"
    cut.write_text("\n".join(lines))
    known = _config(config, venue, _symbols(path, venue))
    stream = feeds.open([cut], format="cryptofeed", config=known)
    events = np.concatenate(list(stream))
    assert stream.faults["sequence_gap"] == 1
    gap = np.flatnonzero(events["flags"] & EventFlag.GAP)
    held = events["instrument_id"][gap[0]]
    after = events[gap[0] + 1 :]
    book = (after["instrument_id"] == held) & (after["kind"] == EventKind.LEVEL) & ((after["flags"] & EventFlag.INFORMATIVE) == 0)
    assert not book.any(), "nothing more is said of a book that missed messages"


def test_bybit_changes_join_their_snapshot_and_a_lost_one_is_one_gap(shared_data: Path, config: Config, tmp_path: Path) -> None:
    path = shared_data / FOLDER / "bybit_xrpusdt-ob500.data.zip"
    known = _config(config, "BYBT", ["XRPUSDT"])
    stream = feeds.open([path], format="bybit", config=known)
    events = np.concatenate(list(stream))
    with zipfile.ZipFile(path) as archive:
        lines = archive.read(archive.namelist()[0]).decode().splitlines()
    want: list[dict[int, int]] = [{}, {}]
    for message in (json.loads(line) for line in lines):
        for n, side in enumerate(("b", "a")):
            for price, size in message["data"][side]:
                want[n][_price(price)] = int(size)
                if not int(size):
                    del want[n][_price(price)]
    books, crossed = _rebuilt(events, stream.instruments)
    assert (books["XRPUSDT"], crossed, stream.faults) == (want, 0, {})
    plain = tmp_path / "cut.data"
    plain.write_text("\n".join(lines[:20] + lines[21:]))
    cut = feeds.open([plain], format="bybit", config=known)
    for _ in cut:
        pass
    assert cut.faults == {"sequence_gap": 1}


def test_bitstamp_orders_prints_and_books_are_those_of_the_log(shared_data: Path, config: Config) -> None:
    folder = shared_data / "bitstamp_l3_20150501"
    stream = feeds.open([folder / "bitstamp_btcusd_20150501_raw.log.xz"], format="bitstamp", config=_config(config, "BSTP", ["BTCUSD"]))
    events = np.concatenate(list(stream))
    rows = [line.split(",") for line in _unpacked(folder / "bitstamp_btcusd_20150501_orders.csv.xz")[1:]]
    assert len(rows) == 50_414
    once = list({(r[0], r[5]) if r[5] == "deleted" else n: r for n, r in reversed(list(enumerate(rows)))}.values())
    assert stream.faults == {"duplicate": len(rows) - len(once)} == {"duplicate": 21}, "deletions that the venue said twice"
    actions = {"created": EventKind.ADD, "changed": EventKind.MODIFY, "deleted": EventKind.CANCEL}
    want = sorted((int(i), int(ts) * 10**6, int(actions[a]), _price(p), 1 if d == "bid" else 2, int(v)) for i, ts, _, p, v, a, d in once)
    orders = events[np.isin(events["kind"], list(actions.values()))]
    names = ["order_id", "ts_recv", "kind", "price", "side", "size"]
    got = sorted(tuple(int(e[n]) for n in names) for e in orders)
    assert [g[:5] for g in got] == [w[:5] for w in want], "as another program extracted them"
    assert {g[5] - w[5] for g, w in zip(got, want, strict=True)} == {0, 1}, "that program cut doubles down: 2.55 became 2.54999999"
    assert (len(orders), len(set(orders["order_id"].tolist()))) == (50_414 - 21, 25_076)
    assert int((events["kind"] == EventKind.TRADE).sum()) == 575
    _held_visible_books(folder, events)


def _unpacked(path: Path) -> list[str]:
    return lzma.decompress(path.read_bytes()).decode().splitlines()


def _held_visible_books(folder: Path, events: NDArray[Any]) -> None:
    book: list[dict[int, int]] = [{}, {}]
    got = []
    for e in events[np.isin(events["kind"], (EventKind.LEVEL, EventKind.CLEAR))]:
        if e["kind"] == EventKind.CLEAR:
            book = [{}, {}]
        else:
            side = book[int(e["side"]) - 1]
            side[int(e["price"])] = int(e["size"])
            if not e["size"]:
                del side[int(e["price"])]
        if e["flags"] & EventFlag.LAST:
            got.append((int(e["ts_recv"]), hash((frozenset(book[0].items()), frozenset(book[1].items())))))
    want = []
    for line in _unpacked(folder / "bitstamp_btcusd_20150501_raw.log.xz"):
        stamp, kind, message = line.split(" ", 2)
        if kind == "order_book":
            said = json.loads(message)
            sides = [frozenset((_price(p), int(Decimal(v) * 10**8)) for p, v in said[s]) for s in ("bids", "asks")]
            want.append((int(stamp) * 10**6, hash(tuple(sides))))
    assert len(want) == 5_011
    assert [w for w in want if w in set(got)] == want


@pytest.mark.parametrize(("venue", "judged"), [("CBSE", 97), ("KRKF", 107)])
def test_every_ticker_is_a_top_that_the_rebuilt_book_went_through(shared_data: Path, config: Config, venue: str, judged: int) -> None:
    """Coinbase's first `ticker` of a product tells of the last print before the subscription, and is left out."""
    path = _path(shared_data, venue)
    known = _config(config, venue, _symbols(path, venue))
    names = {i.instrument_id: i.symbol for i in known.instruments}
    tops: dict[str, set[tuple[int, int]]] = defaultdict(set)
    books: dict[str, list[dict[int, int]]] = defaultdict(lambda: [{}, {}])
    for e in np.concatenate(list(feeds.open([path], format="cryptofeed", config=known))):
        symbol = names[int(e["instrument_id"])]
        if e["kind"] == EventKind.CLEAR:
            books[symbol] = [{}, {}]
        elif e["kind"] == EventKind.LEVEL:
            book = books[symbol][int(e["side"]) - 1]
            book[int(e["price"])] = int(e["size"])
            if not e["size"]:
                del book[int(e["price"])]
        if e["flags"] & EventFlag.LAST and all(books[symbol]):
            tops[symbol].add((max(books[symbol][0]), min(books[symbol][1])))
    seen: set[str] = set()
    told = []
    for m in _messages(path):
        if m.get("type") == "ticker" or (m.get("feed") == "ticker_lite" and "bid" in m):
            symbol = m["product_id"]
            if venue == "KRKF" or symbol in seen:
                told.append((symbol, (_price(m.get("best_bid", m.get("bid"))), _price(m.get("best_ask", m.get("ask"))))))
            seen.add(symbol)
    assert (len(told), sum(top in tops[symbol] for symbol, top in told)) == (judged, judged)


@pytest.mark.parametrize("venue", FILES)
def test_no_capture_holds_a_later_snapshot_to_compare_with(shared_data: Path, venue: str) -> None:
    """The bar "equal each later snapshot" has nothing to judge here: tickers, quotes and Kraken's checksums stand in for it."""
    count: Counter[str] = Counter()
    for m in _messages(_path(shared_data, venue)):
        if isinstance(m, list):
            count[m[-1]] += any(key in part for part in m[1:-2] for key in ("as", "bs"))
        elif m.get("type") == "snapshot" or m.get("feed") == "book_snapshot":
            count[m["product_id"]] += 1
        elif m.get("table") == "orderBookL2" and m["action"] == "partial":
            count.update({row["symbol"] for row in m["data"]})
    assert count
    assert set(count.values()) == {1}
