# SPDX-License-Identifier: Apache-2.0
"""``python -m pretrade``."""

from pretrade.cli import main

if __name__ == "__main__":
    main()
