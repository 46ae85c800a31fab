# SPDX-License-Identifier: Apache-2.0
"""The sidecar process: market journal in, ``limits`` table out, ten times a second and at once under stress."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade import features
from pretrade.bus import JournalReader
from pretrade.calibration import AlertJournal
from pretrade.domain import Config, Instrument, Tier
from pretrade.domain.clock import Clock
from pretrade.limits import Controls, LimitsTable, QuotesTable
from pretrade.models import AnomalyModel
from pretrade.sidecar.pipeline import Pipeline, Step

CHANNEL: Final = 0
BATCH: Final = 65_536
"""Events of one read; a shorter one reached the end of the journal."""
_IDLE_S: Final = 0.001


class Sidecar:
    """Tails the market journal, scores rows, publishes limits.

    Parameters
    ----------
    model
        Fitted model.
    changes_path
        JSON lines of tier changes, appended; what it already holds is not written again after a restart.

    Notes
    -----
    A restart reads the market journal from its beginning, so that books, windows, baselines and tiers are those of a sidecar
    that never stopped; the table's last records bound the first new ones. ``mono_data`` of the ``limits`` channel is the
    receipt of the newest message this process has judged: with a backlog it ages, and nothing loosens until the end is reached.
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
    ) -> None:
        self._ids = tuple(i.instrument_id for i in instruments)
        self._engine = features.engine(config, instruments, with_quotes=False)
        self._pipeline = Pipeline(config, model, self._ids, epoch=limits.epoch, previous=limits.snapshot())
        self._reader = reader
        self._limits = limits
        self._quotes = quotes
        self._controls = controls
        self._alerts = alerts
        self._told_until = _last_change(changes_path)
        self._changes = changes_path.open("a", encoding="utf-8")
        self._clock = clock
        self._resumed: dict[int, int] = {}
        self._generation = -1
        self._stressed: set[int] = set()
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
        for records in (update.records, update.refreshed):
            if len(records):
                self._limits.publish(records)
        for record in update.records:
            (self._stressed.add if record["tier"] > Tier.NORMAL else self._stressed.discard)(int(record["instrument_id"]))
        for change in update.tier_changes:
            if change.ts_recv > self._told_until:
                self._changes.write(json.dumps(change.as_dict(), sort_keys=True) + "\n")
                self._changes.flush()
                self._alerts.record(change, update.records)
        self._alerts.note_limits(update.records)

    def run(self, is_stopped: Callable[[], bool]) -> None:
        """Serve until told to stop."""
        while not is_stopped():
            if self.poll() == 0:
                time.sleep(_IDLE_S)
        self._changes.close()


def _last_change(path: Path) -> int:
    """Time of the last tier change already told; 0 where there is none."""
    if not path.exists():
        return 0
    lines = path.read_text(encoding="utf-8").splitlines()
    return int(json.loads(lines[-1])["ts_recv"]) if lines else 0


def publish_static(limits: LimitsTable, records: NDArray[Any], clock: Clock, is_stopped: Callable[[], bool]) -> None:
    """Control arm: publish static limits once and keep them fresh."""
    records["score"] = np.float32(0.0)
    limits.publish(records)
    while not is_stopped():
        now = clock.mono()
        limits.heartbeat(CHANNEL, now, now)
        time.sleep(0.02)
