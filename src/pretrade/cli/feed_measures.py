# SPDX-License-Identifier: Apache-2.0
"""How fast recordings of every format are read: decoded, put into books, made into feature rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from pretrade import features, simulation
from pretrade._native import features as _kernels
from pretrade.domain import Config
from pretrade.domain.errors import MissingExtraError
from pretrade.feeds import Source
from pretrade.gateway import bench as gate_bench
from pretrade.simulation import recordings

_ROUNDS: Final = 5
Result = dict[str, Any]


def run(*, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure every format on one simulated market, written down as each venue writes it."""
    config = Config.load()
    events = simulation.flash_crash(seed=1, warm_up_s=240, story_s=10).events
    steps: list[Callable[[], Result]] = []
    with TemporaryDirectory() as folder:
        for name in recordings.FORMATS:
            place = Path(folder) / name
            place.mkdir()
            try:
                source, known = recordings.write(name, events, place, config)
            except MissingExtraError as e:
                say(f"{name} is left out: {e}")
                continue
            say(f"{name}: {source.bytes / 1e6:.1f} MB")
            steps += measures(name, source, known)
        return gate_bench.report_of(steps)


def measures(name: str, source: Source, config: Config) -> list[Callable[[], Result]]:
    """Three measures of one recording: ``feed_decode_NAME``, ``feed_book_NAME``, ``feed_features_NAME``; each reads the file from its beginning."""

    def decode() -> int:
        return sum(len(chunk) for chunk in source.open(config))

    def book() -> int:
        books, n = _kernels.Books(), 0
        for chunk in source.open(config):
            books.push(chunk.tobytes())
            n += len(chunk)
        return n

    def rows() -> int:
        stream = source.open(config)
        engine, n = features.engine(config, stream.instruments, with_quotes=False), 0
        for chunk in stream:
            engine.push(chunk)
            n += len(chunk)
        return n

    return [partial(_rate, f"feed_{what}_{name}", step) for what, step in (("decode", decode), ("book", book), ("features", rows))]


def _rate(name: str, step: Callable[[], int]) -> Result:
    each = []
    n = step()
    for _ in range(_ROUNDS):
        begun = time.perf_counter()
        n = step()
        each.append((time.perf_counter() - begun) / n * 1e9)
    middle = float(np.median(each))
    return {"name": name, "n": n * _ROUNDS, "min_ns": min(each), "p50_ns": middle, "per_second": 1e9 / middle}
