# SPDX-License-Identifier: Apache-2.0
"""Common stress of a group of instruments: how broad and how correlated it is, as one score at a budget of its own.

A member's stress is how surprising its own raw value is among its own calm rows, -ln p; own, because the columns that say what
others do are left out: through them one instrument's fall would stand in every member's row. The raw value of a group leaves its most
stressed member out, so that no instrument alone moves it: what is told is what all the others share with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from pretrade.domain.config import Config, SystemicConfig
from pretrade.domain.errors import ModelError
from pretrade.models.score_map import ENOUGH_ROWS, ScoreMap

_EXCEEDED: Final = np.array([0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001])
_SURPRISE: Final = np.concatenate([[0.0], -np.log(_EXCEEDED)])
_LEAST_SLOPE: Final = 0.02
"""Raw value per unit of surprise beyond the calm rows, at least."""
MOST_SURPRISE: Final = 16.0
NAMED_FROM: Final = -float(np.log(0.1))
"""A member is named as a driver from its calm 90 % on."""
NAMED: Final = 3
_ROWS_PER_S: Final = 10
_WARM_ROWS: Final = 600
_LEAST_SD: Final = 0.05
_MOST_SIGMAS: Final = 5.0
_TINY: Final = 0.01
_NEVER: Final = -(2**62)
_POOLED: Final = 0

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GroupScores:
    """Systemic score of every group at each row's instant; arrays of shape ``(n, groups)`` and more.

    Parameters
    ----------
    group_ids
        Of the second axis.
    score
        In [0, 1], below HIGH without evidence in several books and always below CRITICAL; NaN with fewer than two members scored.
    drivers
        Ids of the most stressed members, ``(n, groups, 3)``, 0 where none.
    reasons
        Code of the feature that stands first in each driver, ``(n, groups, 3)``, 0 where none.
    """

    group_ids: tuple[int, ...]
    score: _Floats
    drivers: NDArray[np.uint32]
    reasons: NDArray[np.uint8]

    def __getitem__(self, key: Any) -> GroupScores:  # noqa: ANN401 - any NumPy row index
        """Rows by slice, mask or index array."""
        return replace(self, score=self.score[key], drivers=self.drivers[key], reasons=self.reasons[key])

    @classmethod
    def concat(cls, parts: Sequence[GroupScores]) -> GroupScores:
        """Consecutive parts as one."""
        joined = {f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls) if f.name != "group_ids"}
        return cls(parts[0].group_ids, **joined)


@dataclass(frozen=True, slots=True)
class GroupModel:
    """Members of one group and the map from its raw value to a score."""

    group_id: int
    members: tuple[int, ...]
    score_map: ScoreMap


@dataclass(frozen=True, slots=True)
class Systemic:
    """What calm taught of each instrument's stress and of each group's.

    Parameters
    ----------
    knots
        Raw values of surprise 0, ln 2 and so on to ln 1000, by instrument; 0 is all of them pooled.
    groups
        Groups with at least two members among the rows.
    config
        Budgets and half-life.
    """

    knots: Mapping[int, _Floats]
    groups: tuple[GroupModel, ...]
    config: SystemicConfig

    @classmethod
    def fit(cls, ts_recv: NDArray[np.int64], instrument_id: NDArray[np.uint32], raw: _Floats, config: Config) -> Self | None:
        """Learn from calm rows the model did not learn; ``None`` where no group has two members and 200 instants among them.

        Parameters
        ----------
        ts_recv, instrument_id, raw
            Smoothed raw values, by instrument, then time, each ``(n,)``.
        config
            Groups and budgets.
        """
        ids = np.unique(instrument_id).tolist()
        knots = {_POOLED: _knots(raw)} | {int(i): _knots(raw[instrument_id == i]) for i in ids}
        order = np.argsort(ts_recv, kind="stable")
        out = cls(knots, (), config.systemic)
        surprise = out.surprises(instrument_id, raw)
        groups = []
        for group in config.groups:
            members = tuple(m for m in (config.instrument(s).instrument_id for s in group.members) if m in ids)
            if len(members) < 2:
                continue
            stress = CommonStress(members, config)
            mine = order[np.isin(instrument_id[order], members)]
            ts = ts_recv[mine]
            starts, ends = ticks(ts)
            values = [stress.step(int(ts[a]), instrument_id[mine[a:b]], surprise[mine[a:b]]) for a, b in zip(starts, ends, strict=True)]
            common = np.array(values)
            if np.isfinite(common).sum() >= ENOUGH_ROWS:
                budgets = replace(config.anomaly, budget_elevated=config.systemic.budget_elevated, budget_high=config.systemic.budget_high)
                groups.append(GroupModel(group.group_id, members, ScoreMap.fit(common, ts[starts], budgets)))
        return cls(knots, tuple(groups), config.systemic) if groups else None

    def surprise(self, instrument_id: int, raw: _Floats) -> _Floats:
        """-ln of the share of calm rows above each raw value, at most 16; NaN stays NaN."""
        knots = self.knots.get(instrument_id, self.knots[_POOLED])
        slope = max(float(knots[-1] - knots[-4]) / float(_SURPRISE[-1] - _SURPRISE[-4]), _LEAST_SLOPE)
        beyond = _SURPRISE[-1] + (raw - knots[-1]) / slope
        value: _Floats = np.where(raw > knots[-1], np.minimum(beyond, MOST_SURPRISE), np.interp(raw, knots, _SURPRISE))
        return np.where(np.isnan(raw), np.nan, value)

    def surprises(self, instrument_id: NDArray[np.uint32], raw: _Floats) -> _Floats:
        """:meth:`surprise` of rows of several instruments."""
        out = np.empty(len(raw))
        for i in np.unique(instrument_id).tolist():
            mine = instrument_id == i
            out[mine] = self.surprise(int(i), raw[mine])
        return out

    def card(self) -> dict[str, Any]:
        """Budgets and thresholds of each group."""
        groups = [{"group_id": g.group_id, "members": list(g.members), "thresholds": g.score_map.as_dict()} for g in self.groups]
        return {"settings": asdict(self.config), "groups": groups}

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**self.card(), "knots": {str(i): k.tolist() for i, k in self.knots.items()}}

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Self:
        """Rebuild."""
        groups = tuple(GroupModel(g["group_id"], tuple(g["members"]), ScoreMap.from_dict(g["thresholds"])) for g in facts["groups"])
        return cls({int(i): np.array(k) for i, k in facts["knots"].items()}, groups, SystemicConfig(**facts["settings"]))


def _knots(raw: _Floats) -> _Floats:
    knots = np.concatenate([[raw.min()], np.quantile(raw, 1 - _EXCEEDED)])
    rising: _Floats = np.maximum.accumulate(knots + 1e-9 * np.arange(len(knots)))
    return rising


def ticks(ts_recv: NDArray[np.int64]) -> tuple[list[int], list[int]]:
    """Where each instant of sorted rows begins and ends."""
    starts = np.flatnonzero(np.r_[True, np.diff(ts_recv) != 0]) if len(ts_recv) else np.empty(0, np.int64)
    return starts.tolist(), [*starts[1:].tolist(), len(ts_recv)][: len(starts)]


class CommonStress:
    """Stress of a group as its members' rows come.

    Parameters
    ----------
    members
        Instrument ids.
    config
        Half-life, staleness and share of evidence.

    Notes
    -----
    Raw value: ln(b (1 + c) + 0.01), b the mean stress of the scored members but the most stressed one (breadth and depth), c
    the correlation of their stress, 0 to 1: the mean over pairs of products of standardised stress, weights halved every
    ``half_life_s``, the most stressed one again left out. The moments that standardise are those of the rows before.
    """

    _STATE: Final = ("stress", "seen", "mean", "square", "weight", "common", "common_weight", "rows", "thin", "reason")

    def __init__(self, members: Sequence[int], config: Config) -> None:
        n, half_life_s = len(members), config.systemic.half_life_s
        self._ids = tuple(members)
        self._place = {int(m): k for k, m in enumerate(members)}
        self._stale_ns = config.snapshot.stale_after_ms * 1_000_000
        self._keep = float(0.5 ** (1.0 / (half_life_s * _ROWS_PER_S))) if half_life_s > 0 else 0.0
        self._least_thin = max(2, int(np.ceil(n * config.systemic.evidence_share)))
        self.stress, self.seen = np.full(n, np.nan), np.full(n, _NEVER, np.int64)
        self.mean, self.square, self.weight = np.zeros(n), np.zeros(n), np.zeros(n)
        self.common, self.common_weight, self.rows = np.zeros(1), np.zeros(1), np.zeros(1, np.int64)
        self.thin, self.reason = np.zeros(n, bool), np.zeros(n, np.uint8)
        self._live = np.zeros(n, bool)

    def step(
        self,
        ts: int,
        ids: NDArray[np.uint32],
        stress: _Floats,
        *,
        thin: NDArray[np.bool_] | None = None,
        reasons: NDArray[np.uint8] | None = None,
        is_grid: bool = True,
    ) -> float:
        """Take one instant's rows; the raw value then, NaN with fewer than two members scored and fresh."""
        for i, (instrument_id, value) in enumerate(zip(ids.tolist(), stress.tolist(), strict=True)):
            k = self._place.get(instrument_id)
            if k is not None:
                self.stress[k], self.seen[k] = value, ts
                self.thin[k] = thin is not None and thin[i]
                self.reason[k] = 0 if reasons is None else reasons[i]
        live = self._live = np.isfinite(self.stress) & (ts - self.seen <= self._stale_ns)
        n = int(live.sum())
        if n < 2:
            return float("nan")
        others = live.copy()
        others[int(np.where(live, self.stress, -1.0).argmax())] = False
        broad = float(self.stress[others].sum()) / (n - 1)
        if is_grid:
            self._correlate(live, others)
        return float(np.log(broad * (1.0 + self.correlation) + _TINY))

    def _correlate(self, live: NDArray[np.bool_], others: NDArray[np.bool_]) -> None:
        keep = self._keep
        warm = others & (self.rows[0] >= _WARM_ROWS) & (self.weight > 0)
        k = int(warm.sum())
        if k >= 2:
            mean = self.mean[warm] / self.weight[warm]
            sd = np.sqrt(np.maximum(self.square[warm] / self.weight[warm] - mean**2, _LEAST_SD**2))
            z = np.clip((self.stress[warm] - mean) / sd, -_MOST_SIGMAS, _MOST_SIGMAS)
            self.common[0] = keep * self.common[0] + (float(z.sum()) ** 2 - float((z**2).sum())) / (k * (k - 1))
            self.common_weight[0] = keep * self.common_weight[0] + 1.0
        x = self.stress[live]
        self.mean[live] = keep * self.mean[live] + x
        self.square[live] = keep * self.square[live] + x * x
        self.weight[live] = keep * self.weight[live] + 1.0
        self.rows[0] += 1

    @property
    def correlation(self) -> float:
        """Correlation of stress, 0 to 1; 0 while it is not known."""
        if self.common_weight[0] <= 0:
            return 0.0
        return float(min(max(self.common[0] / self.common_weight[0], 0.0), 1.0))

    @property
    def has_evidence(self) -> bool:
        """Enough books of scored members are thin at once."""
        return int((self.thin & self._live).sum()) >= self._least_thin

    def drivers(self) -> tuple[list[int], list[int]]:
        """Ids and first features of the most stressed members, the most stressed first; 0 where fewer are stressed."""
        stress = np.where(self._live, self.stress, -1.0)
        named = [int(k) for k in np.argsort(-stress, kind="stable")[:NAMED] if stress[k] >= NAMED_FROM]
        rest = [0] * (NAMED - len(named))
        return [self._ids[k] for k in named] + rest, [int(self.reason[k]) for k in named] + rest

    def facts(self) -> dict[str, Any]:
        """Plain values for a checkpoint."""
        return {name: [None if v != v else v for v in getattr(self, name).tolist()] for name in self._STATE}

    def take(self, facts: Mapping[str, Any]) -> None:
        """Go on from :meth:`facts`."""
        for name in self._STATE:
            getattr(self, name)[:] = [np.nan if v is None else v for v in facts[name]]


class SystemicStream:
    """Systemic scores as rows come, every group of a model."""

    def __init__(self, systemic: Systemic, config: Config) -> None:
        self._systemic = systemic
        anomaly = config.anomaly
        self._below = [float(np.nextafter(np.float32(cut), np.float32(0))) for cut in (anomaly.cut_high, anomaly.cut_critical)]
        self._stress = [CommonStress(g.members, replace(config, systemic=systemic.config)) for g in systemic.groups]

    def update(
        self,
        ts_recv: NDArray[np.int64],
        ids: NDArray[np.uint32],
        raw: _Floats,
        thin: NDArray[np.bool_],
        reasons: NDArray[np.uint8],
        grid: NDArray[np.bool_],
    ) -> GroupScores:
        """Score the next rows, whole instants, all arrays ``(n,)``."""
        n, many = len(ts_recv), len(self._stress)
        surprise = self._systemic.surprises(ids, raw)
        common, has = np.full((n, many), np.nan), np.zeros((n, many), bool)
        drivers, why = np.zeros((n, many, NAMED), np.uint32), np.zeros((n, many, NAMED), np.uint8)
        for a, b in zip(*ticks(ts_recv), strict=True):
            for g, stress in enumerate(self._stress):
                common[a:b, g] = stress.step(
                    int(ts_recv[a]), ids[a:b], surprise[a:b], thin=thin[a:b], reasons=reasons[a:b], is_grid=bool(grid[a:b].all())
                )
                has[a:b, g] = stress.has_evidence
                drivers[a:b, g], why[a:b, g] = stress.drivers()
        score = np.empty((n, many))
        for g, group in enumerate(self._systemic.groups):
            score[:, g] = group.score_map(common[:, g])
        score = np.where(has, np.minimum(score, self._below[1]), np.minimum(score, self._below[0]))
        return GroupScores(tuple(g.group_id for g in self._systemic.groups), score, drivers, why)

    def facts(self) -> list[dict[str, Any]]:
        """Plain values for a checkpoint."""
        return [stress.facts() for stress in self._stress]

    def take(self, facts: Sequence[Mapping[str, Any]]) -> None:
        """Go on from :meth:`facts`.

        Raises
        ------
        ModelError
            If they are of other groups.
        """
        if len(facts) != len(self._stress):
            raise ModelError(f"checkpoint holds the stress of {len(facts)} groups; the model has {len(self._stress)}")
        for stress, told in zip(self._stress, facts, strict=True):
            stress.take(told)
