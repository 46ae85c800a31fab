// SPDX-License-Identifier: Apache-2.0
//! How fast depth comes back after trades took it.
use std::collections::VecDeque;

const SECOND: i64 = 1_000_000_000;
const SHOCK_NS: i64 = 50_000_000;
const CENSOR_NS: i64 = 60 * SECOND;
const SHARE: f64 = 0.25;
const EWMA: f64 = 0.2;
const REMEMBERED: usize = 20;

#[derive(Clone, Copy, Debug)]
struct Shock {
    ts: i64,
    before: i64,
    after: i64,
    judged: bool,
    noted: bool,
}

/// Resilience of one side of one book.
#[derive(Clone, Debug, Default)]
pub struct Resilience {
    window: Option<(i64, i64)>,
    pending: VecDeque<Shock>,
    share: Option<f64>,
    half_lives: VecDeque<f64>,
}

impl Resilience {
    /// Trades hit this side; `depth` is its five-level depth before them.
    pub fn on_trade(&mut self, ts: i64, depth: i64) {
        if self.window.is_none_or(|(start, _)| ts - start > SHOCK_NS) {
            self.window = Some((ts, depth));
        }
    }

    /// The five-level depth after a venue event.
    pub fn on_depth(&mut self, ts: i64, depth: i64) {
        let Some((start, before)) = self.window else { return };
        if ts - start > SHOCK_NS {
            self.window = None;
        } else if before > 0 && (before - depth) as f64 >= SHARE * before as f64 {
            match self.pending.back_mut() {
                Some(s) if s.ts == start => s.after = s.after.min(depth),
                _ => self.pending.push_back(Shock { ts: start, before, after: depth, judged: false, noted: false }),
            }
        }
    }

    /// Judges shocks at a row; each value belongs to the first row where it is known.
    pub fn on_row(&mut self, ts: i64, depth: i64) {
        for s in &mut self.pending {
            if !s.judged && ts - s.ts >= SECOND {
                s.judged = true;
                let back = (depth - s.after) as f64 / (s.before - s.after).max(1) as f64;
                self.share = Some(self.share.map_or(back, |v| v + EWMA * (back - v)));
            }
        }
        for s in self.pending.iter_mut().filter(|s| !s.noted) {
            let half = 2 * (depth - s.after) >= s.before - s.after;
            if ts - s.ts > SHOCK_NS && (half || ts - s.ts >= CENSOR_NS) {
                s.noted = true;
                if self.half_lives.len() == REMEMBERED {
                    self.half_lives.pop_front();
                }
                self.half_lives.push_back((ts - s.ts).min(CENSOR_NS) as f64 / SECOND as f64);
            }
        }
        self.pending.retain(|s| !(s.judged && s.noted));
    }

    /// Share of the lost depth that was back after one second, smoothed over shocks.
    #[must_use]
    pub fn share_1s(&self) -> Option<f64> {
        self.share
    }

    /// Half-lives of the last shocks, seconds, oldest first.
    pub fn half_lives(&self) -> impl Iterator<Item = f64> + '_ {
        self.half_lives.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_that_comes_back_half_in_a_second_has_resilience_one_half() {
        let mut r = Resilience::default();
        r.on_trade(0, 100);
        r.on_depth(1_000, 60);
        r.on_row(SECOND / 10, 60);
        r.on_row(SECOND, 80);
        assert_eq!(r.share_1s(), Some(0.5));
        assert_eq!(r.half_lives().collect::<Vec<_>>(), [1.0]);
        r.on_row(2 * SECOND, 100);
        assert_eq!(r.half_lives().count(), 1, "a shock is noted once");
    }
}
