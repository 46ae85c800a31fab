# SPDX-License-Identifier: Apache-2.0
"""C++ QuickFIX as client and as venue around the gateway: trade, refusal, death in mid-order, resume with a gap, and equal numbers.

Needs g++ and QuickFIX (Debian: ``apt-get install g++ libquickfix-dev``).
"""

from __future__ import annotations

import queue
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fix_market import Edge, calm_market, numbers_of

SOURCE = Path(__file__).resolve().parents[1] / "interop/quickfix_party.cpp"
_WAIT_S = 30.0


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("g++")
    if compiler is None or not Path("/usr/include/quickfix").is_dir():
        pytest.fail("no C++ QuickFIX here; the set-up step is: apt-get install g++ libquickfix-dev")
    built = tmp_path_factory.mktemp("quickfix") / "party"
    subprocess.run([compiler, "-O1", "-std=c++14", "-w", str(SOURCE), "-o", str(built), "-lquickfix", "-lpthread"], check=True)
    return built


class Party:
    """The QuickFIX process; its file store outlives it."""

    def __init__(self, program: Path, kind: str, port: int, name: str, store: Path) -> None:
        command = [str(program), kind, str(port), name, str(store)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.until("ready")

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")

    def until(self, *words: str) -> str:
        """The next line that holds every one of the words."""
        passed = []
        while True:
            try:
                passed.append(self._lines.get(timeout=_WAIT_S))
            except queue.Empty:
                raise AssertionError(f"no line with {words} came; what came: {passed}") from None
            if all(word in passed[-1] for word in words):
                return passed[-1]

    def order(self, name: str, quantity: int) -> None:
        self.tell(f"say D 1=ACC1|11={name}|38={quantity}|40=2|44=4800.00|54=1|55=ES|59=0|60=NOW|")

    def numbers(self) -> tuple[int, int]:
        """Next number sent, next number expected."""
        self.tell("numbers")
        _, sent, expected = self.until("numbers").split()
        return int(sent), int(expected)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


class Parties:
    """Starts counterparties; none outlives the test."""

    def __init__(self, program: Path) -> None:
        self._program, self._all = program, list[Party]()

    def start(self, kind: str, port: int, name: str, store: Path) -> Party:
        self._all.append(Party(self._program, kind, port, name, store))
        return self._all[-1]

    def end(self) -> None:
        for party in self._all:
            party.kill()


@pytest.fixture
def parties(program: Path) -> Iterator[Parties]:
    started = Parties(program)
    yield started
    started.end()


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Path]:
    with calm_market(tmp_path, {"cancel_after_s = 5": "cancel_on_disconnect = false"}) as config:
        yield config


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def await_sent(venue: Party, run: Path) -> None:
    """Until the gateway has taken everything the venue sent."""
    sent, _ = venue.numbers()
    end = time.monotonic() + _WAIT_S
    while numbers_of(run, "PRETRADE-VENUE")["next_in"] < sent:
        assert time.monotonic() < end, "the gateway does not take what the venue sent"
        time.sleep(0.005)


def await_agreement(party: Party, run: Path, name: str) -> None:
    """Until both ends count the same; QuickFIX counts a message only after it has told of it."""
    end = time.monotonic() + _WAIT_S
    while True:
        (sent, expected), ours = party.numbers(), numbers_of(run, f"PRETRADE-{name}")
        if ours == {"next_in": sent, "next_out": expected}:
            return
        assert time.monotonic() < end, f"{name} sends {sent} next and expects {expected}; the gateway says {ours}"


def test_client_and_venue_of_another_engine_trade_die_and_resume(parties: Parties, market: Path) -> None:
    place, venue_port = market.parent, free_port()
    stores = {name: place / name for name in ("EMS", "VENUE")}
    venue = parties.start("acceptor", venue_port, "VENUE", stores["VENUE"])
    with Edge(market, venue_port, place / "said") as edge:
        venue.until("logon")
        ems = parties.start("initiator", edge.port, "EMS", stores["EMS"])
        ems.until("logon")

        ems.order("A1", 10)
        venue.until("app", "|35=D|", "|11=A1|")
        assert "|8011=" in ems.until("app", "|11=A1|", "|39=0|")
        ems.until("app", "|11=A1|", "|39=2|")
        ems.order("A2", 200)
        assert "|58=RISK:ORDER_EXCEEDS_LIMIT quantity=200 limit=50" in ems.until("app", "|11=A2|", "|39=8|")

        # The client dies with an order at the venue; the fill comes while nobody is there, and again as a gap when it is back.
        venue.tell("answer off")
        venue.until("answers off")
        ems.order("A3", 5)
        venue.until("app", "|35=D|", "|11=A3|")
        ems.kill()
        venue.tell("say 8 37=VA3|17=LATE|1=ACC1|11=A3|54=1|55=ES|150=F|39=2|151=0|14=5|6=4800|31=4800|32=5|60=NOW|")
        await_sent(venue, place / "run")
        ems = parties.start("initiator", edge.port, "EMS", stores["EMS"])
        late = ems.until("app", "|11=A3|", "|39=2|")
        assert "|43=Y|" in late
        assert late.count("8011=") == 1

        # The venue dies with an order it has not acted on: nothing is sent to it twice, and its own store tells what became of it.
        ems.order("A4", 5)
        venue.until("app", "|35=D|", "|11=A4|")
        venue.kill()
        venue = parties.start("acceptor", venue_port, "VENUE", stores["VENUE"])
        venue.until("logon")
        ems.order("A5", 5)
        assert "|11=A5|" in venue.until("app", "|35=D|"), "A4 came a second time"
        ems.until("app", "|11=A5|", "|39=2|")

        # The gateway dies and is started again: both sides go on where they were.
        edge.process.kill()
        edge.process.wait()
        venue.until("logout")
        ems.until("logout")
    with Edge(market, venue_port, place / "said") as edge:
        venue.until("logon")
        ems.kill()
        ems = parties.start("initiator", edge.port, "EMS", stores["EMS"])
        ems.until("logon")
        assert "|11=A4|" in venue.until("app", "|35=H|")
        ems.order("A6", 5)
        ems.until("app", "|11=A6|", "|39=2|")
        for party, name in ((ems, "EMS"), (venue, "VENUE")):
            await_agreement(party, place / "run", name)
