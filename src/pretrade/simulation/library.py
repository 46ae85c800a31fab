# SPDX-License-Identifier: Apache-2.0
"""The scenario library: every file of ``families`` that defines ``FAMILY``, and a user's own by its path."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pretrade.domain.errors import SimulationError
from pretrade.simulation.scenario import Family

_FOLDER: Final = Path(__file__).parent / "families"


@dataclass(frozen=True, slots=True)
class Entry:
    """A family and the file that defines it."""

    family: Family
    path: Path

    @property
    def hash(self) -> str:
        """SHA-256 of the file, hexadecimal: part of what makes two results comparable."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


def entries() -> list[Entry]:
    """The families that ship, by number.

    Raises
    ------
    SimulationError
        If a file defines no family, or two have the same number or name.
    """
    found = sorted((read(path) for path in _FOLDER.glob("*.py") if path.name != "__init__.py"), key=lambda e: e.family.number)
    for key in ("number", "name"):
        values = [getattr(e.family, key) for e in found]
        again = {v for v in values if values.count(v) > 1}
        if again:
            raise SimulationError(f"{_FOLDER} has two families of the same {key}: {', '.join(map(str, sorted(again)))}")
    return found


def find(which: str) -> Entry:
    """A family by number, by name, or by the path of a Python file.

    Raises
    ------
    SimulationError
        If there is no such family.

    Examples
    --------
    >>> find("1").family.name, find("grind").family.number
    ('seller', 7)
    """
    if which.endswith(".py"):
        return read(Path(which))
    known = entries()
    for entry in known:
        if which in (str(entry.family.number), entry.family.name):
            return entry
    names = ", ".join(f"{e.family.number} ({e.family.name})" for e in known)
    raise SimulationError(f"there is no family {which!r}; known are {names}, or the path of a Python file that defines FAMILY")


def read(path: Path) -> Entry:
    """The family a file defines.

    Raises
    ------
    SimulationError
        If the file is absent, does not run, or defines no ``FAMILY``.
    """
    if not path.is_file():
        raise SimulationError(f"{path}: there is no such file")
    name = f"pretrade_family_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SimulationError(f"{path}: is no Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as e:
        raise SimulationError(f"{path}: does not run: {e!r}") from e
    family = getattr(module, "FAMILY", None)
    if not isinstance(family, Family):
        raise SimulationError(f"{path}: defines no FAMILY of pretrade.simulation.scenario.Family")
    return Entry(family, path)
