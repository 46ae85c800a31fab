# SPDX-License-Identifier: Apache-2.0
"""The FIX edge: the native loop, given a run directory and a configuration."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import Any, Final

from pretrade._native import gateway as _native
from pretrade.domain import Config, Instrument
from pretrade.domain.errors import ConfigError, ControlError, GateError, JournalError
from pretrade.domain.fix import APPL_VER_ID_50SP2, VERSIONS, FixConfig, FixTls
from pretrade.gateway.options import options, order_error_folder
from pretrade.limits import RunDirectory, refuse_unsigned

FixEdge = _native.FixEdge

_CALENDAR_NS: Final = 370 * 86_400 * 1_000_000_000
_ID_BLOCKS: Final = 1 << 18


def open_edge(run: RunDirectory, config: Config, stop: int, *, gateway_id: int = 0, quotes: Path | None = None) -> FixEdge:
    """Open the edge that ``config.fix`` describes; :meth:`FixEdge.run` serves it.

    Parameters
    ----------
    run
        Directory with the tables; journal ring and session stores are made here.
    config
        The configuration loaded into ``controls``.
    stop
        Descriptor on which a byte ends the loop.
    gateway_id
        Row of the ``controls`` table it claims.
    quotes
        Another ``quotes`` table than the run directory's.

    Raises
    ------
    ConfigError
        If ``config`` has no ``[fix]``.
    GateError
        If a table, store or journal is refused, or ``config`` is not the one loaded into ``controls``.
    """
    if config.fix is None:
        raise ConfigError("the configuration has no [fix]; without one `pretrade gateway --run DIR` serves the loopback port")
    try:
        refuse_unsigned(run, config)
    except (ControlError, JournalError) as e:
        raise GateError(str(e)) from e
    run.journals.mkdir(mode=0o750, parents=True, exist_ok=True)
    is_first_life = not run.gate_journal(gateway_id).exists()
    settings = json.dumps(_settings(run, config, config.fix, is_first_life=is_first_life))
    journal = (run.gate_ring(gateway_id), run.gate_journal(gateway_id))
    numbers = {**options(config), "id_blocks": _ID_BLOCKS}
    return FixEdge(settings, run.path, quotes, gateway_id, journal, numbers, order_error_folder(config), stop)


def _settings(run: RunDirectory, config: Config, fix: FixConfig, *, is_first_life: bool) -> dict[str, Any]:
    accounts = {a.name: a.account_id for a in config.accounts}
    return {
        "listen": fix.listen,
        "venue_address": fix.venue,
        "venue": _session(fix, fix.target, is_reset=fix.reset_at_logon),
        "ems": [
            {
                "session": _session(fix, s.target, is_reset=s.reset_at_logon),
                "accounts": [[name, accounts[name]] for name in s.accounts],
                "strategy_id": s.strategy_id,
                "cancel_after_s": float(s.cancel_after_s) if s.cancel_on_disconnect else None,
                "has_alerts": s.alerts,
                "certificate_sha256": s.certificate_sha256 or None,
            }
            for s in fix.sessions
        ],
        "instruments": [_instrument(config, i, with_phases=fix.standalone) for i in config.instruments],
        "run": str(run.path),
        "journals": str(run.journals),
        "alert_tag": fix.alert_tag,
        "is_standalone": fix.standalone,
        "busy_poll_us": fix.busy_poll_us,
        "drop_copies": [_session(fix, c.target, is_reset=c.reset_at_logon) for c in fix.drop_copies],
        "dead_man": dataclasses.asdict(fix.dead_man) if fix.dead_man.every_s else None,
        "listen_tls": _tls(fix.listen_tls),
        "venue_tls": _tls(fix.venue_tls),
        "is_flat": is_first_life and fix.opening_position == "flat",
    }


def _tls(of: FixTls) -> dict[str, str | None] | None:
    return {name: value or None for name, value in dataclasses.asdict(of).items()} if of.is_used else None


def _session(fix: FixConfig, target: str, *, is_reset: bool) -> dict[str, Any]:
    begin_string = VERSIONS[fix.version]
    return {
        "begin_string": begin_string,
        "sender": fix.sender,
        "target": target,
        "appl_ver_id": APPL_VER_ID_50SP2 if begin_string == "FIXT.1.1" else None,
        "heartbeat_s": fix.heartbeat_s,
        "reset_at_logon": is_reset,
        "max_latency_s": fix.max_latency_s,
        "dictionaries": fix.dictionaries,
        "user_fields": fix.user_fields,
    }


def _instrument(config: Config, instrument: Instrument, *, with_phases: bool) -> dict[str, Any]:
    if instrument.quantity_exponent > 0:
        raise ConfigError(f"instrument {instrument.symbol} has quantity_exponent {instrument.quantity_exponent}; FIX quantities need one not above 0")
    phases: list[list[int]] = []
    if with_phases:
        now = time.time_ns()
        spans = config.sessions[instrument.session].intervals(now - 86_400 * 1_000_000_000, now + _CALENDAR_NS)
        # The end of the last one is the end of what is known.
        phases = [[start, int(phase)] for start, _, phase in spans] + [[spans[-1][1], 0]]
    places = -instrument.quantity_exponent
    return {"symbol": instrument.symbol, "instrument_id": instrument.instrument_id, "quantity_places": places, "phases": phases}
