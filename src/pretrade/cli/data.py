# SPDX-License-Identifier: Apache-2.0
"""Verbs for recordings: import into a market journal, inspect, verify."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pretrade.cli.options import AsJson, ConfigFile, Date, Files, Format, Instruments, Map, Splits, emit, load_config, say, table

if TYPE_CHECKING:
    from pretrade import feeds

Shown = Annotated[bool | None, typer.Option("--progress/--no-progress", help="Progress and time left on stderr; on a terminal without asking.")]


def data_import(
    files: Files,
    format: Format,
    out: Annotated[Path, typer.Option("--out", help="The journal to make; a manifest is put beside it.")],
    map: Map = None,
    splits: Splits = None,
    date: Date = None,
    instrument: Instruments = None,
    config: ConfigFile = None,
    progress: Shown = None,
    json: AsJson = False,
) -> None:
    """Import a recording into a market journal, whole or not at all."""
    from pretrade.cli.progress import FileProgress
    from pretrade.sidecar import importing

    source = _source(files, format, map, splits, date, instrument)
    with FileProgress("import", progress) as shown:
        manifest = importing.run(source, out, load_config(config), progress=shown)
    facts = {name: getattr(manifest, name) for name in ("events", "sha256", "ts_first", "ts_last", "kinds", "faults")}
    if json:
        emit({"journal": str(out), **facts})
    else:
        say(f"{manifest.events} events to {out}, faults {dict(manifest.faults) or 'none'}")


def data_inspect(
    files: Files,
    format: Format,
    html: Annotated[Path | None, typer.Option("--html", help="Write the report there as a page.")] = None,
    map: Map = None,
    splits: Splits = None,
    date: Date = None,
    instrument: Instruments = None,
    config: ConfigFile = None,
    progress: Shown = None,
    json: AsJson = False,
) -> None:
    """Say what a recording is like: gaps, lags, faults, phases, rates; exit 1 when it could not be read to its end."""
    from pretrade.cli.progress import FileProgress
    from pretrade.sidecar import inspection

    source = _source(files, format, map, splits, date, instrument)
    with FileProgress("inspect", progress) as shown:
        report = inspection.run(source, load_config(config), progress=shown)
    if html is not None:
        inspection.write(report, html)
    if json:
        emit(report)
    else:
        table([{"what": k, "value": v} for k, v in _headline(report).items()], "quality")
        for text in report["findings"] or ["Nothing odd was found."]:
            say(text)
    if report["refused"]:
        raise typer.Exit(1)


def _headline(report: dict[str, Any]) -> dict[str, object]:
    symbols = ", ".join(i["symbol"] for i in report["instruments"])
    rate = report["rates"]["events_per_second"]
    return {
        "events": report["events"],
        "instruments": symbols,
        "seconds": report["seconds"],
        "events per second": None if rate is None else round(rate, 2),
        "median lag, ms": report["lags"]["p50_ms"],
        "faults": report["faults"] or "none",
        "rows": report["rows"]["rows"],
        "rows fit to score": report["rows"]["fit_to_score"],
    }


def data_verify(
    journal: Annotated[Path, typer.Argument(help="An imported journal.")],
    files: Annotated[list[Path] | None, typer.Argument(help="The recording, where it no longer lies where it was imported from.")] = None,
    journal_only: Annotated[bool, typer.Option("--journal-only", help="Compare with no recording.")] = False,
    config: ConfigFile = None,
    progress: Shown = None,
    json: AsJson = False,
) -> None:
    """Verify an imported journal and hold it against its recording; exit 1 when something does not hold."""
    from pretrade.cli.progress import FileProgress
    from pretrade.sidecar import verification

    with FileProgress("verify", progress) as shown:
        found = verification.run(journal, load_config(config), files=tuple(files) if files else None, journal_only=journal_only, progress=shown)
    if json:
        emit(found.as_dict())
    else:
        against = f"{found.rows_compared} rows equal its recording's" if found.is_compared else "not compared with its recording"
        for text in found.findings or [f"{found.events} events hold, {against}"]:
            say(text)
    if found.findings:
        raise typer.Exit(1)


def _source(files: list[Path], format: str, map: Path | None, splits: Path | None, date: str | None, instrument: list[str] | None) -> feeds.Source:
    from pretrade import feeds

    return feeds.Source(tuple(files), format, None if instrument is None else tuple(instrument), date, map, splits)


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    group = typer.Typer(help="Recordings: import, inspect, verify.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command("import")(data_import)
    group.command("inspect")(data_inspect)
    group.command("verify")(data_verify)
    app.add_typer(group, name="data")
