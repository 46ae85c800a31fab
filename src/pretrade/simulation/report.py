# SPDX-License-Identifier: Apache-2.0
"""The demo's report: one self-contained HTML file, every panel on one time axis."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

Series = Mapping[str, Sequence[float | int | None]]

_WIDTH, _LEFT, _RIGHT, _PANEL, _GAP, _TOP = 1080, 74, 24, 120, 22, 46
_TIERS: Final = ("NORMAL", "ELEVATED", "HIGH", "CRITICAL")
_MARKS: Final = (
    ("ts_seller_start", "T: selling starts", "start"),
    ("ts_elevated", "ELEVATED", "elevated"),
    ("ts_high", "HIGH", "high"),
    ("ts_minus_1pct", "−1 %", "fall"),
    ("ts_critical", "CRITICAL", "critical"),
    ("ts_minus_2pct", "−2 %", "fall"),
)
_STYLE: Final = """
:root{color-scheme:light dark;--ink:#16202c;--soft:#5b6776;--line:#d9dfe6;--paper:#fbfcfd;--card:#fff;
--bid:#0b7285;--ask:#9c36b5;--price:#1c4f9c;
--limit:#b4510a;--normal:#dfeee3;--elevated:#f5d76e;--high:#f08c4a;--critical:#d9363e}
@media(prefers-color-scheme:dark){:root{--ink:#e6ebf1;--soft:#9aa7b5;--line:#2d3743;--paper:#10161d;--card:#171f28;
--bid:#3bc9db;--ask:#da77f2;--price:#74a9f7;
--limit:#ffa94d;--normal:#1d3326;--elevated:#8a6d00;--high:#b35c12;--critical:#c92a2a}}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1120px;margin:0 auto;padding:28px 20px 60px}
h1{font-size:26px;margin:0 0 4px}h2{font-size:18px;margin:34px 0 10px}p.lead{color:var(--soft);margin:0 0 20px;max-width:78ch}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(180px,1fr));gap:12px;margin:18px 0}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 14px}
.card b{display:block;font-size:22px}.card span{color:var(--soft);font-size:13px}
figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:10px;padding:8px;overflow-x:auto}
svg{display:block;width:100%;min-width:760px;height:auto}
svg text{fill:var(--soft);font-size:11px;font-family:system-ui,sans-serif}svg .name{fill:var(--ink);font-weight:600;font-size:12px}
table{border-collapse:collapse;width:100%;background:var(--card);border:1px solid var(--line);border-radius:10px;font-size:14px}
th,td{text-align:left;padding:7px 12px;border-bottom:1px solid var(--line);font-variant-numeric:tabular-nums}th{color:var(--soft);font-weight:600}
.REJECT{color:#c92a2a;font-weight:700}.ACCEPT{color:#2b8a3e;font-weight:700}@media(prefers-color-scheme:dark){.REJECT{color:#ff8787}.ACCEPT{color:#69db7c}}
footer{color:var(--soft);font-size:13px;margin-top:30px;overflow-wrap:anywhere}
"""


def render(demo: Mapping[str, Any], series: Series) -> str:
    """The whole page.

    Parameters
    ----------
    demo
        Content of ``demo.json``.
    series
        Curves over ``t_s`` (seconds after the seller's start): ``price, depth_bid, depth_ask, spread_ticks, score, tier, limit``; ``None`` where
        undefined.

    Returns
    -------
    str
        HTML with style and pictures inside; it refers to nothing outside.
    """
    start = demo["ts_seller_start"]
    dynamic, static = demo["order_200"]["dynamic"], demo["order_200"]["static"]
    lead = None if demo["ts_high"] is None or demo["ts_minus_1pct"] is None else (demo["ts_minus_1pct"] - demo["ts_high"]) / 1e9
    cards = (
        (f"{demo['max_order_quantity_before']} → {demo['max_order_quantity_high']} lots", "maximum order, before and in HIGH"),
        ("no fall" if lead is None else f"{lead:.1f} s", "from HIGH to −1 %"),
        (f"{dynamic['verdict']}", f"200 lots: {dynamic['reason']}, {dynamic['measured']:g} against {dynamic['limit']:g}"),
        (f"{static['verdict']}", "the same order on the static system"),
        ("verified" if demo["audit_verified"] else "BROKEN", "audit chain"),
    )
    body = "".join(f'<div class="card"><b>{html.escape(value)}</b><span>{html.escape(label)}</span></div>' for value, label in cards)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>pretrade: the 14:30 flash crash, seed {demo['seed']}</title><style>{_STYLE}</style></head><body><main>"
        "<h1>The 14:30 flash crash</h1><p class=lead>A large seller meets makers with finite inventory. Depth goes first, while the price is "
        "still flat; the tier rises on it and the limit falls before the price does. "
        f"Seed {demo['seed']}, static limit {demo['static_limit']} lots. Nothing resumes by itself.</p>"
        f'<div class="cards">{body}</div><figure>{_chart(demo, series, start)}</figure>'
        f"<h2>200-lot orders, put to both gates every half second</h2>{_decisions(demo, start)}"
        f"<h2>Tier changes and alerts</h2>{_changes(demo, start)}"
        f"<footer>configuration {html.escape(demo['config_hash'])} · model {html.escape(str(demo['model']['kind']))} "
        f"{html.escape(str(demo['model']['id']))}{' · PROVISIONAL' if demo['model'].get('provisional') else ''} · "
        f"breaker resumed by {html.escape(str(demo['breaker_resumed_by'] or 'nobody'))}</footer>"
        f"</main></body></html>\n"
    )


def _chart(demo: Mapping[str, Any], series: Series, start: int) -> str:
    t = [float(v) for v in series["t_s"] if v is not None]
    low, high = min(t), max(t)

    def x(seconds: float) -> float:
        return _LEFT + (seconds - low) / (high - low or 1.0) * (_WIDTH - _LEFT - _RIGHT)

    panels: list[tuple[str, list[tuple[str, str]]]] = [
        ("mid price", [("price", "--price")]),
        ("10-level depth, lots", [("depth_bid", "--bid"), ("depth_ask", "--ask")]),
        ("spread, ticks", [("spread_ticks", "--soft")]),
        ("score", [("score", "--critical")]),
        ("maximum order, lots", [("limit", "--limit")]),
    ]
    height = _TOP + len(panels) * (_PANEL + _GAP) + 24
    parts = [f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="Price, depth, spread, score, tier and limit on one time axis">']
    parts += [_tier_bands(series, x, height)]
    for i, (name, lines) in enumerate(panels):
        parts.append(_panel(name, lines, series, x, _TOP + i * (_PANEL + _GAP)))
    parts += [_mark(demo[key], label, kind, start, x, height, n) for n, (key, label, kind) in enumerate(_MARKS) if demo.get(key) is not None]
    step = 5 if high - low < 100 else 60
    for seconds in range(int(low // step * step) + step, int(high) + 1, step):
        parts.append(f'<text x="{x(seconds):.1f}" y="{height - 6}" text-anchor="middle">{seconds:+d} s</text>')
    return "".join(parts) + "</svg>"


def _tier_bands(series: Series, x: Callable[[float], float], height: int) -> str:
    out, begin = [], 0
    t, tier = series["t_s"], series["tier"]
    for i in range(1, len(t) + 1):
        if i == len(t) or tier[i] != tier[begin]:
            code = int(tier[begin] or 0)
            if code:
                left, right = x(float(t[begin] or 0)), x(float(t[min(i, len(t) - 1)] or 0))
                band = f'<rect x="{left:.1f}" y="{_TOP}" width="{max(right - left, 0.5):.1f}" height="{height - _TOP - 24}"'
                out.append(f'{band} style="fill:var(--{_TIERS[code].lower()})" opacity=".22"/>')
            begin = i
    return "".join(out)


def _panel(name: str, lines: list[tuple[str, str]], series: Series, x: Callable[[float], float], top: int) -> str:
    values = [float(v) for key, _ in lines for v in series[key] if v is not None]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if low >= 0 and "price" not in name:
        low = 0.0
    span = high - low or 1.0

    def y(value: float) -> float:
        return top + _PANEL - (value - low) / span * (_PANEL - 8) - 2

    out = [f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{top + _PANEL}" y2="{top + _PANEL}" stroke="var(--line)"/>']
    for value in (low, (low + high) / 2, high):
        out.append(f'<text x="{_LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{value:,.{0 if high >= 100 else 2}f}</text>')
    out.append(f'<text class="name" x="{_LEFT + 6}" y="{top + 10}">{name}</text>')
    for n, (key, colour) in enumerate(lines):
        line = _path(series["t_s"], series[key], x, y, steps=key == "limit")
        out.append(f'<path d="{line}" fill="none" style="stroke:var({colour})" stroke-width="1.6"/>')
        if len(lines) > 1:
            out.append(f'<text x="{_LEFT + 150 + 60 * n}" y="{top + 10}" style="fill:var({colour})">{key.split("_")[1]}</text>')
    return "".join(out)


def _path(
    t: Sequence[float | int | None], values: Sequence[float | int | None], x: Callable[[float], float], y: Callable[[float], float], *, steps: bool
) -> str:
    out, pen = [], "M"
    for at, value in zip(t, values, strict=True):
        if at is None or value is None:
            pen = "M"
            continue
        out.append(f"H{x(at):.1f}V{y(value):.1f}" if steps and pen == "L" else f"{pen}{x(at):.1f} {y(value):.1f}")
        pen = "L"
    return "".join(out)


def _mark(ts: int, label: str, kind: str, start: int, x: Callable[[float], float], height: int, n: int) -> str:
    at = x((ts - start) / 1e9)
    colour = {"start": "--soft", "fall": "--price"}.get(kind, f"--{kind}")
    line = f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP - 4}" y2="{height - 22}" style="stroke:var({colour})" stroke-dasharray="4 3"/>'
    return f'{line}<text x="{at + 3:.1f}" y="{14 + 14 * (n % 2)}">{html.escape(label)}</text>'


def _decisions(demo: Mapping[str, Any], start: int) -> str:
    rows = []
    for dynamic, static in zip(demo["decisions"]["dynamic"], demo["decisions"]["static"], strict=True):
        why = "" if dynamic["verdict"] == "ACCEPT" else f"{dynamic['reason']} {dynamic['measured']:g} / {dynamic['limit']:g} {dynamic['unit']}"
        cells = (
            f"T+{(dynamic['ts_decision'] - start) / 1e9:.1f} s",
            dynamic["tier"],
            f'<span class="{dynamic["verdict"]}">{dynamic["verdict"]}</span> {html.escape(why)}',
            str(dynamic["limit_version"]),
            f'<span class="{static["verdict"]}">{static["verdict"]}</span>',
        )
        rows.append("<tr>" + "".join(f"<td>{c}</td>" for c in cells) + "</tr>")
    return f"<table><tr><th>time<th>tier<th>dynamic<th>limit version<th>static</tr>{''.join(rows)}</table>"


def _changes(demo: Mapping[str, Any], start: int) -> str:
    severity = {(a["ts_recv"], a["condition"]): a["severity"] for a in demo["alerts"]}
    rows = []
    for c in demo["tier_changes"]:
        cells = (
            f"T{(c['ts_recv'] - start) / 1e9:+.1f} s",
            f"{c['from']} → {c['to']}",
            "" if c["score"] is None else f"{c['score']:.3f}",
            html.escape(", ".join(c["top_features"])),
            severity.get((c["ts_recv"], c["to"]), ""),
        )
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return f"<table><tr><th>time<th>tier<th>score<th>driven by<th>alert</tr>{''.join(rows)}</table>"
