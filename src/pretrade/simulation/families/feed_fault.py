# SPDX-License-Identifier: Apache-2.0
"""Family 8: the feed fails, in a calm market or in a crash: a gap, silence, or everything late."""

from pretrade.simulation.market import SELLER_START_NS, MarketParameters
from pretrade.simulation.scenario import Draws, Episode, Family, FeedFault


def draw(draws: Draws) -> Episode:
    """Kind, length from half a second to half a minute, and whether a seller is at work meanwhile."""
    kind, length, at_s = draws.choose("gap", "silent", "late"), draws.log_between(0.5, 30.0), draws.between(5.0, 30.0)
    has_seller = draws.between(0.0, 1.0) < 0.5
    delay = length * draws.between(0.2, 0.8)
    market = MarketParameters(SELLER_START_NS, 1.0 if has_seller else 0.0, overrides={"seller_ends_s": 62.0})
    drawn = {"kind": kind, "at_s": at_s, "length_s": length, "delay_s": delay, "has_seller": has_seller}
    # A market that fell needs time to come back, or the loss is that of the low.
    return Episode(market, 480.0 if has_seller else 120.0, fault=FeedFault(kind, at_s, length, delay if kind == "late" else 0.0), drawn=drawn)


FAMILY = Family(8, "feed_fault", "the feed fails: a gap, silence, or everything late", "nothing new on stale prices, no invented calm", draw)
