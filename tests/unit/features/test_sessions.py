# SPDX-License-Identifier: Apache-2.0
"""Rows live in continuous trading only: nights, breaks and the weekend when clocks change are in no window."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from numpy.typing import NDArray

from pretrade import features
from pretrade.domain import EVENT_DTYPE, Config, EventFlag, EventKind, Phase

S = 10**9
NEW_YORK = ZoneInfo("America/New_York")


def _at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp()) * S


def _quotes(start: int, seconds: int, mid_cents: int, instrument_id: int) -> NDArray[Any]:
    """A best bid and offer a second, one cent on either side; the levels of before go first."""
    events = np.zeros(2 * seconds + 1, EVENT_DTYPE)
    events["ts_recv"] = np.r_[start, np.repeat(start + np.arange(seconds) * S, 2)]
    events["ts_event"], events["instrument_id"] = events["ts_recv"], instrument_id
    events["kind"] = EventKind.LEVEL
    events["kind"][0] = EventKind.CLEAR
    events["side"][1:] = np.tile([1, 2], seconds)
    events["price"][1:] = np.tile([(mid_cents - 1) * 10_000_000, (mid_cents + 1) * 10_000_000], seconds)
    events["size"][1:] = 100 + np.arange(2 * seconds) % 7
    events["flags"][2::2] = EventFlag.LAST
    return events


@pytest.mark.parametrize(
    ("symbol", "close", "reopen"),
    [
        ("AAPL", "2014-03-07T16:00:00", "2014-03-10T09:30:00"),
        ("AAPL", "2014-10-31T16:00:00", "2014-11-03T09:30:00"),
        ("GC", "2014-03-07T17:00:00", "2014-03-09T18:00:00"),
        ("GC", "2014-03-11T17:00:00", "2014-03-11T18:00:00"),
    ],
    ids=["weekend to summer time", "weekend to winter time", "globex weekend to summer time", "globex break"],
)
def test_a_jump_over_a_close_is_in_no_return_and_rows_stop_and_begin_by_the_markets_own_clock(
    config: Config, symbol: str, close: str, reopen: str
) -> None:
    instrument = config.instrument(symbol)
    end, start = _at(close), _at(reopen)
    before = _quotes(end - 400 * S, 500, 60_000, instrument.instrument_id)
    after = _quotes(start - 60 * S, 460, 48_000, instrument.instrument_id)
    engine = features.engine(config, (instrument,))
    rows = features.collect([before, after], engine)
    assert set(rows.phase.tolist()) == {Phase.CONTINUOUS}
    ts = rows.ts_recv
    assert ts[ts < start].max() == end - S // 10
    assert ts[ts > end].min() == start
    for name in ("return_10s_pct", "rv_1s", "rv_10s", "rv_1m", "rv_5m"):
        column = rows.column(name)
        assert np.nanmax(np.abs(column)) == 0.0, f"{name}: a fall by a fifth overnight is no move of either session"
        assert np.isnan(column[ts == start]).all()
    assert not np.isnan(rows.column("rv_5m")[ts == start + 301 * S]).any(), "five minutes into the session the window is whole again"
    assert engine.faults()["price_step"] == 0


def test_a_recording_of_years_has_rows_in_every_year_and_its_state_comes_back(config: Config) -> None:
    instrument = config.instrument("AAPL")
    days = ["2013-03-05", "2014-06-11", "2016-02-10", "2019-11-20"]
    events = [_quotes(_at(f"{day}T10:00:00"), 30, 60_000 + 100 * n, instrument.instrument_id) for n, day in enumerate(days)]
    whole = features.engine(config, (instrument,))
    rows = features.collect([np.concatenate(events)], whole)
    for chunk in events:
        inside = (rows.ts_recv >= chunk["ts_recv"][0]) & (rows.ts_recv <= chunk["ts_recv"][-1])
        assert inside.sum() >= 290, "29 seconds of rows on each of the four days"
    pieces = features.engine(config, (instrument,))
    again = features.collect(events, pieces)
    assert again.rows.tobytes() == rows.rows.tobytes()
    assert pieces.state() == whole.state()
    restored = features.engine(config, (instrument,))
    restored.restore(whole.state())
    assert restored.state() == whole.state()
    more = _quotes(_at("2019-11-20T10:05:00"), 5, 61_000, instrument.instrument_id)
    assert restored.push(more).rows.tobytes() == whole.push(more).rows.tobytes()
