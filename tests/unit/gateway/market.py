# SPDX-License-Identifier: Apache-2.0
"""A small market for gateway tests: one instrument, calm quotes, limit records that follow the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade.domain import LIMITS_DTYPE, ORDER_DTYPE, QUOTES_DTYPE, Action, Config, OrderType, Phase, Side, Tier, TimeInForce

T0: Final = 1_700_000_000_000_000_000
S: Final = 1_000_000_000
PRICE: Final = 10**9
TICK: Final = PRICE // 4
BID: Final = 4_800 * PRICE
ASK: Final = BID + TICK


@dataclass(frozen=True)
class History:
    """What ``replay`` takes."""

    records: NDArray[Any]
    quotes: NDArray[Any] | None
    config: Config


def limits(config: Config, ts: int, version: int, **changes: object) -> NDArray[Any]:
    """One record with the static limits, changed where asked."""
    record = np.zeros(1, LIMITS_DTYPE)
    for name, value in config.static_of(config.instruments[0]).items():
        record[name] = value
    record["instrument_id"] = config.instruments[0].instrument_id
    record["epoch"], record["version"], record["valid_mask"] = 1, version, 2**21 - 1
    record["score"], record["ts_published"], record["mono_published"] = 0.01, ts, ts
    for field, changed in changes.items():
        record[field] = changed
    return record


def quotes(ts: int, **changes: object) -> NDArray[Any]:
    """One calm quotes record."""
    record = np.zeros(1, QUOTES_DTYPE)
    record["instrument_id"], record["phase"] = 1, Phase.CONTINUOUS
    record["bid_price"], record["ask_price"], record["bid_size"], record["ask_size"] = BID, ASK, 100, 100
    record["last_price"] = record["slow_reference"] = record["mid_10s"] = record["mid_5m"] = BID
    record["depth_bid"] = record["depth_ask"] = 1_000
    record["volume_1m"], record["ts_event"], record["ts_recv"] = 5_000, ts, ts
    for name, value in changes.items():
        record[name] = value
    return record


def order(ts: int, number: int, quantity: int, side: Side = Side.BID, price: int = BID, **changes: object) -> NDArray[Any]:
    """One new limit order."""
    record = np.zeros(1, ORDER_DTYPE)
    record["client_order_id"], record["ts_event"], record["quantity"], record["price"] = number, ts, quantity, price
    record["instrument_id"] = record["strategy_id"] = record["account_id"] = 1
    record["side"], record["order_type"] = side, OrderType.LIMIT
    record["time_in_force"], record["action"] = TimeInForce.DAY, Action.NEW
    for name, value in changes.items():
        record[name] = value
    return record


def grid(seconds: int) -> NDArray[Any]:
    """Quotes every 100 ms."""
    return np.concatenate([quotes(T0 + i * S // 10) for i in range(seconds * 10 + 1)])


def crash(config: Config) -> History:
    """NORMAL, then HIGH with a tenth of the size from second 5 on."""
    high = int(config.static_of(config.instruments[0])["max_order_quantity"]) // 10
    records = [
        limits(config, T0, 8_122),
        limits(config, T0 + 5 * S, 8_123, tier=Tier.HIGH, max_order_quantity=high, passive_standoff_ticks=5, score=0.5),
    ]
    return History(np.concatenate(records), grid(20), config)
