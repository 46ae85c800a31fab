# SPDX-License-Identifier: Apache-2.0
"""Verbs for models: list, card, compare, reproduce."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pretrade.cli.options import AsJson, emit, say, table

_EXIT_FINDING = 1
Name = Annotated[str, typer.Argument(help="Name or id of a shipped model, or folder of one of your own.")]


def models_list(
    folder: Annotated[Path | None, typer.Argument(help="Folder of anomaly models of your own, listed after those of the package.")] = None,
    json: AsJson = False,
) -> None:
    """List the models of the package, and those saved in a folder."""
    from pretrade.models import registry

    rows = [{"id": m.id, "kind": m.kind, "state": m.state, "folder": str(m.folder), "card": m.card()} for m in registry.shipped()]
    if folder is not None:
        rows += [_own(path) for path in sorted(p for p in folder.glob("*") if p.is_dir())]
    emit({"models": rows}) if json else table([{k: v for k, v in r.items() if k != "card"} for r in rows], "models")


def _own(folder: Path) -> dict[str, Any]:
    from pretrade import models

    model = models.load(folder)
    state = "provisional" if model.provisional else "draft"
    return {"id": model.id, "kind": model.kind, "state": state, "folder": str(folder), "card": model.card()}


def models_card(name: Name) -> None:
    """Print a model's card."""
    from pretrade import models
    from pretrade.models import registry

    emit(models.load(Path(name)).card() if Path(name).is_dir() else registry.find(name).card())


def models_compare(
    names: Annotated[list[str], typer.Argument(help="Names or ids of shipped models of one family; one name compares its whole family.")],
    json: AsJson = False,
) -> None:
    """Put the metrics of models side by side."""
    from pretrade.models import registry

    chosen = [registry.find(name) for name in names]
    if len(chosen) == 1:
        family = registry.family(chosen[0])
        chosen += [m for m in registry.shipped() if registry.family(m) == family and m.id != chosen[0].id]
    rows = registry.compare(chosen)
    if json:
        emit({"models": [m.id for m in chosen], "rows": rows})
        return
    table([{k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows], "metrics")


def models_reproduce(
    name: Annotated[str, typer.Argument(help="Name or id of a shipped model.")],
    out: Annotated[Path | None, typer.Option("--out", help="Keep the new folder there.")] = None,
    json: AsJson = False,
) -> None:
    """Fit a shipped model again by its recipe; exit 1 where a byte differs."""
    from pretrade.models import registry

    model = registry.find(name)
    say(f"{model.id}: fitting again by {model.recipe}")
    made = registry.reproduce(model, into=out)
    if json:
        emit({"id": made.id, "recipe": model.recipe, "same": made.is_same, "files": made.files})
    else:
        table([{"file": file, "bytes": "same" if same else "DIFFER"} for file, same in made.files.items()], made.id)
    if not made.is_same:
        raise typer.Exit(_EXIT_FINDING)


def models_check(
    file: Annotated[Path, typer.Argument(help="An ONNX file.")],
    family: Annotated[str, typer.Option("--family", help="anomaly or order_error.")],
    json: AsJson = False,
) -> None:
    """Try an ONNX file of your own against its signature; exit 1 with the reason where it may not be used."""
    from pretrade.models import foreign

    facts = foreign.load(file, family).facts()
    emit(facts) if json else say(f"{file} may stand in as {family}; it runs in {facts['engine']}, SHA-256 {facts['sha256']}")


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    models = typer.Typer(help="Models of the package, and your own.", no_args_is_help=True)
    models.command("list")(models_list)
    models.command("card")(models_card)
    models.command("compare")(models_compare)
    models.command("reproduce")(models_reproduce)
    models.command("check")(models_check)
    app.add_typer(models, name="models")
