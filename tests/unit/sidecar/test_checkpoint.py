# SPDX-License-Identifier: Apache-2.0
"""A checkpoint is taken for what it is of, whole, or not at all."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from pretrade.bus import Journal, Position
from pretrade.domain import EVENT_DTYPE, Config
from pretrade.domain.errors import JournalError
from pretrade.models import AnomalyModel
from pretrade.sidecar.checkpoint import Checkpoint, CheckpointFile


@dataclasses.dataclass
class Named:
    """All a checkpoint asks of a model."""

    id: str


def journal_of(path: Path, first: int, n: int = 200) -> Position:
    made = np.zeros(n, EVENT_DTYPE)
    made["ts_recv"] = np.arange(first, first + n)
    with Journal(path) as journal:
        return journal.append(made)


def file_of(folder: Path, config: Config, *, model: str = "abc", journal: str = "market", instruments: int = 1) -> CheckpointFile:
    return CheckpointFile(folder / "checkpoint", config, config.instruments[:instruments], cast(AnomalyModel, Named(model)), folder / journal)


@pytest.fixture
def saved(tmp_path: Path, config: Config) -> Checkpoint:
    state = Checkpoint(journal_of(tmp_path / "market", 1), {"stream": {"a": [1, 2]}, "calibrator": {"x": None}}, bytes(range(256)) * 20)
    file_of(tmp_path, config).save(state)
    return state


def test_what_was_saved_comes_back(saved: Checkpoint, tmp_path: Path, config: Config) -> None:
    assert file_of(tmp_path, config).load() == saved
    later = dataclasses.replace(saved, engine=b"later")
    file_of(tmp_path, config).save(later)
    assert file_of(tmp_path, config).load() == later
    assert [p.name for p in tmp_path.iterdir() if "checkpoint" in p.name] == ["checkpoint"]
    assert file_of(tmp_path / "absent", config, journal="market").load() is None


def test_the_journal_may_have_grown(saved: Checkpoint, tmp_path: Path, config: Config) -> None:
    journal_of(tmp_path / "market", 201)
    assert file_of(tmp_path, config).load() == saved


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (lambda d, c: file_of(d, c, model="xyz"), "model abc; this sidecar has xyz"),
        (lambda d, c: file_of(d, c.with_static_limit(501)), "config_hash"),
        (lambda d, c: file_of(d, c, instruments=2), "instruments"),
        (lambda d, c: journal_of(d / "other", 7) and file_of(d, c, journal="other"), "another journal"),
        (lambda d, c: journal_of(d / "short", 1, 3) and file_of(d, c, journal="short"), "another journal"),
    ],
)
def test_a_checkpoint_of_something_else_is_refused(
    saved: Checkpoint, tmp_path: Path, config: Config, other: Callable[[Path, Config], CheckpointFile], said: str
) -> None:
    with pytest.raises(JournalError, match=said):
        other(tmp_path, config).load()


def test_another_version_is_refused(saved: Checkpoint, tmp_path: Path, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pretrade.sidecar.checkpoint.__version__", "99.0.0")
    with pytest.raises(JournalError, match=r"version .*; this sidecar has 99\.0\.0"):
        file_of(tmp_path, config).load()


def test_any_damaged_byte_and_any_cut_is_refused(saved: Checkpoint, tmp_path: Path, config: Config) -> None:
    path = tmp_path / "checkpoint"
    whole = path.read_bytes()
    rng = np.random.default_rng(3)
    for at in {0, 1, len(whole) - 1, whole.index(b"\n"), *rng.integers(0, len(whole), 200).tolist()}:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << int(rng.integers(8)))]) + whole[at + 1 :])
        with pytest.raises(JournalError, match="checkpoint"):
            file_of(tmp_path, config).load()
    for cut in {0, 1, len(whole) // 2, len(whole) - 1}:
        path.write_bytes(whole[:cut])
        with pytest.raises(JournalError, match="damaged"):
            file_of(tmp_path, config).load()
    path.write_bytes(whole + b"x")
    with pytest.raises(JournalError, match="damaged"):
        file_of(tmp_path, config).load()


def test_a_save_that_fails_leaves_the_last_one(saved: Checkpoint, tmp_path: Path, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(JournalError, match=r"cannot be written.*No space"):
        file_of(tmp_path, config).save(dataclasses.replace(saved, engine=b"lost"))
    monkeypatch.undo()
    assert file_of(tmp_path, config).load() == saved
