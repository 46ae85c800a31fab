# SPDX-License-Identifier: Apache-2.0
"""The venue sends the past at once and the story on a clock that may be set much later."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pretrade.bus.tcp import RecordSocket
from pretrade.domain import EVENT_DTYPE
from pretrade.domain.clock import WallClock
from pretrade.domain.errors import SimulationError
from pretrade.simulation.venue_server import VenueServer

S = 1_000_000_000
START, PACED, END = 1_000 * S, 1_050 * S, 1_051 * S


class OneEventASecond:
    """Publishes each second of simulated time, and remembers how far it was asked to go."""

    def __init__(self) -> None:
        self.at = START

    def run_until(self, ts: int) -> NDArray[np.void]:
        times = np.arange(self.at // S + 1, ts // S + 1) * S
        self.at = ts
        out = np.zeros(len(times), EVENT_DTYPE)
        out["ts_recv"] = times
        return out

    def submit(self, orders: NDArray[np.void], owner: int) -> NDArray[np.void]:
        return np.zeros(0, EVENT_DTYPE)

    def reports(self, owner: int) -> NDArray[np.void]:
        return np.zeros(0, EVENT_DTYPE)

    def withdraw(self, owner: int) -> int:
        return 0


class Clock(WallClock):
    """Moves a tenth of a second each time it is read."""

    def utc(self) -> int:
        object.__setattr__(self, "offset_ns", self.offset_ns + S // 10)
        return PACED + self.offset_ns


def never() -> bool:
    return False


@pytest.fixture
def server() -> Iterator[VenueServer]:
    served = VenueServer(OneEventASecond())
    yield served
    served.close()


def client_of(server: VenueServer, tmp_path: Path) -> RecordSocket:
    server.announce(tmp_path / "venue.json")
    return RecordSocket.connect(int(json.loads((tmp_path / "venue.json").read_text())["data_port"]), EVENT_DTYPE)


def received(client: RecordSocket, n: int) -> list[int]:
    times: list[int] = []
    while len(times) < n:
        times.extend(client.receive(5.0)["ts_recv"].tolist())
    return times


def test_the_past_is_sent_at_once_and_nothing_of_the_story_before_its_clock(server: VenueServer, tmp_path: Path) -> None:
    client = client_of(server, tmp_path)
    assert server.warm_up(START, PACED, never) == 50
    assert received(client, 50) == [START + k * S for k in range(1, 51)]
    assert len(client.receive(0.0)) == 0
    story = threading.Thread(target=server.run, args=(PACED, END, Clock(), never))
    story.start()
    assert received(client, 1) == [END]
    story.join()
    client.close()


def test_a_venue_without_a_client_says_so(server: VenueServer) -> None:
    with pytest.raises(SimulationError, match="no market-data client within 0 s"):
        server.warm_up(START, PACED, never, wait_s=0.0)
    with pytest.raises(SimulationError, match="warm_up waits for one"):
        server.run(PACED, END, Clock(), never)
