# SPDX-License-Identifier: Apache-2.0
"""Who may not review a held order: whoever trades on its session, and whoever owns its algorithm (``controls`` 4.6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


class Reviewers:
    """Names of traders and owners, from the configuration that persons loaded."""

    def __init__(self) -> None:
        self._trader_of: dict[int, int] = {}
        self._persons: dict[str, set[str]] = {}

    def learn(self, fields: Mapping[str, Any]) -> None:
        """Take a ``configure`` entry of the control journal."""
        sessions = [row for row in fields["rows"] if row["level"] == "venue"]
        self._trader_of = {int(row["id"]): int(row.get("limits", {}).get("parent_id", 0)) for row in sessions}
        named = {name: value for name, value in fields.get("settings", {}).items() if name.endswith(".persons")}
        self._persons = {name: {_plain(person) for person in persons} for name, persons in named.items()}

    def partial(self, session_id: int, strategy_id: int, persons: Iterable[str | None]) -> str | None:
        """The first of some persons who trades the order or owns its algorithm; ``None`` where all are independent of it."""
        own = self._persons.get(f"trader.{self._trader_of.get(session_id, 0)}.persons", set())
        own = own | self._persons.get(f"strategy.{strategy_id}.persons", set())
        return next((person for person in persons if person and _plain(person) in own), None)


def _plain(person: str) -> str:
    return person.strip().casefold()
