# SPDX-License-Identifier: Apache-2.0
"""``/metrics`` of a gateway in Prometheus text, on loopback, read from its tables by a thread of its own: the order path does not know of it.

References: Prometheus text exposition format 0.0.4.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from pretrade.bus.tcp import LOOPBACK
from pretrade.domain import ReasonCode
from pretrade.domain.errors import TableError
from pretrade.limits import GateTable, LimitsTable, RunDirectory

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS_S: Final = (5e-7, 1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Upper bounds of the latency histogram, seconds."""
_LEVEL_KEY: Final = 0xFFFF_FF00
_NS: Final = 1e9
_CHANNELS: Final = 8


class Latencies:
    """A cumulative histogram with one writer; readers may see it one batch behind itself."""

    def __init__(self) -> None:
        self._bounds = [round(bound * _NS) for bound in BUCKETS_S]
        self._counts = [0] * (len(BUCKETS_S) + 1)
        self._sum_ns = 0

    def observe(self, count: int, total_ns: int) -> None:
        """A batch of orders and what it took together: each counts as its share."""
        if count:
            self._counts[bisect_left(self._bounds, total_ns / count)] += count
            self._sum_ns += total_ns

    def lines(self, name: str) -> Iterator[str]:
        """Bucket, sum and count lines."""
        total = 0
        for bound, count in zip((*(f"{b:g}" for b in BUCKETS_S), "+Inf"), list(self._counts), strict=True):
            total += count
            yield f'{name}_bucket{{le="{bound}"}} {total}'
        yield f"{name}_sum {self._sum_ns / _NS:.9f}"
        yield f"{name}_count {total}"


def exposition(run: RunDirectory, gateway_id: int, now_mono: int, latencies: Latencies | None = None) -> str:
    """What a gateway tells, as Prometheus reads it.

    Parameters
    ----------
    run, gateway_id
        Whose tables; one that cannot be read is told as ``pretrade_gate_up 0``.
    now_mono
        Monotonic ns, for ages.
    latencies
        Of the process itself; left out where it keeps none.
    """
    lines = ["# TYPE pretrade_gate_up gauge"]
    try:
        table = GateTable.open(run.gate(gateway_id), domain=run.clock_domain)
    except TableError:
        lines.append("pretrade_gate_up 0")
    else:
        lines += ["pretrade_gate_up 1", *_of_gate(table)]
    lines += _ages(run, now_mono)
    if latencies is not None:
        lines += ["# HELP pretrade_decision_seconds A decision at the border, journalled.", "# TYPE pretrade_decision_seconds histogram"]
        lines += latencies.lines("pretrade_decision_seconds")
    return "\n".join(lines) + "\n"


def _of_gate(table: GateTable) -> Iterator[str]:
    words = table.words
    held, reasons = table.held_reasons, table.reasons
    yield "# TYPE pretrade_decisions_total counter"
    yield f'pretrade_decisions_total{{verdict="ACCEPT",reason="NONE"}} {words["accepted"]}'
    for code, count in enumerate(reasons):
        if not count:
            continue
        name = ReasonCode(code).name if code in set(ReasonCode) else "OTHER"
        waited = held.get(code, 0)
        for verdict, number in (("HOLD", waited), ("REJECT", count - waited)):
            if number:
                yield f'pretrade_decisions_total{{verdict="{verdict}",reason="{name}"}} {number}'
    yield "# HELP pretrade_fallback_active Staleness stage in force, 0 = fresh."
    yield "# TYPE pretrade_fallback_active gauge"
    yield f'pretrade_fallback_active{{scope="gateway"}} {words["stage"]}'
    rows = table.snapshot()
    for row in rows[rows["strategy_id"] < _LEVEL_KEY]:
        yield f'pretrade_fallback_active{{scope="instrument:{int(row["instrument_id"])}"}} {int(row["stage"])}'
    for name, word in (
        ("pretrade_journal_lag_records", words["journal_head"] - words["journal_durable"]),
        ("pretrade_journal_ring_fill_ratio", words["ring_fill_ppm"] / 1e6),
        ("pretrade_kill_armed", int(words["kill_word"] > 0)),
        ("pretrade_gate_poisoned", words["poisoned"]),
    ):
        yield f"# TYPE {name} gauge"
        yield f"{name} {word:g}"
    for name, word in (("pretrade_torn_reads_total", words["torn_reads"]), ("pretrade_stage_changes_total", words["stage_changes"])):
        yield f"# TYPE {name} counter"
        yield f"{name} {word}"


def _ages(run: RunDirectory, now_mono: int) -> Iterator[str]:
    yield "# HELP pretrade_limits_age_seconds Of each feed channel of the limits table that ever beat."
    yield "# TYPE pretrade_limits_age_seconds gauge"
    try:
        table = LimitsTable.open(run)
    except TableError:
        return
    for channel in range(_CHANNELS):
        oldest = min(table.channel(channel))
        if oldest > 0:
            yield f'pretrade_limits_age_seconds{{channel="{channel}"}} {(now_mono - oldest) / _NS:.6f}'


class MetricsServer:
    """Answers ``GET /metrics`` on a loopback port from a thread of its own.

    Parameters
    ----------
    text
        Makes the answer.
    port
        0 takes any that is free.
    """

    def __init__(self, text: Callable[[], str], port: int = 0) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = text().encode() if self.path == "/metrics" else b"/metrics\n"
                self.send_response(200 if self.path == "/metrics" else 404)
                self.send_header("Content-Type", CONTENT_TYPE)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Scrapes are no events."""

        self._server = ThreadingHTTPServer((LOOPBACK, port), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
