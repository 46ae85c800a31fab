# SPDX-License-Identifier: Apache-2.0
"""Binance captures against the venue's own best bid and ask, and against a recount of the lines that imports nothing of ours."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray

from pretrade import features, feeds
from pretrade.domain import Config, EventFlag, EventKind, ReferenceKind

pytestmark = pytest.mark.shared_data

FOLDER: Final = "binance_raw_l2_2023_2024"
TRUTH: Final = {"usdm_btcusdt_2024": 625, "usdm_ethusdt_2024": 834, "usdm_btcusdt_2023": 1_565}


def _read(files: list[Path], config: Config) -> tuple[feeds.EventStream, NDArray[Any]]:
    stream = feeds.open(files, format="binance", config=config)
    return stream, np.concatenate(list(stream))


def _is_best(events: NDArray[Any]) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = (events["kind"] == EventKind.LEVEL) & ((events["flags"] & EventFlag.INFORMATIVE) != 0)
    return mask


def _tops(events: NDArray[Any]) -> dict[int, tuple[int, ...]]:
    """Best bid and ask of the rebuilt book after each update."""
    books: list[dict[int, int]] = [{}, {}]
    out: dict[int, tuple[int, ...]] = {}
    for e in events[~_is_best(events)]:
        if e["kind"] == EventKind.CLEAR:
            books = [{}, {}]
        elif e["kind"] == EventKind.LEVEL:
            book = books[int(e["side"]) - 1]
            book[int(e["price"])] = int(e["size"])
            if not e["size"]:
                del book[int(e["price"])]
        if e["flags"] & EventFlag.LAST:
            bid, ask = max(books[0]), min(books[1])
            out[int(e["sequence"])] = (bid, books[0][bid], ask, books[1][ask])
    return out


def _best(events: NDArray[Any]) -> dict[int, tuple[int, ...]]:
    rows = events[_is_best(events)]
    bids, asks = rows[::2], rows[1::2]
    return {int(b["sequence"]): (int(b["price"]), int(b["size"]), int(a["price"]), int(a["size"])) for b, a in zip(bids, asks, strict=True)}


@pytest.mark.parametrize(("name", "states"), list(TRUTH.items()))
def test_the_rebuilt_top_is_the_venues_own_wherever_the_two_can_be_compared(shared_data: Path, config: Config, name: str, states: int) -> None:
    stream, events = _read(sorted((shared_data / FOLDER).glob(f"{name}*")), config)
    tops, best = _tops(events), _best(events)
    both = sorted(set(tops) & set(best))
    assert (len(both), sum(tops[u] == best[u] for u in both)) == (states, states)
    assert set(stream.faults) <= {"negative_age"}


@pytest.mark.parametrize("name", [*TRUTH, "spot_btcusdt_2023"])
def test_prints_marks_and_best_are_those_of_the_lines(shared_data: Path, config: Config, name: str) -> None:
    files = sorted((shared_data / FOLDER).glob(f"{name}*"))
    stream = feeds.open(files, format="binance", config=config if "usdm" in name else _spot(config, shared_data))
    events = np.concatenate(list(stream))
    counted: Counter[str] = Counter()
    volume = 0
    for file in files:
        for line in gzip.decompress(file.read_bytes()).decode().splitlines():
            message = json.loads(line.split(" ", 1)[1])
            if "stream" not in message:
                continue
            data = message["data"]
            kind = message["stream"].split("@")[1]
            counted[kind] += 1
            counted["late"] += int(line.split(" ", 1)[0].ljust(19, "0")) < data.get("T", data.get("E", 0)) * 1_000_000 and kind != "markPrice"
            if kind == "markPrice":
                counted["late"] += int(line.split(" ", 1)[0].ljust(19, "0")) < data["E"] * 1_000_000
            if kind == "trade":
                volume += (
                    round(float(data["q"]) * (1_000 if "usdm" in name else 100_000_000))
                    * (-1 if data["m"] else 1)
                    * (data.get("X", "MARKET") == "MARKET")
                )
    trades = events[events["kind"] == EventKind.TRADE]
    assert len(trades) == counted["trade"]
    assert int((trades["size"] * np.choose(trades["side"], [0, 1, -1])).sum()) == volume
    assert int(_is_best(events).sum()) == 2 * counted["bookTicker"]
    assert int((events["aux"][events["kind"] == EventKind.REFERENCE] == ReferenceKind.MARK).sum()) == counted["markPrice"]
    if "spot" in name:
        assert not (events["kind"] == EventKind.CLEAR).any(), "no snapshot, no book"
    else:
        assert abs(stream.faults.get("negative_age", 0) - counted["late"]) <= 20, "changes before the snapshot wait and are not said"


def _spot(config: Config, shared_data: Path) -> Config:
    from dataclasses import replace

    del shared_data
    spot = replace(config.instrument("BTCUSDT"), symbol="BTCUSDT.BINS", venue="BINS", quantity_exponent=-8, instrument_id=99)
    return replace(config, instruments=(*config.instruments, spot))


def test_one_lost_line_is_one_gap_and_no_row_after_it_is_sound(shared_data: Path, config: Config, tmp_path: Path) -> None:
    file = sorted((shared_data / FOLDER).glob("usdm_btcusdt_2024*"))[0]
    lines = gzip.decompress(file.read_bytes()).decode().splitlines()
    depth = [n for n, line in enumerate(lines) if "@depth" in line]
    lost = depth[len(depth) // 2]
    cut = tmp_path / "cut.txt"
    cut.write_text("\n".join(lines[:lost] + lines[lost + 1 :]) + "\n")
    stream = feeds.open([cut], format="binance", config=config)
    rows = features.collect(iter(stream), features.engine(config, stream.instruments))
    assert stream.faults["sequence_gap"] == 1
    noticed = int(lines[next(n for n in depth if n > lost)].split(" ", 1)[0])
    after = rows.feed_state[rows.ts_recv >= noticed]
    assert len(after) > 500
    assert (after & 128 != 0).all(), "the book waits for a snapshot that never comes"
    assert (rows.feed_state[rows.ts_recv < noticed] & 128 == 0).all()


def test_two_markets_are_one_stream_in_receive_order(shared_data: Path, config: Config) -> None:
    files = sorted((shared_data / FOLDER).glob("usdm_*_20240718*"))
    stream, events = _read(files, config)
    assert (np.diff(events["ts_recv"]) >= 0).all()
    assert set(events["instrument_id"]) == {7, 8}
    assert stream.faults["negative_age"] > 20_000, "the capture machine's clock was 1.5 s behind the venue's"
