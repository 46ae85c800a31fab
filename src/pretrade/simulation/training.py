# SPDX-License-Identifier: Apache-2.0
"""Models of the simulated market, fitted on calm hours that do not depend on any story's seed, and cached."""

from __future__ import annotations

import hashlib
import multiprocessing
import shutil
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np

from pretrade import __version__, models
from pretrade.domain.config import Config
from pretrade.features import CODE_HASH, Features
from pretrade.simulation.market import CALM_SEED, CALM_START_NS, MarketParameters, calm

CALM_HOURS: Final = 32.0
"""A quarter teaches the model, 24 hours set its thresholds."""
CHAMPION: Final = "pca"
_PARTS: Final = 2
_HOUR_NS: Final = 3_600_000_000_000
_FIRST_ROWS_S: Final = 310


def model_folders(config: Config, run_path: Path, kinds: Sequence[str], hours: float = CALM_HOURS) -> dict[str, Path]:
    """Where the models of this configuration, market, feature kernel and code are cached, by kind."""
    words = (
        f"{hours:g}",
        str(CALM_SEED),
        __version__,
        CODE_HASH,
        MarketParameters().as_json(),
        _first_rows(config),
        _sources(),
        repr(config.snapshot),
        repr(config.anomaly),
        repr(config.evidence),
    )
    keys = {kind: hashlib.sha256("|".join((kind, *words)).encode()).hexdigest()[:16] for kind in kinds}
    return {kind: run_path / "models" / f"{kind}-{key}" for kind, key in keys.items()}


def _first_rows(config: Config) -> str:
    """Hash of the calm market's first rows, baselines included: another engine or kernel makes another model."""
    return hashlib.sha256(calm(_FIRST_ROWS_S / 3600, seed=CALM_SEED, config=config).rows.tobytes()).hexdigest()


def _sources() -> str:
    """Hash of the code that fits and scores."""
    digest = hashlib.sha256()
    for path in sorted(Path(models.__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def calm_hours(hours: float, config: Config, *, workers: int = _PARTS) -> Features:
    """Simulate calm hours as two markets of half the length, one after the other in time, side by side on the machine.

    Parameters
    ----------
    hours
        Of both together.
    config
        Snapshot settings.
    workers
        Processes that may work at the same time; 1 is this one alone.

    Notes
    -----
    The parts and their seeds are fixed, so the rows do not depend on how many processors there are.
    """
    with tempfile.TemporaryDirectory(prefix="pretrade-calm-") as folder:
        files = [Path(folder) / f"{part}.npy" for part in range(_PARTS)]
        each = (range(_PARTS), [hours / _PARTS] * _PARTS, [config] * _PARTS, files)
        if workers == 1:
            list(map(_simulate_part, *each))
        else:
            with ProcessPoolExecutor(min(workers, _PARTS), mp_context=multiprocessing.get_context("spawn")) as pool:
                list(pool.map(_simulate_part, *each))
        return Features(np.concatenate([np.load(file, allow_pickle=False) for file in files]))


def _simulate_part(part: int, hours: float, config: Config, file: Path) -> None:
    rows = calm(hours, seed=CALM_SEED + part, config=config, ts_start=CALM_START_NS + int(part * hours * _HOUR_NS))
    np.save(file, rows.rows)


def calm_models(
    config: Config,
    run_path: Path,
    kinds: tuple[str, ...] = (CHAMPION,),
    *,
    hours: float = CALM_HOURS,
    workers: int = _PARTS,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, models.Anomaly]:
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
    workers
        Processes that may work at the same time; the models do not depend on it.
    say
        Called with one line of progress at a time.
    """
    folders = model_folders(config, run_path, kinds, hours)
    missing = [kind for kind, folder in folders.items() if not (folder / "manifest.json").exists()]
    if missing:
        say(f"simulating {hours:g} calm hours to fit {', '.join(missing)}")
        rows = calm_hours(hours, config, workers=workers).calm()
        say(f"{len(rows)} calm rows")
        for kind in missing:
            model = models.new(kind, config).fit(rows, seed=0)
            _keep(model, folders[kind])
            say(f"fitted {kind}")
    return {kind: models.load(folder, config) for kind, folder in folders.items()}


def _keep(model: models.Anomaly, folder: Path) -> None:
    """Save whole or not at all; another process that fitted the same model first is right too."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        model.save(temporary)
        temporary.rename(folder)
    except OSError:
        if not (folder / "manifest.json").exists():
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
