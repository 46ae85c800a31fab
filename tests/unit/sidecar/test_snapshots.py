# SPDX-License-Identifier: Apache-2.0
"""Book snapshots in the market journal: who followed sees nothing of them, a restarted capture goes on from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pretrade import features, simulation
from pretrade.bus import Journal, JournalReader
from pretrade.domain import Config, EventFlag, EventKind, FeedState
from pretrade.domain.clock import RecordClock
from pretrade.limits import QuotesTable, RunDirectory, clock_domain
from pretrade.sidecar.capture import CHANNEL, Capture
from pretrade.sidecar.snapshots import KEPT, SnapshotPositions

S = 10**9


class Life:
    """A capture process of a run, on a clock of its own."""

    def __init__(self, run: RunDirectory, config: Config, *, mono: int) -> None:
        self.said: list[str] = []
        self.clock = RecordClock(mono)
        self.journal = Journal(run.market_journal)
        self.quotes = QuotesTable.open(run, writable=True)
        snapshots = SnapshotPositions(run.journals / "capture.snapshots", run.market_journal)
        self.capture = Capture(config, config.instruments[:1], self.journal, self.quotes, self.clock, snapshots=snapshots, say=self.said.append)

    def feed(self, events: NDArray[Any]) -> None:
        """Ten pieces a second, as fast as their stamps say."""
        if not len(events):
            return
        start = int(events["ts_recv"][0])
        began = self.clock.now
        for piece in np.split(events, np.searchsorted(events["ts_recv"], np.arange(start, int(events["ts_recv"][-1]), S // 10))[1:]):
            if len(piece):
                self.clock.now = began + int(piece["ts_recv"][-1]) - start
                self.capture.on_events(piece)

    def die(self) -> None:
        """As a kill leaves it: what was written is there."""
        self.capture.close()
        self.journal.close()
        del self.capture, self.quotes


@pytest.fixture(scope="module")
def market() -> NDArray[Any]:
    """Eight and a half minutes of a calm market, as one feed."""
    day = simulation.flash_crash(seed=3, warm_up_s=510, story_s=10)
    return day.events[day.events["ts_recv"] < day.ts_seller_start]


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    directory = RunDirectory(tmp_path / "run", domain=clock_domain(1)).create()
    QuotesTable.create(directory, [1])
    return directory


def _book(engine: features.FeatureEngine) -> list[Any]:
    orders, bids, asks = engine.book(1)
    return [orders, bids.tolist(), asks.tolist()]


def _events(run: RunDirectory) -> NDArray[Any]:
    return JournalReader(run.market_journal).read(10**9)


def test_every_minute_the_book_is_said_again_and_rows_do_not_notice(run: RunDirectory, config: Config, market: NDArray[Any]) -> None:
    life = Life(run, config, mono=100 * S)
    life.feed(market)
    life.die()
    events = _events(run)
    again = events["flags"] & EventFlag.RECAP != 0
    assert np.array_equal(events[~again], market)
    opened = events[again & (events["kind"] == EventKind.CLEAR)]
    assert len(opened) == 8
    assert np.diff(opened["ts_recv"]).min() > 59 * S
    assert (np.diff(events["ts_recv"]) >= 0).all()
    states = []
    for stream in (events, market):
        engine = features.engine(config, config.instruments[:1])
        rows = features.collect([stream], engine)
        states.append((rows.rows.tobytes(), engine.state()))
    assert states[0] == states[1]
    positions = json.loads((run.journals / "capture.snapshots").read_text())["snapshots"]
    assert len(positions) == KEPT


@pytest.mark.parametrize("share", [0.05, 0.5, 0.93, 1.0])
def test_a_restarted_capture_has_the_books_of_the_journals_end_and_calls_them_no_ones(
    run: RunDirectory, config: Config, market: NDArray[Any], share: float
) -> None:
    heard = market[: int(len(market) * share)]
    first = Life(run, config, mono=100 * S)
    first.feed(heard)
    before = first.quotes.snapshot()[0]
    whole = features.engine(config, config.instruments[:1])
    whole.push(heard)
    assert first.capture._engine.book(1)[0] > 0
    first.die()
    second = Life(run, config, mono=10_000 * S)
    assert _book(second.capture._engine) == _book(whole)
    after = second.quotes.snapshot()[0]
    names = ["bid_price", "bid_size", "ask_price", "ask_size", "last_price", "ts_last"]
    if share >= 0.9:
        names += ["mid_10s", "mid_5m", "volume_1m"]
    assert [after[n] for n in names] == [before[n] for n in names]
    assert after["feed_state"] & FeedState.RESYNC
    assert after["mono_book"] == 0
    second.capture.on_events(market[:0])
    assert second.quotes.channel(CHANNEL) == (10_000 * S, 0), "an earlier life's messages are fresh to nobody"
    assert len(second.said) == (share < 0.1), second.said
    last = _events(run)[-1]
    assert (last["kind"], last["flags"] & EventFlag.GAP, last["ts_recv"]) == (EventKind.HEARTBEAT, EventFlag.GAP, heard["ts_recv"][-1])
    second.die()


def test_after_a_restart_no_row_is_sound_until_the_feed_says_its_book_anew(run: RunDirectory, config: Config, market: NDArray[Any]) -> None:
    cut = len(market) // 2
    first = Life(run, config, mono=100 * S)
    first.feed(market[:cut])
    first.die()
    second = Life(run, config, mono=10_000 * S)
    second.feed(market[cut + 500 :])
    second.die()
    engine = features.engine(config, config.instruments[:1])
    rows = features.collect([_events(run)], engine)
    lost = int(market["ts_recv"][cut - 1])
    assert rows.is_scored[rows.ts_recv < lost].all()
    assert not rows.is_scored[rows.ts_recv > lost].any()


@pytest.mark.parametrize("damage", ["gone", "noise", "beyond", "not a snapshot"])
def test_positions_that_do_not_hold_cost_time_and_nothing_else(run: RunDirectory, config: Config, market: NDArray[Any], damage: str) -> None:
    first = Life(run, config, mono=100 * S)
    first.feed(market)
    first.die()
    file = run.journals / "capture.snapshots"
    told = json.loads(file.read_text())["snapshots"]
    if damage == "gone":
        file.unlink()
    elif damage == "noise":
        file.write_bytes(b"\xff{")
    else:
        step = 1 << 30 if damage == "beyond" else 8
        file.write_text(json.dumps({"snapshots": [{"offset": p["offset"] + step, "next_seq": p["next_seq"]} for p in told]}))
    second = Life(run, config, mono=10_000 * S)
    whole = features.engine(config, config.instruments[:1])
    whole.push(market)
    assert _book(second.capture._engine) == _book(whole)
    assert any("reading it from its beginning" in text for text in second.said)
    second.die()


def test_a_first_start_says_nothing_and_marks_nothing_missing(run: RunDirectory, config: Config, market: NDArray[Any]) -> None:
    life = Life(run, config, mono=100 * S)
    life.feed(market[:1_000])
    assert life.said == []
    life.die()
    assert not (_events(run)["flags"] & EventFlag.GAP).any()
