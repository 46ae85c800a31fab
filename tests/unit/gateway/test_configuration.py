# SPDX-License-Identifier: Apache-2.0
"""A gate starts with the configuration that persons loaded into its controls, and with no other."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from pretrade.domain import Config
from pretrade.domain.errors import GateError
from pretrade.gateway import Gate
from pretrade.limits import Controls, LimitsTable, QuotesTable, RunDirectory


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    directory = RunDirectory(tmp_path / "run").create()
    LimitsTable.create(directory, [1])
    QuotesTable.create(directory, [1])
    return directory


def test_gate_with_looser_deadlines_than_the_configuration_in_controls_does_not_start(run: RunDirectory, config: Config) -> None:
    Controls.create(run, config)
    Gate(run.path, config=config, live_orders=1 << 10).close()
    late = dataclasses.replace(config, gate=dataclasses.replace(config.gate, t1_ms=10**7), hash="1" * 64)
    with pytest.raises(GateError, match=r"configuration is 111111111111; .*controls.journal holds"):
        Gate(run.path, config=late)
    with pytest.raises(GateError, match="t1_ns given beside configuration"):
        Gate(run.path, config=config, t1_ns=10**13)
    Controls.create(run, late, by="Ada", second_by="Grace")
    Gate(run.path, config=late).close()
    with pytest.raises(GateError, match="holds 111111111111"):
        Gate(run.path, config=config)
