# SPDX-License-Identifier: Apache-2.0
"""An ONNX file of somebody else is taken over only where it is what it must be."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from pretrade import features, models, simulation
from pretrade.conformance import check_model
from pretrade.domain import Config
from pretrade.domain.errors import ModelError
from pretrade.models import OnnxAnomaly, foreign, order_error

Nodes = list[Any]


def _save(
    path: Path,
    nodes: Nodes,
    constants: dict[str, NDArray[Any]],
    *,
    given: str = "z",
    shape: tuple[Any, ...] = ("n", 32),
    result: str = "raw",
    out: tuple[Any, ...] = ("n", 1),
    kind: int = TensorProto.FLOAT,
    opset: int = 17,
) -> Path:
    graph = helper.make_graph(
        nodes,
        "somebody's",
        [helper.make_tensor_value_info(given, kind, list(shape))],
        [helper.make_tensor_value_info(result, kind, list(out))],
        [numpy_helper.from_array(v, n) for n, v in constants.items()],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)]
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())
    return path


def _weights(*sizes: int) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(0)
    out: dict[str, NDArray[Any]] = {}
    for i, (a, b) in enumerate(pairwise(sizes)):
        out[f"w{i}"] = (rng.normal(size=(a, b)) * 0.2).astype(np.float32)
        out[f"b{i}"] = rng.normal(size=b).astype(np.float32)
    return out


def _network(path: Path, **options: Any) -> Path:
    nodes = [
        helper.make_node("Gemm", ["z", "w0", "b0"], ["h"]),
        helper.make_node("Relu", ["h"], ["a"]),
        helper.make_node("MatMul", ["a", "w1"], ["m"]),
        helper.make_node("Add", ["m", "b1"], ["raw"]),
    ]
    return _save(path, nodes, _weights(options.pop("width", 32), 16, 1), **options)


def _order(path: Path, *, fills_nan: bool = True, end: str = "Sigmoid") -> Path:
    nodes = [helper.make_node("IsNaN", ["rows"], ["gone"]), helper.make_node("Where", ["gone", "zero", "rows"], ["x"])] if fills_nan else []
    nodes += [helper.make_node("Gemm", ["x" if fills_nan else "rows", "w0", "b0"], ["h"]), helper.make_node(end, ["h"], ["probability"])]
    constants = _weights(24, 1) | ({"zero": np.zeros(1, np.float32)} if fills_nan else {})
    return _save(path, nodes, constants, given="rows", shape=("n", 24), result="probability")


def test_a_network_of_affine_layers_and_relu_runs_natively_and_as_onnx_runtime_says(tmp_path: Path) -> None:
    import onnxruntime

    # ReLU of ONNX Runtime hands NaN on, as the signature wants.
    model = foreign.load(_network(tmp_path / "m.onnx"), "anomaly")
    assert model.engine == "native"
    rows = np.random.default_rng(1).normal(size=(500, 32)).astype(np.float32)
    told = onnxruntime.InferenceSession((tmp_path / "m.onnx").read_bytes()).run(["raw"], {"z": rows})[0].reshape(-1)
    np.testing.assert_allclose(model.run(rows), told, rtol=1e-4, atol=1e-5)
    rows[3, 5] = np.nan
    assert np.isnan(model.run(rows)[3])


def test_what_the_kernel_cannot_do_runs_in_onnx_runtime(tmp_path: Path) -> None:
    nodes = [helper.make_node("Mul", ["z", "z"], ["s"]), helper.make_node("ReduceMean", ["s"], ["raw"], axes=[1], keepdims=1)]
    model = foreign.load(_save(tmp_path / "m.onnx", nodes, {}), "anomaly")
    assert model.engine == "onnxruntime"
    np.testing.assert_allclose(model.run(np.full((2, 32), 3.0, np.float32)), [9.0, 9.0])


def test_an_order_error_model_scores_unknown_features(tmp_path: Path) -> None:
    model = foreign.load(_order(tmp_path / "m.onnx"), "order_error")
    rows = order_error.check_rows(order_error.starter())
    scores = model.run(rows)
    assert np.isnan(rows).any()
    assert ((scores >= 0) & (scores <= 1)).all()
    assert model.facts()["engine"] == "onnxruntime"


def test_a_foreign_network_conforms_as_anomaly_model_and_comes_back_from_its_folder(tmp_path: Path, config: Config) -> None:
    path = _network(tmp_path / "m.onnx")
    calm = simulation.calm(0.2, seed=4, config=config)
    other = features.compute(simulation.flash_crash(seed=5, warm_up_s=150, story_s=20).events, config)

    class Wrapped(OnnxAnomaly):
        def __init__(self, config: Config | None = None) -> None:
            super().__init__(config)
            self._model, self._file = foreign.load(path, "anomaly"), path.read_bytes()

    assert check_model(Wrapped, calm, other) == []
    made = OnnxAnomaly.of(path, config).fit(calm)
    made.save(tmp_path / "folder")
    again = models.load(tmp_path / "folder", config)
    np.testing.assert_array_equal(again.score(other).score, made.score(other).score)
    facts = json.loads((tmp_path / "folder/model.json").read_text())
    facts["core"]["sha256"] = "0" * 64
    with pytest.raises(ModelError, match="it was saved as 0000"):
        OnnxAnomaly(config).restore(facts)


def _too_large(path: Path) -> Path:
    path.write_bytes(b"\0" * (foreign.MOST_BYTES + 1))
    return path


def _no_file_of_that_kind(path: Path) -> Path:
    path.write_bytes(b"this is no model at all, whatever its name says")
    return path


def _outside(path: Path) -> Path:
    model = onnx.load_from_string(_network(path).read_bytes())
    tensor = model.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../secrets"
    path.write_bytes(model.SerializeToString())
    return path


def _random(path: Path) -> Path:
    nodes = [helper.make_node("RandomNormalLike", ["z"], ["r"]), helper.make_node("ReduceMean", ["r"], ["raw"], axes=[1], keepdims=1)]
    return _save(path, nodes, {})


def _blind(path: Path) -> Path:
    """NaN becomes 0: an undefined row passes as calm."""
    nodes = [helper.make_node("IsNaN", ["z"], ["gone"]), helper.make_node("Where", ["gone", "zero", "z"], ["x"])]
    nodes += [helper.make_node("ReduceMean", ["x"], ["raw"], axes=[1], keepdims=1)]
    return _save(path, nodes, {"zero": np.zeros(1, np.float32)})


def _infinite(path: Path) -> Path:
    nodes = [helper.make_node("Exp", ["z"], ["e"]), helper.make_node("ReduceMean", ["e"], ["raw"], axes=[1], keepdims=1)]
    return _save(path, nodes, {})


def _over_the_batch(path: Path) -> Path:
    nodes = [helper.make_node("ReduceMean", ["z"], ["m"], axes=[0], keepdims=1), helper.make_node("Sub", ["z", "m"], ["d"])]
    nodes += [helper.make_node("ReduceMean", ["d"], ["raw"], axes=[1], keepdims=1)]
    return _save(path, nodes, {})


def _wide(path: Path) -> Path:
    return _save(path, [helper.make_node("Abs", ["z"], ["raw"])], {}, out=("n", 32))


@pytest.mark.parametrize(
    ("make", "family", "said"),
    [
        (lambda p: p, "anomaly", "cannot be read"),
        (_too_large, "anomaly", "at most 8,000,000 are read"),
        (_no_file_of_that_kind, "anomaly", "no ONNX file|no sound ONNX model"),
        (_outside, "anomaly", "keeps weights in another file"),
        (_random, "anomaly", "RandomNormalLike, which is not allowed"),
        (lambda p: _network(p, width=31, shape=("n", 31)), "anomaly", r"of shape \['n', 31\]; it must be \(n, 32\)"),
        (lambda p: _network(p, shape=(1, 32)), "anomaly", "with n left open"),
        (lambda p: _network(p, opset=8), "anomaly", "uses opset 8"),
        (_network, "order_error", r"takes \['z'\]; order_error takes \['rows'\]"),
        (_blind, "anomaly", "16 of 16 rows with NaN"),
        (_infinite, "anomaly", "not finite on finite rows"),
        (_over_the_batch, "anomaly", "otherwise alone than among others"),
        (_wide, "anomaly", r"raw of shape \(64, 32\)"),
        (lambda p: _order(p, fills_nan=False), "order_error", "where a feature is unknown"),
        (lambda p: _order(p, end="Identity"), "order_error", r"they must lie in \[0, 1\]"),
        (_network, "slippage", "family is 'slippage'"),
    ],
)
def test_what_is_not_as_documented_is_refused_with_its_reason(make: Callable[[Path], Path], family: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=said):
        foreign.load(make(tmp_path / "m.onnx"), family)


def test_another_result_name_is_refused(tmp_path: Path) -> None:
    nodes = [helper.make_node("ReduceMean", ["z"], ["score"], axes=[1], keepdims=1)]
    with pytest.raises(ModelError, match="must give 'raw'"):
        foreign.load(_save(tmp_path / "m.onnx", nodes, {}, result="score"), "anomaly")
