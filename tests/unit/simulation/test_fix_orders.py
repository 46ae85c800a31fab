# SPDX-License-Identifier: Apache-2.0
"""The simulated venue over FIX: each gateway hears of its own orders alone, and what it left behind is cancelled."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from pretrade.domain import EventKind, Side
from pretrade.simulation import MarketParameters, Simulator
from pretrade.simulation.fix_orders import COMP_ID, FixOrders, now_text
from pretrade.simulation.fix_party import Fields, FixParty, Heard, Line, decimal
from pretrade.simulation.market import CALM_START_NS

S = 1_000_000_000
NAMES = ("ONE", "TWO")


class Street:
    """A venue, two gateways, and the simulated market behind them."""

    def __init__(self) -> None:
        self.simulator = Simulator(MarketParameters(), 3, CALM_START_NS)
        events = self.simulator.run_until(CALM_START_NS + S)
        asks = events["price"][(events["kind"] == EventKind.ADD) & (events["side"] == Side.ASK)]
        self.ask, self.far = int(asks.min()), int(asks.max())
        self.venue = FixOrders(self.simulator, NAMES, {"ES": 1})
        self.gateways = [FixParty([Line(name, COMP_ID, f"127.0.0.1:{self.venue.port}")]) for name in NAMES]
        self.heard: list[list[Heard]] = [[], []]
        self.until(lambda: all(any(h.what == "logged on" for h in heard) for heard in self.heard))

    def until(self, is_done: Callable[[], bool]) -> None:
        for _ in range(3_000):
            self.venue.serve()
            for heard, gateway in zip(self.heard, self.gateways, strict=True):
                heard += gateway.poll(0.001)
            if is_done():
                return
        raise AssertionError(f"never came: {self.heard}")

    def order(self, gateway: int, text: str, side: int, quantity: int, price: int, **more: object) -> None:
        fields: list[tuple[int, object]] = [(1, "ACC1"), (11, text), (38, quantity), (40, 2), (44, decimal(price)), (54, side), (55, "ES")]
        self.gateways[gateway].send(0, "D", [*fields, (59, more.get("time", 0)), (60, now_text())])

    def told(self, gateway: int, text: str) -> list[Fields]:
        return [h.fields for h in self.heard[gateway] if h.what in {"8", "9"} and h.fields[11] == text]

    def types(self, gateway: int, text: str) -> list[str]:
        return [f.get(150, "9") for f in self.told(gateway, text)]


@pytest.fixture
def street() -> Iterator[Street]:
    street = Street()
    yield street
    for gateway in street.gateways:
        gateway.close()
    street.venue.close()


def test_each_gateway_hears_of_its_own_orders_alone(street: Street) -> None:
    street.order(0, "A", 2, 3, street.ask)
    street.order(1, "A", 2, 4, street.ask)
    street.until(lambda: bool(street.told(0, "A") and street.told(1, "A")))
    street.simulator.run_until(CALM_START_NS + 600 * S)
    street.venue.tell()
    street.until(lambda: street.told(0, "A")[-1][39] == "2" and street.told(1, "A")[-1][39] == "2")
    for gateway, quantity in ((0, "3"), (1, "4")):
        last = street.told(gateway, "A")[-1]
        assert (last[14], last[151], last[150]) == (quantity, "0", "F")
        assert sum(int(f[32]) for f in street.told(gateway, "A") if f[150] == "F") == int(quantity)
    assert street.simulator.position(0, 1) == -7


def test_a_cancel_a_replace_and_a_second_use_of_an_id_are_answered(street: Street) -> None:
    street.order(0, "A", 2, 5, street.far)
    street.until(lambda: street.types(0, "A") == ["0"])
    street.order(0, "A", 2, 5, street.far)
    street.until(lambda: street.types(0, "A") == ["0", "8"])
    assert street.told(0, "A")[-1][103] == "6"
    change = [(1, "ACC1"), (11, "B"), (38, 2), (40, 2), (41, "A"), (44, decimal(street.far)), (54, 2), (55, "ES"), (60, now_text())]
    street.gateways[0].send(0, "G", change)
    street.until(lambda: street.types(0, "B") == ["5"])
    assert (street.told(0, "B")[0][41], street.told(0, "B")[0][151]) == ("A", "2")
    street.gateways[0].send(0, "F", [(11, "C"), (41, "A"), (54, 2), (55, "ES"), (60, now_text())])
    street.until(lambda: street.types(0, "C") == ["9"])
    street.gateways[0].send(0, "F", [(11, "D"), (41, "B"), (54, 2), (55, "ES"), (60, now_text())])
    street.until(lambda: street.types(0, "D") == ["4"])
    assert street.told(0, "D")[0][41] == "B"
    assert street.simulator.withdraw(1) == 0


def test_a_status_request_says_how_an_order_stands(street: Street) -> None:
    street.order(0, "A", 2, 5, street.far)
    street.gateways[0].send(0, "H", [(11, "A"), (54, 2), (55, "ES")])
    street.gateways[0].send(0, "H", [(11, "NEVER"), (54, 2), (55, "ES")])
    street.until(lambda: street.types(0, "A") == ["0", "I"] and street.types(0, "NEVER") == ["I"])
    assert [f[39] for f in street.told(0, "A")] == ["0", "0"]
    assert street.told(0, "NEVER")[0][39] == "8"


def test_orders_of_a_gateway_that_is_gone_are_cancelled(street: Street) -> None:
    street.order(0, "A", 2, 5, street.far)
    street.until(lambda: street.types(0, "A") == ["0"])
    street.gateways[0].close()
    withdrawn: list[int] = []
    withdraw = street.simulator.withdraw

    def counted(owner: int) -> int:
        withdrawn.append(withdraw(owner))
        return withdrawn[-1]

    street.simulator.withdraw = counted  # type: ignore[method-assign]
    street.gateways.pop(0)
    street.heard.pop(0)
    street.until(lambda: bool(withdrawn))
    assert withdrawn == [1]
