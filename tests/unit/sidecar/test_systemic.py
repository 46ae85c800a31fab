# SPDX-License-Identifier: Apache-2.0
"""A sidecar of several instruments: the group's record in the table, its alert, and what a restart keeps of both."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pytest
from tests import simulated_group as group
from tests.scoring import GROUP_ID

from pretrade import calibration, features, models
from pretrade.bus import Journal, JournalReader
from pretrade.calibration import AlertJournal
from pretrade.domain import Config, Tier
from pretrade.domain.clock import RecordClock
from pretrade.limits import Controls, LimitsTable, QuotesTable, RunDirectory
from pretrade.sidecar import replay
from pretrade.sidecar.checkpoint import CheckpointFile
from pretrade.sidecar.process import Sidecar
from pretrade.sidecar.serve import prepare
from pretrade.simulation.market import SELLER_START_NS

S: Final = 10**9
N: Final = 3


@pytest.fixture(scope="module")
def many(config: Config) -> Config:
    return group.grouped(config, N)


@pytest.fixture(scope="module")
def model(many: Config) -> models.Anomaly:
    return models.new("pca", many).fit(group.calm(many, 0.5, seed=500).calm())


def _sidecar(run: RunDirectory, many: Config, model: models.Anomaly, quotes: QuotesTable, clock: RecordClock, said: list[str]) -> Sidecar:
    return Sidecar(
        many,
        many.instruments,
        model,
        reader=JournalReader(run.market_journal),
        limits=LimitsTable.open(run, writable=True),
        quotes=quotes,
        controls=Controls.open(run),
        alerts=AlertJournal(run.path / "alerts.jsonl"),
        changes_path=run.path / "changes.jsonl",
        clock=clock,
        checkpoints=CheckpointFile(run.journals / "sidecar.checkpoint", many, many.instruments, model, run.market_journal),
        say=said.append,
    )


def test_a_group_is_in_the_table_told_once_and_survives_a_restart(tmp_path: Path, many: Config, model: models.Anomaly) -> None:
    events = group.fall(many, seed=1_000, rates=[0.5] * N)
    batch = calibration.calibrate(model.score(features.compute(events, many)), many)
    (told,) = replay.systemic(batch)
    assert (told["group_id"], told["members"], told["records"] > 0) == (GROUP_ID, ["S0", "S1", "S2"], True)
    assert told["first"]["ELEVATED"] == told["tier_changes"][0]["ts_recv"]
    assert len(told["tier_changes"][0]["drivers"]) >= 2
    run, said = RunDirectory(tmp_path / "run"), list[str]()
    prepare(run, many, many.instruments)
    clock = RecordClock(SELLER_START_NS - 400 * S)
    with Journal(run.market_journal) as journal:
        quotes = QuotesTable.open(run, writable=True)
        sidecar = _sidecar(run, many, model, quotes, clock, said)
        ids = [i.instrument_id for i in many.instruments]
        fed, restarts = 0, 0
        while clock.now < SELLER_START_NS + 45 * S:
            clock.now += S // 10 if clock.now >= SELLER_START_NS else 2 * S
            end = int(np.searchsorted(events["ts_recv"], clock.now))
            journal.append(events[fed:end])
            fed = end
            quotes.heartbeat(0, clock.now, clock.now)
            sidecar.poll()
            table = {int(r["instrument_id"]): r for r in sidecar._limits.snapshot()}
            if GROUP_ID not in table:
                continue
            assert all(table[i]["tier"] >= table[GROUP_ID]["tier"] for i in ids)
            if table[GROUP_ID]["tier"] == Tier.ELEVATED and restarts == 0:
                if sidecar._saving is not None:
                    sidecar._saving.result()
                sidecar.close()
                del sidecar._limits
                sidecar, restarts = _sidecar(run, many, model, quotes, clock, said), 1
                assert sidecar._pipeline.calibrator.groups.state.tier.tolist() == [Tier.ELEVATED]
        sidecar.close()
    assert (restarts, said) == (1, [])
    alerted = [a for a in AlertJournal(run.path / "alerts.jsonl").read() if a.instrument_id == GROUP_ID]
    want = [c for c in batch.tier_changes if c.instrument_id == GROUP_ID and c.to_tier > c.from_tier]
    assert [(a.condition, a.ts_recv, a.drivers) for a in alerted][:1] == [(c.to_tier.name, c.ts_recv, c.drivers) for c in want][:1]
    assert len({a.alert_id for a in alerted}) == len(alerted)
    assert len(alerted[0].drivers) >= 2
