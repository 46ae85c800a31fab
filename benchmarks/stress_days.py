# SPDX-License-Identifier: Apache-2.0
"""Scores every contender on every stress and calm day and stores what was seen; ``stress_page.py`` makes the page of it.

python benchmarks/stress_days.py WORK docs/results [NAME...]

The cache comes from ``stress_data.py``. Each scoring of a file is one more line of ``stress.ledger.jsonl``, a chain.
"""

from __future__ import annotations

import csv
import hashlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from stress_data import DATASETS, HOUR_NS, Dataset, load, study_config, utc

from pretrade import models
from pretrade.domain import Config
from pretrade.features import CODE_HASH, Features
from pretrade.models.anomaly import FIT_SHARE, LONG_FIT_SHARE, LONG_ROWS
from pretrade.models.contenders import CONTENDERS, Contender, contender
from pretrade.models.normaliser import Normaliser
from pretrade.models.panel import Judge, Prepared, events, first_in, prepare, tiers
from pretrade.models.score_map import ROWS_PER_DAY, ScoreMap
from pretrade.models.systemic import CommonStress, Systemic, _knots, ticks
from pretrade.validation.ledger import Ledger

FACTORS: Final = (0.5, 1.0, 2.0)
VAE_SEEDS: Final = range(5)
SHIFTS: Final = 500
LEDGER: Final = "stress.ledger.jsonl"
COLUMNS: Final = (
    "dataset", "contender", "seed", "budget", "caps", "window", "elevated_s", "high_s", "critical_s",
    "other_elevated", "other_high", "other_critical", "days", "high_share",
)  # fmt: skip
Event = tuple[int, int, int]
Row = dict[str, Any]


def main(cache: Path, out: Path, *names: str) -> None:
    """Score, and store lines of results and of the ledger."""
    config = study_config()
    out.mkdir(parents=True, exist_ok=True)
    for dataset in DATASETS:
        if names and dataset.name not in names:
            continue
        _, rows, facts = load(dataset.name, cache)
        found, told = score(dataset, rows, facts, config)
        _keep(out, dataset.name, found, told)
        sys.stdout.write(f"{dataset.name}: {len(found)} lines\n")
        sys.stdout.flush()


def score(dataset: Dataset, rows: Features, facts: Mapping[str, Any], config: Config) -> tuple[list[Row], Row]:
    """Lines of one file, and what the page and the ledger say of it."""
    cut = utc(dataset.taught_until) if isinstance(dataset.taught_until, str) else int(rows.ts_recv[int(len(rows) * dataset.taught_until)])
    before = rows[rows.ts_recv < cut]
    taught = before[before.is_scored] if dataset.is_thin_calm else before.calm()
    taught = taught[taught.rows["kind"] == 0]
    at = int(len(taught) * (FIT_SHARE if len(taught) < LONG_ROWS else LONG_FIT_SHARE))
    normaliser = Normaliser.fit(taught[:at])
    is_thinned = dataset.kind == "bars"
    share = _days(facts, -1, cut) / max(int(before.is_scored.sum()), 1) if is_thinned else 1 / ROWS_PER_DAY
    fit, block = (prepare(part, normaliser, config, days=len(part) * share) for part in (taught[:at], taught[at:]))
    days = _days(facts, cut, np.iinfo(np.int64).max) if is_thinned else None
    test = prepare(rows[rows.ts_recv >= cut], normaliser, config, days=days)
    spans = [(utc(a), utc(b)) for a, b in dataset.windows]
    told = {
        "dataset": dataset.name,
        "events": facts["events"],
        "rows_sha256": hashlib.sha256(rows.rows.tobytes()).hexdigest(),
        "fit_rows": len(fit),
        "calibration_rows": len(block),
        "calibration_days": block.days,
        "scored_rows": len(test),
        "days": test.days,
        "evidence_high_rows": int(test.high.sum()),
        "evidence_critical_rows": int(test.critical.sum()),
        "config_hash": config.hash,
        "feature_code": CODE_HASH,
        "model_code": _code(),
        "contenders": [*CONTENDERS, "random", "always_on"],
        "budgets": list(FACTORS),
        "vae_seeds": len(VAE_SEEDS),
    }
    lines: list[Row] = []
    for kind in CONTENDERS:
        for seed in VAE_SEEDS if kind == "vae" else (0,):
            made = contender(kind, config)
            made.fit(fit.z, fit.ts_recv, seed)
            judge = Judge.of(made, block, config)
            raw = judge.raw(test)
            lines += _judged(dataset, kind, seed, judge, raw, test, spans)
            if kind == "pca":
                lines += _systemic(dataset, made, judge, block, test, spans)
    lines += _always_on(dataset, test, spans)
    return lines, told


def _days(facts: Mapping[str, Any], since: int, until: int) -> float:
    return sum(n for hour, n in facts["hours"].items() if since <= hour * HOUR_NS < until) / ROWS_PER_DAY


def _judged(
    dataset: Dataset, kind: str, seed: int, judge: Judge, raw: NDArray[np.float64], test: Prepared, spans: Sequence[tuple[int, int]]
) -> list[Row]:
    lines = []
    for factor in FACTORS:
        score_map = judge.score_map(factor)
        for caps in (True, False):
            tier = tiers(raw, score_map, test, judge.config, has_caps=caps)
            found = [events(tier, test, least, judge.config.anomaly.event_gap_s) for least in (1, 2, 3)]
            line = _lines(dataset, kind, seed, factor, found, test.days, float(np.mean(tier >= 2)), spans)
            lines += [r | {"caps": int(caps)} for r in line]
            if kind == "pca" and caps and spans:
                lines += [r | {"caps": 1} for r in _random(dataset, factor, found, test, spans)]
    return lines


def _lines(
    dataset: Dataset,
    kind: str,
    seed: int,
    factor: float,
    found: Sequence[Sequence[Event]],
    days: float,
    share: float,
    spans: Sequence[tuple[int, int]],
) -> list[Row]:
    others = [sum(not any(stop >= a and start <= b for a, b in spans) for start, stop, _ in of) for of in found]
    common = {
        "dataset": dataset.name, "contender": kind, "seed": seed, "budget": factor, "days": round(days, 4), "high_share": round(share, 5),
        **dict(zip(("other_elevated", "other_high", "other_critical"), others, strict=True)),
    }  # fmt: skip
    out = []
    for n, (a, b) in enumerate(spans or [(0, 0)]):
        zero = origin(dataset, n)
        firsts = [first_in(of, a, b) if spans else None for of in found]
        seconds = ["" if t is None else round((t - zero) / 1e9, 1) for t in firsts]
        out.append({**common, "window": n if spans else "", **dict(zip(("elevated_s", "high_s", "critical_s"), seconds, strict=True))})
    return out


def origin(dataset: Dataset, window: int) -> int:
    """The first stamped instant of a window, its begin where there is none."""
    if not dataset.windows:
        return 0
    a, b = (utc(t) for t in dataset.windows[window])
    return min((utc(t) for _, t in dataset.stamps if a <= utc(t) <= b), default=a)


def _random(dataset: Dataset, factor: float, found: Sequence[Sequence[Event]], test: Prepared, spans: Sequence[tuple[int, int]]) -> list[Row]:
    """The champion's own events moved round the scored stretch by random offsets: equal duty cycle, no knowledge. Shares of moves that hit."""
    rng = np.random.Generator(np.random.PCG64(11))
    low, high = int(test.ts_recv.min()), int(test.ts_recv.max())
    offsets = rng.integers(0, high - low, SHIFTS)
    out = []
    for n, (a, b) in enumerate(spans):
        shares = []
        for of in found:
            hits = 0
            for offset in offsets.tolist():
                moved = [((start - low + offset) % (high - low) + low, stop - start) for start, stop, _ in of]
                hits += any(start + length >= a and start <= b for start, length in moved)
            shares.append(round(hits / SHIFTS, 3))
        names = ("elevated_s", "high_s", "critical_s")
        out.append(
            {"dataset": dataset.name, "contender": "random", "seed": 0, "budget": factor, "window": n, **dict(zip(names, shares, strict=True))}
        )
    return out


def _always_on(dataset: Dataset, test: Prepared, spans: Sequence[tuple[int, int]]) -> list[Row]:
    runs = [(int(test.ts_recv[r][0]), int(test.ts_recv[r][-1]), int(test.instrument_id[r][0])) for r in test.runs()]
    return [r | {"caps": 1} for factor in FACTORS for r in _lines(dataset, "always_on", 0, factor, [runs] * 3, test.days, 1.0, spans)]


def _systemic(dataset: Dataset, made: Contender, judge: Judge, block: Prepared, test: Prepared, spans: Sequence[tuple[int, int]]) -> list[Row]:
    """The common stress of the group that holds the instruments, at the same factors of its own budgets."""
    config = judge.config
    of = next((g for g in config.groups if set(dataset.symbols) <= set(g.members)), None)
    if of is None or len(dataset.symbols) < 2:
        return []
    members = [config.instrument(s).instrument_id for s in of.members]
    own = [replace(part, z=_own(part.z)) for part in (block, test)]
    levels = [replace(judge, contender=made).raw(part) for part in own]
    knots = {0: _knots(levels[0])} | {int(i): _knots(levels[0][block.instrument_id == i]) for i in np.unique(block.instrument_id)}
    known = Systemic(knots, (), config.systemic)
    stress = CommonStress(members, config)
    (calm_ts, calm, _), (ts, common, thin) = (_common(stress, known, part, level) for part, level in zip(own, levels, strict=True))
    lines = []
    low, high = (float(np.nextafter(np.float32(c), np.float32(0))) for c in (config.anomaly.cut_high, config.anomaly.cut_critical))
    for factor in FACTORS:
        budgets = replace(config.anomaly, budget_elevated=config.systemic.budget_elevated * factor, budget_high=config.systemic.budget_high * factor)
        score_map = ScoreMap.fit(calm, calm_ts, budgets, days=block.days / len(dataset.symbols))
        score = np.where(thin, np.minimum(score_map(common), high), np.minimum(score_map(common), low))
        tier = np.where(np.isnan(score), 0, np.searchsorted([0.05, 0.20, 0.95], score, side="right")).astype(np.int8)
        alone = replace(test, ts_recv=ts, instrument_id=np.zeros(len(ts), np.uint32))
        found = [events(tier, alone, least, config.anomaly.event_gap_s) for least in (1, 2, 3)]
        days = test.days / len(dataset.symbols)
        lines += [r | {"caps": 1} for r in _lines(dataset, "systemic", 0, factor, found, days, float(np.mean(tier >= 2)), spans)]
    return lines


def _own(z: NDArray[np.float64]) -> NDArray[np.float64]:
    from pretrade.models.anomaly import _OF_OTHERS

    out = z.copy()
    out[:, _OF_OTHERS] = 0.0
    return out


def _common(stress: CommonStress, known: Systemic, part: Prepared, level: NDArray[np.float64]) -> tuple[Any, Any, Any]:
    order = np.argsort(part.ts_recv, kind="stable")
    ts, ids, thin = part.ts_recv[order], part.instrument_id[order], part.high[order]
    surprise = known.surprises(ids, level[order])
    starts, ends = ticks(ts)
    values, has = np.empty(len(starts)), np.empty(len(starts), bool)
    for k, (a, b) in enumerate(zip(starts, ends, strict=True)):
        values[k] = stress.step(int(ts[a]), ids[a:b], surprise[a:b], thin=thin[a:b])
        has[k] = stress.has_evidence
    return ts[starts], values, has


def _code() -> str:
    """Hash of the code that fits, scores and judges."""
    digest = hashlib.sha256()
    for path in (*sorted(Path(models.__file__).parent.glob("*.py")), Path(__file__), Path(__file__).with_name("stress_data.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _keep(out: Path, name: str, found: Iterable[Row], told: Row) -> None:
    """Replace the lines of this file, and append to the ledger."""
    file, facts = out / "stress_days.csv", out / "stress_files.json"
    old = list(csv.DictReader(file.read_text().splitlines())) if file.exists() else []
    names = [d.name for d in DATASETS]
    lines = [r for r in old if r["dataset"] != name] + [{c: r.get(c, "") for c in COLUMNS} for r in found]
    lines.sort(key=lambda r: names.index(r["dataset"]))
    with file.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    known = json.loads(facts.read_text()) if facts.exists() else {}
    known[name] = told
    facts.write_text(json.dumps({n: known[n] for n in names if n in known}, indent=1) + "\n")
    Ledger(out / LEDGER).scored("stress_days", name, told["rows_sha256"], model=model_of(told))


def model_of(told: Mapping[str, Any]) -> str:
    """What was scored, for the ledger: contenders, budgets, configuration and code."""
    return f"{len(told['contenders'])} contenders at {len(told['budgets'])} budgets, configuration {told['config_hash']}, code {told['model_code']}"


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
