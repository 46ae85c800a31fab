# SPDX-License-Identifier: Apache-2.0
"""Walk-forward folds: fit, gap, calibrate, gap, test one next segment; the next fold adds that segment and fits again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade.domain.errors import ValidationError

ENOUGH_FOLDS: Final = 5
_Times = NDArray[np.int64]
_Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Block:
    """Time from ``start_ns`` up to and without ``end_ns``."""

    start_ns: int
    end_ns: int

    def __post_init__(self) -> None:
        if self.end_ns <= self.start_ns:
            raise ValidationError(f"a block ends at {self.end_ns} ns, not after its start {self.start_ns} ns")

    def holds(self, ts: _Times) -> _Mask:
        """Whether each instant lies inside."""
        inside: _Mask = (ts >= self.start_ns) & (ts < self.end_ns)
        return inside


@dataclass(frozen=True, slots=True)
class Fold:
    """One step of the walk."""

    number: int
    fit: Block
    calibrate: Block
    test: Block

    def __post_init__(self) -> None:
        if not self.fit.end_ns <= self.calibrate.start_ns or not self.calibrate.end_ns <= self.test.start_ns:
            raise ValidationError(f"fold {self.number} does not go forward in time: fit, calibrate and test must follow each other")

    def rows(self, ts_recv: _Times, label_end: _Times, *, embargo_ns: int = 0) -> tuple[_Mask, _Mask, _Mask]:
        """Rows to fit, to calibrate and to test on.

        Parameters
        ----------
        ts_recv, label_end
            When each row was known and when its label was, shape ``(n,)``.
        embargo_ns
            Least gap between blocks: the longest feature window, label horizon or ten autocorrelation times.

        Returns
        -------
        tuple of ndarray
            Three masks ``(n,)``. A row whose label is known only at or after the start of a later block is purged.

        Raises
        ------
        ValidationError
            If a gap is shorter than the embargo, or a label is known before its row.
        """
        if (label_end < ts_recv).any():
            raise ValidationError(f"{int((label_end < ts_recv).sum())} labels are known before their rows")
        for earlier, later, name in ((self.fit, self.calibrate, "fit and calibrate"), (self.calibrate, self.test, "calibrate and test")):
            if later.start_ns - earlier.end_ns < embargo_ns:
                gap = later.start_ns - earlier.end_ns
                raise ValidationError(f"fold {self.number} has {gap} ns between {name}; the embargo is {embargo_ns} ns")
        fit = self.fit.holds(ts_recv) & (label_end < self.calibrate.start_ns)
        calibrate = self.calibrate.holds(ts_recv) & (label_end < self.test.start_ns)
        return fit, calibrate, self.test.holds(ts_recv)

    def as_dict(self) -> dict[str, Any]:
        """For a fold table."""
        blocks = {name: getattr(self, name) for name in ("fit", "calibrate", "test")}
        return {"fold": self.number, **{f"{name}_{edge}": getattr(b, edge) for name, b in blocks.items() for edge in ("start_ns", "end_ns")}}


def walk_forward(sessions: Sequence[Block], *, fit: int, calibrate: int = 1, test: int = 1, gap: int = 1) -> list[Fold]:
    """Folds over whole sessions.

    Parameters
    ----------
    sessions
        In order, without overlap.
    fit
        Sessions of the first fit; each further fold fits on ``test`` more.
    calibrate, test
        Sessions of these blocks.
    gap
        Sessions left out before calibrate and before test.

    Raises
    ------
    ValidationError
        If sessions overlap, or are too few for one fold. Fewer than :data:`ENOUGH_FOLDS` folds are given, and must be said.

    Examples
    --------
    >>> days = [Block(10 * d, 10 * d + 8) for d in range(7)]
    >>> [(f.fit.end_ns, f.calibrate.start_ns, f.test.start_ns) for f in walk_forward(days, fit=2)]
    [(18, 30, 50), (28, 40, 60)]
    """
    if any(a.end_ns > b.start_ns for a, b in pairwise(sessions)):
        raise ValidationError("sessions overlap or are out of order")
    if min(fit, calibrate, test) < 1 or gap < 0:
        raise ValidationError(f"fit {fit}, calibrate {calibrate}, test {test} and gap {gap} sessions; the first three must be at least 1")

    def joined(first: int, count: int) -> Block:
        return Block(sessions[first].start_ns, sessions[first + count - 1].end_ns)

    folds: list[Fold] = []
    until = fit
    while until + gap + calibrate + gap + test <= len(sessions):
        middle = until + gap
        last = middle + calibrate + gap
        folds.append(Fold(len(folds), joined(0, until), joined(middle, calibrate), joined(last, test)))
        until += test
    if not folds:
        raise ValidationError(f"{len(sessions)} sessions; one fold needs {fit + calibrate + test + 2 * gap}")
    return folds
