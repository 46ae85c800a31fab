# SPDX-License-Identifier: Apache-2.0
"""Several simulated markets as one group: calm rows to fit on, and days on which all or one of them fall."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade import features
from pretrade.domain import Config, Group
from pretrade.simulation.market import CALM_START_NS, SELLER_START_NS, MarketParameters, Simulator, crash_market
from tests.scoring import GROUP_ID

S: Final = 10**9
FIRST_ID: Final = 101


def grouped(config: Config, n: int) -> Config:
    """The packaged configuration with ``n`` instruments like ES in one group."""
    instruments = tuple(dataclasses.replace(config.instrument("ES"), instrument_id=FIRST_ID + k, symbol=f"S{k}") for k in range(n))
    return dataclasses.replace(config, instruments=instruments, groups=(Group(GROUP_ID, "simulated", tuple(i.symbol for i in instruments)),))


def joined(markets: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Events of all markets in receive order, each under its own instrument id."""
    parts = [m.copy() for m in markets]
    for k, part in enumerate(parts):
        part["instrument_id"] = FIRST_ID + k
    events = np.concatenate(parts)
    return events[np.argsort(events["ts_recv"], kind="stable")]


def calm(config: Config, hours: float, *, seed: int) -> features.Features:
    """Calm rows of every instrument of ``config``."""
    markets = [Simulator(MarketParameters(), seed + k, CALM_START_NS) for k in range(len(config.instruments))]
    engine = features.engine(config, config.instruments, with_quotes=False)
    ends = range(CALM_START_NS + 300 * S, CALM_START_NS + int(hours * 3_600) * S + 1, 300 * S)
    return features.Features.concat([engine.push(joined([m.run_until(end) for m in markets])) for end in ends])


def fall(config: Config, *, seed: int, rates: Sequence[float], warm_up_s: int = 400, story_s: int = 45) -> NDArray[Any]:
    """The story of 14:30 in each market, the seller at its own rate; 0 is a market nobody sells."""
    begin, end = SELLER_START_NS - warm_up_s * S, SELLER_START_NS + story_s * S
    markets = [Simulator(crash_market(seller_rate=rate), seed + k, begin) for k, rate in enumerate(rates)]
    return joined([m.run_until(end) for m in markets])
