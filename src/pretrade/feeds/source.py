# SPDX-License-Identifier: Apache-2.0
"""What a recording is: its files and everything needed to read them again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pretrade.domain import Config
from pretrade.domain.errors import FeedError
from pretrade.feeds.recording import EventStream
from pretrade.feeds.recording import open as open_recording
from pretrade.feeds.table import read_maps

_BLOCK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """A recording as it was named.

    Parameters
    ----------
    files
        One or several files, merged by ``ts_recv``.
    format
        One of `pretrade.feeds.FORMATS`.
    instruments, date, map, splits
        As :func:`pretrade.feeds.open` takes them.
    """

    files: tuple[Path, ...]
    format: str
    instruments: tuple[str, ...] | None = None
    date: str | None = None
    map: Path | None = None
    splits: Path | None = None

    def open(self, config: Config) -> EventStream:
        """Open it as one stream.

        Raises
        ------
        FeedError
            If a file is refused.
        """
        named: dict[str, Any] = {"instruments": self.instruments, "date": self.date, "map": self.map, "splits": self.splits}
        return open_recording(self.files, format=self.format, config=config, **named)

    @property
    def bytes(self) -> int:
        """Size of all files on the disk.

        Raises
        ------
        FeedError
            If one is not there.
        """
        return sum(_size(file) for file in self.files)

    def as_dict(self) -> dict[str, Any]:
        """Plain values; each file with its size and hash, so that another one is not taken for it."""
        return {
            "format": self.format,
            "files": [_identity(file) for file in self.files],
            "instruments": None if self.instruments is None else list(self.instruments),
            "date": self.date,
            "maps": [] if self.map is None else [_identity(m.path) for m in read_maps([self.map])],
            "map": None if self.map is None else str(self.map.resolve()),
            "splits": None if self.splits is None else _identity(self.splits),
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Source:
        """The recording that :meth:`as_dict` told of, wherever its files were then."""
        symbols = raw["instruments"]
        return cls(
            tuple(Path(f["path"]) for f in raw["files"]),
            str(raw["format"]),
            None if symbols is None else tuple(symbols),
            raw["date"],
            None if raw["map"] is None else Path(raw["map"]),
            None if raw["splits"] is None else Path(raw["splits"]["path"]),
        )


def changed(told: Sequence[Mapping[str, Any]], files: Sequence[Path]) -> list[str]:
    """What is no longer as :meth:`Source.as_dict` told it, in words; empty where every file is the same."""
    out = [] if len(told) == len(files) else [f"{len(files)} files are named; {len(told)} were imported"]
    for before, file in zip(told, files, strict=False):
        if not file.is_file():
            out.append(f"{file} is absent")
        elif _identity(file)["sha256"] != before["sha256"]:
            out.append(f"{file} is another file than the one imported: {_size(file)} bytes, then {before['bytes']}")
    return out


def _identity(file: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    try:
        with file.open("rb") as opened:
            while block := opened.read(_BLOCK):
                digest.update(block)
    except OSError as e:
        raise FeedError(f"{file} at offset 0: cannot be read: {e.strerror}") from e
    return {"path": str(file.resolve()), "bytes": _size(file), "sha256": digest.hexdigest()}


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError as e:
        raise FeedError(f"{file} at offset 0: cannot be opened: {e.strerror}") from e
