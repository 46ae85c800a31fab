# SPDX-License-Identifier: Apache-2.0
"""A family over many seeds, four arms on each; stopped, it goes on where it was."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from pretrade import models
from pretrade.domain import Config
from pretrade.domain.errors import SimulationError
from pretrade.simulation import library, runs
from pretrade.simulation.arms import ARMS, arm, rule_levels
from pretrade.simulation.play import play
from pretrade.simulation.training import CHAMPION, calm_models, model_folders

KINDS: Final = (CHAMPION, "rv_10s")
_RESAMPLES: Final = 2_000
_PAIRED: Final = ("firm_loss", "quantity_in_critical", "low_pct")

Row = runs.Row


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """What to run.

    Parameters
    ----------
    family
        Number, name, or path of a Python file.
    seeds
        One row each and arm.
    config
        The configuration.
    run_path
        Run directory with the model cache.
    is_story
        The story's own numbers on every seed instead of the family's prior.
    workers
        Processes that work at the same time; 1 is this one alone.
    events
        Folder for event logs and decision journals; ``None`` keeps none.
    """

    family: str
    seeds: range
    config: Config
    run_path: Path
    is_story: bool = False
    workers: int = 1
    events: Path | None = None


def run(request: EvaluationRequest, out: Path, *, say: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Run a family; ``out`` holds every finished seed at any time, and seeds of the same batch found there are not run again.

    Returns
    -------
    dict
        ``{batch, rows, summary}``: what was run, one row per seed and arm in order, and :func:`summary` of them. Times in a row are seconds
        after the onset; ``lead_s`` is from the first HIGH to -1 %, ``None`` where either never came; ``critical_events_false`` counts CRITICAL
        outside the truth ``critical``; ``firm_loss`` is in money, a gain negative; ``quantity_in_critical`` is what the firm sold while the truth
        was ``critical``.

    Raises
    ------
    SimulationError
        If the family is unknown or no worker is asked for.
    """
    if request.workers < 1:
        raise SimulationError(f"{request.workers} workers were asked for; it must be at least 1")
    entry = library.find(request.family)
    entry.family.episode(request.seeds[0], story=request.is_story)
    if request.events is not None:
        request.events.mkdir(parents=True, exist_ok=True)
    fitted = calm_models(request.config, request.run_path, KINDS, workers=request.workers, say=say)
    batch = fingerprint(request, entry, fitted)
    done: dict[int, list[Row]] = {}
    for row in runs.rows_of(out, batch, request.seeds, say):
        done.setdefault(row["seed"], []).append(row)
    done = {seed: rows for seed, rows in done.items() if len(rows) == len(ARMS)}
    left = [seed for seed in request.seeds if seed not in done]
    begun = time.perf_counter()
    result = _result(batch, done)
    for n, rows in enumerate(_rows(request, left, fitted), 1):
        done[rows[0]["seed"]] = rows
        result = _result(batch, done)
        runs.write(result, out)
        each = (time.perf_counter() - begun) / n
        say(f"{_told(rows)} | {len(done)} of {len(request.seeds)} seeds, {each:.1f} s a seed, {runs.clock(each * (len(left) - n))} left")
    return result


def fingerprint(request: EvaluationRequest, entry: library.Entry, fitted: Mapping[str, models.Anomaly]) -> dict[str, Any]:
    """Everything a row depends on beside its seed: rows of another fingerprint are never mixed in."""
    return {
        "family": {"number": entry.family.number, "name": entry.family.name, "title": entry.family.title, "answer": entry.family.answer},
        "family_hash": entry.hash,
        "story": request.is_story,
        "models": {kind: model.id for kind, model in fitted.items()},
        "rule": {"hold_s": 30, **rule_levels(fitted["rv_10s"])},
        "config_hash": request.config.hash,
        "code": runs.code_hash(),
    }


def _rows(request: EvaluationRequest, seeds: Sequence[int], fitted: Mapping[str, models.Anomaly]) -> Iterator[list[Row]]:
    fixed = (request.family, request.is_story, request.config, request.events)
    if request.workers == 1 or len(seeds) < 2:
        for seed in seeds:
            yield four_arms(seed, *fixed, fitted)
        return
    folders = model_folders(request.config, request.run_path, KINDS)
    yield from runs.spread(_work, _begin_work, (fixed, folders), seeds, request.workers)


_worker: list[Callable[[int], list[Row]]] = []


def _begin_work(fixed: tuple[str, bool, Config, Path | None], folders: Mapping[str, Path]) -> None:
    """Load the models once a process."""
    fitted = {kind: models.load(folder, fixed[2]) for kind, folder in folders.items()}
    _worker[:] = [lambda seed: four_arms(seed, *fixed, fitted)]


def _work(seed: int) -> list[Row]:
    return _worker[0](seed)


def four_arms(seed: int, family: str, is_story: bool, config: Config, events: Path | None, fitted: Mapping[str, models.Anomaly]) -> list[Row]:  # noqa: FBT001
    """One seed under each arm; what is drawn is drawn anew for each, so that arms share numbers and nothing else."""
    found = library.find(family).family
    rows = (play(found.episode(seed, story=is_story), seed, name, arm(name, config, fitted), config, events=events) for name in ARMS)
    return [{"family": found.number, **row} for row in rows]


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Figures per arm with 95 % intervals, and what each arm saves against the static one on the same seeds.

    Returns
    -------
    dict
        Per arm: ``{mean, low, high}`` of loss, quantity sold in CRITICAL and low of the market, each also ``_saved`` (static minus arm, paired);
        shares of good and bad orders blocked; seeds in which HIGH came before -1 %; ``lead_median_s`` and ``lead_p10_s`` (a seed that fell
        without HIGH counts below any lead, and a quantile that falls on it is ``None``); tiers per hour.

    Notes
    -----
    Intervals: percentile bootstrap over seeds (Efron, Tibshirani 1993), 2,000 resamples of a fixed seed.
    """
    out: dict[str, Any] = {}
    static = {r["seed"]: r for r in rows if r["arm"] == "static"}
    for name in ARMS:
        mine = [r for r in rows if r["arm"] == name]
        if not mine:
            continue
        saved = {f"{key}_saved": _interval([static[r["seed"]][key] - r[key] for r in mine]) for key in _PAIRED}
        out[name] = {
            "seeds": len(mine),
            **{key: _interval([r[key] for r in mine]) for key in _PAIRED},
            **saved,
            "good_blocked_share": _share(mine, "good_orders"),
            "bad_blocked_share": _share(mine, "bad_orders"),
            **_leads(mine),
            **_rates(mine),
        }
    return out


def _interval(values: Sequence[float]) -> dict[str, float]:
    data = np.asarray(values, float)
    picks = np.random.Generator(np.random.PCG64(7)).integers(0, len(data), (_RESAMPLES, len(data)))
    low, high = np.quantile(data[picks].mean(axis=1), (0.025, 0.975))
    return {"mean": float(data.mean()), "low": float(low), "high": float(high)}


def _share(rows: Sequence[Row], kind: str) -> float | None:
    sent = sum(r[kind] for r in rows)
    return sum(r[f"{kind}_blocked"] for r in rows) / sent if sent else None


def _leads(rows: Sequence[Row]) -> dict[str, Any]:
    leads = [-np.inf if r["lead_s"] is None else r["lead_s"] for r in rows if r["minus_1pct_s"] is not None]
    return {
        "minus_1pct": len(leads),
        "high_before_minus_1pct": sum(lead > 0 for lead in leads),
        "lead_median_s": _quantile(leads, 0.5),
        "lead_p10_s": _quantile(leads, 0.1),
    }


def _quantile(leads: Sequence[float], share: float) -> float | None:
    if not leads:
        return None
    with np.errstate(invalid="ignore"):
        value = float(np.quantile(leads, share))
    return value if np.isfinite(value) else None


def _rates(rows: Sequence[Row]) -> dict[str, Any]:
    hours = sum(r["hours"] for r in rows)
    names = ("elevated_events", "high_events", "critical_events", "critical_events_false")
    return {"hours": hours, **{f"{name}_per_hour": sum(r[name] for r in rows) / hours for name in names}}


def lines(result: Mapping[str, Any]) -> list[str]:
    """The summary for a terminal, one line an arm."""
    return [_line(name, arm) for name, arm in result["summary"].items()]


def _line(name: str, s: Mapping[str, Any]) -> str:
    loss = s["firm_loss"]
    return (
        f"{name:12s} loss {loss['mean']:,.0f} [{loss['low']:,.0f}, {loss['high']:,.0f}], good blocked {_pct(s['good_blocked_share'])}, "
        f"bad blocked {_pct(s['bad_blocked_share'])}, sold in CRITICAL {s['quantity_in_critical']['mean']:.0f}, low {s['low_pct']['mean']:.2f} %, "
        f"HIGH before -1 % {s['high_before_minus_1pct']} of {s['minus_1pct']}, false CRITICAL {s['critical_events_false_per_hour']:.3f}/h"
    )


def _pct(share: float | None) -> str:
    return "none sent" if share is None else f"{100 * share:.1f} %"


def _result(batch: Mapping[str, Any], done: Mapping[int, list[Row]]) -> dict[str, Any]:
    rows = [row for seed in sorted(done) for row in done[seed]]
    return {"batch": dict(batch), "rows": rows, "summary": summary(rows) if rows else None}


def _told(rows: Sequence[Row]) -> str:
    by = {r["arm"]: r for r in rows}
    dynamic, static = by["dynamic"], by["static"]
    high = "never" if dynamic["first_high_s"] is None else f"{dynamic['first_high_s']:.1f} s"
    return f"seed {dynamic['seed']}: low {static['low_pct']:.2f} % static, {dynamic['low_pct']:.2f} % dynamic, HIGH {high}"
