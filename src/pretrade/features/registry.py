# SPDX-License-Identifier: Apache-2.0
"""What each feature is: formula, unit, range, source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pretrade.domain.errors import FeatureInputError
from pretrade.features.table import NAMES, Features

_OWN: Final = "own definition"
_CKS: Final = "Cont, Kukanov, Stoikov 2014"
_BNS: Final = "Barndorff-Nielsen, Shephard 2004"
_ELO: Final = "Easley, Lopez de Prado, O'Hara 2012"
_GROUP: Final = "undefined outside a group, and where a mid is unknown or not fresh"


@dataclass(frozen=True, slots=True)
class FeatureCard:
    """One registry entry; ``stress`` is the direction in which stress moves it (+, -, ±, or empty)."""

    name: str
    formula: str
    unit: str
    range: str
    source: str
    stress: str = ""


_CARDS: Final = (
    FeatureCard("spread_bps", "time-weighted (ask - bid) over the row / mid x 1e4", "bps", "[0, inf)", _OWN, "+"),
    FeatureCard("spread_ticks", "time-weighted (ask - bid) over the row / tick_size", "ticks", "[0, inf)", _OWN, "+"),
    FeatureCard("imbalance_l1", "B / (B + A), best level", "1", "[0, 1]", _OWN, "±"),
    FeatureCard("imbalance_l5", "sum B / (sum B + sum A), best 5 levels", "1", "[0, 1]", _OWN, "±"),
    FeatureCard("imbalance_l10", "sum B / (sum B + sum A), best k = min(10, shown) levels", "1", "[0, 1]", _OWN, "±"),
    FeatureCard("book_pressure", "as imbalance_l10, weights exp(-d / 5), d = ticks from mid", "1", "[0, 1]", _OWN, "±"),
    FeatureCard("depth_rel_bid", "ln(10-level bid size / median of 1 s samples over the 5 min ending 10 s ago)", "log", "(-inf, inf)", _OWN, "-"),
    FeatureCard("depth_rel_ask", "as depth_rel_bid, ask side", "log", "(-inf, inf)", _OWN, "-"),
    FeatureCard(
        "depth_rel_bid_tod",
        "ln(10-level bid size / median of the same 5 min of the UTC day in the last 5 to 20 sessions)",
        "log",
        "(-inf, inf); undefined before 5 sessions",
        _OWN,
        "-",
    ),
    FeatureCard("depth_rel_ask_tod", "as depth_rel_bid_tod, ask side", "log", "(-inf, inf); undefined before 5 sessions", _OWN, "-"),
    FeatureCard(
        "resilience_1s_bid",
        "EWMA of (D(+1 s) - D(after)) / (D(before) - D(after)) over bid shocks >= 25 %, at least 5",
        "1",
        "(-inf, inf)",
        _OWN,
        "-",
    ),
    FeatureCard("resilience_1s_ask", "as resilience_1s_bid, ask side", "1", "(-inf, inf)", _OWN, "-"),
    FeatureCard(
        "recovery_half_life_s",
        "median over the last 20 shocks, at least 10, of time until half the lost depth is back",
        "s",
        "[0, 60], censored",
        _OWN,
        "+",
    ),
    FeatureCard("ofi_1s", "order-flow imbalance at the best quotes, 1 s / mean best size, 10 s", "1", "(-inf, inf)", _CKS, "±"),
    FeatureCard("ofi_10s", "order-flow imbalance at the best quotes, 10 s / mean best size, 10 s", "1", "(-inf, inf)", _CKS, "±"),
    FeatureCard("trade_flow_1s", "signed / total traded size, 1 s", "1", "[-1, 1]", _OWN, "±"),
    FeatureCard("trade_flow_10s", "signed / total traded size, 10 s", "1", "[-1, 1]", _OWN, "±"),
    FeatureCard("trade_to_order", "trades / (adds + cancels + modifies), 10 s", "1", "[0, inf)", _OWN, "±"),
    FeatureCard("cancel_rate", "cancels / (adds + cancels), 10 s", "1", "[0, 1]", _OWN, "+"),
    FeatureCard("quote_rate_1s", "updates of the best quotes, 1 s", "1/s", "[0, inf)", _OWN, "+"),
    FeatureCard("burst_ratio", "largest 10 ms count of the last second / count expected from 10 s", "1", "[0, 1000]", _OWN, "+"),
    FeatureCard("rv_1s", "100 sqrt(sum r^2), 100 ms mid log returns, 1 s", "%", "[0, inf)", _OWN, "+"),
    FeatureCard("rv_10s", "as rv_1s, 10 s", "%", "[0, inf)", _OWN, "+"),
    FeatureCard("rv_1m", "as rv_1s, 1 min", "%", "[0, inf)", _OWN, "+"),
    FeatureCard("rv_5m", "as rv_1s, 5 min", "%", "[0, inf)", _OWN, "+"),
    FeatureCard("jump_share_1m", "max(RV^2 - BPV, 0) / RV^2, 1 min", "1", "[0, 1]", _BNS, "+"),
    FeatureCard("rv_ratio", "rv_10s sqrt(30) / rv_5m", "1", "[0, inf)", _OWN, "+"),
    FeatureCard(
        "factor_return_1s",
        "100 x log return, 1 s, of the group's factor; of the factor itself, and without one, the mean of the others",
        "%",
        f"(-inf, inf); {_GROUP}",
        _OWN,
        "±",
    ),
    FeatureCard(
        "residual_return_1s",
        "100 x own log return, 1 s - beta known when that second began x factor_return_1s",
        "%",
        f"(-inf, inf); {_GROUP}",
        _OWN,
        "±",
    ),
    FeatureCard(
        "corr_5m",
        "correlation of 1 s returns with the factor's, zero mean, weights halved every 300 seconds seen",
        "1",
        "[-1, 1]; after 60 s",
        _OWN,
        "±",
    ),
    FeatureCard("sentiment", "sum of scores, each halved every 5 min", "1", "(-inf, inf); undefined without a source", _OWN, "±"),
    FeatureCard(
        "news_surge",
        "5 min item count / its median at this time of day in the last 5 to 20 sessions",
        "1",
        "[0, inf); undefined before 5 sessions",
        _OWN,
        "+",
    ),
    FeatureCard("mid_price", "(bid + ask) / 2; never a model input", "price", "(-inf, inf)", _OWN),
    FeatureCard("microprice_dev_bps", "spread x (imbalance_l1 - 1/2) / mid x 1e4", "bps", "(-inf, inf)", _OWN, "±"),
    FeatureCard("jump_share_10s", "as jump_share_1m, 10 s", "1", "[0, 1]", _BNS, "+"),
    *(
        FeatureCard(f"n_{kind}_{window}", f"{kind} records, {window}; those a fill caused left out", "count", "[0, inf)", _OWN, "+")
        for window in ("1s", "10s")
        for kind in ("trade", "add", "cancel", "modify")
    ),
    FeatureCard("depth_bid", "10-level bid size", "quantity units", "[0, inf)", _OWN, "-"),
    FeatureCard("depth_ask", "10-level ask size", "quantity units", "[0, inf)", _OWN, "-"),
    FeatureCard("depth_ratio_bid", "exp(depth_rel_bid), 0 where the side is empty", "1", "[0, inf)", _OWN, "-"),
    FeatureCard("depth_ratio_ask", "exp(depth_rel_ask), 0 where the side is empty", "1", "[0, inf)", _OWN, "-"),
    FeatureCard("return_10s_pct", "100 (mid / mid 10 s ago - 1)", "%", "(-100, inf)", _OWN, "±"),
    FeatureCard("sigma_10s_lagged_pct", "volatility of the 5 min ending 10 s ago, scaled to 10 s", "%", "[0, inf)", _OWN),
    FeatureCard("spread_now_ticks", "(ask - bid) / tick_size at the row's end", "ticks", "(-inf, inf)", _OWN, "+"),
    FeatureCard("book_age_ms", "row time - last book record", "ms", "[0, inf)", _OWN),
    FeatureCard("feed_lag_ms", "ts_recv - ts_event of the last record", "ms", "(-inf, inf)", _OWN),
    FeatureCard("tod_sin", "sin(2 pi seconds of the UTC day / 86400)", "1", "[-1, 1]", _OWN),
    FeatureCard("tod_cos", "cos(2 pi seconds of the UTC day / 86400)", "1", "[-1, 1]", _OWN),
    FeatureCard("minutes_to_close", "minutes to the end of the phase", "min", "[0, inf)", _OWN),
    FeatureCard("recovery_censored", "1 where recovery_half_life_s is a shock that was not half back in 60 s", "1", "{0, 1}", _OWN, "+"),
    FeatureCard("side_inferred_10s", "share of traded size, 10 s, whose aggressor the tick rule inferred", "1", "[0, 1]", _OWN),
    FeatureCard(
        "vpin",
        "mean |buy - sell| / size of 50 buckets of daily volume / 50; a baseline, never a champion's input",
        "1",
        "[0, 1]; undefined without adv",
        _ELO,
        "+",
    ),
    FeatureCard("beta_5m", "as corr_5m, per variance of the factor", "1", "(-inf, inf); after 60 s", _OWN, "±"),
    FeatureCard(
        "leader_return",
        "leader's 100 x log return, 1 s, ended 0 to 2 s ago: the lag with the largest product of 100 ms returns, weights halved every 3000 rows",
        "%",
        "(-inf, inf); after 600 rows; undefined of the leader",
        _OWN,
        "±",
    ),
    FeatureCard(
        "vix_ratio", "near / far volatility index, from receipt on, for 5 days; published within 12 h of each other", "1", "(0, inf)", _OWN, "+"
    ),
    FeatureCard("factor_age_ms", "row time - last price of the factor, the oldest of a mean", "ms", "[0, inf)", _OWN),
)

REGISTRY: Final[dict[str, FeatureCard]] = {card.name: card for card in _CARDS}
assert tuple(REGISTRY) == NAMES, "registry and native feature order differ"


@dataclass(frozen=True, slots=True)
class ResearchFeature:
    """A researcher's feature: a function over columns of all rows at once."""

    card: FeatureCard
    compute: Callable[[Features], NDArray[np.float64]]

    def __call__(self, features: Features) -> Features:
        """Rows with this feature's column added, NaN where undefined.

        Raises
        ------
        FeatureInputError
            If the function gives another shape or an infinite value.
        """
        values = np.asarray(self.compute(features), np.float64)
        if values.shape != (len(features),):
            raise FeatureInputError(f"feature {self.card.name!r} gave shape {values.shape}; it must be ({len(features)},)")
        if np.isinf(values).any():
            raise FeatureInputError(f"feature {self.card.name!r} gave an infinite value in row {int(np.flatnonzero(np.isinf(values))[0])}")
        return features.with_column(self.card.name, values)


def feature(
    *, name: str, formula: str, unit: str, range: str, source: str = _OWN, stress: str = ""
) -> Callable[[Callable[[Features], NDArray[np.float64]]], ResearchFeature]:
    """Turn a function over columns into a feature with a card.

    Examples
    --------
    >>> @feature(name="depth_sum", formula="depth_bid + depth_ask", unit="lots", range="[0, inf)")
    ... def depth_sum(rows):
    ...     return rows.column("depth_bid") + rows.column("depth_ask")
    >>> depth_sum.card.unit
    'lots'
    """
    if name in REGISTRY:
        raise FeatureInputError(f"{name!r} is the name of a built-in feature")

    def wrap(function: Callable[[Features], NDArray[np.float64]]) -> ResearchFeature:
        return ResearchFeature(FeatureCard(name, formula, unit, range, source, stress), function)

    return wrap
