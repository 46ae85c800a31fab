# SPDX-License-Identifier: Apache-2.0
"""Sessions keep their own wall time across daylight saving: the market opens when its own clock says so."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from pretrade.domain import Config, Phase, Session, SessionPhase

HOUR = 3_600 * 10**9
NEW_YORK = ZoneInfo("America/New_York")


def _utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


def _local(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("day", "opens"),
    [("2014-03-07", "14:30"), ("2014-03-10", "13:30"), ("2014-10-31", "13:30"), ("2014-11-03", "14:30")],
)
def test_nasdaq_opens_at_half_past_nine_in_new_york_summer_and_winter(config: Config, day: str, opens: str) -> None:
    session = config.sessions["nasdaq"]
    at = _utc(f"{day}T{opens}:00")
    assert at == _local(f"{day}T09:30:00")
    assert [session.phase_at(at - 1), session.phase_at(at)] == [Phase.PRE_OPEN, Phase.CONTINUOUS]
    assert [session.phase_at(at + 13 * HOUR // 2 - 1), session.phase_at(at + 13 * HOUR // 2)] == [Phase.CONTINUOUS, Phase.CLOSED]


@pytest.mark.parametrize("sunday", ["2014-03-02", "2014-03-09", "2014-11-02", "2014-11-09"])
def test_globex_opens_its_week_at_six_on_sunday_and_breaks_an_hour_a_day(config: Config, sunday: str) -> None:
    """The clock changes on a Sunday at two, while the market is closed: no session is longer or shorter for it."""
    opens = _local(f"{sunday}T18:00:00")
    week = config.sessions["globex"].intervals(opens, opens + 6 * 24 * HOUR)
    trading = [(b - a) // HOUR for a, b, p in week if p is Phase.CONTINUOUS]
    assert trading == [23] * 5
    breaks = [(a, b) for a, b, p in week if p in (Phase.BREAK, Phase.PRE_OPEN) and a <= opens + 96 * HOUR]
    assert sum(b - a for a, b in breaks) == 4 * HOUR


@pytest.mark.parametrize(("day", "hours"), [("2014-03-09", 23), ("2014-06-01", 24), ("2014-11-02", 25)])
def test_a_local_day_has_as_many_hours_as_its_clock_gives_it(day: str, hours: int) -> None:
    always = Session("always", "America/New_York", (SessionPhase("00:00", "24:00", Phase.CONTINUOUS),))
    start = _local(f"{day}T00:00:00")
    end = _local(f"{datetime.fromisoformat(day).replace(day=int(day[-2:]) + 1).date()}T00:00:00")
    assert (end - start) // HOUR == hours
    assert always.intervals(start, end) == [(start, end, Phase.CONTINUOUS)]


def test_intervals_have_no_gap_and_no_overlap_over_a_year_of_two_changes(config: Config) -> None:
    for session in config.sessions.values():
        spans = session.intervals(_utc("2014-01-01T00:00:00"), _utc("2015-01-01T00:00:00"))
        assert all(a[1] == b[0] and a[2] is not b[2] for a, b in pairwise(spans))
        assert all(a < b for a, b, _ in spans)
        assert (spans[0][0], spans[-1][1]) == (_utc("2014-01-01T00:00:00"), _utc("2015-01-01T00:00:00"))
