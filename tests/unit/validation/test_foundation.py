# SPDX-License-Identifier: Apache-2.0
"""Ledger, folds, steps and tables: what they promise, and what they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pretrade import features, simulation
from pretrade.domain import Config
from pretrade.domain.errors import ValidationError
from pretrade.validation import Block, Dataset, Fold, Ledger, Steps, walk_forward
from pretrade.validation import dataset as table

DAYS = [Block(100 * d, 100 * d + 80) for d in range(14)]


def test_a_ledger_counts_different_configurations_and_every_scoring(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    for configuration in ({"trees": 96}, {"trees": 96}, {"trees": 200}):
        ledger.tried("order_error", configuration)
    for _ in range(3):
        ledger.scored("order_error", "es.dbn.zst", "ab", model="x")
    ledger.tried("anomaly", {"k": 1})
    assert ledger.configurations("order_error") == 2
    assert ledger.scorings("order_error") == {"es.dbn.zst": 3}


@pytest.mark.parametrize(
    "edit", [lambda lines: lines[1:], lambda lines: [lines[0], lines[2]], lambda lines: [lines[0].replace("96", "97"), *lines[1:]]]
)
def test_a_ledger_that_was_edited_is_refused(tmp_path: Path, edit: Callable[[list[str]], list[str]]) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    for trees in (96, 100, 200):
        ledger.tried("order_error", {"trees": trees})
    ledger.path.write_text("\n".join(edit(ledger.path.read_text().splitlines())) + "\n")
    with pytest.raises(ValidationError, match="does not follow"):
        ledger.entries()


@given(fit=st.integers(1, 5), calibrate=st.integers(1, 2), test=st.integers(1, 2), gap=st.integers(0, 2))
def test_folds_go_forward_and_every_test_session_is_tested_once(fit: int, calibrate: int, test: int, gap: int) -> None:
    folds = walk_forward(DAYS, fit=fit, calibrate=calibrate, test=test, gap=gap)
    tested = [d for f in folds for d in DAYS if f.test.start_ns <= d.start_ns < f.test.end_ns]
    assert len(tested) == len({d.start_ns for d in tested})
    for before, after in pairwise(folds):
        assert after.fit.end_ns > before.fit.end_ns
        assert after.fit.start_ns == before.fit.start_ns
    for fold in folds:
        between = [d for d in DAYS if fold.fit.end_ns < d.start_ns and d.end_ns <= fold.calibrate.start_ns]
        assert len(between) == gap


def test_a_row_whose_label_reaches_into_a_later_block_is_purged() -> None:
    fold = Fold(0, Block(0, 100), Block(110, 200), Block(210, 300))
    ts = np.array([50, 90, 95, 150, 195, 250])
    fit, calibrate, test = fold.rows(ts, ts + 20)
    assert fit.tolist() == [True, False, False, False, False, False]
    assert calibrate.tolist() == [False, False, False, True, False, False]
    assert test.tolist() == [False, False, False, False, False, True]


def test_a_gap_below_the_embargo_is_refused() -> None:
    fold = Fold(0, Block(0, 100), Block(110, 200), Block(210, 300))
    with pytest.raises(ValidationError, match="the embargo is 11 ns"):
        fold.rows(np.array([1]), np.array([1]), embargo_ns=11)


def test_a_fold_that_goes_back_in_time_is_refused() -> None:
    with pytest.raises(ValidationError, match="forward in time"):
        Fold(0, Block(0, 100), Block(90, 200), Block(210, 300))


def test_a_killed_run_goes_on_and_never_does_a_step_twice(tmp_path: Path) -> None:
    done: list[str] = []

    def work(name: str) -> dict[str, Any]:
        if name == "c" and len(done) == 2:
            raise KeyboardInterrupt
        done.append(name)
        return {"name": name}

    def again(name: str) -> dict[str, Any]:
        done.append(name)
        return {"name": name}

    said: list[str] = []
    ticks = iter(range(100))
    steps = Steps(tmp_path, "key", say=said.append, clock=lambda: float(next(ticks)))
    with pytest.raises(KeyboardInterrupt):
        steps.run(["a", "b", "c", "d"], work)
    assert steps.run(["a", "b", "c", "d"], lambda name: work(name) if len(done) != 2 else again(name))["d"] == {"name": "d"}
    assert done == ["a", "b", "c", "d"]
    assert said[0].endswith("about 3 s left")
    with pytest.raises(ValidationError, match="of another run"):
        Steps(tmp_path, "other", say=said.append).run(["a"], work)


def test_a_table_comes_back_as_it_was_and_a_changed_one_is_refused(tmp_path: Path, rows: features.Features) -> None:
    made = table.of_rows(rows, horizon_ns=10 * 10**9, move_pct=0.5, sources={"simulation": "seed 5"})
    made.save(tmp_path)
    assert Dataset.load(tmp_path).manifest() == made.manifest()
    facts = json.loads((tmp_path / "manifest.json").read_text())
    facts["hashes"]["label"] = "0" * 64
    (tmp_path / "manifest.json").write_text(json.dumps(facts))
    with pytest.raises(ValidationError, match="was changed"):
        Dataset.load(tmp_path)


def test_labels_say_what_a_plain_loop_says(rows: features.Features) -> None:
    made = table.of_rows(rows, horizon_ns=10 * 10**9, move_pct=0.5, sources={})
    mid, ts = rows.column("mid_price"), rows.ts_recv
    where = {int(t): i for i, t in enumerate(ts)}
    last = ts[np.isfinite(mid)][-1]
    for t, end, label in list(zip(made.ts_recv, made.label_end, made.label, strict=True))[::37]:
        i = where[int(t)]
        inside = mid[(ts >= t) & (ts <= end)]
        moved = max(np.nanmax(inside) / mid[i] - 1, 1 - np.nanmin(inside) / mid[i]) * 100 >= 0.5
        assert (end > last) == np.isnan(label)
        assert np.isnan(label) or bool(label) == bool(moved)
    assert 0 < np.nansum(made.label) < np.isfinite(made.label).sum()


@pytest.fixture(scope="module")
def events(config: Config) -> NDArray[Any]:
    return simulation.flash_crash(seed=5, warm_up_s=150, story_s=60).events


@pytest.fixture(scope="module")
def rows(events: NDArray[Any], config: Config) -> features.Features:
    return features.compute(events, config)


def _dearer(records: NDArray[Any]) -> NDArray[Any]:
    records["price"] += np.where(records["price"] > 0, 10**9, 0)
    return records


def test_our_table_does_not_look_ahead(events: NDArray[Any], config: Config) -> None:
    def build(given: NDArray[Any]) -> Dataset:
        return table.of_rows(features.compute(given, config), horizon_ns=5 * 10**9, move_pct=0.1, sources={})

    assert table.audit(build, events, _dearer, at=len(events) * 3 // 4) == []


def test_a_table_with_the_next_return_in_it_is_caught(events: NDArray[Any], config: Config) -> None:
    def build(given: NDArray[Any]) -> Dataset:
        rows = features.compute(given, config)
        made = table.of_rows(rows, horizon_ns=5 * 10**9, move_pct=0.1, sources={})
        mid = rows.column("mid_price")[rows.is_scored]
        values = made.values.copy()
        values[:, 0] = np.append(np.diff(np.log(mid)), np.nan)
        return Dataset(made.names, made.ts_recv, made.label_end, made.entity, values, made.label, {})

    found = table.audit(build, events, _dearer, at=len(events) * 3 // 4)
    assert any("earlier values of spread_bps" in line for line in found)
