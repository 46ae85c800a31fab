# SPDX-License-Identifier: Apache-2.0
"""An append-only ledger of what was tried and scored, so that a card can say how often a test was looked at."""

from __future__ import annotations

import fcntl
import hashlib
import json
from pathlib import Path
from typing import Any, Final

from pretrade.domain.errors import ValidationError

FROZEN: Final = "frozen"
SCORED: Final = "scored"
TRIED: Final = "tried"
_FIRST: Final = "0" * 64


class Ledger:
    """Lines of JSON, each with the hash of the line before: a line taken out or changed is noticed.

    Parameters
    ----------
    path
        The file; absent, it begins with the first entry. One file a subject, so that two studies never write into one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def freeze(self, subject: str, digest: str) -> None:
        """Note that something, such as an injector, is fixed from here on."""
        self._append({"kind": FROZEN, "subject": subject, "digest": digest})

    def tried(self, subject: str, configuration: dict[str, Any]) -> None:
        """Note one fit of one configuration."""
        text = json.dumps(configuration, sort_keys=True)
        self._append({"kind": TRIED, "subject": subject, "configuration": text, "digest": _hash(text)})

    def scored(self, subject: str, file: str, digest: str, *, model: str) -> None:
        """Note that a model was scored on a file or test block.

        Parameters
        ----------
        subject
            Study, such as ``order_error``.
        file
            Name of what was scored, without its folder.
        digest
            Hash of its content.
        model
            Which model.
        """
        self._append({"kind": SCORED, "subject": subject, "file": file, "digest": digest, "model": model})

    def entries(self) -> list[dict[str, Any]]:
        """All entries, the chain verified.

        Raises
        ------
        ValidationError
            If a line was changed, taken out or cut.
        """
        if not self.path.exists():
            return []
        out, previous = [], _FIRST
        for number, line in enumerate(self.path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                entry = json.loads(line)
            except ValueError as e:
                raise ValidationError(f"{self.path}:{number} is no entry of a ledger: {e}") from e
            if not isinstance(entry, dict) or entry.get("previous") != previous:
                raise ValidationError(f"{self.path}:{number} does not follow the line before; the ledger was changed")
            out.append(entry)
            previous = _hash(line)
        return out

    def configurations(self, subject: str) -> int:
        """Different configurations tried."""
        return len({e["digest"] for e in self.entries() if e["kind"] == TRIED and e["subject"] == subject})

    def scorings(self, subject: str) -> dict[str, int]:
        """How often each file was scored."""
        out: dict[str, int] = {}
        for entry in self.entries():
            if entry["kind"] == SCORED and entry["subject"] == subject:
                out[entry["file"]] = out.get(entry["file"], 0) + 1
        return out

    def frozen(self, subject: str) -> str | None:
        """What was frozen last, ``None`` before."""
        found = [str(e["digest"]) for e in self.entries() if e["kind"] == FROZEN and e["subject"] == subject]
        return found[-1] if found else None

    def _append(self, entry: dict[str, Any]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            lines = file.read().splitlines()
            previous = _hash(lines[-1]) if lines else _FIRST
            file.write(json.dumps({**entry, "previous": previous}, sort_keys=True) + "\n")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
