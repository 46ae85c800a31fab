# SPDX-License-Identifier: Apache-2.0
"""Every format of recordings as plain messages, by what venues and vendors write about their own files."""

from __future__ import annotations

import gzip
import heapq
import json
import lzma
import struct
import zipfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from tests.recount.market import Message


def _nano(value: Any) -> int:
    return int(Decimal(value) * 1_000_000_000)


def _lines(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt") as lines:
        yield from lines


def lobster(message: Path, orderbook: Path, symbol: str, day: str) -> Iterator[Message]:
    """Seconds after midnight in New York; row t of the orderbook file is the book after message t."""
    midnight = int(datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("America/New_York")).timestamp()) * 10**9
    for said, row in zip(_lines(message), _lines(orderbook), strict=True):
        seconds, kind, *_ = said.split(",")
        cells = [int(c) for c in row.split(",")]
        asks = {p * 100_000: s for p, s in zip(cells[0::4], cells[1::4], strict=True) if p != 9_999_999_999}
        bids = {p * 100_000: s for p, s in zip(cells[2::4], cells[3::4], strict=True) if p != -9_999_999_999}
        yield Message(midnight + _nano(seconds), symbol, (bids, asks), trades=int(kind) in (4, 5, 6))


def dbn_orders(files: Sequence[bytes], symbol: str) -> Iterator[Message]:
    """Unpacked DBN files of schema ``mbo``: 56-byte records behind a header; version 1."""
    orders: dict[int, tuple[int, int, int]] = {}
    sides: tuple[dict[int, int], dict[int, int]] = ({}, {})

    def change(side: int, price: int, by: int) -> tuple[int, int, int]:
        size = sides[side].get(price, 0) + by
        sides[side][price] = size
        return side, price, size

    for raw in files:
        in_snapshot = False
        at = 8 + struct.unpack_from("<I", raw, 4)[0]
        while at < len(raw):
            order_id, price, size, flags, _, action, side_code, recv = struct.unpack_from("<QqIBBccQ", raw, at + 16)
            at += raw[at] * 4
            is_snapshot = bool(flags & 32)
            starts_anew = action == b"R" or (is_snapshot and not in_snapshot)
            if starts_anew:
                orders.clear()
                sides = ({}, {})
            in_snapshot = is_snapshot
            levels = []
            if action in (b"M", b"C") and order_id in orders:
                side, old_price, old_size = orders.pop(order_id)
                leaves = old_size if action == b"M" else min(size, old_size)
                levels.append(change(side, old_price, -leaves))
                if action == b"C" and old_size > leaves:
                    orders[order_id] = (side, old_price, old_size - leaves)
                if action == b"M":
                    orders[order_id] = (side, price, size)
                    levels.append(change(side, price, size))
            elif action == b"A":
                side = {b"B": 0, b"A": 1}[side_code]
                orders[order_id] = (side, price, size)
                levels.append(change(side, price, size))
            yield Message(recv, symbol, ({}, {}) if starts_anew else None, levels, trades=action == b"T", ends=bool(flags & 128))


def binance(files: Sequence[Path], symbol: str, exponent: int) -> Iterator[Message]:
    """A REST snapshot joins the diffs around it by its update id; diffs before it wait for it."""
    held: list[tuple[int, int, list[tuple[int, int, int]]]] = []
    last: int | None = None

    def sides(message: dict[str, Any], bid: str, ask: str) -> list[tuple[int, int, int]]:
        scale = 10**-exponent
        return [(n, _nano(p), int(Decimal(q) * scale)) for n, name in enumerate((bid, ask)) for p, q in message[name]]

    def stamped(path: Path) -> Iterator[tuple[int, str]]:
        for line in _lines(path):
            stamp, text = line.split(" ", 1)
            yield int(stamp.ljust(19, "0")), text

    for ts, text in heapq.merge(*(stamped(p) for p in files), key=lambda m: m[0]):
        message = json.loads(text)
        if "lastUpdateId" in message:
            levels = sides(message, "bids", "asks")
            last = message["lastUpdateId"]
            for first, final, more in held:
                if final >= last and (first <= message["lastUpdateId"] <= final or last != message["lastUpdateId"]):
                    levels += more
                    last = final
            book: tuple[dict[int, int], dict[int, int]] = ({}, {})
            for side, price, size in levels:
                book[side][price] = size
            yield Message(ts, symbol, tuple({p: s for p, s in side.items() if s} for side in book))  # type: ignore[arg-type]
            held.clear()
            continue
        data, kind = message["data"], message["stream"].split("@")[1]
        if kind == "trade":
            yield Message(ts, symbol, trades=1)
        elif kind.startswith("depth"):
            levels = sides(data, "b", "a")
            if last is None:
                held.append((data["U"], data["u"], levels))
            elif data["u"] >= last:
                last = data["u"]
                yield Message(ts, symbol, levels=levels)


def bitstamp(path: Path, symbol: str) -> Iterator[Message]:
    """``<stamp ms> <event> <json>``; the visible book comes whole."""
    seen: set[int] = set()
    for line in lzma.decompress(path.read_bytes()).decode().splitlines():
        stamp, kind, text = line.split(" ", 2)
        if kind == "order_book":
            said = json.loads(text)
            bids, asks = ({_nano(p): int(Decimal(q) * 10**8) for p, q in said[s]} for s in ("bids", "asks"))
            yield Message(int(stamp) * 10**6, symbol, ({p: q for p, q in bids.items() if q}, {p: q for p, q in asks.items() if q}))
        elif kind == "trade":
            trade = json.loads(text)["id"]
            yield Message(int(stamp) * 10**6, symbol, trades=trade not in seen)
            seen.add(trade)


def kraken_futures(path: Path) -> Iterator[Message]:
    """A capture of cryptofeed: ``<seconds>: <json>``."""
    for line in _lines(path):
        if line.startswith("wss") or not line.strip():
            continue
        stamp, text = line.split(": ", 1)
        m = json.loads(text, parse_float=Decimal)
        ts = _nano(stamp)
        if m.get("feed") == "book_snapshot":
            bids, asks = ({_nano(r["price"]): int(r["qty"]) for r in m[s]} for s in ("bids", "asks"))
            yield Message(ts, m["product_id"], (bids, asks))
        elif m.get("feed") == "book" and "seq" in m:
            yield Message(ts, m["product_id"], levels=[(int(m["side"] == "sell"), _nano(m["price"]), int(m["qty"]))])
        elif m.get("feed") == "trade" and "seq" in m:
            yield Message(ts, m["product_id"], trades=1)


def bybit(path: Path, symbol: str) -> Iterator[Message]:
    """A zip of JSON lines; the stamp is that of the venue's own system."""
    with zipfile.ZipFile(path) as archive:
        lines = archive.read(archive.namelist()[0]).decode().splitlines()
    for m in map(json.loads, lines):
        levels = [(n, _nano(p), int(q)) for n, s in enumerate(("b", "a")) for p, q in m["data"][s]]
        if m["type"] == "snapshot":
            bids, asks = ({p: q for n, p, q in levels if n == side} for side in (0, 1))
            yield Message(m["ts"] * 10**6, symbol, (bids, asks))
        else:
            yield Message(m["ts"] * 10**6, symbol, levels=levels)


NOT_NOW: Final = 0x75D4A0E
"""Sale conditions whose price is none of this moment; see the sale conditions of the consolidated tapes."""


def taq(quotes: Path, trades: Path, symbol: str) -> Iterator[Message]:
    """Each quote row says one side of the national best; quotes do not live over a night."""
    import pyarrow.parquet as parquet

    def national() -> Iterator[Message]:
        rows = parquet.read_table(quotes).to_pydict()
        best: list[dict[int, int]] = [{}, {}]
        last = 0
        names = ("ts_ns_utc", "bid_1e4", "bid_size", "ask_1e4", "ask_size", "condition", "suspicious")
        for ts, bid, bid_size, ask, ask_size, condition, suspicious in zip(*(rows[n] for n in names), strict=True):
            if suspicious:
                continue
            if last and ts - last > 4 * 3_600 * 10**9:
                best = [{}, {}]
            last = ts
            for side, price, size in ((0, bid, bid_size), (1, ask, ask_size)):
                if price:
                    best[side] = {price * 100_000: size} if size and int(condition, 16) & 0x801 else {}
            yield Message(ts, symbol, (dict(best[0]), dict(best[1])))

    def prints() -> Iterator[Message]:
        rows = parquet.read_table(trades).to_pydict()
        for ts, condition, suspicious in zip(*(rows[n] for n in ("ts_ns_utc", "condition", "suspicious")), strict=True):
            yield Message(ts, symbol, trades=not suspicious and not int(condition, 16) & NOT_NOW)

    yield from heapq.merge(prints(), national(), key=lambda m: m.ts)


def depth5(quotes: Path, trades: Path, symbol: str) -> Iterator[Message]:
    """Five levels a side per row, and prints, of a COMEX day."""
    import pyarrow.parquet as parquet

    def stamps(table: Any) -> list[int]:
        column = table.column("ts_utc")
        is_typed = "timestamp" in str(column.type)
        return [int(t) for t in (column.cast("timestamp[ns]").cast("int64") if is_typed else column).to_pylist()]

    def books() -> Iterator[Message]:
        table = parquet.read_table(quotes)
        rows = {n: table.column(n).to_pylist() for n in table.schema.names if n != "ts_utc"}
        for i, ts in enumerate(stamps(table)):
            sides: list[dict[int, int]] = []
            for side in ("bid", "offer"):
                cells = [(rows[f"{side}_price_{k}"][i], rows[f"{side}_quantity_{k}"][i]) for k in range(5)]
                sides.append(
                    {round(p * 10) * 100_000_000: round(q) for p, q in cells if p is not None and q is not None and p == p and q == q and q > 0}
                )
            yield Message(ts, symbol, (sides[0], sides[1]))

    def prints() -> Iterator[Message]:
        for ts in stamps(parquet.read_table(trades)):
            yield Message(ts, symbol, trades=1)

    yield from heapq.merge(prints(), books(), key=lambda m: m.ts)
