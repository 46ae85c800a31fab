# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
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
        self.taken: list[tuple[str, str]] = []


class _Handler(BaseHTTPRequestHandler):
    server: _Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.is_up:
            self.server.taken.append((self.headers["Idempotency-Key"], body["condition"]))
        self.send_response(204 if self.server.is_up else 503)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[_Receiver]:
    server = _Receiver()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


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


def test_another_scheme_is_refused(journal: AlertJournal, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="http"):
        Deliverer("file:///etc/passwd", journal, tmp_path / "p")
