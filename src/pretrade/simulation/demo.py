# SPDX-License-Identifier: Apache-2.0
"""The 14:30 flash crash, in one process on the simulated clock: same code as the live demo."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pretrade import calibration, features, gateway
from pretrade.domain import Config, Tier
from pretrade.simulation import story
from pretrade.simulation.market import Day, flash_crash
from pretrade.simulation.report import render
from pretrade.simulation.training import CHAMPION, calm_models


@dataclass(frozen=True, slots=True)
class StoryOptions:
    """What may differ from the story as told; factors are dimensionless."""

    static_limit: int = 500
    seller_rate: float = 1.0
    maker_caps: float = 1.0
    value_volatility: float = 1.0


@dataclass(frozen=True, slots=True)
class Told:
    """One seed's story: the numbers and the curves behind them."""

    demo: dict[str, Any]
    series: dict[str, list[float | int | None]]


def tell(
    seed: int, options: StoryOptions, run_path: Path, *, kind: str = CHAMPION, base: Config | None = None, say: Callable[[str], None] = lambda _: None
) -> Told:
    """Run one seed in process.

    Parameters
    ----------
    seed
        Of the simulated market.
    options
        Departures from the story.
    run_path
        Run directory with the model cache.
    kind
        Which model sets the tiers.
    base
        Configuration; the packaged one where ``None``.
    say
        Called with one line of progress at a time.

    Returns
    -------
    Told
        ``demo`` is the content of ``demo.json``.
    """
    started = time.perf_counter()
    base = base or Config.load()
    model = calm_models(base, run_path, (kind,), say=say)[kind]
    config = base.with_static_limit(options.static_limit) if options.static_limit != 500 else base
    day = flash_crash(seed, seller_rate=options.seller_rate, maker_caps=options.maker_caps, value_volatility=options.value_volatility)
    rows = features.compute(day.events, config)
    limits = calibration.calibrate(model.score(rows), config)
    dynamic = gateway.replay(day.orders, limits)
    static = gateway.replay(day.orders, limits.static_arm())
    demo = {
        **outline(seed, config, day, rows, limits),
        "order_200": story.first_refused(dynamic.decisions, static.decisions),
        "alerts": [a.as_dict() for a in calibration.alerts(limits.tier_changes, limits.records)],
        "processes": [],
        "breaker_resumed_by": None,
        "audit_verified": dynamic.is_verified and static.is_verified,
        "model": {"id": model.id, "kind": kind, "provisional": model.provisional, "card": model.card()},
        "decisions": {"dynamic": dynamic.as_dicts(), "static": static.as_dicts()},
        "seconds": round(time.perf_counter() - started, 3),
    }
    return Told(demo, curves(rows, limits, day.ts_seller_start))


def outline(seed: int, config: Config, day: Day, rows: features.Features, limits: calibration.Limits) -> dict[str, Any]:
    """The part of ``demo.json`` that follows from rows and limits."""
    start = day.ts_seller_start
    changes = [c.as_dict() for c in limits.tier_changes]
    fall = story.fall(rows.ts_recv, rows.column("mid_price"), start)
    instrument = config.instrument("ES")
    quantity = limits.records["max_order_quantity"]
    before = quantity[limits.records["ts_published"] <= start]
    high = quantity[limits.records["tier"] >= Tier.HIGH]
    return {
        "seed": seed,
        "static_limit": int(config.static_of(instrument)["max_order_quantity"]),
        "max_order_quantity_before": int(before[-1]) if len(before) else None,
        "max_order_quantity_high": int(high[0]) if len(high) else None,
        "ts_seller_start": start,
        "ts_elevated": story.first_tier(changes, Tier.ELEVATED, start),
        "ts_high": story.first_tier(changes, Tier.HIGH, start),
        "ts_critical": story.first_tier(changes, Tier.CRITICAL, start),
        "ts_minus_1pct": fall.ts_minus_1pct,
        "ts_minus_2pct": fall.ts_minus_2pct,
        "low_pct": fall.low_pct,
        "tier_changes": changes,
        "config_hash": config.hash,
    }


def curves(rows: features.Features, limits: calibration.Limits, ts_start: int) -> dict[str, list[float | int | None]]:
    """Curves of the report on the row grid, from five seconds before the seller starts."""
    shown = rows[rows.ts_recv >= ts_start - 5_000_000_000]
    records = limits.records
    at = np.maximum(np.searchsorted(limits.records["ts_published"], shown.ts_recv, side="right") - 1, 0)
    scores = limits.scores

    def column(name: str) -> list[float | int | None]:
        return [float(v) if np.isfinite(v) else None for v in shown.column(name)]

    tail = scores.score[-len(shown.ts_recv) :]
    return {
        "t_s": [(int(t) - ts_start) / 1e9 for t in shown.ts_recv],
        "price": column("mid_price"),
        "depth_bid": column("depth_bid"),
        "depth_ask": column("depth_ask"),
        "spread_ticks": column("spread_now_ticks"),
        "score": [float(v) if np.isfinite(v) else None for v in tail],
        "tier": [int(v) for v in records["tier"][at]],
        "limit": [int(v) for v in records["max_order_quantity"][at]],
    }


def report(told: Told) -> str:
    """The self-contained HTML report of one story."""
    return render(told.demo, told.series)
