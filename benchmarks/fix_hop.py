# SPDX-License-Identifier: Apache-2.0
"""Promise: a FIX hop through the whole gateway, journal and durable session stores on, adds no more to a bare socket pair than a
pass-through written with C++ QuickFIX (memory store, no log), in the minimum, at the median and in burst throughput.

Needs g++ and QuickFIX (Debian: apt-get install g++ libquickfix-dev). Last accepted figures (2-core AMD EPYC, other work on both
cores, load average 7, medians of five rounds): polling without sleep (busy_poll_us) p50 +5 us, minimum +9 us against +31 and
+19 us of QuickFIX, ratio 0.18; woken by the kernel p50 +38 us, minimum +15 us, ratio 1.24: that bar is missed there. Burst
132,000 orders a second against 74,000, 1.8 times.
"""

from __future__ import annotations

import json
import sys

from pretrade.cli import measure_fix
from pretrade.cli.options import say

if __name__ == "__main__":
    report = measure_fix.run(say)
    for result in report["results"]:
        sys.stdout.write(json.dumps({**result, "busy": report.get("busy", False)}) + "\n")
