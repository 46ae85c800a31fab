# SPDX-License-Identifier: Apache-2.0
"""Verbs for risk officers; they work with every process dead."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer

from pretrade.cli.options import DEFAULT_RUN, AsJson, By, Reason, Run, StaticLimit, emit, load_config, table

LevelName = Annotated[str, typer.Argument(help="instrument, account, strategy, trader, desk, venue or firm.")]
RowId = Annotated[int, typer.Argument(help="Id at that level; 0 for the firm.")]
SecondBy = Annotated[str | None, typer.Option("--second-by", help="A second person, where it loosens anything.")]
RunPath = Annotated[Path, typer.Option("--run", help="Run directory with tables and journals.")]


def limits_show(run: Run = DEFAULT_RUN, json: AsJson = False) -> None:
    """Show what is limited now and why."""
    from pretrade.domain import Tier
    from pretrade.domain.config import PARAMETERS
    from pretrade.domain.group import is_group
    from pretrade.limits import Controls, LimitsTable, RunDirectory

    directory = RunDirectory(run)
    records = LimitsTable.open(directory).snapshot()
    controls = Controls.open(directory)
    rows: list[dict[str, object]] = []
    groups: list[dict[str, object]] = []
    for r in records:
        if is_group(int(r["instrument_id"])):
            facts = {"group_id": int(r["instrument_id"]), "tier": Tier(int(r["tier"])).name, "version": int(r["version"])}
            groups.append({**facts, "score": _score(r["systemic_score"]), "reasons": [int(c) for c in r["reasons"] if c]})
            continue
        static = controls.static(int(r["instrument_id"]))
        row = {"instrument_id": int(r["instrument_id"]), "tier": Tier(int(r["tier"])).name, "version": int(r["version"]), "score": float(r["score"])}
        row["systemic_score"] = _score(r["systemic_score"])
        row |= {"trip_id": int(r["trip_id"]), "reasons": [int(c) for c in r["reasons"] if c]}
        shown = PARAMETERS if json else ("max_order_quantity", "collar_ticks", "passive_standoff_ticks")
        row |= {name: f"{r[name]} (static {static.get(name)})" if not json else {"now": r[name].item(), "static": static.get(name)} for name in shown}
        rows.append(row)
    if json:
        emit({"limits": rows, "groups": groups})
        return
    table(rows, "limits")
    if groups:
        table(groups, "groups: their tier is the least of every member's")


def _score(value: float) -> float | None:
    """A score for JSON; ``None`` where it is absent."""
    return float(value) if value == value else None


def limits_load(
    config: Annotated[Path, typer.Option("--config", help="TOML file.")],
    by: By,
    second_by: Annotated[str | None, typer.Option("--second-by", help="A second person, where it loosens anything.")] = None,
    run: Run = DEFAULT_RUN,
    static_limit: StaticLimit = None,
) -> None:
    """Load a configuration into the controls; two persons where it loosens anything. Gateways start with no other."""
    from pretrade.limits import Controls, RunDirectory

    Controls.create(RunDirectory(run), load_config(config, static_limit), by=by, second_by=second_by)


def limits_set(
    level: LevelName,
    row: RowId,
    values: Annotated[list[str], typer.Argument(help="NAME=VALUE, as in the configuration; off and unlimited are words.")],
    by: By,
    reason: Reason,
    second_by: SecondBy = None,
    run: Run = DEFAULT_RUN,
) -> None:
    """Set static limits of a row under running gateways; two persons where it loosens any."""
    from pretrade.domain.config import parameters
    from pretrade.limits import Controls, RunDirectory

    given: dict[str, object] = {}
    for word in values:
        name, equals, value = word.partition("=")
        if not equals:
            raise typer.BadParameter(f"{word!r} is no NAME=VALUE")
        given[name] = _number(value)
    found = parameters(given, f"{level} {row}")
    Controls.open(RunDirectory(run)).set_static(row, found, by, reason, second_by=second_by, level=level_of(level))


def limits_enable(
    level: LevelName, row: RowId, by: By, second_by: Annotated[str, typer.Option("--second-by")], reason: Reason, run: Run = DEFAULT_RUN
) -> None:
    """Let a row trade again; two persons."""
    from pretrade.limits import Controls, RunDirectory

    Controls.open(RunDirectory(run)).set_enabled(level_of(level), row, by, reason, on=True, second_by=second_by)


def limits_disable(level: LevelName, row: RowId, by: By, reason: Reason, run: Run = DEFAULT_RUN) -> None:
    """Take an account, strategy, trader, desk, session or instrument out of trading at once."""
    from pretrade.limits import Controls, RunDirectory

    Controls.open(RunDirectory(run)).set_enabled(level_of(level), row, by, reason, on=False)


def _number(word: str) -> int | Decimal | str:
    """As TOML would read it; what is no number stays a word."""
    try:
        return int(word)
    except ValueError:
        pass
    try:
        return Decimal(word)
    except InvalidOperation:
        return word


def level_of(name: str) -> Any:  # noqa: ANN401 - a Level, imported late
    """The level of a name that somebody typed."""
    from pretrade.limits import Level

    known = {found.name.lower(): found for found in Level}
    if name not in known:
        raise typer.BadParameter(f"{name!r} is no level; it must be one of {', '.join(known)}")
    return known[name]


def breaker_list(run: Run = DEFAULT_RUN, json: AsJson = False) -> None:
    """List breakers that are tripped."""
    from pretrade.limits import Controls, RunDirectory

    controls = Controls.open(RunDirectory(run))
    rows = [{"instrument_id": t.instrument_id, "source": t.source, "trip_id": t.trip_id} for t in controls.trips()]
    stops = [{"level": s.level.name.lower(), "id": s.row_id, "stop_id": s.stop_id, "control": s.control} for s in controls.stops()]
    if json:
        emit({"trips": rows, "stops": stops})
        return
    table(rows, "tripped breakers")
    if stops:
        table(stops, "stopped levels")


def breaker_resume(
    instrument: Annotated[int, typer.Argument(help="Instrument id.")],
    trip: Annotated[int, typer.Argument(help="Trip id, as listed.")],
    by: By,
    reason: Reason,
    run: Run = DEFAULT_RUN,
) -> None:
    """Resume one tripped breaker by name."""
    from pretrade.limits import Controls, RunDirectory

    Controls.open(RunDirectory(run)).resume(instrument, trip, by, reason)


def breaker_resume_level(
    level: Annotated[str, typer.Argument(help="account, strategy, trader, desk, venue or firm.")],
    row: Annotated[int, typer.Argument(help="Id at that level; 0 for the firm.")],
    stop: Annotated[int, typer.Argument(help="Stop id, as listed.")],
    by: By,
    reason: Reason,
    second_by: Annotated[str | None, typer.Option("--second-by", help="A second person, after a loss.")] = None,
    run: Run = DEFAULT_RUN,
) -> None:
    """End a gateway's stop of a level (repeated execution, loss) by name."""
    from pretrade.limits import Controls, RunDirectory

    Controls.open(RunDirectory(run)).resume_level(level_of(level), row, stop, by, reason, second_by=second_by)


def kill_arm(by: By, reason: Reason, run: Run = DEFAULT_RUN) -> None:
    """Refuse every new order of the firm at once; prints the number of this arming."""
    from pretrade.limits import Controls, RunDirectory

    emit({"number": Controls.open(RunDirectory(run)).arm_kill(by, reason)})


def kill_release(
    number: Annotated[int, typer.Argument(help="Number of the arming, as printed when it was armed.")],
    by: By,
    second_by: Annotated[str, typer.Option("--second-by", help="A second person.")],
    reason: Reason,
    run: Run = DEFAULT_RUN,
) -> None:
    """Release one arming of the firm's kill switch; two persons. A later arming stays."""
    from pretrade.limits import Controls, RunDirectory

    Controls.open(RunDirectory(run)).release_kill(number, by, second_by, reason)


def audit_verify(path: Annotated[Path, typer.Argument(help="A control or gate journal.")]) -> None:
    """Verify a journal's hash chain; exit 1 when it does not hold."""
    from pretrade import audit

    result = audit.verify(path)
    emit({"ok": result.ok, "records": result.records, "head": result.head, "problems": list(result.problems)})
    if not result.ok:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    groups: tuple[tuple[str, dict[str, Callable[..., None]], str], ...] = (
        (
            "limits",
            {"show": limits_show, "load": limits_load, "set": limits_set, "enable": limits_enable, "disable": limits_disable},
            "Limits in force.",
        ),
        ("breaker", {"list": breaker_list, "resume": breaker_resume, "resume-level": breaker_resume_level}, "Tripped breakers."),
        ("kill", {"arm": kill_arm, "release": kill_release}, "The kill switch."),
        ("audit", {"verify": audit_verify}, "Journals."),
    )
    for name, verbs, help_text in groups:
        group = typer.Typer(help=help_text, no_args_is_help=True)
        group.callback()(lambda: None)
        for verb, function in verbs.items():
            group.command(verb)(function)
        app.add_typer(group, name=name)
