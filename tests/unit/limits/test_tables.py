# SPDX-License-Identifier: Apache-2.0
"""Limits and quotes tables from Python: what is published is read; what is wrong is refused by name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pretrade.domain import LIMITS_DTYPE, QUOTES_DTYPE
from pretrade.domain.errors import TableError
from pretrade.limits import LimitsTable, QuotesTable, RunDirectory, clock_domain, is_simulated

SIMULATED = clock_domain(7)


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory(tmp_path / "run").create()


def limits(*instruments: int, version: int = 1) -> np.ndarray:
    records = np.zeros(len(instruments), LIMITS_DTYPE)
    records["instrument_id"], records["version"], records["max_order_quantity"] = instruments, version, 500
    return records


def test_reader_sees_what_the_writer_published(run: RunDirectory) -> None:
    writer = LimitsTable.create(run, [1, (2, 5)])
    reader = LimitsTable.open(run)
    assert writer.publish(limits(1, version=8)) == 1
    assert (reader.read(1)["version"], reader.read(1)["max_order_quantity"]) == (8, 500)
    assert reader.keys() == [(1, 0), (2, 5)]
    assert reader.read(2, 5)["valid_mask"] == 0
    assert reader.snapshot()["instrument_id"].tolist() == [1, 2]


def test_new_instrument_takes_a_free_slot_until_the_table_is_full(run: RunDirectory) -> None:
    writer = LimitsTable.create(run, [1], capacity=2)
    writer.publish(limits(9))
    assert LimitsTable.open(run).read(9)["max_order_quantity"] == 500
    with pytest.raises(TableError, match="full: record 3 above 2"):
        writer.publish(limits(10))


def test_unknown_instrument_is_named(run: RunDirectory) -> None:
    LimitsTable.create(run, [1])
    with pytest.raises(TableError, match=r"no record of \(4, 0\)"):
        LimitsTable.open(run).read(4)


def test_reader_cannot_publish(run: RunDirectory) -> None:
    writer = LimitsTable.create(run, [1])
    with pytest.raises(TableError, match="open for reading"):
        LimitsTable.open(run).publish(limits(1))
    with pytest.raises(TableError, match="dtype"):
        writer.publish(np.zeros(1, QUOTES_DTYPE))


def test_heartbeats_are_pairs_per_channel(run: RunDirectory) -> None:
    writer = QuotesTable.create(run, [1])
    reader = QuotesTable.open(run)
    writer.heartbeat(3, 200, 150)
    assert (reader.channel(3), reader.channel(4)) == ((200, 150), (0, 0))
    with pytest.raises(TableError, match="channel 128 is not below 128"):
        writer.heartbeat(128, 1, 1)


def test_new_writer_starts_a_new_epoch_and_two_writers_never_meet(run: RunDirectory) -> None:
    first = LimitsTable.create(run, [1])
    first.publish(limits(1, version=4))
    with pytest.raises(TableError, match=f"written by process {os.getpid()}"):
        LimitsTable.open(run, writable=True)
    del first
    second = LimitsTable.open(run, writable=True)
    assert (second.epoch, second.read(1)["version"], second.repaired) == (2, 4, [])


def test_simulated_table_is_refused_by_a_live_reader_and_the_other_way_round(run: RunDirectory) -> None:
    assert is_simulated(SIMULATED)
    assert not is_simulated(clock_domain())
    LimitsTable.create(run, [1], domain=SIMULATED)
    with pytest.raises(TableError, match="clock domain is 53494d554c41"):
        LimitsTable.open(run)
    assert LimitsTable.open(run, domain=SIMULATED).keys() == [(1, 0)]


def test_quotes_file_is_no_limits_file(run: RunDirectory) -> None:
    QuotesTable.create(run, [1])
    with pytest.raises(TableError, match='magic is "PTQUOTES"; a limits table starts with "PTLIMITS"'):
        LimitsTable.open(run.quotes)


@pytest.mark.parametrize(
    ("offset", "match"),
    [(0, "magic"), (8, "header version"), (12, "byte order"), (16, "layout hash"), (24, "layout version"), (48, "checksum"), (70, "checksum")],
)
def test_flipped_header_byte_is_refused_by_name(run: RunDirectory, offset: int, match: str) -> None:
    LimitsTable.create(run, [1])
    raw = bytearray(run.limits.read_bytes())
    raw[offset] ^= 0x20
    run.limits.write_bytes(raw)
    with pytest.raises(TableError, match=match):
        LimitsTable.open(run)


def test_flipped_record_byte_is_refused_by_its_checksum(run: RunDirectory) -> None:
    LimitsTable.create(run, [1]).publish(limits(1))
    raw = bytearray(run.limits.read_bytes())
    at = raw.index((500).to_bytes(8, "little"))
    raw[at] ^= 1
    run.limits.write_bytes(raw)
    with pytest.raises(TableError, match="does not match its checksum"):
        LimitsTable.open(run).read(1)


@pytest.mark.parametrize("size", [0, 100, 4096, 8192])
def test_truncated_table_is_refused(run: RunDirectory, size: int) -> None:
    LimitsTable.create(run, [1])
    os.truncate(run.limits, size)
    with pytest.raises(TableError, match="size"):
        LimitsTable.open(run)


def test_absent_table_and_table_writable_for_all_are_refused(run: RunDirectory) -> None:
    with pytest.raises(TableError, match="No such file"):
        LimitsTable.open(run)
    LimitsTable.create(run, [1])
    run.limits.chmod(0o666)
    with pytest.raises(TableError, match="mode 0666"):
        LimitsTable.open(run)


def test_table_truncated_while_mapped_is_dead_not_fatal(run: RunDirectory) -> None:
    # In a process of its own: the SIGBUS handler is for the whole process.
    program = """
import os, sys
from pretrade.domain.errors import TableError
from pretrade.limits import LimitsTable, survive_truncation
survive_truncation()
writer = LimitsTable.create(sys.argv[1], [1])
reader = LimitsTable.open(sys.argv[1])
os.truncate(sys.argv[1], 0)
reader.channel(0)
try:
    reader.read(1)
except TableError as e:
    print(e)
"""
    done = subprocess.run([sys.executable, "-c", program, str(run.limits)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "truncated while mapped" in done.stdout or "no record" in done.stdout


def test_replaced_table_tells_its_readers(run: RunDirectory) -> None:
    first = LimitsTable.create(run, [1])
    reader = LimitsTable.open(run)
    del first
    LimitsTable.create(run, [1, 2])
    assert reader.is_retired


def test_run_directory_others_may_write_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(TableError, match="mode 0777"):
        RunDirectory(tmp_path / "open").create()
