# SPDX-License-Identifier: Apache-2.0
"""A split of a market that never closes: named it is no move, unnamed it is a crash that limits answer to."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray

from pretrade import calibration, features, models, simulation
from pretrade.domain import EVENT_DTYPE, Config, EventFlag, EventKind, ReferenceKind, Tier
from pretrade.simulation.market import SELLER_START_NS

S: Final = 1_000_000_000
WARM_UP_S: Final = 1_500
AT: Final = SELLER_START_NS - 400 * S
FIT_UNTIL: Final = SELLER_START_NS - 700 * S


@pytest.fixture(scope="module")
def calm() -> NDArray[Any]:
    """Twenty-five minutes of a calm market."""
    day = simulation.flash_crash(seed=11, warm_up_s=WARM_UP_S, story_s=10)
    return day.events[day.events["ts_recv"] < SELLER_START_NS]


def _split(events: NDArray[Any], config: Config, *, is_named: bool) -> NDArray[Any]:
    """Two for one at ``AT``: prices are halved and sizes doubled from there on, and the venue says its whole book anew."""
    before, after = events[events["ts_recv"] < AT], events[events["ts_recv"] >= AT].copy()
    engine = features.engine(config, (config.instrument("ES"),))
    engine.push(before)
    said = engine.recap()
    assert said is not None
    book = said.copy()
    book["ts_event"] = book["ts_recv"] = AT - 1
    book["flags"] &= ~np.uint16(EventFlag.RECAP)
    book[["order_id", "aux"]][0] = (0, 0)
    for part in (book, after):
        priced = part["kind"] != EventKind.CLEAR
        part["price"][priced] //= 2
        part["size"] *= 2
    split = np.zeros(1, EVENT_DTYPE)
    split["ts_event"] = split["ts_recv"] = AT - 2
    split["instrument_id"], split["kind"] = 1, EventKind.REFERENCE
    split["aux"], split["price"] = ReferenceKind.SPLIT, 2 * S
    return np.concatenate([before, *([split] if is_named else []), book, after])


def _told(config: Config, events: NDArray[Any]) -> tuple[features.Features, calibration.Limits, dict[str, int]]:
    engine = features.engine(config, (config.instrument("ES"),))
    rows = features.collect([events], engine)
    model = models.PcaAnomaly(config).fit(rows[rows.ts_recv < FIT_UNTIL].calm())
    return rows, calibration.calibrate(model.score(rows[rows.ts_recv >= FIT_UNTIL]), config), engine.faults()


def test_a_named_split_is_no_move_no_alarm_and_no_tighter_limit(config: Config, calm: NDArray[Any]) -> None:
    plain, _, _ = _told(config, calm)
    rows, limits, faults = _told(config, _split(calm, config, is_named=True))
    assert faults == {"crossed_book": 0, "unknown_order": 0, "price_step": 0}
    assert [c.to_tier for c in limits.tier_changes] == []
    assert set(limits.records["max_order_quantity"].tolist()) == {500}
    # The same market in other units: what has no unit is the same to rounding, row by row.
    for name in ("rv_1m", "return_10s_pct", "depth_rel_bid", "imbalance_l5", "sigma_10s_lagged_pct"):
        np.testing.assert_allclose(rows.column(name), plain.column(name), atol=1e-6, err_msg=name)


def test_the_same_split_unnamed_is_a_fall_by_half_a_fault_and_an_alarm(config: Config, calm: NDArray[Any]) -> None:
    rows, limits, faults = _told(config, _split(calm, config, is_named=False))
    assert faults["price_step"] == 1
    assert np.nanmin(rows.column("return_10s_pct")) < -49
    assert max(c.to_tier for c in limits.tier_changes) >= Tier.ELEVATED
    assert limits.records["max_order_quantity"].min() <= 250
