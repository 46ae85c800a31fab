# SPDX-License-Identifier: Apache-2.0
"""Scores every contender on simulated families of stress and on calm days nobody learned, and stores what was seen.

python benchmarks/families.py prepare WORK [SEEDS]     plays and normalises, once
python benchmarks/families.py score WORK KIND...       judges contenders; several processes may share them
python benchmarks/families.py join WORK docs/results   stores what they said

The market runs alone, without the firm whose orders the gate decides. Episodes are out of fold: no model saw their seeds.
"""

from __future__ import annotations

import csv
import json
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from vus import vus_pr

from pretrade.domain import Config
from pretrade.features import Features
from pretrade.models.anomaly import LONG_FIT_SHARE
from pretrade.models.contenders import CONTENDERS, contender
from pretrade.models.normaliser import Normaliser
from pretrade.models.panel import Judge, Prepared, events, prepare, tiers
from pretrade.models.stream import causal_median
from pretrade.simulation import library
from pretrade.simulation.alone import episode_rows
from pretrade.simulation.market import CALM_SEED, SELLER_START_NS, calm
from pretrade.simulation.training import CALM_HOURS, calm_hours
from pretrade.simulation.truth import MarketState, Truth

S: Final = 10**9
FAMILIES: Final = {"seller": 1.0, "evaporation": 1.0, "volatility": 0.5, "news": 0.5, "grind": 0.15}
"""Share of the seeds asked for: long families get fewer."""
LATER_HOURS: Final = 52.0
LATER_SEED: Final = CALM_SEED + 500
VAE_SEEDS: Final = range(5)
LONG_ON_S: Final = 60.0
"""An alarm that stood for longer before the onset is false, not early."""
COLUMNS: Final = (
    "family", "seed", "contender", "fit_seed", "elevated_s", "high_s", "critical_s", "high_free_s", "before", "false_high", "false_high_free",
    "false_critical", "minus_1pct_s", "no_return_s", "stressed_s", "hours",
)  # fmt: skip
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Played:
    """Scored rows of an episode and what was true of them."""

    family: str
    seed: int
    part: Prepared
    states: NDArray[np.int64]
    """Truth at each row of ``part``."""
    minus_1pct: int | None
    no_return: int | None


class _Extremes:
    """Stands where :class:`Truth` keeps its mids: iterates over the highest and lowest of the last 3,000 only, which is all it asks of them."""

    def __init__(self) -> None:
        self._n = 0
        self._most: deque[tuple[int, float]] = deque()
        self._least: deque[tuple[int, float]] = deque()

    def append(self, value: float) -> None:
        """Take the next."""
        self._n += 1
        while self._most and self._most[-1][1] <= value:
            self._most.pop()
        while self._least and self._least[-1][1] >= value:
            self._least.pop()
        for kept in (self._most, self._least):
            kept.append((self._n, value))
            if kept[0][0] <= self._n - 3_000:
                kept.popleft()

    def clear(self) -> None:
        """Forget all."""
        self._most.clear()
        self._least.clear()

    def __bool__(self) -> bool:
        return bool(self._most)

    def __iter__(self) -> Iterator[float]:
        return iter((self._most[0][1], self._least[0][1]))


def play(family: str, seed: int, normaliser: Normaliser, config: Config) -> Played:
    """The market of one episode, alone."""
    rows = episode_rows(family, seed, config)
    truth = Truth(SELLER_START_NS)
    truth._mids = _Extremes()  # type: ignore[assignment]
    truth.take(rows)
    part = prepare(rows, normaliser, config)
    states = np.array(truth.states, np.int64)[np.searchsorted(rows.ts_recv, part.ts_recv)]
    return Played(family, seed, part, states, fell(rows), truth.ts_no_return)


def fell(rows: Features) -> int | None:
    """When the one-second causal median of the mid first stood 1 % below its value at the onset, as the story of the crash counts it."""
    mids = causal_median(rows.column("mid_price"), 10)
    before = mids[(rows.ts_recv <= SELLER_START_NS) & np.isfinite(mids)]
    with np.errstate(invalid="ignore"):
        below = np.flatnonzero((rows.ts_recv > SELLER_START_NS) & (mids <= before[-1] * 0.99))
    return int(rows.ts_recv[below[0]]) if len(below) else None


def prepare_all(cache: Path, seeds: int = 48) -> None:
    """Simulate, play and normalise once."""
    config = Config.load()
    taught = _kept(cache / "calm32.npy", lambda: calm_hours(CALM_HOURS, config, workers=1)).calm()
    later = _kept(cache / "later.npy", lambda: calm(LATER_HOURS, seed=LATER_SEED, config=config))
    cut = int(len(taught) * LONG_FIT_SHARE)
    normaliser = Normaliser.fit(taught[taught.is_scored][:cut])
    blocks = {"fit": taught[:cut], "block": taught[cut:], "unseen": later}
    days = {name: _save(cache / f"families-{name}", prepare(rows, normaliser, config)) for name, rows in blocks.items()}
    _say("calm prepared")
    played = [play(name, seed, normaliser, config) for name, share in FAMILIES.items() for seed in range(max(1, round(seeds * share)))]
    parts = [p.part for p in played]
    ids = [np.full(len(part), n + 1, np.uint32) for n, part in enumerate(parts)]
    joined = {n: np.concatenate([getattr(p, n) for p in parts]) for n in ("ts_recv", "z", "has_book", "high", "critical")}
    _save(cache / "families-episodes", Prepared(**joined, instrument_id=np.concatenate(ids), days=0.0))
    np.save(cache / "families-states.npy", np.concatenate([p.states for p in played]))
    facts = {
        "config_hash": config.hash,
        "taught_rows": cut,
        "calibration_rows": len(taught) - cut,
        "calibration_days": days["block"],
        "later_days": days["unseen"],
        "episodes": {name: sum(p.family == name for p in played) for name in FAMILIES},
        "answers": {name: library.find(name).family.answer for name in FAMILIES},
        "titles": {name: library.find(name).family.title for name in FAMILIES},
        "numbers": {name: library.find(name).family.number for name in FAMILIES},
    }
    told = [[p.family, p.seed, p.minus_1pct, p.no_return] for p in played]
    (cache / "families.json").write_text(json.dumps({"facts": facts, "played": told}, indent=1) + "\n")
    _say(f"{len(played)} episodes played")


def score_some(cache: Path, *kinds: str) -> None:
    """Judge some contenders; each leaves a part of its own."""
    config = Config.load()
    fit, block, unseen = (_load(cache / f"families-{name}") for name in ("fit", "block", "unseen"))
    stage = _Stage(cache)
    for kind in kinds:
        part: dict[str, list[Row]] = {"calm": [], "lines": [], "curves": []}
        for seed in VAE_SEEDS if kind == "vae" else (0,):
            made = contender(kind, config)
            made.fit(fit.z, fit.ts_recv, seed)
            judge = Judge.of(made, block, config)
            part["calm"].append(_calm_line(kind, seed, judge, unseen))
            found, ranks = stage.judge(kind, seed, judge)
            part["lines"] += found
            part["curves"] += ranks
            _say(f"{kind} {seed}: {part['calm'][-1]}")
        (cache / f"families-part-{kind}.json").write_text(json.dumps(part))


def join(cache: Path, out: Path) -> None:
    """Store what all contenders said."""
    parts = [json.loads((cache / f"families-part-{kind}.json").read_text()) for kind in CONTENDERS]
    for name, key in (("families", "lines"), ("families_calm", "calm"), ("families_vus", "curves")):
        lines = [line for part in parts for line in part[key]]
        _write(out / f"{name}.csv", COLUMNS if key == "lines" else tuple(lines[0]), lines)
    facts = json.loads((cache / "families.json").read_text())["facts"]
    (out / "families.json").write_text(json.dumps(facts, indent=1) + "\n")


def _say(what: str) -> None:
    sys.stdout.write(f"{time.process_time():.0f} s of CPU: {what}\n")
    sys.stdout.flush()


def _save(stem: Path, of: Prepared) -> float:
    np.save(f"{stem}-z.npy", of.z)
    np.savez(f"{stem}.npz", **{n: getattr(of, n) for n in ("ts_recv", "instrument_id", "has_book", "high", "critical", "days")})
    return of.days


def _load(stem: Path) -> Prepared:
    rest = np.load(f"{stem}.npz", allow_pickle=False)
    names = ("ts_recv", "instrument_id", "has_book", "high", "critical")
    return Prepared(**{n: rest[n] for n in names}, z=np.load(f"{stem}-z.npy", mmap_mode="r"), days=float(rest["days"]))


def _kept(file: Path, make: Any) -> Features:  # noqa: ANN401 - a function without arguments
    if not file.exists():
        np.save(file, make().rows)
    return Features(np.load(file, mmap_mode="r"))


def _calm_line(kind: str, seed: int, judge: Judge, unseen: Prepared) -> Row:
    """Events on calm days nobody learned, at the stated budget."""
    raw, score_map = judge.raw(unseen), judge.score_map()
    out: Row = {"contender": kind, "fit_seed": seed, "days": round(unseen.days, 3)}
    for word, caps in (("", True), ("_free", False)):
        tier = tiers(raw, score_map, unseen, judge.config, has_caps=caps)
        for least, name in ((1, "elevated"), (2, "high"), (3, "critical")):
            out[f"{name}{word}"] = len(events(tier, unseen, least, judge.config.anomaly.event_gap_s))
    return out


class _Stage:
    """All episodes as one table, each an instrument of its own."""

    def __init__(self, cache: Path) -> None:
        self._of = _load(cache / "families-episodes")
        self._runs = list(self._of.runs())
        states = np.load(cache / "families-states.npy")
        told = json.loads((cache / "families.json").read_text())["played"]
        self._played = []
        for run, (family, seed, minus_1pct, no_return) in zip(self._runs, told, strict=True):
            names = ("ts_recv", "instrument_id", "z", "has_book", "high", "critical")
            part = Prepared(*(getattr(self._of, n)[run] for n in names), days=0.0)
            self._played.append(Played(family, seed, part, states[run], minus_1pct, no_return))
        self._states = [p.states for p in self._played]

    def judge(self, kind: str, seed: int, judge: Judge) -> tuple[list[Row], list[Row]]:
        """A line per episode, and ranking quality per family."""
        gap = judge.config.anomaly.event_gap_s
        raw = judge.raw(self._of)
        score_map = judge.score_map()
        tier = {caps: tiers(raw, score_map, self._of, judge.config, has_caps=caps) for caps in (True, False)}
        lines = []
        for p, run, states in zip(self._played, self._runs, self._states, strict=True):
            part = p.part
            found = [events(tier[True][run], part, least, gap) for least in (1, 2, 3)]
            free = events(tier[False][run], part, 2, gap)
            stressed = np.flatnonzero(states != MarketState.NORMAL)
            first = part.ts_recv[stressed[0]] if len(stressed) else None
            lines.append(
                {
                    "family": p.family, "seed": p.seed, "contender": kind, "fit_seed": seed,
                    **dict(zip(("elevated_s", "high_s", "critical_s"), (_after(f) for f in found), strict=True)),
                    "high_free_s": _after(free), "before": sum(a < SELLER_START_NS for a, _, _ in found[1]),
                    "false_high": _false(found[1], part.ts_recv, states), "false_high_free": _false(free, part.ts_recv, states),
                    "false_critical": _false(found[2], part.ts_recv, states), "minus_1pct_s": _seconds(p.minus_1pct),
                    "no_return_s": _seconds(p.no_return), "stressed_s": _seconds(first), "hours": round(len(part) / 36_000, 4),
                }
            )  # fmt: skip
        curves = []
        for family in dict.fromkeys(p.family for p in self._played):
            mine = [n for n, p in enumerate(self._played) if p.family == family]
            labels = [self._states[n] != MarketState.NORMAL for n in mine]
            if any(label.any() for label in labels):
                curves.append(
                    {"family": family, "contender": kind, "fit_seed": seed, "vus_pr": round(vus_pr([raw[self._runs[n]] for n in mine], labels), 4)}
                )
        return lines, curves


def _after(found: Sequence[tuple[int, int, int]]) -> float | None:
    """Seconds from the onset to the first event that is not an old one."""
    for begin, end, _ in found:
        if end >= SELLER_START_NS and begin >= SELLER_START_NS - LONG_ON_S * S:
            return _seconds(begin)
    return None


def _false(found: Sequence[tuple[int, int, int]], ts: NDArray[np.int64], states: NDArray[np.int64]) -> int:
    """Events that began while the truth was normal and was so for the minute after: what comes before stress is early, not false."""
    bad = 0
    for begin, _, _ in found:
        a, b = np.searchsorted(ts, (begin, begin + int(LONG_ON_S * S)))
        bad += not (states[a:b] != MarketState.NORMAL).any()
    return bad


def _seconds(ts: int | None) -> float | None:
    return None if ts is None else round((int(ts) - SELLER_START_NS) / S, 1)


def _write(path: Path, columns: Sequence[str], lines: Sequence[Row]) -> None:
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: "" if v is None else v for k, v in line.items()} for line in lines)


if __name__ == "__main__":
    what, folder, *rest = sys.argv[1:]
    if what == "prepare":
        prepare_all(Path(folder), *(int(n) for n in rest))
    elif what == "score":
        score_some(Path(folder), *(rest or CONTENDERS))
    else:
        join(Path(folder), Path(rest[0]))
