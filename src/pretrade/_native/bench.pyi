# SPDX-License-Identifier: Apache-2.0
from pathlib import Path
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

@final
class FixStreet:
    def __new__(cls) -> Self: ...
    @property
    def venue_port(self) -> int: ...
    def through(self, port: int, n: int, per_second: int, burst: int) -> dict[str, float]: ...
    def bare(self, n: int, per_second: int, burst: int) -> dict[str, float]: ...

def make_tables(directory: Path, instruments: int, strategies: int, accounts: int) -> None: ...
def make_floor(path: Path) -> None: ...
def write_floor(path: Path, per_second: int) -> None: ...
def write_tables(directory: Path, instruments: int, per_second: int, with_quotes: bool) -> None: ...
def floor_read(path: Path, slices: int, seconds: float, is_busy: bool) -> dict[str, float]: ...
def limit_lookup(directory: Path, slices: int, seconds: float, is_busy: bool) -> dict[str, float]: ...
def floor_check(path: Path, slices: int, seconds: float) -> dict[str, float]: ...
def full_check(
    directory: Path,
    disk: Path | None,
    instruments: int,
    strategies: int,
    accounts: int,
    slices: int,
    seconds: float,
    is_rejected: bool,
    order_error: Path | None,
) -> dict[str, float]: ...
def count_torn(directory: Path, n: int, is_unguarded: bool) -> tuple[int, int]: ...
def matching_engine(operations: int, rounds: int) -> dict[str, float]: ...
def lightgbm_single_row(library: Path, model: Path, rows: NDArray[np.float32], width: int, slices: int, seconds: float) -> dict[str, float]: ...

__all__ = [
    "FixStreet",
    "count_torn",
    "floor_check",
    "floor_read",
    "full_check",
    "lightgbm_single_row",
    "limit_lookup",
    "make_floor",
    "make_tables",
    "matching_engine",
    "write_floor",
    "write_tables",
]
