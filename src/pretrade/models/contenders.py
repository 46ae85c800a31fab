# SPDX-License-Identifier: Apache-2.0
"""Rivals that a champion must beat, each a raw value per row; they are compared in studies and serve nobody.

What serves derives from :class:`~pretrade.models.anomaly.Anomaly` and joins here through :class:`Served`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from pretrade.domain.config import Config
from pretrade.domain.errors import MissingExtraError, ModelError
from pretrade.features import VECTOR
from pretrade.models.anomaly import Anomaly
from pretrade.models.pca import PcaAnomaly
from pretrade.models.rules import DepthRule, MinRule, RvRule
from pretrade.models.vae import VaeAnomaly

_TINY: Final = 1e-9
_RV, _SPREAD = VECTOR.index("rv_10s"), VECTOR.index("spread_bps")
_DEPTH: Final = [VECTOR.index("depth_rel_bid"), VECTOR.index("depth_rel_ask")]
_LEAST: Final = 0.25
FOREST_TREES: Final = 100
FOREST_ROWS: Final = 256
LAG_ROWS: Final = 10
"""A forecaster looks one second ahead."""
EWMA_WEIGHT: Final = 0.2
RIDGE: Final = 10.0
_MOST_GAP_NS: Final = 2 * LAG_ROWS * 100_000_000

_Floats = NDArray[np.float64]
_Times = NDArray[np.int64]


class Contender(Protocol):
    """Learns normalised calm rows and gives one raw value (log scale, higher is worse) per row."""

    kind: ClassVar[str]

    def fit(self, z: _Floats, ts_recv: _Times, seed: int) -> None:
        """Learn rows ``(n, 32)`` of one or several instruments."""
        ...

    def raw(self, z: _Floats, ts_recv: _Times) -> _Floats:
        """Raw values ``(n,)`` of rows of one instrument in time order; row ``t`` uses rows up to ``t``."""
        ...


class Served:
    """A model that also serves, as a contender."""

    def __init__(self, model: Anomaly) -> None:
        self._model = model
        self.kind = model.kind

    def fit(self, z: _Floats, ts_recv: _Times, seed: int) -> None:
        """Learn."""
        self._model.fit_core(z, seed)

    def raw(self, z: _Floats, ts_recv: _Times) -> _Floats:
        """Logarithm of the mean part."""
        raw: _Floats = np.log(self._model.parts(z).mean(axis=1) + _TINY)
        return raw


class MaxZ:
    """Largest of the z-scores of ten-second volatility, spread and thinness of the thinner side."""

    kind: ClassVar[str] = "max_z"

    def fit(self, z: _Floats, ts_recv: _Times, seed: int) -> None:
        """Nothing to learn."""

    def raw(self, z: _Floats, ts_recv: _Times) -> _Floats:
        """The largest."""
        largest: _Floats = np.maximum.reduce([z[:, _RV], z[:, _SPREAD], -z[:, _DEPTH].min(axis=1)])
        return largest


class Mahalanobis:
    """Distance from calm in units of a shrunk covariance (Ledoit, Wolf 2004)."""

    kind: ClassVar[str] = "mahalanobis"

    def __init__(self) -> None:
        self._mean: _Floats = np.empty(0)
        self._whitener: _Floats = np.empty((0, 0))

    def _smooth(self, z: _Floats) -> _Floats:
        return z

    def fit(self, z: _Floats, ts_recv: _Times, seed: int) -> None:
        """Mean, and the inverse root of the shrunk covariance."""
        z = self._smooth(z)
        self._mean = z.mean(axis=0)
        covariance = shrunk_covariance(z - self._mean)
        self._whitener = np.linalg.cholesky(np.linalg.inv(covariance))

    def raw(self, z: _Floats, ts_recv: _Times) -> _Floats:
        """Logarithm of the mean squared distance per feature."""
        distance = ((self._smooth(z) - self._mean) @ self._whitener) ** 2
        raw: _Floats = np.log(distance.mean(axis=1) + _TINY)
        return raw


class EwmaMahalanobis(Mahalanobis):
    """The same distance of exponentially weighted rows (Lowry et al. 1992)."""

    kind: ClassVar[str] = "ewma_mahalanobis"

    def _smooth(self, z: _Floats) -> _Floats:
        out = z.copy()
        for t in range(1, len(out)):
            out[t] = EWMA_WEIGHT * z[t] + (1 - EWMA_WEIGHT) * out[t - 1]
        return out


def shrunk_covariance(x: _Floats) -> _Floats:
    """Covariance of centred rows ``(n, p)``, shrunk towards a multiple of one (Ledoit, Wolf 2004); positive definite."""
    n, p = x.shape
    sample = x.T @ x / n
    mean = float(np.trace(sample)) / p
    far = float(((sample - mean * np.eye(p)) ** 2).sum())
    spread = float(((x**2).T @ (x**2)).sum() / n - (sample**2).sum()) / n
    share = min(spread / far, 1.0) if far > 0 else 1.0
    shrunk: _Floats = (1 - share) * sample + (share * mean + 1e-6) * np.eye(p)
    return shrunk


class IsolationForest:
    """How few random cuts isolate a row (Liu, Ting, Zhou 2008); scikit-learn's, 100 trees of 256 rows."""

    kind: ClassVar[str] = "isolation_forest"

    def fit(self, z: _Floats, ts_recv: _Times, seed: int) -> None:
        """Grow the trees.

        Raises
        ------
        MissingExtraError
            If scikit-learn is not installed.
        """
        try:
            from sklearn import ensemble
        except ImportError as e:
            raise MissingExtraError("scikit-learn", "research") from e
        self._forest = ensemble.IsolationForest(n_estimators=FOREST_TREES, max_samples=FOREST_ROWS, random_state=seed, n_jobs=1)
        self._forest.fit(z.astype(np.float32))

    def raw(self, z: _Floats, ts_recv: _Times) -> _Floats:
        """Binary logarithm of the anomaly score: minus the mean depth in units of what is usual."""
        raw: _Floats = np.log2(-self._forest.score_samples(z.astype(np.float32)))
        return raw


class Forecaster:
    """Error of a linear forecast of each feature one second ahead (ridge); zero after a gap, where nothing was forecast."""

    kind: ClassVar[str] = "forecaster"

    def __init__(self) -> None:
        self._weights: _Floats = np.empty((0, 0))
        self._quantile: _Floats = np.empty(0)

    def _pairs(self, z: _Floats, ts_recv: _Times) -> tuple[_Floats, NDArray[np.bool_]]:
        before = np.concatenate([np.repeat(z[:1], min(LAG_ROWS, len(z)), axis=0), z[:-LAG_ROWS]])[: len(z)]
        age = np.full(len(z), np.iinfo(np.int64).max)
        age[LAG_ROWS:] = ts_recv[LAG_ROWS:] - ts_recv[:-LAG_ROWS]
        usual = int(np.median(age[LAG_ROWS:])) if len(z) > LAG_ROWS else 0
        return np.hstack([before, np.ones((len(z), 1))]), (age > 0) & (age <= max(_MOST_GAP_NS, usual))

    def fit(self, z: _Floats, ts_recv: _Times, seed: int) -> None:
        """Least squares on pairs of rows a second apart."""
        x, known = self._pairs(z, ts_recv)
        x, y = x[known], z[known]
        self._weights = np.asarray(np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ y), np.float64)
        self._quantile = np.asarray(np.maximum(np.quantile(np.abs(y - x @ self._weights), 0.99, axis=0), _LEAST), np.float64)

    def raw(self, z: _Floats, ts_recv: _Times) -> _Floats:
        """Logarithm of the mean squared error in units of its calm 99 % quantiles."""
        x, known = self._pairs(z, ts_recv)
        error = ((z - x @ self._weights) / self._quantile) ** 2
        raw: _Floats = np.log(np.where(known, error.mean(axis=1), 0.0) + _TINY)
        return raw


_MADE: Final[dict[str, Callable[[Config | None], Contender]]] = {
    **{m.kind: (lambda c, m=m: Served(m(c))) for m in (PcaAnomaly, VaeAnomaly, RvRule, DepthRule, MinRule)},  # type: ignore[misc]
    **{m.kind: (lambda _, m=m: m()) for m in (MaxZ, Mahalanobis, EwmaMahalanobis, IsolationForest, Forecaster)},  # type: ignore[misc]
}
CONTENDERS: Final = tuple(_MADE)
"""Kinds that :func:`contender` makes."""


def contender(kind: str, config: Config | None = None) -> Contender:
    """An unfitted contender.

    Raises
    ------
    ModelError
        If the kind is unknown.
    """
    if kind not in _MADE:
        raise ModelError(f"contender is {kind!r}; known are {', '.join(CONTENDERS)}")
    return _MADE[kind](config)
