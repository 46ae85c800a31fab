# SPDX-License-Identifier: Apache-2.0
"""What one family of scenarios is: a prior over episodes, and the right answer to them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from pretrade.domain.errors import SimulationError
from pretrade.simulation.market import MarketParameters

LONGEST_S: Final = 4 * 3600.0
_Option = TypeVar("_Option")

Slip = Callable[[NDArray[Any], float], tuple[NDArray[Any], str]]
"""Orders of one step (ORDER_DTYPE) and seconds since the onset in; the orders as they are sent, and what is wrong with them, out."""


class Book(Protocol):
    """What an outsider sees: seconds since the onset, and the touch in ticks."""

    @property
    def since_s(self) -> float:
        """Seconds since the onset."""
        ...

    @property
    def bid_tick(self) -> int:
        """Best bid, ticks."""
        ...

    @property
    def ask_tick(self) -> int:
        """Best ask, ticks."""
        ...


@dataclass(frozen=True, slots=True)
class Placed:
    """A resting order of an outsider: its own number, side (1 bid, 2 ask), tick and lots; no lots takes the order of that number away."""

    number: int
    side: int
    tick: int
    quantity: int


Outsider = Callable[[Book], Sequence[Placed]]
"""Somebody else in the market, looking twice a second; never seen by the firm or its gate except in the book."""


@dataclass(frozen=True, slots=True)
class FeedFault:
    """What happens to the feed between the venue and the firm.

    Parameters
    ----------
    kind
        ``gap``: what was sent is lost, and the venue says the book again at the end. ``silent``: nothing arrives until the end, then all of it.
        ``late``: everything arrives ``delay_s`` after it was sent.
    at_s, length_s
        When, seconds after the onset, and for how long.
    delay_s
        Of ``late``, above 0 and below ``length_s``.
    """

    kind: str
    at_s: float
    length_s: float
    delay_s: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in ("gap", "silent", "late"):
            raise SimulationError(f"feed fault is {self.kind!r}; known are gap, silent and late")
        if self.at_s < 0 or self.length_s <= 0 or (self.kind == "late" and not 0 < self.delay_s < self.length_s):
            raise SimulationError(f"feed fault {self.kind} at {self.at_s} s for {self.length_s} s, delay {self.delay_s} s, is none")


class Draws:
    """Numbers of one seed of one family; the same on every machine."""

    def __init__(self, family: int, seed: int) -> None:
        self._random = np.random.Generator(np.random.PCG64([family, seed]))

    def between(self, low: float, high: float) -> float:
        """Uniform."""
        return low + (high - low) * self._random.random()

    def log_between(self, low: float, high: float) -> float:
        """Uniform in the logarithm."""
        return math.exp(self.between(math.log(low), math.log(high)))

    def choose(self, *options: _Option) -> _Option:
        """One of several, equally likely."""
        return options[min(int(self._random.random() * len(options)), len(options) - 1)]


@dataclass(frozen=True, slots=True)
class Change:
    """From ``at_s`` after the onset on (before it where negative), other numbers of the market; ``jump_ticks`` moves the fundamental value."""

    at_s: float
    overrides: Mapping[str, Any] = field(default_factory=dict)
    jump_ticks: float = 0.0


@dataclass(frozen=True, slots=True)
class Episode:
    """One drawn scenario.

    Parameters
    ----------
    market
        Numbers of the market as it opens.
    duration_s
        How long it runs after the onset, seconds, up to four hours.
    changes
        What happens to the market, in time order.
    slip
        What goes wrong with the firm's own orders; ``None`` where nothing does.
    fault
        What goes wrong with the feed; ``None`` where nothing does.
    outsider
        Somebody else who places and takes orders away; ``None`` where nobody does.
    drawn
        The numbers drawn, for the reader.
    """

    market: MarketParameters
    duration_s: float
    changes: tuple[Change, ...] = ()
    slip: Slip | None = None
    fault: FeedFault | None = None
    outsider: Outsider | None = None
    drawn: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 < self.duration_s <= LONGEST_S:
            raise SimulationError(f"an episode of {self.duration_s} s was drawn; it must be above 0 and at most {LONGEST_S:g}")
        times = [c.at_s for c in self.changes]
        if times != sorted(times):
            raise SimulationError(f"changes of an episode are not in time order: {times}")


@dataclass(frozen=True, slots=True)
class Family:
    """A family of scenarios.

    Parameters
    ----------
    number
        Stable; names the family in results and seeds its draws.
    name
        One lower-case word.
    title
        What happens, in one line.
    answer
        What the right answer is, in one line.
    draw
        The prior: an episode of a seed's draws.
    story
        The episode at the story's own numbers, where there is one.
    """

    number: int
    name: str
    title: str
    answer: str
    draw: Callable[[Draws], Episode]
    story: Callable[[], Episode] | None = None

    def episode(self, seed: int, *, story: bool = False) -> Episode:
        """Episode of a seed, or the story's.

        Raises
        ------
        SimulationError
            If the seed is negative, or there is no story.
        """
        if seed < 0:
            raise SimulationError(f"seed is {seed}; it must not be negative")
        if not story:
            return self.draw(Draws(self.number, seed))
        if self.story is None:
            raise SimulationError(f"family {self.number} ({self.name}) has no story of its own")
        return self.story()


def ramp(names: Mapping[str, tuple[float, float]], start_s: float, length_s: float, *, steps: int = 20) -> tuple[Change, ...]:
    """Move numbers from a first to a last value in even steps of their logarithm.

    Parameters
    ----------
    names
        First and last value by parameter name, both above 0.
    start_s, length_s
        When it begins, seconds after the onset, and how long it takes.
    steps
        How many changes.

    Examples
    --------
    >>> [round(c.overrides["depth_scale"], 2) for c in ramp({"depth_scale": (1.0, 0.25)}, 0.0, 4.0, steps=2)]
    [0.5, 0.25]
    """
    return tuple(
        Change(start_s + length_s * n / steps, {name: first * (last / first) ** (n / steps) for name, (first, last) in names.items()})
        for n in range(1, steps + 1)
    )


def merged(*groups: tuple[Change, ...]) -> tuple[Change, ...]:
    """Several groups of changes in time order."""
    return tuple(sorted((c for group in groups for c in group), key=lambda c: c.at_s))


def changed(market: MarketParameters, change: Change) -> MarketParameters:
    """The market's numbers after a change."""
    return dataclasses.replace(market, overrides={**market.overrides, **change.overrides})
