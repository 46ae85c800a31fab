# SPDX-License-Identifier: Apache-2.0
"""What humans do: kill, trip, resume, set static limits. Journalled, chained, working with every process dead."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from pretrade._native import limits as _native
from pretrade.audit import ControlJournal, Entry
from pretrade.domain import Config
from pretrade.domain.config import LEVEL_PARAMETERS, OPTIONAL_PARAMETERS
from pretrade.domain.errors import ControlError, JournalError, TableError
from pretrade.limits.layouts import CONTROLS_DTYPE
from pretrade.limits.lock import held
from pretrade.limits.loosening import loosened, settings
from pretrade.limits.publication import Publication
from pretrade.limits.run_directory import RunDirectory
from pretrade.limits.state import DIRECTIONS, PPM, Level, Row, State, Values, configured_rows, is_looser, read_state
from pretrade.limits.trips import Stop, Trip, stops_in_force, trips_in_force

REASON_LENGTH: Final = 10
NOBODY: Final = "configuration"
"""Who loads a configuration that loosens nothing."""
_SPARE_ROWS: Final = 64
_EXECUTION_THROTTLE: Final = 25


@dataclass(frozen=True, slots=True)
class Person:
    """Who acts and why; refused where no name is given or the reason is shorter than 10 characters."""

    by: str
    reason: str

    def __post_init__(self) -> None:
        if not self.by.strip():
            raise ControlError("by is empty; a control action names a person")
        if len(self.reason.strip()) < REASON_LENGTH:
            raise ControlError(f"reason {self.reason!r} has {len(self.reason.strip())} characters; at least {REASON_LENGTH} are needed")


class Controls:
    """Writer of the ``controls`` table, one action at a time under its lock.

    A tightening acts at once and is recorded then; a loosening is durable in the control journal before it acts.
    Needs no other process. Use :meth:`create` where a run starts, :meth:`open` in a tool.

    Notes
    -----
    The kill words, trip ids and reduce-only words are set outside the lock, so that a stuck writer stops nobody.
    """

    def __init__(self, run: RunDirectory, native: Any, *, lock_timeout_s: float = 2.0, now_utc: Callable[[], int] = time.time_ns) -> None:  # noqa: ANN401
        self.run = run
        self.journal = ControlJournal(run.control_journal)
        self._native = native
        self._table = Publication(native, run.annex)
        self._state = State()
        self._lock_timeout_s = lock_timeout_s
        self._now_utc = now_utc

    @classmethod
    def create(
        cls, run: RunDirectory | Path | str, config: Config, *, by: str = NOBODY, second_by: str | None = None, lock_timeout_s: float = 2.0
    ) -> Self:
        """Make (or rebuild from its journal) the table, with the rows of ``config``.

        Raises
        ------
        ControlError
            If ``config`` loosens anything that the journal holds, or adds a row: that needs ``by`` and ``second_by``.
        TableError
            If the table cannot be made, or one is there that cannot be read: it is never replaced under a running gateway.
        """
        run = _directory(run).create()
        with held(run.controls_lock, f"create by {by}", timeout_s=lock_timeout_s):
            state = read_state(ControlJournal(run.control_journal))
            wanted = configured_rows(config)
            keys = {*state.rows, *((Level[str(r["level"]).upper()], int(r["id"])) for r in wanted)}
            native = _open_or_make(run, sorted(keys))
            controls = cls(run, native, lock_timeout_s=lock_timeout_s)
            controls._catch_up()
            controls._configure(config, wanted, by=by, second_by=second_by)
        return controls

    @classmethod
    def open(cls, run: RunDirectory | Path | str, *, lock_timeout_s: float = 2.0) -> Self:
        """Open an existing table.

        Raises
        ------
        TableError
            If there is none or it is refused.
        """
        run = _directory(run)
        return cls(run, _native.NativeControls.open(run.controls, run.clock_domain, "shared"), lock_timeout_s=lock_timeout_s)

    # -- looking ---------------------------------------------------------------------------------------------------

    def record(self, level: Level, row_id: int) -> np.void:
        """One row as it stands in the table."""
        found = self._native.read(row_id, int(level))
        if found is None:
            raise ControlError(f"controls has no row of {level.name.lower()} {row_id}")
        row: np.void = np.frombuffer(found, CONTROLS_DTYPE).copy()[0]
        return row

    def snapshot(self) -> NDArray[Any]:
        """Every row."""
        return np.frombuffer(self._native.snapshot(), CONTROLS_DTYPE).copy()

    def static(self, instrument_id: int) -> Values:
        """Static limits of an instrument by parameter name; absent ones are left out."""
        block = self.record(Level.INSTRUMENT, instrument_id)["static_limits"]
        return {name: block[name].item() for bit, name in enumerate(DIRECTIONS) if int(block["valid_mask"]) >> bit & 1}

    def resumed(self, instrument_id: int) -> dict[str, int]:
        """Last trip id resumed, per source (sidecar, gateway, human)."""
        record = self.record(Level.INSTRUMENT, instrument_id)
        return {source: int(record[f"resumed_{source}"]) for source in ("sidecar", "gateway", "human")}

    def resumed_sidecar(self) -> dict[int, int]:
        """Last resumed trip id of the sidecar, per instrument: what calibration reads every tick."""
        rows = self.snapshot()
        rows = rows[rows["level"] == Level.INSTRUMENT]
        return dict(zip(rows["id"].tolist(), rows["resumed_sidecar"].tolist(), strict=True))

    def trips(self) -> list[Trip]:
        """Trips in force, by instrument and source, read from all three tables."""
        return trips_in_force(self.run, self.snapshot())

    def stops(self) -> list[Stop]:
        """Levels that gateways stopped, by loss (23) or repeated execution (25)."""
        return stops_in_force(self.run, self.snapshot())

    @property
    def kill_word(self) -> int:
        """Firm kill: 0 = not armed, else the number of the arming."""
        return int(self._native.kill_word)

    @property
    def generation(self) -> int:
        """Moves with every change of the table."""
        return int(self._native.generation)

    # -- acting ----------------------------------------------------------------------------------------------------

    def arm_kill(self, by: str, reason: str, *, level: Level = Level.FIRM, row_id: int = 0) -> int:
        """Stop every new order and replace, of the firm or of one row; acts before anything else is tried.

        Returns
        -------
        int
            Number of this arming.

        Raises
        ------
        ControlError
            If the kill stands but could not be recorded.
        TableError
            If there is no such row: its kill would stop nothing.
        """
        person = Person(by, reason)
        number = int(self._native.arm_kill() if level is Level.FIRM else self._native.arm_row_kill(row_id, int(level)))
        fields = {"action": "arm_kill", "level": level.name.lower(), "id": row_id, "number": number}
        self._record_tightening(fields, person, f"kill {number}")
        return number

    def release_kill(self, number: int, by: str, second_by: str, reason: str, *, level: Level = Level.FIRM, row_id: int = 0) -> None:
        """Let orders pass again; two different persons name the arming that they decided about.

        Parameters
        ----------
        number
            As :meth:`arm_kill` returned it.
        by, second_by, reason
            Two named humans and why.
        level, row_id
            Whose kill.

        Raises
        ------
        ControlError
            If that arming is not in force (none is, or a later one stands), or the two persons are one.
        """
        person = self._two_persons(by, second_by, reason, "release of a kill")
        with self._lock(f"release_kill by {by}"):
            in_force = self.kill_word if level is Level.FIRM else int(self._native.state(row_id, int(level))[0])
            if number != in_force or number == 0:
                raise ControlError(f"kill {number} of {level.name.lower()} {row_id} is not in force; in force: {in_force or 'none'}")
            fields = {"action": "release_kill", "level": level.name.lower(), "id": row_id, "number": number, "second_by": second_by}
            self._append(fields, person)
            released = self._native.release_kill(number) if level is Level.FIRM else self._native.release_row_kill(row_id, int(level), number)
            self._publish()
        if not released:
            raise ControlError(f"kill of {level.name.lower()} {row_id} was armed again while {number} was being released; it stands")

    def trip(self, instrument_id: int, by: str, reason: str) -> int:
        """Trip the breaker of one instrument by hand; returns the trip id."""
        person = Person(by, reason)
        trip_id = int(self._native.trip(instrument_id, int(Level.INSTRUMENT)))
        fields = {"action": "trip", "level": "instrument", "id": instrument_id, "trip_id": trip_id}
        self._record_tightening(fields, person, f"trip {trip_id} of instrument {instrument_id}")
        return trip_id

    def resume(self, instrument_id: int, trip_id: int, by: str, reason: str, *, source: str | None = None) -> None:
        """Resume a tripped instrument by naming the trip that is in force.

        Parameters
        ----------
        instrument_id, trip_id
            The trip.
        by, reason
            A named human and why (at least 10 characters).
        source
            ``sidecar``, ``gateway`` or ``human``; needed only where two sources are tripped with the same id.

        Raises
        ------
        ControlError
            If no trip of that id is in force: an older or replayed id resumes nothing.
        """
        person = Person(by, reason)
        with self._lock(f"resume by {by}"):
            in_force = [t for t in self.trips() if t.instrument_id == instrument_id and source in (None, t.source)]
            named = [t for t in in_force if t.trip_id == trip_id]
            if not named:
                fresh = ", ".join(f"{t.trip_id} ({t.source})" for t in in_force) or "none"
                raise ControlError(f"trip {trip_id} of instrument {instrument_id} is not in force; in force: {fresh}")
            if len(named) > 1:
                raise ControlError(
                    f"trip {trip_id} of instrument {instrument_id} is in force from {', '.join(t.source for t in named)}; name the source"
                )
            fields = {"action": "resume", "level": "instrument", "id": instrument_id, "trip_id": trip_id, "source": named[0].source}
            self._append(fields, person)
            self._publish()

    def resume_level(self, level: Level, row_id: int, stop_id: int, by: str, reason: str, *, second_by: str | None = None) -> None:
        """End a gateway's stop of a level by naming it: one designated person after repeated execution, two after a loss.

        Raises
        ------
        ControlError
            If no stop of that id is in force, or the second person is missing.
        """
        person = Person(by, reason)
        with self._lock(f"resume_level by {by}"):
            in_force = [s for s in self.stops() if (s.level, s.row_id) == (level, row_id)]
            if not in_force or in_force[0].stop_id != stop_id:
                fresh = ", ".join(f"{s.stop_id} (control {s.control})" for s in in_force) or "none"
                raise ControlError(f"stop {stop_id} of {level.name.lower()} {row_id} is not in force; in force: {fresh}")
            fields: dict[str, Any] = {"action": "resume", "level": level.name.lower(), "id": row_id, "trip_id": stop_id, "source": "gateway"}
            if in_force[0].control != _EXECUTION_THROTTLE:
                self._two_persons(by, second_by, reason, f"resume of {level.name.lower()} {row_id} after a loss")
                fields["second_by"] = second_by
            self._append(fields, person)
            self._publish()

    def set_static(
        self, row_id: int, values: Mapping[str, int | float], by: str, reason: str, *, second_by: str | None = None, level: Level = Level.INSTRUMENT
    ) -> None:
        """Change static limits of a row; loosening any of them takes a second person.

        Raises
        ------
        ControlError
            If a name is unknown or not judged at the level, a value negative, the row absent, or a second person is missing.
        """
        person = Person(by, reason)
        for name, value in values.items():
            if name not in DIRECTIONS:
                raise ControlError(f"parameter {name!r} is unknown; known are {', '.join(DIRECTIONS)}")
            judged = (*LEVEL_PARAMETERS[level.name.lower()], *OPTIONAL_PARAMETERS.get(level.name.lower(), ()))
            if name not in judged:
                raise ControlError(f"{name} is not judged at the level {level.name.lower()}, which judges {', '.join(judged) or 'none'}")
            if value != value or (value < 0 and name != "passive_standoff_ticks"):
                raise ControlError(f"{name} is {value}; it must not be below 0")
        with self._lock(f"set_static by {by}"):
            self._catch_up()
            row = self._state.row(level, row_id)
            old = self._table.in_force(row)
            looser = [n for n, v in values.items() if n not in old or is_looser(n, v, old[n])]
            fields: dict[str, Any] = {"action": "set_static", "level": level.name.lower(), "id": row_id, "values": dict(values)}
            if looser:
                self._two_persons(by, second_by, reason, f"loosening {', '.join(looser)}")
                fields["second_by"] = second_by
                self._append(fields, person)
                self._publish()
            else:
                self._tighten_row(row, fields, person)

    def reduce_only(self, instrument_id: int, by: str, reason: str, *, on: bool = True, second_by: str | None = None) -> None:
        """Let only reductions of one instrument pass; switching it off takes a second person."""
        person = Person(by, reason)
        level = int(Level.INSTRUMENT)
        fields: dict[str, Any] = {"action": "reduce_only", "level": "instrument", "id": instrument_id, "is_on": on}
        if on:
            self._native.set_reduce_only(instrument_id, level, 1)
            self._record_tightening(fields, person, f"reduce-only of instrument {instrument_id}")
            return
        self._two_persons(by, second_by, reason, "end of reduce-only")
        with self._lock(f"reduce_only by {by}"):
            self._append({**fields, "second_by": second_by}, person)
            self._native.set_reduce_only(instrument_id, level, 0)
            self._publish()

    def set_enabled(self, level: Level, row_id: int, by: str, reason: str, *, on: bool, second_by: str | None = None) -> None:
        """Take a row out of trading, or let it trade again; the latter takes a second person.

        Raises
        ------
        ControlError
            If there is no such row, or the second person is missing.
        """
        fields: dict[str, Any] = {"action": "set_enabled", "level": level.name.lower(), "id": row_id, "is_on": on}
        second = (second_by or "") if on else None
        self.sign(
            {**fields, "second_by": second_by} if on else fields, Person(by, reason), rows=((level, row_id),), second_by=second, what="enabling"
        )

    def set_shares(self, gateway_id: int, shares: Mapping[Level, int], by: str, second_by: str, reason: str) -> None:
        """Give a gateway row its share in ppm of each level's limits; over all rows a level sums to at most 1,000,000."""
        person = self._two_persons(by, second_by, reason, "gateway shares")
        with self._lock(f"set_shares by {by}"):
            self._catch_up()
            for level, share in shares.items():
                others = sum(
                    r.shares.get(level.name.lower(), 0) for (lvl, i), r in self._state.rows.items() if lvl is Level.GATEWAY and i != gateway_id
                )
                if share < 0 or others + share > PPM:
                    raise ControlError(
                        f"share of {level.name.lower()} is {share} ppm beside {others} ppm of other gateways; the sum must be from 0 to {PPM}"
                    )
            named = {level.name.lower(): share for level, share in shares.items()}
            self._append({"action": "set_shares", "id": gateway_id, "shares": named, "second_by": second_by}, person)
            self._publish()

    def decide_hold(
        self, gateway_id: int, session_id: int, client_order_id: int, by: str, reason: str, *, quantity: int | None, second_by: str | None = None
    ) -> int:
        """Say what becomes of an order that waits at a gateway: durable first, then read by that gateway.

        Parameters
        ----------
        gateway_id, session_id, client_order_id
            The order, as ``holds list`` shows it.
        by, reason, second_by
            Who decides and why; the gateway asks for the second person where the order is large.
        quantity
            What is released, at most what waits; 0 rejects the order; ``None`` releases it whole.

        Returns
        -------
        int
            Number of the entry in the control journal, which the gateway names when it has acted.
        """
        person = Person(by, reason) if second_by is None else self._two_persons(by, second_by, reason, "release of a large order")
        fields: dict[str, Any] = {"action": "decide_hold", "gateway": gateway_id, "session": session_id, "order": client_order_id}
        with self._lock(f"decide_hold by {by}"):
            return self._append({**fields, "quantity": quantity, "second_by": second_by}, person).seq

    def sign(
        self, fields: Mapping[str, Any], person: Person, *, rows: Iterable[tuple[Level, int]] = (), second_by: str | None = None, what: str = ""
    ) -> int:
        """Record an action, durable first, then let every gate see it.

        Parameters
        ----------
        fields, person
            The action and who acts.
        rows
            Rows of ``controls`` that must be there.
        second_by, what
            A second person where one signs, for what.

        Returns
        -------
        int
            Number of the entry in the control journal.
        """
        if second_by is not None:
            person = self._two_persons(person.by, second_by, person.reason, what)
        with self._lock(f"{fields['action']} by {person.by}"):
            self._catch_up()
            for level, row_id in rows:
                self._state.row(level, row_id)
            entry = self._append(fields, person)
            self._publish()
        return entry.seq

    def now_utc(self) -> int:
        """The clock that entries are stamped with."""
        return self._now_utc()

    def newest_kill(self) -> int:
        """Number of the newest arming that stands, of the firm or of any row; 0 = none."""
        return max(self.kill_word, int(self.snapshot()["kill"].max(initial=0)))

    # -- the order of apply and record -----------------------------------------------------------------------------

    def _lock(self, purpose: str) -> Any:  # noqa: ANN401 - a context manager
        return held(self.run.controls_lock, purpose, timeout_s=self._lock_timeout_s)

    @staticmethod
    def _two_persons(by: str, second_by: str | None, reason: str, what: str) -> Person:
        if not second_by or not second_by.strip():
            raise ControlError(f"{what} needs a second person; second_by is empty")
        if second_by.strip().casefold() == by.strip().casefold():
            raise ControlError(f"{what} needs two different persons; both are {by!r}")
        return Person(by, reason)

    def _fields(self, fields: Mapping[str, Any], person: Person) -> dict[str, Any]:
        return {**fields, "by": person.by.strip(), "reason": person.reason.strip()}

    def _append(self, fields: Mapping[str, Any], person: Person) -> Entry:
        """Durable in the journal, then in the state; the caller publishes."""
        self._catch_up()
        try:
            entry = self.journal.append(self._fields(fields, person), ts=self._now_utc())
        except JournalError as e:
            raise ControlError(f"{fields['action']} is refused: it cannot be recorded ({e})") from e
        self._state.apply(entry)
        return entry

    def _record_tightening(self, fields: Mapping[str, Any], person: Person, what: str) -> None:
        try:
            with self._lock(f"{fields['action']} by {person.by}"):
                self._append(fields, person)
                self._publish()
        except (ControlError, JournalError, TableError) as e:
            raise ControlError(f"{what} is in force but not recorded: {e}") from e

    def _tighten_row(self, row: Row, fields: Mapping[str, Any], person: Person) -> None:
        """Apply, then record: the row goes to the table before the journal has it, marked as unrecorded until it has."""
        self._table.tighten(row, fields["values"], self.journal.next_seq)
        try:
            self._state.apply(self.journal.append(self._fields(fields, person), ts=self._now_utc()))
        except JournalError as e:
            raise ControlError(f"{fields['action']} is in force but not recorded: {e}; do it again once the journal can be written") from e
        self._publish()

    def _catch_up(self) -> None:
        """Take over what others recorded; publish rows the table lacks or that a killed writer left half written."""
        for entry in self.journal.read_new():
            self._state.apply(entry)
        self._state.changed.update((Level(level), row_id) for row_id, level in self._native.broken())
        self._publish()

    def _publish(self) -> None:
        self._table.publish(self._state)

    def _configure(self, config: Config, wanted: list[dict[str, Any]], *, by: str, second_by: str | None) -> None:
        if self._state.config_hash == config.hash:
            return
        looser = loosened(self._state, config, wanted, self._table.in_force)
        fields: dict[str, Any] = {"action": "configure", "config_hash": config.hash, "rows": wanted, "settings": settings(config)}
        if looser:
            what = f"configuration {config.hash[:12]} loosens {len(looser)} things ({', '.join(looser[:5])}); that"
            if by == NOBODY:
                raise ControlError(f"{what} needs a second person, and the first by name")
            self._two_persons(by, second_by, "new configuration loads", what)
            fields["second_by"] = second_by
        self._append(fields, Person(by, "configuration loaded"))
        self._publish()


def _directory(run: RunDirectory | Path | str) -> RunDirectory:
    return run if isinstance(run, RunDirectory) else RunDirectory(Path(run))


def _open_or_make(run: RunDirectory, keys: list[tuple[Level, int]]) -> Any:  # noqa: ANN401 - native class
    """A table is kept: its kill words must not be lost, and a running gateway reads it. Only where none can is one made."""
    if _native.NativeControls.is_free(run.controls, run.clock_domain):
        pairs = [(row_id, int(level)) for level, row_id in keys]
        _native.NativeControls.create(run.controls, pairs, run.clock_domain, capacity=len(pairs) + _SPARE_ROWS, ts_created=time.time_ns())
    try:
        return _native.NativeControls.open(run.controls, run.clock_domain, "shared")
    except TableError as e:
        raise TableError(
            f"{e}; it is not replaced, because a running gateway may still read it: stop every gateway of {run.path}, remove the file and start"
            " again, then it is rebuilt from the control journal"
        ) from e
