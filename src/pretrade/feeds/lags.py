# SPDX-License-Identifier: Apache-2.0
"""Receive lags of a recording: how they are spread, which are negative, and where the clock jumped."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_SECOND: Final = 1_000_000_000
_PER_DECADE: Final = 100
_TOLD_TOGETHER: Final = 5
_EDGES_UP: Final = np.array([round(10 ** (3 + k / _PER_DECADE)) for k in range(9 * _PER_DECADE + 1)], np.int64)
EDGES: Final = np.concatenate([-_EDGES_UP[::-1], [0, 1], _EDGES_UP])
"""From -1,000 s to 1,000 s in steps of 2.3 %, below a microsecond in one; the cell from 0 to 1 holds lags of exactly 0."""
JUMP_NS: Final = 100_000_000
JUMP_MESSAGES: Final = 3
_TOLD: Final = 100


class Lags:
    """Lags of messages as they go by.

    Notes
    -----
    A jump is a second whose smallest lag differs by more than ``JUMP_NS`` from that of the second before it, both with at least
    ``JUMP_MESSAGES`` messages: queues make single messages late, a clock that is set moves all of them.
    """

    def __init__(self) -> None:
        self.messages = self.negative = self.jumps = 0
        self.total = 0
        self.least, self.most = 0, 0
        self.first_jumps: list[dict[str, float]] = []
        self._cells = np.zeros(len(EDGES) + 1, np.int64)
        self._open: tuple[int, int, int] | None = None
        self._before: int | None = None

    def add(self, ts: NDArray[np.int64], lag: NDArray[np.int64]) -> None:
        """Take messages in the order of receipt: receive stamps and lags, ns, ``(n,)`` each."""
        if not len(ts):
            return
        low, high = int(lag.min()), int(lag.max())
        self.least = low if self.messages == 0 else min(self.least, low)
        self.most = high if self.messages == 0 else max(self.most, high)
        self.messages += len(ts)
        self.negative += int((lag < 0).sum())
        self.total += int(lag.sum())
        self._cells += np.bincount(np.searchsorted(EDGES, lag, side="right"), minlength=len(self._cells))
        self._seconds(ts // _SECOND, lag)

    def _seconds(self, second: NDArray[np.int64], lag: NDArray[np.int64]) -> None:
        starts = np.flatnonzero(np.r_[True, np.diff(second) != 0])
        least = np.minimum.reduceat(lag, starts)
        counts = np.diff(np.r_[starts, len(second)])
        for at, low, n in zip(second[starts].tolist(), least.tolist(), counts.tolist(), strict=True):
            if self._open is not None and self._open[0] == at:
                self._open = (at, min(self._open[1], low), self._open[2] + n)
            else:
                self._close()
                self._open = (at, low, n)

    def _close(self) -> None:
        if self._open is None or self._open[2] < JUMP_MESSAGES:
            return
        at, low, _ = self._open
        if self._before is not None and abs(low - self._before) > JUMP_NS:
            self.jumps += 1
            if len(self.first_jumps) < _TOLD:
                self.first_jumps.append({"ts_recv": at * _SECOND, "from_ms": self._before / 1e6, "to_ms": low / 1e6})
        self._before = low

    def quantile(self, share: float) -> float | None:
        """The quantile to within its cell, 2.3 % wide, ns; ``None`` without messages."""
        if not self.messages:
            return None
        upto = np.cumsum(self._cells)
        at = min(int(np.searchsorted(upto, share * self.messages)), len(EDGES))
        low, high = EDGES[max(at - 1, 0)], EDGES[min(at, len(EDGES) - 1)]
        if (low, high) == (0, 1):
            return 0.0
        part = (share * self.messages - (upto[at] - self._cells[at])) / self._cells[at]
        return float(np.clip(low + part * (high - low), self.least, self.most))

    def as_dict(self) -> dict[str, Any]:
        """Plain values; lags in ms, ``None`` where no message has one."""
        self._close()
        self._open = None

        def ms(ns: float | None) -> float | None:
            return None if ns is None or not self.messages else ns / 1e6

        return {
            "messages": self.messages,
            "negative": self.negative,
            "min_ms": ms(self.least),
            "mean_ms": self.total / self.messages / 1e6 if self.messages else None,
            "p01_ms": ms(self.quantile(0.01)),
            "p50_ms": ms(self.quantile(0.50)),
            "p99_ms": ms(self.quantile(0.99)),
            "max_ms": ms(self.most),
            "has_one_stamp": self.messages > 0 and self.least == self.most == 0,
            "jumps": self.jumps,
            "first_jumps": self.first_jumps,
            "histogram": self._told(),
        }

    def _told(self) -> list[dict[str, float | None]]:
        """Cells that hold something, several fine ones as one; the cell of exactly 0 alone."""
        zero = int(np.searchsorted(EDGES, 0))
        inner = [*range(zero % _TOLD_TOGETHER, zero, _TOLD_TOGETHER), zero, *range(zero + 1, len(EDGES), _TOLD_TOGETHER)]
        starts = np.array([-1, *inner])
        sums = np.add.reduceat(self._cells, starts + 1)
        bounds = [None, *(EDGES[inner] / 1e6).tolist(), None]
        return [{"from_ms": bounds[i], "to_ms": bounds[i + 1], "messages": int(n)} for i, n in enumerate(sums) if n]
