# SPDX-License-Identifier: Apache-2.0
"""A FIX counterparty of simulations: the native sessions of the gateway, messages as fields."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from pretrade._native import simulation as _native
from pretrade.domain.errors import SimulationError

FIX_44: Final = "FIX.4.4"
_SOH: Final = "\x01"
_BILLION: Final = 10**9

Fields = Mapping[int, str]
"""Fields of a message by tag; of a repeated tag the last."""


@dataclass(frozen=True, slots=True)
class Line:
    """One session: our CompID, the counterparty's, and the address to reach it at where it does not come to us."""

    sender: str
    target: str
    address: str | None = None

    def as_json(self) -> tuple[dict[str, object], str | None]:
        """As the native sessions take it."""
        words: dict[str, object] = {"begin_string": FIX_44, "sender": self.sender, "target": self.target, "appl_ver_id": None}
        rules = {"heartbeat_s": 30, "reset_at_logon": True, "max_latency_s": 120, "dictionaries": [], "user_fields": True}
        return {**words, **rules}, self.address


@dataclass(frozen=True, slots=True)
class Heard:
    """What happened on a session: a message by its type, or ``logged on`` or ``logged out`` without one."""

    line: int
    what: str
    fields: Fields


class FixParty:
    """Sessions of one counterparty, alive while :meth:`poll` is called.

    Parameters
    ----------
    lines
        Its sessions.
    listen
        ``host:port`` to listen on; ``None`` where every session reaches out.
    stores
        Folder of the session stores; memory where ``None``.

    Raises
    ------
    SimulationError
        If an address or a store cannot be used.
    """

    def __init__(self, lines: Sequence[Line], listen: str | None = None, stores: Path | None = None) -> None:
        settings = {"listen": listen, "stores": None if stores is None else str(stores), "sessions": [line.as_json() for line in lines]}
        try:
            self._native = _native.FixParty(json.dumps(settings))
        except (ValueError, RuntimeError) as e:
            raise SimulationError(f"FIX counterparty {lines[0].sender if lines else ''}: {e}") from e

    @property
    def port(self) -> int:
        """Port it listens on, 0 where it does not."""
        return self._native.port

    def poll(self, wait_s: float = 0.0) -> list[Heard]:
        """What came; waits at most ``wait_s`` for the first of it."""
        return [Heard(line, what, fields_of(message)) for line, what, message in self._native.poll(round(wait_s * 1_000))]

    def send(self, line: int, msg_type: str, fields: Iterable[tuple[int, object]]) -> int:
        """Send a message; the header is the session's.

        Returns
        -------
        int
            Its sequence number.
        """
        body = "".join(f"{tag}={value}{_SOH}" for tag, value in fields)
        return self._native.send(line, msg_type, body.encode())

    def numbers(self, line: int) -> tuple[int, int]:
        """Next number expected, next number sent."""
        return self._native.numbers(line)

    def close(self) -> None:
        """Log out."""
        self._native.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def fields_of(message: bytes) -> dict[int, str]:
    r"""Fields of a message by tag.

    Examples
    --------
    >>> fields_of(b"35=D\x0138=200\x01")
    {35: 'D', 38: '200'}
    """
    pairs = (part.split("=", 1) for part in message.decode("latin-1").split(_SOH) if part)
    return {int(tag): value for tag, value in pairs}


def decimal(price: int) -> str:
    """A price in 1e-9 as FIX writes it.

    Examples
    --------
    >>> decimal(4_800_250_000_000), decimal(-500_000_000), decimal(2_000_000_000)
    ('4800.25', '-0.5', '2')
    """
    whole, rest = divmod(abs(price), _BILLION)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{'-' if price < 0 else ''}{whole}{fraction}"


def nanos(text: str) -> int:
    """A price of FIX in 1e-9, digits beyond them dropped.

    Examples
    --------
    >>> nanos("4800.25"), nanos("-0.5"), nanos("2")
    (4800250000000, -500000000, 2000000000)
    """
    whole, _, fraction = text.lstrip("+-").partition(".")
    value = int(whole or "0") * _BILLION + int(fraction[:9].ljust(9, "0"))
    return -value if text.startswith("-") else value
