# SPDX-License-Identifier: Apache-2.0
"""Bringing what the journal says into the ``controls`` table, without undoing what stands there and is not recorded yet."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Final

import numpy as np

from pretrade.limits.layouts import CONTROLS_DTYPE
from pretrade.limits.state import DIRECTIONS, Row, State, Values, is_looser

# Row flag, as in crates/shm/src/controls.rs: some static limit is tighter than the journal knows.
UNRECORDED: Final = 8


class Publication:
    """The one place that writes rows of the table; call it under the lock of ``controls``, the state being that of the journal.

    Notes
    -----
    A row's ``generation`` counts the journal entries it accounts for. One with the flag UNRECORDED was tightened when the
    journal had so many entries: only a loosening by two persons recorded from there on may take the tightening back.
    """

    def __init__(self, native: Any, annex: Path) -> None:  # noqa: ANN401 - native class
        self._native = native
        self._annex = annex

    def publish(self, state: State) -> None:
        """Bring changed rows into the table, tightest first where words are concerned."""
        if not state.changed:
            return
        # The file first: a gate that sees the firm's row finds what it names.
        state.annex.write(self._annex)
        for key in sorted(state.changed):
            row = state.rows.get(key)
            if row is not None:
                self._publish_row(row)
        self._native.raise_kill_count(state.last_kill)
        if state.firm_kill and int(self._native.kill_word) == 0:
            self._native.raise_kill(state.firm_kill)
        state.changed.clear()
        self._native.bump_generation()

    def in_force(self, row: Row) -> Values:
        """Static limits of a row with the tightenings that stand unrecorded."""
        return {**row.static, **self._unrecorded(row, self._found(row))}

    def tighten(self, row: Row, values: Values, entries: int) -> None:
        """Put tighter static limits into the table ahead of the journal, which has ``entries`` entries now."""
        ahead = dataclasses.replace(row, static={**self.in_force(row), **values}, version=row.version + 1)
        self._write(ahead, entries, UNRECORDED)
        self._native.bump_generation()

    def _publish_row(self, row: Row) -> None:
        found = self._found(row)
        # A row written by a later action (of another process) is never put back.
        if found is not None and found["generation"] > row.seq + 1:
            return
        kept = self._unrecorded(row, found)
        self._write(dataclasses.replace(row, static={**row.static, **kept}), row.seq + 1, UNRECORDED if kept else 0)
        if row.trip:
            self._native.raise_trip(row.row_id, int(row.level), row.trip)
        kill, _, reduce_only = self._native.state(row.row_id, int(row.level))
        if row.kill and not kill:
            self._native.raise_row_kill(row.row_id, int(row.level), row.kill)
        if row.is_reduce_only and not reduce_only:
            self._native.set_reduce_only(row.row_id, int(row.level), 1)

    def _write(self, row: Row, generation: int, flag: int) -> None:
        record = row.record()
        record["generation"], record["flags"] = generation, int(record["flags"]) | flag
        self._native.publish(np.atleast_1d(record).view(np.uint8).reshape(-1))

    def _found(self, row: Row) -> np.void | None:
        """The row in the table; ``None`` where it is absent or unreadable."""
        key = (row.row_id, int(row.level))
        raw = None if key in self._native.broken() else self._native.read(*key)
        if raw is None:
            return None
        record: np.void = np.frombuffer(raw, CONTROLS_DTYPE)[0]
        return record

    @staticmethod
    def _unrecorded(row: Row, found: np.void | None) -> Values:
        if found is None or not int(found["flags"]) & UNRECORDED:
            return {}
        old, new = found["static_limits"], row.record()["static_limits"]
        shared = int(old["valid_mask"]) & int(new["valid_mask"])
        # Both in the table's own number types: a rounded float is no tightening.
        return {
            name: old[name].item()
            for bit, name in enumerate(DIRECTIONS)
            if shared >> bit & 1 and is_looser(name, new[name].item(), old[name].item()) and row.loosened.get(name, -1) < found["generation"]
        }
