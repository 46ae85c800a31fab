# SPDX-License-Identifier: Apache-2.0
"""Which features of an order earn their cost: mutual information above a noise floor, then elimination with inner folds, fold by fold.

Everything happens inside the fit block of its fold. The noise floor is the same estimate with the labels permuted in blocks of time; the
groups go out together because their members say much the same.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade.models import mistakes
from pretrade.models import order_contenders as contenders
from pretrade.models.order_error import FEATURES, MONOTONE
from pretrade.models.order_flow import Rows, bad_rows, good_rows
from pretrade.validation.folds import Fold
from pretrade.validation.ledger import Ledger
from pretrade.validation.order_page import share
from pretrade.validation.order_study import SUBJECT, Source
from pretrade.validation.report import Section
from pretrade.validation.steps import Steps

CORE: Final = ("quantity_to_depth", "aggression_volatility", "rv_1m", "anomaly_score")
"""Kept whatever the folds say: size against depth, price, volatility, state of the market."""
GROUPS: Final = (
    ("quantity_to_usual", "quantity_z", "decade_distance"),
    ("quantity_to_minute", "quantity_to_day", "quantity_to_depth"),
    ("notional_z", "notional_firm_z", "notional_60s"),
    ("aggression_ticks", "aggression_spreads", "aggression_volatility", "aggression_nbbo_ticks"),
    ("repeats_1s", "repeats_60s"),
    ("strategy_rate",),
    ("instrument_share",),
    ("price_elsewhere",),
    ("side_vs_position",),
    ("side_vs_flow",),
    ("hour_share",),
    ("reference_age_s",),
    ("rv_1m",),
    ("anomaly_score",),
)
KEPT_SHARE: Final = 0.6
_INFORMATION_ROWS: Final = 4_000
_FLOOR_RUNS: Final = 5
_BLOCK: Final = 50
_INNER: Final = 2
_TREES: Final = 48
_GOOD, _BAD_A_KIND = 20_000, 60
_TIMED_ROWS: Final = 2_000


def run(source: Source, out: Path, ledger: Ledger, work: Path, *, say: Callable[[str], None]) -> None:
    """Select inside each fold's fit block and store what was chosen, what each removal lost, and what each group costs a row."""
    key = hashlib.sha256(json.dumps([source.name, mistakes.digest(), GROUPS, _GOOD, _TREES]).encode()).hexdigest()
    parts = [(good_rows(f), bad_rows(f, share=source.share, seed=n, kinds=mistakes.KINDS)) for n, f in enumerate(source.fit)]
    folds = {f"fold-{f.number}": f for f in source.folds()}

    def work_on(name: str) -> dict[str, Any]:
        ledger.tried(SUBJECT, {"selection": name, "trees": _TREES, "groups": len(GROUPS)})
        return _fold(folds[name], parts)

    done = Steps(work / "selection", key, say=say).run(list(folds), work_on)
    good = parts[0][0].x[:_TIMED_ROWS]
    result = {"source": source.name, "injector": mistakes.digest(), "folds": [done[name] for name in folds], "cost_ns": _costs(good, parts[0][1])}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n")


def _fold(fold: Fold, parts: list[tuple[Rows, Rows]]) -> dict[str, Any]:
    rng = np.random.default_rng([fold.number, 7])
    good = Rows.concat([g[fold.fit.holds(g.ts)] for g, _ in parts])
    bad = Rows.concat([b[fold.fit.holds(b.ts)] for _, b in parts])
    good = good[np.sort(rng.choice(len(good), min(_GOOD, len(good)), replace=False))]
    kinds = [mistakes.NAMES.index(k) for k in mistakes.KINDS]
    bad = bad[np.sort(np.concatenate([rng.permutation(np.flatnonzero(bad.kind == k))[:_BAD_A_KIND] for k in kinds]))]
    rows = Rows.concat([good, bad])
    rows = rows[np.argsort(rows.ts, kind="stable")]
    information, floor = _information(rng, rows)
    return {"fold": fold.number, "information": information, "floor": floor, **_eliminated(rows)}


def _information(rng: np.random.Generator, rows: Rows) -> tuple[dict[str, float], dict[str, float]]:
    """Mutual information of each feature with the label, in nats, and the highest of the same with labels permuted in blocks."""
    from sklearn.feature_selection import mutual_info_classif

    bad, good = np.flatnonzero(rows.is_error), np.flatnonzero(~rows.is_error)
    half = _INFORMATION_ROWS // 2
    at = np.sort(np.concatenate([rng.permutation(bad)[:half], rng.permutation(good)[:half]]))
    x, y = np.arcsinh(np.nan_to_num(rows.x[at], nan=-99.0)), rows.is_error[at]
    told = mutual_info_classif(x, y, random_state=0)
    floors = []
    for _ in range(_FLOOR_RUNS):
        blocks = np.array_split(np.arange(len(at)), max(len(at) // _BLOCK, 1))
        shuffled = np.concatenate([blocks[i] for i in rng.permutation(len(blocks))])
        floors.append(mutual_info_classif(x, y[shuffled], random_state=0))
    return dict(zip(FEATURES, told.tolist(), strict=True)), dict(zip(FEATURES, np.max(floors, axis=0).tolist(), strict=True))


def _eliminated(rows: Rows) -> dict[str, Any]:
    """Group after group taken out, each time the one whose absence costs least; kept is the smallest set within one standard error."""
    left = list(range(len(GROUPS)))
    best, errors = _recall(rows, left)
    steps: list[dict[str, Any]] = [{"out": None, "recall": best, "error": errors}]
    order: list[int] = []
    first: dict[str, float] = {}
    while len(left) > 3:
        tried = {g: _recall(rows, [i for i in left if i != g])[0] for g in left} if not order else _cheapest(rows, left, first)
        if not order:
            first = {" ".join(GROUPS[g]): best - value for g, value in tried.items()}
        worst = max(tried, key=lambda g: tried[g])
        left.remove(worst)
        order.append(worst)
        steps.append({"out": " ".join(GROUPS[worst]), "recall": tried[worst], "error": errors})
    sufficient = max(i for i, s in enumerate(steps) if s["recall"] >= best - errors)
    gone = set(order[:sufficient])
    kept = [" ".join(g) for i, g in enumerate(GROUPS) if i not in gone]
    return {"steps": steps, "loss_of_removal": first, "kept": kept}


def _cheapest(rows: Rows, left: list[int], first: dict[str, float]) -> dict[int, float]:
    """Removals tried after the first round: the three that cost least then. All would be three times as many fits for the same order."""
    likely = sorted(left, key=lambda g: first[" ".join(GROUPS[g])])[:3]
    return {g: _recall(rows, [i for i in left if i != g])[0] for g in likely}


def _recall(rows: Rows, groups: list[int]) -> tuple[float, float]:
    """Mean recall of kinds at one good order in 500 on later inner blocks, and its standard error."""
    keep = {FEATURES.index(name) for g in groups for name in GROUPS[g]}
    masked = tuple(name for i, name in enumerate(FEATURES) if i not in keep)
    edges = np.linspace(0, len(rows), _INNER + 2).astype(int)
    shares, counts = [], 0
    for inner in range(1, _INNER + 1):
        past, later = rows[np.arange(edges[inner])], rows[np.arange(edges[inner], edges[inner + 1])]
        score = _fitted(past, masked, later.x)
        cut = contenders.cut_of(score[~later.is_error], 2e-3)
        caught = score >= cut
        kinds = np.unique(later.kind[later.is_error])
        shares.append(float(np.mean([caught[later.kind == k].mean() for k in kinds])))
        counts += int(later.is_error.sum())
    mean = float(np.mean(shares))
    return mean, float(np.sqrt(mean * (1 - mean) / max(counts, 1)))


def _fitted(past: Rows, masked: tuple[str, ...], x: NDArray[np.float32]) -> NDArray[np.float64]:
    import lightgbm

    seen = past.x.copy()
    seen[:, [FEATURES.index(name) for name in masked]] = np.nan
    options = contenders.LIGHTGBM | {"monotone_constraints": list(MONOTONE), "learning_rate": 0.2}
    booster = lightgbm.train(options, lightgbm.Dataset(seen, past.is_error, feature_name=list(FEATURES)), _TREES)
    return np.asarray(booster.predict(x, raw_score=True, num_threads=1), np.float64)


def _costs(good: NDArray[np.float32], bad: Rows) -> dict[str, float]:
    """Nanoseconds a row that the native scorer saves where a group is masked, the median of runs; below the noise it is about 0."""
    x = np.concatenate([good, bad.x[:_TIMED_ROWS]])
    y = np.concatenate([np.zeros(len(good), bool), np.ones(min(len(bad), _TIMED_ROWS), bool)])
    x, y = x[: len(y)], y[: len(x)]

    def timed(masked: tuple[str, ...]) -> float:
        booster = contenders.trees(x, y, is_monotone=True, masked=masked)
        native = contenders.native(booster)
        rows = np.ascontiguousarray(good)
        spent = []
        for _ in range(15):
            begun = time.perf_counter_ns()
            native.score(rows.reshape(-1))
            spent.append((time.perf_counter_ns() - begun) / len(rows))
        return float(np.min(spent))

    whole = timed(())
    return {" ".join(g): whole - timed(g) for g in GROUPS} | {"all": whole}


def sections(path: Path) -> list[Section]:
    """What was selected, as sections; empty where it was not run."""
    if not path.exists():
        return []
    told = json.loads(path.read_text(encoding="utf-8"))
    folds = told["folds"]
    rows = []
    for group in GROUPS:
        name = " ".join(group)
        above = np.mean([any(f["information"][n] > f["floor"][n] for n in group) for f in folds])
        information = max(float(np.mean([f["information"][n] for f in folds])) for n in group)
        floor = max(float(np.mean([f["floor"][n] for f in folds])) for n in group)
        loss = [f["loss_of_removal"][name] for f in folds]
        chosen = float(np.mean([name in f["kept"] for f in folds]))
        is_core = bool(set(group) & set(CORE))
        verdict = "core" if is_core else "kept" if chosen >= KEPT_SHARE else "could go"
        lost = share((float(np.mean(loss)), min(loss), max(loss)), 3)
        cells = (
            name.replace(" ", ", "),
            f"{information:.3f}",
            f"{floor:.3f}",
            f"{above:.0%}",
            f"{chosen:.0%}",
            lost,
            f"{told['cost_ns'][name]:+.0f}",
            verdict,
        )
        rows.append(tuple(cells))
    text = (
        "Inside the fit block of each fold, monotone trees. Mutual information in nats (nearest neighbours, Kraskov 2004; mistakes "
        "and good orders in equal number), its floor the highest of five block permutations of the labels. Elimination: the "
        "smallest set whose recall of kinds at one good order in 500, on later inner blocks, is within a standard error of all "
        "features. Lost: recall without the group, mean and range over folds. Cost: what the native scorer saves a row without "
        f"the group, of {told['cost_ns']['all']:.0f} ns on a busy machine; all 24 features are made in one pass whoever reads "
        "them. Nothing was removed from the shipped models on this evidence alone."
    )
    head = ("features", "information", "noise floor", "folds above it", "folds that keep it", "recall lost without", "ns saved a row", "")
    return [Section("Feature selection", text, head, tuple(rows))]
