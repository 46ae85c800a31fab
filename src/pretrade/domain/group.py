# SPDX-License-Identifier: Apache-2.0
"""Groups of instruments: whose moves explain each other's, and whose common stress is everybody's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pretrade.domain.errors import ConfigError

MARKET_ID: Final = 0
FIRST_GROUP_ID: Final = 0xFF00_0000
_LAST_ID: Final = 0xFFFF_FFFF
LEAST_MEMBERS: Final = 2


def is_group(record_id: int) -> bool:
    """True where the id of a record is a group's, not an instrument's."""
    return record_id == MARKET_ID or record_id >= FIRST_GROUP_ID


@dataclass(frozen=True, slots=True)
class Group:
    """One group; an instrument takes its cross-asset features from the first group that has it.

    Parameters
    ----------
    group_id
        0 for the whole market, else from 0xFF000000 on: the id of the group's own record in the ``limits`` table.
    name
        In words.
    members
        Symbols, at least two.
    factor
        The member whose return is the factor; of that member itself, and where ``None``, it is the mean of the others.
    leader
        The member whose returns lead the others; ``None`` for no lead and lag.
    volatility
        Ids under which the near and the far volatility index are published as INDEX figures; ``None`` without.
    """

    group_id: int
    name: str
    members: tuple[str, ...]
    factor: str | None = None
    leader: str | None = None
    volatility: tuple[int, int] | None = None

    def check(self, symbols: Sequence[str], where: str) -> None:
        """Refuse what no group can be.

        Raises
        ------
        ConfigError
            If the id is an instrument's, a member is unknown or named twice, there are fewer than two, factor or leader is no member, or
            volatility is not two different ids.
        """
        where = f"{where} {self.name}"
        if self.group_id != MARKET_ID and not FIRST_GROUP_ID <= self.group_id <= _LAST_ID:
            raise ConfigError(f"{where} group_id is {self.group_id}; it must be 0 for the market or from {FIRST_GROUP_ID:#x} to {_LAST_ID:#x}")
        if len(set(self.members)) != len(self.members) or len(self.members) < LEAST_MEMBERS:
            raise ConfigError(f"{where} members are {list(self.members)}; they must be distinct and at least {LEAST_MEMBERS}")
        unknown = [m for m in self.members if m not in symbols]
        if unknown:
            raise ConfigError(f"{where} members {', '.join(unknown)} are not in the configuration; it knows {', '.join(symbols)}")
        for role in ("factor", "leader"):
            symbol = getattr(self, role)
            if symbol is not None and symbol not in self.members:
                raise ConfigError(f"{where} {role} is {symbol!r}; it must be one of its members {', '.join(self.members)}")
        if self.volatility is not None and len(set(self.volatility)) != 2:
            raise ConfigError(f"{where} volatility is {list(self.volatility)}; it must be the ids of a near and a far index")
