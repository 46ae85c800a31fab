# SPDX-License-Identifier: Apache-2.0
"""What the order-error model must beat, on the same features and rows: a cap, rules, a regression, a forest, and trees without constraints.

Each contender gives one number an order, higher is worse. Each learner had the same number of trials, on the fit and calibration blocks of
the first fold alone (:mod:`pretrade.validation.order_tuning`); :data:`CHOSEN` is what came of it, and a test holds it to the stored trials.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade._native.models import Trees
from pretrade.models.order_error import FEATURES, MONOTONE

TREES: Final = 96
LIGHTGBM: Final[dict[str, Any]] = {
    "objective": "binary",
    "num_leaves": 16,
    "max_depth": 5,
    "max_bin": 63,
    "learning_rate": 0.1,
    "min_data_in_leaf": 10,
    "min_sum_hessian_in_leaf": 1e-4,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "seed": 1,
    "verbosity": -1,
}
MASKED: Final = ("decade_distance",)
"""Left out of the monotone trees: with it a larger order could score lower."""
FOREST: Final[dict[str, Any]] = {"n_estimators": 40, "max_depth": 12, "min_samples_leaf": 5, "random_state": 1, "n_jobs": 1}
LOGISTIC: Final[dict[str, Any]] = {"C": 1.0, "max_iter": 100}
_CAREFUL: Final = {"min_data_in_leaf": 40, "min_sum_hessian_in_leaf": 1.0, "lambda_l2": 5.0, "feature_fraction": 0.5}
_BAGGED: Final = {"bagging_fraction": 0.7, "bagging_freq": 1, "feature_fraction": 0.3}
_BOOSTED: Final[tuple[dict[str, Any], ...]] = (
    {},
    _CAREFUL,
    _CAREFUL | _BAGGED,
    {"min_data_in_leaf": 20, "min_sum_hessian_in_leaf": 0.1, "lambda_l2": 1.0, **_BAGGED},
)
TRIALS: Final[dict[str, tuple[dict[str, Any], ...]]] = {
    "logistic": ({}, {"C": 0.1}, {"C": 10.0}, {"class_weight": "balanced"}),
    "forest": ({}, {"min_samples_leaf": 2}, {"max_features": 0.5}, {"max_depth": 16, "min_samples_leaf": 2}),
    "trees": _BOOSTED,
    "monotone": _BOOSTED,
}
"""Changes to the plain options of each learner, as many for each."""
CHOSEN: Final = {"logistic": 2, "forest": 0, "trees": 3, "monotone": 1}
"""Which trial each learner uses."""
_PLAIN: Final[dict[str, dict[str, Any]]] = {"logistic": LOGISTIC, "forest": FOREST, "trees": LIGHTGBM, "monotone": LIGHTGBM}


def options_of(learner: str, trial: int) -> dict[str, Any]:
    """Options of one trial of a learner."""
    return _PLAIN[learner] | TRIALS[learner][trial]


CONFIGURATIONS: Final[dict[str, dict[str, Any]]] = {
    "cap": {},
    "rule": {},
    "rule_scaled": {},
    "logistic": options_of("logistic", CHOSEN["logistic"]),
    "forest": options_of("forest", CHOSEN["forest"]),
    "trees": options_of("trees", CHOSEN["trees"]) | {"trees": TREES},
    "monotone": options_of("monotone", CHOSEN["monotone"]) | {"trees": TREES, "monotone": True, "masked": list(MASKED)},
    "monotone_no_anomaly": options_of("monotone", CHOSEN["monotone"]) | {"trees": TREES, "monotone": True, "masked": [*MASKED, "anomaly_score"]},
}
UNIONS: Final = {
    "rule_or_monotone": ("rule_scaled", "monotone"),
    "rule_or_trees": ("rule_scaled", "trees"),
    "sheet_rule_or_monotone": ("rule", "monotone"),
}
"""Contenders of two parts that share the budget."""
BUDGETS: Final = {"hold": 1e-4, "reject": 1e-5}
_X = NDArray[np.float32]
_Y = NDArray[np.bool_]
_Scores = NDArray[np.float64]
Scorer = Callable[[_X], _Scores]


def place(name: str) -> int:
    """Column of a feature."""
    return FEATURES.index(name)


def cap(x: _X) -> _Scores:
    """The order's notional and the trader's of the last minute, for a cap that is the same for everybody."""
    value = x[:, place("notional_60s")].astype(np.float64)
    return np.where(np.isnan(value), -np.inf, value)


def rule(x: _X) -> _Scores:
    """The larger of size and price deviation, each in its own usual spread; a price to either side deviates."""
    return rule_of(x, (1.0, 1.0, 1.0))


def rule_of(x: _X, scales: tuple[float, float, float]) -> _Scores:
    """The same with scales for size, aggressive and passive price; ``inf`` leaves one out. As the native scorer has it, to the bit."""
    size, price = x[:, place("quantity_z")].astype(np.float64), x[:, place("aggression_volatility")].astype(np.float64)
    passive = -price / scales[2] if math.isfinite(scales[2]) else np.full(len(x), np.nan)
    largest = np.fmax(np.fmax(size / scales[0], price / scales[1]), passive)
    return np.where(np.isnan(largest), -np.inf, largest)


def rule_scales(good: _X) -> tuple[float, float, float]:
    """Scales at which one good order in a thousand passes 1 on each part; fitted on good orders of a calibration block."""
    size, price = good[:, place("quantity_z")], good[:, place("aggression_volatility")]
    reached = [float(np.nanquantile(v, 0.999)) for v in (size, price, -price)]
    return (max(reached[0], 1e-6), max(reached[1], 1e-6), max(reached[2], 1e-6))


@dataclass(frozen=True, slots=True)
class Fitted:
    """Contenders fitted on one block."""

    scorers: Mapping[str, Scorer]
    boosters: Mapping[str, Any]
    """LightGBM models by contender, for those that are saved."""

    def scores(self, x: _X, scales: tuple[float, float, float]) -> dict[str, _Scores]:
        """One column a contender."""
        return {name: scorer(x) for name, scorer in self.scorers.items()} | {"rule_scaled": rule_of(x, scales)}


def fit(x: _X, y: _Y, names: tuple[str, ...] = tuple(CONFIGURATIONS)) -> Fitted:
    """Fit contenders on the rows of a fit block.

    Parameters
    ----------
    x, y
        Rows and whether each is a mistake; at least one of each.
    names
        Of :data:`CONFIGURATIONS`.
    """
    scorers: dict[str, Scorer] = {"cap": cap, "rule": rule}
    boosters: dict[str, Any] = {}
    for name in names:
        if name in ("logistic", "forest"):
            scorers[name] = learned(name, x, y, options_of(name, CHOSEN[name]))
        elif name in ("trees", "monotone", "monotone_no_anomaly"):
            boosters[name] = trees(x, y, is_monotone=name != "trees", masked=tuple(CONFIGURATIONS[name].get("masked", ())))
            scorers[name] = _raw(boosters[name])
    return Fitted(scorers, boosters)


def learned(learner: str, x: _X, y: _Y, options: dict[str, Any]) -> Scorer:
    """A learner fitted with options of its own; ``logistic``, ``forest``, ``trees`` or ``monotone``."""
    if learner == "logistic":
        return _logistic(x, y, options)
    if learner == "forest":
        return _forest(x, y, options)
    is_monotone = learner == "monotone"
    return _raw(trees(x, y, is_monotone=is_monotone, masked=MASKED if is_monotone else (), options=options))


def trees(x: _X, y: _Y, *, is_monotone: bool, masked: tuple[str, ...] = (), options: dict[str, Any] | None = None) -> Any:  # noqa: ANN401
    """Boosted trees of LightGBM, with and without constraints; by the chosen options where none are given."""
    import lightgbm

    seen = x.copy()
    seen[:, [place(name) for name in masked]] = np.nan
    learner = "monotone" if is_monotone else "trees"
    used = options_of(learner, CHOSEN[learner]) if options is None else options
    used = used | ({"monotone_constraints": list(MONOTONE)} if is_monotone else {})
    return lightgbm.train(used, lightgbm.Dataset(seen, y, feature_name=list(FEATURES)), TREES)


def native(booster: Any) -> Trees:  # noqa: ANN401 - a LightGBM booster
    """The native scorer of boosted trees."""
    return Trees(booster.model_to_string())


def _raw(booster: Any) -> Scorer:  # noqa: ANN401 - a LightGBM booster
    return lambda x: np.asarray(booster.predict(x, raw_score=True, num_threads=1), np.float64)


def _logistic(x: _X, y: _Y, options: dict[str, Any]) -> Scorer:
    from sklearn.linear_model import LogisticRegression

    shrunk = _shrunk(x)
    mean, spread = shrunk.mean(axis=0), np.maximum(shrunk.std(axis=0), 1e-6)
    model = LogisticRegression(**options).fit((shrunk - mean) / spread, y)
    weights, offset = model.coef_[0], float(model.intercept_[0])
    return lambda rows: (_shrunk(rows) - mean) / spread @ weights + offset


def _shrunk(x: _X) -> NDArray[np.float64]:
    """Heavy tails by ``asinh``, undefined as 0 with a column of its own that says so, and the size of each deviation."""
    value = np.arcsinh(np.nan_to_num(x.astype(np.float64), nan=0.0))
    return np.concatenate([value, np.abs(value), np.isnan(x)], axis=1)


def _forest(x: _X, y: _Y, options: dict[str, Any]) -> Scorer:
    from sklearn.ensemble import RandomForestClassifier

    model = RandomForestClassifier(**options).fit(x, y)
    return lambda rows: _odds(model.predict_proba(rows)[:, 1])


def _odds(p: _Scores) -> _Scores:
    clipped = np.clip(p, 1e-9, 1 - 1e-9)
    odds: _Scores = np.log(clipped / (1 - clipped))
    return odds


def cut_of(good: _Scores, share: float) -> float:
    """The smallest value that at most ``share`` of the good orders reach."""
    ordered = np.sort(good)
    allowed = math.floor(share * len(ordered))
    return float(np.nextafter(ordered[len(ordered) - 1 - allowed], np.inf))


def union_cuts(first: _Scores, second: _Scores, budget: float) -> tuple[float, float]:
    """Cuts of two parts with equal budgets whose union meets the whole one, on good orders."""
    low, high = budget / 2, budget
    for _ in range(30):
        each = (low + high) / 2
        a, b = cut_of(first, each), cut_of(second, each)
        union = float(np.mean((first >= a) | (second >= b)))
        low, high = (each, high) if union <= budget else (low, each)
    return cut_of(first, low), cut_of(second, low)


def shift_to(good: _Scores, bad: _Scores, prevalence: float) -> float:
    """What is added to the log odds so that their mean probability is the prevalence, on good orders and mistakes mixed at it."""

    def mean(shift: float) -> float:
        return mixed_mean(good + shift, bad + shift, prevalence)

    low, high = -40.0, 40.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if mean(middle) < prevalence else (low, middle)
    return (low + high) / 2


def mixed_mean(good: _Scores, bad: _Scores, prevalence: float) -> float:
    """Mean probability of log odds, good orders and mistakes mixed at a prevalence."""
    with np.errstate(over="ignore"):
        return float((1 - prevalence) * np.mean(1 / (1 + np.exp(-good))) + prevalence * np.mean(1 / (1 + np.exp(-bad))))
