# SPDX-License-Identifier: Apache-2.0
"""Gold on 1 May 2023: train before 13:00 UTC, score the rest, say what was seen and what was missed.

    python benchmarks/gold_20230501.py ../shared/data/comex_depth5_2023 docs/gold_2023-05-01.md

The packaged configuration is used unchanged but for the two budgets; its hash stands in the page.
"""

from __future__ import annotations

import dataclasses
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from pretrade import calibration, features, feeds, models
from pretrade.domain import Config, Tier
from pretrade.features import Features

TRAIN_UNTIL: Final = int(datetime(2023, 5, 1, 13, tzinfo=UTC).timestamp()) * 10**9
HALVES: Final = int(datetime(2023, 5, 1, 13, 59, tzinfo=UTC).timestamp()) * 10**9
TROUGH: Final = int(datetime(2023, 5, 1, 14, 0, 2, tzinfo=UTC).timestamp()) * 10**9
WINDOW: Final = (HALVES - 60 * 10**9, TROUGH + 600 * 10**9)
KINDS: Final = ("pca", "vae", "rv_10s", "depth", "min")
DAY_ROWS: Final = 234_000


def main(folder: Path, page: Path) -> None:
    """Write the page."""
    config = Config.load()
    files = sorted(folder.glob("gold_20230501_*.parquet"))
    stream = feeds.open(files, format="table", config=config, map=Path("examples/maps/comex.toml"))
    rows = features.collect(iter(stream), features.engine(config, (config.instrument("GC"),), with_quotes=False))
    train, rest = rows[rows.ts_recv < TRAIN_UNTIL].calm(), rows[rows.ts_recv >= TRAIN_UNTIL]
    lines = [line for kind in KINDS for line in _study(kind, config, train, rest)]
    page.write_text(_page(config, stream.events, rows, train, rest, lines))


def _study(kind: str, config: Config, train: Features, rest: Features) -> list[str]:
    out = []
    for factor in (0.5, 1.0, 2.0):
        a = config.anomaly
        budgets = dataclasses.replace(a, budget_elevated=a.budget_elevated * factor, budget_high=a.budget_high * factor)
        used = dataclasses.replace(config, anomaly=budgets)
        model = models.new(kind, used).fit(train)
        scores = model.score(rest)
        changes = calibration.calibrate(scores, used).tier_changes
        inside = (scores.ts_recv >= WINDOW[0]) & (scores.ts_recv <= WINDOW[1])
        cells = [kind, f"{factor:g}", *_when(changes, Tier.ELEVATED), *_when(changes, Tier.HIGH)]
        outside = [c for c in changes if not WINDOW[0] <= c.ts_recv <= WINDOW[1]]
        days = len(rest) / DAY_ROWS
        events = sum(c.to_tier > c.from_tier for c in outside)
        cells += [
            f"{np.nanmax(scores.score[inside]):.3f}",
            f"{int(scores.evidence_high[inside].sum())}",
            f"{events} (budget {budgets.budget_elevated * days:.2g})",
            f"{calibration.alarms(outside, gap_s=a.event_gap_s)} (budget {budgets.budget_high * days:.2g})",
        ]
        out.append("| " + " | ".join(cells) + " |")
    return out


def _when(changes: list[calibration.TierChange], tier: Tier) -> tuple[str, str]:
    """Begin against 13:59:00 and 14:00:02, and end, of the first time the tier stood in the window."""
    begin = next((c.ts_recv for c in changes if c.to_tier >= tier > c.from_tier and WINDOW[0] <= c.ts_recv <= WINDOW[1]), None)
    if begin is None:
        return "never", ""
    end = next((c.ts_recv for c in changes if c.ts_recv > begin and c.to_tier < tier), None)
    ends = "still at the end" if end is None else f"{datetime.fromtimestamp(end / 1e9, UTC):%H:%M:%S}"
    return f"{(begin - HALVES) / 1e9:+.1f} s / {(begin - TROUGH) / 1e9:+.1f} s", ends


def plainly(lines: list[str]) -> list[str]:
    """What each model saw and missed at the stated budget, from the lines of the table."""
    out = []
    for line in lines:
        kind, factor, elevated, _, high, _, score, *_ = (cell.strip() for cell in line.strip("| ").split("|"))
        if factor == "1":
            tiers = (("ELEVATED", elevated), ("HIGH", high))
            told = [f"never {tier}" if when == "never" else f"{tier} at {when.split(' / ')[1]} from the trough" for tier, when in tiers]
            missed = "missed it" if elevated == "never" else "did not see it as HIGH" if high == "never" else "saw it"
            out.append(f"* `{kind}` {missed}: {', '.join(told)}; highest score {score}.")
    return out


def _page(config: Config, events: int, rows: Features, train: Features, rest: Features, lines: list[str]) -> str:
    ratio = np.fmin(rest.column("depth_ratio_bid"), rest.column("depth_ratio_ask"))
    inside = (rest.ts_recv >= WINDOW[0]) & (rest.ts_recv <= WINDOW[1])
    pause = (rows.ts_recv >= TRAIN_UNTIL + 8 * 3600 * 10**9) & (rows.ts_recv < TRAIN_UNTIL + 9 * 3600 * 10**9)
    head = (
        "| model | budget | ELEVATED begins (against 13:59:00 / 14:00:02) | ends | HIGH begins | ends | "
        "highest score in the window | rows with evidence for HIGH | other ELEVATED or higher events | other alarms |"
    )
    return "\n".join(
        [
            "# Gold, US data release, 1 May 2023",
            "",
            "Five levels a side of COMEX gold, quotes throttled to 0.1 s. Depth first halves at 13:59:00 UTC and reaches its trough at 14:00:02.",
            f"Trained on {len(train)} calm rows before 13:00, scored on the {len(rest)} rows after; {events} events; configuration {config.hash}.",
            "Every model has the same calibration block and is PROVISIONAL: part of one day is behind its thresholds.",
            "Budgets are factors on 0.5 ELEVATED and 0.05 HIGH events per instrument-day; window 13:58:00 to 14:10:02.",
            "",
            head,
            "|" + "---|" * 10,
            *lines,
            "",
            "## What it misses, said plainly",
            "",
            f"Depth of the thinner side falls to {np.nanmin(ratio[inside]):.2f} of its five-minute baseline in the window. HIGH needs a thin side",
            "that is also the one-sided one (imbalance at most .35), or both sides thin, for half a second; where the column counts no such row",
            "the score stays below .20 whatever the model says. Makers pull both sides before a scheduled release and come back within minutes,",
            "which is an event, not a one-sided failure of liquidity. At the stated budget:",
            "",
            *plainly(lines),
            "",
            "One training seed of the VAE, one release of one day: this ranks nothing, it shows what happened.",
            "",
            f"The 21:00 to 22:00 maintenance break is market state: {int(pause.sum())} rows exist in it, so it is neither scored nor alarmed.",
            "",
        ]
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
