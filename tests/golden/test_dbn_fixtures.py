# SPDX-License-Identifier: Apache-2.0
"""Every DBN fixture, versions 1 to 3, against a reading of its bytes by ``struct`` alone."""

from __future__ import annotations

import dataclasses
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray

from pretrade import feeds
from pretrade.domain import Config, EventFlag, EventKind, Phase, ReferenceKind
from pretrade.domain.errors import FeedError

pytestmark = pytest.mark.shared_data

NONE: Final = 2**63 - 1
FOLDER: Final = "databento_dbn_fixtures"
SYMBOLS: Final = {"ESH1": 2, "MSFT": 5, "SPOT": 6}
SIDES: Final = {b"B": 1, b"A": 2, b"N": 0, b"~": 0}
INTERVALS: Final = {"ohlcv-1s": 1, "ohlcv-1m": 60, "ohlcv-1h": 3_600, "ohlcv-1d": 86_400}
NAME: Final = re.compile(r"test_data\.(?P<schema>[a-z0-9-]+?)(?:\.v(?P<version>\d))?\.dbn")


def _unpacked(path: Path) -> bytes:
    if path.suffix != ".zst":
        return path.read_bytes()
    pyarrow = pytest.importorskip("pyarrow")
    with pyarrow.input_stream(str(path), compression="zstd") as stream:
        return bytes(stream.read())


def _records(path: Path) -> tuple[int, list[bytes]]:
    raw = _unpacked(path)
    at, out = 8 + struct.unpack_from("<I", raw, 4)[0], []
    while at < len(raw):
        out.append(raw[at : at + raw[at] * 4])
        at += raw[at] * 4
    return raw[3], out


def _opened(path: Path, config: Config) -> tuple[feeds.EventStream, NDArray[Any]]:
    named = {i.instrument_id: i for i in config.instruments}
    known = dataclasses.replace(config, instruments=tuple(dataclasses.replace(named[i], symbol=s) for s, i in SYMBOLS.items()))
    stream = feeds.open([path], format="dbn", config=known)
    chunks = list(stream)
    return stream, np.concatenate(chunks) if chunks else np.empty(0)


def _books(events: NDArray[Any]) -> Iterator[list[list[tuple[int, int]]]]:
    """The book after each record that moves it."""
    sides: list[dict[int, int]] = [{}, {}]
    for e in events:
        if e["kind"] == EventKind.CLEAR:
            sides = [{}, {}]
        elif e["kind"] == EventKind.LEVEL and not e["flags"] & EventFlag.INFORMATIVE:
            side = sides[int(e["side"]) - 1]
            side[int(e["price"])] = int(e["size"])
            if not e["size"]:
                del side[int(e["price"])]
        if e["flags"] & EventFlag.LAST:
            yield [sorted(sides[0].items(), reverse=True), sorted(sides[1].items())]


def _levels(record: bytes) -> list[list[tuple[int, int]]]:
    rows = [struct.unpack_from("<qqII", record, at) for at in range(48, len(record) - 31, 32)]
    bids, asks = [(bid, size) for bid, _, size, _ in rows], [(ask, size) for _, ask, _, size in rows]
    return [[level for level in side if level[0] != NONE and level[1]] for side in (bids, asks)]


def _prints(records: list[bytes]) -> list[tuple[int, int, int, int, int]]:
    rows = [(*struct.unpack_from("<Q", r, 8), *struct.unpack_from("<qIcc", r, 16), *struct.unpack_from("<Q", r, 32)) for r in records]
    return [(event, recv, price, size, SIDES[side]) for event, price, size, action, side, recv in rows if action == b"T"]


def _trades(events: NDArray[Any]) -> list[tuple[int, ...]]:
    names = ["ts_event", "ts_recv", "price", "size", "side"]
    return [tuple(int(e[n]) for n in names) for e in events[events["kind"] == EventKind.TRADE]]


def _files() -> list[str]:
    """Names of the fixtures; written out, so that a missing one is a failure and not one test less."""
    plain = [
        *("bbo-1m", "bbo-1s", "cbbo-1s", "cmbp-1", "definition", "imbalance", "mbo", "mbp-1", "mbp-10"),
        *("ohlcv-1d", "ohlcv-1h", "ohlcv-1m", "ohlcv-1s", "statistics", "status", "tbbo", "trades"),
    ]
    only_new = {"bbo-1m", "bbo-1s", "cbbo-1s", "cmbp-1", "status"}
    packed = [f"{s}.v{v}" for s in plain for v in (1, 2, 3) if v > 1 or s not in only_new]
    return [*(f"test_data.{s}.dbn" for s in plain), "test_data.mbo.v3.dbn", *(f"test_data.{s}.dbn.zst" for s in packed)]


def test_the_list_of_fixtures_is_the_folder(shared_data: Path) -> None:
    assert sorted(_files()) == sorted(p.name for p in (shared_data / FOLDER).iterdir())


@pytest.mark.parametrize("name", _files())
def test_every_fixture_says_what_its_bytes_say(shared_data: Path, config: Config, name: str) -> None:
    path = shared_data / FOLDER / name
    told = NAME.match(name)
    assert told is not None
    schema = told["schema"]
    version, records = _records(path)
    assert version == int(told["version"] or 2)
    if schema == "statistics":
        with pytest.raises(FeedError, match="names no symbol in its header"):
            _opened(path, config)
        return
    stream, events = _opened(path, config)
    assert stream.faults == {}
    if not records:
        assert len(events) == 0
        return
    _held[schema](schema, events, records)


def _held_quotes(schema: str, events: NDArray[Any], records: list[bytes]) -> None:
    ends = [r for r in records if schema not in ("mbp-1", "mbp-10", "cmbp-1") or r[30] & 128]
    assert list(_books(events)) == [_levels(r) for r in ends]
    assert _trades(events) == ([] if "bbo-1" in schema else _prints(records))


def _held_trades(_: str, events: NDArray[Any], records: list[bytes]) -> None:
    assert _trades(events) == _prints(records)
    assert len(events) == len(records)


def _held_orders(_: str, events: NDArray[Any], records: list[bytes]) -> None:
    kinds = {b"A": 1, b"M": 2, b"C": 3, b"F": 4, b"R": 5, b"T": 7}
    rows = [struct.unpack_from("<QQqIBBccQiI", r, 8) for r in records]
    want = [(t, recv, oid, p, n, kinds[a], SIDES[s], seq) for t, oid, p, n, _, _, a, s, recv, _, seq in rows]
    names = ["ts_event", "ts_recv", "order_id", "price", "size", "kind", "side", "sequence"]
    assert [tuple(int(e[n]) for n in names) for e in events if not e["flags"] & EventFlag.SNAPSHOT or e["kind"] != EventKind.CLEAR] == want


def _held_bars(schema: str, events: NDArray[Any], records: list[bytes]) -> None:
    rows = [struct.unpack_from("<QqqqqQ", r, 8) for r in records]
    assert events["price"].tolist() == [p for r in rows for p in r[1:5]]
    assert events["size"][3::4].tolist() == [r[5] for r in rows]
    assert events["ts_event"][::4].tolist() == [r[0] for r in rows]
    assert set(events["ts_recv"] - events["ts_event"]) == {INTERVALS[schema] * 10**9}


def _held_status(_: str, events: NDArray[Any], records: list[bytes]) -> None:
    phases = {1: Phase.PRE_OPEN, 3: Phase.PRE_OPEN, 4: Phase.AUCTION, 7: Phase.CONTINUOUS, 8: Phase.HALTED, 12: Phase.CLOSED}
    actions = [struct.unpack_from("<H", r, 24)[0] for r in records]
    assert set(actions) <= {0, 6, 14, *phases}, actions
    assert events["aux"].tolist() == [phases.get(a, 0) for a in actions]
    assert events["kind"].tolist() == [EventKind.STATUS if a in phases else EventKind.HEARTBEAT for a in actions]


def _held_references(schema: str, events: NDArray[Any], records: list[bytes]) -> None:
    want: list[tuple[int, int]] = []
    for r in records:
        if schema == "definition":
            values = struct.unpack_from("<qq", r, 56)
            rows = [(ReferenceKind.TICK_SIZE, struct.unpack_from("<q", r, 24)[0]), (ReferenceKind.UPPER_LIMIT, values[0])]
            rows += [(ReferenceKind.LOWER_LIMIT, values[1])]
        else:
            clear, _, _, indicative = struct.unpack_from("<qqqq", r, 40)
            rows = [(ReferenceKind.INDICATIVE, indicative if indicative not in (NONE, 0) else clear or NONE)]
            rows += [(ReferenceKind.IMBALANCE, struct.unpack_from("<q", r, 24)[0])]
        want += [(int(kind), price) for kind, price in rows if price != NONE]
    assert [(int(e["aux"]), int(e["price"])) for e in events[events["kind"] == EventKind.REFERENCE]] == want
    assert set(events["kind"]) <= {EventKind.REFERENCE, EventKind.HEARTBEAT}
    if schema == "imbalance":
        left = events[events["aux"] == ReferenceKind.IMBALANCE]
        assert [(int(e["size"]), int(e["side"])) for e in left] == [(struct.unpack_from("<I", r, 92)[0], SIDES[r[105:106]]) for r in records]


_held: Final = {
    **dict.fromkeys(("mbp-1", "mbp-10", "cmbp-1", "tbbo", "bbo-1s", "bbo-1m", "cbbo-1s"), _held_quotes),
    **dict.fromkeys(INTERVALS, _held_bars),
    **dict.fromkeys(("definition", "imbalance"), _held_references),
    "mbo": _held_orders,
    "trades": _held_trades,
    "status": _held_status,
}
