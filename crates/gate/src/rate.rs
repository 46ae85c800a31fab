// SPDX-License-Identifier: Apache-2.0
//! Token bucket of control 24 in its virtual-scheduling form (GCRA, ITU-T I.371): one number instead of two.
use bytemuck::Zeroable;
use pretrade_records::units::{NS_PER_S, UNLIMITED_U32};

/// One bucket holding one second of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Zeroable)]
#[repr(transparent)]
pub struct Bucket {
    /// Monotonic ns at which the bucket is full again.
    full_at: i64,
}

/// Interval of a rate of zero: longer than any bucket, and with any clock reading still inside 64 bits.
pub const NEVER: i64 = 1 << 61;

/// Length of a bucket of messages per minute.
pub const MINUTE: i64 = 60 * NS_PER_S;

/// Nanoseconds between two messages: 0 = no bound, [`NEVER`] = none allowed.
#[must_use]
pub fn interval(per_second: i64) -> i64 {
    match per_second {
        0 => NEVER,
        n if n >= i64::from(UNLIMITED_U32) => 0,
        n => NS_PER_S / n,
    }
}

impl Bucket {
    /// True where one more message fits.
    #[inline(always)]
    #[must_use]
    pub fn has_token(&self, interval: i64, now_mono: i64) -> bool {
        (self.full_at.wrapping_sub(now_mono)).max(0).wrapping_add(interval) <= NS_PER_S
    }

    /// As [`Bucket::has_token`] for a bucket holding one minute of messages.
    #[must_use]
    pub fn has_minute_token(&self, interval: i64, now_mono: i64) -> bool {
        (self.full_at.wrapping_sub(now_mono)).max(0).wrapping_add(interval) <= MINUTE
    }

    /// Takes a token of a forwarded message.
    #[inline(always)]
    pub fn spend(&mut self, interval: i64, now_mono: i64) {
        self.full_at = self.full_at.max(now_mono).wrapping_add(interval);
    }

    /// Tokens taken and not yet refilled.
    #[must_use]
    pub fn taken(&self, interval: i64, now_mono: i64) -> i64 {
        if interval == 0 { 0 } else { self.full_at.saturating_sub(now_mono).max(0) / interval }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_exactly_one_second_of_messages_and_refills_evenly() {
        let (mut bucket, step) = (Bucket::default(), interval(100));
        let mut passed = 0;
        for _ in 0..150 {
            if bucket.has_token(step, 5) {
                bucket.spend(step, 5);
                passed += 1;
            }
        }
        assert_eq!(passed, 100);
        assert!(!bucket.has_token(step, 5 + step - 1));
        assert!(bucket.has_token(step, 5 + step));
        assert_eq!(bucket.taken(step, 5), 100);
    }

    #[test]
    fn a_minute_holds_its_number_whatever_second_it_comes_in() {
        let (mut bucket, step, mut passed) = (Bucket::default(), MINUTE / 7, 0);
        while bucket.has_minute_token(step, 0) {
            bucket.spend(step, 0);
            passed += 1;
        }
        assert_eq!(passed, 7);
        // A minute is not a multiple of seven nanoseconds: the token comes up to six of them early.
        assert!(!bucket.has_minute_token(step, step - 7));
        assert!(bucket.has_minute_token(step, step));
        assert!(!Bucket::default().has_minute_token(NEVER, 1));
    }

    #[test]
    fn zero_allows_nothing_and_unlimited_everything() {
        assert!(!Bucket::default().has_token(interval(0), 1));
        assert!(Bucket::default().has_token(interval(i64::from(UNLIMITED_U32)), 1));
        for rate in [1, 3, 7, 999] {
            let (mut bucket, step, mut passed) = (Bucket::default(), interval(rate), 0);
            while bucket.has_token(step, 0) {
                bucket.spend(step, 0);
                passed += 1;
            }
            assert_eq!(passed, rate);
        }
    }
}
