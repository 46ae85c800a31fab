# SPDX-License-Identifier: Apache-2.0
"""Pictures of the quality report, as inline SVG: rate and lag over one time axis, and how lags are spread."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

Scale = Callable[[float], float]
WIDTH: Final = 1080
LEFT: Final = 78
RIGHT: Final = 18
_RATE, _LAG, _GAP, _TITLE, _AXIS = 150, 130, 14, 20, 24
_STEPS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400)
_DAY: Final = 86_400


def timeline(report: Mapping[str, Any]) -> str:
    """Events per second and receive lag over time, phases behind, missing messages as ticks."""
    line, lags = report["timeline"], report["lags"]
    width_s, start = float(line["width_ns"]) / 1e9, float(line["ts_start"]) / 1e9
    cells = len(line["events"])
    end = start + max(cells, 1) * width_s
    has_lag = lags["messages"] > 0 and not lags["has_one_stamp"]
    height = _TITLE + _RATE + (_GAP + _TITLE + _LAG if has_lag else 0) + _AXIS

    def x(second: float) -> float:
        return LEFT + (second - start) / (end - start) * (WIDTH - LEFT - RIGHT)

    parts = [_bands(report["phases_over_time"], x, height - _AXIS)]
    parts.append(_rates(line, x, start, width_s))
    if has_lag:
        parts.append(_lag_band(line, lags, x, start, width_s, _TITLE + _RATE + _GAP))
    parts.append(_time_axis(x, start, end, height - _AXIS))
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="events and lags over time">{"".join(parts)}</svg>'


def _bands(bands: Sequence[Mapping[str, Any]], x: Scale, bottom: int) -> str:
    shapes = []
    for band in bands:
        a, b = x(band["from"] / 1e9), x(band["to"] / 1e9)
        shapes.append(
            f'<rect class="{html.escape(band["phase"])}" x="{a:.1f}" y="{_TITLE}" width="{max(b - a, 0.5):.1f}" height="{bottom - _TITLE}"/>'
        )
    return "".join(shapes)


def _rates(line: Mapping[str, Any], x: Scale, start: float, width_s: float) -> str:
    rates = [n / width_s for n in line["events"]]
    top, base = nice(max(rates, default=1.0)), _TITLE + _RATE

    def y(value: float) -> float:
        return base - value / top * _RATE

    bar = max((x(start + width_s) - x(start)) * 0.92, 0.6)
    bars = "".join(
        f'<rect class="rate" x="{x(start + i * width_s):.1f}" y="{y(r):.1f}" width="{bar:.2f}" height="{base - y(r):.1f}"/>'
        for i, r in enumerate(rates)
        if r
    )
    gaps = "".join(
        f'<line class="gap" x1="{x(start + i * width_s):.1f}" x2="{x(start + i * width_s):.1f}" y1="{_TITLE}" y2="{_TITLE + 12}"/>'
        for i, n in enumerate(line["gaps"])
        if n
    )
    return _value_axis("Events per second", 0, y, (0.0, top / 2, top)) + bars + gaps


def _lag_band(line: Mapping[str, Any], lags: Mapping[str, Any], x: Scale, start: float, width_s: float, top_y: int) -> str:
    low, high = _reach(lags)
    base = top_y + _TITLE + _LAG

    def y(ms: float) -> float:
        return base - (min(max(ms, low), high) - low) / (high - low) * _LAG

    bar = max((x(start + width_s) - x(start)) * 0.92, 0.6)
    shapes = []
    for i, (least, most) in enumerate(zip(line["lag_min_ms"], line["lag_max_ms"], strict=True)):
        if least is None:
            continue
        for kind, a, b in (("negative", least, min(most, 0.0)), ("lag", max(least, 0.0), most)):
            if b >= a:
                height = max(y(a) - y(b), 1.2)
                shapes.append(f'<rect class="{kind}" x="{x(start + i * width_s):.1f}" y="{y(b):.1f}" width="{bar:.2f}" height="{height:.1f}"/>')
    jumps = "".join(
        f'<line class="jump" x1="{x(j["ts_recv"] / 1e9):.1f}" x2="{x(j["ts_recv"] / 1e9):.1f}" y1="{top_y + _TITLE}" y2="{base}"/>'
        for j in lags["first_jumps"]
    )
    zero = f'<line class="zero" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(0):.1f}" y2="{y(0):.1f}"/>' if low <= 0 <= high else ""
    return _value_axis("Receive lag, ms (1 % to 99 %)", top_y, y, (low, (low + high) / 2, high)) + "".join(shapes) + jumps + zero


def _reach(lags: Mapping[str, Any]) -> tuple[float, float]:
    """Lags worth showing, ms: from 1 % to 99 %, and 0 unless all of them are negative."""
    low, high = float(lags["p01_ms"]), float(lags["p99_ms"])
    low, high = (low, high) if high < 0 else (min(low, 0.0), high)
    margin = max(0.06 * (high - low), 0.02 * abs(high), 1e-3)
    return low - margin if low < 0 else 0.0, high + margin


def _value_axis(title: str, top_y: int, y: Scale, ticks: Sequence[float]) -> str:
    marks = "".join(
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(t):.1f}" y2="{y(t):.1f}"/>'
        f'<text x="{LEFT - 8}" y="{y(t) + 4:.1f}" text-anchor="end">{short(t)}</text>'
        for t in ticks
    )
    return f'<text class="name" x="{LEFT}" y="{top_y + 13}">{html.escape(title)}</text>{marks}'


def _time_axis(x: Scale, start: float, end: float, base: int) -> str:
    span = end - start
    step = next((s for s in _STEPS if span / s <= 9), math.ceil(span / 9 / _DAY) * _DAY)
    form = "%Y-%m-%d" if step >= _DAY else "%m-%d %H:%M" if span > _DAY else "%H:%M:%S" if step < 60 else "%H:%M"
    first = math.ceil(start / step) * step
    marks = []
    for k in range(int((end - first) // step) + 1):
        t = first + k * step
        label = datetime.fromtimestamp(t, UTC).strftime(form)
        marks.append(f'<line class="axis" x1="{x(t):.1f}" x2="{x(t):.1f}" y1="{base}" y2="{base + 4}"/>')
        marks.append(f'<text x="{x(t):.1f}" y="{base + 17}" text-anchor="middle">{label}</text>')
    return f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{base}" y2="{base}"/>' + "".join(marks)


def histogram(cells: Sequence[Mapping[str, Any]]) -> str:
    """How lags are spread, on a logarithmic scale on both sides of 0."""
    height, base = 190, 160

    def place(ms: float | None, fallback: float) -> float:
        """Decades from a microsecond, with the sign of the lag."""
        ms = fallback if ms is None else ms
        return math.copysign(max(math.log10(max(abs(ms), 1e-3)) + 3, 0.0), ms)

    spans = [(place(c["from_ms"], -1e6), place(c["to_ms"], 1e6), c["messages"]) for c in cells]
    low, high = min(s[0] for s in spans), max(s[1] for s in spans)
    low, high = math.floor(low) - 0.1, math.ceil(high) + 0.1
    most = max(s[2] for s in spans)

    def x(at: float) -> float:
        return LEFT + (at - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    bars = []
    for a, b, n in spans:
        kind = "negative" if a < 0 else "lag"
        tall = n / most * (base - 24)
        bars.append(f'<rect class="{kind}" x="{x(a):.1f}" y="{base - tall:.1f}" width="{max(x(b) - x(a), 2.0):.1f}" height="{max(tall, 0.8):.1f}"/>')
    marks = []
    for decade in range(math.ceil(low), math.floor(high) + 1):
        label = "0" if decade == 0 else f"{'−' if decade < 0 else ''}{_UNITS[abs(decade)]}"
        marks.append(f'<text x="{x(decade):.1f}" y="{base + 17}" text-anchor="middle">{label}</text>')
        marks.append(f'<line class="grid" x1="{x(decade):.1f}" x2="{x(decade):.1f}" y1="18" y2="{base}"/>')
    axis = f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{base}" y2="{base}"/>'
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="spread of receive lags">{"".join(marks)}{"".join(bars)}{axis}</svg>'


_UNITS: Final = ("0", "10 µs", "100 µs", "1 ms", "10 ms", "100 ms", "1 s", "10 s", "100 s", "1,000 s", "more")


def nice(value: float) -> float:
    """The next number of one digit above: 1, 2, 5 or 10 times a power of ten.

    Examples
    --------
    >>> nice(734.0)
    1000.0
    >>> nice(0.03)
    0.05
    """
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return round(next(step for step in (1.0, 2.0, 5.0, 10.0) if step * power >= value * (1 - 1e-12)) * power, 12)


def short(value: float) -> str:
    """A number for an axis.

    Examples
    --------
    >>> short(12_000.0), short(0.5), short(-1520.4)
    ('12k', '0.5', '-1,520')
    """
    if abs(value) >= 10_000:
        return f"{value / 1_000:,.4g}k"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
