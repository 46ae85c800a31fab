# SPDX-License-Identifier: Apache-2.0
"""Promise: the full check costs at most three times the bare 20-rule check (four on the wide table), journal on;
a reject costs at most twice an accept.

Last accepted figures (2-core AMD EPYC, Zen 4, load average 11, medians of three runs): 100 x 8 x 4 p50 110 ns, p99 0.60 us,
floor 30 ns, 3.7x: the bar of 3x and that of 0.5 us are missed. Reject 110 ns, 1.0x. 10,000 x 64 x 16 p50 411 ns, p99 2.1 us,
13.7x: missed by far, one dependent load from memory costs 300 to 450 ns there (decision 0010).
"""

from __future__ import annotations

import json
import sys

from pretrade.gateway import bench

if __name__ == "__main__":
    with bench.bench_directory() as directory:
        for name in ("full_check", "full_check_wide"):
            busy = bench.is_disturbed(directory)
            results = bench.full_check(directory, name)
            busy |= bench.is_disturbed(directory)
            for result in results:
                sys.stdout.write(json.dumps({**result, "busy": busy or result.get("busy", False)}) + "\n")
