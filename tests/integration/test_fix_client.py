# SPDX-License-Identifier: Apache-2.0
"""``examples/fix_client.py`` trades through a gateway: one order that passes, one that is refused."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fix_market import Edge, calm_market
from tests.integration.test_fix_edge import Peer

CLIENT = Path(__file__).resolve().parents[2] / "examples/fix_client.py"


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Path]:
    ages = {"[gate]": "[gate]\nt1_ms = 600000\nreference_ttl_ms = 600000"}
    with calm_market(tmp_path, ages) as config:
        yield config


def test_the_example_client_trades_and_is_refused(market: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        Edge(market, listener.getsockname()[1], market.parent / "said") as edge,
        edge.reaches(listener) as connection,
    ):
        venue = Peer(connection, "VENUE")
        venue.hear("A")
        venue.say("A", (98, 0), (108, 30))
        # Answered, so the Logon was taken: orders pass from here on.
        venue.say("1", (112, "READY"))
        assert venue.hear("0")["112"] == "READY"
        said = {}
        for quantity in (10, 200):
            command = [sys.executable, str(CLIENT), "127.0.0.1", str(edge.port), "ES", str(quantity), "4800.00"]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
                if quantity == 10:
                    order = venue.hear("D")
                    assert (order["38"], order["49"]) == ("10", "PRETRADE")
                    venue.say("8", (37, "V1"), (11, order["11"]), (17, "E1"), (150, 0), (39, 0), (55, "ES"), (54, 1), (151, 10), (14, 0))
                said[quantity], _ = client.communicate(timeout=60)
                assert client.returncode == 0
    assert said[10].split() == ["0", "RiskAlert_Normal"]
    assert said[200].startswith("8 RISK:ORDER_EXCEEDS_LIMIT quantity=200 limit=50 unit=lots")
