# SPDX-License-Identifier: Apache-2.0
"""Simulated days: the calm hours that train, and the 14:30 flash crash."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade import features
from pretrade._native import simulation as _native
from pretrade.domain import EVENT_DTYPE, ORDER_DTYPE, Config, EventKind, Side
from pretrade.domain.errors import SimulationError
from pretrade.simulation import story

TICK_SIZE: Final = 250_000_000
INSTRUMENT_ID: Final = 1
SELLER_START_NS: Final = 1_767_641_400_000_000_000
"""5 January 2026, 14:30:00 New York."""
CALM_START_NS: Final = 1_767_225_600_000_000_000
FEED_LATENCY_NS: Final = 50_000
CALM_SEED: Final = 20_260_105
WARM_UP_S: Final = 900
_SECOND: Final = 1_000_000_000
_SLICE_NS: Final = 600 * _SECOND


def _defaults() -> dict[str, Any]:
    parameters: dict[str, Any] = json.loads(_native.default_parameters())
    return parameters


@dataclass(frozen=True, slots=True)
class MarketParameters:
    """Overrides of the simulated market's numbers, by their names in :func:`parameters`.

    Parameters
    ----------
    seller_start
        When the seller starts, nanoseconds UTC; ``None`` never.
    seller_rate
        Factor on the seller's clips per second; 0 switches the seller off.
    maker_caps
        Factor on every maker's inventory cap.
    value_volatility
        Factor on the volatility of the fundamental value.
    overrides
        Any other parameter by name; ``protections`` is ``"off"``, ``"late"``, ``"full"`` or a table of rules.
    """

    seller_start: int | None = None
    seller_rate: float = 1.0
    maker_caps: float = 1.0
    value_volatility: float = 1.0
    overrides: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> str:
        """All numbers as the native market reads them.

        Raises
        ------
        SimulationError
            If a factor is negative or an override has an unknown name.
        """
        for name in ("seller_rate", "maker_caps", "value_volatility"):
            if not 0.0 <= getattr(self, name) < 1e6:
                raise SimulationError(f"{name} is {getattr(self, name)}; it must be from 0 to a million")
        values = _defaults()
        unknown = sorted(set(self.overrides) - set(values))
        if unknown:
            raise SimulationError(f"the market has no parameter {', '.join(unknown)}; it knows {', '.join(sorted(values))}")
        values.update(self.overrides)
        values["seller_rate"] *= self.seller_rate
        values["maker_cap_scale"] *= self.maker_caps
        values["value_volatility"] *= self.value_volatility
        if self.seller_start is not None:
            values["seller_start"] = self.seller_start
        return json.dumps(values)


def parameters() -> dict[str, Any]:
    """Every number of the simulated market with its default; rates a second, sizes in lots, distances in ticks."""
    return _defaults()


class Simulator:
    """One simulated market, run to any instant; same parameters and seed, same bytes.

    Parameters
    ----------
    market
        Its numbers.
    seed
        0 or above.
    ts_start
        When it opens, nanoseconds UTC.
    """

    def __init__(self, market: MarketParameters, seed: int, ts_start: int) -> None:
        if seed < 0:
            raise SimulationError(f"seed is {seed}; it must not be negative")
        try:
            self._native = _native.Simulator(market.as_json(), seed, ts_start)
        except ValueError as e:
            raise SimulationError(str(e)) from e

    def change(self, market: MarketParameters) -> None:
        """Go on under other numbers from the present.

        Raises
        ------
        SimulationError
            If one of them cannot change while the market runs: what its participants were made of, and the seller's start.
        """
        try:
            self._native.change(market.as_json())
        except ValueError as e:
            raise SimulationError(str(e)) from e

    def shift_value(self, ticks: float) -> None:
        """News: the fundamental value jumps by so many ticks; the price follows as traders act on it."""
        self._native.shift_value(ticks)

    def run_until(self, ts: int) -> NDArray[Any]:
        """Events published up to ``ts``, EVENT_DTYPE."""
        return np.frombuffer(self._native.run_until(ts), EVENT_DTYPE)

    def submit(self, orders: NDArray[Any], owner: int = 0) -> NDArray[Any]:
        """Enter outside orders of ``owner`` now; ids are its own, per session.

        Returns
        -------
        ndarray of EVENT_DTYPE
            What the owner has not been told yet: of each order the answer (OWN_ORDER, :class:`~pretrade.domain.VenueKind` in the
            high byte of ``flags``, ``size`` what works now) and each fill (OWN_EXECUTION). An order with an id that works already
            is left unanswered.
        """
        return np.frombuffer(self._native.submit(orders.astype(ORDER_DTYPE, copy=False).tobytes(), owner), EVENT_DTYPE)

    def reports(self, owner: int = 0) -> NDArray[Any]:
        """Fills of an owner's resting orders, EVENT_DTYPE, since the last call of this or of :meth:`submit`."""
        return np.frombuffer(self._native.reports(owner), EVENT_DTYPE)

    def withdraw(self, owner: int) -> int:
        """Cancel everything an owner has working, because it is gone; returns how many orders."""
        return self._native.withdraw(owner)

    def position(self, account_id: int, instrument_id: int) -> int:
        """Signed position of an account: the sum of its fills here, whoever sent the orders."""
        return self._native.position(account_id, instrument_id)

    def run_features(self, ts: int, engine: features.FeatureEngine, *, ts_first: int) -> features.Features:
        """Run to ``ts`` straight into a feature engine, with no event array in between.

        Parameters
        ----------
        ts
            Instant to run to, nanoseconds UTC.
        engine
            Takes the events.
        ts_first
            Receive time of the first event, nanoseconds UTC: where the session calendar is laid out from.

        Returns
        -------
        Features
            The rows closed on the way; equal to pushing :meth:`run_until` of the same instants.
        """
        return engine.push_from(lambda native: self._native.run_features(ts, native), ts_first)

    @property
    def native(self) -> _native.Simulator:
        """The native market, for a native loop."""
        return self._native

    @property
    def event_log_hash(self) -> str:
        """Hash over every event published so far, hexadecimal."""
        return f"{self._native.event_log_hash():016x}"


@dataclass(frozen=True, slots=True)
class Day:
    """A simulated day: what the venue published, the 200-lot orders put to the gate, and the truth.

    Parameters
    ----------
    events
        EVENT_DTYPE in ``ts_recv`` order.
    orders
        ORDER_DTYPE: a 200-lot IOC sell every 0.5 s from T+10 s, 20 ticks above the ask.
    ts_seller_start
        T, nanoseconds UTC.
    truth
        ``onset_ns`` of the selling, or ``None`` where nobody sells.
    market
        The numbers it ran with.
    seed
        Its seed.
    event_log_hash
        Of everything published.
    """

    events: NDArray[Any]
    orders: NDArray[Any]
    ts_seller_start: int
    truth: dict[str, int | None]
    market: MarketParameters
    seed: int
    event_log_hash: str


def flash_crash(
    seed: int = 7, *, seller_rate: float = 1.0, maker_caps: float = 1.0, value_volatility: float = 1.0, warm_up_s: int = WARM_UP_S, story_s: int = 62
) -> Day:
    """Simulate the 14:30 crash: calm, then a large seller that the makers cannot absorb.

    Parameters
    ----------
    seed
        Of the market; the seller's start does not depend on it.
    seller_rate, maker_caps, value_volatility
        Factors, see :class:`MarketParameters`.
    warm_up_s
        Calm seconds before the seller; features need 300 of them.
    story_s
        Seconds after the seller's start.

    Examples
    --------
    >>> day = flash_crash(seed=7, warm_up_s=10, story_s=12)
    >>> len(day.orders)
    4
    """
    market = crash_market(seller_rate=seller_rate, maker_caps=maker_caps, value_volatility=value_volatility)
    simulator = Simulator(market, seed, SELLER_START_NS - warm_up_s * _SECOND)
    events = simulator.run_until(SELLER_START_NS + story_s * _SECOND)
    ends = SELLER_START_NS + story_s * _SECOND
    times = list(range(SELLER_START_NS + story.PROBE_FROM_NS, ends, story.PROBE_EVERY_NS))
    asks = _best_ask(events, times)
    orders = story.probe_orders(times, asks, instrument_id=INSTRUMENT_ID, tick_size=TICK_SIZE, dtype=ORDER_DTYPE)
    truth = {"onset_ns": SELLER_START_NS if seller_rate > 0 else None}
    return Day(events, orders, SELLER_START_NS, truth, market, seed, simulator.event_log_hash)


def crash_market(*, seller_rate: float = 1.0, maker_caps: float = 1.0, value_volatility: float = 1.0) -> MarketParameters:
    """Numbers of the story's market."""
    return MarketParameters(SELLER_START_NS, seller_rate, maker_caps, value_volatility)


def calm(hours: float, *, seed: int, config: Config, ts_start: int = CALM_START_NS) -> features.Features:
    """Feature rows of a calm market with regimes, benign metaorders and rare large clips.

    Parameters
    ----------
    hours
        Simulated hours, above 0.
    seed
        Of the market.
    config
        Snapshot settings.
    ts_start
        When the market opens, nanoseconds UTC.

    Notes
    -----
    Events go straight into the feature kernel; memory holds the rows only.
    """
    if not 0 < hours < 10_000:
        raise SimulationError(f"{hours} calm hours were asked for; it must be above 0 and below 10000")
    simulator = Simulator(MarketParameters(), seed, ts_start)
    engine = features.engine(config, (config.instrument("ES"),), with_quotes=False)
    end = ts_start + int(hours * 3600) * _SECOND
    stops = (min(at + _SLICE_NS, end) for at in range(ts_start, end, _SLICE_NS))
    parts = [simulator.run_features(stop, engine, ts_first=ts_start + FEED_LATENCY_NS) for stop in stops]
    return features.Features.concat([*parts, engine.close(end)])


def _best_ask(events: NDArray[Any], times: list[int]) -> list[int]:
    """Best ask in 1e-9 at each instant, from the orders resting then."""
    live: dict[int, tuple[int, int]] = {}
    out: list[int] = []
    last = 0
    asks = events[(events["side"] == Side.ASK) & (events["kind"] != EventKind.TRADE)]
    columns = (asks["ts_recv"].tolist(), asks["kind"].tolist(), asks["order_id"].tolist(), asks["price"].tolist(), asks["size"].tolist())
    at = 0
    rows = list(zip(*columns, strict=True))
    for ts in times:
        while at < len(rows) and rows[at][0] <= ts:
            _, kind, order_id, price, size = rows[at]
            if kind == EventKind.ADD:
                live[order_id] = (price, size)
            elif order_id in live:
                left = live[order_id][1] - size
                if left > 0:
                    live[order_id] = (price, left)
                else:
                    del live[order_id]
            at += 1
        last = min((price for price, _ in live.values()), default=last)
        out.append(last)
    return out


def with_overrides(market: MarketParameters, **overrides: Any) -> MarketParameters:  # noqa: ANN401 - any parameter
    """Copy of a market with other numbers."""
    return dataclasses.replace(market, overrides={**market.overrides, **overrides})
