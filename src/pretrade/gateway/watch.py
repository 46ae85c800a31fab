# SPDX-License-Identifier: Apache-2.0
"""Structured log of a gateway: one JSON object a line, written by a thread that reads the gateway's own table; the order path writes nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final, TextIO

from pretrade.domain import Tier
from pretrade.domain.errors import TableError
from pretrade.limits import GateTable, RunDirectory

LOOK_S: Final = 0.1
RING_ALARM_PPM: Final = 500_000
_LEVEL_KEY: Final = 0xFFFF_FF00
Facts = dict[str, Any]


class Watch:
    """Logs what changes in a gateway: stages, tiers, trips, stops of levels, kills, poison, a journal that falls behind.

    Parameters
    ----------
    run, gateway_id
        Whose table.
    stream
        Where lines go.
    utc
        Clock of the lines, ns.
    """

    def __init__(self, run: RunDirectory, gateway_id: int, stream: TextIO, utc: Callable[[], int]) -> None:
        self._run, self._gateway_id, self._stream, self._utc = run, gateway_id, stream, utc
        self._seen: Facts = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Look ten times a second from now on."""
        self._thread = threading.Thread(target=self._run_until_over, name="watch", daemon=True)
        self._thread.start()

    def say(self, event: str, **facts: object) -> None:
        """One line."""
        line = json.dumps({"ts": self._utc(), "gateway": self._gateway_id, "event": event, **facts}, default=str)
        with self._lock:
            self._stream.write(line + "\n")
            self._stream.flush()

    def look(self) -> None:
        """Log what changed since the last look."""
        try:
            table = GateTable.open(self._run.gate(self._gateway_id), domain=self._run.clock_domain)
        except TableError as e:
            self._note("table", {"is_readable": False}, problem=str(e))
            return
        self._note("table", {"is_readable": True})
        words = table.words
        self._note("kill", {"number": words["kill_word"]})
        self._note("poisoned", {"is_poisoned": bool(words["poisoned"])})
        self._note("journal", {"is_behind": words["ring_fill_ppm"] > RING_ALARM_PPM}, lag_records=words["journal_head"] - words["journal_durable"])
        for key, facts in _rows(table):
            self._note(key, facts)

    def close(self) -> None:
        """Look a last time and stop."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        self.look()

    def _note(self, what: str, state: Facts, **more: object) -> None:
        before = self._seen.get(what)
        self._seen[what] = state
        # The first look is the state at start, which is no event where nothing is amiss.
        if before != state and (before is not None or any(state.values()) != (what == "table")):
            self.say(what.split(":", 1)[0], **state, **more, was=before)

    def _run_until_over(self) -> None:
        while not self._over.wait(LOOK_S):
            self.look()


def _rows(table: GateTable) -> Iterator[tuple[str, Facts]]:
    for row in table.snapshot():
        number = int(row["instrument_id"])
        if row["strategy_id"] >= _LEVEL_KEY:
            level = int(row["strategy_id"]) - _LEVEL_KEY
            yield f"stop:{level}:{number}", {"level": level, "id": number, "stop_id": int(row["trip_gateway"]), "control": int(row["stage"])}
            continue
        yield f"stage:{number}", {"instrument": number, "stage": int(row["stage"])}
        yield f"tier:{number}", {"instrument": number, "tier": Tier(int(row["tier"])).name}
        trips = {source: int(row[f"trip_{source}"]) for source in ("sidecar", "gateway", "human")}
        yield f"trip:{number}", {"instrument": number, **trips}
