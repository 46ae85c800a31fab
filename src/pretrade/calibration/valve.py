# SPDX-License-Identifier: Apache-2.0
"""The one-way valve: limits tighten at once and loosen step by step, only on sound data and never under a trip."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade.calibration.rules import INTEGERS, looser, tighter
from pretrade.domain.config import DIRECTIONS, STANDOFF_OFF, UNLIMITED, UNLIMITED_U32, HysteresisConfig

_NS: Final = 1_000_000_000
# A record is rewritten at most so often for a loosening, whatever is configured.
_MOST_STEPS_PER_S: Final = 10.0
_NOT_RUNNING: Final = -1
# Between such a value and a number there is no halfway: the change waits for the last step.
_JUMPS: Final = np.array([UNLIMITED, UNLIMITED_U32, STANDOFF_OFF])


class Valve:
    """Limits in force and the loosening under way, one entry per instrument.

    Parameters
    ----------
    limit
        Limits to begin with, int64 ``(n,)`` by parameter.
    hysteresis
        How long a loosening takes, and how many steps a second it may have.
    """

    def __init__(self, limit: Mapping[str, NDArray[np.int64]], hysteresis: HysteresisConfig) -> None:
        n = len(limit[INTEGERS[0]])
        self.limit = {name: limit[name].copy() for name in INTEGERS}
        self._goal = {name: limit[name].copy() for name in INTEGERS}
        self._from = {name: limit[name].copy() for name in INTEGERS}
        rate = min(hysteresis.ramp_steps_per_s, _MOST_STEPS_PER_S)
        self._steps = max(1, int(hysteresis.ramp_s * rate))
        self._step_ns = max(math.ceil(hysteresis.ramp_s * _NS / self._steps), math.ceil(_NS / rate))
        self._step = np.full(n, _NOT_RUNNING, np.int64)
        self._next = np.zeros(n, np.int64)
        self._wanted = np.zeros(n, bool)

    def due(self, at: NDArray[np.int64], may: NDArray[np.bool_], now: int) -> NDArray[np.bool_]:
        """Instruments whose loosening begins, or has its next step, by now."""
        due: NDArray[np.bool_] = may & (((self._step[at] >= 0) & (now >= self._next[at])) | self._wanted[at])
        return due

    def is_idle(self, k: int) -> bool:
        """No loosening is under way or waiting."""
        return bool(self._step[k] == _NOT_RUNNING and not self._wanted[k])

    def stop(self, k: int) -> None:
        """End the loosening under way; the limit stays where it is."""
        self._step[k], self._wanted[k] = _NOT_RUNNING, False

    def move(self, k: NDArray[np.int64], target: Mapping[str, NDArray[np.int64]], may: NDArray[np.bool_], now: int) -> NDArray[np.bool_]:
        """Move the limits of instruments ``k`` towards ``target``.

        Parameters
        ----------
        k
            Positions, distinct.
        target
            Where each limit belongs, int64 like ``k``, by parameter.
        may
            False where nothing may loosen: unsound book, no score, a trip that nobody resumed.
        now
            Nanoseconds.

        Returns
        -------
        ndarray
            True where a limit moved.
        """
        further = np.zeros(len(k), bool)
        loosens = np.zeros(len(k), bool)
        for name in INTEGERS:
            further |= tighter(name, self._goal[name][k], target[name]) != target[name]
            loosens |= tighter(name, self.limit[name][k], target[name]) != target[name]
            self._goal[name][k] = target[name]
        running = self._step[k] >= 0
        begins = may & loosens & (further | ~running)
        self._begin(k[begins], now)
        # A goal that moved away while nothing may loosen: later from where the limit then stands, not half a way at once.
        self._step[k[further & ~may]] = _NOT_RUNNING
        steps = may & running & ~begins & (now >= self._next[k])
        self._step[k[steps]] += 1
        self._next[k[steps]] = now + self._step_ns
        moved = self._place(k, target, steps)
        self._step[k[self._step[k] >= self._steps]] = _NOT_RUNNING
        self._wanted[k] = loosens & (self._step[k] == _NOT_RUNNING) & ~steps
        return moved

    def _begin(self, k: NDArray[np.int64], now: int) -> None:
        self._step[k], self._next[k] = 0, now + self._step_ns
        for name in INTEGERS:
            self._from[name][k] = self.limit[name][k]

    def _place(self, k: NDArray[np.int64], target: Mapping[str, NDArray[np.int64]], steps: NDArray[np.bool_]) -> NDArray[np.bool_]:
        moved = np.zeros(len(k), bool)
        for name in INTEGERS:
            old = self.limit[name][k]
            new = tighter(name, old, target[name])
            if steps.any():
                new = np.where(steps, looser(name, new, tighter(name, self._partway(name, k, target[name]), target[name])), new)
            self.limit[name][k] = new
            moved |= new != old
        return moved

    def _partway(self, name: str, k: NDArray[np.int64], target: NDArray[np.int64]) -> NDArray[np.int64]:
        """Value so many steps of the way to the target, rounded to the tighter side; the start where the target is no looser."""
        begin, step = self._from[name][k], self._step[k]
        span = np.abs(target - begin)
        # Quotient and rest apart: the plain product leaves int64 above 9e16.
        part = span // self._steps * step + span % self._steps * step // self._steps
        between = begin + part if DIRECTIONS[name] < 0 else begin - part
        jump = np.isin(target, _JUMPS) | np.isin(begin, _JUMPS)
        value: NDArray[np.int64] = np.where(step >= self._steps, target, np.where(jump | (tighter(name, begin, target) == target), begin, between))
        return value

    def facts(self) -> dict[str, Any]:
        """Plain values for a checkpoint."""
        limits = {kind: {n: v.tolist() for n, v in columns.items()} for kind, columns in self._columns().items()}
        return {**limits, "step": self._step.tolist(), "next": self._next.tolist(), "wanted": self._wanted.tolist()}

    def take(self, facts: Mapping[str, Any]) -> None:
        """Go on from :meth:`facts`."""
        for kind, columns in self._columns().items():
            for name, values in columns.items():
                values[:] = facts[kind][name]
        self._step[:], self._next[:], self._wanted[:] = facts["step"], facts["next"], facts["wanted"]

    def _columns(self) -> dict[str, dict[str, NDArray[np.int64]]]:
        return {"limit": self.limit, "goal": self._goal, "from": self._from}
