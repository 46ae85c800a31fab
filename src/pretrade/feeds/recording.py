# SPDX-License-Identifier: Apache-2.0
"""Recordings as streams of event chunks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from pretrade._native import feeds as _native
from pretrade.domain import EVENT_DTYPE, Config, Instrument
from pretrade.domain.errors import ConfigError, FeedError
from pretrade.feeds import manifest, table, taq
from pretrade.feeds.parquet import ParquetColumns
from pretrade.feeds.splits import read_splits

FORMATS: Final = ("lobster", "dbn", "table", "taq", *_native.CAPTURE_FORMATS, "journal")
"""Every format of recordings; the one list of them."""
_NEW_YORK: Final = ZoneInfo("America/New_York")
_LOBSTER_NAME: Final = re.compile(r"^(?P<symbol>[A-Za-z.]+)_(?P<date>\d{4}-\d{2}-\d{2})_.*?(?P<role>message|orderbook)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: ``kind``, file, line or offset, and what was found."""

    kind: str
    path: Path
    place: str
    text: str


class EventStream:
    """Chunks of events in ``ts_recv`` order.

    Parameters
    ----------
    native
        The decoder.
    instruments
        Whose events it holds.
    parquet
        Files that are read here and not by the decoder.
    """

    def __init__(self, native: _native.Stream, instruments: tuple[Instrument, ...], parquet: Sequence[ParquetColumns] = ()) -> None:
        self._native = native
        self._parquet = tuple(parquet)
        self.instruments = instruments

    def __iter__(self) -> Iterator[NDArray[Any]]:
        """Yield EVENT_DTYPE chunks of at most about 65,536.

        Raises
        ------
        FeedError
            If the recording is refused at some place; what was read before stands.
        """
        while True:
            try:
                raw = self._native.next_batch()
            except ValueError as e:
                raise FeedError(str(e)) from e
            if not raw:
                return
            yield np.frombuffer(raw, EVENT_DTYPE)

    def add_side(self, events: NDArray[Any]) -> None:
        """Add events known beside the recording, in order of ``ts_recv``; those from before its first event or after its last are left out."""
        self._native.add_side(np.ascontiguousarray(events).tobytes())

    @property
    def events(self) -> int:
        """Events given so far."""
        return int(self._native.events())

    @property
    def bytes_read(self) -> int:
        """Bytes of the files read so far, as they lie on the disk: with their sizes, how far it is."""
        return int(self._native.bytes_read()) + sum(file.bytes_read for file in self._parquet)

    @property
    def faults(self) -> dict[str, int]:
        """Counts by kind, kinds without a fault left out."""
        return {kind: count for kind, count in self._native.faults().items() if count}

    @property
    def fault_log(self) -> list[Fault]:
        """The first thousand faults in words."""
        return [Fault(kind, Path(path), place, text) for kind, path, place, text in self._native.fault_log()]


def open(
    files: Sequence[Path],
    *,
    format: str,
    config: Config,
    instruments: Sequence[str] | None = None,
    date: str | None = None,
    map: Path | Sequence[Path] | None = None,
    splits: Path | None = None,
) -> EventStream:
    """Open recordings as one stream, merged by ``ts_recv``.

    Parameters
    ----------
    files
        One or several files; gzip, zstd and xz are told by their first bytes.
    format
        One of `FORMATS`.
    config
        Instruments by symbol.
    instruments
        Symbol of each LOBSTER pair and of each ``taq`` file where the file name does not tell it; of each table (the last one of all further
        tables), before what its map says; of a capture, those that are wanted: without it, a symbol that the configuration lacks
        refuses the recording.
    date
        ``YYYY-MM-DD`` of a LOBSTER recording where the file name does not tell it, or of a table whose stamps count from midnight.
    map
        Column maps of tables; each file takes the one whose ``files`` pattern fits.
    splits
        Table of splits, applied from the moment each takes effect; see :func:`pretrade.feeds.splits.read_splits`.

    Raises
    ------
    FeedError
        If a file is refused; the message names it.
    ConfigError
        If no format has this name.
    """
    stream = _open(files, format, config, instruments=instruments, date=date, map=map)
    if splits is not None:
        stream.add_side(read_splits(splits, config, stream.instruments))
    return stream


def _open(
    files: Sequence[Path], format: str, config: Config, *, instruments: Sequence[str] | None, date: str | None, map: Path | Sequence[Path] | None
) -> EventStream:
    paths = [Path(f) for f in files]
    if not paths:
        raise FeedError("no recording was named; at least one file is needed")
    try:
        if format == "dbn":
            return EventStream(_native.Stream.dbn(paths, {i.symbol: i.instrument_id for i in config.instruments}), config.instruments)
        if format == "lobster":
            pairs = _pairs(paths, config, instruments, date)
            return EventStream(
                _native.Stream.lobster([(m, b, midnight, i.instrument_id) for m, b, midnight, i in pairs]), tuple(i for *_, i in pairs)
            )
        if format == "taq":
            return EventStream(*taq.open_taq(paths, config, symbols=instruments))
        if format in _native.CAPTURE_FORMATS:
            wanted = config.instruments if instruments is None else tuple(config.instrument(symbol) for symbol in instruments)
            known = [(i.venue, _venue_symbol(i), i.instrument_id, i.quantity_exponent, i.allow_negative_price) for i in wanted]
            return EventStream(_native.Stream.capture(format, paths, known, instruments is not None), wanted)
        if format == "table":
            if map is None:
                raise FeedError(f"{paths[0].name}: a table needs --map FILE that says what its columns mean")
            maps = table.read_maps([map] if isinstance(map, (str, Path)) else list(map))
            return EventStream(*table.open_tables(paths, maps, config, symbols=instruments, date=date))
        if format == "journal":
            return EventStream(_native.Stream.journal(paths), manifest.instruments_of(paths, config, symbols=instruments))
    except ValueError as e:
        raise FeedError(str(e)) from e
    raise ConfigError(f"format is {format!r}; known are {', '.join(FORMATS)}")


def _venue_symbol(instrument: Instrument) -> str:
    """The venue's text: a symbol that two venues share carries ``.VENUE`` behind it in the configuration."""
    return instrument.symbol.removesuffix(f".{instrument.venue}")


def _pairs(paths: list[Path], config: Config, symbols: Sequence[str] | None, day: str | None) -> list[tuple[Path, Path, int, Instrument]]:
    """Message and orderbook files of the same name, with midnight New York and instrument."""
    books: dict[str, Path] = {}
    for p in (p for p in paths if "orderbook" in p.name.lower()):
        if books.setdefault(_pair_name(p, "orderbook"), p) is not p:
            raise FeedError(f"{p.name}: two orderbook files have this name; a pair is told by its names")
    messages = [p for p in paths if p not in books.values()]
    out = []
    for n, message in enumerate(messages):
        book = books.pop(_pair_name(message, "message"), None)
        if book is None:
            raise FeedError(f"{message.name}: a LOBSTER message file needs its orderbook file beside it; alone the book cannot be rebuilt")
        told = _LOBSTER_NAME.match(message.name)
        symbol = symbols[n] if symbols and n < len(symbols) else (told["symbol"] if told else None)
        when = day or (told["date"] if told else None)
        if symbol is None or when is None:
            raise FeedError(f"{message.name}: symbol and date are not in the file name; give --instrument and --date")
        out.append((message, book, _midnight(when, message), config.instrument(symbol)))
    if books:
        raise FeedError(f"{next(iter(books.values())).name}: an orderbook file needs its message file beside it")
    return out


def _pair_name(path: Path, role: str) -> str:
    """Name that both files of a pair share, whatever each is packed with."""
    name = path.name.lower().replace(role, "#")
    return name.removesuffix(".gz").removesuffix(".zst").removesuffix(".xz")


def _midnight(day: str, path: Path) -> int:
    try:
        local = datetime.combine(date.fromisoformat(day), time(0), _NEW_YORK)
    except ValueError as e:
        raise FeedError(f"{path.name}: date is {day!r}; it must be YYYY-MM-DD") from e
    return int(local.astimezone(UTC).timestamp()) * 1_000_000_000
