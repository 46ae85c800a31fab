# SPDX-License-Identifier: Apache-2.0
"""The file of tier changes: what it holds is not told again after a restart, what it lacks is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pretrade.calibration import TierChange
from pretrade.calibration.alerts import cut_torn_tail
from pretrade.domain import Tier
from pretrade.domain.errors import JournalError


class TierChangeLog:
    """JSON lines, appended; a last line that an earlier writer did not live to finish is cut off.

    Parameters
    ----------
    path
        The file; made when absent.

    Raises
    ------
    JournalError
        If a whole line is no tier change.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("a+b")
        cut_torn_tail(self._file)
        self._until = 0
        self._at_last: set[int] = set()
        self._tiers: dict[int, Tier] = {}
        for number, line in enumerate(path.read_bytes().splitlines(), 1):
            try:
                facts: dict[str, Any] = json.loads(line)
                self._note(int(facts["instrument_id"]), int(facts["ts_recv"]), Tier[facts["to"]])
            except (ValueError, KeyError, TypeError) as e:
                raise JournalError(f"{path}: line {number} is no tier change: {e!r}") from e

    def is_told(self, change: TierChange) -> bool:
        """An earlier life, or this one, wrote it or one after it."""
        return change.ts_recv < self._until or (change.ts_recv == self._until and change.instrument_id in self._at_last)

    def tier(self, instrument_id: int) -> Tier:
        """Tier last told; NORMAL where none was."""
        return self._tiers.get(instrument_id, Tier.NORMAL)

    def tell(self, change: TierChange) -> None:
        """Append one change; readable when this returns."""
        self._file.write(json.dumps(change.as_dict(), sort_keys=True).encode() + b"\n")
        self._file.flush()
        self._note(change.instrument_id, change.ts_recv, change.to_tier)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _note(self, instrument_id: int, ts: int, tier: Tier) -> None:
        self._tiers[instrument_id] = tier
        if ts > self._until:
            self._until, self._at_last = ts, set()
        if ts == self._until:
            self._at_last.add(instrument_id)
