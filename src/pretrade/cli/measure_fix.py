# SPDX-License-Identifier: Apache-2.0
"""``pretrade bench fix``: what a FIX hop adds over a bare socket pair, ours beside a pass-through written with C++ QuickFIX.

Rounds alternate bare pair, ours, QuickFIX; the same client, venue, rate and messages. Ours runs as it would in production: whole
gate, journal on, durable session stores; once asking its sockets without sleeping (``busy_poll_us``, a core of its own: ``fix_hop``)
and once woken by the kernel like any process (``fix_hop_asleep``). QuickFIX runs as fast as it can: memory store, no log, no
dictionary, no delay; it knows no way to wait without sleeping.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

import pretrade
from pretrade import calibration
from pretrade._native.bench import FixStreet
from pretrade.domain import QUOTES_DTYPE, UNDEFINED_PRICE, Config, Phase
from pretrade.domain.errors import GateError, MissingToolError
from pretrade.gateway import bench as gate_bench
from pretrade.limits import LimitsTable, QuotesTable, RunDirectory
from pretrade.sidecar.serve import prepare

ROUNDS: Final = 5
_BUSY_POLL_US: Final = 5_000
_DISTURBED_P99_NS: Final = 500_000
_ORDERS: Final = 2_000
_PER_SECOND: Final = 1_000
_BURST: Final = 20_000
_SOURCE: Final = Path(pretrade.__file__).resolve().parents[2] / "benchmarks/fix_hop/quickfix_proxy.cpp"
_EXAMPLE: Final = _SOURCE.parents[2] / "examples/gateway.toml"
_TICK: Final = 250_000_000
_STEADY: Final = 1.5
"""A bare pair whose rounds differ by more than this was disturbed, as one whose slowest hundredth waited for a processor: nothing is proven."""
Figures = dict[str, float]


def run(say: Callable[[str], None], rounds: int = ROUNDS) -> dict[str, Any]:
    """Measure ``fix_hop`` and ``fix_burst``.

    Raises
    ------
    MissingToolError
        If there is no C++ compiler or no QuickFIX to build the floor with.
    """
    figures: dict[str, list[Figures]] = {"bare": [], "ours": [], "asleep": [], "quickfix": []}
    with tempfile.TemporaryDirectory(prefix="pretrade-bench-fix-", dir="/dev/shm") as place:
        floor = build_floor(Path(place))
        for number in range(1, rounds + 1):
            figures["bare"].append(FixStreet().bare(_ORDERS, _PER_SECOND, _BURST))
            for name in ("ours", "quickfix", "asleep") if number % 2 else ("asleep", "quickfix", "ours"):
                # A venue of its own: a proxy that ends may still be knocking at the last one.
                street = FixStreet()
                with _proxy(name, floor, Path(place, f"{number}-{name}"), street) as port:
                    figures[name].append(street.through(port, _ORDERS, _PER_SECOND, _BURST))
            say(f"round {number} of {rounds}: " + ", ".join(f"{name} p50 {of[-1]['p50_ns'] / 1e3:.1f} us" for name, of in figures.items()))
    report: dict[str, Any] = {
        "machine": gate_bench.machine(),
        "commit": gate_bench.commit(),
        "results": [_hop(figures, "fix_hop", "ours"), _hop(figures, "fix_hop_asleep", "asleep"), _burst(figures)],
    }
    bare = [f["p50_ns"] for f in figures["bare"]]
    is_disturbed = max(bare) > _STEADY * min(bare) or _median(figures["bare"], "p99_ns") > _DISTURBED_P99_NS
    return {**report, "busy": True} if is_disturbed else report


def build_floor(place: Path) -> Path:
    """Compile the QuickFIX pass-through.

    Raises
    ------
    MissingToolError
        If that cannot be done here, with what to install.
    """
    if not _SOURCE.exists():
        raise MissingToolError(f"the floor of this benchmark is {_SOURCE.name} of a checkout; {_SOURCE} is not there")
    compiler = shutil.which("g++")
    program = place / "quickfix_proxy"
    command = [compiler or "g++", "-O2", "-std=c++14", "-w", str(_SOURCE), "-o", str(program), "-lquickfix", "-lpthread"]
    done = subprocess.run(command, capture_output=True, text=True, check=False) if compiler else None
    if done is None or done.returncode:
        problem = "there is no g++" if done is None else (done.stderr.strip().splitlines() or ["the compiler failed"])[0]
        raise MissingToolError(f"pretrade bench fix needs C++ QuickFIX for its floor (Debian: apt-get install g++ libquickfix-dev): {problem}")
    return program


@contextlib.contextmanager
def _proxy(name: str, floor: Path, place: Path, street: FixStreet) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    with _quickfix(floor, port, street) if name == "quickfix" else _ours(place, port, street, busy_poll_us=_BUSY_POLL_US if name == "ours" else 0):
        yield port


@contextlib.contextmanager
def _quickfix(floor: Path, port: int, street: FixStreet) -> Iterator[None]:
    with _process([str(floor), str(port), str(street.venue_port)], {}):
        yield


@contextlib.contextmanager
def _ours(place: Path, port: int, street: FixStreet, *, busy_poll_us: int) -> Iterator[None]:
    """A gateway whose limits and quotes are kept fresh, its journals on a disk."""
    with tempfile.TemporaryDirectory(prefix="pretrade-bench-fix-journals-") as journals:
        path = place.with_suffix(".toml")
        path.write_text(_configuration(place, Path(journals), busy_poll_us))
        config = Config.load(path)
        run = RunDirectory(place, Path(journals))
        prepare(run, config, config.instruments)
        addresses = {"PRETRADE_FIX_LISTEN": f"127.0.0.1:{port}", "PRETRADE_FIX_VENUE": f"127.0.0.1:{street.venue_port}"}
        with _fresh(run, config), _process([sys.executable, "-m", "pretrade", "gateway", "--config", str(path)], addresses):
            yield


def _configuration(place: Path, journals: Path, busy_poll_us: int) -> str:
    """The example, wide enough for the orders of a run, with the tables of a market beside it."""
    text = _EXAMPLE.read_text()
    wide = {
        'run_directory = "run/gateway"': f'run_directory = "{place}"\njournals_directory = "{journals}"',
        "standalone = true": f"standalone = false\nbusy_poll_us = {busy_poll_us}",
        "[gate]": "[gate]\nduplicate_window_ms = 0\nopen_orders_max = 9000000",
        "position_max_long = 500": "position_max_long = 10000000",
        "position_max_short = 500": "position_max_short = 10000000",
        "rate_new_per_s = 100": "rate_new_per_s = 10000000",
        "open_orders_max = 1000": "open_orders_max = 10000000",
    }
    for old, new in wide.items():
        if old not in text:
            raise GateError(f"{_EXAMPLE} has no line {old!r} any more, which this benchmark widens")
        text = text.replace(old, new)
    return text


@contextlib.contextmanager
def _fresh(run: RunDirectory, config: Config) -> Iterator[None]:
    """A calm market and static limits, both beating."""
    limits, quotes = LimitsTable.open(run, writable=True), QuotesTable.open(run, writable=True)
    records = calibration.static_records(config, [1], epoch=limits.epoch, now_mono=time.monotonic_ns())
    records["score"] = np.float32(0.0)
    limits.publish(records)
    quotes.publish(_calm())
    is_over = threading.Event()

    def beat() -> None:
        while True:
            now = time.monotonic_ns()
            limits.heartbeat(0, now, now)
            quotes.heartbeat(0, now, now)
            if is_over.wait(0.05):
                return

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _calm() -> np.ndarray[Any, np.dtype[np.void]]:
    quotes = np.zeros(1, QUOTES_DTYPE)
    quotes["instrument_id"], quotes["phase"] = 1, int(Phase.CONTINUOUS)
    bid = 4_800 * 10**9 - _TICK
    quotes["bid_price"], quotes["ask_price"] = bid, bid + 2 * _TICK
    for name in ("last_price", "slow_reference", "mid_10s", "mid_5m", "velocity_low", "velocity_high"):
        quotes[name] = bid + _TICK
    for name in ("bid_size", "ask_size", "depth_bid", "depth_ask", "volume_1m", "adv"):
        quotes[name] = 1_000_000
    quotes["nbbo_bid"] = quotes["nbbo_ask"] = UNDEFINED_PRICE
    return quotes


@contextlib.contextmanager
def _process(command: list[str], environment: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        yield
    except RuntimeError as e:
        process.kill()
        _, said = process.communicate()
        raise GateError(f"{Path(command[0]).name}: {e}; it said: {said.strip()[-300:] or 'nothing'}") from e
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _median(rounds: list[Figures], key: str) -> float:
    return statistics.median(figures[key] for figures in rounds)


def _hop(figures: dict[str, list[Figures]], name: str, ours_is: str) -> dict[str, Any]:
    """Added over the bare pair: medians over rounds for p50 and p99, minima for the minimum."""
    added: dict[str, dict[str, float]] = {}
    for of in (ours_is, "quickfix"):
        least = min(f["min_ns"] for f in figures[of]) - min(f["min_ns"] for f in figures["bare"])
        added[of] = {"min_ns": least} | {key: _median(figures[of], key) - _median(figures["bare"], key) for key in ("p50_ns", "p99_ns")}
    ours, floor = added[ours_is], added["quickfix"]
    return {
        "name": name,
        "n": sum(int(f["n"]) for f in figures[ours_is]),
        "rounds": len(figures[ours_is]),
        "busy_poll_us": _BUSY_POLL_US if ours_is == "ours" else 0,
        **{key: round(ours[key]) for key in ("min_ns", "p50_ns", "p99_ns")},
        "floor": "quickfix_memory_store",
        **{f"floor_{key}": round(floor[key]) for key in ("min_ns", "p50_ns", "p99_ns")},
        "ratio_p50": round(ours["p50_ns"] / floor["p50_ns"], 2),
        "ratio_min": round(ours["min_ns"] / floor["min_ns"], 2),
        "whole_p50_ns": {key: [round(f["p50_ns"]) for f in figures[key]] for key in ("bare", ours_is, "quickfix")},
    }


def _burst(figures: dict[str, list[Figures]]) -> dict[str, Any]:
    rates = {name: _median(of, "burst_per_second") for name, of in figures.items()}
    return {
        "name": "fix_burst",
        "n": _BURST * len(figures["ours"]),
        "per_second": round(rates["ours"]),
        "floor": "quickfix_memory_store",
        "floor_per_second": round(rates["quickfix"]),
        "bare_per_second": round(rates["bare"]),
        "ratio": round(rates["ours"] / rates["quickfix"], 2),
    }
