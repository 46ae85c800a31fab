# SPDX-License-Identifier: Apache-2.0
"""The annex of ``controls``: exit tickets and barred accounts, one immutable file that gates read when the firm's row names a new one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pretrade._native import limits as _native
from pretrade.domain.errors import TableError

LONGEST_TICKET_S: Final = 900
_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class ExitTicket:
    """A one-shot permission to reduce through what stops everybody else (control 4)."""

    ticket_id: int
    gateway: int
    account: int
    instrument: int
    side: int
    """:class:`~pretrade.domain.Side` code."""
    quantity: int
    """Largest quantity."""
    price: int
    """Highest price of a buy, lowest of a sell, 1e-9."""
    kill: int
    """Newest arming of a kill that it passes; 0 = none."""
    persons: int
    until: int
    """Last instant it is good, ns UTC."""

    def line(self) -> str:
        """As the gate reads it."""
        names = ("gateway", "account", "instrument", "side", "quantity", "price", "kill", "persons", "until")
        return " ".join(["ticket", f"id={self.ticket_id}", *(f"{name}={getattr(self, name)}" for name in names)])


@dataclass(slots=True)
class Annex:
    """What the control journal adds up to; ``number`` is one above the last entry that changed it, 0 = never."""

    number: int = 0
    tickets: dict[int, ExitTicket] = field(default_factory=dict)
    restricted: set[tuple[int, int]] = field(default_factory=set)
    """Accounts and instruments they may not trade (control 6)."""
    blocked: set[tuple[int, int]] = field(default_factory=set)
    """Rows (level code, id) that surveillance blocked (control 33)."""
    rules: tuple[str, ...] = ()
    """Buckets, weights and checks of the user's own, each a line as the gate reads it (22, 46)."""

    def issue(self, seq: int, fields: Mapping[str, Any]) -> None:
        """A ticket; those that were over when it was issued are forgotten."""
        self.number = seq + 1
        self.tickets = {number: ticket for number, ticket in self.tickets.items() if ticket.until >= int(fields["since"])}
        persons = 2 if fields.get("second_by") else 1
        numbers = {name: int(fields[name]) for name in ("gateway", "account", "instrument", "side", "quantity", "price", "kill", "until")}
        self.tickets[seq] = ExitTicket(ticket_id=seq, persons=persons, **numbers)

    def revoke(self, seq: int, ticket_id: int) -> None:
        """A ticket is good for nothing any more."""
        self.number = seq + 1
        self.tickets.pop(ticket_id, None)

    def restrict(self, seq: int, pair: tuple[int, int], *, on: bool) -> None:
        """An account may not trade an instrument, or may again."""
        self.number = seq + 1
        self.restricted = self.restricted | {pair} if on else self.restricted - {pair}

    def block(self, seq: int, row: tuple[int, int], *, on: bool) -> None:
        """Surveillance blocks a row, or two persons lift it."""
        self.number = seq + 1
        self.blocked = self.blocked | {row} if on else self.blocked - {row}

    def set_rules(self, seq: int, rules: Iterable[str]) -> None:
        """Other rules than before."""
        self.number, self.rules = seq + 1, tuple(rules)

    def text(self) -> str:
        """The file.

        Raises
        ------
        TableError
            If the gate could not read it.
        """
        lines = [ticket.line() for _, ticket in sorted(self.tickets.items())]
        lines += [f"restrict account={account} instrument={instrument}" for account, instrument in sorted(self.restricted)]
        lines += [f"block level={level} id={row_id}" for level, row_id in sorted(self.blocked)]
        lines += self.rules
        try:
            return _native.annex_text(self.number, "".join(f"{line}\n" for line in lines))
        except ValueError as e:
            raise TableError(f"annex {self.number} of controls is refused: {e}") from e

    def write(self, path: Path) -> None:
        """Put it in the place of an older one; before the firm's row names it."""
        if self.number == 0 or self.number <= number_of(path):
            return
        draft = path.with_suffix(".draft")
        draft.write_text(self.text(), encoding="ascii")
        draft.chmod(0o640)
        os.replace(draft, path)


def number_of(path: Path) -> int:
    """Number of the annex that lies there; 0 where none does."""
    try:
        words = path.read_text(encoding="ascii").split("\n", 1)[0].split()
        return int(words[2])
    except (OSError, ValueError, IndexError):
        return 0


def until(since: int, minutes: float) -> int:
    """When a ticket ends that is good for so many minutes, ns UTC."""
    return since + round(minutes * 60 * _NS)
