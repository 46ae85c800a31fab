# SPDX-License-Identifier: Apache-2.0
"""The quality report as one self-contained HTML page: what it means first, then pictures over one time axis, then the figures."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pretrade.sidecar.quality_chart import histogram, timeline

Facts = Mapping[str, Any]

_STYLE: Final = """
:root{color-scheme:light dark;--ink:#16202c;--soft:#5b6776;--line:#e1e6ec;--paper:#f6f8fa;--card:#fff;--rate:#1c4f9c;--lag:#0b7285;--bad:#c0272d;
--good:#1f7a35;--warn:#a17800;--open:#cfe6d6;--pre:#e4ebf3;--shut:#eceff2;--halt:#f7d6d3}
@media(prefers-color-scheme:dark){:root{--ink:#e6ebf1;--soft:#9aa7b5;--line:#28323d;--paper:#0f151b;--card:#161e27;--rate:#74a9f7;--lag:#3bc9db;
--bad:#ff8787;--good:#69db7c;--warn:#e3c04b;--open:#1c3a29;--pre:#1d2733;--shut:#1a2129;--halt:#4a2220}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,"Segoe UI",sans-serif}
main{max-width:1140px;margin:0 auto;padding:32px 20px 64px}
h1{font-size:28px;letter-spacing:-.01em;margin:0 0 6px;overflow-wrap:anywhere}h2{font-size:18px;margin:38px 0 10px}
p{color:var(--soft);margin:0 0 14px;max-width:82ch}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(170px,1fr));gap:12px;margin:20px 0}
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:14px 16px}
.card b{display:block;white-space:nowrap;font-size:22px;letter-spacing:-.01em;font-variant-numeric:tabular-nums}
.card span{color:var(--soft);font-size:13px}
.card.bad b{color:var(--bad)}.card.good b{color:var(--good)}
ul.findings{list-style:none;margin:0 0 8px;padding:0;border-left:3px solid var(--warn)}ul.findings li{padding:5px 14px}
ul.findings.none{border-color:var(--good)}
figure{margin:0 0 12px;background:var(--card);border:1px solid var(--line);border-radius:12px;padding:12px 10px;overflow-x:auto}
figcaption{color:var(--soft);font-size:13px;padding:4px 8px 2px}
svg{display:block;width:100%;min-width:760px;height:auto}svg text{fill:var(--soft);font-size:11px}
svg .name{fill:var(--ink);font-weight:600;font-size:12px}svg .grid{stroke:var(--line)}svg .axis{stroke:var(--soft)}
svg .rate{fill:var(--rate)}svg .lag{fill:var(--lag);opacity:.55}svg .negative{fill:var(--bad);opacity:.75}svg .gap{stroke:var(--bad);stroke-width:1.6}
svg .zero{stroke:var(--soft);stroke-dasharray:3 4}svg .jump{stroke:var(--warn);stroke-width:1.4;stroke-dasharray:2 3}
svg .CONTINUOUS,i.CONTINUOUS
{fill:var(--open);background:var(--open)}svg .PRE_OPEN,svg .AUCTION,i.PRE_OPEN,i.AUCTION
{fill:var(--pre);background:var(--pre)}
svg .CLOSED,svg .BREAK,svg .UNKNOWN,i.CLOSED,i.BREAK{fill:var(--shut);background:var(--shut)}svg .HALTED,svg .LIMIT_LOCKED,i.HALTED
{fill:var(--halt);background:var(--halt)}
i{display:inline-block;width:11px;height:11px;border-radius:3px;margin:0 4px 0 10px;vertical-align:-1px}
.wide{overflow-x:auto;border:1px solid var(--line);border-radius:12px;background:var(--card)}
table{border-collapse:collapse;width:100%;font-size:14px}th,td{text-align:left;padding:7px 14px;font-variant-numeric:tabular-nums;vertical-align:top}
td.n,th.n{text-align:right}
tr+tr td,thead+tbody td{border-top:1px solid var(--line)}th{color:var(--soft);font-weight:600;white-space:nowrap}
details summary{cursor:pointer;color:var(--soft);padding:4px 0}
code,footer{font-size:13px;overflow-wrap:anywhere}footer{color:var(--soft);margin-top:34px}
@media print{body{background:#fff}figure,.card,.wide{break-inside:avoid}}
"""


def render(report: Facts) -> str:
    """The whole page; style and pictures are inside, it refers to nothing outside.

    Parameters
    ----------
    report
        What `pretrade.sidecar.inspection.run` gives.
    """
    symbols = [i["symbol"] for i in report["instruments"]]
    names = ", ".join(symbols) if len(symbols) <= 3 else f"{len(symbols)} instruments"
    title = f"{names or 'recording'} · {report['format']}"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>pretrade: quality of {_text(title)}</title><style>{_STYLE}</style></head><body><main><h1>{_text(title)}</h1>"
        f"<p>{_text(when(report['ts_first']))} to {_text(when(report['ts_last']))} UTC, as received.</p>{_cards(report)}"
        f"{_findings(report['findings'])}"
        f"<h2>Over time</h2><figure>{timeline(report)}<figcaption>{_legend(report)}</figcaption></figure>"
        f"{_lags(report)}<h2>Faults</h2>{_faults(report)}<h2>Instruments</h2>{_instruments(report)}"
        f"{_silences(report)}<h2>Records and rows</h2>{_counts(report)}{_footer(report)}</main></body></html>\n"
    )


def when(ts: int) -> str:
    """A stamp for a reader, to the millisecond.

    Examples
    --------
    >>> when(1_682_949_602_400_000_000)
    '2023-05-01 14:00:02.400'
    """
    return datetime.fromtimestamp(ts // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S") + f".{ts // 1_000_000 % 1_000:03d}"


def _cards(r: Facts) -> str:
    rate, rows, lags = r["rates"]["events_per_second"], r["rows"], r["lags"]
    share = rows["fit_to_score"] / rows["rows"] if rows["rows"] else None
    faults = sum(r["faults"].values())
    cards = (
        (f"{r['events']:,}", "events", ""),
        ("–" if rate is None else f"{rate:,.1f}/s", f"on average, {r['rates']['peak_1000_ms']['events']:,} in the busiest second", ""),
        (
            "–" if lags["p50_ms"] is None or lags["has_one_stamp"] else f"{lags['p50_ms']:,.1f} ms",
            "median receive lag",
            "bad" if lags["negative"] else "",
        ),
        (f"{faults:,}", "faults, of every kind", "bad" if faults else "good"),
        (f"{sum(i['gaps'] for i in r['instruments']):,}", "records after missing messages", ""),
        ("–" if share is None else f"{share:.1%}", f"of {rows['rows']:,} rows may be scored", ""),
    )
    body = "".join(f'<div class="card {kind}"><b>{_text(value)}</b><span>{_text(label)}</span></div>' for value, label, kind in cards)
    return f'<div class="cards">{body}</div>'


def _findings(findings: Sequence[str]) -> str:
    if not findings:
        return '<ul class="findings none"><li>Nothing odd was found.</li></ul>'
    return '<ul class="findings">' + "".join(f"<li>{_text(text)}</li>" for text in findings) + "</ul>"


def _legend(r: Facts) -> str:
    phases = sorted({band["phase"] for band in r["phases_over_time"]})
    chips = "".join(f'<i class="{_text(p)}"></i>{_text(p.replace("_", " ").lower())}' for p in phases)
    busiest = max(r["instruments"], key=lambda i: i["events"], default=None)
    whose = f" Phases of {_text(busiest['symbol'])} ({_text(busiest['session'])}):{chips}." if busiest and chips else ""
    width = r["timeline"]["width_ns"] / 1e9
    return f"Cells of {width:g} s. Red ticks: messages are missing. Lags: smallest to largest of a cell, negative ones red.{whose}"


def _lags(r: Facts) -> str:
    lags = r["lags"]
    if not lags["messages"] or lags["has_one_stamp"]:
        return ""
    names = ("min_ms", "p01_ms", "p50_ms", "mean_ms", "p99_ms", "max_ms")
    row = (
        "".join(f'<td class="n">{lags[n]:,.3f}</td>' for n in names) + f'<td class="n">{lags["negative"]:,}</td><td class="n">{lags["jumps"]:,}</td>'
    )
    heads = ("least, ms", "1 %", "median", "mean", "99 %", "most, ms", "negative", "jumps")
    jumps = [_row((when(int(j["ts_recv"])), f"{j['from_ms']:,.1f}", f"{j['to_ms']:,.1f}"), right=(1, 2)) for j in lags["first_jumps"][:20]]
    table = _table(("second", "least lag before, ms", "least lag, ms"), jumps, right=(1, 2)) if jumps else ""
    told = f"<details><summary>Jumps of the clock</summary>{table}</details>" if jumps else ""
    return (
        f"<h2>Receive lags</h2><figure>{histogram(lags['histogram'])}<figcaption>Receive stamp minus the venue's stamp; cells of 12 %, on a "
        f"logarithmic scale on both sides of 0.</figcaption></figure>{_table(heads, [f'<tr>{row}</tr>'], right=range(8))}{told}"
    )


def _faults(r: Facts) -> str:
    if not r["faults"] and not r["imported"]:
        return "<p>None.</p>"
    rows = [_row((kind.replace("_", " "), f"{n:,}"), right=(1,)) for kind, n in r["faults"].items()]
    rows += [_row((f"{kind.replace('_', ' ')}, told by the import", f"{n:,}"), right=(1,)) for m in r["imported"] for kind, n in m["faults"].items()]
    log = [_row((f["kind"].replace("_", " "), f["file"], f["place"], f["text"])) for f in r["fault_log"]]
    words = (
        f"<details><summary>The first {len(log)} in words</summary>{_table(('fault', 'file', 'place', 'what was found'), log)}</details>"
        if log
        else ""
    )
    return (_table(("fault", "count"), rows, right=(1,)) if rows else "<p>None.</p>") + words


def _instruments(r: Facts) -> str:
    heads = ("instrument", "events", "per second", "first", "last", "gaps", "stamp back", "silences", "trades", "volume", "low", "high")
    rows = []
    for i in r["instruments"]:
        rate = "–" if i["events_per_second"] is None else f"{i['events_per_second']:,.2f}"
        prices = ("–" if i[n] is None else f"{i[n]:,.9g}" for n in ("low", "high"))
        counts = (f"{i['gaps']:,}", f"{i['event_time_backwards']:,}", f"{i['silences']:,}", f"{i['trades']:,}", f"{i['volume']:,.8g}")
        rows.append(
            _row(
                (f"{i['symbol']} ({i['venue']})", f"{i['events']:,}", rate, when(i["ts_first"]), when(i["ts_last"]), *counts, *prices), right=_NUMBERS
            )
        )
    phases = sorted({p for i in r["instruments"] for p in i["phases"]})
    shares = [
        _row((i["symbol"], *(f"{i['phases'].get(p, 0):,}" for p in phases), f"{i['status_changes']:,}"), right=range(1, len(phases) + 2))
        for i in r["instruments"]
    ]
    names = ("events in", *(p.replace("_", " ").lower() for p in phases), "status records")
    return _table(heads, rows, right=_NUMBERS) + "<p></p>" + _table(names, shares, right=range(1, len(phases) + 2))


_NUMBERS: Final = (1, 2, 5, 6, 7, 8, 9, 10, 11)


def _silences(r: Facts) -> str:
    found = sorted(((s["seconds"], s["from"], i["symbol"]) for i in r["instruments"] for s in i["longest_silences"]), reverse=True)[:20]
    if not found:
        return ""
    rows = [_row((symbol, when(ts), f"{seconds:,.3f}"), right=(2,)) for seconds, ts, symbol in found]
    return f"<h2>Longest silences in continuous trading</h2>{_table(('instrument', 'from', 'seconds'), rows, right=(2,))}"


def _counts(r: Facts) -> str:
    kinds = [_row((kind.replace("_", " ").lower(), f"{n:,}"), right=(1,)) for kind, n in r["kinds"].items()]
    states = [_row((name.replace("_", " ").lower(), f"{n:,}"), right=(1,)) for name, n in r["rows"]["states"].items()]
    return _table(("records", "count"), kinds, right=(1,)) + (
        "<p></p>" + _table(("rows whose feed or book is", "count"), states, right=(1,)) if states else ""
    )


def _footer(r: Facts) -> str:
    files = "".join(f"<br>{_text(f['path'])}, {f['bytes']:,} bytes" for f in r["files"])
    return f"<footer>Configuration <code>{_text(r['config_hash'])}</code><br>Events <code>{_text(r['events_sha256'])}</code>{files}</footer>"


def _row(cells: Iterable[object], right: Iterable[int] = ()) -> str:
    at = set(right)
    return "<tr>" + "".join(f'<td class="n">{_text(c)}</td>' if k in at else f"<td>{_text(c)}</td>" for k, c in enumerate(cells)) + "</tr>"


def _table(heads: Iterable[str], rows: Iterable[str], right: Iterable[int] = ()) -> str:
    at = set(right)
    head = "".join(f'<th scope="col"{" class=n" if k in at else ""}>{_text(h)}</th>' for k, h in enumerate(heads))
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _text(value: object) -> str:
    return html.escape(str(value))
