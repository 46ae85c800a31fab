# SPDX-License-Identifier: Apache-2.0
"""What a stream of events is like: who is in it, when, how fast, how late, what is missing; counted as it goes by."""

from __future__ import annotations

import heapq
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade.domain import Config, EventFlag, EventKind, Instrument, Phase, Session
from pretrade.feeds.lags import Lags
from pretrade.feeds.timeline import Busiest, Timeline

_DAY: Final = 86_400 * 1_000_000_000
_SECOND: Final = 1_000_000_000
_SILENCES_TOLD: Final = 20
_BANDS_TOLD: Final = 400
_LIVE_KINDS: Final = np.zeros(256, bool)
_LIVE_KINDS[[EventKind.ADD, EventKind.MODIFY, EventKind.CANCEL, EventKind.EXECUTE, EventKind.LEVEL, EventKind.TRADE, EventKind.STATUS]] = True
_PHASES: Final = {int(p): p.name for p in Phase}


class Calendar:
    """Phases of one session, laid out as far as events reach."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._until: int | None = None
        self.starts = np.empty(0, np.int64)
        self.phases = np.empty(0, np.int64)

    def phase_of(self, ts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Index of the interval that holds each stamp."""
        low, high = int(ts.min()), int(ts.max())
        if self._until is None:
            self._until = low - 4 * _DAY
        while high >= self._until:
            spans = self._session.intervals(self._until, self._until + 64 * _DAY)
            self.starts = np.r_[self.starts, [start for start, _, _ in spans]]
            self.phases = np.r_[self.phases, [int(phase) for *_, phase in spans]]
            self._until += 64 * _DAY
        return np.maximum(np.searchsorted(self.starts, ts, side="right") - 1, 0)


class InstrumentQuality:
    """One instrument's part of a stream."""

    def __init__(self, instrument: Instrument, calendar: Calendar, stale_ns: int) -> None:
        self.instrument = instrument
        self.events = self.gaps = self.backwards = self.silences = 0
        self.ts_first = self.ts_last = self.ts_event_last = 0
        self.trades = self.volume = 0
        self.low: int | None = None
        self.high: int | None = None
        self.statuses = 0
        self._calendar = calendar
        self._stale_ns = stale_ns
        self._phases = np.zeros(256, np.int64)
        self._longest: list[tuple[int, int]] = []

    def add(self, events: NDArray[Any]) -> None:
        """Take a chunk's events of this instrument."""
        ts, ts_event, kind = events["ts_recv"], events["ts_event"], events["kind"]
        place = self._calendar.phase_of(ts)
        self._phases += np.bincount(self._calendar.phases[place], minlength=256)
        self._silent(ts, place)
        live = ts_event[_LIVE_KINDS[kind] & (events["flags"] & EventFlag.SNAPSHOT == 0)]
        if len(live):
            self.backwards += int((np.diff(np.r_[self.ts_event_last or live[0], live]) < 0).sum())
            self.ts_event_last = int(live[-1])
        self.ts_first = int(ts[0]) if self.events == 0 else self.ts_first
        self.ts_last = int(ts[-1])
        self.events += len(events)
        self.gaps += int((events["flags"] & EventFlag.GAP != 0).sum())
        self.statuses += int((kind == EventKind.STATUS).sum())
        self._prints(events[kind == EventKind.TRADE])

    def _prints(self, trades: NDArray[Any]) -> None:
        if not len(trades):
            return
        self.trades += len(trades)
        self.volume += int(trades["size"].sum())
        low, high = int(trades["price"].min()), int(trades["price"].max())
        self.low = low if self.low is None else min(self.low, low)
        self.high = high if self.high is None else max(self.high, high)

    def _silent(self, ts: NDArray[np.int64], place: NDArray[np.int64]) -> None:
        """Silences longer than a feed may have, within one continuous phase."""
        before = np.r_[self.ts_last if self.events else ts[0], ts[:-1]]
        for i in np.flatnonzero(ts - before > self._stale_ns).tolist():
            at = self._calendar.phase_of(before[i : i + 1])[0]
            if at != place[i] or self._calendar.phases[at] != Phase.CONTINUOUS:
                continue
            self.silences += 1
            heapq.heappush(self._longest, (int(ts[i] - before[i]), int(before[i])))
            if len(self._longest) > _SILENCES_TOLD:
                heapq.heappop(self._longest)

    @property
    def longest(self) -> list[tuple[int, int]]:
        """Longest silences as (ns, from), the longest first."""
        return sorted(self._longest, reverse=True)

    def bands(self) -> list[dict[str, Any]]:
        """Phases from the first event to the last."""
        if not self.events:
            return []
        low, high = self._calendar.phase_of(np.array([self.ts_first, self.ts_last], np.int64)).tolist()
        ends = np.r_[self._calendar.starts[1:], self.ts_last]
        rows = range(low, min(high + 1, low + _BANDS_TOLD))
        return [
            {
                "from": max(int(self._calendar.starts[i]), self.ts_first),
                "to": min(int(ends[i]), self.ts_last),
                "phase": _PHASES[int(self._calendar.phases[i])],
            }
            for i in rows
        ]

    def as_dict(self) -> dict[str, Any]:
        """Plain values; prices in the instrument's currency, sizes in its quantity unit."""
        i = self.instrument
        return {
            "instrument_id": i.instrument_id,
            "symbol": i.symbol,
            "venue": i.venue,
            "session": i.session,
            "events": self.events,
            "ts_first": self.ts_first,
            "ts_last": self.ts_last,
            "events_per_second": _rate(self.events, self.ts_last - self.ts_first),
            "gaps": self.gaps,
            "event_time_backwards": self.backwards,
            "silences": self.silences,
            "longest_silences": [{"from": ts, "seconds": ns / 1e9} for ns, ts in self.longest],
            "phases": {_PHASES.get(code, "UNKNOWN"): int(n) for code, n in enumerate(self._phases) if n},
            "status_changes": self.statuses,
            "trades": self.trades,
            "volume": self.volume * 10.0**i.quantity_exponent,
            "low": None if self.low is None else self.low / 1e9,
            "high": None if self.high is None else self.high / 1e9,
        }


class Quality:
    """A stream of events, counted in constant memory.

    Parameters
    ----------
    config
        Sessions, and the silence beyond which a feed is stale.
    instruments
        Whose events are told one by one; others are only counted.
    """

    def __init__(self, config: Config, instruments: tuple[Instrument, ...]) -> None:
        stale = config.snapshot.stale_after_ms * 1_000_000
        calendars = {name: Calendar(session) for name, session in config.sessions.items()}
        self._of = {i.instrument_id: InstrumentQuality(i, calendars[i.session], stale) for i in instruments}
        self._stale_ns = stale
        self.events = self.foreign = self.recap_records = 0
        self.ts_first = self.ts_last = 0
        self.lags = Lags()
        self.timeline = Timeline()
        self.busiest = (Busiest(_SECOND), Busiest(_SECOND // 100))

    def add(self, events: NDArray[Any]) -> None:
        """Take a chunk, in the order of receipt."""
        said_again = events["flags"] & EventFlag.RECAP != 0
        if said_again.any():
            self.recap_records += int(said_again.sum())
            events = events[~said_again]
        if not len(events):
            return
        ts = events["ts_recv"]
        lag = ts - events["ts_event"]
        has_lag = _LIVE_KINDS[events["kind"]] & (events["flags"] & EventFlag.SNAPSHOT == 0)
        self.ts_first = int(ts[0]) if self.events == 0 else self.ts_first
        self.ts_last = int(ts[-1])
        self.events += len(events)
        self.lags.add(ts[has_lag], lag[has_lag])
        self.timeline.add(ts, lag, has_lag, events["flags"] & EventFlag.GAP != 0)
        for busiest in self.busiest:
            busiest.add(ts)
        for instrument_id in np.unique(events["instrument_id"]).tolist():
            held = self._of.get(instrument_id)
            mine = events["instrument_id"] == instrument_id
            if held is None:
                self.foreign += int(mine.sum())
            else:
                held.add(events if mine.all() else events[mine])

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        seen = [q for q in self._of.values() if q.events]
        peaks = {f"peak_{b.width_ns / 1e6:g}_ms": {"events": b.count, "ts_recv": b.ts} for b in self.busiest}
        return {
            "events": self.events,
            "events_of_others": self.foreign,
            "recap_records": self.recap_records,
            "ts_first": self.ts_first,
            "ts_last": self.ts_last,
            "seconds": (self.ts_last - self.ts_first) / 1e9,
            "rates": {"events_per_second": _rate(self.events, self.ts_last - self.ts_first), **peaks},
            "stale_after_s": self._stale_ns / 1e9,
            "lags": self.lags.as_dict(),
            "instruments": [q.as_dict() for q in seen],
            "phases_over_time": max(seen, key=lambda q: q.events).bands() if seen else [],
            "timeline": self.timeline.as_dict(),
        }


def _rate(events: int, ns: int) -> float | None:
    return events / (ns / 1e9) if ns > 0 else None
