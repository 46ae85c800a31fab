# SPDX-License-Identifier: Apache-2.0
"""What arrives of what a venue sent, under each fault of the feed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pretrade import features
from pretrade.domain import Config, FeedState
from pretrade.domain.errors import SimulationError
from pretrade.simulation import MarketParameters, Simulator
from pretrade.simulation.feed import FaultyFeed
from pretrade.simulation.market import FEED_LATENCY_NS, SELLER_START_NS
from pretrade.simulation.scenario import FeedFault

S = 1_000_000_000


def passed(fault: FeedFault, *, until_s: float = 12.0) -> Iterator[tuple[int, NDArray[Any], NDArray[Any], FaultyFeed]]:
    """Half seconds of a simulated market: when, what was sent, what arrived."""
    simulator = Simulator(MarketParameters(), 3, SELLER_START_NS - 2 * S)
    feed = FaultyFeed(fault, Config.load())
    for step in range(int((until_s + 2) * 2)):
        now = SELLER_START_NS - 2 * S + (step + 1) * S // 2
        sent = simulator.run_until(now)
        feed.venue.push(sent)
        yield now, sent, feed.pass_on(sent, now), feed


@pytest.mark.parametrize("kind", ["silent", "late"])
def test_nothing_is_lost_nothing_overtakes_and_nothing_arrives_early(kind: str) -> None:
    sent, arrived = [], []
    for now, out, here, _ in passed(FeedFault(kind, 2.0, 4.0, 1.5 if kind == "late" else 0.0)):
        if kind == "silent" and 2.0 <= (now - SELLER_START_NS) / S < 6.0:
            assert len(here) == 0
        assert np.all(here["ts_recv"] <= now + FEED_LATENCY_NS)
        sent.append(out)
        arrived.append(here)
    all_sent, all_arrived = np.concatenate(sent), np.concatenate(arrived)
    assert len(all_arrived) == len(all_sent)
    assert np.all(np.diff(all_arrived["ts_recv"].astype(np.int64)) >= 0)
    late = all_arrived["ts_recv"].astype(np.int64) - all_sent["ts_recv"].astype(np.int64)
    assert late.min() == 0
    assert late.max() > (3 if kind == "silent" else 1) * S
    for name in ("ts_event", "order_id", "price", "size", "kind", "side", "flags"):
        assert np.array_equal(all_arrived[name], all_sent[name])


def test_after_a_gap_the_book_is_said_again_and_no_row_in_between_is_sound() -> None:
    config = Config.load()
    ours = features.engine(config, (config.instrument("ES"),))
    states: list[tuple[float, int]] = []
    lost = 0
    for now, out, here, feed in passed(FeedFault("gap", 2.0, 3.0)):
        lost += len(out) - len(here) if (now - SELLER_START_NS) / S in (2.5, 3.0, 3.5, 4.0, 4.5) else 0
        rows = features.Features.concat([ours.push(here), ours.close(now)])
        states += [((ts - SELLER_START_NS) / S, state) for ts, state in zip(rows.ts_recv.tolist(), rows.feed_state.tolist(), strict=True)]
        last = feed
    assert lost > 100
    assert ours.faults()["unknown_order"] == 0
    for side in (1, 2):
        assert np.array_equal(ours.book(1)[side], last.venue.book(1)[side])
    unsound = int(FeedState.GAP | FeedState.RESYNC | FeedState.STALE)
    assert all(state & unsound == 0 for at, state in states if at > 7)


@pytest.mark.parametrize("of", [("other", 1.0, 1.0, 0.0), ("gap", -1.0, 1.0, 0.0), ("late", 1.0, 1.0, 1.0), ("silent", 1.0, 0.0, 0.0)])
def test_a_fault_that_is_none_is_refused(of: tuple[str, float, float, float]) -> None:
    with pytest.raises(SimulationError, match="feed fault"):
        FeedFault(*of)
