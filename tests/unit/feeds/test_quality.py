# SPDX-License-Identifier: Apache-2.0
"""Quality figures against a plain recount, whatever chunks the stream comes in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pretrade.domain import EVENT_DTYPE, Config, EventFlag, EventKind
from pretrade.feeds.lags import Lags
from pretrade.feeds.quality import Quality
from pretrade.feeds.timeline import CELLS, Timeline

S, MS = 10**9, 10**6
OPEN = 1_703_545_200 * S
"""2023-12-25 23:00 UTC, where the globex session opens."""


def _events(ts: NDArray[np.int64], lag: NDArray[np.int64] | int = MS, instrument_id: int = 2) -> NDArray[Any]:
    events = np.zeros(len(ts), EVENT_DTYPE)
    events["ts_recv"], events["ts_event"] = ts, ts - lag
    events["instrument_id"], events["kind"], events["flags"] = instrument_id, EventKind.LEVEL, EventFlag.LAST
    return events


def _report(config: Config, events: NDArray[Any], pieces: int = 1) -> dict[str, Any]:
    quality = Quality(config, config.instruments)
    for chunk in np.array_split(events, pieces):
        quality.add(chunk)
    return quality.as_dict()


def test_chunks_do_not_matter_and_peaks_are_a_recount(config: Config) -> None:
    rng = np.random.default_rng(1)
    ts = OPEN + np.sort(rng.integers(0, 300 * S, 20_000))
    events = _events(ts, rng.integers(-50 * MS, 400 * MS, len(ts)))
    whole = _report(config, events)
    assert whole == _report(config, events, 77)
    counts = np.unique(ts // S, return_counts=True)[1]
    assert whole["rates"]["peak_1000_ms"]["events"] == counts.max()
    assert whole["rates"]["peak_10_ms"]["events"] == np.unique(ts // (10 * MS), return_counts=True)[1].max()
    lag = (events["ts_recv"] - events["ts_event"]) / 1e6
    lags = whole["lags"]
    assert (lags["negative"], lags["min_ms"], lags["max_ms"]) == (int((lag < 0).sum()), lag.min(), lag.max())
    assert lags["mean_ms"] == pytest.approx(lag.mean())
    for name, share in (("p01_ms", 0.01), ("p50_ms", 0.5), ("p99_ms", 0.99)):
        assert lags[name] == pytest.approx(np.quantile(lag, share), rel=0.03)
    assert sum(cell["messages"] for cell in lags["histogram"]) == len(ts)
    assert sum(whole["timeline"]["events"]) == len(ts)


def test_a_clock_that_is_set_is_a_jump_and_a_late_message_is_none(config: Config) -> None:
    ts = OPEN + np.arange(0, 60 * S, 50 * MS)
    lag = np.where(ts < OPEN + 30 * S, 2 * MS, -1_500 * MS)
    lag[100] = 900 * MS
    lags = _report(config, _events(ts, lag), 9)["lags"]
    assert lags["jumps"] == 1
    assert lags["first_jumps"] == [{"ts_recv": OPEN + 30 * S, "from_ms": 2.0, "to_ms": -1_500.0}]


def test_lags_of_exactly_nothing_say_that_there_is_one_stamp(config: Config) -> None:
    lags = _report(config, _events(OPEN + np.arange(0, 10 * S, S), 0))["lags"]
    assert (lags["has_one_stamp"], lags["p50_ms"], lags["histogram"]) == (True, 0.0, [{"from_ms": 0.0, "to_ms": 1e-06, "messages": 10}])


@pytest.mark.parametrize("lag", [-(10**13), -1, 0, 1, 999, 10**13])
def test_every_lag_has_a_cell_whose_bounds_hold_it(lag: int) -> None:
    lags = Lags()
    lags.add(np.array([0], np.int64), np.array([lag], np.int64))
    (cell,) = lags.as_dict()["histogram"]
    assert cell["from_ms"] is None or cell["from_ms"] <= lag / 1e6
    assert cell["to_ms"] is None or lag / 1e6 < cell["to_ms"]
    assert lags.quantile(0.5) == lag


def test_a_break_is_no_silence_and_the_same_stretch_inside_trading_is_one(config: Config) -> None:
    """Trading ends at 17:00 and goes on at 18:00 New York; one instrument is silent across the break, the other inside trading."""
    close = 1_703_628_000 * S
    across = np.array([close - 2 * S, close + 3_601 * S, close + 3_602 * S], np.int64)
    inside = np.array([close - 7_200 * S, close - 3_599 * S, close - 3_598 * S], np.int64)
    report = _report(config, np.concatenate([_events(inside, instrument_id=3), _events(across)]))
    held = {i["symbol"]: i for i in report["instruments"]}
    assert held["ESH4"]["silences"] == 0
    assert held["ESH4"]["phases"] == {"CONTINUOUS": 3}
    assert held["GC"]["longest_silences"] == [{"from": close - 7_200 * S, "seconds": 3_601.0}]
    assert [b["phase"] for b in report["phases_over_time"]] == ["CONTINUOUS", "BREAK", "PRE_OPEN", "CONTINUOUS"]


def test_a_day_longer_than_its_cells_keeps_every_event_and_its_lags() -> None:
    rng = np.random.default_rng(2)
    ts = np.sort(rng.integers(0, 3 * 86_400 * S, 5_000))
    lag = rng.integers(-S, S, len(ts))
    line = Timeline()
    gap = np.arange(len(ts)) % 100 == 7
    for part in np.array_split(np.arange(len(ts)), 11):
        line.add(ts[part], lag[part], np.ones(len(part), bool), gap[part])
    told = line.as_dict()
    cell = (ts - ts[0]) // told["width_ns"]
    assert len(told["events"]) <= CELLS
    assert told["events"] == np.bincount(cell).tolist()
    assert sum(told["gaps"]) == gap.sum()
    for at in np.unique(cell):
        mine = lag[cell == at] / 1e6
        assert (told["lag_min_ms"][at], told["lag_max_ms"][at]) == (mine.min(), mine.max())


def test_records_of_a_snapshot_and_bars_have_no_lag_and_others_events_are_counted(config: Config) -> None:
    events = _events(OPEN + np.arange(0, 4 * S, S), 10 * S)
    events["flags"][0] |= EventFlag.SNAPSHOT
    events["kind"][1] = EventKind.BAR_CLOSE
    events["instrument_id"][3] = 4_000
    report = _report(config, events)
    assert (report["lags"]["messages"], report["events_of_others"], report["events"]) == (2, 1, 4)


def test_gaps_and_stamps_that_go_back_are_counted_across_chunks(config: Config) -> None:
    events = _events(OPEN + np.arange(0, 10 * S, S))
    events["flags"][4] |= EventFlag.GAP
    events["ts_event"][5] = events["ts_event"][3]
    (held,) = _report(config, events, 10)["instruments"]
    assert (held["gaps"], held["event_time_backwards"]) == (1, 1)
