# SPDX-License-Identifier: Apache-2.0
"""Verbs answer with the documented exit code and one line, and the desk's verbs work with every process dead."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from pretrade import calibration, domain, limits
from pretrade.cli import options
from pretrade.cli.proof import seed_range
from pretrade.domain import LIMITS_DTYPE, Config

PACKAGED = Path(domain.config.__file__).with_name("default.toml")
REASON = "the desk asked for it in writing"


def pretrade(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pretrade", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture
def run(tmp_path: Path, config: Config) -> Path:
    """A run directory whose processes are all dead."""
    directory = limits.RunDirectory(tmp_path / "run").create()
    limits.Controls.create(directory, config)
    limits.LimitsTable.create(directory, [(1, 0)])
    return directory.path


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nonsense"], 2, "No such command"),
        (["demo", "--seeds", "9..3"], 2, "write A..B"),
        (["check-config", "--config", "nowhere.toml"], 3, "nowhere.toml"),
        (["replay", "day.bin", "--format", "nonsense"], 3, "known are lobster, dbn, table"),
        (["replay", "nowhere.dbn", "--format", "dbn"], 1, "nowhere.dbn"),
        (["models", "card", "nowhere"], 1, "no shipped model is called 'nowhere'"),
        (["limits", "show", "--run", "nowhere"], 4, "limits.tbl"),
        (["kill", "arm", "--by", "Ada", "--reason", REASON, "--run", "nowhere"], 4, "controls.tbl"),
    ],
)
def test_refused_verb_exits_with_its_code_and_no_traceback(arguments: list[str], code: int, said: str, tmp_path: Path) -> None:
    done = pretrade(*arguments, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_models_of_the_package_are_listed_with_their_cards(tmp_path: Path) -> None:
    listed = json.loads(pretrade("models", "list", "--json", cwd=tmp_path).stdout)["models"]
    assert {"order-error-starter"} <= {m["id"].partition("@")[0] for m in listed}
    assert all(m["state"] and m["card"]["what"] for m in listed)


def test_unknown_key_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text(PACKAGED.read_text().replace("interval_ms", "interval_msec", 1))
    done = pretrade("check-config", "--config", "wrong.toml", cwd=tmp_path)
    assert done.returncode == 3
    assert "interval_ms" in done.stderr


def test_help_loads_neither_numpy_nor_the_compiled_module(tmp_path: Path) -> None:
    code = "import sys, pretrade.cli; print(sorted(m for m in sys.modules if m == 'numpy' or m.startswith('pretrade._native')))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_desk_verbs_load_no_model_library(run: Path) -> None:
    code = f"""
import sys
from pretrade.cli.control import limits_show
limits_show(run=__import__("pathlib").Path({str(run)!r}), json=True)
print([m for m in ("jax", "scipy", "onnxruntime", "pretrade.models", "pretrade.features") if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")


def test_limits_are_shown_with_every_process_dead(run: Path) -> None:
    done = pretrade("limits", "show", "--run", run, "--json", cwd=run)
    assert done.returncode == 0, done.stderr
    (record,) = json.loads(done.stdout)["limits"]
    assert record["instrument_id"] == 1
    assert record["max_order_quantity"]["static"] == 500


def test_kill_is_armed_by_one_and_released_by_two(run: Path) -> None:
    armed = pretrade("kill", "arm", "--by", "Ada", "--reason", REASON, "--run", run, cwd=run)
    number = json.loads(armed.stdout)["number"]
    assert limits.Controls.open(run).kill_word == number != 0
    for named, second in ((number, "Ada"), (number + 1, "Bo")):
        alone = pretrade("kill", "release", str(named), "--by", "Ada", "--second-by", second, "--reason", REASON, "--run", run, cwd=run)
        assert alone.returncode == 1
        assert limits.Controls.open(run).kill_word == number
    assert pretrade("kill", "release", str(number), "--by", "Ada", "--second-by", "Bo", "--reason", REASON, "--run", run, cwd=run).returncode == 0
    assert limits.Controls.open(run).kill_word == 0


def test_looser_configuration_is_loaded_by_two(run: Path) -> None:
    (run / "looser.toml").write_text(PACKAGED.read_text().replace("t1_ms = 1000", "t1_ms = 2000", 1))
    load = ("limits", "load", "--config", run / "looser.toml", "--by", "Ada", "--run", run)
    alone = pretrade(*load, cwd=run)
    assert alone.returncode == 1
    assert "gate.t1_ms" in alone.stderr
    assert pretrade(*load, "--second-by", "Bo", cwd=run).returncode == 0
    assert limits.refuse_unsigned(limits.RunDirectory(run), Config.load(run / "looser.toml"))


def test_breaker_is_listed_and_resumed_by_name(run: Path) -> None:
    trip = limits.Controls.open(run).trip(1, "Ada", REASON)
    listed = json.loads(pretrade("breaker", "list", "--run", run, "--json", cwd=run).stdout)["trips"]
    assert [(t["instrument_id"], t["trip_id"]) for t in listed] == [(1, trip)]
    wrong = pretrade("breaker", "resume", "1", str(trip + 7), "--by", "Bo", "--reason", REASON, "--run", run, cwd=run)
    assert wrong.returncode == 1
    assert pretrade("breaker", "resume", "1", str(trip), "--by", "Bo", "--reason", REASON, "--run", run, cwd=run).returncode == 0
    assert json.loads(pretrade("breaker", "list", "--run", run, "--json", cwd=run).stdout)["trips"] == []


def test_doctor_gives_one_object_with_advice_for_each_finding(tmp_path: Path) -> None:
    done = pretrade("doctor", "--json", cwd=tmp_path)
    result = json.loads(done.stdout)
    assert done.returncode == (0 if result["ok"] else 1)
    assert all(row["ok"] or row["advice"] for row in result["checks"])
    assert {"python", "compiled module", "disk sync"} <= {row["check"] for row in result["checks"]}


def test_doctor_finds_a_tripped_breaker(run: Path) -> None:
    limits.Controls.open(run).trip(1, "Ada", REASON)
    done = pretrade("doctor", "--json", "--run", run, cwd=run)
    assert done.returncode == 1
    (row,) = (r for r in json.loads(done.stdout)["checks"] if r["check"] == "run directory")
    assert not row["ok"]
    assert "breaker list" in row["advice"]


def test_table_shows_square_brackets_as_written(capsys: pytest.CaptureFixture[str]) -> None:
    options.table([{"reasons": "[12, 3]"}], "limits")
    assert "[12, 3]" in capsys.readouterr().out


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_seed_range_holds_both_ends(a: int, b: int) -> None:
    low, high = sorted((a, b))
    assert seed_range(f"{low}..{high}") == range(low, high + 1)


@pytest.mark.parametrize("text", ["", "5", "1..", "..3", "a..b", "-1..3", "1...3", "3..1"])
def test_seed_range_refuses_other_texts(text: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"write A\.\.B"):
        seed_range(text)


def test_limits_show_tells_groups_apart_from_instruments(tmp_path: Path, config: Config) -> None:
    directory = limits.RunDirectory(tmp_path / "run").create()
    limits.Controls.create(directory, config)
    table = limits.LimitsTable.create(directory, [(1, 0)])
    instrument = calibration.static_records(config, [1], epoch=table.epoch)
    group = np.zeros(1, LIMITS_DTYPE)
    group["instrument_id"], group["tier"], group["version"], group["systemic_score"], group["epoch"] = 0xFF00_0001, 2, 3, 0.25, table.epoch
    table.publish(instrument)
    table.publish(group)
    del table
    shown = json.loads(pretrade("limits", "show", "--json", "--run", directory.path, cwd=tmp_path).stdout)
    assert [(r["instrument_id"], r["systemic_score"]) for r in shown["limits"]] == [(1, None)]
    assert shown["groups"] == [{"group_id": 0xFF00_0001, "tier": "HIGH", "version": 3, "score": 0.25, "reasons": []}]
    assert "every member" in pretrade("limits", "show", "--run", directory.path, cwd=tmp_path).stdout
