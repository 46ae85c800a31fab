# SPDX-License-Identifier: Apache-2.0
"""Which rows are comparable: those of one instrument and one five minutes of the day, where history allows."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

BUCKET_NS: Final = 300 * 1_000_000_000
BUCKETS: Final = 288
ENOUGH_SESSIONS: Final = 5
ENOUGH_ROWS: Final = 500
_DAY_NS: Final = BUCKETS * BUCKET_NS


@dataclass(frozen=True, slots=True)
class Groups:
    """Group 0 pools everything; an instrument with enough rows has its own, and so has each of its buckets with five sessions.

    Parameters
    ----------
    instruments
        Instrument ids in rising order, shape ``(k,)``.
    table
        Group of each instrument and bucket (UTC), shape ``(k + 1, 288)``; the last line is for instruments never seen.
    parents
        Group above each group, one per group; 0 stands above all and itself.
    """

    instruments: NDArray[np.int64]
    table: NDArray[np.int64]
    parents: tuple[int, ...]

    @classmethod
    def fit(cls, ts_recv: NDArray[np.int64], instrument_id: NDArray[np.uint32]) -> Self:
        """Choose the groups that ``ts_recv`` and ``instrument_id``, both ``(n,)``, have history for."""
        order = np.argsort(instrument_id, kind="stable")
        instruments, starts = np.unique(instrument_id[order], return_index=True)
        table = np.zeros((len(instruments) + 1, BUCKETS), np.int64)
        parents = [0]
        for line, ts in enumerate(np.split(ts_recv[order], starts[1:])):
            own = 0
            if len(instruments) > 1 and len(ts) >= ENOUGH_ROWS:
                own = len(parents)
                parents.append(0)
                table[line] = own
            seen = np.unique(ts // BUCKET_NS)
            sessions = np.bincount(seen % BUCKETS, minlength=BUCKETS)
            for bucket in np.flatnonzero(sessions >= ENOUGH_SESSIONS):
                table[line, bucket] = len(parents)
                parents.append(own)
        return cls(instruments.astype(np.int64), table, tuple(parents))

    def __len__(self) -> int:
        return len(self.parents)

    def of(self, ts_recv: NDArray[np.int64], instrument_id: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Group of each row, shape ``(n,)``."""
        ids = instrument_id.astype(np.int64)
        line = np.minimum(np.searchsorted(self.instruments, ids), len(self.instruments) - 1)
        line = np.where(self.instruments[line] == ids, line, len(self.instruments))
        group: NDArray[np.int64] = self.table[line, ts_recv % _DAY_NS // BUCKET_NS]
        return group

    def members(self, ts_recv: NDArray[np.int64], instrument_id: NDArray[np.uint32]) -> list[NDArray[np.int64]]:
        """Places of the rows each group learns from: its own and those of the groups below it; group 0 learns from all."""
        mine = self.of(ts_recv, instrument_id)
        order = np.argsort(mine, kind="stable")
        cuts = np.searchsorted(mine[order], np.arange(len(self) + 1))
        own = [order[a:b] for a, b in itertools.pairwise(cuts.tolist())]
        family = [[rows] for rows in own]
        for group, parent in enumerate(self.parents):
            if parent:
                family[parent].append(own[group])
        return [np.arange(len(mine)), *(np.sort(np.concatenate(rows)) for rows in family[1:])]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"instruments": self.instruments.tolist(), "table": self.table.tolist(), "parents": list(self.parents)}

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> Self:
        """Rebuild."""
        return cls(np.array(facts["instruments"], np.int64), np.array(facts["table"], np.int64), tuple(facts["parents"]))
