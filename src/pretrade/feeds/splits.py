# SPDX-License-Identifier: Apache-2.0
"""Splits from a small table of reference data: each is known from the moment it takes effect, and never before."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from pretrade.domain import EVENT_DTYPE, Config, EventFlag, EventKind, Instrument, ReferenceKind
from pretrade.domain.errors import FeedError

COLUMNS: Final = ("symbol", "effective", "ratio")
_ONE: Final = 1_000_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def read_splits(path: Path, config: Config, instruments: Sequence[Instrument]) -> NDArray[Any]:
    """Splits of some instruments as REFERENCE events, in the order in which they take effect.

    Parameters
    ----------
    path
        CSV with a header: ``symbol``; ``effective``, a date (midnight in the time zone of the instrument's session) or an ISO stamp with its
        zone; ``ratio``, new shares for old such as ``7:1`` or ``7``; and where it is known ``announced``, as ``effective``.
    config
        Sessions by name.
    instruments
        Whose splits are wanted; rows of others are left out.

    Returns
    -------
    ndarray
        EVENT_DTYPE; ``price`` is new shares for one old in 1e-9.

    Raises
    ------
    FeedError
        If the table or a row of it says nothing, names a split twice, or one that was announced only after it took effect.
    """
    known = {i.symbol: i for i in instruments}
    found: dict[tuple[int, int], int] = {}
    for line, row in _rows(path):
        instrument = known.get((row["symbol"] or "").strip())
        if instrument is None:
            continue
        zone = config.sessions[instrument.session].timezone
        at = _moment(row["effective"], zone, f"{path} at line {line}: effective")
        told = (row.get("announced") or "").strip()
        if told and _moment(told, zone, f"{path} at line {line}: announced") > at:
            raise FeedError(f"{path} at line {line}: announced is {told}, after it took effect at {row['effective']}; nobody could have known")
        if (instrument.instrument_id, at) in found:
            raise FeedError(f"{path} at line {line}: tells the split of {instrument.symbol} at {row['effective']} a second time")
        found[instrument.instrument_id, at] = _ratio(row["ratio"], f"{path} at line {line}: ratio")
    events = np.zeros(len(found), EVENT_DTYPE)
    for event, ((instrument_id, at), ratio) in zip(events, sorted(found.items(), key=lambda item: (item[0][1], item[0][0])), strict=True):
        event["ts_event"] = event["ts_recv"] = at
        event["instrument_id"], event["price"] = instrument_id, ratio
    events["kind"], events["aux"], events["flags"] = EventKind.REFERENCE, ReferenceKind.SPLIT, EventFlag.LAST
    return events


def _rows(path: Path) -> list[tuple[int, dict[str, str | None]]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            rows = [(reader.line_num, dict(row)) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as e:
        raise FeedError(f"{path} at line 1: the table of splits cannot be read: {e}") from e
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise FeedError(f"{path} at line 1: the table of splits lacks {', '.join(missing)}")
    return rows


def _moment(text: str | None, zone: str, where: str) -> int:
    """Ns UTC of a date or a stamp."""
    text = (text or "").strip()
    try:
        stamp = datetime.fromisoformat(text)
        is_date = len(text) == len("2014-06-09")
        if is_date:
            stamp = datetime.combine(stamp.date(), time(0), ZoneInfo(zone))
    except ValueError as e:
        raise FeedError(f"{where} is {text!r}; it must be YYYY-MM-DD or an ISO stamp with its zone") from e
    if stamp.tzinfo is None:
        raise FeedError(f"{where} is {text!r}; a stamp must carry its zone")
    return (stamp.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1) * 1_000


def _ratio(text: str | None, where: str) -> int:
    """New shares for one old, in 1e-9."""
    new, _, old = (text or "").strip().partition(":")
    try:
        ratio = Decimal(new) / Decimal(old or 1)
    except (InvalidOperation, ZeroDivisionError) as e:
        raise FeedError(f"{where} is {text!r}; it must be new shares for old, such as 7:1") from e
    if not ratio.is_finite() or not Decimal("0.00001") <= ratio <= 100_000 or ratio == 1:
        raise FeedError(f"{where} is {text!r}; it must be from 1:100000 to 100000:1 and not 1:1")
    return round(ratio * _ONE)
