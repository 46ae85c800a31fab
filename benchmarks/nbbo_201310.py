# SPDX-License-Identifier: Apache-2.0
"""The national best of October 2013 against the prints of the same days, by sale condition.

python benchmarks/nbbo_201310.py ../shared/data/us_equity_ticks_201310 docs/nbbo_2013-10.md
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade import feeds
from pretrade.domain import Config, EventFlag, EventKind, Side

OPEN_S, CLOSE_S = 13.5 * 3_600, 20 * 3_600
MARGIN_S: Final = 60
REGULAR: Final = (0x1, 0x20, 0x20000000, 0x20000020)
NAMES: Final = {
    0x1: "regular",
    0x2: "cash",
    0x4: "next day",
    0x8: "seller",
    0x10: "yellow flag",
    0x20: "intermarket sweep",
    0x40: "opening print",
    0x80: "closing print",
    0x100: "reopening print",
    0x200: "derivatively priced",
    0x400: "form T",
    0x800: "sold late",
    0x1000: "stopped",
    0x2000: "extended hours",
    0x4000: "out of sequence",
    0x8000: "split",
    0x10000: "acquisition",
    0x20000: "bunched",
    0x40000: "stock option",
    0x80000: "distribution",
    0x100000: "average price",
    0x200000: "cross",
    0x400000: "price variation",
    0x800000: "rule 155",
    0x1000000: "official close",
    0x2000000: "prior reference price",
    0x4000000: "official open",
    0x8000000: "CAP election",
    0x10000000: "automatic execution",
    0x20000000: "trade-through exempt",
}
Tops = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


def main(folder: Path, page: Path) -> None:
    """Write the page."""
    config = Config.load()
    parts = [_symbol(folder, config, symbol) for symbol in ("SPY", "AIG", "BAC", "IBM")]
    page.write_text(_HEAD + _table(parts) + "".join(_odd(*part) for part in parts) + _TAIL)


def _symbol(folder: Path, config: Config, symbol: str) -> tuple[str, NDArray[Any], NDArray[np.bool_], NDArray[np.int64]]:
    """Prints of regular hours, whether each lies inside, and its condition."""
    known = dataclasses.replace(config, instruments=(dataclasses.replace(config.instrument("AAPL"), symbol=symbol),))
    events = _events(folder / f"{symbol}_trades.parquet", known)
    of_day = events["ts_recv"] // 10**9 % 86_400
    prints = events[(of_day >= OPEN_S + MARGIN_S) & (of_day < CLOSE_S)]
    tops = _seconds(folder / "SPY_second_quotes.parquet") if symbol == "SPY" else _tops(_events(folder / f"{symbol}_quotes.parquet", known))
    ts, bid, ask = tops
    at = np.maximum(np.searchsorted(ts, prints["ts_recv"], side="right") - 1, 0)
    inside = (bid[at] <= prints["price"]) & (prints["price"] <= ask[at]) & (bid[at] > 0) & (ask[at] > 0)
    condition = np.where(prints["kind"] == EventKind.TRADE, prints["aux"], prints["order_id"]).astype(np.int64)
    return symbol, prints, inside, condition


def _events(path: Path, config: Config) -> NDArray[Any]:
    return np.concatenate(list(feeds.open([path], format="taq", config=config)))


def _tops(events: NDArray[Any]) -> Tops:
    """National best after each row, from our events: at most one level a side stands."""
    ends = np.flatnonzero(events["flags"] & EventFlag.LAST)
    group = np.r_[0, np.cumsum(events["flags"][:-1] & EventFlag.LAST)]
    anew = np.zeros(len(ends), bool)
    anew[group[events["kind"] == EventKind.CLEAR]] = True
    sides = []
    for side in (Side.BID, Side.ASK):
        mine = (events["kind"] == EventKind.LEVEL) & (events["side"] == side)
        said = np.full(len(ends), -1, np.int64)
        said[anew] = 0
        said[group[mine & (events["size"] == 0)]] = 0
        stands = mine & (events["size"] > 0)
        said[group[stands]] = events["price"][stands]
        last = np.maximum.accumulate(np.where(said >= 0, np.arange(len(said)), 0))
        sides.append(np.maximum(said[last], 0))
    return events["ts_recv"][ends], sides[0], sides[1]


def _seconds(path: Path) -> Tops:
    """SPY has no quotes by venue: the lowest bid and the highest offer of each second stand for its best."""
    import pyarrow.parquet

    columns = pyarrow.parquet.read_table(path, columns=["ts_ns_utc", "bid_low", "ask_high"]).to_pydict()
    ts, low, high = (np.array(columns[n], np.int64) for n in ("ts_ns_utc", "bid_low", "ask_high"))
    return ts, low * 100_000, high * 100_000


def _table(parts: list[tuple[str, NDArray[Any], NDArray[np.bool_], NDArray[np.int64]]]) -> str:
    rows = [
        "| symbol | prints | regular sales | inside, regular | inside, all others | price none of this moment | inside |",
        "|---|---|---|---|---|---|---|",
    ]
    for symbol, prints, inside, condition in parts:
        regular = np.isin(condition, REGULAR)
        late = prints["kind"] == EventKind.REFERENCE
        other = ~regular & ~late
        cells = [
            symbol,
            f"{len(prints):,}",
            f"{regular.sum():,}",
            f"{inside[regular].mean():.2%}",
            _share(inside, other),
            f"{late.sum():,}",
            _share(inside, late),
        ]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def _share(inside: NDArray[np.bool_], of: NDArray[np.bool_]) -> str:
    return f"{inside[of].mean():.2%} of {of.sum():,}" if of.any() else "none"


def _odd(symbol: str, prints: NDArray[Any], inside: NDArray[np.bool_], condition: NDArray[np.int64]) -> str:
    rows = [f"\n## {symbol}: prints outside, by condition\n", "| condition | bits | prints | outside | share outside |", "|---|---|---|---|---|"]
    codes = sorted(np.unique(condition).tolist(), key=lambda code: -int((~inside[condition == code]).sum()))
    for code in codes:
        of = condition == code
        outside = int((~inside[of]).sum())
        rows.append(f"| {_name(code)} | {code:X} | {of.sum():,} | {outside:,} | {outside / of.sum():.2%} |")
    del prints
    return "\n".join(rows) + "\n"


def _name(code: int) -> str:
    named = [name for bit, name in NAMES.items() if code & bit]
    return ", ".join(named) or "none"


_HEAD: Final = """# The national best of 7 to 9 October 2013, judged by the prints

Prints of regular hours (09:31 to 16:00 New York) against the best bid and offer of the same stamp, which our decoder makes of the tape's rows
(decision 0023). A print lies inside where it is at or between them. Regular sales are those without a condition that explains another price,
with or without the intermarket sweep and the trade-through exemption that go with it.

"""
_TAIL: Final = """
## How to read it

* Stamps are milliseconds, and quotes and prints travel by different lines: a regular sale outside is mostly one that was made against the best
  of a few milliseconds before. The tape does not say which; nothing is moved to make it fit.
* SPY's file has no quotes by venue, only bars of a second. Its prints are held against the lowest bid and the highest offer of their
  second, a wider test than the others'; where a second has no bar, the last one before it stands.
* Prints whose condition says that their price is none of this moment (sold late, out of sequence, average price, derivatively priced, ...) are
  `REFERENCE` events here and move no last price.

Made by `benchmarks/nbbo_201310.py`.
"""

if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
