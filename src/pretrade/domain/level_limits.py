# SPDX-License-Identifier: Apache-2.0
"""Limits of one row that no model moves: their names, directions, levels, and which of them could never fire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pretrade._native import domain as _native
from pretrade.domain.errors import ConfigError

LEVEL_LIMITS: Final[dict[str, int]] = dict(_native.LEVEL_LIMITS)
"""By name: the place in a row of ``controls``."""
LEVEL_LIMIT_DIRECTIONS: Final[dict[str, int]] = dict(_native.LEVEL_LIMIT_DIRECTIONS)
"""-1 where smaller is tighter, +1 where bigger is tighter, 0 where any change loosens."""
MOST: Final = 2**63 - 1
_PPM: Final = 1_000_000
_DERIVED: Final = {"parent_id"}
_ONLY_AT: Final = {
    "margin": {"account"},
    "margin_per_lot": {"instrument"},
    "min_quantity": {"instrument"},
    "max_quantity": {"instrument"},
    "auction_quantity": {"instrument"},
    "auction_value": {"instrument"},
    "concentration": {"account", "firm"},
}
_OF_POSITIONS: Final = {"gross_exposure", "net_exposure", "credit", "loss_soft", "loss_hard", "drawdown_soft", "drawdown_hard"}
_HOLDS_NO_POSITION: Final = {"instrument", "venue"}
_NEEDS: Final = {
    "order_to_trade_messages": {"order_to_trade"},
    "soft_limit_ppm": {"gross_exposure", "net_exposure", "credit", "day_value", "day_quantity", "day_orders"},
    "window_ms": {"window_value", "window_quantity", "window_orders", "window_cancels", "window_trades", "order_to_trade"},
}


def names_at(level: str) -> set[str]:
    """What may be configured at a level; anything else could never fire there."""
    barred = _OF_POSITIONS if level in _HOLDS_NO_POSITION else set()
    return {name for name in LEVEL_LIMITS if level in _ONLY_AT.get(name, {level})} - barred - _DERIVED


def checked(table: Mapping[str, Any], where: str) -> dict[str, int]:
    """Level limits of one row, checked for range; a limit without anything it could bound is refused.

    Raises
    ------
    ConfigError
        If a value is out of range, or the limit could never fire.
    """
    for name, value in table.items():
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST:
            raise ConfigError(f"{where} {name} is {value!r}; it must be a whole number from 0 to {MOST}, and is left out where there is none")
        if name in _NEEDS and not _NEEDS[name] & set(table):
            raise ConfigError(f"{where} {name} can never fire: it needs {' or '.join(sorted(_NEEDS[name]))} beside it")
    for soft, hard in (("loss_soft", "loss_hard"), ("drawdown_soft", "drawdown_hard")):
        if table.get(soft, 0) > table.get(hard, MOST):
            raise ConfigError(f"{where} {soft} {table[soft]} can never fire: {hard} {table[hard]} kills before it")
    if table.get("min_quantity", 0) > table.get("max_quantity", MOST):
        raise ConfigError(f"{where} min_quantity {table['min_quantity']} is above max_quantity {table['max_quantity']}; no order could pass")
    if table.get("soft_limit_ppm", 0) > _PPM:
        raise ConfigError(f"{where} soft_limit_ppm is {table['soft_limit_ppm']}; above {_PPM} the limit itself refuses first")
    return dict(table)
