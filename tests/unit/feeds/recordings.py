# SPDX-License-Identifier: Apache-2.0
"""Small recordings written by us."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

ESH4 = 17_077
_ADD = (5, 1, 128, "A", "B")


def dbn(path: Path, records: list[tuple[int, int, int, str, str]] | None = None, *, schema: int = 0, symbol: str = "ESH4") -> Path:
    """Write a DBN version 2 file; a record is (price in 1e-9, size, flags, action, side), one every ms."""

    def text(value: str) -> bytes:
        return value.encode().ljust(71, b"\0")

    body = b"GLBX.MDP3".ljust(16, b"\0") + struct.pack("<HQQQBBBH", schema, 0, 0, 0, 1, 0, 0, 71) + bytes(53)
    body += struct.pack("<II", 0, 1) + text(symbol) + struct.pack("<III", 0, 0, 1) + text(symbol) + struct.pack("<III", 1, 20_231_224, 20_231_226)
    body += text(str(ESH4))
    out = bytearray(b"DBN\x02" + struct.pack("<I", len(body)) + body)
    for n, (price, size, flags, action, side) in enumerate(records if records is not None else [_ADD]):
        ts = 1_703_545_200_000_000_000 + n * 1_000_000
        out += struct.pack("<BBHIQQqIBBccQiI", 14, 0xA0, 1, ESH4, ts, n + 1, price, size, flags, 0, action.encode(), side.encode(), ts + 1_000, 0, n)
    path.write_bytes(out)
    return path


def lobster(folder: Path, rows: list[tuple[str, str]], *, name: str = "AAPL_2012-06-21_34200000_57600000") -> list[Path]:
    """Write a LOBSTER pair; a row is (message line, orderbook line)."""
    files = [folder / f"{name}_message_1.csv", folder / f"{name}_orderbook_1.csv.gz"]
    files[0].write_text("".join(message + "\n" for message, _ in rows))
    files[1].write_bytes(gzip.compress("".join(book + "\n" for _, book in rows).encode()))
    return files


def text(path: Path, content: str) -> Path:
    """Write a text file."""
    path.write_text(content)
    return path
