# SPDX-License-Identifier: Apache-2.0
"""The market of an episode alone: what the family says happens, and nothing before the onset."""

from __future__ import annotations

import numpy as np
import pytest

from pretrade import features
from pretrade.domain import Action, Config
from pretrade.simulation import library
from pretrade.simulation.alone import episode_rows, orders_of
from pretrade.simulation.market import SELLER_START_NS, Simulator
from pretrade.simulation.scenario import Placed

S = 10**9
WARM_UP_S = 340


def test_evaporation_takes_depth_and_not_price(config: Config) -> None:
    rows = episode_rows("evaporation", 3, config, warm_up_s=WARM_UP_S)
    before, after = rows[rows.ts_recv <= SELLER_START_NS], rows[rows.ts_recv > SELLER_START_NS]
    depth = np.median(before.column("depth_bid"))
    assert np.nanmin(after.column("depth_bid")) < 0.35 * depth
    assert int(rows.ts_recv[0]) < SELLER_START_NS - 300 * S


def test_without_changes_it_is_the_market_of_the_seed(config: Config) -> None:
    rows = episode_rows("seller", 5, config, warm_up_s=WARM_UP_S)
    episode = library.find("seller").family.episode(5)
    begin, end = SELLER_START_NS - WARM_UP_S * S, SELLER_START_NS + int(episode.duration_s * S)
    engine = features.engine(config, (config.instrument("ES"),), with_quotes=False)
    simulator = Simulator(episode.market, 5, begin)
    parts = [engine.push(simulator.run_until(end)), engine.close(end)]
    assert rows.rows.tobytes() == features.Features.concat([p for p in parts if len(p)]).rows.tobytes()


def test_a_spoofer_is_seen_in_the_book_after_the_onset_only(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    with_orders = episode_rows("spoofing", 2, config, warm_up_s=WARM_UP_S)
    monkeypatch.setattr("pretrade.simulation.alone.Simulator.submit", lambda *_: None)
    without = episode_rows("spoofing", 2, config, warm_up_s=WARM_UP_S)
    cut = int(np.searchsorted(without.ts_recv, SELLER_START_NS))
    assert with_orders.rows[:cut].tobytes() == without.rows[:cut].tobytes()
    assert not np.array_equal(with_orders.column("depth_bid")[cut:], without.column("depth_bid")[cut:]) or not np.array_equal(
        with_orders.column("depth_ask")[cut:], without.column("depth_ask")[cut:]
    )


def test_orders_of_an_outsider_place_and_take_away() -> None:
    placed, gone = orders_of([Placed(4, 1, 19_000, 250), Placed(4, 1, 19_000, 0)], 77)
    assert (placed["client_order_id"], placed["quantity"], placed["action"], placed["ts_event"]) == (5, 250, Action.NEW, 77)
    assert (gone["original_client_order_id"], gone["action"]) == (5, Action.CANCEL)
    assert gone["client_order_id"] != placed["client_order_id"]
