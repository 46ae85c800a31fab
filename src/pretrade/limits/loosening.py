# SPDX-License-Identifier: Apache-2.0
"""What a new configuration loosens: whole rows and every setting behind a limit, each with its direction."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from pretrade.domain import Config
from pretrade.domain.level_limits import LEVEL_LIMIT_DIRECTIONS
from pretrade.limits.state import RESTRICTING, Level, Row, State, Values, complete_floor, is_looser

_SECTIONS: Final = ("gate", "tiers", "hysteresis", "anomaly", "evidence", "snapshot")
_OF_INSTRUMENT: Final = ("symbol", "venue", "currency", "session", "adv")
# -1 where smaller is tighter, +1 where bigger is; of what is None or not named here any change loosens.
_SETTINGS: Final[dict[str, int | None]] = {
    "gate.t1_ms": -1,
    "gate.t2_ms": -1,
    "gate.fallback_factor": -1,
    "gate.fallback_standoff_ticks": 1,
    "gate.reference_ttl_ms": -1,
    "gate.stale_order_ms": -1,
    "gate.duplicate_window_ms": 1,
    "gate.duplicate_count": -1,
    "gate.open_orders_max": -1,
    "gate.self_match": None,
    "gate.session_start_s": None,
    "gate.mass_cancel": None,
    "gate.disconnect_grace_ms": None,
    "gate.drop_copy_ms": None,
    "gate.clock_jump_ms": None,
    "gate.hold_controls": None,
    "gate.hold_timeout_s": -1,
    "gate.hold_second_notional": -1,
    "gate.order_error_model": None,
    "hysteresis.dwell_elevated_s": 1,
    "hysteresis.dwell_high_s": 1,
    "hysteresis.exit_ratio": -1,
    "hysteresis.ramp_s": 1,
}
# What a configuration said that was loaded before the setting was known.
_BEFORE: Final[dict[str, Any]] = {"gate.mass_cancel": "off", "gate.drop_copy_ms": 0, "gate.clock_jump_ms": 0}
_LIMITS: Final = {name: direction or None for name, direction in LEVEL_LIMIT_DIRECTIONS.items()}
_REFERENCE: Final = {"open_orders_limit": -1, "fallback_factor_ppm": -1}


def settings(config: Config) -> dict[str, Any]:
    """Everything in ``config`` that moves a verdict and lies in no row of ``controls``, by dotted name, as plain values for JSON."""
    plain: dict[str, Any] = {}
    for section in _SECTIONS:
        plain |= _flat(section, dataclasses.asdict(getattr(config, section)))
    for instrument in config.instruments:
        plain |= {f"instrument.{instrument.instrument_id}.{name}": getattr(instrument, name) for name in _OF_INSTRUMENT}
    plain |= {f"trader.{trader.trader_id}.persons": list(trader.persons) for trader in config.traders if trader.persons}
    plain |= {f"strategy.{strategy.strategy_id}.persons": list(strategy.persons) for strategy in config.strategies if strategy.persons}
    if config.groups:
        plain |= _flat("systemic", dataclasses.asdict(config.systemic))
    for group in config.groups:
        plain |= {f"group.{group.group_id}.{name}": _plain(value) for name, value in dataclasses.asdict(group).items()}
    calendars = repr(sorted(config.sessions.items()))
    return {**plain, "sessions": hashlib.sha256(calendars.encode()).hexdigest()}


def loosened_settings(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Names of settings that allow more in ``new``; those of an instrument that is gone allow nothing."""
    gone = [name for name in old if name not in new and not name.startswith("instrument.")]
    return [name for name, value in new.items() if _moves(_SETTINGS.get(name), old.get(name, _BEFORE.get(name)), value)] + gone


def loosened(state: State, config: Config, rows: list[dict[str, Any]], in_force: Callable[[Row], Values]) -> list[str]:
    """What ``config`` allows that is not allowed now; nothing where no configuration was loaded before.

    Parameters
    ----------
    state
        What the control journal adds up to.
    config, rows
        The new configuration, and the rows it asks for.
    in_force
        Static limits of a row as they stand in the table.
    """
    if not state.config_hash:
        return []
    names = []
    for raw in rows:
        old = state.rows.get((Level[str(raw["level"]).upper()], int(raw["id"])))
        found = ["(a new row)"] if old is None else _row(old, in_force(old), raw)
        names += [f"{raw['level']} {raw['id']} {name}" for name in found]
    return names + loosened_settings(state.settings, settings(config))


def _row(old: Row, static: Values, raw: Mapping[str, Any]) -> Iterator[str]:
    new: Values = raw["static"]
    # A limit that comes or goes: absent allows nothing, so its coming loosens; its going is nothing one person decides.
    yield from (name for name in {**static, **new} if name not in static or name not in new or is_looser(name, new[name], static[name]))
    was, floor = complete_floor(old.floor), complete_floor(raw["floor"])
    yield from (f"floor of {name}" for name in floor if is_looser(name, floor[name], was[name]))
    limits: Mapping[str, int] = raw.get("limits", {})
    # A control switched on tightens; one that is gone, or a limit moved the looser way, loosens; so does any move to another desk.
    yield from (n for n in old.limits if n not in limits or _moves(_LIMITS[n], old.limits[n], limits[n]))
    yield from (n for n in limits if n not in old.limits and _LIMITS[n] is None)
    reference: Mapping[str, int] = raw["reference"]
    for name in {**old.reference, **reference}:
        before, now = old.reference.get(name, 0), reference.get(name, 0)
        if (now ^ RESTRICTING) & ~(before ^ RESTRICTING) if name == "flags" else _moves(_REFERENCE.get(name), before, now):
            yield name


def _moves(direction: int | None, old: Any, new: Any) -> bool:  # noqa: ANN401 - any plain value
    if direction is None or old is None or new is None:
        return bool(old != new)
    return bool((new - old) * direction < 0)


def _plain(value: Any) -> Any:  # noqa: ANN401 - any plain value
    return list(value) if isinstance(value, tuple) else value


def _flat(prefix: str, table: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in table.items():
        flat |= _flat(f"{prefix}.{name}", value) if isinstance(value, dict) else {f"{prefix}.{name}": value}
    return flat
