# SPDX-License-Identifier: Apache-2.0
"""Kill, trip, resume and static limits: who may, in which order, and what survives."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest

from pretrade import audit
from pretrade.domain import LIMITS_DTYPE, Config, LimitFlag
from pretrade.domain.errors import ControlError, JournalError, TableError
from pretrade.limits import Controls, Level, LimitsTable, RunDirectory, clock_domain
from pretrade.limits.lock import held
from pretrade.limits.publication import UNRECORDED
from pretrade.limits.state import DIRECTIONS, is_looser

REASON = "drill of the desk"


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory(tmp_path / "run", tmp_path / "journals").create()


@pytest.fixture
def controls(run: RunDirectory, config: Config) -> Controls:
    return Controls.create(run, config, lock_timeout_s=0.05)


def trip_by_sidecar(run: RunDirectory, trip_id: int) -> LimitsTable:
    table = LimitsTable.create(run, [1])
    record = np.zeros(1, LIMITS_DTYPE)
    record["instrument_id"], record["trip_id"], record["flags"], record["tier"] = 1, trip_id, LimitFlag.TRIPPED, 3
    table.publish(record)
    return table


def actions(run: RunDirectory) -> list[str]:
    return [e.action for e in audit.ControlJournal(run.control_journal).read_new()]


def test_configured_limits_stand_in_the_table(controls: Controls, config: Config) -> None:
    static = controls.static(1)
    assert set(static) == set(DIRECTIONS)
    assert (static["max_order_quantity"], static["passive_standoff_ticks"]) == (500, -(2**31))
    record = controls.record(Level.INSTRUMENT, 1)
    assert (record["tick_size"], record["version"]) == (config.instrument(1).tick_size, 1)
    assert record["ceiling"] == record["static_limits"]
    assert controls.record(Level.GATEWAY, 0)["shares_ppm"].tolist() == [1_000_000] * 7 + [0]


def test_kill_acts_for_another_process_and_needs_two_persons_to_end(run: RunDirectory, controls: Controls) -> None:
    other = Controls.open(run)
    before = other.generation
    number = controls.arm_kill("Ada", REASON)
    assert other.kill_word == number
    assert other.generation > before
    for second in ("", " ", "ada"):
        with pytest.raises(ControlError, match=r"second person|two different persons"):
            other.release_kill(number, "Ada", second, REASON)
    assert controls.kill_word == number
    other.release_kill(number, "Ada", "Grace", REASON)
    assert controls.kill_word == 0
    with pytest.raises(ControlError, match=f"kill {number} of firm 0 is not in force; in force: none"):
        other.release_kill(number, "Ada", "Grace", REASON)
    assert actions(run) == ["configure", "arm_kill", "release_kill"]


def test_kill_acts_although_the_lock_is_held_and_says_it_is_unrecorded(run: RunDirectory, controls: Controls) -> None:
    with held(run.controls_lock, "a stuck tool"):
        with pytest.raises(ControlError, match=rf"in force but not recorded: .*process {os.getpid()} \(a stuck tool\)"):
            controls.arm_kill("Ada", REASON)
        assert Controls.open(run).kill_word != 0


def test_kill_acts_although_the_journal_cannot_be_written(run: RunDirectory, controls: Controls) -> None:
    run.control_journal.write_bytes(b"overwritten by something else")
    with pytest.raises(ControlError, match="in force but not recorded"):
        controls.arm_kill("Ada", REASON)
    assert controls.kill_word != 0


def test_loosening_is_refused_where_it_cannot_be_recorded(run: RunDirectory, controls: Controls) -> None:
    number = controls.arm_kill("Ada", REASON)
    raw = bytearray(run.control_journal.read_bytes())
    raw[-20] ^= 1
    run.control_journal.write_bytes(raw)
    with pytest.raises(ControlError, match="refused"):
        controls.release_kill(number, "Ada", "Grace", REASON)
    assert controls.kill_word == number


@pytest.mark.parametrize(
    ("by", "reason", "match"), [("", REASON, "by is empty"), ("Ada", "too short", "9 characters"), ("Ada", " padded   ", "6 characters")]
)
def test_action_without_name_or_reason_is_refused_and_does_nothing(controls: Controls, by: str, reason: str, match: str) -> None:
    with pytest.raises(ControlError, match=match):
        controls.arm_kill(by, reason)
    assert controls.kill_word == 0


def test_resume_must_name_the_trip_in_force(run: RunDirectory, controls: Controls) -> None:
    with pytest.raises(ControlError, match="not in force; in force: none"):
        controls.resume(1, 1, "Ada", REASON)
    trip_by_sidecar(run, 4)
    assert [(t.instrument_id, t.source, t.trip_id) for t in controls.trips()] == [(1, "sidecar", 4)]
    for wrong in (0, 3, 5):
        with pytest.raises(ControlError, match=rf"trip {wrong} of instrument 1 is not in force; in force: 4 \(sidecar\)"):
            controls.resume(1, wrong, "Ada", REASON)
    controls.resume(1, 4, "Ada", REASON)
    assert controls.resumed(1) == {"sidecar": 4, "gateway": 0, "human": 0}
    assert controls.resumed_sidecar()[1] == 4
    assert controls.trips() == []
    with pytest.raises(ControlError, match="in force: none"):
        controls.resume(1, 4, "Ada", REASON)
    trip_by_sidecar(run, 5)
    assert [t.trip_id for t in controls.trips()] == [5]


def test_two_sources_with_the_same_id_must_be_told_apart(run: RunDirectory, controls: Controls) -> None:
    trip_by_sidecar(run, 1)
    assert controls.trip(1, "Ada", REASON) == 1
    with pytest.raises(ControlError, match="human, sidecar; name the source"):
        controls.resume(1, 1, "Ada", REASON)
    controls.resume(1, 1, "Ada", REASON, source="human")
    assert [(t.source, t.trip_id) for t in controls.trips()] == [("sidecar", 1)]


def test_tightening_needs_one_person_and_loosening_two(run: RunDirectory, controls: Controls) -> None:
    controls.set_static(1, {"max_order_quantity": 100, "passive_standoff_ticks": 3}, "Ada", REASON)
    assert (controls.static(1)["max_order_quantity"], controls.static(1)["passive_standoff_ticks"]) == (100, 3)
    for loose in ({"max_order_quantity": 101}, {"passive_standoff_ticks": 2}):
        with pytest.raises(ControlError, match=f"loosening {next(iter(loose))} needs a second person"):
            controls.set_static(1, loose, "Ada", REASON)
    assert controls.static(1)["max_order_quantity"] == 100
    controls.set_static(1, {"max_order_quantity": 300}, "Ada", REASON, second_by="Grace")
    assert Controls.open(run).static(1)["max_order_quantity"] == 300
    with pytest.raises(ControlError, match="'max_quantity' is unknown"):
        controls.set_static(1, {"max_quantity": 1}, "Ada", REASON)
    with pytest.raises(ControlError, match="must not be below 0"):
        controls.set_static(1, {"max_order_quantity": -1}, "Ada", REASON)


def test_two_open_writers_see_each_others_actions(run: RunDirectory, controls: Controls) -> None:
    other = Controls.open(run)
    other.set_static(1, {"max_order_quantity": 100}, "Grace", REASON)
    controls.set_static(1, {"collar_ticks": 50}, "Ada", REASON)
    assert (other.static(1)["max_order_quantity"], other.static(1)["collar_ticks"]) == (100, 50)
    assert audit.verify(run.control_journal).ok


def test_everything_is_rebuilt_from_the_journal_after_a_reboot(run: RunDirectory, controls: Controls, config: Config) -> None:
    controls.set_static(1, {"max_order_quantity": 100}, "Ada", REASON)
    controls.reduce_only(2, "Ada", REASON)
    trip_by_sidecar(run, 4)
    controls.resume(1, 4, "Ada", REASON)
    controls.trip(3, "Ada", REASON)
    controls.arm_kill("Ada", REASON)
    for file in run.path.glob("*.tbl"):  # a reboot empties /dev/shm
        file.unlink()
    again = Controls.create(run, config)
    assert again.static(1)["max_order_quantity"] == 100
    assert again.resumed(1)["sidecar"] == 4
    assert again.record(Level.INSTRUMENT, 2)["reduce_only"] == 1
    assert [(t.instrument_id, t.source) for t in again.trips()] == [(3, "human")]
    assert again.kill_word != 0
    assert actions(run).count("configure") == 1


def test_released_kill_stays_released_after_a_reboot(run: RunDirectory, controls: Controls, config: Config) -> None:
    controls.release_kill(controls.arm_kill("Ada", REASON), "Ada", "Grace", REASON)
    run.controls.unlink()
    assert Controls.create(run, config).kill_word == 0


def test_creating_again_keeps_an_armed_kill(run: RunDirectory, controls: Controls, config: Config) -> None:
    number = controls.arm_kill("Ada", REASON)
    assert Controls.create(run, config).kill_word == number


def test_looser_configuration_needs_a_second_person(run: RunDirectory, controls: Controls, config: Config) -> None:
    controls.set_static(1, {"max_order_quantity": 100}, "Ada", REASON)
    looser = dataclasses.replace(config, hash="0" * 64)
    with pytest.raises(ControlError, match="instrument 1 max_order_quantity"):
        Controls.create(run, looser)
    assert controls.static(1)["max_order_quantity"] == 100
    again = Controls.create(run, looser, by="Ada", second_by="Grace")
    assert again.static(1)["max_order_quantity"] == 500


def test_record_left_half_written_by_a_killed_writer_is_rebuilt(run: RunDirectory, controls: Controls) -> None:
    raw = bytearray(run.controls.read_bytes())
    at = raw.index(controls.record(Level.INSTRUMENT, 1).tobytes()[8:64]) - 8
    with run.controls.open("r+b") as file:  # in place: other processes keep their mapping
        file.seek(at)
        file.write((int.from_bytes(raw[at : at + 4], "little") | 1).to_bytes(4, "little"))
        file.seek(at + 300)
        file.write(b"\xff" * 40)
    with pytest.raises(TableError, match="half written"):
        controls.static(1)
    Controls.open(run).reduce_only(2, "Ada", REASON)
    assert controls.static(1)["max_order_quantity"] == 500


def test_gateway_shares_sum_to_at_most_one(controls: Controls) -> None:
    with pytest.raises(ControlError, match="share of account is 1 ppm beside 1000000 ppm"):
        controls.set_shares(1, {Level.ACCOUNT: 1}, "Ada", "Grace", REASON)
    controls.set_shares(0, {Level.ACCOUNT: 600_000}, "Ada", "Grace", REASON)
    controls.set_shares(1, {Level.ACCOUNT: 400_000}, "Ada", "Grace", REASON)
    assert controls.record(Level.GATEWAY, 1)["shares_ppm"][Level.ACCOUNT] == 400_000


def test_reduce_only_ends_with_two_persons(controls: Controls) -> None:
    controls.reduce_only(1, "Ada", REASON)
    with pytest.raises(ControlError, match="second person"):
        controls.reduce_only(1, "Ada", REASON, on=False)
    assert controls.record(Level.INSTRUMENT, 1)["reduce_only"] == 1
    controls.reduce_only(1, "Ada", REASON, on=False, second_by="Grace")
    assert controls.record(Level.INSTRUMENT, 1)["reduce_only"] == 0


def test_row_kill_stops_one_account_only(controls: Controls) -> None:
    number = controls.arm_kill("Ada", REASON, level=Level.ACCOUNT, row_id=1)
    assert (controls.kill_word, controls.record(Level.ACCOUNT, 1)["kill"] > 0) == (0, True)
    controls.release_kill(number, "Ada", "Grace", REASON, level=Level.ACCOUNT, row_id=1)
    assert controls.record(Level.ACCOUNT, 1)["kill"] == 0


@pytest.mark.parametrize(
    ("name", "looser", "tighter"),
    [("max_order_quantity", 2, 1), ("passive_standoff_ticks", 1, 2), ("passive_standoff_ticks", -(2**31), -5), ("margin_multiplier_ppm", 1, 2)],
)
def test_direction_of_a_parameter(name: str, looser: int, tighter: int) -> None:
    assert is_looser(name, looser, tighter)
    assert not is_looser(name, tighter, looser)
    assert not is_looser(name, tighter, tighter)


def test_limit_that_nothing_judges_at_a_level_is_refused_and_a_firm_limit_reaches_the_table(controls: Controls) -> None:
    with pytest.raises(ControlError, match="position_max_long is not judged at the level firm, which judges max_order_quantity"):
        controls.set_static(0, {"position_max_long": 5}, "ada", REASON, level=Level.FIRM)
    controls.set_static(0, {"max_order_quantity": 400}, "ada", REASON, level=Level.FIRM)
    assert int(controls.record(Level.FIRM, 0)["static_limits"]["max_order_quantity"]) == 400


@pytest.mark.parametrize("at", [0, 56])
def test_table_that_cannot_be_read_is_not_replaced_under_a_running_gateway(run: RunDirectory, controls: Controls, config: Config, at: int) -> None:
    with run.controls.open("r+b") as file:  # magic, then checksum of the header
        file.seek(at)
        file.write(b"\0\0\0\0")
    inode = run.controls.stat().st_ino
    with pytest.raises(TableError, match=r"not replaced.*stop every gateway.*remove the file"):
        Controls.create(run, config)
    assert run.controls.stat().st_ino == inode


def test_table_of_an_earlier_boot_is_replaced_and_stops_whoever_still_reads_it(tmp_path: Path, config: Config) -> None:
    earlier = RunDirectory(tmp_path / "run", tmp_path / "journals", bytes(range(1, 17))).create()
    before = Controls.create(earlier, config)
    before.arm_kill("Ada", REASON)
    now = RunDirectory(earlier.path, earlier.journals)
    after = Controls.create(now, config)
    assert after.kill_word != 0
    assert before.generation == 0
    with pytest.raises(TableError, match="reaches no gateway"):
        before.arm_kill("Ada", REASON)


def test_live_table_is_not_replaced_by_a_simulated_run(run: RunDirectory, controls: Controls, config: Config) -> None:
    with pytest.raises(TableError, match=r"clock domain .* not replaced"):
        Controls.create(RunDirectory(run.path, run.journals, clock_domain(1)), config)
    assert controls.generation > 0


def test_kill_through_a_removed_table_is_refused(run: RunDirectory, controls: Controls) -> None:
    run.controls.unlink()
    with pytest.raises(TableError, match="reaches no gateway"):
        controls.arm_kill("Ada", REASON)


@pytest.mark.parametrize(("level", "row_id"), [(Level.FIRM, 0), (Level.ACCOUNT, 1)])
def test_release_frees_only_the_arming_that_the_two_persons_named(run: RunDirectory, controls: Controls, level: Level, row_id: int) -> None:
    decided = controls.arm_kill("Ada", REASON, level=level, row_id=row_id)
    later = Controls.open(run).arm_kill("Carol", REASON, level=level, row_id=row_id)
    with pytest.raises(ControlError, match=rf"kill {decided} of .* is not in force; in force: {later}"):
        controls.release_kill(decided, "Ada", "Grace", REASON, level=level, row_id=row_id)
    with pytest.raises(ControlError, match=r"kill 0 of .* is not in force"):
        controls.release_kill(0, "Ada", "Grace", REASON, level=level, row_id=row_id)
    assert actions(run) == ["configure", "arm_kill", "arm_kill"]
    controls.release_kill(later, "Ada", "Grace", REASON, level=level, row_id=row_id)
    assert controls.kill_word == 0
    assert controls.record(level, row_id)["kill"] == 0


@pytest.mark.parametrize(("level", "row_id"), [(Level.FIRM, 0), (Level.ACCOUNT, 1)])
def test_number_of_an_arming_survives_a_reboot_and_is_never_given_twice(
    run: RunDirectory, controls: Controls, config: Config, level: Level, row_id: int
) -> None:
    released = controls.arm_kill("Ada", REASON, level=level, row_id=row_id)
    controls.release_kill(released, "Ada", "Grace", REASON, level=level, row_id=row_id)
    standing = controls.arm_kill("Ada", REASON, level=level, row_id=row_id)
    run.controls.unlink()
    again = Controls.create(run, config)
    assert (again.kill_word or again.record(level, row_id)["kill"]) == standing
    assert again.arm_kill("Ada", REASON, level=level, row_id=row_id) == standing + 1


@pytest.mark.parametrize("level", [Level.TRADER, Level.DESK, Level.VENUE])
def test_kill_of_a_row_that_is_not_there_is_refused(run: RunDirectory, controls: Controls, level: Level) -> None:
    with pytest.raises(TableError, match=f"has no row of {level.name.lower()} 1"):
        controls.arm_kill("Ada", REASON, level=level, row_id=1)
    assert actions(run) == ["configure"]


def test_kill_of_one_gateway_is_armed_in_its_row(controls: Controls) -> None:
    number = controls.arm_kill("Ada", REASON, level=Level.GATEWAY)
    assert controls.record(Level.GATEWAY, 0)["kill"] == number
    assert controls.kill_word == 0


def refuse_one_append(controls: Controls, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next entry is refused, as by a full disk; those after it are taken."""
    append = controls.journal.append

    def once(*args: object, **kwargs: object) -> None:
        monkeypatch.setattr(controls.journal, "append", append)
        raise JournalError("no space left on device")

    monkeypatch.setattr(controls.journal, "append", once)


def unrecorded_tightening(controls: Controls, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_one_append(controls, monkeypatch)
    with pytest.raises(ControlError, match="in force but not recorded: no space left"):
        controls.set_static(1, {"max_order_quantity": 100}, "Ada", REASON)
    assert controls.static(1)["max_order_quantity"] == 100


@pytest.mark.parametrize("who", ["another process", "the same", "a later start"])
def test_unrecorded_tightening_survives_the_next_actions(
    run: RunDirectory, controls: Controls, config: Config, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    other = Controls.open(run)
    other.set_static(2, {"max_order_quantity": 400}, "Grace", REASON)
    unrecorded_tightening(controls, monkeypatch)
    actor = {"another process": lambda: other, "the same": lambda: controls, "a later start": lambda: Controls.create(run, config)}[who]()
    actor.set_static(1, {"collar_ticks": 50}, "Grace", REASON)
    actor.set_static(1, {"collar_ticks": 60}, "Grace", REASON, second_by="Carol")
    actor.trip(1, "Grace", REASON)
    assert (actor.static(1)["max_order_quantity"], actor.static(1)["collar_ticks"]) == (100, 60)
    with pytest.raises(ControlError, match="loosening max_order_quantity needs a second person"):
        actor.set_static(1, {"max_order_quantity": 300}, "Grace", REASON)
    assert controls.static(1)["max_order_quantity"] == 100


@pytest.mark.parametrize("crashes", [False, True])
def test_two_persons_may_take_an_unrecorded_tightening_back(
    run: RunDirectory, controls: Controls, monkeypatch: pytest.MonkeyPatch, *, crashes: bool
) -> None:
    other = Controls.open(run)
    unrecorded_tightening(controls, monkeypatch)
    if crashes:  # between the durable record and the table
        monkeypatch.setattr(other, "_publish", lambda: None)
    other.set_static(1, {"max_order_quantity": 300}, "Grace", REASON, second_by="Carol")
    controls.set_static(2, {"max_order_quantity": 400}, "Ada", REASON)
    assert controls.static(1)["max_order_quantity"] == 300


def test_unrecorded_tightening_done_again_is_recorded_and_survives_a_reboot(
    run: RunDirectory, controls: Controls, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    unrecorded_tightening(controls, monkeypatch)
    assert int(controls.record(Level.INSTRUMENT, 1)["flags"]) & UNRECORDED
    Controls.open(run).set_static(1, {"max_order_quantity": 100}, "Ada", REASON)
    assert not int(controls.record(Level.INSTRUMENT, 1)["flags"]) & UNRECORDED
    run.controls.unlink()
    assert Controls.create(run, config).static(1)["max_order_quantity"] == 100


def test_an_earlier_loosening_takes_no_later_unrecorded_tightening_back(
    run: RunDirectory, controls: Controls, monkeypatch: pytest.MonkeyPatch
) -> None:
    controls.set_static(1, {"max_order_quantity": 600}, "Grace", REASON, second_by="Carol")
    unrecorded_tightening(controls, monkeypatch)
    Controls.open(run).set_static(1, {"collar_ticks": 50}, "Grace", REASON)
    assert controls.static(1)["max_order_quantity"] == 100


def test_a_disabled_row_comes_back_with_two_persons_only(run: RunDirectory, controls: Controls, config: Config) -> None:
    controls.set_enabled(Level.ACCOUNT, 1, "Ada", REASON, on=False)
    assert not int(controls.record(Level.ACCOUNT, 1)["flags"]) & 2
    for second in (None, "", "ada"):
        with pytest.raises(ControlError, match=r"second person|two different persons"):
            controls.set_enabled(Level.ACCOUNT, 1, "Ada", REASON, on=True, second_by=second)
    # Nor does the configuration that was loaded before bring it back by itself.
    other = dataclasses.replace(config, hash="a" * 64)
    with pytest.raises(ControlError, match="account 1 flags"):
        Controls.create(run, other)
    controls.set_enabled(Level.ACCOUNT, 1, "Ada", REASON, on=True, second_by="Grace")
    assert int(controls.record(Level.ACCOUNT, 1)["flags"]) & 2
