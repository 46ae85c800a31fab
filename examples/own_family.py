# SPDX-License-Identifier: Apache-2.0
"""A family of scenarios of your own: ``pretrade simulate run examples/own_family.py --seeds 1..20``.

A storm of sellers that comes and goes while half of the resting orders are away.
"""

from pretrade.simulation.market import SELLER_START_NS, MarketParameters
from pretrade.simulation.scenario import Change, Draws, Episode, Family


def draw(draws: Draws) -> Episode:
    """One episode: what is drawn here is all that differs between seeds, beside the market's own draws."""
    rate, left = draws.log_between(0.5, 1.0), draws.between(0.4, 0.6)
    market = MarketParameters(SELLER_START_NS, rate, overrides={"seller_ends_s": 30.0})
    changes = (Change(0.0, {"depth_scale": left}), Change(30.0, {"depth_scale": 1.0}))
    return Episode(market, 120.0, changes, drawn={"rate": rate, "left": left})


FAMILY = Family(90, "own_family", "a short seller while half of the resting orders are away", "HIGH before -1 %", draw)

if __name__ == "__main__":
    print(FAMILY.name, dict(FAMILY.episode(seed=1).drawn))
