# SPDX-License-Identifier: Apache-2.0
"""The order-error study: mistakes are what they are called, nobody is in two roles, and the page says what the predictions say."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pretrade.domain.errors import ValidationError
from pretrade.models import mistakes, registry
from pretrade.models import order_contenders as contenders
from pretrade.models.mistakes import NAMES
from pretrade.models.order_flow import bad_rows, desk_flow, good_rows
from pretrade.validation import Ledger, order_report, order_sources, order_study, order_tables, order_tuning, report

ROOT = Path(__file__).resolve().parents[3]
DATA, LEDGER, PAGE = ROOT / "docs/models/data/order_error", ROOT / "docs/models/data/ledger/order_error.jsonl", ROOT / "docs/models/order_error.md"


@pytest.fixture(scope="module")
def spoiled() -> tuple[NDArray[Any], mistakes.Spoiled]:
    flow = desk_flow(7, orders=40_000, days=4)
    rng = np.random.default_rng(1)
    kind = mistakes.draw(rng, len(flow.orders), 0.05)
    return flow.orders, mistakes.inject(rng, flow.orders, flow.hints, kind)


def _of(made: mistakes.Spoiled, name: str) -> NDArray[Any]:
    orders: NDArray[Any] = made.orders[made.kind == NAMES.index(name)]
    return orders


def test_every_kind_and_case_is_there(spoiled: tuple[NDArray[Any], mistakes.Spoiled]) -> None:
    counts = np.bincount(spoiled[1].kind, minlength=len(NAMES))
    assert (counts[1:] > 20).all(), dict(zip(NAMES, counts, strict=True))


def test_a_swap_has_the_price_for_its_quantity(spoiled: tuple[NDArray[Any], mistakes.Spoiled]) -> None:
    good, made = spoiled
    for order in _of(made, "swap")[:50]:
        was = good[(good["utc"] == order["utc"]) & (good["trader"] == order["trader"])][0]
        assert order["quantity"] == max(was["price"] // 10**9, 1)
        assert abs(order["price"] - min(was["quantity"], 10**9) * 10**9) <= order["tick_size"]


def test_mizuho_sells_as_many_as_the_price_at_one_tick(spoiled: tuple[NDArray[Any], mistakes.Spoiled]) -> None:
    orders = _of(spoiled[1], "mizuho_2005")
    assert (orders["price"] == orders["tick_size"]).all()
    assert (orders["side"] == 2).all()


def test_copies_share_an_event_and_follow_each_other_in_their_time(spoiled: tuple[NDArray[Any], mistakes.Spoiled]) -> None:
    made = spoiled[1]
    for name, apart in (("loop", 5e6), ("everbright_2013", 4.6e6), ("parent_not_counted", 1.2e9)):
        mine = made.kind == NAMES.index(name)
        event = made.event[mine][0]
        times = np.sort(made.orders["mono"][mine & (made.event == event)])
        assert len(times) > 3
        assert apart < times[-1] - times[0] <= (len(times) + 1) * apart
    assert made.is_accepted[made.kind == NAMES.index("loop")].all()
    assert not made.is_accepted[made.kind == NAMES.index("x100")].any()


def test_the_orders_that_are_no_mistake_are_as_they_were(spoiled: tuple[NDArray[Any], mistakes.Spoiled]) -> None:
    good, made = spoiled
    kept = made.orders[made.kind == 0]
    known = {(int(o["utc"]), int(o["trader"]), int(o["quantity"]), int(o["price"]), int(o["side"])) for o in good}
    assert all((int(o["utc"]), int(o["trader"]), int(o["quantity"]), int(o["price"]), int(o["side"])) in known for o in kept[::7])


def test_rows_of_mistakes_hold_one_order_of_each() -> None:
    rows = bad_rows(desk_flow(8, orders=20_000, days=4), share=0.03, seed=0)
    assert len(np.unique(rows.event)) == len(rows)
    assert rows.is_error.all()


def test_cuts_of_a_union_meet_the_budget_together_and_cannot_be_lower() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=200_000), rng.normal(size=200_000)
    cuts = contenders.union_cuts(a, b, 1e-3)
    stopped = ((a >= cuts[0]) | (b >= cuts[1])).sum()
    assert 195 <= stopped <= 200
    assert (a >= cuts[0]).sum() == pytest.approx((b >= cuts[1]).sum(), abs=1)


def test_the_shift_makes_the_mean_the_prevalence() -> None:
    rng = np.random.default_rng(0)
    good, bad = rng.normal(-3, 1, 10_000), rng.normal(2, 1, 500)
    shift = contenders.shift_to(good, bad, 1e-3)
    assert contenders.mixed_mean(good + shift, bad + shift, 1e-3) == pytest.approx(1e-3, rel=1e-9)


def test_the_rule_is_the_natives_rule() -> None:
    x = np.full((3, 24), np.nan, np.float32)
    x[1, contenders.place("quantity_z")], x[1, contenders.place("aggression_volatility")] = 6.0, -64.0
    x[2, contenders.place("aggression_volatility")] = 8.0
    assert contenders.rule_of(x, (12.0, 8.0, 32.0)).tolist() == [-np.inf, 2.0, 1.0]
    assert contenders.rule_of(x, (12.0, 8.0, np.inf)).tolist() == [-np.inf, 0.5, 1.0]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small study, whole."""
    folder = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(order_study, "FIT_GOOD", 3_000)
        patched.setattr(contenders, "TREES", 8)
        patched.setitem(contenders.FOREST, "n_estimators", 5)
        source = dataclasses.replace(order_sources.desks(10, 1_200, 2), first_fit=2, step=1)
        ledger = Ledger(folder / "ledger.jsonl")
        order_study.write(order_study.Study(source, ledger, folder / "work", say=lambda _: None).run(), folder / "data")
    return folder


def test_nobody_is_in_two_roles_and_blocks_lie_a_day_apart() -> None:
    seeds = [set(seeds) for seeds in order_sources.FIRMS.values()]
    assert not any(a & b for i, a in enumerate(seeds) for b in seeds[i + 1 :])
    facts = json.loads((DATA / "desk.json").read_text())
    day = 86_400 * 10**9
    for fold in facts["folds"]:
        assert fold["calibrate_start_ns"] - fold["fit_end_ns"] >= day
        assert fold["test_start_ns"] - fold["calibrate_end_ns"] >= day


def test_stored_rates_are_those_of_the_orders_themselves(study: Path) -> None:
    told = order_tables.load(study / "data", "desk")
    fold = told.facts["folds"][0]
    source = order_sources.desks(10, 1_200, 2)
    good = [good_rows(f) for f in source.test]
    inside = [(g.ts >= fold["test_start_ns"]) & (g.ts < fold["test_end_ns"]) for g in good]
    assert [b["good"] for b in fold["blocks"]] == [int(i.sum()) for i in inside]
    cut = fold["cuts"]["rule"]["hold"][0]
    stopped = sum(int((contenders.rule(g.x[i]) >= cut).sum()) for g, i in zip(good, inside, strict=True))
    mine = (told.columns["fold"] == 0) & (told.columns["kind"] == 0)
    assert int(told.stops("rule", "hold")[mine].sum()) == stopped


def test_the_ledger_counts_every_fold_and_contender(study: Path) -> None:
    ledger = Ledger(study / "ledger.jsonl")
    folds = len(json.loads((study / "data/desk.json").read_text())["folds"])
    scorings = ledger.scorings("order_error")
    assert scorings["desk/fold-0"] == len(contenders.CONFIGURATIONS) + len(contenders.UNIONS)
    assert sum(scorings.values()) == folds * scorings["desk/fold-0"] + 1
    assert ledger.configurations("order_error") == len(contenders.CONFIGURATIONS) + len(mistakes.KINDS)
    assert ledger.frozen("order_error") == mistakes.digest()


def test_a_changed_prediction_is_refused(study: Path, tmp_path: Path) -> None:
    shutil.copytree(study / "data", tmp_path / "data")
    path = tmp_path / "data/desk.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValidationError, match="is not the table"):
        order_tables.load(tmp_path / "data", "desk")


def test_the_page_says_what_the_stored_predictions_say() -> None:
    told = order_report.told(DATA, LEDGER)
    assert report.update(PAGE, report.markdown(told.sections), is_written=False), "pretrade validate order-error --write"


def test_the_stored_study_is_of_the_frozen_injector() -> None:
    for path in DATA.glob("*.json"):
        assert json.loads(path.read_text())["injector"] == mistakes.digest(), path.name
    entries = Ledger(LEDGER).entries()
    frozen = max(i for i, e in enumerate(entries) if e["kind"] == "frozen")
    assert entries[frozen]["digest"] == mistakes.digest()
    since = {e["digest"] for e in entries[frozen:] if e["kind"] == "scored"}
    stored = {fold["data"]["test"] for path in DATA.glob("*.json") for fold in json.loads(path.read_text()).get("folds", []) if "data" in fold}
    assert stored <= since, "every stored fold was scored after the injector was frozen"
    assert len(stored) >= 15


def test_the_options_in_use_are_those_the_stored_trials_chose() -> None:
    told = json.loads((DATA / "tuning.json").read_text())
    assert order_tuning.best(told) == contenders.CHOSEN
    counts = {learner: sum(t["learner"] == learner for t in told["trials"]) for learner in contenders.TRIALS}
    assert set(counts.values()) == {4}, "as many trials for each"


def test_the_shipped_champion_is_the_best_that_the_gate_can_run() -> None:
    told = order_report.told(DATA, LEDGER).summaries[0]["contenders"]
    served = {"order-error-monotone": "rule_or_monotone", "order-error-trees": "rule_or_trees"}
    best = max(served, key=lambda name: told[served[name]]["hold"]["recall"]["all kinds"][0])
    assert {m.name: m.state for m in registry.shipped() if m.name in served} == {n: "champion" if n == best else "challenger" for n in served}


def test_the_report_is_one_page_that_stands_alone() -> None:
    told = order_report.told(DATA, LEDGER)
    page = report.html("Order-error model", told.sections)
    assert page.count("<table>") == sum(bool(s.head) for s in told.sections)
    assert "src=" not in page
    assert "http" not in page


def test_a_section_whose_row_is_too_short_is_refused() -> None:
    with pytest.raises(ValidationError, match="a row has 1 cells, the head 2"):
        report.Section("t", "", ("a", "b"), (("1",),))


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValidationError, match="0 begins"):
        report.between("no marks", "text")


@pytest.mark.shared_data
def test_orders_of_a_recording_meet_the_market_before_them(shared_data: Path, config: Any) -> None:
    from pretrade.validation import order_flow_real

    flow = order_flow_real.bitstamp(shared_data, config)
    orders = flow.orders
    assert len(orders) > 20_000
    assert (orders["reference_age"] > 0).all()
    assert (orders["bid"] < orders["ask"]).mean() > 0.999
    assert len(np.unique(orders["trader"])) == order_flow_real.TRADERS
    roles = order_flow_real.source("bitstamp", flow, sessions=10)
    traders = [set(np.unique(f.orders["trader"])) for f in (*roles.fit, *roles.calibrate, *roles.test)]
    assert not any(a & b for i, a in enumerate(traders) for b in traders[i + 1 :])
