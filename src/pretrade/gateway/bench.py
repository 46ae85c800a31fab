# SPDX-License-Identifier: Apache-2.0
"""The gate's speed promises, each beside its bare floor in the same run; writers disturb from another process.

Slices of 1,000 calls, preempted slices dropped, timer overhead subtracted, as ``crates/floor`` does it. A run whose idle
floor read is too slow, or that keeps too few slices without a writer, before, between or after its measurements, or whose
floor check gives two answers, says ``busy`` and proves nothing. Two things set against each other meet writers of one rate over as many records.
"""

from __future__ import annotations

import contextlib
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from pretrade._native import bench as _native
from pretrade.domain import OrderType, Side, TimeInForce
from pretrade.gateway.gate import Gate
from pretrade.gateway.options import STARTER_FOLDER

_SLICES: Final = 600
_SECONDS: Final = 8.0
_BUSY_FLOOR_NS: Final = 40.0
_KEPT: Final = 0.8
_PER_SECOND: Final = 100_000
_BUSY_PER_SECOND: Final = 200_000
_STEADY: Final = 1.5
_LOOKUP_INSTRUMENTS: Final = 10_000
_SIZES: Final = {"full_check": (100, 8, 4), "full_check_wide": (10_000, 64, 16)}
_CALLS: Final = 200_000
_TORN_INSTRUMENTS: Final = 16
_FLOOR: Final = "floor"

Figures = dict[str, float]
Result = dict[str, Any]


def run(suite: str = "default", *, extra: Sequence[Callable[[], Result]] = (), torn_reads: int = 100_000_000) -> dict[str, Any]:
    """Measure a suite.

    Parameters
    ----------
    suite
        ``default``, or ``gateway`` with the wide table.
    extra
        More measurements by rooms above; each returns one result.
    torn_reads
        Concurrent look-ups that must not mix two records; 0 leaves them out.

    Returns
    -------
    dict
        ``machine``, ``commit``, ``results`` and, where the machine was too busy to tell, ``busy``.
    """
    names = ["full_check", "full_check_wide"] if suite == "gateway" else ["full_check"]
    with bench_directory() as directory:
        is_busy = is_disturbed(directory)
        results = [lookup(directory, busy=False), lookup(directory, busy=True)]
        for name in names:
            is_busy |= is_disturbed(directory)
            results += full_check(directory, name)
        is_busy |= is_disturbed(directory) or any(result.get("busy", False) for result in results)
        results.append(scored_check(directory))
        results.append(from_python(directory))
        is_busy |= is_disturbed(directory)
        if torn_reads:
            results.append(torn(directory, torn_reads))
    results += [measure() for measure in extra]
    report: dict[str, Any] = {"machine": machine(), "commit": commit(), "results": results}
    return {**report, "busy": True} if is_busy else report


def report_of(measures: Sequence[Callable[[], Result]]) -> dict[str, Any]:
    """Measurements of rooms above alone; ``busy`` where the machine was disturbed before or after them."""
    with bench_directory() as directory:
        is_busy = is_disturbed(directory)
        results = [measure() for measure in measures]
        is_busy |= is_disturbed(directory)
    report: dict[str, Any] = {"machine": machine(), "commit": commit(), "results": results}
    return {**report, "busy": True} if is_busy else report


def machine() -> str:
    """Processor and operating system, in words."""
    names = [line.partition(":")[2].strip() for line in _lines(Path("/proc/cpuinfo")) if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()} x{len(names)}, {platform.system()} {platform.release()}"


def commit() -> str | None:
    """Commit of the checkout this runs from, ``None`` outside one."""
    head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return head.stdout.strip() or None


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


@contextlib.contextmanager
def bench_directory() -> Iterator[Path]:
    """A directory in shared memory with the bare table in it."""
    with tempfile.TemporaryDirectory(prefix="pretrade-bench-", dir="/dev/shm") as place:
        _native.make_floor(Path(place) / _FLOOR)
        yield Path(place)


@contextlib.contextmanager
def _writer(call: str, *arguments: object) -> Iterator[None]:
    """A writer in another process: one function of the native bench, killed at the end."""
    text = ", ".join(repr(str(a)) if isinstance(a, Path) else repr(a) for a in arguments)
    process = subprocess.Popen([sys.executable, "-c", f"from pretrade._native import bench\nbench.{call}({text})"])
    try:
        time.sleep(0.5)
        yield
    finally:
        process.kill()
        process.wait()


def is_disturbed(directory: Path) -> bool:
    """True where the machine is too busy to tell: an idle floor read p50 above 40 ns, or under 80 % of its slices kept."""
    bare = _native.floor_read(directory / _FLOOR, _SLICES // 3, _SECONDS, False)  # noqa: FBT003
    return bare["p50_ns"] > _BUSY_FLOOR_NS or bare["kept"] < _KEPT


def lookup(directory: Path, *, busy: bool) -> Result:
    """Look-up of all 192 bytes and the heartbeat, without a writer or with one of 200,000 records a second over 10,000.

    Both writers keep that rate up; flat out the bare one would write several times as many records as ours.
    """
    floor, tables = directory / _FLOOR, _lookup_tables(directory)
    with _writer("write_floor", floor, _BUSY_PER_SECOND) if busy else contextlib.nullcontext():
        bare = _native.floor_read(floor, _SLICES, _SECONDS, busy)
    with _writer("write_tables", tables, _LOOKUP_INSTRUMENTS, _BUSY_PER_SECOND, False) if busy else contextlib.nullcontext():  # noqa: FBT003
        ours = _native.limit_lookup(tables, _SLICES, _SECONDS, busy)
    result = _result("limit_lookup_busy" if busy else "limit_lookup_idle", ours, "seqlock_read_128", bare)
    is_untold = not busy and (bare["p50_ns"] > _BUSY_FLOOR_NS or min(bare["kept"], ours["kept"]) < _KEPT)
    return {**result, "busy": True} if is_untold else result


def full_check(directory: Path, name: str = "full_check") -> list[Result]:
    """Every configured control with state update and journal, writers at 100,000 records a second each: accept and reject."""
    instruments, strategies, accounts = _SIZES[name]
    floor, tables = directory / _FLOOR, directory / name
    tables.mkdir()
    _native.make_tables(tables, instruments, strategies, accounts)
    before = _floor_check(floor)
    journal = tempfile.TemporaryDirectory(prefix="pretrade-bench-journal-")
    with journal as disk, _writer("write_tables", tables, instruments, _PER_SECOND, True):  # noqa: FBT003
        ours = _native.full_check(tables, Path(disk), instruments, strategies, accounts, _SLICES, 4 * _SECONDS, False, None)  # noqa: FBT003
        rejected = _native.full_check(tables, Path(disk), instruments, strategies, accounts, _SLICES, 4 * _SECONDS, True, None)  # noqa: FBT003
    after = _floor_check(floor)
    # The lower of the two is the denominator; two that disagree say that the machine was disturbed in between.
    bare, other = sorted((before, after), key=lambda figures: figures["p50_ns"])
    results = [_result(name, ours, "check_20_rules", bare), _result(f"{name}_reject", rejected, name, ours)]
    is_steady = other["p50_ns"] <= _STEADY * bare["p50_ns"]
    return results if is_steady else [{**result, "busy": True} for result in results]


def scored_check(directory: Path) -> Result:
    """The full check with the starter order-error model (96 trees, at most 16 leaves) on live features, beside the check without."""
    instruments, strategies, accounts = _SIZES["full_check"]
    tables = directory / "scored"
    tables.mkdir()
    _native.make_tables(tables, instruments, strategies, accounts)
    sizes = (instruments, strategies, accounts, _SLICES, 4 * _SECONDS, False)
    journal = tempfile.TemporaryDirectory(prefix="pretrade-bench-journal-")
    with journal as disk, _writer("write_tables", tables, instruments, _PER_SECOND, True):  # noqa: FBT003
        bare = _native.full_check(tables, Path(disk), *sizes, None)
        ours = _native.full_check(tables, Path(disk), *sizes, STARTER_FOLDER)
    return _result("full_check_scored", ours, "full_check", bare)


def _floor_check(floor: Path) -> Figures:
    with _writer("write_floor", floor, _PER_SECOND):
        return _native.floor_check(floor, _SLICES, _SECONDS)


def from_python(directory: Path) -> Result:
    """``Gate.check`` with seven positional integers, journal on, clock readings included."""
    tables = directory / "python"
    tables.mkdir()
    _native.make_tables(tables, 100, 8, 4)
    side_type_tif = int(Side.BID) | int(OrderType.LIMIT) << 8 | int(TimeInForce.DAY) << 16
    price = 4_800 * 10**9 - 20 * 10**9 // 4
    now = time.perf_counter_ns
    empty = sorted(-(now() - now()) for _ in range(10_001))[5_000]
    times = []
    with _writer("write_tables", tables, 100, _PER_SECOND, True), tempfile.TemporaryDirectory() as disk:  # noqa: FBT003
        gate = Gate(tables, journals=Path(disk), live_orders=1 << 19, duplicate_window_ns=0, is_flat_at_start=1)
        check = gate.check
        for i in range(1, _CALLS + 1):
            instrument, strategy, account = i % 100 + 1, i % 8 + 1, i % 4 + 1
            start = now()
            check(instrument, strategy, account, side_type_tif, price, 1, i)
            times.append(now() - start)
            if i % 20_000 == 0:
                gate.flush()
        counts = gate.counters()
        gate.close()
    times.sort()
    figures = {key: float(times[int(q * (_CALLS - 1))] - empty) for key, q in (("min_ns", 0), ("p50_ns", 0.5), ("p99_ns", 0.99))}
    return {**_result("full_check_python", {"n": float(_CALLS), **figures}, None, None), "accepted": counts["accepted"]}


def torn(directory: Path, n: int, *, guarded: bool = True) -> Result:
    """``n`` look-ups under a flat-out writer on 16 records; counts those that mix two versions.

    ``guarded=False`` leaves the sequence check out: the mutation that must be caught.
    """
    tables = directory / f"torn-{guarded}"
    tables.mkdir()
    _native.make_tables(tables, _TORN_INSTRUMENTS, 1, 1)
    with _writer("write_tables", tables, _TORN_INSTRUMENTS, 0, False):  # noqa: FBT003
        started = time.perf_counter()
        mixed, given_up = _native.count_torn(tables, n, not guarded)
        seconds = time.perf_counter() - started
    return {"name": "limit_lookup_torn", "n": n, "torn": mixed, "given_up": given_up, "per_second": round(n / seconds)}


def _lookup_tables(directory: Path) -> Path:
    tables = directory / "lookup"
    if not tables.exists():
        tables.mkdir()
        _native.make_tables(tables, _LOOKUP_INSTRUMENTS, 1, 1)
    return tables


def _result(name: str, ours: Figures, floor: str | None, bare: Figures | None) -> Result:
    result: Result = {"name": name, "n": int(ours["n"])}
    result |= {key: round(ours[key], 3) for key in ("min_ns", "p50_ns", "p99_ns")}
    result |= {"kept": round(ours["kept"], 2)} if "kept" in ours else {}
    result["per_second"] = round(1e9 / ours["p50_ns"]) if ours["p50_ns"] > 0 else None
    if floor is not None and bare is not None:
        ratio = ours["p50_ns"] / bare["p50_ns"] if bare["p50_ns"] > 0 else None
        result |= {"floor": floor, "floor_p50_ns": round(bare["p50_ns"], 3), "ratio_p50": round(ratio, 2) if ratio is not None else None}
        if ours["unexpected"]:
            result["unexpected"] = int(ours["unexpected"])
    return result
