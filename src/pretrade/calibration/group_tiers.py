# SPDX-License-Identifier: Apache-2.0
"""Tiers of groups of instruments, under the laws of any tier, and what they ask of each member."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade.calibration.tiers import TierChange, TierState
from pretrade.domain import LIMITS_DTYPE, Config, LimitFlag, Phase, Tier
from pretrade.domain.errors import CalibrationError
from pretrade.features import NAMES
from pretrade.models import GroupScores

SCORE_STEP: Final = 0.01


@dataclass(frozen=True, slots=True)
class GroupUpdate:
    """Group records that changed, and tier changes of groups."""

    records: NDArray[Any]
    changes: list[TierChange]


class GroupTiers:
    """One tier and one record per group; a member is never in a lower tier than its groups.

    Parameters
    ----------
    config
        Groups, cuts, hysteresis.
    instrument_ids
        Whose tiers the groups bound.
    epoch
        Of this writer.

    Notes
    -----
    A group goes no higher than HIGH: a breaker is tripped by an instrument's own book, never by a statistic over others. With
    fewer than two members scored there is no score: the tier holds. A group's record has no limits of its own, it is shown.
    """

    def __init__(self, config: Config, instrument_ids: Sequence[int], *, epoch: int) -> None:
        groups = config.groups
        self.ids = tuple(g.group_id for g in groups)
        self._symbols = {i.instrument_id: i.symbol for i in config.instruments}
        members = [{config.instrument(s).instrument_id for s in g.members} for g in groups]
        self._is_member = np.array([[i in of for of in members] for i in instrument_ids], bool).reshape(len(instrument_ids), len(groups))
        self.state = TierState.fresh(len(groups), config)
        self._below = float(np.nextafter(np.float32(config.anomaly.cut_critical), np.float32(0)))
        self._position = {group_id: k for k, group_id in enumerate(self.ids)}
        self._score = np.full(len(groups), np.nan)
        self._drivers: list[tuple[str, ...]] = [()] * len(groups)
        self._records = np.zeros(len(groups), LIMITS_DTYPE)
        self._records["instrument_id"], self._records["epoch"] = self.ids, epoch
        self._records["score"] = self._records["systemic_score"] = np.nan
        self._published = np.zeros(len(groups), bool)

    def advance(self, scores: GroupScores | None, ts: int, now_utc: int, now_mono: int, *, is_behind: bool, provisional: bool) -> GroupUpdate:
        """Take one instant's group scores, the same in each of its rows.

        Raises
        ------
        CalibrationError
            If a group is not ours.
        """
        if scores is None or not scores.group_ids:
            return GroupUpdate(self._records[:0], [])
        unknown = [g for g in scores.group_ids if g not in self._position]
        if unknown:
            raise CalibrationError(f"scores are of group {unknown[0]:#x}, which the configuration lacks; fit the model again")
        at = np.array([self._position[g] for g in scores.group_ids], np.int64)
        with np.errstate(invalid="ignore"):
            raw = scores.score[-1]
            score = np.where((raw >= 0) & (raw <= 1), np.minimum(raw, self._below), np.nan)
        phase = np.full(len(at), Phase.CONTINUOUS, np.uint8)
        before, causes = self.state.advance(at, score, phase, np.zeros(len(at), np.uint8), ts, is_behind=is_behind)
        self._score[at] = score
        moved = before != self.state.tier[at]
        codes = self._name(scores, at)
        changes = [self._change(k, int(before[i]), ts, codes[i], causes[i]) for i, k in enumerate(at.tolist()) if moved[i]]
        return GroupUpdate(self._record(at, moved, codes, ts, now_utc, now_mono, LimitFlag.PROVISIONAL * provisional), changes)

    def _name(self, scores: GroupScores, at: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Remember who drives; the features that stand first in them."""
        for k, drivers in zip(at.tolist(), scores.drivers[-1].tolist(), strict=True):
            self._drivers[k] = tuple(self._symbols.get(i, str(i)) for i in drivers if i)
        codes: NDArray[np.uint8] = scores.reasons[-1]
        return codes

    def _change(self, k: int, before: int, ts: int, codes: NDArray[np.uint8], cause: str) -> TierChange:
        names = tuple(dict.fromkeys(NAMES[code - 1] for code in codes.tolist() if code))
        tiers = Tier(before), Tier(int(self.state.tier[k]))
        return TierChange(ts, self.ids[k], *tiers, float(self._score[k]), names, 0, "systemic" if cause == "score" else cause, self._drivers[k])

    def _record(
        self, at: NDArray[np.int64], moved: NDArray[np.bool_], codes: NDArray[np.uint8], ts: int, now_utc: int, now_mono: int, flags: int
    ) -> NDArray[Any]:
        """Records that have news: a tier (a new version), or a score that moved by a step."""
        records = self._records
        old, score = records["score"][at].astype(np.float64), self._score[at]
        told = moved | ~self._published[at] | (records["flags"][at] != flags)
        with np.errstate(invalid="ignore"):
            news = told | (np.abs(score - old) >= SCORE_STEP) | (np.isnan(old) != np.isnan(score))
        if not news.any():
            return records[:0]
        k, new = at[news], at[told]
        records["version"][new] += 1
        records["reasons"][new], records["flags"][new] = codes[told], flags
        records["tier"][k], records["score"][k], records["systemic_score"][k] = self.state.tier[k], self._score[k], self._score[k]
        records["ts_data"][k] = np.maximum(ts, self.state.held_until[k])
        records["ts_published"][k], records["mono_published"][k] = now_utc, now_mono
        self._published[k] = True
        published: NDArray[Any] = records[k].copy()
        return published

    def floor(self) -> NDArray[np.int64]:
        """Lowest tier each instrument may have now, ``(n,)``."""
        if not self.ids:
            return np.zeros(len(self._is_member), np.int64)
        floor: NDArray[np.int64] = np.where(self._is_member, self.state.tier, 0).max(axis=1)
        return floor

    def score(self, at: NDArray[np.int64]) -> NDArray[np.float64]:
        """Largest systemic score over each instrument's groups; NaN where there is none."""
        if not self.ids:
            return np.full(len(at), np.nan)
        known = np.where(self._is_member[at], self._score, np.nan)
        highest: NDArray[np.float64] = np.fmax.reduce(known, axis=1)
        return highest

    def drivers(self, k: int) -> tuple[str, ...]:
        """Symbols that drive the highest group of the instrument at position ``k``."""
        mine = np.flatnonzero(self._is_member[k])
        return self._drivers[int(mine[self.state.tier[mine].argmax()])] if len(mine) else ()

    def hold(self, previous: NDArray[Any]) -> None:
        """Never lower than the last records in the table: tiers from there, loosened from there."""
        for record in previous:
            k = self._position.get(int(record["instrument_id"]))
            if k is None or int(record["version"]) == 0:
                continue
            is_ours = all(record[name] == self._records[name][k] for name in ("version", "tier"))
            self._published[k] = False
            if is_ours:
                continue
            if record["version"] >= self._records["version"][k]:
                self.state.hold(k, record, is_tripped=False)
                self.state.tier[k] = self.state.held_tier[k] = min(int(self.state.tier[k]), int(Tier.HIGH))
                self._records["version"][k] = record["version"]
            else:
                self.state.tier[k] = max(int(self.state.tier[k]), min(int(record["tier"]), int(Tier.HIGH)))

    def facts(self) -> dict[str, Any]:
        """Plain values for a checkpoint."""
        return {
            "ids": list(self.ids),
            "tiers": self.state.facts(),
            "records": self._records.tobytes().hex(),
            "published": self._published.tolist(),
            "score": [None if s != s else s for s in self._score.tolist()],
            "drivers": [list(d) for d in self._drivers],
        }

    def take(self, facts: Mapping[str, Any]) -> None:
        """Go on from :meth:`facts`; the epoch stays this writer's own.

        Raises
        ------
        CalibrationError
            If they are of other groups.
        """
        if list(facts["ids"]) != list(self.ids):
            raise CalibrationError(f"checkpoint holds groups {facts['ids']}; the configuration has {list(self.ids)}")
        epoch = self._records["epoch"].copy()
        self._records = np.frombuffer(bytes.fromhex(facts["records"]), LIMITS_DTYPE).copy()
        self._records["epoch"] = epoch
        self._published[:] = facts["published"]
        self._score[:] = [np.nan if s is None else s for s in facts["score"]]
        self._drivers = [tuple(d) for d in facts["drivers"]]
        self.state.take(facts["tiers"])
