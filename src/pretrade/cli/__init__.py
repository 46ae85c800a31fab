# SPDX-License-Identifier: Apache-2.0
"""Doors: the same verbs for a terminal.

Reads arguments and one TOML file. Gives one line per fact on the terminal, or one JSON object. Must never hold policy: every
verb is a thin call into the room that owns it, loaded when the verb runs. Exit codes: 0 ok, 1 finding, 2 usage, 3
configuration, 4 unavailable.
"""

from pretrade.cli.main import main

__all__ = ["main"]
