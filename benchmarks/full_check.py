# SPDX-License-Identifier: Apache-2.0
"""Promise: the full check costs at most three times the bare 20-rule check (four on the wide table), journal on."""

from __future__ import annotations

import json
import sys

from pretrade.gateway import bench

if __name__ == "__main__":
    with bench.bench_directory() as directory:
        for name in ("full_check", "full_check_wide"):
            sys.stdout.write(json.dumps(bench.full_check(directory, name)) + "\n")
