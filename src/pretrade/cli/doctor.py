# SPDX-License-Identifier: Apache-2.0
"""The verb that says what is wrong with this machine, and what to type."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import typer

from pretrade.cli.options import DEFAULT_RUN, AsJson, Run, emit, table

EXTRAS: Final = {
    "store": ("pyarrow", "polars", "duckdb"),
    "research": ("jax", "optax", "scipy", "onnx", "onnxruntime", "lightgbm", "sklearn", "hmmlearn"),
}
_CLOCK_SOURCE: Final = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
_SLOW_SYNC_MS: Final = 20.0
_SMALL_SHM_MB: Final = 64.0

Row = dict[str, Any]


def _row(name: str, found: object, *, is_ok: bool, advice: str = "") -> Row:
    return {"check": name, "ok": is_ok, "found": str(found), "advice": "" if is_ok else advice}


def _python() -> Row:
    version = ".".join(map(str, sys.version_info[:3]))
    return _row("python", version, is_ok=sys.version_info >= (3, 11), advice="use CPython 3.11 or later")


def _native() -> Row:
    try:
        from pretrade.domain import EVENT_DTYPE
    except ImportError as e:
        return _row("compiled module", e, is_ok=False, advice="pip install -e .")
    return _row(
        "compiled module", f"events of {EVENT_DTYPE.itemsize} bytes", is_ok=EVENT_DTYPE.itemsize == 64, advice="pip install --force-reinstall ."
    )


def _clock_source() -> Row:
    found = _CLOCK_SOURCE.read_text().strip() if _CLOCK_SOURCE.exists() else "unknown"
    is_fast = found in ("tsc", "kvm-clock", "arch_sys_counter", "unknown")
    return _row("clock source", found, is_ok=is_fast, advice="reading the clock is a system call here; boot with clocksource=tsc")


def _shared_memory() -> Row:
    folder = Path("/dev/shm")
    if not os.access(folder, os.W_OK):
        return _row("/dev/shm", "not writable", is_ok=False, advice="mount a tmpfs there, or give --run on another disk")
    free = shutil.disk_usage(folder).free / 1e6
    return _row(
        "/dev/shm", f"{free:.0f} MB free", is_ok=free >= _SMALL_SHM_MB, advice=f"free at least {_SMALL_SHM_MB:.0f} MB: tables and rings lie there"
    )


def _sync_ms(folder: Path) -> Row:
    worst = 0.0
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        for _ in range(5):
            start = time.perf_counter()
            file.write(b"x" * 512)
            file.flush()
            os.fsync(file.fileno())
            worst = max(worst, (time.perf_counter() - start) * 1e3)
    advice = "control actions wait for this sync; put the run directory on a faster disk"
    return _row("disk sync", f"{worst:.1f} ms worst of 5", is_ok=worst <= _SLOW_SYNC_MS, advice=advice)


def _extra(name: str, packages: tuple[str, ...]) -> Row:
    missing = [p for p in packages if importlib.util.find_spec(p) is None]
    found = f"without {', '.join(missing)}: pip install 'pretrade[{name}]'" if missing else "installed"
    return _row(f"extra [{name}]", found, is_ok=True)  # a gateway host needs none of them


def _run(run: Path) -> Row:
    if not (run / "controls.tbl").exists():
        return _row("run directory", f"{run}: none yet", is_ok=True)
    from pretrade.domain.errors import PretradeError
    from pretrade.limits import Controls, RunDirectory

    try:
        trips = Controls.open(RunDirectory(run)).trips()
    except PretradeError as e:
        return _row("run directory", e, is_ok=False, advice=f"remove {run} or start its processes anew")
    advice = f"pretrade breaker list --run {run}"
    return _row("run directory", f"{run}: {len(trips)} tripped breakers", is_ok=not trips, advice=advice)


def doctor(run: Run = DEFAULT_RUN, json: AsJson = False) -> None:
    """Say what is wrong with this machine and what to type; exit 1 with a finding."""
    rows = [_python(), _native(), _clock_source(), _shared_memory(), _sync_ms(run if run.is_dir() else Path()), _run(run)]
    rows += [_extra(name, packages) for name, packages in EXTRAS.items()]
    emit({"ok": all(r["ok"] for r in rows), "checks": rows}) if json else table(rows, "doctor")
    if not all(r["ok"] for r in rows):
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(doctor)
