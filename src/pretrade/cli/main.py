# SPDX-License-Identifier: Apache-2.0
"""The command line: verbs, options, exit codes."""

from __future__ import annotations

import sys

import typer

from pretrade.cli import control, proof, serving, understanding
from pretrade.domain.errors import ConfigError, PretradeError, TableError

EXIT_FINDING, EXIT_CONFIG, EXIT_UNAVAILABLE = 1, 3, 4

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help="Adaptive pre-trade risk control.")
for room in (understanding, proof, control, serving):
    room.register(app)


def main() -> None:
    """Run a verb; an error of ours is one line on stderr and an exit code, never a traceback."""
    try:
        app()
    except PretradeError as e:
        sys.stderr.write(f"pretrade: {e}\n")
        sys.exit(EXIT_CONFIG if isinstance(e, ConfigError) else EXIT_UNAVAILABLE if isinstance(e, TableError) else EXIT_FINDING)
