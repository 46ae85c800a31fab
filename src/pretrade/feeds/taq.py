# SPDX-License-Identifier: Apache-2.0
"""US equity tapes, the national best and prints with their conditions, as Parquet files named ``SYMBOL_quotes`` and ``SYMBOL_trades``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pretrade._native import feeds as _native
from pretrade.domain import Config, Instrument
from pretrade.domain.errors import FeedError
from pretrade.feeds.parquet import ParquetColumns


def open_taq(
    paths: Sequence[Path], config: Config, *, symbols: Sequence[str] | None = None
) -> tuple[_native.Stream, tuple[Instrument, ...], tuple[ParquetColumns, ...]]:
    """Open files of quotes and prints as one native stream; the instruments they hold, and the files as they are read.

    Prints go before quotes of the same stamp, so that a print meets the book it was made against.

    Raises
    ------
    FeedError
        If a file is neither, or its symbol is not told.
    MissingExtraError
        If pyarrow is not installed.
    """
    files = []
    readers = []
    held: dict[int, Instrument] = {}
    for n, path in enumerate(paths):
        columns = ParquetColumns(path)
        quotes = set(_native.TAQ_QUOTES) <= set(columns.names)
        wanted = _native.TAQ_QUOTES if quotes else _native.TAQ_TRADES
        missing = [name for name in wanted if name not in columns.names]
        if missing:
            raise FeedError(f"{path.name}: holds neither quotes nor prints of a US equity tape; it lacks {', '.join(missing)}")
        symbol = symbols[n] if symbols and n < len(symbols) else path.name.split("_")[0]
        instrument = config.instrument(symbol)
        held[instrument.instrument_id] = instrument
        readers.append(columns)
        files.append((path, instrument.instrument_id, quotes, columns.batches(wanted)))
    return _native.Stream.taq(sorted(files, key=lambda file: file[2])), tuple(held.values()), tuple(readers)
