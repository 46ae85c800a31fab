# SPDX-License-Identifier: Apache-2.0
"""Family 4: an algorithm sends the same normal child order again and again: the fill of its parent is not counted."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade.domain import TimeInForce
from pretrade.simulation.market import MarketParameters
from pretrade.simulation.scenario import Draws, Episode, Family, Slip

_LABEL: Final = "runaway"
_STEP_S: Final = 0.5


def draw(draws: Draws) -> Episode:
    """Orders a second, and when it begins."""
    rate, at_s = draws.log_between(50.0, 1_000.0), draws.between(10.0, 60.0)
    return Episode(MarketParameters(), 120.0, slip=_slip(rate, at_s), drawn={"rate": rate, "at_s": at_s})


def _slip(rate: float, at_s: float) -> Slip:
    child: NDArray[Any] | None = None

    def slip(orders: NDArray[Any], since_s: float) -> tuple[NDArray[Any], str]:
        nonlocal child
        mine = np.flatnonzero(orders["time_in_force"] == TimeInForce.IOC) if len(orders) else np.empty(0, int)
        if len(mine):
            child = orders[mine[:1]].copy()
        if child is None or since_s < at_s:
            return orders[:0], _LABEL
        return np.repeat(child, round(rate * _STEP_S)), _LABEL

    return slip


FAMILY = Family(4, "runaway", "an algorithm repeats a normal child order without end", "the rate control stops it within a second", draw)
