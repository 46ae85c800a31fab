# SPDX-License-Identifier: Apache-2.0
"""Options that several verbs share."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pretrade.domain.config import Config

Files = Annotated[list[Path], typer.Argument(help="Recording files.")]
Format = Annotated[str, typer.Option("--format", help="One of pretrade.feeds.FORMATS; any other word lists them.")]
Date = Annotated[str | None, typer.Option("--date", help="YYYY-MM-DD, where the recording has only the time of day.")]
Map = Annotated[Path | None, typer.Option("--map", help="TOML column map of a table.")]
Splits = Annotated[Path | None, typer.Option("--splits", help="Table of splits (symbol, effective, ratio), applied when they take effect.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML file; the packaged configuration without it.")]
Run = Annotated[Path, typer.Option("--run", help="Run directory with tables and journals.")]
Instruments = Annotated[list[str] | None, typer.Option("--instrument", help="Symbol of the configuration; repeat for several.")]
StaticLimit = Annotated[int | None, typer.Option("--static-limit", help="Another static maximum order size, lots.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
By = Annotated[str, typer.Option("--by", help="Who acts.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, at least 10 characters.")]
DEFAULT_RUN = Path("run")


def load_config(path: Path | None, static_limit: int | None = None) -> Config:
    """The configuration a verb works with."""
    from pretrade.domain.config import Config

    config = Config.load(path)
    return config if static_limit is None else config.with_static_limit(static_limit)


def say(text: str) -> None:
    """One line of progress on stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def emit(value: object) -> None:
    """One JSON object on stdout."""
    sys.stdout.write(json.dumps(value, indent=1, sort_keys=True, default=_plain) + "\n")


def table(rows: list[dict[str, Any]], title: str) -> None:
    """A table on stdout."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    grid = Table(title=title)
    for name in rows[0] if rows else ("nothing",):
        grid.add_column(name.replace("_", " "))
    for row in rows:
        grid.add_row(*(escape(str(v)) for v in row.values()))
    Console().print(grid)


def _plain(value: object) -> object:
    return value.item() if hasattr(value, "item") else str(value)
