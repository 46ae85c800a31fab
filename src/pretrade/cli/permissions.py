# SPDX-License-Identifier: Apache-2.0
"""Verbs of what humans allow or bar one by one; they work with every process dead."""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from pretrade.cli.control import LevelName, RowId, level_of
from pretrade.cli.options import DEFAULT_RUN, AsJson, By, ConfigFile, Reason, Run, emit, load_config, table

Account = Annotated[int, typer.Option("--account", help="Account id.")]
Instrument = Annotated[int, typer.Option("--instrument", help="Instrument id.")]
Gateway = Annotated[int, typer.Option("--gateway", help="The one gateway that may spend it.")]
SecondBy = Annotated[str | None, typer.Option("--second-by", help="A second person.")]


def ticket_issue(
    account: Account,
    instrument: Instrument,
    side: Annotated[str, typer.Option("--side", help="buy or sell.")],
    quantity: Annotated[int, typer.Option("--quantity", help="Largest quantity.")],
    price: Annotated[str, typer.Option("--price", help="Highest price of a buy, lowest of a sell.")],
    by: By,
    reason: Reason,
    second_by: SecondBy = None,
    minutes: Annotated[float, typer.Option("--minutes", help="How long it is good, at most 15.")] = 5.0,
    through_kill: Annotated[bool, typer.Option("--through-kill", help="It also passes the kills that stand now.")] = False,
    gateway: Gateway = 0,
    run: Run = DEFAULT_RUN,
) -> None:
    """Permit one order that reduces a position through breaker, reduce-only and limits; prints the number that the order names."""
    from pretrade.domain import Side
    from pretrade.limits import Controls, RunDirectory, permissions

    sides = {"buy": Side.BID, "sell": Side.ASK}
    if side not in sides:
        raise typer.BadParameter(f"--side is {side!r}; it must be buy or sell")
    number = permissions.issue_ticket(
        Controls.open(RunDirectory(run)),
        account_id=account,
        instrument_id=instrument,
        side=sides[side],
        quantity=quantity,
        price=_price(price),
        by=by,
        reason=reason,
        second_by=second_by,
        minutes=minutes,
        gateway_id=gateway,
        is_through_kill=through_kill,
    )
    emit({"ticket": number})


def ticket_list(run: Run = DEFAULT_RUN, json: AsJson = False) -> None:
    """List exit tickets that were issued and not revoked, and which order spent each."""
    from pretrade.limits import RunDirectory, permissions

    directory, now = RunDirectory(run), time.time_ns()
    rows: list[dict[str, object]] = []
    for ticket in permissions.tickets(directory):
        order = permissions.spent(directory, ticket.gateway).get(ticket.ticket_id)
        state = f"spent by order {order}" if order is not None else "over" if ticket.until < now else f"good for {(ticket.until - now) // 10**9} s"
        row: dict[str, object] = {"ticket": ticket.ticket_id, "gateway": ticket.gateway, "account": ticket.account, "instrument": ticket.instrument}
        row |= {"side": "buy" if ticket.side == 1 else "sell", "quantity": ticket.quantity, "price": ticket.price / 1e9, "kill": ticket.kill}
        rows.append({**row, "persons": ticket.persons, "state": state})
    emit({"tickets": rows}) if json else table(rows, "exit tickets")


def ticket_revoke(ticket: Annotated[int, typer.Argument(help="Number, as issued.")], by: By, reason: Reason, run: Run = DEFAULT_RUN) -> None:
    """Let a ticket be good for nothing from now on."""
    from pretrade.limits import Controls, RunDirectory, permissions

    permissions.revoke_ticket(Controls.open(RunDirectory(run)), ticket, by, reason)


def restrict_add(account: Account, instrument: Instrument, by: By, reason: Reason, run: Run = DEFAULT_RUN) -> None:
    """Bar an account from an instrument at once."""
    from pretrade.limits import Controls, RunDirectory, permissions

    permissions.restrict(Controls.open(RunDirectory(run)), account, instrument, by, reason)


def restrict_remove(
    account: Account,
    instrument: Instrument,
    by: By,
    second_by: Annotated[str, typer.Option("--second-by", help="A second person.")],
    reason: Reason,
    run: Run = DEFAULT_RUN,
) -> None:
    """Let an account trade an instrument again; two persons."""
    from pretrade.limits import Controls, RunDirectory, permissions

    permissions.restrict(Controls.open(RunDirectory(run)), account, instrument, by, reason, on=False, second_by=second_by)


def restrict_list(run: Run = DEFAULT_RUN, json: AsJson = False) -> None:
    """List accounts and the instruments that they may not trade."""
    from pretrade.limits import RunDirectory, permissions

    rows: list[dict[str, object]] = [{"account": a, "instrument": i} for a, i in permissions.restricted(RunDirectory(run))]
    emit({"restricted": rows}) if json else table(rows, "restricted list")


def surveillance_block(level: LevelName, row: RowId, by: By, reason: Reason, run: Run = DEFAULT_RUN) -> None:
    """Stop a row at once for what surveillance saw (wash, marking, layering); cancels pass."""
    from pretrade.limits import Controls, RunDirectory, permissions

    permissions.block(Controls.open(RunDirectory(run)), level_of(level), row, by, reason)


def surveillance_lift(
    level: LevelName,
    row: RowId,
    by: By,
    second_by: Annotated[str, typer.Option("--second-by", help="A second person.")],
    reason: Reason,
    run: Run = DEFAULT_RUN,
) -> None:
    """Let a blocked row trade again; two persons."""
    from pretrade.limits import Controls, RunDirectory, permissions

    permissions.block(Controls.open(RunDirectory(run)), level_of(level), row, by, reason, on=False, second_by=second_by)


def surveillance_list(run: Run = DEFAULT_RUN, json: AsJson = False) -> None:
    """List rows that surveillance blocked."""
    from pretrade.limits import RunDirectory, permissions

    rows: list[dict[str, object]] = [{"level": level.name.lower(), "id": row} for level, row in permissions.blocked(RunDirectory(run))]
    emit({"blocked": rows}) if json else table(rows, "blocked by surveillance")


def checks_load(
    file: Annotated[Path, typer.Argument(help="TOML of [[check]] and [[bucket]].")],
    by: By,
    reason: Reason,
    second_by: SecondBy = None,
    config: ConfigFile = None,
    run: Run = DEFAULT_RUN,
) -> None:
    """Put checks of your own and buckets in force under running gateways; two persons where any goes or changes."""
    from pretrade.limits import Controls, RunDirectory, permissions, rules

    found = rules.read(file, load_config(config), time.time_ns())
    permissions.set_rules(Controls.open(RunDirectory(run)), found, by, reason, second_by=second_by)
    emit({"rules": len(found)})


def checks_list(run: Run = DEFAULT_RUN) -> None:
    """List checks and buckets in force, as the gate reads them."""
    from pretrade.limits import RunDirectory, permissions

    emit({"rules": list(permissions.rules(RunDirectory(run)))})


def _price(text: str) -> int:
    """A decimal price in 1e-9, exactly."""
    try:
        scaled = Decimal(text).scaleb(9)
    except InvalidOperation:
        raise typer.BadParameter(f"--price is {text!r}; it must be a decimal number") from None
    if scaled != scaled.to_integral_value():
        raise typer.BadParameter(f"--price is {text}; it must be a multiple of 0.000000001")
    return int(scaled)


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    groups: tuple[tuple[str, dict[str, Callable[..., None]], str], ...] = (
        ("exit-ticket", {"issue": ticket_issue, "list": ticket_list, "revoke": ticket_revoke}, "One-shot permissions to reduce a position."),
        ("surveillance", {"block": surveillance_block, "lift": surveillance_lift, "list": surveillance_list}, "Rows stopped by surveillance."),
        ("checks", {"load": checks_load, "list": checks_list}, "Checks of your own, and sums over instruments."),
        ("restrict", {"add": restrict_add, "remove": restrict_remove, "list": restrict_list}, "Instruments that an account may not trade."),
    )
    for name, verbs, help_text in groups:
        group = typer.Typer(help=help_text, no_args_is_help=True)
        group.callback()(lambda: None)
        for verb, function in verbs.items():
            group.command(verb)(function)
        app.add_typer(group, name=name)
