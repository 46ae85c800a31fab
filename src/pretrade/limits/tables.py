# SPDX-License-Identifier: Apache-2.0
"""The ``limits``, ``quotes`` and ``gate`` tables as NumPy records."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from pretrade._native import limits as _native
from pretrade.domain import LIMITS_DTYPE, QUOTES_DTYPE
from pretrade.domain.errors import TableError
from pretrade.limits.layouts import GATE_DTYPE
from pretrade.limits.run_directory import RunDirectory, clock_domain

Key = int | tuple[int, int]


def _place(where: RunDirectory | Path | str, name: str, domain: bytes | None) -> tuple[Path, bytes]:
    if isinstance(where, RunDirectory):
        return getattr(where, name), domain or where.clock_domain
    return Path(where), domain or clock_domain()


class _Table:
    """What the tables have in common."""

    _kind: ClassVar[Any]
    _dtype: ClassVar[np.dtype[Any]]
    _name: ClassVar[str]

    def __init__(self, native: Any, path: Path) -> None:  # noqa: ANN401 - one of four native classes
        self.path = path
        self._native = native

    @classmethod
    def create(
        cls, where: RunDirectory | Path | str, keys: Iterable[Key], *, domain: bytes | None = None, capacity: int | None = None, epoch: int = 1
    ) -> Self:
        """Make the table with one empty (invalid) record per key and become its writer.

        Parameters
        ----------
        where
            Run directory, or path of the file.
        keys
            Instrument ids, or (instrument id, strategy id) pairs.
        domain
            Clock domain; that of the run directory or of this boot when ``None``.
        capacity
            Records there is room for; twice the keys when ``None``.
        epoch
            First epoch.

        Raises
        ------
        TableError
            If the file cannot be made or another process writes it.
        """
        path, domain = _place(where, cls._name, domain)
        pairs = [(k, 0) if isinstance(k, int) else k for k in keys]
        room = max(2 * len(pairs), 16) if capacity is None else capacity
        return cls(cls._kind.create(path, pairs, domain, capacity=room, epoch=epoch, ts_created=time.time_ns()), path)

    @classmethod
    def open(cls, where: RunDirectory | Path | str, *, domain: bytes | None = None, writable: bool = False) -> Self:
        """Open an existing table; as its writer it repairs half-written records and starts a new epoch.

        Raises
        ------
        TableError
            If the file is absent, of another kind, layout, byte order, owner, mode or clock domain, truncated, or
            (as writer) written by another process.
        """
        path, domain = _place(where, cls._name, domain)
        return cls(cls._kind.open(path, domain, "write" if writable else "read"), path)

    @property
    def native(self) -> Any:  # noqa: ANN401 - one of four native classes
        """The native table, for a native loop that publishes with no Python in between."""
        return self._native

    def publish(self, records: NDArray[Any] | np.void) -> int:
        """Publish records, each into the slot of its key (new keys take free slots); returns how many."""
        array = np.atleast_1d(np.asarray(records))
        if array.dtype != self._dtype:
            raise TableError(f"{self.path}: records have dtype {array.dtype}; they must have that of the table")
        return int(self._native.publish(np.ascontiguousarray(array).view(np.uint8).reshape(-1)))

    def snapshot(self) -> NDArray[Any]:
        """Copy of every record in use, in slot order.

        Raises
        ------
        TableError
            If a record is half written, corrupt, or the table was truncated while mapped.
        """
        return np.frombuffer(self._native.snapshot(), dtype=self._dtype).copy()

    def _read(self, first: int, second: int) -> np.void:
        found = self._native.read(first, second)
        if found is None:
            raise TableError(f"{self.path}: has no record of ({first}, {second})")
        record: np.void = np.frombuffer(found, dtype=self._dtype).copy()[0]
        return record

    def heartbeat(self, channel: int, mono_tick: int, mono_data: int) -> None:
        """Stamp a feed channel: ``mono_tick`` this pass, ``mono_data`` the newest message behind it, monotonic ns."""
        self._native.heartbeat(channel, mono_tick, mono_data)

    def channel(self, channel: int) -> tuple[int, int]:
        """Newest (``mono_tick``, ``mono_data``) of a feed channel; (0, 0) where it never beat."""
        tick, data = self._native.channel(channel)
        return int(tick), int(data)

    def keys(self) -> list[tuple[int, int]]:
        """Keys in slot order."""
        return list(self._native.keys())

    @property
    def epoch(self) -> int:
        """Epoch of the present writer."""
        return int(self._native.epoch)

    @property
    def header(self) -> dict[str, Any]:
        """Fields of the header page."""
        return dict(self._native.header())

    @property
    def is_retired(self) -> bool:
        """True once a newer file took this one's name: open again."""
        return bool(self._native.is_retired)

    @property
    def repaired(self) -> list[tuple[int, int]]:
        """Keys whose half-written records this writer repaired; they are invalid until published anew."""
        return list(self._native.repaired())


class LimitsTable(_Table):
    """What calibration allows each instrument now; one writer, the sidecar or an agent."""

    _kind = _native.NativeLimits
    _dtype = LIMITS_DTYPE
    _name = "limits"

    def read(self, instrument_id: int, strategy_id: int = 0) -> np.void:
        """One record.

        Raises
        ------
        TableError
            If there is none, it is half written, or it does not match its checksum.
        """
        return self._read(instrument_id, strategy_id)


class QuotesTable(_Table):
    """Touches, last, depth and references of each instrument; one writer, capture."""

    _kind = _native.NativeQuotes
    _dtype = QUOTES_DTYPE
    _name = "quotes"

    def read(self, instrument_id: int) -> np.void:
        """One record.

        Raises
        ------
        TableError
            If there is none, it is half written, or it does not match its checksum.
        """
        return self._read(instrument_id, 0)


class GateTable(_Table):
    """What one gateway tells about itself, alive or dead."""

    _kind = _native.NativeGate
    _dtype = GATE_DTYPE
    _name = "gate"

    def read(self, instrument_id: int, strategy_id: int = 0) -> np.void:
        """State of one instrument in this gateway."""
        return self._read(instrument_id, strategy_id)

    @property
    def words(self) -> dict[str, int]:
        """Gateway-wide counters and states by name."""
        return dict(self._native.words())

    @property
    def held_reasons(self) -> dict[int, int]:
        """HOLDs by reason code, of the reasons that may hold."""
        return dict(self._native.held_reasons())

    @property
    def reasons(self) -> list[int]:
        """Refusals by reason code, HOLDs included."""
        return list(self._native.reasons())
