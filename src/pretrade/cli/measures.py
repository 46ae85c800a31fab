# SPDX-License-Identifier: Apache-2.0
"""The benchmark suites: the gate's own, and what the rooms above it promise."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade import calibration, features, models, simulation
from pretrade._native import bench as _bench
from pretrade._native import features as _kernels
from pretrade._native.models import Trees
from pretrade.domain import Config
from pretrade.gateway import bench as gate_bench
from pretrade.models import order_error
from pretrade.models.onnx_graph import vae_graph
from pretrade.models.vae import LATENT, SIZES, Layer, network_of

_ROUNDS: Final = 7
_SLICES: Final = 600
_SECONDS: Final = 5.0
_FEW_ROUNDS: Final = 500
"""A fifth of a millisecond: short enough that most samples are not interrupted."""
Result = dict[str, Any]


def run(suite: str, *, full: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """Run a suite.

    Parameters
    ----------
    suite
        ``default``, ``gateway``, ``models``, ``feeds`` or ``simulator``.
    full
        1e9 concurrent look-ups instead of 1e8.
    say
        Called with one line of progress at a time.
    """
    if suite == "feeds":
        from pretrade.cli import feed_measures

        return feed_measures.run(say=say)
    if suite == "simulator":
        from pretrade.cli import venue_measures

        return venue_measures.run(say=say)
    say(f"measuring suite {suite}; a run takes a minute or two")
    if suite == "models":
        return gate_bench.report_of((order_error_score, order_error_score_200x31, vae_row, vae_10000_rows))
    extra = () if suite == "gateway" else (event_to_book, event_to_features, event_to_limit, order_error_score, vae_row, vae_10000_rows)
    return gate_bench.run(suite, extra=extra, torn_reads=1_000_000_000 if full else 100_000_000)


def _events() -> NDArray[Any]:
    return simulation.flash_crash(seed=1, warm_up_s=600, story_s=10).events


def _rate(name: str, seconds: list[float], n: int) -> Result:
    each = np.array(seconds) / n * 1e9
    middle = float(np.median(each))
    return {"name": name, "n": n * len(seconds), "min_ns": float(each.min()), "p50_ns": middle, "per_second": 1e9 / middle}


def event_to_book() -> Result:
    """One event into the order book, native, amortised."""
    events = _events()
    raw = events.tobytes()
    return _rate("event_to_book", [_kernels.time_book(raw, 3) * len(events) for _ in range(_ROUNDS)], len(events))


def event_to_features() -> Result:
    """One event through book and all features, rows and quotes records included, from Python, amortised."""
    config, events = Config.load(), _events()
    seconds = []
    for _ in range(_ROUNDS):
        engine = features.engine(config, (config.instrument("ES"),))
        begun = time.perf_counter()
        engine.push(events)
        seconds.append(time.perf_counter() - begun)
    return _rate("event_to_features", seconds, len(events))


def event_to_limit() -> Result:
    """A stressed instrument's event to its limit record: kernel, event-driven row, score, calibration; every event a new record."""
    config, events = Config.load(), _events()
    instrument = config.instrument("ES")
    engine = features.engine(config, (instrument,), with_quotes=False)
    rows = features.collect([events[:-2_000]], engine)
    stream = models.PcaAnomaly(config).fit(rows.calm()).stream()
    stream.update(rows[-20:])
    calibrator = calibration.Calibrator(config, [instrument.instrument_id])
    took = []
    for event in events[-2_000:].reshape(-1, 1):
        begun = time.perf_counter_ns()
        engine.push(event)
        row = engine.row_now(instrument.instrument_id, int(event["ts_recv"][0]))
        ts = int(event["ts_recv"][0])
        calibrator.update(stream.update(row), ts, ts)
        took.append(time.perf_counter_ns() - begun)
    return {
        "name": "event_to_limit",
        "n": len(took),
        "min_ns": float(min(took)),
        "p50_ns": float(np.median(took)),
        "p99_ns": float(np.quantile(took, 0.99)),
    }


def order_error_score() -> Result:
    """One row through the starter order-error model, native; beside LightGBM's own single-row call, where it is installed."""
    return _scored("order_error_score", (order_error.starter() / "model.txt").read_text(), order_error.check_rows(order_error.starter()))


def order_error_score_200x31() -> Result:
    """As :func:`order_error_score` with 200 trees of 31 leaves, trained on the spot; needs LightGBM."""
    name, rows = "order_error_score_200x31", order_error.check_rows(order_error.starter())
    try:
        from pretrade.models import starter_recipe

        return _scored(name, starter_recipe.large_model(), rows)
    except ImportError:
        return {"name": name, "missing": "lightgbm, extra research"}


def _scored(name: str, text: str, rows: NDArray[np.float32]) -> Result:
    trees, flat = Trees(text), rows.reshape(-1)
    ours = trees.time(flat, _SLICES, _SECONDS)
    result: Result = {"name": name, "n": int(ours["n"]), "trees": trees.trees}
    result |= {key: round(ours[key], 1) for key in ("min_ns", "p50_ns", "p99_ns", "kept")} | {"per_second": round(1e9 / ours["p50_ns"])}
    library = _lightgbm_library()
    if library is None:
        return result
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(text)
        file.flush()
        theirs = _bench.lightgbm_single_row(library, Path(file.name), flat, rows.shape[1], _SLICES, _SECONDS)
    is_same = trees.score(flat[: rows.shape[1]])[0] == theirs["score"]
    beside = {"floor": "LightGBM C API, single row fast", "floor_p50_ns": round(theirs["p50_ns"], 1), "same_score": bool(is_same)}
    return result | beside | {"ratio_p50": round(ours["p50_ns"] / theirs["p50_ns"], 3)}


def _lightgbm_library() -> Path | None:
    try:
        import lightgbm
    except ImportError:
        return None
    return next(Path(lightgbm.__file__).parent.rglob("lib_lightgbm.so"), None)


def _layers() -> list[Layer]:
    rng = np.random.default_rng(0)
    return [(rng.normal(size=(a, b)).astype(np.float32), np.zeros(b, np.float32)) for a, b in SIZES]


def vae_row() -> Result:
    """One row through the network of the VAE, native, alone."""
    row = np.random.default_rng(1).normal(size=SIZES[0][0])
    network = network_of(_layers())
    return _rate("vae_row", [network.time(row, _FEW_ROUNDS) for _ in range(30 * _ROUNDS)], 1)


def vae_10000_rows() -> Result:
    """Ten thousand rows through the network of the VAE, native; beside ONNX Runtime on one thread, where it is installed."""
    rows = np.random.default_rng(1).normal(size=(10_000, SIZES[0][0]))
    network, theirs = network_of(_layers()), _onnx_runtime()
    each, floor = [], []
    for _ in range(3 * _ROUNDS):
        each.append(network.time(rows.reshape(-1), 1) * 10_000 * 1e9)
        if theirs is not None:
            begun = time.perf_counter_ns()
            theirs(rows)
            floor.append(time.perf_counter_ns() - begun)
    middle = float(np.median(each))
    result: Result = {"name": "vae_10000_rows", "n": 10_000 * len(each), "min_ns": min(each), "p50_ns": middle, "per_second": 1e13 / middle}
    if floor:
        beside = float(np.median(floor))
        result |= {"floor": "onnxruntime, 1 thread", "floor_p50_ns": beside, "ratio_p50": middle / beside}
    return result


def _onnx_runtime() -> Callable[[NDArray[np.float64]], Any] | None:
    """The same network in ONNX Runtime, float64 rows in and out as ours; ``None`` without the research extra."""
    try:
        import onnxruntime
    except ImportError:
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    graph = vae_graph(_layers(), LATENT, np.ones(SIZES[0][0]))
    session = onnxruntime.InferenceSession(graph.as_bytes(SIZES[0][0], ("rebuilt",)), options, providers=["CPUExecutionProvider"])
    return lambda rows: session.run(None, {"z": rows})
