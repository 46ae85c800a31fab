# SPDX-License-Identifier: Apache-2.0
"""The order-error study: contenders on walk-forward folds, held-out traders and days, out-of-fold predictions kept.

Fit, calibration and test blocks are different days *and* different firms: no trader of a test block was ever seen. Cuts, scales and
shifts come from the calibration block; the test block is scored once a fold and never chooses anything.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade.domain.errors import MissingExtraError
from pretrade.models import mistakes
from pretrade.models import order_contenders as contenders
from pretrade.models.order_contenders import BUDGETS, CONFIGURATIONS, UNIONS
from pretrade.models.order_flow import DAY_NS, Flow, Rows, bad_rows, good_rows
from pretrade.validation.folds import Block, Fold, walk_forward
from pretrade.validation.ledger import Ledger
from pretrade.validation.steps import Steps

SUBJECT: Final = "order_error"
PREVALENCES: Final = (1e-3, 1e-4)
FIT_GOOD: Final = 60_000
FIT_BAD_A_KIND: Final = 80
TEST_BAD_A_KIND: Final = 120
SINGLE: Final = tuple(name for name in CONFIGURATIONS if name != "rule_scaled")
COLUMNS: Final = tuple(CONFIGURATIONS)
_RELIABLE_TOP: Final = 0.01


@dataclass(frozen=True, slots=True)
class Source:
    """Flows by role: their traders are strangers to each other."""

    name: str
    fit: tuple[Flow, ...]
    calibrate: tuple[Flow, ...]
    test: tuple[Flow, ...]
    sessions: tuple[Block, ...]
    first_fit: int
    step: int
    share: float
    """Of orders that become mistakes in the streams of mistakes."""

    def folds(self) -> list[Fold]:
        """Fit, gap, calibrate, gap, test; a session of gap on either side."""
        return walk_forward(self.sessions, fit=self.first_fit, calibrate=self.step, test=self.step)


@dataclass(frozen=True, slots=True)
class _Part:
    good: Rows
    bad: Rows


class Study:
    """One source's folds.

    Parameters
    ----------
    source
        Flows and sessions.
    ledger
        Takes every configuration tried and every block scored.
    folder
        Where finished folds stand.
    say
        Takes lines of progress.
    """

    def __init__(self, source: Source, ledger: Ledger, folder: Path, *, say: Callable[[str], None]) -> None:
        self._source, self._ledger, self._folder, self._say = source, ledger, folder, say
        self._made: dict[str, list[_Part]] = {}

    def run(self) -> dict[str, Any]:
        """Run all folds, and each kind left out on the last; JSON-ready."""
        source, folds = self._source, self._source.folds()
        self._ledger.freeze(SUBJECT, mistakes.digest()) if self._ledger.frozen(SUBJECT) != mistakes.digest() else None
        key = hashlib.sha256(
            json.dumps([source.name, mistakes.digest(), CONFIGURATIONS, FIT_GOOD, FIT_BAD_A_KIND], sort_keys=True).encode()
        ).hexdigest()
        steps = Steps(self._folder / source.name, key, say=self._say)
        names = [f"fold-{fold.number}" for fold in folds] + ["left-out"]
        done = steps.run(names, lambda name: self._left_out(folds[-1]) if name == "left-out" else self._fold(folds[int(name[5:])]))
        return {"source": source.name, "injector": mistakes.digest(), "folds": [done[n] for n in names[:-1]], "left_out": done["left-out"]}

    def _parts(self, role: str) -> list[_Part]:
        """Rows of a role's flows, made once."""
        if role not in self._made:
            flows = getattr(self._source, role)
            self._made[role] = [_Part(good_rows(f), bad_rows(f, share=self._source.share, seed=n)) for n, f in enumerate(flows)]
        return self._made[role]

    def _blocks(self, fold: Fold) -> tuple[Rows, Rows, list[_Part], list[_Part]]:
        """Fit rows thinned to the budget, and the parts of calibration and test in their days."""
        rng = np.random.default_rng([fold.number, 3])

        def within(role: str, block: Block) -> list[_Part]:
            return [_Part(p.good[block.holds(p.good.ts)], p.bad[block.holds(p.bad.ts)]) for p in self._parts(role)]

        fit = within("fit", fold.fit)
        good, bad = Rows.concat([p.good for p in fit]), Rows.concat([p.bad for p in fit])
        chosen = np.sort(rng.choice(len(good), min(FIT_GOOD, len(good)), replace=False))
        kinds = [mistakes.NAMES.index(name) for name in mistakes.KINDS]
        return good[chosen], _capped(rng, bad, kinds, FIT_BAD_A_KIND), within("calibrate", fold.calibrate), within("test", fold.test)

    def fit_and_calibrate(self, fold: Fold) -> tuple[Rows, Rows, list[_Part]]:
        """Good orders and mistakes of a fold's fit block, and its calibration block by firm; the test block stays shut."""
        return self._blocks(fold)[:3]

    def _fold(self, fold: Fold) -> dict[str, Any]:
        fit_good, fit_bad, calibrate, test = self._blocks(fold)
        for name, configuration in CONFIGURATIONS.items():
            self._ledger.tried(SUBJECT, {"contender": name, "source": self._source.name, **configuration})
        x, y = np.concatenate([fit_good.x, fit_bad.x]), np.concatenate([fit_good.is_error, fit_bad.is_error])
        fitted = contenders.fit(x, y, SINGLE)
        good, bad = Rows.concat([p.good for p in calibrate]), Rows.concat([p.bad for p in calibrate])
        scales = contenders.rule_scales(good.x)
        calm, wrong = fitted.scores(good.x, scales), fitted.scores(_known(bad).x, scales)
        cuts = _cuts(calm)
        shifts = {
            name: {str(p): contenders.shift_to(calm[name], wrong[name], p) for p in PREVALENCES}
            for name in ("logistic", "forest", "trees", "monotone")
        }
        stored = [self._scored(fold, fitted, scales, cuts, shifts, number, part) for number, part in enumerate(test)]
        data = {role: _hash(parts) for role, parts in (("calibrate", calibrate), ("test", test))} | {"fit": hashlib.sha256(x.tobytes()).hexdigest()}
        for name in (*CONFIGURATIONS, *UNIONS):
            self._ledger.scored(SUBJECT, f"{self._source.name}/fold-{fold.number}", data["test"], model=name)
        facts = fold.as_dict() | {
            "data": data,
            "scales": list(scales),
            "cuts": cuts,
            "shifts": shifts,
            "fit_good": len(fit_good),
            "fit_bad": len(fit_bad),
        }
        facts |= {
            "calibrate_good": len(good),
            "models": {n: hashlib.sha256(b.model_to_string().encode()).hexdigest() for n, b in fitted.boosters.items()},
        }
        return facts | {"blocks": [b for one in stored for b in one["blocks"]], "rows": [r for one in stored for r in one["rows"]]}

    def _scored(
        self,
        fold: Fold,
        fitted: contenders.Fitted,
        scales: tuple[float, float, float],
        cuts: dict[str, dict[str, list[float]]],
        shifts: dict[str, dict[str, float]],
        number: int,
        part: _Part,
    ) -> dict[str, Any]:
        """What is kept of one firm's test days: all mistakes, and each good order that somebody would stop."""
        rng = np.random.default_rng([fold.number, number, 4])
        bad = _capped(rng, part.bad, range(1, len(mistakes.NAMES)), TEST_BAD_A_KIND // len(self._source.test))
        good_scores, bad_scores = fitted.scores(part.good.x, scales), fitted.scores(bad.x, scales)
        stopped = np.any([_reaches(good_scores, cuts[name]["hold"], name) for name in cuts], axis=0)
        rows = _table(fold.number, number, bad, bad_scores, np.ones(len(bad), bool), self._day_ns)
        rows += _table(fold.number, number, part.good, good_scores, stopped, self._day_ns)
        day = part.good.ts // self._day_ns
        blocks = []
        known = _known(bad)
        wrong = fitted.scores(known.x, scales)
        for d in np.unique(day):
            at = day == d
            means = {
                name: {
                    p: [float(np.mean(1 / (1 + np.exp(-(s[at] + shift))))), float(np.mean(1 / (1 + np.exp(-(wrong[name] + shift)))))]
                    for p, shift in by.items()
                }
                for name, by in shifts.items()
                for s in [good_scores[name]]
            }
            blocks.append({"firm": number, "day": int(d), "good": int(at.sum()), "traders": len(np.unique(part.good.trader[at])), "means": means})
        return {"rows": rows, "blocks": blocks}

    @property
    def _day_ns(self) -> int:
        """Length of a bootstrap block: a session of the source."""
        first = self._source.sessions[0]
        return DAY_NS if first.end_ns - first.start_ns > DAY_NS // 8 else first.end_ns - first.start_ns

    def _left_out(self, fold: Fold) -> dict[str, Any]:
        """Each kind left out of the fit, then looked for: scores of that kind's mistakes with and without, and both cuts."""
        fit_good, fit_bad, calibrate, test = self._blocks(fold)
        good = Rows.concat([p.good for p in calibrate])
        bad = Rows.concat([p.bad for p in test])
        scales = contenders.rule_scales(good.x)
        out = {}
        for name in mistakes.KINDS:
            kind = mistakes.NAMES.index(name)
            kept = fit_bad[fit_bad.kind != kind]
            x, y = np.concatenate([fit_good.x, kept.x]), np.concatenate([fit_good.is_error, kept.is_error])
            self._ledger.tried(SUBJECT, {"contender": "monotone", "source": self._source.name, "left_out": name})
            fitted = contenders.fit(x, y, ("monotone",))
            calm, found = fitted.scores(good.x, scales), fitted.scores(bad[bad.kind == kind].x, scales)
            cuts = {point: list(contenders.union_cuts(calm["rule_scaled"], calm["monotone"], budget)) for point, budget in BUDGETS.items()}
            caught = {p: int(((found["rule_scaled"] >= c[0]) | (found["monotone"] >= c[1])).sum()) for p, c in cuts.items()}
            out[name] = {"mistakes": len(found["monotone"]), "caught": caught, "cuts": cuts}
        self._ledger.scored(SUBJECT, f"{self._source.name}/fold-{fold.number}/left-out", _hash(test), model="monotone")
        return out


def _known(rows: Rows) -> Rows:
    """Mistakes of the kinds a model may be fitted on."""
    return rows[np.isin(rows.kind, [mistakes.NAMES.index(name) for name in mistakes.KINDS])]


def _capped(rng: np.random.Generator, rows: Rows, kinds: Sequence[int], most: int) -> Rows:
    """At most so many of each kind."""
    chosen = [rng.permutation(np.flatnonzero(rows.kind == kind))[:most] for kind in kinds]
    return rows[np.sort(np.concatenate(chosen))]


def _cuts(good: dict[str, NDArray[np.float64]]) -> dict[str, dict[str, list[float]]]:
    out = {name: {point: [contenders.cut_of(scores, budget)] for point, budget in BUDGETS.items()} for name, scores in good.items()}
    for name, (a, b) in UNIONS.items():
        out[name] = {point: list(contenders.union_cuts(good[a], good[b], budget)) for point, budget in BUDGETS.items()}
    return out


def _reaches(scores: dict[str, NDArray[np.float64]], cut: list[float], name: str) -> NDArray[np.bool_]:
    """Whether a contender stops each order."""
    parts = UNIONS.get(name, (name,))
    reached: NDArray[np.bool_] = np.any([scores[part] >= c for part, c in zip(parts, cut, strict=True)], axis=0)
    return reached


def _table(fold: int, firm: int, rows: Rows, scores: dict[str, NDArray[np.float64]], keep: NDArray[np.bool_], day_ns: int) -> list[list[float]]:
    at = np.flatnonzero(keep)
    columns = [np.full(len(at), fold), np.full(len(at), firm), rows.ts[at] // day_ns, rows.kind[at], *(scores[name][at] for name in COLUMNS)]
    table: list[list[float]] = np.column_stack(columns).tolist()
    return table


def _hash(parts: list[_Part]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.good.x.tobytes())
        digest.update(part.bad.x.tobytes())
    return digest.hexdigest()


def write(result: dict[str, Any], folder: Path) -> None:
    """Keep predictions as Parquet and everything else as JSON, ``<source>.parquet`` and ``<source>.json``.

    Notes
    -----
    Who stops an order stands in ``stops``, a bit a contender and budget in the order of :func:`stop_bits`, decided on the whole scores;
    the scores beside it are rounded to three decimals.

    Raises
    ------
    MissingExtraError
        If pyarrow is absent.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as e:
        raise MissingExtraError("pyarrow", "store") from e
    folder.mkdir(parents=True, exist_ok=True)
    rows = np.array([row for fold in result["folds"] for row in fold["rows"]])
    names = ("fold", "firm", "day", "kind", *COLUMNS)
    arrays = {n: pyarrow.array(rows[:, i].astype(np.int32) if i < 4 else np.round(rows[:, i], 3).astype(np.float32)) for i, n in enumerate(names)}
    arrays["stops"] = pyarrow.array(_stops(rows, result["folds"]))
    path = folder / f"{result['source']}.parquet"
    pyarrow.parquet.write_table(pyarrow.table(arrays), path, compression="zstd")
    facts = result | {"folds": [{k: v for k, v in fold.items() if k != "rows"} for fold in result["folds"]]}
    facts |= {"predictions": hashlib.sha256(path.read_bytes()).hexdigest()}
    (folder / f"{result['source']}.json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")


def stop_bits() -> list[tuple[str, str]]:
    """Contender and budget of each bit of ``stops``."""
    return [(name, point) for name in (*CONFIGURATIONS, *UNIONS) for point in BUDGETS]


def _stops(rows: NDArray[np.float64], folds: list[dict[str, Any]]) -> NDArray[np.int32]:
    out = np.zeros(len(rows), np.int32)
    for fold in folds:
        at = np.flatnonzero(rows[:, 0] == fold["fold"])
        scores = {name: rows[at, 4 + i] for i, name in enumerate(COLUMNS)}
        for bit, (name, point) in enumerate(stop_bits()):
            out[at] |= _reaches(scores, fold["cuts"][name][point], name).astype(np.int32) << bit
    return out
