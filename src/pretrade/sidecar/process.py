# SPDX-License-Identifier: Apache-2.0
"""The sidecar process: market journal in, ``limits`` table out, ten times a second and at once under stress."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade import features
from pretrade.bus import JournalReader
from pretrade.calibration import AlertJournal, TierChange
from pretrade.domain import Config, Instrument, Tier
from pretrade.domain.clock import Clock
from pretrade.domain.errors import JournalError, PretradeError
from pretrade.limits import Controls, LimitsTable, QuotesTable
from pretrade.models import AnomalyModel
from pretrade.sidecar.changes import TierChangeLog
from pretrade.sidecar.checkpoint import Checkpoint, CheckpointFile
from pretrade.sidecar.pipeline import Pipeline, Step

CHANNEL: Final = 0
BATCH: Final = 65_536
"""Events of one read; a shorter one reached the end of the journal."""
CHECKPOINT_EVERY_NS: Final = 10_000_000_000
_IDLE_S: Final = 0.001


class Sidecar:
    """Tails the market journal, scores rows, publishes limits.

    Parameters
    ----------
    model
        Fitted model.
    changes_path
        JSON lines of tier changes, appended; what it already holds is not written again after a restart.
    checkpoints
        Where the state is saved every ``CHECKPOINT_EVERY_NS``; ``None`` saves nothing.
    say
        Called with one line when a checkpoint is refused or cannot be written.

    Notes
    -----
    A restart goes on from the checkpoint; without a usable one it reads the market journal from its beginning, so that books,
    windows, baselines and tiers are those of a sidecar that never stopped. Either way the table's last records bound the first
    new ones. ``mono_data`` of the ``limits`` channel is the receipt of the newest message this process has judged: with a
    backlog it ages, and nothing loosens until the end is reached.
    """

    def __init__(
        self,
        config: Config,
        instruments: tuple[Instrument, ...],
        model: AnomalyModel,
        *,
        reader: JournalReader,
        limits: LimitsTable,
        quotes: QuotesTable,
        controls: Controls,
        alerts: AlertJournal,
        changes_path: Path,
        clock: Clock,
        checkpoints: CheckpointFile | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._ids = tuple(i.instrument_id for i in instruments)
        self._told = {*self._ids, *(g.group_id for g in config.groups)}
        previous = limits.snapshot()
        self._engine = features.engine(config, instruments, with_quotes=False)
        self._pipeline = Pipeline(config, model, self._ids, epoch=limits.epoch, previous=previous)
        self._reader = reader
        self._checkpoints = checkpoints
        self._say = say
        if not self._restore(previous):
            self._engine = features.engine(config, instruments, with_quotes=False)
            self._pipeline = Pipeline(config, model, self._ids, epoch=limits.epoch, previous=previous)
        self._limits = limits
        self._quotes = quotes
        self._controls = controls
        self._alerts = alerts
        self._changes = TierChangeLog(changes_path)
        self._clock = clock
        self._resumed: dict[int, int] = {}
        self._generation = -1
        self._stressed = {int(r["instrument_id"]) for r in previous if r["tier"] > Tier.NORMAL and int(r["instrument_id"]) in self._ids}
        self._saving: Future[None] | None = None
        self._saver = ThreadPoolExecutor(1)
        self._mono_saved = clock.mono()
        self._tell_untold(previous)
        # What the writer before us had judged; receipt and reading of anything newer are still to come.
        self._mono_data = limits.channel(CHANNEL)[1]
        self._mono_read = 0
        self._is_behind = True

    def poll(self) -> int:
        """One round; returns the number of events read."""
        # Capture journals before it stamps: what it has stamped by now, this read finds, unless it stops before the end.
        received = min(self._quotes.channel(CHANNEL))
        events = self._reader.read(BATCH)
        self._is_behind = len(events) >= BATCH
        if len(events):
            self._mono_read = self._clock.mono()
            rows = self._engine.push(events)
            self._publish(rows)
            self._publish_stressed(int(events["ts_recv"][-1]))
        if not self._is_behind:
            # Nothing is received before it is read: a stamp with no event of ours behind it is of another journal.
            self._mono_data = max(self._mono_data, min(received, self._mono_read))
        self._limits.heartbeat(CHANNEL, self._clock.mono(), self._mono_data)
        self._save()
        return len(events)

    def _publish(self, rows: features.Features) -> None:
        if self._controls.generation != self._generation:
            self._generation = self._controls.generation
            self._resumed = self._controls.resumed_sidecar()
        for step in self._pipeline.push(rows, now_mono=self._clock.mono(), resumed=self._resumed, is_behind=self._is_behind):
            self._take(step)

    def _publish_stressed(self, ts: int) -> None:
        """An instrument under stress does not wait for its next grid row."""
        for instrument_id in sorted(self._stressed):
            self._publish(self._engine.row_now(instrument_id, ts))

    def _take(self, step: Step) -> None:
        update = step.update
        for records in (update.records, update.refreshed, update.groups):
            if len(records):
                self._limits.publish(records)
        for instrument_id in update.records["instrument_id"].tolist():
            # Rows between grid points are for those whose own book is stressed, not for all that a group tightened.
            is_stressed = self._pipeline.calibrator.is_stressed(instrument_id)
            (self._stressed.add if is_stressed else self._stressed.discard)(instrument_id)
        for change in update.tier_changes:
            self._tell(change, update.records)
        self._alerts.note_limits(update.records)

    def _tell(self, change: TierChange, records: NDArray[Any]) -> None:
        """Alert first: a writer killed in between alerts twice under one id, never not at all."""
        if not self._changes.is_told(change):
            self._alerts.record(change, records)
            self._changes.tell(change)

    def _tell_untold(self, previous: NDArray[Any]) -> None:
        """A tier that an earlier life published, and was killed before it told anybody."""
        for record in previous:
            told, tier = self._changes.tier(int(record["instrument_id"])), Tier(min(int(record["tier"]), Tier.CRITICAL))
            if int(record["instrument_id"]) in self._told and tier > told:
                names = tuple(features.NAMES[code - 1] for code in record["reasons"].tolist() if code)
                facts = (int(record["ts_data"]), int(record["instrument_id"]), told, tier, float(record["score"]), names)
                self._tell(TierChange(*facts, int(record["trip_id"]), "score"), record.reshape(1))
        self._alerts.note_limits(previous)

    def _restore(self, previous: NDArray[Any]) -> bool:
        """Go on from the last checkpoint; False where there is none that is ours and whole, said in one line."""
        if self._checkpoints is None:
            return False
        try:
            found = self._checkpoints.load()
            if found is None:
                return False
            self._engine.restore(found.engine)
            self._pipeline.restore(found.pipeline, previous)
            self._reader.seek(found.position)
        except (PretradeError, KeyError) as e:
            self._say(f"{e}; reading the market journal from its beginning")
            return False
        return True

    def _save(self) -> None:
        """Save the state every so often; serialised here, synced on a thread of its own, so that no limit waits for a disk."""
        now = self._clock.mono()
        if self._checkpoints is None or self._is_behind or now - self._mono_saved < CHECKPOINT_EVERY_NS:
            return
        if self._saving is not None and not self._saving.done():
            return
        self._mono_saved = now
        state = Checkpoint(self._reader.position, self._pipeline.checkpoint(), self._engine.state())
        self._saving = self._saver.submit(self._write, state)

    def _write(self, state: Checkpoint) -> None:
        assert self._checkpoints is not None
        try:
            self._checkpoints.save(state)
        except JournalError as e:
            self._say(str(e))

    def run(self, is_stopped: Callable[[], bool]) -> None:
        """Serve until told to stop."""
        while not is_stopped():
            if self.poll() == 0:
                time.sleep(_IDLE_S)
        self.close()

    def close(self) -> None:
        """Close what is open; a checkpoint on its way is finished."""
        self._saver.shutdown(wait=True)
        self._changes.close()


def publish_static(limits: LimitsTable, records: NDArray[Any], clock: Clock, is_stopped: Callable[[], bool]) -> None:
    """Control arm: publish static limits once and keep them fresh."""
    records["score"] = np.float32(0.0)
    limits.publish(records)
    while not is_stopped():
        now = clock.mono()
        limits.heartbeat(CHANNEL, now, now)
        time.sleep(0.02)
