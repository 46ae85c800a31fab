# SPDX-License-Identifier: Apache-2.0
"""The live view tells price, depth, tier, limit and both verdicts."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from pretrade.cli.live import LiveView

STATE: dict[str, Any] = {
    "t_s": 26.5,
    "price": 4785.5,
    "depth_bid": 110,
    "depth_ask": 480,
    "spread_ticks": 1.0,
    "score": 0.372,
    "tier": 2,
    "limit": 50,
}
VERDICTS = {"decision": {"verdict": "REJECT", "reason": "ORDER_EXCEEDS_LIMIT"}, "static_decision": {"verdict": "ACCEPT", "reason": "NONE"}}


def test_view_without_a_terminal_writes_a_line_every_five_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    with LiveView() as view:
        for tenth in range(100):
            view.update({**STATE, **VERDICTS, "t_s": 20 + tenth / 10})
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    for word in ("4785.50", "110", "HIGH", "limit", "50", "REJECT ORDER_EXCEEDS_LIMIT", "static: ACCEPT"):
        assert word in lines[0]


def shown(state: dict[str, Any]) -> str:
    """The panel as text."""
    console = Console(width=100, file=io.StringIO())
    with console.capture() as capture:
        console.print(LiveView._panel(state))
    return capture.get()


def test_panel_on_a_terminal_shows_the_same_facts() -> None:
    text = shown({**STATE, **VERDICTS})
    for word in ("4785.50", "0.372", "HIGH", "maximum order 50 lots", "REJECT ORDER_EXCEEDS_LIMIT", "static: ACCEPT"):
        assert word in text


def test_panel_before_the_first_order_says_so() -> None:
    assert "no order yet" in shown(STATE)
