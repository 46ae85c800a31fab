# SPDX-License-Identifier: Apache-2.0
"""The real capture process under kill -9, again and again while events stream in. This test is the venue."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray

from pretrade import features, simulation
from pretrade.bus import JournalReader
from pretrade.bus.tcp import RecordListener, RecordSocket
from pretrade.domain import EVENT_DTYPE, Config, EventFlag, EventKind, FeedState
from pretrade.limits import QuotesTable, RunDirectory

LIVES: Final = 8
PIECE: Final = 150
PATIENCE_S: Final = 120.0


@pytest.fixture(scope="module")
def market() -> NDArray[Any]:
    day = simulation.flash_crash(seed=5, warm_up_s=120, story_s=10)
    return day.events[day.events["ts_recv"] < day.ts_seller_start]


class Life:
    """One capture process and the connection it made."""

    def __init__(self, run: RunDirectory, venue: RecordListener) -> None:
        with (run.path / "capture.log").open("ab") as log:
            command = [sys.executable, "-m", "pretrade", "capture", f"--run={run.path}", "--instrument=ES"]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        feed = venue.accept(PATIENCE_S)
        if feed is None:
            self.kill()
            raise AssertionError(f"capture did not come: {(run.path / 'capture.log').read_text()[-1000:]}")
        self.feed: RecordSocket = feed

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def _lives(journal: Path) -> list[NDArray[Any]]:
    """What each life wrote, in order; a life after the first begins with the record that says what is missing."""
    events = JournalReader(journal).read(10**9)
    starts = np.flatnonzero((events["kind"] == EventKind.HEARTBEAT) & ((events["flags"] & EventFlag.GAP) != 0))
    return np.split(events, starts)


def _within(written: NDArray[Any], sent: NDArray[Any]) -> bool:
    """What a life wrote is the beginning of what it was sent: nothing lost inside, twice, cut or out of order."""
    return len(written) <= len(sent) and written.tobytes() == sent[: len(written)].tobytes()


@pytest.mark.slow
def test_killed_at_random_instants_capture_loses_nothing_it_had_written(tmp_path: Path, config: Config, market: NDArray[Any]) -> None:
    run = RunDirectory(tmp_path / "run").create()
    QuotesTable.create(run, [1])
    draws = np.random.default_rng(20_261_124)
    sent: list[NDArray[Any]] = []
    fed = 0
    with RecordListener(EVENT_DTYPE) as venue:
        (run.path / "venue.json").write_text(json.dumps({"data_port": venue.port}))
        for n in range(LIVES):
            life = Life(run, venue)
            first = fed
            for _ in range(int(draws.integers(1, 40))):
                life.feed.send(market[fed : fed + PIECE])
                fed += PIECE
            # The kill falls where it falls: into a receive, an append, a publication, or while all is done.
            for _ in range(int(draws.integers(0, 200_000))):
                pass
            life.kill()
            life.feed.close()
            sent.append(market[first:fed])
            lives = _lives(run.market_journal)
            assert len(lives) <= n + 1
        last = Life(run, venue)
        fresh = market[fed : fed + PIECE]
        last.feed.send(fresh)
        last.feed.close()
        assert last.process.wait(PATIENCE_S) == 0
    written = _lives(run.market_journal)
    assert fed < len(market)
    # A life that wrote nothing leaves no events: it is told by the record of the next.
    heard = [w[w["kind"] != EventKind.HEARTBEAT] for w in written]
    sizes = [len(h) for h in heard]
    assert len(written) == LIVES + 1 or sizes.count(0) > 0
    assert _matches(heard, [*sent, fresh]), f"{sizes} of {[len(s) for s in sent]} events are no beginnings of what was sent"
    assert 0 < sum(sizes[:-1]) < sum(len(s) for s in sent), f"no kill fell inside a stream: {sizes}"
    record = QuotesTable.open(run).read(1)
    assert record["feed_state"] & FeedState.RESYNC
    engine = features.engine(config, config.instruments[:1])
    engine.push(JournalReader(run.market_journal).read(10**9))
    assert [record[name] for name in ("bid_price", "ask_price")] == [engine.quotes()[name][0] for name in ("bid_price", "ask_price")]


def _matches(heard: list[NDArray[Any]], sent: list[NDArray[Any]]) -> bool:
    """Each written stretch is a beginning of one life's stream, the lives in order; a life may have written nothing."""
    life = 0
    for stretch in (h for h in heard if len(h)):
        while life < len(sent) and not _within(stretch, sent[life]):
            life += 1
        if life == len(sent):
            return False
        life += 1
    return True


def test_a_stretch_that_misses_or_repeats_an_event_is_no_beginning() -> None:
    sent = np.zeros(5, EVENT_DTYPE)
    sent["sequence"] = np.arange(5)
    assert _matches([sent[:3], sent[:2]], [sent, sent])
    for wrong in (sent[[0, 2]], sent[[0, 0]], sent[1:]):
        assert not _matches([wrong], [sent])
