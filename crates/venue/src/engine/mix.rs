// SPDX-License-Identifier: Apache-2.0
//! The stream of operations the engine's speed is measured on: a book as deep as the E-mini's, 49.6 % adds, 45.6 % cancels, 4.8 %
//! immediate-or-cancel orders; prices around the touch as in the ES recording of 25 December 2023.
use super::{Engine, Handle, Sink};
use crate::rng::Draws;
use pretrade_records::Side;

/// Orders that rest before the first operation, as in the ES recording.
pub const RESTING: usize = 11_217;
const LOWEST_TICK: i32 = 16_000;
const TICKS: usize = 8_192;
const MIDDLE: i32 = 20_096;

/// One operation; a cancel names the add it takes away by its place among all adds.
#[derive(Clone, Copy, Debug)]
pub enum Operation {
    /// A limit order that rests what it cannot take.
    Add(Side, i32, i64),
    /// A cancel of the add of that number.
    Cancel(u32),
    /// An immediate-or-cancel order.
    Take(Side, i32, i64),
}

/// Operations in order, the first `warm_up` of them build the book.
#[derive(Debug)]
pub struct Mix {
    /// All of them.
    pub operations: Vec<Operation>,
    /// How many are not to be timed.
    pub warm_up: usize,
}

/// Counts what the engine says and keeps the fills of the order at work, as a venue must to tell their owners.
#[derive(Debug, Default)]
pub struct Tally {
    /// Orders that entered, left or were filled.
    pub said: u64,
    /// Lots filled.
    pub filled: i64,
    fills: Vec<(u64, i64)>,
}

impl Sink for Tally {
    fn added(&mut self, _order_id: u64, _side: Side, _tick: i32, _size: i64) {
        self.said += 1;
    }
    fn cancelled(&mut self, _order_id: u64, _side: Side, _tick: i32, _size: i64) {
        self.said += 1;
    }
    fn modified(&mut self, _order_id: u64, _side: Side, _tick: i32, _size: i64) {
        self.said += 1;
    }
    fn filled(&mut self, order_id: u64, _owner: u32, _side: Side, _tick: i32, size: i64) {
        self.said += 1;
        self.filled += size;
        self.fills.push((order_id, size));
    }
}

/// An engine under the stream: who sent an add keeps its handle.
#[derive(Debug)]
pub struct Bench {
    engine: Engine,
    handles: Vec<Handle>,
    /// What was said so far.
    pub tally: Tally,
}

impl Bench {
    /// An empty book, with room for the handles of that many adds.
    #[must_use]
    pub fn new(operations: usize) -> Self {
        Self { engine: Engine::new(LOWEST_TICK, TICKS), handles: Vec::with_capacity(operations), tally: Tally::default() }
    }

    /// Does one operation.
    #[inline]
    pub fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::Add(side, tick, size) => {
                let (_, handle) = self.engine.limit(1, side, tick, size, true, &mut self.tally);
                self.handles.push(handle.unwrap_or_default());
            }
            Operation::Cancel(of) => {
                self.engine.cancel(self.handles[of as usize], &mut self.tally);
            }
            Operation::Take(side, tick, size) => {
                self.tally.fills.clear();
                self.engine.take(side, tick, size, &mut self.tally);
            }
        }
    }

    /// Orders resting now.
    #[must_use]
    pub fn live_orders(&self) -> u32 {
        self.engine.live_orders()
    }
}

impl Mix {
    /// `count` operations to be timed, drawn from `seed`.
    #[must_use]
    pub fn new(seed: u64, count: usize) -> Self {
        let mut draws = Draws::new(seed, 0);
        let mut bench = Bench::new(RESTING + count);
        let mut operations = Vec::with_capacity(RESTING + count);
        let mut live: Vec<u32> = Vec::new();
        while operations.len() < RESTING + count {
            let u = if operations.len() < RESTING { 0.0 } else { draws.uniform() };
            let side = if draws.below(2) == 0 { Side::Bid } else { Side::Ask };
            let operation = if u < 0.496 {
                live.push(bench.handles.len() as u32);
                Operation::Add(side, near_touch(&bench.engine, side, &mut draws), draws.geometric(2.23))
            } else if u < 0.952 {
                let Some(of) = a_live_one(&bench, &mut live, &mut draws) else { continue };
                Operation::Cancel(of)
            } else {
                let touch = if side == Side::Bid { bench.engine.best_ask() } else { bench.engine.best_bid() };
                let Some(touch) = touch else { continue };
                // What is taken keeps the book about as full as it began.
                let mean = if bench.live_orders() as usize > RESTING { 2.6 } else { 1.3 };
                Operation::Take(side, touch + if side == Side::Bid { 2 } else { -2 }, draws.geometric(mean))
            };
            bench.apply(operation);
            operations.push(operation);
        }
        Self { operations, warm_up: RESTING }
    }
}

/// More than half the adds join the touch, some improve it where the spread is open, the others lie up to hundreds of ticks behind it.
fn near_touch(engine: &Engine, side: Side, draws: &mut Draws) -> i32 {
    let step = if side == Side::Bid { -1 } else { 1 };
    let own = if side == Side::Bid { engine.best_bid() } else { engine.best_ask() };
    let other = if side == Side::Bid { engine.best_ask() } else { engine.best_bid() };
    let touch = own.or(other.map(|t| t + step)).unwrap_or(MIDDLE + step);
    let u = draws.uniform();
    let is_open = other.is_some_and(|t| (t - touch).abs() > 1);
    if is_open && u < 0.5 {
        touch - step
    } else if u < 0.58 {
        touch
    } else {
        let mean = if u < 0.9 { 5.0 } else { 150.0 };
        touch + step * draws.geometric(mean).min(1_500) as i32
    }
}

/// A resting order drawn evenly; those found gone on the way are forgotten.
fn a_live_one(bench: &Bench, live: &mut Vec<u32>, draws: &mut Draws) -> Option<u32> {
    while !live.is_empty() {
        let of = live.swap_remove(draws.below(live.len() as u64) as usize);
        if bench.engine.resting(bench.handles[of as usize]) > 0 {
            return Some(of);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_has_the_shares_it_names_and_keeps_the_book_as_full_as_it_began() {
        let mix = Mix::new(3, 100_000);
        let mut bench = Bench::new(mix.operations.len());
        mix.operations[..mix.warm_up].iter().for_each(|o| bench.apply(*o));
        assert!(bench.live_orders() as usize > RESTING * 9 / 10);
        let timed = &mix.operations[mix.warm_up..];
        timed.iter().for_each(|o| bench.apply(*o));
        let share = |of: fn(&Operation) -> bool| timed.iter().filter(|o| of(o)).count() as f64 / timed.len() as f64;
        let (adds, takes) = (share(|o| matches!(o, Operation::Add(..))), share(|o| matches!(o, Operation::Take(..))));
        assert!((adds - 0.496).abs() < 0.005 && (takes - 0.048).abs() < 0.003, "{adds} {takes}");
        let live = bench.live_orders() as usize;
        assert!(live > RESTING * 9 / 10 && live < RESTING * 11 / 10, "{live} orders rest");
        assert!(bench.tally.filled > 5_000, "{} lots traded", bench.tally.filled);
    }

    #[test]
    fn no_cancel_of_the_stream_names_an_order_that_is_gone() {
        let mix = Mix::new(4, 20_000);
        let mut bench = Bench::new(mix.operations.len());
        for operation in &mix.operations {
            if let Operation::Cancel(of) = operation {
                assert!(bench.engine.resting(bench.handles[*of as usize]) > 0);
            }
            bench.apply(*operation);
        }
    }
}
