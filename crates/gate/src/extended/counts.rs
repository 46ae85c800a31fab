// SPDX-License-Identifier: Apache-2.0
//! What was done: in the session day, and in a rolling window of slices (controls 20 and 29).
use std::ops::AddAssign;

/// Slices of a rolling window. What is older than the window by less than one slice still counts: the tighter side.
pub const SLICES: usize = 16;

/// Numbers of accepted messages and of fills.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Money.
    pub value: i128,
    /// Quantity.
    pub quantity: i64,
    /// New orders and replaces.
    pub orders: i64,
    /// Cancels.
    pub cancels: i64,
    /// Fills.
    pub trades: i64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.value = self.value.saturating_add(other.value);
        self.quantity = self.quantity.saturating_add(other.quantity);
        self.orders = self.orders.saturating_add(other.orders);
        self.cancels = self.cancels.saturating_add(other.cancels);
        self.trades = self.trades.saturating_add(other.trades);
    }
}

impl Counts {
    fn take(&mut self, other: &Counts) {
        self.value -= other.value;
        self.quantity -= other.quantity;
        self.orders -= other.orders;
        self.cancels -= other.cancels;
        self.trades -= other.trades;
    }
}

/// A rolling window: the newest [`SLICES`] slices and the one being filled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    slices: [Counts; SLICES + 1],
    /// Number of the slice being filled: time over slice length.
    newest: i64,
    sum: Counts,
}

impl Window {
    /// Moves on to `now`; slices that left the window are forgotten.
    pub fn advance(&mut self, now: i64, window_ns: i64) {
        let slice = (window_ns / SLICES as i64).max(1);
        let number = now.div_euclid(slice);
        let passed = number.saturating_sub(self.newest);
        if passed <= 0 {
            return;
        }
        if passed > SLICES as i64 {
            *self = Window { newest: number, ..Window::default() };
            return;
        }
        for gone in self.newest + 1..=number {
            let place = gone.rem_euclid(SLICES as i64 + 1) as usize;
            let old = std::mem::take(&mut self.slices[place]);
            self.sum.take(&old);
        }
        self.newest = number;
    }

    /// Adds to the slice being filled.
    pub fn add(&mut self, counts: Counts) {
        self.slices[self.newest.rem_euclid(SLICES as i64 + 1) as usize] += counts;
        self.sum += counts;
    }

    /// What the window holds.
    #[must_use]
    pub fn sum(&self) -> &Counts {
        &self.sum
    }

    /// The stamps are of another boot, or the slices of another length: all of it counts as if it were done now.
    pub fn restamp(&mut self, now: i64, window_ns: i64) {
        let sum = self.sum;
        *self = Window { newest: now.div_euclid((window_ns / SLICES as i64).max(1)), ..Window::default() };
        self.add(sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_window_holds_everything_young_and_nothing_older_than_a_slice_more(
            steps in proptest::collection::vec((0i64..40, 1i64..9), 1..200), window in 16i64..200
        ) {
            let (mut now, mut twin, mut rolling) = (1_000, Vec::new(), Window::default());
            let slice = (window / SLICES as i64).max(1);
            for (pause, quantity) in steps {
                now += pause;
                rolling.advance(now, window);
                rolling.add(Counts { quantity, ..Counts::default() });
                twin.push((now, quantity));
                let within = |age: i64| twin.iter().filter(|(t, _)| now - t < age).map(|(_, q)| q).sum::<i64>();
                let found = rolling.sum().quantity;
                prop_assert!(found >= within(slice * SLICES as i64), "nothing young is forgotten");
                prop_assert!(found <= within(slice * (SLICES as i64 + 1)), "nothing old is kept");
            }
        }
    }

    #[test]
    fn after_another_boot_everything_counts_as_done_now() {
        let mut window = Window::default();
        window.advance(5_000, 160);
        window.add(Counts { orders: 7, ..Counts::default() });
        window.restamp(3, 160);
        window.advance(150, 160);
        assert_eq!(window.sum().orders, 7);
        window.advance(3 + 160 + 20, 160);
        assert_eq!(window.sum().orders, 0);
    }
}
