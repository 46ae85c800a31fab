# SPDX-License-Identifier: Apache-2.0
"""Promise: a limits look-up costs at most twice the bare seqlock read, writer idle and flat out."""

from __future__ import annotations

import json
import sys

from pretrade.gateway import bench

if __name__ == "__main__":
    with bench.bench_directory() as directory:
        for busy in (False, True):
            result, is_untold = bench.lookup(directory, busy=busy)
            sys.stdout.write(json.dumps({**result, "busy": is_untold}) + "\n")
