// SPDX-License-Identifier: Apache-2.0
//! Price-time matching of one instrument in integer ticks and lots.
//!
//! [`Engine`] matches and keeps the book; [`exchange::Exchange`] puts order types, trading states and protections around it.
use ladder::{Ladder, Reserve, Resting};
use pretrade_records::{Phase, Side};

pub mod auction;
mod ladder;
pub mod mix;
pub mod replay;

/// A resting order's handle: slot and the id it must still carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Handle {
    /// Slot in the pool.
    pub slot: u32,
    /// Venue order id; a slot is reused under another id.
    pub order_id: u64,
}

/// What matching and book keeping say, in the order it happens.
pub trait Sink {
    /// An order, or the next peak of an iceberg, entered the book.
    fn added(&mut self, order_id: u64, side: Side, tick: i32, size: i64);
    /// `size` of an order left unfilled.
    fn cancelled(&mut self, order_id: u64, side: Side, tick: i32, size: i64);
    /// An order now stands at `tick` with `size` (the new total); it keeps its id.
    fn modified(&mut self, order_id: u64, side: Side, tick: i32, size: i64);
    /// A resting order of `owner` was filled at `tick`, by an aggressor or in an auction.
    fn filled(&mut self, order_id: u64, owner: u32, side: Side, tick: i32, size: i64);
    /// An order outside the book traded in an auction, at its price.
    fn filled_at_market(&mut self, _order_id: u64, _owner: u32, _side: Side, _tick: i32, _size: i64) {}
    /// Everything an aggressor or an auction (`Side::None`) traded has been said.
    fn traded(&mut self, _aggressor: Side) {}
    /// The trading state is another.
    fn status(&mut self, _phase: Phase) {}
}

/// What happens where an order would trade with one of the same owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SelfTrade {
    /// They trade.
    #[default]
    Allow,
    /// What is left of the order that arrives is cancelled.
    CancelNewest,
    /// The resting order is cancelled.
    CancelOldest,
    /// Both are cancelled.
    CancelBoth,
    /// Both shrink by the smaller of the two; nothing trades.
    Decrement,
}

/// What an order that takes did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Lots traded.
    pub filled: i64,
    /// Lots that self-trade prevention took off the order.
    pub prevented: i64,
}

/// The matching engine of one instrument.
#[derive(Clone, Debug)]
pub struct Engine {
    ladder: Ladder,
    next_order_id: u64,
    last_trade: Option<i32>,
}

impl Engine {
    /// An empty book over `lowest_tick .. lowest_tick + ticks`.
    #[must_use]
    pub fn new(lowest_tick: i32, ticks: usize) -> Self {
        Self { ladder: Ladder::new(lowest_tick, ticks), next_order_id: 1, last_trade: None }
    }

    /// Best bid tick, `None` where the side is empty.
    #[must_use]
    pub fn best_bid(&self) -> Option<i32> {
        self.ladder.best_of(Side::Bid)
    }

    /// Best ask tick, `None` where the side is empty.
    #[must_use]
    pub fn best_ask(&self) -> Option<i32> {
        self.ladder.best_of(Side::Ask)
    }

    /// Tick of the last trade.
    #[must_use]
    pub fn last_trade(&self) -> Option<i32> {
        self.last_trade
    }

    /// Number of resting orders.
    #[must_use]
    pub fn live_orders(&self) -> u32 {
        self.ladder.live()
    }

    /// True where somebody bids what somebody asks, or more.
    #[must_use]
    pub fn is_crossed(&self) -> bool {
        self.ladder.best(Side::Bid) >= self.ladder.best(Side::Ask)
    }

    /// Shown size at a tick; of both sides where they cross.
    #[must_use]
    pub fn size_at(&self, tick: i32) -> i64 {
        self.ladder.size_at(Side::Bid, tick) + self.ladder.size_at(Side::Ask, tick)
    }

    /// Sum of the best `n` occupied levels of a side.
    #[must_use]
    pub fn depth(&self, side: Side, n: usize) -> i64 {
        self.ladder.ticks(side).take(n).map(|t| self.ladder.size_at(side, t)).sum()
    }

    /// Occupied ticks of a side with their shown size, best first.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = (i32, i64)> + '_ {
        self.ladder.ticks(side).map(move |t| (t, self.ladder.size_at(side, t)))
    }

    /// Ids and shown sizes of the orders of a level, oldest first.
    pub fn queue(&self, side: Side, tick: i32) -> impl Iterator<Item = (u64, i64)> + '_ {
        self.ladder.queue(side, tick).map(|slot| (self.ladder.order(slot).order_id, self.ladder.order(slot).size))
    }

    /// First tick of the ladder.
    #[must_use]
    pub fn lowest_tick(&self) -> i32 {
        self.ladder.lowest()
    }

    /// Last tick of the ladder.
    #[must_use]
    pub fn highest_tick(&self) -> i32 {
        self.ladder.highest()
    }

    /// True where the tick lies on the ladder.
    #[must_use]
    pub fn is_on_ladder(&self, tick: i32) -> bool {
        self.ladder.at(tick).is_some()
    }

    /// Size still resting behind a handle, hidden quantity included; 0 where it is gone.
    #[must_use]
    pub fn resting(&self, handle: Handle) -> i64 {
        self.ladder.find(handle).map_or(0, |o| o.size + self.ladder.reserve(handle.slot).hidden)
    }

    /// Tick of a resting order; meaningless where it is gone.
    #[must_use]
    pub fn tick_of(&self, handle: Handle) -> i32 {
        self.ladder.slot(handle.slot).map_or(i32::MIN, |o| o.tick)
    }

    /// Side of a resting order, `None` where it is gone.
    #[must_use]
    pub fn side_of(&self, handle: Handle) -> Option<Side> {
        self.ladder.find(handle).map(|o| o.side)
    }

    /// Owner of a resting order, `None` where it is gone.
    #[must_use]
    pub fn owner_of(&self, handle: Handle) -> Option<u32> {
        self.ladder.find(handle).map(|o| o.owner)
    }

    /// Shown quantity an order of `side` could take up to `tick`, counted until `wanted` is reached (fill or kill asks first).
    #[must_use]
    pub fn takeable(&self, side: Side, tick: i32, wanted: i64) -> i64 {
        let other = side.opposite();
        let mut sum = 0;
        for t in self.ladder.ticks(other).take_while(|t| reaches(side, tick, *t)) {
            sum += self.ladder.size_at(other, t);
            if sum >= wanted {
                break;
            }
        }
        sum
    }

    /// As [`Engine::takeable`] for an owner who may not trade with itself: orders of its own end the count, or are passed over where
    /// they would be cancelled.
    #[must_use]
    pub fn takeable_from_others(&self, owner: u32, policy: SelfTrade, side: Side, tick: i32, wanted: i64) -> i64 {
        if policy == SelfTrade::Allow {
            return self.takeable(side, tick, wanted);
        }
        let (other, mut sum) = (side.opposite(), 0);
        let reached = self.ladder.ticks(other).take_while(|t| reaches(side, tick, *t));
        for o in reached.flat_map(|t| self.ladder.queue(other, t)).map(|slot| self.ladder.order(slot)) {
            match (o.owner == owner, policy) {
                (true, SelfTrade::CancelOldest) => {}
                (true, _) => break,
                _ => sum += o.size,
            }
            if sum >= wanted {
                break;
            }
        }
        sum
    }

    /// True where an order of `side` at `tick` would trade at once.
    #[must_use]
    pub fn would_trade(&self, side: Side, tick: i32) -> bool {
        match side {
            Side::Ask => tick <= self.ladder.best(Side::Bid),
            _ => tick >= self.ladder.best(Side::Ask),
        }
    }

    /// Enters a limit order: crosses what it can up to `tick`, rests the remainder where `rests`.
    ///
    /// Returns the quantity filled and the handle of the remainder. A tick off the ladder rests nothing.
    pub fn limit(&mut self, owner: u32, side: Side, tick: i32, quantity: i64, rests: bool, sink: &mut impl Sink) -> (i64, Option<Handle>) {
        let filled = self.take(side, tick, quantity, sink);
        let rest = if rests { quantity - filled } else { 0 };
        (filled, self.rest(owner, side, tick, rest, 0, sink))
    }

    /// Enters an order that may only rest; `None` where it would trade.
    pub fn post(&mut self, owner: u32, side: Side, tick: i32, quantity: i64, sink: &mut impl Sink) -> Option<Handle> {
        if self.would_trade(side, tick) { None } else { self.rest(owner, side, tick, quantity, 0, sink) }
    }

    /// Rests an iceberg that shows `peak`; each refill keeps the order id and goes to the back of its queue.
    pub fn iceberg(&mut self, owner: u32, side: Side, tick: i32, quantity: i64, peak: i64, sink: &mut impl Sink) -> (i64, Option<Handle>) {
        let filled = self.take(side, tick, quantity, sink);
        (filled, self.rest(owner, side, tick, quantity - filled, peak.max(1), sink))
    }

    /// Puts an order into the book whatever stands on the other side; `peak` above 0 shows that much at a time. `None` where nothing
    /// is left to rest or the tick lies off the ladder.
    pub fn rest(&mut self, owner: u32, side: Side, tick: i32, quantity: i64, peak: i64, sink: &mut impl Sink) -> Option<Handle> {
        if quantity <= 0 || self.ladder.at(tick).is_none() {
            return None;
        }
        let order_id = self.next_order_id;
        self.next_order_id += 1;
        Some(self.rest_as(order_id, owner, side, tick, quantity, peak, sink))
    }

    #[allow(clippy::too_many_arguments)]
    fn rest_as(&mut self, order_id: u64, owner: u32, side: Side, tick: i32, quantity: i64, peak: i64, sink: &mut impl Sink) -> Handle {
        let size = if peak > 0 { quantity.min(peak) } else { quantity };
        let o = Resting { order_id, size, tick, owner, next: 0, previous: 0, side, is_iceberg: false };
        let slot = self.ladder.link(o, Reserve { hidden: quantity - size, peak });
        sink.added(order_id, side, tick, size);
        Handle { slot, order_id }
    }

    /// Takes liquidity up to `tick` (immediate or cancel); returns the quantity filled.
    pub fn take(&mut self, side: Side, tick: i32, quantity: i64, sink: &mut impl Sink) -> i64 {
        let other = side.opposite();
        let mut left = quantity;
        while left > 0 {
            let best = self.ladder.best(other);
            let Some(slot) = self.ladder.front(other, best).filter(|_| reaches(side, tick, best)) else { break };
            left -= self.fill(slot, best, left, sink);
        }
        quantity - left
    }

    /// As [`Engine::take`] for an owner who may not trade with itself.
    pub fn take_from_others(&mut self, owner: u32, policy: SelfTrade, side: Side, tick: i32, quantity: i64, sink: &mut impl Sink) -> Taken {
        let other = side.opposite();
        let mut left = quantity;
        let mut taken = Taken::default();
        while left > 0 {
            let best = self.ladder.best(other);
            let Some(slot) = self.ladder.front(other, best).filter(|_| reaches(side, tick, best)) else { break };
            if policy == SelfTrade::Allow || self.ladder.order(slot).owner != owner {
                let size = self.fill(slot, best, left, sink);
                taken.filled += size;
                left -= size;
                continue;
            }
            let prevented = match policy {
                SelfTrade::CancelNewest | SelfTrade::CancelBoth => left,
                SelfTrade::Decrement => left.min(self.ladder.order(slot).size),
                _ => 0,
            };
            match policy {
                SelfTrade::CancelOldest | SelfTrade::CancelBoth => _ = self.cancel_slot(slot, sink),
                SelfTrade::Decrement => self.decrement(slot, prevented, sink),
                _ => {}
            }
            taken.prevented += prevented;
            left -= prevented;
        }
        taken
    }

    /// Cancels what is left of an order; returns the size that left the book.
    pub fn cancel(&mut self, handle: Handle, sink: &mut impl Sink) -> i64 {
        if self.ladder.find(handle).is_none() { 0 } else { self.cancel_slot(handle.slot, sink) }
    }

    /// Cancels everything of an owner, of one side or of both (`Side::None`), best level first; returns how many orders.
    pub fn cancel_all(&mut self, owner: u32, of: Side, sink: &mut impl Sink) -> usize {
        let sides = [Side::Bid, Side::Ask].into_iter().filter(|side| of == Side::None || *side == of);
        let ladder = &self.ladder;
        let slots = |side| ladder.ticks(side).flat_map(move |t| ladder.queue(side, t));
        let found: Vec<u32> = sides.flat_map(slots).filter(|slot| self.ladder.order(*slot).owner == owner).collect();
        for slot in &found {
            self.cancel_slot(*slot, sink);
        }
        found.len()
    }

    fn cancel_slot(&mut self, slot: u32, sink: &mut impl Sink) -> i64 {
        let o = *self.ladder.order(slot);
        let hidden = self.ladder.reserve(slot).hidden;
        self.ladder.unlink(slot);
        sink.cancelled(o.order_id, o.side, o.tick, o.size);
        o.size + hidden
    }

    /// Takes `by` off an order's visible size; it keeps its priority. Returns what left.
    pub fn reduce(&mut self, handle: Handle, by: i64, sink: &mut impl Sink) -> i64 {
        let Some(o) = self.ladder.find(handle).copied().filter(|_| by > 0) else { return 0 };
        if by >= o.size {
            return self.cancel_slot(handle.slot, sink);
        }
        self.ladder.shrink(handle.slot, by);
        sink.cancelled(o.order_id, o.side, o.tick, by);
        by
    }

    /// Takes `by` off an order that self-trade prevention met; an iceberg shows its next peak.
    fn decrement(&mut self, slot: u32, by: i64, sink: &mut impl Sink) {
        let o = *self.ladder.order(slot);
        sink.cancelled(o.order_id, o.side, o.tick, by);
        self.remove(slot, by, sink);
    }

    /// Moves an order to a new price and visible size; it keeps its id.
    ///
    /// A smaller size at the same price keeps priority; anything else (unchanged ones too) goes to the back. A price that
    /// crosses leaves the book, trades, and rests the remainder under a new id. Returns the quantity filled and the handle.
    pub fn replace(&mut self, handle: Handle, tick: i32, quantity: i64, sink: &mut impl Sink) -> (i64, Option<Handle>) {
        let Some(o) = self.ladder.find(handle).copied() else { return (0, None) };
        if quantity <= 0 || self.ladder.at(tick).is_none() {
            return (0, None);
        }
        if self.would_trade(o.side, tick) {
            self.cancel_slot(handle.slot, sink);
            return self.limit(o.owner, o.side, tick, quantity, true, sink);
        }
        (0, self.move_to(handle, tick, quantity, sink))
    }

    /// As [`Engine::replace`], whatever stands on the other side: the order only moves.
    pub fn move_to(&mut self, handle: Handle, tick: i32, quantity: i64, sink: &mut impl Sink) -> Option<Handle> {
        let o = *self.ladder.find(handle).filter(|_| quantity > 0 && self.ladder.at(tick).is_some())?;
        sink.modified(o.order_id, o.side, tick, quantity);
        if tick == o.tick && quantity < o.size {
            self.ladder.shrink(handle.slot, o.size - quantity);
            return Some(handle);
        }
        let reserve = self.ladder.reserve(handle.slot);
        self.ladder.unlink(handle.slot);
        let slot = self.ladder.link(Resting { tick, size: quantity, ..o }, reserve);
        Some(Handle { slot, order_id: o.order_id })
    }

    /// Fills an order at `tick`, at most `wanted` of what it shows; an iceberg comes back at the end of the queue.
    #[inline]
    fn fill(&mut self, slot: u32, tick: i32, wanted: i64, sink: &mut impl Sink) -> i64 {
        let o = self.ladder.order(slot);
        let size = o.size.min(wanted);
        self.last_trade = Some(tick);
        sink.filled(o.order_id, o.owner, o.side, tick, size);
        self.remove(slot, size, sink);
        size
    }

    #[inline]
    fn remove(&mut self, slot: u32, size: i64, sink: &mut impl Sink) {
        let o = *self.ladder.order(slot);
        if size < o.size {
            return self.ladder.shrink(slot, size);
        }
        let reserve = self.ladder.reserve(slot);
        self.ladder.unlink(slot);
        if reserve.hidden > 0 {
            let shown = reserve.hidden.min(reserve.peak);
            self.ladder.link(Resting { size: shown, ..o }, Reserve { hidden: reserve.hidden - shown, ..reserve });
            sink.added(o.order_id, o.side, o.tick, shown);
        }
    }
}

/// True where an order of `side` with that limit may trade at `tick`.
#[inline]
const fn reaches(side: Side, limit: i32, tick: i32) -> bool {
    match side {
        Side::Ask => tick >= limit,
        _ => tick <= limit,
    }
}

#[cfg(test)]
mod tests;
