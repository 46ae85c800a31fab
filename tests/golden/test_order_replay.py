# SPDX-License-Identifier: Apache-2.0
"""The matching engine against the ES recording of 25 December 2023, order by order: book, opening auction, every trade."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.recount.orders import Orders

from pretrade import feeds
from pretrade.domain import Config, EventFlag, EventKind, Side
from pretrade.simulation.order_replay import OrderReplay

pytestmark = pytest.mark.shared_data

_TICK: Final = 250_000_000
_AUCTION_PRICE: Final = 4_800_250_000_000
_BOOK_EVERY: Final = 500
"""Event ends between two comparisons of every queue; the queues an event touched are compared at each."""


@pytest.fixture(scope="module")
def es(shared_data: Path) -> NDArray[Any]:
    path = shared_data / "databento_es_mbo_202312/esh4-glbx-mdp3-20231225.mbo.dbn.zst"
    return np.concatenate(list(feeds.open([path], format="dbn", config=Config.load())))


def _replay() -> OrderReplay:
    return OrderReplay(tick_size=_TICK, lowest=64 * 10**9, highest=5_856 * 10**9)


def _event_ends(events: NDArray[Any]) -> Iterator[NDArray[Any]]:
    start = 0
    for end in np.flatnonzero(events["flags"] & EventFlag.LAST).tolist():
        yield events[start : end + 1]
        start = end + 1


def _apply(orders: Orders, part: NDArray[Any]) -> set[tuple[int, int]]:
    """The queues that a part touched."""
    touched = set()
    for kind, side, order_id, price, size, flags in part[["kind", "side", "order_id", "price", "size", "flags"]].tolist():
        if flags & EventFlag.INFORMATIVE or kind not in (EventKind.ADD, EventKind.CANCEL, EventKind.MODIFY):
            continue
        touched |= {orders.place[order_id]} if order_id in orders.place else set()
        if kind == EventKind.ADD:
            orders.add(order_id, side, price, size)
        elif kind == EventKind.CANCEL:
            orders.take(order_id, size)
        else:
            orders.modify(order_id, price, size)
        touched |= {orders.place[order_id]} if order_id in orders.place else set()
    return touched


def _is_trade(part: NDArray[Any], *, auction: bool) -> bool:
    sides = part["side"][part["kind"] == EventKind.TRADE]
    return len(sides) > 0 and (int(sides[0]) == 0) == auction


def _fills(part: NDArray[Any]) -> NDArray[Any]:
    """Resting orders filled: some fills name the aggressor itself and are none of the book's."""
    fills = part[part["kind"] == EventKind.EXECUTE]
    trades = part[part["kind"] == EventKind.TRADE]
    found: NDArray[Any] = fills[~np.isin(fills["order_id"], trades["order_id"])]
    return found


def test_book_equals_an_independent_rebuild_at_every_event_end(es: NDArray[Any]) -> None:
    replay, orders = _replay(), Orders()
    ends = crossed_before = crossed_after = before = 0
    is_open = False
    for part in _event_ends(es):
        is_open = is_open or _is_trade(part, auction=True)
        replay.push(part)
        for side, price in _apply(orders, part):
            assert replay.queue(Side(side), price) == list(orders.sides[side].get(price, {}).items()), f"event end {ends}"
        touch = orders.best()
        assert (replay.touch(), len(replay)) == (touch, len(orders.place)), f"event end {ends}"
        is_crossed = touch[0] is not None and touch[1] is not None and touch[0] >= touch[1]
        before += not is_open
        crossed_before += is_crossed and not is_open
        crossed_after += is_crossed and is_open
        if ends % _BOOK_EVERY == 0:
            _compare_whole(replay, orders)
        ends += 1
    _compare_whole(replay, orders)
    assert ends == 47_022
    assert (crossed_before, before, crossed_after) == (891, 925, 0)
    assert (replay.faults, orders.unknown) == ((0, 0), 0)


def _compare_whole(replay: OrderReplay, orders: Orders) -> None:
    for side in (Side.BID, Side.ASK):
        expected = sorted(orders.sides[int(side)].items(), reverse=side == Side.BID)
        assert replay.book(side) == [(price, list(queue.items())) for price, queue in expected]


def test_end_state_is_that_of_the_file(es: NDArray[Any]) -> None:
    replay = _replay()
    replay.push(es)
    bids, asks = replay.book(Side.BID), replay.book(Side.ASK)
    lots = [sum(size for _, queue in side for _, size in queue) for side in (bids, asks)]
    touch = [(side[0][0], sum(size for _, size in side[0][1])) for side in (bids, asks)]
    assert (len(replay), len(bids), len(asks), *lots) == (11_217, 922, 565, 22_050, 20_110)
    assert touch == [(4_810_000_000_000, 22), (4_810_250_000_000, 28)]


def test_opening_auction_prints_44_lots_and_fills_every_shown_order_as_recorded(es: NDArray[Any]) -> None:
    replay = _replay()
    for part in _event_ends(es):
        if _is_trade(part, auction=True):
            break
        replay.push(part)
    shown = {order_id for side in (Side.BID, Side.ASK) for _, queue in replay.book(side) for order_id, _ in queue}
    fills = list(zip(*(_fills(part)[name].tolist() for name in ("order_id", "size")), strict=True))
    hidden = sum(size for order_id, size in fills if order_id not in shown)
    assert (len(fills), len([f for f in fills if f[0] in shown]), hidden) == (35, 28, 14)

    alone = replay.would_uncross(reference=_AUCTION_PRICE)
    assert alone is not None
    assert alone.volume == 31
    auction = replay.would_uncross(reference=_AUCTION_PRICE, market_buys=13, market_sells=1)
    assert auction is not None
    assert (auction.price, auction.volume) == (_AUCTION_PRICE, 44)
    assert sorted(auction.shares) == sorted(f for f in fills if f[0] in shown)


def test_price_of_the_auction_does_not_hang_on_its_reference(es: NDArray[Any]) -> None:
    replay = _replay()
    for part in _event_ends(es):
        if _is_trade(part, auction=True):
            break
        replay.push(part)
    for reference in (_AUCTION_PRICE - 40 * _TICK, _AUCTION_PRICE + 40 * _TICK):
        auction = replay.would_uncross(reference=reference, market_buys=13, market_sells=1)
        assert auction is not None
        assert (auction.price, auction.volume) == (_AUCTION_PRICE, 44)


def test_continuous_trades_meet_the_recorded_orders(es: NDArray[Any]) -> None:
    replay = _replay()
    events = in_sequence = in_quantity = 0
    for part in _event_ends(es):
        if _is_trade(part, auction=False):
            trades, recorded, ours = part[part["kind"] == EventKind.TRADE], Counter[int](), Counter[int]()
            for fill in _fills(part):
                recorded[int(fill["order_id"])] += int(fill["size"])
            for order_id, size in replay.would_fill(Side(int(trades["side"][0])), int(trades["size"].sum())):
                ours[order_id] += size
            events += 1
            in_quantity += ours == recorded
            in_sequence += list(ours.items()) == list(recorded.items())
        replay.push(part)
    assert events == 2_833
    assert in_sequence >= 2_692
    assert in_quantity >= in_sequence + 29
