# SPDX-License-Identifier: Apache-2.0
"""The quality report says what is odd first, as JSON and as one page that refers to nothing outside."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.unit.feeds import recordings

from pretrade import feeds
from pretrade.domain import Config
from pretrade.domain.errors import FeedError
from pretrade.sidecar import importing, inspection
from pretrade.sidecar.quality_page import render

PRICE = 4_800_000_000_000
MANY = [(PRICE + (1 + n % 7) * 250_000_000 * (1 if n % 2 == 0 else -1), 1 + n % 5, 128, "A", "A" if n % 2 == 0 else "B") for n in range(3_000)]


class _Balance(HTMLParser):
    """Every element that is opened is closed, in order."""

    VOID = frozenset({"meta", "line", "rect", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element that closes itself."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _is_whole(page: str) -> None:
    parser = _Balance()
    parser.feed(page)
    assert parser.open == []
    assert not re.search(r"(src|href)=|https?://|@import|url\(", page)


def test_a_recording_is_told_with_its_rows_and_nothing_odd_is_said(tmp_path: Path, config: Config) -> None:
    report = inspection.run(feeds.Source((recordings.dbn(tmp_path / "day.dbn", MANY),), "dbn"), config)
    assert (report["events"], report["kinds"], report["faults"], report["refused"]) == (3_000, {"ADD": 3_000}, {}, None)
    assert report["rows"]["rows"] == report["rows"]["fit_to_score"] == 29, "the first ends after 100 ms, the last at 2.9 s"
    assert report["findings"] == []
    inspection.write(report, tmp_path / "report.json")
    assert json.loads((tmp_path / "report.json").read_text()) == json.loads(json.dumps(report))
    inspection.write(report, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    _is_whole(page)
    assert "ESH4" in page
    assert "3,000" in page


def test_a_file_that_is_cut_is_told_up_to_there(tmp_path: Path, config: Config) -> None:
    whole = recordings.dbn(tmp_path / "day.dbn", MANY)
    whole.write_bytes(whole.read_bytes()[:-20])
    report = inspection.run(feeds.Source((whole,), "dbn"), config)
    assert report["events"] == 2_999
    assert report["findings"][0].startswith("Reading ended early: ")
    assert "day.dbn" in report["refused"]
    page = _page(report)
    assert "Reading ended early" in page


def _page(report: inspection.Facts) -> str:
    page = render(report)
    _is_whole(page)
    return page


def test_words_of_a_file_cannot_break_the_page(tmp_path: Path, config: Config) -> None:
    file = recordings.text(tmp_path / "a<script>alert(1)<script>.txt", "1689724800000000000 {\n" * 3 + "<b>x\n")
    with pytest.raises(FeedError, match="no event was read"):
        inspection.run(feeds.Source((file,), "binance"), config)
    report = inspection.run(feeds.Source((recordings.dbn(tmp_path / "a<script>.dbn", MANY),), "dbn"), config)
    report["fault_log"] = [{"kind": "bad_line", "file": "<script>", "place": "line 1", "text": "<b>&"}]
    report["faults"] = {"bad_line": 1}
    assert "<script>" not in _page(report)


def test_clocks_and_silences_are_said_in_words(tmp_path: Path, config: Config) -> None:
    report = inspection.run(feeds.Source((recordings.dbn(tmp_path / "day.dbn", MANY),), "dbn"), config)
    report["lags"] |= {"negative": 1_500, "messages": 3_000, "p50_ms": -1_520.0, "jumps": 2}
    report["lags"]["first_jumps"] = [{"ts_recv": report["ts_first"], "from_ms": 2.0, "to_ms": -1_520.0}]
    report["instruments"][0] |= {"silences": 1, "longest_silences": [{"from": report["ts_first"], "seconds": 61.0}]}
    words = " ".join(inspection.findings(report))
    assert "1,500 of 3,000 records (50.0%) were received before they happened" in words
    assert "jumped 2 times by more than 100 ms, first from 2 to -1,520 ms" in words
    assert "the longest 61.0 s (ESH4)" in words
    _page(report)


def test_a_journal_tells_the_faults_of_its_import(tmp_path: Path, config: Config) -> None:
    out = tmp_path / "day.journal"
    source = feeds.Source((recordings.dbn(tmp_path / "day.dbn", MANY),), "dbn")
    importing.run(source, out, config)
    told = inspection.run(feeds.Source((out,), "journal"), config)
    direct = inspection.run(source, config)
    assert told["imported"] == [{"from": [str(source.files[0])], "format": "dbn", "faults": {}}]
    same = ("events", "events_sha256", "kinds", "lags", "instruments", "timeline", "rows", "faults", "rates")
    assert {k: told[k] for k in same} == {k: direct[k] for k in same}
