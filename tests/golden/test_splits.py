# SPDX-License-Identifier: Apache-2.0
"""Real bars of AAPL across the 7:1 split of 2014-06-09: 645.57 on Friday, 92.31 on Monday, and no crash."""

from __future__ import annotations

import csv
import gzip
import itertools
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray

from pretrade import features, feeds
from pretrade.domain import Config

pytestmark = pytest.mark.shared_data

MAP: Final = """instrument = { symbol = "AAPL" }
clock = { ts_event = "ts_utc", unit = "iso" }
scale = { price = 0.0001 }

[bars]
open = "open_1e4"
high = "high_1e4"
low = "low_1e4"
close = "close_1e4"
size = "volume"
interval_s = 3600
"""
FRIDAY, TUESDAY = (int(datetime(2014, 6, day, tzinfo=UTC).timestamp()) * 10**9 for day in (6, 10))


def _file(shared_data: Path) -> Path:
    return shared_data / "hourly_bars_to_201506" / "AAPL_hour.csv.gz"


def _days(shared_data: Path, config: Config, folder: Path, splits: str | None) -> tuple[features.Features, dict[str, int], NDArray[Any]]:
    (folder / "hour.toml").write_text(MAP)
    table = None
    if splits is not None:
        table = folder / "splits.csv"
        table.write_text(splits)
    stream = feeds.open([_file(shared_data)], format="table", config=config, map=folder / "hour.toml", splits=table)
    parts = [chunk[(chunk["ts_recv"] >= FRIDAY) & (chunk["ts_recv"] < TUESDAY)] for chunk in stream]
    engine = features.engine(config, stream.instruments)
    rows = features.collect(parts, engine)
    return rows, engine.faults(), engine.quotes()


def _closes(shared_data: Path) -> list[float]:
    """Closes of the two days, read here without the decoder."""
    with gzip.open(_file(shared_data), "rt") as lines:
        return [int(r["close_1e4"]) / 1e4 for r in csv.DictReader(lines) if r["ts_utc"][:10] in ("2014-06-06", "2014-06-09")]


def test_named_the_split_is_no_move(shared_data: Path, config: Config, tmp_path: Path) -> None:
    rows, faults, quotes = _days(shared_data, config, tmp_path, "symbol,effective,ratio,announced\nAAPL,2014-06-09,7:1,2014-04-23\n")
    closes = _closes(shared_data)
    adjusted = [c / 7 for c in closes[:7]] + closes[7:]
    moves = [100 * (b / a - 1) for a, b in itertools.pairwise(adjusted)]
    assert faults["price_step"] == 0
    seen = rows.column("return_10s_pct")
    assert np.nanmin(seen) == pytest.approx(min(moves), abs=1e-6)
    assert np.nanmax(seen) == pytest.approx(max(moves), abs=1e-6)
    steps = [100 * abs(math.log(b / a)) for a, b in itertools.pairwise(adjusted)]
    assert np.nanmax(rows.column("rv_5m")) == pytest.approx(max(steps), abs=1e-6)
    assert quotes["last_price"][0] == round(closes[-1] * 1e9)


def test_unnamed_it_is_a_fall_of_86_per_cent_and_one_fault(shared_data: Path, config: Config, tmp_path: Path) -> None:
    rows, faults, _ = _days(shared_data, config, tmp_path, None)
    closes = _closes(shared_data)
    assert faults["price_step"] == 1
    assert np.nanmin(rows.column("return_10s_pct")) == pytest.approx(100 * (closes[7] / closes[6] - 1), abs=1e-6)
    assert closes[6:8] == [645.57, 92.31]
