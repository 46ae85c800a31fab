# SPDX-License-Identifier: Apache-2.0
"""A made-up trading desk with mistakes injected, for the order-error model: no public data of order errors exists.

Traders have favourite instruments, sizes, hours and manners; markets walk at random. Mistakes follow the cases on record:
price and quantity swapped (Mizuho, 2005), money typed as units (Citi, 2022), loops (Knight, 2012), wrong instrument, stale price.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade.models.order_error import ORDER, UNDEFINED

KINDS: Final = (
    *("none", "swap", "x10", "x100", "x1000", "tenth", "price_decade", "transposed", "side_flip"),
    *("wrong_instrument", "money_as_units", "duplicate", "loop", "stale_price"),
)
INSTRUMENTS: Final = 40
TRADERS: Final = 24
STRATEGIES: Final = 12
_DAY_NS: Final = 86_400 * 10**9
_MINUTE_NS: Final = 60 * 10**9
_MINUTES: Final = 480
_OPEN_NS: Final = 8 * 3_600 * 10**9
_FIRST_DAY_NS: Final = 1_700_006_400 * 10**9
_COPIES: Final = {"duplicate": (1, 2, 5e8), "loop": (8, 24, 5e6)}
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Desk:
    """Orders of a desk in their order of arrival."""

    orders: NDArray[Any]
    """Records of :data:`pretrade.models.order_error.ORDER`."""
    is_accepted: NDArray[np.bool_]
    """Whether the order becomes a habit: mistakes do not, except what is sent twice."""
    kind: NDArray[np.int8]
    """Place in :data:`KINDS`; 0 = no mistake."""


def make_desk(orders: int, *, prevalence: float, seed: int, days: int = 10) -> Desk:
    """Orders of a made-up desk.

    Parameters
    ----------
    orders
        Orders before copies of duplicates and loops are added.
    prevalence
        Share of them in which a mistake is injected, every kind alike.
    seed
        Another seed is another desk: traders, instruments and days.
    days
        Trading days.
    """
    rng = np.random.default_rng(seed)
    market = _Market(rng, days)
    traders = _Traders(rng, market)
    who = rng.choice(TRADERS, size=orders, p=traders.share)
    what = traders.instruments(rng, who)
    when = traders.times(rng, who, days)
    order = np.argsort(when, kind="stable")
    who, what, when = who[order], what[order], when[order]
    drawn = _draw(rng, market, traders, who, what, when)
    kind = np.where(rng.random(orders) < prevalence, rng.integers(1, len(KINDS), orders), 0).astype(np.int8)
    _spoil(rng, market, traders, drawn, kind)
    return _finish(rng, market, drawn, kind)


class _Market:
    """Instruments that walk at random, minute by minute."""

    def __init__(self, rng: np.random.Generator, days: int) -> None:
        first = 10 ** rng.uniform(1, 3.5, INSTRUMENTS)
        self.tick = (10 ** np.floor(np.log10(first * 1e9 * 2e-4))).astype(np.int64)
        self.value = rng.choice([1_000, 10_000, 125_000], INSTRUMENTS).astype(np.int64)
        self.adv = (10 ** rng.uniform(4, 7, INSTRUMENTS)).astype(np.int64)
        self.volatility = 10 ** rng.uniform(-1.7, -0.7, INSTRUMENTS)
        minutes = days * _MINUTES
        self.stress = np.exp(np.clip(rng.normal(size=(INSTRUMENTS, minutes)) * 0.5, -2, 3))
        steps = rng.normal(size=(INSTRUMENTS, minutes)) * self.volatility[:, None] * self.stress / 100
        self.mid = first[:, None] * np.exp(np.cumsum(steps, axis=1))
        self.minutes = minutes

    def at(self, when: Ints) -> Ints:
        """Minute of the walk."""
        day, into = np.divmod(when - _FIRST_DAY_NS, _DAY_NS)
        minute: Ints = np.clip(day * _MINUTES + (into - _OPEN_NS) // _MINUTE_NS, 0, self.minutes - 1)
        return minute


class _Traders:
    """Who trades what, how much, when and how."""

    def __init__(self, rng: np.random.Generator, market: _Market) -> None:
        self.share = rng.dirichlet(np.full(TRADERS, 2.0))
        self.favourites = rng.dirichlet(np.full(INSTRUMENTS, 0.12), TRADERS)
        self.level = np.log10(market.adv)[None, :] + rng.uniform(-4.5, -2.8, (TRADERS, 1)) + rng.normal(size=(TRADERS, INSTRUMENTS)) * 0.2
        self.spread = rng.uniform(0.1, 0.35, TRADERS)
        self.is_heavy = rng.random(TRADERS) < 0.2
        self.reach = rng.uniform(0.3, 3.0, TRADERS)
        self.begins = rng.uniform(0, 0.5, TRADERS)
        self.strategy = rng.integers(0, STRATEGIES, TRADERS)

    def instruments(self, rng: np.random.Generator, who: Ints) -> Ints:
        below = np.cumsum(self.favourites, axis=1)[who]
        chosen: Ints = np.minimum((below < rng.random(len(who))[:, None]).sum(axis=1), INSTRUMENTS - 1)
        return chosen

    def times(self, rng: np.random.Generator, who: Ints, days: int) -> Ints:
        into = self.begins[who] + rng.beta(1.5, 1.5, len(who)) * (1 - self.begins[who])
        day = rng.integers(0, days, len(who))
        when: Ints = _FIRST_DAY_NS + day * _DAY_NS + _OPEN_NS + (into * _MINUTES * _MINUTE_NS).astype(np.int64)
        return when


def _draw(rng: np.random.Generator, market: _Market, traders: _Traders, who: Ints, what: Ints, when: Ints) -> NDArray[Any]:
    """Orders without a mistake, and the market each of them meets."""
    n, minute = len(who), market.at(when)
    out = np.zeros(n, ORDER)
    tick, stress = market.tick[what], market.stress[what, minute]
    mid = market.mid[what, minute] * 1e9
    spread = 1 + rng.poisson(0.7 * stress)
    bid = (np.floor(mid / tick) - spread // 2).astype(np.int64) * tick
    noise = np.where(traders.is_heavy[who], np.clip(rng.standard_t(3, n), -4, 4), np.clip(rng.normal(size=n), -3, 3)) * traders.spread[who]
    side = rng.integers(1, 3, n)
    sign = np.where(side == 1, 1, -1)
    ask = bid + spread * tick
    ahead = np.round(rng.exponential(1.0, n) * traders.reach[who] * np.where(rng.random(n) < 0.4, 1, -4)).astype(np.int64)
    out["instrument"], out["trader"], out["strategy"], out["side"] = what, who, traders.strategy[who], side
    out["quantity"] = np.maximum(np.round(10 ** (traders.level[who, what] + noise)), 1)
    out["price"] = np.maximum(np.where(side == 1, ask, bid) + sign * ahead * tick, tick)
    out["tick_size"], out["bid"], out["ask"] = tick, bid, ask
    out["nbbo_bid"] = np.where(rng.random(n) < 0.5, bid, UNDEFINED)
    out["nbbo_ask"] = np.where(out["nbbo_bid"] == UNDEFINED, UNDEFINED, ask)
    out["depth"] = market.adv[what] / 2_000 * rng.lognormal(0, 0.7, n) / stress
    out["volume_1m"] = market.adv[what] / _MINUTES * rng.lognormal(0, 0.8, n) * stress
    out["adv"] = market.adv[what]
    out["reference_age"] = rng.exponential(2e7, n)
    out["position"] = rng.normal(size=n) * out["quantity"] * 3
    out["is_position_known"] = 1
    out["utc"] = when
    out["rv_1m"] = market.volatility[what] * stress * rng.lognormal(0, 0.2, n)
    out["anomaly"] = np.clip(rng.beta(1, 40, n) + np.maximum(np.log(stress) - 1, 0) * 0.3, 0, 1)
    return out


def _spoil(rng: np.random.Generator, market: _Market, traders: _Traders, out: NDArray[Any], kind: NDArray[np.int8]) -> None:
    """Turns good orders into mistakes of their kind, in place."""

    def of(name: str) -> NDArray[np.intp]:
        return np.flatnonzero(kind == KINDS.index(name))

    for name, factor in (("x10", 10), ("x100", 100), ("x1000", 1_000)):
        out["quantity"][of(name)] *= factor
    at = of("tenth")
    out["quantity"][at] = np.maximum(out["quantity"][at] // 10, 1)
    at = of("swap")
    tick, whole = out["tick_size"][at], out["price"][at] // 10**9
    out["price"][at] = np.maximum(np.minimum(out["quantity"][at], 10**9) * 10**9 // tick * tick, tick)
    out["quantity"][at] = np.maximum(whole, 1)
    at = of("price_decade")
    scaled = np.where(rng.random(len(at)) < 0.5, out["price"][at] * 10, out["price"][at] // 10)
    out["price"][at] = np.maximum(scaled // out["tick_size"][at], 1) * out["tick_size"][at]
    at = of("transposed")
    out["quantity"][at] = [_transposed(int(q)) for q in out["quantity"][at]]
    at = of("side_flip")
    out["side"][at] = 3 - out["side"][at]
    at = of("wrong_instrument")
    wrong = traders.instruments(rng, out["trader"][at].astype(np.int64))
    mid = market.mid[wrong, market.at(out["utc"][at])] * 1e9
    out["price"][at] = np.maximum(np.round(mid / out["tick_size"][at]), 1) * out["tick_size"][at]
    at = of("money_as_units")
    out["quantity"][at] = np.maximum(out["quantity"][at] * (out["price"][at] / 1e9), 1)
    at = of("stale_price")
    old = market.mid[out["instrument"][at], market.at(out["utc"][at] - rng.integers(10, 240, len(at)) * _MINUTE_NS)] * 1e9
    out["price"][at] = np.maximum(np.round(old / out["tick_size"][at]), 1) * out["tick_size"][at]


def _transposed(quantity: int) -> int:
    """The number with its first two different neighbours exchanged."""
    digits = list(str(quantity))
    for i in range(len(digits) - 1):
        if digits[i] != digits[i + 1]:
            digits[i], digits[i + 1] = digits[i + 1], digits[i]
            break
    return max(int("".join(digits)), 1)


def _finish(rng: np.random.Generator, market: _Market, out: NDArray[Any], kind: NDArray[np.int8]) -> Desk:
    """Adds the copies of what is sent twice or in a loop, sorts, and values the orders."""
    parts, kinds = [out], [np.where(np.isin(kind, [KINDS.index(name) for name in _COPIES]), 0, kind)]
    for name, (least, most, apart) in _COPIES.items():
        at = np.flatnonzero(kind == KINDS.index(name))
        copies = np.repeat(at, rng.integers(least, most + 1, len(at)))
        copied = out[copies]
        number = np.concatenate([np.arange(1, c + 1) for c in np.unique(copies, return_counts=True)[1]]) if len(copies) else np.zeros(0)
        copied["utc"] += (number * apart * rng.uniform(0.5, 1, len(copies))).astype(np.int64)
        parts.append(copied)
        kinds.append(np.full(len(copied), KINDS.index(name), np.int8))
    orders, kinds_of = np.concatenate(parts), np.concatenate(kinds).astype(np.int8)
    order = np.argsort(orders["utc"], kind="stable")
    orders, kinds_of = orders[order], kinds_of[order]
    orders["mono"] = orders["utc"] - _FIRST_DAY_NS
    orders["notional"] = orders["quantity"] / 1 * (np.abs(orders["price"]) / orders["tick_size"]) * market.value[orders["instrument"]]
    is_copy = np.isin(kinds_of, [KINDS.index(name) for name in _COPIES])
    return Desk(orders=orders, is_accepted=(kinds_of == 0) | is_copy, kind=kinds_of)
