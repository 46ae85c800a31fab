# SPDX-License-Identifier: Apache-2.0
"""The shared block of every anomaly model: normalise, score, smooth, map, cap by evidence; batch is stream in one chunk."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from pretrade.domain.config import AnomalyConfig, Config, EvidenceConfig
from pretrade.domain.errors import LookaheadError, ModelError
from pretrade.features import CODE_HASH, VECTOR, Features
from pretrade.models.intervals import later_rates, tail_intervals
from pretrade.models.normaliser import Normaliser, Season
from pretrade.models.score_map import ScoreMap
from pretrade.models.scores import Scores
from pretrade.models.stream import ScoreStream, causal_median
from pretrade.models.systemic import Systemic

if TYPE_CHECKING:
    from pretrade.models.onnx_graph import Graph

FIT_SHARE: Final = 0.7
LONG_ROWS: Final = 300_000
LONG_FIT_SHARE: Final = 0.25
"""A long history teaches the model from its first quarter: thresholds need the days more than the model does."""
_TINY: Final = 1e-9
_OF_OTHERS: Final = [VECTOR.index(name) for name in ("factor_return_1s", "residual_return_1s", "corr_5m")]


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
        self._season: Season | None = None
        self._map: ScoreMap | None = None
        self.systemic: Systemic | None = None
        """What it knows of the groups of the configuration it was fitted under; ``None`` where it saw no two members of one."""
        self._fitted: dict[str, Any] = {}
        self._id = ""
        self.files: dict[str, str] = {}
        """SHA-256 of each file that holds the model, once saved or loaded."""

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

    def graph(self) -> Graph | None:
        """What :meth:`parts` computes, as an ONNX graph; ``None`` where there is none."""
        return None

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
        order = np.argsort(held.instrument_id, kind="stable")
        ids, ts = held.instrument_id[order], held.ts_recv[order]
        smooth = self._smoothed(raw[order], ids)
        self._season = Season.fit(smooth, ts, ids)
        level = self._season(smooth, ts, ids)
        self._map = ScoreMap.fit(level, ts, self.config.anomaly, ids)
        self.systemic = None
        if self.config.groups and len(np.unique(ids)) > 1:
            own = self._smoothed(self.own_raw(held)[order], ids)
            self.systemic = Systemic.fit(ts, ids, self._season(own, ts, ids), self.config)
        self._fitted = {
            "rows": len(rows),
            "calibration_rows": len(held),
            "fit_from_ns": int(rows.ts_recv.min()),
            "fit_until_ns": int(max(rows.ts_recv.max(), held.ts_recv.max())),
            "calibrated_from_ns": int(held.ts_recv.min()),
            "instruments": np.unique(rows.instrument_id).tolist(),
            "seed": seed,
            "rows_sha256": _hash(rows),
            "calibration_rows_sha256": _hash(held),
            "feature_code": CODE_HASH,
            "intervals": tail_intervals(level, ts, ids, self._map, self.config.anomaly, seed=seed),
            "later": later_rates(level, ts, ids, self.config.anomaly),
        }
        self._id, self.files = "", {}
        return self

    def _smoothed(self, raw: NDArray[np.float64], ids: NDArray[np.uint32]) -> NDArray[np.float64]:
        """Causal medians of raw values sorted by instrument, then time."""
        parts = np.split(raw, np.flatnonzero(np.diff(ids)) + 1)
        return np.concatenate([causal_median(part, self.config.anomaly.smoothing_rows) for part in parts])

    @property
    def normaliser(self) -> Normaliser:
        """The fitted normaliser."""
        if self._normaliser is None:
            raise ModelError(f"this {self.kind} model is not fitted; call fit first")
        return self._normaliser

    @property
    def season(self) -> Season:
        """What instrument and time of day add to raw values."""
        if self._season is None:
            raise ModelError(f"this {self.kind} model is not fitted; call fit first")
        return self._season

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

    def own_raw(self, features: Features) -> NDArray[np.float64]:
        """Raw value (log) of each row ``(n,)`` as if the columns that say what other instruments do were at their calm median."""
        z = self.normaliser(features)
        z[:, _OF_OTHERS] = 0.0
        raw: NDArray[np.float64] = np.log(self.parts(z).mean(axis=1) + _TINY)
        return raw

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
        """What it is, what it was fitted on, its budgets, how sure its thresholds are and what they let through on later calm rows."""
        a = self.config.anomaly
        return {
            "kind": self.kind,
            "id": self.id,
            "fitted": self._fitted,
            "provisional": self.provisional,
            "budgets_per_instrument_day": {"elevated": a.budget_elevated, "high": a.budget_high},
            "thresholds": self.score_map.as_dict(),
            "files": {"authoritative": "model.json", "sha256": self.files},
            **({} if self.systemic is None else {"systemic": self.systemic.card()}),
        }

    def restore(self, facts: dict[str, Any]) -> None:
        """Take over what :meth:`as_dict` gave; budgets, cuts and evidence are those it was fitted with."""
        settings = facts["settings"]
        anomaly, evidence = AnomalyConfig(**settings["anomaly"]), EvidenceConfig(**settings["evidence"])
        self.config = replace(self.config, anomaly=anomaly, evidence=evidence)
        self._normaliser = Normaliser.from_dict(facts["normaliser"])
        self._season = Season.from_dict(facts["season"])
        self._map = ScoreMap.from_dict(facts["score_map"])
        self._fitted = facts["fitted"]
        self.systemic = Systemic.from_dict(facts["systemic"]) if "systemic" in facts else None
        self.core_from_dict(facts["core"])

    def as_dict(self) -> dict[str, Any]:
        """Everything fitted, as plain values."""
        return {
            "kind": self.kind,
            "normaliser": self.normaliser.as_dict(),
            "season": self.season.as_dict(),
            "score_map": self.score_map.as_dict(),
            "fitted": self._fitted,
            "settings": {"anomaly": asdict(self.config.anomaly), "evidence": asdict(self.config.evidence)},
            "core": self.core_as_dict(),
            **({} if self.systemic is None else {"systemic": self.systemic.as_dict()}),
        }


def _hash(features: Features) -> str:
    return hashlib.sha256(features.rows.tobytes()).hexdigest()
