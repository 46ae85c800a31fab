# SPDX-License-Identifier: Apache-2.0
"""A configuration in the form the native gate takes: option numbers, and ``controls`` rows for replays and benches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pretrade.domain.config import Account, Config, Instrument

_MS: Final = 1_000_000
_S: Final = 1_000_000_000
_PPM: Final = 1_000_000
_NEGATIVE_PRICE, _ENABLED = 1, 2
_INSTRUMENT, _ACCOUNT, _FIRM = 0, 4, 6
_NO_BOUND: Final = 2**32 - 1
_I64_MAX: Final = 2**63 - 1
_FLOATS: Final = frozenset({"order_error_hold", "order_error_reject", "impact_budget_bps"})


def options(config: Config) -> dict[str, int]:
    """The gate's own numbers."""
    gate = config.gate
    return {
        "t1_ns": gate.t1_ms * _MS,
        "t2_ns": gate.t2_ms * _MS,
        "reference_ttl_ns": gate.reference_ttl_ms * _MS,
        "fallback_standoff_ticks": gate.fallback_standoff_ticks,
        "stale_order_ns": gate.stale_order_ms * _MS,
        "duplicate_window_ns": gate.duplicate_window_ms * _MS,
        "duplicate_count": gate.duplicate_count,
        "ramp_ns": max(1, round(config.hysteresis.ramp_s * _S)),
    }


def rows(config: Config) -> list[dict[str, Any]]:
    """``controls`` rows of instruments, accounts and the firm."""
    return [
        *(_instrument_row(config, instrument) for instrument in config.instruments),
        *(_account_row(account) for account in config.accounts),
        _row(_FIRM, 0, {}),
    ]


def _row(level: int, row_id: int, static: Mapping[str, int | float]) -> dict[str, Any]:
    return {
        "level": level,
        "id": row_id,
        "flags": _ENABLED,
        "tick_size": 0,
        "lot_size": 0,
        "value_per_tick_lot": 0,
        "open_orders_limit": _NO_BOUND,
        "fallback_factor_ppm": 0,
        "channel": 0,
        "static_limits": {name: _integer(name, value) for name, value in static.items()},
        "floor": {},
    }


def _account_row(account: Account) -> dict[str, Any]:
    position = account.position_max
    static = {"max_order_quantity": account.max_order_quantity, "position_max_long": position, "position_max_short": position}
    return _row(_ACCOUNT, account.account_id, static)


def _instrument_row(config: Config, instrument: Instrument) -> dict[str, Any]:
    row = _row(_INSTRUMENT, instrument.instrument_id, config.static_of(instrument))
    row["flags"] = _ENABLED | (_NEGATIVE_PRICE if instrument.allow_negative_price else 0)
    row["tick_size"], row["lot_size"] = instrument.tick_size, instrument.lot_size
    row["value_per_tick_lot"] = instrument.value_per_tick_lot
    row["open_orders_limit"] = config.gate.open_orders_max
    row["fallback_factor_ppm"] = round(config.gate.fallback_factor * _PPM)
    row["floor"] = {name: _integer(name, value) for name, value in config.floor.items()}
    return row


def _integer(name: str, value: float) -> int:
    if name not in _FLOATS:
        return int(value)
    # Float parameters cross the border in 1e-9; "unlimited" is the largest of its type and stays so.
    return _I64_MAX if value >= 9e9 else int(value * 1e9)
