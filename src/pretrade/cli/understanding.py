# SPDX-License-Identifier: Apache-2.0
"""Verbs for researchers: replay, features, train."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pretrade.cli.options import (
    AsJson,
    ConfigFile,
    Date,
    Files,
    Format,
    Instruments,
    Map,
    Splits,
    StaticLimit,
    emit,
    load_config,
    say,
    table,
)


def replay(
    files: Files,
    format: Format,
    json: Annotated[Path | None, typer.Option("--json", help="Write the result there.")] = None,
    model: Annotated[Path | None, typer.Option("--model", help="Folder of a trained model.")] = None,
    kind: Annotated[str, typer.Option("--kind", help="Model to fit without --model: pca or vae.")] = "pca",
    map: Map = None,
    splits: Splits = None,
    date: Date = None,
    instrument: Instruments = None,
    config: ConfigFile = None,
    static_limit: StaticLimit = None,
    seed: Annotated[int, typer.Option(help="Seed of the fit.")] = 0,
    pace: Annotated[float, typer.Option(help="0 as fast as it can, 1 the recording's own pace.")] = 0.0,
) -> None:
    """Tell a recorded day's story: tiers, limits, decisions."""
    from pretrade.sidecar import replay as room

    request = room.ReplayRequest(files, format, instrument, date, map, splits, model, kind, seed, pace)
    result = room.run(request, load_config(config, static_limit), say=say)
    if json is not None:
        room.write(result, json)
    shown = ("ts_recv", "instrument_id", "from", "to", "score", "cause")
    rows = [{**{name: c[name] for name in shown}, "drivers": ", ".join(c["drivers"])} for c in result["tier_changes"]]
    counts = (f"{result[name]} {name.replace('_', ' ')}" for name in ("events", "snapshots", "limit_records", "alarms"))
    table(rows, ", ".join(counts))


def features(
    files: Annotated[list[Path] | None, typer.Argument(help="Recording files; none prints the registry.")] = None,
    format: Format = "dbn",
    out: Annotated[Path | None, typer.Option("--out", help="rows.csv or rows.parquet.")] = None,
    map: Map = None,
    splits: Splits = None,
    date: Date = None,
    instrument: Instruments = None,
    config: ConfigFile = None,
) -> None:
    """Write the feature rows of a recording, or print what each feature is."""
    from pretrade import features as room
    from pretrade import feeds

    if not files or out is None:
        cards = room.REGISTRY.values()
        table([{"name": c.name, "formula": c.formula, "unit": c.unit, "range": c.range, "source": c.source} for c in cards], "features")
        return
    settings = load_config(config)
    stream = feeds.open(files, format=format, config=settings, instruments=instrument, date=date, map=map, splits=splits)
    rows = room.collect(iter(stream), room.engine(settings, stream.instruments, with_quotes=False))
    rows.write(out)
    say(f"{stream.events} events, {len(rows)} rows to {out}, faults {stream.faults or 'none'}")


def train_anomaly(
    files: Files,
    format: Format,
    out: Annotated[Path, typer.Option("--out", help="Folder of the model.")],
    kind: Annotated[str, typer.Option("--kind", help="pca or vae.")] = "pca",
    onnx: Annotated[Path | None, typer.Option("--onnx", help="Somebody's ONNX file instead: only normaliser and thresholds are fitted.")] = None,
    map: Map = None,
    splits: Splits = None,
    date: Date = None,
    instrument: Instruments = None,
    config: ConfigFile = None,
    seed: Annotated[int, typer.Option(help="Seed of the fit.")] = 0,
) -> None:
    """Fit an anomaly model on the calm rows of recordings."""
    from pretrade import features as room
    from pretrade import feeds, models

    settings = load_config(config)
    stream = feeds.open(files, format=format, config=settings, instruments=instrument, date=date, map=map, splits=splits)
    rows = room.collect(iter(stream), room.engine(settings, stream.instruments, with_quotes=False))
    model = models.train_anomaly(rows, kind=kind, out=out, config=settings, seed=seed, onnx=onnx)
    say(f"{model.kind} model {model.id} to {out}" + (" (PROVISIONAL: short history)" if model.provisional else ""))


def check_config(config: ConfigFile = None, json: AsJson = False) -> None:
    """Read the configuration and say what is in it."""
    settings = load_config(config)
    symbols = [i.symbol for i in settings.instruments]
    facts = {"hash": settings.hash, "instruments": symbols, "sessions": sorted(settings.sessions), "static": settings.static}
    emit(facts) if json else table([{"key": k, "value": v} for k, v in facts.items()], "configuration")


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command()(replay)
    app.command()(features)
    train = typer.Typer(help="Fit models.", no_args_is_help=True)
    train.command("anomaly")(train_anomaly)
    app.add_typer(train, name="train")
    train.callback()(lambda: None)
    app.command("check-config")(check_config)
