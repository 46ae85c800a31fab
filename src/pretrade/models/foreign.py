# SPDX-License-Identifier: Apache-2.0
"""Models of others: an ONNX file with a stated signature, tried before it is trusted, run natively where our kernel can.

Signatures (``docs/bring_your_own.md``): *anomaly* takes ``z`` ``(n, 32)``, normalised rows in the order of ``features.VECTOR``, and gives
``raw`` ``(n,)``, higher is farther from calm. *order_error* takes ``rows`` ``(n, 24)`` in the order of ``order_error.FEATURES``, NaN where a
feature is unknown, and gives ``probability`` ``(n,)``. Float32 in, float32 or float64 out. No file is parsed before its size and hash are known.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade._native.models import Mlp
from pretrade.domain.errors import MissingExtraError, ModelError
from pretrade.features import VECTOR
from pretrade.models.order_error import FEATURES

MOST_BYTES: Final = 8_000_000
OPSETS: Final = range(9, 22)
MATHS: Final = frozenset(
    {"Abs", "Add", "Cast", "Clip", "Concat", "Constant", "Div", "Exp", "Flatten", "Gather", "Gemm", "Identity", "IsNaN", "LeakyRelu", "Log", "MatMul"}
    | {
        "Max",
        "Mean",
        "Min",
        "Mul",
        "Neg",
        "Pow",
        "ReduceMax",
        "ReduceMean",
        "ReduceSum",
        "Relu",
        "Reshape",
        "Sigmoid",
        "Slice",
        "Softmax",
        "Softplus",
    }
    | {"Sqrt", "Squeeze", "Sub", "Sum", "Tanh", "Transpose", "Unsqueeze", "Where", "Or", "And", "Not", "Greater", "Less", "Equal"}
)
TREES: Final = frozenset({"TreeEnsembleClassifier", "TreeEnsembleRegressor", "Normalizer", "ZipMap", "ArrayFeatureExtractor"})
_TRIAL_ROWS: Final = 64
_NEAR: Final = 1e-5
Run = Callable[[NDArray[np.float32]], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Signature:
    """What goes in and what comes out."""

    family: str
    given: str
    width: int
    result: str
    takes_nan: bool
    """NaN is an unknown feature and gets a score; otherwise a row with NaN must give NaN."""
    is_probability: bool


SIGNATURES: Final = {
    "anomaly": Signature("anomaly", "z", len(VECTOR), "raw", takes_nan=False, is_probability=False),
    "order_error": Signature("order_error", "rows", len(FEATURES), "probability", takes_nan=True, is_probability=True),
}


@dataclass(frozen=True, slots=True)
class ForeignModel:
    """An ONNX file that passed every trial."""

    signature: Signature
    engine: str
    """``native`` or ``onnxruntime``."""
    digest: str
    """SHA-256 of the file."""
    run: Run
    """Rows ``(n, width)`` float32 to one float64 a row."""

    def facts(self) -> dict[str, Any]:
        """For a reader, JSON-ready."""
        return {"family": self.signature.family, "engine": self.engine, "sha256": self.digest, "width": self.signature.width}


def load(path: Path, family: str) -> ForeignModel:
    """Read, try and take over an ONNX file.

    Parameters
    ----------
    path
        The file; weights must be inside.
    family
        ``anomaly`` or ``order_error``.

    Raises
    ------
    ModelError
        If size, format, operators, signature or behaviour are not as documented; the message says which, the value and the bound.
    MissingExtraError
        If onnx or onnxruntime is not installed.

    Notes
    -----
    A chain of affine layers and ReLU is run by the native kernel, whose rows have the same bits alone and in a batch, after its scores
    were compared with ONNX Runtime's (1e-5 relative). Anything else runs in ONNX Runtime on one thread.
    """
    if family not in SIGNATURES:
        raise ModelError(f"family is {family!r}; known are {', '.join(SIGNATURES)}")
    signature = SIGNATURES[family]
    data = _bytes(path)
    graph = _graph(data, path)
    _check_operators(graph, signature, path)
    portable = _runtime(data, signature, path)
    _try(portable, signature, path)
    layers = None if signature.takes_nan else _chain(graph, signature)
    digest = hashlib.sha256(data).hexdigest()
    if layers is None:
        return ForeignModel(signature, "onnxruntime", digest, portable)
    native = _native(layers)
    _try(native, signature, path)
    rows = _rows(signature)
    worst = float(np.max(np.abs(native(rows) - portable(rows)) / np.maximum(np.abs(portable(rows)), 1e-3)))
    if not worst <= _NEAR:
        raise ModelError(f"{path}: the native kernel differs from ONNX Runtime by {worst:.3g} relative; the bound is {_NEAR:g}")
    return ForeignModel(signature, "native", digest, native)


def _bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise ModelError(f"{path} has {size:,} bytes; at most {MOST_BYTES:,} are read")
        return path.read_bytes()
    except OSError as e:
        raise ModelError(f"{path} cannot be read: {e}") from e


def _graph(data: bytes, path: Path) -> Any:  # noqa: ANN401 - an ONNX graph
    try:
        import onnx
    except ImportError as e:
        raise MissingExtraError("onnx", "research") from e
    try:
        model = onnx.load_from_string(data)
        versions = {o.domain or "ai.onnx": o.version for o in model.opset_import}
        if versions.get("ai.onnx", OPSETS[0]) not in OPSETS:
            raise ModelError(f"{path} uses opset {versions['ai.onnx']}; {OPSETS[0]} to {OPSETS[-1]} are read")
        if any(t.data_location == onnx.TensorProto.EXTERNAL or t.external_data for t in model.graph.initializer):
            raise ModelError(f"{path} keeps weights in another file; they must be inside")
        onnx.checker.check_model(model, full_check=True)
    except (ValueError, RuntimeError, onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as e:
        raise ModelError(f"{path} is no sound ONNX model: {str(e).splitlines()[0] if str(e) else type(e).__name__}") from e
    except Exception as e:
        if type(e).__name__ == "DecodeError":
            raise ModelError(f"{path} is no ONNX file: {e}") from e
        raise
    return model.graph


def _check_operators(graph: Any, signature: Signature, path: Path) -> None:  # noqa: ANN401 - an ONNX graph
    for node in graph.node:
        allowed = {"": MATHS, "ai.onnx": MATHS, "ai.onnx.ml": TREES}.get(node.domain, frozenset())
        if node.op_type not in allowed:
            raise ModelError(f"{path} uses the operator {node.domain or 'ai.onnx'}.{node.op_type}, which is not allowed here")
        if any(a.g.node or a.graphs for a in node.attribute):
            raise ModelError(f"{path} holds a graph inside {node.op_type}; loops and branches are not allowed here")
    stored = {t.name for t in graph.initializer}
    inputs = [i for i in graph.input if i.name not in stored]
    if [i.name for i in inputs] != [signature.given]:
        raise ModelError(f"{path} takes {[i.name for i in inputs]}; {signature.family} takes [{signature.given!r}]")
    tensor = inputs[0].type.tensor_type
    shape = [d.dim_value or d.dim_param or None for d in tensor.shape.dim]
    if len(shape) != 2 or isinstance(shape[0], int) or shape[1] != signature.width:
        raise ModelError(f"{path} takes {signature.given} of shape {shape}; it must be (n, {signature.width}) with n left open")
    if tensor.elem_type != 1:
        raise ModelError(f"{path} takes {signature.given} of ONNX type {tensor.elem_type}; it must be float32 (1)")
    if signature.result not in [o.name for o in graph.output]:
        raise ModelError(f"{path} gives {[o.name for o in graph.output]}; {signature.family} must give {signature.result!r}")


def _runtime(data: bytes, signature: Signature, path: Path) -> Run:
    try:
        import onnxruntime
    except ImportError as e:
        raise MissingExtraError("onnxruntime", "research") from e
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as e:  # its error classes derive from Exception alone
        raise ModelError(f"{path} cannot be run by ONNX Runtime: {str(e).splitlines()[0]}") from e

    def run(rows: NDArray[np.float32]) -> NDArray[np.float64]:
        try:
            out = np.asarray(session.run([signature.result], {signature.given: np.ascontiguousarray(rows, np.float32)})[0])
        except Exception as e:  # its error classes derive from Exception alone
            raise ModelError(f"{path} fails on {len(rows)} rows: {str(e).splitlines()[0]}") from e
        if out.shape not in ((len(rows),), (len(rows), 1)) or out.dtype.kind != "f":
            raise ModelError(f"{path} gives {signature.result} of shape {out.shape} and type {out.dtype}; it must be ({len(rows)},) of floats")
        return out.reshape(-1).astype(np.float64)

    return run


def _rows(signature: Signature) -> NDArray[np.float32]:
    """Trial rows: ordinary ones, extreme ones, zeros."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(_TRIAL_ROWS, signature.width)) * 2
    rows[-8:-4] *= 1e4
    rows[-4:] = 0.0
    return rows.astype(np.float32)


def _try(run: Run, signature: Signature, path: Path) -> None:
    """Finite on finite rows, in range, the same again, the same alone as among others, and honest about NaN."""
    rows = _rows(signature)
    told = run(rows)
    if not np.isfinite(told).all():
        raise ModelError(f"{path} gives {int((~np.isfinite(told)).sum())} of {len(rows)} scores that are not finite on finite rows")
    if signature.is_probability and ((told < 0) | (told > 1)).any():
        raise ModelError(f"{path} gives probabilities from {told.min():.4g} to {told.max():.4g}; they must lie in [0, 1]")
    if not np.array_equal(told, run(rows)):
        raise ModelError(f"{path} gives other scores when asked again")
    alone = np.concatenate([run(rows[i : i + 1]) for i in range(8)])
    if not np.allclose(alone, told[:8], rtol=_NEAR, atol=1e-7):
        raise ModelError(f"{path} scores a row otherwise alone than among others, by {np.max(np.abs(alone - told[:8])):.3g}")
    unknown = rows[:16].copy()
    unknown[np.arange(16), np.arange(16) % signature.width] = np.nan
    scores = run(unknown)
    if signature.takes_nan and not (np.isfinite(scores).all() and np.isfinite(run(np.full((1, signature.width), np.nan, np.float32))).all()):
        raise ModelError(f"{path} gives no score where a feature is unknown (NaN); every order must get one")
    if not signature.takes_nan and not np.isnan(scores).all():
        raise ModelError(
            f"{path} gives a score to {int((~np.isnan(scores)).sum())} of 16 rows with NaN; such a row must give NaN, or it would pass as calm"
        )


def _chain(graph: Any, signature: Signature) -> list[tuple[NDArray[np.float32], NDArray[np.float32], bool]] | None:  # noqa: ANN401
    """Weights ``(in, out)``, biases and whether ReLU follows, where the graph is such a chain and nothing else."""
    from onnx import helper, numpy_helper

    constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    layers: list[tuple[NDArray[np.float32], NDArray[np.float32], bool]] = []
    current, width, is_open = signature.given, signature.width, False
    for node in graph.node:
        if not node.input or node.input[0] != current:
            return None
        weights = constants.get(node.input[1]) if len(node.input) > 1 else None
        if node.op_type in ("MatMul", "Gemm") and weights is not None and not is_open:
            facts = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            if facts.get("alpha", 1.0) != 1.0 or facts.get("beta", 1.0) != 1.0 or facts.get("transA", 0):
                return None
            weights = weights.T if facts.get("transB", 0) else weights
            if weights.dtype != np.float32 or weights.ndim != 2 or weights.shape[0] != width:
                return None
            bias = constants.get(node.input[2]) if len(node.input) > 2 else None
            width, is_open = weights.shape[1], node.op_type == "MatMul"
            layers.append((np.ascontiguousarray(weights), np.zeros(width, np.float32) if bias is None else bias.reshape(-1), False))
        elif node.op_type == "Add" and is_open and weights is not None and weights.size == width:
            layers[-1], is_open = (layers[-1][0], weights.reshape(-1).astype(np.float32), False), False
        elif node.op_type == "Relu" and layers and not layers[-1][2]:
            layers[-1], is_open = (layers[-1][0], layers[-1][1], True), False
        else:
            return None
        current = node.output[0]
    return layers if layers and current == signature.result and width == 1 else None


def _native(layers: list[tuple[NDArray[np.float32], NDArray[np.float32], bool]]) -> Run:
    network = Mlp([(w.reshape(-1), np.ascontiguousarray(b), w.shape[0], w.shape[1], has_relu) for w, b, has_relu in layers])

    def run(rows: NDArray[np.float32]) -> NDArray[np.float64]:
        out = network.run(np.ascontiguousarray(rows, np.float64).reshape(-1))
        # ReLU swallows NaN (max ignores it): a row that is not whole has no score.
        return np.where(np.isnan(rows).any(axis=1), np.nan, out)

    return run
