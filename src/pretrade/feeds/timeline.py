# SPDX-License-Identifier: Apache-2.0
"""Events over time in a bounded number of cells, whatever the length of the recording."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_SECOND: Final = 1_000_000_000
CELLS: Final = 1_024
_NOTHING: Final = np.iinfo(np.int64)


class Timeline:
    """Counts, gaps and lags per cell; cells double in width when the recording outgrows them."""

    def __init__(self) -> None:
        self.width_ns = _SECOND // 10
        self.origin: int | None = None
        self.events = np.zeros(CELLS, np.int64)
        self.gaps = np.zeros(CELLS, np.int64)
        self.lag_min = np.full(CELLS, _NOTHING.max)
        self.lag_max = np.full(CELLS, _NOTHING.min)

    def add(self, ts: NDArray[np.int64], lag: NDArray[np.int64], has_lag: NDArray[np.bool_], is_gap: NDArray[np.bool_]) -> None:
        """Take events.

        Parameters
        ----------
        ts
            Receive stamps, ns UTC, ``(n,)``, none before the first of all.
        lag
            Receive minus event stamp, ns, ``(n,)``.
        has_lag
            Where that says something.
        is_gap
            Where messages are missing before the event.
        """
        if self.origin is None:
            self.origin = int(ts[0])
        while int(ts.max()) - self.origin >= CELLS * self.width_ns:
            self._double()
        cell = np.maximum((ts - self.origin) // self.width_ns, 0)
        self.events += np.bincount(cell, minlength=CELLS)
        self.gaps += np.bincount(cell[is_gap], minlength=CELLS)
        np.minimum.at(self.lag_min, cell[has_lag], lag[has_lag])
        np.maximum.at(self.lag_max, cell[has_lag], lag[has_lag])

    def _double(self) -> None:
        half = CELLS // 2

        def folded(cells: NDArray[np.int64], by: Any, empty: int) -> NDArray[np.int64]:  # noqa: ANN401 - a ufunc
            out = np.full(CELLS, empty)
            out[:half] = by(cells[::2], cells[1::2])
            return out

        self.events = folded(self.events, np.add, 0)
        self.gaps = folded(self.gaps, np.add, 0)
        self.lag_min = folded(self.lag_min, np.minimum, _NOTHING.max)
        self.lag_max = folded(self.lag_max, np.maximum, _NOTHING.min)
        self.width_ns *= 2

    def as_dict(self) -> dict[str, Any]:
        """Plain values; a lag is ``None`` where a cell has none."""
        filled = np.flatnonzero(self.events)
        n = int(filled[-1]) + 1 if len(filled) else 0

        def ms(cells: NDArray[np.int64]) -> list[float | None]:
            return [
                None if low > high else value / 1e6 for value, low, high in zip(cells[:n].tolist(), self.lag_min[:n], self.lag_max[:n], strict=True)
            ]

        facts = {"events": self.events[:n].tolist(), "gaps": self.gaps[:n].tolist()}
        return {"ts_start": self.origin, "width_ns": self.width_ns, **facts, "lag_min_ms": ms(self.lag_min), "lag_max_ms": ms(self.lag_max)}


class Busiest:
    """The step of a fixed width with the most events.

    Parameters
    ----------
    width_ns
        Of a step.
    """

    def __init__(self, width_ns: int) -> None:
        self.width_ns = width_ns
        self.count = self.ts = 0
        self._open: tuple[int, int] = (-1, 0)

    def add(self, ts: NDArray[np.int64]) -> None:
        """Take receive stamps in rising order."""
        steps, counts = np.unique(ts // self.width_ns, return_counts=True)
        if steps[0] == self._open[0]:
            counts[0] += self._open[1]
        at = int(counts.argmax())
        if counts[at] > self.count:
            self.count, self.ts = int(counts[at]), int(steps[at]) * self.width_ns
        self._open = (int(steps[-1]), int(counts[-1]))
