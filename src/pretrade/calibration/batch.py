# SPDX-License-Identifier: Apache-2.0
"""Limits over a stretch of time: the same updates the sidecar makes, one tick after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pretrade.calibration.calibrator import ALL_VALID, Calibrator
from pretrade.calibration.rules import Rule
from pretrade.calibration.tiers import TierChange
from pretrade.domain import LIMITS_DTYPE, Config, LimitFlag
from pretrade.domain.errors import CalibrationError
from pretrade.models import Scores


@dataclass(frozen=True, slots=True)
class Limits:
    """Limit records over a stretch of time, for replay.

    Parameters
    ----------
    records
        LIMITS_DTYPE in ``ts_published`` order.
    tier_changes
        In time order.
    quotes
        QUOTES_DTYPE at each row, or ``None``.
    config
        The configuration.
    scores
        What the limits came from.
    groups
        LIMITS_DTYPE, records of groups in ``ts_published`` order: tiers and scores, no limits.
    """

    records: NDArray[Any]
    tier_changes: list[TierChange]
    quotes: NDArray[Any] | None
    config: Config
    scores: Scores = field(repr=False)
    groups: NDArray[Any] = field(default_factory=lambda: np.empty(0, LIMITS_DTYPE))

    def static_arm(self) -> Limits:
        """The control arm over the same time: static limits, tier NORMAL."""
        ids = [int(i) for i in np.unique(self.records["instrument_id"])]
        records = static_records(self.config, ids)
        records["ts_published"] = records["mono_published"] = records["ts_data"] = self.records["ts_published"].min() if len(self.records) else 0
        return Limits(records, [], self.quotes, self.config, self.scores)


def static_records(config: Config, instrument_ids: Sequence[int], *, epoch: int = 1, now_mono: int = 0) -> NDArray[Any]:
    """Records that hold exactly the static limits, tier NORMAL, marked as having no model behind them."""
    records = np.zeros(len(instrument_ids), LIMITS_DTYPE)
    for record, instrument_id in zip(records, instrument_ids, strict=True):
        for name, value in config.static_of(config.instrument(instrument_id)).items():
            record[name] = value
        record["instrument_id"] = instrument_id
    records["epoch"], records["version"], records["valid_mask"] = epoch, 1, ALL_VALID
    records["score"] = records["systemic_score"] = np.nan
    records["flags"] = LimitFlag.STATIC
    records["mono_published"] = now_mono
    return records


def calibrate(scores: Scores, config: Config | None = None, *, static_limit: int | None = None, rules: Sequence[Rule] = ()) -> Limits:
    """Limits over a stretch of scored rows: the same updates the sidecar makes, one tick after the other.

    Parameters
    ----------
    scores
        Scored rows in ``ts_recv`` order.
    config
        The configuration; the packaged one where ``None``.
    static_limit
        Another static maximum order size, lots.
    rules
        More rules beside the tier actions.

    Raises
    ------
    CalibrationError
        If there are no rows.
    """
    config = config or Config.load()
    if static_limit is not None:
        config = config.with_static_limit(static_limit)
    if len(scores.ts_recv) == 0:
        raise CalibrationError("there are no scored rows to calibrate on")
    calibrator = Calibrator(config, [int(i) for i in np.unique(scores.instrument_id)], rules=rules)
    records: list[NDArray[Any]] = []
    changes: list[TierChange] = []
    groups: list[NDArray[Any]] = [np.empty(0, LIMITS_DTYPE)]
    starts = np.flatnonzero(np.r_[True, np.diff(scores.ts_recv) != 0])
    ends = np.r_[starts[1:], len(scores.ts_recv)]
    idle = 0
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        if start < idle:
            continue
        idle = calibrator.idle_until(scores, start)
        if start < idle:
            continue
        ts = int(scores.ts_recv[start])
        update = calibrator.update(scores[start:end], ts, ts)
        records.extend(part for part in (update.records, update.refreshed) if len(part))
        changes.extend(update.tier_changes)
        if len(update.groups):
            groups.append(update.groups)
    return Limits(np.concatenate(records), changes, scores.features.quotes, config, scores, np.concatenate(groups))
