# SPDX-License-Identifier: Apache-2.0
"""The planted bugs stand where they are said to stand; ``make mutants`` runs them."""

from __future__ import annotations

import pytest
from tests.planted.plant import ROOT, Bug, bugs


@pytest.mark.parametrize("bug", bugs(), ids=lambda bug: bug.name)
def test_planted_line_stands_exactly_once(bug: Bug) -> None:
    assert (ROOT / bug.file).read_text(encoding="utf-8").count(bug.old) == 1
    assert bug.old != bug.new


def test_every_invariant_has_a_planted_bug() -> None:
    assert {f"I{n}" for n in range(1, 11)} <= {bug.breaks for bug in bugs()}
