# SPDX-License-Identifier: Apache-2.0
"""Pages of models say what their stored results say, to the letter."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "docs" / "results"


def _module(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module(name)


@pytest.mark.parametrize(("module", "page"), [("stress_page", "docs/stress_days.md"), ("anomaly_page", "docs/models/anomaly.md")])
def test_a_page_is_what_its_results_make(module: str, page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = _module(module, monkeypatch)
    assert (ROOT / page).read_text() == made.page(*made.read(RESULTS)), f"{page} differs: run benchmarks/{module}.py"


@pytest.mark.parametrize("page", ["regimes.md", "clusters.md", "ablations.md", "systemic.md"])
def test_a_model_page_is_what_its_results_make(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = _module("model_pages", monkeypatch).PAGES[page]
    assert (ROOT / "docs/models" / page).read_text() == made(RESULTS), f"{page} differs: run benchmarks/model_pages.py"


def test_another_result_makes_another_page(monkeypatch: pytest.MonkeyPatch) -> None:
    made = _module("stress_page", monkeypatch)
    lines, facts, ledger = made.read(RESULTS)
    page = made.page(lines, facts, ledger)
    at = next(r for r in lines if r["contender"] == "depth" and r["budget"] == "1.0" and r["caps"] == "1" and r["high_s"])
    assert made.page([r | {"high_s": "123.4"} if r is at else r for r in lines], facts, ledger) != page
    assert made.page(lines, facts, ledger[:-1]) != page


def test_the_ledger_knows_every_file_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    made = _module("stress_page", monkeypatch)
    lines, facts, ledger = made.read(RESULTS)
    scored = {(e["file"], e["digest"]) for e in ledger}
    assert {(name, told["rows_sha256"]) for name, told in facts.items()} <= scored
    assert {r["dataset"] for r in lines} == set(facts)
    assert len({told["config_hash"] for told in facts.values()}) == 1, "one configuration everywhere"


def test_the_worst_training_seed_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    made = _module("stress_page", monkeypatch)
    common = {"dataset": "gold_20230501", "contender": "vae", "budget": "1.0", "caps": "1", "window": "0"}
    seeds = [{**common, "seed": str(n), "high_s": s, "other_high": o} for n, (s, o) in enumerate([("5.0", "0"), ("9.5", "2"), ("-3.0", "1")])]
    assert made.Table(seeds).first("gold_20230501", "vae", "1.0", "high", 0) == 9.5
    assert made.Table(seeds).other("gold_20230501", "vae", "1.0", "high") == 2
    assert made.Table([*seeds, {**seeds[0], "high_s": ""}]).first("gold_20230501", "vae", "1.0", "high", 0) is None


def test_shares_and_leads_of_episodes_count_those_that_never_alarmed(monkeypatch: pytest.MonkeyPatch) -> None:
    made = _module("anomaly_page", monkeypatch)
    common = {"family": "seller", "contender": "vae", "minus_1pct_s": "50.0"}
    good = [{**common, "fit_seed": "0", "high_s": s} for s in ("40.0", "45.0", "49.0")]
    bad = [{**common, "fit_seed": "1", "high_s": s} for s in ("30.0", "", "55.0")]
    episodes = made.Episodes([*good, *bad])
    assert episodes.worst("seller", "vae", made.before("high_s", "minus_1pct_s")) == 1, "the second seed is the worst: one in time"
    assert made.lead("high_s", "minus_1pct_s", 0.5)(good) == 5.0
    assert made.lead("high_s", "minus_1pct_s", 0.0)(bad) == float("-inf")
    assert made.wilson(0, 20) == pytest.approx((0.0, 0.161), abs=1e-3)
    assert made.wilson(20, 20) == pytest.approx((0.839, 1.0), abs=1e-3)


def test_ranking_quality_is_one_for_a_perfect_score_and_the_share_for_a_random_one(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    vus = _module("vus", monkeypatch)
    label = np.zeros(20_000, bool)
    label[5_000:6_000] = label[12_000:13_000] = True
    noise = np.random.default_rng(0).normal(size=20_000)
    assert vus.pr_area([label + 0.001 * noise], [label], 0) > 0.99
    assert vus.pr_area([noise], [label], 0) == pytest.approx(0.1, abs=0.03)
    half = np.where(np.arange(20_000) < 9_000, label + 0.001 * noise, noise * 0.001)
    assert vus.pr_area([half], [label], 0) < 0.6, "a stretch that is not met costs recall"
