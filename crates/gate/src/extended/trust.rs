// SPDX-License-Identifier: Apache-2.0
//! What the gate takes on trust until it is contradicted: the drop copy (42) and the clock (43).
use crate::gate::Gate;
use crate::venue::VenueMessage;
use std::collections::HashMap;

/// A drop copy that is silent or says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stray {
    /// Position it states, `None` where it is silent.
    pub stated: Option<i64>,
    /// For how long, ns.
    pub age: i64,
}

/// Control 42: positions as the drop copy states them, where they differ from the own ones.
#[derive(Debug, Default)]
pub struct DropCopy {
    most: i64,
    /// By cell: what it states, and since when it differs.
    breaks: HashMap<usize, (i64, i64)>,
    heard: Option<i64>,
}

impl DropCopy {
    /// Off where `most` is 0.
    #[must_use]
    pub fn new(most: i64) -> Self {
        DropCopy { most, ..DropCopy::default() }
    }

    /// Configured.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.most > 0
    }

    /// Longest silence and longest difference, ns.
    #[must_use]
    pub fn most(&self) -> i64 {
        self.most
    }

    /// Silence counts from the first look of this life.
    pub(crate) fn begin(&mut self, now: i64) {
        self.heard.get_or_insert(now);
    }

    /// Why it cannot be relied on for a cell now, `None` where it can or is off.
    #[must_use]
    pub fn stray(&self, cell: usize, now: i64) -> Option<Stray> {
        if !self.is_on() {
            return None;
        }
        let silence = now.saturating_sub(self.heard.unwrap_or(now));
        if let Some(&(stated, since)) = self.breaks.get(&cell)
            && now.saturating_sub(since) > self.most
        {
            return Some(Stray { stated: Some(stated), age: now.saturating_sub(since) });
        }
        (silence > self.most).then_some(Stray { stated: None, age: silence })
    }
}

/// How fast a clock may be steered and still be one clock: 500 ppm, as NTP does at most.
const STEERED_PPM: i64 = 500;

/// Control 43: UTC against the monotonic clock.
#[derive(Debug, Default)]
pub struct ClockWatch {
    most: i64,
    /// Offset taken as right, and when it was looked at.
    anchor: Option<(i64, i64)>,
    jump: Option<i64>,
}

impl ClockWatch {
    /// Off where `most` is 0.
    #[must_use]
    pub fn new(most: i64) -> Self {
        ClockWatch { most, ..ClockWatch::default() }
    }

    /// Configured.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.most > 0
    }

    /// Largest jump, ns.
    #[must_use]
    pub fn most(&self) -> i64 {
        self.most
    }

    /// By how much the clock left where it should be; `None` while it is healthy.
    #[must_use]
    pub fn jump(&self) -> Option<i64> {
        self.jump
    }

    /// Takes a reading of both. What is right moves with the clock as fast as it may be steered; a clock that comes back is healthy again.
    pub fn observe(&mut self, mono: i64, utc: i64) {
        if !self.is_on() {
            return;
        }
        let offset = utc.saturating_sub(mono);
        let Some((right, at)) = self.anchor else {
            self.anchor = Some((offset, mono));
            return;
        };
        let moved = offset.saturating_sub(right);
        self.jump = (moved.saturating_abs() > self.most).then_some(moved.saturating_abs());
        let most = mono.saturating_sub(at).max(0) / (1_000_000 / STEERED_PPM);
        if self.jump.is_none() && most > 0 {
            self.anchor = Some((right + moved.clamp(-most, most), mono));
        }
    }
}

impl Gate {
    /// The drop copy states a position: it is compared and never taken over.
    pub(crate) fn compare_position(&mut self, m: &VenueMessage) -> bool {
        let (Some(i), Some(a)) = (self.instrument_index.get(m.instrument_id), self.account_index.get(m.account_id)) else { return false };
        let (cell, now) = (self.cell_at(i, a), self.extended.now_mono);
        let copy = &mut self.extended.drop_copy;
        copy.heard = Some(now);
        if self.cells[cell].position == m.quantity && self.cells[cell].is_known != 0 {
            copy.breaks.remove(&cell);
        } else {
            let since = copy.breaks.get(&cell).map_or(now, |(_, since)| *since);
            copy.breaks.insert(cell, (m.quantity, since));
        }
        true
    }

    /// The own position moved: a difference that is gone is no break.
    #[inline]
    pub(crate) fn settle_break(&mut self, cell: usize) {
        let breaks = &mut self.extended.drop_copy.breaks;
        if !breaks.is_empty() && breaks.get(&cell).is_some_and(|(stated, _)| *stated == self.cells[cell].position) {
            breaks.remove(&cell);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    #[test]
    fn a_clock_may_be_steered_and_may_not_jump() {
        let mut clock = ClockWatch::new(50 * MS);
        let mut utc = 1_000_000 * MS;
        for second in 0..200 {
            utc += 1_000 * MS + 400_000;
            clock.observe((second + 1) * 1_000 * MS, utc);
            assert_eq!(clock.jump(), None, "400 ppm for {second} s");
        }
        clock.observe(200_100 * MS, utc + 100 * MS + 51 * MS);
        assert_eq!(clock.jump(), Some(51 * MS));
        clock.observe(200_200 * MS, utc + 200 * MS);
        assert_eq!(clock.jump(), None, "it came back");
        clock.observe(200_300 * MS, utc + 300 * MS - 60 * MS);
        assert_eq!(clock.jump(), Some(60 * MS), "backwards is a jump too");
    }
}
