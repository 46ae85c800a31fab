# SPDX-License-Identifier: Apache-2.0
"""Point-in-time tables: features known at a row's time, labels known at theirs, a manifest of hashes, and an audit for lookahead."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade.domain.errors import ValidationError
from pretrade.features import VECTOR, Features

_ARRAYS: Final = ("ts_recv", "label_end", "entity", "values", "label")
TABLE: Final = "table.npz"


@dataclass(frozen=True, slots=True)
class Dataset:
    """Rows in ``ts_recv`` order."""

    names: tuple[str, ...]
    """Columns of ``values``."""
    ts_recv: NDArray[np.int64]
    """When each row was known, ``(n,)``."""
    label_end: NDArray[np.int64]
    """When its label was known, ``(n,)``, not before ``ts_recv``."""
    entity: NDArray[np.int64]
    """Instrument or trader of each row, ``(n,)``: whole ones are held out."""
    values: NDArray[np.float64]
    """Features, ``(n, len(names))``, NaN where undefined."""
    label: NDArray[np.float64]
    """Labels, ``(n,)``; NaN where none is known, as at the end of a recording."""
    sources: dict[str, str]
    """Hash of each source by name."""

    def __post_init__(self) -> None:
        n = len(self.ts_recv)
        for name in _ARRAYS:
            shape = getattr(self, name).shape
            wanted = (n, len(self.names)) if name == "values" else (n,)
            if shape != wanted:
                raise ValidationError(f"{name} has shape {shape}; it must be {wanted}")
        if (np.diff(self.ts_recv) < 0).any():
            raise ValidationError("rows are not in ts_recv order")
        if (self.label_end < self.ts_recv).any():
            raise ValidationError(f"{int((self.label_end < self.ts_recv).sum())} labels are known before their rows")

    def manifest(self) -> dict[str, Any]:
        """Names, sizes and a hash of every column, and one hash over all."""
        hashes = {name: hashlib.sha256(np.ascontiguousarray(getattr(self, name)).tobytes()).hexdigest() for name in _ARRAYS}
        facts: dict[str, Any] = {"columns": list(self.names), "rows": len(self.ts_recv), "sources": self.sources, "hashes": hashes}
        facts["entities"] = len(np.unique(self.entity))
        return facts | {"hash": hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()}

    def save(self, folder: Path) -> None:
        """Write ``table.npz`` (plain arrays) and ``manifest.json``."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, NDArray[Any]] = {name: getattr(self, name) for name in _ARRAYS}
        np.savez(folder / TABLE, **arrays)  # type: ignore[arg-type]  # the stub takes the names for its own flag
        (folder / "manifest.json").write_text(json.dumps(self.manifest(), indent=1, sort_keys=True) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Dataset:
        """Read a table back, its hashes compared.

        Raises
        ------
        ValidationError
            If a column was changed.
        """
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        stored = np.load(folder / TABLE, allow_pickle=False)
        table = cls(tuple(manifest["columns"]), **{name: stored[name] for name in _ARRAYS}, sources=manifest["sources"])
        if table.manifest() != manifest:
            raise ValidationError(f"table {folder} was changed after it was saved")
        return table


def of_rows(features: Features, *, horizon_ns: int, move_pct: float, sources: dict[str, str]) -> Dataset:
    """Feature rows with the label "the mid price moves by at least ``move_pct`` within the horizon".

    Notes
    -----
    Features are known at their row; the label when the horizon is over, NaN where the recording ends before. Rows that may not be
    scored are left out.

    Raises
    ------
    ValidationError
        If the horizon is not positive.
    """
    if horizon_ns <= 0:
        raise ValidationError(f"label horizon is {horizon_ns} ns; it must be positive")
    order = np.lexsort((features.instrument_id, features.ts_recv))
    rows = features[order]
    ts, who = rows.ts_recv.astype(np.int64), rows.instrument_id
    mid = rows.column("mid_price")
    label, end = np.full(len(rows), np.nan), ts + horizon_ns
    for instrument in np.unique(who):
        at = np.flatnonzero((who == instrument) & np.isfinite(mid))
        last = np.searchsorted(ts[at], end[at], side="right")
        is_whole = end[at] <= ts[at][-1] if len(at) else np.empty(0, bool)
        high, low = _extremes(mid[at], last)
        move = np.maximum(high / mid[at] - 1, 1 - low / mid[at]) * 100
        label[at] = np.where(is_whole, move >= move_pct, np.nan)
    keep = rows.is_scored
    values = rows.matrix(VECTOR)[keep]
    return Dataset(VECTOR, ts[keep], end[keep], who[keep].astype(np.int64), values, label[keep], sources)


def _extremes(mid: NDArray[np.float64], last: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Largest and smallest value of each window from its own row to ``last``, by doubling."""
    n = len(mid)
    tables = [(mid.copy(), mid.copy())]
    width = 1
    while 2 * width <= n:
        high, low = tables[-1]
        tables.append((np.maximum(high[:-width], high[width:]), np.minimum(low[:-width], low[width:])))
        width *= 2
    count = np.maximum(last - np.arange(n), 1)
    level = np.floor(np.log2(count)).astype(int)
    out_high, out_low = np.empty(n), np.empty(n)
    for step, (high, low) in enumerate(tables):
        at = np.flatnonzero(level == step)
        other = at + count[at] - (1 << step)
        out_high[at], out_low[at] = np.maximum(high[at], high[other]), np.minimum(low[at], low[other])
    return out_high, out_low


def audit(build: Callable[[NDArray[Any]], Dataset], source: NDArray[Any], change: Callable[[NDArray[Any]], NDArray[Any]], *, at: int) -> list[str]:
    """Change the future; rows of the past must not move.

    Parameters
    ----------
    build
        Source records to a table.
    source
        Records with ``ts_recv``, in its order.
    change
        Other records of the same length for the later part.
    at
        First record that is changed.

    Returns
    -------
    list of str
        What moved; empty where nothing did. A label counts only where it was known before the change.

    Raises
    ------
    ValidationError
        If fewer than 10 rows lie before the change: nothing would be tried.
    """
    whole = build(source)
    other = build(np.concatenate([source[:at], change(source[at:].copy())]))
    prefix = build(source[:at])
    since = int(source["ts_recv"][at])
    past = whole.ts_recv < since
    if past.sum() < 10:
        raise ValidationError(f"{int(past.sum())} rows lie before the change; at least 10 must")
    found = []
    for told, table in (("changing later records", other), ("leaving later records out", prefix)):
        mine = table.ts_recv < since
        if not np.array_equal(whole.ts_recv[past], table.ts_recv[mine]):
            found.append(f"{told} changes which earlier rows there are")
            continue
        a, b = whole.values[past], table.values[mine]
        moved = [name for i, name in enumerate(whole.names) if not np.array_equal(a[:, i], b[:, i], equal_nan=True)]
        if moved:
            found.append(f"{told} changes earlier values of {', '.join(moved)}")
        known = whole.label_end[past] < since
        if told.startswith("changing") and not np.array_equal(whole.label[past][known], table.label[mine][known], equal_nan=True):
            found.append(f"{told} changes labels that were known before")
    return found
