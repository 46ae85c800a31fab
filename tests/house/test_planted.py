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


def test_every_control_the_gate_has_has_a_planted_bug() -> None:
    # 1, 27, 37 and 44 are invariants (I6, I7, I2, I1); 36 is a tier; 35 and 39 are not built.
    built = (*range(2, 27), *range(28, 35), 38, *range(40, 44), 45, 46)
    assert {f"control {n}" for n in built} <= {bug.breaks for bug in bugs()}
