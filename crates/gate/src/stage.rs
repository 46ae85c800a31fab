// SPDX-License-Identifier: Apache-2.0
//! Staleness stages 0 to 2 of one instrument (`controls` 4.3); stage 3 belongs to the whole gate.
use crate::options::{FUTURE_TOLERANCE_NS, GateOptions, RETURN_ADVANCES};
use bytemuck::Zeroable;

/// Why stage 0 does not hold.
pub mod cause {
    /// It holds.
    pub const NONE: u8 = 0;
    /// Record too old, or from the future (control 10).
    pub const STALE: u8 = 1;
    /// Record torn, invalid, of an old epoch, or without a score (control 9).
    pub const INVALID: u8 = 2;
}

/// The stage machine of one instrument. It reads no clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Zeroable)]
#[repr(C)]
pub struct Stage {
    /// 0 fresh, 1 fallback, 2 reduce-only.
    pub level: u8,
    /// See [`cause`].
    pub cause: u8,
    /// Consecutive advances with a fresh and valid record.
    pub advances: u8,
    /// Not zero once stage 0 was reached for the first time.
    pub was_fresh: u8,
    /// Not zero once observed at all.
    pub was_observed: u32,
    /// When stage 1 was entered, monotonic ns.
    pub mono_entered: i64,
    /// Tick seen last.
    pub last_tick: i64,
}

/// Age of a channel pair, `None` when it never beat.
#[inline]
#[must_use]
pub fn age(pair: (i64, i64), now_mono: i64) -> Option<i64> {
    let oldest = pair.0.min(pair.1);
    if oldest <= 0 { None } else { Some(now_mono.saturating_sub(oldest)) }
}

/// True where an age is neither above `bound` nor from the future.
#[inline]
#[must_use]
pub fn is_fresh(age: Option<i64>, bound: i64) -> bool {
    matches!(age, Some(age) if age <= bound && age >= -FUTURE_TOLERANCE_NS)
}

impl Stage {
    /// Takes in what is seen now; returns the level.
    pub fn observe(&mut self, is_valid: bool, pair: (i64, i64), now_mono: i64, options: &GateOptions) -> u8 {
        let age = age(pair, now_mono);
        let is_age_fresh = is_fresh(age, options.t1_ns);
        if is_valid && is_age_fresh {
            self.advance(pair.0);
        } else {
            self.fall(if is_age_fresh { cause::INVALID } else { cause::STALE }, age, pair.0, now_mono, options);
        }
        if self.level == 1 && now_mono.saturating_sub(self.mono_entered) > options.t2_ns {
            self.level = 2;
        }
        self.was_observed = 1;
        self.level
    }

    fn advance(&mut self, tick: i64) {
        if self.was_observed == 0 || (self.level == 1 && self.was_fresh == 0) {
            // The first fresh record of a gate's life: nothing to return from.
            (self.level, self.cause, self.was_fresh) = (0, cause::NONE, 1);
        } else if self.level > 0 && tick > self.last_tick {
            self.advances += 1;
            if self.advances >= RETURN_ADVANCES {
                (self.level, self.cause, self.advances) = (0, cause::NONE, 0);
            }
        }
        self.last_tick = self.last_tick.max(tick);
    }

    fn fall(&mut self, cause: u8, age: Option<i64>, tick: i64, now_mono: i64, options: &GateOptions) {
        (self.advances, self.last_tick) = (0, tick);
        if self.level == 0 {
            self.level = 1;
            // A stale record left stage 0 when its age passed T1, not when the next order noticed.
            let since_t1 = age.map_or(0, |age| (age - options.t1_ns).max(0));
            self.mono_entered = if cause == cause::STALE { now_mono - since_t1 } else { now_mono };
        }
        self.cause = cause;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;

    fn at(stage: &mut Stage, valid: bool, tick: i64, now: i64) -> u8 {
        stage.observe(valid, (tick, tick), now, &GateOptions::default())
    }

    #[test]
    fn a_dead_writer_means_fallback_after_t1_and_reduce_only_after_t2() {
        let mut stage = Stage::default();
        assert_eq!(at(&mut stage, true, 10 * S, 10 * S), 0);
        assert_eq!(at(&mut stage, true, 10 * S, 11 * S), 0);
        assert_eq!(at(&mut stage, true, 10 * S, 11 * S + 1), 1);
        assert_eq!(at(&mut stage, true, 10 * S, 71 * S), 1);
        assert_eq!(at(&mut stage, true, 10 * S, 71 * S + 1), 2);
    }

    #[test]
    fn the_first_order_after_a_long_silence_is_already_in_stage_2() {
        let mut stage = Stage::default();
        at(&mut stage, true, 10 * S, 10 * S);
        assert_eq!(at(&mut stage, true, 10 * S, 200 * S), 2);
    }

    #[test]
    fn return_needs_ten_consecutive_advances() {
        let mut stage = Stage::default();
        at(&mut stage, true, 10 * S, 10 * S);
        at(&mut stage, true, 10 * S, 20 * S);
        for i in 1..=9 {
            assert_eq!(at(&mut stage, true, 20 * S + i, 20 * S + i), 1);
            assert_eq!(at(&mut stage, true, 20 * S + i, 20 * S + i), 1, "the same tick is no advance");
        }
        at(&mut stage, false, 20 * S + 10, 20 * S + 10);
        for i in 11..=19 {
            assert_eq!(at(&mut stage, true, 20 * S + i, 20 * S + i), 1, "an invalid record starts the count again");
        }
        assert_eq!(at(&mut stage, true, 20 * S + 20, 20 * S + 20), 0);
    }

    #[test]
    fn a_live_publisher_on_a_frozen_feed_ages_and_a_stamp_from_the_future_is_stale() {
        let (mut stage, options) = (Stage::default(), GateOptions::default());
        stage.observe(true, (10 * S, 10 * S), 10 * S, &options);
        assert_eq!(stage.observe(true, (20 * S, 10 * S), 20 * S, &options), 1);
        let mut stage = Stage::default();
        assert_eq!(stage.observe(true, (20 * S, 20 * S), 10 * S, &options), 1);
        assert_eq!(stage.cause, cause::STALE);
    }

    #[test]
    fn a_gate_that_never_saw_a_fresh_record_starts_in_stage_1() {
        let mut stage = Stage::default();
        assert_eq!(at(&mut stage, true, 0, 5 * S), 1);
        assert_eq!(at(&mut stage, true, 6 * S, 6 * S), 0);
    }
}
