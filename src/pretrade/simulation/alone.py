# SPDX-License-Identifier: Apache-2.0
"""The market of one episode alone, without the firm whose orders the gate decides: rows to teach with and to judge on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade import features
from pretrade.domain import ORDER_DTYPE, Action, Config, OrderType, TimeInForce
from pretrade.features import Features
from pretrade.simulation import library
from pretrade.simulation.market import FEED_LATENCY_NS, INSTRUMENT_ID, SELLER_START_NS, TICK_SIZE, WARM_UP_S, Simulator
from pretrade.simulation.scenario import Change, Episode, Outsider, Placed, changed

_S: Final = 1_000_000_000
_LOOK_NS: Final = _S // 2
_OUTSIDER: Final = 2
_TAKEN_AWAY: Final = 1 << 32


@dataclass(frozen=True, slots=True)
class Touch:
    """What an outsider sees."""

    since_s: float
    bid_tick: int
    ask_tick: int


def episode_rows(family: str, seed: int, config: Config, *, warm_up_s: int = WARM_UP_S) -> Features:
    """Rows of the market of an episode, from the warm-up on; the onset is at ``SELLER_START_NS``.

    Parameters
    ----------
    family
        Number or name.
    seed
        Of the draw and of the market.
    config
        Snapshot settings.
    warm_up_s
        Calm seconds before the onset.
    """
    episode: Episode = library.find(family).family.episode(seed)
    begin, end = SELLER_START_NS - warm_up_s * _S, SELLER_START_NS + int(episode.duration_s * _S)
    simulator, market = Simulator(episode.market, seed, begin), episode.market
    engine = features.engine(config, (config.instrument("ES"),), with_quotes=False)
    stops: list[tuple[int, Change | None]] = [(SELLER_START_NS + int(c.at_s * _S), c) for c in episode.changes]
    parts = []
    for at, change in [*stops, (end, None)]:
        if episode.outsider is None:
            parts.append(simulator.run_features(at, engine, ts_first=begin + FEED_LATENCY_NS))
        else:
            parts += _with_outsider(simulator, engine, begin if not parts else int(parts[-1].ts_recv[-1]), at, episode.outsider)
        if change is not None:
            market = changed(market, change)
            simulator.change(market)
            if change.jump_ticks:
                simulator.shift_value(change.jump_ticks)
    return Features.concat([p for p in (*parts, engine.close(end)) if len(p)])


def _with_outsider(simulator: Simulator, engine: features.FeatureEngine, since: int, until: int, outsider: Outsider) -> list[Features]:
    """Run to ``until``, the outsider looking twice a second."""
    out = []
    for now in [*range(since + _LOOK_NS, until, _LOOK_NS), until]:
        rows = engine.push(simulator.run_until(now))
        if len(rows):
            out.append(rows)
        quotes = engine.quotes()
        bid, ask = (int(quotes[name][0]) if len(quotes) else 0 for name in ("bid_price", "ask_price"))
        if 0 < bid < ask:
            placed = outsider(Touch((now - SELLER_START_NS) / _S, bid // TICK_SIZE, ask // TICK_SIZE))
            if placed:
                simulator.submit(orders_of(placed, now), _OUTSIDER)
    return out


def orders_of(placed: Sequence[Placed], now: int) -> NDArray[Any]:
    """Orders that place and take away what an outsider wants."""
    orders = np.zeros(len(placed), ORDER_DTYPE)
    for order, p in zip(orders, placed, strict=True):
        is_new = p.quantity > 0
        order["client_order_id"] = p.number + 1 if is_new else _TAKEN_AWAY + p.number
        order["original_client_order_id"] = 0 if is_new else p.number + 1
        order["ts_event"], order["price"], order["quantity"], order["side"] = now, p.tick * TICK_SIZE, p.quantity, p.side
        order["instrument_id"], order["account_id"], order["order_type"] = INSTRUMENT_ID, _OUTSIDER, OrderType.LIMIT
        order["time_in_force"], order["action"] = TimeInForce.DAY, Action.NEW if is_new else Action.CANCEL
    return orders
