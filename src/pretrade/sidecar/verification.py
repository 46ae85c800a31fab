# SPDX-License-Identifier: Apache-2.0
"""An imported journal against its own checksums, against what its import told, and against the recording it came from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade import features, feeds
from pretrade.bus import JournalReader
from pretrade.domain import EVENT_DTYPE, Config
from pretrade.feeds.manifest import Manifest, beside
from pretrade.feeds.source import changed
from pretrade.sidecar.importing import Progress, Tally, silent, watched

_BATCH: Final = 65_536


@dataclass(slots=True)
class Verification:
    """What was checked; ``findings`` is empty where everything held."""

    journal: Path
    events: int = 0
    rows_compared: int = 0
    is_compared: bool = False
    findings: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "journal": str(self.journal),
            "ok": not self.findings,
            "events": self.events,
            "rows_compared": self.rows_compared,
            "compared_with_original": self.is_compared,
            "findings": self.findings,
        }


def run(
    journal: Path, config: Config, *, files: tuple[Path, ...] | None = None, journal_only: bool = False, progress: Progress = silent
) -> Verification:
    """Verify an imported journal.

    Parameters
    ----------
    journal
        The journal; its manifest lies beside it.
    config
        The configuration both are replayed under.
    files
        The recording, where it no longer lies where it was imported from.
    journal_only
        Compare with no recording: checksums, sequence and counts alone.
    progress
        Told how far it is.

    Raises
    ------
    FeedError
        If there is no manifest, or the recording is refused.
    JournalError
        If the file is no journal.

    Notes
    -----
    Events are compared byte by byte. Both are then replayed through an engine of their own: rows as they close, and at the end
    everything rows to come depend on (books, windows, baselines), must be the same.
    """
    manifest = Manifest.read(beside(journal))
    found = Verification(journal)
    _check_journal(journal, manifest, found, progress)
    if journal_only:
        return found
    source = feeds.Source.from_dict(manifest.source)
    source = source if files is None else feeds.Source(files, source.format, source.instruments, source.date, source.map, source.splits)
    found.findings += changed(manifest.source["files"], source.files)
    told = [manifest.source["splits"]] if source.splits is not None else []
    found.findings += changed(told, [Path(s["path"]) for s in told])
    found.findings += changed(manifest.source["maps"], [Path(m["path"]) for m in manifest.source["maps"]])
    if config.hash != manifest.config_hash:
        found.findings.append(f"the configuration is {config.hash[:12]}; the import was made under {manifest.config_hash[:12]}")
    if not found.findings:
        _compare(feeds.Source((journal,), "journal"), source, config, manifest, found, progress)
    return found


def _check_journal(path: Path, manifest: Manifest, found: Verification, progress: Progress) -> None:
    """Checksums of every frame, the sequence, what was committed, and the counts that the import told."""
    reader, tally, size = JournalReader(path), Tally(), path.stat().st_size
    while len(events := reader.read(_BATCH)):
        tally.add(events)
        progress(reader.position.offset, size, tally.events)
    found.events = tally.events
    found.findings += reader.problems
    committed, end = reader.committed, reader.position
    if committed is None:
        found.findings.append(f"{path}: the committed position in its header is torn")
    elif committed != end:
        found.findings.append(
            f"{path}: good frames end at offset {end.offset}, record {end.next_seq}; {committed.offset}, {committed.next_seq} committed"
        )
    if end.offset != size:
        found.findings.append(f"{path}: has {size - end.offset} bytes behind its last good frame")
    if tally.backwards:
        found.findings.append(f"{path}: ts_recv goes back {tally.backwards} times")
    for name in ("events", "sha256", "ts_first", "ts_last", "kinds"):
        ours, told = getattr(tally, name), getattr(manifest, name)
        if ours != told:
            found.findings.append(f"{path}: {name} is {ours}; the import told {told}")


def _compare(ours: feeds.Source, theirs: feeds.Source, config: Config, manifest: Manifest, found: Verification, progress: Progress) -> None:
    """Replay both side by side."""
    total = ours.bytes + theirs.bytes
    streams = (ours.open(config), theirs.open(config))
    instruments = streams[0].instruments
    engines = tuple(features.engine(config, instruments, with_quotes=False) for _ in streams)

    def both(_done: int, _total: int, events: int) -> None:
        progress(streams[0].bytes_read + streams[1].bytes_read, total, events)

    at = last = 0
    for a, b in pairs(watched(streams[0], total, both), iter(streams[1])):
        if len(a) != len(b) or a.tobytes() != b.tobytes():
            found.findings.append(_difference(at, a, b))
            return
        at += len(a)
        last = int(a["ts_recv"][-1])
        _same_rows(engines[0].push(a), engines[1].push(b), found)
    _same_rows(engines[0].close(last), engines[1].close(last), found)
    if engines[0].state() != engines[1].state():
        found.findings.append("books or windows differ at the end")
    if streams[1].faults != dict(manifest.faults):
        found.findings.append(f"the recording has faults {streams[1].faults}; the import told {dict(manifest.faults)}")
    found.is_compared = True


def _same_rows(a: features.Features, b: features.Features, found: Verification) -> None:
    found.rows_compared += len(a)
    if a.rows.tobytes() != b.rows.tobytes():
        found.findings.append(f"feature rows differ in the {len(a)} before row {found.rows_compared}")


def pairs(a: Iterator[NDArray[Any]], b: Iterator[NDArray[Any]]) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Two streams in steps of the same length; where one is longer, its rest stands beside nothing."""
    left = right = np.empty(0, EVENT_DTYPE)
    while True:
        left = left if len(left) else next(a, left)
        right = right if len(right) else next(b, right)
        if not len(left) or not len(right):
            break
        n = min(len(left), len(right))
        yield left[:n], right[:n]
        left, right = left[n:], right[n:]
    if len(left) or len(right):
        yield left, right


def _difference(at: int, a: NDArray[Any], b: NDArray[Any]) -> str:
    if not len(a) or not len(b):
        return f"the {'recording' if len(b) else 'journal'} goes on after event {at}, where the other ends"
    n = next(i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y)
    names = [name for name in EVENT_DTYPE.names or () if a[n][name] != b[n][name]]
    return f"event {at + n} differs in {', '.join(f'{name} ({a[n][name]}, recording {b[n][name]})' for name in names)}"
