# SPDX-License-Identifier: Apache-2.0
"""Somebody's ONNX file as the anomaly model: our normaliser before it, our thresholds, evidence and smoothing behind it."""

from __future__ import annotations

import base64
import hashlib
import tempfile
from pathlib import Path
from typing import Any, ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray

from pretrade.domain.config import Config
from pretrade.domain.errors import ModelError
from pretrade.models.anomaly import Anomaly
from pretrade.models.foreign import ForeignModel, load

_MOST: Final = 60.0


class OnnxAnomaly(Anomaly):
    """A foreign model that is calibrated like ours; its file stays as it is and is tried again at every load.

    Notes
    -----
    Its raw value must be a number of about logarithmic size: beyond ±60 it counts as ±60. It names no features: the reason of a limit
    record lists the first three of the vector, with equal parts.
    """

    kind: ClassVar[str] = "onnx"

    def __init__(self, config: Config | None = None) -> None:
        super().__init__(config)
        self._file = b""
        self._model: ForeignModel | None = None

    @classmethod
    def of(cls, path: Path, config: Config | None = None) -> Self:
        """An unfitted model of a file.

        Raises
        ------
        ModelError
            If the file is not as documented.
        """
        made = cls(config)
        made._model, made._file = load(path, "anomaly"), path.read_bytes()
        return made

    @property
    def foreign(self) -> ForeignModel:
        """The file, tried."""
        if self._model is None:
            raise ModelError("this onnx model has no file; make it with OnnxAnomaly.of(path)")
        return self._model

    def fit_core(self, z: NDArray[np.float64], seed: int) -> None:
        """Nothing: what it knows stands in its file. Normaliser and thresholds are fitted around it."""
        self.parts(z[:1])

    def parts(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """The exponential of its raw value, the same for every feature: their mean's logarithm is the raw value."""
        with np.errstate(over="ignore"):
            raw = self.foreign.run(z.astype(np.float32))
        return np.repeat(np.exp(np.clip(raw, -_MOST, _MOST))[:, None], z.shape[1], axis=1)

    def core_as_dict(self) -> dict[str, Any]:
        """The file, in base 64, and its hash."""
        return {"file": base64.b64encode(self._file).decode(), "sha256": self.foreign.digest}

    def core_from_dict(self, facts: dict[str, Any]) -> None:
        """Take the file over, hash compared before it is parsed."""
        file = base64.b64decode(facts["file"], validate=True)
        found = hashlib.sha256(file).hexdigest()
        if found != facts["sha256"]:
            raise ModelError(f"the ONNX file inside the model hashes to {found}; it was saved as {facts['sha256']}")
        with tempfile.TemporaryDirectory(prefix="pretrade-onnx-") as folder:
            path = Path(folder) / "model.onnx"
            path.write_bytes(file)
            self._model, self._file = load(path, "anomaly"), file
