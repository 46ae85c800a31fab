# SPDX-License-Identifier: Apache-2.0
"""Calibration rules: functions over columns, all instruments at once, never one at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade.domain.config import DIRECTIONS, PARAMETERS, STANDOFF_OFF, UNLIMITED, UNLIMITED_U32, TiersConfig
from pretrade.domain.errors import CalibrationError

PPM: Final = 1_000_000
FLOATS: Final = ("order_error_hold", "order_error_reject", "impact_budget_bps")
INTEGERS: Final = tuple(name for name in PARAMETERS if name not in FLOATS)
_LARGE: Final = frozenset({"max_order_quantity", "max_order_notional", "position_max_long", "position_max_short"})
LARGEST: Final = {name: UNLIMITED if name in _LARGE else 2**31 - 1 if name == "passive_standoff_ticks" else UNLIMITED_U32 for name in INTEGERS}
"""Largest value a record's field can hold."""
TIGHTEST: Final = {name: 0 if DIRECTIONS[name] < 0 else LARGEST[name] for name in INTEGERS}
"""Tightest value a field can hold; the floor where the configuration names none, so that no rule's number wraps to a loose one."""
_FACTORS: Final = {
    "max_order_quantity": "order_quantity_factor",
    "max_order_notional": "notional_factor",
    "position_max_long": "position_factor",
    "position_max_short": "position_factor",
    "collar_ticks": "collar_factor",
    "collar_ppm": "collar_factor",
    "drift_short_ticks": "drift_factor",
    "drift_long_ticks": "drift_factor",
    "max_depth_share_ppm": "depth_share_factor",
    "max_volume_share_ppm": "depth_share_factor",
    "concentration_ppm": "concentration_factor",
    "rate_new_per_s": "rate_factor",
    "rate_replace_per_s": "rate_factor",
    "velocity_ticks": "velocity_factor",
    "loss_trigger_ppm": "loss_factor",
}


@dataclass(frozen=True, slots=True)
class Columns:
    """What a rule sees: one entry per instrument.

    Parameters
    ----------
    tier
        Tier codes, shape ``(n,)``.
    score, systemic_score
        In [0, 1], NaN where absent.
    static
        Static limit of every integer parameter, int64 ``(n,)`` by name.
    """

    tier: NDArray[np.int64]
    score: NDArray[np.float64]
    systemic_score: NDArray[np.float64]
    static: Mapping[str, NDArray[np.int64]]


Rule = Callable[[Columns], dict[str, NDArray[np.int64]]]


def rule(function: Rule) -> Rule:
    """Mark a function over columns as a calibration rule.

    The function returns int64 arrays of shape ``(n,)`` by parameter name for the parameters it sets. What several rules
    set is merged to the tightest, then clamped into the envelope, so a rule can only tighten.

    Examples
    --------
    >>> @rule
    ... def no_size_above_ten_in_stress(columns):
    ...     return {"max_order_quantity": np.where(columns.tier > 0, 10, columns.static["max_order_quantity"])}
    """

    def checked(columns: Columns) -> dict[str, NDArray[np.int64]]:
        out = function(columns)
        for name, values in out.items():
            if name not in INTEGERS:
                raise CalibrationError(f"rule {function.__name__} sets {name!r}; known are {', '.join(INTEGERS)}")
            if np.shape(values) != columns.tier.shape or not np.issubdtype(np.asarray(values).dtype, np.integer):
                raise CalibrationError(
                    f"rule {function.__name__} gave {name} as {np.asarray(values).dtype}{np.shape(values)}; it must be int64{columns.tier.shape}"
                )
        return out

    checked.__name__ = function.__name__
    checked.__doc__ = function.__doc__
    return checked


def scaled(static: NDArray[np.int64], factor_ppm: NDArray[np.int64]) -> NDArray[np.int64]:
    """Static value times a factor in ppm, rounded down; "unlimited" stays unlimited.

    Examples
    --------
    >>> scaled(np.array([730, 500]), np.array([100_000, 500_000])).tolist()
    [73, 250]
    """
    large = static > UNLIMITED // PPM
    product = np.where(large, 0, static) * factor_ppm // PPM
    return np.where((static == UNLIMITED) | (static == UNLIMITED_U32), static, np.where(large, static // PPM * factor_ppm, product))


def tier_actions(config: TiersConfig) -> Rule:
    """The default rule: each tier scales the static limits and widens the passive stand-off."""
    actions = (config.normal, config.elevated, config.high, config.critical)
    ppm = {name: np.array([round(getattr(a, field) * PPM) for a in actions], np.int64) for name, field in _FACTORS.items()}
    margin = np.array([round(a.margin_factor * PPM) for a in actions], np.int64)
    standoff = np.array([STANDOFF_OFF if a.standoff_ticks is None else a.standoff_ticks for a in actions], np.int64)

    @rule
    def act(columns: Columns) -> dict[str, NDArray[np.int64]]:
        out = {name: scaled(columns.static[name], factors[columns.tier]) for name, factors in ppm.items()}
        out["passive_standoff_ticks"] = np.maximum(columns.static["passive_standoff_ticks"], standoff[columns.tier])
        out["margin_multiplier_ppm"] = -(-columns.static["margin_multiplier_ppm"] * margin[columns.tier] // PPM)
        return out

    return act


def tighter(name: str, a: Any, b: Any) -> Any:  # noqa: ANN401 - arrays or scalars alike
    """The tighter of two values of a parameter, elementwise."""
    return np.minimum(a, b) if DIRECTIONS[name] < 0 else np.maximum(a, b)


def looser(name: str, a: Any, b: Any) -> Any:  # noqa: ANN401 - arrays or scalars alike
    """The looser of two values of a parameter, elementwise."""
    return np.maximum(a, b) if DIRECTIONS[name] < 0 else np.minimum(a, b)
