# SPDX-License-Identifier: Apache-2.0
"""Figures of the order-error study from its stored predictions alone, each with an interval."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade.domain.errors import MissingExtraError, ValidationError
from pretrade.models import mistakes
from pretrade.models.order_contenders import BUDGETS, CONFIGURATIONS, UNIONS
from pretrade.validation.order_study import stop_bits

CONTENDERS: Final = (*(n for n in CONFIGURATIONS if n != "monotone_no_anomaly"), "monotone_no_anomaly", *UNIONS)
GROUPS: Final = {"all kinds": mistakes.KINDS, "kinds on record": mistakes.SHEET}
_REPLICATES: Final = 500
Interval = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Predictions:
    """Stored out-of-fold predictions of one source."""

    facts: dict[str, Any]
    columns: dict[str, NDArray[Any]]
    """``fold``, ``firm``, ``day``, ``kind`` and a score a contender, one row an order that was kept."""

    @property
    def block(self) -> NDArray[np.int64]:
        """Number of each row's block: firm and day within a fold."""
        keys = [(f["fold"], b["firm"], b["day"]) for f in self.facts["folds"] for b in f["blocks"]]
        where = {key: i for i, key in enumerate(keys)}
        rows = zip(self.columns["fold"].tolist(), self.columns["firm"].tolist(), self.columns["day"].tolist(), strict=True)
        return np.array([where.get(row, -1) for row in rows], np.int64)

    @property
    def good_orders(self) -> NDArray[np.int64]:
        """Good orders of each block."""
        return np.array([b["good"] for f in self.facts["folds"] for b in f["blocks"]], np.int64)

    @property
    def traders(self) -> NDArray[np.int64]:
        """Traders who were there in each block."""
        return np.array([b["traders"] for f in self.facts["folds"] for b in f["blocks"]], np.int64)

    def stops(self, contender: str, point: str) -> NDArray[np.bool_]:
        """Whether a contender stops each kept order, by the cuts of its fold's calibration block."""
        bit = stop_bits().index((contender, point))
        stopped: NDArray[np.bool_] = (self.columns["stops"] >> bit) & 1 == 1
        return stopped


def load(folder: Path, source: str) -> Predictions:
    """Read stored predictions, their hash compared.

    Raises
    ------
    ValidationError
        If the table is not the one the facts were written with.
    MissingExtraError
        If pyarrow is absent.
    """
    try:
        import pyarrow.parquet
    except ImportError as e:
        raise MissingExtraError("pyarrow", "store") from e
    facts = json.loads((folder / f"{source}.json").read_text(encoding="utf-8"))
    path = folder / f"{source}.parquet"
    if hashlib.sha256(path.read_bytes()).hexdigest() != facts["predictions"]:
        raise ValidationError(f"{path} is not the table that {source}.json was written with")
    table = pyarrow.parquet.read_table(path)
    return Predictions(facts, {name: table.column(name).to_numpy() for name in table.column_names})


def summary(predictions: Predictions) -> dict[str, Any]:
    """Everything a page shows, JSON-ready; an interval is value, low, high (95 %, blocks of firm and day drawn again)."""
    of = {name: {point: _measured(predictions, name, point) for point in BUDGETS} for name in CONTENDERS}
    good, traders = int(predictions.good_orders.sum()), int(predictions.traders.sum())
    return {
        "source": predictions.facts["source"],
        "injector": predictions.facts["injector"],
        "good_orders": good,
        "trader_days": traders,
        "blocks": len(predictions.good_orders),
        "contenders": of,
        "anomaly_score_adds": {p: _difference(predictions, "monotone", "monotone_no_anomaly", p) for p in BUDGETS},
        "constraints_cost": {p: _difference(predictions, "rule_or_trees", "rule_or_monotone", p) for p in BUDGETS},
        "calibration": _calibration(predictions),
        "left_out": _left_out(predictions),
        "champion": champion(of),
        "folds": [{k: fold[k] for k in fold if k not in ("blocks", "shifts", "data", "models")} for fold in predictions.facts["folds"]],
    }


def champion(of: dict[str, Any]) -> str:
    """Highest recall over all kinds at HOLD, among those whose rate of good orders stopped is not shown to exceed the budget twofold."""
    kept = [n for n in of if of[n]["hold"]["stopped_per_100000"][1] <= 2 * BUDGETS["hold"] * 1e5]
    return max(kept, key=lambda n: of[n]["hold"]["recall"]["all kinds"][0])


def _measured(predictions: Predictions, contender: str, point: str) -> dict[str, Any]:
    stopped, kind, block = predictions.stops(contender, point), predictions.columns["kind"], predictions.block
    weights = _weights(len(predictions.good_orders))
    hits = np.bincount(block[(kind == 0) & stopped & (block >= 0)], minlength=weights.shape[1])
    by_kind = {}
    curves = {}
    for i, name in enumerate(mistakes.NAMES):
        if i:
            curves[name] = _recalls(stopped, kind == i, block, weights)
            by_kind[name] = _interval(curves[name])
    out: dict[str, Any] = {
        "stopped": int(hits.sum()),
        "stopped_per_100000": _interval(weights @ hits / (weights @ predictions.good_orders) * 1e5),
        "stopped_per_trader_day": _interval(weights @ hits / (weights @ predictions.traders)),
        "recall": {group: _interval(np.nanmean([curves[k] for k in kinds], axis=0)) for group, kinds in GROUPS.items()},
        "by_kind": by_kind,
    }
    # Seen n times of m, the rate lies below (n + 3 sqrt(n) + 3) / m or so; exact: the chi-squared bound of Garwood (1936).
    out["stopped_at_most_per_100000"] = _garwood(int(hits.sum())) / float(predictions.good_orders.sum()) * 1e5
    return out


def _garwood(count: int) -> float:
    """Upper 97.5 % bound of a Poisson mean, by bisection of its distribution function."""
    low, high = float(count), count + 10 * np.sqrt(count + 1.0) + 10
    for _ in range(60):
        mean = (low + high) / 2
        term = np.exp(-mean) * np.cumprod(np.concatenate([[1.0], mean / np.arange(1, count + 1)])).sum()
        low, high = (mean, high) if term > 0.025 else (low, mean)
    return float(high)


def _weights(blocks: int) -> NDArray[np.float64]:
    """First every block once, then how often each is drawn in each replicate."""
    drawn = np.random.default_rng(0).multinomial(blocks, np.full(blocks, 1 / blocks), _REPLICATES)
    return np.concatenate([np.ones((1, blocks)), drawn.astype(np.float64)])


def _recalls(stopped: NDArray[np.bool_], mine: NDArray[np.bool_], block: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    known = mine & (block >= 0)
    caught = np.bincount(block[known & stopped], minlength=weights.shape[1])
    there = np.bincount(block[known], minlength=weights.shape[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        share: NDArray[np.float64] = weights @ caught / (weights @ there)
    return share


def _interval(curve: NDArray[np.float64]) -> Interval:
    """Value over all blocks and 95 % of the replicates."""
    low, high = np.nanquantile(curve[1:], (0.025, 0.975)) if np.isfinite(curve[1:]).any() else (np.nan, np.nan)
    return float(curve[0]), float(low), float(high)


def _difference(predictions: Predictions, one: str, other: str, point: str) -> Interval:
    """Recall over all kinds of one less that of the other, on the same blocks."""
    kind, block, weights = predictions.columns["kind"], predictions.block, _weights(len(predictions.good_orders))
    both = []
    for name in (one, other):
        stopped = predictions.stops(name, point)
        both.append(np.nanmean([_recalls(stopped, kind == mistakes.NAMES.index(k), block, weights) for k in mistakes.KINDS], axis=0))
    return _interval(both[0] - both[1])


def _calibration(predictions: Predictions) -> dict[str, dict[str, Any]]:
    """Mean probability over the true rate, good orders and mistakes mixed at each prevalence."""
    blocks = [b for f in predictions.facts["folds"] for b in f["blocks"]]
    weights, good = _weights(len(blocks)), predictions.good_orders
    out: dict[str, dict[str, Any]] = {}
    for name in blocks[0]["means"]:
        out[name] = {}
        for text in blocks[0]["means"][name]:
            rate = float(text)
            calm, wrong = (np.array([b["means"][name][text][i] for b in blocks]) for i in (0, 1))
            mean = ((1 - rate) * (weights @ (calm * good)) + rate * (weights @ (wrong * good))) / (weights @ good)
            folds = {}
            for fold in predictions.facts["folds"]:
                mine = [b["means"][name][text] for b in fold["blocks"]]
                n = np.array([b["good"] for b in fold["blocks"]])
                a, w = (np.average([m[i] for m in mine], weights=n) for i in (0, 1))
                folds[str(fold["fold"])] = float(((1 - rate) * a + rate * w) / rate)
            out[name][text] = {"mean_over_true": _interval(mean / rate), "by_fold": folds}
    return out


def _left_out(predictions: Predictions) -> dict[str, Any]:
    """Share caught of each kind that the fit did not know, beside the same fold's share where it did."""
    last = predictions.facts["folds"][-1]["fold"]
    at = predictions.columns["fold"] == last
    stopped = {p: predictions.stops("rule_or_monotone", p) for p in BUDGETS}
    out = {}
    for name, told in predictions.facts["left_out"].items():
        mine = at & (predictions.columns["kind"] == mistakes.NAMES.index(name))
        n = max(told["mistakes"], 1)
        out[name] = {
            p: {"left_out": wilson(told["caught"][p], n), "known": wilson(int(stopped[p][mine].sum()), max(int(mine.sum()), 1))} for p in BUDGETS
        }
    return out


def wilson(caught: int, of: int) -> Interval:
    """Share and its 95 % interval (Wilson 1927)."""
    z2, p = 1.959964**2, caught / of
    middle, half = (p + z2 / (2 * of)) / (1 + z2 / of), 1.959964 * np.sqrt(p * (1 - p) / of + z2 / (4 * of**2)) / (1 + z2 / of)
    return float(p), max(float(middle - half), 0.0), min(float(middle + half), 1.0)
