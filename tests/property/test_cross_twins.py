# SPDX-License-Identifier: Apache-2.0
"""Cross-asset columns equal their recount, batch equals stream, and nothing is known before it was received."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.property import cross_recount as plain
from tests.property.cross_recount import GRID, NS, Tape

from pretrade import conformance, features
from pretrade.domain import EVENT_DTYPE, Config, EventFlag, EventKind, Group, Phase, ReferenceKind, Side
from pretrade.domain.session import Session, SessionPhase
from pretrade.features import Features

_START: Final = 1_767_706_200 * NS
_IDS: Final = (1, 7, 8)
_TICK: Final = 250_000_000
_NEAR, _FAR = 900, 901
_CROSS: Final = ("factor_return_1s", "residual_return_1s", "beta_5m", "corr_5m", "leader_return", "factor_age_ms", "vix_ratio")
_FIELDS: Final = ("ts_event", "ts_recv", "kind", "side", "price", "size", "aux", "instrument_id", "flags")
_FEW: Final = settings(max_examples=5, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def _grouped(config: Config, factor: str | None = "ES") -> Config:
    group = Group(0xFF00_0001, "three", ("ES", "BTCUSDT", "ETHUSDT"), factor, "ES", (_NEAR, _FAR))
    instruments = tuple(dataclasses.replace(config.instrument(s), tick_size=_TICK) for s in group.members)
    return dataclasses.replace(config, instruments=instruments, groups=(group,))


def _market(seed: int, seconds: int) -> tuple[NDArray[Any], list[Tape]]:
    """Touches of three instruments that share a factor, the second three rows late; sides go missing, books cross, feeds fall silent."""
    rng = np.random.default_rng(seed)
    grid = np.arange(_START, _START + seconds * NS, GRID)
    common = np.cumsum(rng.normal(0, 1.0, len(grid)))
    late = np.concatenate([np.zeros(3), common[:-3]])
    rows: list[tuple[int, ...]] = []
    tapes = []
    for instrument, path in zip(_IDS, (common, 2 * late, common + np.cumsum(rng.normal(0, 0.7, len(grid)))), strict=True):
        # Never on a grid instant: there, order within one stamp would decide.
        ts = grid + rng.integers(1, GRID - 1, len(grid))
        ts = ts[(rng.random(len(ts)) < 0.7) & ~_silent(rng, ts)]
        mid = 4_000 + np.round(path[(ts - _START) // GRID]).astype(np.int64)
        states = []
        held: tuple[int, int] = (0, 0)
        for at, m in zip(ts.tolist(), mid.tolist(), strict=True):
            draw = rng.random()
            bid, ask = (m - 1) * _TICK, (m + 1) * _TICK
            if draw < 0.01:
                bid, ask = ask, bid
            elif draw < 0.02:
                ask = 0
            rows += _events(instrument, at, held, (bid, ask))
            held = (bid, ask)
            states.append((at, bid or np.nan, ask or np.nan))
        tapes.append(Tape(*(np.array(c) for c in zip(*states, strict=True))))
    return _side_inputs(rng, rows, seconds), tapes


def _silent(rng: np.random.Generator, ts: NDArray[np.int64]) -> NDArray[np.bool_]:
    begin = _START + int(rng.integers(5, 60)) * NS
    quiet: NDArray[np.bool_] = (ts > begin) & (ts < begin + 9 * NS)
    return quiet


def _events(instrument: int, ts: int, old: tuple[int, int], new: tuple[int, int]) -> list[tuple[int, ...]]:
    out = [(ts, ts, EventKind.LEVEL, side, price, 0, 0, instrument, 0) for side, price in zip((Side.BID, Side.ASK), old, strict=True) if price]
    out += [(ts, ts, EventKind.LEVEL, side, price, 5, 0, instrument, 0) for side, price in zip((Side.BID, Side.ASK), new, strict=True) if price]
    return [*out[:-1], (*out[-1][:-1], int(EventFlag.LAST))]


def _side_inputs(rng: np.random.Generator, rows: list[tuple[int, ...]], seconds: int) -> NDArray[Any]:
    for ts in (_START + rng.integers(1, seconds * NS, 12)).tolist():
        which = int(rng.choice([_NEAR, _FAR]))
        rows.append(
            (ts - int(rng.choice([0, 20 * 3_600 * NS])), ts, EventKind.REFERENCE, 0, int(rng.integers(10, 40)) * NS, 0, ReferenceKind.INDEX, which, 0)
        )
        rows.append((ts - NS, ts, EventKind.SENTIMENT, 0, int(rng.integers(-NS, NS)), 1, 0, 8, 0))
    events = np.zeros(len(rows), EVENT_DTYPE)
    for name, column in zip(_FIELDS, zip(*rows, strict=True), strict=True):
        events[name] = column
    return events[np.argsort(events["ts_recv"], kind="stable")]


def _same(got: float, want: float, where: str) -> None:
    assert np.isnan(got) == np.isnan(want), f"{where}: {got} against {want}"
    assert np.isnan(want) or got == pytest.approx(want, rel=1e-9, abs=1e-12), where


def _check(config: Config, seed: int, factor: str | None) -> Features:
    grouped = _grouped(config, factor)
    events, tapes = _market(seed, 110)
    rows = features.compute(events, grouped)
    first = int(-(-events["ts_recv"][0] // GRID)) * GRID
    figures = events[events["kind"] == EventKind.REFERENCE]
    near, far = (np.column_stack([f["ts_recv"], f["ts_event"], f["price"]]) for f in (figures[figures["instrument_id"] == i] for i in (_NEAR, _FAR)))
    said = events[events["kind"] == EventKind.SENTIMENT]
    by_id = {i: rows[rows.instrument_id == i] for i in _IDS}
    last = int(rows.ts_recv.max())
    for at in [*range(first + 30 * GRID, last, 97 * GRID), first + 20 * GRID, *range(last - 12 * GRID, last + 1, GRID)]:
        want = plain.columns(tapes, 0 if factor else None, 0, first, at)
        for i, instrument in enumerate(_IDS):
            mine = by_id[instrument]
            k = int(np.searchsorted(mine.ts_recv, at))
            assert mine.ts_recv[k] == at
            want[i]["vix_ratio"] = plain.ratio(near, far, at)
            want[i]["sentiment"] = plain.sentiment(said["ts_recv"], said["price"] / 1e9, at) if instrument == 8 else np.nan
            for name, value in want[i].items():
                _same(float(mine.column(name)[k]), value, f"{name} of {instrument} at {(at - first) / NS:.1f} s")
    return rows


@_FEW
@given(st.integers(0, 2**32), st.sampled_from(["ES", None]))
def test_every_cross_asset_column_equals_its_recount(config: Config, seed: int, factor: str | None) -> None:
    rows = _check(config, seed, factor)
    for name in _CROSS:
        known = np.isfinite(rows.column(name))
        assert known.any(), name
        assert not known.all(), name


def test_the_late_one_is_seen_to_be_led_and_the_factor_to_explain(config: Config) -> None:
    rows = features.compute(_market(3, 300)[0], _grouped(config))
    late, other = (rows[rows.instrument_id == i][-500:] for i in (7, 8))
    one_second = 100 * np.log(late.column("mid_price")[10:] / late.column("mid_price")[:-10])
    lead = late.column("leader_return")[10:]
    both = np.isfinite(one_second) & np.isfinite(lead)
    assert np.corrcoef(one_second[both], lead[both])[0, 1] > 0.9
    assert np.nanmedian(other.column("corr_5m")) > 0.6
    assert 0.7 < np.nanmedian(other.column("beta_5m")) < 1.3
    assert np.nanstd(other.column("residual_return_1s")) < 0.9 * np.nanstd(100 * np.diff(np.log(other.column("mid_price")[::10])))


@_FEW
@given(seed=st.integers(0, 2**32), cuts=st.lists(st.floats(0, 1), max_size=60), restart=st.booleans())
def test_stream_equals_batch_bit_for_bit_with_groups(config: Config, seed: int, cuts: list[float], *, restart: bool) -> None:
    grouped = _grouped(config)
    events, _ = _market(seed, 75)
    whole = features.compute(events, grouped)
    on, parts = features.engine(grouped, grouped.instruments), []
    for part in np.split(events, sorted(int(c * len(events)) for c in cuts)):
        parts.append(on.push(part))
        if len(part):
            on.row_now(7, int(part["ts_recv"][-1]))
        if restart:
            state = on.state()
            on = features.engine(grouped, grouped.instruments)
            on.restore(state)
            assert on.state() == state
    parts.append(on.close(int(events["ts_recv"][-1])))
    assert Features.concat([p for p in parts if len(p)]).rows.tobytes() == whole.rows.tobytes()
    assert np.isfinite(whole.column("residual_return_1s")).any()


@_FEW
@given(st.integers(0, 2**32), st.floats(0.3, 0.9))
def test_changing_the_future_of_one_member_leaves_the_past_of_all(config: Config, seed: int, share: float) -> None:
    grouped = _grouped(config)
    events, _ = _market(seed, 75)
    whole = features.compute(events, grouped)
    cut = int(share * len(events))
    other = events.copy()
    later = np.arange(len(events)) >= cut
    other["price"][later & (events["instrument_id"] == 1) & (events["size"] > 0)] += 40 * _TICK
    other["price"][later & (events["instrument_id"] >= _NEAR)] += 5 * NS
    again = features.compute(other, grouped)
    n = int((whole.ts_recv < events["ts_recv"][cut]).sum())
    assert n > 100
    assert again.rows[:n].tobytes() == whole.rows[:n].tobytes()
    assert (again.column("factor_return_1s")[n:] != whole.column("factor_return_1s")[n:]).any()


def test_a_figure_counts_from_its_receipt_not_from_its_date(config: Config) -> None:
    grouped = _grouped(config)
    events, _ = _market(1, 30)
    events = events[events["instrument_id"] < _NEAR]
    figures = np.zeros(2, EVENT_DTYPE)
    figures["instrument_id"], figures["price"] = (_NEAR, _FAR), (24 * NS, 20 * NS)
    figures["kind"], figures["aux"] = EventKind.REFERENCE, ReferenceKind.INDEX
    figures["ts_event"], figures["ts_recv"] = _START - 3_600 * NS, _START + 12 * NS + 1
    joined = np.concatenate([events, figures])
    rows = features.compute(joined[np.argsort(joined["ts_recv"], kind="stable")], grouped)
    known = np.isfinite(rows.column("vix_ratio"))
    assert (known == (rows.ts_recv > _START + 12 * NS)).all()
    assert set(rows.column("vix_ratio")[known]) == {1.2}


def test_between_grid_points_the_factor_is_that_of_the_instant(config: Config) -> None:
    grouped = _grouped(config)
    events, tapes = _market(2, 40)
    ends = np.flatnonzero((events["instrument_id"] == 7) & (events["flags"] == EventFlag.LAST) & (events["ts_recv"] > _START + 15 * NS))
    seen = 0
    for at in ends[::20].tolist():
        ts = int(events["ts_recv"][at])
        on = features.engine(grouped, grouped.instruments)
        on.push(events[: at + 1])
        row = on.row_now(7, ts)
        logs = tapes[0].log_mid(np.array([ts // GRID * GRID - NS, ts]))
        _same(float(row.column("factor_return_1s")[0]), float(100 * (logs[1] - logs[0])), f"at event {at}")
        seen += bool(np.isfinite(logs).all())
    assert seen > 3


def test_alone_or_outside_a_group_nothing_is_told(config: Config) -> None:
    events, _ = _market(4, 70)
    for settings_, ids in ((dataclasses.replace(_grouped(config), groups=()), _IDS), (_grouped(config), (7,))):
        on = features.engine(settings_, [i for i in settings_.instruments if i.instrument_id in ids])
        rows = features.collect([events], on)
        for name in _CROSS:
            assert np.isnan(rows.column(name)).all(), name


def test_the_battery_passes_the_kernel_with_groups_and_names_one_that_peeks(config: Config) -> None:
    grouped = _grouped(config)
    events, _ = _market(5, 75)

    def peeking(given: Any) -> Features:
        rows = features.compute(given, grouped).rows.copy()
        rows["values"] -= rows["values"].mean(axis=0)
        return Features(rows)

    assert conformance.check_kernel(lambda given: features.compute(given, grouped), events, instruments=3) == []
    assert {f.check for f in conformance.check_kernel(peeking, events, instruments=3)} == {"prefix", "lookahead"}


def test_news_surge_equals_its_recount_over_days_and_waits_for_the_fifth(config: Config) -> None:
    rng = np.random.default_rng(8)
    midnight = _START // (86_400 * NS) * 86_400 * NS
    opening = midnight + 48_600 * NS  # 13:30 UTC
    session = Session("short", "UTC", (SessionPhase("13:30", "13:32", Phase.CONTINUOUS),))
    instrument = dataclasses.replace(config.instrument("ES"), session="short")
    short = dataclasses.replace(config, instruments=(instrument,), sessions={"short": session}, groups=())
    ts = np.sort(np.concatenate([opening + day * 86_400 * NS + rng.integers(-320 * NS, 120 * NS, 60) for day in range(7)]))
    said = np.zeros(len(ts), EVENT_DTYPE)
    said["ts_recv"], said["ts_event"], said["kind"], said["instrument_id"] = ts, ts - 3_600 * NS, EventKind.SENTIMENT, 1
    said["price"], said["size"] = rng.integers(-NS, NS, len(ts)), rng.integers(1, 4, len(ts))
    book = [_events(1, opening + day * 86_400 * NS - NS, (0, 0), (100 * _TICK, 101 * _TICK)) for day in range(7)]
    touches = np.zeros(sum(map(len, book)), EVENT_DTYPE)
    flat = [e for day in book for e in day]
    for name, column in zip(_FIELDS, zip(*flat, strict=True), strict=True):
        touches[name] = column
    events = np.concatenate([touches, said])
    rows = features.compute(events[np.argsort(events["ts_recv"], kind="stable")], short)
    day = (rows.ts_recv - midnight) // (86_400 * NS)
    surge = rows.column("news_surge")
    assert not np.isfinite(surge[day < 5]).any()
    assert np.isfinite(surge[day >= 5]).all()
    for k in np.linspace(0, len(rows) - 1, 60).astype(int).tolist():
        at = int(rows.ts_recv[k])
        _same(float(surge[k]), plain.news_surge(ts, said["size"], at), f"news_surge at {at}")
        _same(float(rows.column("sentiment")[k]), plain.sentiment(ts, said["price"] / 1e9, at), f"sentiment at {at}")
