# SPDX-License-Identifier: Apache-2.0
"""Real order flow for the order-error study: every new order of a recording, with the market as the gate would have seen it.

Prices, sizes, sides and times are the recording's. Public feeds name nobody: traders, accounts and positions here are made up, each a
manner (usual size, usual distance from the touch) to which orders are dealt. What is learnt about "a trader" is learnt about these.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade import features, feeds
from pretrade.domain import Config, EventKind, Instrument
from pretrade.models import PcaAnomaly, mistakes
from pretrade.models.order_error import ORDER, UNDEFINED
from pretrade.models.order_flow import Flow
from pretrade.validation.folds import Block
from pretrade.validation.order_study import Source

TRADERS: Final = 24
_STRATEGIES: Final = 6
_CALM_ROWS: Final = 6_000
_MINUTE_NS: Final = 60 * 10**9
_FEWEST_ORDERS: Final = 100


def orders_of(files: Sequence[Path], *, format: str, config: Config, instrument: Instrument, other_price: int, seed: int) -> Flow:
    """Orders of a recording, dealt to made-up traders.

    Parameters
    ----------
    files, format, config, instrument
        Which recording, and of whom.
    other_price
        A price of another instrument, 1e-9 units, for the mistake of a wrong instrument.
    seed
        Of dealing and hints.

    Notes
    -----
    The market beside an order is that of the last 100 ms row closed before it; the anomaly score is of a PCA fitted on the first ten
    minutes of rows and is undefined there.
    """
    events = np.concatenate(list(feeds.open(files, format=format, config=config, instruments=[instrument.symbol])))
    rows = features.collect([events], features.engine(config, [instrument], with_quotes=True))
    new = events[(events["kind"] == EventKind.ADD) & (events["price"] > 0) & (events["size"] > 0)]
    at = np.searchsorted(rows.ts_recv, new["ts_recv"], side="left") - 1
    new, at = new[at >= 0], at[at >= 0]
    sound = rows.is_scored[at]
    new, at = new[sound], at[sound]
    rng = np.random.default_rng(seed)
    return _flow(rng, new, at, rows, instrument, other_price)


def _flow(rng: np.random.Generator, new: NDArray[Any], at: NDArray[np.intp], rows: features.Features, instrument: Instrument, other: int) -> Flow:
    assert rows.quotes is not None
    quotes, n = rows.quotes[at], len(new)
    out = np.zeros(n, ORDER)
    out["quantity"], out["price"], out["side"] = new["size"], new["price"], new["side"]
    out["tick_size"], out["adv"] = instrument.tick_size, np.maximum(quotes["adv"], 1)
    out["bid"], out["ask"], out["nbbo_bid"], out["nbbo_ask"] = quotes["bid_price"], quotes["ask_price"], UNDEFINED, UNDEFINED
    out["depth"] = np.where(new["side"] == 1, quotes["depth_ask"], quotes["depth_bid"])
    out["volume_1m"], out["rv_1m"] = quotes["volume_1m"], rows.column("rv_1m")[at]
    out["reference_age"] = new["ts_recv"] - rows.ts_recv[at]
    out["utc"], out["mono"] = new["ts_recv"], new["ts_recv"] - new["ts_recv"][0]
    out["anomaly"] = _anomaly(rows)[at]
    out["trader"] = _dealt(rng, out)
    out["strategy"] = out["trader"] % _STRATEGIES
    out["position"], out["is_position_known"] = rng.integers(-3, 4, n) * out["quantity"], 1
    out["notional"] = out["quantity"] * (out["price"] / out["tick_size"]) * max(instrument.value_per_tick_lot, 1)
    hints = np.zeros(n, mistakes.HINTS)
    ago = np.clip(np.searchsorted(rows.ts_recv, new["ts_recv"] - rng.integers(10, 60, n) * _MINUTE_NS) - 1, 0, None)
    hints["stale_price"] = (rows.quotes["bid_price"][ago] + rows.quotes["ask_price"][ago]) // 2
    hints["other_price"], hints["lot"] = other, 100
    hints["other_trader"] = (out["trader"] + rng.integers(1, TRADERS, n)) % TRADERS
    return Flow(instrument.symbol, out, hints, {"instruments": 1, "traders": TRADERS, "strategies": _STRATEGIES})


def _anomaly(rows: features.Features) -> NDArray[np.float32]:
    """Score of a PCA fitted on the first rows, NaN where it was fitted and where nothing may be scored."""
    early = rows[:_CALM_ROWS]
    model = PcaAnomaly().fit(early[early.is_scored], seed=0)
    out = np.full(len(rows), np.nan, np.float32)
    out[_CALM_ROWS:] = model.score(rows[_CALM_ROWS:]).score
    return out


def _dealt(rng: np.random.Generator, orders: NDArray[Any]) -> NDArray[np.int64]:
    """A trader for each order: one of made-up manners, the likelier the closer size and distance from the touch are to its own."""
    size = np.log10(orders["quantity"].astype(np.float64))
    touch = np.where(orders["side"] == 1, orders["ask"], orders["bid"])
    distance = np.arcsinh((orders["price"] - touch) / orders["tick_size"])
    known = np.column_stack([(size - size.mean()) / max(size.std(), 1e-9), (distance - distance.mean()) / max(distance.std(), 1e-9)])
    manners = known[rng.choice(len(known), TRADERS, replace=False)]
    share = rng.dirichlet(np.full(TRADERS, 3.0))
    fit = np.log(share)[None, :] - 2.0 * ((known[:, None, :] - manners[None, :, :]) ** 2).sum(axis=2)
    chosen: NDArray[np.int64] = np.argmax(fit + rng.gumbel(size=fit.shape), axis=1)
    return chosen


def of_traders(flow: Flow, traders: Sequence[int]) -> Flow:
    """The orders of some traders alone."""
    mine = np.isin(flow.orders["trader"], traders)
    hints = flow.hints[mine].copy()
    hints["other_trader"] = np.asarray(traders)[hints["other_trader"] % len(traders)]
    return Flow(flow.name, flow.orders[mine], hints, flow.sizes)


def source(name: str, flow: Flow, *, sessions: int) -> Source:
    """A source whose roles are traders of one recording: one of five to fit, two to calibrate, two to test, in blocks of equal time."""
    start, end = int(flow.orders["utc"][0]), int(flow.orders["utc"][-1]) + 1
    edges = np.linspace(start, end, sessions + 1).astype(np.int64).tolist()
    roles = [[t for t in range(TRADERS) if t % 5 in who] for who in ((0,), (1, 2), (3, 4))]
    flows = [of_traders(flow, traders) for traders in roles]
    blocks = tuple(Block(a, b) for a, b in pairwise(edges))
    return Source(name, (flows[0],), (flows[1],), (flows[2],), blocks, first_fit=max(sessions - 8, 2), step=1, share=0.3)


def bitstamp(folder: Path, config: Config) -> Flow:
    """Five hours of every order on Bitstamp, 1 May 2015."""
    base = dataclasses.replace(config.instrument("GC"), instrument_id=901, symbol="BTCUSD", venue="BSTP", quantity_exponent=-8, session="continuous")
    base = dataclasses.replace(base, tick_size=10_000_000)
    known = dataclasses.replace(config, instruments=(base,), groups=())
    files = sorted((folder / "bitstamp_l3_20150501").glob("*raw*"))
    return orders_of(files, format="bitstamp", config=known, instrument=base, other_price=4_850 * 10**9, seed=1)


def es(folder: Path, config: Config) -> Flow:
    """The first hour of every order of the ES future on 25 December 2023."""
    instrument = config.instrument("ESH4")
    files = sorted((folder / "databento_es_mbo_202312").glob("*1225*.dbn.zst")) or sorted((folder / "databento_es_mbo_202312").glob("*.dbn.zst"))
    return orders_of(files, format="dbn", config=config, instrument=instrument, other_price=2_065 * 10**9, seed=2)
