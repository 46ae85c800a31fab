# SPDX-License-Identifier: Apache-2.0
"""Invariants I4 and I10 of the control library: whoever acts, in whatever order, and whichever records fail."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from pretrade.domain import Config
from pretrade.domain.config import DIRECTIONS
from pretrade.domain.errors import ControlError, JournalError
from pretrade.limits import Controls, RunDirectory

REASON = "drill of the desk"
CONFIG = Config.load()
NAMES = ("max_order_quantity", "passive_standoff_ticks", "order_error_hold")

actions = st.lists(
    st.tuples(
        st.sampled_from(["first", "second", "opened anew", "started anew"]), st.sampled_from(NAMES), st.integers(0, 9), st.booleans(), st.booleans()
    ),
    min_size=1,
    max_size=12,
)


def tighter_or_equal(name: str, new: float, old: float) -> bool:
    return new <= old if DIRECTIONS[name] < 0 else new >= old


@settings(max_examples=40, deadline=None)
@given(actions)
def test_one_person_never_loosens_and_a_tightening_stands_recorded_or_not(steps: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        run = RunDirectory(Path(directory) / "run").create()
        writers = {"first": Controls.create(run, CONFIG), "second": Controls.open(run)}
        in_force = {name: writers["first"].static(1)[name] for name in NAMES}
        for who, name, value, by_two, fails in steps:
            anew = {"opened anew": lambda: Controls.open(run), "started anew": lambda: Controls.create(run, CONFIG)}
            writer = writers[who] if who in writers else anew[who]()
            allowed = tighter_or_equal(name, value, in_force[name])
            refusal = mock.patch.object(writer.journal, "append", side_effect=JournalError("no space left on device"))
            try:
                if fails:
                    with refusal:
                        writer.set_static(1, {name: value}, "Ada", REASON, second_by="Grace" if by_two else None)
                else:
                    writer.set_static(1, {name: value}, "Ada", REASON, second_by="Grace" if by_two else None)
                assert not fails
                assert allowed or by_two
            except ControlError:
                assert fails or not (allowed or by_two)
            if allowed or (by_two and not fails):
                in_force[name] = value
            for reader in writers.values():
                assert {n: reader.static(1)[n] for n in NAMES} == in_force
