# SPDX-License-Identifier: Apache-2.0
"""A quality report of a recording: what it holds, what is missing, how late it came, and what the books built from it are worth."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from pretrade import features, feeds
from pretrade.domain import Config, FeedState
from pretrade.domain.errors import FeedError
from pretrade.feeds.manifest import Manifest, beside
from pretrade.feeds.quality import Quality
from pretrade.sidecar.importing import FAULTS_TOLD, Progress, Tally, silent, watched

Facts = Mapping[str, Any]


class _Rows:
    """Rows by what was wrong with the feed or its book when they closed."""

    def __init__(self) -> None:
        self.rows = self.scored = 0
        self._states = dict.fromkeys(FeedState, 0)

    def add(self, rows: features.Features) -> None:
        self.rows += len(rows)
        self.scored += int(rows.is_scored.sum())
        for state in self._states:
            self._states[state] += int((rows.feed_state & int(state) != 0).sum())

    def as_dict(self) -> dict[str, Any]:
        return {"rows": self.rows, "fit_to_score": self.scored, "states": {str(s.name): n for s, n in self._states.items() if n}}


def run(source: feeds.Source, config: Config, *, progress: Progress = silent) -> dict[str, Any]:
    """Read a recording to its end and say what it is like.

    Parameters
    ----------
    source
        What to read.
    config
        The configuration.
    progress
        Told how far it is.

    Returns
    -------
    dict
        Plain values, the same for the same recording. ``refused`` says why reading ended early, ``findings`` what a reader should know first.

    Raises
    ------
    FeedError
        If the recording is refused before its first event.
    """
    stream = source.open(config)
    quality, tally, rows = Quality(config, stream.instruments), Tally(), _Rows()
    engine = features.engine(config, stream.instruments, with_quotes=False)
    refused = None
    try:
        for chunk in watched(stream, source.bytes, progress):
            tally.add(chunk)
            quality.add(chunk)
            rows.add(engine.push(chunk))
    except FeedError as e:
        refused = str(e)
        if not tally.events:
            raise
    if not tally.events:
        raise FeedError(f"{', '.join(str(f) for f in source.files)}: no event was read")
    rows.add(engine.close(tally.ts_last))
    report: dict[str, Any] = {
        "format": source.format,
        "files": [{"path": str(f), "bytes": f.stat().st_size} for f in source.files],
        "config_hash": config.hash,
        "refused": refused,
        **quality.as_dict(),
        "kinds": tally.kinds,
        "events_sha256": tally.sha256,
        "faults": dict(sorted({**stream.faults, **{k: v for k, v in engine.faults().items() if v}}.items())),
        "fault_log": [{"kind": f.kind, "file": f.path.name, "place": f.place, "text": f.text} for f in stream.fault_log[:FAULTS_TOLD]],
        "imported": _imported(source),
        "rows": rows.as_dict(),
    }
    return {**report, "findings": findings(report)}


def _imported(source: feeds.Source) -> list[dict[str, Any]]:
    """What imports told of the recordings behind journals: their faults are not among the events."""
    found = [Manifest.read(beside(f)) for f in source.files if source.format == "journal" and beside(f).exists()]
    return [{"from": [f["path"] for f in m.source["files"]], "format": m.source["format"], "faults": dict(m.faults)} for m in found]


def findings(report: Facts) -> list[str]:
    """What a reader should know first, in words; empty where nothing is odd.

    Parameters
    ----------
    report
        The rest of the report.
    """
    return [text for rule in _RULES if (text := rule(report))]


def _refused(r: Facts) -> str | None:
    return f"Reading ended early: {r['refused']}" if r["refused"] else None


def _faults(r: Facts) -> str | None:
    told = ", ".join(f"{n:,} {kind.replace('_', ' ')}" for kind, n in r["faults"].items() if kind != "negative_age")
    return f"Faults: {told}." if told else None


def _behind(r: Facts) -> str | None:
    lags = r["lags"]
    if not lags["negative"]:
        return None
    return (
        f"{lags['negative']:,} of {lags['messages']:,} records ({lags['negative'] / lags['messages']:.1%}) were received before they happened, "
        f"the median lag is {lags['p50_ms']:,.1f} ms: the capture's clock ran behind the venue's."
    )


def _jumps(r: Facts) -> str | None:
    lags = r["lags"]
    if not lags["jumps"]:
        return None
    first = lags["first_jumps"][0]
    moved = f"from {first['from_ms']:,.0f} to {first['to_ms']:,.0f} ms"
    return f"The smallest lag of a second jumped {lags['jumps']:,} times by more than 100 ms, first {moved}."


def _one_stamp(r: Facts) -> str | None:
    return "The recording carries one stamp per record: it says nothing about lags." if r["lags"]["has_one_stamp"] else None


def _silences(r: Facts) -> str | None:
    count = sum(i["silences"] for i in r["instruments"])
    if not count:
        return None
    seconds, symbol = max((s["seconds"], i["symbol"]) for i in r["instruments"] for s in i["longest_silences"])
    longest = f"the longest {seconds:,.1f} s ({symbol})"
    return f"{count:,} silences of more than {r['stale_after_s']:g} s in continuous trading, {longest}: stale rows are not scored."


def _steps(r: Facts) -> str | None:
    count = r["faults"].get("price_step", 0)
    return f"{count:,} prices stepped by half or more at once; if that is a split, name it (--splits)." if count else None


def _no_book(r: Facts) -> str | None:
    return "No feature row could be made: the recording builds no book in continuous trading." if not r["rows"]["rows"] else None


def _unsound(r: Facts) -> str | None:
    rows = r["rows"]
    if not rows["rows"] or rows["fit_to_score"] == rows["rows"]:
        return None
    states = ", ".join(f"{name.replace('_', ' ').lower()} {n / rows['rows']:.1%}" for name, n in rows["states"].items())
    return f"{rows['fit_to_score'] / rows['rows']:.1%} of {rows['rows']:,} rows may be scored; of all rows: {states}."


def _others(r: Facts) -> str | None:
    return f"{r['events_of_others']:,} events are of instruments that were not asked for." if r["events_of_others"] else None


_RULES: Final[tuple[Callable[[Facts], str | None], ...]] = (
    _refused,
    _faults,
    _steps,
    _behind,
    _jumps,
    _silences,
    _unsound,
    _no_book,
    _one_stamp,
    _others,
)


def write(report: Facts, path: Path) -> None:
    """Write the report: a page where the name ends in ``.html``, else JSON with sorted keys; it appears whole."""
    from pretrade.sidecar.quality_page import render

    text = render(report) if path.suffix == ".html" else json.dumps(report, indent=1, sort_keys=True, default=_plain) + "\n"
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text, encoding="utf-8")
    temporary.rename(path)


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} is no plain value")
