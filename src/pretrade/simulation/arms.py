# SPDX-License-Identifier: Apache-2.0
"""The four ways to set limits that are held against each other on the same seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from pretrade import calibration, models
from pretrade.domain import LIMITS_DTYPE, Config, Tier
from pretrade.domain.errors import SimulationError
from pretrade.features import Features
from pretrade.sidecar.pipeline import Pipeline
from pretrade.simulation.market import INSTRUMENT_ID
from pretrade.simulation.training import CHAMPION

ARMS: Final = ("static", "rule", "dynamic", "always_tight")
TIGHT_FACTOR: Final = 0.1
_HELD_NS: Final = 30_000_000_000
_SMOOTHING_ROWS: Final = 5

TierStep = tuple[int, Tier, Tier]
"""When, from, to."""


class Arm(Protocol):
    """Rows in, limit records out."""

    steps: list[TierStep]

    def update(self, rows: Features) -> NDArray[Any]:
        """Records that the rows changed, LIMITS_DTYPE, in time order."""
        ...


class Static:
    """The static limits, or a fixed fraction of the static maximum order size for ever."""

    def __init__(self, config: Config, factor: float = 1.0) -> None:
        self.steps: list[TierStep] = []
        self._records = calibration.static_records(config, [INSTRUMENT_ID])
        if factor != 1.0:
            _stand_behind(self._records)
            self._records["max_order_quantity"] = np.floor(self._records["max_order_quantity"] * factor)
        self._is_new = True

    def update(self, rows: Features) -> NDArray[Any]:
        """The record once."""
        if not self._is_new or len(rows) == 0:
            return np.empty(0, LIMITS_DTYPE)
        self._is_new = False
        return self._records.copy()


class Rule:
    """Volatility-scaled: half the static maximum order size above one ten-second volatility, a tenth above another, for 30 s at least.

    Parameters
    ----------
    config
        The configuration.
    model
        The fitted ``rv_10s`` rule: volatility against its own calm, with thresholds at the dynamic arm's false-alarm budgets, tuned on calm
        seeds that no scenario uses.

    Notes
    -----
    It looks at volatility alone, asks the book for no evidence and trips nothing.
    """

    def __init__(self, config: Config, model: models.Anomaly) -> None:
        self.steps: list[TierStep] = []
        self._model = model
        factors = (config.tiers.elevated.order_quantity_factor, config.tiers.high.order_quantity_factor)
        self._factors = dict(zip((Tier.NORMAL, Tier.ELEVATED, Tier.HIGH), (1.0, *factors), strict=True))
        levels = rule_levels(model)
        self._levels = ((levels["high"], Tier.HIGH), (levels["elevated"], Tier.ELEVATED))
        self._record = calibration.static_records(config, [INSTRUMENT_ID])
        _stand_behind(self._record)
        self._static = int(self._record["max_order_quantity"][0])
        self._tier, self._quiet_since = Tier.NORMAL, 0
        self._past: list[float] = []
        self._version = 0

    def update(self, rows: Features) -> NDArray[Any]:
        """A record whenever the tier moves."""
        out = []
        # As the thresholds were fitted: instrument and time of day taken off.
        values = self._model.season(self._model.raw_and_parts(rows)[0], rows.ts_recv, rows.instrument_id) if len(rows) else np.empty(0)
        for ts, value in zip(rows.ts_recv.tolist(), values.tolist(), strict=True):
            self._past = [*self._past[1 - _SMOOTHING_ROWS :], value]
            tier = self._next(ts, float(np.nanmedian(self._past)) if any(v == v for v in self._past) else np.nan)
            if tier != self._tier or self._version == 0:
                if tier != self._tier:
                    self.steps.append((ts, self._tier, tier))
                self._tier, self._version = tier, self._version + 1
                self._record["version"], self._record["tier"] = self._version, tier
                self._record["max_order_quantity"] = int(self._static * self._factors[tier])
                self._record["ts_published"] = self._record["mono_published"] = self._record["ts_data"] = ts
                out.append(self._record.copy())
        return np.concatenate(out) if out else np.empty(0, LIMITS_DTYPE)

    def _next(self, ts: int, volatility: float) -> Tier:
        wanted = next((tier for level, tier in self._levels if volatility >= level), Tier.NORMAL)
        if wanted >= self._tier:
            self._quiet_since = ts
            return wanted
        return wanted if ts - self._quiet_since >= _HELD_NS else self._tier


class Dynamic:
    """The product: the champion's scores through calibration."""

    def __init__(self, config: Config, model: models.AnomalyModel) -> None:
        self.steps: list[TierStep] = []
        self._pipeline = Pipeline(config, model, (INSTRUMENT_ID,))

    def update(self, rows: Features) -> NDArray[Any]:
        """Every record the sidecar would publish."""
        out: list[NDArray[Any]] = []
        for step in self._pipeline.push(rows, only_changes=True):
            self.steps.extend((c.ts_recv, c.from_tier, c.to_tier) for c in step.update.tier_changes)
            out.extend(part for part in (step.update.records, step.update.refreshed) if len(part))
        return np.concatenate(out) if out else np.empty(0, LIMITS_DTYPE)


def _stand_behind(records: NDArray[Any]) -> None:
    """Mark records as somebody's judgement: the gate takes limits other than the static ones from nobody else."""
    records["flags"], records["score"] = 0, 0.0


def rule_levels(model: models.Anomaly) -> dict[str, float]:
    """Raw value (log, instrument and time of day taken off) from which the rule stands for ELEVATED and for HIGH."""
    return {"elevated": float(model.score_map.knots[2]), "high": float(model.score_map.knots[3])}


def arm(name: str, config: Config, fitted: Mapping[str, models.Anomaly]) -> Arm:
    """A fresh arm by its name in :data:`ARMS`; ``fitted`` holds the champion and ``rv_10s``.

    Raises
    ------
    SimulationError
        If there is no such arm.
    """
    if name == "static":
        return Static(config)
    if name == "always_tight":
        return Static(config, TIGHT_FACTOR)
    if name == "rule":
        return Rule(config, fitted["rv_10s"])
    if name == "dynamic":
        return Dynamic(config, fitted[CHAMPION])
    raise SimulationError(f"arm is {name!r}; known are {', '.join(ARMS)}")
