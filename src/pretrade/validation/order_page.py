# SPDX-License-Identifier: Apache-2.0
"""The order-error study as sections: ours beside every baseline, per kind, with intervals; nothing here is typed by hand but words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from pretrade.models import mistakes
from pretrade.validation.ledger import Ledger
from pretrade.validation.order_study import SUBJECT
from pretrade.validation.report import Section

NAMES: Final = {
    "cap": "static cap on notional",
    "rule": "rule: larger of size z and price deviation",
    "rule_scaled": "rule, three scales",
    "logistic": "logistic regression",
    "forest": "random forest",
    "trees": "LightGBM, free",
    "monotone": "LightGBM, monotone",
    "monotone_no_anomaly": "the same without the anomaly score",
    "rule_or_monotone": "**rule (three scales) or monotone**",
    "rule_or_trees": "rule (three scales) or free trees",
    "sheet_rule_or_monotone": "rule or monotone",
}
_SHOWN: Final = ("rule", "rule_scaled", "logistic", "forest", "trees", "monotone", "rule_or_monotone", "rule_or_trees")
_SERVED: Final = ("rule_or_monotone", "rule_or_trees")
"""What a model folder of the gate can hold: boosted trees and the rule with its scales."""
_REAL: Final = {"bitstamp": "Bitstamp, 1 May 2015", "es": "ES future, 25 December 2023"}


def sections(desk: dict[str, Any], real: list[dict[str, Any]], ledger: Ledger) -> list[Section]:
    """All sections, from summaries (:func:`pretrade.validation.order_tables.summary`) and the ledger."""
    out = [
        _contenders(desk),
        _kinds(desk, "hold"),
        _kinds(desk, "reject"),
        _bars(desk),
        _calibrated(desk),
        _left_out(desk),
        _cases(desk),
        _ablation(desk),
    ]
    out += [part for one in real for part in (_real(one), _real_kinds(one))]
    return [*out, _folds(desk), _counted(ledger)]


def share(interval: Any, digits: int = 2) -> str:  # noqa: ANN401 - three numbers, as a tuple or as JSON has it
    """Value and interval.

    Examples
    --------
    >>> share((0.5, 0.45, 0.55))
    '.50 (.45-.55)'
    """
    value, low, high = (f"{v:.{digits}f}".replace("0.", ".", 1) if abs(v) < 1 else f"{v:.{digits}f}" for v in interval)
    return f"{value} ({low} to {high})" if interval[1] < 0 else f"{value} ({low}-{high})"


def _row(name: str, told: dict[str, Any]) -> tuple[str, ...]:
    cells = [NAMES[name]]
    for point in ("hold", "reject"):
        at = told[point]
        cells += [share(at["stopped_per_100000"], 1), share(at["recall"]["all kinds"]), share(at["recall"]["kinds on record"])]
    return tuple(cells)


def _contenders(desk: dict[str, Any]) -> Section:
    each = ("good orders stopped per 100,000", "recall, all kinds", "recall, kinds on record")
    head = ("contender", *(f"{point}: {name}" for point in ("HOLD", "REJECT") for name in each))
    served = max(_SERVED, key=lambda n: desk["contenders"][n]["hold"]["recall"]["all kinds"][0])
    hold, reject = (desk["contenders"][served][p] for p in ("hold", "reject"))
    text = (
        f"{desk['good_orders']:,} good orders of held-out firms on held-out days, "
        f"{desk['blocks']} blocks of firm and day, {len(desk['folds'])} folds. "
        "Every cut was fitted on other firms and earlier days, to 10 (HOLD) and 1 (REJECT) good orders in 100,000; the columns say what it then did. "
        f"Recall is a mean over kinds, each kind alike; kinds on record: {', '.join(mistakes.SHEET)}. Intervals: 95 %, blocks drawn again.\n\n"
        f"Champion by recall at HOLD: **{NAMES[desk['champion']].strip('*')}**. Of what the gate's own scorer can run inside an order's "
        f"microsecond, the best is **{NAMES[served].strip('*')}**, and that one ships as champion. "
        f"It stops {share(hold['stopped_per_trader_day'], 3)} good orders a trader and day at HOLD, "
        f"{share(reject['stopped_per_trader_day'], 3)} at REJECT. At REJECT it stopped {reject['stopped']} good orders: at most "
        f"{reject['stopped_at_most_per_100000']:.1f} per 100,000 with 97.5 % certainty if they came independently."
    )
    return Section("Ours beside every baseline, made-up firms", text, head, tuple(_row(n, t) for n, t in desk["contenders"].items()))


def _kinds(desk: dict[str, Any], point: str) -> Section:
    head = ("mistake", *(NAMES[n].strip("*") for n in _SHOWN))
    rows = tuple((k.replace("_", " "), *(share(desk["contenders"][n][point]["by_kind"][k]) for n in _SHOWN)) for k in mistakes.KINDS)
    return Section(f"Recall per kind at {point.upper()}", "", head, rows)


def _bars(desk: dict[str, Any]) -> Section:
    ours, champion = (desk["contenders"][n]["hold"] for n in ("rule_or_monotone", desk["champion"]))
    worst = max((abs(v["mean_over_true"][0] - 1), n) for n, v in ((p, desk["calibration"]["monotone"][p]) for p in desk["calibration"]["monotone"]))

    def judged(name: str, value: str, bar: str, *, is_met: bool) -> tuple[str, ...]:
        return (name, value, bar, "met" if is_met else "**missed**")

    sheet = ours["recall"]["kinds on record"]
    rows = [judged("recall at HOLD, kinds on record, rule or monotone", share(sheet), "not below .47", is_met=sheet[0] >= 0.47)]
    for kind in ("price_decade", "swap"):
        caught = ours["by_kind"][kind]
        rows.append(judged(f"{kind.replace('_', ' ')} at HOLD, rule or monotone", share(caught, 3), "1", is_met=caught[0] >= 0.9995))
    both = champion["recall"]["all kinds"][0]
    rows.append(
        judged(
            "recall at HOLD, all kinds, against the champion's",
            f"{ours['recall']['all kinds'][0]:.3f} and {both:.3f}",
            "not below",
            is_met=ours["recall"]["all kinds"][0] >= both,
        )
    )
    rows.append(
        judged(
            "mean probability over true rate, farthest from 1",
            f"{desk['calibration']['monotone'][worst[1]]['mean_over_true'][0]:.3f} at {worst[1]}",
            ".9 to 1.1",
            is_met=worst[0] <= 0.1,
        )
    )
    return Section("Bars", "", ("what", "measured", "bar", ""), tuple(rows))


def _calibrated(desk: dict[str, Any]) -> Section:
    text = (
        "Mean probability over the true rate, on good orders and mistakes mixed at a stated prevalence; 1 is right. "
        "What is added to the log odds was "
        "fitted on the calibration block of the fold, at that prevalence; kinds alike."
    )
    rows = []
    for name, by in desk["calibration"].items():
        for prevalence, told in by.items():
            folds = ", ".join(f"{v:.2f}" for v in told["by_fold"].values())
            rows.append((NAMES[name], prevalence, share(told["mean_over_true"]), folds))
    return Section("Calibration", text, ("contender", "prevalence", "mean over true", "by fold"), tuple(rows))


def _left_out(desk: dict[str, Any]) -> Section:
    text = "Rule (three scales) or monotone, last fold: the fit without one kind, then that kind looked for. Intervals: Wilson."
    rows = []
    for kind, told in desk["left_out"].items():
        rows.append((kind.replace("_", " "), *(share(told[p][how]) for p in ("hold", "reject") for how in ("left_out", "known"))))
    return Section(
        "Each kind left out of training", text, ("mistake", "HOLD, left out", "HOLD, known", "REJECT, left out", "REJECT, known"), tuple(rows)
    )


def _cases(desk: dict[str, Any]) -> Section:
    text = "Templates of cases on record, never fitted on; sizes relative to the made-up order they replace."
    head = ("case", *(NAMES[n].strip("*") for n in _SHOWN))
    rows = tuple((k.replace("_", " "), *(share(desk["contenders"][n]["hold"]["by_kind"][k]) for n in _SHOWN)) for k in mistakes.CASES)
    return Section("Real cases as templates, recall at HOLD", text, head, rows)


def _ablation(desk: dict[str, Any]) -> Section:
    rows = [("concurrent anomaly score as a feature (monotone)", *(_signed(desk["anomaly_score_adds"][p]) for p in ("hold", "reject")))]
    rows.append(("free trees instead of monotone ones, beside the rule", *(_signed(desk["constraints_cost"][p]) for p in ("hold", "reject"))))
    return Section("What it adds to recall over all kinds", "Paired over the same blocks.", ("what", "HOLD", "REJECT"), tuple(rows))


def _signed(interval: Any) -> str:  # noqa: ANN401 - three numbers
    value, low, high = interval
    return f"{value:+.3f} ({low:+.3f} to {high:+.3f})"


def _real(told: dict[str, Any]) -> Section:
    name = _REAL[told["source"]]
    cal = min(f["calibrate_good"] for f in told["folds"]), max(f["calibrate_good"] for f in told["folds"])
    text = (
        "Orders, prices, sizes, sides, times and books are the recording's; **traders, their habits and positions are made up**, and so are "
        f"the mistakes. {told['good_orders']:,} good orders in {len(told['folds'])} folds by time of one session. "
        f"A cut was fitted on {cal[0]} to {cal[1]} good orders, which is "
        "far too few for 10 in 100,000: it stands above the highest of them, and the rates below say what that is worth. No champion is named here."
    )
    head = ("contender", "good orders stopped per 100,000", "stopped", "recall, all kinds", "recall, kinds on record")
    rows = []
    for n, t in told["contenders"].items():
        h = t["hold"]
        rows.append(
            (NAMES[n], share(h["stopped_per_100000"], 0), str(h["stopped"]), share(h["recall"]["all kinds"]), share(h["recall"]["kinds on record"]))
        )
    return Section(f"Real order flow: {name}", text, head, tuple(rows))


def _real_kinds(told: dict[str, Any]) -> Section:
    head = ("mistake", *(NAMES[n].strip("*") for n in _SHOWN))
    rows = []
    for k in (*mistakes.KINDS, *mistakes.CASES):
        rows.append((k.replace("_", " "), *(share(told["contenders"][n]["hold"]["by_kind"][k]) for n in _SHOWN)))
    return Section(f"Recall per kind, {_REAL[told['source']]}", "", head, tuple(rows))


def _folds(desk: dict[str, Any]) -> Section:
    rows = []
    for f in desk["folds"]:
        when = [f"{_day(f[f'{b}_start_ns'])} to {_day(f[f'{b}_end_ns'] - 1)}" for b in ("fit", "calibrate", "test")]
        cuts = f["cuts"]["rule_or_monotone"]
        rows.append(
            (
                str(f["fold"]),
                *when,
                f"{f['fit_good']:,} / {f['fit_bad']:,}",
                f"{f['calibrate_good']:,}",
                *(f"{c[0]:.2f}, {c[1]:.2f}" for c in cuts.values()),
            )
        )
    head = (
        "fold",
        "fit",
        "calibrate",
        "test",
        "good / mistakes fitted",
        "good orders for the cuts",
        "HOLD: rule, log odds",
        "REJECT: rule, log odds",
    )
    return Section(
        "Folds", "A day of gap on either side of calibrate. Data and model hashes of each fold stand in the stored facts.", head, tuple(rows)
    )


def _day(ts: int) -> str:
    return datetime.fromtimestamp(ts // 10**9, UTC).date().isoformat()


def _counted(ledger: Ledger) -> Section:
    scorings = ledger.scorings(SUBJECT)
    text = (
        f"The ledger holds {ledger.configurations(SUBJECT)} configurations tried, trees with one kind left out counted singly, and "
        f"{sum(scorings.values())} scorings of test blocks (a contender on a fold is one). "
        f"The injector was frozen as `{str(ledger.frozen(SUBJECT))[:12]}` before all of "
        "what is stored here; an earlier version, one type annotation apart, was tried once on few orders and stands in the ledger. "
        "The first round of folds ran with plain options and counts too; the second is the one above."
    )
    rows: dict[str, int] = {}
    for file, count in scorings.items():
        name = file.partition("/")[0]
        rows[name] = rows.get(name, 0) + count
    return Section("Ledger", text, ("source", "scorings"), tuple((n, str(c)) for n, c in sorted(rows.items())))
