# SPDX-License-Identifier: Apache-2.0
"""Recipes of the shipped order-error models: boosted trees beside a rule with three scales, fitted on made-up firms, seeds fixed.

Fit, cuts and measurement are of different firms. The study that compares them with everything simpler is ``pretrade validate order-error``;
what a card says here is measured on firms that neither fit nor cuts saw.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade._native.models import OrderErrorScorer
from pretrade.models import mistakes, order_error
from pretrade.models import order_contenders as contenders
from pretrade.models.order_contenders import BUDGETS
from pretrade.models.order_flow import Rows, bad_rows, desk_flow, good_rows

FIRMS: Final = {"fit": range(400, 405), "cuts": range(500, 505), "measured": range(600, 605)}
"""Seeds of firms; none of them is in the study."""
_DAYS: Final = 10
_ORDERS: Final = 100_000
_SHARE: Final = 0.02
_FIT_GOOD: Final = 60_000
_FIT_BAD_A_KIND: Final = 80
PREVALENCE_USE: Final = 1e-4


def monotone(folder: Path) -> OrderErrorScorer:
    """Trees that never score a larger, worse-priced or faster order lower, or the rule."""
    return _train(folder, is_monotone=True)


def free(folder: Path) -> OrderErrorScorer:
    """Trees without constraints, or the rule."""
    return _train(folder, is_monotone=False)


def _rows(role: str, kinds: tuple[str, ...]) -> tuple[Rows, Rows]:
    """Good orders and mistakes of a role's firms, the first day of each left out: it makes the habits."""
    flows = [desk_flow(seed, orders=_ORDERS, days=_DAYS) for seed in FIRMS[role]]
    good, bad = [good_rows(f) for f in flows], [bad_rows(f, share=_SHARE, seed=n, kinds=kinds) for n, f in enumerate(flows)]
    since = [np.sort(g.ts)[len(g) // _DAYS] for g in good]
    return Rows.concat([g[g.ts >= s] for g, s in zip(good, since, strict=True)]), Rows.concat([b[b.ts >= s] for b, s in zip(bad, since, strict=True)])


def _train(folder: Path, *, is_monotone: bool) -> OrderErrorScorer:
    import lightgbm

    rng = np.random.default_rng(5)
    good, bad = _rows("fit", mistakes.KINDS)
    good = good[np.sort(rng.choice(len(good), _FIT_GOOD, replace=False))]
    kinds = [mistakes.NAMES.index(name) for name in mistakes.KINDS]
    bad = bad[np.sort(np.concatenate([np.flatnonzero(bad.kind == kind)[:_FIT_BAD_A_KIND] for kind in kinds]))]
    x, y = np.concatenate([good.x, bad.x]), np.concatenate([good.is_error, bad.is_error])
    booster = contenders.trees(x, y, is_monotone=is_monotone, masked=contenders.MASKED if is_monotone else ())

    def raw(rows: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray(booster.predict(rows, raw_score=True, num_threads=1), np.float64)

    good, bad = _rows("cuts", mistakes.KINDS)
    scales = contenders.rule_scales(good.x)
    calm = raw(good.x)
    shift = contenders.shift_to(calm, raw(bad.x), PREVALENCE_USE)
    cuts = {point: contenders.union_cuts(contenders.rule_of(good.x, scales), calm, budget) for point, budget in BUDGETS.items()}
    anchors: dict[str, Any] = {point: [a, _probability(b + shift)] for point, (a, b) in cuts.items()}
    facts = {
        "prevalence_train": _probability(_logit(PREVALENCE_USE) - shift),
        "prevalence_use": PREVALENCE_USE,
        "rule": anchors | {"scales": list(scales)},
    }
    card = {
        "family": "order_error",
        "what": f"order-error model: {'monotone' if is_monotone else 'free'} boosted trees or a rule, for HOLD and REJECT of control 34",
        "warning": "fitted on made-up firms; it knows nobody's orders and proves nothing about yours",
        "features": list(order_error.FEATURES),
        "firms": {role: [min(seeds), max(seeds)] for role, seeds in FIRMS.items()},
        "injector": mistakes.digest(),
        "lightgbm": lightgbm.__version__,
        "options": contenders.CONFIGURATIONS["monotone" if is_monotone else "trees"],
        "prevalence_train": f"of the fit {float(y.mean()):.4f}; the manifest holds the one whose shift was right on the firms of the cuts",
        "operating_points": {p: {"budget": BUDGETS[p], "rule_cut": a[0], "score_cut": a[1]} for p, a in anchors.items()},
        "metrics": _metrics(raw, scales, cuts, shift),
    }
    return order_error.save(booster, x, folder, facts=facts, card=card)


def _metrics(raw: Any, scales: tuple[float, float, float], cuts: dict[str, tuple[float, float]], shift: float) -> dict[str, Any]:  # noqa: ANN401
    """Measured on firms that are strangers, each share with its interval (Wilson 1927)."""
    good, bad = _rows("measured", (*mistakes.KINDS, *mistakes.CASES))
    calm, wrong = raw(good.x), raw(bad.x)
    out: dict[str, Any] = {}
    for point, (a, b) in cuts.items():
        stopped = (contenders.rule_of(good.x, scales) >= a) | (calm >= b)
        caught = (contenders.rule_of(bad.x, scales) >= a) | (wrong >= b)
        shares = {name: float(caught[bad.kind == i].mean()) for i, name in enumerate(mistakes.NAMES) if i}
        by_kind = {name: wilson(int(caught[bad.kind == i].sum()), int((bad.kind == i).sum())) for i, name in enumerate(mistakes.NAMES) if i}
        out[point] = {
            "good_orders": len(good),
            "good_stopped_per_100000": [v * 1e5 for v in wilson(int(stopped.sum()), len(good))],
            "recall_mean_of_kinds": float(np.mean([shares[name] for name in mistakes.KINDS])),
            "recall": by_kind,
        }
    known = np.isin(bad.kind, [mistakes.NAMES.index(name) for name in mistakes.KINDS])
    mean = contenders.mixed_mean(calm + shift, wrong[known] + shift, PREVALENCE_USE)
    return out | {"calibration": {"prevalence": PREVALENCE_USE, "mean_over_true": mean / PREVALENCE_USE}}


def wilson(caught: int, of: int) -> list[float]:
    """Share, and its 95 % interval."""
    z2, p = 1.959964**2, caught / of
    middle, half = (p + z2 / (2 * of)) / (1 + z2 / of), 1.959964 * math.sqrt(p * (1 - p) / of + z2 / (4 * of**2)) / (1 + z2 / of)
    return [p, max(middle - half, 0.0), min(middle + half, 1.0)]


def _logit(p: float) -> float:
    return math.log(p / (1 - p))


def _probability(odds: float) -> float:
    return 1 / (1 + math.exp(-odds))
