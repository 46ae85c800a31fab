# SPDX-License-Identifier: Apache-2.0
"""Models of the simulated market, fitted on calm hours that do not depend on any story's seed, and cached."""

from __future__ import annotations

import hashlib
import multiprocessing
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np

from pretrade import __version__, models
from pretrade.domain.config import Config
from pretrade.features import Features
from pretrade.simulation.market import CALM_SEED, CALM_START_NS, MarketParameters, Simulator, calm

CALM_HOURS: Final = 32.0
"""A quarter teaches the model, 24 hours set its thresholds."""
CHAMPION: Final = "pca"
_PARTS: Final = 2
_HOUR_NS: Final = 3_600_000_000_000


def model_folder(config: Config, run_path: Path, kind: str, hours: float = CALM_HOURS) -> Path:
    """Where the model of this configuration, market and version is cached."""
    words = (
        kind,
        f"{hours:g}",
        str(CALM_SEED),
        __version__,
        MarketParameters().as_json(),
        _market_bytes(),
        repr(config.snapshot),
        repr(config.anomaly),
        repr(config.evidence),
    )
    key = hashlib.sha256("|".join(words).encode()).hexdigest()[:16]
    return run_path / "models" / f"{kind}-{key}"


def _market_bytes() -> str:
    """Hash of the calm market's first seconds: another engine makes another model."""
    simulator = Simulator(MarketParameters(), CALM_SEED, CALM_START_NS)
    simulator.run_until(CALM_START_NS + 5_000_000_000)
    return simulator.event_log_hash


def calm_hours(hours: float, config: Config) -> Features:
    """Simulate calm hours as two markets of half the length, one after the other in time, side by side on the machine.

    Notes
    -----
    The parts and their seeds are fixed, so the rows do not depend on how many processors there are.
    """
    with tempfile.TemporaryDirectory(prefix="pretrade-calm-") as folder:
        files = [Path(folder) / f"{part}.npy" for part in range(_PARTS)]
        with ProcessPoolExecutor(_PARTS, mp_context=multiprocessing.get_context("spawn")) as pool:
            list(pool.map(_simulate_part, range(_PARTS), [hours / _PARTS] * _PARTS, [config] * _PARTS, files))
        return Features(np.concatenate([np.load(file, allow_pickle=False) for file in files]))


def _simulate_part(part: int, hours: float, config: Config, file: Path) -> None:
    rows = calm(hours, seed=CALM_SEED + part, config=config, ts_start=CALM_START_NS + int(part * hours * _HOUR_NS))
    np.save(file, rows.rows)


def calm_models(
    config: Config, run_path: Path, kinds: tuple[str, ...] = (CHAMPION,), *, hours: float = CALM_HOURS, say: Callable[[str], None] = lambda _: None
) -> dict[str, models.AnomalyModel]:
    """Load the cached models, or simulate calm hours once and fit those that are missing.

    Parameters
    ----------
    config
        Snapshot, anomaly and evidence settings; static limits do not matter here.
    run_path
        Run directory.
    kinds
        Model kinds, such as ``pca`` or ``vae``.
    hours
        Calm hours to simulate, at least 24.
    say
        Called with one line of progress at a time.
    """
    folders = {kind: model_folder(config, run_path, kind, hours) for kind in kinds}
    missing = [kind for kind, folder in folders.items() if not (folder / "manifest.json").exists()]
    if missing:
        say(f"simulating {hours:g} calm hours to fit {', '.join(missing)}")
        rows = calm_hours(hours, config).calm()
        say(f"{len(rows)} calm rows")
        for kind in missing:
            model = models.new(kind, config).fit(rows, seed=0)
            temporary = folders[kind].with_suffix(".tmp")
            shutil.rmtree(temporary, ignore_errors=True)
            model.save(temporary)
            temporary.rename(folders[kind])
            say(f"fitted {kind}")
    return {kind: models.load(folder) for kind, folder in folders.items()}
