# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pretrade import features, models, simulation
from pretrade.domain import Config
from pretrade.domain.config import AnomalyConfig, EvidenceConfig
from pretrade.domain.errors import LookaheadError, ModelError
from pretrade.features import VECTOR, Features
from pretrade.models import Anomaly, PcaAnomaly
from pretrade.models.evidence import evidence
from pretrade.models.score_map import ROWS_PER_DAY, ScoreMap, fit_tail


@pytest.fixture(scope="module")
def calm(config: Config) -> Features:
    return simulation.calm(0.5, seed=11, config=config)


@pytest.fixture(scope="module")
def crash(config: Config) -> tuple[Features, int]:
    day = simulation.flash_crash(seed=12, warm_up_s=400, story_s=40)
    return features.compute(day.events, config), day.ts_seller_start


@pytest.fixture(scope="module")
def pca(calm: Features) -> PcaAnomaly:
    return PcaAnomaly().fit(calm)


def _rows(values: list[dict[str, float]]) -> Features:
    rows = np.zeros(len(values), features.ROW_DTYPE)
    rows["phase"] = 3
    rows["ts_recv"] = 10**18 + np.arange(len(values)) * 10**8
    for row, named in zip(rows, values, strict=True):
        for name, value in named.items():
            row["values"][features.NAMES.index(name)] = value
            row["valid"] |= np.uint64(1 << features.NAMES.index(name))
    return Features(rows)


@pytest.mark.parametrize("kind", ["pca", "rv_10s", "depth", "min"])
def test_stream_equals_batch_however_rows_are_cut(calm: Features, crash: tuple[Features, int], kind: str) -> None:
    model = models.new(kind).fit(calm)
    rows = crash[0]
    whole = model.score(rows)
    stream = model.stream()
    cuts = np.sort(np.random.default_rng(0).choice(len(rows), 60, replace=False))
    parts = [stream.update(rows[a:b]) for a, b in zip([0, *cuts], [*cuts, len(rows)], strict=True)]
    for name in ("raw", "score", "evidence_high", "evidence_critical", "top_features"):
        again = np.concatenate([getattr(p, name) for p in parts])
        assert np.array_equal(again, getattr(whole, name), equal_nan=name in ("raw", "score")), name


def test_future_rows_do_not_change_past_scores(pca: PcaAnomaly, crash: tuple[Features, int]) -> None:
    rows = crash[0]
    half = len(rows) // 2
    changed = Features(rows.rows.copy())
    changed.rows["values"][half:] *= 3
    assert np.array_equal(pca.score(rows).score[:half], pca.score(changed).score[:half], equal_nan=True)


def test_the_crash_scores_above_calm_and_names_the_bid_side(pca: PcaAnomaly, crash: tuple[Features, int]) -> None:
    rows, start = crash
    scores = pca.score(rows)
    before, during = scores[rows.ts_recv < start], scores[(rows.ts_recv > start + 20 * 10**9)]
    assert np.nanmedian(before.score) < 0.05 < np.nanmax(during.score)
    assert during.evidence_high.any()
    assert not before.evidence_high.any()
    assert np.nanmax(before.score) < 0.20, "without evidence a score stays below HIGH"


def test_scores_rise_with_the_rows_of_the_mission_table(calm: Features) -> None:
    model = PcaAnomaly().fit(calm)
    named = ("rv_1m", "spread_bps", "imbalance_l10", "trade_to_order")
    base = {n: float(np.nanmedian(calm.column(n))) for n in VECTOR if np.isfinite(calm.column(n)).mean() > 0.5}
    table = [(0.85, 1.2, 0.55, 0.12), (0.88, 1.3, 0.48, 0.12), (1.52, 3.5, 0.21, 0.05), (2.75, 8.9, 0.11, 0.02), (4.10, 15.2, 0.05, 0.01)]
    raw, _ = model.raw_and_parts(_rows([{**base, **dict(zip(named, row, strict=True))} for row in table]))
    assert raw[2] > max(raw[0], raw[1])
    assert raw[2] < raw[3] < raw[4]


@pytest.mark.parametrize("kind", ["pca", "min"])
def test_save_and_load_give_the_same_scores_and_id(tmp_path: Path, calm: Features, crash: tuple[Features, int], kind: str) -> None:
    model = models.new(kind).fit(calm)
    model.save(tmp_path / "m")
    again = models.load(tmp_path / "m")
    assert again.id == model.id
    assert np.array_equal(again.score(crash[0]).score, model.score(crash[0]).score, equal_nan=True)
    assert models.new(kind).fit(calm).id == model.id, "same rows and seed, same bytes"


def test_a_changed_model_file_is_refused(tmp_path: Path, pca: PcaAnomaly) -> None:
    pca.save(tmp_path / "m")
    file = tmp_path / "m" / "model.json"
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 1
    file.write_bytes(raw)
    with pytest.raises(ModelError, match="was changed"):
        models.load(tmp_path / "m")


def test_a_model_fitted_under_other_evidence_or_budgets_is_refused(tmp_path: Path, pca: PcaAnomaly) -> None:
    pca.save(tmp_path / "m")
    assert models.load(tmp_path / "m", pca.config).id == pca.id
    strict = replace(pca.config, evidence=replace(pca.config.evidence, high_depth=0.2))
    with pytest.raises(ModelError, match=r"fitted with \[evidence\] high_depth 0\.35; the configuration says 0\.2: fit it again"):
        models.load(tmp_path / "m", strict)
    other = replace(pca.config, anomaly=replace(pca.config.anomaly, budget_high=5.0))
    with pytest.raises(ModelError, match=r"\[anomaly\] budget_high"):
        models.load(tmp_path / "m", other)


def test_a_model_whose_check_rows_score_otherwise_is_refused(tmp_path: Path, pca: PcaAnomaly) -> None:
    pca.save(tmp_path / "m")
    facts = json.loads((tmp_path / "m" / "model.json").read_text())
    facts["core"]["quantile"][0] *= 1.5
    (tmp_path / "m" / "model.json").write_text(json.dumps(facts, sort_keys=True))
    manifest = json.loads((tmp_path / "m" / "manifest.json").read_text())
    from pretrade.models.store import _hash

    manifest["files"]["model.json"] = _hash(tmp_path / "m" / "model.json")
    (tmp_path / "m" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match="check rows off"):
        models.load(tmp_path / "m")


def test_evaluating_rows_the_model_was_fitted_on_is_refused(pca: PcaAnomaly, calm: Features) -> None:
    with pytest.raises(LookaheadError, match="fit_until_ns"):
        pca.evaluate(calm)


def test_an_unsound_row_is_not_scored(pca: PcaAnomaly, crash: tuple[Features, int]) -> None:
    rows = Features(crash[0].rows.copy())
    rows.rows["feed_state"][100] |= 128
    assert np.isnan(pca.score(rows).score[100])
    assert np.isfinite(pca.score(rows).score[101])


def test_a_short_history_is_provisional(pca: PcaAnomaly) -> None:
    assert pca.provisional


def test_too_few_rows_are_refused_with_the_number(calm: Features) -> None:
    with pytest.raises(ModelError, match="at least 500"):
        PcaAnomaly().fit(calm[:600])


def _window(bid: float, ask: float, imbalance: float, move: float, sigma: float = 1.0) -> NDArray[np.float64]:
    return np.tile(np.array([bid, ask, imbalance, move, sigma]), (1, 10, 1))


@pytest.mark.parametrize(
    ("window", "high", "critical"),
    [
        (_window(0.30, 1.0, 0.25, 0.0), True, False),
        (_window(0.30, 1.0, 0.45, 0.0), False, False),
        (_window(1.0, 0.30, 0.75, 0.0), True, False),
        (_window(0.30, 0.30, 0.50, 0.0), True, False),
        (_window(0.20, 1.0, 0.20, -0.4), True, True),
        (_window(0.20, 1.0, 0.20, 0.4), True, False),
        (_window(0.20, 1.0, 0.20, -0.2), True, False),
        (_window(0.20, 1.0, 0.20, -0.2, sigma=0.004), True, True),
        (_window(1.0, 0.20, 0.80, 0.4), True, True),
        (_window(np.nan, 1.0, 0.20, -0.4), False, False),
    ],
)
def test_evidence_needs_thin_one_sided_and_for_critical_a_move_towards_it(window: NDArray[np.float64], high: bool, critical: bool) -> None:
    found = evidence(window, EvidenceConfig())
    assert (bool(found[0][0]), bool(found[1][0])) == (high, critical)


def test_evidence_for_high_must_hold_for_half_a_second() -> None:
    window = _window(0.30, 1.0, 0.25, 0.0)
    window[0, -3, 0] = 0.5
    assert not evidence(window, EvidenceConfig())[0][0]


def test_thresholds_meet_their_budget_on_fresh_noise() -> None:
    rng = np.random.default_rng(5)
    days = 20
    raw = np.log(np.abs(rng.standard_t(4, size=days * ROWS_PER_DAY)))
    ts = np.arange(len(raw)) * 10**8
    tail = fit_tail(raw, ts, 5.0)
    fresh = np.log(np.abs(rng.standard_t(4, size=40 * ROWS_PER_DAY)))
    rate = np.count_nonzero(fresh > tail.level(0.5)) / 40
    assert 0.2 < rate < 1.25, rate


def test_score_map_rises_strictly_and_anchors_are_the_cuts() -> None:
    rng = np.random.default_rng(1)
    raw = rng.normal(size=50_000)
    score_map = ScoreMap.fit(raw, np.arange(50_000) * 10**8, AnomalyConfig())
    assert score_map(np.array(score_map.knots)) == pytest.approx([0, 0.01, 0.05, 0.20, 0.95])
    grid = np.linspace(score_map.knots[0], score_map.knots[4] + 5, 400)
    assert (np.diff(score_map(grid)) > 0).all()
    assert score_map(grid)[-1] < 1.0
    assert np.isnan(score_map(np.array([np.nan]))[0])


class _Peeking(PcaAnomaly):
    """A planted leak: raw values from half a second ahead."""

    kind = "peeking"

    def raw_and_parts(self, features: Features) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        raw, parts = super().raw_and_parts(features)
        return np.roll(raw, -5), parts


def test_the_lookahead_test_catches_a_planted_leak(calm: Features, crash: tuple[Features, int]) -> None:
    with pytest.raises(AssertionError):
        test_future_rows_do_not_change_past_scores(_Peeking().fit(calm), crash)


def test_vae_ranks_the_crash_above_calm(calm: Features, crash: tuple[Features, int], tmp_path: Path) -> None:
    pytest.importorskip("jax", reason="the research extra is absent")
    model: Anomaly = models.VaeAnomaly().fit(calm)
    rows, start = crash
    scores: Any = model.score(rows)
    assert np.nanmedian(scores.raw[rows.ts_recv > start + 25 * 10**9]) > np.nanmax(scores.raw[rows.ts_recv < start])
    model.save(tmp_path / "v")
    assert models.load(tmp_path / "v").id == model.id
