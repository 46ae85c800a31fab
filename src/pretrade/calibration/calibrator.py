# SPDX-License-Identifier: Apache-2.0
"""Tiers to limit records: rules over columns, envelope clamp, valve, versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade.calibration.group_tiers import GroupTiers
from pretrade.calibration.rules import FLOATS, INTEGERS, LARGEST, TIGHTEST, Columns, Rule, looser, rule, tier_actions, tighter
from pretrade.calibration.tiers import UNSCORED, TierChange, TierState
from pretrade.calibration.valve import Valve
from pretrade.domain import LIMITS_DTYPE, Config, LimitFlag, Phase, Tier
from pretrade.domain.config import PARAMETERS
from pretrade.domain.errors import CalibrationError
from pretrade.features import NAMES
from pretrade.models import Scores

ALL_VALID: Final = (1 << len(PARAMETERS)) - 1
SCORE_STEP: Final = 0.01


_NO_RECORDS: Final[NDArray[Any]] = np.empty(0, LIMITS_DTYPE)


@dataclass(frozen=True, slots=True)
class Update:
    """What one tick changed: new versions, records whose score alone moved, tier changes, and records of groups."""

    records: NDArray[Any]
    refreshed: NDArray[Any]
    tier_changes: list[TierChange]
    groups: NDArray[Any] = field(default_factory=_NO_RECORDS.copy)


_NOTHING: Final = Update(_NO_RECORDS, _NO_RECORDS, [])


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
        self._static = {name: _static_column(name, statics, instrument_ids) for name in INTEGERS}
        self._floor = {name: np.int64(config.floor.get(name, TIGHTEST[name])) for name in INTEGERS}
        self._rules = (tier_actions(config.tiers), *(rule(r) for r in rules))
        self._is_watchful = len(rules) > 0
        n = len(self._ids)
        self.state = TierState.fresh(n, config)
        """Each instrument's own tier; in force is the higher of it and of its groups'."""
        self.groups = GroupTiers(config, instrument_ids, epoch=epoch)
        self._tier = np.zeros(n, np.int64)
        self._position = {int(i): k for k, i in enumerate(self._ids)}
        self._records = np.zeros(n, LIMITS_DTYPE)
        self._records["instrument_id"] = self._ids
        self._records["epoch"] = epoch
        self._records["valid_mask"] = ALL_VALID
        self._records["score"] = self._records["systemic_score"] = np.nan
        for name in FLOATS:
            self._records[name] = np.array([s[name] for s in statics], np.float32)
        self._targets(np.arange(n), np.full(n, np.nan))
        self._published = np.zeros(n, bool)
        limit = {name: values.copy() for name, values in self._static.items()}
        if previous is not None:
            self.groups.hold(previous)
            for record in previous:
                self._continue(record, limit)
        self._valve = Valve(limit, config.hysteresis)

    def _continue(self, record: np.void, limit: dict[str, NDArray[np.int64]]) -> None:
        """Never looser than the last record: take over tier, trip and numbers, and loosen from there.

        A record that its writer left half written keeps tier and trip; of its numbers nothing is known, so the floor stands.
        """
        k = self._position.get(int(record["instrument_id"]))
        if k is None or not any(int(record[name]) for name in ("version", "tier", "trip_id", "valid_mask")):
            return
        is_whole = int(record["valid_mask"]) == ALL_VALID
        self.state.hold(k, record, is_tripped=bool(record["flags"] & LimitFlag.TRIPPED))
        self._tier[k] = self.state.tier[k]
        self._records["version"][k] = record["version"]
        for name in INTEGERS:
            usable = looser(name, np.int64(record[name]), np.int64(TIGHTEST[name])) if is_whole else self._floor[name]
            limit[name][k] = tighter(name, self._static[name][k], usable)

    def update(self, scores: Scores, now_utc: int, now_mono: int, resumed: Mapping[int, int] | None = None, *, is_behind: bool = False) -> Update:
        """Take one tick.

        Parameters
        ----------
        scores
            Rows of one ``ts_recv``, at most one per instrument.
        now_utc, now_mono
            When the records are published, nanoseconds.
        resumed
            Trip id a human resumed, per instrument.
        is_behind
            Newer events wait unread: tighten and trip, loosen nothing.

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
        if len(at) > 1 and len(np.unique(at)) < len(at):
            again = next(int(i) for i in scores.instrument_id if (scores.instrument_id == i).sum() > 1)
            raise CalibrationError(f"instrument {again} has several rows at {int(scores.ts_recv[0])}; a tick has at most one")
        state, records = self.state, self._records
        for instrument_id, trip in (resumed or {}).items():
            if instrument_id in self._position:
                state.resume(self._position[instrument_id], int(trip))
        score = _sound(scores.score)
        ts = int(scores.ts_recv[0])
        group = self.groups.advance(scores.systemic, ts, now_utc, now_mono, is_behind=is_behind, provisional=scores.provisional)
        _, causes = state.advance(at, score, scores.phase, scores.feed_state, ts, is_behind=is_behind)
        floor = self.groups.floor()
        raised = (floor > self._tier) & self._published
        before, late = self._tier.copy(), np.setdiff1d(np.flatnonzero(raised), at) if raised.any() else at[:0]
        self._tier[at] = np.maximum(state.tier[at], floor[at])
        self._tier[late] = floor[late]
        moved = before[at] != self._tier[at]
        flags = self._flags(at, scores)
        told = moved | (flags != records["flags"][at]) | (state.trip_id[at] != records["trip_id"][at]) | ~self._published[at]
        due = told | self._valve.due(at, state.may_loosen[at], now_utc)
        if self._is_watchful:
            due[:] = True
        changed = at[:0]
        if due.any():
            told[due] |= self._valve.move(at[due], self._targets(at[due], score[due]), state.may_loosen[at[due]], now_utc)
            changed = at[told]
            self._write(changed, score[told], scores.ts_recv[told], scores.top_features[told])
            records["flags"][at] = flags
        refreshed = self._refresh(at, score, scores.ts_recv, told)
        if len(late):
            changed = np.concatenate([changed, self._tighten_late(late, now_utc)])
        if len(changed) == 0 and len(refreshed) == 0 and len(group.records) == 0:
            return _NOTHING
        for k in (changed, refreshed):
            records["ts_published"][k], records["mono_published"][k] = now_utc, now_mono
        changes = [self._change(int(i), before, score, at, scores, causes) for i in np.flatnonzero(moved)]
        changes += [self._systemic_change(int(k), int(before[k]), ts, float(records["score"][k]), ()) for k in late]
        return Update(records[changed].copy(), records[refreshed].copy(), [*group.changes, *changes], group.records)

    def _tighten_late(self, k: NDArray[np.int64], now: int) -> NDArray[np.int64]:
        """Members without a row of their own this instant do not wait for one; nothing of them loosens."""
        records = self._records
        self._valve.move(k, self._targets(k, records["score"][k].astype(np.float64)), np.zeros(len(k), bool), now)
        self._write(k, records["score"][k], records["ts_data"][k], records["reasons"][k])
        return k

    def _flags(self, at: NDArray[np.int64], scores: Scores) -> NDArray[np.uint8]:
        state = self.state
        model = LimitFlag.PROVISIONAL * scores.provisional + LimitFlag.MODEL_ABSENT * state.model_absent[at]
        flags: NDArray[np.uint8] = (LimitFlag.TRIPPED * state.is_tripped[at] + model + LimitFlag.FEED_FAULT * state.feed_fault[at]).astype(np.uint8)
        return flags

    def idle_until(self, scores: Scores, start: int) -> int:
        """First row from ``start`` on at which an update could change anything; one instrument only.

        Notes
        -----
        While the tier is NORMAL, nothing ramps and no flag stands, a sound row with a score below the first cut and within a
        step of the published one leaves every record as it is; such rows need not be put through :meth:`update`.
        """
        record = self._records[0]
        is_quiet = len(self._ids) == 1 and self._tier[0] == Tier.NORMAL and self._valve.is_idle(0) and not self._is_watchful
        if not is_quiet or not self._published[0] or int(record["flags"]) & ~LimitFlag.PROVISIONAL:
            return start
        n, block = len(scores.ts_recv), 256
        while start < n:
            part = slice(start, start + block)
            score = scores.score[part]
            with np.errstate(invalid="ignore"):
                quiet = (score >= 0) & (score < self.state.anomaly.cut_elevated) & (np.abs(score - np.float64(record["score"])) < SCORE_STEP)
            quiet &= (scores.phase[part] == Phase.CONTINUOUS) & ((scores.feed_state[part] & UNSCORED) == 0)
            loud = np.flatnonzero(~quiet)
            if len(loud):
                return start + int(loud[0])
            start, block = start + block, min(2 * block, 65_536)
        return n

    def _targets(self, k: NDArray[np.int64], score: NDArray[np.float64]) -> dict[str, NDArray[np.int64]]:
        """Where the limits of instruments ``k`` belong: the tightest of all rules, clamped into the envelope."""
        static = {name: values[k] for name, values in self._static.items()}
        columns = Columns(self._tier[k], score, self.groups.score(k), static)
        target = dict(static)
        for act in self._rules:
            for name, values in act(columns).items():
                target[name] = tighter(name, target[name], np.asarray(values, np.int64))
        return {name: tighter(name, static[name], looser(name, target[name], self._floor[name])) for name in INTEGERS}

    def _write(self, k: NDArray[np.int64], score: NDArray[np.float64], ts_data: NDArray[np.int64], reasons: NDArray[np.uint8]) -> None:
        """Write a new version of the records of instruments ``k``."""
        records = self._records
        for name in INTEGERS:
            records[name][k] = self._valve.limit[name][k]
        records["tier"][k], records["trip_id"][k], records["reasons"][k] = self._tier[k], self.state.trip_id[k], reasons
        records["systemic_score"][k] = self.groups.score(k)
        records["version"][k] += 1
        # A writer that dies while it catches up must not forget how far its predecessor had judged.
        records["score"][k], records["ts_data"][k] = score, np.maximum(ts_data, self.state.held_until[k])
        self._published[k] = True

    def _refresh(self, at: NDArray[np.int64], score: NDArray[np.float64], ts_data: NDArray[np.int64], told: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Instruments whose own or systemic score moved by a step since it was published, and nothing else."""
        common = self.groups.score(at)
        far = _is_far(score, self._records["score"][at]) | _is_far(common, self._records["systemic_score"][at])
        far &= ~told
        k: NDArray[np.int64] = at[far]
        if len(k):
            self._records["score"][k], self._records["ts_data"][k] = score[far], np.maximum(ts_data[far], self.state.held_until[k])
            self._records["systemic_score"][k] = common[far]
        return k

    def _change(
        self, i: int, before: NDArray[np.int64], score: NDArray[np.float64], at: NDArray[np.int64], scores: Scores, causes: list[str]
    ) -> TierChange:
        names = tuple(NAMES[code - 1] for code in scores.top_features[i].tolist() if code)
        k, ts = int(at[i]), int(scores.ts_recv[i])
        tiers = Tier(int(before[k])), Tier(int(self._tier[k]))
        if tiers[1] > max(tiers[0], int(self.state.tier[k])):
            return self._systemic_change(k, tiers[0], ts, float(score[i]), names)
        cause = causes[i] or ("score" if tiers[1] > tiers[0] else "dwell")
        return TierChange(ts, int(self._ids[k]), *tiers, float(score[i]), names, int(self.state.trip_id[k]), cause)

    def _systemic_change(self, k: int, before: int, ts: int, score: float, names: tuple[str, ...]) -> TierChange:
        tiers = Tier(before), Tier(int(self._tier[k]))
        return TierChange(ts, int(self._ids[k]), *tiers, score, names, int(self.state.trip_id[k]), "systemic", self.groups.drivers(k))

    def is_stressed(self, instrument_id: int) -> bool:
        """The instrument's own tier is above NORMAL, whatever its groups say."""
        return bool(self.state.tier[self._position[instrument_id]] > Tier.NORMAL)

    def checkpoint(self) -> dict[str, Any]:
        """Everything the next update depends on, as plain values for JSON."""
        records = self._records.tobytes().hex()
        return {
            "ids": self._ids.tolist(),
            "tiers": self.state.facts(),
            "valve": self._valve.facts(),
            "records": records,
            "published": self._published.tolist(),
            "tier": self._tier.tolist(),
            "groups": self.groups.facts(),
        }

    def restore(self, checkpoint: Mapping[str, Any]) -> None:
        """Go on from :meth:`checkpoint`; the epoch stays this writer's own.

        Raises
        ------
        CalibrationError
            If it was taken of other instruments, or is not whole.
        """
        if list(checkpoint.get("ids", ())) != self._ids.tolist():
            raise CalibrationError(f"checkpoint holds instruments {checkpoint.get('ids')}; this calibrator has {self._ids.tolist()}")
        epoch = self._records["epoch"].copy()
        try:
            self._records = np.frombuffer(bytes.fromhex(checkpoint["records"]), LIMITS_DTYPE).copy()
            self._published[:] = checkpoint["published"]
            self.state.take(checkpoint["tiers"])
            self._valve.take(checkpoint["valve"])
            self._tier[:] = checkpoint["tier"]
            self.groups.take(checkpoint["groups"])
        except (KeyError, ValueError, TypeError) as e:
            raise CalibrationError(f"checkpoint is not whole: {e!r}") from e
        self._records["epoch"] = epoch

    def rejoin(self, previous: NDArray[Any]) -> None:
        """Go on from a restored checkpoint in a new epoch: every record is published anew, none looser than the last in the table.

        Parameters
        ----------
        previous
            Last records in the table, LIMITS_DTYPE. What the earlier writer published after its checkpoint is taken over as at a
            start without one; a record older than the checkpoint can only tighten.
        """
        self._published[:] = False
        self.groups.hold(previous)
        for record in previous:
            k = self._position.get(int(record["instrument_id"]))
            if k is None or all(record[name] == self._records[name][k] for name in ("version", "tier", "trip_id", "valid_mask", *INTEGERS)):
                continue
            self._valve.stop(k)
            if record["version"] >= self._records["version"][k]:
                self._continue(record, self._valve.limit)
            elif int(record["valid_mask"]) == ALL_VALID:
                self.state.tier[k] = self._tier[k] = max(int(self._tier[k]), int(record["tier"]))
                for name in INTEGERS:
                    self._valve.limit[name][k] = tighter(name, self._valve.limit[name][k], np.int64(record[name]))


def _sound(score: NDArray[np.float64]) -> NDArray[np.float64]:
    """NaN for whatever is no score in [0, 1]: an output a model cannot mean is no output."""
    with np.errstate(invalid="ignore"):
        return np.where((score >= 0) & (score <= 1), score, np.nan)


def _is_far(now: NDArray[np.float64], published: NDArray[np.float32]) -> NDArray[np.bool_]:
    """A step or more from what was published, or come or gone."""
    old = published.astype(np.float64)
    with np.errstate(invalid="ignore"):
        far: NDArray[np.bool_] = (np.abs(now - old) >= SCORE_STEP) | (np.isnan(old) != np.isnan(now))
    return far


def _static_column(name: str, statics: Sequence[Mapping[str, int | float]], instrument_ids: Sequence[int]) -> NDArray[np.int64]:
    lowest = -(2**31) if name == "passive_standoff_ticks" else 0
    top = LARGEST[name]
    for instrument_id, static in zip(instrument_ids, statics, strict=True):
        value = static.get(name)
        if value is None or not lowest <= value <= top or int(value) != value:
            raise CalibrationError(f"static {name} of instrument {instrument_id} is {value}; it must be a whole number from {lowest} to {top}")
    return np.array([int(s[name]) for s in statics], np.int64)
