# SPDX-License-Identifier: Apache-2.0
"""Trains the starter order-error model on a made-up desk: ``python -m pretrade.models.starter_recipe FOLDER``, one thread, fixed seeds.

It shows the whole way from orders to a folder the gate loads, and knows nobody's orders: train on your own before you rely on it.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade._native.models import OrderErrorScorer
from pretrade.models import desk, order_error
from pretrade.models.order_contenders import LIGHTGBM, MASKED, TREES

TRAIN_SEEDS: Final = (11, 12, 13)
CUT_SEEDS: Final = (21, 22, 23, 24)
TEST_SEEDS: Final = (31, 32)
TRAIN_ORDERS: Final = 200_000
JUDGED_ORDERS: Final = 400_000
PREVALENCE_INJECTED: Final = 0.01
"""Of training orders; copies of duplicates and loops double it."""
PREVALENCE_USE: Final = 1e-4
PREVALENCE_JUDGED: Final = 1e-3
BUDGETS: Final = {"hold": 1e-4, "reject": 1e-5}
"""False-positive rate of rule and score together; each starts with half."""
OPTIONS: Final[dict[str, Any]] = LIGHTGBM | {"monotone_constraints": list(order_error.MONOTONE)}


@dataclass(frozen=True, slots=True)
class _Set:
    rows: NDArray[np.float32]
    kind: NDArray[np.int8]

    @property
    def is_error(self) -> NDArray[np.bool_]:
        return self.kind > 0


def _make(seeds: tuple[int, ...], orders: int, prevalence: float) -> _Set:
    """Rows of several desks, with the habits of each warm (its first day is left out)."""
    rows, kinds = [], []
    for seed in seeds:
        made = desk.make_desk(orders, prevalence=prevalence, seed=seed)
        own = order_error.order_rows(made.orders, made.is_accepted, instruments=desk.INSTRUMENTS, traders=desk.TRADERS, strategies=desk.STRATEGIES)
        rows.append(own[len(own) // 10 :])
        kinds.append(made.kind[len(own) // 10 :])
    return _Set(np.concatenate(rows), np.concatenate(kinds))


def rule_of(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The rule beside the trees: the larger of size and price deviation, each in its own usual spread; -inf where neither is known."""
    names = [order_error.FEATURES.index(name) for name in ("quantity_z", "aggression_volatility")]
    largest: NDArray[np.float32] = np.fmax(rows[:, names[0]], rows[:, names[1]])
    return np.where(np.isnan(largest), np.float32(-np.inf), largest)


def _cuts(rule: NDArray[np.float32], score: NDArray[np.float32], budget: float) -> tuple[float, float]:
    """Cuts of rule and score with equal budgets whose union meets the whole one, on good orders."""
    low, high = budget / 2, budget
    for _ in range(30):
        each = (low + high) / 2
        cuts = _quantile(rule, each), _quantile(score, each)
        union = float(np.mean((rule >= cuts[0]) | (score >= cuts[1])))
        low, high = (each, high) if union <= budget else (low, each)
    return _quantile(rule, low), _quantile(score, low)


def _quantile(values: NDArray[Any], share: float) -> float:
    """The smallest value that at most ``share`` of the values reach."""
    ordered = np.sort(values)
    allowed = math.floor(share * len(ordered))
    return float(np.nextafter(ordered[len(ordered) - 1 - allowed], np.inf, dtype=ordered.dtype))


def train(folder: Path) -> OrderErrorScorer:
    """Trains, fits both cuts, measures on desks never seen, and writes the folder."""
    import lightgbm

    sets = _make(TRAIN_SEEDS, TRAIN_ORDERS, PREVALENCE_INJECTED)
    masked = [order_error.FEATURES.index(name) for name in MASKED]
    x = sets.rows.copy()
    x[:, masked] = np.nan
    data = lightgbm.Dataset(x, sets.is_error, feature_name=list(order_error.FEATURES))
    booster = lightgbm.train(OPTIONS, data, TREES)
    share = float(sets.is_error.mean())
    shift = _logit(PREVALENCE_USE) - _logit(share)

    def scored(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        # In 32 bits, as the gate compares it: cuts between two values that round to one would cut nothing.
        raw = np.asarray(booster.predict(rows, raw_score=True, num_threads=1))
        return (1 / (1 + np.exp(-(raw + shift)))).astype(np.float32)

    cut = _make(CUT_SEEDS, JUDGED_ORDERS, PREVALENCE_JUDGED)
    good = cut.rows[~cut.is_error]
    rule, score = rule_of(good), scored(good)
    cuts = {name: _cuts(rule, score, budget) for name, budget in BUDGETS.items()}
    facts = {"prevalence_train": share, "prevalence_use": PREVALENCE_USE, "rule": {name: list(pair) for name, pair in cuts.items()}}
    test = _make(TEST_SEEDS, JUDGED_ORDERS, PREVALENCE_JUDGED)
    raw = np.asarray(booster.predict(test.rows, num_threads=1))
    card = _card(cuts, test, rule_of(test.rows), scored(test.rows), raw, share)
    card |= {"lightgbm": lightgbm.__version__, "train_rows": len(x), "prevalence_train": share}
    return order_error.save(booster, sets.rows, folder, facts=facts, card=card)


def large_model() -> str:
    """Text of 200 trees of 31 leaves over a small desk: what the larger of the two sizes of the speed table is measured on."""
    import lightgbm

    made = _make(TRAIN_SEEDS[:1], TRAIN_ORDERS // 5, PREVALENCE_INJECTED)
    options = OPTIONS | {"num_leaves": 31, "max_depth": -1, "max_bin": 255, "min_data_in_leaf": 5, "learning_rate": 0.02}
    data = lightgbm.Dataset(made.rows, made.is_error, feature_name=list(order_error.FEATURES))
    return str(lightgbm.train(options, data, 200).model_to_string())


def _logit(p: float) -> float:
    return math.log(p / (1 - p))


def _card(
    cuts: dict[str, tuple[float, float]],
    test: _Set,
    rule: NDArray[np.float32],
    score: NDArray[np.float32],
    raw: NDArray[np.float64],
    share: float,
) -> dict[str, Any]:
    """What a reader must know, measured on desks that neither trees nor cuts saw."""
    good, errors = ~test.is_error, test.is_error
    prevalence = float(errors.mean())
    odds = raw / (1 - raw) * np.exp(_logit(prevalence) - _logit(share))
    shifted = odds / (1 + odds)
    points = {}
    for name, (rule_cut, score_cut) in cuts.items():
        by_rule, by_score = rule >= rule_cut, score >= score_cut
        either = by_rule | by_score
        points[name] = {
            "score_cut": score_cut,
            "rule_cut": rule_cut,
            "budget": BUDGETS[name],
            "good_orders": int(good.sum()),
            "good_stopped": int(either[good].sum()),
            "good_stopped_per_100000": float(either[good].mean() * 1e5),
            "recall": float(either[errors].mean()),
            "recall_of_rule_alone": float(by_rule[errors].mean()),
            "recall_of_score_alone": float(by_score[errors].mean()),
            "recall_by_kind": {k: float(either[test.kind == i].mean()) for i, k in enumerate(desk.KINDS) if i and (test.kind == i).any()},
        }
    short = {name: {k: point[k] for k in ("recall", "good_orders", "good_stopped_per_100000")} for name, point in points.items()}
    return {
        "family": "order_error",
        "metrics": short | {"calibration": {"prevalence": prevalence, "mean_score": float(shifted.mean())}},
        "what": "starter order-error model: boosted trees and a rule, for HOLD and REJECT of control 34",
        "warning": "trained on a made-up desk; it knows nobody's orders and proves nothing about yours",
        "features": list(order_error.FEATURES),
        "monotone": list(order_error.MONOTONE),
        "masked": list(MASKED),
        "seeds": {"train": list(TRAIN_SEEDS), "cuts": list(CUT_SEEDS), "test": list(TEST_SEEDS)},
        "options": OPTIONS | {"trees": TREES},
        "operating_points": points,
        "calibration_on_test": {
            "prevalence": prevalence,
            "mean_unshifted": float(raw.mean()),
            "mean_shifted": float(shifted.mean()),
            "brier_unshifted": float(np.mean((raw - errors) ** 2)),
            "brier_shifted": float(np.mean((shifted - errors) ** 2)),
        },
    }


if __name__ == "__main__":
    train(Path(sys.argv[1]))
