# SPDX-License-Identifier: Apache-2.0
"""Plants each bug of ``bugs.toml`` into a copy of the tree and runs the test that must catch it.

``make mutants``, or ``python -m tests.planted.plant [NAME...]``. Exit status: how many bugs nothing caught.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
_LEFT_OUT: Final = shutil.ignore_patterns("target", ".venv", ".git", "run", "__pycache__", "*.html")
_TIMEOUT_S: Final = 900


@dataclass(frozen=True, slots=True)
class Bug:
    """One planted bug: which promise it breaks, where, and who must notice."""

    name: str
    breaks: str
    file: str
    old: str
    new: str
    test: tuple[str, ...]


def bugs() -> list[Bug]:
    """All of them, in the file's order."""
    table = tomllib.loads((ROOT / "tests/planted/bugs.toml").read_text(encoding="utf-8"))
    return [Bug(**{**bug, "test": tuple(bug["test"])}) for bug in table["bug"]]


def is_caught(bug: Bug, tree: Path) -> bool:
    """True where the test passes without the bug's line and fails with it; the tree is as before afterwards."""
    file = tree / bug.file
    sound = file.read_text(encoding="utf-8")
    try:
        file.write_text(sound.replace(bug.old, bug.new), encoding="utf-8")
        return not _passes(bug, tree)
    finally:
        file.write_text(sound, encoding="utf-8")


def _passes(bug: Bug, tree: Path) -> bool:
    environment = {**os.environ, "CARGO_TARGET_DIR": str(ROOT / "target/planted"), "PYTHONPATH": str(tree / "src"), "OMP_NUM_THREADS": "1"}
    command = (
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *bug.test]
        if bug.test[0].endswith(".py")
        else ["cargo", "test", "-q", *bug.test]
    )
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    if "error: could not compile" in done.stderr:
        raise SystemExit(f"{bug.name}: the planted line does not compile, so nothing was tested:\n{done.stderr[-2000:]}")
    return done.returncode == 0


def main(names: list[str]) -> int:
    """Run the named bugs, or all; first the tests themselves, which must pass on the sound tree."""
    chosen = [bug for bug in bugs() if not names or bug.name in names]
    with tempfile.TemporaryDirectory(prefix="pretrade-planted-") as directory:
        tree = Path(directory) / "tree"
        shutil.copytree(ROOT, tree, ignore=_LEFT_OUT)
        for test in dict.fromkeys(bug.test for bug in chosen):
            if not _passes(Bug("sound tree", "", "", "", "", test), tree):
                raise SystemExit(f"{' '.join(test)} fails without any planted bug")
        missed = 0
        for bug in chosen:
            start = time.monotonic()
            caught = is_caught(bug, tree)
            missed += not caught
            sys.stdout.write(f"{'caught' if caught else 'MISSED'}  {bug.breaks:<4} {bug.name} ({time.monotonic() - start:.0f} s)\n")
            sys.stdout.flush()
    return missed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
