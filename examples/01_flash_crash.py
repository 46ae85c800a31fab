# SPDX-License-Identifier: Apache-2.0
"""The 14:30 flash crash in five lines: a 200-lot order bounces off a limit that fell from 500 to 50."""

import pretrade as pt

day = pt.simulation.flash_crash(seed=7)
features = pt.features.compute(day.events)
anomaly = pt.models.VaeAnomaly().fit(features.calm())
limits = pt.calibration.calibrate(anomaly.score(features))
print(pt.gateway.replay(day.orders, limits).rejected)
