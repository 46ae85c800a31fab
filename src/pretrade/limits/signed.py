# SPDX-License-Identifier: Apache-2.0
"""Whether a configuration is the one that persons loaded into the ``controls`` of a run directory."""

from __future__ import annotations

from typing import Final

import numpy as np

from pretrade._native import limits as _native
from pretrade.audit import ControlJournal
from pretrade.domain import Config
from pretrade.domain.errors import ControlError, TableError
from pretrade.limits.layouts import CONTROLS_DTYPE
from pretrade.limits.loosening import loosened_settings, settings
from pretrade.limits.run_directory import RunDirectory
from pretrade.limits.state import Level, read_state

_FIRM: Final = (0, int(Level.FIRM))


def refuse_unsigned(run: RunDirectory, config: Config) -> bool:
    """Refuse a configuration other than the one loaded into ``controls``: its deadlines and windows would bypass the two persons.

    Returns
    -------
    bool
        False for a table that no control action wrote (benchmarks, tests): nobody signed anything there.

    Raises
    ------
    ControlError
        If the control journal holds another configuration or none, or ``config`` is looser than its hash says.
    JournalError
        If the control journal is corrupt.
    """
    if not _is_written_by_persons(run):
        return False
    state = read_state(ControlJournal(run.control_journal))
    if state.config_hash != config.hash:
        held = state.config_hash[:12] or "none"
        raise ControlError(
            f"configuration is {config.hash[:12]}; {run.control_journal} holds {held}: start with that one, or load the new one into controls first"
        )
    looser = loosened_settings(state.settings, settings(config))
    if looser:
        raise ControlError(f"configuration {config.hash[:12]} was changed after it was read: {', '.join(looser[:5])}")
    return True


def _is_written_by_persons(run: RunDirectory) -> bool:
    """A control action leaves its place in the journal in the rows it writes; a row of the firm is in every table."""
    try:
        firm = _native.NativeControls.open(run.controls, run.clock_domain, "read").read(*_FIRM)
    except TableError:
        # A table refused as a whole, or a row of the firm half written: what cannot be read excuses nobody.
        return run.controls.exists()
    return firm is not None and int(np.frombuffer(firm, CONTROLS_DTYPE)[0]["generation"]) > 0
