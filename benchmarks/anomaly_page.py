# SPDX-License-Identifier: Apache-2.0
"""The page of the anomaly models, made of stored out-of-fold results and of nothing else.

python benchmarks/anomaly_page.py docs/results docs/models/anomaly.md
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from pretrade.models.intervals import poisson_interval

KINDS: Final = ("pca", "vae", "rv_10s", "depth", "min", "max_z", "mahalanobis", "ewma_mahalanobis", "isolation_forest", "forecaster")
BUDGET: Final = {"elevated": 0.5, "high": 0.05}
BENIGN: Final = ("volatility", "news", "grind")
Row = dict[str, str]


def read(folder: Path) -> tuple[list[Row], list[Row], list[Row], dict[str, Any]]:
    """Episodes, calm days, ranking quality and facts."""
    tables = [list(csv.DictReader((folder / f"families{name}.csv").read_text().splitlines())) for name in ("", "_calm", "_vus")]
    return tables[0], tables[1], tables[2], json.loads((folder / "families.json").read_text())


def grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table of Markdown."""
    return ["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *("| " + " | ".join(r) + " |" for r in rows), ""]


def wilson(hits: int, n: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    if n == 0:
        return 0.0, 1.0
    z, p = 1.959964, hits / n
    middle, half = p + z * z / (2 * n), z * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


class Episodes:
    """Stored episodes; of the VAE each figure is that of its worst training seed."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows: dict[tuple[str, str], list[list[Row]]] = {}
        for r in rows:
            seeds = self._rows.setdefault((r["family"], r["contender"]), [])
            while len(seeds) <= int(r["fit_seed"]):
                seeds.append([])
            seeds[int(r["fit_seed"])].append(r)

    def worst(self, family: str, kind: str, of: Callable[[list[Row]], float], *, most: bool = False) -> float:
        """Figure of the worst seed: the least, or the most where more is worse."""
        values = [of(rows) for rows in self._rows[family, kind]]
        return max(values) if most else min(values)

    def rows(self, family: str, kind: str) -> list[Row]:
        """Episodes under the first seed."""
        return self._rows[family, kind][0]


def _number(text: str) -> float | None:
    return float(text) if text != "" else None


def before(column: str, limit: str) -> Callable[[list[Row]], int]:
    """How many episodes whose ``limit`` came had ``column`` first."""

    def count(rows: list[Row]) -> int:
        pairs = [(_number(r[column]), _number(r[limit])) for r in rows]
        return sum(a is not None and b is not None and a < b for a, b in pairs)

    return count


def lead(column: str, limit: str, share: float) -> Callable[[list[Row]], float]:
    """Quantile of ``limit`` minus ``column`` over episodes whose ``limit`` came; an episode without ``column`` is below any."""

    def quantile(rows: list[Row]) -> float:
        pairs = [(_number(r[column]), _number(r[limit])) for r in rows]
        leads = sorted(-np.inf if a is None else b - a for a, b in pairs if b is not None)
        return float(leads[int(share * (len(leads) - 1))]) if leads else float("nan")

    return quantile


def _share(hits: float, n: int) -> str:
    low, high = wilson(int(hits), n)
    return f"{int(hits)} of {n} ({low:.2f} to {high:.2f})"


def _seconds(value: float) -> str:
    return f"{value:.1f}" if np.isfinite(value) else "never"


def _calm(calm: Sequence[Row], kind: str) -> dict[str, Any]:
    """Worst seed's events on later calm days, and its interval a day."""
    mine = [r for r in calm if r["contender"] == kind]
    out: dict[str, Any] = {"days": float(mine[0]["days"])}
    for name in ("elevated", "high", "critical", "high_free"):
        n = max(int(r[name]) for r in mine)
        out[name] = n, *(x / out["days"] for x in poisson_interval(n))
    return out


def _calm_table(calm: Sequence[Row]) -> list[str]:
    rows = []
    for kind in KINDS:
        c = _calm(calm, kind)
        cells = []
        for name, budget in (("elevated", 0.5), ("high", 0.05), ("high_free", 0.05)):
            n, low, high = c[name]
            rate = n / c["days"]
            verdict = "within twice" if rate <= 2 * budget else "above, not certainly" if low <= 2 * budget else "above twice"
            cells.append(f"{n}: {rate:.2g} ({low:.2g} to {high:.2g}), {verdict}")
        rows.append([f"`{kind}`", *cells, str(c["critical"][0])])
    return grid(["contender", "ELEVATED (0.5 a day)", "HIGH (0.05 a day)", "HIGH without caps", "CRITICAL"], rows)


def _falls(e: Episodes, family: str, limit: str) -> list[str]:
    rows = []
    n = sum(r[limit] != "" for r in e.rows(family, "pca"))
    for kind in KINDS:
        rows.append(
            [
                f"`{kind}`",
                _share(e.worst(family, kind, before("elevated_s", limit)), n),
                _share(e.worst(family, kind, before("high_s", limit)), n),
                _seconds(e.worst(family, kind, lead("high_s", limit, 0.5))),
                _seconds(e.worst(family, kind, lead("high_s", limit, 0.1))),
                _share(e.worst(family, kind, before("high_free_s", limit)), n),
                _seconds(e.worst(family, kind, lead("high_free_s", limit, 0.5))),
                _share(e.worst(family, kind, before("critical_s", limit)), n),
            ]
        )
    rows.append(["random, as many HIGH as `pca`", "", f"{_chance(e.rows(family, 'pca'), limit):.2f} expected", "", "", "", "", ""])
    rows.append(["always on", "0: on before the onset", "0: on before the onset", "", "", "0", "", ""])
    head = ["contender", "ELEVATED before", "HIGH before", "lead s, median", "p10", "HIGH, no caps", "lead s, median", "CRITICAL before"]
    return grid(head, rows)


def _chance(rows: Sequence[Row], limit: str) -> float:
    """Share of episodes in which as many alarms at random times would meet the time from the onset to the limit."""
    shares = []
    for r in rows:
        end = _number(r[limit])
        if end is not None:
            n = (r["high_s"] != "") + int(r["before"])
            shares.append(1 - (1 - max(end, 0.0) / (float(r["hours"]) * 3_600)) ** n)
    return float(np.mean(shares)) if shares else float("nan")


def _benign(e: Episodes) -> list[str]:
    rows = []
    for kind in KINDS:
        cells = []
        for family in BENIGN:
            hours = sum(float(r["hours"]) for r in e.rows(family, kind))
            for column in ("false_high", "false_high_free"):
                n = int(e.worst(family, kind, lambda found, c=column: sum(int(r[c]) for r in found), most=True))  # type: ignore[misc]
                low, high = poisson_interval(n)
                cells.append(f"{n / hours:.2f} ({low / hours:.2f} to {high / hours:.2f})")
        critical = int(sum(e.worst(f, kind, lambda found: sum(int(r["false_critical"]) for r in found), most=True) for f in BENIGN))
        rows.append([f"`{kind}`", *cells, str(critical)])
    head = ["contender", *(f"{f}{free}" for f in BENIGN for free in ("", ", no caps")), "false CRITICAL"]
    return grid(head, rows)


def _ranking(vus: Sequence[Row]) -> list[str]:
    families = list(dict.fromkeys(r["family"] for r in vus))
    rows = []
    for kind in KINDS:
        values = [[float(r["vus_pr"]) for r in vus if r["contender"] == kind and r["family"] == f] for f in families]
        rows.append([f"`{kind}`", *(f"{min(v):.3f}" + (f" (to {max(v):.3f})" if len(v) > 1 else "") for v in values)])
    return grid(["contender", *families], rows)


def standing(e: Episodes, calm: Sequence[Row]) -> list[tuple[str, float, int, float]]:
    """Contenders by what the caps let through: share of falls and evaporations with HIGH in time, then fewer false HIGH an hour.

    Only those that meet the calm budgets are ranked: ELEVATED and HIGH not certainly above twice.
    """
    out = []
    for kind in KINDS:
        c = _calm(calm, kind)
        is_sound = all(c[name][1] <= 2 * BUDGET[name] for name in BUDGET)
        hits = n = 0
        for family, limit in (("seller", "minus_1pct_s"), ("evaporation", "no_return_s")):
            hits += int(e.worst(family, kind, before("high_s", limit)))
            n += sum(r[limit] != "" for r in e.rows(family, kind))
        hours = sum(float(r["hours"]) for f in BENIGN for r in e.rows(f, kind))
        false = sum(e.worst(f, kind, lambda found: sum(int(r["false_high"]) for r in found), most=True) for f in BENIGN) / hours
        out.append((kind, hits / n if is_sound else -1.0, n, false))
    return sorted(out, key=lambda r: (-r[1], r[3]))


def _free(e: Episodes, kind: str) -> tuple[int, float]:
    """False HIGH without the caps in the benign families, and the hours."""
    hours = sum(float(r["hours"]) for f in BENIGN for r in e.rows(f, kind))
    return int(sum(e.worst(f, kind, lambda found: sum(int(r["false_high_free"]) for r in found), most=True) for f in BENIGN)), hours


def _verdict(e: Episodes, calm: Sequence[Row]) -> list[str]:
    ranked = standing(e, calm)
    best, share, n, false = ranked[0]
    ours = next(r for r in ranked if r[0] == "pca")
    free = {kind: (count / hours, *(x / hours for x in poisson_interval(count))) for kind in KINDS for count, hours in [_free(e, kind)]}
    rows = [
        [
            f"`{k}`",
            "not ranked: above twice a budget" if s < 0 else _share(round(s * n), n),
            f"{f:.2f}",
            f"{free[k][0]:.2f} ({free[k][1]:.2f} to {free[k][2]:.2f})",
        ]
        for k, s, _, f in ranked
    ]
    tied = [k for k, s, _, _ in ranked if s >= 0 and wilson(round(s * n), n)[1] >= wilson(round(share * n), n)[0]]
    quieter = [k for k in tied if free[k][2] < free["pca"][1]]
    text = grid(["contender", "HIGH in time, falls and evaporations", "false HIGH an hour, benign families", "the same without caps"], rows)
    if "pca" in tied and ours[3] <= false:
        text += [
            "Ranked by the first column, then the second; where two are not told apart, the simpler one that ships stays. By that rule champion is",
            f"`pca`. Not told apart from it by the first column: {', '.join(f'`{k}`' for k in tied if k != 'pca')}.",
            "**It beats none of these in falls.**",
        ]
    else:
        text += [f"Ranked by the first column, then the second, the champion is `{best}`; `pca` loses to it, and the demo still uses `pca`."]
    if quieter:
        text += [
            "Take the caps off and the picture turns: certainly fewer false HIGH than `pca` in the benign families have "
            f"{', '.join(f'`{k}`' for k in quieter)}.",
            "The caps, not the model, keep `pca` quiet; where there is no book to cap by, it is the louder one. On real days see the other table.",
        ]
    return [*text, ""]


def page(rows: Sequence[Row], calm: Sequence[Row], vus: Sequence[Row], facts: dict[str, Any]) -> str:
    """The whole page."""
    e = Episodes(rows)
    n = facts["episodes"]
    text = [
        _HEAD,
        f"**Taught.** {facts['taught_rows']:,} rows of calm simulated market teach, {facts['calibration_rows']:,} set the thresholds",
        f"({facts['calibration_days']:.1f} instrument-days), {facts['later_days']:.1f} later days of another seed and "
        f"{sum(n.values())} episodes ({', '.join(f'{k} {v}' for k, v in n.items())}) judge. Configuration `{facts['config_hash']}`.",
        "",
        "## Standing",
        "",
        *_verdict(e, calm),
        "## Calm days that nobody learned",
        "",
        "Events, a day, 95 % (Byar), and whether that is within twice the budget. Of five training seeds of the `vae` the worst counts, here and",
        "below.",
        "",
        *_calm_table(calm),
        f"## Family 1, {facts['titles']['seller']}: before -1 %",
        "",
        "The 1 s median mid 1 % below its value at the onset. An alarm that stood for more than a minute before the onset is false, not early.",
        "Shares with 95 % intervals (Wilson); leads in seconds, an episode without alarm below any lead.",
        "",
        *_falls(e, "seller", "minus_1pct_s"),
        f"## Family 2, {facts['titles']['evaporation']}: before the point of no return",
        "",
        "Depth of a side below a tenth for a second, or 1 % away. The price is flat while liquidity leaves.",
        "",
        *_falls(e, "evaporation", "no_return_s"),
        "## Families 5, 6 and 7: false HIGH an hour",
        "",
        f"Volatility: {facts['answers']['volatility']}; news: {facts['answers']['news']}; grind: {facts['answers']['grind']}. False is a HIGH while",
        "the truth is normal and stays so for a minute, whatever the family is called.",
        "",
        *_benign(e),
        "## VUS-PR",
        "",
        "Volume under the precision-recall surface (buffers of 0 to 30 s round stressed rows), raw values, no threshold; one figure a family,",
        "without an interval: read differences of a few hundredths as none.",
        "",
        *_ranking(vus),
        _TAIL,
    ]
    return "\n".join(text).rstrip() + "\n"


_HEAD: Final = """# Model card: market anomaly (`pca`, `vae` and their rivals)

**What it is.** A measure of how far one instrument's book and flow are from calm, every 100 ms and at every event of a stressed
instrument. It reads the 32 features of the anomaly vector (`pretrade.features.VECTOR`), each measured against its own instrument and time
of day (decision 0015). `pca` keeps the calm directions that hold 90 % of variance and looks at what they cannot rebuild; `vae` does the
same with a network 32-64-32-8-32-64-32 (Kingma, Welling 2014). Each residual is divided by its calm 99 % quantile and squared; the raw
value is the logarithm of their mean, a median of five rows. The three largest parts are the reason a limit record states.

**What it is for.** The score of a limit record. It raises the tier of an instrument, and never decides a limit itself, loosens one, or
looks at an order. Not for prediction of price, nor for instruments without a book.

**How it is judged.** Every rival gets the same rows, calibration block, budgets (0.5 ELEVATED, 0.05 HIGH events per instrument-day of 6.5 h),
smoothing and evidence caps (decision 0083), and the caps taken off beside it. Nothing was tuned: each has one configuration, written before the
first scoring. Real days stand in [stress_days.md](../stress_days.md), with the ledger of their scorings. Generated by
`benchmarks/anomaly_page.py` from `docs/results/families*`; a test fails when they differ.
"""

_TAIL: Final = """## Known failures

* `max_z`, three z-scores and no training, is level with `pca` in falls here and sees more of the real days. Where a desk wants one number and no
  model, that rule is the one to hold against ours.
* Evidence caps decide the moment of HIGH in most falls, which is why contenders look alike with them; without them they differ, and so do
  false alarms.
* On real days the picture is another: see the table of [stress days](../stress_days.md). A retreat of both sides shows in few features; a mean over
  32 dilutes it, and gold on 1 May 2023 is never HIGH for `pca` and most seeds of the `vae`, while the depth rule sees it.
* A release on schedule looks like stress: depth goes on both sides and comes back. The calendar is not an input.
* A handful of calibration days cannot prove 0.05 a day; the intervals say how far. A model with less than 3.5 instrument-days is PROVISIONAL.
* Time of day counts only from the fifth session on, in UTC: the hour a venue's clock changes moves its buckets.
* The simulated market is one instrument with books of ten levels; factor, correlation and news features are undefined in it.

## Files and cost

The shipped folders (`pretrade models list`) hold `model.json`, which scores; `model.onnx`, the same core for other programs (decision 0016);
`card.json`; `check.npz`, 1,000 rows that must score as when saved; `manifest.json`, hashes of all. `vae` takes 0.4 us a row in the network,
3.4 ms for 10,000; a tick of 10,000 instruments through `pca` with smoothing, map and evidence 27 ms on one core; one row alone 0.2 ms.
"""


def main(folder: Path, out: Path) -> None:
    """Write the page."""
    out.write_text(page(*read(folder)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
