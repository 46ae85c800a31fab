# SPDX-License-Identifier: Apache-2.0
"""Verbs that show what it does: demo and bench."""

from __future__ import annotations

import json as codec
from pathlib import Path
from typing import Annotated, Any

import typer

from pretrade.cli.options import DEFAULT_RUN, AsJson, ConfigFile, emit, load_config, say


def demo(
    in_process: Annotated[bool, typer.Option("--in-process", help="One process, simulated clock.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of the market.")] = 7,
    seeds: Annotated[str | None, typer.Option("--seeds", help="A..B: one row a seed and a summary, all detectors side by side.")] = None,
    static_limit: Annotated[int, typer.Option("--static-limit", help="Static maximum order size, lots.")] = 500,
    seller_rate: Annotated[float, typer.Option("--seller-rate", help="Factor on the seller's rate.")] = 1.0,
    maker_caps: Annotated[float, typer.Option("--maker-caps", help="Factor on the makers' inventory caps.")] = 1.0,
    value_volatility: Annotated[float, typer.Option("--value-volatility", help="Factor on the value's volatility.")] = 1.0,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes of a batch.")] = 1,
    json: Annotated[Path, typer.Option("--json", help="Where the numbers go; a stopped batch goes on from there.")] = Path("demo.json"),
    report: Annotated[Path, typer.Option("--report", help="Where the report goes.")] = Path("demo-report.html"),
    run: Annotated[Path, typer.Option("--run", help="Run directory; models are cached there.")] = DEFAULT_RUN,
    config: ConfigFile = None,
) -> None:
    """Watch the 14:30 flash crash: the tier rises, the limit falls, a 200-lot order bounces."""
    from pretrade.simulation import demo as room
    from pretrade.simulation import live

    settings = load_config(config)
    options = room.StoryOptions(static_limit, seller_rate, maker_caps, value_volatility)
    if seeds is not None:
        from pretrade.simulation import batch

        result = batch.run(batch.BatchRequest(seed_range(seeds), options, settings, run, workers=workers), json, say=say)
        for line in batch.lines(result):
            say(line)
        emit(result["summary"])
        return
    if in_process:
        told = room.tell(seed, options, run, base=settings, say=say)
    else:
        from pretrade.cli.live import LiveView

        with LiveView() as view:
            told = live.tell(seed, options, run, settings, config_path=config, say=say, show=view.update)
    json.write_text(codec.dumps(told.demo, indent=1, sort_keys=True) + "\n")
    report.write_text(room.report(told), encoding="utf-8")
    _summary(told.demo)


def seed_range(text: str) -> range:
    """Seeds ``A`` to ``B``, both included, from ``A..B``.

    Raises
    ------
    typer.BadParameter
        If the text is not two whole numbers in rising order.

    Examples
    --------
    >>> list(seed_range("3..5"))
    [3, 4, 5]
    """
    first, dots, last = text.partition("..")
    if not (dots and first.isdecimal() and last.isdecimal() and int(first) <= int(last)):
        raise typer.BadParameter(f"--seeds is {text!r}; write A..B with A not above B, such as 1..20")
    return range(int(first), int(last) + 1)


def _summary(told: dict[str, Any]) -> None:
    start = told["ts_seller_start"]

    def after(name: str) -> str:
        return "never" if told[name] is None else f"T+{(told[name] - start) / 1e9:.1f} s"

    dynamic = told["order_200"]["dynamic"]
    verdict = f"{dynamic['verdict']} {dynamic['reason']}"
    for line in (
        f"limit {told['max_order_quantity_before']} before, {told['max_order_quantity_high']} in HIGH",
        f"ELEVATED {after('ts_elevated')}, HIGH {after('ts_high')}, -1 % {after('ts_minus_1pct')}",
        f"CRITICAL {after('ts_critical')}, -2 % {after('ts_minus_2pct')}",
        f"200 lots, dynamic: {verdict} measured={dynamic['measured']:g} limit={dynamic['limit']:g} tier={dynamic['tier']}",
        f"200 lots, static:  {told['order_200']['static']['verdict']}",
        f"audit chain {'verified' if told['audit_verified'] else 'BROKEN'}; nothing resumes by itself",
    ):
        say(line)


def bench(
    suite: Annotated[str, typer.Argument(help="default, gateway, models, feeds, simulator or fix.")] = "default",
    json: AsJson = False,
    full: Annotated[bool, typer.Option("--full", help="1e9 concurrent look-ups instead of 1e8.")] = False,
) -> None:
    """Measure the promises of the README on this machine, floors beside them."""
    if suite == "fix":
        from pretrade.cli import measure_fix

        result = measure_fix.run(say)
    else:
        from pretrade.cli import measures as room

        result = room.run(suite, full=full, say=say)
    if json:
        emit(result)
        return
    for r in result["results"]:
        say(" ".join(f"{k}={v}" for k, v in r.items()))


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command()(demo)
    app.command()(bench)
