# SPDX-License-Identifier: Apache-2.0
"""What humans allow or bar one by one: exit tickets, and instruments that an account may not trade. Journalled before it acts."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from pretrade.audit import ControlJournal
from pretrade.domain import Side, Verdict
from pretrade.domain.errors import ControlError
from pretrade.limits.annex import LONGEST_TICKET_S, Annex, ExitTicket, until
from pretrade.limits.controls import Controls, Person
from pretrade.limits.layouts import dtype_of
from pretrade.limits.run_directory import RunDirectory
from pretrade.limits.state import Level, read_state

_MINUTE_S: Final = 60
_DECISION: Final = 2
_EXIT_TICKET: Final = 4
_CHUNK: Final = 4_096
_HEADER: Final = 4_096
# Places in the payload of a decision's record, as in crates/gate/src/journal.rs (Read follows the 128 bytes of the decision).
_ORIGINAL, _FLAGS = 128 // 8, 128 + 12


def issue_ticket(
    controls: Controls,
    *,
    account_id: int,
    instrument_id: int,
    side: Side,
    quantity: int,
    price: int,
    by: str,
    reason: str,
    minutes: float = 5.0,
    gateway_id: int = 0,
    is_through_kill: bool = False,
    second_by: str | None = None,
) -> int:
    """Permit one order that reduces through breaker, reduce-only and limits; durable before any gate sees it.

    Parameters
    ----------
    controls
        The control service.
    account_id, instrument_id, side, quantity, price
        What may pass: at most the quantity, at the price or better (highest of a buy, lowest of a sell, 1e-9).
    by, reason, second_by
        Who permits and why; the gate asks for two persons where the position is not known.
    minutes
        How long it is good, at most 15.
    gateway_id
        The one gateway that may spend it.
    is_through_kill
        It also passes the kills that stand now; a later arming stops it.

    Returns
    -------
    int
        Number of the ticket, which the order names.

    Raises
    ------
    ControlError
        If anything in it is impossible, or it cannot be recorded.
    """
    if quantity <= 0:
        raise ControlError(f"quantity of an exit ticket is {quantity}; it must be above 0")
    if not 0 < minutes * _MINUTE_S <= LONGEST_TICKET_S:
        raise ControlError(f"an exit ticket is good for {minutes:g} minutes; it must be above 0 and at most {LONGEST_TICKET_S / _MINUTE_S:g}")
    if side not in (Side.BID, Side.ASK):
        raise ControlError(f"side of an exit ticket is {side!r}; it must be buy or sell")
    rows = ((Level.ACCOUNT, account_id), (Level.INSTRUMENT, instrument_id), (Level.GATEWAY, gateway_id))
    since = controls.now_utc()
    fields: dict[str, Any] = {"action": "issue_ticket", "gateway": gateway_id, "account": account_id, "instrument": instrument_id}
    fields |= {"side": int(side), "quantity": quantity, "price": price, "since": since, "until": until(since, minutes)}
    fields |= {"kill": controls.newest_kill() if is_through_kill else 0, "second_by": second_by}
    return controls.sign(fields, Person(by, reason), rows=rows, second_by=second_by, what="an exit ticket")


def revoke_ticket(controls: Controls, ticket_id: int, by: str, reason: str) -> None:
    """A ticket is good for nothing from now on; one person.

    Raises
    ------
    ControlError
        If there is no such ticket.
    """
    if ticket_id not in {ticket.ticket_id for ticket in tickets(controls.run)}:
        raise ControlError(f"exit ticket {ticket_id} is not issued, revoked already, or long over")
    controls.sign({"action": "revoke_ticket", "ticket": ticket_id}, Person(by, reason))


def tickets(run: RunDirectory) -> list[ExitTicket]:
    """Tickets that were issued and not revoked; the newest journal entries say so, no process is asked."""
    return sorted(read_state(ControlJournal(run.control_journal)).annex.tickets.values(), key=lambda ticket: ticket.ticket_id)


def restrict(controls: Controls, account_id: int, instrument_id: int, by: str, reason: str, *, on: bool = True, second_by: str | None = None) -> None:
    """Bar an account from an instrument at once; lifting it takes a second person.

    Raises
    ------
    ControlError
        If there is no such account or instrument, or the second person is missing.
    """
    fields: dict[str, Any] = {"action": "restrict", "account": account_id, "instrument": instrument_id, "is_on": on}
    rows = ((Level.ACCOUNT, account_id), (Level.INSTRUMENT, instrument_id))
    if on:
        controls.sign(fields, Person(by, reason), rows=rows)
        return
    controls.sign({**fields, "second_by": second_by}, Person(by, reason), rows=rows, second_by=second_by or "", what="lifting a restriction")


def restricted(run: RunDirectory) -> list[tuple[int, int]]:
    """Accounts and the instruments that they may not trade."""
    return sorted(read_state(ControlJournal(run.control_journal)).annex.restricted)


def block(controls: Controls, level: Level, row_id: int, by: str, reason: str, *, on: bool = True, second_by: str | None = None) -> None:
    """Let surveillance stop a row at once (control 33): whoever reports a wash, marking or layering; lifting it takes two persons.

    Raises
    ------
    ControlError
        If there is no such row, or the second person is missing.
    """
    fields: dict[str, Any] = {"action": "block", "level": level.name.lower(), "id": row_id, "is_on": on}
    if on:
        controls.sign(fields, Person(by, reason), rows=((level, row_id),))
        return
    controls.sign({**fields, "second_by": second_by}, Person(by, reason), second_by=second_by or "", what="lifting a block of surveillance")


def blocked(run: RunDirectory) -> list[tuple[Level, int]]:
    """Rows that surveillance blocked."""
    return [(Level(level), row_id) for level, row_id in sorted(read_state(ControlJournal(run.control_journal)).annex.blocked)]


def set_rules(controls: Controls, rules: Sequence[str], by: str, reason: str, *, second_by: str | None = None) -> None:
    """Put other buckets and checks in force (:mod:`pretrade.limits.rules`); one person may add, anything else takes two.

    Raises
    ------
    ControlError
        If a rule that stands is gone or changed and the second person is missing.
    TableError
        If a gate could not read them; nothing was recorded.
    """
    Annex(1, rules=tuple(rules)).text()
    standing = set(read_state(ControlJournal(controls.run.control_journal)).annex.rules)
    # A weight that comes may make a bucket smaller: only what stands beside everything that stood is an addition.
    is_addition = standing <= set(rules) and not any(rule.startswith("weight") and rule not in standing for rule in rules if standing)
    fields: dict[str, Any] = {"action": "set_rules", "rules": list(rules), "second_by": second_by}
    second = second_by if is_addition else second_by or ""
    controls.sign(fields, Person(by, reason), second_by=second, what="rules that go or change")


def rules(run: RunDirectory) -> tuple[str, ...]:
    """Buckets, weights and checks in force, as the gate reads them."""
    return read_state(ControlJournal(run.control_journal)).annex.rules


def spent(run: RunDirectory, gateway_id: int, *, since: int | None = None) -> dict[int, int]:
    """Tickets that a gateway's journal says were spent, and the client order id of each; at most some milliseconds behind.

    Parameters
    ----------
    run, gateway_id
        Whose journal.
    since
        Decisions before this are not read, ns UTC; 15 minutes ago where ``None``: no ticket lives longer.
    """
    start = time.time_ns() - LONGEST_TICKET_S * 1_000_000_000 if since is None else since
    found: dict[int, int] = {}
    for records in _newest_first(run, gateway_id):
        payload = records["payload"].view(np.uint8).reshape(len(records), -1)
        flags = payload[:, _FLAGS : _FLAGS + 4].copy().view("<u4").reshape(-1)
        decisions = np.ascontiguousarray(payload[:, :128]).view(dtype_of("decision")).reshape(-1)
        is_spent = (records["kind"] == _DECISION) & (flags & _EXIT_TICKET != 0) & (decisions["verdict"] == Verdict.ACCEPT)
        numbers, orders = records["payload"][is_spent, _ORIGINAL].tolist(), decisions["client_order_id"][is_spent].tolist()
        found |= dict(zip(numbers, orders, strict=True))
        if int(records["ts"].max(initial=0)) < start:
            break
    return found


def _newest_first(run: RunDirectory, gateway_id: int) -> Iterator[np.ndarray[tuple[int], np.dtype[np.void]]]:
    path, dtype = run.gate_journal(gateway_id), dtype_of("gate_journal_record")
    if not path.exists() or path.stat().st_size < _HEADER + dtype.itemsize:
        return
    count = (path.stat().st_size - _HEADER) // dtype.itemsize
    records = np.memmap(path, dtype, "r", offset=_HEADER, shape=(count,))
    for end in range(count, 0, -_CHUNK):
        yield np.array(records[max(0, end - _CHUNK) : end])
