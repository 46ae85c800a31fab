# SPDX-License-Identifier: Apache-2.0
"""A calm market behind a FIX edge: tables under static limits, kept fresh, and the edge as a process."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pretrade import calibration
from pretrade.domain import QUOTES_DTYPE, UNDEFINED_PRICE, Config, Phase
from pretrade.limits import LimitsTable, QuotesTable, RunDirectory
from pretrade.sidecar.serve import prepare

EXAMPLE = Path(__file__).resolve().parents[1] / "examples/gateway.toml"
TICK = 250_000_000
_PATIENCE_S = 120.0


@contextlib.contextmanager
def calm_market(folder: Path, changes: Mapping[str, str] | None = None) -> Iterator[Path]:
    """A configuration whose tables lie in ``folder`` and are kept fresh; ``changes`` are made to the example's text."""
    run = RunDirectory(folder / "run", folder / "journals")
    text = EXAMPLE.read_text().replace('run_directory = "run/gateway"', f'run_directory = "{run.path}"\njournals_directory = "{run.journals}"')
    text = text.replace("standalone = true", "standalone = false").replace("reset_at_logon = true", "reset_at_logon = false")
    for old, new in (changes or {}).items():
        assert old in text, f"the example has no {old!r} to change"
        text = text.replace(old, new)
    path = folder / "gateway.toml"
    path.write_text(text)
    config = Config.load(path)
    prepare(run, config, config.instruments)
    limits, quotes = LimitsTable.open(run, writable=True), QuotesTable.open(run, writable=True)
    records = calibration.static_records(config, [1], epoch=limits.epoch, now_mono=time.monotonic_ns())
    records["score"] = np.float32(0.0)
    limits.publish(records)
    quotes.publish(calm_quotes())
    is_over = threading.Event()

    def beat() -> None:
        while not is_over.wait(0.02):
            now = time.monotonic_ns()
            limits.heartbeat(0, now, now)
            quotes.heartbeat(0, now, now)

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield path
    finally:
        is_over.set()
        thread.join()


def calm_quotes() -> np.ndarray[tuple[int], np.dtype[np.void]]:
    """One book around 4800 in continuous trading."""
    quotes = np.zeros(1, QUOTES_DTYPE)
    quotes["instrument_id"], quotes["phase"] = 1, int(Phase.CONTINUOUS)
    bid = 4_800 * 10**9 - TICK
    quotes["bid_price"], quotes["ask_price"] = bid, bid + 2 * TICK
    for name in ("last_price", "slow_reference", "mid_10s", "mid_5m", "velocity_low", "velocity_high"):
        quotes[name] = bid + TICK
    for name in ("bid_size", "ask_size", "depth_bid", "depth_ask", "volume_1m", "adv"):
        quotes[name] = 1_000_000
    quotes["nbbo_bid"] = quotes["nbbo_ask"] = UNDEFINED_PRICE
    return quotes


class Edge:
    """The gateway as a process, killed at the end; what it says on stderr goes to a file.

    It chooses its port itself and announces it: a port that a test finds free may be another's by the time a gateway asks for it.
    """

    def __init__(self, config: Path, venue_port: int, said: Path) -> None:
        addresses = {"PRETRADE_FIX_LISTEN": "127.0.0.1:0", "PRETRADE_FIX_VENUE": f"127.0.0.1:{venue_port}"}
        command = [sys.executable, "-m", "pretrade", "gateway", "--config", str(config)]
        self._announced, self._said, self._said_before = config.parent / "run/gateway.json", said, said.stat().st_size if said.exists() else 0
        with said.open("ab") as log:
            self.process = subprocess.Popen(command, env={**os.environ, **addresses}, stderr=log)

    def __enter__(self) -> Edge:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def check(self) -> None:
        """Raise, with its words, where it has ended."""
        if self.process.poll() is not None:
            words = self._said.read_bytes()[self._said_before :].decode(errors="replace")
            raise AssertionError(f"the gateway (pid {self.process.pid}) ended with {self.process.returncode}: {words[-2_000:]}")

    @property
    def port(self) -> int:
        """Port it listens on; waits until it is announced."""
        end = time.monotonic() + _PATIENCE_S
        while True:
            with contextlib.suppress(OSError):
                facts = json.loads(self._announced.read_text())
                if facts["pid"] == self.process.pid:
                    return int(facts["port"])
            self.check()
            assert time.monotonic() < end, f"the gateway (pid {self.process.pid}) announces no port within {_PATIENCE_S:g} s"
            time.sleep(0.005)

    def connect(self) -> socket.socket:
        """A connection to it."""
        return socket.create_connection(("127.0.0.1", self.port), _PATIENCE_S)

    def reaches(self, listener: socket.socket) -> socket.socket:
        """Its connection to a venue's listening socket."""
        listener.settimeout(0.1)
        end = time.monotonic() + _PATIENCE_S
        while time.monotonic() < end:
            self.check()
            with contextlib.suppress(TimeoutError):
                return listener.accept()[0]
        raise AssertionError(f"the gateway (pid {self.process.pid}) does not reach the venue within {_PATIENCE_S:g} s")


def numbers_of(run: Path, name: str) -> dict[str, Any]:
    """Numbers in a session's store, as the gateway keeps them."""
    words = np.fromfile(run / f"fix-{name}.seq", "<u8", 5)
    return {"next_in": int(words[3]), "next_out": int(words[4])}
