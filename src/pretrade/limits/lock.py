# SPDX-License-Identifier: Apache-2.0
"""The lock of ``controls``: held per write, and it says who holds it."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pretrade.domain.errors import ControlError


@contextmanager
def held(path: Path, purpose: str, *, timeout_s: float = 2.0) -> Iterator[None]:
    """Hold the exclusive lock ``path`` for the block.

    Raises
    ------
    ControlError
        If it stays taken for ``timeout_s`` seconds; the message names the holder.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o640)
    try:
        deadline = time.monotonic() + timeout_s
        while not _take(descriptor):
            if time.monotonic() >= deadline:
                holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "an unnamed process"
                raise ControlError(f"{path} is held by {holder} for more than {timeout_s:g} s")
            time.sleep(0.01)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} ({purpose})".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
