# SPDX-License-Identifier: Apache-2.0
"""The report's picture: price, depth, spread, score, tier and limit on one time axis, as inline SVG."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Series = Mapping[str, Sequence[float | int | None]]
Scale = Callable[[float], float]

WIDTH: Final = 1080
LEFT: Final = 70
RIGHT: Final = 18
TIERS: Final = ("NORMAL", "ELEVATED", "HIGH", "CRITICAL")
_GAP, _TITLE, _STRIP = 12, 20, 24
_LABEL_ROW, _LABEL_CHARACTER = 15, 6.4
_MARKS: Final = (
    ("ts_seller_start", "T, selling starts", "--soft"),
    ("ts_elevated", "ELEVATED", "--elevated-line"),
    ("ts_high", "HIGH", "--high-line"),
    ("ts_critical", "CRITICAL", "--critical-line"),
    ("ts_minus_1pct", "−1 %", "--price"),
    ("ts_minus_2pct", "−2 %", "--price"),
)


@dataclass(frozen=True, slots=True)
class Panel:
    """One band of the picture: curves that share a vertical scale."""

    title: str
    lines: tuple[tuple[str, str, str], ...]
    height: int
    from_zero: bool = True
    is_stepped: bool = False


PANELS: Final = (
    Panel("Mid price", (("price", "--price", ""),), 150, from_zero=False),
    Panel("Depth, ten levels, lots", (("depth_bid", "--bid", "bid"), ("depth_ask", "--ask", "ask")), 105),
    Panel("Spread, ticks", (("spread_ticks", "--soft", ""),), 70),
    Panel("Score, 0 to 1", (("score", "--critical-line", ""),), 80),
    Panel("Maximum order, lots", (("limit", "--limit", "dynamic"), ("static_limit", "--soft", "static")), 130, is_stepped=True),
)


def draw(demo: Mapping[str, Any], series: Series) -> str:
    """The picture as one ``svg`` element.

    Parameters
    ----------
    demo
        Content of ``demo.json``.
    series
        Curves over ``t_s``, seconds after the seller's start; ``None`` where undefined.

    Returns
    -------
    str
        Inline SVG; it refers to nothing outside, colours are properties of the page.
    """
    t = [float(v) for v in series["t_s"] if v is not None]
    low, high = min(t), max(t)

    def x(seconds: float) -> float:
        return LEFT + (seconds - low) / (high - low or 1.0) * (WIDTH - LEFT - RIGHT)

    shown = {**series, "static_limit": [demo["static_limit"]] * len(series["t_s"])}
    marks, top = _marks(demo, x, low, high)
    body, y = [], top
    for panel in PANELS:
        if panel.title.startswith("Maximum order"):
            body.append(_strip(series, x, y))
            y += _STRIP + _TITLE + _GAP
        body.append(_panel(panel, shown, x, y))
        if panel.is_stepped:
            body.append(_orders(demo, x, _scale(panel, shown, y)[0]))
        y += panel.height + _TITLE + _GAP
    height = y + 18
    lines = "".join(f'<line class="mark" x1="{at:.1f}" x2="{at:.1f}" y1="{row + 4}" y2="{y}" style="stroke:var({c})"/>' for at, row, c, _ in marks)
    labels = "".join(f'<text class="label" x="{at + 4:.1f}" y="{row}">{html.escape(text)}</text>' for at, row, _, text in marks)
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="chart-title chart-words" data-low="{low}" data-high="{high}">'
        '<title id="chart-title">Price, depth, spread, score, tier and limit on one time axis</title>'
        f'<desc id="chart-words">{html.escape(in_words(demo))}</desc>'
        f"{_bands(series, x, top, y)}{''.join(body)}{lines}{labels}{_axis(low, high, x, y, top)}"
        f'<line id="cursor" x1="0" x2="0" y1="{top}" y2="{y}" visibility="hidden"/></svg>'
    )


def in_words(demo: Mapping[str, Any]) -> str:
    """The picture for who cannot see it."""
    start = demo["ts_seller_start"]
    told = [f"{text} at {(demo[key] - start) / 1e9:.1f} s" for key, text, _ in _MARKS[1:] if demo.get(key) is not None]
    return "Seconds after the seller's start: " + ("; ".join(told) if told else "no tier rises and the price holds") + "."


def tier_runs(series: Series) -> list[tuple[float, float, int]]:
    """Stretches of one tier: from, to (seconds) and tier code."""
    t, tier = series["t_s"], series["tier"]
    runs, begin = [], 0
    for i in range(1, len(t) + 1):
        if i == len(t) or tier[i] != tier[begin]:
            runs.append((float(t[begin] or 0.0), float(t[min(i, len(t) - 1)] or 0.0), int(tier[begin] or 0)))
            begin = i
    return runs


def ticks(low: float, high: float, wanted: int) -> list[float]:
    """Round values between two bounds, about as many as wanted.

    Examples
    --------
    >>> ticks(0.0, 520.0, 3)
    [0.0, 200.0, 400.0]
    """
    raw = (high - low) / max(wanted, 1) or 1.0
    scale = 10.0 ** math.floor(math.log10(raw))
    step = next(s * scale for s in (1, 2, 5, 10) if s * scale >= raw)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def _marks(demo: Mapping[str, Any], x: Scale, low: float, high: float) -> tuple[list[tuple[float, int, str, str]], int]:
    """Place each label in the first row where it covers no other; the height all rows take."""
    start = demo["ts_seller_start"]
    wanted = [(demo[key], text, colour) for key, text, colour in _MARKS if demo.get(key) is not None]
    refused = demo["order_200"]["dynamic"]
    if refused["verdict"] != "ACCEPT":
        wanted.append((refused["ts_decision"], "first refusal", "--limit"))
    ends: list[float] = []
    placed = []
    for ts, text, colour in sorted(wanted):
        if not low <= (ts - start) / 1e9 <= high:
            continue
        at = x((ts - start) / 1e9)
        row = next((i for i, end in enumerate(ends) if end < at), len(ends))
        ends[row : row + 1] = [at + 10 + len(text) * _LABEL_CHARACTER]
        placed.append((at, row, colour, text))
    rows = len(ends) or 1
    return [(at, 14 + _LABEL_ROW * row, colour, text) for at, row, colour, text in placed], 14 + _LABEL_ROW * rows


def _scale(panel: Panel, series: Series, top: int) -> tuple[Scale, float, float]:
    values = [float(v) for key, _, _ in panel.lines for v in series[key] if v is not None]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    low = 0.0 if panel.from_zero else low - 0.04 * (high - low)
    high = high + 0.06 * (high - low or 1.0)
    bottom, span = top + _TITLE + panel.height, high - low

    def y(value: float) -> float:
        return bottom - (value - low) / span * panel.height

    return y, low, high


def _panel(panel: Panel, series: Series, x: Scale, top: int) -> str:
    y, low, high = _scale(panel, series, top)
    out = [f'<text class="name" x="{LEFT}" y="{top + 13}">{panel.title}</text>']
    legend = LEFT + 14 + len(panel.title) * 7.3
    for key, colour, name in panel.lines:
        dash = ' stroke-dasharray="6 4"' if key.startswith("static") else ""
        path = _path(series["t_s"], series[key], x, y, is_stepped=panel.is_stepped)
        out.append(f'<path class="curve" d="{path}" style="stroke:var({colour})"{dash}/>')
        if name:
            out.append(f'<text class="name" x="{legend:.0f}" y="{top + 13}" style="fill:var({colour})">{name}</text>')
            legend += 16 + len(name) * 7
    grid = []
    for value in ticks(low, high, 3 if panel.height > 90 else 2):
        grid.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>')
        text = f"{value:,.0f}" if abs(value) >= 10 or value == 0 else f"{value:g}"
        grid.append(f'<text x="{LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{text}</text>')
    return "".join(grid + out)


def _path(t: Sequence[float | int | None], values: Sequence[float | int | None], x: Scale, y: Scale, *, is_stepped: bool) -> str:
    out, pen = [], "M"
    for at, value in zip(t, values, strict=True):
        if at is None or value is None:
            pen = "M"
            continue
        out.append(f"H{x(at):.1f}V{y(value):.1f}" if is_stepped and pen == "L" else f"{pen}{x(at):.1f} {y(value):.1f}")
        pen = "L"
    return "".join(out)


def _orders(demo: Mapping[str, Any], x: Scale, y: Scale) -> str:
    """The 200-lot orders as dots, at their quantity: what each gate said is the colour."""
    out = []
    for d in demo["decisions"]["dynamic"]:
        at = (d["ts_decision"] - demo["ts_seller_start"]) / 1e9
        out.append(f'<circle class="{d["verdict"]}" cx="{x(at):.1f}" cy="{y(200):.1f}" r="2.6"/>')
    return "".join(out)


def _strip(series: Series, x: Scale, top: int) -> str:
    out = [f'<text class="name" x="{LEFT}" y="{top + 13}">Tier</text>']
    for start, end, code in tier_runs(series):
        left, right = x(start), x(end)
        name = TIERS[code]
        out.append(f'<rect class="{name}" x="{left:.1f}" y="{top + _TITLE}" width="{max(right - left, 1.0):.1f}" height="{_STRIP}"/>')
        if right - left > len(name) * 8:
            out.append(f'<text class="tier" x="{(left + right) / 2:.1f}" y="{top + _TITLE + 16}" text-anchor="middle">{name}</text>')
    return "".join(out)


def _bands(series: Series, x: Scale, top: int, bottom: int) -> str:
    """A breath of the tier's colour behind every panel."""
    return "".join(
        f'<rect class="{TIERS[code]} band" x="{x(start):.1f}" y="{top}" width="{max(x(end) - x(start), 0.5):.1f}" height="{bottom - top}"/>'
        for start, end, code in tier_runs(series)
        if code
    )


def _axis(low: float, high: float, x: Scale, bottom: int, top: int) -> str:
    out = [f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{bottom}" y2="{bottom}"/>']
    for seconds in ticks(low, high, 13):
        text = "T" if seconds == 0 else f"{seconds:+.0f} s"
        out.append(f'<line class="axis" x1="{x(seconds):.1f}" x2="{x(seconds):.1f}" y1="{bottom}" y2="{bottom + 4}"/>')
        out.append(f'<text x="{x(seconds):.1f}" y="{bottom + 16}" text-anchor="middle">{text}</text>')
    return "".join(out)
