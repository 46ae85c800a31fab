# SPDX-License-Identifier: Apache-2.0
"""Anybody's recording: column maps in TOML, CSV files, and Parquet files through pyarrow."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pretrade._native import feeds as _native
from pretrade.domain import Config, Instrument
from pretrade.domain.errors import FeedError
from pretrade.feeds.parquet import Column, ParquetColumns

_NS: Final = 1_000_000_000
_INSTRUMENT_KEYS: Final = frozenset(
    {"symbol", "column", "others", "instrument_id", "venue", "tick_size", "session", "quantity_exponent", "allow_negative_price"}
)
_NEW_INSTRUMENT_KEYS: Final = ("instrument_id", "venue", "tick_size", "session")


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """A map file: its path, its text and what it says."""

    path: Path
    text: str
    says: dict[str, Any]

    def fits(self, file: Path) -> bool:
        """True where ``files`` matches the file's name, or the map holds for any file."""
        pattern = self.says.get("files")
        return pattern is None or fnmatch(file.name, str(pattern))


def read_maps(paths: Sequence[Path]) -> list[ColumnMap]:
    """Read map files and those they include.

    Raises
    ------
    FeedError
        If a map cannot be read, is no TOML, or an included map includes others.
    """
    maps = []
    for path in paths:
        first = _read_map(path)
        included = first.says.get("include")
        if included is None:
            maps.append(first)
            continue
        if set(first.says) != {"include"} or not isinstance(included, list):
            raise FeedError(f"{path.name}: a map with include holds nothing else; it must be a list of file names")
        for name in included:
            inner = _read_map(path.parent / str(name))
            if "include" in inner.says:
                raise FeedError(f"{inner.path.name}: a map that is included may not include others")
            maps.append(inner)
    return maps


def _read_map(path: Path) -> ColumnMap:
    try:
        text = path.read_text(encoding="utf-8")
        says = tomllib.loads(text, parse_float=Decimal)
    except OSError as e:
        raise FeedError(f"{path}: the map cannot be read: {e.strerror}") from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise FeedError(f"{path.name}: the map is no TOML: {e}") from e
    return ColumnMap(path, text, says)


def choose(file: Path, maps: Sequence[ColumnMap]) -> ColumnMap:
    """Choose the one map that fits a file.

    Raises
    ------
    FeedError
        If none fits, or several do.
    """
    fitting = [m for m in maps if m.fits(file)]
    if len(fitting) != 1:
        names = ", ".join(m.path.name for m in fitting or maps)
        raise FeedError(f"{file.name}: {len(fitting)} maps fit its name ({names}); exactly one must: give each map a files = PATTERN")
    return fitting[0]


def instruments_of(column_map: ColumnMap, config: Config, symbol: str | None) -> tuple[Instrument, ...]:
    """Instruments whose rows a map reads: one, or every one of the configuration where a column names it.

    A map may write out an instrument that the configuration lacks, and may name another session calendar for one it has.

    Raises
    ------
    FeedError
        If the instrument is unknown and not written out, or its session is.
    """
    says = column_map.says.get("instrument")
    where = column_map.path.name
    if not isinstance(says, dict):
        raise FeedError(f"{where}: the map needs instrument = {{ symbol = ... }} or {{ column = ... }}")
    unknown = sorted(set(says) - _INSTRUMENT_KEYS)
    if unknown:
        raise FeedError(f"{where}: instrument has unknown keys {', '.join(unknown)}; known are {', '.join(sorted(_INSTRUMENT_KEYS))}")
    own = symbol is None or symbol == says.get("symbol")
    name = symbol or says.get("symbol")
    if name is None:
        return config.instruments
    found = next((i for i in config.instruments if i.symbol == name), None)
    if found is None and own:
        found = _written_out(says, where)
    if found is None:
        raise FeedError(f"{where}: instrument {name} is not in the configuration")
    if own and "session" in says:
        found = dataclasses.replace(found, session=str(says["session"]))
    if found.session not in config.sessions:
        raise FeedError(f"{where}: session {found.session} is not in the configuration; known are {', '.join(config.sessions)}")
    return (found,)


def _written_out(says: dict[str, Any], where: str) -> Instrument:
    missing = [key for key in _NEW_INSTRUMENT_KEYS if key not in says]
    if missing:
        raise FeedError(f"{where}: instrument {says['symbol']} is not in the configuration and the map lacks its {', '.join(missing)}")
    tick = Decimal(says["tick_size"]) * _NS
    if tick != int(tick) or tick <= 0:
        raise FeedError(f"{where}: tick_size is {says['tick_size']}; it must be a positive multiple of 1e-9")
    return Instrument(
        instrument_id=int(says["instrument_id"]),
        symbol=str(says["symbol"]),
        venue=str(says["venue"]),
        tick_size=int(tick),
        session=str(says["session"]),
        quantity_exponent=int(says.get("quantity_exponent", 0)),
        allow_negative_price=bool(says.get("allow_negative_price", False)),
    )


@lru_cache(maxsize=16)
def zone_steps(name: str) -> tuple[tuple[int, int], ...]:
    """Steps of a zone from 1970 to 2100 as (from ns UTC, offset from UTC in ns).

    Examples
    --------
    >>> zone_steps("Asia/Tokyo")[-1][1] // 3_600_000_000_000
    9
    """
    zone = ZoneInfo(name)

    def offset(t: int) -> int:
        shift = datetime.fromtimestamp(t, UTC).astimezone(zone).utcoffset() or timedelta()
        return shift // timedelta(seconds=1)

    steps = [(0, offset(0))]
    for day in range(0, 130 * 366 * 86_400, 86_400):
        low, high = day, day + 86_400
        if offset(high) == steps[-1][1]:
            continue
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if offset(middle) == steps[-1][1] else (low, middle)
        steps.append((high, offset(high)))
    return tuple((t * _NS, shift * _NS) for t, shift in steps)


def _zones(column_map: ColumnMap) -> dict[str, list[tuple[int, int]]]:
    name = str(column_map.says.get("clock", {}).get("zone", "UTC"))
    if name in ("UTC", "Z", "GMT") or name[:1] in ("+", "-"):
        return {}
    try:
        return {name: list(zone_steps(name))}
    except (ZoneInfoNotFoundError, ValueError) as e:
        raise FeedError(f"{column_map.path.name}: clock.zone {name} is not a time zone this machine knows") from e


def open_tables(
    files: Sequence[Path], maps: Sequence[ColumnMap], config: Config, *, symbols: Sequence[str] | None = None, date: str | None = None
) -> tuple[_native.Stream, tuple[Instrument, ...], tuple[ParquetColumns, ...]]:
    """Open CSV and Parquet files as one native stream; the instruments they hold, and the Parquet files as they are read.

    Raises
    ------
    FeedError
        If a file or its map is refused.
    MissingExtraError
        If a file is Parquet and pyarrow is not installed.
    """
    tables: list[tuple[Path, _native.Map, Iterator[list[Column]] | None]] = []
    readers = []
    held: dict[int, Instrument] = {}
    for n, file in enumerate(files):
        symbol = symbols[min(n, len(symbols) - 1)] if symbols else None
        column_map = choose(file, maps)
        of = instruments_of(column_map, config, symbol)
        held |= {i.instrument_id: i for i in of}
        around = _Around(column_map, of, symbol, date)
        if _native.sniff(file) != "parquet":
            tables.append((file, around.map(None), None))
            continue
        columns = ParquetColumns(file)
        readers.append(columns)
        native = around.map(columns.typed_stamps(around.column_map.says))
        tables.append((file, native, columns.batches(native.columns())))
    return _native.Stream.table(tables), tuple(held.values()), tuple(readers)


@dataclass(frozen=True, slots=True)
class _Around:
    """A map and what it needs to know from outside."""

    column_map: ColumnMap
    instruments: tuple[Instrument, ...]
    symbol: str | None
    date: str | None

    def map(self, typed_stamps: str | None) -> _native.Map:
        known = {i.symbol: (i.instrument_id, i.quantity_exponent, i.allow_negative_price) for i in self.instruments}
        text, zones = self.column_map.text, _zones(self.column_map)
        try:
            return _native.Map(text, known, symbol=self.symbol, zones=zones, date=self.date, typed_stamps=typed_stamps)
        except ValueError as e:
            raise FeedError(f"{self.column_map.path.name}: {e}") from e
