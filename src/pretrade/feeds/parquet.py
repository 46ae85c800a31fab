# SPDX-License-Identifier: Apache-2.0
"""Parquet files as batches of columns for the native row decoder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade.domain.errors import FeedError, MissingExtraError

if TYPE_CHECKING:
    import pyarrow

ROWS: Final = 8_192
Column = tuple[NDArray[Any], NDArray[np.bool_] | list[str] | None]


class ParquetColumns:
    """A Parquet file, read a few thousand rows at a time.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    MissingExtraError
        If pyarrow is not installed.
    FeedError
        If the file is cut or no Parquet file.
    """

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError as e:
            raise MissingExtraError("pyarrow", "store") from e
        self._arrow = pyarrow
        self._path = path
        try:
            self._file = pyarrow.parquet.ParquetFile(path)
        except (pyarrow.ArrowException, OSError) as e:
            raise FeedError(f"{path} at its footer: is no whole Parquet file: {e}") from e
        self._schema = self._file.schema_arrow
        self._rows_given = 0

    @property
    def bytes_read(self) -> int:
        """Bytes of the file that the rows given so far stand for."""
        rows = int(self._file.metadata.num_rows)
        return self._path.stat().st_size * self._rows_given // rows if rows else self._path.stat().st_size

    @property
    def names(self) -> list[str]:
        """Names of the file's columns."""
        return [str(name) for name in self._schema.names]

    def typed_stamps(self, says: Mapping[str, Any]) -> str | None:
        """``utc`` or ``wall`` where the stamp columns are typed with or without a zone, ``None`` where they are numbers or text.

        Raises
        ------
        FeedError
            If ``ts_event`` and ``ts_recv`` are of different kinds.
        """
        clock = says.get("clock", {})
        kinds = {self._stamp(self._name(clock[key])) for key in ("ts_event", "ts_recv") if key in clock}
        if len(kinds) > 1:
            raise FeedError(f"{self._path.name}: ts_event and ts_recv must be of one type")
        return kinds.pop() if kinds else None

    def _stamp(self, name: str) -> str | None:
        kind = self._schema.field(name).type
        if not self._arrow.types.is_timestamp(kind):
            return None
        return "wall" if kind.tz is None else "utc"

    def _name(self, column: str | int) -> str:
        names = self._schema.names
        if isinstance(column, int):
            if not 1 <= column <= len(names):
                raise FeedError(f"{self._path.name}: column {column} does not exist; the file has {len(names)}")
            return str(names[column - 1])
        if names.count(column) != 1:
            raise FeedError(f"{self._path.name}: column {column} is not in the file: {', '.join(names)}")
        return column

    def batches(self, columns: Sequence[str | int]) -> Iterator[list[Column]]:
        """Batches of the named columns: numbers with what is valid, or codes with their texts."""
        names = [self._name(c) for c in columns]
        self._check(names)
        return self._iterate(names)

    def _iterate(self, names: Sequence[str]) -> Iterator[list[Column]]:
        # A column that two roles share is read once.
        for batch in self._file.iter_batches(batch_size=ROWS, columns=list(dict.fromkeys(names))):
            self._rows_given += batch.num_rows
            yield [self._column(batch.column(name)) for name in names]

    def _check(self, names: Sequence[str]) -> None:
        types = self._arrow.types
        for name in names:
            kind = self._schema.field(name).type
            value = kind.value_type if types.is_dictionary(kind) else kind
            fits = (types.is_integer, types.is_floating, types.is_timestamp, types.is_string, types.is_large_string, types.is_decimal)
            if not any(is_kind(value) for is_kind in fits):
                raise FeedError(f"{self._path.name}: column {name} is of type {kind}; it must hold numbers, stamps or text")

    def _column(self, column: pyarrow.Array) -> Column:
        arrow, types = self._arrow, self._arrow.types
        valid = None if column.null_count == 0 else column.is_valid().to_numpy(zero_copy_only=False)
        kind = column.type
        if types.is_timestamp(kind):
            column = column.cast(arrow.timestamp("ns", kind.tz)).cast(arrow.int64())
        elif types.is_integer(kind):
            column = column.cast(arrow.int64())
        elif types.is_floating(kind):
            column = column.cast(arrow.float64())
        else:
            return self._texts(column)
        # Filling keeps an integer column an integer column; what was filled is not valid.
        return np.ascontiguousarray(column.fill_null(0).to_numpy(zero_copy_only=False)), valid

    def _texts(self, column: pyarrow.Array) -> Column:
        arrow = self._arrow
        if not arrow.types.is_dictionary(column.type):
            column = column.cast(arrow.string()).dictionary_encode()
        codes = column.indices.cast(arrow.int32()).fill_null(-1).to_numpy(zero_copy_only=False)
        return np.ascontiguousarray(codes), [str(text) for text in column.dictionary.cast(arrow.string()).fill_null("").to_pylist()]
