# SPDX-License-Identifier: Apache-2.0
"""Every format of real recordings goes into a journal, is held against its files, and is told in a report."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Final

import pytest

from pretrade import feeds
from pretrade.domain import Config
from pretrade.sidecar import importing, inspection, verification
from pretrade.sidecar.quality_page import render

pytestmark = pytest.mark.shared_data

MAPS: Final = Path(__file__).resolve().parents[2] / "examples" / "maps"
RECORDS: Final = {
    "lobster": 999,
    "dbn": 77_517,
    "binance": 10_000,
    "bitstamp": 56_000,
    "cryptofeed": 4_018,
    "bybit": 1_000,
    "taq": 370_307,
    "table": 232_519,
}
"""Records of the files that make an event each, at least."""


def _known(config: Config, symbol: str, venue: str, exponent: int, session: str) -> Config:
    """The configuration with one more instrument."""
    base = config.instrument("GC")
    new = dataclasses.replace(base, instrument_id=300, symbol=symbol, venue=venue, quantity_exponent=exponent, session=session)
    return dataclasses.replace(config, instruments=(*config.instruments, new))


def case(shared_data: Path, config: Config, format: str) -> tuple[feeds.Source, Config]:
    """A recording of each format and the configuration that knows it."""
    crypto = shared_data / "crypto_ws_captures"
    folders = {
        "lobster": ("lobster_20120621", "AAPL*"),
        "dbn": ("databento_es_mbo_202312", "*.zst"),
        "binance": ("binance_raw_l2_2023_2024", "usdm_btcusdt_20240718*"),
        "table": ("comex_depth5_2023", "xet*"),
        "taq": ("us_equity_ticks_201310", "IBM*"),
        "bitstamp": ("bitstamp_l3_20150501", "*raw*"),
    }
    if format in folders:
        files = sorted((shared_data / folders[format][0]).glob(folders[format][1]))
    else:
        files = [crypto / ("bybit_xrpusdt-ob500.data.zip" if format == "bybit" else "KRAKEN_FUTURES.ws.1.0.txt.gz")]
    more: dict[str, tuple[str, str, int, str]] = {
        "taq": ("IBM", "XNYS", 0, "nasdaq"),
        "bitstamp": ("BTCUSD", "BSTP", -8, "continuous"),
        "bybit": ("XRPUSDT", "BYBT", 0, "continuous"),
        "cryptofeed": ("PI_ETHUSD", "KRKF", 0, "continuous"),
    }
    known = _known(config, *more[format]) if format in more else config
    wanted = {"cryptofeed": ("PI_ETHUSD",), "table": ("XET",)}.get(format)
    return feeds.Source(tuple(files), format, wanted, None, MAPS / "comex.toml" if format == "table" else None), known


@pytest.mark.parametrize("format", RECORDS)
def test_a_recording_becomes_a_journal_that_replays_as_it(shared_data: Path, config: Config, tmp_path: Path, format: str) -> None:
    source, known = case(shared_data, config, format)
    out = tmp_path / "day.journal"
    manifest = importing.run(source, out, known)
    found = verification.run(out, known)
    assert found.findings == []
    assert found.is_compared
    assert found.events == manifest.events >= RECORDS[format]
    report = inspection.run(source, known)
    again = inspection.run(feeds.Source((out,), "journal"), known)
    assert report["rows"]["rows"] == found.rows_compared
    assert report["events_sha256"] == again["events_sha256"] == manifest.sha256
    assert (report["rows"], report["instruments"], report["lags"]) == (again["rows"], again["instruments"], again["lags"])
    assert {k: n for k, n in report["faults"].items() if k in manifest.faults} == manifest.faults
    assert len(render(report)) > 10_000


def test_what_is_known_of_real_captures_is_found(shared_data: Path, config: Config) -> None:
    """The 2024 capture machine ran 1.52 s behind the exchange, and its stamps of one day go from one file to the next."""
    source, known = case(shared_data, config, "binance")
    lags = inspection.run(source, known)["lags"]
    assert lags["p50_ms"] == pytest.approx(-1_520, abs=10)
    assert lags["negative"] == lags["messages"] > 80_000
    assert lags["jumps"] == 0


def test_a_book_that_goes_empty_after_the_close_leaves_every_row_fit(shared_data: Path, config: Config) -> None:
    """XET is empty on both sides for stretches from 22:35, after the week's last close at 17:00 New York."""
    source, known = case(shared_data, config, "table")
    report = inspection.run(source, known)
    (xet,) = report["instruments"]
    assert [band["phase"] for band in report["phases_over_time"]] == ["CONTINUOUS", "CLOSED"]
    assert xet["phases"]["CLOSED"] > 2_000
    assert report["kinds"]["HEARTBEAT"] == 1_153
    assert report["rows"]["rows"] == report["rows"]["fit_to_score"] > 700_000
    assert report["lags"]["has_one_stamp"]
