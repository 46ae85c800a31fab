# SPDX-License-Identifier: Apache-2.0
"""One page over scenario results: loss saved against good flow blocked, lead times, false trips, each with its interval."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pretrade.domain.errors import SimulationError
from pretrade.simulation.report import STYLE

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 640, 300, 110, 16, 44
_COLOURS: Final = {"static": "--soft", "rule": "--limit", "dynamic": "--critical-line", "always_tight": "--price"}


def render(results: Sequence[Mapping[str, Any]]) -> str:
    """The whole page.

    Parameters
    ----------
    results
        What :func:`pretrade.simulation.evaluation.run` returned, one per family.

    Returns
    -------
    str
        Self-contained HTML.

    Raises
    ------
    SimulationError
        If a result has no summary, or there is none.
    """
    if not results or any(not r.get("summary") for r in results):
        raise SimulationError("a page needs at least one result, and each with finished seeds")
    body = "".join(_section(r) for r in results)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Scenarios</title>'
        f"<style>{STYLE}</style><main><h1>Scenarios: what each way to set limits saves, and what it costs</h1>"
        f"<p>Four arms on the same seeds: static limits, a volatility rule with the same false-alarm budget, the dynamic limits, and a tenth of the "
        f"static maximum always. Intervals are 95 %, bootstrapped over seeds; saved is static minus arm on the same seed.</p>{body}</main></html>"
    )


def _section(result: Mapping[str, Any]) -> str:
    batch, summary = result["batch"], result["summary"]
    family = batch["family"]
    static = summary["static"]
    facts = f"{static['seeds']} seeds, {static['hours']:.1f} h an arm, rule {batch['rule']}, configuration {batch['config_hash'][:12]}"
    head = f"<h2>{family['number']} {html.escape(family['name'])}: {html.escape(family['title'])}</h2>"
    answer = f"<p>Right answer: {html.escape(family['answer'])}. {html.escape(facts)}{', the story' if batch['story'] else ''}.</p>"
    return f"{head}{answer}<figure>{_picture(summary)}</figure>{_table(summary)}"


def _picture(summary: Mapping[str, Any]) -> str:
    """Share of good orders blocked against loss saved, with intervals."""
    arms = list(summary)
    low: float = min(0.0, *(summary[a]["firm_loss_saved"]["low"] for a in arms))
    high: float = max(1.0, *(summary[a]["firm_loss_saved"]["high"] for a in arms))
    widest: float = max(0.01, *(summary[a]["good_blocked_share"] or 0.0 for a in arms))

    def x(share: float) -> float:
        return _LEFT + share / widest * (_WIDTH - _LEFT - 120)

    def y(saved: float) -> float:
        return _TOP + (high - saved) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    marks = "".join(_mark(a, summary[a], x, y) for a in arms)
    zero = f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH}" y1="{y(0):.1f}" y2="{y(0):.1f}"/><text x="8" y="{y(0) + 4:.1f}">0 saved</text>'
    ends = f'<text x="8" y="{y(high) + 10:.1f}">{high:,.0f}</text><text x="8" y="{y(low) + 4:.1f}">{low:,.0f}</text>' if low < 0 else ""
    top = "" if ends else f'<text x="8" y="{y(high) + 10:.1f}">{high:,.0f}</text>'
    axis = f'<text x="{_LEFT}" y="{_HEIGHT - 8}">good orders blocked: 0 to {100 * widest:.1f} %</text>'
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="saved against blocked">{zero}{ends}{top}{axis}{marks}</svg>'


def _mark(name: str, arm: Mapping[str, Any], x: Any, y: Any) -> str:  # noqa: ANN401 - two scales
    at, saved = x(arm["good_blocked_share"] or 0.0), arm["firm_loss_saved"]
    colour = f"var({_COLOURS[name]})"
    line = f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{y(saved["low"]):.1f}" y2="{y(saved["high"]):.1f}" stroke="{colour}" stroke-width="2"/>'
    dot = f'<circle cx="{at:.1f}" cy="{y(saved["mean"]):.1f}" r="5" fill="{colour}"/>'
    return f'{line}{dot}<text class="label" x="{at + 9:.1f}" y="{y(saved["mean"]) - 6:.1f}">{name}</text>'


def _table(summary: Mapping[str, Any]) -> str:
    money = ("loss", "loss saved", "good blocked", "bad blocked", "sold in CRITICAL", "low")
    heads = ("arm", *money, "HIGH before -1 %", "lead, median", "HIGH / h", "false CRITICAL / h")
    rows = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in _cells(name, arm))}</tr>" for name, arm in summary.items())
    return f'<div class="wide"><table><thead><tr>{"".join(f"<th>{h}</th>" for h in heads)}</tr></thead><tbody>{rows}</tbody></table></div>'


def _cells(name: str, arm: Mapping[str, Any]) -> tuple[str, ...]:
    lead = arm["lead_median_s"]
    return (
        name,
        _span(arm["firm_loss"], 0),
        "–" if name == "static" else _span(arm["firm_loss_saved"], 0),
        _pct(arm["good_blocked_share"]),
        _pct(arm["bad_blocked_share"]),
        _span(arm["quantity_in_critical"], 0),
        _span(arm["low_pct"], 2),
        f"{arm['high_before_minus_1pct']} of {arm['minus_1pct']}",
        "–" if lead is None else f"{lead:.1f} s",
        f"{arm['high_events_per_hour']:.2f}",
        f"{arm['critical_events_false_per_hour']:.3f}",
    )


def _span(value: Mapping[str, float], digits: int) -> str:
    return f"{value['mean']:,.{digits}f} [{value['low']:,.{digits}f}, {value['high']:,.{digits}f}]"


def _pct(share: float | None) -> str:
    return "none sent" if share is None else f"{100 * share:.1f} %"
