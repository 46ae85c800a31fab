# SPDX-License-Identifier: Apache-2.0
"""What the benchmark of the simulated exchange counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pretrade.bus import Journal
from pretrade.cli.venue_measures import book_events
from pretrade.domain import EVENT_DTYPE, EventKind


def test_book_events_are_adds_cancels_modifies_and_trades_read_back_from_the_log(tmp_path: Path) -> None:
    counts = {
        EventKind.ADD: 5,
        EventKind.CANCEL: 4,
        EventKind.MODIFY: 3,
        EventKind.TRADE: 2,
        EventKind.EXECUTE: 9,
        EventKind.STATUS: 1,
        EventKind.HEARTBEAT: 1,
    }
    events = np.zeros(sum(counts.values()), EVENT_DTYPE)
    events["kind"] = np.repeat(list(counts), list(counts.values()))
    events["ts_recv"] = np.arange(len(events))
    with Journal(tmp_path / "log") as log:
        log.append(events)
        log.append(events)
    assert book_events(tmp_path / "log") == 2 * (5 + 4 + 3 + 2)
