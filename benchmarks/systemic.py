# SPDX-License-Identifier: Apache-2.0
"""What the systemic score sees: simulated markets that fall together or alone, two Binance perpetuals, four US equities in October 2013.

    python benchmarks/systemic.py simulated out.json
    python benchmarks/systemic.py binance out.json ../shared/data/binance_raw_l2_2023_2024
    python benchmarks/systemic.py equities out.json ../shared/data/us_equity_ticks_201310 ../shared/data/vol_term_structure

Every limit is calibrated twice from the same scores: with the group's score, and without.
"""

from __future__ import annotations

import csv
import dataclasses
import gzip
import json
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from pretrade import calibration, features, feeds, models
from pretrade.domain import EVENT_DTYPE, Config, EventFlag, EventKind, Group, ReferenceKind, Side, Tier
from pretrade.features import Features
from pretrade.models import Anomaly
from pretrade.simulation.market import CALM_START_NS, SELLER_START_NS, MarketParameters, Simulator, crash_market

S: Final = 10**9
GROUP_ID: Final = 0xFF00_0001
DAY_ROWS: Final = 234_000
MARKETS: Final = 4
CALM_HOURS: Final = 1.0
SEEDS: Final = range(3)
CASES: Final = {"all, rate 1": [1.0] * 4, "all, rate 1/2": [0.5] * 4, "one alone, rate 1": [1.0, 0.0, 0.0, 0.0]}
HOURS: Final = 2.0
"""Of each day in October 2013, from the opening on."""
Facts = dict[str, Any]


def simulated() -> Facts:
    """Falls of four markets with seeds of their own, and calm hours nobody learned."""
    config = _simulated_config()
    model = models.new("pca", config).fit(_calm(config, 500, CALM_HOURS).calm())
    later = _calm(config, 900, CALM_HOURS / 2)
    out: Facts = {"thresholds": model.card()["systemic"]["groups"][0]["thresholds"], "provisional": model.provisional}
    out["calm"] = _story(model, later, config, CALM_START_NS)
    out["cases"] = [{"case": name, "seed": seed, **_fall(model, config, seed, rates)} for name, rates in CASES.items() for seed in SEEDS]
    return out


def _simulated_config() -> Config:
    config = Config.load()
    instruments = tuple(dataclasses.replace(config.instrument("ES"), instrument_id=101 + k, symbol=f"S{k}") for k in range(MARKETS))
    return dataclasses.replace(config, instruments=instruments, groups=(Group(GROUP_ID, "simulated", tuple(i.symbol for i in instruments)),))


def _calm(config: Config, seed: int, hours: float) -> Features:
    markets = [Simulator(MarketParameters(), seed + k, CALM_START_NS) for k in range(MARKETS)]
    engine = features.engine(config, config.instruments, with_quotes=False)
    ends = range(CALM_START_NS + 300 * S, CALM_START_NS + int(hours * 3_600) * S + 1, 300 * S)
    return Features.concat([engine.push(_joined([m.run_until(end) for m in markets])) for end in ends])


def _joined(parts: Sequence[NDArray[Any]], first_id: int = 101) -> NDArray[Any]:
    own = [p.copy() for p in parts]
    for k, part in enumerate(own):
        part["instrument_id"] = first_id + k
    return _sorted(own)


def _sorted(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    events = np.concatenate(parts)
    return events[np.argsort(events["ts_recv"], kind="stable")]


def _fall(model: Anomaly, config: Config, seed: int, rates: Sequence[float]) -> Facts:
    begin, end = SELLER_START_NS - 400 * S, SELLER_START_NS + 62 * S
    markets = [Simulator(crash_market(seller_rate=rate), 1_000 * (seed + 1) + k, begin) for k, rate in enumerate(rates)]
    rows = features.compute(_joined([m.run_until(end) for m in markets]), config)
    return _story(model, rows, config, SELLER_START_NS)


def _story(model: Anomaly, rows: Features, config: Config, onset: int) -> Facts:
    """Tiers with and without the group, seconds after ``onset``."""
    scores = model.score(rows)
    joint = calibration.calibrate(scores, config)
    apart = calibration.calibrate(dataclasses.replace(scores, systemic=None), config)
    group = [c for c in joint.tier_changes if c.instrument_id == GROUP_ID and c.to_tier > c.from_tier]
    assert scores.systemic is not None
    ids = [i.instrument_id for i in config.instruments]
    return {
        "rows": len(rows),
        "group": [{"after_s": (c.ts_recv - onset) / S, "tier": c.to_tier.name, "score": c.score, "drivers": list(c.drivers)} for c in group],
        "highest": float(np.nanmax(scores.systemic.score)),
        "highest_after": float(np.nanmax(scores.systemic.score[scores.ts_recv > onset])),
        "alarms": {"joint": calibration.alarms(joint.tier_changes), "apart": calibration.alarms(apart.tier_changes)},
        "events_apart": sum(c.to_tier > c.from_tier for c in apart.tier_changes),
        "first": {
            arm: {t.name: [_first(limits, i, t, onset) for i in ids] for t in (Tier.ELEVATED, Tier.HIGH)}
            for arm, limits in (("joint", joint), ("apart", apart))
        },
        "limited": {arm: _limited(limits, config, rows) for arm, limits in (("joint", joint), ("apart", apart))},
    }


def _first(limits: calibration.Limits, instrument_id: int, tier: Tier, onset: int) -> float | None:
    at = (c.ts_recv for c in limits.tier_changes if c.instrument_id == instrument_id and c.to_tier >= tier and c.ts_recv >= onset)
    first = next(at, None)
    return None if first is None else (first - onset) / S


def _limited(limits: calibration.Limits, config: Config, rows: Features) -> float:
    """Share of instrument time in which the maximum order size stood below static."""
    total = short = 0.0
    end = int(rows.ts_recv.max())
    for i in config.instruments:
        mine = limits.records[limits.records["instrument_id"] == i.instrument_id]
        held = np.diff(np.r_[mine["ts_published"], end])
        total += float(held.sum())
        short += float(held[mine["max_order_quantity"] < config.static_of(i)["max_order_quantity"]].sum())
    return short / total if total else 0.0


def _columns(rows: Features, config: Config) -> Facts:
    """Median and extremes of the cross-asset columns by instrument."""
    out: Facts = {}
    for i in config.instruments:
        mine = rows[rows.instrument_id == i.instrument_id]
        told = {}
        for name in ("factor_return_1s", "residual_return_1s", "beta_5m", "corr_5m", "leader_return", "vix_ratio", "factor_age_ms"):
            column = mine.column(name)
            known = column[np.isfinite(column)]
            middle = np.quantile(known, (0.05, 0.5, 0.95)).tolist() if len(known) else [None] * 3
            told[name] = {"defined": len(known) / max(len(column), 1), **dict(zip(("q05", "q50", "q95"), middle, strict=True))}
        out[i.symbol] = told
    return out


def binance(folder: Path) -> Facts:
    """BTC and ETH perpetuals around midnight of 18 July 2024; eight minutes hold no calm stretch, so the first 40 % are calm by decree."""
    config = Config.load()
    config = dataclasses.replace(config, instruments=(config.instrument("BTCUSDT"), config.instrument("ETHUSDT")))
    stream = feeds.open(sorted(folder.glob("usdm_*_2024*.gz")), format="binance", config=config)
    rows = features.collect(iter(stream), features.engine(config, config.instruments))
    cut = int(rows.ts_recv[int(len(rows) * 0.4)])
    model = models.new("pca", config).fit(rows[rows.ts_recv < cut])
    later = rows[rows.ts_recv >= cut]
    return {"events": stream.events, "columns": _columns(rows, config), **_story(model, later, config, int(later.ts_recv[0]))}


def equities(folder: Path, volatility: Path) -> Facts:
    """SPY, AIG, BAC and IBM: the first hours of 7 October teach, those of the 8th and 9th are scored, with the volatility closes known then."""
    config = _equity_config()
    out: Facts = {"days": []}
    model: Anomaly | None = None
    tapes = [folder / f"{s}_{kind}.parquet" for s in ("AIG", "BAC", "IBM") for kind in ("trades", "quotes")]
    taq = list(feeds.open(tapes, format="taq", config=config))
    events = _sorted([*taq, _spy_seconds(folder / "SPY_second_quotes.parquet"), _closes(volatility / "vix_9d_30d_90d_180d_daily.csv.gz")])
    for day in (7, 8, 9):
        onset = int(datetime(2013, 10, day, 9, 30, tzinfo=ZoneInfo("America/New_York")).timestamp()) * S
        end = onset + int(HOURS * 3_600) * S
        at, told = events["ts_recv"], events["kind"] == EventKind.REFERENCE
        # Half an hour builds the books of the day; of the nights between, only what was published counts.
        used = (at <= end) & (at > np.where(told, onset - 4 * 86_400 * S, onset - 1_800 * S))
        rows = features.collect([events[used]], features.engine(config, config.instruments, with_quotes=False))
        if model is None:
            # Touches are one level: by `calm()` a thin touch is a thin book, and no second of SPY would be left.
            model = models.new("pca", config).fit(rows)
            out["thresholds"], out["provisional"] = model.card()["systemic"]["groups"][0]["thresholds"], model.provisional
            out["fit_rows"] = len(rows)
        else:
            out["days"].append({"day": f"2013-10-{day:02d}", "columns": _columns(rows, config), **_story(model, rows, config, onset)})
    return out


def _equity_config() -> Config:
    config = Config.load()
    symbols = ("SPY", "AIG", "BAC", "IBM")
    instruments = tuple(dataclasses.replace(config.instrument("AAPL"), instrument_id=21 + k, symbol=s) for k, s in enumerate(symbols))
    return dataclasses.replace(config, instruments=instruments, groups=(Group(GROUP_ID, "US equities", symbols, "SPY", "SPY", (900, 901)),))


def _spy_seconds(path: Path) -> NDArray[Any]:
    """Closing touch of each second as one level a side, known when the second is over."""
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path).to_pydict()
    rows: list[tuple[int, ...]] = []
    held = {Side.BID: 0, Side.ASK: 0}
    names = ("ts_ns_utc", "bid_close", "bid_size", "ask_close", "ask_size")
    for ts, bid, bid_size, ask, ask_size in zip(*(table[n] for n in names), strict=True):
        if not (bid and ask):
            continue
        new = ((Side.BID, int(bid) * 100_000, int(bid_size)), (Side.ASK, int(ask) * 100_000, int(ask_size)))
        out = [(side, held[side], 0) for side, price, _ in new if held[side] and held[side] != price] + list(new)
        rows += [(ts + S, side, price, size, int(EventFlag.LAST) * (n == len(out) - 1)) for n, (side, price, size) in enumerate(out)]
        held = {side: price for side, price, _ in new}
    return _events(rows, EventKind.LEVEL, 21)


def _events(rows: Sequence[tuple[int, ...]], kind: EventKind, instrument_id: int) -> NDArray[Any]:
    events = np.zeros(len(rows), EVENT_DTYPE)
    for name, column in zip(("ts_recv", "side", "price", "size", "flags"), zip(*rows, strict=True), strict=True):
        events[name] = column
    events["ts_event"], events["kind"], events["instrument_id"] = events["ts_recv"], kind, instrument_id
    return events


def _closes(path: Path) -> NDArray[Any]:
    """30-day and 90-day closes of the volatility index, known at 16:15 New York of their day."""
    parts = []
    rows = list(csv.DictReader(gzip.decompress(path.read_bytes()).decode().splitlines()))
    for instrument_id, name in ((900, "vix_030"), (901, "vix_090")):
        told = []
        for row in rows:
            day = datetime.fromisoformat(row["trade_date"]).replace(hour=16, minute=15, tzinfo=ZoneInfo("America/New_York"))
            if row[name] and datetime(2013, 10, 1, tzinfo=day.tzinfo) <= day < datetime(2013, 10, 10, tzinfo=day.tzinfo):
                told.append((int(day.timestamp()) * S, 0, round(float(row[name]) * S), 0, 0))
        events = _events(told, EventKind.REFERENCE, instrument_id)
        events["aux"] = ReferenceKind.INDEX
        parts.append(events)
    return _sorted(parts)


def main(what: str, out: Path, *paths: Path) -> None:
    """Measure one part."""
    parts: dict[str, Callable[..., Facts]] = {"simulated": simulated, "binance": binance, "equities": equities}
    out.write_text(json.dumps(parts[what](*paths), indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], *(Path(p) for p in sys.argv[2:]))
