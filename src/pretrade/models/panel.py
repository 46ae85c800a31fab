# SPDX-License-Identifier: Apache-2.0
"""Contenders side by side: one normaliser, one calibration block, one evidence rule, equal false-alarm budgets.

Rows are prepared once and every contender is judged on them, so that what differs between two lines of a table is the raw value alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from pretrade.domain.config import AnomalyConfig, Config
from pretrade.domain.errors import ModelError
from pretrade.features import Features
from pretrade.models.contenders import Contender
from pretrade.models.evidence import COLUMNS, evidence
from pretrade.models.normaliser import Normaliser, Season
from pretrade.models.score_map import ROWS_PER_DAY, ScoreMap, cluster_starts
from pretrade.models.stream import WINDOW_ROWS, nan_median

TIERS: Final = ("ELEVATED", "HIGH", "CRITICAL")
_CHUNK_ROWS: Final = 65_536

_Floats = NDArray[np.float64]
_Times = NDArray[np.int64]
_Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Scored rows by instrument, then time, ready for any contender.

    Parameters
    ----------
    ts_recv, instrument_id
        Shape ``(n,)``.
    z
        Normalised rows, ``(n, 32)``.
    has_book, high, critical
        Whether the book is defined, and what it shows; ``(n,)``.
    days
        Instrument-days of 6.5 h behind the rows.
    """

    ts_recv: _Times
    instrument_id: NDArray[np.uint32]
    z: _Floats
    has_book: _Bools
    high: _Bools
    critical: _Bools
    days: float

    def __len__(self) -> int:
        return len(self.ts_recv)

    def runs(self) -> Iterator[slice]:
        """Rows of each instrument."""
        edges = np.flatnonzero(np.diff(self.instrument_id.astype(np.int64))) + 1
        starts = [0, *edges.tolist()] if len(self) else []
        yield from (slice(a, b) for a, b in zip(starts, [*starts[1:], len(self)], strict=True))


def prepare(rows: Features, normaliser: Normaliser, config: Config, *, days: float | None = None) -> Prepared:
    """Normalise rows and judge their books; ``days`` where rows are thinner than ten a second."""
    kept = rows[rows.is_scored & (rows.rows["kind"] == 0)]
    kept = kept[np.argsort(kept.instrument_id, kind="stable")]
    ts, ids = np.array(kept.ts_recv), np.array(kept.instrument_id)
    book = kept.matrix(COLUMNS)
    high, critical = np.zeros(len(ts), bool), np.zeros(len(ts), bool)
    span = WINDOW_ROWS * config.snapshot.interval_ms * 1_000_000
    for instrument_id in np.unique(ids):
        mine = np.flatnonzero(ids == instrument_id)
        for a in range(0, len(mine), _CHUNK_ROWS):
            at, since = mine[a : a + _CHUNK_ROWS], mine[max(0, a - WINDOW_ROWS + 1) : a + _CHUNK_ROWS]
            windows = _windows(book[since], ts[since], span)
            high[at], critical[at] = evidence(windows[-len(at) :], config.evidence, row_s=config.snapshot.interval_ms / 1e3)
    has_book = ~np.isnan(book[:, COLUMNS.index("imbalance_l10")])
    return Prepared(ts, ids, normaliser(kept), has_book, high, critical, len(ts) / ROWS_PER_DAY if days is None else days)


def _windows(values: _Floats, ts: _Times, span_ns: int, rows: int = WINDOW_ROWS) -> _Floats:
    """The last ``rows`` rows of each, ``(n, rows, k)``, NaN before the first and where older than the window is long."""
    padded = np.concatenate([np.full((rows - 1, values.shape[1]), np.nan), values])
    times = np.concatenate([np.full(rows - 1, np.iinfo(np.int64).min // 2), ts])
    windows: _Floats = sliding_window_view(padded, rows, axis=0).transpose(0, 2, 1)
    old = ts[:, None] - sliding_window_view(times, rows) >= span_ns
    return np.where(old[:, :, None], np.nan, windows) if old.any() else windows


def smoothed(contender: Contender, of: Prepared, config: Config) -> _Floats:
    """Causal medians of a contender's raw values, as the stream of a served model computes them."""
    out = np.empty(len(of))
    span = WINDOW_ROWS * config.snapshot.interval_ms * 1_000_000
    for run in of.runs():
        ts = of.ts_recv[run]
        raw = contender.raw(of.z[run], ts)
        windows = _windows(raw[:, None], ts, span, config.anomaly.smoothing_rows)
        out[run] = nan_median(windows[:, :, 0])
    return out


@dataclass(frozen=True, slots=True)
class Judge:
    """A fitted contender with the thresholds of one calibration block.

    Parameters
    ----------
    contender
        Fitted.
    season, level
        Instrument and time of day taken off, and the calibration rows without them.
    block
        The calibration rows.
    config
        Budgets, cuts, evidence.
    """

    contender: Contender
    season: Season
    level: _Floats
    block: Prepared
    config: Config

    @classmethod
    def of(cls, contender: Contender, block: Prepared, config: Config) -> Judge:
        """Calibrate a fitted contender on calm rows it did not learn.

        Raises
        ------
        ModelError
            If there are no rows.
        """
        if len(block) == 0:
            raise ModelError("there are no calm rows to calibrate a contender on")
        smooth = smoothed(contender, block, config)
        season = Season.fit(smooth, block.ts_recv, block.instrument_id)
        return cls(contender, season, season(smooth, block.ts_recv, block.instrument_id), block, config)

    def budgets(self, factor: float) -> AnomalyConfig:
        """Both budgets times a factor."""
        a = self.config.anomaly
        return replace(a, budget_elevated=a.budget_elevated * factor, budget_high=a.budget_high * factor)

    def score_map(self, factor: float = 1.0) -> ScoreMap:
        """Thresholds at a factor of the budgets."""
        return ScoreMap.fit(self.level, self.block.ts_recv, self.budgets(factor), self.block.instrument_id, days=self.block.days)

    def raw(self, of: Prepared) -> _Floats:
        """Smoothed raw values without instrument and time of day."""
        return self.season(smoothed(self.contender, of, self.config), of.ts_recv, of.instrument_id)


def tiers(raw: _Floats, score_map: ScoreMap, of: Prepared, config: Config, *, has_caps: bool) -> NDArray[np.int8]:
    """Tier each row's score stands for, 0 to 3, with the evidence of the book or without it.

    Notes
    -----
    With evidence: below HIGH without evidence for HIGH where there is a book, below CRITICAL without evidence for CRITICAL, and CRITICAL where
    that evidence holds and the raw value is above that of HIGH; without it the score alone decides.
    """
    a = config.anomaly
    cuts = np.array([a.cut_elevated, a.cut_high, a.cut_critical])
    score = score_map(raw)
    tier = np.where(np.isnan(score), 0, np.searchsorted(cuts, score, side="right")).astype(np.int8)
    if has_caps:
        tier = np.where(of.has_book & ~of.high & ~of.critical, np.minimum(tier, 1), tier)
        tier = np.where(~of.critical, np.minimum(tier, 2), tier)
        with np.errstate(invalid="ignore"):
            tier = np.where(of.critical & (raw >= score_map.raw_high), 3, tier)
    return tier.astype(np.int8)


def events(tier: NDArray[np.int8], of: Prepared, least: int, gap_s: float) -> list[tuple[int, int, int]]:
    """Stretches in which the tier stood at ``least`` or above, those within ``gap_s`` of each other as one: begin, end, instrument."""
    above = np.flatnonzero(tier >= least)
    if len(above) == 0:
        return []
    starts = cluster_starts(of.ts_recv[above], gap_s, of.instrument_id[above])
    ends = np.r_[starts[1:], len(above)] - 1
    return [(int(of.ts_recv[above[a]]), int(of.ts_recv[above[b]]), int(of.instrument_id[above[a]])) for a, b in zip(starts, ends, strict=True)]


def first_in(found: Sequence[tuple[int, int, int]], begin: int, end: int) -> int | None:
    """When the first event of a window began; where one already stood, the window's own begin."""
    inside = [max(start, begin) for start, stop, _ in found if stop >= begin and start <= end]
    return min(inside, default=None)
