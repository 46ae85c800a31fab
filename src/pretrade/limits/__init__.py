# SPDX-License-Identifier: Apache-2.0
"""Limits: the shared tables, and the one writer library of what humans control.

Reads the run directory. Gives the ``limits``, ``quotes`` and ``gate`` tables as NumPy records, and
:class:`Controls`: kill, trip, resume, static limits, reduce-only, each recorded in the control journal; it works
with every other process dead.
Never computes a limit, never applies a loosening before it is durable, never resumes a trip that is not named.

Standard: the records of ``schemas/``; RTS 6 articles 12 and 15 (kill, reinstatement by a designated person).
"""

from pretrade.limits import permissions, rules
from pretrade.limits.annex import ExitTicket
from pretrade.limits.controls import Controls
from pretrade.limits.layouts import CONTROLS_DTYPE, GATE_DTYPE, PARAMETERS_DTYPE
from pretrade.limits.run_directory import RunDirectory, clock_domain, is_simulated, survive_truncation
from pretrade.limits.signed import refuse_unsigned
from pretrade.limits.state import Level, configured_records
from pretrade.limits.tables import GateTable, LimitsTable, QuotesTable
from pretrade.limits.trips import Stop, Trip

__all__ = [
    "CONTROLS_DTYPE",
    "GATE_DTYPE",
    "PARAMETERS_DTYPE",
    "Controls",
    "ExitTicket",
    "GateTable",
    "Level",
    "LimitsTable",
    "QuotesTable",
    "RunDirectory",
    "Stop",
    "Trip",
    "clock_domain",
    "configured_records",
    "is_simulated",
    "permissions",
    "refuse_unsigned",
    "rules",
    "survive_truncation",
]
