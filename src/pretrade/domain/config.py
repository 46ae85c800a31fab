# SPDX-License-Identifier: Apache-2.0
"""One TOML file read into frozen dataclasses; unknown keys are refused with the nearest valid name."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import tomllib
import types
import typing
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any, Final, Self

from pretrade._native import domain as _native
from pretrade.domain import level_limits
from pretrade.domain.codes import Phase
from pretrade.domain.errors import ConfigError
from pretrade.domain.fix import FixConfig, FixDropCopy, FixSession
from pretrade.domain.group import Group
from pretrade.domain.session import Session, SessionDate, SessionPhase

_T = typing.TypeVar("_T")

PRICE_SCALE: Final = 1_000_000_000
UNLIMITED: Final = 2**63 - 1
_DAY_S: Final = 86_400
UNLIMITED_U32: Final = 2**32 - 1
STANDOFF_OFF: Final = -(2**31)
PARAMETERS: Final[dict[str, int]] = dict(_native.PARAMETERS)
DIRECTIONS: Final[dict[str, int]] = dict(_native.DIRECTIONS)
"""-1 where smaller is tighter, +1 where bigger is tighter; the one table (invariant I5)."""
LEVEL_PARAMETERS: Final[dict[str, tuple[str, ...]]] = {level: tuple(names) for level, names in _native.LEVEL_PARAMETERS.items()}
"""What the gate judges at each level; a row lacking one of them allows nothing (control 9)."""
SHORT_SALE: Final = ("free", "locate", "none")
SELF_MATCH: Final = ("off", "account", "firm")
MASS_CANCEL: Final = ("off", "day", "all")
OPTIONAL_PARAMETERS: Final[dict[str, tuple[str, ...]]] = dict.fromkeys(("strategy", "trader", "desk"), ("position_max_long", "position_max_short"))
"""What the gate judges at a level where a row has it (control 18), and does not where it is absent."""
_U32 = frozenset(PARAMETERS) - {"max_order_quantity", "max_order_notional", "position_max_long", "position_max_short", "passive_standoff_ticks"}
_FLOAT = frozenset({"order_error_hold", "order_error_reject", "impact_budget_bps"})


@dataclass(frozen=True, slots=True)
class Instrument:
    """One tradable instrument.

    ``tick_size`` and ``lot_size`` are in 1e-9 price units and quantity units; ``value_per_tick_lot`` is money at
    ``money_exponent`` per tick and lot, with multiplier and currency folded in.
    """

    instrument_id: int
    symbol: str
    venue: str
    tick_size: int
    session: str
    lot_size: int = 1
    quantity_exponent: int = 0
    currency: str = "USD"
    money_exponent: int = -4
    value_per_tick_lot: int = 1
    allow_negative_price: bool = False
    adv: int = 0
    static: dict[str, int | float] = field(default_factory=dict)
    limits: dict[str, int] = field(default_factory=dict)
    short_sale: str = "free"
    """Control 6: ``free``, ``locate`` (an order must say that it is located) or ``none``."""


@dataclass(frozen=True, slots=True)
class SnapshotConfig:
    """How feature rows are closed."""

    interval_ms: int = 100
    depth_levels: int = 10
    stale_after_ms: int = 5_000
    depth_window_ticks: int = 10


@dataclass(frozen=True, slots=True)
class AnomalyConfig:
    """Budgets (events per instrument-day of 6.5 h) and score cuts."""

    budget_elevated: float = 0.5
    budget_high: float = 0.05
    event_gap_s: float = 60.0
    cut_elevated: float = 0.05
    cut_high: float = 0.20
    cut_critical: float = 0.95
    smoothing_rows: int = 5


@dataclass(frozen=True, slots=True)
class EvidenceConfig:
    """What the book itself must show before a score may reach HIGH or CRITICAL."""

    high_depth: float = 0.35
    high_imbalance: float = 0.35
    high_hold_s: float = 0.5
    critical_depth: float = 0.25
    critical_imbalance: float = 0.30
    critical_move_pct: float = 0.3
    critical_move_sigmas: float = 40.0
    median_s: float = 1.0


@dataclass(frozen=True, slots=True)
class SystemicConfig:
    """Budgets of a group's systemic score (events per group and day of 6.5 h), and what makes stress common.

    ``evidence_share`` is the share of members, never fewer than two, whose own books must show evidence before it reaches HIGH.
    """

    budget_elevated: float = 0.5
    budget_high: float = 0.05
    half_life_s: float = 60.0
    evidence_share: float = 0.25


@dataclass(frozen=True, slots=True)
class TierAction:
    """What one tier does to the static limits; factors in (0, 1], stand-off in ticks or ``None`` for unchanged."""

    order_quantity_factor: float = 1.0
    notional_factor: float = 1.0
    position_factor: float = 1.0
    collar_factor: float = 1.0
    drift_factor: float = 1.0
    rate_factor: float = 1.0
    concentration_factor: float = 1.0
    margin_factor: float = 1.0
    velocity_factor: float = 1.0
    loss_factor: float = 1.0
    standoff_ticks: int | None = None
    depth_share_factor: float = 1.0


@dataclass(frozen=True, slots=True)
class TiersConfig:
    """Actions per tier."""

    normal: TierAction = field(default_factory=TierAction)
    elevated: TierAction = field(default_factory=TierAction)
    high: TierAction = field(default_factory=TierAction)
    critical: TierAction = field(default_factory=TierAction)


@dataclass(frozen=True, slots=True)
class HysteresisConfig:
    """How slowly limits loosen."""

    dwell_elevated_s: float = 10.0
    dwell_high_s: float = 30.0
    exit_ratio: float = 0.6
    ramp_s: float = 10.0
    ramp_steps_per_s: float = 10.0


@dataclass(frozen=True, slots=True)
class GateConfig:
    """Staleness deadlines and fallback (``controls`` 4.3)."""

    t1_ms: int = 1_000
    t2_ms: int = 60_000
    fallback_factor: float = 0.5
    fallback_standoff_ticks: int = 5
    reference_ttl_ms: int = 1_000
    stale_order_ms: int = 5_000
    duplicate_window_ms: int = 50
    duplicate_count: int = 5
    open_orders_max: int = 1_000
    hold_controls: list[int] | None = None
    """Controls whose breach waits for a reviewer instead of rejecting: of 12 to 15, 17 and 26."""
    hold_timeout_s: int = 60
    hold_second_notional: int | None = None
    """Above this value, in money as ``max_order_notional``, a release takes two persons; absent: one always suffices."""
    order_error_model: str | None = None
    """Folder of the order-error model (control 34), ``starter`` for the packaged one; absent leaves the control off."""
    self_match: str = "off"
    """Control 30: whose own working orders an order must not trade with: ``off``, ``account`` or ``firm``."""
    session_start_s: int = 0
    """When a session day begins, seconds after midnight UTC: controls 20 and 23 start anew."""
    mass_cancel: str = "off"
    """Control 40: what a kill or a trip takes out of the venue: ``off``, ``day`` (all but good-till-cancelled) or ``all``."""
    disconnect_grace_ms: int | None = None
    """Control 38: how long after its client left an order is cancelled; absent never."""
    drop_copy_ms: int = 0
    """Control 42: a drop copy silent or unequal for longer lets only reductions pass; 0 is off."""
    clock_jump_ms: int = 0
    """Control 43: UTC may leave the monotonic clock by so much at once; 0 is off."""


@dataclass(frozen=True, slots=True)
class AlertsConfig:
    """Where alarms go beside the journal."""

    webhook_url: str | None = None
    timeout_s: float = 2.0


@dataclass(frozen=True, slots=True)
class Account:
    """An account the gate knows; ``static`` holds its own limits, every parameter of its level written out.

    ``limits`` holds what no model moves (exposure, counters, losses, ...) by name of ``LEVEL_LIMITS``; a control whose limit
    is not there is off at this row.
    """

    account_id: int
    name: str
    open_orders_max: int
    static: dict[str, int | float]
    limits: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Firm:
    """What bounds all accounts together; as :class:`Account`."""

    open_orders_max: int
    static: dict[str, int | float]
    limits: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Strategy:
    """A strategy or algorithm; where one has a row, one without is not authorised (control 5)."""

    strategy_id: int
    name: str
    open_orders_max: int
    static: dict[str, int | float]
    persons: list[str] | None = None
    """Who owns the algorithm: they review none of its held orders (control 41)."""
    limits: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Desk:
    """A desk: what bounds its traders together."""

    desk_id: int
    name: str
    open_orders_max: int
    static: dict[str, int | float]
    limits: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trader:
    """A trader and the desk that answers for it."""

    trader_id: int
    name: str
    open_orders_max: int
    static: dict[str, int | float]
    desk_id: int = 0
    persons: list[str] | None = None
    """Who trades: they review none of its held orders (control 41)."""
    limits: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VenueSession:
    """A session orders arrive on and whose it is; where one has a row, orders of another are not authorised (control 5)."""

    session_id: int
    name: str
    open_orders_max: int
    static: dict[str, int | float]
    trader_id: int = 0
    limits: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration; ``hash`` is the SHA-256 of the file it came from.

    Examples
    --------
    >>> config = Config.load()
    >>> config.instrument("ES").tick_size
    250000000
    """

    instruments: tuple[Instrument, ...]
    sessions: dict[str, Session]
    static: dict[str, int | float]
    floor: dict[str, int | float]
    firm: Firm
    accounts: tuple[Account, ...] = ()
    strategies: tuple[Strategy, ...] = ()
    desks: tuple[Desk, ...] = ()
    traders: tuple[Trader, ...] = ()
    venue_sessions: tuple[VenueSession, ...] = ()
    snapshot: SnapshotConfig = field(default_factory=SnapshotConfig)
    anomaly: AnomalyConfig = field(default_factory=AnomalyConfig)
    evidence: EvidenceConfig = field(default_factory=EvidenceConfig)
    systemic: SystemicConfig = field(default_factory=SystemicConfig)
    groups: tuple[Group, ...] = ()
    tiers: TiersConfig = field(default_factory=TiersConfig)
    hysteresis: HysteresisConfig = field(default_factory=HysteresisConfig)
    gate: GateConfig = field(default_factory=GateConfig)
    alerts: AlertsConfig = field(default_factory=AlertsConfig)
    fix: FixConfig | None = None
    hash: str = ""

    @classmethod
    def load(cls, path: Path | str | None = None) -> Self:
        """Read a configuration file.

        Parameters
        ----------
        path
            TOML file; the packaged ``default.toml`` when ``None``.

        Raises
        ------
        ConfigError
            If the file cannot be read or parsed, a key is unknown, or a value is of the wrong type or out of range.
        """
        try:
            raw = resources.files("pretrade.domain").joinpath("default.toml").read_bytes() if path is None else Path(path).read_bytes()
        except OSError as e:
            raise ConfigError(f"configuration {path} cannot be read: {e.strerror}") from e
        where = "default.toml" if path is None else str(path)
        try:
            table = tomllib.loads(raw.decode("utf-8"), parse_float=Decimal)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
            raise ConfigError(f"{where} is not valid TOML: {e}") from e
        return cls._from_table(table, where, hashlib.sha256(raw).hexdigest())

    @classmethod
    def _from_table(cls, table: dict[str, Any], where: str, digest: str) -> Self:
        plural = {"instruments", "sessions", "accounts", "groups", "strategies", "desks", "traders", "venue_sessions"}
        single = {"strategy", *(name.removesuffix("s") for name in plural - {"strategies"})}
        known = {f.name for f in dataclasses.fields(cls)} - plural - {"hash"} | single
        _refuse_unknown(table, known, where)
        sessions = {s.name: s for s in (_session(t, f"{where} [[session]]") for t in table.get("session", []))}
        instruments = tuple(_instrument(t, f"{where} [[instrument]]") for t in table.get("instrument", []))
        if not instruments:
            raise ConfigError(f"{where} names no [[instrument]]; at least one is needed")
        _refuse_duplicates(instruments, sessions, where)
        static = parameters(table.get("static", {}), f"{where} [static]")
        _refuse_absent(static, PARAMETERS, f"{where} [static]")
        accounts = _levels(Account, table, "account", "account", where)
        config = cls(
            instruments=instruments,
            sessions=sessions,
            static=static,
            floor=parameters(table.get("floor", {}), f"{where} [floor]"),
            firm=_level(Firm, table.get("firm", {}), "firm", f"{where} [firm]"),
            accounts=accounts,
            strategies=_levels(Strategy, table, "strategy", "strategy", where),
            desks=_levels(Desk, table, "desk", "desk", where),
            traders=_levels(Trader, table, "trader", "trader", where),
            venue_sessions=_levels(VenueSession, table, "venue_session", "venue", where),
            snapshot=_read(SnapshotConfig, table.get("snapshot", {}), f"{where} [snapshot]"),
            anomaly=_read(AnomalyConfig, table.get("anomaly", {}), f"{where} [anomaly]"),
            evidence=_read(EvidenceConfig, table.get("evidence", {}), f"{where} [evidence]"),
            systemic=_read(SystemicConfig, table.get("systemic", {}), f"{where} [systemic]"),
            groups=_groups(table.get("group", []), [i.symbol for i in instruments], f"{where} [[group]]"),
            tiers=_read(TiersConfig, table.get("tiers", {}), f"{where} [tiers]"),
            hysteresis=_read(HysteresisConfig, table.get("hysteresis", {}), f"{where} [hysteresis]"),
            gate=_read(GateConfig, table.get("gate", {}), f"{where} [gate]"),
            alerts=_read(AlertsConfig, table.get("alerts", {}), f"{where} [alerts]"),
            fix=_fix(table["fix"], accounts, f"{where} [fix]") if "fix" in table else None,
            hash=digest,
        )
        _refuse_unreachable(config, where)
        return config

    def instrument(self, key: str | int) -> Instrument:
        """Instrument by symbol or id.

        Raises
        ------
        ConfigError
            If there is none.
        """
        for instrument in self.instruments:
            if key in (instrument.symbol, instrument.instrument_id):
                return instrument
        known = ", ".join(f"{i.symbol} ({i.instrument_id})" for i in self.instruments)
        raise ConfigError(f"instrument {key!r} is not in the configuration; it knows {known}")

    def static_of(self, instrument: Instrument) -> dict[str, int | float]:
        """Static limits of one instrument: the common ones overlaid by its own."""
        return {**self.static, **instrument.static}

    def with_static_limit(self, max_order_quantity: int) -> Config:
        """Copy with another static maximum order size, in lots, for every instrument; the hash says so."""
        if max_order_quantity < 0:
            raise ConfigError(f"static limit is {max_order_quantity} lots; it must not be negative")
        instruments = tuple(dataclasses.replace(i, static={**i.static, "max_order_quantity": max_order_quantity}) for i in self.instruments)
        digest = hashlib.sha256(f"{self.hash} max_order_quantity={max_order_quantity}".encode()).hexdigest()
        return dataclasses.replace(self, instruments=instruments, hash=digest)


def parameters(table: dict[str, Any], where: str) -> dict[str, int | float]:
    """Limit parameters by name, checked for range; ``"unlimited"`` and ``"off"`` are the only words."""
    _refuse_unknown(table, set(PARAMETERS), where)
    return {name: _parameter(name, value, f"{where} {name}") for name, value in table.items()}


def _refuse_absent(given: typing.Container[str], wanted: typing.Iterable[str], where: str) -> None:
    missing = sorted(name for name in wanted if name not in given)
    if missing:
        raise ConfigError(f'{where} lacks {", ".join(missing)}; an absent limit is invalid, none is written as "unlimited" or "off"')


def _levels(cls: type[_T], table: dict[str, Any], key: str, level: str, where: str) -> tuple[_T, ...]:
    return tuple(_level(cls, t, level, f"{where} [[{key}]] {t.get('name', '?')}") for t in table.get(key, []))


def _limits(table: dict[str, Any], level: str, where: str) -> dict[str, int]:
    given = table.get("limits", {})
    if not isinstance(given, dict):
        raise ConfigError(f"{where} limits is {given!r}; it must be a table")
    _refuse_unknown(given, level_limits.names_at(level), f"{where} limits")
    return level_limits.checked(given, f"{where} limits")


def _refuse_unreachable(config: Config, where: str) -> None:
    """A row that names one there is not, and a control that could never fire or never pass."""
    gate = config.gate
    if gate.self_match not in SELF_MATCH:
        raise ConfigError(f"{where} [gate] self_match is {gate.self_match!r}; it must be one of {', '.join(SELF_MATCH)}")
    if gate.mass_cancel not in MASS_CANCEL:
        raise ConfigError(f"{where} [gate] mass_cancel is {gate.mass_cancel!r}; it must be one of {', '.join(MASS_CANCEL)}")
    for name in ("disconnect_grace_ms", "drop_copy_ms", "clock_jump_ms"):
        if (getattr(gate, name) or 0) < 0:
            raise ConfigError(f"{where} [gate] {name} is {getattr(gate, name)}; it must not be below 0")
    if not 0 <= gate.session_start_s < _DAY_S:
        raise ConfigError(f"{where} [gate] session_start_s is {gate.session_start_s}; it must be from 0 to {_DAY_S - 1}")
    desks, traders = {d.desk_id for d in config.desks}, {t.trader_id for t in config.traders}
    for trader in config.traders:
        if trader.desk_id not in {0, *desks}:
            raise ConfigError(f"{where} [[trader]] {trader.name} has desk_id {trader.desk_id}, which has no [[desk]]")
    for session in config.venue_sessions:
        if session.trader_id not in {0, *traders}:
            raise ConfigError(f"{where} [[venue_session]] {session.name} has trader_id {session.trader_id}, which has no [[trader]]")
    reached = {s.trader_id for s in config.venue_sessions}
    idle = [f"[[trader]] {t.name}" for t in config.traders if t.trader_id not in reached]
    idle += [f"[[desk]] {d.name}" for d in config.desks if d.desk_id not in {t.desk_id for t in config.traders}]
    if idle:
        raise ConfigError(f"{where} {idle[0]} can never fire: no session or trader leads to it")
    lacking = [i.symbol for i in config.instruments if "margin_per_lot" not in i.limits]
    for account in config.accounts:
        if "margin" in account.limits and lacking:
            raise ConfigError(
                f"{where} [[account]] {account.name} has a margin; {', '.join(lacking)} lack margin_per_lot and would refuse every order"
            )


def _level(cls: type[_T], table: dict[str, Any], level: str, where: str) -> _T:
    """A row above instruments: what the gate judges there is written out, what it does not is refused."""
    table, names = dict(table), LEVEL_PARAMETERS[level]
    given = table.get("static", {})
    _refuse_unknown(given, {*names, *OPTIONAL_PARAMETERS.get(level, ())}, f"{where} static")
    _refuse_absent(given, names, f"{where} static")
    table["static"] = parameters(given, f"{where} static")
    table["limits"] = _limits(table, level, where)
    _refuse_absent(table, ["open_orders_max"], where)
    if table["open_orders_max"] == "unlimited":
        table["open_orders_max"] = UNLIMITED_U32
    row = _read(cls, table, where)
    count = table["open_orders_max"]
    if not 0 <= count <= UNLIMITED_U32:
        raise ConfigError(f'{where} open_orders_max is {count}; it must be from 0 to {UNLIMITED_U32} or "unlimited"')
    return row


def _parameter(name: str, value: object, where: str) -> int | float:
    if name == "passive_standoff_ticks":
        if value == "off":
            return STANDOFF_OFF
        if isinstance(value, int) and not isinstance(value, bool) and -(2**31) < value < 2**31:
            return value
        raise ConfigError(f'{where} is {value!r}; it must be whole ticks or "off"')
    if name in _FLOAT:
        if value == "unlimited":
            return 3.0e38
        if isinstance(value, int | Decimal) and not isinstance(value, bool) and value >= 0:
            return float(value)
        raise ConfigError(f'{where} is {value!r}; it must be a number not below 0 or "unlimited"')
    top = UNLIMITED_U32 if name in _U32 else UNLIMITED
    if value == "unlimited":
        return top
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= top:
        return value
    raise ConfigError(f'{where} is {value!r}; it must be a whole number from 0 to {top} or "unlimited"')


def _instrument(table: dict[str, Any], where: str) -> Instrument:
    table = dict(table)
    where = f"{where} {table.get('symbol', '?')}"
    table["static"] = parameters(table.get("static", {}), f"{where} static")
    table["limits"] = _limits(table, "instrument", where)
    if "tick_size" in table:
        table["tick_size"] = _scaled(table["tick_size"], PRICE_SCALE, f"{where} tick_size")
    exponent = table.get("money_exponent", -4)
    if "value_per_tick_lot" in table and isinstance(exponent, int):
        table["value_per_tick_lot"] = _scaled(table["value_per_tick_lot"], 10**-exponent, f"{where} value_per_tick_lot")
    instrument = _read(Instrument, table, where)
    for name in ("tick_size", "lot_size", "value_per_tick_lot"):
        if getattr(instrument, name) <= 0:
            raise ConfigError(f"{where} {name} is {getattr(instrument, name)}; it must be above 0")
    if instrument.short_sale not in SHORT_SALE:
        raise ConfigError(f"{where} short_sale is {instrument.short_sale!r}; it must be one of {', '.join(SHORT_SALE)}")
    if not 0 < instrument.instrument_id < 0xFF00_0000:
        raise ConfigError(f"{where} instrument_id is {instrument.instrument_id}; it must be from 1 to {0xFF00_0000 - 1}")
    return instrument


def _groups(tables: list[dict[str, Any]], symbols: list[str], where: str) -> tuple[Group, ...]:
    groups: list[Group] = []
    for table in tables:
        lists = {name: tuple(value) for name, value in table.items() if isinstance(value, list)}
        group = _read(Group, {**table, **lists}, where)
        if not all(isinstance(m, str) for m in group.members) or not all(type(v) is int for v in group.volatility or ()):
            raise ConfigError(f"{where} {group.name}: members are symbols, volatility is instrument ids")
        group.check(symbols, where)
        if group.group_id in [g.group_id for g in groups]:
            raise ConfigError(f"{where} {group.name} has group_id {group.group_id}, as another group has; each must be unique")
        groups.append(group)
    return tuple(groups)


def _scaled(value: object, scale: int, where: str) -> int:
    if not isinstance(value, int | Decimal) or isinstance(value, bool):
        raise ConfigError(f"{where} is {value!r}; it must be a number")
    scaled = Decimal(value) * scale
    if scaled != scaled.to_integral_value():
        raise ConfigError(f"{where} is {value}; it must be a multiple of {Decimal(1) / scale}")
    return int(scaled)


def _session(table: dict[str, Any], where: str) -> Session:
    _refuse_unknown(table, {"name", "timezone", "phase", "date"}, where)
    if "name" not in table or "timezone" not in table:
        raise ConfigError(f"{where} needs name and timezone")
    where = f"{where} {table['name']}"
    dates = tuple(SessionDate(_date(d, where), tuple(_phase(p, where) for p in d.get("phases", []))) for d in table.get("date", []))
    session = Session(str(table["name"]), str(table["timezone"]), tuple(_phase(p, where) for p in table.get("phase", [])), dates)
    try:
        session.intervals(0, 1)
    except (KeyError, ValueError) as e:
        raise ConfigError(f"{where}: {e}") from e
    return session


def _date(table: dict[str, Any], where: str) -> date:
    _refuse_unknown(table, {"day", "phases"}, where)
    if not isinstance(table.get("day"), date):
        raise ConfigError(f"{where} date.day is {table.get('day')!r}; it must be a date such as 2023-12-25")
    day: date = table["day"]
    return day


def _phase(table: dict[str, Any], where: str) -> SessionPhase:
    _refuse_unknown(table, {"start", "end", "phase", "days"}, where)
    names = [p.name for p in Phase]
    if table.get("phase") not in names:
        raise ConfigError(f"{where} phase is {table.get('phase')!r}; it must be one of {', '.join(names)}")
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    unknown = [d for d in table.get("days", days) if d not in days]
    if unknown or "start" not in table or "end" not in table:
        raise ConfigError(f"{where} phase needs start, end and days out of {', '.join(days)}; days {unknown} are unknown")
    return SessionPhase(str(table["start"]), str(table["end"]), Phase[table["phase"]], tuple(days.index(d) for d in table.get("days", days)))


def _fix(table: dict[str, Any], accounts: tuple[Account, ...], where: str) -> FixConfig:
    table = dict(table)
    rows = table.pop("session", [])
    sessions = tuple(_read(FixSession, t, f"{where} [[fix.session]] {t.get('target', '?')}") for t in rows)
    copies = tuple(_read(FixDropCopy, t, f"{where} [[fix.drop_copy]] {t.get('target', '?')}") for t in table.pop("drop_copy", []))
    known = {f.name for f in dataclasses.fields(FixConfig)} - {"sessions", "drop_copies"}
    _refuse_unknown(table, known | {"session", "drop_copy"}, where)
    fix = dataclasses.replace(_read(FixConfig, table, where), sessions=sessions, drop_copies=copies)
    problem = fix.problem({a.name for a in accounts})
    if problem is not None:
        raise ConfigError(f"{where} {problem}")
    return fix


def _refuse_duplicates(instruments: tuple[Instrument, ...], sessions: dict[str, Session], where: str) -> None:
    for name in ("instrument_id", "symbol"):
        seen: set[object] = set()
        for instrument in instruments:
            value = getattr(instrument, name)
            if value in seen:
                raise ConfigError(f"{where} has two instruments with {name} {value}; each must be unique")
            seen.add(value)
    for instrument in instruments:
        if instrument.session not in sessions:
            raise ConfigError(f"{where} instrument {instrument.symbol} has session {instrument.session!r}; known are {', '.join(sorted(sessions))}")


def _refuse_unknown(table: dict[str, Any], known: set[str], where: str) -> None:
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"it knows {', '.join(sorted(known))}"
            raise ConfigError(f"{where} has an unknown key {key!r}; {hint}")


def _read(cls: type[_T], table: dict[str, Any], where: str) -> _T:
    fields = {f.name: f for f in dataclasses.fields(typing.cast("Any", cls))}
    _refuse_unknown(table, set(fields), where)
    hints = typing.get_type_hints(cls)
    values = {name: _value(hints[name], value, f"{where} {name}") for name, value in table.items()}
    missing = [
        f.name for f in fields.values() if f.name not in values and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise ConfigError(f"{where} lacks {', '.join(missing)}")
    return cls(**values)


def _value(hint: Any, value: object, where: str) -> object:  # noqa: ANN401 - a type hint may be any typing form
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, dict):
            raise ConfigError(f"{where} is {value!r}; it must be a table")
        return _read(typing.cast("type[object]", hint), value, where)
    allowed = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if float in allowed and isinstance(value, int | Decimal) and not isinstance(value, bool):
        number = float(value)
        if number < 0 or number != number or number in (float("inf"),):
            raise ConfigError(f"{where} is {value}; it must be finite and not below 0")
        return number
    for kind in allowed:
        plain = typing.get_origin(kind) or kind
        if isinstance(plain, type) and isinstance(value, plain) and not (plain is int and isinstance(value, bool)):
            return value
    raise ConfigError(f"{where} is {value!r}; it must be of type {hint}")
