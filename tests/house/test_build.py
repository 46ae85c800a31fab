# SPDX-License-Identifier: Apache-2.0
"""What a build must be: stubs that match, a clear word where the compiled module is absent, light doors."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STUBS = sorted((ROOT / "src/pretrade/_native").glob("*.pyi"))


def test_unbuilt_checkout_says_how_to_build(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src/pretrade", tmp_path / "pretrade", ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__"))
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    code = "import pretrade.gateway"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "pip install -e ." in done.stderr.splitlines()[-1]


def test_every_submodule_has_a_stub() -> None:
    native = importlib.import_module("pretrade._native")
    submodules = {n.rpartition(".")[2] for n in sys.modules if n.startswith("pretrade._native.")}
    assert {n for n in vars(native) if not n.startswith("_")} == submodules == {p.stem for p in STUBS} - {"__init__"}


def test_package_and_workspace_say_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    workspace = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]
    package = importlib.import_module("pretrade")
    assert project["version"] == workspace["version"] == package.__version__
    assert project["requires-python"] == ">=3.11"
    assert "abi3-py311" in (ROOT / "crates/py/Cargo.toml").read_text()


def test_room_not_there_is_named_with_the_rooms_that_are() -> None:
    package = importlib.import_module("pretrade")
    with pytest.raises(AttributeError, match=r"no room 'nonsense'; the rooms are audit, "):
        _ = package.nonsense


def test_base_install_names_no_heavy_library() -> None:
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert {d.split(">")[0] for d in dependencies} == {"numpy", "typer", "rich"}
