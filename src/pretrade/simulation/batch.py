# SPDX-License-Identifier: Apache-2.0
"""Many seeds of the story, every detector beside the others at the same false-alarm budget; stopped, it goes on where it was."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from pretrade import calibration, features, models
from pretrade.domain import Config, Tier
from pretrade.domain.errors import SimulationError
from pretrade.simulation import runs, story
from pretrade.simulation.demo import StoryOptions
from pretrade.simulation.market import FEED_LATENCY_NS, SELLER_START_NS, WARM_UP_S, Simulator, crash_market
from pretrade.simulation.training import CHAMPION, calm_models, model_folders

CONTENDERS: Final = ("pca", "vae", "rv_10s", "depth", "min")
_STORY_S: Final = 62
_SECOND: Final = 1_000_000_000

Row = runs.Row


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """Which seeds, under which options.

    Parameters
    ----------
    seeds
        One row each.
    options
        Departures from the story; the static limit moves no tier and no row.
    config
        The configuration.
    run_path
        Run directory with the model cache.
    kinds
        Detectors, each fitted on the same calm rows and given the same budget.
    workers
        Processes that work at the same time; 1 is this one alone.
    """

    seeds: range
    options: StoryOptions
    config: Config
    run_path: Path
    kinds: tuple[str, ...] = CONTENDERS
    workers: int = 1


def run(request: BatchRequest, out: Path, *, say: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Run a batch; ``out`` holds every finished row at any time, and rows of the same batch found there are not run again.

    Parameters
    ----------
    request
        What to run.
    out
        JSON file, replaced whole after each seed.
    say
        Called with one line of progress a seed: what the champion saw, how far it is and how long it will take.

    Returns
    -------
    dict
        ``{batch, rows, summary}``: what was run, one row a seed in order, and :func:`summary` of them. A row is ``{seed, fall_pct, minus_1pct_s,
        minus_2pct_s, calm_hours, detectors}``; times are seconds after the seller's start.

    Raises
    ------
    SimulationError
        If no worker is asked for.
    """
    if request.workers < 1:
        raise SimulationError(f"{request.workers} workers were asked for; it must be at least 1")
    fitted = calm_models(request.config, request.run_path, request.kinds, workers=request.workers, say=say)
    batch = fingerprint(request, fitted)
    done = {row["seed"]: row for row in runs.rows_of(out, batch, request.seeds, say)}
    left = [seed for seed in request.seeds if seed not in done]
    begun = time.perf_counter()
    result = _result(batch, done, request.kinds)
    for n, row in enumerate(_rows(request, left, fitted), 1):
        done[row["seed"]] = row
        result = _result(batch, done, request.kinds)
        runs.write(result, out)
        each = (time.perf_counter() - begun) / n
        say(f"{_told(row)} | {len(done)} of {len(request.seeds)} seeds, {each:.1f} s a seed, {runs.clock(each * (len(left) - n))} left")
    return result


def fingerprint(request: BatchRequest, fitted: Mapping[str, models.AnomalyModel]) -> dict[str, Any]:
    """Everything a row depends on beside its seed: rows of another fingerprint are never mixed in."""
    return {
        "options": {k: v for k, v in dataclasses.asdict(request.options).items() if k != "static_limit"},
        "models": {kind: model.id for kind, model in fitted.items()},
        "config_hash": request.config.hash,
        "code": runs.code_hash(),
    }


def _rows(request: BatchRequest, seeds: Sequence[int], fitted: Mapping[str, models.AnomalyModel]) -> Iterator[Row]:
    if request.workers == 1 or len(seeds) < 2:
        for seed in seeds:
            yield contend(seed, request.options, request.config, fitted)
        return
    folders = model_folders(request.config, request.run_path, request.kinds)
    yield from runs.spread(_work, _begin_work, (request.options, request.config, folders), seeds, request.workers)


_worker: list[Callable[[int], Row]] = []


def _begin_work(options: StoryOptions, config: Config, folders: Mapping[str, Path]) -> None:
    """Load the models once a process."""
    fitted = {kind: models.load(folder, config) for kind, folder in folders.items()}
    _worker[:] = [lambda seed: contend(seed, options, config, fitted)]


def _work(seed: int) -> Row:
    return _worker[0](seed)


def contend(seed: int, options: StoryOptions, config: Config, fitted: Mapping[str, models.AnomalyModel]) -> Row:
    """One seed: the fall, and when each detector would have raised which tier."""
    rows = _story_rows(seed, options, config)
    start = SELLER_START_NS
    fall = story.fall(rows.ts_recv, rows.column("mid_price"), start)
    calm_until = start if options.seller_rate > 0 else int(rows.ts_recv[-1])
    after = {"minus_1pct_s": fall.ts_minus_1pct, "minus_2pct_s": fall.ts_minus_2pct}
    detectors = {}
    for kind, model in fitted.items():
        changes = calibration.calibrate(model.score(rows), config).tier_changes
        detectors[kind] = _seen(changes, start, calm_until, fall.ts_minus_1pct, config.anomaly.event_gap_s)
    calm = rows.is_scored & (rows.ts_recv <= calm_until)
    return {
        "seed": seed,
        "fall_pct": fall.low_pct,
        **{name: _seconds(ts, start) for name, ts in after.items()},
        "calm_hours": int(calm.sum()) * config.snapshot.interval_ms / 3_600_000,
        "detectors": detectors,
    }


def _story_rows(seed: int, options: StoryOptions, config: Config) -> features.Features:
    market = crash_market(seller_rate=options.seller_rate, maker_caps=options.maker_caps, value_volatility=options.value_volatility)
    first, end = SELLER_START_NS - WARM_UP_S * _SECOND, SELLER_START_NS + _STORY_S * _SECOND
    simulator, engine = Simulator(market, seed, first), features.engine(config, (config.instrument("ES"),), with_quotes=False)
    return features.Features.concat([simulator.run_features(end, engine, ts_first=first + FEED_LATENCY_NS), engine.close(end)])


def _seen(changes: Sequence[calibration.TierChange], start: int, calm_until: int, minus_1pct: int | None, gap_s: float) -> dict[str, Any]:
    """When one detector's tiers stood after the start, and what it raised while nobody sold."""
    told = [c.as_dict() for c in changes]
    calm = [c for c in changes if c.ts_recv <= calm_until and c.to_tier > c.from_tier]
    at = {tier: story.first_tier(told, tier, start) for tier in (Tier.ELEVATED, Tier.HIGH, Tier.CRITICAL)}
    high = at[Tier.HIGH]
    return {
        **{f"{tier.name.lower()}_s": _seconds(ts, start) for tier, ts in at.items()},
        "lead_s": None if high is None or minus_1pct is None else (minus_1pct - high) / 1e9,
        "false_high": calibration.alarms(calm, gap_s=gap_s),
        "false_critical": sum(c.to_tier == Tier.CRITICAL for c in calm),
    }


def _seconds(ts: int | None, start: int) -> float | None:
    return None if ts is None else (ts - start) / 1e9


def summary(rows: Sequence[Row], kinds: tuple[str, ...] = CONTENDERS) -> dict[str, Any]:
    """Counts and lead times over a batch, one block a detector.

    Returns
    -------
    dict
        ``lead_median_s`` and ``lead_p10_s`` run from HIGH to -1 % over all seeds that fell by 1 %; one in which HIGH never came counts below any
        lead, and a quantile that falls on such a seed is ``None``. ``false_*`` counts what was raised in the ``calm_hours`` before the seller, or all
        day where nobody sells: ``_seeds`` with at least one, and events.

    Raises
    ------
    SimulationError
        If the batch is empty.
    """
    if not rows:
        raise SimulationError("a batch without seeds has no summary")
    return {
        "seeds": len(rows),
        "minus_1pct": sum(r["minus_1pct_s"] is not None for r in rows),
        "minus_2pct": sum(r["minus_2pct_s"] is not None for r in rows),
        "median_fall_pct": float(np.median([r["fall_pct"] for r in rows])),
        "calm_hours": sum(r["calm_hours"] for r in rows),
        "detectors": {kind: _figures([(r, r["detectors"][kind]) for r in rows]) for kind in kinds},
    }


def _figures(found: Sequence[tuple[Row, dict[str, Any]]]) -> dict[str, Any]:
    leads = [-np.inf if d["lead_s"] is None else d["lead_s"] for r, d in found if r["minus_1pct_s"] is not None]
    in_time = [d["critical_s"] is not None and d["critical_s"] < r["minus_2pct_s"] for r, d in found if r["minus_2pct_s"] is not None]
    return {
        "high": sum(d["high_s"] is not None for _, d in found),
        "critical": sum(d["critical_s"] is not None for _, d in found),
        "high_before_minus_1pct": sum(lead > 0 for lead in leads),
        "critical_before_minus_2pct": sum(in_time),
        "lead_median_s": _quantile(leads, 0.5),
        "lead_p10_s": _quantile(leads, 0.1),
        "false_high_seeds": sum(d["false_high"] > 0 for _, d in found),
        "false_high_events": sum(d["false_high"] for _, d in found),
        "false_critical_seeds": sum(d["false_critical"] > 0 for _, d in found),
    }


def _quantile(leads: Sequence[float], share: float) -> float | None:
    """Quantile between the two nearest leads; ``None`` where there are none, or one of the two never came."""
    if not leads:
        return None
    with np.errstate(invalid="ignore"):
        value = float(np.quantile(leads, share))
    return value if np.isfinite(value) else None


def lines(result: Mapping[str, Any]) -> list[str]:
    """The summary for a terminal, one line a detector."""
    told = result["summary"]
    falls, deep, seeds = told["minus_1pct"], told["minus_2pct"], told["seeds"]
    return [
        f"{kind:6s} HIGH before -1 % {d['high_before_minus_1pct']} of {falls}, CRITICAL before -2 % {d['critical_before_minus_2pct']} of {deep}, "
        f"lead median {_short(d['lead_median_s'])}, 10 % {_short(d['lead_p10_s'])}, "
        f"false HIGH in {d['false_high_seeds']}, CRITICAL in {d['false_critical_seeds']} of {seeds} ({told['calm_hours']:.1f} calm hours)"
        for kind, d in told["detectors"].items()
    ]


def _result(batch: Mapping[str, Any], done: Mapping[int, Row], kinds: tuple[str, ...]) -> dict[str, Any]:
    rows = [done[seed] for seed in sorted(done)]
    return {"batch": dict(batch), "rows": rows, "summary": summary(rows, kinds) if rows else None}


def _told(row: Row) -> str:
    seen = row["detectors"].get(CHAMPION) or next(iter(row["detectors"].values()))
    lead = "" if seen["lead_s"] is None else f", {seen['lead_s']:.1f} s before -1 %"
    return f"seed {row['seed']}: fall {row['fall_pct']:.2f} %, HIGH {_short(seen['high_s'])}{lead}, CRITICAL {_short(seen['critical_s'])}"


def _short(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.1f} s"
