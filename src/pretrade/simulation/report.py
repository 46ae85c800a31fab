# SPDX-License-Identifier: Apache-2.0
"""The demo's report: one self-contained HTML file that tells the story from top to bottom."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any, Final

from pretrade.simulation.chart import LEFT, RIGHT, TIERS, WIDTH, Series, draw

STYLE: Final = """
:root{color-scheme:light dark;--ink:#16202c;--soft:#5b6776;--line:#e1e6ec;--paper:#f6f8fa;--card:#fff;--bid:#0b7285;--ask:#9c36b5;--price:#1c4f9c;
--limit:#b4510a;--good:#1f7a35;--bad:#c0272d;--normal:#cfe6d6;--elevated:#f3d25b;--high:#f08c4a;--critical:#d9363e;
--elevated-line:#a17800;--high-line:#c2570c;--critical-line:#c0272d;--on-tier:#16202c}
@media(prefers-color-scheme:dark){:root{--ink:#e6ebf1;--soft:#9aa7b5;--line:#28323d;--paper:#0f151b;--card:#161e27;--bid:#3bc9db;--ask:#da77f2;
--price:#74a9f7;--limit:#ffa94d;--good:#69db7c;--bad:#ff8787;--normal:#23402f;--elevated:#8a6d00;--high:#b35c12;--critical:#b3242b;
--elevated-line:#e3c04b;--high-line:#ff9d57;--critical-line:#ff8787;--on-tier:#fff}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,"Segoe UI",sans-serif}
main{max-width:1140px;margin:0 auto;padding:32px 20px 64px}
h1{font-size:28px;letter-spacing:-.01em;margin:0 0 6px}h2{font-size:18px;margin:38px 0 10px}
p{color:var(--soft);margin:0 0 14px;max-width:82ch}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(185px,1fr));gap:12px;margin:20px 0}
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:14px 16px}
.card b{display:block;font-size:23px;letter-spacing:-.01em}.card span{color:var(--soft);font-size:13px}
figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:12px;padding:12px 10px;overflow-x:auto;position:relative}
figcaption{color:var(--soft);font-size:13px;padding:2px 8px 6px;min-height:1.6em;font-variant-numeric:tabular-nums}
svg{display:block;width:100%;min-width:820px;height:auto}svg text{fill:var(--soft);font-size:11px}
svg .name{fill:var(--ink);font-weight:600;font-size:12px}svg .label{fill:var(--ink);font-size:11.5px;font-weight:600}
svg .tier{fill:var(--on-tier);font-weight:700;font-size:11px;letter-spacing:.04em}
svg .grid{stroke:var(--line)}svg .axis{stroke:var(--soft)}svg .curve{fill:none;stroke-width:1.7;stroke-linejoin:round}
svg .mark{stroke-dasharray:3 4;stroke-width:1.2}svg #cursor{stroke:var(--ink);opacity:.55}
svg .NORMAL{fill:var(--normal)}svg .ELEVATED{fill:var(--elevated)}svg .HIGH{fill:var(--high)}svg .CRITICAL{fill:var(--critical)}svg .band{opacity:.1}
svg .ACCEPT{fill:var(--good)}svg .REJECT{fill:var(--bad)}svg .HOLD{fill:var(--elevated-line)}
.wide{overflow-x:auto;border:1px solid var(--line);border-radius:12px;background:var(--card)}
table{border-collapse:collapse;width:100%;font-size:14px}th,td{text-align:left;padding:8px 14px;font-variant-numeric:tabular-nums;vertical-align:top}
tr+tr td,thead+tbody td{border-top:1px solid var(--line)}th{color:var(--soft);font-weight:600;white-space:nowrap}
b.REJECT{color:var(--bad)}b.ACCEPT{color:var(--good)}b.HOLD{color:var(--elevated-line)}
tr.first{background:color-mix(in srgb,var(--bad) 9%,transparent)}
.chip{display:inline-block;border-radius:6px;padding:0 7px;font-size:12px;font-weight:700;color:var(--on-tier)}
.chip.NORMAL{background:var(--normal)}.chip.ELEVATED{background:var(--elevated)}.chip.HIGH{background:var(--high)}
.chip.CRITICAL{background:var(--critical);color:#fff}
code,footer{font-size:13px;overflow-wrap:anywhere}footer{color:var(--soft);margin-top:34px}
@media print{body{background:#fff}figure,.card,.wide{break-inside:avoid}}
"""
_SCRIPT: Final = """
const d=JSON.parse(document.getElementById("series").textContent),f=document.querySelector("figure"),s=f.querySelector("svg"),
c=document.getElementById("cursor"),w=document.getElementById("reading"),rest=w.textContent,lo=+s.dataset.low,hi=+s.dataset.high;
function at(e){const p=new DOMPoint(e.clientX,e.clientY).matrixTransform(s.getScreenCTM().inverse()),
t=lo+(p.x-LEFT)/(WIDTH-LEFT-RIGHT)*(hi-lo);if(t<lo||t>hi)return off();
let i=d.t_s.findIndex(v=>v>=t);if(i<0)i=d.t_s.length-1;
const n=(k,q)=>d[k][i]==null?"–":d[k][i].toFixed(q);
c.setAttribute("x1",p.x);c.setAttribute("x2",p.x);c.setAttribute("visibility","visible");
w.textContent=`T${d.t_s[i]<0?"−":"+"}${Math.abs(d.t_s[i]).toFixed(1)} s · price ${n("price",2)} · bid ${n("depth_bid",0)} · ask ${n("depth_ask",0)}`+
` · spread ${n("spread_ticks",0)} · score ${n("score",3)} · ${TIERS[d.tier[i]]} · limit ${n("limit",0)}`}
function off(){c.setAttribute("visibility","hidden");w.textContent=rest}
s.addEventListener("pointermove",at);s.addEventListener("pointerleave",off);
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
        HTML with style, script and pictures inside; it refers to nothing outside.
    """
    seed, static_limit = demo["seed"], demo["static_limit"]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>pretrade: the 14:30 flash crash, seed {seed}</title><style>{STYLE}</style></head><body><main>"
        "<h1>The 14:30 flash crash</h1><p>A large seller meets makers with finite inventory. Depth goes first, while the price is still flat; the "
        f"tier rises on it, and the limit falls before the price does. Seed {seed}, static limit {static_limit} lots. Nothing resumes by itself.</p>"
        f'{_cards(demo)}<figure>{draw(demo, series)}<figcaption id="reading" aria-live="off">Dots: 200-lot orders put to the dynamic gate, '
        "green accepted, red refused. Point at the picture to read its values.</figcaption></figure>"
        "<h2>The same orders on both systems</h2><p>A 200-lot sell, immediate or cancel, every half second from T+10 s, priced so that an accepted "
        f"one cannot trade. Runs of equal decisions are one line.</p>{_decisions(demo)}"
        f"<h2>Tier changes and alerts</h2>{_changes(demo)}<h2>What decided</h2>{_model(demo)}"
        f"<footer>Configuration <code>{html.escape(demo['config_hash'])}</code><br>Audit chain {_audit(demo)}; breaker resumed by "
        f"{html.escape(str(demo['breaker_resumed_by'] or 'nobody'))}.{_processes(demo)}</footer></main>"
        f'<script type="application/json" id="series">{_data(series)}</script><script>{_script()}</script></body></html>\n'
    )


def _cards(demo: Mapping[str, Any]) -> str:
    dynamic, static = demo["order_200"]["dynamic"], demo["order_200"]["static"]
    is_told = demo["ts_high"] is not None and demo["ts_minus_1pct"] is not None
    lead = f"{(demo['ts_minus_1pct'] - demo['ts_high']) / 1e9:.1f} s" if is_told else "no fall" if demo["ts_minus_1pct"] is None else "not seen"
    before, high = demo["max_order_quantity_before"], demo["max_order_quantity_high"]
    missed = "no limit missed" if dynamic["verdict"] == "ACCEPT" else f"{dynamic['reason']}{_against(dynamic)}"
    cards = (
        (" → ".join(f"{v}" for v in (before, high) if v is not None) + " lots", "maximum order, before and in HIGH"),
        (lead, "from tier HIGH to a fall of 1\u00a0%"),
        (dynamic["verdict"], f"200 lots, dynamic limits: {missed}"),
        (static["verdict"], "the same order, static limits"),
        (_audit(demo), "audit chain"),
    )
    body = "".join(f'<div class="card"><b>{_text(value)}</b><span>{_text(label)}</span></div>' for value, label in cards)
    return f'<div class="cards">{body}</div>'


def _decisions(demo: Mapping[str, Any]) -> str:
    start, first = demo["ts_seller_start"], demo["order_200"]["dynamic"]

    def same(pair: tuple[Mapping[str, Any], Mapping[str, Any]]) -> tuple[Any, ...]:
        dynamic, static = pair
        return (dynamic["tier"], dynamic["verdict"], dynamic["reason"], dynamic["limit"], static["verdict"], static["reason"])

    rows = []
    for _, run in groupby(zip(demo["decisions"]["dynamic"], demo["decisions"]["static"], strict=True), same):
        pairs = list(run)
        (dynamic, static), (last, _) = pairs[0], pairs[-1]
        begin, end = (f"T+{(d['ts_decision'] - start) / 1e9:.1f}" for d in (dynamic, last))
        cells = (
            f"{begin} s" if begin == end else f"{begin} to {end} s",
            str(len(pairs)),
            _chip(dynamic["tier"]),
            _verdict(dynamic),
            _text(dynamic["limit_version"]),
            _verdict(static),
        )
        is_first = dynamic["verdict"] != "ACCEPT" and dynamic["ts_decision"] == first["ts_decision"]
        opening = '<tr class="first">' if is_first else "<tr>"
        rows.append(opening + "".join(f"<td>{c}</td>" for c in cells) + "</tr>")
    return _table(("time", "orders", "tier", "dynamic limits", "limit version", "static limits"), rows)


def _changes(demo: Mapping[str, Any]) -> str:
    start = demo["ts_seller_start"]
    alerts = {(a["ts_recv"], a["condition"]): a for a in demo["alerts"]}
    rows = []
    for change in demo["tier_changes"]:
        alert = alerts.get((change["ts_recv"], change["to"]))
        told = (
            ""
            if alert is None
            else f"{alert['severity']}: limit {'unset' if alert['old_limit'] is None else alert['old_limit']} → {alert['new_limit']}"
        )
        cells = (
            f"T{(change['ts_recv'] - start) / 1e9:+.1f} s",
            f"{_chip(change['from'])} → {_chip(change['to'])}",
            "" if change["score"] is None else f"{change['score']:.3f}",
            _text(", ".join(change["top_features"])),
            _text(told),
        )
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    if not rows:
        return "<p>No tier changed.</p>"
    return _table(("time", "tier", "score", "driven by", "alert"), rows)


def _model(demo: Mapping[str, Any]) -> str:
    model = demo["model"]
    facts = {k: v for k, v in model.items() if k != "card"} | _flat(model.get("card", {}))
    rows = [f"<tr><td>{_text(name.replace('_', ' '))}</td><td>{_text(value)}</td></tr>" for name, value in facts.items()]
    return _table(("model card", ""), rows)


def _flat(card: Mapping[str, Any]) -> dict[str, Any]:
    """What a reader asks first: how much it saw, what it promised, what it kept."""
    fitted, thresholds = card.get("fitted", {}), card.get("thresholds", {})
    facts = {
        "rows it learned from": fitted.get("rows"),
        "rows behind its thresholds": fitted.get("calibration_rows"),
        "instrument-days behind its thresholds": thresholds.get("days"),
        "alarm budget per instrument-day": card.get("budgets_per_instrument_day"),
    }
    return {k: json.dumps(v) if isinstance(v, dict) else f"{v:,.4g}" if isinstance(v, float) else v for k, v in facts.items() if v is not None}


def _verdict(decision: Mapping[str, Any]) -> str:
    text = f'<b class="{decision["verdict"]}">{decision["verdict"]}</b>'
    if decision["verdict"] == "ACCEPT":
        return text
    return f"{text} {_text(decision['reason'])}{_against(decision)}"


def _against(decision: Mapping[str, Any]) -> str:
    """Measured value and limit, of a reason that has them."""
    return "" if decision["unit"] == "none" else f" {decision['measured']:g} against {decision['limit']:g} {_text(decision['unit'])}"


def _table(heads: Iterable[str], rows: Iterable[str]) -> str:
    head = "".join(f'<th scope="col">{_text(h)}</th>' for h in heads)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _audit(demo: Mapping[str, Any]) -> str:
    return "verified" if demo["audit_verified"] else "BROKEN"


def _processes(demo: Mapping[str, Any]) -> str:
    named = ", ".join(f"{p['name']} {p['pid']}" for p in demo["processes"])
    return f" Processes: {_text(named)}." if named else " One process, simulated clock."


def _chip(tier: str) -> str:
    return f'<span class="chip {_text(tier)}">{_text(tier)}</span>'


def _text(value: object) -> str:
    return html.escape(str(value))


def _data(series: Series) -> str:
    return json.dumps({k: [None if v is None else round(v, 3) for v in values] for k, values in series.items()}, separators=(",", ":"))


def _script() -> str:
    numbers = f"const LEFT={LEFT},RIGHT={RIGHT},WIDTH={WIDTH},TIERS={json.dumps(TIERS)};"
    return numbers + _SCRIPT
