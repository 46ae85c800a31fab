// SPDX-License-Identifier: Apache-2.0
//! Control 26: the same order more than n times within a sliding window.
use bytemuck::Zeroable;
use pretrade_shm::memory::{PrivateMemory, prefetch};

/// Most equal orders that can be allowed inside a window.
pub const MOST: usize = 5;
/// Places looked at for one fingerprint.
const WAYS: usize = 4;
const SETS: usize = 1024;
const WAY_ORDER: [u64; WAYS] = [0, 1, 2, 3];

/// Kinds of order that share a place, the one accepted last first; one cache line, all that a new kind reads.
#[derive(Clone, Copy, Debug, Default, Zeroable)]
#[repr(C, align(64))]
struct Set {
    /// 0 = free; the free ones come last.
    fingerprints: [u64; WAYS],
    /// Where the times of each lie.
    ways: [u64; WAYS],
}

/// When the last copies of one kind were accepted; one cache line.
#[derive(Clone, Copy, Debug, Default, Zeroable)]
#[repr(C, align(64))]
struct Times {
    /// Place of the oldest time, the next to be written over.
    next: u32,
    /// Times written, up to `count`.
    filled: u32,
    times: [i64; MOST],
}

/// Where a kind of order stands in its set, `None` where it does not.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rank(Option<usize>);

/// The recent past of accepted orders.
///
/// It remembers [`SETS`] x [`WAYS`] kinds of order and forgets the one accepted longest ago; the message rate (24)
/// keeps a window far below that.
#[derive(Debug)]
pub struct Duplicates {
    sets: PrivateMemory<Set>,
    times: PrivateMemory<[Times; WAYS]>,
    window_ns: i64,
    count: usize,
}

impl Duplicates {
    /// An empty past; `count` equal orders are allowed within `window_ns` (0 = control off).
    ///
    /// # Errors
    /// When there is no memory.
    pub fn new(window_ns: i64, count: u32) -> std::io::Result<Self> {
        let mut sets = PrivateMemory::<Set>::new(SETS)?;
        for set in sets.iter_mut() {
            set.ways = WAY_ORDER;
        }
        Ok(Duplicates { sets, times: PrivateMemory::new(SETS)?, window_ns, count: count as usize })
    }

    /// Fingerprint of what makes two orders the same.
    #[inline(always)]
    #[must_use]
    pub fn fingerprint(account: u32, instrument: u32, side_type: u32, quantity: i64, price: i64) -> u64 {
        // Sums of products by odd constants do not wait for each other; the last two steps mix the high bits down.
        let parties = (u64::from(account) << 32 | u64::from(instrument)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let kind = u64::from(side_type).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
        let size = quantity.cast_unsigned().wrapping_mul(0x1656_67b1_9e37_79f9);
        let worth = price.cast_unsigned().wrapping_mul(0x27d4_eb2f_1656_67c5);
        let h = (parties ^ kind.rotate_left(17)).wrapping_add(size.rotate_left(31) ^ worth);
        let h = (h ^ h >> 29).wrapping_mul(0xd6e8_feb8_6659_fd93);
        (h ^ h >> 32).max(1)
    }

    #[inline(always)]
    fn set_of(fingerprint: u64) -> usize {
        fingerprint as usize & (SETS - 1)
    }

    /// Asks for the line of a fingerprint.
    #[inline(always)]
    pub fn prefetch(&self, fingerprint: u64) {
        prefetch(&self.sets[Self::set_of(fingerprint)]);
    }

    /// Where a kind stands in its set; holds until the set changes.
    #[inline(always)]
    #[must_use]
    pub fn look_up(&self, fingerprint: u64) -> Rank {
        Rank(self.sets[Self::set_of(fingerprint)].fingerprints.iter().position(|f| *f == fingerprint))
    }

    /// True where `count` equal orders were already accepted inside the window.
    #[inline(always)]
    #[must_use]
    pub fn is_repeated(&self, Rank(rank): Rank, fingerprint: u64, now_mono: i64) -> bool {
        let Some(rank) = rank else { return false };
        if self.window_ns == 0 {
            return false;
        }
        let at = Self::set_of(fingerprint);
        let seen = &self.times[at][self.sets[at].ways[rank] as usize];
        // The copy accepted `count` orders ago.
        seen.filled as usize == self.count && now_mono.saturating_sub(seen.times[seen.next as usize]) < self.window_ns
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        for set in self.sets.iter_mut() {
            *set = Set { ways: WAY_ORDER, ..Set::default() };
        }
    }

    /// Remembers an accepted order, whose kind stands where [`Duplicates::look_up`] said.
    #[inline(always)]
    pub fn remember(&mut self, Rank(rank): Rank, fingerprint: u64, now_mono: i64) {
        if self.window_ns == 0 {
            return;
        }
        let at = Self::set_of(fingerprint);
        let (set, times, count) = (&mut self.sets[at], &mut self.times[at], self.count);
        let Some(rank) = rank else {
            // The kind accepted longest ago gives way, or a free place: it is the last. Written without being read.
            let way = set.ways[WAYS - 1];
            let [a, b, c, _] = set.fingerprints;
            set.fingerprints = [fingerprint, a, b, c];
            let [a, b, c, _] = set.ways;
            set.ways = [way, a, b, c];
            // The other times are read only after they were written.
            let seen = &mut times[way as usize];
            (seen.next, seen.filled, seen.times[0]) = (u32::from(count > 1), 1, now_mono);
            return;
        };
        set.fingerprints[..=rank].rotate_right(1);
        set.ways[..=rank].rotate_right(1);
        let seen = &mut times[set.ways[0] as usize];
        seen.times[seen.next as usize] = now_mono;
        seen.next = if seen.next as usize + 1 == count { 0 } else { seen.next + 1 };
        seen.filled = (seen.filled + 1).min(count as u32);
    }

    /// Equal orders allowed.
    #[must_use]
    pub fn count(&self) -> i64 {
        self.count as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_n_equal_orders_inside_the_window_are_repeated_and_the_window_decays() {
        let mut past = Duplicates::new(50, 3).unwrap();
        let f = Duplicates::fingerprint(1, 1, 1, 5, 100);
        for t in [10, 20, 30] {
            assert!(!past.is_repeated(past.look_up(f), f, t));
            past.remember(past.look_up(f), f, t);
        }
        assert!(past.is_repeated(past.look_up(f), f, 59));
        assert!(!past.is_repeated(past.look_up(f), f, 60), "the first copy left the window");
        past.remember(past.look_up(f), f, 60);
        assert!(past.is_repeated(past.look_up(f), f, 69));
    }

    #[test]
    fn legal_orders_spaced_beyond_the_window_pass_all_day() {
        let mut past = Duplicates::new(50, 1).unwrap();
        let f = Duplicates::fingerprint(1, 1, 1, 5, 100);
        for i in 0..10_000 {
            assert!(!past.is_repeated(past.look_up(f), f, i * 50));
            past.remember(past.look_up(f), f, i * 50);
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
