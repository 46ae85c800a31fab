# SPDX-License-Identifier: Apache-2.0
"""Models of the simulated market, fitted on calm hours that do not depend on any story's seed, and cached."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pretrade import __version__, models
from pretrade.domain.config import Config
from pretrade.simulation.market import CALM_SEED, MarketParameters, calm

CALM_HOURS: Final = 32.0
"""A quarter teaches the model, 24 hours set its thresholds."""
CHAMPION: Final = "pca"


def model_folder(config: Config, run_path: Path, kind: str, hours: float = CALM_HOURS) -> Path:
    """Where the model of this configuration, market and version is cached."""
    words = (
        kind,
        f"{hours:g}",
        str(CALM_SEED),
        __version__,
        MarketParameters().as_json(),
        repr(config.snapshot),
        repr(config.anomaly),
        repr(config.evidence),
    )
    key = hashlib.sha256("|".join(words).encode()).hexdigest()[:16]
    return run_path / "models" / f"{kind}-{key}"


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
        rows = calm(hours, seed=CALM_SEED, config=config)
        say(f"{len(rows.ts_recv)} calm rows")
        for kind in missing:
            model = models.new(kind, config).fit(rows.calm(), seed=0)
            temporary = folders[kind].with_suffix(".tmp")
            shutil.rmtree(temporary, ignore_errors=True)
            model.save(temporary)
            temporary.rename(folders[kind])
            say(f"fitted {kind}")
    return {kind: models.load(folder) for kind, folder in folders.items()}
