# SPDX-License-Identifier: Apache-2.0
"""What the tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from pretrade.domain import Config

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def config() -> Config:
    """The packaged configuration."""
    return Config.load()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real recordings beside the checkout."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("real recordings (../shared/data) are absent: this test needs them")
    return folder
