# SPDX-License-Identifier: Apache-2.0
"""A market written down as every venue writes its own is read back as that market."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pretrade import features, simulation
from pretrade.domain import Config, EventKind
from pretrade.simulation import recordings


@pytest.fixture(scope="module")
def market() -> NDArray[np.void]:
    day = simulation.flash_crash(seed=5, warm_up_s=20, story_s=10)
    return recordings.repeated(day.events[:3_000], 3)


@pytest.mark.parametrize("format", recordings.FORMATS)
def test_a_recording_is_read_back_without_a_fault_and_with_its_prints(tmp_path: Path, config: Config, market: NDArray[np.void], format: str) -> None:
    if format == "taq":
        pytest.importorskip("pyarrow")
    cut = market[:7_000]
    source, known = recordings.write(format, cut, tmp_path, config)
    stream = source.open(known)
    engine = features.engine(known, stream.instruments)
    chunks = list(stream)
    features.collect(chunks, engine)
    assert stream.faults == {}
    assert engine.faults()["unknown_order"] == 0
    read = np.concatenate(chunks)
    if format not in ("bybit", "table", "lobster"):
        assert int((read["kind"] == EventKind.TRADE).sum()) == int((cut["kind"] == EventKind.TRADE).sum()) > 50
    if format != "bitstamp":
        *_, last = recordings.steps(cut)
        _, bids, asks = engine.book(1)
        assert [int(bids[0, 0]), int(asks[0, 0])] == [max(last.book[0]), min(last.book[1])]


def test_each_turn_of_a_repeated_market_ends_with_an_empty_book(market: NDArray[np.void]) -> None:
    assert (np.diff(market["ts_recv"]) >= 0).all()
    third = len(market) // 3
    *_, last = recordings.steps(market[:third])
    assert last.book == ({}, {})
    assert len(set(market["order_id"][market["kind"] == EventKind.ADD].tolist())) == int((market["kind"] == EventKind.ADD).sum())
