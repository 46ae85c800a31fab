# SPDX-License-Identifier: Apache-2.0
"""Tiers to limit records: rules over columns, envelope clamp, one-way valve, versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade.calibration.rules import FLOATS, INTEGERS, Columns, Rule, looser, tier_actions, tighter
from pretrade.calibration.tiers import UNSCORED, TierChange, TierState
from pretrade.domain import LIMITS_DTYPE, Config, Phase, Tier
from pretrade.domain.config import DIRECTIONS, PARAMETERS, STANDOFF_OFF, UNLIMITED, UNLIMITED_U32
from pretrade.domain.errors import CalibrationError
from pretrade.features import NAMES
from pretrade.models import Scores

ALL_VALID: Final = (1 << len(PARAMETERS)) - 1
SCORE_STEP: Final = 0.01
TRIPPED, PROVISIONAL, MODEL_ABSENT, FEED_FAULT = 1, 2, 4, 8
_NS: Final = 1_000_000_000
_JUMPS: Final = frozenset({UNLIMITED, UNLIMITED_U32, STANDOFF_OFF})


@dataclass(frozen=True, slots=True)
class Update:
    """What one tick changed: new versions, records whose score alone moved, tier changes."""

    records: NDArray[Any]
    refreshed: NDArray[Any]
    tier_changes: list[TierChange]


_NOTHING: Final = Update(np.empty(0, LIMITS_DTYPE), np.empty(0, LIMITS_DTYPE), [])


class Calibrator:
    """Limits of a group of instruments.

    Parameters
    ----------
    config
        Tiers, hysteresis, envelope.
    instrument_ids
        Which instruments get a record.
    static
        Static limits by instrument id; from ``config`` where ``None``. They are the ceiling too.
    previous
        Last records in the table, LIMITS_DTYPE: the first records of this epoch are never looser.
    epoch
        Of this writer.
    rules
        More rules beside the tier actions; they can only tighten.
    """

    def __init__(
        self,
        config: Config,
        instrument_ids: Sequence[int],
        *,
        static: Mapping[int, Mapping[str, int | float]] | None = None,
        previous: NDArray[Any] | None = None,
        epoch: int = 1,
        rules: Sequence[Rule] = (),
    ) -> None:
        self._ids = np.array(instrument_ids, np.uint32)
        if len(np.unique(self._ids)) != len(self._ids) or len(self._ids) == 0:
            raise CalibrationError(f"instrument ids are {list(instrument_ids)}; they must be distinct and at least one")
        statics = [(static or {}).get(i) or config.static_of(config.instrument(i)) for i in instrument_ids]
        self._static = {name: np.array([int(s[name]) for s in statics], np.int64) for name in INTEGERS}
        self._floats = {name: np.array([s[name] for s in statics], np.float32) for name in FLOATS}
        self._floor = {name: np.int64(value) for name, value in config.floor.items() if name in INTEGERS}
        self._rules = (tier_actions(config.tiers), *rules)
        self._ramp_ns = max(1, int(config.hysteresis.ramp_s * _NS))
        self._steps = max(1, min(int(config.hysteresis.ramp_s * config.hysteresis.ramp_steps_per_s), 100))
        n = len(self._ids)
        self.state = TierState.fresh(n, config.anomaly, config.hysteresis)
        self._position = {int(i): k for k, i in enumerate(self._ids)}
        self._records = np.zeros(n, LIMITS_DTYPE)
        self._records["instrument_id"] = self._ids
        self._records["epoch"] = epoch
        self._records["valid_mask"] = ALL_VALID
        self._records["score"] = self._records["systemic_score"] = np.nan
        for name in FLOATS:
            self._records[name] = self._floats[name]
        self._limit = {name: self._static[name].copy() for name in INTEGERS}
        self._ramp_from: dict[str, NDArray[np.int64]] = {name: v.copy() for name, v in self._limit.items()}
        self._ramp_start = np.full(n, -1, np.int64)
        self._ramp_step = np.full(n, self._steps, np.int64)
        self._published = np.zeros(n, bool)
        if previous is not None and len(previous):
            self._resume_from(previous)

    def _resume_from(self, previous: NDArray[Any]) -> None:
        """Never looser than the last records: take over tier, trip and numbers, and loosen from there."""
        for record in previous:
            k = self._position.get(int(record["instrument_id"]))
            if k is None or int(record["valid_mask"]) != ALL_VALID:
                continue
            self.state.tier[k] = min(int(record["tier"]), int(Tier.CRITICAL))
            self.state.trip_id[k] = int(record["trip_id"])
            self.state.resumed_id[k] = int(record["trip_id"]) - bool(record["flags"] & TRIPPED)
            self._records["version"][k] = record["version"]
            for name in INTEGERS:
                self._limit[name][k] = tighter(name, self._static[name][k], np.int64(record[name]))

    def update(self, scores: Scores, now_utc: int, now_mono: int, resumed: Mapping[int, int] | None = None) -> Update:
        """Take one tick.

        Parameters
        ----------
        scores
            Rows of one ``ts_recv``, at most one per instrument.
        now_utc, now_mono
            When the records are published, nanoseconds.
        resumed
            Trip id a human resumed, per instrument.

        Returns
        -------
        Update
            Records are copies.

        Raises
        ------
        CalibrationError
            If a row's instrument is not ours.
        """
        if len(scores.ts_recv) == 0:
            return _NOTHING
        try:
            at = np.array([self._position[i] for i in scores.instrument_id.tolist()], np.int64)
        except KeyError as e:
            raise CalibrationError(f"instrument {e.args[0]} has no limits here; known are {sorted(self._position)}") from e
        state = self.state
        for instrument_id, trip in (resumed or {}).items():
            k = self._position.get(instrument_id)
            if k is not None and trip == state.trip_id[k]:
                state.resumed_id[k] = trip
        old_flags = self._records["flags"][at].copy()
        old_trip = self._records["trip_id"][at].copy()
        before, causes = state.advance(at, scores.score, scores.phase, scores.feed_state, int(scores.ts_recv[0]))
        after = state.tier[at]
        flags = (
            TRIPPED * state.is_tripped[at]
            + PROVISIONAL * scores.provisional
            + MODEL_ABSENT * state.model_absent[at]
            + FEED_FAULT * state.feed_fault[at]
        ).astype(np.uint8)
        moved = before != after
        due = moved | (flags != old_flags) | (state.trip_id[at] != old_trip) | ~self._published[at] | self._ramp_due(at, now_utc)
        self._records["flags"][at], self._records["trip_id"][at] = flags, state.trip_id[at]
        changed = at[self._apply(at, due, moved, scores, now_utc)] if due.any() else at[:0]
        refreshed = self._refresh(at, scores, changed)
        if len(changed) == 0 and len(refreshed) == 0:
            return _NOTHING
        for rows in (changed, refreshed):
            self._records["ts_published"][rows], self._records["mono_published"][rows] = now_utc, now_mono
        changes = [self._change(int(i), before, after, at, scores, causes) for i in np.flatnonzero(moved)]
        return Update(self._records[changed].copy(), self._records[refreshed].copy(), changes)

    def idle_until(self, scores: Scores, start: int) -> int:
        """First row from ``start`` on at which an update could change anything; one instrument only.

        Notes
        -----
        While the tier is NORMAL, nothing ramps and no flag stands, a sound row with a score below the first cut and within a
        step of the published one leaves every record as it is; such rows need not be put through :meth:`update`.
        """
        record = self._records[0]
        if len(self._ids) != 1 or self.state.tier[0] or self._ramp_start[0] >= 0 or not self._published[0] or int(record["flags"]) & ~PROVISIONAL:
            return start
        n, block = len(scores.ts_recv), 256
        while start < n:
            part = slice(start, start + block)
            score = scores.score[part]
            with np.errstate(invalid="ignore"):
                quiet = (score < self.state.anomaly.cut_elevated) & (np.abs(score - np.float64(record["score"])) < SCORE_STEP)
            quiet &= (scores.phase[part] == Phase.CONTINUOUS) & ((scores.feed_state[part] & UNSCORED) == 0)
            loud = np.flatnonzero(~quiet)
            if len(loud):
                return start + int(loud[0])
            start, block = start + block, min(2 * block, 65_536)
        return n

    def _ramp_due(self, at: NDArray[np.int64], now: int) -> NDArray[np.bool_]:
        """Instruments whose loosening has a next step by now."""
        step = np.minimum((now - self._ramp_start[at]) * self._steps // self._ramp_ns, self._steps)
        due: NDArray[np.bool_] = (self._ramp_start[at] >= 0) & (step > self._ramp_step[at])
        return due

    def _apply(self, at: NDArray[np.int64], due: NDArray[np.bool_], moved: NDArray[np.bool_], scores: Scores, now: int) -> NDArray[np.bool_]:
        """Recompute the limits of the due instruments; True where the record got a new version."""
        k = at[due]
        nan = np.full(len(k), np.nan)
        columns = Columns(self.state.tier[k], scores.score[due], nan, {name: v[k] for name, v in self._static.items()})
        target = {name: v[k].copy() for name, v in self._static.items()}
        for act in self._rules:
            for name, values in act(columns).items():
                target[name] = tighter(name, target[name], np.asarray(values, np.int64))
        for name, floor in self._floor.items():
            target[name] = tighter(name, self._static[name][k], looser(name, target[name], np.full(len(k), floor)))
        first = ~self._published[k]
        loosens = moved[due] & np.any([(tighter(n, self._limit[n][k], target[n]) != target[n]) for n in INTEGERS], axis=0)
        start = loosens | (first & np.any([(tighter(n, self._limit[n][k], target[n]) != target[n]) for n in INTEGERS], axis=0))
        begin = k[start]
        self._ramp_start[begin], self._ramp_step[begin] = now, 0
        for name in INTEGERS:
            self._ramp_from[name][begin] = self._limit[name][begin]
        running = self._ramp_start[k] >= 0
        step = np.where(running, np.clip((now - self._ramp_start[k]) * self._steps // self._ramp_ns, 0, self._steps), self._steps)
        self._ramp_step[k] = step
        self._ramp_start[k[step >= self._steps]] = -1
        for name in INTEGERS:
            allowed = self._partway(name, k, target[name], step)
            self._limit[name][k] = np.where(tighter(name, self._limit[name][k], target[name]) == target[name], target[name], allowed)
            self._records[name][k] = self._limit[name][k]
        self._records["tier"][k] = self.state.tier[k]
        self._records["reasons"][k] = scores.top_features[due]
        self._records["version"][k] += 1
        self._records["score"][k], self._records["ts_data"][k] = scores.score[due], scores.ts_recv[due]
        self._published[k] = True
        return due

    def _partway(self, name: str, k: NDArray[np.int64], target: NDArray[np.int64], step: NDArray[np.int64]) -> NDArray[np.int64]:
        """Value ``step`` of the way from where the loosening began to its target, rounded to the tighter side."""
        begin = self._ramp_from[name][k]
        jump = np.isin(target, list(_JUMPS)) | np.isin(begin, list(_JUMPS))
        span = np.where(jump, 0, target - begin)
        part: NDArray[np.int64] = span * step // self._steps if DIRECTIONS[name] < 0 else -(-span * step // self._steps)
        moved = tighter(name, begin + part, target)
        value: NDArray[np.int64] = np.where(
            step >= self._steps, target, np.where(jump, self._limit[name][k], looser(name, moved, self._limit[name][k]))
        )
        return value

    def _refresh(self, at: NDArray[np.int64], scores: Scores, changed: NDArray[np.int64]) -> NDArray[np.int64]:
        """Instruments whose score moved by a step since it was published, and nothing else."""
        old = self._records["score"][at].astype(np.float64)
        with np.errstate(invalid="ignore"):
            far = (np.abs(scores.score - old) >= SCORE_STEP) | (np.isnan(old) != np.isnan(scores.score))
        k: NDArray[np.int64] = at[far & ~np.isin(at, changed)]
        if len(k):
            rows = np.flatnonzero(np.isin(at, k))
            self._records["score"][k], self._records["ts_data"][k] = scores.score[rows], scores.ts_recv[rows]
        return k

    def _change(
        self, i: int, before: NDArray[np.int64], after: NDArray[np.int64], at: NDArray[np.int64], scores: Scores, causes: list[str]
    ) -> TierChange:
        names = tuple(NAMES[code - 1] for code in scores.top_features[i].tolist() if code)
        trip = int(self.state.trip_id[at[i]])
        return TierChange(
            int(scores.ts_recv[i]),
            int(scores.instrument_id[i]),
            Tier(int(before[i])),
            Tier(int(after[i])),
            float(scores.score[i]),
            names,
            trip,
            causes[i],
        )


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
    """

    records: NDArray[Any]
    tier_changes: list[TierChange]
    quotes: NDArray[Any] | None
    config: Config
    scores: Scores = field(repr=False)

    def static_arm(self) -> Limits:
        """The control arm over the same time: static limits, tier NORMAL."""
        ids = [int(i) for i in np.unique(self.records["instrument_id"])]
        records = static_records(self.config, ids)
        records["ts_published"] = records["mono_published"] = records["ts_data"] = self.records["ts_published"].min() if len(self.records) else 0
        return Limits(records, [], self.quotes, self.config, self.scores)


def static_records(config: Config, instrument_ids: Sequence[int], *, epoch: int = 1, now_mono: int = 0) -> NDArray[Any]:
    """Records that hold exactly the static limits, tier NORMAL."""
    records = np.zeros(len(instrument_ids), LIMITS_DTYPE)
    for record, instrument_id in zip(records, instrument_ids, strict=True):
        for name, value in config.static_of(config.instrument(instrument_id)).items():
            record[name] = value
        record["instrument_id"] = instrument_id
    records["epoch"], records["version"], records["valid_mask"] = epoch, 1, ALL_VALID
    records["score"] = records["systemic_score"] = np.nan
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
    return Limits(np.concatenate(records), changes, scores.features.quotes, config, scores)
