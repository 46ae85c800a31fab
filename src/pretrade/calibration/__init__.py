# SPDX-License-Identifier: Apache-2.0
"""Protection, first half: scores to tiers to limit records, inside the envelope humans sign.

Reads scored rows and the static limits. Gives limit records, tier changes and alert records. Tightening is immediate,
loosening is hysteretic and slow, and after CRITICAL nothing loosens until a named human resumes the trip. Must never set a
limit looser than the ceiling, merge a parameter without the direction table, or work one instrument at a time.
"""

from pretrade.calibration.alerts import Alert, AlertJournal, alarms, alerts
from pretrade.calibration.batch import Limits, calibrate, static_records
from pretrade.calibration.calibrator import Calibrator, Update
from pretrade.calibration.rules import Columns, rule
from pretrade.calibration.tiers import TierChange

__all__ = [
    "Alert",
    "AlertJournal",
    "Calibrator",
    "Columns",
    "Limits",
    "TierChange",
    "Update",
    "alarms",
    "alerts",
    "calibrate",
    "rule",
    "static_records",
]
