# SPDX-License-Identifier: Apache-2.0
"""The page of what ``benchmarks/systemic.py`` measured.

python benchmarks/systemic_page.py docs/systemic.md simulated.json binance.json equities.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

Facts = dict[str, Any]


def page(simulated: Facts, binance: Facts, equities: Facts) -> str:
    """All of it as Markdown."""
    return "\n".join([_HEAD, *_simulated(simulated), *_binance(binance), *_equities(equities), ""])


def _s(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f}"


def _group(story: Facts, tier: str) -> float | None:
    times: list[float] = [e["after_s"] for e in story["group"] if e["tier"] == tier and e["after_s"] > 0]
    return min(times, default=None)


def _row(story: Facts) -> list[str]:
    alone = [t for t in story["first"]["apart"]["ELEVATED"] if t is not None]
    joint = [t for t in story["first"]["joint"]["ELEVATED"] if t is not None]
    drivers = next((" ".join(e["drivers"]) for e in story["group"]), "")
    return [
        _s(_group(story, "ELEVATED")),
        _s(min(alone, default=None)),
        _s(float(np.median(alone)) if alone else None) + f" ({len(alone)} of 4)",
        _s(float(np.median(joint)) if joint else None) + f" ({len(joint)} of 4)",
        _s(_group(story, "HIGH")),
        f"{story['highest_after']:.3f}",
        drivers,
    ]


def _simulated(facts: Facts) -> list[str]:
    calm = facts["calm"]
    head = (
        "| who falls | seed | group ELEVATED | first single name | median single name, without the group | with it | group HIGH "
        "| highest group score | drivers at first |"
    )
    rows = ["| " + " | ".join([c["case"], str(c["seed"]), *_row(c)]) + " |" for c in facts["cases"]]
    together = [c for c in facts["cases"] if c["case"].startswith("all")]
    earlier = sum(
        (g := _group(c, "ELEVATED")) is not None and g < min((t for t in c["first"]["apart"]["ELEVATED"] if t is not None), default=np.inf)
        for c in together
    )
    alone = [c for c in facts["cases"] if not c["case"].startswith("all")]
    raised = sum(_group(c, "ELEVATED") is not None for c in alone)
    gains = [
        (t_apart if t_apart is not None else 62.0) - t_joint
        for c in together
        for t_joint, t_apart in zip(c["first"]["joint"]["ELEVATED"], c["first"]["apart"]["ELEVATED"], strict=True)
        if t_joint is not None
    ]
    return [
        "## Simulated: four markets, all fall or one falls",
        "",
        "Seconds after the sellers' start; each market has a seed of its own. Fitted on one hour of each of four other calm markets"
        f" (PROVISIONAL: {facts['thresholds']['days']:.2f} group-days behind the group's thresholds).",
        "",
        head,
        "|" + "---|" * 9,
        *rows,
        "",
        f"* The group was ELEVATED before any single name in {earlier} of {len(together)} falls of all.",
        f"* Ablation: with the group, a member is limited {np.median(gains):.1f} s earlier in the median over members and falls (lower quartile"
        f" {np.quantile(gains, 0.25):.1f}, upper {np.quantile(gains, 0.75):.1f}; a member that alone never rose counts as 62 s).",
        f"* One market falling alone raised the group in {raised} of {len(alone)} cases.",
        f"* Calm rows nobody learned ({calm['rows']} rows, {calm['rows'] / 4 / 234_000:.2f} group-days): {len(calm['group'])} group events,"
        f" highest group score {calm['highest']:.3f}; alarms {calm['alarms']['joint']} with the group, {calm['alarms']['apart']} without;"
        f" instrument time under a limit {calm['limited']['joint']:.1%} with it, {calm['limited']['apart']:.1%} without.",
        "",
    ]


def _spread(column: Facts) -> str:
    middle, low, high = (column[q] for q in ("q50", "q05", "q95"))
    return "undefined" if middle is None else f"{middle:.3f} ({low:.3f} to {high:.3f}; {column['defined']:.0%})"


def _columns(columns: Facts) -> list[str]:
    names = ("beta_5m", "corr_5m", "residual_return_1s", "leader_return", "factor_age_ms", "vix_ratio")
    head = ["| instrument | " + " | ".join(f"`{n}`" for n in names) + " |", "|" + "---|" * (len(names) + 1)]
    rows = []
    for symbol, told in columns.items():
        cells = [_spread(told[n]) for n in names]
        rows.append(f"| {symbol} | " + " | ".join(cells) + " |")
    return [*head, *rows]


def _binance(facts: Facts) -> list[str]:
    singles = ", ".join(f"{s} {_s(t)}" for s, t in zip(facts["columns"], facts["first"]["apart"]["HIGH"], strict=True))
    return [
        "## Binance perpetuals, 18 to 19 July 2024",
        "",
        f"BTC and ETH, eight minutes, {facts['events']} events; the first 40 % of rows taught, {facts['rows']} were scored."
        " Median (5 to 95 %; share defined):",
        "",
        *_columns(facts["columns"]),
        "",
        f"First HIGH of a single name, seconds into what was scored: {singles}. Group events: {len(facts['group'])}, highest group score"
        f" {facts['highest']:.3f} (ELEVATED is .05). One of two names alone is no stress of the group, as declared. Instrument time under a limit"
        f" {facts['limited']['joint']:.1%} with the group, {facts['limited']['apart']:.1%} without.",
        "",
    ]


def _equities(facts: Facts) -> list[str]:
    out = [
        "## SPY, AIG, BAC and IBM, debt-ceiling days of October 2013",
        "",
        "The first two hours of each day. 7 October taught; touches are one level a side (SPY: its second's closing touch), so what counts as"
        f" thin is a thin touch, and evidence is cheap. PROVISIONAL: {facts['thresholds']['days']:.2f} group-days behind the thresholds.",
        "",
    ]
    for day in facts["days"]:
        times = ", ".join(f"{e['tier']} {e['after_s']:.0f} s ({' '.join(e['drivers'])})" for e in day["group"][:6]) or "none"
        out += [
            f"### {day['day']}",
            "",
            *_columns(day["columns"]),
            "",
            f"Group events: {len(day['group'])} in {day['rows'] / 4 / 234_000:.2f} group-days, highest score"
            f" {day['highest']:.3f}; after the opening: {times}.",
            f"Single names: {day['events_apart']} upward changes; {day['alarms']['apart']} alarms without the group,"
            f" {day['alarms']['joint']} with it."
            f" Instrument time under a limit {day['limited']['joint']:.1%} with the group, {day['limited']['apart']:.1%} without.",
            "",
        ]
    return out


_HEAD = """# The systemic score, measured

`benchmarks/systemic.py`, packaged configuration but for instruments and groups, PCA model, budgets 0.5 ELEVATED and 0.05 HIGH events per
group-day. Decision records 0030 and 0031 say what is computed. Nothing here ranks markets: few seeds, short histories, one configuration.
"""


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(*(json.loads(Path(p).read_text()) for p in sys.argv[2:])))
