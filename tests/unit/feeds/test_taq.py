# SPDX-License-Identifier: Apache-2.0
"""US equity tapes in Parquet: names, columns, order, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pretrade import feeds
from pretrade.domain import Config, EventKind
from pretrade.domain.errors import ConfigError, FeedError

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

QUOTE = {"bid_1e4": 0, "bid_size": 0, "ask_1e4": 0, "ask_size": 0, "exchange": "N", "condition": "1", "suspicious": 0}
PRINT = {"price_1e4": 1_010_000, "size": 100, "exchange": "D", "condition": "1", "suspicious": 0}


def _write(path: Path, rows: list[dict[str, Any]]) -> Path:
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


def test_prints_go_before_quotes_of_their_stamp_and_the_name_tells_the_symbol(tmp_path: Path, config: Config) -> None:
    quotes = [{"ts_ns_utc": 10, **QUOTE, "bid_1e4": 1_000_000, "bid_size": 5}, {"ts_ns_utc": 20, **QUOTE, "ask_1e4": 1_020_000, "ask_size": 7}]
    files = [
        _write(tmp_path / "AAPL_quotes.parquet", quotes),
        _write(tmp_path / "AAPL_trades.parquet", [{"ts_ns_utc": 20, **PRINT}, {"ts_ns_utc": 21, **PRINT, "condition": "20100000"}]),
    ]
    stream = feeds.open(files, format="taq", config=config)
    events = np.concatenate(list(stream))
    kinds = [EventKind(int(k)).name for k in events["kind"]]
    assert kinds == ["CLEAR", "LEVEL", "TRADE", "LEVEL", "REFERENCE"]
    assert set(events["instrument_id"]) == {config.instrument("AAPL").instrument_id}
    assert events["price"].tolist()[1:] == [100_000_000_000, 101_000_000_000, 102_000_000_000, 101_000_000_000]
    assert (stream.faults, [i.symbol for i in stream.instruments]) == ({}, ["AAPL"])


def test_rows_that_say_nothing_are_counted_with_their_row(tmp_path: Path, config: Config) -> None:
    rows = [
        {"ts_ns_utc": 10, **PRINT},
        {"ts_ns_utc": 11, **PRINT, "suspicious": 1},
        {"ts_ns_utc": 9, **PRINT},
        {"ts_ns_utc": 12, **PRINT, "size": None},
    ]
    stream = feeds.open([_write(tmp_path / "day.parquet", rows)], format="taq", config=config, instruments=["AAPL"])
    assert sum(len(chunk) for chunk in stream) == 1
    assert [(f.kind, f.place) for f in stream.fault_log] == [("bad_line", f"row {n}") for n in (2, 3, 4)]


def test_another_table_a_cut_file_and_an_unknown_symbol_are_refused_by_name(tmp_path: Path, config: Config) -> None:
    other = _write(tmp_path / "AAPL_other.parquet", [{"ts_ns_utc": 1, "price_1e4": 2}])
    with pytest.raises(FeedError, match=r"AAPL_other\.parquet: holds neither quotes nor prints of a US equity tape; it lacks size"):
        feeds.open([other], format="taq", config=config)
    cut = tmp_path / "AAPL_cut.parquet"
    cut.write_bytes(other.read_bytes()[:-20])
    with pytest.raises(FeedError, match=r"AAPL_cut\.parquet at its footer"):
        feeds.open([cut], format="taq", config=config)
    named = _write(tmp_path / "ZZZ_trades.parquet", [{"ts_ns_utc": 10, **PRINT}])
    with pytest.raises(ConfigError, match="'ZZZ' is not in the configuration"):
        feeds.open([named], format="taq", config=config)
