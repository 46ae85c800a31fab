# SPDX-License-Identifier: Apache-2.0
"""Family 5: volatility shifts without a crisis. The hard form takes depth and brings flow with it."""

from pretrade.simulation.market import MarketParameters
from pretrade.simulation.scenario import Draws, Episode, Family, ramp

_FLOW_BY_DEFAULT = 1.7


def draw(draws: Draws) -> Episode:
    """Factor x2 to x8, ramp 10 to 120 s, soft or hard."""
    factor, length, form = draws.log_between(2.0, 8.0), draws.log_between(10.0, 120.0), draws.choose("soft", "hard")
    moved = {"value_volatility": (0.3, 0.3 * factor)}
    if form == "hard":
        moved |= {"depth_scale": (1.0, factor**-0.33), "market_rate": (_FLOW_BY_DEFAULT, _FLOW_BY_DEFAULT * factor**0.25)}
    return Episode(MarketParameters(), 900.0, ramp(moved, 0.0, length), drawn={"factor": factor, "ramp_s": length, "form": form})


FAMILY = Family(5, "volatility", "volatility shifts without a crisis", "must not trip", draw)
