# SPDX-License-Identifier: Apache-2.0
"""Mistakes put into good orders, for the order-error model: every kind on our list, and cases on record as named templates.

Frozen before the first model was fitted on it: :func:`digest` is the hash that studies, predictions and the ledger carry, and a change of
one byte here is another study. Sources of the cases: JPX on Mizuho and J-Com (2005); FCA and PRA final notices on Citi (2024); SEC release
34-70694 on Knight (2013); CSRC on Everbright (2013); press on HanMag (2013), Deutsche Bank (2015) and Samsung Securities (2018).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

KINDS: Final = (
    *("swap", "money_as_units", "x10", "x100", "x1000", "tenth", "transposed", "price_decade", "side_flip", "wrong_instrument"),
    *("wrong_account", "lots_for_shares", "wrong_currency", "gross_for_net", "wrong_parameter", "stale_price"),
    *("duplicate", "loop", "parent_not_counted", "basket"),
)
"""Kinds a model may be fitted on."""
CASES: Final = ("mizuho_2005", "citi_2022", "knight_2012", "everbright_2013", "hanmag_2013", "deutsche_2015", "samsung_2018")
"""Templates of real cases; never fitted on."""
NAMES: Final = ("none", *KINDS, *CASES)
SHEET: Final = ("price_decade", "swap", "wrong_instrument", "duplicate", "stale_price", "x10", "side_flip")
"""The kinds for which a recall is on record to compare with."""
HINTS: Final = np.dtype([("stale_price", "<i8"), ("other_price", "<i8"), ("other_trader", "<u4"), ("lot", "<i8")])
"""What an injector must know beside an order: an old price of its instrument, the price of another, another account, units of a lot."""
_CURRENCY: Final = (1.3, 7.0, 110.0, 1_300.0)
_SECOND: Final = 1_000_000_000
_MOST: Final = 2**53
Orders = NDArray[Any]
Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class _Copies:
    """How an order is sent again: least and most copies, and nanoseconds between two."""

    least: int
    most: int
    apart_ns: float
    is_alike: bool = True


_REPEATED: Final = {
    "duplicate": _Copies(1, 2, 5e8),
    "loop": _Copies(8, 24, 5e6),
    "parent_not_counted": _Copies(4, 12, 1.2e9),
    "basket": _Copies(8, 40, 6e7, is_alike=False),
    "citi_2022": _Copies(40, 40, 2e7, is_alike=False),
    "knight_2012": _Copies(60, 60, 1e8),
    "everbright_2013": _Copies(60, 60, 4.6e6),
    "hanmag_2013": _Copies(20, 20, 4e6),
}
_FIRST_IS_GOOD: Final = frozenset({"duplicate", "loop", "parent_not_counted", "basket", "knight_2012", "everbright_2013"})


@dataclass(frozen=True, slots=True)
class Spoiled:
    """Orders with mistakes among them, in their order of arrival."""

    orders: Orders
    is_accepted: NDArray[np.bool_]
    """Whether the order becomes a habit: good ones do, and what is sent again before anybody notices."""
    kind: NDArray[np.int8]
    """Place in :data:`NAMES`, 0 = no mistake."""
    event: NDArray[np.int64]
    """Number of the mistake, -1 = none; the copies of one mistake share it."""


def digest() -> str:
    """SHA-256 of this file: what was frozen."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


def draw(rng: Rng, orders: int, share: float, kinds: tuple[str, ...] = (*KINDS, *CASES)) -> NDArray[np.int8]:
    """Which orders become which mistake, every kind alike."""
    chosen = np.array([NAMES.index(name) for name in kinds], np.int8)
    return np.where(rng.random(orders) < share, rng.choice(chosen, orders), 0).astype(np.int8)


def inject(rng: Rng, orders: Orders, hints: NDArray[Any], kind: NDArray[np.int8]) -> Spoiled:
    """Turn good orders into mistakes.

    Parameters
    ----------
    rng
        Draws sizes, sides and times.
    orders
        Good orders (:data:`pretrade.models.order_error.ORDER`) in their order of arrival.
    hints
        :data:`HINTS`, one an order.
    kind
        Place in :data:`NAMES` for each order.

    Notes
    -----
    An order that its mistake leaves as it was (a swap of equal numbers, a number without two different digits) counts as good.
    """
    out, kind = orders.copy(), kind.copy()
    for name, spoil in _SPOIL.items():
        at = np.flatnonzero(kind == NAMES.index(name))
        if not len(at):
            continue
        before = out[at].copy()
        after = spoil(rng, out[at].copy(), hints[at])
        out[at] = after
        fields = ("quantity", "price", "side", "trader")
        is_moved = np.any([before[f] != after[f] for f in fields], axis=0)
        kind[at[~is_moved]] = 0
    out["notional"] = orders["notional"] * (out["quantity"] / np.maximum(orders["quantity"], 1)) * (out["price"] / np.maximum(orders["price"], 1))
    return _sent_again(rng, out, kind)


def _sent_again(rng: Rng, orders: Orders, kind: NDArray[np.int8]) -> Spoiled:
    event = np.where(kind > 0, np.arange(len(kind)), -1)
    is_first_good = np.isin(kind, [NAMES.index(name) for name in _FIRST_IS_GOOD])
    parts, kinds, events = [orders], [np.where(is_first_good, 0, kind)], [np.where(is_first_good, -1, event)]
    for name, how in _REPEATED.items():
        at = np.flatnonzero(kind == NAMES.index(name))
        count = rng.integers(how.least, how.most + 1, len(at))
        copies = np.repeat(at, count)
        again = orders[copies]
        number = np.concatenate([np.arange(1, c + 1) for c in count]) if len(at) else np.zeros(0)
        later = (number * how.apart_ns * rng.uniform(0.5, 1, len(copies))).astype(np.int64)
        again["utc"] += later
        again["mono"] += later
        if not how.is_alike:
            factor = rng.lognormal(0, 0.3, len(copies))
            size = np.maximum(np.round(again["quantity"] * factor), 1)
            again["notional"] *= size / again["quantity"]
            again["quantity"] = size
        parts.append(again)
        kinds.append(np.full(len(again), NAMES.index(name), np.int8))
        events.append(copies)
    all_orders, all_kinds, all_events = np.concatenate(parts), np.concatenate(kinds), np.concatenate(events)
    order = np.argsort(all_orders["mono"], kind="stable")
    all_kinds = all_kinds[order].astype(np.int8)
    is_copy = np.isin(all_kinds, [NAMES.index(name) for name in _FIRST_IS_GOOD])
    return Spoiled(all_orders[order], (all_kinds == 0) | is_copy, all_kinds, all_events[order])


def _times(factor: float) -> Callable[[Rng, Orders, Orders], Orders]:
    def spoil(_: Rng, o: Orders, __: Orders) -> Orders:
        o["quantity"] = _size(o["quantity"] * factor)
        return o

    return spoil


def _size(quantity: NDArray[Any]) -> NDArray[np.int64]:
    whole: NDArray[np.int64] = np.clip(np.floor(quantity), 1, _MOST).astype(np.int64)
    return whole


def _price(price: NDArray[Any], tick: NDArray[np.int64]) -> NDArray[np.int64]:
    steps: NDArray[np.int64] = np.clip(np.round(price / tick), 1, _MOST // 1_000).astype(np.int64) * tick
    return steps


def _swap(_: Rng, o: Orders, __: Orders) -> Orders:
    quantity, price = o["quantity"].copy(), o["price"] / 1e9
    is_alike = np.abs(np.log(np.maximum(price, 1e-9) / quantity)) < np.log(1.02)
    o["price"] = np.where(is_alike, o["price"], _price(np.minimum(quantity, 10**9) * 1e9, o["tick_size"]))
    o["quantity"] = np.where(is_alike, quantity, _size(np.maximum(price, 1)))
    return o


def _money_as_units(_: Rng, o: Orders, __: Orders) -> Orders:
    o["quantity"] = _size(o["quantity"] * np.maximum(o["price"] / 1e9, 1))
    return o


def _transposed(_: Rng, o: Orders, __: Orders) -> Orders:
    o["quantity"] = [_exchanged(int(q)) for q in o["quantity"]]
    return o


def _exchanged(quantity: int) -> int:
    """The number with its first two different neighbours exchanged."""
    digits = list(str(quantity))
    for i in range(len(digits) - 1):
        if digits[i] != digits[i + 1]:
            digits[i], digits[i + 1] = digits[i + 1], digits[i]
            break
    return max(int("".join(digits)), 1)


def _price_decade(rng: Rng, o: Orders, __: Orders) -> Orders:
    o["price"] = _price(np.where(rng.random(len(o)) < 0.5, o["price"] * 10.0, o["price"] / 10.0), o["tick_size"])
    return o


def _side_flip(_: Rng, o: Orders, __: Orders) -> Orders:
    o["side"] = 3 - o["side"]
    return o


def _wrong_instrument(_: Rng, o: Orders, hints: Orders) -> Orders:
    o["price"] = _price(hints["other_price"], o["tick_size"])
    return o


def _stale_price(_: Rng, o: Orders, hints: Orders) -> Orders:
    o["price"] = _price(hints["stale_price"], o["tick_size"])
    return o


def _wrong_account(_: Rng, o: Orders, hints: Orders) -> Orders:
    o["trader"] = hints["other_trader"]
    return o


def _lots_for_shares(rng: Rng, o: Orders, hints: Orders) -> Orders:
    lot = hints["lot"].astype(np.float64)
    o["quantity"] = _size(np.where(rng.random(len(o)) < 0.5, o["quantity"] * lot, o["quantity"] / lot))
    return o


def _wrong_currency(rng: Rng, o: Orders, __: Orders) -> Orders:
    rate = rng.choice(_CURRENCY, len(o))
    o["quantity"] = _size(o["quantity"] * np.where(rng.random(len(o)) < 0.5, rate, 1 / rate))
    return o


def _gross_for_net(rng: Rng, o: Orders, __: Orders) -> Orders:
    o["quantity"] = _size(o["quantity"] * rng.uniform(5, 50, len(o)))
    return o


def _wrong_parameter(rng: Rng, o: Orders, __: Orders) -> Orders:
    off = rng.uniform(0.02, 0.2, len(o)) * np.where(rng.random(len(o)) < 0.5, 1, -1)
    o["price"] = _price(o["price"] * (1 + off), o["tick_size"])
    return o


def _mizuho(_: Rng, o: Orders, __: Orders) -> Orders:
    """One share at 610,000 yen became 610,000 shares at 1 yen, sold."""
    o["quantity"], o["price"], o["side"] = _size(np.maximum(o["price"] / 1e9, 2)), o["tick_size"], 2
    return o


def _citi(_: Rng, o: Orders, __: Orders) -> Orders:
    """USD 58 M became USD 444 bn, sold as a basket: each of forty orders carries its part."""
    o["quantity"], o["side"] = _size(o["quantity"] * (444_000 / 58 / 40)), 2
    return o


def _hanmag(rng: Rng, o: Orders, __: Orders) -> Orders:
    """Quotes by a model with a wrong parameter: buying far above value, selling far below."""
    away = rng.uniform(0.2, 0.5, len(o)) * np.where(o["side"] == 1, 1, -1)
    o["price"] = _price(o["price"] * (1 + away), o["tick_size"])
    return o


_SPOIL: Final[dict[str, Callable[[Rng, Orders, Orders], Orders]]] = {
    "swap": _swap,
    "money_as_units": _money_as_units,
    "x10": _times(10),
    "x100": _times(100),
    "x1000": _times(1_000),
    "tenth": _times(0.1),
    "transposed": _transposed,
    "price_decade": _price_decade,
    "side_flip": _side_flip,
    "wrong_instrument": _wrong_instrument,
    "wrong_account": _wrong_account,
    "lots_for_shares": _lots_for_shares,
    "wrong_currency": _wrong_currency,
    "gross_for_net": _gross_for_net,
    "wrong_parameter": _wrong_parameter,
    "stale_price": _stale_price,
    "mizuho_2005": _mizuho,
    "citi_2022": _citi,
    "hanmag_2013": _hanmag,
    "deutsche_2015": _times(100),
    "samsung_2018": _times(39_800),
}
