# SPDX-License-Identifier: Apache-2.0
"""Tables and their maps: CSV and Parquet through one row decoder."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.unit.feeds import recordings

from pretrade import feeds
from pretrade.domain import EVENT_DTYPE, Config, EventFlag, EventKind, Side
from pretrade.domain.errors import FeedError
from pretrade.feeds.table import zone_steps

MAPS = Path(__file__).resolve().parents[3] / "examples" / "maps"
TRADES = """
instrument = { symbol = "GC" }
clock = { ts_event = "t", unit = "ms" }
trades = { price = "p", size = "q", side = "s", side_says = "aggressor", bid = ["buy"], ask = ["sell"] }
"""
QUOTES = """
instrument = { symbol = "GC" }
clock = { ts_event = "t", unit = "ms" }
quotes = { levels = 2, bid_price = "b{}", bid_size = "B{}", ask_price = "a{}", ask_size = "A{}" }
"""
QUOTE_COLUMNS = ("b1", "B1", "b2", "B2", "a1", "A1", "a2", "A2")
QUOTE_ROWS: list[list[float | None]] = [
    [2000.1, 5, 2000.0, 1, 2000.2, 2, None, None],
    [2000.1, 4, 2000.0, 1, 2000.2, 2, 2000.3, 7],
    [None] * 8,
    [2000.1, 4, None, None, 2000.2, 2, None, None],
]


def _read(files: list[Path], maps: Path | list[Path], config: Config, **options: Any) -> tuple[feeds.EventStream, NDArray[Any]]:
    stream = feeds.open(files, format="table", config=config, map=maps, **options)
    return stream, np.concatenate([np.empty(0, EVENT_DTYPE), *stream])


def _csv(path: Path, rows: list[list[float | None]]) -> Path:
    lines = [",".join("" if cell is None else str(cell) for cell in (10 * n, *row)) for n, row in enumerate(rows)]
    return recordings.text(path, "\n".join((",".join(("t", *QUOTE_COLUMNS)), *lines)) + "\n")


def _parquet(path: Path, rows: list[list[float | None]]) -> Path:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    stamps = pa.array([10 * n for n in range(len(rows))], pa.timestamp("ms", "UTC"))
    columns = [pa.array([row[i] for row in rows], pa.float64()) for i in range(len(QUOTE_COLUMNS))]
    parquet.write_table(pa.table([stamps, *columns], names=["t", *QUOTE_COLUMNS]), path)
    return path


def test_csv_and_parquet_of_the_same_rows_are_the_same_events(tmp_path: Path, config: Config) -> None:
    column_map = recordings.text(tmp_path / "map.toml", QUOTES)
    of_csv, text = _read([_csv(tmp_path / "q.csv", QUOTE_ROWS)], column_map, config)
    of_parquet, columns = _read([_parquet(tmp_path / "q.parquet", QUOTE_ROWS)], column_map, config)
    assert text.tobytes() == columns.tobytes()
    assert (of_csv.faults, of_parquet.faults) == ({}, {})
    got = [(EventKind(int(e["kind"])).name, Side(int(e["side"])).name, int(e["price"]) // 10**8, int(e["size"])) for e in text]
    assert got[:4] == [("CLEAR", "NONE", 0, 0), ("LEVEL", "BID", 20001, 5), ("LEVEL", "BID", 20000, 1), ("LEVEL", "ASK", 20002, 2)]
    assert got[4:] == [
        ("LEVEL", "BID", 20001, 4),
        ("LEVEL", "ASK", 20003, 7),
        ("LEVEL", "BID", 20001, 0),
        ("LEVEL", "BID", 20000, 0),
        ("LEVEL", "ASK", 20002, 0),
        ("LEVEL", "ASK", 20003, 0),
        ("LEVEL", "BID", 20001, 4),
        ("LEVEL", "ASK", 20002, 2),
    ]


def test_nan_and_absurd_numbers_are_bad_lines_in_either_form(tmp_path: Path, config: Config) -> None:
    column_map = recordings.text(tmp_path / "map.toml", QUOTES)
    good, rows = QUOTE_ROWS[0], []
    for at, value in ((0, float("nan")), (1, float("inf")), (1, -5.0), (1, 0.5), (0, 1e15), (2, 2000.1)):
        rows.append([value if i == at else cell for i, cell in enumerate(good)])
    for n, file in enumerate((_csv(tmp_path / "q.csv", [good, *rows]), _parquet(tmp_path / "q.parquet", [good, *rows]))):
        stream, events = _read([file], column_map, config)
        assert stream.faults == {"bad_line": 6}
        assert stream.fault_log[0].place == ("line 3", "row 2")[n]
        assert len(events) == 4


def test_trades_and_quotes_merge_and_each_file_finds_its_map(tmp_path: Path, config: Config) -> None:
    trades = recordings.text(tmp_path / "gc_trades.csv", "t,p,q,s\n5,2000.2,3,buy\n10,2000.1,1,sell\n15,2000.1,1,\n20,2000.1,1,?\n")
    quotes = _csv(tmp_path / "gc_quotes.csv", QUOTE_ROWS[:2])
    maps = [
        recordings.text(tmp_path / "a.toml", 'files = "*_trades*"\n' + TRADES),
        recordings.text(tmp_path / "b.toml", 'files = "*_quotes*"\n' + QUOTES),
    ]
    both = recordings.text(tmp_path / "both.toml", 'include = ["a.toml", "b.toml"]')
    for of in (maps, both):
        stream, events = _read([trades, quotes], of, config)
        assert (stream.faults, [i.symbol for i in stream.instruments]) == ({"bad_line": 1}, ["GC"])
        prints = events[events["kind"] == EventKind.TRADE]
        assert prints["side"].tolist() == [Side.BID, Side.ASK, Side.NONE]
        assert (np.diff(events["ts_recv"]) >= 0).all()
    with pytest.raises(FeedError, match=r"gc_other\.csv: 0 maps fit its name"):
        _read([recordings.text(tmp_path / "gc_other.csv", "t\n")], both, config)
    with pytest.raises(FeedError, match="2 maps fit its name"):
        _read([trades], [maps[0], recordings.text(tmp_path / "c.toml", TRADES)], config)


def test_stamps_are_read_in_the_maps_zone(tmp_path: Path, config: Config) -> None:
    text = TRADES.replace('unit = "ms"', 'unit = "iso", zone = "America/New_York"')
    column_map = recordings.text(tmp_path / "map.toml", text)
    file = recordings.text(tmp_path / "t.csv", "t,p,q,s\n2024-03-08 09:30:00,1,1,buy\n2024-03-10 02:30:00,1,1,buy\n2024-03-11 09:30:00,1,1,buy\n")
    stream, events = _read([file], column_map, config)
    hours = [datetime.fromtimestamp(int(ts) / 1e9, UTC).hour for ts in events["ts_recv"]]
    assert (hours, stream.faults) == ([14, 13], {"bad_line": 1}), "02:30 does not exist on that day"


@pytest.mark.parametrize("name", ["America/New_York", "Europe/London", "Australia/Lord_Howe", "Asia/Kolkata"])
def test_zone_steps_agree_with_the_zone_at_any_time(name: str) -> None:
    steps = np.array(zone_steps(name))
    for t in np.random.default_rng(5).integers(0, 4_000_000_000, 400):
        at = steps[np.searchsorted(steps[:, 0], int(t) * 10**9, side="right") - 1, 1]
        offset = datetime.fromtimestamp(int(t), UTC).astimezone(ZoneInfo(name)).utcoffset()
        assert offset is not None
        assert at == offset.total_seconds() * 1e9


def test_a_map_may_write_out_an_instrument_and_name_a_session(tmp_path: Path, config: Config) -> None:
    written = '{ symbol = "NEW", instrument_id = 77, venue = "XXXX", tick_size = 0.5, session = "nasdaq" }'
    column_map = recordings.text(tmp_path / "map.toml", TRADES.replace('{ symbol = "GC" }', written))
    file = recordings.text(tmp_path / "t.csv", "t,p,q,s\n1,1,1,buy\n")
    stream, events = _read([file], column_map, config)
    assert (stream.instruments[0].tick_size, events["instrument_id"].tolist()) == (500_000_000, [77])
    other = recordings.text(tmp_path / "other.toml", TRADES.replace('"GC" }', '"GC", session = "continuous" }'))
    assert _read([file], other, config)[0].instruments[0].session == "continuous"
    assert _read([file], other, config, instruments=["XET"])[0].instruments[0].symbol == "XET"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("GC", "ZZZ"), "ZZZ is not in the configuration and the map lacks its instrument_id"),
        (('"GC"', '"GC", session = "mars"'), "session mars is not in the configuration"),
        (('"GC"', '"GC", tic_size = 1'), "unknown keys tic_size"),
        (('unit = "ms"', 'unit = "h"'), "clock.unit is .h."),
        (('unit = "ms"', 'unit = "ms", zone = "Mars/Olympus"'), "Mars/Olympus is not a time zone"),
        (('unit = "ms"', 'unit = "ms", since = "midnight"'), "it needs a date"),
        (('size = "q"', 'size = "volume"'), '"volume" is not in the header: t, p, q, s'),
        (('size = "q"', "size = 9"), "column 9 does not exist"),
        (("trades =", "prints ="), "unknown field `prints`"),
        (("instrument =", "instrument"), "the map is no TOML"),
    ],
)
def test_a_map_that_does_not_fit_is_refused_in_words(tmp_path: Path, config: Config, change: tuple[str, str], said: str) -> None:
    column_map = recordings.text(tmp_path / "map.toml", TRADES.replace(*change))
    with pytest.raises(FeedError, match=re.escape(said).replace(r"\.", ".").replace("h.", "h.")):
        _read([recordings.text(tmp_path / "t.csv", "t,p,q,s\n1,1,1,buy\n")], column_map, config)


def test_a_table_without_a_map_and_a_cut_parquet_file_are_refused(tmp_path: Path, config: Config) -> None:
    file = _parquet(tmp_path / "cut.parquet", QUOTE_ROWS)
    with pytest.raises(FeedError, match="needs --map FILE"):
        feeds.open([file], format="table", config=config)
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(FeedError, match=r"cut\.parquet at its footer: is no whole Parquet file"):
        _read([file], recordings.text(tmp_path / "map.toml", QUOTES), config)


def test_a_parquet_file_that_lacks_a_column_is_refused(tmp_path: Path, config: Config) -> None:
    column_map = recordings.text(tmp_path / "map.toml", QUOTES.replace("A{}", "C{}"))
    with pytest.raises(FeedError, match=r"q\.parquet: column C1 is not in the file: t, b1"):
        _read([_parquet(tmp_path / "q.parquet", QUOTE_ROWS)], column_map, config)


def test_text_side_codes_of_parquet_are_read(tmp_path: Path, config: Config) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    sides = pa.array(["buy", None, "sell", "?"]).dictionary_encode()
    table = pa.table({"t": [1, 2, 3, 4], "p": pa.array(["1.5", "2", "x", "1"]), "q": pa.array([1, 2, 3, 4], pa.int32()), "s": sides})
    parquet.write_table(table, tmp_path / "t.parquet")
    stream, events = _read([tmp_path / "t.parquet"], recordings.text(tmp_path / "map.toml", TRADES), config)
    assert (events["side"].tolist(), events["price"].tolist()) == ([Side.BID, Side.NONE], [1_500_000_000, 2_000_000_000])
    assert (events["ts_recv"].tolist(), stream.faults) == ([1_000_000, 2_000_000], {"bad_line": 2})


@pytest.mark.parametrize("name", ["orders.toml", "bars.toml"])
def test_the_example_maps_read_what_they_describe(tmp_path: Path, config: Config, name: str) -> None:
    rows = {
        "orders.toml": "2024-03-08T09:30:00;ES;S;7;1;5;1;2024-03-08T09:30:00\n2024-03-08T09:30:01;ES;D;7;;;1;2024-03-08T09:30:02\n",
        "bars.toml": "time,open,high,low,close,volume\n60,1,3,1,2,9\n",
    }[name]
    stream, events = _read([recordings.text(tmp_path / "t.csv", rows)], MAPS / name, config)
    kinds = [EventKind(int(k)).name for k in events["kind"]]
    assert stream.faults == {}
    assert kinds == {"orders.toml": ["CLEAR", "ADD", "CANCEL"], "bars.toml": ["BAR_OPEN", "BAR_HIGH", "BAR_LOW", "BAR_CLOSE"]}[name]
    assert events["flags"][-1] == EventFlag.LAST
