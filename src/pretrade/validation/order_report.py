# SPDX-License-Identifier: Apache-2.0
"""The order-error study, run or told again from what was stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pretrade.domain import Config
from pretrade.domain.errors import ValidationError
from pretrade.validation import order_flow_real, order_page, order_selection, order_sources, order_study, order_tables, order_tuning
from pretrade.validation.ledger import Ledger
from pretrade.validation.report import Section

REAL: Final = {"bitstamp": order_flow_real.bitstamp, "es": order_flow_real.es}
_SESSIONS: Final = 10


@dataclass(frozen=True, slots=True)
class Told:
    """A study as figures and as sections."""

    summaries: list[dict[str, Any]]
    sections: list[Section]


def told(data: Path, ledger: Path) -> Told:
    """Everything from stored predictions and the ledger.

    Raises
    ------
    ValidationError
        If the predictions of the made-up firms are absent.
    """
    if not (data / "desk.json").exists():
        raise ValidationError(f"{data} holds no stored predictions (desk.json); make them: pretrade validate order-error-run desk")
    desk = order_tables.summary(order_tables.load(data, "desk"))
    real = [order_tables.summary(order_tables.load(data, name)) for name in REAL if (data / f"{name}.json").exists()]
    sections = order_page.sections(desk, real, Ledger(ledger)) + order_tuning.sections(data / "tuning.json")
    sections += order_selection.sections(data / "selection.json")
    return Told([desk, *real], sections)


def run(
    source: str,
    *,
    data: Path,
    ledger: Path,
    work: Path,
    recordings: Path | None,
    config: Config,
    say: Callable[[str], None],
) -> None:
    """Run the study on a source and store its predictions.

    Raises
    ------
    ValidationError
        If the source is unknown, or its recordings are not named.
    """
    aside = {"selection": order_selection.run, "tuning": order_tuning.run}
    if source in aside:
        aside[source](order_sources.desks(), data / f"{source}.json", Ledger(ledger), work, say=say)
        return
    if source == "desk":
        made = order_sources.desks()
    elif source in REAL:
        if recordings is None:
            raise ValidationError(f"source {source} needs --recordings")
        made = order_flow_real.source(source, REAL[source](recordings, config), sessions=_SESSIONS)
    else:
        raise ValidationError(f"source is {source!r}; known are desk, tuning, selection, {', '.join(REAL)}")
    order_study.write(order_study.Study(made, Ledger(ledger), work, say=say).run(), data)
