# SPDX-License-Identifier: Apache-2.0
"""Family 2: resting liquidity leaves although nobody sells; then ordinary flow moves the price through what is left."""

from pretrade.simulation.market import MarketParameters
from pretrade.simulation.scenario import Draws, Episode, Family, merged, ramp


def draw(draws: Draws) -> Episode:
    """How fast it leaves, how little is left, and when it comes back."""
    length, left = draws.log_between(5.0, 120.0), draws.between(0.05, 0.15)
    stays, returns = draws.between(30.0, 90.0), draws.between(20.0, 60.0)
    changes = merged(
        ramp({"depth_scale": (1.0, left), "refill_slow": (0.24, 0.8)}, 0.0, length),
        ramp({"depth_scale": (left, 1.0), "refill_slow": (0.8, 0.24)}, length + stays, returns),
    )
    drawn = {"length_s": length, "left": left, "stays_s": stays, "returns_s": returns}
    return Episode(MarketParameters(), length + stays + returns + 60.0, changes, drawn=drawn)


FAMILY = Family(2, "evaporation", "resting liquidity leaves although nobody sells", "limits tighten although the price is flat", draw)
