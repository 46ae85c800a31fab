# SPDX-License-Identifier: Apache-2.0
"""Recipes of the models of markets that ship with the package, all taught by the simulated market, which may be shipped.

``python -m pretrade.simulation.shipping NAME FOLDER [CALM]`` writes one; ``CALM`` keeps the simulated calm hours between runs.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade import models
from pretrade.domain import Config
from pretrade.features import CODE_HASH, Features
from pretrade.models import clusters as groups
from pretrade.models import regime
from pretrade.models.anomaly import LONG_FIT_SHARE
from pretrade.models.normaliser import Normaliser
from pretrade.simulation.alone import episode_rows
from pretrade.simulation.market import CALM_SEED
from pretrade.simulation.training import CALM_HOURS, calm_hours

TAUGHT_SEEDS: Final = range(1_000, 1_012)
"""Episodes that teach; studies use seeds below a thousand."""
HELD_SEEDS: Final = range(1_012, 1_016)
REGIME_HOURS: Final = 8
PATTERN_FAMILIES: Final = ("seller", "evaporation", "volatility", "news", "spoofing")
PATTERN_NUMBERS: Final = range(4, 9)
"""Two or three groups say no more than a tier does."""
_HOUR_ROWS: Final = 36_000


def calm_rows(keep: Path | None = None) -> Features:
    """The calm hours of the demo's models; ``keep`` is a file that holds them between runs."""
    if keep is None:
        return calm_hours(CALM_HOURS, Config.load(), workers=1).calm()
    if not keep.exists():
        np.save(keep, calm_hours(CALM_HOURS, Config.load(), workers=1).rows)
    return Features(np.load(keep, mmap_mode="r")).calm()


def pca(folder: Path, keep: Path | None = None) -> None:
    """The champion of the demo."""
    _anomaly("pca", folder, keep)


def vae(folder: Path, keep: Path | None = None) -> None:
    """Its challenger, training seed 0."""
    _anomaly("vae", folder, keep)


def _anomaly(kind: str, folder: Path, keep: Path | None) -> None:
    model = models.new(kind, Config.load()).fit(calm_rows(keep), seed=0)
    model.save(folder)
    card = model.card()
    fitted = card["fitted"]
    later = {f"later_{w}_per_day": fitted["later"][w]["per_day"] for w in ("elevated", "high")} | {
        f"later_{w}_interval_per_day": fitted["later"][w]["interval_per_day"] for w in ("elevated", "high")
    }
    told = {
        "family": "anomaly",
        "what": f"market anomaly ({kind}): how far one instrument's book and flow are from calm",
        "warning": "taught by the simulated market; it knows nobody's instrument: fit your own before you rely on it",
        "lineage": {"calm_hours": CALM_HOURS, "seed": CALM_SEED, "rows_sha256": fitted["rows_sha256"], "feature_code": CODE_HASH},
        "metrics": {"calibration_days": card["thresholds"]["days"], "later_days": fitted["later"]["days"], **later},
    }
    _rewrite(folder, card | told)


def _rewrite(folder: Path, card: dict[str, Any]) -> None:
    """Another card, and its hash in the manifest."""
    (folder / "card.json").write_text(json.dumps(card, indent=1, sort_keys=True) + "\n")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["card.json"] = _hash(folder / "card.json")
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")


def regimes(folder: Path, keep: Path | None = None) -> None:
    """Regimes of the simulated market, taught by calm hours and by volatility that shifts without a crisis."""
    config, calm = Config.load(), calm_rows(keep)
    taught, held = regime_inputs(calm, config)
    model, density = regime.choose(taught, held)
    card = {
        "family": "regime",
        "what": "regime of one instrument's market: a Gaussian hidden Markov model read forwards, with dwell, and an alarm where none fits",
        "warning": "taught by the simulated market; it tightens what scores stand for and never loosens it",
        "lineage": {
            "calm_hours": REGIME_HOURS,
            "volatility_seeds": [TAUGHT_SEEDS[0], TAUGHT_SEEDS[-1]],
            "steps": len(taught),
            "feature_code": CODE_HASH,
        },
        "inputs": list(regime.INPUTS),
        "metrics": {"held_out_log_density": {str(k): v for k, v in density.items()}, "states": len(model)},
    }
    _save(folder, "regime_hmm", model.as_dict(), card)


def regime_inputs(calm: Features, config: Config) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Inputs that teach the regimes, and inputs held out from them."""
    half = REGIME_HOURS * _HOUR_ROWS
    out = []
    for rows, seeds in ((calm[:half], TAUGHT_SEEDS), (calm[half : half + half // 4], HELD_SEEDS)):
        parts = [regime.observe(rows)[1], *(regime.observe(episode_rows("volatility", seed, config))[1] for seed in seeds)]
        out.append(np.concatenate(parts))
    return out[0], out[1]


def clusters(folder: Path, keep: Path | None = None) -> None:
    """Kinds of anomalous liquidity and of unusual trading in the simulated families."""
    config, calm = Config.load(), calm_rows(keep)
    normaliser, views = pattern_views(calm)
    profiles = pattern_profiles(normaliser, views, TAUGHT_SEEDS, config)
    fitted, told = {}, {}
    for view in views:
        rows = np.concatenate([p for p, _ in profiles[view.name].values()])
        fitted[view.name], _ = groups.choose(view, rows, PATTERN_NUMBERS)
        told[view.name] = groups.choose(view, rows)[1]
    card = {
        "family": "clusters",
        "what": "kinds of anomalous liquidity and of unusual trading, each with what is far from calm in it",
        "warning": "taught by simulated families; a name describes features and says nothing of who traded or why",
        "lineage": {"families": list(PATTERN_FAMILIES), "seeds": [TAUGHT_SEEDS[0], TAUGHT_SEEDS[-1]], "feature_code": CODE_HASH},
        "groups": {name: [c.card(k) for k in range(len(c))] for name, c in fitted.items()},
        "metrics": {name: {str(k): v for k, v in numbers.items()} for name, numbers in told.items()},
    }
    facts = {"views": [c.as_dict() for c in fitted.values()], "normaliser": normaliser.as_dict()}
    _save(folder, "pattern_clusters", facts, card)


def pattern_views(calm: Features) -> tuple[Normaliser, list[groups.View]]:
    """The normaliser and both views, set on the calm rows that teach the anomaly models."""
    taught = calm[: int(len(calm) * LONG_FIT_SHARE)]
    normaliser = Normaliser.fit(taught)
    z = normaliser(taught[::5])
    return normaliser, [groups.View.fit(name, z) for name in groups.VIEWS]


Profiles = dict[str, dict[str, tuple[NDArray[np.float64], NDArray[np.int64]]]]


def pattern_profiles(normaliser: Normaliser, views: Sequence[groups.View], seeds: Sequence[int], config: Config) -> Profiles:
    """Profiles of anomalous stretches by view and family, and when each began."""
    out: Profiles = {view.name: {} for view in views}
    for family in PATTERN_FAMILIES:
        found: dict[str, list[tuple[NDArray[np.float64], NDArray[np.int64]]]] = {view.name: [] for view in views}
        for seed in seeds:
            rows = episode_rows(family, seed, config)
            rows = rows[rows.is_scored]
            z = normaliser(rows)
            for view in views:
                profiles, places = view.profiles(z, rows.ts_recv)
                found[view.name].append((profiles, rows.ts_recv[[a for a, _ in places]] if places else np.empty(0, np.int64)))
        for name, parts in found.items():
            out[name][family] = np.concatenate([p for p, _ in parts]), np.concatenate([t for _, t in parts])
    return out


def _save(folder: Path, kind: str, facts: dict[str, Any], card: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.json").write_text(json.dumps(facts, sort_keys=True) + "\n")
    (folder / "card.json").write_text(json.dumps(card, indent=1, sort_keys=True) + "\n")
    files = {name: _hash(folder / name) for name in ("model.json", "card.json")}
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
    (folder / "manifest.json").write_text(json.dumps({"id": digest, "kind": kind, "files": files}, indent=1, sort_keys=True) + "\n")


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


RECIPES: Final[dict[str, Callable[[Path, Path | None], None]]] = {"pca": pca, "vae": vae, "regimes": regimes, "clusters": clusters}

if __name__ == "__main__":
    RECIPES[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None)
