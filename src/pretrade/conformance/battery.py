# SPDX-License-Identifier: Apache-2.0
"""Checks that treat a plug-in as a black box."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade.calibration.rules import INTEGERS, Columns, Rule
from pretrade.domain.config import DIRECTIONS, Config
from pretrade.domain.errors import CalibrationError, PretradeError
from pretrade.features import Features
from pretrade.features.registry import ResearchFeature
from pretrade.models import Anomaly, Scores

RULE_ROWS: Final = 10_000
RULE_COST_NS: Final = 2_000.0
Kernel = Callable[[NDArray[Any] | Iterable[NDArray[Any]]], Features]
_SCORED: Final = ("raw", "score", "evidence_high", "evidence_critical", "top_features")


@dataclass(frozen=True, slots=True)
class Finding:
    """One way in which a plug-in does not conform."""

    check: str
    what: str


def _changed(features: Features, start: int) -> Features:
    """Rows whose values from ``start`` on are others."""
    rows = features.rows.copy()
    rows["values"][start:] = rows["values"][start:] * 3.0 + 1.0
    return Features(rows, features.quotes)


def _same(a: NDArray[Any], b: NDArray[Any]) -> bool:
    return bool(np.array_equal(a, b, equal_nan=a.dtype.kind == "f"))


def check_feature(feature: ResearchFeature, features: Features) -> list[Finding]:
    """Try a researcher's feature on rows.

    Parameters
    ----------
    feature
        Made by :func:`pretrade.features.feature`.
    features
        At least 100 rows.

    Returns
    -------
    list of Finding
        Empty where it conforms.
    """
    half, name = len(features) // 2, feature.card.name
    out = []
    try:
        full = feature(features).column(name)
        prefix = feature(features[:half]).column(name)
        other = feature(_changed(features, half)).column(name)
    except PretradeError as e:
        return [Finding("shape", str(e))]
    if not _same(full[:half], prefix):
        out.append(Finding("prefix", f"{name}: the first {half} rows alone give other values than within {len(features)}"))
    if not _same(full[:half], other[:half]):
        out.append(Finding("lookahead", f"{name}: changing rows from {half} on changes earlier values"))
    if not _same(full, feature(features).column(name)):
        out.append(Finding("determinism", f"{name}: two runs differ"))
    return out


def check_kernel(compute: Kernel, events: NDArray[Any], *, instruments: int) -> list[Finding]:
    """Try what turns events into rows, groups and side inputs included.

    Parameters
    ----------
    compute
        Events, or an iterable of chunks of them, to rows.
    events
        EVENT_DTYPE in ``ts_recv`` order, at least 1,000, of several instruments.
    instruments
        How many rows one instant can have.
    """
    half = len(events) // 2
    whole = compute(events).rows
    # The rows at the cut itself close with the first event behind it: a prefix may lack them.
    past = int((whole["ts_recv"] < events["ts_recv"][half]).sum()) - instruments
    other = events.copy()
    other["price"][half:] += np.where(other["price"][half:] > 0, 10**9, 0)
    runs = (
        ("prefix", "the first half alone gives other rows", events[:half]),
        ("lookahead", "changing later prices, figures and scores changes earlier rows", other),
        ("determinism", "two runs differ", events),
        ("batch = stream", "events in chunks give other rows", (events[a:b] for a, b in pairwise(np.linspace(0, len(events), 101).astype(int)))),
    )
    return [Finding(check, what) for check, what, given in runs if compute(given).rows[:past].tobytes() != whole[:past].tobytes()]


def check_model(new: Callable[[], Anomaly], calm: Features, other: Features, *, seed: int = 0) -> list[Finding]:
    """Try a model: fit on calm rows, score others.

    Parameters
    ----------
    new
        Makes an unfitted model.
    calm
        Rows to fit on.
    other
        At least 100 rows to score.
    seed
        Of the fit.
    """
    model = new().fit(calm, seed=seed)
    whole = model.score(other)
    half = len(other) // 2
    out = []
    for name, check, got in (
        ("prefix", f"the first {half} rows alone score otherwise", model.score(other[:half])),
        ("lookahead", f"changing rows from {half} on changes earlier scores", model.score(_changed(other, half))[:half]),
        ("determinism", "two fits with one seed score otherwise", new().fit(calm, seed=seed).score(other)[:half]),
        ("batch = stream", "rows in chunks score otherwise", _streamed(model, other)[:half]),
    ):
        broken = [field for field in _SCORED if not _same(getattr(whole, field)[:half], getattr(got, field))]
        if broken:
            out.append(Finding(name, f"{check}: {', '.join(broken)}"))
    out += _check_values(whole) + _check_saving(model, new, other)
    return out


def _streamed(model: Anomaly, other: Features) -> Scores:
    stream = model.stream()
    cuts = np.linspace(0, len(other), 37).astype(int)
    parts = [stream.update(other[a:b]) for a, b in pairwise(cuts)]
    joined: dict[str, Any] = {
        field: np.concatenate([getattr(p, field) for p in parts])
        for field in (*_SCORED, "ts_recv", "instrument_id", "phase", "feed_state", "top_parts")
    }
    return Scores(**joined, features=other, model_id=model.id, provisional=model.provisional)


def _check_values(scores: Scores) -> list[Finding]:
    out = []
    sound = scores.features.is_scored
    if np.isnan(scores.score[sound]).any():
        out.append(Finding("NaN", f"{int(np.isnan(scores.score[sound]).sum())} sound rows have no score"))
    if not np.isnan(scores.score[~sound]).all():
        out.append(Finding("NaN", "unsound rows have a score"))
    finite = scores.score[~np.isnan(scores.score)]
    if len(finite) and not ((finite >= 0) & (finite <= 1)).all():
        out.append(Finding("range", f"scores reach from {finite.min()} to {finite.max()}; they must be in [0, 1]"))
    return out


def _check_saving(model: Anomaly, new: Callable[[], Anomaly], other: Features) -> list[Finding]:
    with tempfile.TemporaryDirectory() as folder:
        try:
            model.save(Path(folder) / "model")
            again = new()
            again.restore(model.as_dict())
        except (PretradeError, TypeError, ValueError) as e:
            return [Finding("save and load", str(e))]
    same = _same(again.score(other).score, model.score(other).score)
    return [] if same else [Finding("save and load", "a restored model scores otherwise")]


def check_rule(rule: Rule, config: Config | None = None) -> list[Finding]:
    """Try a calibration rule on 10,000 rows.

    Notes
    -----
    Each row must depend on itself alone, a higher tier may not loosen, nothing may be looser than static, and a row may cost
    at most 2 us (median of five runs).
    """
    config = config or Config.load()
    static = {name: np.full(RULE_ROWS, int(config.static[name]), np.int64) for name in INTEGERS}
    rng = np.random.default_rng(0)
    score = rng.random(RULE_ROWS)
    nan = np.full(RULE_ROWS, np.nan)
    tiers = [np.full(RULE_ROWS, tier, np.int64) for tier in range(4)]
    try:
        by_tier = [rule(Columns(tier, score, nan, static)) for tier in tiers]
        mixed = Columns(rng.integers(0, 4, RULE_ROWS), score, nan, static)
        whole, some = rule(mixed), np.arange(0, RULE_ROWS, 7)
        part = rule(Columns(mixed.tier[some], score[some], nan[some], {n: v[some] for n, v in static.items()}))
    except (CalibrationError, IndexError, ValueError) as e:
        return [Finding("shape", str(e))]
    out = [Finding("rows", f"{name} of a row depends on other rows") for name in whole if not _same(whole[name][some], part[name])]
    for name in by_tier[0]:
        sign = -DIRECTIONS[name]
        for low, high in pairwise(by_tier):
            if (sign * high[name] > sign * low[name]).any():
                out.append(Finding("direction", f"{name} loosens in a higher tier"))
                break
    cost = float(np.median([_timed(rule, mixed) for _ in range(5)])) / RULE_ROWS
    return [*out, Finding("cost", f"{cost:.0f} ns a row; the bound is {RULE_COST_NS:.0f}")] if cost > RULE_COST_NS else out


def _timed(rule: Rule, columns: Columns) -> float:
    begun = time.perf_counter_ns()
    rule(columns)
    return float(time.perf_counter_ns() - begun)
