# SPDX-License-Identifier: Apache-2.0
"""One episode under one arm: market, sidecar and gate in a closed loop on the simulated clock."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade import features
from pretrade.bus import Journal
from pretrade.domain import ORDER_DTYPE, Action, Config, OrderType, Tier, TimeInForce, Verdict
from pretrade.domain.errors import SimulationError
from pretrade.simulation import story
from pretrade.simulation.arms import Arm, TierStep
from pretrade.simulation.desk import Desk, desk
from pretrade.simulation.feed import FaultyFeed
from pretrade.simulation.firm import ACCOUNT, FIRST_LOOK_S, LOOKS_EVERY_NS, OPENING_POSITION, Firm, View
from pretrade.simulation.market import FEED_LATENCY_NS, INSTRUMENT_ID, SELLER_START_NS, TICK_SIZE, WARM_UP_S, Simulator
from pretrade.simulation.scenario import Change, Episode, Placed, changed
from pretrade.simulation.truth import MarketState, Truth

POINT_VALUE: Final = 50.0
"""Money a point of one lot."""
_SECOND: Final = 1_000_000_000
_OWNER: Final = 1
_OUTSIDER: Final = 2
_TAKEN_AWAY: Final = 1 << 32
_PRICE: Final = 1_000_000_000
_SLIP_IDS: Final = 1 << 40

Row = dict[str, Any]


@dataclass(slots=True)
class Count:
    """Good and bad orders, sent and blocked."""

    good: int = 0
    good_blocked: int = 0
    bad: int = 0
    bad_blocked: int = 0

    def add(self, *, is_bad: bool, is_blocked: bool) -> None:
        """One order."""
        if is_bad:
            self.bad += 1
            self.bad_blocked += int(is_blocked)
        else:
            self.good += 1
            self.good_blocked += int(is_blocked)


def play(episode: Episode, seed: int, name: str, arm: Arm, config: Config, *, events: Path | None = None) -> Row:
    """Run one episode under one arm.

    Parameters
    ----------
    episode
        What happens.
    seed
        Of the market; arms of one seed see the same draws.
    name
        Of the arm, for the row.
    arm
        Fresh.
    config
        The configuration.
    events
        Folder for the event log and the decision journal of this run.

    Returns
    -------
    dict
        One row of the result, without ``family``; times in seconds after the onset.
    """
    with desk(seed, config) as at:
        stage = _Stage(episode, seed, arm, config, at, None if events is None else events / f"{name}-{seed}.events.journal")
        stage.run()
        at.close()
        if events is not None:
            shutil.copyfile(at.journal, events / f"{name}-{seed}.decisions.journal")
        return {"seed": seed, "arm": name, **stage.figures()}


@dataclass(frozen=True, slots=True)
class Seen:
    """The touch as an outsider sees it."""

    since_s: float
    bid_tick: int
    ask_tick: int


class _Stage:
    """The closed loop of one run."""

    def __init__(self, episode: Episode, seed: int, arm: Arm, config: Config, at: Desk, log: Path | None) -> None:
        self._episode, self._arm, self._desk = episode, arm, at
        self._market = episode.market
        self._first = SELLER_START_NS - WARM_UP_S * _SECOND
        self._end = SELLER_START_NS + int(episode.duration_s * _SECOND)
        self._simulator = Simulator(episode.market, seed, self._first)
        self._engine = features.engine(config, (config.instrument("ES"),))
        self._gap_s = config.anomaly.event_gap_s
        self._truth = Truth(SELLER_START_NS)
        self._firm, self._count = Firm(), Count()
        self._rows: list[features.Features] = []
        self._feed = None if episode.fault is None else FaultyFeed(episode.fault, config)
        self._heard_at = self._first
        self._log = None if log is None else Journal(log)
        self._changes = list(episode.changes)
        self._slipped = 0
        self._opening: int | None = None

    def run(self) -> None:
        """Calm without the firm first, then a look of the firm every half second."""
        now = SELLER_START_NS + int(FIRST_LOOK_S * _SECOND)
        if self._changes and self._changes[0].at_s < FIRST_LOOK_S:
            raise SimulationError(f"a change at {self._changes[0].at_s} s lies before the firm's first look at {FIRST_LOOK_S} s")
        if self._log is None and self._feed is None:
            rows = self._simulator.run_features(now, self._engine, ts_first=self._first + FEED_LATENCY_NS)
            self._take(rows, now)
        else:
            self._advance(now)
        while now < self._end:
            now += LOOKS_EVERY_NS
            self._change(now)
            self._advance(now)
            self._look(now)
        if self._log is not None:
            self._log.commit()
            self._log.close()

    def _change(self, now: int) -> None:
        """Bring the market to each change that is due before ``now``."""
        while self._changes and SELLER_START_NS + int(self._changes[0].at_s * _SECOND) <= now:
            change: Change = self._changes.pop(0)
            self._market = changed(self._market, change)
            self._simulator.change(self._market)
            if change.jump_ticks:
                self._simulator.shift_value(change.jump_ticks)

    def _advance(self, now: int) -> None:
        events = self._simulator.run_until(now)
        if self._log is not None and len(events):
            self._log.append(events)
        if self._feed is None:
            self._take(_closed(self._engine, events, now), now)
            return
        true = _closed(self._feed.venue, events, now)
        arrived = self._feed.pass_on(events, now)
        self._heard_at = now if len(arrived) else self._heard_at
        self._take(_closed(self._engine, arrived, now), now, true)

    def _take(self, rows: features.Features, now: int, true: features.Features | None = None) -> None:
        """Take the rows of what arrived, and those of what was sent where they differ."""
        if self._feed is None:
            self._heard_at = now
        self._rows.append(rows if true is None else true)
        self._truth.take(rows if true is None else true)
        self._desk.publish(self._arm.update(rows), self._engine.quotes(), now, self._heard_at)

    def _look(self, now: int) -> None:
        quotes = self._engine.quotes()
        bid, ask = int(quotes["bid_price"][0]), int(quotes["ask_price"][0])
        if not 0 < bid < ask:
            return
        self._hear(self._simulator.reports(_OWNER))
        self._let_others_act(now, bid, ask)
        view = View(now, (now - SELLER_START_NS) / _SECOND, bid, ask)
        self._opening = self._opening if self._opening is not None else self._firm.value(view.mid)
        orders = self._firm.act(view)
        self._send(orders, view, "")
        if self._episode.slip is not None:
            wrong, label = self._episode.slip(orders, view.since_s)
            if len(wrong):
                wrong = wrong.copy()
                wrong["client_order_id"] = _SLIP_IDS + self._slipped + np.arange(len(wrong))
                self._slipped += len(wrong)
                self._send(wrong, view, label)

    def _let_others_act(self, now: int, bid: int, ask: int) -> None:
        """The outsider's orders; whatever it is told, nobody listens."""
        if self._episode.outsider is None:
            return
        placed = self._episode.outsider(Seen((now - SELLER_START_NS) / _SECOND, bid // TICK_SIZE, ask // TICK_SIZE))
        if placed:
            self._simulator.submit(np.array([_outside(p, now) for p in placed], ORDER_DTYPE), _OUTSIDER)

    def _send(self, orders: NDArray[Any], view: View, label: str) -> None:
        if len(orders) == 0:
            return
        decisions = self._desk.decide(orders)
        self._firm.sent(orders, decisions, view.now)
        for order, decision in zip(orders, decisions, strict=True):
            if order["action"] == Action.NEW:
                is_bad = bool(label) or self._truth.would_amplify(order, view.bid, view.ask)
                self._count.add(is_bad=is_bad, is_blocked=decision["verdict"] != Verdict.ACCEPT)
        accepted = orders[decisions["verdict"] == Verdict.ACCEPT]
        if len(accepted):
            self._hear(self._simulator.submit(accepted, _OWNER))

    def _hear(self, messages: NDArray[Any]) -> None:
        if len(messages):
            self._desk.told(messages)
            self._firm.told(messages)

    def figures(self) -> Row:
        """The row."""
        rows = features.Features.concat(self._rows)
        mids = rows.column("mid_price")
        fall = story.fall(rows.ts_recv, mids, SELLER_START_NS)
        last = float(mids[np.isfinite(mids)][-1])
        held = OPENING_POSITION + self._simulator.position(ACCOUNT, INSTRUMENT_ID)
        if held != sum(self._firm.position.values()):
            raise SimulationError(f"the firm holds {sum(self._firm.position.values())} lots by its own count and {held} by the venue's")
        steps = self._arm.steps
        high = _first(steps, Tier.HIGH)
        times = {f"first_{tier.name.lower()}_s": _seconds(_first(steps, tier)) for tier in (Tier.ELEVATED, Tier.HIGH, Tier.CRITICAL)}
        lead = None if high is None or fall.ts_minus_1pct is None else (fall.ts_minus_1pct - high) / _SECOND
        return {
            "hours": (self._end - self._first) / _SECOND / 3600,
            "firm_loss": round(((self._opening or 0) - self._firm.value(last * _PRICE)) / _PRICE * POINT_VALUE, 2),
            "good_orders": self._count.good,
            "good_orders_blocked": self._count.good_blocked,
            "bad_orders": self._count.bad,
            "bad_orders_blocked": self._count.bad_blocked,
            "quantity_in_critical": self._sold_in_critical(),
            "low_pct": fall.low_pct,
            **times,
            "minus_1pct_s": _seconds(fall.ts_minus_1pct),
            "lead_s": lead,
            **self._events(),
            "event_log_hash": self._simulator.event_log_hash,
            "drawn": dict(self._episode.drawn),
            "no_return_s": _seconds(self._truth.ts_no_return),
            "recovered_s": _seconds(self._truth.ts_recovered),
            "critical_share": float(np.mean(np.array(self._truth.states) == MarketState.CRITICAL)) if self._truth.states else 0.0,
        }

    def _sold_in_critical(self) -> int:
        sold = self._firm.sold
        states = self._truth.at([ts for ts, _ in sold])
        return int(sum(size for (_, size), state in zip(sold, states, strict=True) if state == MarketState.CRITICAL))

    def _events(self) -> Row:
        """Alarms of each tier, and those of CRITICAL that came while the market was not."""
        steps = self._arm.steps
        counts = {tier: _events(steps, tier, self._gap_s) for tier in (Tier.ELEVATED, Tier.HIGH, Tier.CRITICAL)}
        states = self._truth.at(counts[Tier.CRITICAL])
        return {
            **{f"{tier.name.lower()}_events": len(found) for tier, found in counts.items()},
            "critical_events_false": int(np.sum(states != MarketState.CRITICAL)) if len(states) else 0,
        }


def _closed(engine: features.FeatureEngine, events: NDArray[Any], now: int) -> features.Features:
    return features.Features.concat([engine.push(events), engine.close(now)])


def _outside(placed: Placed, now: int) -> tuple[Any, ...]:
    is_new = placed.quantity > 0
    values = {
        "client_order_id": placed.number + 1 if is_new else _TAKEN_AWAY + placed.number,
        "original_client_order_id": 0 if is_new else placed.number + 1,
        "ts_event": now,
        "price": placed.tick * TICK_SIZE,
        "quantity": placed.quantity,
        "instrument_id": INSTRUMENT_ID,
        "account_id": _OUTSIDER,
        "side": placed.side,
        "order_type": OrderType.LIMIT,
        "time_in_force": TimeInForce.DAY,
        "action": Action.NEW if is_new else Action.CANCEL,
    }
    return tuple(values.get(name, 0) for name in ORDER_DTYPE.names or ())


def _first(steps: list[TierStep], tier: Tier) -> int | None:
    """When the tier first stood at ``tier`` or above from the onset on; the onset where it already did."""
    standing = Tier.NORMAL
    for ts, _, to in steps:
        if ts > SELLER_START_NS:
            break
        standing = to
    if standing >= tier:
        return SELLER_START_NS
    return next((ts for ts, _, to in steps if ts >= SELLER_START_NS and to >= tier), None)


def _events(steps: list[TierStep], tier: Tier, gap_s: float) -> list[int]:
    """Times at which the tier rose to ``tier`` or above, those within ``gap_s`` of the one before left out."""
    out: list[int] = []
    last = None
    for ts, before, to in steps:
        if before < tier <= to:
            if last is None or ts - last > gap_s * _SECOND:
                out.append(ts)
            last = ts
    return out


def _seconds(ts: int | None) -> float | None:
    return None if ts is None else (ts - SELLER_START_NS) / _SECOND
