# SPDX-License-Identifier: Apache-2.0
"""What regimes and pattern clusters say of episodes that did not teach them; stores results for their pages.

python benchmarks/regimes.py WORK docs/results src/pretrade/models/shipped
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade.domain import Config
from pretrade.features import Features
from pretrade.models import clusters, regime
from pretrade.models.anomaly import LONG_FIT_SHARE
from pretrade.models.clusters import adjusted_rand
from pretrade.models.contenders import contender
from pretrade.models.normaliser import Normaliser
from pretrade.models.panel import Judge, events, prepare
from pretrade.models.regime import NOVEL, JumpModel, RegimeModel, RegimeStream
from pretrade.simulation.alone import episode_rows
from pretrade.simulation.market import SELLER_START_NS
from pretrade.simulation.shipping import PATTERN_FAMILIES, calm_rows, regime_inputs

S: Final = 10**9
SEEDS: Final = range(500, 508)
CHAIN_SEEDS: Final = range(8)
FAMILIES: Final = ("seller", "evaporation", "volatility", "news", "spoofing")
PENALTIES: Final = (10.0, 50.0, 200.0)
Facts = dict[str, Any]
_Floats = NDArray[np.float64]
Reader = Callable[[_Floats], NDArray[Any]]


def main(cache: Path, out: Path, shipped: Path) -> None:
    """Study both."""
    config = Config.load()
    calm = calm_rows(cache / "calm32.npy")
    played = {family: [episode_rows(family, seed, config) for seed in SEEDS] for family in FAMILIES}
    sys.stdout.write("played\n")
    model = regime.load(shipped / "regime-hmm")
    facts: Facts = {"seeds": [SEEDS[0], SEEDS[-1]], "config_hash": config.hash, "model": model.as_dict(), "chain": chain()}
    readers, facts["density"] = _readers(calm, config, model)
    facts["volatility"] = {name: _volatility(read, played["volatility"]) for name, read in readers.items()}
    later = Features(np.load(cache / "later.npy", mmap_mode="r"))
    seen_ts, x = regime.observe(later)
    facts["calm"] = {"hours": len(later) / 36_000, **{name: _switches(read(x)) for name, read in readers.items()}}
    told = RegimeStream(model).update(x)
    facts["novel"] = {"calm": _novel(told, seen_ts, None), **{f: _novelties(model, rows) for f, rows in played.items()}}
    sys.stdout.write("regimes read\n")
    facts["tightening"] = _tightening(calm, later, played, model, config)
    (out / "regimes.json").write_text(json.dumps(facts, indent=1) + "\n")
    (out / "clusters.json").write_text(json.dumps(patterns(shipped / "pattern-clusters", played), indent=1) + "\n")


def chain() -> Facts:
    """A made-up chain of three regimes with 20 switches in 2,000 steps: agreement with the truth, read forwards."""
    found: dict[str, list[float]] = {}
    mean = np.array([[-4.0, 0.0, 5.0], [-3.2, 0.3, 4.7], [-2.6, 0.5, 4.3]])
    for seed in CHAIN_SEEDS:
        rng = np.random.Generator(np.random.PCG64(seed))
        states = np.repeat(rng.integers(0, 3, 40), 100)
        x = mean[states] + 0.6 * rng.normal(size=(4_000, 3))
        fit, test, truth = x[:2_000], x[2_000:], states[2_000:]
        model = RegimeModel.fit(fit, 3, seed=seed)
        posterior = model.filter(test)[0]
        readers: dict[str, Reader] = {
            "hmm, filtered": lambda _, p=posterior: p.argmax(axis=1),  # type: ignore[misc]
            "hmm, with dwell": lambda t, m=model: RegimeStream(m).update(t),  # type: ignore[misc]
            **_others(fit, 3, seed),
        }
        for name, read in readers.items():
            found.setdefault(name, []).append(adjusted_rand(np.asarray(read(test), np.int64), truth))
    return {name: _interval(values) for name, values in found.items()}


def _others(x: _Floats, k: int, seed: int) -> dict[str, Reader]:
    """Baselines fitted on the same inputs, states by volatility."""
    from sklearn.cluster import KMeans
    from sklearn.mixture import GaussianMixture

    mixture = GaussianMixture(k, covariance_type="diag", random_state=seed).fit(x)
    means = KMeans(k, n_init=4, random_state=seed).fit(x)
    cuts = np.quantile(x[:, 0], np.arange(1, k) / k)
    rank = [np.argsort(np.argsort(m[:, 0])) for m in (mixture.means_, means.cluster_centers_)]
    out: dict[str, Reader] = {
        "gmm": lambda t: rank[0][mixture.predict(t)],
        "kmeans": lambda t: rank[1][means.predict(t)],
        "volatility terciles": lambda t: np.searchsorted(cuts, t[:, 0]),
    }
    for penalty in PENALTIES:
        jump = JumpModel(k, penalty).fit(x, seed=seed)
        out[f"jump, penalty {penalty:g}"] = lambda t, j=jump: j.read(t)  # type: ignore[misc]
    return out


def _interval(values: Sequence[float]) -> dict[str, float]:
    """Mean and its 95 % bootstrap interval over seeds."""
    data = np.asarray(values, float)
    picks = np.random.Generator(np.random.PCG64(7)).integers(0, len(data), (2_000, len(data)))
    low, high = np.quantile(data[picks].mean(axis=1), (0.025, 0.975))
    return {"mean": float(data.mean()), "low": float(low), "high": float(high)}


def _readers(calm: Features, config: Config, model: RegimeModel) -> tuple[dict[str, Reader], Facts]:
    """The shipped model and the baselines on its own inputs, and held-out log density a step."""
    from sklearn.mixture import GaussianMixture

    taught, held = regime_inputs(calm, config)
    density: Facts = {}
    for k in regime.STATES:
        density[str(k)] = {
            "hmm": float(RegimeModel.fit(taught, k).filter(held)[1].mean()),
            "gmm": float(GaussianMixture(k, covariance_type="diag", random_state=0).fit(taught).score(held)),
        }
    return {"hmm": lambda t: RegimeStream(model).update(t), **_others(taught, len(model), 0)}, density


def _volatility(read: Reader, episodes: Sequence[Features]) -> Facts:
    """Agreement with before and after the onset, and how soon after it the state was another than before."""
    agreement, delays = [], []
    for rows in episodes:
        ts, x = regime.observe(rows)
        told = np.asarray(read(x), np.int64)
        after = ts > SELLER_START_NS
        settled = ~after | (ts > SELLER_START_NS + 120 * S)
        agreement.append(adjusted_rand(told[settled], after[settled].astype(np.int64)))
        usual = np.bincount(np.maximum(told[~after], 0)).argmax()
        later = np.flatnonzero(after & (told > usual))
        delays.append((int(ts[later[0]]) - SELLER_START_NS) / S if len(later) else float("inf"))
    return {"agreement": _interval(agreement), "found": int(np.isfinite(delays).sum()), "of": len(delays), "delay_s": float(np.median(delays))}


def _switches(told: NDArray[Any]) -> int:
    return int((np.diff(np.asarray(told, np.int64)) != 0).sum())


def _novel(told: NDArray[np.int8], ts: NDArray[np.int64], onset: int | None) -> Facts:
    begins = np.flatnonzero((told == NOVEL) & (np.r_[0, told[:-1]] != NOVEL))
    after = [] if onset is None else [(int(ts[b]) - onset) / S for b in begins if ts[b] >= onset]
    return {"alarms": len(begins), "first_after_s": after[0] if after else None}


def _novelties(model: RegimeModel, episodes: Sequence[Features]) -> Facts:
    found = []
    for rows in episodes:
        ts, x = regime.observe(rows)
        found.append(_novel(RegimeStream(model).update(x), ts, SELLER_START_NS)["first_after_s"])
    known = [f for f in found if f is not None]
    return {"episodes": len(found), "with_alarm": len(known), "median_s": float(np.median(known)) if known else None}


def _tightening(calm: Features, later: Features, played: dict[str, list[Features]], model: RegimeModel, config: Config) -> Facts:
    """ELEVATED and HIGH of the champion with and without the regime's budgets."""
    cut = int(len(calm) * LONG_FIT_SHARE)
    normaliser = Normaliser.fit(calm[:cut])
    fit, block = prepare(calm[:cut:4], normaliser, config), prepare(calm[cut:], normaliser, config)
    pca = contender("pca", config)
    pca.fit(fit.z, fit.ts_recv, 0)
    judge = Judge.of(pca, block, config)
    score_map = judge.score_map()
    out: Facts = {}
    for name, episodes in {"calm": [later], **played}.items():
        counts: dict[str, list[float]] = {"gain_s": [], "plain": [], "tightened": []}
        for rows in episodes:
            part = prepare(rows, normaliser, config)
            raw = judge.raw(part)
            ts, x = regime.observe(rows)
            at = regime.at_rows(part.ts_recv, ts, RegimeStream(model).update(x))
            scores = score_map(raw), regime.tightened(raw, at, model, score_map, config.anomaly)
            firsts = []
            for key, score in zip(("plain", "tightened"), scores, strict=True):
                found = events((np.nan_to_num(score) >= config.anomaly.cut_elevated).astype(np.int8), part, 1, config.anomaly.event_gap_s)
                counts[key].append(len(found))
                firsts.append(next((b for b, _, _ in found if b >= SELLER_START_NS or name == "calm"), None))
            if firsts[0] is not None and firsts[1] is not None:
                counts["gain_s"].append((firsts[0] - firsts[1]) / S)
        gain = _interval(counts["gain_s"]) if counts["gain_s"] else None
        out[name] = {"plain": int(sum(counts["plain"])), "tightened": int(sum(counts["tightened"])), "gain_s": gain, "episodes": len(episodes)}
    return out


def patterns(folder: Path, played: dict[str, list[Features]]) -> Facts:
    """How episodes that did not teach fall into the shipped groups, and how a rule on the largest feature groups them."""
    normaliser = Normaliser.from_dict(json.loads((folder / "model.json").read_text())["normaliser"])
    card = json.loads((folder / "card.json").read_text())
    out: Facts = {"seeds": [SEEDS[0], SEEDS[-1]], "groups": card["groups"], "metrics": card["metrics"], "views": {}}
    for fitted in clusters.load(folder):
        counts: dict[str, list[int]] = {}
        labels, truths, largest = [], [], []
        for n, family in enumerate(PATTERN_FAMILIES):
            told = []
            for rows in played[family]:
                sound = rows[rows.is_scored]
                profiles, places = fitted.view.profiles(normaliser(sound), sound.ts_recv)
                late = np.array([sound.ts_recv[a] >= SELLER_START_NS - 10 * S for a, _ in places], bool)
                if late.any():
                    told += fitted.assign(profiles[late]).tolist()
                    largest += np.abs(profiles[late]).argmax(axis=1).tolist()
            labels += told
            truths += [n] * len(told)
            counts[family] = [told.count(k) for k in [*range(len(fitted)), clusters.UNLIKE]]
        agreement = [_bootstrapped(np.array(of), np.array(truths)) for of in (labels, largest)]
        out["views"][fitted.view.name] = {
            "stability": fitted.stability,
            "limit": fitted.view.limit,
            "counts": counts,
            "family_agreement": agreement[0],
            "largest_feature_agreement": agreement[1],
        }
    return out


def _bootstrapped(label: NDArray[np.int64], truth: NDArray[np.int64]) -> dict[str, float]:
    """Adjusted Rand index with the families, and its 95 % bootstrap interval over stretches."""
    rng = np.random.Generator(np.random.PCG64(3))
    values = []
    for _ in range(300):
        pick = rng.integers(0, len(label), len(label))
        values.append(adjusted_rand(label[pick], truth[pick]))
    low, high = np.quantile(values, (0.025, 0.975))
    return {"mean": adjusted_rand(label, truth), "low": float(low), "high": float(high)}


if __name__ == "__main__":
    main(*(Path(p) for p in sys.argv[1:4]))
