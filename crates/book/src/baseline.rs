// SPDX-License-Identifier: Apache-2.0
//! What is usual: the median of the minutes just past, and of the same time of day in sessions past.
use crate::state;
use crate::window::Median;
use std::collections::{BTreeMap, VecDeque};

const SECOND: i64 = 1_000_000_000;
const DAY_NS: i64 = 86_400 * SECOND;
/// Window of the recent baseline, its distance from now, and the samples it needs.
const WINDOW_NS: i64 = 300 * SECOND;
const DELAY_NS: i64 = 10 * SECOND;
const LEAST: usize = 60;
/// Time-of-day bucket, and the sessions remembered and needed.
const BUCKET_NS: i64 = 300 * SECOND;
const SESSIONS: usize = 20;
const SESSIONS_LEAST: usize = 5;

/// Median of one-second samples over the five minutes that ended ten seconds ago.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    waiting: VecDeque<(i64, i64)>,
    times: VecDeque<i64>,
    window: Median,
}

state!(Recent { waiting, times, window });

impl Recent {
    /// Moves the window on to `ts`.
    pub fn advance(&mut self, ts: i64) {
        while let Some((at, value)) = self.waiting.front().copied().filter(|(at, _)| *at <= ts - DELAY_NS) {
            self.waiting.pop_front();
            self.times.push_back(at);
            self.window.push(value);
        }
        while self.times.front().is_some_and(|at| *at <= ts - DELAY_NS - WINDOW_NS) {
            self.times.pop_front();
            self.window.drop_oldest();
        }
    }

    /// Takes the sample of the second that ends at `ts`.
    pub fn sample(&mut self, ts: i64, value: i64) {
        self.waiting.push_back((ts, value));
    }

    /// Restates every sample; `by` must keep their order.
    pub fn restate(&mut self, by: impl Fn(i64) -> i64) {
        self.waiting.iter_mut().for_each(|(_, value)| *value = by(*value));
        self.window.replace(by);
    }

    /// The baseline; `None` with less than a minute of samples or where it is zero.
    #[must_use]
    pub fn get(&self) -> Option<i64> {
        self.window.get().filter(|b| *b > 0 && self.window.len() >= LEAST)
    }
}

/// Median, over the last sessions, of the five-minute bucket that holds this time of the UTC day.
#[derive(Clone, Debug, Default)]
pub struct TimeOfDay {
    bucket: i64,
    samples: Vec<i64>,
    history: BTreeMap<i64, VecDeque<i64>>,
    now: Option<i64>,
}

state!(TimeOfDay { bucket, samples, history, now });

impl TimeOfDay {
    /// Takes a sample at `ts`; a bucket joins the history when the next one begins.
    pub fn sample(&mut self, ts: i64, value: i64) {
        let bucket = ts.div_euclid(BUCKET_NS);
        if bucket != self.bucket {
            self.turn(bucket);
        }
        self.samples.push(value);
    }

    /// Restates every sample and the history.
    pub fn restate(&mut self, by: impl Fn(i64) -> i64) {
        self.samples.iter_mut().chain(self.history.values_mut().flatten()).chain(&mut self.now).for_each(|value| *value = by(*value));
    }

    fn turn(&mut self, bucket: i64) {
        if !self.samples.is_empty() {
            self.samples.sort_unstable();
            let median = self.samples[(self.samples.len() - 1) / 2];
            let days = self.history.entry(self.bucket.rem_euclid(DAY_NS / BUCKET_NS)).or_default();
            if days.len() == SESSIONS {
                days.pop_front();
            }
            days.push_back(median);
            self.samples.clear();
        }
        self.bucket = bucket;
        self.now = self.history.get(&bucket.rem_euclid(DAY_NS / BUCKET_NS)).filter(|d| d.len() >= SESSIONS_LEAST).map(|days| {
            let mut days: Vec<i64> = days.iter().copied().collect();
            days.sort_unstable();
            days[(days.len() - 1) / 2]
        });
    }

    /// The baseline at `ts`; `None` before five earlier sessions reached this time of day, or without a sample in this bucket yet.
    #[must_use]
    pub fn get(&self, ts: i64) -> Option<i64> {
        self.now.filter(|_| ts.div_euclid(BUCKET_NS) == self.bucket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recent_window_is_five_minutes_that_ended_ten_seconds_ago_by_time_not_by_count() {
        let mut r = Recent::default();
        let mut all = Vec::new();
        for i in 0..900i64 {
            if (400..520).contains(&i) {
                continue;
            }
            let ts = i * SECOND;
            let value = (i * 7919) % 541 + 1;
            r.advance(ts);
            r.sample(ts, value);
            all.push((ts, value));
            let mut w: Vec<i64> = all.iter().filter(|(at, _)| *at > ts - WINDOW_NS - DELAY_NS && *at <= ts - DELAY_NS).map(|e| e.1).collect();
            w.sort_unstable();
            assert_eq!(r.get(), (w.len() >= LEAST).then(|| w[(w.len() - 1) / 2]), "{i}");
        }
    }

    #[test]
    fn time_of_day_needs_five_sessions_and_leaves_today_out() {
        let mut t = TimeOfDay::default();
        for day in 0..6 {
            for second in 0..900 {
                let ts = day * DAY_NS + second * SECOND;
                t.sample(ts, 100 + day);
                assert_eq!(t.get(ts), (day == 5).then_some(102));
            }
        }
        let end = 5 * DAY_NS + 899 * SECOND;
        assert_eq!((t.get(end), t.get(end + SECOND)), (Some(102), None), "another bucket's baseline is no baseline");
    }
}
