# SPDX-License-Identifier: Apache-2.0
"""What the control journal adds up to: rows of ``controls``, kills, trips; a fold over entries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade._native import limits as _native
from pretrade.audit import ControlJournal, Entry
from pretrade.domain import Config, Instrument
from pretrade.domain.errors import ControlError
from pretrade.domain.level_limits import LEVEL_LIMITS
from pretrade.limits.annex import Annex
from pretrade.limits.layouts import CONTROLS_DTYPE

Values = dict[str, int | float]
DIRECTIONS: Final[dict[str, int]] = dict(_native.DIRECTIONS)
SOURCES: Final = ("sidecar", "gateway", "human")
PPM: Final = 1_000_000
_U32_MAX: Final = 2**32 - 1
# Row flags, as in crates/shm/src/controls.rs.
_ALLOW_NEGATIVE_PRICE: Final = 1
_ENABLED: Final = 2
_SHORT_SALE: Final = {"free": 0, "none": 16, "locate": 32}
RESTRICTING: Final = 16 | 32
"""Row flags whose going loosens."""


class Level(IntEnum):
    """Whom a row of ``controls`` speaks for; values as in ``crates/shm`` (a test holds them equal)."""

    INSTRUMENT = 0
    STRATEGY = 1
    TRADER = 2
    DESK = 3
    ACCOUNT = 4
    VENUE = 5
    FIRM = 6
    GATEWAY = 7


def is_looser(name: str, new: float, old: float) -> bool:
    """True where ``new`` allows more than ``old``, by the one direction table."""
    return (new - old) * DIRECTIONS[name] < 0


@dataclass(slots=True)
class Row:
    """One row as the journal says it is. ``reference`` holds what no model moves (tick, lot, ...)."""

    level: Level
    row_id: int
    static: Values = field(default_factory=dict)
    floor: Values = field(default_factory=dict)
    reference: dict[str, int] = field(default_factory=dict)
    limits: dict[str, int] = field(default_factory=dict)
    shares: dict[str, int] = field(default_factory=dict)
    resumed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SOURCES, 0))
    trip: int = 0
    kill: int = 0
    is_reduce_only: bool = False
    version: int = 0
    seq: int = 0
    annex: int = 0
    """Of the firm's row: number of the annex in force."""
    loosened: dict[str, int] = field(default_factory=dict)
    """Entry in which two persons last set a static limit."""

    def record(self) -> np.void:
        """The row as a ``controls`` record; an absent parameter has its valid bit off."""
        record: np.void = np.zeros(1, CONTROLS_DTYPE)[0]
        record["id"], record["level"] = self.row_id, self.level
        record["version"], record["generation"] = self.version, self.seq + 1
        for name, value in self.reference.items():
            record[name] = value
        if self.annex:
            record["channel"] = self.annex
        for name, limit in self.limits.items():
            record["level_limits"][LEVEL_LIMITS[name]] = limit
        record["level_mask"] = sum(1 << LEVEL_LIMITS[name] for name in self.limits)
        for source in SOURCES:
            record[f"resumed_{source}"] = self.resumed[source]
        for level, share in self.shares.items():
            record["shares_ppm"][Level[level.upper()]] = share
        # The ceiling is the static limit: none looser has been signed (no such action exists yet).
        for block, values in (("static_limits", self.static), ("floor", complete_floor(self.floor)), ("ceiling", self.static)):
            target = record[block]
            mask = 0
            for bit, name in enumerate(DIRECTIONS):
                if name in values:
                    target[name] = values[name]
                    mask |= 1 << bit
            target["valid_mask"] = mask
        return record


def complete_floor(floor: Values) -> Values:
    """Floors of every parameter: a parameter without a floor may be tightened by a model as far as its type goes."""
    return {name: floor.get(name, 0 if direction < 0 else _tightest(name)) for name, direction in DIRECTIONS.items()}


def _tightest(name: str) -> int:
    return 2**31 - 1 if name == "passive_standoff_ticks" else _U32_MAX


@dataclass(slots=True)
class State:
    """Fold over the entries of a control journal."""

    rows: dict[tuple[Level, int], Row] = field(default_factory=dict)
    firm_kill: int = 0
    last_kill: int = 0
    config_hash: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    changed: set[tuple[Level, int]] = field(default_factory=set)
    annex: Annex = field(default_factory=Annex)

    def apply(self, entry: Entry) -> None:
        """Take one entry into account.

        Raises
        ------
        ControlError
            If the action is not one this program knows.
        """
        handler = getattr(self, f"_on_{entry.action}", None)
        if handler is None:
            raise ControlError(f"control journal entry {entry.seq} has the unknown action {entry.action!r}")
        handler(entry.seq, entry.fields)

    def row(self, level: Level, row_id: int) -> Row:
        """One row.

        Raises
        ------
        ControlError
            If there is none.
        """
        try:
            return self.rows[(level, row_id)]
        except KeyError:
            known = ", ".join(str(i) for lvl, i in self.rows if lvl == level)
            raise ControlError(f"controls has no row of {level.name.lower()} {row_id}; it has {known or 'none of that level'}") from None

    def _touch(self, seq: int, level: Level, row_id: int) -> Row:
        row = self.rows.setdefault((level, row_id), Row(level, row_id))
        row.seq, row.version = seq, row.version + 1
        self.changed.add((level, row_id))
        return row

    def _target(self, seq: int, fields: Mapping[str, Any]) -> Row:
        return self._touch(seq, Level[str(fields["level"]).upper()], int(fields["id"]))

    def _on_configure(self, seq: int, fields: Mapping[str, Any]) -> None:
        self.config_hash, self.settings = str(fields["config_hash"]), dict(fields.get("settings", {}))
        named = set()
        for raw in fields["rows"]:
            is_new = (Level[str(raw["level"]).upper()], int(raw["id"])) not in self.rows
            row = self._target(seq, raw)
            row.static, row.floor, row.reference = dict(raw["static"]), dict(raw["floor"]), dict(raw["reference"])
            row.limits = dict(raw.get("limits", {}))
            if is_new:  # later the two persons of set_shares alone move them
                row.shares = dict(raw["shares"])
            if fields.get("second_by"):
                row.loosened.update(dict.fromkeys(row.static, seq))
            named.add((row.level, row.row_id))
        for (level, row_id), row in self.rows.items():
            if level not in (Level.FIRM, Level.GATEWAY) and (level, row_id) not in named and row.reference.get("flags", 0) & _ENABLED:
                self._touch(seq, level, row_id).reference["flags"] &= ~_ENABLED

    def _on_set_static(self, seq: int, fields: Mapping[str, Any]) -> None:
        row = self._target(seq, fields)
        row.static.update(fields["values"])
        if fields.get("second_by"):
            row.loosened.update(dict.fromkeys(fields["values"], seq))

    def _on_set_enabled(self, seq: int, fields: Mapping[str, Any]) -> None:
        row = self._target(seq, fields)
        flags = row.reference.get("flags", 0)
        row.reference["flags"] = flags | _ENABLED if fields["is_on"] else flags & ~_ENABLED

    def _on_set_shares(self, seq: int, fields: Mapping[str, Any]) -> None:
        self._touch(seq, Level.GATEWAY, int(fields["id"])).shares = dict(fields["shares"])

    def _on_arm_kill(self, seq: int, fields: Mapping[str, Any]) -> None:
        number = int(fields["number"])
        self.last_kill = max(self.last_kill, number)
        if fields["level"] == "firm":
            self.firm_kill = max(self.firm_kill, number)
        else:
            row = self._target(seq, fields)
            row.kill = max(row.kill, number)

    def _on_release_kill(self, seq: int, fields: Mapping[str, Any]) -> None:
        number = int(fields["number"])
        if fields["level"] == "firm":
            self.firm_kill = 0 if self.firm_kill <= number else self.firm_kill
        else:
            row = self._target(seq, fields)
            row.kill = 0 if row.kill <= number else row.kill

    def _on_trip(self, seq: int, fields: Mapping[str, Any]) -> None:
        row = self._target(seq, fields)
        row.trip = max(row.trip, int(fields["trip_id"]))

    def _on_resume(self, seq: int, fields: Mapping[str, Any]) -> None:
        row = self._target(seq, fields)
        row.resumed[fields["source"]] = max(row.resumed[fields["source"]], int(fields["trip_id"]))

    def _on_decide_hold(self, seq: int, fields: Mapping[str, Any]) -> None:
        """Moves no row: the gateway it names reads it and acts."""

    def _on_issue_ticket(self, seq: int, fields: Mapping[str, Any]) -> None:
        self.annex.issue(seq, fields)
        self._name_annex(seq)

    def _on_revoke_ticket(self, seq: int, fields: Mapping[str, Any]) -> None:
        self.annex.revoke(seq, int(fields["ticket"]))
        self._name_annex(seq)

    def _on_restrict(self, seq: int, fields: Mapping[str, Any]) -> None:
        self.annex.restrict(seq, (int(fields["account"]), int(fields["instrument"])), on=bool(fields["is_on"]))
        self._name_annex(seq)

    def _on_block(self, seq: int, fields: Mapping[str, Any]) -> None:
        self.annex.block(seq, (int(Level[str(fields["level"]).upper()]), int(fields["id"])), on=bool(fields["is_on"]))
        self._name_annex(seq)

    def _on_set_rules(self, seq: int, fields: Mapping[str, Any]) -> None:
        self.annex.set_rules(seq, [str(line) for line in fields["rules"]])
        self._name_annex(seq)

    def _name_annex(self, seq: int) -> None:
        self._touch(seq, Level.FIRM, 0).annex = self.annex.number

    def _on_reduce_only(self, seq: int, fields: Mapping[str, Any]) -> None:
        self._target(seq, fields).is_reduce_only = bool(fields["is_on"])


def read_state(journal: ControlJournal) -> State:
    """Fold of everything a journal holds that was not read yet.

    Raises
    ------
    JournalError
        If the journal is corrupt.
    ControlError
        If it holds an action this program does not know.
    """
    state = State()
    for entry in journal.read_new():
        state.apply(entry)
    return state


def configured_rows(config: Config) -> list[dict[str, Any]]:
    """Rows that a configuration asks for: instruments, accounts, firm, and gateway 0 with the whole share."""
    rows = [_instrument_row(config, instrument) for instrument in config.instruments]
    rows += [_level_row(Level.ACCOUNT, a.account_id, a) for a in config.accounts]
    rows += [_level_row(Level.STRATEGY, s.strategy_id, s) for s in config.strategies]
    rows += [_level_row(Level.DESK, d.desk_id, d) for d in config.desks]
    rows += [_level_row(Level.TRADER, t.trader_id, t, t.desk_id) for t in config.traders]
    rows += [_level_row(Level.VENUE, v.session_id, v, v.trader_id) for v in config.venue_sessions]
    rows.append(_level_row(Level.FIRM, 0, config.firm))
    shares = {level.name.lower(): PPM for level in Level if level is not Level.GATEWAY}
    return [*rows, {**_plain_row(Level.GATEWAY, 0, {}, 0), "shares": shares}]


def configured_records(config: Config) -> NDArray[Any]:
    """The rows of :func:`configured_rows` as CONTROLS_DTYPE records, for tables without a control journal."""
    state = State()
    state.apply(Entry(0, 0, {"action": "configure", "config_hash": config.hash, "rows": configured_rows(config)}, "", ""))
    return np.array([row.record() for row in state.rows.values()], CONTROLS_DTYPE)


def _plain_row(level: Level, row_id: int, static: Values, open_orders_max: int) -> dict[str, Any]:
    reference = {"flags": _ENABLED, "open_orders_limit": open_orders_max}
    return {"level": level.name.lower(), "id": row_id, "static": static, "floor": {}, "reference": reference, "shares": {}}


def _level_row(level: Level, row_id: int, source: Any, parent_id: int = 0) -> dict[str, Any]:  # noqa: ANN401 - a row class of Config
    row = _plain_row(level, row_id, dict(source.static), source.open_orders_max)
    parent = {"parent_id": parent_id} if parent_id else {}
    return {**row, "limits": {**source.limits, **parent}}


def _instrument_row(config: Config, instrument: Instrument) -> dict[str, Any]:
    sessions = sorted(config.sessions)
    reference = {
        "tick_size": instrument.tick_size,
        "lot_size": instrument.lot_size,
        "value_per_tick_lot": instrument.value_per_tick_lot,
        "quantity_exponent": instrument.quantity_exponent,
        "money_exponent": instrument.money_exponent,
        "flags": _ENABLED | (_ALLOW_NEGATIVE_PRICE if instrument.allow_negative_price else 0) | _SHORT_SALE[instrument.short_sale],
        "session_calendar_id": sessions.index(instrument.session) if instrument.session in sessions else 0,
        "open_orders_limit": config.gate.open_orders_max,
        "fallback_factor_ppm": round(config.gate.fallback_factor * PPM),
    }
    row = _plain_row(Level.INSTRUMENT, instrument.instrument_id, dict(config.static_of(instrument)), config.gate.open_orders_max)
    return {**row, "floor": dict(config.floor), "reference": reference, "limits": dict(instrument.limits)}
