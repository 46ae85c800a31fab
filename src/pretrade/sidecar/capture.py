# SPDX-License-Identifier: Apache-2.0
"""The capture process: feed in, market journal and ``quotes`` table out, so that prices outlive the model process."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade import features
from pretrade.bus import Journal, JournalReader, Position
from pretrade.bus.tcp import RecordSocket
from pretrade.domain import EVENT_DTYPE, Config, EventFlag, EventKind, Instrument
from pretrade.domain.clock import Clock
from pretrade.domain.errors import JournalError
from pretrade.limits import QuotesTable
from pretrade.sidecar.snapshots import KEPT, SnapshotPositions

CHANNEL: Final = 0
SNAPSHOT_EVERY_NS: Final = 60_000_000_000


class Capture:
    """Journals what arrives, then keeps the ``quotes`` table.

    Parameters
    ----------
    journal
        Market journal; an event is written there before anything is computed from it.
    quotes
        Table this process alone writes.
    snapshots
        Where the positions of book snapshots are kept; ``None`` writes none and starts with empty books.
    say
        Called with one line when a start is not the usual one or positions cannot be saved.

    Notes
    -----
    Every ``SNAPSHOT_EVERY_NS`` each book is said again in the journal, for a reader that starts there. A restart builds its books
    from there on. What the feed sent while nobody listened is missing: each instrument's next record in the journal says so, its
    prices are shown but fresh to nobody, and its book is unsound until the feed sends it anew.
    """

    def __init__(
        self,
        config: Config,
        instruments: tuple[Instrument, ...],
        journal: Journal,
        quotes: QuotesTable,
        clock: Clock,
        *,
        snapshots: SnapshotPositions | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._engine = features.engine(config, instruments)
        self._journal = journal
        self._quotes = quotes
        self._clock = clock
        # 0 is never: what an earlier life received is not ours to call fresh.
        self._mono_data = 0
        self.events = 0
        self._snapshots = snapshots
        self._say = say
        self._positions: tuple[Position, ...] = ()
        self._saver = ThreadPoolExecutor(1)
        self._saving: Future[None] | None = None
        self._mono_snapshot = clock.mono()
        if snapshots is not None and journal.end.next_seq > 0:
            self._restore(snapshots, instruments)

    def on_events(self, events: NDArray[Any]) -> None:
        """Journal events and publish the touches they lead to."""
        now = self._clock.mono()
        if len(events):
            self._journal.append(events)
            self._engine.push(events)
            self._mono_data = now
            self.events += len(events)
            self._publish(now)
        self._quotes.heartbeat(CHANNEL, now, self._mono_data)
        self._snapshot(now)

    def _publish(self, mono_book: int) -> None:
        records = self._engine.quotes().copy()
        records["channel"] = CHANNEL
        records["mono_book"] = mono_book
        self._quotes.publish(records)

    def _snapshot(self, now: int) -> None:
        """Say every book again once a minute; inside a snapshot of the venue, a little later."""
        if self._snapshots is None or self.events == 0 or now - self._mono_snapshot < SNAPSHOT_EVERY_NS:
            return
        said = self._engine.recap()
        if said is None or (self._saving is not None and not self._saving.done()):
            return
        self._mono_snapshot = now
        self._positions = (*self._positions, self._journal.end)[-KEPT:]
        self._journal.append(said)
        # The positions are synced on a thread of their own: no price waits for a disk.
        self._saving = self._saver.submit(self._save, self._snapshots, self._positions)

    def _save(self, snapshots: SnapshotPositions, positions: tuple[Position, ...]) -> None:
        try:
            snapshots.save(positions)
        except JournalError as e:
            self._say(str(e))

    def _restore(self, snapshots: SnapshotPositions, instruments: tuple[Instrument, ...]) -> None:
        """Books of the journal's end; then say in the journal that what came meanwhile is missing."""
        try:
            self._positions = snapshots.load()
        except JournalError as e:
            self._say(str(e))
        start = self._positions[0] if self._positions else None
        if start is None:
            self._say(f"no book snapshot in {self._journal.path} is known; reading it from its beginning")
        reader, last = JournalReader(self._journal.path, start), 0
        while len(events := reader.read()):
            self._engine.push(events)
            last = int(events["ts_recv"][-1])
        missing = np.zeros(len(instruments), EVENT_DTYPE)
        missing["kind"], missing["flags"] = EventKind.HEARTBEAT, EventFlag.GAP | EventFlag.LAST
        missing["instrument_id"] = [i.instrument_id for i in instruments]
        missing["ts_recv"] = missing["ts_event"] = last
        self._journal.append(missing)
        self._engine.push(missing)
        self._publish(0)

    def run(self, feed: RecordSocket, is_stopped: Callable[[], bool], *, wait_s: float = 0.002) -> None:
        """Capture until the feed ends or the process is told to stop."""
        while not is_stopped() and not feed.is_closed:
            self.on_events(feed.receive(wait_s))
        self._journal.commit()
        self.close()

    def close(self) -> None:
        """Finish what is on its way to the disk."""
        self._saver.shutdown(wait=True)
