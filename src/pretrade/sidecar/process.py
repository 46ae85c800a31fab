# SPDX-License-Identifier: Apache-2.0
"""The sidecar process: market journal in, ``limits`` table out, ten times a second and at once under stress."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from numpy.typing import NDArray

from pretrade import features
from pretrade.bus import JournalReader
from pretrade.calibration import AlertJournal
from pretrade.domain import Config, Instrument
from pretrade.domain.clock import Clock
from pretrade.limits import Controls, LimitsTable, QuotesTable
from pretrade.models import AnomalyModel
from pretrade.sidecar.pipeline import Pipeline

CHANNEL: Final = 0
_IDLE_S: Final = 0.002


class Sidecar:
    """Tails the market journal, scores rows, publishes limits.

    Parameters
    ----------
    model
        Fitted model; ``None`` is the control arm: static limits, tier NORMAL, kept alive by heartbeats.
    changes_path
        JSON lines of tier changes, appended.
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
        ids = tuple(i.instrument_id for i in instruments)
        self._engine = features.engine(config, instruments)
        self._pipeline = Pipeline(config, model, ids, epoch=limits.epoch, previous=limits.snapshot())
        self._ids = ids
        self._reader = reader
        self._limits = limits
        self._quotes = quotes
        self._controls = controls
        self._alerts = alerts
        self._changes = changes_path.open("a", encoding="utf-8")
        self._clock = clock
        self.ts_data = 0

    def poll(self) -> int:
        """One round; returns the number of events read."""
        events = self._reader.read()
        if len(events):
            rows = features.collect(iter([events]), self._engine)
            self._publish(rows)
            self.ts_data = int(events["ts_recv"][-1])
        mono_tick, mono_data = self._quotes.channel(CHANNEL)
        self._limits.heartbeat(CHANNEL, self._clock.mono(), min(mono_data, mono_tick))
        return len(events)

    def _publish(self, rows: features.Features) -> None:
        resumed = {i: self._controls.resumed(i) for i in self._ids}
        for step in self._pipeline.push(rows, now_mono=self._clock.mono(), resumed=resumed):
            for records in (step.update.records, step.update.refreshed):
                if len(records):
                    self._limits.publish(records)
            for change in step.update.tier_changes:
                self._changes.write(json.dumps(change.as_dict(), sort_keys=True) + "\n")
                self._changes.flush()
                self._alerts.record(change, records=step.update.records)

    def run(self, is_stopped: Callable[[], bool]) -> None:
        """Serve until told to stop."""
        while not is_stopped():
            if self.poll() == 0:
                time.sleep(_IDLE_S)
        self._changes.close()


def publish_static(limits: LimitsTable, records: NDArray[Any], clock: Clock, is_stopped: Callable[[], bool]) -> None:
    """Control arm: publish static limits once and keep them fresh."""
    limits.publish(records)
    while not is_stopped():
        now = clock.mono()
        limits.heartbeat(CHANNEL, now, now)
        time.sleep(0.02)
