// SPDX-License-Identifier: Apache-2.0
//! What somebody usually does: their last sixteen orders, and the median and spread of their sizes.
use bytemuck::Zeroable;

/// Orders a habit remembers.
pub const KEPT: usize = 16;
/// Orders below which there is no habit.
pub const FEWEST: u32 = 5;
/// A stamp no window reaches back to.
const LONG_AGO: i64 = i64::MIN / 4;

/// The last values in the order of their size, with median and median absolute deviation; of base-10 logarithms.
#[derive(Clone, Copy, Debug, Default, Zeroable)]
pub(crate) struct Usual {
    sorted: [f32; KEPT],
    pub(crate) median: f32,
    pub(crate) deviation: f32,
}

impl Usual {
    /// Puts `new` in the place of `old`; `count` values stand there afterwards.
    pub(crate) fn exchange(&mut self, old: Option<f32>, new: f32, count: usize) {
        let before = if old.is_some() { count } else { count - 1 };
        let mut at = match old {
            Some(old) => self.sorted[..before].iter().position(|v| v.to_bits() == old.to_bits()).unwrap_or(before - 1),
            None => before,
        };
        self.sorted[at] = new;
        while at > 0 && self.sorted[at - 1] > self.sorted[at] {
            self.sorted.swap(at - 1, at);
            at -= 1;
        }
        while at + 1 < count && self.sorted[at] > self.sorted[at + 1] {
            self.sorted.swap(at, at + 1);
            at += 1;
        }
        let sorted = &self.sorted[..count];
        self.median = middle(sorted);
        self.deviation = deviation(sorted, self.median);
    }
}

/// Mean of the two middle values, or the middle one.
fn middle(sorted: &[f32]) -> f32 {
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[half] } else { (sorted[half - 1] + sorted[half]) / 2.0 }
}

/// Median of the distances from `median`, which grow to both sides of it: the two sides are merged from the inside out.
fn deviation(sorted: &[f32], median: f32) -> f32 {
    let (n, mut right) = (sorted.len(), sorted.iter().position(|v| *v >= median).unwrap_or(sorted.len()));
    let (mut left, mut last, mut before) = (right, 0.0, 0.0);
    for _ in 0..=n / 2 {
        let (down, up) =
            (if left > 0 { median - sorted[left - 1] } else { f32::INFINITY }, if right < n { sorted[right] - median } else { f32::INFINITY });
        before = last;
        if down <= up {
            (last, left) = (down, left - 1);
        } else {
            (last, right) = (up, right + 1);
        }
    }
    if n % 2 == 1 { last } else { (before + last) / 2.0 }
}

/// A trader's orders in one instrument.
#[derive(Clone, Copy, Debug, Default, Zeroable)]
#[repr(C, align(64))]
pub(crate) struct Habit {
    quantities: [i64; KEPT],
    stamps: [i64; KEPT],
    pub(crate) usual: Usual,
    pub(crate) count: u32,
    buys: u16,
}

impl Habit {
    fn len(&self) -> usize {
        (self.count as usize).min(KEPT)
    }

    pub(crate) fn remember(&mut self, quantity: i64, is_buy: bool, mono: i64) {
        let at = self.count as usize % KEPT;
        let old = (self.count as usize >= KEPT).then(|| log10(self.quantities[at]));
        (self.quantities[at], self.stamps[at]) = (quantity, mono);
        self.buys = self.buys & !(1 << at) | u16::from(is_buy) << at;
        self.count = self.count.saturating_add(1);
        self.usual.exchange(old, log10(quantity), self.len());
    }

    /// Orders of the same side and, within a hundredth, the same quantity, in the last second and the last minute.
    #[inline(always)]
    pub(crate) fn repeats(&self, quantity: i64, is_buy: bool, mono: i64) -> (u32, u32) {
        let near = (quantity / 100).unsigned_abs();
        let (mut second, mut minute) = (0, 0);
        for at in 0..self.len() {
            let is_same = (self.buys >> at & 1 == u16::from(is_buy)) & (self.quantities[at].abs_diff(quantity) <= near);
            let age = mono.wrapping_sub(self.stamps[at]);
            second += u32::from(is_same & (age < 1_000_000_000));
            minute += u32::from(is_same & (age < 60_000_000_000));
        }
        (second, minute)
    }

    /// Bought less sold over bought plus sold, in [-1, 1]; 0 without an order.
    #[inline(always)]
    pub(crate) fn flow(&self) -> f64 {
        let (mut net, mut gross) = (0.0, 0.0);
        for at in 0..self.len() {
            let quantity = self.quantities[at] as f64;
            net += if self.buys >> at & 1 == 1 { quantity } else { -quantity };
            gross += quantity;
        }
        if gross > 0.0 { net / gross } else { 0.0 }
    }

    pub(crate) fn forget_stamps(&mut self) {
        self.stamps = [LONG_AGO; KEPT];
    }
}

/// A trader's orders in all instruments.
#[derive(Clone, Copy, Debug, Default, Zeroable)]
#[repr(C, align(64))]
pub(crate) struct Trader {
    notionals: [f64; KEPT],
    stamps: [i64; KEPT],
    prices: [i64; KEPT],
    instruments: [u32; KEPT],
    hours: [u32; 24],
    pub(crate) usual: Usual,
    pub(crate) count: u32,
}

impl Trader {
    fn len(&self) -> usize {
        (self.count as usize).min(KEPT)
    }

    pub(crate) fn remember(&mut self, notional: f64, price: i64, instrument: u32, mono: i64, hour: usize) {
        let at = self.count as usize % KEPT;
        let old = (self.count as usize >= KEPT).then(|| self.notionals[at].log10() as f32);
        (self.notionals[at], self.stamps[at], self.prices[at], self.instruments[at]) = (notional, mono, price, instrument);
        self.hours[hour] = self.hours[hour].saturating_add(1);
        self.count = self.count.saturating_add(1);
        self.usual.exchange(old, notional.log10() as f32, self.len());
    }

    /// Money of the orders of the last minute.
    #[inline(always)]
    pub(crate) fn minute(&self, mono: i64) -> f64 {
        let mut sum = 0.0;
        for at in 0..self.len() {
            sum += if mono.wrapping_sub(self.stamps[at]) < 60_000_000_000 { self.notionals[at] } else { 0.0 };
        }
        sum
    }

    /// Relative distance of `price` to the nearest price this trader used in another instrument; NaN where there is none.
    #[inline(always)]
    pub(crate) fn elsewhere(&self, price: i64, instrument: u32) -> f64 {
        let mut least = f64::NAN;
        for at in 0..self.len() {
            if self.instruments[at] != instrument && self.prices[at] != 0 {
                least = least.min(price.abs_diff(self.prices[at]) as f64 / self.prices[at].unsigned_abs() as f64);
            }
        }
        least
    }

    /// Share of this trader's orders that came in this hour, as if one had come in each hour before.
    #[inline(always)]
    pub(crate) fn hour_share(&self, hour: usize) -> f64 {
        (f64::from(self.hours[hour]) + 1.0) / (f64::from(self.count) + 24.0)
    }

    pub(crate) fn forget_stamps(&mut self) {
        self.stamps = [LONG_AGO; KEPT];
    }
}

/// A strategy's last orders.
#[derive(Clone, Copy, Debug, Default, Zeroable)]
#[repr(C, align(64))]
pub(crate) struct Pace {
    stamps: [i64; KEPT],
    count: u32,
}

impl Pace {
    pub(crate) fn remember(&mut self, mono: i64) {
        self.stamps[self.count as usize % KEPT] = mono;
        self.count = self.count.saturating_add(1);
    }

    /// Orders a second since the oldest of the last sixteen, counted over at least a millisecond; 0 without an order.
    #[inline(always)]
    pub(crate) fn per_second(&self, mono: i64) -> f64 {
        let n = (self.count as usize).min(KEPT);
        let oldest = if n < KEPT { self.stamps[0] } else { self.stamps[self.count as usize % KEPT] };
        let age = mono.wrapping_sub(oldest).max(1_000_000);
        if n == 0 { 0.0 } else { n as f64 / (age as f64 * 1e-9) }
    }

    pub(crate) fn forget_stamps(&mut self) {
        self.stamps = [LONG_AGO; KEPT];
    }
}

/// Running mean and mean absolute deviation over about the last 256 values.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Running {
    pub(crate) mean: f64,
    pub(crate) deviation: f64,
    pub(crate) count: u32,
}

impl Running {
    pub(crate) fn take(&mut self, value: f64) {
        self.count = self.count.saturating_add(1);
        let weight = 1.0 / f64::from(self.count.min(256));
        let distance = (value - self.mean).abs();
        self.mean += (value - self.mean) * weight;
        self.deviation += (distance - self.deviation) * weight;
    }
}

pub(crate) fn log10(quantity: i64) -> f32 {
    (quantity as f64).log10() as f32
}
