// SPDX-License-Identifier: Apache-2.0
//! The lowest and the highest trade of a look-back window.
use std::collections::VecDeque;

/// Extremes of the trades of the last `window_ns`; the last trade before it counts, it was the price when the window began.
#[derive(Clone, Debug, Default)]
pub(super) struct Path {
    window_ns: i64,
    lows: VecDeque<(i64, i32)>,
    highs: VecDeque<(i64, i32)>,
}

impl Path {
    pub fn new(window_ns: i64) -> Self {
        Self { window_ns, ..Self::default() }
    }

    /// Forgets everything but `tick`, the price from now on.
    pub fn restart(&mut self, now: i64, tick: i32) {
        self.lows.clear();
        self.highs.clear();
        self.add(now, tick);
    }

    pub fn add(&mut self, now: i64, tick: i32) {
        while self.lows.back().is_some_and(|b| b.1 >= tick) {
            self.lows.pop_back();
        }
        while self.highs.back().is_some_and(|b| b.1 <= tick) {
            self.highs.pop_back();
        }
        self.lows.push_back((now, tick));
        self.highs.push_back((now, tick));
    }

    /// Lowest and highest, `None` before the first trade.
    pub fn extremes(&mut self, now: i64) -> Option<(i32, i32)> {
        for side in [&mut self.lows, &mut self.highs] {
            while side.len() > 1 && side[1].0 <= now - self.window_ns {
                side.pop_front();
            }
        }
        Some((self.lows.front()?.1, self.highs.front()?.1))
    }
}
