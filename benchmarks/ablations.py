# SPDX-License-Identifier: Apache-2.0
"""What sentiment, the columns of other instruments, the term structure of volatility and the systemic score add; stores results.

python benchmarks/ablations.py ../shared/data docs/results
"""

from __future__ import annotations

import csv
import gzip
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import systemic as earlier
from numpy.typing import NDArray
from stress_days import _common, _own

from pretrade import features
from pretrade.features import VECTOR
from pretrade.models.contenders import Contender, contender
from pretrade.models.normaliser import Normaliser
from pretrade.models.panel import Judge, Prepared, events, prepare, tiers
from pretrade.models.score_map import ScoreMap
from pretrade.models.systemic import CommonStress, Systemic, _knots
from pretrade.simulation.market import SELLER_START_NS, Simulator, crash_market

S: Final = 10**9
SEEDS: Final = range(6)
CALM_HOURS: Final = 1.0
CASES: Final = {"all fall, rate 1": [1.0] * 4, "all fall, rate 1/2": [0.5] * 4, "one falls": [1.0, 0.0, 0.0, 0.0]}
OF_OTHERS: Final = [VECTOR.index(name) for name in ("factor_return_1s", "residual_return_1s", "corr_5m")]
RESAMPLES: Final = 1_000
DAY_BLOCK: Final = 20
STRESS_SHARE: Final = 0.1
Facts = dict[str, Any]
_Floats = NDArray[np.float64]


def main(data: Path, out: Path) -> None:
    """Measure all four."""
    facts: Facts = {"volatility_index": volatility_index(data), "sentiment": sentiment(data)}
    sys.stdout.write(json.dumps(facts)[:400] + "\n")
    facts |= groups()
    (out / "ablations.json").write_text(json.dumps(facts, indent=1) + "\n")


def volatility_index(data: Path) -> Facts:
    """A day's target: is |return of SPY| the next day in its top tenth? Known at the close: trailing volatility, the index, its term structure."""
    text = gzip.decompress((data / "vol_term_structure" / "vix_9d_30d_90d_180d_daily.csv.gz").read_bytes()).decode()
    rows = [r for r in csv.DictReader(text.splitlines()) if all(r[c] for c in ("vix_009", "vix_030", "vix_090", "spy_ret"))]
    move = np.abs(np.array([float(r["spy_ret"]) for r in rows]))
    near, middle, far = (np.log([float(r[c]) for r in rows]) for c in ("vix_009", "vix_030", "vix_090"))
    base = np.stack([_trailing(move, 5), _trailing(move, 20)], axis=1)
    return {"days": len(rows), **_compare(base, {"level": middle, "term structure": np.stack([near - middle, middle - far], axis=1)}, move)}


def sentiment(data: Path) -> Facts:
    """The same target for names with tweets: yesterday's mean score and how many tweets there were against the twenty days before."""
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(data / "tweet_sentiment_2014_2015" / "tweet_sentiment.parquet").to_pydict()
    told: dict[tuple[str, str], list[float]] = {}
    for symbol, ts, score in zip(table["ticker"], table["ts_utc"], table["compound"], strict=True):
        told.setdefault((symbol, str(ts)[:10]), []).append(float(score))
    parts: list[tuple[_Floats, _Floats, _Floats, _Floats]] = []
    names = []
    for name in ("AAPL", "IBM", "BAC", "AIG"):
        if not any(key[0] == name for key in told):
            continue
        closes = _closes(data / "hourly_bars_to_201506" / f"{name}_hour.csv.gz")
        days = [d for d in sorted(closes) if "2013-12-01" <= d <= "2015-06-30"]
        move = np.abs(np.diff(np.log([closes[d] for d in days])))
        # A split is no move.
        move = np.where(move > 0.5, np.median(move), move)
        counts = np.array([len(told.get((name, d), [])) for d in days[1:]], float)
        mean = np.array([float(np.mean(told.get((name, d), [0.0]))) for d in days[1:]])
        surge = np.log1p(counts) - np.log1p(np.array([np.median(counts[max(0, i - 20) : i]) if i else counts[0] for i in range(len(counts))]))
        parts.append((np.stack([_trailing(move, 5), _trailing(move, 20)], axis=1), mean, surge, move))
        names.append(name)
    out: Facts = {"names": names, "tweets": sum(len(v) for k, v in told.items() if k[0] in names)}
    for name, (base, mean, surge, move) in zip(names, parts, strict=True):
        out[name] = _compare(base, {"sentiment": np.stack([mean, np.abs(mean)], axis=1), "news surge": surge}, move)
    return out


def _closes(path: Path) -> dict[str, float]:
    rows = csv.DictReader(gzip.decompress(path.read_bytes()).decode().splitlines())
    return {r["ts_utc"][:10]: float(r["close_1e4"]) for r in rows}


def _trailing(move: _Floats, days: int) -> _Floats:
    return np.log(np.array([move[max(0, i - days + 1) : i + 1].mean() for i in range(len(move))]) + 1e-4)


def _compare(base: _Floats, added: dict[str, _Floats], move: _Floats) -> Facts:
    """Fit a ridge on the first half, judge on the second: area under the curve of base and of base with each addition, and the gain."""
    x, later = base[:-1], move[1:]
    half = len(x) // 2
    stressed = later >= np.quantile(later[:half], 1 - STRESS_SHARE)
    scores = {"base": _ridge(x, later, half)}
    for name, column in added.items():
        scores[name] = _ridge(np.hstack([x, np.asarray(column, float).reshape(len(move), -1)[:-1]]), later, half)
    truth = stressed[half:]
    out: Facts = {"tested_days": len(truth), "stressed_days": int(truth.sum())}
    for name, score in scores.items():
        gains, values = [], []
        for pick in _blocks(len(truth)):
            if 0 < truth[pick].sum() < len(pick):
                values.append(_auc(score[pick], truth[pick]))
                gains.append(values[-1] - _auc(scores["base"][pick], truth[pick]))
        low, high = np.quantile(values, (0.025, 0.975))
        told = {"auc": _auc(score, truth), "low": float(low), "high": float(high)}
        if name != "base":
            least, most = np.quantile(gains, (0.025, 0.975))
            told |= {"gain": told["auc"] - _auc(scores["base"], truth), "gain_low": float(least), "gain_high": float(most)}
        out[name] = told
    return out


def _ridge(x: _Floats, later: _Floats, half: int) -> _Floats:
    u = (x - x[:half].mean(axis=0)) / (x[:half].std(axis=0) + 1e-9)
    u = np.hstack([u, np.ones((len(u), 1))])
    target = np.log(later + 1e-4)
    weights = np.linalg.solve(u[:half].T @ u[:half] + 5.0 * np.eye(u.shape[1]), u[:half].T @ target[:half])
    score: _Floats = u[half:] @ weights
    return score


def _auc(score: _Floats, truth: NDArray[np.bool_]) -> float:
    rank = np.argsort(np.argsort(score, kind="stable"), kind="stable") + 1.0
    n = int(truth.sum())
    return float((rank[truth].sum() - n * (n + 1) / 2) / (n * (len(truth) - n)))


def _blocks(n: int) -> Sequence[NDArray[np.int64]]:
    rng = np.random.Generator(np.random.PCG64(5))
    many = -(-n // DAY_BLOCK)
    return [np.concatenate([np.arange(a, min(a + DAY_BLOCK, n)) for a in rng.integers(0, max(n - DAY_BLOCK, 1), many)]) for _ in range(RESAMPLES)]


def groups() -> Facts:
    """Four markets that fall together or one alone: the champion with and without the columns of others, and with the group's score."""
    config = earlier._simulated_config()
    calm = earlier._calm(config, 500, CALM_HOURS).calm()
    cut = int(len(calm) * 0.7)
    normaliser = Normaliser.fit(calm[:cut])
    fit, block = prepare(calm[:cut], normaliser, config), prepare(calm[cut:], normaliser, config)
    later = prepare(earlier._calm(config, 900, CALM_HOURS), normaliser, config)
    judges = {name: _judge(mask, fit, block, config) for name, mask in (("with", []), ("without", OF_OTHERS))}
    common = _group(judges["with"].contender, judges["with"], block, config)
    falls = {(case, seed): prepare(_fall(rates, seed, config), normaliser, config) for case, rates in CASES.items() for seed in SEEDS}
    out: Facts = {"cross_asset": {}, "systemic": {}, "calm_days": later.days}
    for case in CASES:
        first: dict[str, list[list[float | None]]] = {"with": [], "without": [], "group": []}
        for seed in SEEDS:
            of = falls[case, seed]
            for name in ("with", "without"):
                first[name].append(_firsts(judges[name], of))
            first["group"].append([_group_first(common, judges["with"], of, config)])
        members = 1 if case == "one falls" else 4
        out["cross_asset"][case] = _gain(
            [[s[m] for m in range(members)] for s in first["without"]], [[s[m] for m in range(members)] for s in first["with"]]
        )
        joined = [[_least(own, g[0]) for own in s[:members]] for s, g in zip(first["with"], first["group"], strict=True)]
        out["systemic"][case] = _gain([s[:members] for s in first["with"]], joined)
        out["systemic"][case]["group_rose"] = sum(g[0] is not None for g in first["group"])
    out["cross_asset"]["calm_events"] = {name: _count(judge, later) for name, judge in judges.items()}
    out["systemic"]["calm_events"] = _group_count(common, judges["with"], later, config)
    return out


def _judge(mask: Sequence[int], fit: Prepared, block: Prepared, config: Any) -> Judge:  # noqa: ANN401 - Config
    made: Contender = _Masked(contender("pca", config), mask)
    made.fit(fit.z, fit.ts_recv, 0)
    return Judge.of(made, block, config)


class _Masked:
    """A contender that does not see some columns."""

    def __init__(self, inner: Contender, mask: Sequence[int]) -> None:
        self._inner, self._mask = inner, list(mask)
        self.kind = inner.kind

    def _without(self, z: _Floats) -> _Floats:
        out = z.copy()
        out[:, self._mask] = 0.0
        return out

    def fit(self, z: _Floats, ts_recv: NDArray[np.int64], seed: int) -> None:
        """Learn the others."""
        self._inner.fit(self._without(z), ts_recv, seed)

    def raw(self, z: _Floats, ts_recv: NDArray[np.int64]) -> _Floats:
        """Of the others."""
        return self._inner.raw(self._without(z), ts_recv)


def _fall(rates: Sequence[float], seed: int, config: Any) -> features.Features:  # noqa: ANN401 - Config
    begin, end = SELLER_START_NS - 400 * S, SELLER_START_NS + 62 * S
    markets = [Simulator(crash_market(seller_rate=rate), 1_000 * (seed + 1) + k, begin) for k, rate in enumerate(rates)]
    engine = features.engine(config, config.instruments, with_quotes=False)
    return features.collect([earlier._joined([m.run_until(end) for m in markets])], engine)


def _firsts(judge: Judge, of: Prepared) -> list[float | None]:
    """Seconds from the onset to each member's first ELEVATED."""
    tier = tiers(judge.raw(of), judge.score_map(), of, judge.config, has_caps=True)
    found = [(b, i) for b, _, i in events(tier, of, 1, judge.config.anomaly.event_gap_s) if b >= SELLER_START_NS]
    return [next(((b - SELLER_START_NS) / S for b, i in found if i == n.instrument_id), None) for n in judge.config.instruments]


def _count(judge: Judge, of: Prepared) -> int:
    tier = tiers(judge.raw(of), judge.score_map(), of, judge.config, has_caps=True)
    return len(events(tier, of, 1, judge.config.anomaly.event_gap_s))


def _group(made: Contender, judge: Judge, block: Prepared, config: Any) -> tuple[Systemic, ScoreMap]:  # noqa: ANN401 - Config
    own = replace(block, z=_own(block.z))
    level = judge.raw(own)
    knots = {0: _knots(level)} | {int(i): _knots(level[block.instrument_id == i]) for i in np.unique(block.instrument_id)}
    known = Systemic(knots, (), config.systemic)
    ts, common, _ = _common(CommonStress(sorted(knots)[1:], config), known, own, level)
    return known, ScoreMap.fit(common, ts, config.anomaly, days=block.days / len(config.instruments))


def _group_events(common: tuple[Systemic, ScoreMap], judge: Judge, of: Prepared, config: Any) -> list[int]:  # noqa: ANN401 - Config
    known, score_map = common
    own = replace(of, z=_own(of.z))
    ts, value, _ = _common(CommonStress([i.instrument_id for i in config.instruments], config), known, own, judge.raw(own))
    tier = (np.nan_to_num(score_map(value)) >= config.anomaly.cut_elevated).astype(np.int8)
    alone = replace(of, ts_recv=ts, instrument_id=np.zeros(len(ts), np.uint32))
    return [b for b, _, _ in events(tier, alone, 1, config.anomaly.event_gap_s)]


def _group_first(common: tuple[Systemic, ScoreMap], judge: Judge, of: Prepared, config: Any) -> float | None:  # noqa: ANN401 - Config
    return next(((b - SELLER_START_NS) / S for b in _group_events(common, judge, of, config) if b >= SELLER_START_NS), None)


def _group_count(common: tuple[Systemic, ScoreMap], judge: Judge, of: Prepared, config: Any) -> int:  # noqa: ANN401 - Config
    return len(_group_events(common, judge, of, config))


def _least(a: float | None, b: float | None) -> float | None:
    known = [v for v in (a, b) if v is not None]
    return min(known, default=None)


def _gain(without: Sequence[Sequence[float | None]], with_it: Sequence[Sequence[float | None]]) -> Facts:
    """Seconds gained, a member that never rose counted as 62 s; interval by resampling seeds."""
    gains = np.array(
        [[(62.0 if a is None else a) - (62.0 if b is None else b) for a, b in zip(x, y, strict=True)] for x, y in zip(without, with_it, strict=True)]
    )
    picks = np.random.Generator(np.random.PCG64(7)).integers(0, len(gains), (RESAMPLES, len(gains)))
    low, high = np.quantile([np.median(gains[p]) for p in picks], (0.025, 0.975))
    rose = [sum(v is not None for s in of for v in s) for of in (without, with_it)]
    return {
        "members": int(gains.size),
        "rose_without": rose[0],
        "rose_with": rose[1],
        "gain_s": float(np.median(gains)),
        "low": float(low),
        "high": float(high),
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
