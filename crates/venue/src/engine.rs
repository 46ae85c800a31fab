// SPDX-License-Identifier: Apache-2.0
//! Price-time matching on a bounded tick ladder: integer ticks and lots, pooled orders, intrusive queues, an occupancy bitmap.
use pretrade_records::Side;

pub mod mix;

/// No order, no level.
const NONE: u32 = u32::MAX;

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
    /// A resting order of `owner` was filled by an aggressor.
    fn filled(&mut self, order_id: u64, owner: u32, side: Side, tick: i32, size: i64);
}

#[derive(Clone, Copy, Debug)]
struct Resting {
    order_id: u64,
    size: i64,
    /// Hidden quantity of an iceberg and its peak.
    hidden: i64,
    peak: i64,
    tick: i32,
    owner: u32,
    next: u32,
    previous: u32,
    side: Side,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    head: u32,
    tail: u32,
    size: i64,
    count: u32,
}

const EMPTY: Level = Level { head: NONE, tail: NONE, size: 0, count: 0 };

/// The matching engine of one instrument.
#[derive(Debug)]
pub struct Engine {
    levels: Vec<Level>,
    occupied: [Vec<u64>; 2],
    lowest_tick: i32,
    best: [i32; 2],
    pool: Vec<Resting>,
    free: Vec<u32>,
    next_order_id: u64,
    last_trade: Option<i32>,
    live: u32,
}

const fn index(side: Side) -> usize {
    match side {
        Side::Ask => 1,
        _ => 0,
    }
}

impl Engine {
    /// An empty book over `lowest_tick .. lowest_tick + ticks`.
    #[must_use]
    pub fn new(lowest_tick: i32, ticks: usize) -> Self {
        let words = ticks.div_ceil(64);
        Self {
            levels: vec![EMPTY; words * 64],
            occupied: [vec![0; words], vec![0; words]],
            lowest_tick,
            best: [i32::MIN, i32::MAX],
            pool: Vec::new(),
            free: Vec::new(),
            next_order_id: 1,
            last_trade: None,
            live: 0,
        }
    }

    /// Best bid tick, `None` where the side is empty.
    #[must_use]
    pub fn best_bid(&self) -> Option<i32> {
        (self.best[0] != i32::MIN).then_some(self.best[0])
    }

    /// Best ask tick, `None` where the side is empty.
    #[must_use]
    pub fn best_ask(&self) -> Option<i32> {
        (self.best[1] != i32::MAX).then_some(self.best[1])
    }

    /// Tick of the last trade.
    #[must_use]
    pub fn last_trade(&self) -> Option<i32> {
        self.last_trade
    }

    /// Number of resting orders.
    #[must_use]
    pub fn live_orders(&self) -> u32 {
        self.live
    }

    /// Total size at a tick.
    #[must_use]
    pub fn size_at(&self, tick: i32) -> i64 {
        self.at(tick).map_or(0, |i| self.levels[i].size)
    }

    /// Sum of the best `n` occupied levels of a side.
    #[must_use]
    pub fn depth(&self, side: Side, n: usize) -> i64 {
        let mut sum = 0;
        let mut tick = self.best[index(side)];
        for _ in 0..n {
            let Some(i) = self.at(tick) else { break };
            sum += self.levels[i].size;
            match self.next_level(side, tick) {
                Some(t) => tick = t,
                None => break,
            }
        }
        sum
    }

    /// True where the tick lies on the ladder.
    #[must_use]
    pub fn is_on_ladder(&self, tick: i32) -> bool {
        self.at(tick).is_some()
    }

    /// Size still resting behind a handle, 0 where it is gone.
    #[must_use]
    pub fn resting(&self, handle: Handle) -> i64 {
        match self.pool.get(handle.slot as usize) {
            Some(o) if o.order_id == handle.order_id && o.size > 0 => o.size + o.hidden,
            _ => 0,
        }
    }

    /// Tick of a resting order; meaningless where it is gone.
    #[must_use]
    pub fn tick_of(&self, handle: Handle) -> i32 {
        self.pool.get(handle.slot as usize).map_or(i32::MIN, |o| o.tick)
    }

    /// Side of a resting order, `None` where it is gone.
    #[must_use]
    pub fn side_of(&self, handle: Handle) -> Option<Side> {
        (self.resting(handle) > 0).then(|| self.pool[handle.slot as usize].side)
    }

    /// Shown quantity an order of `side` could take up to `tick`, counted until `wanted` is reached (fill or kill asks first).
    #[must_use]
    pub fn takeable(&self, side: Side, tick: i32, wanted: i64) -> i64 {
        let other = side.opposite();
        let mut at = Some(self.best[index(other)]).filter(|t| self.is_on_ladder(*t));
        let mut sum = 0;
        while let Some(t) = at.filter(|t| if side == Side::Ask { *t >= tick } else { *t <= tick }) {
            sum += self.size_at(t);
            if sum >= wanted {
                break;
            }
            at = self.next_level(other, t);
        }
        sum
    }

    fn at(&self, tick: i32) -> Option<usize> {
        let i = i64::from(tick) - i64::from(self.lowest_tick);
        (i >= 0 && (i as usize) < self.levels.len()).then_some(i as usize)
    }

    /// Next occupied tick of a side, away from the touch.
    fn next_level(&self, side: Side, tick: i32) -> Option<i32> {
        let i = self.at(tick)?;
        let words = &self.occupied[index(side)];
        let (mut w, b) = (i / 64, i % 64);
        if side == Side::Ask {
            let mut word = words[w] & (u64::MAX.checked_shl(b as u32 + 1).unwrap_or(0));
            loop {
                if word != 0 {
                    return Some(self.lowest_tick + (w * 64) as i32 + word.trailing_zeros() as i32);
                }
                w += 1;
                word = *words.get(w)?;
            }
        }
        let mut word = words[w] & ((1u64 << b) - 1);
        loop {
            if word != 0 {
                return Some(self.lowest_tick + (w * 64) as i32 + 63 - word.leading_zeros() as i32);
            }
            w = w.checked_sub(1)?;
            word = words[w];
        }
    }

    /// Enters a limit order: crosses what it can up to `tick`, rests the remainder where `rests`.
    ///
    /// Returns the quantity filled and the handle of the remainder. A tick off the ladder rests nothing.
    pub fn limit(&mut self, owner: u32, side: Side, tick: i32, quantity: i64, rests: bool, sink: &mut impl Sink) -> (i64, Option<Handle>) {
        let filled = self.take(side, tick, quantity, sink);
        let rest = quantity - filled;
        if rest == 0 || !rests || self.at(tick).is_none() {
            return (filled, None);
        }
        (filled, Some(self.rest(owner, side, tick, rest, 0, rest, sink)))
    }

    /// Enters an order that may only rest; `None` where it would trade.
    pub fn post(&mut self, owner: u32, side: Side, tick: i32, quantity: i64, sink: &mut impl Sink) -> Option<Handle> {
        let would_trade = match side {
            Side::Ask => tick <= self.best[0],
            _ => tick >= self.best[1],
        };
        if would_trade || self.at(tick).is_none() || quantity <= 0 {
            return None;
        }
        Some(self.rest(owner, side, tick, quantity, 0, quantity, sink))
    }

    /// Rests an iceberg that shows `peak`; each refill keeps the order id and goes to the back of its queue.
    pub fn iceberg(&mut self, owner: u32, side: Side, tick: i32, quantity: i64, peak: i64, sink: &mut impl Sink) -> (i64, Option<Handle>) {
        let filled = self.take(side, tick, quantity, sink);
        let rest = quantity - filled;
        if rest == 0 || self.at(tick).is_none() {
            return (filled, None);
        }
        let shown = rest.min(peak.max(1));
        (filled, Some(self.rest(owner, side, tick, shown, rest - shown, peak.max(1), sink)))
    }

    /// Takes liquidity up to `tick` (immediate or cancel); returns the quantity filled.
    pub fn take(&mut self, side: Side, tick: i32, quantity: i64, sink: &mut impl Sink) -> i64 {
        let other = side.opposite();
        let mut left = quantity;
        while left > 0 {
            let best = self.best[index(other)];
            let crosses = match side {
                Side::Ask => best != i32::MIN && best >= tick,
                _ => best != i32::MAX && best <= tick,
            };
            if !crosses {
                break;
            }
            left -= self.fill_front(other, best, left, sink);
        }
        quantity - left
    }

    /// Cancels what is left of an order; returns the size that left the book.
    pub fn cancel(&mut self, handle: Handle, sink: &mut impl Sink) -> i64 {
        let size = self.resting(handle);
        if size == 0 {
            return 0;
        }
        let o = self.pool[handle.slot as usize];
        self.unlink(handle.slot);
        sink.cancelled(o.order_id, o.side, o.tick, o.size);
        size
    }

    /// Takes `by` off an order's visible size; it keeps its priority. Returns what left.
    pub fn reduce(&mut self, handle: Handle, by: i64, sink: &mut impl Sink) -> i64 {
        if self.resting(handle) == 0 || by <= 0 {
            return 0;
        }
        let o = self.pool[handle.slot as usize];
        if by >= o.size {
            return self.cancel(handle, sink);
        }
        self.pool[handle.slot as usize].size -= by;
        if let Some(i) = self.at(o.tick) {
            self.levels[i].size -= by;
        }
        sink.cancelled(o.order_id, o.side, o.tick, by);
        by
    }

    /// Moves an order to a new price and visible size; it keeps its id.
    ///
    /// A smaller size at the same price keeps priority; anything else (unchanged ones too) goes to the back. A price that
    /// crosses leaves the book, trades, and rests the remainder under a new id. Returns the quantity filled and the handle.
    pub fn replace(&mut self, handle: Handle, tick: i32, quantity: i64, sink: &mut impl Sink) -> (i64, Option<Handle>) {
        if self.resting(handle) == 0 || quantity <= 0 || self.at(tick).is_none() {
            return (0, None);
        }
        let o = self.pool[handle.slot as usize];
        if tick == o.tick && quantity < o.size {
            let by = o.size - quantity;
            self.pool[handle.slot as usize].size = quantity;
            if let Some(i) = self.at(tick) {
                self.levels[i].size -= by;
            }
            sink.modified(o.order_id, o.side, tick, quantity);
            return (0, Some(handle));
        }
        let crosses = match o.side {
            Side::Ask => tick <= self.best[0],
            _ => tick >= self.best[1],
        };
        if crosses {
            self.cancel(handle, sink);
            return self.limit(o.owner, o.side, tick, quantity, true, sink);
        }
        self.unlink(handle.slot);
        let slot = self.link(Resting { tick, size: quantity, ..o });
        sink.modified(o.order_id, o.side, tick, quantity);
        (0, Some(Handle { slot, order_id: o.order_id }))
    }

    /// Fills the oldest order of a level, at most `wanted`; an iceberg comes back at the end of the queue.
    fn fill_front(&mut self, side: Side, tick: i32, wanted: i64, sink: &mut impl Sink) -> i64 {
        let Some(i) = self.at(tick) else { return 0 };
        let slot = self.levels[i].head;
        let o = self.pool[slot as usize];
        let size = o.size.min(wanted);
        self.last_trade = Some(tick);
        sink.filled(o.order_id, o.owner, side, tick, size);
        if size < o.size {
            self.pool[slot as usize].size -= size;
            self.levels[i].size -= size;
            return size;
        }
        self.unlink(slot);
        if o.hidden > 0 {
            let shown = o.hidden.min(o.peak);
            self.link(Resting { size: shown, hidden: o.hidden - shown, ..o });
            sink.added(o.order_id, side, tick, shown);
        }
        size
    }

    #[allow(clippy::too_many_arguments)]
    fn rest(&mut self, owner: u32, side: Side, tick: i32, size: i64, hidden: i64, peak: i64, sink: &mut impl Sink) -> Handle {
        let order_id = self.next_order_id;
        self.next_order_id += 1;
        let slot = self.link(Resting { order_id, size, hidden, peak, tick, owner, next: NONE, previous: NONE, side });
        sink.added(order_id, side, tick, size);
        Handle { slot, order_id }
    }

    /// Puts an order at the back of its level.
    fn link(&mut self, mut o: Resting) -> u32 {
        let Some(i) = self.at(o.tick) else { return NONE };
        o.previous = self.levels[i].tail;
        o.next = NONE;
        let slot = match self.free.pop() {
            Some(slot) => {
                self.pool[slot as usize] = o;
                slot
            }
            None => {
                self.pool.push(o);
                (self.pool.len() - 1) as u32
            }
        };
        let level = &mut self.levels[i];
        if level.tail == NONE {
            level.head = slot;
        } else {
            self.pool[level.tail as usize].next = slot;
        }
        level.tail = slot;
        level.size += o.size;
        level.count += 1;
        self.live += 1;
        self.occupied[index(o.side)][i / 64] |= 1 << (i % 64);
        let best = &mut self.best[index(o.side)];
        *best = match o.side {
            Side::Ask => (*best).min(o.tick),
            _ => (*best).max(o.tick),
        };
        slot
    }

    /// Takes an order out of its level and frees its slot.
    fn unlink(&mut self, slot: u32) {
        let o = self.pool[slot as usize];
        let Some(i) = self.at(o.tick) else { return };
        match o.previous {
            NONE => self.levels[i].head = o.next,
            p => self.pool[p as usize].next = o.next,
        }
        match o.next {
            NONE => self.levels[i].tail = o.previous,
            n => self.pool[n as usize].previous = o.previous,
        }
        let level = &mut self.levels[i];
        level.size -= o.size;
        level.count -= 1;
        self.live -= 1;
        let emptied = level.count == 0;
        self.pool[slot as usize].size = 0;
        self.free.push(slot);
        if emptied {
            self.occupied[index(o.side)][i / 64] &= !(1 << (i % 64));
            if self.best[index(o.side)] == o.tick {
                let gone = if o.side == Side::Ask { i32::MAX } else { i32::MIN };
                self.best[index(o.side)] = self.next_level(o.side, o.tick).unwrap_or(gone);
            }
        }
    }
}

#[cfg(test)]
mod tests;
