// SPDX-License-Identifier: Apache-2.0
//! Protections: how far an order may trade, and what a trade brings about.
use super::{Entered, Exchange, Phase, Price, Report, Request, Side, Sink};

/// What stops an order at a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guard {
    PriceLimit,
    Velocity,
    Breaker,
    StopLogic,
}

impl Exchange {
    /// Worst tick at which an order of `side` may trade now, and what forbids the next one; `from` is where a cascade of stops began.
    pub(super) fn bound(&mut self, side: Side, from: Option<i32>) -> Option<(i32, Guard)> {
        let step = if side == Side::Ask { -1 } else { 1 };
        let now = self.now;
        let limit = self.rules.price_limit_ticks.map(|ticks| (self.reference + step * ticks, Guard::PriceLimit));
        // The furthest trade of the window on the other side is where the move began.
        let start = |extremes: Option<(i32, i32)>| extremes.map(|(low, high)| if side == Side::Ask { high } else { low });
        let velocity = self.rules.velocity.and_then(|v| Some((start(self.velocity.extremes(now))? + step * v.ticks, Guard::Velocity)));
        let breaker = self.rules.breaker.and_then(|b| {
            let began = start(self.breaker.extremes(now))?;
            Some((began + step * share(began, b.ppm), Guard::Breaker))
        });
        let cascade = self.rules.stop_logic.and_then(|s| Some((from? + step * s.ticks, Guard::StopLogic)));
        // Of two at one price the one named first here stands.
        [limit, cascade, velocity, breaker].into_iter().flatten().min_by_key(|(tick, _)| step * tick)
    }

    /// Stops trading because an order would have gone beyond `guard`.
    pub(super) fn trip(&mut self, guard: Guard, sink: &mut impl Sink) {
        match guard {
            Guard::PriceLimit => self.lock(sink),
            Guard::Velocity => self.enter_phase(Phase::PreOpen, self.rules.velocity.map(|v| v.pause_ns), sink),
            Guard::Breaker => self.enter_phase(Phase::Halted, self.rules.breaker.map(|b| b.halt_ns), sink),
            Guard::StopLogic => self.enter_phase(Phase::Halted, self.rules.stop_logic.map(|s| s.reserved_ns), sink),
        }
    }

    /// Notes the trades of one order, from the price it met first.
    pub(super) fn note_trades(&mut self, first: i32) {
        let last = self.engine.last_trade().unwrap_or(first);
        for tick in [first, last] {
            if self.rules.velocity.is_some() {
                self.velocity.add(self.now, tick);
            }
            if self.rules.breaker.is_some() {
                self.breaker.add(self.now, tick);
            }
        }
    }

    /// What trades bring about: locks, halts, stops.
    pub(super) fn after_trades(&mut self, sink: &mut impl Sink) {
        self.lock(sink);
        self.fall(sink);
        self.release_stops(sink);
    }

    fn lock(&mut self, sink: &mut impl Sink) {
        let (Some(ticks), Some(last)) = (self.rules.price_limit_ticks, self.engine.last_trade()) else { return };
        let is_at_limit = (last - self.reference).abs() >= ticks;
        match (self.phase, is_at_limit) {
            (Phase::Continuous, true) => self.enter_phase(Phase::LimitLocked, None, sink),
            (Phase::LimitLocked, false) => self.enter_phase(Phase::Continuous, None, sink),
            _ => {}
        }
    }

    fn fall(&mut self, sink: &mut impl Sink) {
        let Some(last) = self.engine.last_trade().filter(|_| self.trades()) else { return };
        let reference = self.reference;
        let reached = self.rules.falls.iter().take_while(|f| last <= reference - share(reference, f.ppm)).count();
        if reached > self.falls_seen {
            self.falls_seen = reached;
            match self.rules.falls[reached - 1].halt_ns {
                0 => self.enter_phase(Phase::Closed, None, sink),
                ns => self.enter_phase(Phase::Halted, Some(ns), sink),
            }
        }
    }

    /// Enters the stops that the last trade triggered, one after another, while the market trades.
    fn release_stops(&mut self, sink: &mut impl Sink) {
        let mut from = None;
        while self.trades() {
            let Some(last) = self.engine.last_trade() else { return };
            let Some((waited_as, request)) = self.stops.next(last) else { return };
            let from = *from.get_or_insert(last);
            self.release(waited_as, request, from, sink);
        }
    }

    fn release(&mut self, waited_as: u64, request: Request, from: i32, sink: &mut impl Sink) {
        let mut outcome = self.enter_now(request, Some(from), sink);
        if self.phase == Phase::Halted && request.price == Price::Market {
            self.keep_for_auction(waited_as, request, &mut outcome);
        }
        self.reports.push(Report { waited_as, owner: request.owner, outcome });
        self.lock(sink);
        self.fall(sink);
    }

    /// What stop logic held back of a stop at market trades in the auction that follows.
    fn keep_for_auction(&mut self, waited_as: u64, request: Request, outcome: &mut Result<Entered, super::Refusal>) {
        let Ok(entered) = outcome else { return };
        let quantity = std::mem::take(&mut entered.cancelled);
        if quantity > 0 {
            entered.waits = Some(waited_as);
            self.at_open.push((waited_as, Request { quantity, stop: None, ..request }));
        }
    }
}

/// Ticks that `ppm` of a price make, at least one.
fn share(tick: i32, ppm: u32) -> i32 {
    ((i64::from(tick) * i64::from(ppm) / 1_000_000) as i32).max(1)
}
