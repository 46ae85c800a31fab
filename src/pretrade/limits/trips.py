# SPDX-License-Identifier: Apache-2.0
"""Which breakers are tripped now, and by which trip: read from the tables alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pretrade.domain import LimitFlag
from pretrade.domain.errors import TableError
from pretrade.limits.run_directory import RunDirectory
from pretrade.limits.state import Level
from pretrade.limits.tables import GateTable, LimitsTable

# Second number of the key of a level's record in the ``gate`` table, as in crates/shm/src/gate.rs.
_LEVEL_KEY = 0xFFFF_FF00


@dataclass(frozen=True, slots=True)
class Trip:
    """A trip in force: only a resume that names ``trip_id`` of ``source`` ends it."""

    instrument_id: int
    source: str
    trip_id: int


def trips_in_force(run: RunDirectory, controls: NDArray[Any]) -> list[Trip]:
    """Trips above the last resumed id, by instrument and source.

    Parameters
    ----------
    run
        Where the ``limits`` and ``gate`` tables lie; absent ones tell nothing, a latch in the other still counts.
    controls
        Rows of the ``controls`` table.
    """
    newest: dict[tuple[int, str], int] = {}
    rows = controls[controls["level"] == Level.INSTRUMENT]
    for row in rows:
        _raise(newest, int(row["id"]), "human", int(row["trip"]))
    for record in _records(LimitsTable, run.limits, run):
        if int(record["flags"]) & LimitFlag.TRIPPED:
            _raise(newest, int(record["instrument_id"]), "sidecar", int(record["trip_id"]))
    for path in run.gates():
        for record in _records(GateTable, path, run):
            if int(record["strategy_id"]) >= _LEVEL_KEY:
                continue
            for source in ("sidecar", "gateway", "human"):
                _raise(newest, int(record["instrument_id"]), source, int(record[f"trip_{source}"]))
    resumed = {(int(row["id"]), source): int(row[f"resumed_{source}"]) for row in rows for source in ("sidecar", "gateway", "human")}
    return [Trip(i, source, trip_id) for (i, source), trip_id in sorted(newest.items()) if trip_id > resumed.get((i, source), 0)]


@dataclass(frozen=True, slots=True)
class Stop:
    """A level that a gateway stopped (controls 23 and 25): only a resume that names ``stop_id`` ends it."""

    level: Level
    row_id: int
    stop_id: int
    control: int


def stops_in_force(run: RunDirectory, controls: NDArray[Any]) -> list[Stop]:
    """Stops of accounts, strategies, traders, desks, sessions and the firm above the last resumed id; of several gateways the newest."""
    resumed = {(int(row["level"]), int(row["id"])): int(row["resumed_gateway"]) for row in controls if row["level"] != Level.INSTRUMENT}
    newest: dict[tuple[int, int], Stop] = {}
    for path in run.gates():
        for record in _records(GateTable, path, run):
            level, stop_id = int(record["strategy_id"]) - _LEVEL_KEY, int(record["trip_gateway"])
            key = (level, int(record["instrument_id"]))
            if level >= 0 and stop_id > resumed.get(key, 0) and (key not in newest or stop_id > newest[key].stop_id):
                newest[key] = Stop(Level(level), key[1], stop_id, int(record["stage"]))
    return [newest[key] for key in sorted(newest)]


def _raise(newest: dict[tuple[int, str], int], instrument_id: int, source: str, trip_id: int) -> None:
    if trip_id > 0:
        newest[(instrument_id, source)] = max(newest.get((instrument_id, source), 0), trip_id)


def _records(table: type[LimitsTable | GateTable], path: Any, run: RunDirectory) -> NDArray[Any]:  # noqa: ANN401 - a path
    try:
        return table.open(path, domain=run.clock_domain).snapshot()
    except TableError:
        # An unreadable table cannot untrip anything: the other tables' latches are still in `newest`.
        return np.zeros(0, table._dtype)
