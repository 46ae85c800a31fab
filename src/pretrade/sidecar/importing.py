# SPDX-License-Identifier: Apache-2.0
"""A recording into a market journal of its own: the records that capture writes, whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade import feeds
from pretrade.bus import Journal
from pretrade.domain import Config, EventKind
from pretrade.domain.errors import FeedError
from pretrade.feeds.manifest import Manifest, beside

Progress = Callable[[int, int, int], None]
"""Called with bytes read, bytes in all, and events so far."""
FAULTS_TOLD: Final = 100
_KINDS: Final = {int(kind): kind.name for kind in EventKind}


def silent(_done: int, _total: int, _events: int) -> None:
    """Tell nobody."""


def watched(stream: feeds.EventStream, total: int, progress: Progress) -> Iterator[NDArray[Any]]:
    """Chunks of a stream; after each, how far it is."""
    for chunk in stream:
        yield chunk
        progress(stream.bytes_read, total, stream.events)


class Tally:
    """What an event stream holds, counted as it goes by: number, kinds, hash, first and last stamp, order, whose they are."""

    def __init__(self) -> None:
        self.events = 0
        self.ts_first = self.ts_last = 0
        self.backwards = 0
        self.instrument_ids: set[int] = set()
        self._kinds = np.zeros(256, np.int64)
        self._digest = hashlib.sha256()

    def add(self, events: NDArray[Any]) -> None:
        """Count a chunk."""
        if not len(events):
            return
        ts = events["ts_recv"]
        self.backwards += int((np.diff(ts) < 0).sum()) + (self.events > 0 and int(ts[0]) < self.ts_last)
        self.ts_first = int(ts[0]) if self.events == 0 else self.ts_first
        self.ts_last = int(ts[-1])
        self.events += len(events)
        self._kinds += np.bincount(events["kind"], minlength=256)
        self.instrument_ids.update(np.unique(events["instrument_id"]).tolist())
        self._digest.update(np.ascontiguousarray(events).view(np.uint8).data)

    @property
    def kinds(self) -> dict[str, int]:
        """Events by kind; kinds that do not occur are left out."""
        return {kind_name(code): int(n) for code, n in enumerate(self._kinds) if n}

    @property
    def sha256(self) -> str:
        """Hash of all events one after the other."""
        return self._digest.hexdigest()


def kind_name(code: int) -> str:
    """Name of an event's kind."""
    return _KINDS.get(code, f"KIND_{code}")


def run(source: feeds.Source, out: Path, config: Config, *, progress: Progress = silent) -> Manifest:
    """Import a recording.

    Parameters
    ----------
    source
        What to read.
    out
        The journal; a manifest of the same name with ``.json`` behind it stands beside it. Both appear whole: the journal last.
    config
        The configuration.
    progress
        Told how far it is.

    Raises
    ------
    FeedError
        If the recording is refused, holds no event, or ``out`` exists; nothing is then left behind.
    JournalError
        If the journal cannot be written.

    Notes
    -----
    The same recording under the same configuration gives the same bytes. Memory does not grow with the recording.
    """
    if out.exists():
        raise FeedError(f"{out} exists; an import makes a new journal and replaces none")
    out.parent.mkdir(parents=True, exist_ok=True)
    _sweep(out)
    journal, told = _temporary(out), _temporary(beside(out))
    try:
        manifest = _write(source, journal, config, progress)
        manifest.write(told)
        told.rename(beside(out))
        # A link, unlike a rename, replaces no journal that another process made meanwhile.
        try:
            out.hardlink_to(journal)
        except FileExistsError as e:
            raise FeedError(f"{out} was made by another process meanwhile; nothing was replaced") from e
        _sync_folder(out.parent)
    finally:
        for path in (journal, told):
            path.unlink(missing_ok=True)
    return manifest


def _write(source: feeds.Source, path: Path, config: Config, progress: Progress) -> Manifest:
    stream = source.open(config)
    tally = Tally()
    with Journal(path) as journal:
        for chunk in watched(stream, source.bytes, progress):
            tally.add(chunk)
            journal.append(chunk)
    if tally.events == 0:
        raise FeedError(f"{', '.join(str(f) for f in source.files)}: no event was read")
    log = tuple(f"{f.kind}: {f.path.name} at {f.place}: {f.text}" for f in stream.fault_log[:FAULTS_TOLD])
    facts = (tally.events, tally.sha256, tally.ts_first, tally.ts_last, tally.kinds)
    seen = tuple(i for i in stream.instruments if i.instrument_id in tally.instrument_ids)
    return Manifest(source.as_dict(), seen, *facts, stream.faults, log, config.hash)


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.importing")


def _sweep(out: Path) -> None:
    """Remove what an import to this name left when it was killed."""
    for path in out.parent.glob(f".{out.name}*.importing"):
        told = re.search(r"\.(\d+)\.importing$", path.name)
        if told is not None and not Path(f"/proc/{told[1]}").exists():
            path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)
