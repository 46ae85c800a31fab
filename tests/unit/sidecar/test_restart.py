# SPDX-License-Identifier: Apache-2.0
"""A sidecar that restarts from its checkpoint goes on as one that never stopped, and never looser than the table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray

from pretrade import models, simulation
from pretrade.bus import Journal, JournalReader
from pretrade.calibration import AlertJournal
from pretrade.domain import Config, LimitFlag, Tier
from pretrade.domain.clock import RecordClock
from pretrade.limits import Controls, LimitsTable, QuotesTable, RunDirectory
from pretrade.sidecar import process
from pretrade.sidecar.checkpoint import CheckpointFile
from pretrade.sidecar.process import Sidecar
from pretrade.sidecar.serve import prepare
from pretrade.simulation.market import SELLER_START_NS

S: Final = 1_000_000_000


@pytest.fixture(scope="module")
def model() -> models.Anomaly:
    config = Config.load()
    return models.new("pca", config).fit(simulation.calm(1.0, seed=4, config=config).calm())


@pytest.fixture(scope="module")
def events() -> NDArray[Any]:
    return simulation.flash_crash(seed=7, warm_up_s=400, story_s=45).events


@dataclass
class Life:
    """A run directory, its journal, and the sidecars that live there one after the other."""

    run: RunDirectory
    config: Config
    model: models.Anomaly
    events: NDArray[Any]
    journal: Journal
    quotes: QuotesTable
    clock: RecordClock
    fed: int = 0
    said: list[str] = field(default_factory=list)
    lives: list[Sidecar] = field(default_factory=list)

    def begin(self) -> Sidecar:
        for dead in self.lives:
            dead.close()
            del dead._limits
        instruments = (self.config.instrument("ES"),)
        path = self.run.journals / "sidecar.checkpoint"
        sidecar = Sidecar(
            self.config,
            instruments,
            self.model,
            reader=JournalReader(self.run.market_journal),
            limits=LimitsTable.open(self.run, writable=True),
            quotes=self.quotes,
            controls=Controls.open(self.run),
            alerts=AlertJournal(self.run.path / "alerts.jsonl"),
            changes_path=self.run.path / "changes.jsonl",
            clock=self.clock,
            checkpoints=CheckpointFile(path, self.config, instruments, self.model, self.run.market_journal),
            say=self.said.append,
        )
        self.lives[:] = [sidecar]
        return sidecar

    def feed(self, sidecar: Sidecar | None, until: float) -> None:
        """Events up to ``until`` seconds after the seller's start, in small steps; nobody reads where ``sidecar`` is ``None``."""
        goal = SELLER_START_NS + round(until * 10) * (S // 10)
        while self.clock.now < goal:
            self.clock.now += S // 10 if self.clock.now >= SELLER_START_NS else 2 * S
            end = int(np.searchsorted(self.events["ts_recv"], self.clock.now))
            if end > self.fed:
                self.journal.append(self.events[self.fed : end])
                self.fed = end
            self.quotes.heartbeat(0, self.clock.now, self.clock.now)
            if sidecar is not None:
                sidecar.poll()
                if sidecar._saving is not None:
                    sidecar._saving.result()

    def feed_to(self, sidecar: Sidecar, tier: Tier) -> None:
        """Events until the tier stands, and for another half second."""
        while self.record()["tier"] < tier:
            self.feed(sidecar, self.second + 0.1)
        self.feed(sidecar, self.second + 0.5)
        assert self.record()["tier"] == tier

    @property
    def second(self) -> float:
        """Seconds after the seller's start."""
        return (self.clock.now - SELLER_START_NS) / S

    def record(self) -> np.void:
        return LimitsTable.open(self.run).read(1)

    def changes(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.run.path / "changes.jsonl").read_text().splitlines()]


@pytest.fixture
def life(tmp_path: Path, config: Config, model: models.Anomaly, events: NDArray[Any]) -> Iterator[Life]:
    yield from _life(tmp_path / "run", config, model, events)


@pytest.fixture
def whole(tmp_path: Path, config: Config, model: models.Anomaly, events: NDArray[Any]) -> Iterator[Life]:
    """The same day for a sidecar that never stops."""
    yield from _life(tmp_path / "whole", config, model, events)


def _life(path: Path, config: Config, model: models.Anomaly, events: NDArray[Any]) -> Iterator[Life]:
    run = RunDirectory(path)
    prepare(run, config, (config.instrument("ES"),))
    with Journal(run.market_journal) as journal:
        quotes = QuotesTable.open(run, writable=True)
        life = Life(run, config, model, events, journal, quotes, RecordClock(SELLER_START_NS - 400 * S))
        yield life
        for sidecar in life.lives:
            sidecar.close()


def is_no_looser(new: np.void, old: np.void) -> bool:
    return bool(new["tier"] >= old["tier"] and new["max_order_quantity"] <= old["max_order_quantity"] and new["collar_ticks"] <= old["collar_ticks"])


def test_a_restart_in_high_is_high_again_with_the_first_record(life: Life, whole: Life) -> None:
    first = life.begin()
    life.feed_to(first, Tier.HIGH)
    before = life.record()
    life.feed(None, life.second + 1.0)
    second = life.begin()
    assert life.said == []
    assert second._reader.position.next_seq > life.fed * 0.9, "it goes on from the checkpoint, not from the beginning"
    life.feed(second, life.second + 0.1)
    again = life.record()
    assert int(again["epoch"]) == int(before["epoch"]) + 1
    assert is_no_looser(again, before)
    life.feed(second, 44.0)
    never = whole.begin()
    whole.feed(never, 44.0)
    assert [(c["from"], c["to"]) for c in life.changes()] == [(c["from"], c["to"]) for c in whole.changes()]
    assert [c["ts_recv"] for c in life.changes()] == [c["ts_recv"] for c in whole.changes()]
    assert life.record()["max_order_quantity"] == whole.record()["max_order_quantity"]
    assert int(life.record()["trip_id"]) == int(whole.record()["trip_id"]) == 1
    told = [a.alert_id for a in AlertJournal(life.run.path / "alerts.jsonl").read()]
    assert len(set(told)) == len(told) == sum(Tier[c["to"]] > Tier[c["from"]] for c in life.changes())


def test_a_tier_that_rose_after_the_checkpoint_is_kept(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    first = life.begin()
    life.feed(first, 5.0)
    assert life.record()["tier"] < Tier.HIGH
    monkeypatch.setattr(process, "CHECKPOINT_EVERY_NS", 10**15)
    life.feed_to(first, Tier.CRITICAL)
    before = life.record()
    monkeypatch.setattr(process, "BATCH", 400)
    second = life.begin()
    while int(life.record()["epoch"]) == int(before["epoch"]):
        assert second.poll() >= 400, "the first record comes long before the end of the journal"
    assert is_no_looser(life.record(), before)
    while second.poll():
        assert is_no_looser(life.record(), before)
    again = life.record()
    assert int(again["trip_id"]) == int(before["trip_id"])
    assert again["flags"] & LimitFlag.TRIPPED


@pytest.mark.parametrize("how", ["flip", "cut", "model"])
def test_a_checkpoint_that_is_not_ours_is_said_once_and_the_journal_read(life: Life, config: Config, how: str) -> None:
    first = life.begin()
    life.feed_to(first, Tier.HIGH)
    before = life.record()
    path = life.run.journals / "sidecar.checkpoint"
    bytes_ = path.read_bytes()
    if how == "model":
        life.model = models.new("min", config).fit(simulation.calm(1.0, seed=4, config=config).calm())
    else:
        path.write_bytes(bytes_[:-9] + b"damaged!!" if how == "flip" else bytes_[: len(bytes_) // 2])
    second = life.begin()
    assert len(life.said) == 1
    assert life.said[0].endswith("reading the market journal from its beginning")
    assert "\n" not in life.said[0]
    assert second._reader.position.next_seq == JournalReader(life.run.market_journal).position.next_seq
    while second.poll():
        pass
    life.feed(second, life.second + 0.1)
    assert is_no_looser(life.record(), before)


def test_an_alert_its_writer_did_not_live_to_tell_is_told_at_the_restart(life: Life) -> None:
    first = life.begin()
    life.feed_to(first, Tier.HIGH)
    alerts, changes = life.run.path / "alerts.jsonl", life.run.path / "changes.jsonl"
    told = [a.alert_id for a in AlertJournal(alerts).read()]
    assert told[-1].endswith("HIGH")
    for path in (alerts, changes):
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(lines[:-1]) + lines[-1][:40])
    life.begin()
    again = AlertJournal(alerts).read()
    assert [a.condition for a in again] == [t.rsplit("-", 1)[-1] for t in told]
    assert (again[-1].new_limit, again[-1].severity) == (50, "alarm")
    assert life.changes()[-1]["to"] == "HIGH"
