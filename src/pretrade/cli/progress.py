# SPDX-License-Identifier: Apache-2.0
"""Progress of a long file on stderr: a bar with the time left on a terminal, one line every few seconds elsewhere if asked for."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Final, Self

_EVERY_S: Final = 5.0


class FileProgress:
    """Bytes read of all bytes, events so far, time left.

    Parameters
    ----------
    title
        What is done.
    wanted
        True shows it everywhere, False nowhere, ``None`` only on a terminal.
    """

    def __init__(self, title: str, wanted: bool | None = None) -> None:
        self._title = title
        self._is_terminal = sys.stderr.isatty()
        self._is_shown = self._is_terminal if wanted is None else wanted
        self._bar: Any = None
        self._task: Any = None
        self._started = self._told = time.monotonic()

    def __enter__(self) -> Self:
        if self._is_shown and self._is_terminal:
            from rich.console import Console
            from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                DownloadColumn(),
                TextColumn("{task.fields[events]:,} events"),
                TimeRemainingColumn(),
            )
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task(self._title, total=None, events=0)
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, done: int, total: int, events: int) -> None:
        """Show how far it is."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=max(total, 1), events=events)
            return
        now = time.monotonic()
        if self._is_shown and now - self._told >= _EVERY_S:
            self._told = now
            sys.stderr.write(f"{self._title}: {line(done, total, events, now - self._started)}\n")
            sys.stderr.flush()


def line(done: int, total: int, events: int, seconds: float) -> str:
    """One line of progress.

    Examples
    --------
    >>> line(25, 100, 1_000, 10.0)
    '25 %, 1,000 events, 30 s left'
    >>> line(0, 100, 0, 10.0)
    '0 %, 0 events'
    """
    share = min(done / total, 1.0) if total else 1.0
    left = f", {seconds * (1 - share) / share:.0f} s left" if share else ""
    return f"{share:.0%}, {events:,} events{left}".replace("%", " %", 1)
