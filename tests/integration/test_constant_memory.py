# SPDX-License-Identifier: Apache-2.0
"""A file ten times as long takes no more memory: what it held at once would not fit the bound."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from numpy.typing import NDArray

from pretrade import simulation
from pretrade.domain import Config
from pretrade.simulation import recordings

BOUND_BYTES: Final = 24 << 20
CHILD: Final = """
import dataclasses, sys
from pathlib import Path
from pretrade import feeds
from pretrade.domain import Config
from pretrade.sidecar import importing, inspection
config = Config.load()
base = config.instrument("ES")
known = dataclasses.replace(config, instruments=(dataclasses.replace(base, symbol=sys.argv[2], venue=sys.argv[3]),), groups=())
source = feeds.Source((Path(sys.argv[4]),), sys.argv[1], (sys.argv[2],))
events = inspection.run(source, known)["events"]
importing.run(source, Path(sys.argv[4] + ".journal"), known)
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(events, int(peak) * 1024)
"""


@pytest.fixture(scope="module")
def market() -> NDArray[np.void]:
    return simulation.flash_crash(seed=5, warm_up_s=20, story_s=10).events[:5_000]


@pytest.mark.parametrize("format", ["dbn", "binance"])
def test_peak_memory_does_not_grow_with_the_file(tmp_path: Path, config: Config, market: NDArray[np.void], format: str) -> None:
    peaks = []
    for times in (15, 150):
        folder = tmp_path / str(times)
        folder.mkdir()
        source, known = recordings.write(format, recordings.repeated(market, times), folder, config)
        (instrument,) = known.instruments
        command = [sys.executable, "-c", CHILD, format, instrument.symbol, instrument.venue, str(source.files[0])]
        events, peak = map(int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
        peaks.append(peak)
        assert events > 5_000 * times * 0.9
    assert BOUND_BYTES * 1.8 < 5_000 * 150 * 64, "the bound is far below what the events of the long file take"
    assert peaks[1] - peaks[0] < BOUND_BYTES, f"{peaks[0] / 1e6:.0f} MB, then {peaks[1] / 1e6:.0f} MB"
