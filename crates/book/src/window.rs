// SPDX-License-Identifier: Apache-2.0
//! Time windows as rings of 100 ms buckets, sums in integers so that they never drift.
use crate::state;
use crate::state::{Reader, State, StateError};
use std::collections::VecDeque;

/// Ring of the last `capacity` values.
#[derive(Clone, Debug)]
pub struct Ring<T> {
    values: Vec<T>,
    capacity: usize,
    next: usize,
}

impl<T: Copy> Ring<T> {
    /// An empty ring.
    #[must_use]
    pub const fn new(capacity: usize) -> Self {
        Self { values: Vec::new(), capacity, next: 0 }
    }

    /// Appends a value, dropping the oldest when full.
    pub fn push(&mut self, value: T) {
        if self.values.len() < self.capacity {
            self.values.push(value);
        } else {
            self.values[self.next] = value;
        }
        self.next = if self.next + 1 == self.capacity { 0 } else { self.next + 1 };
    }

    /// Value `back` places ago, 0 = newest.
    #[must_use]
    pub fn ago(&self, back: usize) -> Option<T> {
        if back >= self.values.len() {
            return None;
        }
        let at = if self.next > back { self.next - 1 - back } else { self.next + self.capacity - 1 - back };
        self.values.get(at).copied()
    }

    /// Number of values held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// True where nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Replaces every value.
    pub fn replace(&mut self, by: impl Fn(T) -> T) {
        self.values.iter_mut().for_each(|v| *v = by(*v));
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        self.values.clear();
        self.next = 0;
    }
}

impl<T: State + Default + Copy> State for Ring<T> {
    fn write(&self, out: &mut Vec<u8>) {
        self.len().write(out);
        (0..self.len()).rev().filter_map(|i| self.ago(i)).for_each(|v| v.write(out));
    }
    fn read(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        self.clear();
        let n = from.length()?;
        if n > self.capacity {
            return Err(StateError(format!("a window of {n} values; it holds at most {}", self.capacity)));
        }
        for _ in 0..n {
            self.push(crate::state::fresh(from)?);
        }
        Ok(())
    }
}

/// A running sum over the last `n` buckets, with the buckets.
#[derive(Clone, Debug)]
pub struct Total {
    ring: Ring<i64>,
    /// The sum, exact.
    pub sum: i64,
}

state!(Total { ring, sum });

impl Total {
    /// A sum over `n` buckets.
    #[must_use]
    pub const fn new(n: usize) -> Self {
        Self { ring: Ring::new(n), sum: 0 }
    }

    /// Adds a bucket; the oldest leaves when the window is full.
    pub fn push(&mut self, value: i64) {
        self.sum += value;
        if self.ring.len() == self.ring.capacity {
            self.sum -= self.ring.ago(self.ring.capacity - 1).unwrap_or(0);
        }
        self.ring.push(value);
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        self.ring.clear();
        self.sum = 0;
    }
}

/// Sliding median of the values not yet dropped, by a sorted copy; windows are a few hundred values.
#[derive(Clone, Debug, Default)]
pub struct Median {
    order: VecDeque<i64>,
    sorted: Vec<i64>,
}

state!(Median { order, sorted });

impl Median {
    /// Adds a value.
    pub fn push(&mut self, value: i64) {
        self.order.push_back(value);
        let i = self.sorted.partition_point(|v| *v < value);
        self.sorted.insert(i, value);
    }

    /// Drops the oldest value.
    pub fn drop_oldest(&mut self) {
        if let Some(old) = self.order.pop_front()
            && let Ok(i) = self.sorted.binary_search(&old)
        {
            self.sorted.remove(i);
        }
    }

    /// Lower median; `None` where empty.
    #[must_use]
    pub fn get(&self) -> Option<i64> {
        (!self.sorted.is_empty()).then(|| self.sorted[(self.sorted.len() - 1) / 2])
    }

    /// Smallest and largest value.
    #[must_use]
    pub fn range(&self) -> Option<(i64, i64)> {
        Some((*self.sorted.first()?, *self.sorted.last()?))
    }

    /// Replaces every value; `by` must keep their order.
    pub fn replace(&mut self, by: impl Fn(i64) -> i64) {
        self.order.iter_mut().for_each(|v| *v = by(*v));
        self.sorted.iter_mut().for_each(|v| *v = by(*v));
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
    fn a_total_equals_a_recount_and_survives_saving() {
        let mut total = Total::new(30);
        let mut all = Vec::new();
        for i in 0..200i64 {
            let v = (i * 7919) % 101;
            all.push(v);
            total.push(v);
            assert_eq!(total.sum, all[all.len().saturating_sub(30)..].iter().sum::<i64>());
            let mut bytes = Vec::new();
            total.write(&mut bytes);
            let mut again = Total::new(30);
            again.read(&mut Reader(&bytes)).unwrap();
            assert_eq!((again.sum, again.ring.ago(3)), (total.sum, total.ring.ago(3)));
        }
    }

    #[test]
    fn a_ring_remembers_in_order() {
        let mut ring = Ring::new(3);
        for i in 0..10 {
            ring.push(i);
            assert_eq!(ring.ago(0), Some(i));
            assert_eq!(ring.ago(2), (i >= 2).then(|| i - 2));
            assert_eq!(ring.ago(3), None);
        }
    }

    #[test]
    fn sliding_median_equals_a_sort() {
        let mut m = Median::default();
        let mut all: Vec<i64> = Vec::new();
        for i in 0..100 {
            let v = (i * 37) % 17;
            m.push(v);
            if m.len() > 7 {
                m.drop_oldest();
            }
            all.push(v);
            let mut w = all[all.len().saturating_sub(7)..].to_vec();
            w.sort_unstable();
            assert_eq!((m.get(), m.range()), (Some(w[(w.len() - 1) / 2]), Some((w[0], w[w.len() - 1]))));
        }
    }
}
