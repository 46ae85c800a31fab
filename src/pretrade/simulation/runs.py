# SPDX-License-Identifier: Apache-2.0
"""Many seeds, one row or more each: kept on disk as they come, gone on with after a stop, spread over processes."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Final, TypeVar

from pretrade.domain.errors import SimulationError

_JUDGED_BY: Final = ("domain", "features", "models", "calibration", "simulation")
_Found = TypeVar("_Found")
Row = dict[str, Any]


def code_hash() -> str:
    """Hash over the sources of the rooms that judge and over the compiled module."""
    package = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for path in (*(p for room in _JUDGED_BY for p in sorted((package / room).glob("*.py"))), _compiled(package)):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _compiled(package: Path) -> Path:
    found = sorted(package.glob("_native*.so")) + sorted(package.glob("_native*.pyd"))
    if not found:
        raise SimulationError(f"no compiled module lies in {package}")
    return found[0]


def rows_of(out: Path, batch: Mapping[str, Any], seeds: range, say: Callable[[str], None]) -> list[Row]:
    """Rows that an earlier, stopped run of the same batch left in ``out``; none where it holds another batch."""
    try:
        found = json.loads(out.read_text())
        same = found["batch"] == batch
        rows = [row for row in found["rows"] if row["seed"] in seeds] if same else []
    except (OSError, ValueError, KeyError, TypeError):
        return []
    if rows:
        say(f"{len(rows)} of {len(seeds)} seeds are in {out} already")
    elif not same:
        say(f"{out} holds another batch (options, models or code differ): beginning anew")
    return rows


def spread(
    work: Callable[[int], _Found], begin: Callable[..., None], arguments: tuple[Any, ...], seeds: Sequence[int], workers: int
) -> Iterator[_Found]:
    """What ``work`` gives for each seed, as it comes, from up to ``workers`` fresh processes that each called ``begin`` once.

    Notes
    -----
    An interrupt is this process's to answer, and a worker ends with it.
    """
    pool = ProcessPoolExecutor(
        min(workers, len(seeds)), mp_context=multiprocessing.get_context("spawn"), initializer=_begin, initargs=(begin, arguments)
    )
    try:
        yield from (future.result() for future in as_completed([pool.submit(work, seed) for seed in seeds]))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin(begin: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    begin(*arguments)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def write(result: Mapping[str, Any], out: Path) -> None:
    """Replace a result file whole."""
    temporary = out.with_name(f".{out.name}.{os.getpid()}.new")
    temporary.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n")
    temporary.replace(out)


def clock(seconds: float) -> str:
    """Minutes and seconds in words."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
