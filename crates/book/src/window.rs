// SPDX-License-Identifier: Apache-2.0
//! Time windows as rings of 100 ms buckets, sums in integers so that they never drift.
use std::collections::VecDeque;

/// Ring of the last `capacity` bucket values with exact sums over prefixes that end `lag` buckets ago.
#[derive(Clone, Debug)]
pub struct Ring {
    values: VecDeque<i128>,
    capacity: usize,
}

impl Ring {
    /// An empty ring.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { values: VecDeque::with_capacity(capacity + 1), capacity }
    }

    /// Appends a bucket, dropping the oldest when full.
    pub fn push(&mut self, value: i128) {
        if self.values.len() == self.capacity {
            self.values.pop_front();
        }
        self.values.push_back(value);
    }

    /// Value `back` buckets ago, 0 = newest.
    #[must_use]
    pub fn ago(&self, back: usize) -> Option<i128> {
        self.values.len().checked_sub(back + 1).map(|i| self.values[i])
    }

    /// Number of buckets held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// True where nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        self.values.clear();
    }
}

/// A running sum over the `n` buckets that end `lag` buckets ago, of values also pushed to a [`Ring`] long enough.
#[derive(Clone, Debug)]
pub struct Sum {
    n: usize,
    lag: usize,
    /// The sum, exact.
    pub total: i128,
}

impl Sum {
    /// A sum over `n` buckets ending `lag` buckets ago.
    #[must_use]
    pub const fn new(n: usize, lag: usize) -> Self {
        Self { n, lag, total: 0 }
    }

    /// Call after the ring took the newest value.
    pub fn slide(&mut self, ring: &Ring) {
        if let Some(v) = ring.ago(self.lag) {
            self.total += v;
        }
        if let Some(v) = ring.ago(self.lag + self.n) {
            self.total -= v;
        }
    }

    /// Buckets that are in the sum now.
    #[must_use]
    pub fn count(&self, ring: &Ring) -> usize {
        ring.len().saturating_sub(self.lag).min(self.n)
    }
}

/// Sliding median of the last `capacity` values by a sorted copy.
#[derive(Clone, Debug)]
pub struct Median {
    order: VecDeque<i64>,
    sorted: Vec<i64>,
    capacity: usize,
}

impl Median {
    /// An empty window.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { order: VecDeque::new(), sorted: Vec::new(), capacity }
    }

    /// Adds a value, dropping the oldest when full.
    pub fn push(&mut self, value: i64) {
        if self.order.len() == self.capacity
            && let Some(old) = self.order.pop_front()
            && let Ok(i) = self.sorted.binary_search(&old)
        {
            self.sorted.remove(i);
        }
        self.order.push_back(value);
        let i = self.sorted.partition_point(|v| *v < value);
        self.sorted.insert(i, value);
    }

    /// Lower median; `None` where empty.
    #[must_use]
    pub fn get(&self) -> Option<i64> {
        (!self.sorted.is_empty()).then(|| self.sorted[(self.sorted.len() - 1) / 2])
    }

    /// Number of values held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// True where nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        self.order.clear();
        self.sorted.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lagged_sums_equal_a_recount() {
        let (n, lag) = (30, 10);
        let mut ring = Ring::new(n + lag + 1);
        let mut sum = Sum::new(n, lag);
        let mut all = Vec::new();
        for i in 0..200i128 {
            let v = (i * 7919) % 101;
            all.push(v);
            ring.push(v);
            sum.slide(&ring);
            let end = all.len().saturating_sub(lag);
            assert_eq!(sum.total, all[end.saturating_sub(n)..end].iter().sum::<i128>());
        }
    }

    #[test]
    fn sliding_median_equals_a_sort() {
        let mut m = Median::new(7);
        let mut all: Vec<i64> = Vec::new();
        for i in 0..100 {
            let v = (i * 37) % 17;
            m.push(v);
            all.push(v);
            let mut w = all[all.len().saturating_sub(7)..].to_vec();
            w.sort_unstable();
            assert_eq!(m.get(), Some(w[(w.len() - 1) / 2]));
        }
    }
}
