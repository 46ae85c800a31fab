# SPDX-License-Identifier: Apache-2.0
"""What stands beside an imported journal: where it came from, what it holds, and whose events these are."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pretrade.domain import Config, Instrument
from pretrade.domain.errors import ConfigError, FeedError

FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """Facts of one import.

    Parameters
    ----------
    source
        `pretrade.feeds.Source` as plain values.
    instruments
        Whose events the journal holds.
    events, sha256
        How many, and the hash of their bytes one after the other.
    ts_first, ts_last
        Receive stamps of the first and the last; 0 where there is none.
    kinds
        Events by kind.
    faults
        Faults of the recording by kind; they are told here, the journal holds events.
    fault_log
        The first of them in words.
    config_hash
        Of the configuration it was imported under.
    """

    source: Mapping[str, Any]
    instruments: tuple[Instrument, ...]
    events: int
    sha256: str
    ts_first: int
    ts_last: int
    kinds: Mapping[str, int]
    faults: Mapping[str, int]
    fault_log: tuple[str, ...]
    config_hash: str

    def write(self, path: Path) -> None:
        """Write it durably under its own name."""
        with path.open("w", encoding="utf-8") as file:
            json.dump({"format": FORMAT, **dataclasses.asdict(self)}, file, indent=1, sort_keys=True)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Read it.

        Raises
        ------
        FeedError
            If the file is absent or none of these.
        """
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            if raw.pop("format") != FORMAT:
                raise FeedError(f"{path.name} is of another version; this program reads {FORMAT}")
            instruments = tuple(Instrument(**i) for i in raw.pop("instruments"))
            return cls(instruments=instruments, fault_log=tuple(raw.pop("fault_log")), **raw)
        except OSError as e:
            raise FeedError(f"{path} at offset 0: cannot be read: {e.strerror}; an import writes it beside its journal") from e
        except (ValueError, KeyError, TypeError, AttributeError) as e:
            raise FeedError(f"{path} is no manifest of an import: {e!r}") from e


def beside(journal: Path) -> Path:
    """Name of the manifest of a journal."""
    return journal.with_name(f"{journal.name}.json")


def instruments_of(journals: Sequence[Path], config: Config, *, symbols: Sequence[str] | None = None) -> tuple[Instrument, ...]:
    """Instruments of journals: what their manifests tell, or without one those of the configuration.

    Raises
    ------
    ConfigError
        If the configuration holds another instrument of the same id, or lacks the session of one that only the manifest knows.
    """
    told: dict[int, Instrument] = {}
    for journal in journals:
        manifest = beside(journal)
        held = Manifest.read(manifest).instruments if manifest.exists() else config.instruments
        told |= {i.instrument_id: _agreed(i, config, manifest) for i in held}
    if symbols is not None:
        told = {i: instrument for i, instrument in told.items() if instrument.symbol in symbols}
    return tuple(told.values())


def _agreed(told: Instrument, config: Config, manifest: Path) -> Instrument:
    """The configuration's word where it has one."""
    known = next((i for i in config.instruments if i.instrument_id == told.instrument_id), None)
    if known is None:
        if told.session not in config.sessions:
            raise ConfigError(f"{manifest.name} names session {told.session!r} of {told.symbol}, which the configuration lacks")
        return told
    if (known.symbol, known.venue, known.quantity_exponent) != (told.symbol, told.venue, told.quantity_exponent):
        raise ConfigError(
            f"{manifest.name} holds instrument {told.instrument_id} as {told.symbol} of {told.venue}; the configuration has {known.symbol} "
            f"of {known.venue} under that id"
        )
    return known
