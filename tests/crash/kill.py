# SPDX-License-Identifier: Apache-2.0
"""``kill -9`` of the gateway at random instants under load, again and again: ``python -m tests.crash.kill --kills 1000``.

Each life is the real server of ``pretrade gateway --run`` in a process of its own, killed while orders, replaces and cancels flow and a venue answers
some of them. After each restart, before the venue says a word, what the gate believes is held against a recount that imports nothing of ours.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade import calibration
from pretrade.bus.tcp import RecordListener, RecordSocket
from pretrade.domain import DECISION_DTYPE, EVENT_DTYPE, ORDER_DTYPE, Action, Config, EventFlag, EventKind, OrderType, Side, TimeInForce, VenueKind
from pretrade.domain.errors import JournalError
from pretrade.limits import LimitsTable, QuotesTable, RunDirectory
from pretrade.sidecar import serve
from tests.recount.crash import CANCELLED, REPLACE_REJECTED, Journal, VenueBytes
from tests.unit.gateway import market

_LIVES_PER_RUN: Final = 50
_BURST: Final = 12
_MOST_PER_LIFE: Final = 400
_ACCOUNTS: Final = (1, 2)
_INSTRUMENT: Final = 1


def config() -> Config:
    """The packaged one with two accounts and room for a storm."""
    packaged = Config.load()
    static = {
        **packaged.static,
        "rate_new_per_s": 1_000_000,
        "rate_replace_per_s": 1_000_000,
        "position_max_long": 10**9,
        "position_max_short": 10**9,
    }
    instruments = tuple(dataclasses.replace(i, static={}) for i in packaged.instruments[:1])
    accounts = tuple(dataclasses.replace(packaged.accounts[0], account_id=a, name=f"ACC{a}") for a in _ACCOUNTS)
    gate = dataclasses.replace(packaged.gate, duplicate_window_ms=0, open_orders_max=1_000_000)
    return dataclasses.replace(packaged, static=static, instruments=instruments, accounts=accounts, gate=gate, hash="1" * 64)


@dataclasses.dataclass
class Tally:
    """What a campaign saw."""

    kills: int = 0
    in_between: int = 0
    """Kills with an order between decision and acknowledgement."""
    in_doubt: int = 0
    never_arrived: int = 0
    """Orders decided and never sent."""
    orders: int = 0
    decisions: int = 0
    resent_by_client: int = 0

    @classmethod
    def read(cls, text: str) -> Tally:
        """As :func:`main` writes it."""
        facts = json.loads(text)
        return cls(**{field.name: int(facts[field.name]) for field in dataclasses.fields(cls)})

    def add(self, other: Tally) -> None:
        """Sum of two."""
        for name in ("kills", "in_between", "in_doubt", "never_arrived", "orders", "decisions", "resent_by_client"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Broken(AssertionError):
    """A promise was not kept."""


def promise(kept: object, what: str) -> None:
    """Raise where it was not."""
    if not kept:
        raise Broken(what)


class Venue:
    """An exchange of its own: everything it hears and says is kept as bytes. It cancels what a connection left when that ends."""

    def __init__(self, rng: random.Random) -> None:
        self.bytes, self._rng = VenueBytes(), rng
        self.open: dict[int, dict[str, int]] = {}
        self._socket: RecordSocket | None = None
        self._due: list[tuple[float, Callable[[], None]]] = []

    def attach(self, socket: RecordSocket) -> None:
        self._socket, self._due = socket, []

    def hear(self) -> int:
        """Orders that arrived now."""
        if self._socket is None or self._socket.is_closed:
            return 0
        try:
            orders = self._socket.receive()
        except JournalError:
            # Cut inside an order by the kill: it did not arrive.
            return 0
        self.bytes.received += orders.tobytes()
        for order in orders:
            self._take(
                {name: int(order[name]) for name in ("client_order_id", "original_client_order_id", "side", "quantity", "account_id", "action")}
            )
        return len(orders)

    def _take(self, order: dict[str, int]) -> None:
        later = time.monotonic() + self._rng.uniform(0.0, 0.006)
        self._due.append((later, lambda: self._answer(order)))

    def speak(self, *, at_once: bool = False) -> None:
        """Answer what is due."""
        now = time.monotonic()
        due = [act for at, act in self._due if at_once or at <= now]
        self._due = [] if at_once else [(at, act) for at, act in self._due if at > now]
        for act in due:
            act()

    def _answer(self, order: dict[str, int]) -> None:
        number, original = order["client_order_id"], order["original_client_order_id"]
        if order["action"] == Action.NEW:
            self.open[number] = {**order, "filled": 0}
            self.say(number, VenueKind.ACKNOWLEDGED, order)
            if self._rng.random() < 0.5:
                self._fill(number)
        elif original not in self.open:
            self.say(number if order["action"] == Action.REPLACE else original, _refusal(order), order)
        elif order["action"] == Action.CANCEL:
            self.say(original, VenueKind.CANCELLED, self.open.pop(original))
        else:
            self._replace(number, original, order)

    def _replace(self, number: int, original: int, order: dict[str, int]) -> None:
        old = self.open[original]
        if order["quantity"] <= old["filled"]:
            self.say(number, VenueKind.REPLACE_REJECTED, order)
            return
        del self.open[original]
        self.open[number] = {**order, "filled": old["filled"]}
        self.say(number, VenueKind.REPLACED, order)

    def _fill(self, number: int) -> None:
        order = self.open[number]
        size = self._rng.randint(1, order["quantity"] - order["filled"])
        order["filled"] += size
        self.say(number, VenueKind.FILLED, order, size)
        if order["filled"] == order["quantity"]:
            del self.open[number]

    def say(self, number: int, said: int, order: dict[str, int], size: int = 0) -> None:
        """One message; kept whether or not the gateway lives to read it."""
        event = np.zeros(1, EVENT_DTYPE)
        event["kind"] = EventKind.OWN_EXECUTION if said == VenueKind.FILLED else EventKind.OWN_ORDER
        event["order_id"], event["size"], event["instrument_id"], event["side"] = number, size, _INSTRUMENT, order["side"]
        event["price"], event["aux"], event["flags"] = market.BID, (1 << 32) | order["account_id"], said << 8 | EventFlag.LAST
        self.bytes.said += event.tobytes()
        if self._socket is not None and not self._socket.is_closed:
            try:
                self._socket.send(event)
            except JournalError:
                self._socket.is_closed = True

    def leave(self) -> None:
        """The connection ended: nothing works any more."""
        self.open.clear()
        self._due = []
        if self._socket is not None:
            self._socket.close()

    def state_positions(self) -> None:
        """What a new connection is told first."""
        held = self.bytes.positions()
        for account in _ACCOUNTS:
            position = held[(_INSTRUMENT, account)]
            event = np.zeros(1, EVENT_DTYPE)
            event["kind"], event["instrument_id"], event["size"] = EventKind.OWN_ORDER, _INSTRUMENT, position
            event["aux"], event["flags"] = (1 << 32) | account, VenueKind.POSITION << 8 | EventFlag.LAST
            assert self._socket is not None
            self._socket.send(event)

    def worst(self, account: int) -> tuple[int, int]:
        """Position with all its open buys, and with all its open sells."""
        position = self.bytes.positions()[(_INSTRUMENT, account)]
        left = {
            side: sum(o["quantity"] - o["filled"] for o in self.open.values() if (o["account_id"], o["side"]) == (account, side)) for side in (1, 2)
        }
        return position + left[1], position - left[2]


def _refusal(order: dict[str, int]) -> int:
    return int(VenueKind.CANCEL_REJECTED if order["action"] == Action.CANCEL else VenueKind.REPLACE_REJECTED)


class Client:
    """An order system that sends what was not answered again, as it was."""

    def __init__(self, rng: random.Random) -> None:
        self._rng, self._number = rng, 0
        self.unanswered: dict[int, NDArray[Any]] = {}
        self.answers: dict[int, list[tuple[int, int]]] = {}
        self._socket: RecordSocket | None = None
        self._recent: list[int] = []
        self.sent = 0

    def attach(self, port: int) -> int:
        """Connect and send again; how many."""
        self._socket, self.sent = RecordSocket.connect(port, DECISION_DTYPE, timeout_s=60), 0
        again = list(self.unanswered.values())
        if again:
            orders = np.concatenate(again)
            orders["ts_event"] = time.time_ns()
            self._socket.send(orders)
        return len(again)

    def burst(self) -> None:
        """A handful of new orders, replaces and cancels."""
        if self._socket is None or self._socket.is_closed or self.sent >= _MOST_PER_LIFE:
            return
        orders = np.concatenate([self._next() for _ in range(self._rng.randint(1, _BURST))])
        self.sent += len(orders)
        for order in orders:
            self.unanswered[int(order["client_order_id"])] = np.atleast_1d(order)
        try:
            self._socket.send(orders)
        except JournalError:
            self._socket.is_closed = True

    def _next(self) -> NDArray[Any]:
        self._number += 1
        account, side = self._rng.choice(_ACCOUNTS), self._rng.choice((Side.BID, Side.ASK))
        changes: dict[str, Any] = {"account_id": account, "order_type": OrderType.LIMIT, "time_in_force": TimeInForce.DAY}
        order = market.order(time.time_ns(), self._number, self._rng.randint(1, 50), side, market.BID, **changes)
        kind = self._rng.random()
        if kind < 0.3 and self._recent:
            named = self._rng.choice(self._recent)
            order["original_client_order_id"] = named
            order["action"] = Action.CANCEL if kind < 0.15 else Action.REPLACE
        else:
            self._recent = [*self._recent[-40:], self._number]
        return order

    def hear(self) -> int:
        """Decisions that arrived now."""
        if self._socket is None or self._socket.is_closed:
            return 0
        try:
            decisions = self._socket.receive()
        except JournalError:
            return 0
        for decision in decisions:
            number = int(decision["client_order_id"])
            self.unanswered.pop(number, None)
            self.answers.setdefault(number, []).append((int(decision["verdict"]), int(decision["reason"])))
        return len(decisions)

    def leave(self) -> None:
        if self._socket is not None:
            self._socket.close()


class Campaign:
    """One run directory and the lives of its gateway."""

    def __init__(self, folder: Path, settings: Config, rng: random.Random) -> None:
        self._config, self._rng = settings, rng
        self.run = RunDirectory(folder / "run")
        serve.prepare(self.run, settings, settings.instruments)
        self._limits, self._quotes = LimitsTable.open(self.run, writable=True), QuotesTable.open(self.run, writable=True)
        records = calibration.static_records(settings, [_INSTRUMENT], epoch=self._limits.epoch, now_mono=time.monotonic_ns())
        records["score"] = np.float32(0.0)
        self._limits.publish(records)
        self._quotes.publish(market.quotes(time.time_ns()))
        self.venue, self.client = Venue(rng), Client(rng)
        self.journal, self.tally = Journal(self.run.gate_journal(0)), Tally()
        self._listener = RecordListener(ORDER_DTYPE)
        self._venue_worst = dict.fromkeys(_ACCOUNTS, (0, 0))
        (self.run.path / "venue.json").write_text(json.dumps({"order_port": self._listener.port}))

    def live(self, *, is_last: bool) -> None:
        """One life: restart, judge what is believed, reconcile, load, kill (or, the last one, stop)."""
        for name in ("gateway.json",):
            (self.run.path / name).unlink(missing_ok=True)
        pid = self._fork()
        try:
            session = self._await(lambda: self._listener.accept(0.0), pid)
            port = int(self._await(self._announced, pid)["port"])
            self.journal.grow()
            self._judge()
            self.venue.attach(session)
            self._reconcile(pid)
            self.tally.resent_by_client += self.client.attach(port)
            self._load(pid, is_last=is_last)
            os.kill(pid, signal.SIGTERM if is_last else signal.SIGKILL)
        except BaseException:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise
        status = os.waitpid(pid, 0)[1]
        promise(status == (0 if is_last else signal.SIGKILL), f"the gateway ended with status {status}")
        self.tally.kills += not is_last
        self._drain()
        if is_last:
            self._judge_end()
        self._venue_worst = {account: self.venue.worst(account) for account in _ACCOUNTS}
        self.client.leave()
        self.venue.leave()

    def _fork(self) -> int:
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            os.dup2(os.open(self.run.path / "stderr.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640), 2)
            venue = self.run.path / "venue.json"
            serve.serve_gateway(self.run.path, self._config, gateway_id=0, clock="wall", venue_path=venue)
            code = 0
        except BaseException:  # noqa: BLE001 - a forked process has nobody above it
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)

    def _beat(self) -> None:
        now = time.monotonic_ns()
        self._limits.heartbeat(0, now, now)
        self._quotes.heartbeat(0, now, now)

    def _await(self, found: Callable[[], Any], pid: int) -> Any:
        end = time.monotonic() + 120
        while time.monotonic() < end:
            self._beat()
            if (value := found()) is not None:
                return value
            if os.waitpid(pid, os.WNOHANG)[0]:
                raise Broken(f"the gateway did not come back: {(self.run.path / 'stderr.txt').read_text()[-2000:]}")
            time.sleep(0.001)
        raise Broken("the gateway did not come up within 120 s")

    def _announced(self) -> Any:
        path = self.run.path / "gateway.json"
        return json.loads(path.read_text()) if path.exists() else None

    def _judge(self) -> None:
        """What the gate believes before the venue says anything: equal to the recount, and never too little."""
        facts = json.loads(self.run.doubt(0).read_text())
        found = {row["account_id"]: (row["position"] or 0, row["working_buy"], row["working_sell"]) for row in facts["exposure_at_start"]}
        for account in _ACCOUNTS:
            promise(
                found[account] == self.journal.exposure(_INSTRUMENT, account),
                f"account {account}: {found[account]} is not the recount of the journal",
            )
            worst_buy, worst_sell = self._venue_worst[account]
            position, buy, sell = found[account]
            promise(
                position + buy >= worst_buy and position - sell <= worst_sell,
                f"account {account}: {found[account]} is less than the venue's worst case",
            )
        self.tally.in_between += bool(self.journal.sent - self.journal.acknowledged)
        doubtful = {row["client_order_id"] for row in facts["orders"]}
        promise(doubtful == set(self.journal.live), f"orders in doubt are not those that live: {doubtful ^ set(self.journal.live)}")
        self.tally.in_doubt += len(doubtful)
        several = [key for key, found in self.journal.decisions.items() if len(found) > 1]
        promise(not several, f"decided more than once: {several[:5]}")
        for number, answers in self.client.answers.items():
            recorded = self.journal.decisions.get((number, 0), [])
            first = [answer for answer in answers if answer[1] != 32]
            promise(recorded and first in ([], recorded), f"order {number} was answered {answers}, the journal holds {recorded}")
        arrived = Counter(number for number, _ in self.venue.bytes.orders())
        promise(not [n for n, times in arrived.items() if times > 1], "an order was sent twice")
        unrecorded = [n for n in arrived if (1, 0) not in self.journal.decisions.get((n, 0), [])]
        promise(not unrecorded, f"the venue received what was never accepted on record: {unrecorded[:5]}")
        accepted = {number for (number, _), said in self.journal.decisions.items() if said == [(1, 0)]}
        self.tally.never_arrived, self.tally.orders, self.tally.decisions = len(accepted - set(arrived)), len(arrived), len(self.journal.decisions)

    def _reconcile(self, pid: int) -> None:
        """The venue states positions and says of every order in doubt that it works no more; the list empties."""
        self.venue.state_positions()
        for number, order in list(self.journal.live.items()):
            facts = {"side": order.side, "account_id": order.account}
            if order.pending is not None:
                self.venue.say(order.pending[0], REPLACE_REJECTED, facts)
            self.venue.say(number, CANCELLED, facts)
        self._await(lambda: True if not json.loads(self.run.doubt(0).read_text())["orders"] else None, pid)

    def _load(self, pid: int, *, is_last: bool) -> None:
        end = time.monotonic() + self._rng.uniform(0.0, 0.05)
        while time.monotonic() < end or (is_last and (self.client.unanswered or self.client.sent < _BURST)):
            self._beat()
            if not is_last or self.client.sent < _MOST_PER_LIFE // 2:
                self.client.burst()
            self.venue.hear()
            self.venue.speak()
            self.client.hear()
            if os.waitpid(pid, os.WNOHANG)[0]:
                raise Broken(f"the gateway ended by itself: {(self.run.path / 'stderr.txt').read_text()[-2000:]}")
        if not is_last:
            # One burst more, and the kill in the middle of what it sets off.
            self.client.burst()
            at = time.monotonic() + self._rng.uniform(0.0, 0.003)
            while time.monotonic() < at:
                pass

    def _drain(self) -> None:
        """What left the gateway before it died still arrives."""
        for _ in range(3):
            while self.venue.hear() or self.client.hear():
                pass

    def _judge_end(self) -> None:
        """A gateway that was told to stop left a journal that equals what the venue knows, but for what was said after it had gone."""
        self.journal.grow()
        arrived = {number for number, _ in self.venue.bytes.orders()}
        promise(not self.client.unanswered, f"{len(self.client.unanswered)} orders were never answered")
        accepted = {number for (number, _), said in self.journal.decisions.items() if said == [(1, 0)]}
        promise(arrived <= accepted, "the venue received what was never accepted on record")


def campaign(kills: int, seed: int, settings: Config) -> Tally:
    """So many kills in one run directory, then an orderly stop."""
    folder = Path(tempfile.mkdtemp(prefix="pretrade-kill-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    try:
        found = Campaign(folder, settings, random.Random(seed))
        for life in range(kills + 1):
            found.live(is_last=life == kills)
        return found.tally
    except Broken as e:
        raise Broken(f"seed {seed}: {e}") from e
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main(arguments: list[str] | None = None) -> int:
    """Run campaigns until so many kills are done; the tally as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=20_261_124)
    given = parser.parse_args(arguments)
    tally, settings, start = Tally(), config(), time.monotonic()
    while tally.kills < given.kills:
        tally.add(campaign(min(_LIVES_PER_RUN, given.kills - tally.kills), given.seed + tally.kills, settings))
        sys.stderr.write(
            f"{tally.kills} kills, {tally.in_between} with an order between decision and acknowledgement, {time.monotonic() - start:.0f} s\n"
        )
    sys.stdout.write(json.dumps({**dataclasses.asdict(tally), "seconds": round(time.monotonic() - start)}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
