# SPDX-License-Identifier: Apache-2.0
"""A model of your own: derive from Anomaly, say what it learns and how far a row is from calm; thresholds come with it."""

from typing import ClassVar

import numpy as np

import pretrade as pt
from pretrade.models import Anomaly


class Distance(Anomaly):
    """Squared distance from the calm centre, feature by feature."""

    kind: ClassVar[str] = "distance"

    def fit_core(self, z, seed):
        """Learn the centre and spread of calm rows; nothing is random."""
        self.centre, self.spread = z.mean(axis=0), np.maximum(z.std(axis=0), 0.1)

    def parts(self, z):
        """Each feature's share of the distance."""
        return ((z - self.centre) / self.spread) ** 2

    def core_as_dict(self):
        """What was learned, as plain values."""
        return {"centre": self.centre.tolist(), "spread": self.spread.tolist()}

    def core_from_dict(self, facts):
        """Take it over."""
        self.centre, self.spread = np.array(facts["centre"]), np.array(facts["spread"])


day = pt.simulation.flash_crash(seed=7)
rows = pt.features.compute(day.events)
calm = rows.calm()
print("findings:", pt.conformance.check_model(Distance, calm, rows))
limits = pt.calibration.calibrate(Distance().fit(calm).score(rows))
for change in limits.tier_changes:
    print(f"{(change.ts_recv - day.ts_seller_start) / 1e9:+7.1f} s  {change.from_tier.name} -> {change.to_tier.name}")
