# SPDX-License-Identifier: Apache-2.0
"""Events to rows: the native engine with its calendar, in batch and in stream."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade._native import features as _native
from pretrade.domain import EVENT_DTYPE, QUOTES_DTYPE, Config, Group, Instrument
from pretrade.domain.errors import FeatureInputError
from pretrade.features.table import ROW_DTYPE, Features

GRID_MS: Final = 100
_MS: Final = 1_000_000
_DAY_NS: Final = 86_400 * 1_000_000_000
_CALENDAR_MARGIN_NS: Final = 400 * _DAY_NS
_CALENDAR_AHEAD_NS: Final = 40 * _DAY_NS


class FeatureEngine:
    """Books and windows of a group of instruments.

    Parameters
    ----------
    config
        Snapshot settings and session calendars.
    instruments
        Whose events are read; others are counted and left.
    with_quotes
        Keep a quotes record beside each row.

    Notes
    -----
    The calendar is laid out over 400 days on either side of the first event, and 400 more whenever less than 40 are left.
    About 0.1 us an event and 0.5 us a row (``benchmarks``).
    """

    def __init__(self, config: Config, instruments: Sequence[Instrument], *, with_quotes: bool = True) -> None:
        if not instruments:
            raise FeatureInputError("a feature engine needs at least one instrument")
        if config.snapshot.interval_ms != GRID_MS:
            raise FeatureInputError(f"snapshot.interval_ms is {config.snapshot.interval_ms}; windows count steps of {GRID_MS} ms, so it must be that")
        self._config = config
        self._instruments = tuple(instruments)
        self._with_quotes = with_quotes
        self._native: _native.Engine | None = None
        self._ts_opened: int | None = None
        self._ts_until = 0

    def _open(self, ts: int) -> _native.Engine:
        if self._native is None:
            self._ts_until = ts + _CALENDAR_MARGIN_NS
            phases = self._phases(ts - _CALENDAR_MARGIN_NS, self._ts_until)
            specs = [(i.instrument_id, i.tick_size, i.adv, of) for i, of in zip(self._instruments, phases, strict=True)]
            s = self._config.snapshot
            self._ts_opened = ts
            stale_ns = s.stale_after_ms * _MS
            groups = [self._group(g) for g in self._config.groups]
            self._native = _native.Engine(specs, s.interval_ms * _MS, s.depth_levels, stale_ns, s.depth_window_ticks, self._with_quotes, groups)
        return self._native

    def _phases(self, ts_start: int, ts_end: int) -> list[list[tuple[int, int, int]]]:
        """Calendar of each instrument between two instants."""
        wanted = {i.session for i in self._instruments}
        laid = {name: [(a, b, int(p)) for a, b, p in self._config.sessions[name].intervals(ts_start, ts_end)] for name in wanted}
        return [laid[i.session] for i in self._instruments]

    def _reach(self, ts: int) -> _native.Engine:
        """The engine, its calendar laid out beyond ``ts``; how far is decided by ``ts`` alone, however it was come by."""
        native = self._open(ts)
        until = self._ts_until
        while ts + _CALENDAR_AHEAD_NS > self._ts_until:
            self._ts_until += _CALENDAR_MARGIN_NS
        if self._ts_until > until:
            native.lay_out(self._phases(until, self._ts_until))
        return native

    def _group(self, group: Group) -> tuple[list[int], int | None, int | None, tuple[int, int] | None]:
        of = {i.symbol: i.instrument_id for i in self._config.instruments}
        named = [*group.members, *(s for s in (group.factor, group.leader) if s is not None)]
        if unknown := sorted(set(named) - set(of)):
            raise FeatureInputError(f"group {group.group_id} names {', '.join(unknown)}; the configuration has instruments {', '.join(sorted(of))}")
        factor, leader = (None if symbol is None else of[symbol] for symbol in (group.factor, group.leader))
        return [of[symbol] for symbol in group.members], factor, leader, group.volatility

    def push(self, events: NDArray[Any]) -> Features:
        """Take events in ``ts_recv`` order; the rows they closed.

        Parameters
        ----------
        events
            EVENT_DTYPE, shape ``(n,)``.

        Raises
        ------
        FeatureInputError
            If the dtype is another.
        """
        if events.dtype != EVENT_DTYPE:
            raise FeatureInputError(f"events have dtype {events.dtype}; it must be EVENT_DTYPE")
        if len(events) == 0:
            return Features.concat([])
        self._open(int(events["ts_recv"][0]))
        native = self._reach(int(events["ts_recv"].max()))
        return self._features(native.push(np.ascontiguousarray(events).view(np.uint8)))

    def push_from(self, source: Callable[[_native.Engine], int], ts_first: int) -> Features:
        """Let a native source push events of ``ts_first`` and later straight into the kernel; the rows they closed."""
        native = self._open(ts_first)
        source(native)
        return self._features(native.push(np.empty(0, np.uint8)))

    def close(self, ts_recv: int) -> Features:
        """Close the grid up to and including ``ts_recv``: nothing earlier will come."""
        return Features.concat([]) if self._native is None else self._features(self._reach(ts_recv).close(ts_recv))

    def row_now(self, instrument_id: int, ts_recv: int) -> Features:
        """An event-driven row whose windows end at ``ts_recv``, between the last event and the next grid point; empty outside CONTINUOUS."""
        return Features.concat([]) if self._native is None else Features(np.frombuffer(self._native.row_now(instrument_id, ts_recv), ROW_DTYPE))

    def quotes(self) -> NDArray[Any]:
        """The quotes record of every instrument now, QUOTES_DTYPE."""
        return np.empty(0, QUOTES_DTYPE) if self._native is None else np.frombuffer(self._native.quotes(), QUOTES_DTYPE)

    def state(self) -> bytes:
        """Everything the rows to come depend on; empty before the first event."""
        if self._native is None or self._ts_opened is None:
            return b""
        return self._ts_opened.to_bytes(8, "little", signed=True) + self._ts_until.to_bytes(8, "little", signed=True) + self._native.state()

    def restore(self, state: bytes) -> None:
        """Go on from saved state, with the configuration and instruments it was saved under.

        Raises
        ------
        FeatureInputError
            If the bytes are not such a state.
        """
        if not state:
            self._native, self._ts_opened = None, None
            return
        if len(state) < 16:
            raise FeatureInputError(f"saved engine state has {len(state)} bytes; it is cut")
        fresh = FeatureEngine(self._config, self._instruments, with_quotes=self._with_quotes)
        fresh._open(int.from_bytes(state[:8], "little", signed=True))
        native = fresh._reach(int.from_bytes(state[8:16], "little", signed=True) - _CALENDAR_AHEAD_NS)
        try:
            native.restore(state[16:])
        except ValueError as e:
            raise FeatureInputError(str(e)) from e
        self._native, self._ts_opened, self._ts_until = native, fresh._ts_opened, fresh._ts_until

    def recap(self) -> NDArray[Any] | None:
        """Events that say every book again, for a reader that starts after now; ``None`` inside a snapshot of the venue, when none can be said."""
        events = b"" if self._native is None else self._native.recap()
        return None if events is None else np.frombuffer(events, EVENT_DTYPE)

    def faults(self) -> dict[str, int]:
        """Faults that only the book can see, by kind."""
        return {"crossed_book": 0, "unknown_order": 0, "price_step": 0} if self._native is None else dict(self._native.faults())

    def book(self, instrument_id: int) -> tuple[int, NDArray[np.int64], NDArray[np.int64]]:
        """Number of orders, bid and ask levels as ``(k, 2)`` price in 1e-9 and size, best first."""
        found = None if self._native is None else self._native.book(instrument_id)
        if found is None:
            raise FeatureInputError(f"instrument {instrument_id} has no book here")
        orders, bids, asks = found
        return orders, np.array(bids, np.int64).reshape(-1, 2), np.array(asks, np.int64).reshape(-1, 2)

    def _features(self, raw: bytes) -> Features:
        assert self._native is not None
        quotes = np.frombuffer(self._native.quote_rows(), QUOTES_DTYPE) if self._with_quotes else None
        return Features(np.frombuffer(raw, ROW_DTYPE), quotes)


def engine(config: Config, instruments: Sequence[Instrument], *, with_quotes: bool = True) -> FeatureEngine:
    """Build an engine; see :class:`FeatureEngine`."""
    return FeatureEngine(config, instruments, with_quotes=with_quotes)


def collect(chunks: Iterable[NDArray[Any]], on: FeatureEngine) -> Features:
    """Push chunks of events and gather every row they close; the last row closes with the last event."""
    parts = []
    last = None
    for chunk in chunks:
        if len(chunk):
            parts.append(on.push(chunk))
            last = int(chunk["ts_recv"][-1])
    if last is not None:
        parts.append(on.close(last))
    return Features.concat([p for p in parts if len(p)] or parts[:1])


def compute(events: NDArray[Any] | Iterable[NDArray[Any]], config: Config | None = None) -> Features:
    """Feature rows of a recording or a simulated day.

    Parameters
    ----------
    events
        EVENT_DTYPE array or an iterable of such chunks, in ``ts_recv`` order.
    config
        The configuration; the packaged one where ``None``.

    Returns
    -------
    Features
        One row per instrument and 100 ms of continuous trading.

    Examples
    --------
    >>> import pretrade as pt
    >>> day = pt.simulation.flash_crash(seed=7, warm_up_s=10, story_s=12)
    >>> len(compute(day.events))
    219
    """
    config = config or Config.load()
    on = FeatureEngine(config, config.instruments)
    return collect([events] if isinstance(events, np.ndarray) else events, on)
