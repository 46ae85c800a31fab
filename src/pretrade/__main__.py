# SPDX-License-Identifier: Apache-2.0
"""``python -m pretrade``."""

from pretrade.cli import main

main()
