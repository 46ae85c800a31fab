# SPDX-License-Identifier: Apache-2.0
"""A table of feature rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade._native import features as _native
from pretrade.domain import FeedState, Phase
from pretrade.domain.errors import FeatureInputError, MissingExtraError

ROW_DTYPE: Final[np.dtype[Any]] = np.dtype(_native.ROW)
NAMES: Final[tuple[str, ...]] = tuple(_native.NAMES)
VECTOR: Final[tuple[str, ...]] = NAMES[:32]
CODE_HASH: Final[str] = _native.CODE_HASH
"""Hash of the native code that computes features."""
"""Anomaly vector v1."""
UNSCORED: Final = FeedState.GAP | FeedState.STALE | FeedState.CROSSED | FeedState.HALTED | FeedState.RESYNC
_INDEX: Final = {name: i for i, name in enumerate(NAMES)}
_CALM_MARGIN_NS: Final = 300 * 1_000_000_000
_THIN: Final = 0.35


@dataclass(frozen=True, slots=True)
class Features:
    """Feature rows in ``ts_recv`` order.

    Parameters
    ----------
    rows
        ROW_DTYPE, shape ``(n,)``.
    quotes
        QUOTES_DTYPE, shape ``(n,)``: touches and references at each row; ``None`` where they were not kept.
    extra
        Columns a researcher added, by name, each ``(n,)`` float64 with NaN where undefined.
    """

    rows: NDArray[Any]
    quotes: NDArray[Any] | None = None
    extra: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.rows.dtype != ROW_DTYPE:
            raise FeatureInputError(f"rows have dtype {self.rows.dtype}; it must be ROW_DTYPE")
        if self.quotes is not None and len(self.quotes) != len(self.rows):
            raise FeatureInputError(f"quotes have {len(self.quotes)} rows, features {len(self.rows)}; they must match")

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Any) -> Features:  # noqa: ANN401 - any NumPy row index
        """Rows by slice, mask or index array."""
        quotes = None if self.quotes is None else self.quotes[key]
        return Features(self.rows[key], quotes, {name: column[key] for name, column in self.extra.items()})

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns."""
        return (*NAMES, *self.extra)

    @property
    def ts_recv(self) -> NDArray[np.int64]:
        """When each row closed, nanoseconds UTC."""
        return self.rows["ts_recv"]

    @property
    def instrument_id(self) -> NDArray[np.uint32]:
        """Instrument of each row."""
        return self.rows["instrument_id"]

    @property
    def phase(self) -> NDArray[np.uint8]:
        """Phase code of each row."""
        return self.rows["phase"]

    @property
    def feed_state(self) -> NDArray[np.uint8]:
        """FeedState bits of each row."""
        return self.rows["feed_state"]

    @property
    def values(self) -> NDArray[np.float64]:
        """Values, shape ``(n, N)``, 0 where undefined."""
        return self.rows["values"]

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Whether each value is defined, shape ``(n, N)``."""
        bits = self.rows["valid"][:, None] >> np.arange(len(NAMES), dtype=np.uint64)
        return (bits & np.uint64(1)).astype(bool)

    def matrix(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Several built-in columns at once with NaN where undefined, shape ``(n, len(names))``; reads the table once."""
        at = np.array([_INDEX[name] for name in names])
        bits = (self.rows["valid"][:, None] >> at.astype(np.uint64)) & np.uint64(1)
        out: NDArray[np.float64] = np.where(bits == 1, self.rows["values"][:, at], np.nan)
        return out

    @property
    def is_scored(self) -> NDArray[np.bool_]:
        """Rows a model may score: continuous trading and a sound, fresh, uncrossed book."""
        scored: NDArray[np.bool_] = (self.phase == Phase.CONTINUOUS) & ((self.feed_state & int(UNSCORED)) == 0)
        return scored

    def column(self, name: str) -> NDArray[np.float64]:
        """One column with NaN where undefined, shape ``(n,)``.

        Raises
        ------
        FeatureInputError
            If there is no such feature.
        """
        if name in self.extra:
            return self.extra[name]
        if name not in _INDEX:
            raise FeatureInputError(f"there is no feature {name!r}; known are {', '.join(self.names)}")
        i = _INDEX[name]
        defined = (self.rows["valid"] >> np.uint64(i)) & np.uint64(1) == 1
        return np.where(defined, self.rows["values"][:, i], np.nan)

    def with_column(self, name: str, values: NDArray[np.float64]) -> Features:
        """Copy with one more column, ``(n,)`` float64, NaN where undefined."""
        if values.shape != (len(self),):
            raise FeatureInputError(f"column {name!r} has shape {values.shape}; it must be ({len(self)},)")
        return Features(self.rows, self.quotes, {**self.extra, name: values.astype(np.float64)})

    def calm(self) -> Features:
        """Sound rows of continuous trading, at least five minutes from any one-sided thinning of the book.

        Notes
        -----
        Thin means depth of a side at or below 0.35 of its own five-minute baseline while that side holds at most 0.35 of
        visible size, for half a second. This looks both ways in time: it is for choosing what to fit on, never for scoring.
        """
        keep = self.is_scored.copy()
        imbalance = self.column("imbalance_l10")
        with np.errstate(invalid="ignore"):
            bid = (self.column("depth_ratio_bid") <= _THIN) & (imbalance <= _THIN)
            ask = (self.column("depth_ratio_ask") <= _THIN) & (imbalance >= 1 - _THIN)
        for instrument_id in np.unique(self.instrument_id):
            mine = np.flatnonzero(self.instrument_id == instrument_id)
            thin = (bid | ask)[mine]
            held = np.flatnonzero(np.convolve(thin, np.ones(5), mode="valid") >= 5) if len(thin) >= 5 else np.array([], int)
            ts = self.ts_recv[mine]
            for at in ts[held]:
                low, high = np.searchsorted(ts, (at - _CALM_MARGIN_NS, at + _CALM_MARGIN_NS))
                keep[mine[low:high]] = False
        return self[keep]

    @classmethod
    def concat(cls, parts: Sequence[Features]) -> Features:
        """Rows of several tables one after the other."""
        if not parts:
            return cls(np.empty(0, ROW_DTYPE))
        quotes = [p.quotes for p in parts if p.quotes is not None]
        extra = {name: np.concatenate([p.extra[name] for p in parts]) for name in parts[0].extra}
        return cls(np.concatenate([p.rows for p in parts]), np.concatenate(quotes) if len(quotes) == len(parts) else None, extra)

    def write(self, path: Path) -> None:
        """Write the table as ``.csv`` or ``.parquet``; undefined values are empty or null.

        Raises
        ------
        FeatureInputError
            If the name ends otherwise.
        MissingExtraError
            If Parquet is asked for without the ``store`` extra.
        """
        columns: dict[str, NDArray[Any]] = {
            name: self.rows[name] for name in ("ts_recv", "ts_event", "instrument_id", "phase", "feed_state", "levels", "kind")
        }
        columns |= {name: self.column(name) for name in self.names}
        if path.suffix == ".parquet":
            _write_parquet(columns, path)
        elif path.suffix == ".csv":
            with path.open("w", encoding="utf-8") as out:
                out.write(",".join(columns) + "\n")
                for row in zip(*(c.tolist() for c in columns.values()), strict=True):
                    out.write(",".join("" if v != v else repr(v) for v in row) + "\n")
        else:
            raise FeatureInputError(f"{path} ends in {path.suffix!r}; it must end in .csv or .parquet")


def _write_parquet(columns: dict[str, NDArray[Any]], path: Path) -> None:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as e:
        raise MissingExtraError("pyarrow", "store") from e
    arrays = {name: pyarrow.array(values, from_pandas=values.dtype.kind == "f") for name, values in columns.items()}
    pyarrow.parquet.write_table(pyarrow.table(arrays), path)
