# SPDX-License-Identifier: Apache-2.0
"""Family 3: somebody types an order wrong in a calm market: a decade too many, a price far off, the wrong side, notional as units."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade.domain import OrderType, Side, TimeInForce
from pretrade.simulation.market import TICK_SIZE, MarketParameters
from pretrade.simulation.scenario import Draws, Episode, Family, Slip

_LABEL: Final = "fat_finger"
_POINT_VALUE: Final = 50


def draw(draws: Draws) -> Episode:
    """Which slip, how large, and when."""
    kind = draws.choose("quantity_x10", "quantity_x100", "price_off", "notional_as_units")
    at_s, off, up = draws.between(20.0, 100.0), draws.log_between(0.01, 0.2), draws.choose(-1, 1)
    return Episode(MarketParameters(), 120.0, slip=_slip(kind, at_s, off, up), drawn={"kind": kind, "at_s": at_s, "off": off, "up": up})


def _slip(kind: str, at_s: float, off: float, up: int) -> Slip:
    done = False

    def slip(orders: NDArray[Any], since_s: float) -> tuple[NDArray[Any], str]:
        nonlocal done
        mine = np.flatnonzero(orders["time_in_force"] == TimeInForce.IOC) if len(orders) else np.empty(0, int)
        if done or since_s < at_s or len(mine) == 0:
            return orders[:0], _LABEL
        done = True
        wrong = orders[mine[:1]].copy()
        quantity = int(wrong["quantity"][0])
        if kind == "price_off":
            moved = round(int(wrong["price"][0]) * (1 + off * up) / TICK_SIZE) * TICK_SIZE
            wrong["price"], wrong["side"] = moved, Side.BID if up > 0 else Side.ASK
        elif kind == "notional_as_units":
            wrong["quantity"] = quantity * int(wrong["price"][0]) // 1_000_000_000 * _POINT_VALUE
        else:
            wrong["quantity"] = quantity * (10 if kind == "quantity_x10" else 100)
        wrong["order_type"] = OrderType.LIMIT
        return wrong, _LABEL

    return slip


FAMILY = Family(3, "fat_finger", "somebody types an order wrong in a calm market", "that order only; the market stays NORMAL", draw)
