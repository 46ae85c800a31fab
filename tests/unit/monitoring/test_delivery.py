# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from pretrade.calibration import AlertJournal, TierChange
from pretrade.domain import LIMITS_DTYPE, Tier
from pretrade.domain.errors import ConfigError, JournalError
from pretrade.monitoring import Deliverer


class _Receiver(HTTPServer):
    """Takes alarms when it is up."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.is_up = True
        self.status = 204
        self.redirect: tuple[int, str] | None = None
        self.asked: list[str | None] = []
        self.taken: list[tuple[str, str]] = []


class _Handler(BaseHTTPRequestHandler):
    server: _Receiver

    def do_POST(self) -> None:
        self.server.asked.append(self.headers["Idempotency-Key"])
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.redirect is not None:
            self.send_response(self.server.redirect[0])
            self.send_header("Location", self.server.redirect[1])
            self.end_headers()
            return
        status = self.server.status if self.server.is_up else 503
        if 200 <= status < 300:
            self.server.taken.append((self.headers["Idempotency-Key"], body["condition"]))
        self.send_response(status)
        self.end_headers()

    def do_GET(self) -> None:
        """What a followed redirect of 301, 302 or 303 would become."""
        self.server.asked.append(self.headers["Idempotency-Key"])
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def elsewhere() -> Iterator[_Receiver]:
    server = _Receiver()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def receiver() -> Iterator[_Receiver]:
    with elsewhere() as server:
        yield server


def alarm(journal: AlertJournal, ts: int) -> None:
    """One upward change to HIGH."""
    record = np.zeros(1, LIMITS_DTYPE)
    record["instrument_id"], record["max_order_quantity"] = 1, 50
    journal.record(TierChange(ts, 1, Tier.NORMAL, Tier.HIGH, 0.5, (), 0, "score"), record)


@pytest.fixture
def journal(tmp_path: Path) -> AlertJournal:
    written = AlertJournal(tmp_path / "alerts.jsonl")
    record = np.zeros(1, LIMITS_DTYPE)
    record["instrument_id"] = 1
    for i, (low, high, limit) in enumerate([(0, 1, 250), (1, 2, 50), (2, 1, 250), (1, 3, 50)]):
        record["max_order_quantity"] = limit
        written.record(TierChange(10**18 + i, 1, Tier(low), Tier(high), 0.5, ("rv_10s",), 0, "score"), record)
    return written


def _deliverer(receiver: _Receiver, journal: AlertJournal, tmp_path: Path, waits: list[float]) -> Deliverer:
    return Deliverer(f"http://127.0.0.1:{receiver.server_port}/", journal, tmp_path / "position", sleep=waits.append)


def test_alarms_wait_for_a_receiver_that_is_down_and_none_is_lost(receiver: _Receiver, journal: AlertJournal, tmp_path: Path) -> None:
    waits: list[float] = []
    receiver.is_up = False
    assert _deliverer(receiver, journal, tmp_path, waits).deliver(tries=4) == 0
    assert waits == [0.5, 1.0, 2.0]
    receiver.is_up = True
    again = _deliverer(receiver, journal, tmp_path, waits)
    assert again.deliver() == 2
    assert [condition for _, condition in receiver.taken] == ["HIGH", "CRITICAL"]
    assert again.deliver() == 0, "the position was committed"
    assert len({key for key, _ in receiver.taken}) == 2


def test_a_loosening_is_no_alert_and_elevated_is_an_event(journal: AlertJournal) -> None:
    told = journal.read()
    assert [(a.condition, a.severity, a.old_limit, a.new_limit) for a in told] == [
        ("ELEVATED", "event", None, 250),
        ("HIGH", "alarm", 250, 50),
        ("CRITICAL", "alarm", 250, 50),
    ]


def test_a_line_still_being_written_is_left_for_later(journal: AlertJournal) -> None:
    with journal.path.open("a") as out:
        out.write('{"alert_id": "half')
    assert len(journal.read()) == 3
    with journal.path.open("a") as out:
        out.write("\n")
    with pytest.raises(JournalError, match="broken line"):
        journal.read()


@pytest.mark.parametrize("at", [0, 1, 100, 10_000])
def test_the_line_of_a_killed_writer_neither_blocks_nor_swallows_the_next_alarm(
    receiver: _Receiver, journal: AlertJournal, tmp_path: Path, at: int
) -> None:
    deliverer = _deliverer(receiver, journal, tmp_path, [])
    whole = journal.path.stat().st_size
    with journal.path.open("ab") as out:
        out.write(b'{"alert_id": "torn", "cause": "' + b"x" * at)
    assert deliverer.deliver() == 2
    assert deliverer.position == whole
    alarm(AlertJournal(journal.path), 10)
    assert deliverer.deliver() == 1
    assert [condition for _, condition in receiver.taken] == ["HIGH", "CRITICAL", "HIGH"]
    assert len(journal.read()) == 4


def test_a_journal_of_nothing_but_a_torn_line_begins_anew(tmp_path: Path) -> None:
    journal = AlertJournal(tmp_path / "alerts.jsonl")
    journal.path.write_bytes(b'{"alert_id": "to' + b"r" * 9_000)
    alarm(journal, 10)
    assert [a.ts_recv for a in journal.read()] == [10]


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_no_delivery_and_is_not_followed(receiver: _Receiver, journal: AlertJournal, tmp_path: Path, code: int) -> None:
    with elsewhere() as other:
        receiver.redirect = (code, f"http://127.0.0.1:{other.server_port}/")
        deliverer = _deliverer(receiver, journal, tmp_path, [])
        assert deliverer.deliver() == 0
        assert deliverer.failures == 1
        (alert_id,) = {a.alert_id for a in journal.read() if a.condition == "HIGH"}
        assert receiver.asked == [alert_id], "it was put to the configured address once"
        assert (other.asked, other.taken) == ([], []), "nobody else has heard of it, by whatever method"
        before = deliverer.position
        receiver.redirect = None
        assert _deliverer(receiver, journal, tmp_path, []).deliver() == 2
        assert _deliverer(receiver, journal, tmp_path, []).position > before


@pytest.mark.parametrize("status", [100, 199, 204, 304, 400, 500])
def test_only_a_2xx_moves_the_position(receiver: _Receiver, journal: AlertJournal, tmp_path: Path, status: int) -> None:
    receiver.status = status
    deliverer = _deliverer(receiver, journal, tmp_path, [])
    before_the_first_alarm = journal.read_positions()[0][1]
    assert deliverer.deliver() == (2 if status == 204 else 0)
    assert (deliverer.position == before_the_first_alarm) == (status != 204)


def test_a_receiver_that_speaks_no_http_is_a_failure_and_no_crash(journal: AlertJournal, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def mumble() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"good morning\r\n\r\n")

        thread = threading.Thread(target=mumble)
        thread.start()
        deliverer = Deliverer(f"http://127.0.0.1:{server.getsockname()[1]}/", journal, tmp_path / "position")
        assert deliverer.deliver() == 0
        thread.join()
    assert deliverer.failures == 1


def test_a_position_beyond_the_journal_is_said_and_not_waited_at(receiver: _Receiver, journal: AlertJournal, tmp_path: Path) -> None:
    (tmp_path / "position").write_text("1000000")
    with pytest.raises(JournalError, match="position 1000000 lies beyond"):
        _deliverer(receiver, journal, tmp_path, []).deliver()


def test_another_scheme_is_refused(journal: AlertJournal, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="http"):
        Deliverer("file:///etc/passwd", journal, tmp_path / "p")
