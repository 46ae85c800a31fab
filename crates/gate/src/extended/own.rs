// SPDX-License-Identifier: Apache-2.0
//! Best own working price per side, for control 30: exact when it matters, a bound in between.
use crate::orders::{LiveOrder, OrderTable, state};
use pretrade_records::Side;

/// Best own price of one side; never worse than the best order that works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Best {
    price: i64,
    is_there: bool,
    /// An order left or changed since it was looked up: the real best may be worse.
    is_bound: bool,
}

/// Best own prices by place (instrument and account, or instrument alone) and side.
#[derive(Debug, Default)]
pub struct OwnBook {
    best: Vec<[Best; 2]>,
}

fn side_of(side: u8) -> usize {
    usize::from(side != Side::BUY as u8)
}

/// True where `a` is the better price of a side: a higher buy, a lower sell.
fn is_better(side: usize, a: i64, b: i64) -> bool {
    if side == 0 { a > b } else { a < b }
}

impl OwnBook {
    /// No order works.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Room for so many places.
    pub fn make_room(&mut self, places: usize) {
        self.best = vec![Default::default(); places];
    }

    /// An order of this side now works, or may.
    pub fn add(&mut self, place: usize, side: u8, price: i64) {
        let side = side_of(side);
        let best = &mut self.best[place][side];
        if !best.is_there || is_better(side, price, best.price) {
            (best.price, best.is_there) = (price, true);
        }
    }

    /// An order of this side left or changed.
    pub fn loosen(&mut self, place: usize, side: u8) {
        self.best[place][side_of(side)].is_bound = true;
    }

    /// The best own price of the other side that an order at `price` would trade with, `None` where it would not.
    pub fn match_of(&mut self, place: usize, side: u8, price: i64, orders: &OrderTable, is_here: impl Fn(&LiveOrder) -> bool) -> Option<i64> {
        let other = 1 - side_of(side);
        if !Self::trades(other, price, self.best[place][other]) {
            return None;
        }
        if self.best[place][other].is_bound {
            let mut exact = Best::default();
            let works = |o: &&LiveOrder| o.state != state::EMPTY && o.state != state::HELD && side_of(o.side) == other && is_here(o);
            for order in orders.iter_with_aliases().filter(works) {
                if !exact.is_there || is_better(other, order.price, exact.price) {
                    exact = Best { price: order.price, is_there: true, is_bound: false };
                }
            }
            self.best[place][other] = exact;
        }
        let best = self.best[place][other];
        Self::trades(other, price, best).then_some(best.price)
    }

    fn trades(other: usize, price: i64, best: Best) -> bool {
        best.is_there && !is_better(other, price, best.price)
    }
}
