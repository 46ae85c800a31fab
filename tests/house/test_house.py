# SPDX-License-Identifier: Apache-2.0
"""What holds for the whole tree."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = sorted(p.parent.name for p in (ROOT / "src/pretrade").glob("*/__init__.py"))
_LISTED = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
TRACKED = [ROOT / line for line in _LISTED if (ROOT / line).is_file()]
SOURCES = [p for p in TRACKED if p.suffix in (".py", ".rs", ".pyi")]
NATIVE_ROOMS = {"domain", "bus", "store", "audit", "feeds", "features", "models", "limits", "gateway", "simulation"}
# A word in quotes or backticks is a venue's own, read off its wire.
WRONG_NAMES = re.compile(r"(?<![\"`])\b(qty|px|ccy|clordid|ticker|local_ts|exch_ts|midprice)\b(?![\"`])")
HEAVY = ("jax", "pandas", "sklearn", "lightgbm", "polars", "pyarrow", "scipy")


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_has_a_card(room: str) -> None:
    card = ast.get_docstring(ast.parse((ROOT / f"src/pretrade/{room}/__init__.py").read_text()))
    assert card is not None
    assert len(card.split()) > 25, "a card says what the room reads, gives and must never do"
    assert re.search(r"\bnever\b", card, re.IGNORECASE)


@pytest.mark.parametrize("page", ["README.md", "ARCHITECTURE.md"])
def test_pages_name_every_room(page: str) -> None:
    text = (ROOT / page).read_text()
    assert [room for room in ROOMS if f"`{room}`" not in text] == []


def test_every_room_stands_in_the_layer_file() -> None:
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    placed = re.findall(r"[a-z_]+", " ".join(contract["layers"]))
    assert [room for room in ROOMS if room not in placed] == []


def test_every_source_file_carries_its_licence() -> None:
    assert [str(p.relative_to(ROOT)) for p in SOURCES if "SPDX-License-Identifier: Apache-2.0" not in p.read_text()[:120]] == []


def test_only_the_fields_names_are_used() -> None:
    found = [
        f"{p.relative_to(ROOT)}:{n}: {word.group()}"
        for p in SOURCES
        if p.name != "test_house.py"
        for n, line in enumerate(p.read_text().splitlines(), 1)
        if (word := WRONG_NAMES.search(line))
    ]
    assert found == []


def test_only_some_rooms_touch_the_compiled_module() -> None:
    found = set()
    for path in (ROOT / "src/pretrade").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if any(m.startswith("pretrade._native") for m in modules):
                found.add(path.relative_to(ROOT / "src/pretrade").parts[0])
    assert found - NATIVE_ROOMS - {"cli"} == set()


@pytest.mark.parametrize("room", ["gateway", "limits"])
def test_the_order_path_imports_no_heavy_library(room: str) -> None:
    code = f"import sys, pretrade.{room}; print([m for m in {HEAVY} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_examples_are_short_and_run() -> None:
    for example in sorted((ROOT / "examples").glob("*.py")):
        assert len(example.read_text().splitlines()) < 60, example.name
        done = subprocess.run([sys.executable, str(example)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{example.name}: {done.stderr[-500:]}"
        assert done.stdout.strip(), example.name


def test_the_readmes_python_block_is_the_first_example() -> None:
    block = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert block is not None
    plain = [re.sub(r"\s*#.*", "", line) for line in block[1].splitlines() if line.strip()]
    example = [line for line in (ROOT / "examples/01_flash_crash.py").read_text().splitlines() if line and not line.startswith(("#", '"""'))]
    assert plain == example


def test_the_makefile_is_short_and_ci_calls_it() -> None:
    assert len((ROOT / "Makefile").read_text().splitlines()) < 80
    assert "make test" in (ROOT / ".ci/run").read_text()


def test_crates_use_only_what_the_plan_allows() -> None:
    cargo = shutil.which("cargo")
    assert cargo is not None, "cargo is needed: make test says so"
    command = [cargo, "metadata", "--format-version", "1", "--no-deps"]
    meta = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    allowed = {
        "records": set(),
        "floor": set(),
        "score": set(),
        "book": {"records"},
        "feeds": {"records"},
        "venue": {"records"},
        "shm": {"records"},
        "journal": {"records", "shm"},
        "gate": {"records", "score", "shm", "journal"},
        "fix": {"records", "shm", "gate"},
        "capi": {"records", "shm", "journal", "gate"},
    }
    for package in meta["packages"]:
        crate = package["name"].removeprefix("pretrade-")
        ours = {d["name"].removeprefix("pretrade-") for d in package["dependencies"] if d["name"].startswith("pretrade-") and d["kind"] is None}
        assert crate == "py" or ours <= allowed[crate], f"{crate} uses {ours - allowed[crate]}"


def test_unsafe_stands_only_where_the_plan_allows() -> None:
    for lib in (ROOT / "crates").glob("*/src/lib.rs"):
        if lib.parts[-3] not in ("shm", "journal", "floor", "py", "capi"):
            assert "#![forbid(unsafe_code)]" in lib.read_text(), lib


def test_no_tracked_file_names_a_path_of_a_machine() -> None:
    machine = re.compile(r"/(?:wor[k]|roo[t])/")
    text_files = [p for p in TRACKED if p.suffix in (".py", ".rs", ".md", ".toml", ".pyi", ".h", ".json", "") and "lock" not in p.name.lower()]
    assert [str(p.relative_to(ROOT)) for p in text_files if machine.search(p.read_text(errors="replace"))] == []
