# SPDX-License-Identifier: Apache-2.0
"""``kill -9`` of the gateway under load: nothing unrecorded reached the venue, nothing answered was lost, and what it believes is the recount.

30 kills here, fewer than a thousand: ``python -m tests.crash.kill --kills 1000``.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.crash.kill import Tally

ROOT = Path(__file__).resolve().parents[2]
_KILLS = 30


def test_a_killed_gateway_believes_what_its_journal_and_the_venue_say() -> None:
    # In a process of its own: it forks, and a fork of a process with threads is nobody's friend.
    command = [sys.executable, "-m", "tests.crash.kill", "--kills", str(_KILLS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    tally = Tally.read(done.stdout)
    assert tally.kills == _KILLS
    assert tally.in_between >= _KILLS // 2, "too few kills with an order between decision and acknowledgement"
    assert tally.orders > 10 * _KILLS, "killed before anything happened"
