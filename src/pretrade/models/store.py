# SPDX-License-Identifier: Apache-2.0
"""Models on disk: one folder of plain files, checked against stored rows at every load; nothing is ever unpickled."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from pretrade.domain import Config
from pretrade.domain.errors import ModelError
from pretrade.features import VECTOR
from pretrade.models import onnx_graph
from pretrade.models.anomaly import Anomaly
from pretrade.models.systemic import Systemic

FORMAT: Final = 3
PARAMETERS: Final = "model.json"
GRAPH: Final = "model.onnx"
CHECK_ROWS: Final = 1_000
_TOLERANCE: Final = 1e-6


def content_id(model: Anomaly) -> str:
    """First 16 hex digits of the SHA-256 over everything fitted."""
    return hashlib.sha256(json.dumps(model.as_dict(), sort_keys=True).encode()).hexdigest()[:16]


def save(model: Anomaly, folder: Path) -> None:
    """Write a model as plain files.

    ``model.json`` holds the parameters and is what scores; ``model.onnx`` holds the same core for other programs, where the model has
    one and onnx is installed; ``check.npz`` 1,000 rows and their raw values; ``card.json`` what a reader must know, with the hashes of
    both; ``manifest.json`` the hashes of all.

    Raises
    ------
    ModelError
        If the folder cannot be written.
    """
    z = np.random.default_rng(0).normal(size=(CHECK_ROWS, len(VECTOR))) * 2.0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / PARAMETERS).write_text(json.dumps(model.as_dict(), sort_keys=True))
        (folder / GRAPH).unlink(missing_ok=True)
        graph = model.graph()
        if graph is not None and onnx_graph.is_available():
            (folder / GRAPH).write_bytes(graph.as_bytes(len(VECTOR)))
        model.files = {name: _hash(folder / name) for name in (PARAMETERS, GRAPH) if (folder / name).exists()}
        (folder / "card.json").write_text(json.dumps(model.card(), indent=1, sort_keys=True))
        np.savez(folder / "check.npz", z=z, raw=model.parts(z).mean(axis=1))
        files = model.files | {name: _hash(folder / name) for name in ("card.json", "check.npz")}
        manifest = {"format": FORMAT, "id": model.id, "kind": model.kind, "files": files}
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True))
    except OSError as e:
        raise ModelError(f"model folder {folder} cannot be written: {e}") from e


def load_as(folder: Path, kinds: Mapping[str, type[Anomaly]], config: Config | None = None) -> Anomaly:
    """Read a folder back.

    Raises
    ------
    ModelError
        If a file is missing, changed or of another format, the check rows score otherwise, the ONNX graph (compared where onnx is
        installed) holds other weights, or budgets, cuts or evidence differ from those of ``config``.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
        if manifest["format"] != FORMAT:
            raise ModelError(f"model {folder} has format {manifest['format']}; this version reads {FORMAT}")
        for name, digest in manifest["files"].items():
            if _hash(folder / name) != digest:
                raise ModelError(f"model file {folder / name} was changed after it was saved")
        facts = json.loads((folder / PARAMETERS).read_text())
        kind = kinds.get(facts["kind"])
        if kind is None:
            raise ModelError(f"model {folder} is of kind {facts['kind']!r}; known are {', '.join(kinds)}")
        model = kind()
        model.restore(facts)
        check = np.load(folder / "check.npz", allow_pickle=False)
        z, raw = check["z"], check["raw"]
    except (OSError, KeyError, ValueError, TypeError) as e:
        raise ModelError(f"{folder} is no model folder: {e!r}") from e
    again = model.parts(z).mean(axis=1)
    worst = float(np.max(np.abs(again - raw) / np.maximum(np.abs(raw), 1e-9)))
    if not worst <= _TOLERANCE:
        raise ModelError(f"model {folder} scores its check rows off by {worst:.3g} relative; the bound is {_TOLERANCE:g}")
    model.files = {name: digest for name, digest in manifest["files"].items() if name in (PARAMETERS, GRAPH)}
    graph = model.graph()
    if GRAPH in model.files and graph is not None and onnx_graph.is_available():
        onnx_graph.check_weights((folder / GRAPH).read_bytes(), graph, str(folder / GRAPH))
    if config is not None:
        _refuse_other_settings(model, config, folder)
    return model


def _refuse_other_settings(model: Anomaly, config: Config, folder: Path) -> None:
    """A model keeps the cuts and the evidence it was fitted with; under another configuration they would rule unseen."""
    for section in ("anomaly", "evidence"):
        own, wanted = (dataclasses.asdict(getattr(c, section)) for c in (model.config, config))
        for name, value in own.items():
            if value != wanted[name]:
                raise ModelError(f"model {folder} was fitted with [{section}] {name} {value}; the configuration says {wanted[name]}: fit it again")
    if model.systemic is not None:
        _refuse_other_groups(model.systemic, config, folder)


def _refuse_other_groups(systemic: Systemic, config: Config, folder: Path) -> None:
    if systemic.config != config.systemic:
        raise ModelError(f"model {folder} was fitted with {systemic.config}; the configuration says {config.systemic}: fit it again")
    said = {g.group_id: {config.instrument(s).instrument_id for s in g.members} for g in config.groups}
    for group in systemic.groups:
        if not set(group.members) <= said.get(group.group_id, set()):
            raise ModelError(f"model {folder} knows group {group.group_id:#x} with {list(group.members)}; the configuration has other members")


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
