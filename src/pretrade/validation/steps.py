# SPDX-License-Identifier: Apache-2.0
"""Long work in steps: each result is written when it is there, so that a killed run goes on where it was."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pretrade.domain.errors import ValidationError


class Steps:
    """Named steps whose JSON results stand in a folder.

    Parameters
    ----------
    folder
        Where results go.
    key
        What they depend on, such as the hash of data and settings; results of another key are refused, never mixed.
    say
        Takes one line of progress.
    clock
        Seconds that only rise.
    """

    def __init__(self, folder: Path, key: str, *, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._folder, self._key, self._say, self._clock = folder, key, say, clock

    def run(self, names: Sequence[str], work: Callable[[str], dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Do the steps that have no result yet; results of all, by name.

        Raises
        ------
        ValidationError
            If the folder holds results of another key.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        out = {name: found for name in names if (found := self._read(name)) is not None}
        left = [name for name in names if name not in out]
        if out:
            self._say(f"{len(out)} of {len(names)} steps were there")
        begun = self._clock()
        for number, name in enumerate(left, 1):
            out[name] = work(name)
            self._write(name, out[name])
            spent = self._clock() - begun
            self._say(f"{name}: {number} of {len(left)}, {spent:.0f} s, about {spent / number * (len(left) - number):.0f} s left")
        return {name: out[name] for name in names}

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    def _read(self, name: str) -> dict[str, Any] | None:
        path = self._path(name)
        if not path.exists():
            return None
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["key"] != self._key:
            raise ValidationError(f"{path} is of another run ({stored['key'][:12]}, this is {self._key[:12]}); name another folder or remove it")
        result: dict[str, Any] = stored["result"]
        return result

    def _write(self, name: str, result: dict[str, Any]) -> None:
        path = self._path(name)
        beside = path.with_suffix(".part")
        with beside.open("w", encoding="utf-8") as file:
            json.dump({"key": self._key, "result": result}, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
