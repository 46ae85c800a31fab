# SPDX-License-Identifier: Apache-2.0
"""The order-error features from raw events, recounted from the whole history of each order; imports nothing of ours.

python order_error.py EVENTS.jsonl > ROWS.csv. Events in order: ``instrument`` (id, tick_size, lot_size, value), ``quote`` (what the
``quotes`` record says), ``score``, ``position`` (account, instrument, value) and ``order`` with the verdict it got.
"""

from __future__ import annotations

import collections
import json
import math
import statistics
import struct
import sys
from typing import Any

NAN = math.nan
SECOND = 10**9
UNDEFINED = -(2**63)
Event = dict[str, Any]


def f32(x: float) -> float:
    """The nearest float of 32 bits."""
    if math.isnan(x) or math.isinf(x):
        return x
    return float(struct.unpack("f", struct.pack("f", x))[0])


def log(x: float) -> float:
    """Base-10 logarithm, NaN where there is none."""
    return math.log10(x) if x > 0 else NAN


def median32(values: list[float]) -> float:
    """Median of 32-bit floats, in 32 bits."""
    low, high = statistics.median_low(values), statistics.median_high(values)
    return f32(f32(low + high) / 2) if len(values) % 2 == 0 else low


class Recount:
    """Keeps every event and looks each feature up in the whole history."""

    def __init__(self) -> None:
        self.instruments: dict[int, Event] = {}
        self.quotes: dict[int, Event] = {}
        self.scores: dict[int, float] = {}
        self.positions: dict[tuple[int, int], int] = {}
        self.accepted: list[Event] = []
        self.of_cell: dict[tuple[int, int], list[Event]] = collections.defaultdict(list)
        self.of_trader: dict[int, list[Event]] = collections.defaultdict(list)
        self.of_strategy: dict[int, list[Event]] = collections.defaultdict(list)
        self.firm = (0.0, 0.0)

    def take(self, event: Event) -> list[float] | None:
        """Takes one event; of an order the row it had on arrival."""
        kind = event["kind"]
        if kind == "instrument":
            self.instruments[event["id"]] = event
        elif kind == "quote":
            self.quotes[event["instrument"]] = event
        elif kind == "score":
            self.scores[event["instrument"]] = event["value"]
        elif kind == "position":
            self.positions[event["account"], event["instrument"]] = event["value"]
        else:
            order = self.valued(event)
            row = [f32(x) for x in self.row(order)]
            if event["accepted"]:
                self.accept(order)
            return row
        return None

    def valued(self, event: Event) -> Event:
        """The order with its price, its money and the direction of its side."""
        facts, quote = self.instruments[event["instrument"]], self.quotes[event["instrument"]]
        price = event["price"]
        if event["market"]:
            price = quote["ask"] if event["side"] == 1 else quote["bid"]
        lots, ticks = event["quantity"] / facts["lot_size"], abs(price) / facts["tick_size"]
        return event | {"price": price, "money": lots * ticks * facts["value"], "sign": 1.0 if event["side"] == 1 else -1.0}

    def accept(self, order: Event) -> None:
        """Adds an accepted order to the histories, and to the running mean of the firm."""
        self.accepted.append(order)
        self.of_cell[order["account"], order["instrument"]].append(order)
        self.of_trader[order["account"]].append(order)
        self.of_strategy[order["strategy"]].append(order)
        mean, deviation = self.firm
        weight, distance = 1 / min(len(self.accepted), 256), math.log10(order["money"]) - mean
        self.firm = (mean + distance * weight, deviation + (abs(distance) - deviation) * weight)

    def row(self, order: Event) -> list[float]:
        """The twenty-four features."""
        quote = self.quotes[order["instrument"]]
        all_in_cell, all_of_trader = self.of_cell[order["account"], order["instrument"]], self.of_trader[order["account"]]
        cell, trader, strategy = all_in_cell[-16:], all_of_trader[-16:], self.of_strategy[order["strategy"]][-16:]
        tick = self.instruments[order["instrument"]]["tick_size"]
        size, money, sign, price, now = log(order["quantity"]), log(order["money"]), order["sign"], order["price"], order["mono"]
        usual, usual_z = compared(size, [f32(log(o["quantity"])) for o in cell], len(all_in_cell))
        _, money_z = compared(money, [f32(log(o["money"])) for o in trader], len(all_of_trader))
        firm_z = (money - self.firm[0]) / max(self.firm[1], 0.05) if len(self.accepted) >= 20 else NAN
        bid, ask = quote["bid"], quote["ask"]
        is_two_sided = UNDEFINED not in (bid, ask)
        mid = (float(bid) + float(ask)) / 2 if is_two_sided else NAN
        beyond = through(order, bid, ask)
        same = [o for o in cell if o["side"] == order["side"] and abs(o["quantity"] - order["quantity"]) <= order["quantity"] // 100]
        rate = len(strategy) / (max(now - strategy[0]["mono"], 10**6) * 1e-9) if strategy else 0.0
        others = [abs(price - o["price"]) / abs(o["price"]) for o in trader if o["instrument"] != order["instrument"]]
        signed, gross = sum(o["sign"] * o["quantity"] for o in cell), sum(o["quantity"] for o in cell)
        hour = order["utc"] // (3600 * SECOND) % 24
        in_hour = sum(o["utc"] // (3600 * SECOND) % 24 == hour for o in all_of_trader)
        position = self.positions.get((order["account"], order["instrument"]))
        volatility = quote["rv_1m"]
        depth = quote["depth_ask"] if order["side"] == 1 else quote["depth_bid"]
        whole = math.copysign(math.floor(abs(usual) + 0.5), usual) if not math.isnan(usual) else NAN
        return [
            usual,
            usual_z,
            size - log(max(quote["volume_1m"], 1)),
            size - log(quote["adv"]),
            size - log(max(depth, 1)),
            money_z,
            firm_z,
            beyond / tick,
            beyond / max(ask - bid, tick) if is_two_sided else NAN,
            (price / mid - 1) * sign * 100 / volatility if volatility > 0 else NAN,
            through(order, quote["nbbo_bid"], quote["nbbo_ask"]) / tick,
            1.0 if whole == 0 else abs(usual - whole),
            sum(now - o["mono"] < SECOND for o in same),
            sum(now - o["mono"] < 60 * SECOND for o in same),
            math.log10(1 + rate),
            len(all_in_cell) / len(all_of_trader) if all_of_trader else NAN,
            abs(price - mid) / abs(mid) - min(others) if others else NAN,
            sign * ((position > 0) - (position < 0)) if position is not None else NAN,
            sign * signed / gross if gross else 0.0,
            (in_hour + 1) / (len(all_of_trader) + 24),
            order["quote_age"] * 1e-9,
            volatility,
            self.scores.get(order["instrument"], NAN),
            log(order["money"] + sum(o["money"] for o in oldest_place_first(trader, len(all_of_trader)) if now - o["mono"] < 60 * SECOND)),
        ]


def oldest_place_first(kept: list[Event], count: int) -> list[Event]:
    """The last sixteen in the order of their number modulo sixteen: sums of floats depend on it."""
    if count <= 16:
        return kept
    cut = 16 - count % 16
    return kept[cut:] + kept[:cut]


def compared(value: float, kept: list[float], count: int) -> tuple[float, float]:
    """Distance to the median of what is usual, and in robust standard deviations."""
    if count < 5:
        return NAN, NAN
    median = median32(kept)
    spread = median32([abs(f32(v - median)) for v in kept])
    return value - median, (value - median) / max(spread * 1.4826, 0.05)


def through(order: Event, bid: int, ask: int) -> float:
    """How far the price goes beyond the touch it would take."""
    touch = ask if order["side"] == 1 else bid
    return NAN if touch == UNDEFINED else float(order["price"] - touch) * order["sign"]


def main() -> None:
    """Reads events, prints rows."""
    recount = Recount()
    with open(sys.argv[1]) as file:
        for line in file:
            row = recount.take(json.loads(line))
            if row is not None:
                sys.stdout.write(",".join(map(repr, row)) + "\n")


if __name__ == "__main__":
    main()
