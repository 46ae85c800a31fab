// SPDX-License-Identifier: Apache-2.0
//! Control 26: the same order more than n times within a sliding window.
use bytemuck::Zeroable;
use pretrade_shm::memory::{PrivateMemory, prefetch};

/// Most equal orders that can be allowed inside a window.
pub const MOST: usize = 5;
/// Places looked at for one fingerprint.
const WAYS: usize = 4;
const SETS: usize = 1024;

/// One kind of order and when its last copies were accepted; one cache line.
#[derive(Clone, Copy, Debug, Default, Zeroable)]
#[repr(C, align(64))]
struct Seen {
    fingerprint: u64,
    /// Place of the oldest time, the next to be written over.
    next: u32,
    /// Times written, up to `count`.
    filled: u32,
    /// Newest of the times.
    last: i64,
    times: [i64; MOST],
}

/// The recent past of accepted orders.
///
/// It remembers [`SETS`] x [`WAYS`] kinds of order and forgets the one accepted longest ago; the message rate (24)
/// keeps a window far below that.
#[derive(Debug)]
pub struct Duplicates {
    seen: PrivateMemory<Seen>,
    window_ns: i64,
    count: usize,
}

impl Duplicates {
    /// An empty past; `count` equal orders are allowed within `window_ns` (0 = control off).
    ///
    /// # Errors
    /// When there is no memory.
    pub fn new(window_ns: i64, count: u32) -> std::io::Result<Self> {
        Ok(Duplicates { seen: PrivateMemory::new(SETS * WAYS)?, window_ns, count: count as usize })
    }

    /// Fingerprint of what makes two orders the same.
    #[inline(always)]
    #[must_use]
    pub fn fingerprint(account: u32, instrument: u32, side_type: u32, quantity: i64, price: i64) -> u64 {
        let mut h = (u64::from(account) << 32 | u64::from(instrument)) ^ 0x9e37_79b9_7f4a_7c15;
        for word in [u64::from(side_type), quantity.cast_unsigned(), price.cast_unsigned()] {
            h = (h ^ word).wrapping_mul(0xd6e8_feb8_6659_fd93);
            h ^= h >> 32;
        }
        h.max(1)
    }

    #[inline(always)]
    fn set_of(fingerprint: u64) -> usize {
        (fingerprint as usize & (SETS - 1)) * WAYS
    }

    /// Asks for the first line of a fingerprint.
    #[inline(always)]
    pub fn prefetch(&self, fingerprint: u64) {
        prefetch(&self.seen[Self::set_of(fingerprint)]);
    }

    /// True where `count` equal orders were already accepted inside the window.
    #[inline(always)]
    #[must_use]
    pub fn is_repeated(&self, fingerprint: u64, now_mono: i64) -> bool {
        if self.window_ns == 0 {
            return false;
        }
        let start = Self::set_of(fingerprint);
        let Some(seen) = self.seen[start..start + WAYS].iter().find(|s| s.fingerprint == fingerprint) else { return false };
        // The copy accepted `count` orders ago.
        seen.filled as usize == self.count && now_mono.saturating_sub(seen.times[seen.next as usize]) < self.window_ns
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.seen.iter_mut().for_each(|s| *s = Seen::default());
    }

    /// Remembers an accepted order.
    #[inline(always)]
    pub fn remember(&mut self, fingerprint: u64, now_mono: i64) {
        if self.window_ns == 0 {
            return;
        }
        let (start, count) = (Self::set_of(fingerprint), self.count);
        let Some(set) = self.seen[start..].first_chunk_mut::<WAYS>() else { return };
        let way = match set.iter().position(|s| s.fingerprint == fingerprint || s.fingerprint == 0) {
            Some(way) => way,
            None => oldest(set),
        };
        let seen = &mut set[way];
        if seen.fingerprint != fingerprint {
            *seen = Seen { fingerprint, ..Default::default() };
        }
        (seen.times[seen.next as usize], seen.last) = (now_mono, now_mono);
        seen.next = if seen.next as usize + 1 == count { 0 } else { seen.next + 1 };
        seen.filled = (seen.filled + 1).min(count as u32);
    }

    /// Equal orders allowed.
    #[must_use]
    pub fn count(&self) -> i64 {
        self.count as i64
    }
}

/// The kind accepted longest ago: it is the first to leave the window.
#[inline(always)]
fn oldest(set: &[Seen; WAYS]) -> usize {
    let mut way = 0;
    for other in 1..WAYS {
        way = if set[other].last < set[way].last { other } else { way };
    }
    way
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_n_equal_orders_inside_the_window_are_repeated_and_the_window_decays() {
        let mut past = Duplicates::new(50, 3).unwrap();
        let f = Duplicates::fingerprint(1, 1, 1, 5, 100);
        for t in [10, 20, 30] {
            assert!(!past.is_repeated(f, t));
            past.remember(f, t);
        }
        assert!(past.is_repeated(f, 59));
        assert!(!past.is_repeated(f, 60), "the first copy left the window");
        past.remember(f, 60);
        assert!(past.is_repeated(f, 69));
    }

    #[test]
    fn legal_orders_spaced_beyond_the_window_pass_all_day() {
        let mut past = Duplicates::new(50, 1).unwrap();
        let f = Duplicates::fingerprint(1, 1, 1, 5, 100);
        for i in 0..10_000 {
            assert!(!past.is_repeated(f, i * 50));
            past.remember(f, i * 50);
        }
    }

    #[test]
    fn any_difference_makes_another_order() {
        let f = Duplicates::fingerprint(1, 1, 1, 5, 100);
        for g in [(2, 1, 1, 5, 100), (1, 2, 1, 5, 100), (1, 1, 2, 5, 100), (1, 1, 1, 6, 100), (1, 1, 1, 5, 101)] {
            assert_ne!(f, Duplicates::fingerprint(g.0, g.1, g.2, g.3, g.4));
        }
    }
}
