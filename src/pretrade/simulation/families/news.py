# SPDX-License-Identifier: Apache-2.0
"""Family 6: scheduled news. Makers step back before it, the value jumps, depth is back within half a minute."""

from pretrade.simulation.market import MarketParameters
from pretrade.simulation.scenario import Change, Draws, Episode, Family, merged, ramp


def draw(draws: Draws) -> Episode:
    """Size and side of the jump, how early and how far depth is pulled, how fast it is back, whether the move goes on."""
    ticks = draws.log_between(10.0, 60.0) * draws.choose(-1.0, 1.0)
    early, left, back = draws.between(1.0, 5.0), draws.between(0.2, 0.6), draws.between(5.0, 30.0)
    goes_on = draws.between(0.0, 1.0) < 0.5
    later = (Change(back + 5.0, jump_ticks=0.5 * ticks),) if goes_on else ()
    changes = merged(
        (Change(-early, {"depth_scale": left}), Change(0.0, {"depth_scale": left}, jump_ticks=ticks)),
        ramp({"depth_scale": (left, 1.0)}, 0.0, back),
        later,
    )
    drawn = {"jump_ticks": ticks, "early_s": early, "left": left, "back_s": back, "goes_on": goes_on}
    return Episode(MarketParameters(), 300.0, changes, drawn=drawn)


FAMILY = Family(6, "news", "scheduled news: a jump, depth pulled before it and soon back", "ELEVATED at most, NORMAL within a minute", draw)
