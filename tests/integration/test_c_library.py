# SPDX-License-Identifier: Apache-2.0
"""The C library, built and called from C: the example decides, and a planted panic never reaches its host."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.gateway import market

from pretrade.domain import Config
from pretrade.domain.clock import WallClock
from pretrade.limits import Controls, LimitsTable, QuotesTable, RunDirectory
from pretrade.limits.loosening import _SETTINGS

ROOT = Path(__file__).resolve().parents[2]
CAPI = ROOT / "crates/capi"


@pytest.fixture(scope="module")
def library() -> Path:
    """Folder of the libraries, as a debug build."""
    subprocess.run(["cargo", "build", "-q", "--locked", "-p", "pretrade-capi"], cwd=ROOT, check=True)
    found = subprocess.run(["cargo", "metadata", "--format-version", "1", "--no-deps"], cwd=ROOT, check=True, capture_output=True, text=True)
    target = Path(json.loads(found.stdout)["target_directory"]) / "debug"
    assert (target / "libpretrade.so").exists()
    assert (target / "libpretrade.a").exists()
    return target


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunDirectory]:
    """Tables of this boot, kept fresh by a heart that beats."""
    config, clock = Config.load(), WallClock()
    run = RunDirectory(tmp_path / "run").create()
    Controls.create(run, config)
    limits, quotes = LimitsTable.create(run, [1]), QuotesTable.create(run, [1])
    record = market.limits(config, clock.utc(), 1)
    record["epoch"] = limits.epoch
    limits.publish(record)
    quotes.publish(market.quotes(clock.utc()))
    is_over = threading.Event()

    def beat() -> None:
        while True:
            for table in (limits, quotes):
                table.heartbeat(0, clock.mono(), clock.mono())
            if is_over.wait(0.02):
                return

    heart = threading.Thread(target=beat)
    heart.start()
    yield run
    is_over.set()
    heart.join()


def built(source: Path, library: Path, to: Path, *, is_static: bool) -> Path:
    cc = shutil.which("cc")
    assert cc is not None, "a C compiler is needed"
    flags = ["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-Wall", "-Wextra", "-Werror", f"-I{CAPI / 'include'}", f"-I{ROOT / 'schemas'}"]
    linked = [str(library / "libpretrade.a"), "-lpthread", "-ldl", "-lm"] if is_static else [f"-L{library}", "-lpretrade", f"-Wl,-rpath,{library}"]
    subprocess.run([cc, *flags, str(source), "-o", str(to), *linked], check=True)
    return to


@pytest.mark.parametrize("is_static", [False, True])
def test_the_example_decides_an_order(library: Path, run: RunDirectory, tmp_path: Path, *, is_static: bool) -> None:
    check = built(CAPI / "examples/check.c", library, tmp_path / "check", is_static=is_static)
    accepted = subprocess.run([check, run.path, "5", "4800"], capture_output=True, text=True, check=False)
    assert (accepted.returncode, accepted.stdout[:8]) == (0, "0 ACCEPT"), accepted
    refused = subprocess.run([check, run.path, "501", "4800"], capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "0 REJECT ORDER_EXCEEDS_LIMIT quantity=501 limit=500" in refused.stdout


def test_a_planted_panic_never_reaches_the_host(library: Path, run: RunDirectory, tmp_path: Path) -> None:
    borders = built(CAPI / "tests/borders.c", library, tmp_path / "borders", is_static=False)
    done = subprocess.run([borders, run.path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-500:]
    assert done.stdout.count("ok ") > 14
    assert "BROKEN" not in done.stdout


def test_a_run_without_a_configuration_is_refused_in_words(library: Path, tmp_path: Path) -> None:
    check = built(CAPI / "examples/check.c", library, tmp_path / "check", is_static=False)
    done = subprocess.run([check, tmp_path, "5"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "controls.journal" in done.stderr


def test_header_and_library_say_one_version_and_the_package_file_is_complete() -> None:
    assert "#define PRETRADE_VERSION 1u" in (CAPI / "include/pretrade.h").read_text()
    assert "pub const VERSION: u32 = 1;" in (CAPI / "src/lib.rs").read_text()
    text = (CAPI / "pretrade.pc.in").read_text()
    assert set(re.findall(r"@(\w+)@", text)) == {"PREFIX", "VERSION"}
    assert tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]


def test_every_setting_of_the_gate_is_known_to_the_library() -> None:
    source = (CAPI / "src/settings.rs").read_text()
    assert [name for name in _SETTINGS if name.startswith("gate.") and f'"{name}"' not in source] == []
