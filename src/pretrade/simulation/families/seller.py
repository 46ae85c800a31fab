# SPDX-License-Identifier: Apache-2.0
"""Family 1: a large seller meets makers with finite inventory. The mission's story is one point of this prior."""

from pretrade.simulation.market import SELLER_START_NS, MarketParameters
from pretrade.simulation.scenario import Draws, Episode, Family

_AFTER_S = 480.0


def _episode(rate: float, caps: float, clip: int, share: float, ends_s: float, **drawn: float) -> Episode:
    overrides = {"seller_clip": clip, "seller_share": share, "seller_ends_s": ends_s}
    market = MarketParameters(SELLER_START_NS, rate, caps, overrides=overrides)
    return Episode(market, _AFTER_S, drawn={"seller_rate": rate, "maker_caps": caps, "clip": clip, "share": share, "ends_s": ends_s, **drawn})


def draw(draws: Draws) -> Episode:
    """Rate, depth, clip, share of volume and length of the programme."""
    rate, caps = draws.log_between(0.7, 1.6), draws.log_between(0.7, 1.4)
    return _episode(rate, caps, round(draws.between(60, 140)), draws.between(0.2, 0.45), draws.between(45.0, 90.0))


def story() -> Episode:
    """The 14:30 seller."""
    return _episode(1.0, 1.0, 100, 0.35, 62.0)


FAMILY = Family(
    1,
    "seller",
    "a large seller meets makers with finite inventory",
    "ELEVATED before the spread opens, the limit at a tenth before -1 %",
    draw,
    story,
)
