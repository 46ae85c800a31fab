# SPDX-License-Identifier: Apache-2.0
"""Session calendars: which trading phase holds when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from pretrade.domain.codes import Phase

_NS = 1_000_000_000
_DAY_END = "24:00"


@dataclass(frozen=True, slots=True)
class SessionPhase:
    """One phase of a day in the session's own time zone.

    Parameters
    ----------
    start, end
        Local wall time ``HH:MM`` or ``HH:MM:SS``; ``24:00`` is the end of the day. ``end`` is exclusive.
    phase
        What holds in between.
    days
        Weekdays, Monday = 0, Sunday = 6.
    """

    start: str
    end: str
    phase: Phase
    days: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)


@dataclass(frozen=True, slots=True)
class SessionDate:
    """A date whose phases replace those of its weekday (a holiday, an early close)."""

    day: date
    phases: tuple[SessionPhase, ...] = ()


@dataclass(frozen=True, slots=True)
class Session:
    """A named calendar; whatever no phase covers is CLOSED.

    Parameters
    ----------
    name
        As instruments refer to it.
    timezone
        IANA name, such as ``America/New_York``.
    phases
        The weekly pattern.
    dates
        Exceptions by date.
    """

    name: str
    timezone: str
    phases: tuple[SessionPhase, ...]
    dates: tuple[SessionDate, ...] = ()

    def intervals(self, ts_start: int, ts_end: int) -> list[tuple[int, int, Phase]]:
        """Phases between two instants.

        Parameters
        ----------
        ts_start, ts_end
            Nanoseconds UTC, half open.

        Returns
        -------
        list of (int, int, Phase)
            Sorted, gapless and clipped to the two instants; equal neighbours are merged.

        Examples
        --------
        >>> always = Session("always", "UTC", (SessionPhase("00:00", "24:00", Phase.CONTINUOUS),))
        >>> always.intervals(0, 10)
        [(0, 10, <Phase.CONTINUOUS: 3>)]
        """
        zone = ZoneInfo(self.timezone)
        exceptions = {d.day: d.phases for d in self.dates}
        first = datetime.fromtimestamp(ts_start // _NS, zone).date() - timedelta(days=1)
        last = datetime.fromtimestamp(ts_end // _NS, zone).date() + timedelta(days=1)
        spans: list[tuple[int, int, Phase]] = []
        day = first
        while day <= last:
            phases = exceptions.get(day)
            if phases is None:
                phases = tuple(p for p in self.phases if day.weekday() in p.days)
            spans.extend((_utc_ns(day, p.start, zone), _utc_ns(day, p.end, zone), p.phase) for p in phases)
            day += timedelta(days=1)
        return _gapless(sorted(spans), ts_start, ts_end)

    def phase_at(self, ts: int) -> Phase:
        """Phase at one instant, nanoseconds UTC."""
        return self.intervals(ts, ts + 1)[0][2]


def _utc_ns(day: date, wall: str, zone: ZoneInfo) -> int:
    if wall == _DAY_END:
        day, wall = day + timedelta(days=1), "00:00"
    local = datetime.combine(day, time.fromisoformat(wall), zone)
    return int(local.astimezone(UTC).timestamp()) * _NS


def _gapless(spans: list[tuple[int, int, Phase]], ts_start: int, ts_end: int) -> list[tuple[int, int, Phase]]:
    out: list[tuple[int, int, Phase]] = []

    def put(start: int, end: int, phase: Phase) -> None:
        start, end = max(start, ts_start), min(end, ts_end)
        if start >= end:
            return
        if out and out[-1][2] is phase and out[-1][1] == start:
            out[-1] = (out[-1][0], end, phase)
        else:
            out.append((start, end, phase))

    at = ts_start
    for start, end, phase in spans:
        put(at, start, Phase.CLOSED)
        put(max(at, start), end, phase)
        at = max(at, end)
    put(at, ts_end, Phase.CLOSED)
    return out
