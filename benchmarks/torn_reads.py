# SPDX-License-Identifier: Apache-2.0
"""Promise: no look-up ever mixes two records, and the count finds it when the sequence check is left out."""

from __future__ import annotations

import json
import sys

from pretrade.gateway import bench

if __name__ == "__main__":
    with bench.bench_directory() as directory:
        n = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000_000
        found, planted = bench.torn(directory, n), bench.torn(directory, 1_000_000, guarded=False)
        sys.stdout.write(json.dumps({**found, "torn_without_the_check": planted["torn"]}) + "\n")
        sys.exit(0 if found["torn"] == 0 and planted["torn"] > 0 else 1)
