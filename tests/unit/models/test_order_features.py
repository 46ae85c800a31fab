# SPDX-License-Identifier: Apache-2.0
"""The feature kernel against a recount from raw events that imports nothing of ours, and what it must not know."""

from __future__ import annotations

import ast
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.recount.order_error import Recount

from pretrade.domain.errors import ModelError
from pretrade.models.order_error import FEATURES, MONOTONE, ORDER, UNDEFINED, order_rows

SCRIPT = Path(__file__).parents[2] / "recount/order_error.py"
INSTRUMENTS, TRADERS, STRATEGIES = 6, 3, 4
Event = dict[str, Any]


def raw_events(orders: int, seed: int = 5) -> list[Event]:
    """Quotes, scores, positions and orders of a made-up desk, with gaps, one-sided books and repeats."""
    rng = np.random.default_rng(seed)
    events: list[Event] = [
        {"kind": "instrument", "id": i, "tick_size": 10_000_000 * (i + 1), "lot_size": 1 + 9 * (i == 2), "value": 1_000 * (i + 1)}
        for i in range(INSTRUMENTS)
    ]
    now, last = 10**12, {}
    for n in range(orders):
        now += int(rng.exponential(3e8)) + (4 * 10**12 if n % 997 == 0 else 0)
        i = int(rng.integers(INSTRUMENTS))
        if n < 50 or rng.random() < 0.3:
            for instrument in range(INSTRUMENTS) if n == 0 else [i]:
                events.append(quote(rng, instrument))
                last[instrument] = events[-1]
            events.append({"kind": "score", "instrument": i, "value": float(np.float32(rng.random()))})
        if rng.random() < 0.2:
            a = int(rng.integers(TRADERS))
            events.append({"kind": "position", "account": a, "instrument": i, "value": int(rng.integers(-5, 6))})
        is_repeat = rng.random() < 0.2 and n > 0
        order = dict(events[-1]) if is_repeat and events[-1]["kind"] == "order" else new_order(rng, i, last[i])
        events.append(order | {"mono": now, "utc": now + 1_700_000_000 * 10**9, "accepted": bool(rng.random() < 0.9)})
    return events


def quote(rng: np.random.Generator, instrument: int) -> Event:
    tick = 10_000_000 * (instrument + 1)
    bid = tick * int(rng.integers(9_000, 11_000))
    ask = bid + tick * int(rng.integers(1, 5))
    nbbo = (bid + tick, ask - tick) if rng.random() < 0.5 else (UNDEFINED, UNDEFINED)
    sides = [(bid, ask), (UNDEFINED, ask), (bid, UNDEFINED)][int(rng.choice(3, p=[0.9, 0.05, 0.05]))]
    return {
        "kind": "quote",
        "instrument": instrument,
        "bid": sides[0],
        "ask": sides[1],
        "nbbo_bid": nbbo[0],
        "nbbo_ask": nbbo[1],
        "depth_bid": int(rng.integers(0, 500)),
        "depth_ask": int(rng.integers(0, 500)),
        "volume_1m": int(rng.integers(0, 5_000)),
        "adv": int(rng.choice([0, 100_000])),
        "rv_1m": float(np.float32(rng.choice([math.nan, 0.0, 0.05, 1.5]))),
    }


def new_order(rng: np.random.Generator, instrument: int, market: Event) -> Event:
    tick = 10_000_000 * (instrument + 1)
    side = int(rng.integers(1, 3))
    touch = market["ask"] if side == 1 else market["bid"]
    return {
        "kind": "order",
        "instrument": instrument,
        "account": int(rng.integers(TRADERS)),
        "strategy": int(rng.integers(STRATEGIES)),
        "side": side,
        "market": bool(rng.random() < 0.1) and touch != UNDEFINED,
        "price": tick * int(rng.integers(8_000, 12_000)),
        "quantity": int(10 ** rng.uniform(0, 4)) * (1 + 9 * (instrument == 2)),
        "quote_age": int(rng.integers(0, 10**9)),
    }


def as_orders(events: list[Event]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """The same events as the gate would put them to the kernel."""
    facts: dict[int, Event] = {}
    quotes: dict[int, Event] = {}
    scores: dict[int, float] = {}
    positions: dict[tuple[int, int], int] = {}
    rows, accepted = [], []
    for e in events:
        if e["kind"] == "instrument":
            facts[e["id"]] = e
        elif e["kind"] == "quote":
            quotes[e["instrument"]] = e
        elif e["kind"] == "score":
            scores[e["instrument"]] = e["value"]
        elif e["kind"] == "position":
            positions[e["account"], e["instrument"]] = e["value"]
        else:
            rows.append(as_order(e, facts[e["instrument"]], quotes[e["instrument"]], scores, positions))
            accepted.append(e["accepted"])
    return np.array(rows, ORDER), np.array(accepted)


def as_order(e: Event, facts: Event, q: Event, scores: dict[int, float], positions: dict[tuple[int, int], int]) -> tuple[Any, ...]:
    is_buy = e["side"] == 1
    price = (q["ask"] if is_buy else q["bid"]) if e["market"] else e["price"]
    position = positions.get((e["account"], e["instrument"]))
    notional = (e["quantity"] / facts["lot_size"]) * (abs(price) / facts["tick_size"]) * facts["value"]
    head = (e["instrument"], e["account"], e["strategy"], e["side"], position is not None, 0)
    market = (q["bid"], q["ask"], q["nbbo_bid"], q["nbbo_ask"], q["depth_ask"] if is_buy else q["depth_bid"], q["volume_1m"], q["adv"])
    stamps = (e["quote_age"], position or 0, e["mono"], e["utc"])
    return (*head, e["quantity"], price, facts["tick_size"], *market, *stamps, notional, q["rv_1m"], scores.get(e["instrument"], math.nan))


def rows_of(events: list[Event]) -> NDArray[np.float32]:
    orders, accepted = as_orders(events)
    return order_rows(orders, accepted, instruments=INSTRUMENTS, traders=TRADERS, strategies=STRATEGIES)


def test_ten_thousand_orders_equal_a_recount_from_raw_events(tmp_path: Path) -> None:
    events = raw_events(10_000)
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(e) + "\n" for e in events))
    done = subprocess.run([sys.executable, "-I", str(SCRIPT), str(tmp_path / "events.jsonl")], capture_output=True, text=True, check=True)
    recounted = np.array([line.split(",") for line in done.stdout.splitlines()], np.float32)
    ours = rows_of(events)
    assert recounted.shape == ours.shape == (10_000, len(FEATURES))
    for i, name in enumerate(FEATURES):
        assert np.isfinite(ours[:, i]).sum() > 1_000, f"{name} is hardly ever known here"
        np.testing.assert_array_equal(ours[:, i], recounted[:, i], err_msg=name)


def test_the_recount_imports_nothing_of_ours() -> None:
    names = [a.name for n in ast.walk(ast.parse(SCRIPT.read_text())) if isinstance(n, ast.Import) for a in n.names]
    froms = [n.module or "" for n in ast.walk(ast.parse(SCRIPT.read_text())) if isinstance(n, ast.ImportFrom)]
    assert set(names) | set(froms) <= set(sys.stdlib_module_names)


def test_a_batch_is_the_stream_in_pieces_and_the_past_does_not_know_the_future() -> None:
    events = raw_events(400)
    whole = rows_of(events)
    cut = next(i for i, e in enumerate(events) if sum(x["kind"] == "order" for x in events[:i]) == 250)
    np.testing.assert_array_equal(rows_of(events[:cut]), whole[:250])


def test_refused_orders_are_no_habit() -> None:
    events = raw_events(300)
    refused = [e | {"accepted": False} if e["kind"] == "order" else e for e in events]
    rows = rows_of(refused)
    assert np.isnan(rows[:, FEATURES.index("quantity_to_usual")]).all()
    assert (rows[:, FEATURES.index("repeats_60s")] == 0).all()


def test_orders_from_outside_the_directory_are_refused() -> None:
    orders, accepted = as_orders(raw_events(5))
    with pytest.raises(ModelError, match=r"order . is of instrument ., trader ., strategy .; there are 1, 1 and 1"):
        order_rows(orders, accepted, instruments=1, traders=1, strategies=1)
    with pytest.raises(ModelError, match="the kernel reads"):
        order_rows(orders["quantity"], accepted, instruments=1, traders=1, strategies=1)


def test_every_feature_says_whether_it_is_monotone() -> None:
    assert len(MONOTONE) == len(FEATURES) == 24
    assert Recount().take({"kind": "instrument", "id": 1}) is None
