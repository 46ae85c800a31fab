# SPDX-License-Identifier: Apache-2.0
"""A simulated market written down as venues and vendors write theirs: one recording of every format, to measure decoders on."""

from __future__ import annotations

import dataclasses
import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from pretrade.domain import Config, EventKind, Side
from pretrade.domain.errors import MissingExtraError
from pretrade.feeds import Source

_TICK: Final = 1_000_000_000
_LEVELS: Final = 5
_DBN_RECORD: Final = np.dtype(
    {
        "names": ["length", "rtype", "instrument", "ts_event", "order_id", "price", "size", "flags", "action", "side", "ts_recv", "sequence"],
        "formats": ["u1", "u1", "<u4", "<u8", "<u8", "<i8", "<u4", "u1", "S1", "S1", "<u8", "<u4"],
        "offsets": [0, 1, 4, 8, 16, 24, 32, 36, 38, 39, 40, 52],
        "itemsize": 56,
    }
)


@dataclass(slots=True)
class Step:
    """One event of the market: its stamp, what it was, the level it left behind (bid 0, ask 1), and the book after it."""

    ts: int
    kind: int
    order_id: int
    price: int
    size: int
    side: int
    level: tuple[int, int, int] | None
    book: tuple[dict[int, int], dict[int, int]]


def steps(events: NDArray[Any]) -> Iterator[Step]:
    """Walk through a simulated day; the book of a step is the walker's own and changes with the next."""
    orders: dict[int, list[int]] = {}
    book: tuple[dict[int, int], dict[int, int]] = ({}, {})
    names = ("ts_recv", "kind", "order_id", "price", "size", "side")
    for ts, kind, order_id, price, size, side in zip(*(events[n].tolist() for n in names), strict=True):
        level = None
        if kind == EventKind.ADD:
            orders[order_id] = [side - 1, price, size]
            level = (side - 1, price, book[side - 1].get(price, 0) + size)
        elif kind in (EventKind.CANCEL, EventKind.EXECUTE) and order_id in orders:
            order = orders[order_id]
            taken = min(size, order[2])
            order[2] -= taken
            level = (order[0], order[1], book[order[0]].get(order[1], 0) - taken)
            if order[2] == 0:
                del orders[order_id]
        if level is not None:
            if level[2] > 0:
                book[level[0]][level[1]] = level[2]
            else:
                book[level[0]].pop(level[1], None)
        yield Step(ts, kind, order_id, price, size, side, level, book)


def repeated(events: NDArray[Any], times: int) -> NDArray[Any]:
    """The same stretch of market again and again, each time from an empty book: stamps go on, orders have ids of their own."""
    left: dict[int, tuple[int, int, int]] = {}
    for kind, order_id, price, size, side in zip(*(events[n].tolist() for n in ("kind", "order_id", "price", "size", "side")), strict=True):
        if kind == EventKind.ADD:
            left[order_id] = (price, size, side)
        elif kind in (EventKind.CANCEL, EventKind.EXECUTE) and order_id in left:
            left[order_id] = (price, left[order_id][1] - size, side)
            if left[order_id][1] <= 0:
                del left[order_id]
    ends = np.zeros(len(left), events.dtype)
    ends["kind"], ends["flags"], ends["instrument_id"] = EventKind.CANCEL, 1, events["instrument_id"][0]
    ends["ts_event"] = ends["ts_recv"] = int(events["ts_recv"][-1]) + 1
    ends["order_id"] = list(left)
    for n, name in enumerate(("price", "size", "side")):
        ends[name] = [order[n] for order in left.values()]
    one = np.concatenate([events, ends])
    out = np.tile(one, times)
    turn = np.repeat(np.arange(times), len(one))
    span = int(one["ts_recv"][-1]) - int(one["ts_event"][0]) + 1
    out["ts_event"] += turn * span
    out["ts_recv"] += turn * span
    orders = out["order_id"] > 0
    out["order_id"][orders] += (turn[orders] * (int(one["order_id"].max()) + 1)).astype(np.uint64)
    out["sequence"] = np.arange(1, len(out) + 1)
    return out


def write(format: str, events: NDArray[Any], folder: Path, config: Config) -> tuple[Source, Config]:
    """Write a recording of a format; what to read, and the configuration that knows its instrument.

    Raises
    ------
    KeyError
        If no such format is written.
    MissingExtraError
        If the format is Parquet and pyarrow is not installed.
    """
    symbol, venue, writer = _WRITERS[format]
    instrument = dataclasses.replace(config.instrument("ES"), symbol=symbol, venue=venue, session="continuous")
    files, column_map = writer(events, folder)
    return Source(files, format, (symbol,), None, column_map), dataclasses.replace(config, instruments=(instrument,), groups=())


_Written = tuple[tuple[Path, ...], Path | None]


def _text(folder: Path, name: str, lines: Iterator[str]) -> _Written:
    path = folder / name
    with path.open("w", encoding="ascii") as out:
        out.writelines(line + "\n" for line in lines)
    return (path,), None


def _dbn(events: NDArray[Any], folder: Path) -> _Written:
    def text(value: str) -> bytes:
        return value.encode().ljust(71, b"\0")

    body = b"XSIM.SIM".ljust(16, b"\0") + struct.pack("<HQQQBBBH", 0, 0, 0, 0, 1, 0, 0, 71) + bytes(53)
    body += struct.pack("<II", 0, 1) + text("ESH4") + struct.pack("<III", 0, 0, 1) + text("ESH4") + struct.pack("<III", 1, 20_260_101, 20_260_201)
    body += text("1")
    records = np.zeros(len(events), _DBN_RECORD)
    records["length"], records["rtype"], records["instrument"] = 14, 0xA0, 1
    for name in ("ts_event", "ts_recv", "order_id", "price", "size", "sequence"):
        records[name] = events[name]
    letters = np.zeros(256, "S1")
    for kind, letter in ((EventKind.ADD, "A"), (EventKind.CANCEL, "C"), (EventKind.EXECUTE, "C"), (EventKind.TRADE, "T")):
        letters[kind] = letter
    records["action"] = letters[events["kind"]]
    records["side"] = np.array([b"N", b"B", b"A"])[events["side"]]
    records["flags"] = (events["flags"] & 1) * 128
    path = folder / "day.dbn"
    path.write_bytes(b"DBN\x02" + struct.pack("<I", len(body)) + body + records.tobytes())
    return (path,), None


def _lobster(events: NDArray[Any], folder: Path) -> _Written:
    zone = ZoneInfo("America/New_York")
    day = datetime.fromtimestamp(int(events["ts_recv"][0]) // _TICK, zone).date().isoformat()
    midnight = int(datetime.fromisoformat(day).replace(tzinfo=zone).astimezone(UTC).timestamp()) * _TICK
    files = tuple(folder / f"ES_{day}_0_86400000_{role}_{_LEVELS}.csv" for role in ("message", "orderbook"))
    types = {EventKind.ADD: 1, EventKind.CANCEL: 3, EventKind.EXECUTE: 4}
    with files[0].open("w") as messages, files[1].open("w") as books:
        for s in steps(events):
            if s.kind not in types:
                continue
            ns = s.ts - midnight
            messages.write(f"{ns // _TICK}.{ns % _TICK:09d},{types[EventKind(s.kind)]},{s.order_id},{s.size},{s.price // 100_000},{3 - 2 * s.side}\n")
            asks, bids = sorted(s.book[1])[:_LEVELS], sorted(s.book[0], reverse=True)[:_LEVELS]
            cells = []
            for n in range(_LEVELS):
                cells += [asks[n] // 100_000, s.book[1][asks[n]]] if n < len(asks) else [9_999_999_999, 0]
                cells += [bids[n] // 100_000, s.book[0][bids[n]]] if n < len(bids) else [-9_999_999_999, 0]
            books.write(",".join(map(str, cells)) + "\n")
    return files, None


def _price(value: int) -> str:
    return f"{value / 1e9:.2f}"


def _binance(events: NDArray[Any], folder: Path) -> _Written:
    def lines() -> Iterator[str]:
        last = 0
        for n, s in enumerate(steps(events), 1):
            ms = s.ts // 1_000_000
            same = {"E": ms, "T": ms, "s": "ESUSDT"}
            if s.kind == EventKind.TRADE:
                # Prints take no update number of the book.
                data: dict[str, Any] = {"e": "trade", **same, "t": n, "p": _price(s.price), "q": str(s.size), "m": s.side == Side.ASK}
                yield f"{s.ts} " + json.dumps({"stream": "esusdt@trade", "data": data})
            elif s.level is not None:
                last += 1
                sides = [[[_price(s.level[1]), str(s.level[2])]] if s.level[0] == side else [] for side in (0, 1)]
                data = {"e": "depthUpdate", **same, "U": last, "u": last, "pu": last - 1, "b": sides[0], "a": sides[1]}
                yield f"{s.ts} " + json.dumps({"stream": "esusdt@depth@0ms", "data": data})
                if last == 1:
                    yield f"{s.ts} " + json.dumps({"lastUpdateId": 1, "E": ms, "T": ms, "bids": sides[0], "asks": sides[1]})

    return _text(folder, "day_binance.txt", lines())


def _bitstamp(events: NDArray[Any], folder: Path) -> _Written:
    words = {EventKind.ADD: "order_created", EventKind.CANCEL: "order_deleted", EventKind.EXECUTE: "order_changed"}

    def lines() -> Iterator[str]:
        for n, s in enumerate(steps(events)):
            ms = s.ts // 1_000_000
            if s.kind == EventKind.TRADE:
                yield f"{ms} trade " + json.dumps({"price": s.price / 1e9, "amount": s.size, "id": n})
            elif s.kind in words:
                order = {"price": _price(s.price), "amount": str(s.size), "datetime": str(ms // 1_000), "id": s.order_id, "order_type": s.side - 1}
                yield f"{ms} {words[EventKind(s.kind)]} " + json.dumps(order)
            if n % 20 == 0:
                sides = [[[_price(p), str(s.book[k][p])] for p in sorted(s.book[k], reverse=not k)[:100]] for k in (0, 1)]
                yield f"{ms} order_book " + json.dumps({"bids": sides[0], "asks": sides[1]})

    return _text(folder, "day_bitstamp.log", lines())


def _cryptofeed(events: NDArray[Any], folder: Path) -> _Written:
    def lines() -> Iterator[str]:
        last, at = 0, events["ts_recv"][0]
        head = {"feed": "book_snapshot", "product_id": "PI_ESUSD", "timestamp": int(at) // 1_000_000, "seq": 0, "bids": [], "asks": []}
        yield f"{at // _TICK}.{at % _TICK:09d}: " + json.dumps(head)
        for n, s in enumerate(steps(events), 1):
            stamp, ms = f"{s.ts // _TICK}.{s.ts % _TICK:09d}: ", s.ts // 1_000_000
            if s.kind == EventKind.TRADE:
                side = "buy" if s.side == Side.BID else "sell"
                said = {"feed": "trade", "product_id": "PI_ESUSD", "side": side, "seq": n, "time": ms, "price": s.price / 1e9, "qty": s.size}
                yield stamp + json.dumps(said)
            elif s.level is not None:
                last += 1
                side = "sell" if s.level[0] else "buy"
                said = {
                    "feed": "book",
                    "product_id": "PI_ESUSD",
                    "side": side,
                    "seq": last,
                    "price": s.level[1] / 1e9,
                    "qty": s.level[2],
                    "timestamp": ms,
                }
                yield stamp + json.dumps(said)

    return _text(folder, "day_cryptofeed.txt", lines())


def _bybit(events: NDArray[Any], folder: Path) -> _Written:
    def lines() -> Iterator[str]:
        last, at = 1, int(events["ts_recv"][0]) // 1_000_000
        yield json.dumps(
            {"topic": "orderbook.500.ESUSDT", "type": "snapshot", "ts": at, "data": {"s": "ESUSDT", "b": [], "a": [], "u": 1}, "cts": at}
        )
        for s in steps(events):
            if s.level is not None:
                last, ms = last + 1, s.ts // 1_000_000
                sides = [[[_price(s.level[1]), str(s.level[2])]] if s.level[0] == side else [] for side in (0, 1)]
                data = {"s": "ESUSDT", "b": sides[0], "a": sides[1], "u": last}
                yield json.dumps({"topic": "orderbook.500.ESUSDT", "type": "delta", "ts": ms, "data": data, "cts": ms})

    return _text(folder, "day_bybit.data", lines())


def _taq(events: NDArray[Any], folder: Path) -> _Written:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as e:
        raise MissingExtraError("pyarrow", "store") from e
    quotes: list[dict[str, Any]] = []
    trades: list[dict[str, Any]] = []
    best: list[tuple[int, int]] = [(0, 0), (0, 0)]
    for s in steps(events):
        same = {"ts_ns_utc": s.ts, "exchange": "P", "condition": "1", "suspicious": 0}
        if s.kind == EventKind.TRADE:
            trades.append({**same, "price_1e4": s.price // 100_000, "size": s.size})
        elif s.level is not None and s.book[s.level[0]]:
            side = s.level[0]
            price = (max, min)[side](s.book[side])
            if best[side] != (price, s.book[side][price]):
                best[side] = (price, s.book[side][price])
                cells = [price // 100_000, s.book[side][price]] if side == 0 else [0, 0, price // 100_000, s.book[side][price]]
                quotes.append({**same, **dict(zip(("bid_1e4", "bid_size", "ask_1e4", "ask_size"), [*cells, 0, 0], strict=False))})
    files = []
    for name, rows in (("quotes", quotes), ("trades", trades)):
        files.append(folder / f"ES_{name}.parquet")
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), files[-1], row_group_size=65_536)
    return tuple(files), None


def _table(events: NDArray[Any], folder: Path) -> _Written:
    column_map = folder / "levels.toml"
    column_map.write_text(
        'instrument = { symbol = "ES" }\nclock = { ts_event = "ts", unit = "ns" }\n\n[quotes]\n'
        f'levels = {_LEVELS}\nbid_price = "bp{{}}"\nbid_size = "bs{{}}"\nask_price = "ap{{}}"\nask_size = "as{{}}"\n'
    )

    def lines() -> Iterator[str]:
        yield "ts," + ",".join(f"bp{n},bs{n},ap{n},as{n}" for n in range(1, _LEVELS + 1))
        for s in steps(events):
            if s.level is None:
                continue
            cells = []
            asks, bids = sorted(s.book[1])[:_LEVELS], sorted(s.book[0], reverse=True)[:_LEVELS]
            for n in range(_LEVELS):
                cells += [_price(bids[n]), str(s.book[0][bids[n]])] if n < len(bids) else ["", ""]
                cells += [_price(asks[n]), str(s.book[1][asks[n]])] if n < len(asks) else ["", ""]
            yield f"{s.ts}," + ",".join(cells)

    return _text(folder, "day_table.csv", lines())[0], column_map


_WRITERS: Final[dict[str, tuple[str, str, Callable[[NDArray[Any], Path], _Written]]]] = {
    "lobster": ("ES", "XNAS", _lobster),
    "dbn": ("ESH4", "XCME", _dbn),
    "binance": ("ESUSDT", "BINF", _binance),
    "bitstamp": ("ESUSD", "BSTP", _bitstamp),
    "cryptofeed": ("PI_ESUSD", "KRKF", _cryptofeed),
    "bybit": ("ESUSDT", "BYBT", _bybit),
    "taq": ("ES", "XNAS", _taq),
    "table": ("ES", "XSIM", _table),
}
FORMATS: Final = tuple(_WRITERS)
"""Formats that are written."""
