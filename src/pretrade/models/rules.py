# SPDX-License-Identifier: Apache-2.0
"""Simple rivals behind the same protocol: volatility alone, depth alone, the smaller of both."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pretrade.features import VECTOR
from pretrade.models.anomaly import Anomaly

_RV = VECTOR.index("rv_10s")
_BID, _ASK = VECTOR.index("depth_rel_bid"), VECTOR.index("depth_rel_ask")


class _Rule(Anomaly):
    """A rule learns nothing beyond the shared normaliser and thresholds."""

    def fit_core(self, z: NDArray[np.float64], seed: int) -> None:
        """Nothing to learn."""

    def core_as_dict(self) -> dict[str, Any]:
        """Nothing learned."""
        return {}

    def core_from_dict(self, facts: dict[str, Any]) -> None:
        """Nothing to take over."""


def _volatility(z: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.exp(z[:, _RV])


def _thinness(z: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.exp(-np.minimum(z[:, _BID], z[:, _ASK]))


class RvRule(_Rule):
    """Ten-second realised volatility alone."""

    kind: ClassVar[str] = "rv_10s"

    def parts(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """All of it in ``rv_10s``."""
        out = np.zeros_like(z)
        out[:, _RV] = _volatility(z)
        return out


class DepthRule(_Rule):
    """Depth of the thinner side against its own baseline, alone."""

    kind: ClassVar[str] = "depth"

    def parts(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """All of it in the thinner side's depth."""
        out = np.zeros_like(z)
        thin = np.where(z[:, _BID] <= z[:, _ASK], _BID, _ASK)
        out[np.arange(len(z)), thin] = _thinness(z)
        return out


class MinRule(_Rule):
    """The smaller of both: only what is volatile and thin counts."""

    kind: ClassVar[str] = "min"

    def parts(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """In the feature that holds the rule back."""
        out = np.zeros_like(z)
        rv, depth = _volatility(z), _thinness(z)
        thin = np.where(z[:, _BID] <= z[:, _ASK], _BID, _ASK)
        out[np.arange(len(z)), np.where(rv <= depth, _RV, thin)] = np.minimum(rv, depth)
        return out
