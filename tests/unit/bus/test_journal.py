# SPDX-License-Identifier: Apache-2.0
"""The journal of events: read at once, durable after commit, stopped by a failed write."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pretrade.bus import Journal, JournalReader, Position
from pretrade.domain import EVENT_DTYPE
from pretrade.domain.errors import JournalError


def events(first: int, count: int) -> np.ndarray:
    made = np.zeros(count, EVENT_DTYPE)
    made["ts_recv"] = np.arange(first, first + count) * 1_000_937
    made["sequence"] = np.arange(first, first + count)
    return made


def test_reader_follows_the_writer(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as journal:
        reader = JournalReader(tmp_path / "j")
        assert len(reader.read()) == 0
        journal.append(events(0, 3))
        assert reader.read().tobytes() == events(0, 3).tobytes()
        end = journal.append(events(3, 2))
        assert end.next_seq == 5
        assert reader.read()["sequence"].tolist() == [3, 4]
        assert reader.position == end
        assert journal.commit() == end == reader.committed


def test_reader_goes_on_from_a_saved_position(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as journal:
        middle = journal.append(events(0, 3))
        journal.append(events(3, 2))
    middle.save(tmp_path / "position")
    found = Position.load(tmp_path / "position")
    assert found == middle
    assert JournalReader(tmp_path / "j", found).read()["sequence"].tolist() == [3, 4]
    assert Position.load(tmp_path / "absent") is None
    (tmp_path / "position").write_text("{}")
    with pytest.raises(JournalError, match="holds no position"):
        Position.load(tmp_path / "position")


def test_big_append_is_cut_into_frames_and_comes_back_whole(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as journal:
        journal.append(events(0, 150_000))
    reader = JournalReader(tmp_path / "j")
    parts = []
    while len(part := reader.read(50_000)):
        parts.append(part)
    assert len(parts) == 3
    assert np.array_equal(np.concatenate(parts)["sequence"], np.arange(150_000))


def test_journal_goes_on_after_it_was_closed(tmp_path: Path) -> None:
    for first in (0, 2):
        with Journal(tmp_path / "j") as journal:
            journal.append(events(first, 2))
            assert journal.problems == ()
    assert JournalReader(tmp_path / "j").read()["sequence"].tolist() == [0, 1, 2, 3]


def test_second_writer_wrong_dtype_and_closed_journal_are_refused(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    with pytest.raises(JournalError, match="written by another process"):
        Journal(tmp_path / "j")
    with pytest.raises(JournalError, match="EVENT_DTYPE"):
        journal.append(np.zeros(3))
    journal.close()
    journal.close()
    with pytest.raises(JournalError, match="is closed"):
        journal.append(events(0, 1))


def test_corruption_is_located_and_reading_goes_on(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as journal:
        first = journal.append(events(0, 2))
        second = journal.append(events(2, 2))
        journal.append(events(4, 1))
    raw = bytearray((tmp_path / "j").read_bytes())
    raw[first.offset + 80] ^= 1
    (tmp_path / "j").write_bytes(raw)
    reader = JournalReader(tmp_path / "j")
    assert reader.read()["sequence"].tolist() == [0, 1, 4]
    assert f"corrupt from offset {first.offset} to {second.offset}; records 2 to 3 are lost" in reader.problems[0]


def test_full_disk_stops_the_writer_for_good(tmp_path: Path) -> None:
    # A limit on the file size stands for a full disk; in a process of its own, since the limit is for all files.
    program = """
import resource, signal, sys
import numpy as np
from pretrade.bus import Journal
from pretrade.domain import EVENT_DTYPE
from pretrade.domain.errors import JournalError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
journal = Journal(sys.argv[1])
for attempt in range(40):
    try:
        journal.append(np.zeros(10, EVENT_DTYPE))
    except JournalError as e:
        print(e)
        break
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
for call in (lambda: journal.append(np.zeros(1, EVENT_DTYPE)), journal.commit):
    try:
        call()
        print("went on")
    except JournalError as e:
        print(e)
"""
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "j")], check=True, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    assert all("has stopped and will not retry" in line for line in lines), lines
    seen = JournalReader(tmp_path / "j").read(1_000_000)
    assert len(seen) > 0
    assert len(seen) % 10 == 0


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(1, 40), min_size=1, max_size=8))
def test_any_batches_come_back_in_order(tmp_path_factory: pytest.TempPathFactory, cuts: list[int]) -> None:
    path = tmp_path_factory.mktemp("journal") / "j"
    whole = events(0, sum(cuts))
    with Journal(path) as journal:
        for part in np.split(whole, np.cumsum(cuts)[:-1]):
            journal.append(part)
    assert JournalReader(path).read(10_000).tobytes() == whole.tobytes()
