# SPDX-License-Identifier: Apache-2.0
"""A recording in, the story of that day out: tiers, limits, decisions, faults and figures."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade import calibration, features, feeds, gateway, models
from pretrade.domain import UNDEFINED_PRICE, Action, Config, Instrument, OrderType, Side, Tier, TimeInForce
from pretrade.domain.errors import FeedError
from pretrade.domain.layouts import ORDER_DTYPE

FIT_SHARE: Final = 0.4


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """What to replay and how.

    Parameters
    ----------
    files
        Recording files; several merge by ``ts_recv``.
    format
        One of `pretrade.feeds.FORMATS`.
    instruments
        Symbols of the configuration, one per stream of the recording; ``None`` takes what the format tells.
    date
        ``YYYY-MM-DD`` for formats that carry only the time of day.
    map_file
        TOML column map of a table.
    splits
        Table of splits.
    model
        Folder of a trained model; without one the first ``FIT_SHARE`` of the rows fits a provisional model.
    kind
        Which model to fit without ``model``: ``pca`` or ``vae``.
    seed
        Of the fit.
    pace
        0 is as fast as it can; 1 is the recording's own pace, 10 ten times that.
    """

    files: Sequence[Path]
    format: str
    instruments: Sequence[str] | None = None
    date: str | None = None
    map_file: Path | None = None
    splits: Path | None = None
    model: Path | None = None
    kind: str = "pca"
    seed: int = 0
    pace: float = 0.0


def run(request: ReplayRequest, config: Config, *, say: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Replay recordings through features, model, calibration and gate.

    Parameters
    ----------
    request
        What to replay.
    config
        The configuration; its hash is part of the result.
    say
        Called with one line of progress at a time.

    Returns
    -------
    dict
        ``events, faults, snapshots, tier_changes, systemic, limit_records, decisions, alarms, config_hash, model, timing``; byte-identical for
        the same input without ``timing``.

    Raises
    ------
    FeedError
        If a recording is refused.
    ModelError
        If there are too few sound rows to fit a model on.
    """
    started = time.perf_counter()
    symbols = None if request.instruments is None else tuple(request.instruments)
    source = feeds.Source(tuple(request.files), request.format, symbols, request.date, request.map_file, request.splits)
    stream = source.open(config)
    engine = features.engine(config, stream.instruments)
    rows = features.collect(_paced(iter(stream), request.pace), engine)
    if stream.events == 0:
        raise FeedError(f"{', '.join(str(f) for f in request.files)}: no event was read")
    faults = dict(sorted({**stream.faults, **{k: v for k, v in engine.faults().items() if v}}.items()))
    say(f"{stream.events} events, {len(rows.ts_recv)} rows, faults {faults or 'none'}")
    if "price_step" in faults:
        say(f"{faults['price_step']} prices stepped by half or more at once; if that is a split, name it: --splits")
    model, scored_rows, note = _model(request, config, rows)
    say(note)
    limits = calibration.calibrate(model.score(scored_rows), config) if model is not None and len(scored_rows.ts_recv) else None
    decisions = _probes(limits, config, stream.instruments) if limits is not None else []
    seconds = time.perf_counter() - started
    changes = [] if limits is None else [change.as_dict() for change in limits.tier_changes]
    return {
        "events": stream.events,
        "faults": faults,
        "snapshots": len(rows.ts_recv),
        "snapshots_scored": len(scored_rows.ts_recv),
        "tier_changes": changes,
        "systemic": [] if limits is None else systemic(limits),
        "limit_records": 0 if limits is None else len(limits.records),
        "decisions": decisions,
        "alarms": 0 if limits is None else calibration.alarms(limits.tier_changes, gap_s=config.anomaly.event_gap_s),
        "config_hash": config.hash,
        "model": _told(model, note),
        "timing": {
            "seconds": seconds,
            "events_per_second": stream.events / seconds,
            "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        },
    }


def write(result: dict[str, Any], path: Path) -> None:
    """Write a result as JSON with sorted keys."""
    path.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n")


def systemic(limits: calibration.Limits) -> list[dict[str, Any]]:
    """Per group that the model knows: its highest score, when each tier first stood, and its tier changes with who drove them."""
    known = limits.scores.systemic
    out = []
    for n, group_id in enumerate(() if known is None else known.group_ids):
        assert known is not None
        group = next(g for g in limits.config.groups if g.group_id == group_id)
        mine = [c for c in limits.tier_changes if c.instrument_id == group_id]
        first = {t.name: next((c.ts_recv for c in mine if c.to_tier >= t), None) for t in (Tier.ELEVATED, Tier.HIGH)}
        scored = np.isfinite(known.score[:, n])
        out.append(
            {
                "group_id": group_id,
                "name": group.name,
                "members": list(group.members),
                "highest_score": float(known.score[scored, n].max()) if scored.any() else None,
                "first": first,
                "tier_changes": [c.as_dict() for c in mine],
                "records": int((limits.groups["instrument_id"] == group_id).sum()),
            }
        )
    return out


def _told(model: models.AnomalyModel | None, note: str) -> dict[str, Any]:
    """What the result says of the model; every field but the note is ``None`` where there was none."""
    if model is None:
        return {"id": None, "kind": None, "provisional": None, "fit_until_ns": None, "note": note}
    return {"id": model.id, "kind": model.card()["kind"], "provisional": model.provisional, "fit_until_ns": model.fit_until_ns, "note": note}


def _model(request: ReplayRequest, config: Config, rows: features.Features) -> tuple[models.AnomalyModel | None, features.Features, str]:
    """The given model and all rows, or one fitted on the first rows and the rest; none where the first rows are too few."""
    if request.model is not None:
        model = models.load(request.model, config)
        return model, rows, f"model {model.id} from {request.model}"
    cut = int(len(rows.ts_recv) * FIT_SHARE)
    first = rows[:cut].calm()
    if len(first.ts_recv) < 1_000:
        few = f"{len(first.ts_recv)} calm rows in the first {FIT_SHARE:.0%} of the recording are too few to fit on (at least 1000)"
        return None, rows[:0], f"{few}: nothing is scored; give --model DIR"
    model = models.new(request.kind, config).fit(first, seed=request.seed)
    until = int(rows.ts_recv[cut - 1])
    rest = rows[rows.ts_recv > until]
    return (
        model,
        rest,
        f"no --model: PROVISIONAL {request.kind} fitted on {len(first.ts_recv)} calm rows up to {until}, {len(rest.ts_recv)} later rows scored",
    )


def _paced(chunks: Iterator[NDArray[Any]], pace: float) -> Iterator[NDArray[Any]]:
    if pace <= 0:
        yield from chunks
        return
    origin: tuple[float, int] | None = None
    for chunk in chunks:
        for part in np.array_split(chunk, max(1, len(chunk) // 512)):
            if len(part) == 0:
                continue
            at = int(part["ts_recv"][-1])
            origin = origin or (time.monotonic(), at)
            time.sleep(max(0.0, origin[0] + (at - origin[1]) / 1e9 / pace - time.monotonic()))
            yield part


def _probes(limits: calibration.Limits, config: Config, instruments: Sequence[Instrument]) -> list[dict[str, Any]]:
    """Put one order of the full static size to the gate at the start and after each tier change."""
    by_id = {i.instrument_id: i for i in instruments}
    first = [(int(r["ts_published"]), int(r["instrument_id"])) for r in limits.records[:1]]
    at = first + [(c.ts_recv, c.instrument_id) for c in limits.tier_changes if c.instrument_id in by_id]
    orders = np.zeros(len(at), ORDER_DTYPE)
    for n, (ts, instrument_id) in enumerate(at):
        order = orders[n]
        order["client_order_id"] = n + 1
        order["ts_event"] = ts
        order["instrument_id"] = instrument_id
        order["strategy_id"], order["account_id"] = 1, config.accounts[0].account_id if config.accounts else 1
        order["quantity"] = config.static_of(by_id[instrument_id])["max_order_quantity"]
        order["side"], order["order_type"] = Side.ASK, OrderType.MARKET
        order["price"] = UNDEFINED_PRICE
        order["time_in_force"], order["action"] = TimeInForce.IOC, Action.NEW
    return [{**d, "tier": Tier[d["tier"]].name} for d in gateway.replay(orders, limits).as_dicts()]
