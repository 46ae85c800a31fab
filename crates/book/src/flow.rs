// SPDX-License-Identifier: Apache-2.0
//! What happened: counts and signed flow over one and ten seconds, exact on the grid and between its points.
use crate::state;
use crate::window::Ring;
use pretrade_records::Side;
use std::collections::VecDeque;

/// Buckets of one second and of ten, 100 ms each.
const SECOND: usize = 10;
const TEN_SECONDS: usize = 100;
const SECOND_NS: i64 = 1_000_000_000;
const BURST_NS: i64 = 10_000_000;

/// What is counted; its place in a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Count {
    /// Trades.
    Trade,
    /// Adds.
    Add,
    /// Cancels.
    Cancel,
    /// Modifies.
    Modify,
    /// Updates of the best quotes.
    Quote,
    /// Signed traded size, buyer positive.
    Signed,
    /// Traded size.
    Volume,
    /// Traded size whose aggressor was inferred.
    Inferred,
    /// Order-flow imbalance numerator (Cont, Kukanov, Stoikov 2014).
    Ofi,
}

const KINDS: usize = Count::Ofi as usize + 1;

/// Sums of a window, by [`Count`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window(
    /// The sums.
    pub [i64; KINDS],
);

impl Window {
    /// One sum.
    #[must_use]
    pub fn of(&self, kind: Count) -> f64 {
        self.0[kind as usize] as f64
    }
}

/// Flow of one instrument.
#[derive(Clone, Debug)]
pub struct Flow {
    open: [i64; KINDS],
    buckets: Ring<[i64; KINDS]>,
    one: [i64; KINDS],
    ten: [i64; KINDS],
    /// Everything counted in the last ten seconds, for rows between grid points: (receive time, (what, how much)).
    log: VecDeque<(i64, (u8, i64))>,
    bursts: Ring<i64>,
    burst_slot: i64,
    burst_count: i64,
    burst_most: i64,
    closed_at: i64,
    /// Whole buckets watched without a break; -1 before the first ends, which may have begun anywhere.
    watched: i64,
}

state!(Flow { open, buckets, one, ten, log, bursts, burst_slot, burst_count, burst_most, closed_at, watched });

impl Default for Flow {
    fn default() -> Self {
        Self {
            open: [0; KINDS],
            buckets: Ring::new(TEN_SECONDS),
            one: [0; KINDS],
            ten: [0; KINDS],
            log: VecDeque::new(),
            bursts: Ring::new(SECOND),
            burst_slot: i64::MIN,
            burst_count: 0,
            burst_most: 0,
            closed_at: i64::MIN / 2,
            watched: -1,
        }
    }
}

impl Flow {
    /// Counts `value` at receive time `ts`.
    pub fn add(&mut self, ts: i64, kind: Count, value: i64) {
        self.open[kind as usize] += value;
        self.log.push_back((ts, (kind as u8, value)));
    }

    /// Counts a change of the best quotes from `before` to `after`.
    pub fn quote(&mut self, ts: i64, before: Touches, after: Touches) {
        if before == after {
            return;
        }
        self.add(ts, Count::Quote, 1);
        // Slots end where buckets end: (a, b], as every window here.
        let slot = (ts - 1).div_euclid(BURST_NS);
        self.burst_count = if slot == self.burst_slot { self.burst_count + 1 } else { 1 };
        self.burst_slot = slot;
        self.burst_most = self.burst_most.max(self.burst_count);
        if let ((Some(b0), Some(a0)), (Some(b1), Some(a1))) = (before, after) {
            let bid = i64::from(b1.0 >= b0.0) * b1.1 - i64::from(b1.0 <= b0.0) * b0.1;
            let ask = i64::from(a1.0 <= a0.0) * a1.1 - i64::from(a1.0 >= a0.0) * a0.1;
            if bid != ask {
                self.add(ts, Count::Ofi, bid - ask);
            }
        }
    }

    /// Closes the bucket that ends at `ts`.
    pub fn close(&mut self, ts: i64) {
        let leaves_one = self.buckets.ago(SECOND - 1).unwrap_or_default();
        let leaves_ten = self.buckets.ago(TEN_SECONDS - 1).unwrap_or_default();
        for (k, open) in self.open.iter_mut().enumerate() {
            self.one[k] += *open - leaves_one[k];
            self.ten[k] += *open - leaves_ten[k];
        }
        self.buckets.push(std::mem::take(&mut self.open));
        self.bursts.push(std::mem::take(&mut self.burst_most));
        self.closed_at = ts;
        self.watched += 1;
        while self.log.front().is_some_and(|(at, _)| *at <= ts - 10 * SECOND_NS) {
            self.log.pop_front();
        }
    }

    /// Records may have been lost: the windows are whole again only when they hold nothing from before now.
    pub fn lose(&mut self) {
        self.watched = -1;
    }

    /// Whether the windows of one and of ten seconds were watched from end to end: what built the book at the start, or went
    /// by unseen, is no flow.
    #[must_use]
    pub fn is_whole(&self) -> (bool, bool) {
        (self.watched >= SECOND as i64, self.watched >= TEN_SECONDS as i64)
    }

    /// Sums over (ts - 1 s, ts] and (ts - 10 s, ts]; `ts` is not before the last closed bucket's end.
    #[must_use]
    pub fn windows(&self, ts: i64) -> (Window, Window) {
        (self.window(ts, SECOND_NS, &self.one), self.window(ts, 10 * SECOND_NS, &self.ten))
    }

    /// Closed buckets and the open one, less what of the oldest bucket has left the window since it closed.
    fn window(&self, ts: i64, length: i64, closed: &[i64; KINDS]) -> Window {
        let mut sums = *closed;
        if ts <= self.closed_at {
            return Window(sums);
        }
        for (sum, open) in sums.iter_mut().zip(self.open) {
            *sum += open;
        }
        let end = self.log.partition_point(|(at, _)| *at <= ts - length);
        for (_, (kind, value)) in self.log.range(..end).rev().take_while(|(at, _)| *at > self.closed_at - length) {
            sums[usize::from(*kind)] -= value;
        }
        Window(sums)
    }

    /// Most best-quote updates in one 10 ms slot of the last second.
    #[must_use]
    pub fn largest_burst_1s(&self) -> f64 {
        (0..SECOND).filter_map(|i| self.bursts.ago(i)).max().unwrap_or(0).max(self.burst_most) as f64
    }
}

/// Best bid and ask as (price, size).
pub type Touches = (Option<(i64, i64)>, Option<(i64, i64)>);

/// Sign of a trade by the tick rule: above the last price a buyer crossed, below it a seller, else as before.
#[derive(Clone, Copy, Debug, Default)]
pub struct TickRule {
    last: Option<i64>,
    sign: i64,
}

state!(TickRule { last, sign });

impl TickRule {
    /// Sign of a print (+1 buyer, -1 seller, 0 unknown) and whether it was inferred.
    pub fn sign(&mut self, side: Option<Side>, price: i64) -> (i64, bool) {
        let (sign, inferred) = match side {
            Some(Side::Bid) => (1, false),
            Some(Side::Ask) => (-1, false),
            _ => match self.last {
                Some(last) if price != last => ((price - last).signum(), true),
                _ => (self.sign, true),
            },
        };
        self.last = Some(price);
        self.sign = sign;
        (sign, inferred)
    }

    /// Restates the last price.
    pub fn restate(&mut self, by: impl Fn(i64) -> i64) {
        self.last = self.last.map(by);
    }
}

/// Volume-synchronised share of informed trading (Easley, López de Prado, O'Hara 2012): 50 buckets of a fiftieth of daily volume.
#[derive(Clone, Debug)]
pub struct Vpin {
    bucket: i64,
    filled: i64,
    signed: i64,
    imbalances: crate::window::Total,
    count: u64,
}

state!(Vpin { bucket, filled, signed, imbalances, count });

const VPIN_BUCKETS: usize = 50;

impl Vpin {
    /// Buckets for an average daily volume; none where it is absent (0).
    #[must_use]
    pub fn new(adv: i64) -> Self {
        Self { bucket: adv / VPIN_BUCKETS as i64, filled: 0, signed: 0, imbalances: crate::window::Total::new(VPIN_BUCKETS), count: 0 }
    }

    /// Takes a print of signed size; a print larger than a bucket fills several.
    pub fn push(&mut self, size: i64, sign: i64) {
        let mut left = size.max(0);
        while self.bucket > 0 && left > 0 {
            let part = left.min(self.bucket - self.filled);
            self.filled += part;
            self.signed += sign * part;
            left -= part;
            if self.filled == self.bucket {
                self.imbalances.push(self.signed.abs());
                self.count += 1;
                (self.filled, self.signed) = (0, 0);
            }
        }
    }

    /// Mean bucket imbalance over bucket size; `None` until 50 buckets are full.
    #[must_use]
    pub fn get(&self) -> Option<f64> {
        (self.count >= VPIN_BUCKETS as u64).then(|| self.imbalances.sum as f64 / (self.bucket as f64 * VPIN_BUCKETS as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_between_grid_points_equal_a_recount() {
        let step = 100_000_000;
        let (mut flow, mut all, mut x) = (Flow::default(), Vec::new(), 1u64);
        let mut grid = 0;
        for i in 0..40_000i64 {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let ts = i * 1_234_567;
            while grid < ts {
                flow.close(grid);
                grid += step;
            }
            let value = (x >> 60).cast_signed();
            flow.add(ts, Count::Volume, value);
            all.push((ts, value));
            if i % 97 == 0 {
                let sum = |w: i64| all.iter().filter(|(at, _)| *at > ts - w && *at <= ts).map(|e| e.1).sum::<i64>();
                let (one, ten) = flow.windows(ts);
                assert_eq!((one.0[Count::Volume as usize], ten.0[Count::Volume as usize]), (sum(SECOND_NS), sum(10 * SECOND_NS)), "{ts}");
            }
        }
    }

    #[test]
    fn a_print_without_side_takes_the_sign_of_its_tick() {
        let mut rule = TickRule::default();
        assert_eq!(rule.sign(None, 100), (0, true));
        assert_eq!(rule.sign(Some(Side::Ask), 100), (-1, false));
        assert_eq!(rule.sign(None, 100), (-1, true));
        assert_eq!(rule.sign(None, 101), (1, true));
        assert_eq!(rule.sign(None, 99), (-1, true));
    }

    #[test]
    fn vpin_is_one_where_every_bucket_has_one_side() {
        let mut vpin = Vpin::new(500);
        for _ in 0..49 {
            vpin.push(10, -1);
        }
        assert_eq!(vpin.get(), None);
        vpin.push(25, 1);
        assert_eq!(vpin.get(), Some(1.0));
        vpin.push(15, -1);
        assert_eq!(vpin.get(), Some((49.0 * 10.0 + 0.0) / 500.0));
    }
}
