# SPDX-License-Identifier: Apache-2.0
"""The sidecar's checkpoint: one file, replaced whole, that says what it is of and is taken for nothing else."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pretrade import __version__
from pretrade.bus import JournalReader, Position
from pretrade.domain import Config, Instrument
from pretrade.domain.errors import JournalError
from pretrade.models import AnomalyModel

FORMAT: Final = 2
_JOURNAL_HEAD: Final = 65_536


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """State behind an input position.

    Parameters
    ----------
    position
        Of the market journal: everything before it is in the state, nothing after it.
    pipeline
        Plain values: score stream, tiers, limits.
    engine
        Bytes of the feature engine: books, windows, baselines.
    """

    position: Position
    pipeline: Mapping[str, Any]
    engine: bytes


class CheckpointFile:
    """Saves and loads checkpoints of one sidecar.

    Parameters
    ----------
    path
        The file.
    config, instruments, model
        What the state is of; a checkpoint of anything else is refused.
    journal
        The market journal the position is in.
    """

    def __init__(self, path: Path, config: Config, instruments: Sequence[Instrument], model: AnomalyModel, journal: Path) -> None:
        self.path = path
        self._journal = journal
        self._of = {
            "format": FORMAT,
            "version": __version__,
            "config_hash": config.hash,
            "model": model.id,
            "instruments": [i.instrument_id for i in instruments],
        }

    def save(self, checkpoint: Checkpoint) -> None:
        """Write durably: temporary file, sync, rename, sync of the folder.

        Raises
        ------
        JournalError
            If it cannot be written; the last one then still stands.
        """
        pipeline = json.dumps(checkpoint.pipeline, sort_keys=True).encode()
        head = {
            **self._of,
            "position": list(checkpoint.position),
            "journal": self._journal_head(checkpoint.position),
            "pipeline_bytes": len(pipeline),
            "engine_bytes": len(checkpoint.engine),
        }
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.new")
        try:
            with temporary.open("wb") as out:
                out.write(_line({**head, "sha256": _digest(head, pipeline, checkpoint.engine)}))
                out.write(pipeline)
                out.write(checkpoint.engine)
                out.flush()
                os.fsync(out.fileno())
            temporary.replace(self.path)
            _sync_folder(self.path.parent)
        except OSError as e:
            raise JournalError(f"checkpoint {self.path} cannot be written: {e}") from e

    def load(self) -> Checkpoint | None:
        """The last checkpoint; ``None`` where there is none.

        Raises
        ------
        JournalError
            If the file is damaged, of another format, version, configuration, model, set of instruments, or of another journal.
        """
        try:
            with self.path.open("rb") as file:
                line, rest = file.readline(), file.read()
        except FileNotFoundError:
            return None
        except OSError as e:
            raise JournalError(f"checkpoint {self.path} cannot be read: {e}") from e
        try:
            head = json.loads(line)
            told, at = head.pop("sha256"), int(head["pipeline_bytes"])
            pipeline, engine = rest[:at], rest[at:]
            is_whole = len(engine) == int(head["engine_bytes"]) and told == _digest(head, pipeline, engine)
            position = Position(*map(int, head["position"]))
        except (ValueError, KeyError, TypeError, AttributeError) as e:
            raise JournalError(f"checkpoint {self.path} is damaged: {e!r}") from e
        if not is_whole:
            raise JournalError(f"checkpoint {self.path} is damaged: its {len(line) + len(rest)} bytes do not match their hash")
        for name, ours in self._of.items():
            if head.get(name) != ours:
                raise JournalError(f"checkpoint {self.path} is of {name} {head.get(name)}; this sidecar has {ours}")
        if head.get("journal") != self._journal_head(position):
            raise JournalError(f"checkpoint {self.path} is of another journal than {self._journal}")
        return Checkpoint(position, json.loads(pipeline), engine)

    def _journal_head(self, position: Position) -> str | None:
        """Hash over the first frames, which never change; ``None`` where the journal ends before the position."""
        first = JournalReader(self._journal).position.offset
        with self._journal.open("rb") as file:
            if file.seek(0, os.SEEK_END) < position.offset:
                return None
            file.seek(first)
            return hashlib.sha256(file.read(min(_JOURNAL_HEAD, position.offset - first))).hexdigest()


def _line(head: Mapping[str, Any]) -> bytes:
    return json.dumps(head, sort_keys=True).encode() + b"\n"


def _digest(head: Mapping[str, Any], pipeline: bytes, engine: bytes) -> str:
    digest = hashlib.sha256(_line(head))
    digest.update(pipeline)
    digest.update(engine)
    return digest.hexdigest()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
