# SPDX-License-Identifier: Apache-2.0
"""Verbs that prove models: validate order-error."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pretrade.cli.options import AsJson, ConfigFile, emit, load_config, say, table

_EXIT_FINDING = 1
_DATA = Path("docs/models/data/order_error")
_LEDGER = Path("docs/models/data/ledger/order_error.jsonl")
_PAGE = Path("docs/models/order_error.md")
Data = Annotated[Path, typer.Option("--data", help="Folder of stored predictions.")]
LedgerFile = Annotated[Path, typer.Option("--ledger", help="Ledger of configurations tried and blocks scored.")]


def order_error(
    data: Data = _DATA,
    ledger: LedgerFile = _LEDGER,
    html: Annotated[Path | None, typer.Option("--html", help="Write the report there, one self-contained page.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Write the generated part of the page.")] = False,
    page: Annotated[Path, typer.Option("--page", help="The page.")] = _PAGE,
    json: AsJson = False,
) -> None:
    """Report the order-error study from its stored predictions; exit 1 where the page says otherwise than they do."""
    from pretrade.validation import order_report, report

    told = order_report.told(data, ledger)
    if html is not None:
        html.write_text(report.html("Order-error model", told.sections), encoding="utf-8")
    is_same = report.update(page, report.markdown(told.sections), is_written=write) if page.exists() else True
    if json:
        emit({"sources": told.summaries, "page_is_current": is_same or write})
    else:
        for section in told.sections[:1]:
            table([dict(zip(section.head, row, strict=True)) for row in section.rows], section.title)
    if not (is_same or write):
        say(f"{page} differs from the stored predictions; --write brings it up to date")
        raise typer.Exit(_EXIT_FINDING)


def order_error_run(
    source: Annotated[str, typer.Argument(help="desk, tuning or selection; bitstamp or es with --recordings.")],
    data: Data = _DATA,
    ledger: LedgerFile = _LEDGER,
    work: Annotated[Path, typer.Option("--work", help="Where finished folds stand; a killed run goes on from there.")] = Path("run/validate"),
    recordings: Annotated[Path | None, typer.Option("--recordings", help="Folder of the real recordings.")] = None,
    config: ConfigFile = None,
) -> None:
    """Run the order-error study on a source: fit, calibrate and test every contender on every fold."""
    from pretrade.validation import order_report

    order_report.run(source, data=data, ledger=ledger, work=work, recordings=recordings, config=load_config(config), say=say)


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    validate = typer.Typer(help="Prove models from stored predictions, or make those.", no_args_is_help=True)
    validate.callback()(lambda: None)
    validate.command("order-error")(order_error)
    validate.command("order-error-run")(order_error_run)
    app.add_typer(validate, name="validate")
