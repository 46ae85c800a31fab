# SPDX-License-Identifier: Apache-2.0
"""Family 9: large orders off the best, placed to be seen and taken away before they trade."""

from pretrade.simulation.market import MarketParameters
from pretrade.simulation.scenario import Book, Draws, Episode, Family, Outsider, Placed

_LOOK_S = 0.5


def draw(draws: Draws) -> Episode:
    """Side, size, distance, life and layers."""
    side, lots, distance = draws.choose(1, 2), round(draws.log_between(100.0, 500.0)), round(draws.between(2.0, 6.0))
    life, layers = draws.log_between(0.5, 5.0), round(draws.between(1.0, 4.0))
    drawn = {"side": side, "lots": lots, "distance": distance, "life_s": life, "layers": layers}
    return Episode(MarketParameters(), 300.0, outsider=_spoofer(side, lots, distance, life, layers), drawn=drawn)


def _spoofer(side: int, lots: int, distance: int, life_s: float, layers: int) -> Outsider:
    number, placed_at = 0, -1e9
    working: list[Placed] = []

    def look(book: Book) -> list[Placed]:
        nonlocal number, placed_at, working
        if book.since_s < 0:
            return []
        touch, sign = (book.bid_tick, -1) if side == 1 else (book.ask_tick, 1)
        is_old = book.since_s - placed_at >= life_s
        is_near = any((w.tick - touch) * sign < distance // 2 for w in working)
        if working and (is_old or is_near):
            gone = [Placed(w.number, w.side, w.tick, 0) for w in working]
            working = []
            return gone
        if working or book.since_s - placed_at < life_s + _LOOK_S:
            return []
        working = [Placed(number + k, side, touch + sign * (distance + k), lots) for k in range(layers)]
        number, placed_at = number + layers, book.since_s
        return working

    return look


FAMILY = Family(9, "spoofing", "large orders off the best, placed and taken away", "imbalance alone raises no limit action", draw)
