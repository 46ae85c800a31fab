# SPDX-License-Identifier: Apache-2.0
"""A sidecar publishes only under the configuration that persons loaded."""

from __future__ import annotations

import subprocess
import sys
from importlib import resources
from pathlib import Path

from pretrade.domain import Config
from pretrade.limits import RunDirectory
from pretrade.sidecar.serve import prepare


def test_a_sidecar_under_another_configuration_does_not_start(tmp_path: Path, config: Config) -> None:
    run = RunDirectory(tmp_path / "run")
    prepare(run, config, config.instruments[:1])
    other = tmp_path / "other.toml"
    packaged = resources.files("pretrade.domain").joinpath("default.toml").read_text()
    other.write_text(packaged.replace("dwell_high_s = 30", "dwell_high_s = 0"))
    command = [sys.executable, "-m", "pretrade", "sidecar", "--run", str(run.path), "--static", "--config", str(other)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert f"configuration is {Config.load(other).hash[:12]}" in done.stderr
    assert not (run.path / "sidecar.json").exists()
