# SPDX-License-Identifier: Apache-2.0
"""The scenario library: families, truth, arms and the closed loop through the real gate."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pretrade import features, models
from pretrade.bus import JournalReader
from pretrade.domain import Config, EventKind, Side, Tier
from pretrade.domain.errors import SimulationError
from pretrade.features import ROW_DTYPE, Features
from pretrade.sidecar.pipeline import Pipeline
from pretrade.simulation import MarketParameters, Simulator, calm, evaluation, frontier, library
from pretrade.simulation.arms import ARMS, Rule, Static, arm, rule_levels
from pretrade.simulation.firm import MOMENTUM, Firm, View
from pretrade.simulation.market import SELLER_START_NS
from pretrade.simulation.play import play
from pretrade.simulation.scenario import Change, Draws, Episode, ramp
from pretrade.simulation.truth import COLUMNS, Extreme, MarketState, Truth

S = 1_000_000_000
OWN_FAMILY = (Path(__file__).parents[3] / "examples/own_family.py").read_text()


@pytest.fixture(scope="module")
def fitted() -> dict[str, models.Anomaly]:
    config = Config.load()
    rows = calm(1.0, seed=4, config=config).calm()
    return {kind: models.new(kind, config).fit(rows) for kind in evaluation.KINDS}


def rows_of(values: Sequence[tuple[float, float, float, float]], first: int = SELLER_START_NS - 20 * S) -> Features:
    """Rows of depth bid, depth ask, spread and mid, ten a second."""
    rows = np.zeros(len(values), ROW_DTYPE)
    table = Features(rows)
    rows["ts_recv"] = first + np.arange(len(values)) * S // 10
    for name, column in zip(COLUMNS, np.array(values, float).T, strict=True):
        at = features.NAMES.index(name)
        rows["values"][:, at] = column
    rows["valid"] = ~np.zeros(1, rows["valid"].dtype)
    return table


def states_of(values: Sequence[tuple[float, float, float, float]]) -> list[int]:
    truth = Truth(SELLER_START_NS)
    truth.take(rows_of([*[(100, 100, 1, 4800)] * 201, *values]))
    return truth.states[201:]


def test_every_family_has_a_file_of_its_own_and_is_found_by_number_name_and_path(tmp_path: Path) -> None:
    known = library.entries()
    assert [e.family.number for e in known] == sorted({e.family.number for e in known})
    for entry in known:
        assert library.find(str(entry.family.number)).family.name == entry.family.name == library.find(entry.family.name).family.name
        assert entry.path.stem == entry.family.name
    own = tmp_path / "own.py"
    own.write_text(OWN_FAMILY)
    assert library.find(str(own)).family.number == 90
    with pytest.raises(SimulationError, match=r"no family 'nothing'; known are 1 \(seller\)"):
        library.find("nothing")
    own.write_text("FAMILY = 3")
    with pytest.raises(SimulationError, match="defines no FAMILY"):
        library.find(str(own))
    own.write_text("raise ValueError('no')")
    with pytest.raises(SimulationError, match="does not run: ValueError"):
        library.find(str(own))


@pytest.mark.parametrize("entry", library.entries(), ids=lambda e: e.family.name)
def test_an_episode_is_drawn_from_its_seed_alone_and_runs_in_the_market(entry: library.Entry) -> None:
    one, again, other = (entry.family.episode(seed) for seed in (5, 5, 6))
    assert (one.drawn, one.duration_s) == (again.drawn, again.duration_s)
    assert one.drawn != other.drawn
    simulator = Simulator(one.market, 1, SELLER_START_NS)
    market = one.market
    for change in one.changes:
        market = MarketParameters(market.seller_start, overrides={**market.overrides, **change.overrides})
        simulator.change(market)


def test_draws_and_ramps_stay_in_their_bounds() -> None:
    draws = Draws(1, 2)
    assert all(2 <= draws.between(2, 3) < 3 and 2 <= draws.log_between(2, 8) < 8.000001 for _ in range(200))
    assert {draws.choose("a", "b") for _ in range(50)} == {"a", "b"}
    steps = ramp({"depth_scale": (1.0, 0.1)}, 5.0, 10.0, steps=4)
    assert [c.at_s for c in steps] == [7.5, 10.0, 12.5, 15.0]
    assert steps[-1].overrides["depth_scale"] == pytest.approx(0.1)
    with pytest.raises(SimulationError, match="not in time order"):
        Episode(MarketParameters(), 1.0, (Change(2.0), Change(1.0)))


def test_thin_for_a_second_is_stressed_and_less_is_not() -> None:
    thin, sound = (45, 100, 1, 4800), (100, 100, 1, 4800)
    assert states_of([thin] * 9 + [sound]) == [MarketState.NORMAL] * 10
    assert states_of([thin] * 10)[-1] == MarketState.STRESSED
    assert states_of([(100, 45, 1, 4800)] * 10)[-1] == MarketState.STRESSED, "either side"


def test_an_empty_side_or_a_fall_of_one_per_cent_is_critical_until_ten_sound_seconds() -> None:
    empty, sound, wide = (9, 100, 1, 4800), (100, 100, 2, 4800), (100, 100, 3, 4800)
    assert states_of([empty] * 10)[-1] == MarketState.CRITICAL
    assert states_of([(np.nan, 100, 1, 4800)] * 10)[-1] == MarketState.CRITICAL, "a side without orders is an empty one"
    after = states_of([empty] * 10 + [sound] * 99 + [wide] + [sound] * 100)
    assert after[10:-1] == [MarketState.CRITICAL] * 199
    assert after[-1] == MarketState.NORMAL
    assert states_of([(100, 100, 1, 4752.0)])[-1] == MarketState.CRITICAL
    assert states_of([(100, 100, 1, 4752.1)])[-1] == MarketState.NORMAL
    assert states_of([(100, 100, 1, 4848.0)])[-1] == MarketState.CRITICAL


def test_an_extreme_is_that_of_the_last_values() -> None:
    values = np.random.default_rng(5).integers(0, 30, 400).astype(float).tolist()
    for sign, of in ((1, max), (-1, min)):
        extreme = Extreme(25, sign)
        since = 0
        for n, value in enumerate(values):
            if n == 200:
                extreme.clear()
                since = n
            extreme.append(value)
            assert extreme.value == of(values[max(since, n - 24) : n + 1])


def test_leaving_out_idle_ticks_changes_no_record_and_no_tier(fitted: dict[str, models.Anomaly]) -> None:
    config = Config.load()
    market = MarketParameters(SELLER_START_NS)
    simulator, engine = Simulator(market, 3, SELLER_START_NS - 400 * S), features.engine(config, (config.instrument("ES"),))
    told: list[list[tuple[bytes, object]]] = [[], []]
    ways = [Pipeline(config, fitted["pca"], (1,)) for _ in told]
    seen = [0, 0]
    for at in range(SELLER_START_NS - 350 * S, SELLER_START_NS + 120 * S, 5 * S):
        rows = Features.concat([engine.push(simulator.run_until(at)), engine.close(at)])
        for k, (way, out) in enumerate(zip(ways, told, strict=True)):
            for step in way.push(rows, only_changes=k == 1):
                seen[k] += 1
                both = np.concatenate([step.update.records, step.update.refreshed])
                if len(both) or step.update.tier_changes:
                    out.append((both.tobytes(), step.update.tier_changes))
    assert told[0] == told[1]
    assert max(c.to_tier for _, changes in told[0] for c in changes) == Tier.CRITICAL  # type: ignore[attr-defined]
    assert seen[1] < 0.7 * seen[0]


def test_an_order_amplifies_only_with_the_move_in_stress_aggressive_and_large() -> None:
    truth = Truth(SELLER_START_NS)
    truth.take(rows_of([(100, 100, 1, 4800)] * 201 + [(40, 100, 1, 4800 - k) for k in range(12)]))
    bid, ask = 4788 * S, 4789 * S

    def amplifies(side: Side, price: int, quantity: int) -> bool:
        order = np.zeros(1, [("side", "u1"), ("price", "i8"), ("quantity", "i8")])
        order["side"], order["price"], order["quantity"] = side, price, quantity
        return truth.would_amplify(order[0], bid, ask)

    assert amplifies(Side.ASK, bid, 4)
    assert not amplifies(Side.ASK, bid, 3), "below a tenth of the depth it meets"
    assert not amplifies(Side.ASK, ask, 40), "rests"
    assert not amplifies(Side.BID, ask, 40), "against the move"
    truth.state = MarketState.NORMAL
    assert not amplifies(Side.ASK, bid, 40)


def test_the_rule_follows_volatility_up_at_once_and_down_after_thirty_seconds(fitted: dict[str, models.Anomaly], monkeypatch: Any) -> None:
    config, model = Config.load(), fitted["rv_10s"]
    levels, raw = rule_levels(model), np.full(700, -9.0)
    raw[100:110], raw[110:120] = levels["elevated"] + 1e-6, levels["high"] + 1e-6
    monkeypatch.setattr(type(model), "raw_and_parts", lambda self, rows: (raw[: len(rows)] + 1.0, None))
    monkeypatch.setattr(type(model), "season", property(lambda self: lambda values, ts_recv, instrument_id: values - 1.0))
    rule = Rule(config, model)
    records = rule.update(rows_of([(100, 100, 1, 4800)] * 700, SELLER_START_NS))
    assert [int(q) for q in records["max_order_quantity"]] == [500, 250, 50, 500]
    assert [to for _, _, to in rule.steps] == [Tier.ELEVATED, Tier.HIGH, Tier.NORMAL]
    assert rule.steps[2][0] - rule.steps[1][0] >= 30 * S
    assert len(Static(config).update(rows_of([(100, 100, 1, 4800)]))) == 1


def test_a_refused_strategy_waits_before_it_tries_again() -> None:
    firm = Firm()
    view = View(SELLER_START_NS - 50 * S, -50.0, 4800 * S, 4800 * S + 250_000_000)
    orders = firm.act(view)
    mine = orders[orders["strategy_id"] == MOMENTUM]
    refused = np.zeros(len(mine), [("verdict", "u1"), ("reason", "u1")])
    refused["verdict"] = 3
    firm.sent(mine, refused, view.now)
    soon, later = (View(view.now + k * S, -50.0 + k, view.bid, view.ask) for k in (5, 11))
    assert MOMENTUM not in firm.act(soon)["strategy_id"]
    assert MOMENTUM in firm.act(later)["strategy_id"]


def test_the_story_ends_differently_under_each_arm_and_is_told_the_same_twice(fitted: dict[str, models.Anomaly], tmp_path: Path) -> None:
    config, episode = Config.load(), library.find("seller").family.episode(7, story=True)
    short = Episode(episode.market, 60.0, drawn=episode.drawn)
    names = ("static", "dynamic", "always_tight")
    rows = {name: play(short, 7, name, arm(name, config, fitted), config, events=tmp_path if name == "dynamic" else None) for name in names}
    dynamic, static = rows["dynamic"], rows["static"]
    assert 0 < dynamic["first_high_s"] < dynamic["minus_1pct_s"]
    assert dynamic["lead_s"] == pytest.approx(dynamic["minus_1pct_s"] - dynamic["first_high_s"])
    assert dynamic["bad_orders_blocked"] == dynamic["bad_orders"] > 0
    assert dynamic["quantity_in_critical"] < static["quantity_in_critical"]
    assert static["high_events"] == static["critical_events"] == 0
    assert rows["always_tight"]["good_orders_blocked"] > rows["static"]["good_orders_blocked"], "a block of 100 lots is good flow"
    assert play(short, 7, "dynamic", arm("dynamic", config, fitted), config) == dynamic
    _every_order_in_the_market_was_accepted(tmp_path)


def _every_order_in_the_market_was_accepted(folder: Path) -> None:
    from pretrade._native import gateway as native

    recorded, problems = native.verify_journal(folder / "dynamic-7.decisions.journal")
    assert recorded > 0
    assert not problems
    events = JournalReader(folder / "dynamic-7.events.journal").read(10_000_000)
    assert (events["kind"] == EventKind.TRADE).sum() > 1000


def test_with_limits_that_never_bind_the_market_does_not_know_whose_limits_they_are(fitted: dict[str, models.Anomaly]) -> None:
    config = Config.load()
    quiet = Episode(MarketParameters(), 20.0)
    rows = [play(quiet, 3, name, arm(name, config, fitted), config) for name in ("static", "rule")]
    assert rows[0]["event_log_hash"] == rows[1]["event_log_hash"]
    assert rows[0]["firm_loss"] == rows[1]["firm_loss"]


def test_a_stopped_evaluation_goes_on_and_another_batch_begins_anew(
    fitted: dict[str, models.Anomaly], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "calm_models", lambda *_args, **_named: fitted)
    monkeypatch.setattr(evaluation, "play", lambda _episode, seed, name, *_args, **_named: summary_row(seed, name, 1.0))
    own, out = tmp_path / "own.py", tmp_path / "own.json"
    own.write_text(OWN_FAMILY)

    def run(seeds: range) -> list[str]:
        said: list[str] = []
        evaluation.run(evaluation.EvaluationRequest(str(own), seeds, Config.load(), tmp_path), out, say=said.append)
        return said

    run(range(1, 2))
    first = json.loads(out.read_text())["rows"]
    assert [(r["seed"], r["arm"]) for r in first] == [(1, name) for name in ARMS]
    said = run(range(1, 3))
    assert any("already" in line for line in said)
    both = json.loads(out.read_text())
    assert both["rows"][:4] == first
    assert {r["seed"] for r in both["rows"]} == {1, 2}
    own.write_text(OWN_FAMILY.replace("120.0", "60.0"))
    assert any("another batch" in line for line in run(range(1, 2)))
    page = frontier.render([both])
    assert page.count("<circle") == 4
    assert "http" not in page.replace("http-equiv", "")


def summary_row(seed: int, name: str, loss: float, *, blocked: int = 0, minus_1: float | None = 30.0, high: float | None = 20.0) -> dict[str, Any]:
    lead = None if minus_1 is None or high is None else minus_1 - high
    return {
        "family": 1, "seed": seed, "arm": name, "hours": 0.5, "firm_loss": loss, "good_orders": 10, "good_orders_blocked": blocked,
        "bad_orders": 0, "bad_orders_blocked": 0, "quantity_in_critical": 0, "low_pct": -1.0, "minus_1pct_s": minus_1,
        "first_high_s": high, "lead_s": lead,
        "elevated_events": 1, "high_events": 1, "critical_events": 0, "critical_events_false": 0,
    }  # fmt: skip


def test_a_summary_pairs_seeds_and_counts_a_fall_without_high_as_no_lead() -> None:
    rows = [summary_row(s, "static", 100.0 * s) for s in (1, 2)] + [
        summary_row(1, "dynamic", 40.0, blocked=1),
        summary_row(2, "dynamic", 160.0, high=None),
    ]
    found = evaluation.summary(rows)
    assert found["dynamic"]["firm_loss_saved"]["mean"] == pytest.approx(50.0)
    assert found["dynamic"]["good_blocked_share"] == pytest.approx(0.05)
    assert (found["dynamic"]["high_before_minus_1pct"], found["dynamic"]["minus_1pct"]) == (1, 2)
    assert found["dynamic"]["lead_p10_s"] is None
    assert found["static"]["lead_median_s"] == pytest.approx(10.0)
    assert found["dynamic"]["high_events_per_hour"] == pytest.approx(2.0)
    assert found["dynamic"]["bad_blocked_share"] is None
