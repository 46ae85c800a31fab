# SPDX-License-Identifier: Apache-2.0
from pathlib import Path
from typing import Any

CONTROL_MAGIC: bytes
GATE_MAGIC: bytes

def append_durable(path: Path, payload: bytes, expect: int, ts: int) -> tuple[int, int]: ...
def read_frames(path: Path, offset: int = ..., next_seq: int = ...) -> tuple[list[tuple[int, bytes]], int, int, list[str]]: ...
def verify_gate(path: Path) -> dict[str, Any]: ...

__all__ = ["CONTROL_MAGIC", "GATE_MAGIC", "append_durable", "read_frames", "verify_gate"]
