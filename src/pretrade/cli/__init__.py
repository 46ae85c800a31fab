# SPDX-License-Identifier: Apache-2.0
"""The verbs, for a terminal."""


def main() -> None:
    """Entry point."""
