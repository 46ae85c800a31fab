# SPDX-License-Identifier: Apache-2.0
"""Checks of the user's own as data: comparisons over a closed list of inputs, and sums over instruments, read from TOML.

.. code-block:: toml

    [[check]]                 # control 46: refuses an order that adds risk where the input is above (or below) the bound
    level = "account"
    id = 1
    input = "notional"        # quantity, notional, distance_ticks, spread_ticks, position, open_orders, tier, stage, score_ppm
    above = 5000000000

    [[bucket]]                # control 22: a sector, a beta, a Greek; the worst case of the row, in money
    level = "desk"
    id = 3
    most = 100000000
    good_for_s = 86400        # older weights are missing, and a missing weight refuses
    weights = { ES = 40, CL = -12 }
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pretrade._native import limits as _native
from pretrade.domain import Config
from pretrade.domain.errors import ConfigError
from pretrade.limits.state import Level

INPUTS: Final[dict[str, int]] = dict(_native.CHECK_INPUTS)
_NS: Final = 1_000_000_000
_OF_BUCKET: Final = ("account", "desk", "firm")


def read(path: Path, config: Config, now_utc: int) -> tuple[str, ...]:
    """Rules of a file, each a line as the gate reads it.

    Parameters
    ----------
    path
        TOML file.
    config
        Names of instruments.
    now_utc
        From when weights are good, ns UTC.

    Raises
    ------
    ConfigError
        If the file cannot be read, or a rule lacks its level, row, input or bound, names what there is not, or could never fire.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise ConfigError(f"{path}: {e}") from e
    _refuse_unknown(table, {"check", "bucket"}, str(path))
    lines = [_check(raw, f"{path} [[check]] {n}") for n, raw in enumerate(table.get("check", []), 1)]
    for n, raw in enumerate(table.get("bucket", []), 1):
        lines += _bucket(raw, n, config, now_utc, f"{path} [[bucket]] {n}")
    return tuple(lines)


def _check(raw: Mapping[str, Any], where: str) -> str:
    _refuse_unknown(raw, {"level", "id", "input", "above", "below"}, where)
    if ("above" in raw) == ("below" in raw):
        raise ConfigError(f"{where} must have either above or below, not both and not none")
    name = raw.get("input")
    if name not in INPUTS:
        raise ConfigError(f"{where} input is {name!r}; it must be one of {', '.join(INPUTS)}")
    side = "above" if "above" in raw else "below"
    bound = _whole(raw, side, where)
    return f"check level={int(_level(raw, where))} row={_whole(raw, 'id', where)} input={INPUTS[name]} is_above={int(side == 'above')} bound={bound}"


def _bucket(raw: Mapping[str, Any], number: int, config: Config, now_utc: int, where: str) -> Iterator[str]:
    _refuse_unknown(raw, {"level", "id", "most", "good_for_s", "weights"}, where)
    level = _level(raw, where)
    if level.name.lower() not in _OF_BUCKET:
        raise ConfigError(f"{where} level is {level.name.lower()!r}; a bucket belongs to one of {', '.join(_OF_BUCKET)}")
    weights = raw.get("weights")
    if not isinstance(weights, dict) or not any(weights.values()):
        raise ConfigError(f"{where} can never fire: it has no weights")
    until = now_utc + _whole(raw, "good_for_s", where) * _NS
    yield f"bucket id={number} level={int(level)} row={_whole(raw, 'id', where)} most={_whole(raw, 'most', where)} until={until}"
    for symbol in weights:
        yield f"weight bucket={number} instrument={config.instrument(symbol).instrument_id} per_lot={_whole(weights, symbol, where)}"


def _level(raw: Mapping[str, Any], where: str) -> Level:
    names = {level.name.lower(): level for level in Level if level is not Level.GATEWAY}
    if raw.get("level") not in names:
        raise ConfigError(f"{where} level is {raw.get('level')!r}; it must be one of {', '.join(names)}")
    return names[str(raw["level"])]


def _whole(raw: Mapping[str, Any], name: str, where: str) -> int:
    value = raw.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ConfigError(f"{where} {name} is {value!r}; it must be a whole number")
    return value


def _refuse_unknown(table: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise ConfigError(f"{where} has {unknown[0]!r}; known are {', '.join(sorted(known))}")
