# SPDX-License-Identifier: Apache-2.0
"""Many seeds: what a row says, what a summary counts, and that a stopped batch goes on where it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pretrade import models
from pretrade.calibration import TierChange
from pretrade.domain import Config, Tier
from pretrade.domain.errors import SimulationError
from pretrade.simulation import batch, calm
from pretrade.simulation.demo import StoryOptions
from pretrade.simulation.market import SELLER_START_NS

S = 1_000_000_000
KINDS = ("pca", "min")


@pytest.fixture(scope="module")
def fitted() -> dict[str, models.Anomaly]:
    config = Config.load()
    rows = calm(1.0, seed=4, config=config).calm()
    return {kind: models.new(kind, config).fit(rows) for kind in KINDS}


@pytest.fixture
def cached(fitted: dict[str, models.Anomaly], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, models.Anomaly]:
    """The small models in place of those of 32 calm hours."""
    folders = {kind: tmp_path / kind for kind in KINDS}
    for kind, model in fitted.items():
        model.save(folders[kind])
    monkeypatch.setattr(batch, "calm_models", lambda *_args, **_named: fitted)
    monkeypatch.setattr(batch, "model_folders", lambda *_args, **_named: folders)
    return fitted


def request_of(seeds: range, *, workers: int = 1, **options: float) -> batch.BatchRequest:
    return batch.BatchRequest(seeds, StoryOptions(**options), Config.load(), Path("unused"), KINDS, workers)  # type: ignore[arg-type]


def detector(
    high: float | None = 10.0, critical: float | None = 20.0, *, lead: float | None = 5.0, false_high: int = 0, false_critical: int = 0
) -> dict[str, Any]:
    return {"elevated_s": None, "high_s": high, "critical_s": critical, "lead_s": lead, "false_high": false_high, "false_critical": false_critical}


def row(seed: int, minus_1: float | None, minus_2: float | None, seen: dict[str, Any]) -> dict[str, Any]:
    return {"seed": seed, "fall_pct": -2.5, "minus_1pct_s": minus_1, "minus_2pct_s": minus_2, "calm_hours": 0.5, "detectors": {"pca": seen}}


def test_a_real_seed_has_every_detector_at_its_own_instants(fitted: dict[str, models.Anomaly]) -> None:
    told = batch.contend(7, StoryOptions(), Config.load(), fitted)
    assert set(told["detectors"]) == set(KINDS)
    assert told["fall_pct"] < -1.0
    for seen in told["detectors"].values():
        assert 0 < seen["high_s"] < told["minus_1pct_s"] < told["minus_2pct_s"]
        assert seen["lead_s"] == pytest.approx(told["minus_1pct_s"] - seen["high_s"])
    assert 0.24 < told["calm_hours"] <= 0.25, "nobody sells for 900 s"


def test_without_a_seller_the_whole_day_is_calm(fitted: dict[str, models.Anomaly]) -> None:
    told = batch.contend(7, StoryOptions(seller_rate=0.0), Config.load(), fitted)
    selling = batch.contend(7, StoryOptions(), Config.load(), fitted)
    assert told["minus_1pct_s"] is None
    assert told["calm_hours"] == pytest.approx(selling["calm_hours"] + 62 / 3600, abs=1e-3)


def test_what_is_raised_before_the_seller_is_false_and_after_it_is_not() -> None:
    def change(second: int, low: Tier, high: Tier) -> TierChange:
        return TierChange(SELLER_START_NS + second * S, 1, low, high, 0.5, (), 0, "score")

    changes = [
        change(-400, Tier.NORMAL, Tier.HIGH),
        change(-390, Tier.HIGH, Tier.NORMAL),
        change(-380, Tier.NORMAL, Tier.HIGH),
        change(-200, Tier.HIGH, Tier.CRITICAL),
        change(-100, Tier.CRITICAL, Tier.NORMAL),
        change(20, Tier.NORMAL, Tier.HIGH),
    ]
    seen = batch._seen(changes, SELLER_START_NS, SELLER_START_NS, SELLER_START_NS + 25 * S, gap_s=60.0)
    assert (seen["false_high"], seen["false_critical"]) == (2, 1)
    assert (seen["high_s"], seen["critical_s"], seen["lead_s"]) == (20.0, None, 5.0)
    all_day = batch._seen(changes, SELLER_START_NS, SELLER_START_NS + 60 * S, None, gap_s=60.0)
    assert all_day["false_high"] == 3


def test_a_seed_without_high_counts_below_any_lead() -> None:
    rows = [row(i, 15.0, 25.0, detector(lead=float(i))) for i in range(1, 10)]
    whole = batch.summary(rows, ("pca",))["detectors"]["pca"]
    assert (whole["lead_median_s"], whole["lead_p10_s"]) == (5.0, pytest.approx(1.8))
    missed = batch.summary([*rows, row(10, 15.0, 25.0, detector(None, None, lead=None))], ("pca",))["detectors"]["pca"]
    assert missed["high_before_minus_1pct"] == 9
    assert missed["lead_median_s"] == pytest.approx(4.5)
    assert missed["lead_p10_s"] is None


def test_only_what_came_before_the_mark_is_counted_as_before_it() -> None:
    rows = [
        row(1, 15.0, 25.0, detector(10.0, 24.0, lead=5.0)),
        row(2, 15.0, 25.0, detector(16.0, 25.0, lead=-1.0)),
        row(3, None, None, detector(10.0, 20.0, lead=None, false_high=2, false_critical=1)),
    ]
    found = batch.summary(rows, ("pca",))
    assert (found["seeds"], found["minus_1pct"], found["minus_2pct"], found["calm_hours"]) == (3, 2, 2, 1.5)
    assert found["detectors"]["pca"] == {
        "high": 3,
        "critical": 3,
        "high_before_minus_1pct": 1,
        "critical_before_minus_2pct": 1,
        "lead_median_s": 2.0,
        "lead_p10_s": pytest.approx(-0.4),
        "false_high_seeds": 1,
        "false_high_events": 2,
        "false_critical_seeds": 1,
    }
    with pytest.raises(SimulationError, match="without seeds"):
        batch.summary([])


def test_a_stopped_batch_lost_nothing_and_goes_on(cached: dict[str, models.Anomaly], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def contend(seed: int, *_: object) -> dict[str, Any]:
        asked.append(seed)
        return {**row(seed, 15.0, 25.0, detector(lead=float(seed))), "detectors": {kind: detector(lead=float(seed)) for kind in KINDS}}

    def stop_at_the_second(line: str) -> None:
        if line.startswith("seed 4"):
            raise KeyboardInterrupt

    monkeypatch.setattr(batch, "contend", contend)
    out = tmp_path / "batch.json"
    with pytest.raises(KeyboardInterrupt):
        batch.run(request_of(range(3, 7)), out, say=stop_at_the_second)
    assert [r["seed"] for r in json.loads(out.read_text())["rows"]] == [3, 4]
    assert json.loads(out.read_text())["summary"]["seeds"] == 2
    lines: list[str] = []
    result = batch.run(request_of(range(3, 7)), out, say=lines.append)
    assert asked == [3, 4, 5, 6]
    assert result == json.loads(out.read_text())
    assert [r["seed"] for r in result["rows"]] == [3, 4, 5, 6]
    assert "2 of 4 seeds are in" in lines[0]
    assert lines[-1].endswith("0 s left")
    batch.run(request_of(range(3, 7), seller_rate=0.0), out)
    assert asked[4:] == [3, 4, 5, 6], "rows of other options are no rows of this batch"


def test_two_workers_give_the_rows_one_gives(cached: dict[str, models.Anomaly], tmp_path: Path) -> None:
    alone = batch.run(request_of(range(1, 3)), tmp_path / "one.json")
    pair = batch.run(request_of(range(1, 3), workers=2), tmp_path / "two.json")
    assert alone == pair
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    assert len(batch.lines(alone)) == len(KINDS)


def test_a_batch_needs_a_worker(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match="0 workers"):
        batch.run(request_of(range(1, 2), workers=0), tmp_path / "x.json")
