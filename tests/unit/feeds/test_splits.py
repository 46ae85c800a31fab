# SPDX-License-Identifier: Apache-2.0
"""The table of splits: read to the nanosecond, applied when it takes effect, refused where it could only be known later."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.unit.feeds import recordings

from pretrade import feeds
from pretrade.domain import Config, EventKind, ReferenceKind
from pretrade.domain.errors import FeedError
from pretrade.feeds.splits import read_splits

HEAD = "symbol,effective,ratio,announced\n"


def test_dates_are_midnights_of_the_instruments_own_market(tmp_path: Path, config: Config) -> None:
    file = recordings.text(
        tmp_path / "splits.csv",
        HEAD + "AAPL,2014-06-09,7:1,2014-04-23\nES,2014-12-01,1:10,\nZZZZ,nonsense,,\nAAPL,2005-02-28T09:30:00-05:00,2,\n",
    )
    events = read_splits(file, config, config.instruments)
    assert [(int(e["instrument_id"]), int(e["ts_recv"]), int(e["price"])) for e in events] == [
        (5, 1_109_601_000 * 10**9, 2 * 10**9),
        (5, 1_402_286_400 * 10**9, 7 * 10**9),
        (1, 1_417_392_000 * 10**9, 10**8),
    ], "New York is four hours behind UTC in June, ES trades by UTC here"
    assert set(events["kind"]) == {EventKind.REFERENCE}
    assert set(events["aux"]) == {ReferenceKind.SPLIT}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("AAPL,2014-06-09,7:1,2014-06-10\n", r"line 2: announced is 2014-06-10, after it took effect at 2014-06-09"),
        ("AAPL,2014-06-09,7:1,\nAAPL,2014-06-09,2:1,\n", r"line 3: tells the split of AAPL at 2014-06-09 a second time"),
        ("AAPL,09.06.2014,7:1,\n", r"line 2: effective is '09.06.2014'"),
        ("AAPL,2014-06-09T00:00:00,7:1,\n", r"a stamp must carry its zone"),
        ("AAPL,2014-06-09,1:1,\n", r"ratio is '1:1'"),
        ("AAPL,2014-06-09,-7,\n", r"ratio is '-7'"),
        ("AAPL,2014-06-09,7:0,\n", r"ratio is '7:0'"),
        ("AAPL,2014-06-09,,\n", r"ratio is ''"),
        ("AAPL,2014-06-09,NaN,\n", r"ratio is 'NaN'"),
    ],
)
def test_a_row_that_says_nothing_is_refused_with_its_line(tmp_path: Path, config: Config, rows: str, said: str) -> None:
    with pytest.raises(FeedError, match=said):
        read_splits(recordings.text(tmp_path / "splits.csv", HEAD + rows), config, config.instruments)


def test_a_table_without_its_columns_is_refused(tmp_path: Path, config: Config) -> None:
    with pytest.raises(FeedError, match="lacks symbol, effective, ratio"):
        read_splits(recordings.text(tmp_path / "splits.csv", "a,b\n1,2\n"), config, config.instruments)
    with pytest.raises(FeedError, match=r"nowhere\.csv"):
        read_splits(tmp_path / "nowhere.csv", config, config.instruments)


def test_a_split_goes_before_the_records_of_its_instant_and_others_are_left_out(tmp_path: Path, config: Config) -> None:
    first = 1_703_545_200_000_001_000
    day = recordings.dbn(tmp_path / "day.dbn", [(4_800_000_000_000, 1, 128, "A", "B")] * 3)
    at = "2023-12-25T23:00:00.001001+00:00"
    rows = f"ESH4,2000-01-01,2,\nESH4,{at},3,\nESH4,2030-01-01,2,\n"
    stream = feeds.open([day], format="dbn", config=config, splits=recordings.text(tmp_path / "splits.csv", HEAD + rows))
    events = np.concatenate(list(stream))
    assert events["kind"].tolist() == [EventKind.ADD, EventKind.REFERENCE, EventKind.ADD, EventKind.ADD]
    assert events["ts_recv"].tolist() == [first, first + 1_000_000, first + 1_000_000, first + 2_000_000]
