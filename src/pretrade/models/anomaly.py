# SPDX-License-Identifier: Apache-2.0
"""The shared block of every anomaly model: normalise, score, smooth, map, cap by evidence; batch is stream in one chunk."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from pretrade.domain.config import Config
from pretrade.domain.errors import LookaheadError, ModelError
from pretrade.features import Features
from pretrade.models.evidence import COLUMNS, evidence
from pretrade.models.normaliser import Normaliser
from pretrade.models.score_map import ScoreMap
from pretrade.models.scores import Scores

FIT_SHARE: Final = 0.7
LONG_ROWS: Final = 300_000
LONG_FIT_SHARE: Final = 0.25
"""A long history teaches the model from its first quarter: thresholds need the days more than the model does."""
WINDOW_ROWS: Final = 10
_TINY: Final = 1e-9


class AnomalyModel(Protocol):
    """What any anomaly model offers, ours or a user's."""

    kind: ClassVar[str]

    @property
    def id(self) -> str:
        """Content hash of everything fitted."""
        ...

    @property
    def provisional(self) -> bool:
        """The history was too short for its budgets."""
        ...

    @property
    def fit_until_ns(self) -> int:
        """Latest ``ts_recv`` the model or its thresholds saw."""
        ...

    def fit(self, features: Features, *, seed: int = 0, calibrate_on: Features | None = None) -> Self:
        """Learn calm."""
        ...

    def score(self, features: Features) -> Scores:
        """Score rows in ``ts_recv`` order."""
        ...

    def stream(self) -> ScoreStream:
        """A scorer that keeps the few rows of history it needs."""
        ...

    def save(self, folder: Path) -> None:
        """Save."""
        ...

    def card(self) -> dict[str, Any]:
        """What it is, what it was fitted on, its limits."""
        ...


class Anomaly(ABC):
    """Base of our models; a user's model in one file derives from it and gives :meth:`fit_core` and :meth:`parts`.

    Parameters
    ----------
    config
        Budgets, cuts and evidence; the packaged configuration where ``None``.
    """

    kind: ClassVar[str]

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config.load()
        self._normaliser: Normaliser | None = None
        self._map: ScoreMap | None = None
        self._fitted: dict[str, Any] = {}
        self._id = ""

    @abstractmethod
    def fit_core(self, z: NDArray[np.float64], seed: int) -> None:
        """Learn from normalised calm rows ``(n, 32)``."""

    @abstractmethod
    def parts(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """Part of each feature in how far a row is from calm, ``(n, 32)``, not negative; the raw value is their mean."""

    @abstractmethod
    def core_as_dict(self) -> dict[str, Any]:
        """What :meth:`fit_core` learned, as plain values."""

    @abstractmethod
    def core_from_dict(self, facts: dict[str, Any]) -> None:
        """Take over what was learned."""

    def fit(self, features: Features, *, seed: int = 0, calibrate_on: Features | None = None) -> Self:
        """Learn calm rows and set the thresholds on calm rows the model did not learn.

        Parameters
        ----------
        features
            Calm rows in ``ts_recv`` order.
        seed
            Of any randomness.
        calibrate_on
            Calm rows for the thresholds; the last 30 % of ``features`` (75 % of a long history) where ``None``.

        Raises
        ------
        ModelError
            If there are too few rows.
        """
        rows = features[features.is_scored]
        if calibrate_on is None:
            cut = int(len(rows) * (FIT_SHARE if len(rows) < LONG_ROWS else LONG_FIT_SHARE))
            rows, held = rows[:cut], rows[cut:]
        else:
            held = calibrate_on[calibrate_on.is_scored]
        self._normaliser = Normaliser.fit(rows)
        self.fit_core(self._normaliser(rows), seed)
        raw = np.log(self.parts(self._normaliser(held)).mean(axis=1) + _TINY)
        smooth = np.concatenate([_median(raw[held.instrument_id == i], self.config.anomaly.smoothing_rows) for i in np.unique(held.instrument_id)])
        ts = np.concatenate([held.ts_recv[held.instrument_id == i] for i in np.unique(held.instrument_id)])
        self._map = ScoreMap.fit(smooth, ts, self.config.anomaly)
        self._fitted = {
            "rows": len(rows),
            "calibration_rows": len(held),
            "fit_from_ns": int(rows.ts_recv.min()),
            "fit_until_ns": int(max(rows.ts_recv.max(), held.ts_recv.max())),
            "instruments": sorted({int(i) for i in rows.instrument_id}),
            "seed": seed,
        }
        self._id = ""
        return self

    @property
    def normaliser(self) -> Normaliser:
        """The fitted normaliser."""
        if self._normaliser is None:
            raise ModelError(f"this {self.kind} model is not fitted; call fit first")
        return self._normaliser

    @property
    def score_map(self) -> ScoreMap:
        """The fitted map from raw values to scores."""
        if self._map is None:
            raise ModelError(f"this {self.kind} model is not fitted; call fit first")
        return self._map

    @property
    def provisional(self) -> bool:
        """The history was too short for its budgets."""
        return self.score_map.provisional

    @property
    def fit_until_ns(self) -> int:
        """Latest ``ts_recv`` the model or its thresholds saw."""
        return int(self._fitted.get("fit_until_ns", 0))

    @property
    def id(self) -> str:
        """Content hash of everything fitted."""
        if not self._id:
            from pretrade.models.store import content_id

            self._id = content_id(self)
        return self._id

    def raw_and_parts(self, features: Features) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Unsmoothed raw value (log) ``(n,)`` and parts ``(n, 32)``; NaN raw where a row may not be scored."""
        parts = self.parts(self.normaliser(features))
        raw = np.log(parts.mean(axis=1) + _TINY)
        return np.where(features.is_scored, raw, np.nan), parts

    def score(self, features: Features) -> Scores:
        """Score rows in ``ts_recv`` order; the same as one chunk through :meth:`stream`."""
        return self.stream().update(features)

    def evaluate(self, features: Features) -> Scores:
        """Score rows for an evaluation.

        Raises
        ------
        LookaheadError
            If a row lies at or before ``fit_until_ns``.
        """
        if len(features) and int(features.ts_recv.min()) <= self.fit_until_ns:
            raise LookaheadError(f"row at {int(features.ts_recv.min())} is not after fit_until_ns {self.fit_until_ns}; it cannot be evaluated")
        return self.score(features)

    def stream(self) -> ScoreStream:
        """A scorer that keeps the few rows of history it needs."""
        return ScoreStream(self)

    def save(self, folder: Path) -> None:
        """Save as plain files; see :mod:`pretrade.models.store`."""
        from pretrade.models.store import save

        save(self, folder)

    def card(self) -> dict[str, Any]:
        """What it is, what it was fitted on, budgets and realised rates."""
        a = self.config.anomaly
        return {
            "kind": self.kind,
            "fitted": self._fitted,
            "provisional": self.provisional,
            "budgets_per_instrument_day": {"elevated": a.budget_elevated, "high": a.budget_high},
            "thresholds": self.score_map.as_dict(),
        }

    def restore(self, facts: dict[str, Any]) -> None:
        """Take over what :meth:`as_dict` gave."""
        self._normaliser = Normaliser.from_dict(facts["normaliser"])
        self._map = ScoreMap.from_dict(facts["score_map"])
        self._fitted = facts["fitted"]
        self.core_from_dict(facts["core"])

    def as_dict(self) -> dict[str, Any]:
        """Everything fitted, as plain values."""
        return {
            "kind": self.kind,
            "normaliser": self.normaliser.as_dict(),
            "score_map": self.score_map.as_dict(),
            "fitted": self._fitted,
            "core": self.core_as_dict(),
        }


class ScoreStream:
    """Scores chunks of rows as if they were one table.

    Parameters
    ----------
    model
        A fitted model.
    """

    def __init__(self, model: Anomaly) -> None:
        self._model = model
        self._past: dict[int, NDArray[np.float64]] = {}

    def update(self, features: Features) -> Scores:
        """Score the next rows, in ``ts_recv`` order.

        Notes
        -----
        Event-driven rows see the history but do not enter it: windows are of grid rows and the row itself.
        """
        model, n = self._model, len(features)
        raw, parts = model.raw_and_parts(features)
        columns = np.column_stack([raw, *(features.column(name) for name in COLUMNS)]) if n else np.empty((0, 1 + len(COLUMNS)))
        smooth, high, critical = np.full(n, np.nan), np.zeros(n, bool), np.zeros(n, bool)
        grid = features.rows["kind"] == 0
        for instrument_id in np.unique(features.instrument_id).tolist():
            mine = np.flatnonzero(features.instrument_id == instrument_id)
            past = self._past.get(instrument_id)
            if past is None:
                past = np.full((WINDOW_ROWS - 1, columns.shape[1]), np.nan)
            windows, past = _windows(columns[mine], grid[mine], past)
            self._past[instrument_id] = past
            smooth[mine] = _nan_median(windows[:, -model.config.anomaly.smoothing_rows :, 0])
            high[mine], critical[mine] = evidence(windows[:, :, 1:], model.config.evidence)
        smooth = np.where(np.isnan(raw), np.nan, smooth)
        score = _capped(model, model.score_map(smooth), smooth, high, critical, has_book=~np.isnan(columns[:, 3]) if n else np.zeros(0, bool))
        order = np.argsort(-parts, axis=1, kind="stable")[:, :3]
        top = np.take_along_axis(parts, order, axis=1)
        codes = np.where((top > 0) & ~np.isnan(raw)[:, None], order + 1, 0).astype(np.uint8)
        return Scores(
            features.ts_recv,
            features.instrument_id,
            features.phase,
            features.feed_state,
            smooth,
            score,
            high,
            critical,
            codes,
            top,
            features,
            model.id,
            model.provisional,
        )


def _capped(
    model: Anomaly,
    score: NDArray[np.float64],
    raw: NDArray[np.float64],
    high: NDArray[np.bool_],
    critical: NDArray[np.bool_],
    *,
    has_book: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Evidence caps: below HIGH without evidence for HIGH, below CRITICAL without evidence for CRITICAL, and CRITICAL with it."""
    a = model.config.anomaly
    score = np.where(has_book & ~high & ~critical, np.minimum(score, np.nextafter(a.cut_high, 0)), score)
    score = np.where(~critical, np.minimum(score, np.nextafter(a.cut_critical, 0)), score)
    with np.errstate(invalid="ignore"):
        return np.where(critical & (raw >= model.score_map.raw_high), np.maximum(score, a.cut_critical), score)


def _windows(rows: NDArray[np.float64], grid: NDArray[np.bool_], past: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Window of each row ``(n, 10, k)`` over the grid rows before it and itself, and the history left behind."""
    if grid.all():
        everything = np.concatenate([past, rows])
        windows = np.lib.stride_tricks.sliding_window_view(everything, WINDOW_ROWS, axis=0).transpose(0, 2, 1)
        return windows, everything[-(WINDOW_ROWS - 1) :].copy()
    out = np.empty((len(rows), WINDOW_ROWS, rows.shape[1]))
    for i, row in enumerate(rows):
        out[i] = np.concatenate([past, row[None]])
        if grid[i]:
            past = out[i][1:].copy()
    return out, past


def _nan_median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median over the last axis that leaves NaN out; NaN where all are."""
    ordered = np.sort(values, axis=1)
    count = (~np.isnan(values)).sum(axis=1)
    low, high = np.maximum((count - 1) // 2, 0), np.maximum(count // 2, 0)
    rows = np.arange(len(values))
    middle = (ordered[rows, low] + ordered[rows, np.minimum(high, values.shape[1] - 1)]) / 2
    return np.where(count > 0, middle, np.nan)


def _median(raw: NDArray[np.float64], rows: int) -> NDArray[np.float64]:
    padded = np.concatenate([np.full(rows - 1, np.nan), raw])
    return _nan_median(np.lib.stride_tricks.sliding_window_view(padded, rows))
