# SPDX-License-Identifier: Apache-2.0
"""Long runs under static limits with no Python in the loop: market, feed and order latency, log, real gate, native firm."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pretrade import features
from pretrade._native import simulation as _native
from pretrade.bus import Journal
from pretrade.domain import Config
from pretrade.domain.errors import SimulationError
from pretrade.simulation.arms import Static
from pretrade.simulation.desk import desk
from pretrade.simulation.firm import ACCOUNT, EXECUTION, MAKER, MOMENTUM, OPENING_POSITION
from pretrade.simulation.market import FEED_LATENCY_NS, INSTRUMENT_ID, TICK_SIZE, MarketParameters, Simulator

ORDER_LATENCY: Final = (1e6, 0.5)
"""A millisecond in the median from gate to venue, and the standard deviation of its logarithm."""
_SECOND: Final = 1_000_000_000
_SLICE_NS: Final = 600 * _SECOND


@dataclass(frozen=True, slots=True)
class LongRun:
    """What to run.

    Parameters
    ----------
    market
        Numbers of the market.
    seed
        0 or above.
    ts_start
        When the market opens, nanoseconds UTC.
    quiet_s
        Seconds before the firm's first look: the gate's references fill.
    seconds
        Seconds from the first look to the end.
    ts_onset
        Until then momentum buys; the start where ``None``.
    order_latency
        Median (ns; 0 sends at once) and logarithmic standard deviation of the time from gate to venue.
    has_gate
        ``False`` sends every order to the market unasked.
    log
        Where the event log is written; ``None`` writes none.
    """

    market: MarketParameters
    seed: int
    ts_start: int
    quiet_s: float = 300.0
    seconds: float = 600.0
    ts_onset: int | None = None
    order_latency: tuple[float, float] = ORDER_LATENCY
    has_gate: bool = True
    log: Path | None = None


@dataclass(frozen=True, slots=True)
class Played:
    """What came of it.

    Parameters
    ----------
    event_log_hash
        Of everything published.
    sent, refused
        Orders and cancels of the firm that went to the venue, and those that did not.
    rejected
        Orders that the venue rejected.
    position
        Lots by strategy.
    cash
        Of all strategies, 1e-9 price units times lots.
    """

    event_log_hash: str
    sent: int
    refused: int
    rejected: int
    position: dict[int, int]
    cash: int


def run(what: LongRun, config: Config) -> Played:
    """Run it.

    Raises
    ------
    SimulationError
        If a table or the log cannot be written, or the firm's books and the venue's disagree.
    """
    with desk(what.seed, config) as at:
        simulator = Simulator(what.market, what.seed, what.ts_start)
        engine = features.engine(config, (config.instrument("ES"),))
        log = None if what.log is None else Journal(what.log)
        first = what.ts_start + int(what.quiet_s * _SECOND)
        events = simulator.run_until(first)
        if log is not None:
            log.append(events)
        at.publish(Static(config).update(engine.push(events)), engine.quotes(), first, first)
        firm = _native.FirmLoop(
            seed=what.seed,
            ts_start=first,
            ts_onset=what.ts_onset if what.ts_onset is not None else first,
            account_id=ACCOUNT,
            instrument_id=INSTRUMENT_ID,
            tick_size=TICK_SIZE,
            order_latency=what.order_latency,
        )
        end = first + int(what.seconds * _SECOND)
        limits, quotes = at.tables
        for stop in (min(t + _SLICE_NS, end) for t in range(first, end, _SLICE_NS)):

            def advance(native: Any, stop: int = stop) -> int:  # noqa: ANN401 - the native engine of another room
                gate = at.gate if what.has_gate else None
                writer = None if log is None else log.native
                firm.run_until(stop, simulator=simulator.native, engine=native, gate=gate, limits=limits, quotes=quotes, log=writer)
                return 0

            engine.push_from(advance, what.ts_start + FEED_LATENCY_NS)
        if log is not None:
            log.commit()
            log.close()
        position, cash = firm.books()
        held = OPENING_POSITION + simulator.position(ACCOUNT, INSTRUMENT_ID)
        if held != sum(position):
            raise SimulationError(f"the firm holds {sum(position)} lots by its own count and {held} by the venue's")
        return Played(simulator.event_log_hash, *firm.counts(), dict(zip((MAKER, MOMENTUM, EXECUTION), position, strict=True)), cash)
