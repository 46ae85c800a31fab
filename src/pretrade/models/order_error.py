# SPDX-License-Identifier: Apache-2.0
"""The order-error model: rows of arriving orders to the probability that an order is a mistake.

The features are the gate's own kernel, run over a batch. A saved folder holds LightGBM's text model, rows with the raw scores
LightGBM gave them, and a card; the native scorer loads it and refuses it where one bit differs.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade._native.models import OrderErrorScorer, OrderRows
from pretrade.domain.errors import ModelError

if TYPE_CHECKING:
    import lightgbm

UNDEFINED: Final = -(2**63)
"""A price nobody knows."""
_HEAD: Final = np.dtype(
    {
        "names": ["instrument", "trader", "strategy", "side", "is_position_known", "pad"],
        "formats": ["<u4", "<u4", "<u4", "u1", "u1", "<u2"],
    }
)
_WORDS: Final = (
    *("quantity", "price", "tick_size", "bid", "ask", "nbbo_bid", "nbbo_ask", "depth", "volume_1m", "adv"),
    *("reference_age", "position", "mono", "utc"),
)
ORDER: Final = np.dtype(
    [(name, _HEAD[name]) for name in _HEAD.names or ()]
    + [(name, "<i8") for name in _WORDS]
    + [("notional", "<f8"), ("rv_1m", "<f4"), ("anomaly", "<f4")]
)
"""One arriving order as the kernel reads it, 144 bytes; see ``crates/score/src/arrival.rs``."""
FEATURES: Final = tuple(OrderRows.names())
MONOTONE: Final = tuple(OrderRows.monotone())
_FORMAT: Final = 1
_CHECK_ROWS: Final = 1_000


def order_rows(orders: NDArray[Any], is_accepted: NDArray[np.bool_], *, instruments: int, traders: int, strategies: int) -> NDArray[np.float32]:
    """Features of orders in their order of arrival.

    Parameters
    ----------
    orders
        Records of :data:`ORDER`, shape ``(n,)``; instrument, trader and strategy count from 0.
    is_accepted
        Whether the order was accepted and so becomes a habit, shape ``(n,)``.
    instruments, traders, strategies
        Sizes of the directory.

    Returns
    -------
    ndarray
        Rows ``(n, 24)`` in the order of :data:`FEATURES`; NaN where a feature is unknown.

    Raises
    ------
    ModelError
        If the records are of another type or name somebody outside the directory.

    Notes
    -----
    Row ``i`` knows the orders before it and the market at its arrival: it is known when order ``i`` arrives.
    """
    if orders.dtype != ORDER:
        raise ModelError(f"orders have the type {orders.dtype}; the kernel reads {ORDER}")
    kernel = OrderRows(instruments, traders, strategies)
    try:
        return kernel.rows(orders.tobytes(), np.ascontiguousarray(is_accepted, dtype=np.bool_)).reshape(-1, len(FEATURES))
    except ValueError as e:
        raise ModelError(f"orders cannot be made rows: {e}") from e


def save(booster: lightgbm.Booster, rows: NDArray[np.float32], folder: Path, *, facts: dict[str, Any], card: dict[str, Any]) -> OrderErrorScorer:
    """Write a model folder and load it as the gate will.

    Parameters
    ----------
    booster
        A binary LightGBM model over :data:`FEATURES`.
    rows
        Rows from which 1,000 are stored with their raw scores.
    folder
        Where to.
    facts
        ``prevalence_train``, ``prevalence_use`` and ``rule`` for the manifest.
    card
        What a reader must know.

    Raises
    ------
    ModelError
        If the model reads other features, or the native scorer does not give LightGBM's bits.
    """
    if tuple(booster.feature_name()) != FEATURES:
        raise ModelError(f"the model reads {booster.feature_name()}; the gate makes {list(FEATURES)}")
    step = max(len(rows) // _CHECK_ROWS, 1)
    kept = rows[::step][:_CHECK_ROWS]
    raw = np.asarray(booster.predict(kept, raw_score=True, num_threads=1))
    lines = [",".join([*FEATURES, "raw"])]
    lines += [",".join([*(_short(v) for v in row), repr(float(score))]) for row, score in zip(kept, raw, strict=True)]
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "model.txt": booster.model_to_string(),
        "check.csv": "\n".join(lines) + "\n",
        "card.json": json.dumps(card, indent=1, sort_keys=True) + "\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    hashes = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()}
    manifest = {"format": _FORMAT, "kind": "order_error", "files": hashes, **facts}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    return load(folder)


def load(folder: Path) -> OrderErrorScorer:
    """Load a model folder; its hashes and every stored row are checked.

    Raises
    ------
    ModelError
        If a file is absent, changed or malformed, a stored row scores otherwise than in LightGBM, or the features are not the gate's.
    """
    try:
        scorer = OrderErrorScorer(folder)
    except ValueError as e:
        raise ModelError(str(e)) from e
    if tuple(scorer.features) != FEATURES:
        raise ModelError(f"order-error model {folder} reads {scorer.features}; the gate makes {list(FEATURES)}")
    return scorer


def check_rows(folder: Path) -> NDArray[np.float32]:
    """The rows a model folder stores, ``(n, 24)``."""
    return np.loadtxt(folder / "check.csv", dtype=np.float32, delimiter=",", skiprows=1)[:, : len(FEATURES)]


def starter() -> Path:
    """Folder of the starter model in the package. It was trained on a synthetic desk and knows nobody's orders."""
    return Path(__file__).parent / "shipped/order-error-starter"


def _short(value: np.float32) -> str:
    """The shortest decimal that reads back as the same 32 bits."""
    return "NaN" if np.isnan(value) else np.format_float_positional(value, unique=True, trim="-") if abs(value) < 1e9 else repr(float(value))
