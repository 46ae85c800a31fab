# SPDX-License-Identifier: Apache-2.0
"""Understanding, second half: feature rows to a calibrated score in [0, 1] that says how far a market is from calm.

Reads feature rows. Gives scores with the features that drove them and the evidence of the book beside them. Must never see
a label, look ahead, unpickle anything, or decide a limit. Networks follow Kingma and Welling (2014); thresholds are peaks
over threshold (Pickands 1975; Siffer et al. 2017) at a stated false-alarm budget.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pretrade.domain.config import Config
from pretrade.domain.errors import ModelError
from pretrade.models.anomaly import Anomaly, AnomalyModel
from pretrade.models.onnx_anomaly import OnnxAnomaly
from pretrade.models.pca import PcaAnomaly
from pretrade.models.rules import DepthRule, MinRule, RvRule
from pretrade.models.scores import Scores
from pretrade.models.store import load_as
from pretrade.models.stream import ScoreStream
from pretrade.models.systemic import GroupScores
from pretrade.models.vae import VaeAnomaly

if TYPE_CHECKING:
    from pretrade.features import Features

KINDS: dict[str, type[Anomaly]] = {m.kind: m for m in (PcaAnomaly, VaeAnomaly, RvRule, DepthRule, MinRule)}

__all__ = [
    "KINDS",
    "Anomaly",
    "AnomalyModel",
    "DepthRule",
    "GroupScores",
    "MinRule",
    "OnnxAnomaly",
    "PcaAnomaly",
    "RvRule",
    "ScoreStream",
    "Scores",
    "VaeAnomaly",
    "load",
    "new",
    "train_anomaly",
]


def new(kind: str, config: Config | None = None) -> Anomaly:
    """An unfitted model of a kind: ``pca``, ``vae``, ``rv_10s``, ``depth`` or ``min``.

    Raises
    ------
    ModelError
        If the kind is unknown.
    """
    if kind not in KINDS:
        raise ModelError(f"model kind is {kind!r}; known are {', '.join(KINDS)}")
    return KINDS[kind](config)


def load(folder: Path, config: Config | None = None) -> Anomaly:
    """Load a saved model and check it against its stored rows.

    Parameters
    ----------
    folder
        Where it was saved.
    config
        What the model will be used under: its budgets, cuts and evidence must be those it was fitted with. ``None`` only looks at it.

    Raises
    ------
    ModelError
        If the folder is no model, was changed, scores its check rows otherwise than when it was saved, or was fitted under other settings.
    """
    return load_as(Path(folder), {**KINDS, OnnxAnomaly.kind: OnnxAnomaly}, config)


def train_anomaly(
    features: Features, *, kind: str = "pca", out: Path, config: Config | None = None, seed: int = 0, onnx: Path | None = None
) -> Anomaly:
    """Fit a model on the calm rows of ``features`` and save it to ``out``; with ``onnx``, set thresholds around that file instead."""
    model = new(kind, config) if onnx is None else OnnxAnomaly.of(onnx, config)
    model.fit(features.calm(), seed=seed).save(out)
    return model
