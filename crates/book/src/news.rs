// SPDX-License-Identifier: Apache-2.0
//! Sentiment and the pace of news.
use crate::baseline::TimeOfDay;
use crate::state;
use std::collections::VecDeque;

const HALF_LIFE_S: f64 = 300.0;
const WINDOW_NS: i64 = 300_000_000_000;

/// News about one instrument; empty until a source speaks.
#[derive(Clone, Debug, Default)]
pub struct News {
    heard: bool,
    score: f64,
    ts: i64,
    items: VecDeque<(i64, i64)>,
    count: i64,
    usual: TimeOfDay,
}

state!(News { heard, score, ts, items, count, usual });

impl News {
    /// Takes a score in 1e-9 and the number of items behind it.
    pub fn hear(&mut self, ts: i64, score: i64, items: i64) {
        self.score = self.score * decay(ts - self.ts) + score as f64 / 1e9;
        self.ts = ts;
        self.heard = true;
        self.items.push_back((ts, items));
        self.count += items;
    }

    /// Moves the window on and, once a second, samples what is usual.
    pub fn advance(&mut self, ts: i64, is_second: bool) {
        while let Some((_, items)) = self.items.front().copied().filter(|(at, _)| *at <= ts - WINDOW_NS) {
            self.items.pop_front();
            self.count -= items;
        }
        if is_second && self.heard {
            self.usual.sample(ts, self.count);
        }
    }

    /// Sum of scores, each halved every five minutes; `None` without a source.
    #[must_use]
    pub fn sentiment(&self, ts: i64) -> Option<f64> {
        self.heard.then(|| self.score * decay(ts - self.ts))
    }

    /// Items of five minutes over what is usual at this time of day.
    #[must_use]
    pub fn surge(&self, ts: i64) -> Option<f64> {
        self.usual.get(ts).filter(|u| *u > 0).map(|u| self.count as f64 / u as f64)
    }
}

fn decay(age_ns: i64) -> f64 {
    (-core::f64::consts::LN_2 * age_ns as f64 / 1e9 / HALF_LIFE_S).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_halves_in_five_minutes_and_its_items_leave_with_the_window() {
        let mut n = News::default();
        assert_eq!(n.sentiment(0), None);
        n.hear(0, 800_000_000, 3);
        assert!((n.sentiment(WINDOW_NS).unwrap() - 0.4).abs() < 1e-12);
        n.advance(WINDOW_NS - 1, false);
        assert_eq!(n.count, 3);
        n.advance(WINDOW_NS, false);
        assert_eq!(n.count, 0);
    }
}
