# SPDX-License-Identifier: Apache-2.0
"""The models that ship with the package: one folder each under ``shipped/``, listed, checked, compared and fitted again.

A folder holds its model (``manifest.json``, ``card.json``, check rows; text, JSON, ONNX or plain arrays, never a pickle) and
``shipped.json``: ``state``, ``recipe`` (``pretrade.room.module:function``, called with the folder to write) and ``content``, the hash
of all other files. Its id is the folder's name and the first twelve digits of that hash, so that a changed model is another model.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pretrade.domain.errors import ModelError

FOLDER: Final = Path(__file__).parent / "shipped"
STATES: Final = ("champion", "challenger", "starter", "baseline")
SUFFIXES: Final = (".json", ".txt", ".csv", ".onnx", ".npz")
FACTS: Final = "shipped.json"
_DIGITS: Final = 12


@dataclass(frozen=True, slots=True)
class Shipped:
    """One model of the package."""

    name: str
    """Name of its folder."""
    kind: str
    state: str
    """One of :data:`STATES`, among the models of its kind."""
    recipe: str
    content: str
    """SHA-256 over all its files but ``shipped.json``."""
    folder: Path

    @property
    def id(self) -> str:
        """Name and content."""
        return f"{self.name}@{self.content[:_DIGITS]}"

    def card(self) -> dict[str, Any]:
        """What a reader must know."""
        card: dict[str, Any] = json.loads((self.folder / "card.json").read_text(encoding="utf-8"))
        return card


@dataclass(frozen=True, slots=True)
class Reproduction:
    """A shipped model beside the one its recipe makes here."""

    id: str
    files: dict[str, bool]
    """Whether the bytes are the same, file by file."""

    @property
    def is_same(self) -> bool:
        """Whether every byte is the same."""
        return all(self.files.values())


def content_of(folder: Path) -> str:
    """SHA-256 over names and bytes of a folder's files, ``shipped.json`` apart.

    Raises
    ------
    ModelError
        If a file is of a kind that is not read here, such as a pickle.
    """
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.iterdir() if p.name != FACTS):
        if path.suffix not in SUFFIXES or not path.is_file():
            raise ModelError(f"{path} is no file of a model; those end in {', '.join(SUFFIXES)}")
        digest.update(f"{path.name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def seal(folder: Path, *, state: str, recipe: str) -> Shipped:
    """Write ``shipped.json`` for a folder whose model is finished.

    Raises
    ------
    ModelError
        If the state is unknown, the recipe is none of the package's, or the folder is no model.
    """
    _check_facts(folder, state, recipe)
    (folder / FACTS).write_text(json.dumps({"content": content_of(folder), "recipe": recipe, "state": state}, indent=1, sort_keys=True) + "\n")
    return read(folder)


def read(folder: Path) -> Shipped:
    """One shipped folder, its hashes compared.

    Raises
    ------
    ModelError
        If a file is absent, malformed or was changed.
    """
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        shipped = Shipped(folder.name, str(manifest["kind"]), facts["state"], facts["recipe"], facts["content"], folder)
        files = dict(manifest["files"])
    except (OSError, KeyError, ValueError, TypeError) as e:
        raise ModelError(f"{folder} is no shipped model: {e!r}") from e
    _check_facts(folder, shipped.state, shipped.recipe)
    if content_of(folder) != shipped.content:
        raise ModelError(f"shipped model {folder} was changed: its files hash to {content_of(folder)}, {FACTS} says {shipped.content}")
    for name, digest in files.items():
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
            raise ModelError(f"model file {folder / name} was changed after it was saved")
    return shipped


def shipped(folder: Path = FOLDER) -> list[Shipped]:
    """All models of the package, by name.

    Examples
    --------
    >>> "order-error-starter" in [m.name for m in shipped()]
    True
    """
    return [read(path) for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith("_")]


def find(name: str, folder: Path = FOLDER) -> Shipped:
    """The shipped model of a name, or of a whole id.

    Raises
    ------
    ModelError
        If there is none, or the id's content is not that of the folder.
    """
    models = shipped(folder)
    for model in models:
        if name in (model.name, model.id):
            return model
    raise ModelError(f"no shipped model is called {name!r}; there are {', '.join(m.id for m in models) or 'none'}")


def metrics(card: dict[str, Any]) -> dict[str, Any]:
    """The numbers of a card's ``metrics``, nested names joined by a dot.

    Examples
    --------
    >>> metrics({"metrics": {"hold": {"recall": 0.5}, "rows": 3}, "what": "model"})
    {'hold.recall': 0.5, 'rows': 3}
    """
    out: dict[str, Any] = {}

    def walk(prefix: str, value: object) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(f"{prefix}.{key}" if prefix else str(key), inner)
        else:
            out[prefix] = value

    walk("", card.get("metrics", {}))
    return out


def compare(models: list[Shipped]) -> list[dict[str, Any]]:
    """Metrics side by side, one row a metric, ``None`` where a card does not know it.

    Raises
    ------
    ModelError
        If the models are not of one kind or family: their metrics would not mean the same.
    """
    families = {family(m) for m in models}
    if len(families) > 1:
        raise ModelError(f"{', '.join(m.name for m in models)} are of {len(families)} families ({', '.join(sorted(families))}); compare one")
    known = {m.id: metrics(m.card()) for m in models}
    names = dict.fromkeys(name for told in known.values() for name in told)
    return [{"metric": name, **{m.id: known[m.id].get(name) for m in models}} for name in names]


def family(model: Shipped) -> str:
    """What a model is for: the card's ``family``, or its kind."""
    return str(model.card().get("family", model.kind))


def reproduce(model: Shipped, *, into: Path | None = None) -> Reproduction:
    """Fit a shipped model again by its recipe and compare bytes.

    Parameters
    ----------
    model
        Which.
    into
        Folder for the new one; a temporary one without it.

    Notes
    -----
    Same bytes are promised for one platform and one version of the libraries that the card names.
    """
    if into is None:
        with tempfile.TemporaryDirectory(prefix="pretrade-reproduce-") as temporary:
            return reproduce(model, into=Path(temporary) / model.name)
    _recipe(model.recipe)(into)
    ours = {p.name for p in model.folder.iterdir()} - {FACTS}
    theirs = {p.name for p in into.iterdir()} - {FACTS}
    return Reproduction(
        model.id, {n: n in ours & theirs and (model.folder / n).read_bytes() == (into / n).read_bytes() for n in sorted(ours | theirs)}
    )


def _recipe(recipe: str) -> Callable[[Path], object]:
    module, _, function = recipe.partition(":")
    try:
        made: Callable[[Path], object] = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as e:
        raise ModelError(f"recipe {recipe} cannot be run: {e}") from e
    return made


def _check_facts(folder: Path, state: str, recipe: str) -> None:
    if state not in STATES:
        raise ModelError(f"state of {folder} is {state!r}; known are {', '.join(STATES)}")
    module, _, function = recipe.partition(":")
    if not (module.startswith("pretrade.") and function.isidentifier()):
        raise ModelError(f"recipe of {folder} is {recipe!r}; write pretrade.room.module:function")
