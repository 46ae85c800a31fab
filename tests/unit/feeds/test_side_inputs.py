# SPDX-License-Identifier: Apache-2.0
"""Side inputs through maps: known when they were published, never before."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.unit.feeds import recordings

from pretrade import feeds
from pretrade.domain import EVENT_DTYPE, Config, EventKind, ReferenceKind
from pretrade.domain.errors import FeedError

MAPS = Path(__file__).resolve().parents[3] / "examples" / "maps"
SCORES = 'instrument = { symbol = "AAPL" }\nclock = { ts_event = "t", unit = "iso" }\nsentiment = { score = "s", items = "n" }\n'


def _read(file: Path, column_map: Path, config: Config) -> tuple[feeds.EventStream, NDArray[Any]]:
    stream = feeds.open([file], format="table", config=config, map=column_map)
    return stream, np.concatenate([np.empty(0, EVENT_DTYPE), *stream])


def test_a_daily_close_is_known_after_the_close_in_summer_and_in_winter(tmp_path: Path, config: Config) -> None:
    file = recordings.text(tmp_path / "vix.csv", "trade_date,vix_030\n2011-01-03,17.61\n2011-07-01,\n2011-07-05,16.06\n2011-13-01,9\n")
    stream, events = _read(file, MAPS / "vix.toml", config)
    assert stream.faults == {"bad_line": 1}
    known = [datetime(2011, month, day, 16, 15, tzinfo=ZoneInfo("America/New_York")).timestamp() for month, day in ((1, 3), (7, 5))]
    assert events["ts_recv"].tolist() == [int(t) * 10**9 for t in known]
    assert (events["ts_recv"] // 3_600_000_000_000 % 24).tolist() == [21, 20], "daylight saving moves UTC, not the close"
    assert events["price"].tolist() == [17_610_000_000, 16_060_000_000]
    assert set(events["kind"]) == {EventKind.REFERENCE}
    assert set(events["aux"]) == {ReferenceKind.INDEX}


def test_scores_are_sentiment_and_absurd_ones_are_counted(tmp_path: Path, config: Config) -> None:
    rows = "t,s,n\n2014-01-02T10:00:00Z,0.8926,16\n2014-01-02T10:00:01Z,1.5,1\n2014-01-02T10:00:02Z,nan,1\n2014-01-02T10:00:03Z,-1,0\n"
    stream, events = _read(recordings.text(tmp_path / "s.csv", rows), recordings.text(tmp_path / "s.toml", SCORES), config)
    assert [(int(e["kind"]), int(e["price"]), int(e["size"])) for e in events] == [(EventKind.SENTIMENT, 892_600_000, 16)]
    assert [f.place for f in stream.fault_log] == ["line 3", "line 4", "line 5"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('unit = "iso"', 'unit = "date"'), "it needs at"),
        (('unit = "iso"', 'unit = "date", at = "25:00"'), "clock.at is"),
        (('sentiment = { score = "s", items = "n" }', 'figures = { value = "s", kind = "PULSE" }'), "known are MARK, INDEX"),
    ],
)
def test_a_map_that_says_too_little_is_refused(tmp_path: Path, config: Config, change: tuple[str, str], said: str) -> None:
    file = recordings.text(tmp_path / "s.csv", "t,s,n\n")
    with pytest.raises(FeedError, match=said):
        _read(file, recordings.text(tmp_path / "s.toml", SCORES.replace(*change)), config)
