# SPDX-License-Identifier: Apache-2.0
"""One journal file of events: a writer, readers, and positions to go on from."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from pretrade._native import bus as _native
from pretrade.domain import EVENT_DTYPE
from pretrade.domain.errors import JournalError


class Position(NamedTuple):
    """Place between two frames: byte offset, and the sequence number of the next event."""

    offset: int
    next_seq: int

    def save(self, path: Path) -> None:
        """Write the position durably: temporary file, sync, rename."""
        temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
        with temporary.open("w", encoding="ascii") as file:
            json.dump({"offset": self.offset, "next_seq": self.next_seq}, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)

    @classmethod
    def load(cls, path: Path) -> Position | None:
        """Position saved earlier, ``None`` where there is none.

        Raises
        ------
        JournalError
            If the file holds no position.
        """
        try:
            raw = json.loads(path.read_text(encoding="ascii"))
            return cls(int(raw["offset"]), int(raw["next_seq"]))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as e:
            raise JournalError(f"{path}: holds no position: {e}") from e


class Journal:
    """The one writer of a journal of events.

    A torn tail left by a crash is cut off when opened; corruption inside is kept and listed in :attr:`problems`.

    Parameters
    ----------
    path
        The file; made when absent.
    stream, shard, source
        What the file holds and who produces it; an existing file must agree.
    ts_created
        Now, ns UTC, noted in a new file.

    Raises
    ------
    JournalError
        If the file is of another kind, corrupt in its header, or written by another process; later, once a write or
        sync failed, on every call: the writer has then stopped for good.
    """

    def __init__(self, path: Path, *, stream: int = 1, shard: int = 0, source: int = 0, ts_created: int = 0) -> None:
        self.path = path
        self._native = _native.NativeJournal(path, stream=stream, shard=shard, source=source, ts_created=ts_created)

    @property
    def native(self) -> _native.NativeJournal:
        """The native writer, for a native loop that appends with no Python in between."""
        return self._native

    def append(self, events: NDArray[Any]) -> Position:
        """Append events (``EVENT_DTYPE``, in order of ``ts_recv``); written, hence readable, when this returns."""
        if events.dtype != EVENT_DTYPE:
            raise JournalError(f"{self.path}: events have dtype {events.dtype}; they must have EVENT_DTYPE")
        return Position(*self._native.append(np.ascontiguousarray(events).view(np.uint8).reshape(-1)))

    def commit(self) -> Position:
        """Make everything appended durable."""
        return Position(*self._native.commit())

    @property
    def end(self) -> Position:
        """Where the next frame goes."""
        return Position(*self._native.end)

    @property
    def committed(self) -> Position:
        """What is durable."""
        return Position(*self._native.committed)

    @property
    def problems(self) -> tuple[str, ...]:
        """Corruption found when opening: file, offsets, lost records."""
        return tuple(self._native.problems())

    def close(self) -> None:
        """Commit and close; a second call does nothing."""
        self._native.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class JournalReader:
    """Reads a journal of events, from the start or from a position, also while it is being written.

    Parameters
    ----------
    path
        The file.
    position
        Where to go on; the start when ``None``.
    """

    def __init__(self, path: Path, position: Position | None = None) -> None:
        self.path = path
        self._native = _native.NativeReader(path)
        if position is not None:
            self._native.seek(*position)

    def read(self, at_most: int = 65_536) -> NDArray[Any]:
        """Next events (whole frames until about ``at_most``); empty at the end of what is written now."""
        return np.frombuffer(self._native.read(at_most), dtype=EVENT_DTYPE)

    def seek(self, position: Position) -> None:
        """Go on from a position of this journal.

        Raises
        ------
        JournalError
            If no frame can lie there.
        """
        self._native.seek(*position)

    @property
    def position(self) -> Position:
        """Place after the events read so far."""
        return Position(*self._native.position)

    @property
    def committed(self) -> Position | None:
        """What is durable; ``None`` while the writer moves it."""
        found = self._native.committed
        return None if found is None else Position(*found)

    @property
    def problems(self) -> tuple[str, ...]:
        """Corruption met so far: file, offsets, lost records."""
        return tuple(self._native.problems())
