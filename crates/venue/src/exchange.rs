// SPDX-License-Identifier: Apache-2.0
//! Order types, trading states and protections around the matching engine (section 2 of the simulation sheet).
//!
//! Time comes in through [`Exchange::advance`]; every change of state is said to the sink.
use crate::engine::auction::AtMarket;
use crate::engine::{Engine, Handle, SelfTrade, Sink};
use path::Path;
use pretrade_records::{Phase, Side};
pub use rules::{Breaker, Fall, Rules, StopLogic, Velocity};
use stops::{Stops, is_triggered};

mod guards;
mod market_calls;
mod orders;
mod path;
mod rules;
mod stops;

/// Price of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Price {
    /// At this tick or better.
    Limit(i32),
    /// Whatever the book gives, down to the protection price.
    Market,
}

/// How long an order stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lifetime {
    /// Rests.
    #[default]
    Day,
    /// Takes what it can at once, the rest is cancelled.
    ImmediateOrCancel,
    /// Takes all of it at once or nothing.
    FillOrKill,
    /// For the next auction alone, at its price.
    AtOpen,
}

/// A new order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Account key; self-trade prevention goes by it.
    pub owner: u32,
    /// Bid buys, ask sells.
    pub side: Side,
    /// Its price.
    pub price: Price,
    /// Lots.
    pub quantity: i64,
    /// How long it stands.
    pub lifetime: Lifetime,
    /// Waits for a trade at or through this tick.
    pub stop: Option<i32>,
    /// May only rest.
    pub is_post_only: bool,
    /// Shows so much at a time; 0 shows all.
    pub peak: i64,
}

impl Request {
    /// A limit order that rests what it cannot take.
    #[must_use]
    pub const fn limit(owner: u32, side: Side, tick: i32, quantity: i64) -> Self {
        Self { owner, side, price: Price::Limit(tick), quantity, lifetime: Lifetime::Day, stop: None, is_post_only: false, peak: 0 }
    }

    /// A market order.
    #[must_use]
    pub const fn market(owner: u32, side: Side, quantity: i64) -> Self {
        Self { price: Price::Market, ..Self::limit(owner, side, 0, quantity) }
    }
}

/// Why an order does not enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The market is closed.
    Closed,
    /// Not of a kind that the state admits.
    NotInThisState,
    /// Would trade and may not.
    WouldTrade,
    /// Price off the ladder, or outside the price limits.
    PriceOutOfRange,
    /// No lots, or a peak that makes no sense.
    BadQuantity,
    /// A market order met an empty side.
    NothingThere,
}

/// What became of a new order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entered {
    /// What traded at once, by price.
    pub fills: Vec<(i32, i64)>,
    /// Lots cancelled at once: remainder of an immediate order, or what a protection eliminated.
    pub cancelled: i64,
    /// Lots that self-trade prevention took off.
    pub prevented: i64,
    /// The order that rests.
    pub handle: Option<Handle>,
    /// Number of the stop or auction order that waits.
    pub waits: Option<u64>,
}

impl Entered {
    /// Lots traded.
    #[must_use]
    pub fn filled(&self) -> i64 {
        self.fills.iter().map(|f| f.1).sum()
    }
}

/// What became of an order that waited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Its number while it waited.
    pub waited_as: u64,
    /// Whose it is.
    pub owner: u32,
    /// What happened; a refusal where it could not enter.
    pub outcome: Result<Entered, Refusal>,
}

/// One instrument of a venue.
#[derive(Clone, Debug)]
pub struct Exchange {
    engine: Engine,
    rules: Rules,
    phase: Phase,
    /// When the present pause ends.
    until: Option<i64>,
    now: i64,
    reference: i32,
    stops: Stops,
    at_open: Vec<(u64, Request)>,
    waiting: u64,
    velocity: Path,
    breaker: Path,
    falls_seen: usize,
    is_guarded: bool,
    reports: Vec<Report>,
}

impl Exchange {
    /// A venue in `phase` with an empty book; `reference` is the price of the last close.
    #[must_use]
    pub fn new(engine: Engine, rules: Rules, phase: Phase, reference: i32) -> Self {
        let velocity = Path::new(rules.velocity.map_or(0, |v| v.window_ns));
        let breaker = Path::new(rules.breaker.map_or(0, |b| b.window_ns));
        let is_guarded = Self::has_guards(&rules);
        Self {
            engine,
            is_guarded,
            rules,
            phase,
            until: None,
            now: 0,
            reference,
            stops: Stops::default(),
            at_open: Vec::new(),
            waiting: 0,
            velocity,
            breaker,
            falls_seen: 0,
            reports: Vec::new(),
        }
    }

    /// The book.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The state.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// When the present pause ends by itself.
    #[must_use]
    pub fn pause_ends(&self) -> Option<i64> {
        self.until
    }

    /// Orders that wait for a trigger or an auction.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.stops.len() + self.at_open.len()
    }

    /// What became of orders that waited, since the last call.
    pub fn reports(&mut self) -> Vec<Report> {
        std::mem::take(&mut self.reports)
    }

    /// Lets time pass to `now`; a pause that ends by then ends with an auction.
    pub fn advance(&mut self, now: i64, sink: &mut impl Sink) {
        self.now = now;
        if self.until.is_some_and(|until| until <= now) {
            self.open(sink);
        }
    }

    /// Collects orders until [`Exchange::open`], or for `pause_ns`.
    pub fn collect(&mut self, pause_ns: Option<i64>, sink: &mut impl Sink) {
        self.enter_phase(Phase::PreOpen, pause_ns, sink);
    }

    /// Ends the session: nothing enters, nothing is cancelled, until the market collects or opens again.
    pub fn close(&mut self, sink: &mut impl Sink) {
        self.enter_phase(Phase::Closed, None, sink);
    }

    /// Holds the auction and goes on in continuous trading.
    pub fn open(&mut self, sink: &mut impl Sink) {
        self.enter_phase(Phase::Auction, None, sink);
        let sum = |side| self.at_open.iter().filter(|(_, r)| r.side == side).map(|(_, r)| r.quantity).sum();
        let at_market = AtMarket { buys: sum(Side::Bid), sells: sum(Side::Ask) };
        let reference = self.engine.last_trade().unwrap_or(self.reference);
        let found = self.engine.uncross_and_tell(at_market, reference, &self.auction_orders(), sink);
        for (waited_as, request) in std::mem::take(&mut self.at_open) {
            let filled = found.as_ref().map_or(0, |f| f.at_market.iter().find(|s| s.0 == waited_as).map_or(0, |s| s.1));
            let fills = found.iter().filter(|_| filled > 0).map(|f| (f.uncross.tick, filled)).collect();
            let entered = Entered { fills, cancelled: request.quantity - filled, ..Entered::default() };
            self.reports.push(Report { waited_as, owner: request.owner, outcome: Ok(entered) });
        }
        let price = self.engine.last_trade().unwrap_or(self.reference);
        self.velocity.restart(self.now, price);
        self.breaker.restart(self.now, price);
        self.enter_phase(Phase::Continuous, None, sink);
        if found.is_some() {
            self.after_trades(sink);
        }
    }

    /// Cancels a resting order, outside CLOSED; returns the lots that left.
    pub fn cancel(&mut self, handle: Handle, sink: &mut impl Sink) -> i64 {
        if self.phase == Phase::Closed { 0 } else { self.engine.cancel(handle, sink) }
    }

    /// Cancels an order that waits; true where there was one.
    pub fn cancel_waiting(&mut self, waited_as: u64) -> bool {
        let at = self.at_open.iter().position(|(id, _)| *id == waited_as).filter(|_| self.phase != Phase::Closed);
        match at {
            Some(i) => _ = self.at_open.remove(i),
            None => return self.phase != Phase::Closed && self.stops.cancel(waited_as).is_some(),
        }
        true
    }

    /// Cancels everything of an owner, of one side or of both (`Side::None`), what waits too; returns how many orders.
    pub fn cancel_all(&mut self, owner: u32, of: Side, sink: &mut impl Sink) -> usize {
        if self.phase == Phase::Closed {
            return 0;
        }
        let at_open = self.at_open.iter().filter(|(_, r)| r.owner == owner && (of == Side::None || r.side == of)).map(|(id, _)| *id);
        let waiting: Vec<u64> = at_open.chain(self.stops.of(owner, of)).collect();
        self.engine.cancel_all(owner, of, sink) + waiting.iter().filter(|id| self.cancel_waiting(**id)).count()
    }

    fn auction_orders(&self) -> Vec<(u64, u32, Side, i64)> {
        self.at_open.iter().map(|(id, r)| (*id, r.owner, r.side, r.quantity)).collect()
    }

    fn enter_phase(&mut self, phase: Phase, pause_ns: Option<i64>, sink: &mut impl Sink) {
        self.until = pause_ns.map(|ns| self.now + ns);
        if self.phase != phase {
            self.phase = phase;
            sink.status(phase);
        }
    }

    const fn trades(&self) -> bool {
        matches!(self.phase, Phase::Continuous | Phase::LimitLocked)
    }
}
