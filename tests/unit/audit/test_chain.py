# SPDX-License-Identifier: Apache-2.0
"""The control journal: every flip, cut, swap and deletion is found and named."""

from __future__ import annotations

from pathlib import Path

import pytest

from pretrade import audit
from pretrade.audit.chain import entry_hash
from pretrade.bus import Journal
from pretrade.domain.errors import JournalError

HEADER = 4096


@pytest.fixture
def journal(tmp_path: Path) -> audit.ControlJournal:
    journal = audit.ControlJournal(tmp_path / "controls.journal")
    for number in range(3):
        journal.append({"action": "arm_kill", "number": number, "by": "Ada", "reason": "drill of the desk"}, ts=1_700_000_000_000_000_937 + number)
    return journal


def test_entries_come_back_as_recorded(journal: audit.ControlJournal) -> None:
    entries = audit.ControlJournal(journal.path).read_new()
    assert [e.fields["number"] for e in entries] == [0, 1, 2]
    assert [e.ts for e in entries] == [1_700_000_000_000_000_937 + n for n in range(3)]
    assert entries[0].previous == audit.GENESIS
    found = audit.verify(journal.path, head=journal.head)
    assert (found.ok, found.kind, found.records, found.head) == (True, "control", 3, entries[2].hash)


def test_entry_that_does_not_follow_what_was_read_is_refused(journal: audit.ControlJournal) -> None:
    late = audit.ControlJournal(journal.path)
    with pytest.raises(JournalError, match="ends at record 3; the next was to be 0"):
        late.append({"action": "trip"}, ts=0)
    late.read_new()
    assert late.append({"action": "trip"}, ts=0).seq == 3
    assert [e.action for e in journal.read_new()] == ["trip"]


def test_every_flipped_byte_is_found(journal: audit.ControlJournal) -> None:
    whole = journal.path.read_bytes()
    for at in range(HEADER, len(whole), 3):
        journal.path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        assert not audit.verify(journal.path).ok, f"flip at {at} was missed"
    journal.path.write_bytes(whole)
    assert audit.verify(journal.path).ok


def test_every_cut_is_found(journal: audit.ControlJournal) -> None:
    whole = journal.path.read_bytes()
    for length in range(HEADER, len(whole), 11):
        journal.path.write_bytes(whole[:length])
        found = audit.verify(journal.path)
        assert not found.ok, f"cut at {length} was missed"
        assert "was committed" in found.problems[-1] or "corrupt" in found.problems[-1]


def test_rewritten_entry_with_right_checksums_is_found(tmp_path: Path, journal: audit.ControlJournal) -> None:
    entries = audit.ControlJournal(journal.path).read_new()
    forged = audit.ControlJournal(tmp_path / "forged.journal")
    forged.append(entries[0].fields, ts=entries[0].ts)
    forged.append({**entries[1].fields, "by": "Mallory"}, ts=entries[1].ts)
    forged.append(entries[2].fields, ts=entries[2].ts)
    # The whole chain was signed anew: only a head kept outside can tell.
    assert audit.verify(forged.path).ok
    found = audit.verify(forged.path, head=journal.head)
    assert not found.ok
    assert "was anchored" in found.problems[0]


def test_hash_covers_every_part_of_an_entry() -> None:
    base = entry_hash(1, 2, {"a": 1}, audit.GENESIS)
    others = [
        entry_hash(2, 2, {"a": 1}, audit.GENESIS),
        entry_hash(1, 3, {"a": 1}, audit.GENESIS),
        entry_hash(1, 2, {"a": 2}, audit.GENESIS),
        entry_hash(1, 2, {"a": 1}, base),
    ]
    assert len({base, *others}) == 5


def test_reading_a_damaged_journal_stops(journal: audit.ControlJournal) -> None:
    raw = bytearray(journal.path.read_bytes())
    raw[HEADER + 100] ^= 1
    journal.path.write_bytes(raw)
    with pytest.raises(JournalError, match="corrupt from offset 4096"):
        audit.ControlJournal(journal.path).read_new()


def test_what_is_no_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello, this is a letter")
    with pytest.raises(JournalError, match="starts with b'hello, t'"):
        audit.verify(tmp_path / "text")
    with pytest.raises(JournalError, match="No such file"):
        audit.verify(tmp_path / "absent")


def test_market_journal_is_not_taken_for_a_control_journal(tmp_path: Path) -> None:
    Journal(tmp_path / "market").close()
    with pytest.raises(JournalError, match="holds stream 1"):
        audit.ControlJournal(tmp_path / "market").append({"action": "trip"}, ts=0)
