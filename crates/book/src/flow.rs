// SPDX-License-Identifier: Apache-2.0
//! What happened: counts and signed flow per 100 ms bucket, summed over one and ten seconds.
use crate::window::{Ring, Sum};
use pretrade_records::{Event, EventFlags, EventKind, Side};

/// Buckets of one second and of ten.
const SECOND: usize = 10;
const TEN_SECONDS: usize = 100;

/// One quantity counted per bucket with its two running sums.
#[derive(Clone, Debug)]
pub struct Counter {
    bucket: i128,
    ring: Ring,
    one: Sum,
    ten: Sum,
}

impl Default for Counter {
    fn default() -> Self {
        Self { bucket: 0, ring: Ring::new(TEN_SECONDS + 1), one: Sum::new(SECOND, 0), ten: Sum::new(TEN_SECONDS, 0) }
    }
}

impl Counter {
    /// Adds to the open bucket.
    pub fn add(&mut self, value: i64) {
        self.bucket += i128::from(value);
    }

    /// Closes the bucket.
    pub fn close(&mut self) {
        self.ring.push(std::mem::take(&mut self.bucket));
        self.one.slide(&self.ring);
        self.ten.slide(&self.ring);
    }

    /// Sum of the last second; the open bucket included.
    #[must_use]
    pub fn one_s(&self) -> f64 {
        (self.one.total + self.bucket) as f64
    }

    /// Sum of the last ten seconds; the open bucket included.
    #[must_use]
    pub fn ten_s(&self) -> f64 {
        (self.ten.total + self.bucket) as f64
    }

    /// Largest bucket of the last second.
    #[must_use]
    pub fn largest_1s(&self) -> f64 {
        (0..SECOND).filter_map(|i| self.ring.ago(i)).max().unwrap_or(0).max(self.bucket) as f64
    }
}

/// Flow of one instrument.
#[derive(Clone, Debug, Default)]
pub struct Flow {
    /// Trades.
    pub trades: Counter,
    /// Adds.
    pub adds: Counter,
    /// Cancels.
    pub cancels: Counter,
    /// Modifies.
    pub modifies: Counter,
    /// Updates of the best quotes.
    pub quotes: Counter,
    /// Largest 10 ms count of best-quote updates per bucket.
    pub bursts: Counter,
    /// Signed traded size, buyer positive.
    pub signed: Counter,
    /// Traded size.
    pub volume: Counter,
    /// Order-flow imbalance numerator (Cont, Kukanov, Stoikov 2014).
    pub ofi: Counter,
    burst_slot: i64,
    burst_count: i64,
}

impl Flow {
    /// Counts one event; `changed` is the change of an L2 level.
    pub fn count(&mut self, event: &Event, kind: EventKind, changed: i64) {
        let quiet = EventFlags::SNAPSHOT | EventFlags::CAUSED_BY_FILL | EventFlags::DERIVED;
        if event.flags & quiet != 0 {
            return;
        }
        match kind {
            EventKind::Trade => {
                self.trades.add(1);
                self.volume.add(event.size);
                match Side::try_from(event.side) {
                    Ok(Side::Bid) => self.signed.add(event.size),
                    Ok(Side::Ask) => self.signed.add(-event.size),
                    _ => {}
                }
            }
            EventKind::Add => self.adds.add(1),
            EventKind::Cancel => self.cancels.add(1),
            EventKind::Modify => self.modifies.add(1),
            EventKind::Level if changed > 0 => self.adds.add(1),
            EventKind::Level if changed < 0 => self.cancels.add(1),
            _ => {}
        }
    }

    /// Counts a change of the best quotes from `before` to `after`, each ((price, size) bid, ask).
    pub fn quote(&mut self, ts_recv: i64, before: Touches, after: Touches) {
        if before == after {
            return;
        }
        self.quotes.add(1);
        let slot = ts_recv.div_euclid(10_000_000);
        self.burst_count = if slot == self.burst_slot { self.burst_count + 1 } else { 1 };
        self.burst_slot = slot;
        let known = self.bursts.bucket;
        self.bursts.bucket = known.max(i128::from(self.burst_count));
        if let ((Some(b0), Some(a0)), (Some(b1), Some(a1))) = (before, after) {
            let bid = i64::from(b1.0 >= b0.0) * b1.1 - i64::from(b1.0 <= b0.0) * b0.1;
            let ask = i64::from(a1.0 <= a0.0) * a1.1 - i64::from(a1.0 >= a0.0) * a0.1;
            self.ofi.add(bid - ask);
        }
    }

    /// Closes the bucket of every counter.
    pub fn close(&mut self) {
        for c in [
            &mut self.trades,
            &mut self.adds,
            &mut self.cancels,
            &mut self.modifies,
            &mut self.quotes,
            &mut self.bursts,
            &mut self.signed,
            &mut self.volume,
            &mut self.ofi,
        ] {
            c.close();
        }
    }
}

/// Best bid and ask as (price, size).
pub type Touches = (Option<(i64, i64)>, Option<(i64, i64)>);
