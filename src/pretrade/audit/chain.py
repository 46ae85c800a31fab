# SPDX-License-Identifier: Apache-2.0
"""The control journal: one JSON entry per frame, each carrying the hash of the one before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pretrade._native import audit as _native
from pretrade.domain.errors import JournalError

GENESIS: Final = "0" * 64
_FIRST_OFFSET: Final = 4096


@dataclass(frozen=True, slots=True)
class Entry:
    """One control action as recorded.

    ``seq`` counts from 0, ``ts`` is ns UTC, ``hash`` covers ``previous`` and ``seq``, ``ts`` and ``fields``.
    """

    seq: int
    ts: int
    fields: Mapping[str, Any]
    previous: str
    hash: str

    @property
    def action(self) -> str:
        """Name of the action."""
        return str(self.fields.get("action", ""))


def entry_hash(seq: int, ts: int, fields: Mapping[str, Any], previous: str) -> str:
    """SHA-256 of the previous hash and the canonical form of the entry, in hexadecimal."""
    return hashlib.sha256(previous.encode() + _canonical({"seq": seq, "ts": ts, "fields": dict(fields)})).hexdigest()


def decode(seq: int, payload: bytes) -> Entry:
    """Entry of one frame.

    Raises
    ------
    JournalError
        If the payload is not an entry.
    """
    try:
        raw = json.loads(payload)
        return Entry(int(raw["seq"]), int(raw["ts"]), dict(raw["fields"]), str(raw["previous"]), str(raw["hash"]))
    except (ValueError, KeyError, TypeError) as e:
        raise JournalError(f"control journal record {seq} is no entry: {e}") from e


def _canonical(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


class ControlJournal:
    """Append-only, durable, hash-chained record of what humans did.

    Parameters
    ----------
    path
        File on a disk that survives a reboot; made with the first entry.

    Notes
    -----
    The file lock is held only during :meth:`append`; writers serialise on the lock of the ``controls`` table.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = _FIRST_OFFSET
        self._next_seq = 0
        self._head = GENESIS

    @property
    def next_seq(self) -> int:
        """Sequence number of the next entry, as of the last :meth:`read_new` or :meth:`append`."""
        return self._next_seq

    @property
    def head(self) -> str:
        """Hash of the last entry read or appended; anchor it outside to locate a cut-off end."""
        return self._head

    def read_new(self) -> list[Entry]:
        """Entries since the last call, their chain checked.

        Raises
        ------
        JournalError
            If the journal is corrupt or an entry does not continue the chain.
        """
        if not self.path.exists():
            if self._next_seq:
                raise JournalError(f"{self.path}: is gone; {self._next_seq} entries were read from it")
            return []
        frames, offset, next_seq, problems = _native.read_frames(self.path, self._offset, self._next_seq)
        if problems:
            raise JournalError(problems[0])
        entries = []
        for seq, payload in frames:
            entry = decode(seq, payload)
            if entry.seq != seq or entry.previous != self._head or entry.hash != entry_hash(seq, entry.ts, entry.fields, entry.previous):
                raise JournalError(f"{self.path}: entry {seq} does not continue the chain from {self._head[:12]}")
            entries.append(entry)
            self._head = entry.hash
        self._offset, self._next_seq = offset, next_seq
        return entries

    def append(self, fields: Mapping[str, Any], *, ts: int) -> Entry:
        """Record an action; durable when this returns.

        Raises
        ------
        JournalError
            If the journal cannot be written, is corrupt, or was extended since the last :meth:`read_new`.
        """
        seq, previous = self._next_seq, self._head
        entry = Entry(seq, ts, dict(fields), previous, entry_hash(seq, ts, fields, previous))
        payload = _canonical({"seq": seq, "ts": ts, "fields": dict(fields), "previous": previous, "hash": entry.hash})
        self._offset, self._next_seq = _native.append_durable(self.path, payload, seq, ts)
        self._head = entry.hash
        return entry
