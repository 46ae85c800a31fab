# SPDX-License-Identifier: Apache-2.0
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, final

__all__ = ["CAPTURE_FORMATS", "TAQ_QUOTES", "TAQ_TRADES", "Map", "Stream", "sniff"]

CAPTURE_FORMATS: tuple[str, ...]
TAQ_QUOTES: tuple[str, ...]
TAQ_TRADES: tuple[str, ...]

@final
class Map:
    def __new__(
        cls,
        text: str,
        instruments: Mapping[str, tuple[int, int, bool]],
        *,
        symbol: str | None = None,
        zones: Mapping[str, Sequence[tuple[int, int]]] | None = None,
        date: str | None = None,
        typed_stamps: str | None = None,
    ) -> Map: ...
    def columns(self) -> list[str | int]: ...

@final
class Stream:
    @staticmethod
    def dbn(paths: Sequence[Path], instruments: Mapping[str, int]) -> Stream: ...
    @staticmethod
    def lobster(pairs: Sequence[tuple[Path, Path, int, int]]) -> Stream: ...
    @staticmethod
    def table(tables: Sequence[tuple[Path, Map, Iterator[Any] | None]]) -> Stream: ...
    @staticmethod
    def taq(files: Sequence[tuple[Path, int, bool, Iterator[Any]]]) -> Stream: ...
    @staticmethod
    def capture(format: str, paths: Sequence[Path], instruments: Sequence[tuple[str, str, int, int, bool]], only: bool) -> Stream: ...
    def next_batch(self) -> bytes: ...
    def events(self) -> int: ...
    def faults(self) -> dict[str, int]: ...
    def fault_log(self) -> list[tuple[str, Path, str, str]]: ...

def sniff(path: Path) -> str: ...
