# SPDX-License-Identifier: Apache-2.0
"""Where in the market journal the last book snapshots stand, so that a restarted capture need not read the day again."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pretrade.bus import JournalReader, Position
from pretrade.domain import EventFlag, EventKind
from pretrade.domain.errors import JournalError

KEPT: Final = 6
"""One a minute: from the oldest on, windows of five minutes are whole again."""


class SnapshotPositions:
    """A small file of positions, replaced whole.

    Parameters
    ----------
    path
        The file.
    journal
        The market journal the positions are in.

    Notes
    -----
    The file is a shortcut, never a truth: a position counts only where the journal holds a snapshot at it.
    """

    def __init__(self, path: Path, journal: Path) -> None:
        self.path = path
        self._journal = journal

    def load(self) -> tuple[Position, ...]:
        """Positions that hold, the oldest first; none where there is no such file.

        Raises
        ------
        JournalError
            If the file holds no positions.
        """
        try:
            raw = json.loads(self.path.read_text(encoding="ascii"))
            found = [Position(int(p["offset"]), int(p["next_seq"])) for p in raw["snapshots"]]
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, KeyError, TypeError) as e:
            raise JournalError(f"{self.path} holds no snapshot positions: {e!r}") from e
        return tuple(p for p in found if self._holds(p))

    def save(self, positions: Sequence[Position]) -> None:
        """Write durably: temporary file, sync, rename.

        Raises
        ------
        JournalError
            If it cannot be written; the last one then still stands.
        """
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.new")
        try:
            with temporary.open("w", encoding="ascii") as out:
                json.dump({"snapshots": [{"offset": p.offset, "next_seq": p.next_seq} for p in positions[-KEPT:]]}, out)
                out.flush()
                os.fsync(out.fileno())
            temporary.replace(self.path)
        except OSError as e:
            raise JournalError(f"snapshot positions {self.path} cannot be written: {e}") from e

    def _holds(self, position: Position) -> bool:
        """A frame that opens a snapshot stands there, under that sequence number."""
        try:
            reader = JournalReader(self._journal, position)
        except JournalError:
            return False
        first = reader.read(1)[:1]
        is_next = not reader.problems
        return is_next and bool(len(first)) and int(first["kind"][0]) == EventKind.CLEAR and bool(first["flags"][0] & EventFlag.RECAP)
