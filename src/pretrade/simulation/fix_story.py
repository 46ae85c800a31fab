# SPDX-License-Identifier: Apache-2.0
"""The firm's desk of the demo: a FIX session to each gateway, the same order to both, and what each answered."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

from pretrade.domain import Config, ReasonCode
from pretrade.domain.errors import SimulationError
from pretrade.simulation.fix_orders import COMP_ID, now_text
from pretrade.simulation.fix_party import Fields, FixParty, Line, decimal

GATEWAYS: Final = ("PRETRADE", "STATIC")
"""CompIDs of the two gateways: the one under calibrated limits, and its static twin."""
DESK: Final = "DESK"
_STRATEGY: Final = 1
_PATIENCE_S: Final = 10.0
_PREFIX: Final = "RISK:"


def with_fix(config_path: Path | None, folder: Path, sender: str, venue: str) -> Path:
    """Write a configuration with the demo's ``[fix]`` appended.

    Parameters
    ----------
    config_path
        The configuration; the packaged one where ``None``.
    folder
        Run directory of the gateway.
    sender
        Its CompID.
    venue
        ``host:port`` of the simulated venue.

    Raises
    ------
    SimulationError
        If the configuration has a ``[fix]`` of its own.
    """
    text = resources.files("pretrade.domain").joinpath("default.toml").read_text() if config_path is None else config_path.read_text()
    config = Config.load(config_path)
    if config.fix is not None:
        raise SimulationError(f"{config_path} has a [fix]; the demo brings its own venue and desk")
    accounts = ", ".join(f'"{a.name}"' for a in config.accounts)
    fix = f"""
[fix]
listen = "127.0.0.1:0"
venue = "{venue}"
version = "FIX.4.4"
sender = "{sender}"
target = "{COMP_ID}"
run_directory = "{folder}"
opening_position = "flat"
reset_at_logon = true

[[fix.session]]
target = "{DESK}"
accounts = [{accounts}]
strategy_id = {_STRATEGY}
reset_at_logon = true
"""
    path = folder / "fix.toml"
    path.write_text(text + fix)
    return path


@dataclass(frozen=True, slots=True)
class Answer:
    """What a gateway said of an order: ``ACCEPT`` where the venue has it."""

    number: int
    verdict: str
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """As the terminal shows it."""
        return {"client_order_id": self.number, "verdict": self.verdict, "reason": self.reason}


class Desk:
    """A client of both gateways.

    Parameters
    ----------
    ports
        Of the gateways, in the order of :data:`GATEWAYS`.
    """

    def __init__(self, ports: Sequence[int]) -> None:
        lines = [Line(DESK, gateway, f"127.0.0.1:{port}") for gateway, port in zip(GATEWAYS, ports, strict=True)]
        self._party = FixParty(lines)
        self._waiting = len(lines)

    def log_on(self, check: Callable[[], None]) -> None:
        """Log on to both.

        Raises
        ------
        SimulationError
            If a gateway does not answer in time.
        """
        logged_on: set[int] = set()
        end = time.monotonic() + _PATIENCE_S
        while len(logged_on) < self._waiting:
            check()
            logged_on |= {heard.line for heard in self._party.poll(0.05) if heard.what == "logged on"}
            if time.monotonic() > end:
                raise SimulationError(f"a gateway did not log the desk on within {_PATIENCE_S:g} s")

    def ask(self, number: int, price: int, quantity: int) -> list[Answer]:
        """Send the same IOC sell to both and wait for both answers.

        Raises
        ------
        SimulationError
            If a gateway does not answer in time, or refuses it for another reason than risk.
        """
        order = [(1, "ACC1"), (11, number), (38, quantity), (40, 2), (44, decimal(price)), (54, 2), (55, "ES"), (59, 3), (60, now_text())]
        for line in range(len(GATEWAYS)):
            self._party.send(line, "D", order)
        answers: dict[int, Answer] = {}
        end = time.monotonic() + _PATIENCE_S
        while len(answers) < len(GATEWAYS):
            for heard in self._party.poll(0.05):
                if heard.what == "logged out":
                    raise SimulationError(f"gateway {GATEWAYS[heard.line]} closed the desk's session")
                if heard.what in {"j", "3"}:
                    raise SimulationError(f"gateway {GATEWAYS[heard.line]} cannot take the order: {heard.fields.get(58)}")
                if heard.what == "8" and heard.fields.get(11) == str(number):
                    answers.setdefault(heard.line, answer_of(number, heard.fields))
            if time.monotonic() > end:
                raise SimulationError(f"a gateway did not answer order {number} within {_PATIENCE_S:g} s")
        return [answers[line] for line in range(len(GATEWAYS))]

    def close(self) -> None:
        """Log out."""
        self._party.close()


def answer_of(number: int, fields: Fields) -> Answer:
    """Verdict and reason of an execution report.

    Examples
    --------
    >>> answer_of(7, {150: "8", 58: "RISK:ORDER_EXCEEDS_LIMIT quantity=200 limit=50"})
    Answer(number=7, verdict='REJECT', reason='ORDER_EXCEEDS_LIMIT')
    """
    text = fields.get(58, "")
    if fields.get(150) == "A" and text.startswith("HOLD:"):
        return Answer(number, "HOLD", text.removeprefix("HOLD:").split(" ")[0])
    if fields.get(150) == "8" and text.startswith(_PREFIX):
        return Answer(number, "REJECT", text.removeprefix(_PREFIX).split(" ")[0])
    return Answer(number, "ACCEPT", ReasonCode.NONE.name)
