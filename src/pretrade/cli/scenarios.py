# SPDX-License-Identifier: Apache-2.0
"""Verbs of the scenario library, below ``pretrade simulate``."""

from __future__ import annotations

import json as codec
import os
from pathlib import Path
from typing import Annotated

import typer

from pretrade.cli.options import DEFAULT_RUN, AsJson, ConfigFile, emit, load_config, say, table
from pretrade.cli.proof import seed_range


def list_families(json: AsJson = False) -> None:
    """The families of the scenario library, and the right answer to each."""
    from pretrade.simulation import library

    known = [e.family for e in library.entries()]
    rows = [{"family": f.number, "name": f.name, "what happens": f.title, "right answer": f.answer, "story": f.story is not None} for f in known]
    if json:
        emit({"families": rows})
    else:
        table(rows, "scenario library")


def run_family(
    family: Annotated[str, typer.Argument(help="Number, name, or path of a Python file that defines FAMILY.")],
    seeds: Annotated[str, typer.Option("--seeds", help="A..B, both included.")],
    story: Annotated[bool, typer.Option("--story", help="The story's own numbers on every seed.")] = False,
    events: Annotated[Path | None, typer.Option("--events", help="Folder for event logs and decision journals.")] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="Processes; one per processor without it.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Where finished seeds are kept; a stopped run goes on from there.")] = None,
    json: AsJson = False,
    run: Annotated[Path, typer.Option("--run", help="Run directory; models are cached there.")] = DEFAULT_RUN,
    config: ConfigFile = None,
) -> None:
    """Run a family over seeds under four arms: static, volatility rule, dynamic, always tight."""
    from pretrade.simulation import evaluation, library

    settings, wanted = load_config(config), seed_range(seeds)
    keep = out or run / "scenarios" / f"{library.find(family).family.name}{'-story' if story else ''}.json"
    keep.parent.mkdir(parents=True, exist_ok=True)
    request = evaluation.EvaluationRequest(family, wanted, settings, run, story, workers or os.cpu_count() or 1, events)
    result = evaluation.run(request, keep, say=say)
    if json:
        emit(result)
        return
    say(f"right answer: {result['batch']['family']['answer']}; volatility rule {result['batch']['rule']}")
    for line in evaluation.lines(result):
        say(line)
    say(f"rows in {keep}")


def report(
    results: Annotated[list[Path], typer.Argument(help="Files that `simulate run --out` kept.")],
    out: Annotated[Path, typer.Option("--out", help="The page.")] = Path("scenarios.html"),
) -> None:
    """One page over results: what each arm saves and what it blocks, lead times, false trips."""
    from pretrade.domain.errors import SimulationError
    from pretrade.simulation import frontier

    loaded = []
    for path in results:
        try:
            loaded.append(codec.loads(path.read_text()))
        except ValueError as e:
            raise SimulationError(f"{path}: is no result of `simulate run`: {e}") from e
    out.write_text(frontier.render(loaded), encoding="utf-8")
    say(f"{out}: {len(loaded)} families")


def register(simulate: typer.Typer) -> None:
    """Add the verbs to ``simulate``."""
    simulate.command("list")(list_families)
    simulate.command("run")(run_family)
    simulate.command("report")(report)
