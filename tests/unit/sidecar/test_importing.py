# SPDX-License-Identifier: Apache-2.0
"""An import is whole or not there, the same bytes every time, and holds against its recording."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.unit.feeds import recordings

from pretrade import feeds
from pretrade.bus import Journal, JournalReader
from pretrade.domain import Config, EventFlag
from pretrade.domain.errors import ConfigError, FeedError
from pretrade.feeds.manifest import Manifest, beside
from pretrade.sidecar import importing, verification

PRICE = 4_800_000_000_000
MANY = [(PRICE + (n % 7) * 250_000_000, 1 + n % 5, 128, "A", "B" if n % 2 else "A") for n in range(3_000)]


@pytest.fixture
def source(tmp_path: Path) -> feeds.Source:
    return feeds.Source((recordings.dbn(tmp_path / "day.dbn", MANY),), "dbn")


def _left(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_a_journal_holds_the_recordings_events_and_says_where_they_came_from(tmp_path: Path, config: Config, source: feeds.Source) -> None:
    out = tmp_path / "run" / "day.journal"
    manifest = importing.run(source, out, config)
    events = np.concatenate(list(source.open(config)))
    assert np.array_equal(JournalReader(out).read(10_000), events)
    assert np.array_equal(np.concatenate(list(feeds.open([out], format="journal", config=config))), events)
    assert (manifest.events, manifest.kinds) == (3_000, {"ADD": 3_000})
    assert Manifest.read(beside(out)) == manifest
    assert _left(out.parent) == ["day.journal", "day.journal.json"]


def test_the_same_recording_gives_the_same_bytes(tmp_path: Path, config: Config, source: feeds.Source) -> None:
    for name in ("a", "b"):
        importing.run(source, tmp_path / name, config)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert beside(tmp_path / "a").read_bytes() == beside(tmp_path / "b").read_bytes()


def test_a_recording_that_is_cut_leaves_nothing_behind(tmp_path: Path, config: Config, source: feeds.Source) -> None:
    cut = tmp_path / "cut.dbn"
    cut.write_bytes(source.files[0].read_bytes()[:-20])
    out = tmp_path / "out"
    with pytest.raises(FeedError, match=r"cut\.dbn at offset"):
        importing.run(feeds.Source((cut,), "dbn"), out / "day.journal", config)
    assert _left(out) == []


def test_an_interrupted_import_leaves_nothing_behind_and_a_killed_ones_rest_is_swept(tmp_path: Path, config: Config, source: feeds.Source) -> None:
    out = tmp_path / "out"
    out.mkdir()

    def stop(_done: int, _total: int, _events: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        importing.run(source, out / "day.journal", config, progress=stop)
    assert _left(out) == []
    rest = out / ".day.journal.4194305.importing"
    rest.write_bytes(b"of a process that is gone: no process has this id")
    alive = out / f".day.journal.{os.getppid()}.importing"
    alive.write_bytes(b"of one that runs")
    importing.run(source, out / "day.journal", config)
    assert _left(out) == [alive.name, "day.journal", "day.journal.json"]


def test_a_journal_that_exists_is_not_replaced(tmp_path: Path, config: Config, source: feeds.Source) -> None:
    out = tmp_path / "day.journal"
    out.write_bytes(b"somebody's")
    with pytest.raises(FeedError, match="exists; an import makes a new journal"):
        importing.run(source, out, config)
    assert out.read_bytes() == b"somebody's"


def test_an_empty_recording_is_refused(tmp_path: Path, config: Config) -> None:
    with pytest.raises(FeedError, match="no event was read"):
        importing.run(feeds.Source((recordings.dbn(tmp_path / "none.dbn", []),), "dbn"), tmp_path / "out", config)
    assert _left(tmp_path) == ["none.dbn"]


def test_progress_goes_from_little_to_all_bytes_of_the_files(tmp_path: Path, config: Config, source: feeds.Source) -> None:
    told: list[tuple[int, int, int]] = []
    importing.run(source, tmp_path / "out", config, progress=lambda *at: told.append(at))
    assert told[-1] == (source.bytes, source.bytes, 3_000)


def test_a_verified_journal_replays_as_its_recording(tmp_path: Path, config: Config, source: feeds.Source) -> None:
    out = tmp_path / "day.journal"
    importing.run(source, out, config)
    found = verification.run(out, config)
    assert found.findings == []
    assert (found.events, found.is_compared) == (3_000, True)
    assert found.rows_compared > 20


@pytest.mark.parametrize("at", [3_000, 100_000])
def test_a_flipped_byte_is_found_and_the_lost_records_are_named(tmp_path: Path, config: Config, source: feeds.Source, at: int) -> None:
    out = tmp_path / "day.journal"
    importing.run(source, out, config)
    raw = bytearray(out.read_bytes())
    raw[4_096 + at] ^= 1
    out.write_bytes(raw)
    found = verification.run(out, config, journal_only=True)
    assert any("offset 4096" in text for text in found.findings), found.findings
    with pytest.raises(FeedError, match=r"is cut: records 0 to 2999 were committed"):
        list(feeds.open([out], format="journal", config=config))


def test_another_recording_is_not_taken_for_the_one_imported(tmp_path: Path, config: Config, source: feeds.Source) -> None:
    out = tmp_path / "day.journal"
    importing.run(source, out, config)
    assert verification.run(out, config).findings == []
    other = recordings.dbn(tmp_path / "other.dbn", MANY[:-1])
    assert "is another file than the one imported" in verification.run(out, config, files=(other,)).findings[0]
    source.files[0].unlink()
    found = verification.run(out, config)
    assert found.findings == [f"{source.files[0]} is absent"]
    assert not found.is_compared
    assert verification.run(out, config, journal_only=True).findings == []


def test_a_journal_of_other_events_is_found_at_the_first_that_differs(tmp_path: Path, config: Config, source: feeds.Source) -> None:
    """A decoder that reads a recording anew differently than it was imported: the journal is whole, the events are not the same."""
    changed = list(MANY)
    changed[1_234] = (PRICE, 77, 128, "A", "A")
    other = feeds.Source((recordings.dbn(tmp_path / "other.dbn", changed),), "dbn")
    mine, theirs = tmp_path / "a", tmp_path / "b"
    importing.run(source, mine, config)
    told = Manifest.read(beside(mine))
    importing.run(other, theirs, config)
    found = verification.Verification(theirs)
    verification._compare(feeds.Source((theirs,), "journal"), source, config, told, found, importing.silent)
    assert found.findings == ["event 1234 differs in price (4800000000000, recording 4800500000000), size (77, recording 5)"]


def test_two_streams_are_read_in_steps_of_the_same_length() -> None:
    def chunks(*sizes: int) -> Iterator[NDArray[Any]]:
        at = 0
        for n in sizes:
            yield np.arange(at, at + n)
            at += n

    got = [(a.tolist(), b.tolist()) for a, b in verification.pairs(chunks(3, 2), chunks(1, 3))]
    assert got == [([0], [0]), ([1, 2], [1, 2]), ([3], [3]), ([4], [])]


def test_a_lost_frame_is_a_gap_for_every_instrument_after_it(tmp_path: Path, config: Config, source: feeds.Source) -> None:
    events = np.concatenate(list(source.open(config)))
    events["instrument_id"][1::2] = 1
    path = tmp_path / "day.journal"
    with Journal(path) as journal:
        ends = [journal.append(part).offset for part in np.array_split(events, 3)]
    raw = bytearray(path.read_bytes())
    raw[ends[0] + 100] ^= 1
    path.write_bytes(raw)
    stream = feeds.open([path], format="journal", config=config)
    read = np.concatenate(list(stream))
    assert stream.faults == {"sequence_gap": 1}
    assert "records 1000 to 1999 are lost" in stream.fault_log[0].text
    assert len(read) == 2_000
    gaps = np.flatnonzero(read["flags"] & EventFlag.GAP)
    assert (gaps.tolist(), read["instrument_id"][gaps].tolist()) == ([1_000, 1_001], [2, 1])


def test_a_manifest_and_a_configuration_that_disagree_are_refused(tmp_path: Path, config: Config, source: feeds.Source) -> None:
    out = tmp_path / "day.journal"
    importing.run(source, out, config)
    moved = [dataclasses.replace(i, symbol=f"{i.symbol}X") if i.symbol == "ESH4" else i for i in config.instruments]
    with pytest.raises(ConfigError, match=r"holds instrument 2 as ESH4 of XCME; the configuration has ESH4X"):
        feeds.open([out], format="journal", config=dataclasses.replace(config, instruments=tuple(moved)))
    left = tuple(i for i in config.instruments if i.symbol != "ESH4")
    stream = feeds.open([out], format="journal", config=dataclasses.replace(config, instruments=left))
    assert stream.instruments[0].symbol == "ESH4", "the manifest alone knows it"
