# SPDX-License-Identifier: Apache-2.0
"""The command line: verbs, options, exit codes."""

from __future__ import annotations

import sys

import typer

from pretrade.cli import control, data, doctor, holds, models, permissions, proof, serving, understanding, validate

EXIT_FINDING, EXIT_USAGE, EXIT_CONFIG, EXIT_UNAVAILABLE = 1, 2, 3, 4
_EPILOG = "Exit codes: 0 ok, 1 finding, 2 usage, 3 configuration, 4 unavailable."

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help="Adaptive pre-trade risk control.", epilog=_EPILOG)
for verbs in (understanding, models, validate, data, proof, control, holds, permissions, serving, doctor):
    verbs.register(app)


def main() -> None:
    """Run a verb; an error of ours or of a file is one line on stderr and an exit code, never a traceback."""
    try:
        app()
    except Exception as e:
        code = _exit_code(e)
        if code is None:
            raise
        sys.stderr.write(f"pretrade: {e}\n")
        sys.exit(code)


def _exit_code(error: Exception) -> int | None:
    """Exit code of an expected error; ``None`` where it is a bug, which keeps its traceback.

    The error classes are imported here because ``--help`` needs neither them nor NumPy behind them.
    """
    from pretrade.domain.errors import ConfigError, MissingExtraError, MissingToolError, PretradeError, TableError

    if isinstance(error, ConfigError):
        return EXIT_CONFIG
    if isinstance(error, (TableError, MissingExtraError, MissingToolError)):
        return EXIT_UNAVAILABLE
    if isinstance(error, PretradeError):
        return EXIT_FINDING
    return EXIT_UNAVAILABLE if isinstance(error, OSError) else None
