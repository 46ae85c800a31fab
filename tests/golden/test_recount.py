# SPDX-License-Identifier: Apache-2.0
"""Five hundred random rows of every format equal a recount from its files by scripts that import nothing of ours."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from tests.golden.test_imports import case
from tests.recount import readers
from tests.recount.market import Message, recount

from pretrade import features, feeds
from pretrade.domain import Config

pytestmark = pytest.mark.shared_data

ROWS: Final = 500
BOOK: Final = (
    "mid_price",
    "spread_now_ticks",
    "spread_ticks",
    "spread_bps",
    "imbalance_l1",
    "imbalance_l5",
    "imbalance_l10",
    "depth_bid",
    "depth_ask",
)
PRINTS: Final = ("n_trade_1s", "n_trade_10s")
APPLIES: Final = {
    "lobster": (*BOOK, *PRINTS),
    "dbn": (*BOOK, *PRINTS),
    "binance": (*BOOK, *PRINTS),
    "bitstamp": (*BOOK, *PRINTS),
    "cryptofeed": (*BOOK, *PRINTS),
    "bybit": BOOK,
    "taq": (*BOOK, *PRINTS),
    "table": (*BOOK, *PRINTS),
}
"""Columns that a format's files can tell; Bybit's are books alone."""
ALL_THERE_ARE: Final = {"bybit": 48}
"""Bybit's file is five seconds of one book: every row of it is compared."""
LEAST_PRINTS: Final = {"lobster": 100, "dbn": 50, "binance": 400, "bitstamp": 3, "cryptofeed": 5, "bybit": 0, "taq": 100, "table": 100}
"""Of the rows compared, at least so many have a print in their last ten seconds: zero equal to zero shows little."""


def _unpacked(path: Path) -> bytes:
    pyarrow = pytest.importorskip("pyarrow")
    with pyarrow.input_stream(str(path), compression="zstd") as stream:
        return bytes(stream.read())


def _messages(source: feeds.Source, format: str) -> Iterator[Message]:
    files = list(source.files)
    read: dict[str, Callable[[], Iterator[Message]]] = {
        "lobster": lambda: readers.lobster(files[0], files[1], "AMZN", "2012-06-21"),
        "dbn": lambda: readers.dbn_orders([_unpacked(f) for f in files], "ESH4"),
        "binance": lambda: readers.binance(files, "BTCUSDT", -3),
        "bitstamp": lambda: readers.bitstamp(files[0], "BTCUSD"),
        "cryptofeed": lambda: readers.kraken_futures(files[0]),
        "bybit": lambda: readers.bybit(files[0], "XRPUSDT"),
        "taq": lambda: readers.taq(files[0], files[1], "IBM"),
        "table": lambda: readers.depth5(files[0], files[1], "GC"),
    }
    return read[format]()


def _source(shared_data: Path, config: Config, format: str) -> tuple[feeds.Source, Config]:
    source, known = case(shared_data, config, format)
    if format == "lobster":
        return feeds.Source(tuple(sorted((shared_data / "lobster_20120621").glob("AMZN*"))), "lobster"), known
    if format == "table":
        return feeds.Source(tuple(sorted((shared_data / "comex_depth5_2023").glob("gold*"))), "table", ("GC",), None, source.map), known
    if format == "binance":
        return feeds.Source(tuple(sorted((shared_data / "binance_raw_l2_2023_2024").glob("usdm_btcusdt_2024*"))), "binance"), known
    if format == "cryptofeed":
        symbols = sorted({m.key for m in readers.kraken_futures(source.files[0])})
        made = [dataclasses.replace(known.instrument("PI_ETHUSD"), instrument_id=300 + n, symbol=s) for n, s in enumerate(symbols)]
        return feeds.Source(source.files, format), dataclasses.replace(known, instruments=tuple(made), groups=())
    return source, known


@pytest.mark.parametrize("format", APPLIES)
def test_random_rows_equal_a_recount(shared_data: Path, config: Config, format: str) -> None:
    source, known = _source(shared_data, config, format)
    stream = source.open(known)
    rows = features.collect(iter(stream), features.engine(known, stream.instruments, with_quotes=False))
    applies = APPLIES[format]
    told = rows.matrix(applies)
    whole = np.flatnonzero(np.isfinite(told).all(axis=1))
    picked = np.sort(np.random.default_rng(20_260_105).choice(whole, min(ROWS, len(whole)), replace=False))
    assert len(picked) == min(ROWS, ALL_THERE_ARE.get(format, ROWS)), f"{len(whole)} of {len(rows)} rows are whole"
    held = {i.instrument_id: i for i in stream.instruments}
    of = [held[int(i)] for i in rows.instrument_id[picked]]
    wanted = [(int(ts), i.symbol) for ts, i in zip(rows.ts_recv[picked], of, strict=True)]
    assert wanted == sorted(wanted, key=lambda w: w[0])
    for n, (figures, instrument) in enumerate(zip(recount(_messages(source, format), wanted), of, strict=True)):
        figures["spread_now_ticks"] = figures["spread_now"] / instrument.tick_size
        figures["spread_ticks"] = figures["spread_mean"] / instrument.tick_size
        want = np.array([figures[name] for name in applies])
        np.testing.assert_allclose(told[picked[n]], want, rtol=1e-9, atol=1e-9, err_msg=f"row {picked[n]} at {wanted[n]}: {applies}")
    if "n_trade_10s" in applies:
        assert (rows.column("n_trade_10s")[picked] > 0).sum() >= LEAST_PRINTS[format]


def test_the_recount_imports_nothing_of_ours() -> None:
    for path in Path(readers.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names] if isinstance(node, ast.Import) else []
            assert not [n for n in names if n.split(".")[0] == "pretrade"], path
