// SPDX-License-Identifier: Apache-2.0
//! How each order type enters, and how a resting one is changed.
use super::{Entered, Exchange, Handle, Lifetime, Phase, Price, Refusal, Request, SelfTrade, Side, Sink, is_triggered};

/// Passes everything on and keeps what traded, by price.
struct Tap<'a, S: Sink> {
    sink: &'a mut S,
    fills: Vec<(i32, i64)>,
}

impl<S: Sink> Sink for Tap<'_, S> {
    fn added(&mut self, order_id: u64, side: Side, tick: i32, size: i64) {
        self.sink.added(order_id, side, tick, size);
    }
    fn cancelled(&mut self, order_id: u64, side: Side, tick: i32, size: i64) {
        self.sink.cancelled(order_id, side, tick, size);
    }
    fn modified(&mut self, order_id: u64, side: Side, tick: i32, size: i64) {
        self.sink.modified(order_id, side, tick, size);
    }
    fn filled(&mut self, order_id: u64, owner: u32, side: Side, tick: i32, size: i64) {
        self.sink.filled(order_id, owner, side, tick, size);
        match self.fills.last_mut() {
            Some((t, s)) if *t == tick => *s += size,
            _ => self.fills.push((tick, size)),
        }
    }
}

impl Exchange {
    /// Enters an order.
    ///
    /// # Errors
    /// Why it does not enter; then nothing has changed.
    pub fn enter(&mut self, request: Request, sink: &mut impl Sink) -> Result<Entered, Refusal> {
        self.admit(&request)?;
        if let Some(trigger) = request.stop {
            let is_due = self.trades() && self.engine.last_trade().is_some_and(|last| is_triggered(request.side, trigger, last));
            if !is_due {
                self.waiting += 1;
                self.stops.wait(self.waiting, trigger, request);
                return Ok(Entered { waits: Some(self.waiting), ..Entered::default() });
            }
        }
        if request.lifetime == Lifetime::AtOpen {
            self.waiting += 1;
            self.at_open.push((self.waiting, request));
            return Ok(Entered { waits: Some(self.waiting), ..Entered::default() });
        }
        let before = self.phase;
        let entered = self.enter_now(request, None, sink)?;
        if !entered.fills.is_empty() || self.phase != before {
            self.after_trades(sink);
        }
        Ok(entered)
    }

    /// What the state and the order's own numbers allow.
    fn admit(&self, request: &Request) -> Result<(), Refusal> {
        let is_sound = request.quantity > 0 && request.peak >= 0 && request.side != Side::None;
        let is_on_ladder = |tick| self.engine.is_on_ladder(tick);
        match (self.phase, request.price) {
            (Phase::Closed | Phase::Break | Phase::Unknown | Phase::Auction, _) => return Err(Refusal::Closed),
            _ if !is_sound => return Err(Refusal::BadQuantity),
            (_, Price::Limit(tick)) if !is_on_ladder(tick) || self.is_beyond_limits(tick) => return Err(Refusal::PriceOutOfRange),
            _ => {}
        }
        let is_resting = request.lifetime == Lifetime::Day && (request.stop.is_some() || request.price != Price::Market);
        let is_admitted = match (request.lifetime, self.phase) {
            (Lifetime::AtOpen, phase) => phase == Phase::PreOpen && request.price == Price::Market && request.stop.is_none(),
            (_, Phase::PreOpen | Phase::Halted) => is_resting,
            _ => true,
        };
        if is_admitted { Ok(()) } else { Err(Refusal::NotInThisState) }
    }

    fn is_beyond_limits(&self, tick: i32) -> bool {
        self.rules.price_limit_ticks.is_some_and(|ticks| (tick - self.reference).abs() > ticks)
    }

    /// Enters an order that waits for nothing; `from` is where a cascade of stops began.
    pub(super) fn enter_now(&mut self, request: Request, from: Option<i32>, sink: &mut impl Sink) -> Result<Entered, Refusal> {
        let limit = self.limit_of(&request)?;
        if !self.trades() {
            let handle = self.engine.rest(request.owner, request.side, limit, request.quantity, request.peak, sink);
            return Ok(Entered { handle, ..Entered::default() });
        }
        let bound = self.bound(request.side, from);
        let reach = bound.map_or(limit, |(tick, _)| nearer(request.side, limit, tick));
        let takeable = |wanted| self.engine.takeable_from_others(request.owner, self.rules.self_trade, request.side, reach, wanted);
        if request.lifetime == Lifetime::FillOrKill && takeable(request.quantity) < request.quantity {
            return Ok(Entered { cancelled: request.quantity, ..Entered::default() });
        }
        let (mut entered, left) = self.trade(&request, reach, sink);
        // A protection acts only where the order would have gone on beyond it.
        let tripped = bound.filter(|_| left > 0 && self.engine.would_trade(request.side, limit) && reach != limit);
        if let Some((_, guard)) = tripped {
            self.trip(guard, sink);
        }
        self.settle(&request, limit, left, tripped.is_some(), &mut entered, sink);
        if !entered.fills.is_empty() {
            sink.traded(request.side);
        }
        Ok(entered)
    }

    /// The limit that the book is met with: post-only slides or is refused, a market order is protected.
    fn limit_of(&self, request: &Request) -> Result<i32, Refusal> {
        let step = if request.side == Side::Ask { -1 } else { 1 };
        let other = if request.side == Side::Ask { self.engine.best_bid() } else { self.engine.best_ask() };
        match request.price {
            Price::Market => {
                let protected = other.ok_or(Refusal::NothingThere)?.saturating_add(step * self.rules.protection_ticks);
                Ok(self.rules.price_limit_ticks.map_or(protected, |ticks| nearer(request.side, protected, self.reference + step * ticks)))
            }
            Price::Limit(tick) if request.is_post_only && self.engine.would_trade(request.side, tick) => match other {
                Some(best) if self.rules.post_only_slides && self.engine.is_on_ladder(best - step) => Ok(best - step),
                _ => Err(Refusal::WouldTrade),
            },
            Price::Limit(tick) => Ok(tick),
        }
    }

    fn trade(&mut self, request: &Request, reach: i32, sink: &mut impl Sink) -> (Entered, i64) {
        let first = if request.side == Side::Ask { self.engine.best_bid() } else { self.engine.best_ask() };
        let mut tap = Tap { sink, fills: Vec::new() };
        let taken = match self.rules.self_trade {
            SelfTrade::Allow => crate::engine::Taken { filled: self.engine.take(request.side, reach, request.quantity, &mut tap), prevented: 0 },
            policy => self.engine.take_from_others(request.owner, policy, request.side, reach, request.quantity, &mut tap),
        };
        let fills = tap.fills;
        if !fills.is_empty() {
            self.note_trades(first.unwrap_or(reach));
        }
        (Entered { fills, prevented: taken.prevented, ..Entered::default() }, request.quantity - taken.filled - taken.prevented)
    }

    /// Rests or cancels what is left. Beyond a protection a market or immediate order is eliminated, a limit order waits in the book.
    fn settle(&mut self, request: &Request, limit: i32, left: i64, is_tripped: bool, entered: &mut Entered, sink: &mut impl Sink) {
        let is_market = request.price == Price::Market;
        let rests = request.lifetime == Lifetime::Day && (!is_market || (self.rules.market_remainder_rests && !is_tripped));
        if left > 0 && rests {
            entered.handle = self.engine.rest(request.owner, request.side, limit, left, request.peak, sink);
        }
        entered.cancelled = if entered.handle.is_some() { 0 } else { left };
    }

    /// Changes price and shown size of a resting order: a smaller size keeps its place, anything else loses it. Outside continuous
    /// trading it only moves; a new price that trades leaves the book and enters again.
    ///
    /// # Errors
    /// Why nothing was changed.
    pub fn replace(&mut self, handle: Handle, tick: i32, quantity: i64, sink: &mut impl Sink) -> Result<Entered, Refusal> {
        let (Some(side), true) = (self.engine.side_of(handle), quantity > 0) else { return Err(Refusal::BadQuantity) };
        if self.phase == Phase::Closed {
            return Err(Refusal::Closed);
        }
        if !self.engine.is_on_ladder(tick) || self.is_beyond_limits(tick) {
            return Err(Refusal::PriceOutOfRange);
        }
        if !self.trades() || !self.engine.would_trade(side, tick) {
            return Ok(Entered { handle: self.engine.move_to(handle, tick, quantity, sink), ..Entered::default() });
        }
        let owner = self.engine.owner_of(handle).unwrap_or_default();
        self.engine.cancel(handle, sink);
        self.enter(Request::limit(owner, side, tick, quantity), sink)
    }
}

/// The one of two limits that an order of `side` meets first.
const fn nearer(side: Side, a: i32, b: i32) -> i32 {
    match side {
        Side::Ask if a > b => a,
        Side::Ask => b,
        _ if a < b => a,
        _ => b,
    }
}
