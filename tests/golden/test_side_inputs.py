# SPDX-License-Identifier: Apache-2.0
"""Real side inputs: message scores and volatility-index closes, counted from the files themselves."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from pretrade import feeds
from pretrade.domain import Config, EventKind

pytestmark = pytest.mark.shared_data

MAPS = Path(__file__).resolve().parents[2] / "examples" / "maps"


def test_scores_of_the_configured_symbols_are_those_of_the_file(shared_data: Path, config: Config) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    file = shared_data / "tweet_sentiment_2014_2015" / "tweet_sentiment.parquet"
    rows = parquet.read_table(file).to_pydict()
    held = {i.symbol: i.instrument_id for i in config.instruments}
    want = [(held[s], round(score * 1e9)) for s, score in zip(rows["ticker"], rows["compound"], strict=True) if s in held]
    stream = feeds.open([file], format="table", config=config, map=MAPS / "tweets.toml")
    events = np.concatenate(list(stream))
    assert len(want) > 1_000
    assert stream.faults == {}
    assert set(events["kind"]) == {EventKind.SENTIMENT}
    assert list(zip(events["instrument_id"].tolist(), events["price"].tolist(), strict=True)) == want


def test_index_closes_are_known_after_each_close(shared_data: Path, config: Config) -> None:
    file = shared_data / "vol_term_structure" / "vix_9d_30d_90d_180d_daily.csv.gz"
    rows = list(csv.DictReader(gzip.decompress(file.read_bytes()).decode().splitlines()))
    stream = feeds.open([file], format="table", config=config, map=MAPS / "vix.toml")
    events = np.concatenate(list(stream))
    assert (len(rows), stream.faults) == (1_130, {})
    assert events["price"].tolist() == [round(float(r["vix_030"]) * 1e9) for r in rows]
    assert (np.diff(events["ts_recv"]) > 0).all()
    assert set((events["ts_recv"] // 3_600_000_000_000 % 24).tolist()) == {20, 21}
