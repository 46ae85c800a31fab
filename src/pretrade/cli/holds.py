# SPDX-License-Identifier: Apache-2.0
"""Verbs for the reviewer of held orders."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, Any

import typer

from pretrade.cli.options import DEFAULT_RUN, AsJson, By, Reason, Run, emit, table

Order = Annotated[int, typer.Argument(help="Client order id, as listed.")]
Session = Annotated[int, typer.Option("--session", help="Session of the order, as listed.")]
Gateway = Annotated[int, typer.Option("--gateway", help="Gateway at which it waits.")]
SecondBy = Annotated[str | None, typer.Option("--second-by", help="A second person, where the order is large.")]


def holds_list(run: Run = DEFAULT_RUN, gateway: Gateway = 0, json: AsJson = False) -> None:
    """List orders that wait for a person."""
    from pretrade.gateway import waiting
    from pretrade.limits import RunDirectory

    rows = waiting(RunDirectory(run), gateway)
    shown = ("client_order_id", "session_id", "account_id", "instrument_id", "side", "quantity", "price", "reason", "needs_second_person")
    emit({"holds": rows}) if json else table([{name: row[name] for name in shown} for row in rows], "held orders")


def holds_release(
    order: Order, by: By, reason: Reason, second_by: SecondBy = None, session: Session = 0, gateway: Gateway = 0, run: Run = DEFAULT_RUN
) -> None:
    """Release a held order whole; every control runs again, only the one that flagged it is waived."""
    _decide(run, gateway, session, order, by=by, reason=reason, second_by=second_by, quantity=None)


def holds_amend(
    order: Order,
    quantity: Annotated[int, typer.Argument(help="Quantity to release; lower than what waits.")],
    by: By,
    reason: Reason,
    second_by: SecondBy = None,
    session: Session = 0,
    gateway: Gateway = 0,
    run: Run = DEFAULT_RUN,
) -> None:
    """Release a held order with a lower quantity."""
    if quantity <= 0:
        raise typer.BadParameter(f"quantity is {quantity}; it must be above 0 (reject is a verb of its own)")
    _decide(run, gateway, session, order, by=by, reason=reason, second_by=second_by, quantity=quantity)


def holds_reject(order: Order, by: By, reason: Reason, session: Session = 0, gateway: Gateway = 0, run: Run = DEFAULT_RUN) -> None:
    """Reject a held order."""
    _decide(run, gateway, session, order, by=by, reason=reason, second_by=None, quantity=0)


def _decide(run: Any, gateway: int, session: int, order: int, **said: Any) -> None:  # noqa: ANN401 - what the verbs pass on
    from pretrade.domain.errors import ControlError
    from pretrade.gateway import outcome, waiting
    from pretrade.limits import Controls, RunDirectory

    directory = RunDirectory(run)
    held = [row for row in waiting(directory, gateway) if (row["client_order_id"], row["session_id"]) == (order, session)]
    if not held:
        raise ControlError(f"order {order} of session {session} does not wait at gateway {gateway}")
    entry = Controls.open(directory).decide_hold(gateway, session, order, **said)
    told = outcome(directory, gateway, entry, sleep=time.sleep)
    emit({"entry": entry, "outcome": told or "recorded; the gateway has not answered yet"})
    if told is None or told in ("UNKNOWN", "NEEDS_SECOND", "NOT_LOWER", "NOT_INDEPENDENT"):
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    group = typer.Typer(help="Orders that wait for a person.", no_args_is_help=True)
    group.callback()(lambda: None)
    verbs: dict[str, Callable[..., None]] = {"list": holds_list, "release": holds_release, "amend": holds_amend, "reject": holds_reject}
    for verb, function in verbs.items():
        group.command(verb)(function)
    app.add_typer(group, name="holds")
