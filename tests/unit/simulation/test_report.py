# SPDX-License-Identifier: Apache-2.0
"""The demo's report: self-contained, well formed, true to the numbers, whatever the story was."""

from __future__ import annotations

import itertools
import json
import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pretrade.simulation import chart
from pretrade.simulation.report import render

SECOND = 1_000_000_000
START = 1_767_641_400 * SECOND
VOID = {"meta", "br"}


def decision(second: float, verdict: str, reason: str = "NONE", **changes: Any) -> dict[str, Any]:
    base = {"ts_decision": START + int(second * SECOND), "verdict": verdict, "reason": reason, "tier": "NORMAL", "limit_version": 7}
    return base | {"measured": 200.0, "limit": 50.0, "unit": "lots"} | changes


def told(*, is_crash: bool = True, top: str = "depth_rel_bid") -> dict[str, Any]:
    dynamic = [decision(10, "ACCEPT"), decision(10.5, "ACCEPT")]
    if is_crash:
        dynamic.append(decision(11, "REJECT", "ORDER_EXCEEDS_LIMIT", tier="HIGH"))
    static = [decision((d["ts_decision"] - START) / SECOND, "ACCEPT") for d in dynamic]
    ts = {"ts_elevated": 9, "ts_high": 10.8, "ts_critical": 12, "ts_minus_1pct": 13, "ts_minus_2pct": 14}
    changes = [{"ts_recv": START + 9 * SECOND, "from": "NORMAL", "to": "HIGH", "score": 0.4, "top_features": [top]}]
    alert = {"ts_recv": START + 9 * SECOND, "condition": "HIGH", "severity": "alarm", "old_limit": 500, "new_limit": 50}
    return {
        "seed": 7,
        "static_limit": 500,
        "max_order_quantity_before": 500,
        "max_order_quantity_high": 50 if is_crash else None,
        "ts_seller_start": START,
        **{k: START + int(v * SECOND) if is_crash else None for k, v in ts.items()},
        "order_200": {"dynamic": dynamic[-1], "static": static[-1]},
        "decisions": {"dynamic": dynamic, "static": static},
        "tier_changes": changes if is_crash else [],
        "alerts": [alert] if is_crash else [],
        "processes": [{"name": "gateway", "pid": 4242}],
        "breaker_resumed_by": None,
        "audit_verified": True,
        "config_hash": "c0ffee",
        "model": {"id": "m1", "kind": "pca", "provisional": False, "card": {"fitted": {"rows": 288_000}}},
    }


def curves(n: int = 200) -> dict[str, list[float | int | None]]:
    t: list[float | int | None] = [i / 10 - 5 for i in range(n)]
    flat: list[float | int | None] = [float(i % 17) for i in range(n)]
    tier: list[float | int | None] = [0 if i < n // 2 else 2 for i in range(n)]
    names = ("price", "depth_bid", "depth_ask", "spread_ticks", "score", "limit")
    return {"t_s": t, "tier": tier, **{name: list(flat) for name in names}}


class Balanced(HTMLParser):
    """Notes a tag that is closed out of turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("is_crash", [True, False])
def test_page_refers_to_nothing_outside_and_closes_every_tag(is_crash: bool) -> None:
    page = render(told(is_crash=is_crash), curves())
    assert not re.search(r"https?://|@import|url\(|<link|<img|<iframe|fetch\(", page)
    parser = Balanced()
    parser.feed(re.sub(r"<(line|path|rect|circle)\b([^>]*)/>", r"<\1\2></\1>", page))
    assert parser.open == []


def test_page_tells_the_story_in_cards_and_one_line_per_run_of_decisions() -> None:
    page = render(told(), curves())
    assert "500 → 50 lots" in page
    assert "2.2 s" in page  # HIGH at 10.8 s, -1 % at 13 s
    assert page.count("<td>2</td>") == 1, "two accepted orders are one line"
    assert '<tr class="first">' in page
    assert "200 against 50 lots" in page
    assert "alarm: limit 500 → 50" in page
    assert "c0ffee" in page
    assert "288000" in page


def test_story_without_a_crash_is_told_as_one() -> None:
    page = render(told(is_crash=False), curves())
    assert "no fall" in page
    assert "first refusal" not in page
    assert "No tier changed." in page
    assert '<tr class="first">' not in page


def test_texts_from_outside_are_escaped() -> None:
    page = render(told(top="<script>alert(1)</script>"), curves())
    assert "<script>alert" not in page


def test_series_of_the_page_are_those_given() -> None:
    series = curves()
    found = re.search(r'id="series">(.*?)</script>', render(told(), series), re.DOTALL)
    assert found is not None
    assert json.loads(found[1])["limit"] == series["limit"]


def test_picture_is_well_formed_and_marks_every_event() -> None:
    root = ElementTree.fromstring(chart.draw(told(), curves()))
    labels = [e.text for e in root.iter("text") if e.get("class") == "label"]
    assert labels == ["T, selling starts", "ELEVATED", "HIGH", "first refusal", "CRITICAL", "−1 %", "−2 %"]
    assert len(list(root.iter("circle"))) == 3
    assert "HIGH at 10.8 s" in (root.findtext("desc") or "")


def test_labels_in_one_row_do_not_cover_each_other() -> None:
    root = ElementTree.fromstring(chart.draw(told(), curves()))
    rows: dict[str, list[tuple[float, float]]] = {}
    for label in (e for e in root.iter("text") if e.get("class") == "label"):
        x = float(label.get("x", "nan"))
        rows.setdefault(label.get("y", ""), []).append((x, x + 6.4 * len(label.text or "")))
    for spans in rows.values():
        assert all(left[1] < right[0] for left, right in itertools.pairwise(spans))


def test_gap_in_a_curve_stays_a_gap() -> None:
    series = curves(4)
    series["price"] = [1.0, None, None, 2.0]
    root = ElementTree.fromstring(chart.draw(told(), series))
    paths = [e.get("d", "") for e in root.iter("path")]
    assert paths[0].count("M") == 2
    assert "L" not in paths[0]


def test_tier_runs_cover_the_axis_without_overlap() -> None:
    runs = chart.tier_runs(curves())
    assert [code for _, _, code in runs] == [0, 2]
    assert runs[0][1] == runs[1][0]


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(1, 12))
def test_ticks_are_round_rising_and_inside(low: float, span: float, wanted: int) -> None:
    found = chart.ticks(low, low + span, wanted)
    assert found == sorted(set(found))
    assert len(found) <= wanted + 1
    assert all(low - span * 1e-6 - 1e-9 <= v <= low + span * (1 + 1e-6) + 1e-9 for v in found)


def test_event_before_the_first_sample_is_not_drawn_outside_the_axis() -> None:
    series = curves()
    series["t_s"] = [i / 10 + 3 for i in range(200)]
    root = ElementTree.fromstring(chart.draw(told(), series))
    assert "T, selling starts" not in [e.text for e in root.iter("text")]
    assert all(float(e.get("x1", "nan")) >= chart.LEFT for e in root.iter("line") if e.get("class") == "mark")


def test_reason_without_a_measure_is_told_without_numbers() -> None:
    demo = told()
    tripped = decision(11, "REJECT", "BREAKER_TRIPPED", unit="none", measured=0.0, limit=0.0)
    demo["decisions"]["dynamic"][-1] = demo["order_200"]["dynamic"] = tripped
    page = render(demo, curves())
    assert "BREAKER_TRIPPED" in page
    assert "0 against 0" not in page
