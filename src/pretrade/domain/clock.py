# SPDX-License-Identifier: Apache-2.0
"""Clocks are passed in: wall, shifted for a paced simulation, or read from records."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """Two readings; ages come only from ``mono``."""

    def utc(self) -> int:
        """Nanoseconds UTC since 1970."""
        ...

    def mono(self) -> int:
        """Nanoseconds on the monotonic clock of this host and boot, or of the run."""
        ...


@dataclass(frozen=True, slots=True)
class WallClock:
    """The machine's clocks; ``offset_ns`` moves UTC to the day of a paced simulation."""

    offset_ns: int = 0

    def utc(self) -> int:
        """Shifted wall time, nanoseconds UTC."""
        return time.time_ns() + self.offset_ns

    def mono(self) -> int:
        """Monotonic nanoseconds of this boot."""
        return time.monotonic_ns()


@dataclass(slots=True)
class RecordClock:
    """A clock that stands where the last record put it; both readings are the record's time."""

    now: int = 0

    def utc(self) -> int:
        """Time of the last record."""
        return self.now

    def mono(self) -> int:
        """Time of the last record."""
        return self.now
