# SPDX-License-Identifier: Apache-2.0
"""The run directory: names of the shared files, and the clock they are stamped with."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from pretrade._native import limits as _native
from pretrade.domain.errors import TableError


def clock_domain(run: int | None = None) -> bytes:
    """Clock domain of this boot, or of simulated run ``run``; 16 bytes."""
    return _native.boot_domain() if run is None else _native.simulated_domain(run)


def is_simulated(domain: bytes) -> bool:
    """True for the clock domain of a simulated run."""
    return _native.is_simulated(domain)


def survive_truncation() -> None:
    """Install this process's SIGBUS handler: a table truncated while mapped reads as zeros (dead) instead of killing it.

    For our own processes; inside somebody else's it is their choice, since the handler is the whole process's.
    """
    _native.install_sigbus()


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """Where the tables of one run lie, and where its journals lie.

    Parameters
    ----------
    path
        Directory of the tables and rings, by default used under ``/dev/shm``.
    journals
        Directory of the journals, on a disk that survives a reboot; ``path / "journals"`` when ``None``.
    domain
        Clock domain of every table; that of this boot when ``None``.
    """

    path: Path
    journals_path: Path | None = None
    domain: bytes | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path))

    def create(self) -> RunDirectory:
        """Make both directories, for this user and group only (0750).

        Raises
        ------
        TableError
            If one exists and lets others write.
        """
        for directory in (self.path, self.journals):
            directory.mkdir(mode=0o750, parents=True, exist_ok=True)
            mode = stat.S_IMODE(directory.stat().st_mode)
            if mode & 0o002:
                raise TableError(f"{directory}: mode {mode:04o} lets everybody write; others must not")
        return self

    @property
    def journals(self) -> Path:
        """Directory of the journals."""
        return self.path / "journals" if self.journals_path is None else Path(self.journals_path)

    @property
    def clock_domain(self) -> bytes:
        """Clock domain of every table here."""
        return clock_domain() if self.domain is None else self.domain

    @property
    def limits(self) -> Path:
        """The ``limits`` table."""
        return self.path / "limits.tbl"

    @property
    def quotes(self) -> Path:
        """The ``quotes`` table."""
        return self.path / "quotes.tbl"

    def holds(self, gateway_id: int) -> Path:
        """What waits at a gateway, as it last said; alive or dead."""
        return self.path / f"gate-{gateway_id}-holds.json"

    def doubt(self, gateway_id: int) -> Path:
        """Orders that a restarted gateway counts and the venue has not spoken about."""
        return self.path / f"gate-{gateway_id}-doubt.json"

    @property
    def controls(self) -> Path:
        """The ``controls`` table."""
        return self.path / "controls.tbl"

    @property
    def annex(self) -> Path:
        """What humans allow and bar one by one, beside ``controls``."""
        return self.path / "controls.annex"

    @property
    def controls_lock(self) -> Path:
        """Lock held by whoever writes ``controls``."""
        return self.path / "controls.lock"

    @property
    def control_journal(self) -> Path:
        """The truth behind ``controls``."""
        return self.journals / "controls.journal"

    @property
    def market_journal(self) -> Path:
        """Events as captured."""
        return self.journals / "market.journal"

    def gate(self, gateway_id: int) -> Path:
        """The ``gate`` table of one gateway."""
        return self.path / f"gate-{gateway_id}.tbl"

    def gate_ring(self, gateway_id: int) -> Path:
        """The journal ring of one gateway."""
        return self.path / f"gate-{gateway_id}.ring"

    def gate_journal(self, gateway_id: int) -> Path:
        """The journal of one gateway on disk."""
        return self.journals / f"gate-{gateway_id}.journal"

    def gates(self) -> list[Path]:
        """Every ``gate`` table here."""
        return sorted(self.path.glob("gate-*.tbl"))
