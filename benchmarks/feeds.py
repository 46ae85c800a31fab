# SPDX-License-Identifier: Apache-2.0
"""How fast each format is read, and how much memory a file a hundred times as long takes.

    python benchmarks/feeds.py ../shared/data benchmarks/feeds.md

Speed on real recordings, and on one simulated market written down as each venue writes it (`pretrade bench feeds`). Memory on that market
once, ten times and a hundred times over, in a process of its own each.
"""

from __future__ import annotations

import dataclasses
import platform
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from pretrade import simulation
from pretrade.cli.feed_measures import measures, run
from pretrade.domain import Config
from pretrade.feeds import Source
from pretrade.simulation import recordings

MAPS: Final = Path("examples/maps")
REAL: Final = {
    "lobster": ("lobster_20120621", "AMZN*", None),
    "dbn": ("databento_es_mbo_202312", "*.zst", None),
    "binance": ("binance_raw_l2_2023_2024", "usdm_btcusdt_2024*", None),
    "bitstamp": ("bitstamp_l3_20150501", "*raw*", ("BTCUSD", "BSTP", -8)),
    "cryptofeed": ("crypto_ws_captures", "KRAKEN_FUTURES*", ("PI_ETHUSD", "KRKF", 0)),
    "bybit": ("crypto_ws_captures", "bybit*", ("XRPUSDT", "BYBT", 0)),
    "taq": ("us_equity_ticks_201310", "IBM*", ("IBM", "XNYS", 0)),
    "table": ("comex_depth5_2023", "gold*", None),
}
CHILD: Final = """
import dataclasses, sys
from pathlib import Path
from pretrade import feeds
from pretrade.domain import Config
from pretrade.sidecar import inspection
config = Config.load()
known = dataclasses.replace(config, instruments=(dataclasses.replace(config.instrument("ES"), symbol=sys.argv[2], venue=sys.argv[3]),), groups=())
column_map = Path(sys.argv[4]) if sys.argv[4] else None
source = feeds.Source(tuple(map(Path, sys.argv[5:])), sys.argv[1], (sys.argv[2],), None, column_map)
events = inspection.run(source, known)["events"]
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(events, int(peak) * 1024)
"""


def main(folder: Path, page: Path) -> None:
    """Write the page."""
    config = Config.load()
    real = {r["name"]: r for name in REAL for r in (step() for step in measures(name, *_real(folder, name, config)))}
    simulated = {r["name"]: r for r in run(say=lambda _: None)["results"]}
    page.write_text(
        _HEAD.format(machine=_machine()) + _speed(real) + "\nThe simulated market:\n\n" + _speed(simulated) + _MEMORY + _memory(config) + _TAIL
    )


def _machine() -> str:
    with Path("/proc/cpuinfo").open() as lines:
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{model}, Python {platform.python_version()}"


def _real(folder: Path, name: str, config: Config) -> tuple[Source, Config]:
    place, pattern, more = REAL[name]
    known, wanted = config, None
    if more is not None:
        symbol, venue, exponent = more
        made = dataclasses.replace(
            config.instrument("GC"), instrument_id=300, symbol=symbol, venue=venue, quantity_exponent=exponent, session="continuous"
        )
        known, wanted = dataclasses.replace(config, instruments=(made,), groups=()), (symbol,)
    if name == "table":
        wanted = ("GC",)
    return Source(tuple(sorted((folder / place).glob(pattern))), name, wanted, None, MAPS / "comex.toml" if name == "table" else None), known


def _speed(results: dict[str, dict[str, Any]]) -> str:
    rows = ["| format | events | decode, M/s | decode + book, M/s | decode + all features, M/s |", "|---|---|---|---|---|"]
    for name in REAL:
        if f"feed_decode_{name}" not in results:
            continue
        three = [results[f"feed_{what}_{name}"] for what in ("decode", "book", "features")]
        cells = [f"{r['per_second'] / 1e6:.2f} ({1e3 / r['min_ns']:.2f})" for r in three]
        rows.append(f"| {name} | {three[0]['n'] // 5:,} | " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def _memory(config: Config) -> str:
    base = simulation.flash_crash(seed=1, warm_up_s=40, story_s=10).events[:10_000]
    rows = ["| format | file, MB | events, 1x | peak, 1x | peak, 10x | peak, 100x | events, 100x |", "|---|---|---|---|---|---|---|"]
    for name in REAL:
        found = [_peak(name, base, times, config) for times in (1, 10, 100)]
        peaks = " | ".join(f"{peak / 1e6:.0f} MB" for *_, peak in found)
        rows.append(f"| {name} | {found[2][0] / 1e6:.1f} | {found[0][1]:,} | {peaks} | {found[2][1]:,} |")
    return "\n".join(rows) + "\n"


def _peak(name: str, base: Any, times: int, config: Config) -> tuple[int, int, int]:  # noqa: ANN401 - an array of events
    with TemporaryDirectory() as folder:
        source, known = recordings.write(name, recordings.repeated(base, times), Path(folder), config)
        (instrument,) = known.instruments
        column_map = "" if source.map is None else str(source.map)
        command = [sys.executable, "-c", CHILD, name, instrument.symbol, instrument.venue, column_map, *map(str, source.files)]
        events, peak = map(int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
        return source.bytes, events, peak


_HEAD: Final = """# Feeds: speed and memory per format

{machine}; release build, one core, other work going on. Millions of events a second, median of five runs, the fastest in
brackets. Files are read from the disk cache, unpacked, decoded and handed over in chunks each time; "book" applies every event to a
bare book, "features" runs the whole engine with its 100 ms rows. An event is one record of ours: a Binance line of forty levels is
forty events, an equity quote is one or two.

Real recordings:

"""
_MEMORY: Final = """
## Memory

Peak resident memory of `pretrade data inspect` (decoding, quality report, books and features) in a process of its own, on the same stretch of
market written once, ten times and a hundred times over.

"""
_TAIL: Final = """
The first column is below one batch of 65,536 events; from there on the length of a file does not matter. Parquet (taq) is read by row groups:
its peak is that of a group and of Arrow's pool (two hundred times over, in groups of 65,536 rows: 165 MB).
`tests/integration/test_constant_memory.py` holds it for import and inspection.

How to read the last column of the first table: these are days of few events. Every instrument closes 36,000 rows in an hour of trading whether
anything happens or not, and every engine lays out its calendar first (0.06 s); on a busy market (Binance, the second table) events decide.

Made by `benchmarks/feeds.py`.
"""

if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
