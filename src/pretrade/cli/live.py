# SPDX-License-Identifier: Apache-2.0
"""The live terminal view of the demo."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

_COLOURS = {0: "green", 1: "yellow", 2: "red", 3: "bold white on red"}
_NAMES = ("NORMAL", "ELEVATED", "HIGH", "CRITICAL")


class LiveView:
    """Price, depth, tier, limit and decisions, redrawn in place on a terminal; one line a second elsewhere."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._live: Any = None
        self._last_second: int | None = None

    def __enter__(self) -> Self:
        if self._is_terminal:
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(stderr=True), refresh_per_second=10, transient=False)
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()

    def update(self, state: Mapping[str, Any]) -> None:
        """Show one sample."""
        if self._live is not None:
            self._live.update(self._panel(state))
            return
        second = int(state["t_s"] // 5)
        if second != self._last_second:
            self._last_second = second
            market = f"T{state['t_s']:+6.1f} s  {state['price']:9.2f}  bid depth {state['depth_bid']:5d}"
            sys.stderr.write(f"{market}  {_NAMES[state['tier']]:8s} limit {state['limit']:4d}{_decision(state)}\n")
            sys.stderr.flush()

    @staticmethod
    def _panel(state: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a rich renderable
        from rich.panel import Panel
        from rich.text import Text

        text = Text()
        text.append(f"T{state['t_s']:+6.1f} s   price {state['price']:9.2f}   ")
        text.append(f"spread {state['spread_ticks']:.0f} ticks   score {state['score']:.3f}\n")
        for side, colour in (("bid", "cyan"), ("ask", "magenta")):
            depth = state[f"depth_{side}"]
            text.append(f"{side} {depth:5d} ").append("█" * min(60, depth // 10) + "\n", style=colour)
        text.append(f" {_NAMES[state['tier']]} ", style=_COLOURS[state["tier"]]).append(f"  maximum order {state['limit']} lots\n")
        text.append(_decision(state).strip() or "no order yet")
        return Panel(text, title="pretrade: the 14:30 flash crash", width=90)


def _decision(state: Mapping[str, Any]) -> str:
    dynamic, static = state.get("decision"), state.get("static_decision")
    if not dynamic or not static:
        return ""
    return f"   200 lots: {dynamic['verdict']} {dynamic['reason'] if dynamic['verdict'] != 'ACCEPT' else ''} | static: {static['verdict']}"
