# SPDX-License-Identifier: Apache-2.0
"""Verbs of the long-running processes, each restartable alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pretrade.cli import scenarios
from pretrade.cli.options import ConfigFile, Instruments, Run, StaticLimit, load_config

Offset = Annotated[int, typer.Option("--utc-offset-ns", help="Added to wall UTC, for a paced simulation.")]
ClockFile = Annotated[Path | None, typer.Option("--clock-file", help="File in which a paced simulation sets its clock; waits for it.")]


def capture(run: Run, instrument: Instruments = None, config: ConfigFile = None, static_limit: StaticLimit = None) -> None:
    """Run the feed handler: market journal and quotes table."""
    from pretrade.sidecar import serve

    settings = load_config(config, static_limit)
    serve.serve_capture(run, settings, tuple(settings.instrument(s) for s in instrument or ["ES"]))


def sidecar(
    run: Run,
    instrument: Instruments = None,
    model: Annotated[Path | None, typer.Option("--model", help="Folder of a trained model.")] = None,
    static: Annotated[bool, typer.Option("--static", help="Control arm: static limits kept fresh, no model.")] = False,
    config: ConfigFile = None,
    static_limit: StaticLimit = None,
) -> None:
    """Run the sidecar: market journal in, limits table out."""
    from pretrade.sidecar import serve

    if (model is None) != static:
        raise typer.BadParameter("give either --model DIR or --static")
    settings = load_config(config, static_limit)
    serve.serve_sidecar(run, settings, tuple(settings.instrument(s) for s in instrument or ["ES"]), model)


def gateway(
    run: Annotated[Path | None, typer.Option("--run", help="Run directory with tables and journals; with [fix], that of the configuration.")] = None,
    gateway_id: Annotated[int, typer.Option("--gateway-id", help="Row of the controls table it claims.")] = 0,
    clock: Annotated[str, typer.Option("--clock", help="wall, or records: time read from each order (simulated runs only).")] = "wall",
    venue: Annotated[Path | None, typer.Option("--venue", help="File a venue announced its ports in.")] = None,
    quotes: Annotated[Path | None, typer.Option("--quotes", help="Another quotes table than the run directory's.")] = None,
    metrics_port: Annotated[int | None, typer.Option("--metrics-port", help="Loopback port of /metrics; 0 takes any that is free.")] = None,
    config: ConfigFile = None,
    static_limit: StaticLimit = None,
) -> None:
    """Run a gateway: over FIX where the configuration has a [fix], else records over a loopback port."""
    from pretrade.sidecar import serve, serve_fix

    settings = load_config(config, static_limit)
    if settings.fix is not None:
        if clock != "wall" or venue is not None:
            raise typer.BadParameter("--clock and --venue belong to the loopback port; [fix] has its own venue")
        serve_fix.serve_fix(run, settings, gateway_id=gateway_id, quotes=quotes)
        return
    if run is None:
        raise typer.BadParameter("give --run DIR, or a configuration with a [fix]")
    serve.serve_gateway(run, settings, gateway_id=gateway_id, clock=clock, venue_path=venue, quotes=quotes, metrics_port=metrics_port)


def simulate_serve(
    run: Run,
    seed: Annotated[int, typer.Option(help="Seed of the market.")],
    utc_offset_ns: Offset = 0,
    clock_file: ClockFile = None,
    seller_rate: float = 1.0,
    maker_caps: float = 1.0,
    value_volatility: float = 1.0,
    config: ConfigFile = None,
    static_limit: StaticLimit = None,
) -> None:
    """Run the simulated venue at its own pace."""
    from pretrade.simulation import live
    from pretrade.simulation.market import crash_market

    load_config(config, static_limit)
    market = crash_market(seller_rate=seller_rate, maker_caps=maker_caps, value_volatility=value_volatility)
    live.serve_venue(run, seed, market, offset_ns=utc_offset_ns, clock_file=clock_file)


def deliver_alerts(run: Run, url: Annotated[str, typer.Option("--url", help="Webhook that takes alarms.")], config: ConfigFile = None) -> None:
    """Deliver alarms from the alert journal to a webhook until told to stop."""
    from pretrade import monitoring

    load_config(config)
    monitoring.serve(run, url)


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command()(capture)
    app.command()(sidecar)
    app.command()(gateway)
    app.command("alerts")(deliver_alerts)
    simulate = typer.Typer(help="The simulated exchange.", no_args_is_help=True)
    simulate.callback()(lambda: None)
    simulate.command("serve")(simulate_serve)
    scenarios.register(simulate)
    app.add_typer(simulate, name="simulate")
