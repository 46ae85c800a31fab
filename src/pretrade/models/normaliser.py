# SPDX-License-Identifier: Apache-2.0
"""Features to comparable numbers: a monotone transform, the calm median, and a scale that is never too small."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from pretrade.domain.errors import ModelError
from pretrade.features import VECTOR, Features

_LOG: Final = {"spread_bps": 1e-3, "spread_ticks": 1e-3, "rv_1s": 1e-3, "rv_10s": 1e-3, "rv_1m": 1e-3, "rv_5m": 1e-3, "recovery_half_life_s": 0.1}
_LOG1P: Final = ("quote_rate_1s", "burst_ratio", "rv_ratio", "news_surge")
_LOGIT: Final = ("imbalance_l1", "imbalance_l5", "imbalance_l10", "book_pressure", "cancel_rate")
_ASINH: Final = ("ofi_1s", "ofi_10s", "resilience_1s_bid", "resilience_1s_ask", "sentiment")
_FLOORS: Final = {
    "spread_bps": 0.3,
    "spread_ticks": 0.3,
    "rv_1s": 0.35,
    "rv_10s": 0.35,
    "rv_1m": 0.35,
    "rv_5m": 0.35,
    "depth_rel_bid": 0.1,
    "depth_rel_ask": 0.1,
}
_FLOOR: Final = 0.2
_SPAN: Final = 5.15
"""Width of the central 99 % of a standard normal."""


def transform(features: Features) -> NDArray[np.float64]:
    """Apply the monotone transform of each feature, shape ``(n, 32)``, NaN where undefined."""
    out = features.matrix(VECTOR)
    for j, name in enumerate(VECTOR):
        x = out[:, j]
        if name in _LOG:
            out[:, j] = np.log(np.maximum(x, 0.0) + _LOG[name])
        elif name in _LOG1P:
            out[:, j] = np.log1p(np.maximum(x, 0.0))
        elif name in _LOGIT:
            clipped = np.clip(x, 1e-3, 1 - 1e-3)
            out[:, j] = np.log(clipped / (1 - clipped))
        elif name in _ASINH:
            out[:, j] = np.arcsinh(x)
    return out


@dataclass(frozen=True, slots=True)
class Normaliser:
    """z = (g(x) - median) / scale, pooled over time of day; undefined values become 0.

    Parameters
    ----------
    median, scale
        Shape ``(32,)``.
    used
        Features that were defined in at least half the rows, shape ``(32,)``; the others stay 0.
    """

    median: NDArray[np.float64]
    scale: NDArray[np.float64]
    used: NDArray[np.bool_]

    @classmethod
    def fit(cls, features: Features) -> Self:
        """Fit on calm rows.

        Raises
        ------
        ModelError
            If there are fewer than 500 rows.
        """
        if len(features) < 500:
            raise ModelError(f"{len(features)} calm rows are too few to fit on; at least 500 are needed")
        x = transform(features)
        defined = np.isfinite(x)
        used = defined.mean(axis=0) >= 0.5
        x = np.where(defined, x, np.nan)
        median, scale = np.zeros(len(VECTOR)), np.ones(len(VECTOR))
        for j in np.flatnonzero(used):
            column = x[defined[:, j], j]
            low, centre, high = np.quantile(column, (0.005, 0.5, 0.995))
            mad = np.median(np.abs(column - centre))
            median[j] = centre
            scale[j] = max(1.4826 * mad, (high - low) / _SPAN, _FLOORS.get(VECTOR[j], _FLOOR))
        return cls(median, scale, used)

    def __call__(self, features: Features) -> NDArray[np.float64]:
        """Normalised rows, shape ``(n, 32)``, finite everywhere."""
        z = (transform(features) - self.median) / self.scale
        return np.where(np.isfinite(z) & self.used, z, 0.0)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"features": list(VECTOR), "median": self.median.tolist(), "scale": self.scale.tolist(), "used": self.used.tolist()}

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> Self:
        """Rebuild; the feature list must be this version's."""
        if tuple(facts["features"]) != VECTOR:
            raise ModelError("the model was fitted on another feature vector than this version computes; fit it again")
        return cls(np.array(facts["median"]), np.array(facts["scale"]), np.array(facts["used"], bool))
