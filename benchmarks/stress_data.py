# SPDX-License-Identifier: Apache-2.0
"""Every stress and calm day at hand as feature rows, computed once and kept in a cache outside the repository.

python benchmarks/stress_data.py ../shared/data WORK [NAME...]
"""

from __future__ import annotations

import dataclasses
import hashlib
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import systemic as earlier
from numpy.typing import NDArray

from pretrade import features, feeds
from pretrade.domain import EVENT_DTYPE, Config, Group, Instrument
from pretrade.features import Features

S: Final = 10**9
HOUR_NS: Final = 3_600 * S
BAR_ROWS: Final = 10
"""Grid rows kept after each bar: what lies between two bars repeats what is known."""
Events = Iterator[NDArray[Any]]


def utc(text: str) -> int:
    """Nanoseconds of ``YYYY-MM-DD[ HH:MM[:SS[.fff]]]``, UTC."""
    at = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1_000


@dataclass(frozen=True, slots=True)
class Dataset:
    """One recording: what teaches, what is scored, what happened and when.

    Parameters
    ----------
    name, title
        Key and words.
    symbols
        Instruments of :func:`study_config`.
    events
        Opens the recording under the data folder.
    kind
        ``book``, ``touch`` (one level a side) or ``bars`` (no book).
    taught_until
        Rows before it are calm by decree and teach and calibrate; a share of the rows where below 1.
    stamps
        Instants the data's own documentation names, in words and UTC.
    windows
        Stretches in which an alarm is no false one.
    is_thin_calm
        One level a side: a thin touch is no news, and no row is left out of what teaches.
    """

    name: str
    title: str
    symbols: tuple[str, ...]
    events: Callable[[Path, Config], Events]
    kind: str
    taught_until: float | str
    stamps: tuple[tuple[str, str], ...] = ()
    windows: tuple[tuple[str, str], ...] = ()
    is_thin_calm: bool = False


def study_config() -> Config:
    """The packaged configuration and every instrument of the study; one configuration for all files, its hash over all of it."""
    config = Config.load()
    taken = {i.symbol: i for i in config.instruments}
    new = [dataclasses.replace(taken["AAPL"], instrument_id=21 + k, symbol=s) for k, s in enumerate(("SPY", "AIG", "BAC", "IBM"))]
    names = ("USDBTC", "USDTBTC", "USDCBTC", "XBTUSD", "CBBTC", "CBETH", "CBLTC", "BTCSPOT", "BITSTAMP")
    new += [_continuous(taken["BTCUSDT"], 31 + k, s) for k, s in enumerate(names)]
    ticks = {"GBPUSD": 10_000, "EURUSD": 10_000, "XAUUSD": 10_000_000}
    new += [_continuous(taken["BTCUSDT"], 51 + k, s, tick) for k, (s, tick) in enumerate(ticks.items())]
    new += [dataclasses.replace(taken["AAPL"], instrument_id=61 + k, symbol=s) for k, s in enumerate(("FXY", "INDA", "DBB"))]
    groups = (
        Group(0xFF00_0001, "crypto perpetuals", ("BTCUSDT", "ETHUSDT"), "BTCUSDT", "BTCUSDT"),
        Group(0xFF00_0002, "US equities", ("SPY", "AIG", "BAC", "IBM"), "SPY", "SPY", (900, 901)),
        Group(0xFF00_0003, "bitcoin in three dollars", ("USDBTC", "USDTBTC", "USDCBTC"), "USDBTC"),
        Group(0xFF00_0004, "Coinbase", ("CBBTC", "CBETH", "CBLTC"), "CBBTC"),
    )
    instruments = (*config.instruments, *new)
    told = "|".join((config.hash, repr(instruments), repr(groups)))
    return dataclasses.replace(config, instruments=instruments, groups=groups, hash=hashlib.sha256(told.encode()).hexdigest())


def _continuous(like: Instrument, instrument_id: int, symbol: str, tick_size: int = 10_000_000) -> Instrument:
    return dataclasses.replace(like, instrument_id=instrument_id, symbol=symbol, tick_size=tick_size, session="continuous")


def _opened(pattern: str, format: str, **named: Any) -> Callable[[Path, Config], Events]:  # noqa: ANN401 - arguments of feeds.open
    return lambda data, config: iter(feeds.open(sorted(data.glob(pattern)), format=format, config=config, **named))


def _comex(day: str, symbol: str) -> Callable[[Path, Config], Events]:
    maps = Path(__file__).resolve().parents[1] / "examples" / "maps" / "comex.toml"
    return _opened(f"comex_depth5_2023/{day}_*.parquet", "table", map=maps, instruments=[symbol])


def _bars(
    files: dict[str, str], stamp: str, columns: Sequence[str], minutes: int, *, since: str, until: str, scale: str = ""
) -> Callable[[Path, Config], Events]:
    """Bars of several instruments, one file each, as one stream."""

    def opened(data: Path, config: Config) -> Events:
        parts = []
        for symbol, file in files.items():
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "bars.toml"
                fields = "\n".join(f'{name} = "{column}"' for name, column in zip(("open", "high", "low", "close"), columns, strict=True))
                path.write_text(
                    f'instrument = {{ symbol = "{symbol}" }}\nclock = {{ ts_event = "{stamp}", unit = "iso" }}\n{scale}\n'
                    f"[bars]\n{fields}\ninterval_s = {60 * minutes}\n"
                )
                stream = feeds.open([data / file], format="table", config=config, map=path)
                own = np.concatenate(list(stream))
                if stream.faults:
                    sys.stdout.write(f"{file}: faults {stream.faults}\n")
            parts.append(own[(own["ts_recv"] >= utc(since)) & (own["ts_recv"] < utc(until))])
        events = np.concatenate(parts)
        yield events[np.argsort(events["ts_recv"], kind="stable")]

    return opened


def _hourly(symbol: str, since: str, until: str) -> Callable[[Path, Config], Events]:
    names = [f"{part}_1e4" for part in ("open", "high", "low", "close")]
    scale = "scale = { price = 0.0001 }"
    return _bars({symbol: f"hourly_bars_to_201506/{symbol}_hour.csv.gz"}, "ts_utc", names, 60, since=since, until=until, scale=scale)


def _hourly_quotes(symbol: str, since: str, until: str) -> Callable[[Path, Config], Events]:
    names = [f"bid_{part}" for part in ("open", "high", "low", "close")]
    return _bars({symbol: f"hourly_bars_to_201506/{symbol}_bidask_hour.csv.gz"}, "ts_utc", names, 60, since=since, until=until)


def _equities(data: Path, config: Config) -> Events:
    """Three sessions of four names, half an hour before each to build books, and the volatility closes known then."""
    folder = data / "us_equity_ticks_201310"
    tapes = [folder / f"{s}_{kind}.parquet" for s in ("AIG", "BAC", "IBM") for kind in ("trades", "quotes")]
    events = earlier._sorted(
        [
            *feeds.open(tapes, format="taq", config=config),
            earlier._spy_seconds(folder / "SPY_second_quotes.parquet"),
            earlier._closes(data / "vol_term_structure" / "vix_9d_30d_90d_180d_daily.csv.gz"),
        ]
    )
    at = events["ts_recv"]
    keep = at < utc("2013-10-07 00:00")
    for day in (7, 8, 9):
        opens = int(datetime(2013, 10, day, 9, 30, tzinfo=ZoneInfo("America/New_York")).timestamp()) * S
        keep |= (at > opens - 1_800 * S) & (at <= opens + int(6.5 * HOUR_NS))
    yield events[keep]


_OHLC: Final = ("open", "high", "low", "close")
_DEPEG: Final = "stress_usdc_depeg_202303/binanceus_{}_1m_20230301_0321.csv.gz"
_COINBASE: Final = "coinbase_minute_bbo_201804/{}_1m_bbo_trades.csv.gz"

DATASETS: Final = (
    Dataset(
        "gold_20230501", "Gold, US data release", ("GC",), _comex("gold_20230501", "GC"), "book", "2023-05-01 13:00",
        (("depth first halves", "2023-05-01 13:59:00"), ("release", "2023-05-01 14:00:00"), ("depth at its trough", "2023-05-01 14:00:02")),
        (("2023-05-01 13:58", "2023-05-01 14:10:02"),),
    ),
    Dataset(
        "xet_20230804", "XET, US payrolls", ("XET",), _comex("xet_20230804", "XET"), "book", "2023-08-04 11:30",
        (("depth 1,600 to 500", "2023-08-04 12:30:01"), ("spread 2.9 to 9.5", "2023-08-04 12:30:01.377")),
        (("2023-08-04 12:29", "2023-08-04 12:40"),),
    ),
    Dataset(
        "usdc_202303", "USDC depeg, bitcoin in three dollars", ("USDBTC", "USDTBTC", "USDCBTC"),
        _bars({"USDBTC": _DEPEG.format("BTCUSD"), "USDTBTC": _DEPEG.format("BTCUSDT"), "USDCBTC": _DEPEG.format("BTCUSDC")}, "ts_utc", _OHLC, 1,
              since="2023-03-01", until="2023-03-22"),
        "bars", "2023-03-10 00:00",
        (("Kraken below 0.995", "2023-03-10 22:50"), ("Binance.US below 0.995", "2023-03-11 04:13"), ("trough", "2023-03-11 07:50")),
        (("2023-03-10 22:00", "2023-03-14 14:06"),),
    ),
    Dataset(
        "btc_202201", "Bitcoin perpetual, sell-offs of January 2022", ("XBTUSD",),
        _bars({"XBTUSD": "btc_perp_1m_202201/btc_perp_20211231_20220201_1m.csv.gz"}, "timestamp", _OHLC, 1, since="2021-12-31", until="2022-01-26"),
        "bars", "2022-01-05 00:00",
        (("low of the first fall", "2022-01-06 09:56"), ("second fall begins", "2022-01-20 16:04"), ("lowest close", "2022-01-24 11:06")),
        (("2022-01-05 12:00", "2022-01-06 12:00"), ("2022-01-20 16:00", "2022-01-24 14:00")),
    ),
    Dataset("equities_201310", "SPY, AIG, BAC, IBM, debt-ceiling days", ("SPY", "AIG", "BAC", "IBM"), _equities, "touch", "2013-10-08 00:00",
            (), (), is_thin_calm=True),
    Dataset("binance_2024", "Binance perpetuals around midnight", ("BTCUSDT", "ETHUSDT"),
            _opened("binance_raw_l2_2023_2024/usdm_*_2024*.gz", "binance"),
            "book", 0.4, (("midnight", "2024-07-19 00:00:00"),), (), is_thin_calm=True),
    Dataset("binance_2023", "Binance perpetual around midnight", ("BTCUSDT",),
            _opened("binance_raw_l2_2023_2024/usdm_btcusdt_2023*.gz", "binance"),
            "book", 0.4, (("midnight", "2023-04-05 00:00:00"),), (), is_thin_calm=True),
    Dataset("es_20231225", "ES, Christmas evening", ("ESH4",), _opened("databento_es_mbo_202312/*.dbn.zst", "dbn", instruments=["ESH4"]),
            "book", 0.4),
    Dataset("amzn_20120621", "AMZN, one session", ("AMZN",), _opened("lobster_20120621/AMZN*", "lobster"), "touch", 0.4, is_thin_calm=True),
    Dataset("coinbase_201804", "Coinbase, two days", ("CBBTC", "CBETH", "CBLTC"),
            _bars({"CBBTC": _COINBASE.format("BTCUSD"), "CBETH": _COINBASE.format("ETHUSD"), "CBLTC": _COINBASE.format("LTCUSD")}, "ts_utc", _OHLC, 1,
                  since="2018-04-04", until="2018-04-06"),
            "bars", "2018-04-05 00:00"),
    Dataset("gbpusd_201202", "Sterling, a calm month", ("GBPUSD",),
            _bars({"GBPUSD": "fx_m1_bidask/gbpusd_m1_bid_201202.csv.gz"}, "timestamp", _OHLC, 1,
                  since="2012-02-01", until="2012-03-02"),
            "bars", "2012-02-11 00:00"),
    *(
        Dataset(f"{s.lower()}_2023", f"{s}, a calm thin fund", (s,),
                _bars({s: f"etf_1m_2023_2024/{s}_1m.csv.gz"}, "ts", _OHLC, 1, since="2023-07-10", until="2023-08-26"),
                "bars", "2023-08-03 00:00")
        for s in ("FXY", "INDA", "DBB")
    ),
    Dataset("spy_201005", "SPY, flash crash, hourly", ("SPY",), _hourly("SPY", "2010-02-15", "2010-05-12"), "bars", "2010-04-20 00:00",
            (("bar of the low", "2010-05-06 19:00"),), (("2010-05-06 13:00", "2010-05-08 00:00"),)),
    Dataset("aig_200809", "AIG, September 2008, hourly", ("AIG",), _hourly("AIG", "2008-06-15", "2008-09-20"), "bars", "2008-08-15 00:00",
            (("close before", "2008-09-12 20:00"), ("bar of the low", "2008-09-16 14:00")), (("2008-09-12 00:00", "2008-09-20 00:00"),)),
    Dataset("spy_200810", "SPY, October 2008, hourly", ("SPY",), _hourly("SPY", "2008-06-15", "2008-10-15"), "bars", "2008-09-01 00:00",
            (("fall begins", "2008-09-29 13:30"), ("lowest", "2008-10-10 20:00")), (("2008-09-15 00:00", "2008-10-15 00:00"),)),
    Dataset("spy_201108", "SPY, August 2011, hourly", ("SPY",), _hourly("SPY", "2011-05-01", "2011-08-13"), "bars", "2011-07-10 00:00",
            (("fall begins", "2011-08-04 13:30"), ("lowest", "2011-08-09 19:00")), (("2011-08-01 00:00", "2011-08-13 00:00"),)),
    Dataset("eurusd_201501", "Euro, the franc's day, hourly", ("EURUSD",), _hourly_quotes("EURUSD", "2014-12-07", "2015-01-18"),
            "bars", "2015-01-05 00:00",
            (("before", "2015-01-14 14:00"), ("lowest", "2015-01-16 16:00")), (("2015-01-15 08:00", "2015-01-17 00:00"),)),
    Dataset("xauusd_201304", "Gold, April 2013, hourly", ("XAUUSD",), _hourly_quotes("XAUUSD", "2013-03-10", "2013-04-20"),
            "bars", "2013-04-05 00:00",
            (("fall begins", "2013-04-12 00:00"),), (("2013-04-12 00:00", "2013-04-17 00:00"),)),
    Dataset("aapl_201406", "AAPL, 7:1 split not named, hourly", ("AAPL",), _hourly("AAPL", "2014-04-01", "2014-06-16"), "bars", "2014-05-20 00:00",
            (("first bar after the split", "2014-06-09 14:00"),), ()),
)  # fmt: skip


def compute(dataset: Dataset, data: Path, config: Config) -> tuple[Features, dict[str, Any]]:
    """Rows of a recording, and the instrument-hours behind them; of bars the rows right after each."""
    instruments = tuple(config.instrument(s) for s in dataset.symbols)
    engine = features.engine(config, instruments, with_quotes=False)
    parts: list[Features] = []
    counts: dict[int, int] = {}
    events = 0
    bars = np.empty(0, EVENT_DTYPE)
    for chunk in _hourly_parts(dataset.events(data, config)):
        events += len(chunk)
        rows = engine.push(chunk)
        if dataset.kind == "bars":
            hours, n = np.unique(rows.ts_recv[rows.is_scored] // HOUR_NS, return_counts=True)
            for hour, many in zip(hours.tolist(), n.tolist(), strict=True):
                counts[hour] = counts.get(hour, 0) + many
            # The rows after the last bar come with the next push.
            rows = _after_bars(rows, np.concatenate([bars, chunk]))
            bars = chunk
        parts.append(rows)
    rows = Features.concat([p for p in parts if len(p)])
    if dataset.kind != "bars":
        hours, n = np.unique(rows.ts_recv[rows.is_scored] // HOUR_NS, return_counts=True)
        counts = dict(zip(hours.tolist(), n.tolist(), strict=True))
    return rows, {"hours": counts, "events": events}


def _hourly_parts(chunks: Events) -> Events:
    for chunk in chunks:
        edges = np.flatnonzero(np.diff(chunk["ts_recv"] // HOUR_NS)) + 1
        yield from (part for part in np.split(chunk, edges) if len(part))


def _after_bars(rows: Features, events: NDArray[Any]) -> Features:
    keep = np.zeros(len(rows), bool)
    for instrument_id in np.unique(events["instrument_id"]):
        bars = np.unique(events["ts_recv"][events["instrument_id"] == instrument_id])
        mine = np.flatnonzero(rows.instrument_id == instrument_id)
        last = bars[np.maximum(np.searchsorted(bars, rows.ts_recv[mine], side="right") - 1, 0)]
        age = rows.ts_recv[mine] - last
        keep[mine[(age >= 0) & (age < BAR_ROWS * S // 10)]] = True
    return rows[keep]


def load(name: str, cache: Path) -> tuple[Dataset, Features, dict[str, Any]]:
    """A dataset and its cached rows."""
    dataset = next(d for d in DATASETS if d.name == name)
    facts = np.load(cache / f"{name}.npz", allow_pickle=False)
    told = {"hours": dict(zip(facts["hours"].tolist(), facts["counts"].tolist(), strict=True)), "events": int(facts["events"])}
    return dataset, Features(np.load(cache / f"{name}.npy", mmap_mode="r")), told


def main(data: Path, cache: Path, *names: str) -> None:
    """Fill the cache."""
    config = study_config()
    for dataset in DATASETS:
        if (names and dataset.name not in names) or (cache / f"{dataset.name}.npz").exists():
            continue
        rows, facts = compute(dataset, data, config)
        np.save(cache / f"{dataset.name}.npy", rows.rows)
        hours = facts["hours"]
        np.savez(cache / f"{dataset.name}.npz", hours=list(hours), counts=list(hours.values()), events=facts["events"])
        sys.stdout.write(f"{dataset.name}: {facts['events']} events, {len(rows)} rows, {sum(hours.values()) / 234_000:.2f} instrument-days\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
