# SPDX-License-Identifier: Apache-2.0
"""Trials of the learners' options, as many for each, on blocks that no test block knows: the fit and calibration of the first fold.

Cuts come from the first three firms of the calibration block, recall from the mistakes of the others.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from pretrade.models import mistakes
from pretrade.models import order_contenders as contenders
from pretrade.models.order_contenders import BUDGETS, TRIALS
from pretrade.models.order_flow import Rows
from pretrade.validation.ledger import Ledger
from pretrade.validation.order_study import SUBJECT, Source, Study
from pretrade.validation.report import Section
from pretrade.validation.steps import Steps

_FIRMS_FOR_CUTS: Final = 3


def run(source: Source, out: Path, ledger: Ledger, work: Path, *, say: Callable[[str], None]) -> None:
    """Try every configuration once and store what each caught."""
    fold = source.folds()[0]
    fit_good, fit_bad, calibrate = Study(source, ledger, work, say=say).fit_and_calibrate(fold)
    x, y = np.concatenate([fit_good.x, fit_bad.x]), np.concatenate([fit_good.is_error, fit_bad.is_error])
    good = Rows.concat([p.good for p in calibrate[:_FIRMS_FOR_CUTS]])
    bad = Rows.concat([p.bad for p in calibrate[_FIRMS_FOR_CUTS:]])

    def tried(name: str) -> dict[str, Any]:
        learner, _, number = name.partition("-")
        options = contenders.options_of(learner, int(number))
        ledger.tried(SUBJECT, {"tuning": learner, "source": source.name, **options})
        scorer = contenders.learned(learner, x, y, options)
        calm, wrong = scorer(good.x), scorer(bad.x)
        recalls = {}
        for point, budget in BUDGETS.items():
            caught = wrong >= contenders.cut_of(calm, budget)
            recalls[point] = float(np.mean([caught[bad.kind == mistakes.NAMES.index(k)].mean() for k in mistakes.KINDS]))
        return {"learner": learner, "trial": int(number), "recall": recalls}

    names = [f"{learner}-{i}" for learner, trials in TRIALS.items() for i in range(len(trials))]
    key = hashlib.sha256(json.dumps([source.name, mistakes.digest(), TRIALS, len(x)], sort_keys=True).encode()).hexdigest()
    done = Steps(work / "tuning", key, say=say).run(names, tried)
    out.parent.mkdir(parents=True, exist_ok=True)
    told = {"injector": mistakes.digest(), "mistakes": len(bad), "good": len(good), "trials": [done[name] for name in names]}
    out.write_text(json.dumps(told, indent=1, sort_keys=True) + "\n")


def best(told: dict[str, Any]) -> dict[str, int]:
    """The trial of each learner with the highest mean of both recalls; the earlier one where two are alike."""
    out: dict[str, tuple[float, int]] = {}
    for trial in told["trials"]:
        value = (float(np.mean(list(trial["recall"].values()))), -int(trial["trial"]))
        out[trial["learner"]] = max(out.get(trial["learner"], value), value)
    return {learner: -number for learner, (_, number) in out.items()}


def sections(path: Path) -> list[Section]:
    """The trials as a section; empty where they were not run."""
    if not path.exists():
        return []
    told = json.loads(path.read_text(encoding="utf-8"))
    chosen = best(told)
    rows = []
    for trial in told["trials"]:
        change = TRIALS[trial["learner"]][trial["trial"]]
        options = ", ".join(f"{k} {v:g}" if isinstance(v, float) else f"{k} {v}" for k, v in change.items()) or "plain"
        mark = "chosen" if chosen[trial["learner"]] == trial["trial"] else ""
        rows.append((trial["learner"], options, *(f"{trial['recall'][p]:.3f}" for p in BUDGETS), mark))
    text = (
        f"Each learner alone, as many trials for each, fitted on the fit block of the first fold; cuts on {told['good']:,} good orders of three "
        f"firms of its calibration block, recall on {told['mistakes']:,} mistakes of the other two. No test block was read."
    )
    return [Section("Trials of options", text, ("learner", "options", "recall at HOLD", "recall at REJECT", ""), tuple(rows))]
