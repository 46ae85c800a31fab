# SPDX-License-Identifier: Apache-2.0
"""The saved graph, run by ONNX Runtime, says what our scorer says; and a graph that says something else is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pretrade import models, simulation
from pretrade.domain import Config
from pretrade.domain.errors import ModelError
from pretrade.features import VECTOR, Features
from pretrade.models import Anomaly, onnx_graph
from pretrade.models.store import _hash
from pretrade.models.vae import LATENT

onnx: Any = pytest.importorskip("onnx", reason="the research extra is absent")
runtime: Any = pytest.importorskip("onnxruntime", reason="the research extra is absent")
_MOST = {"pca": 1e-12, "vae": 1e-5}
_MEDIAN = {"pca": 1e-14, "vae": 3e-7}
"""Relative difference of raw values: float64 for PCA; for the VAE two float32 networks that add in other orders, squared."""


@pytest.fixture(scope="module")
def calm(config: Config) -> Features:
    return simulation.calm(0.3, seed=31, config=config)


@pytest.fixture(scope="module", params=["pca", "vae"])
def saved(request: pytest.FixtureRequest, calm: Features, tmp_path_factory: pytest.TempPathFactory) -> tuple[Anomaly, Path]:
    if request.param == "vae":
        pytest.importorskip("jax", reason="the research extra is absent")
    model = models.new(request.param).fit(calm)
    folder = tmp_path_factory.mktemp("models") / request.param
    model.save(folder)
    return model, folder


def _session(folder: Path) -> Any:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return runtime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])


def _assert_close(raw: NDArray[np.float64], own: NDArray[np.float64], kind: str) -> None:
    off = np.abs(raw / own - 1)
    assert off.max() <= _MOST[kind]
    assert np.median(off) <= _MEDIAN[kind]


@pytest.mark.parametrize("n", [1, 10_000])
def test_onnx_runtime_agrees_with_the_native_scorer(saved: tuple[Anomaly, Path], n: int) -> None:
    model, folder = saved
    z = np.random.default_rng(7).normal(size=(n, len(VECTOR))) * np.geomspace(0.3, 30.0, n)[:, None]
    parts, raw = _session(folder).run(["parts", "raw"], {"z": z})
    own = model.parts(z)
    _assert_close(raw, own.mean(axis=1), model.kind)
    assert np.max(np.abs(parts - own) / own.max(axis=1, keepdims=True)) <= _MOST[model.kind]


def test_onnx_runtime_agrees_on_calm_rows_too(saved: tuple[Anomaly, Path], calm: Features) -> None:
    model, folder = saved
    z = model.normaliser(calm)
    (raw,) = _session(folder).run(["raw"], {"z": z})
    _assert_close(raw, model.parts(z).mean(axis=1), model.kind)


@pytest.mark.parametrize("saved", ["vae"], indirect=True)
def test_the_native_network_is_as_exact_as_onnx_runtime(saved: tuple[Anomaly, Path], tmp_path: Path) -> None:
    model, _ = saved
    assert isinstance(model, models.VaeAnomaly)
    (tmp_path / "model.onnx").write_bytes(model.graph().as_bytes(len(VECTOR), ("rebuilt",)))
    z = np.random.default_rng(8).normal(size=(10_000, len(VECTOR))) * 2.0
    exact = z.astype(np.float32).astype(np.float64)
    for i, (w, b) in enumerate(model.layers):
        exact = exact @ w.astype(np.float64) + b
        exact = exact[:, :LATENT] if i == 2 else exact if i == 5 else np.maximum(exact, 0.0)
    (theirs,) = _session(tmp_path).run(["rebuilt"], {"z": z})
    own = model.scorer.run(z.reshape(-1)).reshape(z.shape)
    assert np.abs(own - exact).max() <= 1.5 * np.abs(theirs - exact).max()
    assert np.abs(own - exact).mean() <= 1.5 * np.abs(theirs - exact).mean()


def test_card_and_manifest_hold_the_hashes_of_both_files_and_saving_again_gives_the_same_bytes(saved: tuple[Anomaly, Path], tmp_path: Path) -> None:
    folder = saved[1]
    card = json.loads((folder / "card.json").read_text())
    hashes = {name: _hash(folder / name) for name in ("model.json", "model.onnx")}
    assert card["files"] == {"authoritative": "model.json", "sha256": hashes}
    again = models.load(folder)
    assert again.card()["files"] == card["files"]
    again.save(tmp_path / "again")
    for name in ("model.json", "model.onnx", "check.npz", "card.json"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes(), name


def test_a_graph_with_other_weights_is_refused(saved: tuple[Anomaly, Path], tmp_path: Path) -> None:
    model, _ = saved
    model.save(tmp_path / "m")
    graph = model.graph()
    assert graph is not None
    graph.constants["quantile"] = graph.constants["quantile"] * 1.01
    (tmp_path / "m" / "model.onnx").write_bytes(graph.as_bytes(len(VECTOR)))
    manifest = json.loads((tmp_path / "m" / "manifest.json").read_text())
    manifest["files"]["model.onnx"] = _hash(tmp_path / "m" / "model.onnx")
    (tmp_path / "m" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match="quantile are not those"):
        models.load(tmp_path / "m")


def test_without_onnx_a_model_is_saved_loaded_and_scored(saved: tuple[Anomaly, Path], calm: Features, tmp_path: Path) -> None:
    model, folder = saved
    z = model.normaliser(calm[:50])
    np.save(tmp_path / "z.npy", z)
    np.save(tmp_path / "raw.npy", model.parts(z))
    program = """
import sys
from pathlib import Path
for name in ("onnx", "onnxruntime", "jax", "scipy"):
    sys.modules[name] = None
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *a: None if name == "onnx" else find(name, *a)
import numpy as np
from pretrade import models
folder, out = Path(sys.argv[1]), Path(sys.argv[2])
model = models.load(folder)
assert np.array_equal(model.parts(np.load(out / "z.npy")), np.load(out / "raw.npy"))
model.save(out / "bare")
assert models.load(out / "bare").id == model.id
assert not (out / "bare" / "model.onnx").exists()
"""
    done = subprocess.run([sys.executable, "-c", program, str(folder), str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_rules_and_models_of_users_need_no_graph(calm: Features, tmp_path: Path) -> None:
    model = models.new("depth").fit(calm)
    model.save(tmp_path / "m")
    assert not (tmp_path / "m" / "model.onnx").exists()
    assert models.load(tmp_path / "m").id == model.id


def test_the_graph_follows_the_documented_signature(saved: tuple[Anomaly, Path]) -> None:
    graph = onnx.load(saved[1] / "model.onnx")
    assert graph.opset_import[0].version == onnx_graph.OPSET
    assert [i.name for i in graph.graph.input] == ["z"]
    assert [o.name for o in graph.graph.output] == ["parts", "raw"]
