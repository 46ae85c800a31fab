# SPDX-License-Identifier: Apache-2.0
"""Opening recordings: what is read, what is counted, what is refused by name."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.unit.feeds import recordings

from pretrade import feeds
from pretrade.domain import EVENT_DTYPE, Config, EventFlag, EventKind
from pretrade.domain.errors import ConfigError, FeedError

ROWS = [("34200.5,1,11,5,9900,1", "10000,4,9900,5"), ("34201,4,11,2,9900,1", "10000,4,9900,3")]


def _read(*files: Path, format: str, config: Config, **options: Any) -> tuple[feeds.EventStream, NDArray[Any]]:
    stream = feeds.open(files, format=format, config=config, **options)
    return stream, np.concatenate([np.empty(0, EVENT_DTYPE), *stream])


def test_dbn_records_are_events_of_the_configured_instrument(tmp_path: Path, config: Config) -> None:
    stream, events = _read(recordings.dbn(tmp_path / "a.dbn"), format="dbn", config=config)
    assert (stream.events, stream.faults) == (1, {})
    assert events[0]["instrument_id"] == config.instrument("ESH4").instrument_id
    assert (events[0]["price"], events[0]["size"], events[0]["flags"]) == (5, 1, EventFlag.LAST)


def test_files_merge_by_receive_stamp(tmp_path: Path, config: Config) -> None:
    records = [(5, n + 1, 128, "A", "B") for n in range(5)]
    files = [recordings.dbn(tmp_path / f"{n}.dbn", records) for n in range(3)]
    stream, events = _read(*files, format="dbn", config=config)
    assert stream.events == 15
    assert (np.diff(events["ts_recv"]) >= 0).all()
    assert events["size"].tolist() == [n + 1 for n in range(5) for _ in range(3)]


def test_chunks_hold_at_most_65536_events(tmp_path: Path, config: Config) -> None:
    file = recordings.dbn(tmp_path / "a.dbn", [(5, 1, 128, "A", "B")] * 70_000)
    assert [len(chunk) for chunk in feeds.open([file], format="dbn", config=config)] == [65_536, 4_464]


def test_what_was_read_before_a_cut_is_given_and_the_file_is_named(tmp_path: Path, config: Config) -> None:
    file = recordings.dbn(tmp_path / "cut.dbn", [(5, 1, 128, "A", "B")] * 10)
    file.write_bytes(file.read_bytes()[:-20])
    chunks = iter(feeds.open([file], format="dbn", config=config))
    assert len(next(chunks)) == 9
    with pytest.raises(FeedError, match=r"cut\.dbn at offset \d+: is cut inside a record of 56 bytes.*9 events were read before it"):
        next(chunks)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (bytes(range(256)) * 8, "is no DBN file"),
        (b"\x28\xb5\x2f\xfd\x00", "cannot be unpacked"),
        (b"DBN\x07\0\0\0\0", "DBN version 7"),
    ],
)
def test_what_is_no_dbn_file_is_refused_by_name(tmp_path: Path, config: Config, content: bytes, said: str) -> None:
    file = tmp_path / "noise.dbn"
    file.write_bytes(content)
    with pytest.raises(FeedError, match=rf"noise\.dbn at offset 0: .*{said}"):
        feeds.open([file], format="dbn", config=config)


def test_another_schema_and_an_unknown_symbol_are_refused_by_name(tmp_path: Path, config: Config) -> None:
    with pytest.raises(FeedError, match="holds schema ohlcv-eod, which is not read"):
        feeds.open([recordings.dbn(tmp_path / "a.dbn", schema=13)], format="dbn", config=config)
    with pytest.raises(FeedError, match="holds symbol ZZZ9, which the configuration lacks"):
        feeds.open([recordings.dbn(tmp_path / "b.dbn", symbol="ZZZ9")], format="dbn", config=config)
    with pytest.raises(FeedError, match=r"missing\.dbn at offset 0: cannot be opened"):
        feeds.open([tmp_path / "missing.dbn"], format="dbn", config=config)
    with pytest.raises(ConfigError, match="format is 'pcap'; known are lobster, dbn, table"):
        feeds.open([tmp_path / "missing.dbn"], format="pcap", config=config)


def test_lobster_times_are_new_york_wall_time(tmp_path: Path, config: Config) -> None:
    for day, hour in (("2012-06-21", 13), ("2012-01-20", 14)):
        files = recordings.lobster(tmp_path, ROWS, name=f"AAPL_{day}_34200000_57600000")
        _, events = _read(*files, format="lobster", config=config)
        first = datetime.fromisoformat(day).replace(hour=hour, minute=30, tzinfo=UTC).timestamp()
        assert events["ts_recv"][0] == int(first) * 10**9 + 500_000_000, "daylight saving moves UTC, not the session"


def test_lobster_executions_are_prints_and_the_book_follows_its_file(tmp_path: Path, config: Config) -> None:
    stream, events = _read(*recordings.lobster(tmp_path, ROWS), format="lobster", config=config)
    kinds = [EventKind(int(k)).name for k in events["kind"]]
    assert kinds == ["ADD", "CLEAR", "LEVEL", "LEVEL", "TRADE", "EXECUTE", "LEVEL"]
    assert [i.symbol for i in stream.instruments] == ["AAPL"]
    assert (events["flags"][-1], events["size"][-1]) == (EventFlag.DERIVED | EventFlag.LAST, 3)


def test_a_bad_line_is_counted_with_its_place_and_the_file_goes_on(tmp_path: Path, config: Config) -> None:
    rows = [ROWS[0], ("34200.7,1,nan,5,9900,1", "10000,4,9900,5"), ("34200.8,1,1,1,9900,1", "10000,4,9900"), ROWS[1]]
    stream, events = _read(*recordings.lobster(tmp_path, rows), format="lobster", config=config)
    assert stream.faults == {"bad_line": 2}
    assert [(f.kind, f.path.name.split("_")[-2], f.place) for f in stream.fault_log] == [
        ("bad_line", "message", "line 2"),
        ("bad_line", "orderbook", "line 3"),
    ]
    assert len(events) == 7


def test_a_lobster_file_alone_or_without_a_date_is_refused(tmp_path: Path, config: Config) -> None:
    message, book = recordings.lobster(tmp_path, ROWS)
    with pytest.raises(FeedError, match="needs its orderbook file"):
        feeds.open([message], format="lobster", config=config)
    with pytest.raises(FeedError, match="needs its message file"):
        feeds.open([book], format="lobster", config=config)
    undated = recordings.lobster(tmp_path, ROWS, name="day")
    with pytest.raises(FeedError, match="symbol and date are not in the file name"):
        feeds.open(undated, format="lobster", config=config)
    with pytest.raises(FeedError, match="date is '2012-6-21'; it must be YYYY-MM-DD"):
        feeds.open(undated, format="lobster", config=config, instruments=["AAPL"], date="2012-6-21")
    stream, _ = _read(*undated, format="lobster", config=config, instruments=["AAPL"], date="2012-06-21")
    assert stream.events == 7


def test_a_cut_gzip_file_is_refused_by_name(tmp_path: Path, config: Config) -> None:
    message, book = recordings.lobster(tmp_path, ROWS * 200)
    book.write_bytes(book.read_bytes()[:-12])
    with pytest.raises(FeedError, match=r"orderbook_1\.csv\.gz at line \d+: cannot be read"):
        _read(message, book, format="lobster", config=config)
