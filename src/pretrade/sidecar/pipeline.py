# SPDX-License-Identifier: Apache-2.0
"""Rows to limit records: the one path that replay, the demo and the sidecar process share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pretrade.calibration import Calibrator, Update
from pretrade.domain.config import Config
from pretrade.features import Features
from pretrade.models import AnomalyModel, Scores


@dataclass(frozen=True, slots=True)
class Step:
    """What one tick changed."""

    ts_recv: int
    scores: Scores
    update: Update


class Pipeline:
    """Scores rows and turns them into limit records, tick by tick.

    Parameters
    ----------
    config
        The configuration.
    model
        A fitted anomaly model.
    instrument_ids
        Instruments that get a record.
    epoch
        Of this writer; the first records of a new epoch are never looser than ``previous``.
    previous
        Last records in the table, LIMITS_DTYPE, or ``None``.
    """

    def __init__(
        self,
        config: Config,
        model: AnomalyModel,
        instrument_ids: tuple[int, ...],
        *,
        epoch: int = 1,
        previous: NDArray[Any] | None = None,
    ) -> None:
        self._stream = model.stream()
        static = {i: dict(config.static_of(config.instrument(i))) for i in instrument_ids}
        self.calibrator = Calibrator(config, instrument_ids, static=static, previous=previous, epoch=epoch)

    def push(
        self,
        features: Features,
        *,
        now_mono: int | None = None,
        resumed: Mapping[int, int] | None = None,
        is_behind: bool = False,
        only_changes: bool = False,
    ) -> Iterator[Step]:
        """Score rows and update limits.

        Parameters
        ----------
        features
            Rows in ``ts_recv`` order, all instruments of a tick together.
        now_mono
            Monotonic time of publication; the row's own time where ``None`` (simulated clock).
        resumed
            Trip id a human resumed, per instrument.
        is_behind
            Newer events wait unread: nothing loosens.
        only_changes
            Leave out ticks at which no record can change, see :meth:`~pretrade.calibration.Calibrator.idle_until`.

        Yields
        ------
        Step
            One per distinct ``ts_recv``.
        """
        if len(features.ts_recv) == 0:
            return
        scores = self._stream.update(features)
        starts = np.flatnonzero(np.r_[True, np.diff(scores.ts_recv) != 0])
        ends = np.r_[starts[1:], len(scores.ts_recv)]
        idle = 0
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            if only_changes and not resumed and start >= idle:
                idle = self.calibrator.idle_until(scores, start)
            if start < idle:
                continue
            tick = scores[start:end]
            ts = int(tick.ts_recv[0])
            now = ts if now_mono is None else now_mono
            yield Step(ts, tick, self.calibrator.update(tick, ts, now, resumed or {}, is_behind=is_behind))

    def checkpoint(self) -> dict[str, Any]:
        """Everything the next tick depends on, as plain values for JSON."""
        return {"stream": self._stream.checkpoint(), "calibrator": self.calibrator.checkpoint()}

    def restore(self, checkpoint: Mapping[str, Any], previous: NDArray[Any]) -> None:
        """Go on from :meth:`checkpoint` in this writer's epoch, never looser than ``previous``, the last records in the table.

        Raises
        ------
        PretradeError
            If it was taken of another model or other instruments, or is not whole; this pipeline is then of no use.
        """
        self._stream.restore(checkpoint["stream"])
        self.calibrator.restore(checkpoint["calibrator"])
        self.calibrator.rejoin(previous)
