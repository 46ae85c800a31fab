# SPDX-License-Identifier: Apache-2.0
"""``kill -9`` of the gateway in the middle of a stream of FIX orders: nothing is sent twice, nothing is lost without a word.

The venue answers status requests, as one would, so that what is in doubt does not pile up. PRETRADE_FIX_KILLS raises the number
of kills (4 here; `make fix-kills` makes it a thousand).
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fix_market import Edge, calm_market

_KILLS = int(os.environ.get("PRETRADE_FIX_KILLS", "4"))
_BURST = 400
Message = dict[str, str]


class Side:
    """One counterparty whose numbers go on over every life of the gateway."""

    def __init__(self, name: str) -> None:
        self.name, self.sent = name, [""]  # by sequence number, from 1: the fields of an order, or nothing for a session message
        self.next_in, self.heard = 1, list[Message]()
        self._socket: socket.socket | None = None
        self._raw = b""

    def attach(self, connection: socket.socket) -> None:
        connection.settimeout(30)
        self._socket, self._raw = connection, b""

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()

    def say(self, kind: str, fields: str, *, seq: int | None = None) -> None:
        now = time.strftime("%Y%m%d-%H:%M:%S.000", time.gmtime())
        repeated = "" if seq is None else f"43=Y|122={now}|"
        if seq is None:
            seq = len(self.sent)
            self.sent.append(fields if kind == "D" else "")
        body = f"35={kind}|34={seq}|{repeated}49={self.name}|52={now}|56=PRETRADE|{fields.replace('NOW', now)}".replace("|", "\x01")
        head = f"8=FIX.4.4\x019={len(body)}\x01{body}"
        assert self._socket is not None
        self._socket.sendall(f"{head}10={sum(head.encode()) % 256:03d}\x01".encode())

    def hear(self) -> Message | None:
        """Next message, numbers checked, a resend request answered; ``None`` at the end of the connection."""
        assert self._socket is not None
        while not (found := re.match(rb"8=FIX.*?\x0110=\d{3}\x01", self._raw, re.DOTALL)):
            try:
                got = self._socket.recv(65536)
            except ConnectionError:
                got = b""
            if not got:
                return None
            self._raw += got
        self._raw = self._raw[found.end() :]
        message = dict(field.split("=", 1) for field in found[0].decode().split("\x01") if field)
        seq = int(message["34"])
        assert seq >= self.next_in or message.get("43") == "Y", f"{self.name}: number {seq} was used before, {self.next_in} was due"
        self.next_in = max(self.next_in, seq + 1 if message["35"] != "4" else int(message["36"]))
        self.heard.append(message)
        # Else the order that the kill waits for may never come.
        assert message.get("39") != "8" or message["58"].startswith("GATEWAY:NOT_SENT"), f"{self.name} hears {message['58']}"
        with contextlib.suppress(OSError):
            if message["35"] == "2":
                self.resend(int(message["7"]))
            elif message["35"] == "H":
                self.say("8", f"37=V|11={message['11']}|17=S{len(self.sent)}|150=I|39=4|55=ES|54={message['54']}|151=0|14=0|6=0|")
        return message

    def hear_until(self, kind: str) -> Message:
        while (message := self.hear()) is not None:
            if message["35"] == kind:
                return message
        raise AssertionError(f"{self.name} was disconnected before it heard {kind}")

    def resend(self, first: int) -> None:
        """Everything from a number on: orders as they were, the rest as one gap each."""
        for seq in range(first, len(self.sent)):
            if self.sent[seq]:
                self.say("D", self.sent[seq], seq=seq)
            else:
                self.say("4", f"123=Y|36={seq + 1}|", seq=seq)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A configuration over a calm market, without a limit or an age that a long run on a busy machine could reach.

    A heartbeat once late by a second sends the gate to stage 1; lives as short as these never leave it, and after T2 it refuses.
    """
    wide = {"= 100\n": "= 1000000\n", "= 500\n": "= 1000000\n", "= 1000\n": "= 1000000\n"}
    with calm_market(
        tmp_path, {**wide, "[gate]": "[gate]\nt1_ms = 600000\nreference_ttl_ms = 600000\nduplicate_window_ms = 0\nopen_orders_max = 1000000"}
    ) as config:
        yield config


@pytest.mark.slow
def test_nothing_is_sent_twice_and_nothing_vanishes(place: Path) -> None:
    rng = random.Random(20_261_124)
    ems, venue, orders = Side("EMS"), Side("VENUE"), list[str]()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for life in range(_KILLS + 1):
            with Edge(place, listener.getsockname()[1], place.parent / "said") as edge:
                _log_on(ems, venue, listener, edge)
                if life == _KILLS:
                    _settle(ems, venue)
                    break
                watcher = threading.Thread(target=_kill_after, args=(venue, edge.process, rng.randrange(1, _BURST)))
                watcher.start()
                _stream(ems, orders, f"L{life}-")
                while ems.hear() is not None:
                    pass
                watcher.join()
    ems.close()
    venue.close()
    _judge(ems, venue, orders)


def _log_on(ems: Side, venue: Side, listener: socket.socket, edge: Edge) -> None:
    venue.close()
    ems.close()
    venue.attach(edge.reaches(listener))
    venue.hear_until("A")
    venue.say("A", "98=0|108=30|")
    ems.attach(edge.connect())
    ems.say("A", "98=0|108=30|")
    ems.hear_until("A")


def _kill_after(venue: Side, process: subprocess.Popen[bytes], count: int) -> None:
    """Kill the gateway while the venue hears its ``count``-th order of this life; then hear what had left by then."""
    while (message := venue.hear()) is not None:
        count -= message["35"] == "D"
        if count == 0:
            process.kill()


def _stream(ems: Side, orders: list[str], prefix: str) -> None:
    for n in range(_BURST):
        name = f"{prefix}{n}"
        orders.append(name)
        try:
            ems.say("D", f"11={name}|1=ACC1|55=ES|54={1 + n % 2}|38=1|40=2|44=4800.00|59=0|60=NOW|")
        except OSError:
            return


def _settle(ems: Side, venue: Side) -> None:
    """Both ends ask whether anything is still on its way; gaps are filled meanwhile."""
    for side, word in ((ems, "LAST"), (venue, "LAST"), (ems, "REALLY"), (venue, "REALLY")):
        side.say("1", f"112={word}|")
        while side.hear_until("0").get("112") != word:
            pass


def _judge(ems: Side, venue: Side, orders: list[str]) -> None:
    at_venue = Counter(m["11"] for m in venue.heard if m["35"] == "D")
    assert [name for name, times in at_venue.items() if times > 1] == [], "sent twice"
    asked = {m["11"] for m in venue.heard if m["35"] == "H"}
    refused = {m["11"]: m["58"] for m in ems.heard if m["35"] == "8" and m["39"] == "8"}
    assert [name for name, text in refused.items() if not text.startswith("GATEWAY:NOT_SENT")] == []
    assert set(refused) & set(at_venue) == set(), "refused and sent"
    assert [name for name in orders if name not in at_venue and name not in refused and name not in asked] == [], "vanished"
    # A life may be killed while it hears what the last one had left to send again, before an order of its own.
    lives = len({name.split("-")[0] for name in at_venue})
    assert lives >= 0.9 * _KILLS - 1, f"only {lives} of {_KILLS} lives brought an order of their own to the venue"
