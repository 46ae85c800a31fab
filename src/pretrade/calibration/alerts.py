# SPDX-License-Identifier: Apache-2.0
"""One alert record per upward tier change; ELEVATED is an event, HIGH and CRITICAL are alarms."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from pretrade.calibration.tiers import TierChange
from pretrade.domain import Tier
from pretrade.domain.errors import JournalError
from pretrade.domain.group import is_group

_TAIL_BLOCK: Final = 4096


@dataclass(frozen=True, slots=True)
class Alert:
    """What the risk desk is told; limits in lots."""

    alert_id: str
    ts_recv: int
    instrument_id: int
    severity: str
    condition: str
    cause: str
    score: float | None
    top_features: tuple[str, ...]
    old_limit: int | None
    new_limit: int | None
    trip_id: int
    drivers: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "top_features": list(self.top_features), "drivers": list(self.drivers)}


def alert_of(change: TierChange, old_limit: int | None, new_limit: int | None) -> Alert | None:
    """The alert of an upward tier change; ``None`` for a loosening, and for a member that its group raised: the group's alert tells."""
    if change.to_tier <= change.from_tier or is_of_group(change):
        return None
    severity = "alarm" if change.to_tier >= Tier.HIGH else "event"
    score = None if np.isnan(change.score) else round(float(change.score), 6)
    return Alert(
        f"{change.instrument_id}-{change.ts_recv}-{change.to_tier.name}",
        change.ts_recv,
        change.instrument_id,
        severity,
        change.to_tier.name,
        change.cause,
        score,
        change.top_features,
        old_limit,
        new_limit,
        change.trip_id,
        change.drivers,
    )


def is_of_group(change: TierChange) -> bool:
    """True for a member's change that its group caused, and that the group's own change tells."""
    return change.cause == "systemic" and not is_group(change.instrument_id)


def alerts(changes: Sequence[TierChange], records: NDArray[Any]) -> list[Alert]:
    """Alerts of a stretch of tier changes, with the maximum order quantity before and after each.

    Parameters
    ----------
    changes
        In time order.
    records
        LIMITS_DTYPE in ``ts_published`` order.
    """
    out = []
    for change in changes:
        mine = records[records["instrument_id"] == change.instrument_id]
        at = int(np.searchsorted(mine["ts_data"], change.ts_recv, side="left"))
        old = int(mine["max_order_quantity"][at - 1]) if at > 0 else None
        new = int(mine["max_order_quantity"][at]) if at < len(mine) else None
        alert = alert_of(change, old, new)
        if alert is not None:
            out.append(alert)
    return out


def alarms(changes: Sequence[TierChange], *, gap_s: float = 60.0) -> int:
    """Count HIGH and CRITICAL events: upward changes less than ``gap_s`` after the last one of the instrument are the same event."""
    last: dict[int, int] = {}
    count = 0
    for change in changes:
        if change.to_tier >= Tier.HIGH and change.to_tier > change.from_tier and not is_of_group(change):
            before = last.get(change.instrument_id)
            count += before is None or change.ts_recv - before >= gap_s * 1e9
            last[change.instrument_id] = change.ts_recv
    return count


class AlertJournal:
    """Append-only JSON lines, synced before the call returns.

    Parameters
    ----------
    path
        The journal; created where absent.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._limits: dict[int, int] = {}

    def record(self, change: TierChange, records: NDArray[Any]) -> Alert | None:
        """Append the alert of an upward change; ``records`` are the new limit records of the same tick.

        Raises
        ------
        JournalError
            If the line cannot be written and synced.
        """
        mine = records[records["instrument_id"] == change.instrument_id]
        new = int(mine["max_order_quantity"][0]) if len(mine) else None
        alert = alert_of(change, self._limits.get(change.instrument_id), new)
        if new is not None:
            self._limits[change.instrument_id] = new
        if alert is None:
            return None
        try:
            with self.path.open("a+b") as out:
                cut_torn_tail(out)
                out.write(json.dumps(alert.as_dict(), sort_keys=True).encode() + b"\n")
                out.flush()
                os.fsync(out.fileno())
        except OSError as e:
            raise JournalError(f"alert journal {self.path} cannot be written: {e}") from e
        return alert

    def note_limits(self, records: NDArray[Any]) -> None:
        """Remember the limits in force, so that the next alert can name the old one."""
        for record in records:
            self._limits[int(record["instrument_id"])] = int(record["max_order_quantity"])

    def read(self, position: int = 0) -> list[Alert]:
        """Alerts from a byte position on; a line still being written is left for later."""
        return [alert for alert, _ in self.read_positions(position)]

    def read_positions(self, position: int = 0) -> list[tuple[Alert, int]]:
        """Alerts from a byte position on, each with the position behind it.

        Raises
        ------
        JournalError
            If a whole line is no alert, or the position lies beyond the end.
        """
        if not self.path.exists():
            return []
        out = []
        with self.path.open("rb") as lines:
            size = lines.seek(0, os.SEEK_END)
            if position > size:
                raise JournalError(f"alert journal {self.path} has {size} bytes; position {position} lies beyond them")
            lines.seek(position)
            for line in lines:
                position += len(line)
                if not line.endswith(b"\n"):
                    break
                try:
                    facts = json.loads(line)
                    lists = {name: tuple(value) for name, value in facts.items() if isinstance(value, list)}
                    out.append((Alert(**{**facts, **lists}), position))
                except (ValueError, TypeError, KeyError) as e:
                    raise JournalError(f"alert journal {self.path} has a broken line that ends at byte {position}: {e}") from e
        return out


def cut_torn_tail(file: BinaryIO) -> int:
    """Cut off a last line that its writer did not live to finish, so that the next one is not glued to it.

    Parameters
    ----------
    file
        JSON lines, open to read and write; afterwards it stands at its end.

    Returns
    -------
    int
        Bytes cut.
    """
    end = whole = file.seek(0, os.SEEK_END)
    while whole > 0:
        at = max(0, whole - _TAIL_BLOCK)
        file.seek(at)
        block = file.read(whole - at)
        newline = block.rfind(b"\n")
        if newline >= 0:
            whole = at + newline + 1
            break
        whole = at
    if whole < end:
        file.truncate(whole)
    file.seek(0, os.SEEK_END)
    return end - whole
