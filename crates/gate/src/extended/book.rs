// SPDX-License-Identifier: Apache-2.0
//! What one party holds of one instrument, at cost: the part of 19 and 23 that fills move.
use crate::state::Instrument;
use pretrade_records::units::PPM;

/// Position at average cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Book {
    /// Signed quantity.
    pub position: i64,
    /// Money paid for it, signed as the position.
    pub cost: i128,
    /// What closing it at the mark would bring.
    pub unrealised: i128,
    /// Leaves of live buys.
    pub working_buy: i64,
    /// Leaves of live sells.
    pub working_sell: i64,
    /// Some of it came at a price that nobody said.
    pub is_unvalued: bool,
    /// It is held and has no mark.
    pub is_unmarked: bool,
}

/// Money of a quantity at a price, rounded towards zero; `None` without reference data.
#[must_use]
pub fn money(i: &Instrument, quantity: i64, price: i64) -> Option<i128> {
    let (steps, value) = (i128::from(i.lot_size) * i128::from(i.tick_size), i128::from(i.value_per_tick_lot));
    if i.lot_size <= 0 || i.tick_size <= 0 || i.value_per_tick_lot <= 0 {
        return None;
    }
    let product = i128::from(quantity) * i128::from(price);
    Some(product.checked_mul(value).map_or_else(|| (product / steps).saturating_mul(value), |whole| whole / steps))
}

/// As [`money`] without signs, rounded away from zero.
#[must_use]
pub fn value(i: &Instrument, quantity: i64, price: i64) -> Option<i128> {
    let (steps, value) = (i128::from(i.lot_size) * i128::from(i.tick_size), i128::from(i.value_per_tick_lot));
    if i.lot_size <= 0 || i.tick_size <= 0 || i.value_per_tick_lot <= 0 {
        return None;
    }
    // Whole lots at whole ticks: two multiplications instead of a 128-bit division of 100 ns.
    let (quantity, price) = (quantity.unsigned_abs(), price.unsigned_abs());
    let (lot, tick) = (i.lot_size.unsigned_abs(), i.tick_size.unsigned_abs());
    if quantity % lot == 0 && price % tick == 0 {
        return Some((i128::from(quantity / lot) * i128::from(price / tick)).saturating_mul(value));
    }
    let product = i128::from(quantity) * i128::from(price);
    Some(match product.checked_mul(value) {
        Some(whole) => (whole + steps - 1) / steps,
        None => (product / steps + 1).saturating_mul(value),
    })
}

/// `amount` times `ppm`, rounded down; in 64 bits where they suffice.
#[must_use]
pub fn scaled(amount: i64, ppm: i64) -> i64 {
    match amount.checked_mul(ppm) {
        Some(product) => product / i64::from(PPM),
        None => narrow(i128::from(amount) * i128::from(ppm) / i128::from(PPM)),
    }
}

/// `amount` as the 64-bit number of a decision.
#[must_use]
pub fn narrow(amount: i128) -> i64 {
    i64::try_from(amount).unwrap_or(if amount < 0 { i64::MIN } else { i64::MAX })
}

impl Book {
    /// Takes a fill of `signed` quantity that cost `paid` (negative: brought in); returns what it realised.
    pub fn fill(&mut self, signed: i64, paid: i128) -> i128 {
        let closes = self.position != 0 && (self.position > 0) != (signed > 0);
        if !closes {
            self.position = self.position.saturating_add(signed);
            self.cost = self.cost.saturating_add(paid);
            return 0;
        }
        let closed = signed.unsigned_abs().min(self.position.unsigned_abs());
        let share = |amount: i128, of: u64| amount * i128::from(closed) / i128::from(of.max(1));
        let (cost, came) = (share(self.cost, self.position.unsigned_abs()), share(paid, signed.unsigned_abs()));
        self.position = self.position.saturating_add(signed);
        self.cost = if closed == signed.unsigned_abs() { self.cost - cost } else { paid - came };
        if self.position == 0 {
            (self.cost, self.is_unvalued) = (0, false);
        }
        -(came + cost)
    }

    /// Values it at a mark: a long at the bid, a short at the ask.
    pub fn mark(&mut self, i: &Instrument, mark: Option<(i64, i64)>) {
        let price = mark.map(|(bid, ask)| if self.position > 0 { bid } else { ask });
        let worth = price.and_then(|price| money(i, self.position, price));
        self.is_unmarked = self.position != 0 && worth.is_none();
        self.unrealised = if self.position == 0 { 0 } else { worth.map_or(self.unrealised, |worth| worth - self.cost) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_round_trip_realises_the_difference_and_a_flip_begins_anew() {
        let mut book = Book::default();
        assert_eq!(book.fill(10, 1_000), 0);
        assert_eq!(book.fill(-4, -480), 80);
        assert_eq!((book.position, book.cost), (6, 600));
        assert_eq!(book.fill(-10, -900), -60, "six of ten close at 90");
        assert_eq!((book.position, book.cost), (-4, -360));
        assert_eq!(book.fill(4, 320), 40);
        assert_eq!(book, Book::default());
    }

    proptest! {
        #[test]
        fn what_was_paid_is_cost_less_profit(fills in proptest::collection::vec((-50i64..50, 1i128..1_000), 1..60)) {
            let (mut book, mut paid, mut realised) = (Book::default(), 0, 0);
            for (signed, price) in fills {
                if signed == 0 { continue; }
                let amount = i128::from(signed) * price;
                paid += amount;
                realised += book.fill(signed, amount);
            }
            prop_assert_eq!(paid, book.cost - realised);
            prop_assert!(book.cost == 0 || (book.cost > 0) == (book.position > 0));
        }
    }
}
