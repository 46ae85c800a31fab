// SPDX-License-Identifier: Apache-2.0
//! How fast depth comes back after trades took it.
use crate::state;
use std::collections::VecDeque;

const SECOND: i64 = 1_000_000_000;
const SHOCK_NS: i64 = 50_000_000;
const CENSOR_NS: i64 = 60 * SECOND;
const SHARE: f64 = 0.25;
const EWMA: f64 = 0.2;
const REMEMBERED: usize = 20;
/// Shocks below which a figure over them says more of chance than of the market.
const SHARE_LEAST: u64 = 5;
const LIVES_LEAST: usize = 10;

#[derive(Clone, Copy, Debug, Default)]
struct Shock {
    ts: i64,
    before: i64,
    after: i64,
    half_since: Option<i64>,
    judged: bool,
    noted: bool,
}

state!(Shock { ts, before, after, half_since, judged, noted });

/// Resilience of one side of one book.
///
/// A shock is a loss of at least a quarter of five-level depth within 50 ms of a trade that took from this side; depth after
/// it is the lowest in those 50 ms. Each value appears where it is known: one second later, or when half the loss is back.
#[derive(Clone, Debug, Default)]
pub struct Resilience {
    window: Option<(i64, i64)>,
    depth: i64,
    pending: VecDeque<Shock>,
    share: f64,
    judged: u64,
    noted: u64,
    /// (when known, half-life), by the first.
    half_lives: VecDeque<(i64, i64)>,
}

state!(Resilience { window, depth, pending, share, judged, noted, half_lives });

impl Resilience {
    /// A trade took from this side at `ts`; the depth before it is that of the last event end.
    pub fn on_trade(&mut self, ts: i64) {
        if self.window.is_none_or(|(start, _)| ts - start > SHOCK_NS) {
            self.window = Some((ts, self.depth));
        }
    }

    /// The five-level depth after a venue event at `ts`.
    pub fn on_depth(&mut self, ts: i64, depth: i64) {
        if self.window.is_none() && self.pending.is_empty() {
            self.depth = depth;
            return;
        }
        self.advance(ts - 1);
        self.depth = depth;
        match self.window {
            Some((start, before)) if ts - start <= SHOCK_NS => self.widen(start, before),
            _ => self.window = None,
        }
        for s in &mut self.pending {
            s.half_since = if s.is_half_back(depth) { s.half_since.or(Some(ts)) } else { None };
        }
    }

    /// Opens the shock of the current window or deepens it.
    fn widen(&mut self, start: i64, before: i64) {
        let depth = self.depth;
        match self.pending.back_mut() {
            Some(s) if s.ts == start => s.after = s.after.min(depth),
            _ if before > 0 && (before - depth) as f64 >= SHARE * before as f64 => {
                self.pending.push_back(Shock { ts: start, before, after: depth, ..Shock::default() });
            }
            _ => {}
        }
    }

    /// Judges what became known up to and including `ts`, with the depth that held until then.
    pub fn advance(&mut self, ts: i64) {
        if self.pending.is_empty() {
            return;
        }
        for s in &mut self.pending {
            if !s.judged && ts - s.ts >= SECOND {
                s.judged = true;
                let back = (self.depth - s.after) as f64 / (s.before - s.after).max(1) as f64;
                self.share = if self.judged == 0 { back } else { self.share + EWMA * (back - self.share) };
                self.judged += 1;
            }
            let known = match s.half_since {
                Some(since) if ts - s.ts > SHOCK_NS => since.max(s.ts + SHOCK_NS + 1),
                None if ts - s.ts >= CENSOR_NS => s.ts + CENSOR_NS,
                _ => continue,
            };
            if !s.noted {
                s.noted = true;
                self.noted += 1;
                let life = s.half_since.map_or(CENSOR_NS, |since| (since - s.ts).min(CENSOR_NS));
                let place = self.half_lives.partition_point(|(at, _)| *at <= known);
                self.half_lives.insert(place, (known, life));
                if self.half_lives.len() > REMEMBERED {
                    self.half_lives.pop_front();
                }
            }
        }
        self.pending.retain(|s| !(s.judged && s.noted));
    }

    /// Share of the lost depth that was back after one second, smoothed over shocks; `None` before the fifth.
    #[must_use]
    pub fn share_1s(&self) -> Option<f64> {
        (self.judged >= SHARE_LEAST).then_some(self.share)
    }

    /// Shocks whose half-life is known.
    #[must_use]
    pub fn noted(&self) -> u64 {
        self.noted
    }
}

impl Shock {
    const fn is_half_back(&self, depth: i64) -> bool {
        2 * (depth - self.after) >= self.before - self.after
    }
}

/// Lower median, in seconds, of the last 20 half-lives of both sides, and whether it is censored; `None` before the tenth.
#[must_use]
pub fn median_half_life(sides: &[Resilience; 2]) -> Option<(f64, bool)> {
    let mut lives: Vec<(i64, i64)> = sides.iter().flat_map(|s| s.half_lives.iter().copied()).collect();
    lives.sort_unstable();
    let mut lives: Vec<i64> = lives.iter().rev().take(REMEMBERED).map(|l| l.1).collect();
    lives.sort_unstable();
    let median = *lives.get(lives.len().checked_sub(1)? / 2)?;
    (lives.len() >= LIVES_LEAST).then_some((median as f64 / SECOND as f64, median >= CENSOR_NS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shocked() -> Resilience {
        let mut r = Resilience::default();
        r.on_depth(-1, 100);
        r.on_trade(0);
        r.on_depth(1_000, 60);
        r
    }

    fn lives(r: &Resilience) -> Vec<i64> {
        r.half_lives.iter().map(|l| l.1).collect()
    }

    #[test]
    fn depth_that_comes_back_half_in_a_second_has_resilience_one_half() {
        let mut r = shocked();
        r.on_depth(SECOND * 7 / 10, 80);
        r.advance(SECOND - 1);
        assert_eq!((r.judged, lives(&r)), (0, vec![SECOND * 7 / 10]));
        r.advance(SECOND);
        assert_eq!((r.judged, r.share), (1, 0.5));
        r.on_depth(2 * SECOND, 100);
        r.advance(2 * SECOND);
        assert_eq!(lives(&r).len(), 1, "a shock is noted once");
    }

    #[test]
    fn depth_one_second_later_is_taken_then_and_not_at_the_next_row() {
        let mut r = shocked();
        r.on_depth(SECOND + 1, 100);
        assert_eq!((r.judged, r.share), (1, 0.0));
    }

    #[test]
    fn depth_that_never_comes_back_is_censored_at_a_minute() {
        let mut r = shocked();
        r.advance(CENSOR_NS - 1);
        assert_eq!(r.noted(), 0);
        r.advance(CENSOR_NS);
        assert_eq!(lives(&r), [CENSOR_NS]);
    }

    #[test]
    fn figures_wait_for_enough_shocks() {
        let mut r = Resilience::default();
        for i in 0..12 {
            let ts = i * 100 * SECOND;
            r.on_depth(ts - 1, 100);
            assert_eq!((r.share_1s().is_some(), median_half_life(&[r.clone(), Resilience::default()]).is_some()), (i >= 5, i >= 10));
            r.on_trade(ts);
            r.on_depth(ts + 1, 50);
            r.on_depth(ts + 2 * SECOND, 100);
        }
        assert_eq!(median_half_life(&[r, Resilience::default()]), Some((2.0, false)));
    }
}
