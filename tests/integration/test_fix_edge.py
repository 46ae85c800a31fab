# SPDX-License-Identifier: Apache-2.0
"""``pretrade gateway --config examples/gateway.toml`` between raw sockets, killed and started again."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples/gateway.toml"
_INTERNAL = {"8011", "20012", "20013", "20014", "20015"}
Message = dict[str, str]


class Peer:
    """One end of a FIX 4.4 session, by hand."""

    def __init__(self, connection: socket.socket, name: str) -> None:
        self._socket, self._name, self._raw, self._number = connection, name, b"", 0
        connection.settimeout(30)

    def say(self, kind: str, *fields: tuple[int, object]) -> None:
        self._number += 1
        now = time.strftime("%Y%m%d-%H:%M:%S.000", time.gmtime())
        session = ((35, kind), (34, self._number), (49, self._name), (52, now), (56, "PRETRADE"))
        body = "".join(f"{tag}={value}\x01" for tag, value in (*session, *fields)).replace("NOW", now)
        head = f"8=FIX.4.4\x019={len(body)}\x01{body}"
        self._socket.sendall(f"{head}10={sum(head.encode()) % 256:03d}\x01".encode())

    def hear(self, kind: str) -> Message:
        """Next message, which must be of this type."""
        while not (found := re.match(rb"8=FIX.*?\x0110=\d{3}\x01", self._raw, re.DOTALL)):
            got = self._socket.recv(65536)
            assert got, f"{self._name} was disconnected"
            self._raw += got
        self._raw = self._raw[found.end() :]
        message = dict(field.split("=", 1) for field in found[0].decode().split("\x01") if field)
        assert message["35"] == kind, message
        return message

    def log_on(self) -> None:
        self.say("A", (98, 0), (108, 30), (141, "Y"))

    def order(self, name: str, quantity: int) -> None:
        self.say("D", (11, name), (1, "ACC1"), (55, "ES"), (54, 2), (38, quantity), (40, 2), (44, "4800.00"), (59, 0), (60, "NOW"))


class Edge:
    """The gateway process."""

    def __init__(self, config: Path, venue: socket.socket) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        addresses = {"PRETRADE_FIX_LISTEN": f"127.0.0.1:{self.port}", "PRETRADE_FIX_VENUE": f"127.0.0.1:{venue.getsockname()[1]}"}
        command = [sys.executable, "-m", "pretrade", "gateway", "--config", str(config)]
        self._connections: list[socket.socket] = []
        self.process = subprocess.Popen(command, env={**os.environ, **addresses}, cwd=config.parent, stderr=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.kill()
        self.process.communicate()
        for connection in self._connections:
            connection.close()

    def peers(self, venue: socket.socket) -> tuple[Peer, Peer]:
        """The venue's and the order system's end, both logged on."""
        self._connections.append(venue.accept()[0])
        there = Peer(self._connections[-1], "VENUE")
        assert there.hear("A")["49"] == "PRETRADE"
        there.log_on()
        self._connections.append(socket.create_connection(("127.0.0.1", self.port), 30))
        ems = Peer(self._connections[-1], "EMS")
        ems.log_on()
        assert ems.hear("A")["141"] == "Y"
        return there, ems


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.toml"
    path.write_text(EXAMPLE.read_text())
    return path


@pytest.fixture
def venue() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        yield listener


def test_200_lots_at_limit_50_come_back_and_nothing_internal_goes_out(config: Path, venue: socket.socket) -> None:
    with Edge(config, venue) as edge:
        there, ems = edge.peers(venue)
        ems.order("BIG1", 200)
        answer = ems.hear("8")
        assert (answer["11"], answer["150"], answer["39"], answer["103"]) == ("BIG1", "8", "8", "3")
        assert answer["58"].startswith("RISK:ORDER_EXCEEDS_LIMIT quantity=200 limit=50 unit=lots ")
        assert answer["8011"] == "RiskAlert_Normal"
        ems.order("SMALL1", 10)
        assert ems.hear("8")["58"].startswith("RISK:REFERENCE_PRICE_MISSING"), "a stand-alone edge has no prices"
        ems.say("V", (262, "x"), (8011, "RiskAlert_HighAnomaly"), (20012, "0.9"))
        assert not _INTERNAL & set(there.hear("V"))
        edge.process.send_signal(signal.SIGTERM)
        assert ems.hear("5")["58"] == "gateway stops"
        assert there.hear("5")["58"] == "gateway stops"
        assert edge.process.wait(30) == 0


def test_a_killed_edge_comes_back_and_remembers_every_id(config: Path, venue: socket.socket) -> None:
    with Edge(config, venue) as edge:
        _, ems = edge.peers(venue)
        ems.order("ONCE", 200)
        ems.hear("8")
    with Edge(config, venue) as edge:
        _, ems = edge.peers(venue)
        ems.order("ONCE", 10)
        assert ems.hear("8")["58"].startswith("RISK:DUPLICATE_CLIENT_ORDER_ID")


def test_a_looser_configuration_needs_two_persons(config: Path, venue: socket.socket) -> None:
    with Edge(config, venue) as edge:
        edge.peers(venue)
    config.write_text(EXAMPLE.read_text().replace("max_order_quantity = 50", "max_order_quantity = 5000"))
    with Edge(config, venue) as edge:
        _, said = edge.process.communicate(timeout=60)
        assert edge.process.returncode != 0
        assert "max_order_quantity" in said
        assert "Traceback" not in said
