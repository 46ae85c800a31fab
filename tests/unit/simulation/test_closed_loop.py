# SPDX-License-Identifier: Apache-2.0
"""The native loop: the same firm as in Python, the same bytes every time, and a gate that changes nothing but what it refuses."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path

import pytest

from pretrade.bus import JournalReader
from pretrade.domain import Config, EventKind, Phase
from pretrade.domain.errors import SimulationError
from pretrade.simulation.arms import Static
from pretrade.simulation.closed_loop import LongRun, Played, run
from pretrade.simulation.market import CALM_START_NS, SELLER_START_NS, WARM_UP_S, MarketParameters, Simulator, crash_market, with_overrides
from pretrade.simulation.play import play
from pretrade.simulation.scenario import Episode

_SECOND = 1_000_000_000
_UNLIMITED = ("max_order_quantity", "max_order_notional", "position_max_long", "position_max_short", "collar_ticks", "collar_ppm")
_ALSO_UNLIMITED = ("drift_short_ticks", "drift_long_ticks", "rate_new_per_s", "rate_replace_per_s")


def _calm(seed: int = 3) -> LongRun:
    return LongRun(MarketParameters(), seed, CALM_START_NS, seconds=120.0, ts_onset=CALM_START_NS + 360 * _SECOND)


def _crash(seed: int) -> LongRun:
    """The story as :func:`play` runs it: fifteen minutes of calm, a first look a minute before the onset."""
    return LongRun(
        crash_market(),
        seed,
        SELLER_START_NS - WARM_UP_S * _SECOND,
        quiet_s=WARM_UP_S - 60.0,
        seconds=120.0,
        ts_onset=SELLER_START_NS,
        order_latency=(0.0, 0.0),
    )


def _unlimited(path: Path) -> Config:
    text = resources.files("pretrade.domain").joinpath("default.toml").read_text()
    head, static, rest = re.split(r"(?=^\[static\])|(?=^\[floor\])", text, flags=re.MULTILINE)
    for name in (*_UNLIMITED, *_ALSO_UNLIMITED):
        static, n = re.subn(rf"^{name} = .*$", f'{name} = "unlimited"', static, flags=re.MULTILINE)
        assert n == 1, name
    path.write_text(head + static + rest)
    return Config.load(path)


def _log(what: LongRun, path: Path) -> tuple[Played, str]:
    """What came of a run, and the digest of its log."""
    played = run(dataclasses.replace(what, log=path), Config.load())
    reader, digest = JournalReader(path), hashlib.sha256()
    while len(events := reader.read()):
        digest.update(events.tobytes())
    return played, digest.hexdigest()


@pytest.mark.parametrize("seed", [1, 7])
def test_native_firm_does_what_the_firm_in_python_does_through_a_crash(seed: int) -> None:
    config = Config.load()
    row = play(Episode(crash_market(), 60.0), seed, "static", Static(config), config)
    played = run(_crash(seed), config)
    assert played.event_log_hash == row["event_log_hash"]
    assert played.sent > 100


def test_same_seed_gives_the_same_bytes_three_times_with_and_without_a_log(tmp_path: Path) -> None:
    first, digest = _log(_calm(), tmp_path / "1")
    again, digest_again = _log(_calm(), tmp_path / "2")
    assert (first, digest) == (again, digest_again)
    assert run(_calm(), Config.load()) == first
    assert run(_calm(seed=4), Config.load()).event_log_hash != first.event_log_hash


def test_two_threads_at_once_give_the_bytes_of_one_after_the_other() -> None:
    runs = [_calm(seed) for seed in (5, 6, 7, 8)]
    alone = [run(what, Config.load()) for what in runs]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda what: run(what, Config.load()), runs)) == alone


@pytest.mark.parametrize("story", [False, True])
def test_gate_without_limits_changes_nothing_against_no_gate(tmp_path: Path, *, story: bool) -> None:
    what = _crash(2) if story else _calm()
    unlimited = run(what, _unlimited(tmp_path / "unlimited.toml"))
    without = run(dataclasses.replace(what, has_gate=False), Config.load())
    assert unlimited.refused == 0
    assert unlimited == without
    assert unlimited.sent > 100


def test_gate_with_limits_refuses_and_the_market_is_another(tmp_path: Path) -> None:
    text = resources.files("pretrade.domain").joinpath("default.toml").read_text()
    tight = tmp_path / "tight.toml"
    tight.write_text(text.replace("max_order_quantity = 500", "max_order_quantity = 10", 1))
    limited, free = run(_crash(2), Config.load(tight)), run(dataclasses.replace(_crash(2), has_gate=False), Config.load())
    assert limited.refused > 0
    assert limited.event_log_hash != free.event_log_hash


def test_latency_of_orders_moves_no_draw_of_the_market() -> None:
    slow = dataclasses.replace(_calm(), order_latency=(400e9, 0.0))
    nothing_arrives = run(slow, Config.load())
    assert nothing_arrives.sent > 0
    assert nothing_arrives.position[1] == 0
    assert run(dataclasses.replace(slow, order_latency=(500e9, 1.0)), Config.load()).event_log_hash == nothing_arrives.event_log_hash


def _halting(seed: int) -> LongRun:
    market = with_overrides(crash_market(), protections="late")
    return LongRun(market, seed, SELLER_START_NS - 300 * _SECOND, quiet_s=240.0, seconds=110.0, ts_onset=SELLER_START_NS)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_order_leaves_for_a_reserved_market(seed: int, tmp_path: Path) -> None:
    gated, _ = _log(_halting(seed), tmp_path / "log")
    reader, states = JournalReader(tmp_path / "log"), list[int]()
    while len(events := reader.read()):
        states += events["aux"][events["kind"] == EventKind.STATUS].tolist()
    assert states[:2] == [Phase.HALTED, Phase.AUCTION]
    assert (gated.rejected, gated.refused > 0) == (0, True)
    assert run(dataclasses.replace(_halting(seed), has_gate=False), Config.load()).rejected > 0


def test_unknown_protections_are_refused() -> None:
    with pytest.raises(SimulationError, match=r'protections are Profile\("sometimes"\); known are "off", "late", "full"'):
        Simulator(with_overrides(MarketParameters(), protections="sometimes"), 1, 0)
