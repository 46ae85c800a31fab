# SPDX-License-Identifier: Apache-2.0
"""PCA reconstruction: what calm directions cannot rebuild is anomalous."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from pretrade._native import models as _native
from pretrade.domain.config import Config
from pretrade.models.anomaly import Anomaly
from pretrade.models.onnx_graph import Graph, pca_graph

VARIANCE: Final = 0.90
_LEAST: Final = 0.25
"""Floor of a residual's calm 99 % quantile, in scale units."""


class PcaAnomaly(Anomaly):
    """Residual after projection on the calm principal directions that hold 90 % of variance.

    Each residual is divided by its calm 99 % quantile before squaring, so that no well-rebuilt feature dominates.
    """

    kind: ClassVar[str] = "pca"

    def __init__(self, config: Config | None = None) -> None:
        super().__init__(config)
        self._mean: NDArray[np.float64] = np.empty(0)
        self._basis: NDArray[np.float64] = np.empty((0, 0))
        self._quantile: NDArray[np.float64] = np.empty(0)
        self._native: _native.Pca | None = None

    def fit_core(self, z: NDArray[np.float64], seed: int) -> None:
        """Fit mean, basis and residual quantiles; nothing is random."""
        self._mean = z.mean(axis=0)
        values, vectors = np.linalg.eigh(np.cov(z - self._mean, rowvar=False))
        order = np.argsort(values)[::-1]
        share = np.cumsum(values[order]) / max(values.sum(), 1e-12)
        kept = order[: int(np.searchsorted(share, VARIANCE)) + 1]
        basis = vectors[:, kept]
        # The sign of an eigenvector is arbitrary: fix it so that the same rows give the same bytes.
        self._basis = basis * np.where(basis[np.abs(basis).argmax(axis=0), np.arange(basis.shape[1])] < 0, -1.0, 1.0)
        self._native = None
        self._quantile = np.maximum(np.quantile(np.abs(self._residual(z)), 0.99, axis=0), _LEAST)

    def _residual(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        # The native scorer adds in one fixed order: a row gives the same bits alone and in a batch, which BLAS does not promise.
        if self._native is None:
            self._native = _native.Pca(self._mean, np.ascontiguousarray(self._basis).reshape(-1))
        return self._native.residual(np.ascontiguousarray(z, np.float64).reshape(-1)).reshape(z.shape)

    def parts(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """Squared residuals in units of their calm 99 % quantile."""
        return (self._residual(z) / self._quantile) ** 2

    def graph(self) -> Graph:
        """What :meth:`parts` computes, as an ONNX graph."""
        return pca_graph(self._mean, self._basis, self._quantile)

    def core_as_dict(self) -> dict[str, Any]:
        """Mean, basis, quantiles."""
        return {"mean": self._mean.tolist(), "basis": self._basis.tolist(), "quantile": self._quantile.tolist()}

    def core_from_dict(self, facts: dict[str, Any]) -> None:
        """Take them over."""
        self._native = None
        self._mean, self._basis, self._quantile = (np.array(facts[name]) for name in ("mean", "basis", "quantile"))
