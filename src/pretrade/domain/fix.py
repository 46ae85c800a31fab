# SPDX-License-Identifier: Apache-2.0
"""The ``[fix]`` part of a configuration: the edge between order systems and a venue."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

VERSIONS: Final = {"FIX.4.2": "FIX.4.2", "FIX.4.4": "FIX.4.4", "FIX.5.0SP2": "FIXT.1.1"}
"""Version as configured, and the BeginString (8) it is spoken with."""
APPL_VER_ID_50SP2: Final = "9"
_MOST_BUSY_US: Final = 1_000_000_000
_USER_TAGS: Final = range(5_000, 40_000)


@dataclass(frozen=True, slots=True)
class FixTls:
    """TLS of one side: PEM files; all empty is plain text.

    Parameters
    ----------
    certificate, key
        Ours, its chain behind it. Towards the venue they may be left out where it asks for none.
    authorities
        Whose certificates the counterparty must show. A listening side without them asks for none; with them TLS is mutual.
    server_name
        Name in the venue's certificate.
    """

    certificate: str = ""
    key: str = ""
    authorities: str = ""
    server_name: str = ""

    @property
    def is_used(self) -> bool:
        """Something is given."""
        return bool(self.certificate or self.key or self.authorities or self.server_name)


@dataclass(frozen=True, slots=True)
class FixSession:
    """One order system that connects to us.

    Parameters
    ----------
    target
        Its CompID.
    accounts
        Names of the accounts it may send for (RTS 6 art. 12: known, enabled and entitled together).
    strategy_id
        Strategy its orders count for; 0 is a manual trader.
    cancel_after_s
        Seconds after a lost connection until its orders are cancelled (control 38).
    cancel_on_disconnect
        ``false`` leaves the orders of a lost session working.
    alerts
        Alert fields on its execution reports, and a News when an instrument's posture changes.
    reset_at_logon
        Both sequence numbers begin at 1 at every logon.
    certificate_sha256
        SHA-256 of the one certificate it may be spoken with, hexadecimal; empty takes any of the authorities.
    """

    target: str
    accounts: list[str]
    strategy_id: int = 0
    cancel_after_s: int | float = 5
    cancel_on_disconnect: bool = True
    alerts: bool = True
    reset_at_logon: bool = False
    certificate_sha256: str = ""


@dataclass(frozen=True, slots=True)
class FixDropCopy:
    """A session that hears a copy of every report to order systems (CopyMsgIndicator 797), and may say nothing.

    Parameters
    ----------
    target
        Its CompID.
    reset_at_logon
        Both sequence numbers begin at 1 at every logon.
    """

    target: str
    reset_at_logon: bool = False


@dataclass(frozen=True, slots=True)
class FixDeadMan:
    """The message that sets the venue's own countdown anew (control 39); no two venues have the same.

    Parameters
    ----------
    every_s
        Seconds between two of them; 0 where the venue has none.
    msg_type
        MsgType (35), none of the session and none that puts risk on the market.
    fields
        Fields of its body, ``tag=value|`` each.
    """

    every_s: int | float = 0
    msg_type: str = ""
    fields: str = ""


@dataclass(frozen=True, slots=True)
class FixConfig:
    """Addresses, the venue's session and those of the order systems.

    Parameters
    ----------
    listen, venue
        ``host:port`` to listen on and to reach the venue at; the environment variables PRETRADE_FIX_LISTEN and PRETRADE_FIX_VENUE
        override them.
    version
        ``FIX.4.2``, ``FIX.4.4`` or ``FIX.5.0SP2``, spoken on both sides: messages are passed on as they came.
    sender, target
        Our CompID, and the venue's.
    run_directory, journals_directory
        Directory of tables, rings and stores, and of what must survive a reboot; ``run_directory / "journals"`` where the latter is empty.
    standalone
        No feed handler and no sidecar run beside it: the edge makes its own tables, loads this configuration into them and takes
        the trading phase from the calendar. Prices stay unknown until a feed handler writes them.
    opening_position
        ``flat`` states every position as zero in the edge's first life; ``unknown`` refuses new risk until a source states it.
    alert_tag
        Tag of the alert field on the internal side; 8011 by default, 20011 where a counterparty was given 8011.
    busy_poll_us
        For so long after bytes came the loop asks again instead of sleeping: a whole core for the time a wake-up takes.
    dictionaries
        Data dictionaries in QuickFIX format; for FIX.5.0SP2 the transport's first. Without one only form and order are held.
    listen_tls, venue_tls
        TLS towards the order systems and towards the venue.
    dead_man
        How the venue's countdown is kept from ending.
    """

    listen: str
    venue: str
    version: str
    sender: str
    target: str
    run_directory: str
    journals_directory: str = ""
    standalone: bool = False
    opening_position: str = "unknown"
    heartbeat_s: int = 30
    reset_at_logon: bool = False
    max_latency_s: int = 120
    alert_tag: int = 8011
    user_fields: bool = True
    busy_poll_us: int = 0
    dictionaries: list[str] = field(default_factory=list)
    listen_tls: FixTls = FixTls()
    venue_tls: FixTls = FixTls()
    dead_man: FixDeadMan = FixDeadMan()
    sessions: tuple[FixSession, ...] = ()
    drop_copies: tuple[FixDropCopy, ...] = ()

    def problem(self, accounts: set[str]) -> str | None:
        """What does not fit together, ``None`` where everything does."""
        if self.version not in VERSIONS:
            return f"version is {self.version!r}; it must be one of {', '.join(VERSIONS)}"
        if self.opening_position not in ("flat", "unknown"):
            return f"opening_position is {self.opening_position!r}; it must be flat or unknown"
        if self.alert_tag not in _USER_TAGS:
            return f"alert_tag is {self.alert_tag}; it must be from {_USER_TAGS.start} to {_USER_TAGS.stop - 1}"
        if self.heartbeat_s < 1 or self.max_latency_s < 1:
            return f"heartbeat_s {self.heartbeat_s} and max_latency_s {self.max_latency_s} must be above 0"
        if not 0 <= self.busy_poll_us <= _MOST_BUSY_US:
            return f"busy_poll_us is {self.busy_poll_us}; it must be from 0 to {_MOST_BUSY_US}"
        if not self.sessions:
            return "names no [[fix.session]]; at least one order system is needed"
        return self._problem_of_sessions(accounts)

    def _problem_of_sessions(self, accounts: set[str]) -> str | None:
        owners: dict[str, str] = {}
        for session in self.sessions:
            for name in session.accounts:
                if name not in accounts:
                    return f"session {session.target} names account {name!r}; [[account]] knows {', '.join(sorted(accounts))}"
                if name in owners:
                    return f"account {name!r} is of session {owners[name]} and of session {session.target}; each belongs to one"
                owners[name] = session.target
        return None
