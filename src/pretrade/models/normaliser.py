# SPDX-License-Identifier: Apache-2.0
"""Features to comparable numbers: a monotone transform, the calm median, and a scale that is never too small."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from pretrade.domain.errors import ModelError
from pretrade.features import VECTOR, Features
from pretrade.models.groups import ENOUGH_ROWS, Groups

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
_AT_LOG, _AT_LOG1P, _AT_LOGIT, _AT_ASINH = ([VECTOR.index(name) for name in names] for names in (_LOG, _LOG1P, _LOGIT, _ASINH))
_SHIFT: Final = np.array(list(_LOG.values()))
_LEAST_SCALE: Final = np.array([_FLOORS.get(name, _FLOOR) for name in VECTOR])
_LEAST_SEASON: Final = 0.1
_MOST_ROWS: Final = 20_000
"""Rows a group other than the pooled one is measured on, thinned evenly."""
_SPAN: Final = 5.15
"""Width of the central 99 % of a standard normal."""


def transform(features: Features) -> NDArray[np.float64]:
    """Apply the monotone transform of each feature, shape ``(n, 32)``, NaN where undefined."""
    out = features.matrix(VECTOR)
    out[:, _AT_LOG] = np.log(np.maximum(out[:, _AT_LOG], 0.0) + _SHIFT)
    out[:, _AT_LOG1P] = np.log1p(np.maximum(out[:, _AT_LOG1P], 0.0))
    share = np.clip(out[:, _AT_LOGIT], 1e-3, 1 - 1e-3)
    out[:, _AT_LOGIT] = np.log(share / (1 - share))
    out[:, _AT_ASINH] = np.arcsinh(out[:, _AT_ASINH])
    return out


@dataclass(frozen=True, slots=True)
class Normaliser:
    """z = (g(x) - median) / scale per instrument and time of day where there is history, else pooled; undefined values become 0.

    Parameters
    ----------
    groups
        Which rows share a median and a scale.
    median, scale
        Shape ``(n_groups, 32)``.
    used
        Features that were defined in at least half the rows of a group, shape ``(n_groups, 32)``; the others stay 0.
    """

    groups: Groups
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
        if len(features) < ENOUGH_ROWS:
            raise ModelError(f"{len(features)} calm rows are too few to fit on; at least {ENOUGH_ROWS} are needed")
        x = transform(features)
        groups = Groups.fit(features.ts_recv, features.instrument_id)
        measured = [_measure(x)]
        if len(groups) > 1:
            members = groups.members(features.ts_recv, features.instrument_id)[1:]
            measured += [_measure(x[rows[:: max(1, len(rows) // _MOST_ROWS)]]) for rows in members]
        median, scale, used = (np.array(column) for column in zip(*measured, strict=True))
        return cls(groups, median, scale, used)

    def __call__(self, features: Features) -> NDArray[np.float64]:
        """Normalised rows, shape ``(n, 32)``, finite everywhere."""
        group = 0 if len(self.groups) == 1 else self.groups.of(features.ts_recv, features.instrument_id)
        z = (transform(features) - self.median[group]) / self.scale[group]
        return np.where(np.isfinite(z) & self.used[group], z, 0.0)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "features": list(VECTOR),
            "groups": self.groups.as_dict(),
            "median": self.median.tolist(),
            "scale": self.scale.tolist(),
            "used": self.used.tolist(),
        }

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> Self:
        """Rebuild; the feature list must be this version's."""
        if tuple(facts["features"]) != VECTOR:
            raise ModelError("the model was fitted on another feature vector than this version computes; fit it again")
        arrays = np.array(facts["median"]), np.array(facts["scale"]), np.array(facts["used"], bool)
        return cls(Groups.from_dict(facts["groups"]), *arrays)


def _measure(x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Median, floored scale and use of each column of transformed rows."""
    defined = np.isfinite(x)
    used = defined.mean(axis=0) >= 0.5
    median, scale = np.zeros(x.shape[1]), np.ones(x.shape[1])
    for j in np.flatnonzero(used):
        median[j], scale[j] = robust(x[defined[:, j], j], _LEAST_SCALE[j])
    return median, scale, used


def robust(values: NDArray[np.float64], floor: float) -> tuple[float, float]:
    """Median, and the largest of 1.4826 MAD, the central 99 % in normal units and ``floor``."""
    low, centre, high = np.quantile(values, (0.005, 0.5, 0.995))
    mad = float(np.median(np.abs(values - centre)))
    return float(centre), max(1.4826 * mad, float(high - low) / _SPAN, floor)


@dataclass(frozen=True, slots=True)
class Season:
    """Takes instrument and time of day out of log raw values, so that one map serves all; nothing where one group pools all.

    Parameters
    ----------
    groups
        Which rows share a level.
    centre, scale
        Median and floored scale of calm log raw values, shape ``(n_groups,)``.
    """

    groups: Groups
    centre: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def fit(cls, raw: NDArray[np.float64], ts_recv: NDArray[np.int64], instrument_id: NDArray[np.uint32]) -> Self:
        """Fit on smoothed log raw values of calm rows, all ``(n,)`` and finite."""
        groups = Groups.fit(ts_recv, instrument_id)
        measured = [robust(raw[rows], _LEAST_SEASON) for rows in groups.members(ts_recv, instrument_id)]
        centre, scale = (np.array(column) for column in zip(*measured, strict=True))
        return cls(groups, centre, scale)

    def __call__(self, raw: NDArray[np.float64], ts_recv: NDArray[np.int64], instrument_id: NDArray[np.uint32]) -> NDArray[np.float64]:
        """Raw values as they would stand in the pooled group, shape ``(n,)``; rising in ``raw``."""
        if len(self.groups) == 1:
            return raw
        group = self.groups.of(ts_recv, instrument_id)
        level: NDArray[np.float64] = (raw - self.centre[group]) / self.scale[group] * self.scale[0] + self.centre[0]
        return level

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"groups": self.groups.as_dict(), "centre": self.centre.tolist(), "scale": self.scale.tolist()}

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> Self:
        """Rebuild."""
        return cls(Groups.from_dict(facts["groups"]), np.array(facts["centre"]), np.array(facts["scale"]))
