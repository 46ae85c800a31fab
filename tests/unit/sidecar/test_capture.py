# SPDX-License-Identifier: Apache-2.0
"""Capture stamps what it received: a restart makes nothing fresh that it has not heard."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pretrade.bus import Journal
from pretrade.domain import EVENT_DTYPE, Config, EventKind
from pretrade.domain.clock import RecordClock
from pretrade.limits import QuotesTable, RunDirectory, clock_domain
from pretrade.sidecar.capture import CHANNEL, Capture

S = 1_000_000_000


def test_a_restarted_capture_has_received_nothing_until_a_message_comes(tmp_path: Path, config: Config) -> None:
    run = RunDirectory(tmp_path / "run", domain=clock_domain(1)).create()
    quotes = QuotesTable.create(run, [1])
    with Journal(run.market_journal) as journal:
        quotes.heartbeat(CHANNEL, 700 * S, 700 * S)
        clock = RecordClock(1_000 * S)
        capture = Capture(config, config.instruments[:1], journal, quotes, clock)
        capture.on_events(np.empty(0, EVENT_DTYPE))
        assert quotes.channel(CHANNEL) == (1_000 * S, 0), "0 is never: prices of an earlier life are 300 s old"
        clock.now += S
        beat = np.zeros(1, EVENT_DTYPE)
        beat["kind"], beat["instrument_id"], beat["ts_recv"] = EventKind.HEARTBEAT, 1, 10**18
        capture.on_events(beat)
        assert quotes.channel(CHANNEL) == (1_001 * S, 1_001 * S)
        clock.now += S
        capture.on_events(np.empty(0, EVENT_DTYPE))
        assert quotes.channel(CHANNEL) == (1_002 * S, 1_001 * S)
