# SPDX-License-Identifier: Apache-2.0
"""A model's core as an ONNX graph: normalised rows in, parts and raw value out; derived from ``model.json``, never read to score.

Input ``z`` is ``(n, 32)`` float64, normalised rows in the order of ``features.VECTOR``. Outputs are ``parts`` ``(n, 32)`` float64, not
negative, and ``raw`` ``(n,)`` float64, their mean. Normalising, smoothing, score map and evidence caps are not part of the graph.
"""

from __future__ import annotations

import importlib.util
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade.domain.errors import MissingExtraError, ModelError

OPSET: Final = 17
IR_VERSION: Final = 8
OUTPUTS: Final = ("parts", "raw")
_FLOAT: Final = 1
_DOUBLE: Final = 11
Array = NDArray[Any]


def is_available() -> bool:
    """The onnx package is installed."""
    return importlib.util.find_spec("onnx") is not None


class Graph:
    """Nodes in the order they run; each names its result, constants are initialisers."""

    def __init__(self) -> None:
        self.constants: dict[str, Array] = {}
        self.nodes: list[tuple[str, tuple[str, ...], str, dict[str, Any]]] = []

    def constant(self, name: str, value: Array) -> str:
        """A constant of the graph."""
        self.constants[name] = np.ascontiguousarray(value)
        return name

    def add(self, operator: str, *inputs: str, to: str, **attributes: Any) -> str:  # noqa: ANN401 - ONNX attributes
        """One operator."""
        self.nodes.append((operator, inputs, to, attributes))
        return to

    def cast(self, value: str, code: int, *, to: str) -> str:
        """Another type of number, by its ONNX code."""
        self.nodes.append(("Cast", (value,), to, {"to": code}))
        return to

    def residual_to_outputs(self, residual: str, quantile: NDArray[np.float64]) -> Graph:
        """Squared residuals in units of their calm quantile, and their mean."""
        unit = self.add("Div", residual, self.constant("quantile", quantile), to="units")
        parts = self.add("Mul", unit, unit, to="parts")
        self.add("ReduceMean", parts, to="raw", axes=[1], keepdims=0)
        return self

    def as_bytes(self, width: int, outputs: tuple[str, ...] = OUTPUTS) -> bytes:
        """The graph as a file, the same bytes for the same graph.

        Parameters
        ----------
        width
            Features of a row.
        outputs
            Results it gives, of float64; all but ``raw`` are as wide as a row.

        Raises
        ------
        MissingExtraError
            If onnx is not installed.
        """
        try:
            from onnx import TensorProto, checker, helper, numpy_helper
        except ImportError as e:
            raise MissingExtraError("onnx", "research") from e
        row: list[str | int] = ["n", width]
        given = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["n"] if name == "raw" else row) for name in outputs]
        graph = helper.make_graph(
            [helper.make_node(operator, list(inputs), [to], name=to, **attributes) for operator, inputs, to, attributes in self.nodes],
            "pretrade_anomaly",
            [helper.make_tensor_value_info("z", TensorProto.DOUBLE, row)],
            given,
            [numpy_helper.from_array(value, name) for name, value in self.constants.items()],
        )
        model = helper.make_model(graph, producer_name="pretrade", opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        checker.check_model(model, full_check=True)
        file: bytes = model.SerializeToString(deterministic=True)
        return file


def pca_graph(mean: NDArray[np.float64], basis: NDArray[np.float64], quantile: NDArray[np.float64]) -> Graph:
    """What :class:`~pretrade.models.PcaAnomaly` computes, in float64."""
    g = Graph()
    centred = g.add("Sub", "z", g.constant("mean", mean), to="centred")
    along = g.add("MatMul", centred, g.constant("basis", basis), to="along")
    rebuilt = g.add("MatMul", along, g.constant("basis_t", basis.T), to="rebuilt")
    return g.residual_to_outputs(g.add("Sub", centred, rebuilt, to="residual"), quantile)


def vae_graph(layers: list[tuple[NDArray[np.float32], NDArray[np.float32]]], latent: int, quantile: NDArray[np.float64]) -> Graph:
    """What :class:`~pretrade.models.VaeAnomaly` computes: float32 through the latent mean, float64 from the residual on."""
    g = Graph()
    x = g.cast("z", _FLOAT, to="input")
    for i, (w, b) in enumerate(layers):
        kept = latent if i == 2 else w.shape[1]
        product = g.add("MatMul", x, g.constant(f"w{i}", w[:, :kept]), to=f"product{i}")
        x = g.add("Add", product, g.constant(f"b{i}", b[:kept]), to=f"sum{i}")
        if i not in (2, len(layers) - 1):
            x = g.add("Relu", x, to=f"layer{i}")
    return g.residual_to_outputs(g.add("Sub", "z", g.cast(x, _DOUBLE, to="rebuilt"), to="residual"), quantile)


def check_weights(file: bytes, expected: Graph, where: str) -> None:
    """Compare a saved graph's weights and operators with those of the parameters that score.

    Raises
    ------
    ModelError
        If one differs by a bit.
    """
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_from_string(file).graph
    found = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    if found.keys() != expected.constants.keys():
        raise ModelError(f"{where} has weights {sorted(found)}; its parameters give {sorted(expected.constants)}")
    for name, value in expected.constants.items():
        if found[name].dtype != value.dtype or found[name].shape != value.shape or found[name].tobytes() != value.tobytes():
            raise ModelError(f"{where}: weights {name} are not those of the parameters that score")
    if [(n.op_type, tuple(n.input), tuple(n.output)) for n in graph.node] != [(o, i, (to,)) for o, i, to, _ in expected.nodes]:
        raise ModelError(f"{where} computes something else than the parameters that score")
