# SPDX-License-Identifier: Apache-2.0
"""The real sidecar process, killed in HIGH and started again; and its tables cut off under it. This test is the capture process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray

from pretrade import models, simulation
from pretrade.bus import Journal
from pretrade.domain import Config, Tier
from pretrade.domain.clock import WallClock
from pretrade.domain.errors import TableError
from pretrade.gateway import Gate
from pretrade.limits import LimitsTable, QuotesTable, RunDirectory
from pretrade.sidecar.capture import Capture
from pretrade.sidecar.serve import CHECKPOINT, prepare
from pretrade.simulation.market import SELLER_START_NS

S: Final = 1_000_000_000
PATIENCE_S: Final = 120


@pytest.fixture(scope="module")
def events() -> NDArray[Any]:
    return simulation.flash_crash(seed=7, warm_up_s=400, story_s=45).events


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = Config.load()
    folder = tmp_path_factory.mktemp("model")
    models.new("pca", config).fit(simulation.calm(1.0, seed=4, config=config).calm()).save(folder)
    return folder


@dataclass
class World:
    """Tables, a journal that grows as the test says, and one sidecar process."""

    run: RunDirectory
    model: Path
    capture: Capture
    events: NDArray[Any]
    fed: int = 0
    process: subprocess.Popen[bytes] | None = None
    seen: list[tuple[int, int, int]] = field(default_factory=list)

    def start(self) -> None:
        command = [sys.executable, "-m", "pretrade", "sidecar", f"--run={self.run.path}", "--instrument=ES", f"--model={self.model}"]
        with (self.run.path / "sidecar.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def feed(self, until_s: float) -> None:
        end = int(np.searchsorted(self.events["ts_recv"], SELLER_START_NS + int(until_s * S)))
        self.capture.on_events(self.events[self.fed : end])
        self.fed = max(self.fed, end)

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Beat as capture does until it holds; every record seen on the way is kept."""
        end = time.monotonic() + PATIENCE_S
        while not holds():
            assert self.process is not None
            assert self.process.poll() is None, f"the sidecar ended: {(self.run.path / 'sidecar.log').read_text()[-500:]}"
            assert time.monotonic() < end, f"{what} did not come"
            self.capture.on_events(self.events[:0])
            self.look()

    def look(self) -> tuple[int, int, int]:
        """Epoch, tier and limit of the record; the last one seen where its writer is inside a write."""
        try:
            record = LimitsTable.open(self.run).read(1)
        except TableError:
            return self.seen[-1]
        facts = (int(record["epoch"]), int(record["tier"]), int(record["max_order_quantity"]))
        if not self.seen or facts != self.seen[-1]:
            self.seen.append(facts)
        return facts

    def log(self) -> str:
        return (self.run.path / "sidecar.log").read_text()


@pytest.fixture
def world(tmp_path: Path, config: Config, events: NDArray[Any], model_folder: Path) -> Iterator[World]:
    run = RunDirectory(tmp_path / "run")
    instruments = (config.instrument("ES"),)
    prepare(run, config, instruments)
    (run.path / "capture.json").write_text("{}")
    with Journal(run.market_journal) as journal:
        capture = Capture(config, instruments, journal, QuotesTable.open(run, writable=True), WallClock())
        made = World(run, model_folder, capture, events)
        yield made
        if made.process is not None and made.process.poll() is None:
            made.kill()


def in_high(world: World, epoch: int = 0) -> bool:
    seen = world.look()
    return seen[1] == Tier.HIGH and seen[0] > epoch


def reach_high(world: World) -> None:
    """The crash, a tenth of a second a step, until the sidecar stands in HIGH."""
    second = 0.0
    while not in_high(world):
        second += 0.1
        world.feed(second)
        world.until(lambda: LimitsTable.open(world.run).channel(0)[1] >= world.capture._mono_data, "the sidecar's judgement")


@pytest.mark.slow
def test_killed_in_high_is_high_again_and_the_gate_never_only_reduces(world: World, config: Config) -> None:
    world.feed(0.0)
    world.start()
    world.until((world.run.journals / CHECKPOINT).exists, "the first checkpoint")
    reach_high(world)
    gate = Gate(world.run.path, config=config)
    stages = set()
    for _ in range(3):
        before = world.look()
        world.kill()
        world.seen = [before]
        begun = time.monotonic()
        world.start()
        fresh = world.fed
        while not in_high(world, before[0]):
            fresh += 20
            world.capture.on_events(world.events[world.fed : fresh])
            world.fed = fresh
            world.until(lambda: True, "")
            gate.poll(time.monotonic_ns(), time.time_ns())
            stages.add(gate.stage(1))
            assert world.process is not None
            assert world.process.poll() is None, world.log()
            assert world.look()[1] >= Tier.HIGH, "what stands in the table never falls below HIGH on the way"
        print(f"HIGH again {time.monotonic() - begun:.2f} s after the start")  # noqa: T201
        first = next(s for s in world.seen if s[0] > before[0])
        assert first[1] >= before[1]
        assert first[2] <= before[2], "the first record of the new epoch is no looser"
    assert 2 not in stages, "no reduce-only episode"
    assert "pretrade:" not in world.log(), "no checkpoint was refused"
    gate.close()


@pytest.mark.slow
@pytest.mark.parametrize("table", ["limits", "quotes", "controls"])
def test_a_table_cut_off_under_the_sidecar_is_an_error_and_no_crash(world: World, table: str) -> None:
    world.feed(0.0)
    world.start()
    world.until(lambda: world.look()[2] > 0 and LimitsTable.open(world.run).channel(0)[1] > 0, "the first judgement")
    assert world.process is not None
    os.truncate(getattr(world.run, table), 0)
    try:
        code: int | None = world.process.wait(10)
    except subprocess.TimeoutExpired:
        code = None
    assert code != -signal.SIGBUS
    assert code is None or code > 0, "it went on, or it said why and ended by itself"
    if code is not None:
        assert "Traceback" not in world.log()
        assert "truncated" in world.log() or "tbl" in world.log()
