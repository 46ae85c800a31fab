# SPDX-License-Identifier: Apache-2.0
"""The sidecar under a backlog: it stamps what it has judged, not what capture has received, and loosens nothing on old data."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.scoring import tick

from pretrade.bus import Journal, JournalReader
from pretrade.calibration import AlertJournal
from pretrade.domain import EVENT_DTYPE, Config, EventKind, Phase, Side, Tier
from pretrade.domain.clock import RecordClock
from pretrade.features import Features
from pretrade.limits import Controls, LimitsTable, QuotesTable, RunDirectory, clock_domain
from pretrade.models import AnomalyModel, Scores
from pretrade.sidecar.process import BATCH, CHANNEL, Sidecar

S: Final = 1_000_000_000
LAST: Final = 1
DAY: Final = 1_767_641_400 * S


class Scripted:
    """A model whose score is a function of a row's time."""

    def __init__(self, score_at: Callable[[int], float]) -> None:
        self._score_at = score_at

    def stream(self) -> Scripted:
        return self

    def update(self, rows: Features) -> Scores:
        parts = [dataclasses.replace(tick(int(ts), self._score_at(int(ts)), phase=Phase.CONTINUOUS)) for ts in rows.ts_recv]
        values = {f.name: [getattr(p, f.name) for p in parts] for f in dataclasses.fields(Scores)}
        joined: dict[str, Any] = {n: np.concatenate(v) for n, v in values.items() if isinstance(v[0], np.ndarray)}
        return dataclasses.replace(parts[0], features=rows, **joined)


@dataclasses.dataclass
class World:
    """Tables, journal and clock around one sidecar."""

    run: RunDirectory
    config: Config
    journal: Journal
    limits: LimitsTable
    quotes: QuotesTable
    clock: RecordClock
    utc: int = DAY
    sidecars: list[Sidecar] = dataclasses.field(default_factory=list)

    def capture(self, n: int, step: int) -> None:
        """Journal a touch and heartbeats ``step`` apart, then stamp the last one's receipt: the clock moves as the events do."""
        events = np.zeros(n, EVENT_DTYPE)
        events["kind"], events["instrument_id"] = EventKind.HEARTBEAT, 1
        events["kind"][:2], events["flags"][:2], events["size"][:2] = EventKind.LEVEL, LAST, 10
        events["side"][:2], events["price"][:2] = (Side.BID, Side.ASK), (4_800 * S, 4_800 * S + S // 4)
        events["ts_recv"] = events["ts_event"] = self.utc + step * np.arange(1, n + 1)
        self.utc += n * step
        self.clock.now += n * step
        self.journal.append(events)
        self.quotes.heartbeat(CHANNEL, self.clock.now, self.clock.now)

    def sidecar(self, score_at: Callable[[int], float]) -> Sidecar:
        sidecar = Sidecar(
            self.config,
            self.config.instruments[:1],
            cast(AnomalyModel, Scripted(score_at)),
            reader=JournalReader(self.run.market_journal),
            limits=self.limits,
            quotes=self.quotes,
            controls=Controls.open(self.run),
            alerts=AlertJournal(self.run.path / "alerts.jsonl"),
            changes_path=self.run.path / "changes.jsonl",
            clock=self.clock,
        )
        self.sidecars.append(sidecar)
        return sidecar

    @property
    def mono_data(self) -> int:
        return self.limits.channel(CHANNEL)[1]

    def record(self) -> np.void:
        return self.limits.read(1)


@pytest.fixture
def world(tmp_path: Path, config: Config) -> Iterator[World]:
    run = RunDirectory(tmp_path / "run", domain=clock_domain(1)).create()
    Controls.create(run, config)
    with Journal(run.market_journal) as journal:
        world = World(run, config, journal, LimitsTable.create(run, [1]), QuotesTable.create(run, [1]), RecordClock(1_000 * S))
        yield world
        for sidecar in world.sidecars:
            sidecar.run(lambda: True)


def calm(_ts: int) -> float:
    return 0.01


def test_a_backlog_ages_until_it_is_judged(world: World) -> None:
    sidecar = world.sidecar(calm)
    world.capture(10, S // 100)
    judged = world.clock.now
    sidecar.poll()
    assert world.mono_data == judged
    world.capture(2 * BATCH + 10, 1_000)
    newest = world.clock.now
    assert sidecar.poll() >= BATCH
    assert world.limits.channel(CHANNEL) == (newest, judged), "alive, but its newest judgement is of what it read before"
    sidecar.poll()
    assert world.mono_data == judged
    sidecar.poll()
    assert world.mono_data == newest


def test_a_restart_that_catches_up_calls_nothing_fresh(world: World) -> None:
    world.capture(10, S // 100)
    world.sidecar(calm).poll()
    judged = world.clock.now
    world.capture(BATCH, 1_000)
    sidecar = world.sidecar(calm)
    sidecar.poll()
    assert world.mono_data == judged, "a fresh process stands where the last one stood"
    sidecar.poll()
    assert world.mono_data == world.clock.now


def test_a_reader_of_another_file_than_captures_ages(world: World) -> None:
    sidecar = world.sidecar(calm)
    world.capture(10, S // 100)
    sidecar.poll()
    judged = world.clock.now
    world.clock.now += 2 * S
    world.quotes.heartbeat(CHANNEL, world.clock.now, world.clock.now)
    sidecar.poll()
    assert world.mono_data == judged, "capture heard something that never came through this journal"


def test_a_stamp_of_capture_taken_after_the_read_is_not_used(world: World) -> None:
    sidecar = world.sidecar(calm)

    class Late(JournalReader):
        def read(self, at_most: int = BATCH) -> NDArray[Any]:
            events = super().read(at_most)
            world.clock.now += S
            world.quotes.heartbeat(CHANNEL, world.clock.now, world.clock.now)
            return events

    sidecar._reader = Late(world.run.market_journal)
    world.capture(10, S // 100)
    received = world.clock.now
    sidecar.poll()
    assert world.mono_data == received


def test_nothing_loosens_while_the_reader_is_behind(world: World) -> None:
    step = S // 100
    score = [0.5]
    sidecar = world.sidecar(lambda _ts: score[0])
    world.capture(100, step)
    sidecar.poll()
    high = int(world.record()["max_order_quantity"])
    assert world.record()["tier"] == Tier.HIGH
    assert high < 500
    # Eleven quiet minutes in one backlog: more than dwell and ramp of every tier.
    score[0] = 0.0
    world.capture(BATCH, step)
    assert sidecar.poll() == BATCH
    assert (world.record()["tier"], int(world.record()["max_order_quantity"])) == (Tier.HIGH, high)
    assert sidecar.poll() == 0
    world.capture(30, step)
    sidecar.poll()
    assert world.record()["tier"] < Tier.HIGH, "at the end of the journal the quiet minutes count"


def test_stress_behind_the_reader_tightens_and_trips_at_once(world: World) -> None:
    sidecar = world.sidecar(lambda ts: 0.01 if ts < DAY + 20 * S else 0.99)
    world.capture(100, S // 100)
    sidecar.poll()
    assert world.record()["tier"] == Tier.NORMAL
    world.capture(BATCH, S // 100)
    assert sidecar.poll() == BATCH
    assert (int(world.record()["tier"]), int(world.record()["trip_id"])) == (Tier.CRITICAL, 1)
