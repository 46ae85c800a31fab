# SPDX-License-Identifier: Apache-2.0
"""Which regime a market is in: a Gaussian hidden Markov model read forwards only, with hysteresis, and an alarm where no known one fits.

Fitted offline with hmmlearn; the filter is ours, because hmmlearn's ``predict`` smooths, which looks ahead (Rabiner 1989; Hamilton 1989).
A regime is context: it may tighten what a score stands for and never loosens it.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade.domain.config import AnomalyConfig
from pretrade.domain.errors import MissingExtraError, ModelError
from pretrade.features import Features
from pretrade.models.score_map import ScoreMap

INPUTS: Final = ("rv_1m", "spread_bps", "depth")
"""Logarithms of one-minute volatility, spread and visible depth of both sides."""
STEP_ROWS: Final = 50
"""A regime is looked at every five seconds of the grid."""
NOVEL: Final = -1
NOVEL_SHARE: Final = 1e-3
NOVEL_STEPS: Final = 6
DWELL_STEPS: Final = 6
SURE: Final = 0.7
STATES: Final = (2, 3, 4, 5)
_LEAST: Final = np.array([1e-3, 1e-3, 1.0])
_LEAST_SD: Final = 0.05
_LOG_2PI: Final = float(np.log(2 * np.pi))

_Floats = NDArray[np.float64]


def observe(rows: Features) -> tuple[NDArray[np.int64], _Floats]:
    """Times and inputs ``(n, 3)`` of every fiftieth sound row of one instrument; rows with an undefined input are left out."""
    kept = rows[rows.is_scored & (rows.rows["kind"] == 0)][::STEP_ROWS]
    columns = (kept.column("rv_1m"), kept.column("spread_bps"), kept.column("depth_bid") + kept.column("depth_ask"))
    x = np.log(np.maximum(np.stack(columns, axis=1), 0.0) + _LEAST)
    known = np.isfinite(x).all(axis=1)
    return kept.ts_recv[known], x[known]


@dataclass(frozen=True, slots=True)
class RegimeModel:
    """States ordered by volatility, the calmest first.

    Parameters
    ----------
    start, transition
        Probabilities ``(k,)`` and ``(k, k)``.
    mean, sd
        Of each state's inputs, ``(k, 3)``.
    novel_below
        Mean log density of :data:`NOVEL_STEPS` steps below which no known regime fits.
    budget_factors
        Factor on the false-alarm budgets per state and, last, where none fits; at least 1: more alarms are allowed, never fewer.
    """

    start: _Floats
    transition: _Floats
    mean: _Floats
    sd: _Floats
    novel_below: float
    budget_factors: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.budget_factors) != len(self) + 1:
            raise ModelError(f"{len(self.budget_factors)} budget factors were given for {len(self)} regimes and none; there must be {len(self) + 1}")
        if min(self.budget_factors) < 1.0:
            raise ModelError(f"a budget factor is {min(self.budget_factors)}; below 1 it would loosen, which a regime never does")

    def __len__(self) -> int:
        return len(self.start)

    @classmethod
    def fit(cls, x: _Floats, states: int, *, seed: int = 0, previous: RegimeModel | None = None, factor: float = 2.0) -> RegimeModel:
        """Fit on inputs of calm and volatile stretches, all in time order.

        Parameters
        ----------
        x
            Inputs ``(n, 3)``.
        states
            How many.
        seed
            Of the start.
        previous
            The model this one follows: states take the places of its nearest ones. By volatility without it.
        factor
            On the budgets of the most volatile state and of none.

        Raises
        ------
        MissingExtraError
            If hmmlearn is not installed.
        """
        try:
            from hmmlearn.hmm import GaussianHMM  # type: ignore[import-untyped]
        except ImportError as e:
            raise MissingExtraError("hmmlearn", "research") from e
        hmm = GaussianHMM(states, covariance_type="diag", n_iter=50, tol=1e-3, random_state=seed, min_covar=_LEAST_SD**2)
        hmm.fit(x)
        sd = np.sqrt(np.maximum(np.array([np.diag(c) for c in hmm.covars_]), _LEAST_SD**2))
        parts = np.array(hmm.startprob_), np.array(hmm.transmat_), np.array(hmm.means_), sd
        order = np.argsort(parts[2][:, 0], kind="stable") if previous is None else _nearest(previous.mean, parts[2], sd)
        start, transition, mean, sd = parts[0][order], parts[1][np.ix_(order, order)], parts[2][order], parts[3][order]
        factors = (*([1.0] * (states - 1)), factor, factor)
        first = cls(start, transition, mean, sd, -np.inf, factors)
        density = first.filter(x)[1]
        steady = np.convolve(density, np.full(NOVEL_STEPS, 1 / NOVEL_STEPS), mode="valid")
        return cls(start, transition, mean, sd, float(np.quantile(steady, NOVEL_SHARE)), factors)

    def log_density(self, x: _Floats) -> _Floats:
        """Log density of each row in each state, ``(n, k)``."""
        u = (x[:, None, :] - self.mean) / self.sd
        out: _Floats = -0.5 * (u**2).sum(axis=2) - np.log(self.sd).sum(axis=1) - 0.5 * x.shape[1] * _LOG_2PI
        return out

    def filter(self, x: _Floats, before: _Floats | None = None) -> tuple[_Floats, _Floats]:
        """Probabilities of each state given the rows up to it ``(n, k)``, and log density of each row given those before ``(n,)``.

        ``before`` are the probabilities after the row before the first; the start's without.
        """
        density = self.log_density(x)
        out, told = np.empty_like(density), np.empty(len(x))
        now = None if before is None else before @ self.transition
        for t in range(len(x)):
            prior = self.start if now is None else now
            joint = density[t] + np.log(np.maximum(prior, 1e-300))
            most = joint.max()
            weight = np.exp(joint - most)
            told[t] = most + np.log(weight.sum())
            out[t] = weight / weight.sum()
            now = out[t] @ self.transition
        return out, told

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        arrays = {name: getattr(self, name).tolist() for name in ("start", "transition", "mean", "sd")}
        return {"inputs": list(INPUTS), **arrays, "novel_below": self.novel_below, "budget_factors": list(self.budget_factors)}

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> RegimeModel:
        """Rebuild.

        Raises
        ------
        ModelError
            If it reads other inputs.
        """
        if tuple(facts["inputs"]) != INPUTS:
            raise ModelError(f"the regime model reads {facts['inputs']}; this version computes {list(INPUTS)}")
        arrays = {name: np.array(facts[name], np.float64) for name in ("start", "transition", "mean", "sd")}
        return cls(**arrays, novel_below=float(facts["novel_below"]), budget_factors=tuple(facts["budget_factors"]))


def load(folder: Path) -> RegimeModel:
    """Read a saved regime model.

    Raises
    ------
    ModelError
        If the folder holds none.
    """
    try:
        return RegimeModel.from_dict(json.loads((folder / "model.json").read_text(encoding="utf-8")))
    except (OSError, KeyError, ValueError, TypeError) as e:
        raise ModelError(f"{folder} is no regime model: {e!r}") from e


def _nearest(before: _Floats, mean: _Floats, sd: _Floats) -> NDArray[np.intp]:
    """Order that puts each state where its nearest one stood; all of them at the least total distance."""
    if before.shape != mean.shape:
        return np.argsort(mean[:, 0], kind="stable")
    distance = (((before[:, None, :] - mean) / sd) ** 2).sum(axis=2)
    places = range(len(mean))
    best = min(itertools.permutations(places), key=lambda p: sum(distance[i, p[i]] for i in places))
    return np.array(best, np.intp)


class RegimeStream:
    """Regimes as observations come: switched only where another state is sure and stays so.

    Parameters
    ----------
    model
        Fitted.
    """

    def __init__(self, model: RegimeModel) -> None:
        self._model = model
        self._posterior: _Floats | None = None
        self._regime, self._candidate, self._held = NOVEL, NOVEL, 0
        self._recent: list[float] = []

    def update(self, x: _Floats) -> NDArray[np.int8]:
        """Regime after each observation ``(n, 3)``; :data:`NOVEL` where no known one fits."""
        if len(x) == 0:
            return np.empty(0, np.int8)
        posterior, density = self._model.filter(x, self._posterior)
        self._posterior = posterior[-1]
        return np.array([self._step(p, d) for p, d in zip(posterior, density.tolist(), strict=True)], np.int8)

    def _step(self, posterior: _Floats, density: float) -> int:
        best = int(posterior.argmax())
        if self._regime == NOVEL:
            self._regime = best
        self._held = self._held + 1 if best == self._candidate and posterior[best] >= SURE else 0
        self._candidate = best
        if best != self._regime and self._held >= DWELL_STEPS:
            self._regime = best
        self._recent = [*self._recent[1 - NOVEL_STEPS :], density]
        is_novel = len(self._recent) == NOVEL_STEPS and float(np.mean(self._recent)) < self._model.novel_below
        return NOVEL if is_novel else self._regime


def at_rows(ts_recv: NDArray[np.int64], ts_seen: NDArray[np.int64], regime: NDArray[np.int8]) -> NDArray[np.int8]:
    """Regime known at each row: the last one seen at or before it; the calmest before the first."""
    place = np.searchsorted(ts_seen, ts_recv, side="right") - 1
    return np.where(place >= 0, regime[np.maximum(place, 0)], 0).astype(np.int8) if len(regime) else np.zeros(len(ts_recv), np.int8)


def tightened(raw: _Floats, regime: NDArray[np.int8], model: RegimeModel, score_map: ScoreMap, config: AnomalyConfig) -> _Floats:
    """Scores of raw values at each row's regime: the higher of what the stated budget and the regime's budget make of it.

    Never below ``score_map(raw)``, whatever the regime says.
    """
    score = score_map(raw)
    for state, factor in enumerate(model.budget_factors):
        mine = regime == (state if state < len(model) else NOVEL)
        if factor > 1.0 and mine.any():
            score[mine] = np.fmax(score[mine], score_map.at(factor, config)(raw[mine]))
    return score


def choose(x: _Floats, held: _Floats, states: Sequence[int] = STATES, *, seed: int = 0) -> tuple[RegimeModel, dict[int, float]]:
    """The number of states with the highest log density of rows that were not fitted, and that of each number."""
    fitted = {k: RegimeModel.fit(x, k, seed=seed) for k in states}
    density = {k: float(m.filter(held)[1].mean()) for k, m in fitted.items()}
    return fitted[max(density, key=lambda k: density[k])], density


class JumpModel:
    """Challenger: states that minimise distance plus a penalty per switch (Bemporad et al. 2018; Nystrup et al. 2020), read forwards.

    Parameters
    ----------
    states
        How many.
    penalty
        Cost of a switch, in squared standard deviations.
    """

    def __init__(self, states: int, penalty: float) -> None:
        self._states, self._penalty = states, penalty
        self._centre: _Floats = np.empty((0, 0))
        self._scale: _Floats = np.empty(0)

    def fit(self, x: _Floats, *, seed: int = 0, rounds: int = 10) -> JumpModel:
        """Coordinate descent between centres and the best path."""
        self._scale = x.std(axis=0) + 1e-9
        rng = np.random.Generator(np.random.PCG64(seed))
        u = x / self._scale
        self._centre = u[np.sort(rng.choice(len(u), self._states, replace=False))]
        self._centre = self._centre[np.argsort(self._centre[:, 0])]
        for _ in range(rounds):
            path = self._path(u)
            self._centre = np.array([u[path == k].mean(axis=0) if (path == k).any() else self._centre[k] for k in range(self._states)])
        self._centre = self._centre[np.argsort(self._centre[:, 0])]
        return self

    def _costs(self, u: _Floats) -> _Floats:
        distance: _Floats = ((u[:, None, :] - self._centre) ** 2).sum(axis=2)
        return distance

    def _path(self, u: _Floats) -> NDArray[np.int64]:
        """The cheapest path, which looks ahead: for fitting only."""
        cost, back = self._costs(u), np.zeros((len(u), self._states), np.int64)
        total = cost[0]
        for t in range(1, len(u)):
            switch = total.min() + self._penalty
            back[t] = np.where(total <= switch, np.arange(self._states), int(total.argmin()))
            total = np.minimum(total, switch) + cost[t]
        path = np.empty(len(u), np.int64)
        path[-1] = int(total.argmin())
        for t in range(len(u) - 1, 0, -1):
            path[t - 1] = back[t, path[t]]
        return path

    def read(self, x: _Floats) -> NDArray[np.int64]:
        """State after each row, from the rows up to it."""
        cost = self._costs(x / self._scale)
        total, out = cost[0], np.empty(len(x), np.int64)
        out[0] = int(total.argmin())
        for t in range(1, len(x)):
            total = np.minimum(total, total.min() + self._penalty) + cost[t]
            total -= total.min()
            out[t] = int(total.argmin())
        return out
