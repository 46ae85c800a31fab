# SPDX-License-Identifier: Apache-2.0
"""Family 7: a slow grind down in good liquidity, at the pace of 3 % in two hours."""

from pretrade.simulation.market import MarketParameters
from pretrade.simulation.scenario import Change, Draws, Episode, Family

_OPEN_TICK = 19_200
_PACE_PCT_PER_HOUR = 1.5


def draw(draws: Draws) -> Episode:
    """Length from half an hour to two hours."""
    length = draws.between(1_800.0, 7_200.0)
    drift = -_PACE_PCT_PER_HOUR / 100 * _OPEN_TICK / 3_600
    return Episode(MarketParameters(), length, (Change(0.0, {"value_drift": drift}),), drawn={"length_s": length, "drift_ticks_per_s": drift})


FAMILY = Family(7, "grind", "a slow grind down in good liquidity", "must not trip", draw)
