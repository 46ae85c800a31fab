# SPDX-License-Identifier: Apache-2.0
"""Verify a control or gate journal from its bytes alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from pretrade._native import audit as _native
from pretrade.audit.chain import GENESIS, decode, entry_hash
from pretrade.domain.errors import JournalError


@dataclass(frozen=True, slots=True)
class Verification:
    """What :func:`verify` found.

    ``head`` is the hash of the last entry or batch; compare it with a copy kept elsewhere to notice a journal
    that was cut at a whole entry and re-signed. ``problems`` names offset or record of each fault.
    """

    path: Path
    kind: str
    ok: bool
    records: int
    head: str
    problems: tuple[str, ...]


def verify(path: Path | str, *, head: str | None = None) -> Verification:
    """Verify checksums, order and hash chain of a journal.

    Parameters
    ----------
    path
        A control journal or a gate journal; which one, the file's first bytes say.
    head
        Hash that the journal must contain as its last, as kept outside; not compared when ``None``.

    Raises
    ------
    JournalError
        If the file cannot be read or is neither kind.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            magic = file.read(8)
    except OSError as e:
        raise JournalError(f"{path}: {e.strerror}") from e
    if magic == _native.CONTROL_MAGIC:
        found = _verify_control(path)
    elif magic == _native.GATE_MAGIC:
        found = _verify_gate(path)
    else:
        raise JournalError(
            f"{path}: starts with {magic!r}; a control journal starts with {_native.CONTROL_MAGIC!r}, a gate journal with {_native.GATE_MAGIC!r}"
        )
    if head is not None and found.head != head:
        problem = f"{path}: head is {found.head}; {head} was anchored"
        return replace(found, ok=False, problems=(*found.problems, problem))
    return found


def _verify_control(path: Path) -> Verification:
    frames, _, _, found = _native.read_frames(path)
    problems = list(found)
    previous = GENESIS
    for seq, payload in frames:
        try:
            entry = decode(seq, payload)
        except JournalError as e:
            problems.append(f"{path}: {e}")
            continue
        if entry.previous != previous:
            problems.append(f"{path}: entry {seq} names {entry.previous[:12]} as the one before; that is {previous[:12]}")
        if entry.seq != seq or entry.hash != entry_hash(entry.seq, entry.ts, entry.fields, entry.previous):
            problems.append(f"{path}: entry {seq} does not match its hash")
        previous = entry.hash
    return Verification(path, "control", not problems, len(frames), previous, tuple(problems))


def _verify_gate(path: Path) -> Verification:
    found = _native.verify_gate(path)
    problems = tuple(f"{path}: {text}" for text in found["problems"])
    return Verification(path, "gate", found["problem_count"] == 0, found["records"], found["head"].hex(), problems)
