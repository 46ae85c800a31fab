# SPDX-License-Identifier: Apache-2.0
"""The QuickFIX server acceptance definitions against the session layer of the gateway (``make fix-acceptance``).

QUICKFIX_SOURCE names a checkout of the public repository quickfix/quickfix; Ruby 3 runs its definitions. The gateway's loop and
session code serve them, with an echo (``crates/fix/examples/echo.rs``) in place of the checks.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = ("fix42", "fix44", "fix50sp2")


def main() -> int:
    """Run every definition; exit status = number of failures."""
    source = os.environ.get("QUICKFIX_SOURCE")
    if not source:
        sys.stdout.write("skipped, which is not passed: QUICKFIX_SOURCE names no checkout of quickfix/quickfix\n")
        return 0
    ruby = shutil.which("ruby")
    if ruby is None:
        sys.stderr.write("the definitions need Ruby 3 (Debian: apt-get install ruby)\n")
        return 1
    subprocess.run(["cargo", "build", "-q", "--release", "-p", "pretrade-fix", "--example", "echo", "--locked"], cwd=ROOT, check=True)
    program = [str(ROOT / "target/release/examples/echo"), "0", str(Path(source, "spec"))]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as echo:
        try:
            assert echo.stdout is not None
            port = echo.stdout.readline().strip().rpartition(":")[2]
            runs = {version: _start(ruby, Path(source, "test"), port, version) for version in VERSIONS}
            return sum(_finish(version, run) for version, run in runs.items())
        finally:
            echo.kill()


def _start(ruby: str, folder: Path, port: str, version: str) -> subprocess.Popen[str]:
    definitions = sorted(str(p.relative_to(folder)) for p in folder.glob(f"definitions/server/{version}/*.def"))
    command = [ruby, "-I.", "Runner.rb", "127.0.0.1", port, *definitions]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)


def _finish(version: str, run: subprocess.Popen[str]) -> int:
    said, _ = run.communicate(timeout=600)
    total = len(re.findall(r"^definitions/", said, re.MULTILINE))
    sys.stdout.write(f"{version}: {total - run.returncode} of {total} passed\n")
    if run.returncode:
        sys.stdout.write(said)
    return run.returncode


if __name__ == "__main__":
    sys.exit(main())
