# SPDX-License-Identifier: Apache-2.0
"""The capture process: feed in, market journal and ``quotes`` table out, so that prices outlive the model process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from numpy.typing import NDArray

from pretrade import features
from pretrade.bus import Journal
from pretrade.bus.tcp import RecordSocket
from pretrade.domain import Config, Instrument
from pretrade.domain.clock import Clock
from pretrade.limits import QuotesTable

CHANNEL: Final = 0


class Capture:
    """Journals what arrives, then keeps the ``quotes`` table.

    Parameters
    ----------
    journal
        Market journal; an event is written there before anything is computed from it.
    quotes
        Table this process alone writes.
    """

    def __init__(self, config: Config, instruments: tuple[Instrument, ...], journal: Journal, quotes: QuotesTable, clock: Clock) -> None:
        self._engine = features.engine(config, instruments)
        self._journal = journal
        self._quotes = quotes
        self._clock = clock
        # 0 is never: what an earlier life received is not ours to call fresh.
        self._mono_data = 0
        self.events = 0

    def on_events(self, events: NDArray[Any]) -> None:
        """Journal events and publish the touches they lead to."""
        now = self._clock.mono()
        if len(events):
            self._journal.append(events)
            self._engine.push(events)
            self._mono_data = now
            self.events += len(events)
            records = self._engine.quotes().copy()
            records["channel"] = CHANNEL
            records["mono_book"] = now
            self._quotes.publish(records)
        self._quotes.heartbeat(CHANNEL, now, self._mono_data)

    def run(self, feed: RecordSocket, is_stopped: Callable[[], bool], *, wait_s: float = 0.002) -> None:
        """Capture until the feed ends or the process is told to stop."""
        while not is_stopped() and not feed.is_closed:
            self.on_events(feed.receive(wait_s))
        self._journal.commit()
