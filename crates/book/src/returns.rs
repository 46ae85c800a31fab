// SPDX-License-Identifier: Apache-2.0
//! Returns of the 100 ms mid price: realised volatility, jump share, moves; sums are exact integers.
use crate::state;
use crate::window::{Median, Ring};

/// Squared log returns are summed as integers of this scale.
const SCALE: f64 = 1e30;
/// An unknown mid.
const UNKNOWN: i64 = i64::MIN;

/// Rows of the windows.
const W_1S: usize = 10;
const W_10S: usize = 100;
const W_1M: usize = 600;
const W_5M: usize = 3_000;
const LAG: usize = 100;
const W_REFERENCE: usize = 50;

/// Returns of one instrument's mid.
#[derive(Clone, Debug)]
pub struct Returns {
    returns: Ring<f64>,
    sums: [i128; 4],
    lagged: i128,
    bipower: [i128; 2],
    mids: Ring<i64>,
    last: i64,
    last_log: f64,
    recent: Median,
}

state!(Returns { returns, sums, lagged, bipower, mids, last, last_log, recent });

impl Default for Returns {
    fn default() -> Self {
        Self {
            returns: Ring::new(W_5M + LAG + 1),
            sums: [0; 4],
            lagged: 0,
            bipower: [0; 2],
            mids: Ring::new(W_5M + 1),
            last: UNKNOWN,
            last_log: f64::NAN,
            recent: Median::default(),
        }
    }
}

/// A product of two returns as an integer; the same product always gives the same integer, so what entered a sum leaves it whole.
fn whole(a: f64, b: f64) -> i128 {
    if a == 0.0 || b == 0.0 { 0 } else { (a * b * SCALE).abs() as i128 }
}

/// Logarithm of a mid; a price at or below zero has none.
fn log(twice_mid: i64) -> f64 {
    if twice_mid > 0 { (twice_mid as f64).ln() } else { f64::NAN }
}

impl Returns {
    /// Forgets everything, as after a halt or a break.
    pub fn clear(&mut self) {
        if self.last != UNKNOWN || !self.returns.is_empty() {
            *self = Self::default();
        }
    }

    /// Restates every mid; returns stay what they were.
    pub fn restate(&mut self, by: impl Fn(i64) -> i64) {
        let known = |mid: i64| if mid == UNKNOWN { mid } else { by(mid) };
        self.mids.replace(known);
        self.recent.replace(known);
        self.last = known(self.last);
        self.last_log = if self.last == UNKNOWN { f64::NAN } else { log(self.last) };
    }

    /// Takes the mid (twice the price in 1e-9, so that it is whole) at a grid row; an unknown mid repeats the last.
    pub fn push(&mut self, twice_mid: Option<i64>) {
        let r = self.open_return(twice_mid);
        if let Some(mid) = twice_mid.filter(|m| *m != self.last) {
            self.last = mid;
            self.last_log = log(mid);
        }
        self.slide(r);
        self.returns.push(r);
        self.mids.push(self.last);
        if self.last != UNKNOWN {
            if self.recent.len() == W_REFERENCE {
                self.recent.drop_oldest();
            }
            self.recent.push(self.last);
        }
    }

    /// Log return from the last row's mid to `twice_mid`; 0 where either is unknown or has no logarithm.
    fn open_return(&self, twice_mid: Option<i64>) -> f64 {
        match twice_mid {
            Some(mid) if mid != self.last => {
                let r = log(mid) - self.last_log;
                if r.is_finite() { r } else { 0.0 }
            }
            _ => 0.0,
        }
    }

    /// Moves every window on by the return `r`; the ring still ends with the return before it.
    fn slide(&mut self, r: f64) {
        let ago = |back: usize| self.returns.ago(back).unwrap_or(0.0);
        let square = |v: f64| whole(v, v);
        let new = square(r);
        for (sum, n) in self.sums.iter_mut().zip([W_1S, W_10S, W_1M, W_5M]) {
            *sum += new - square(ago(n - 1));
        }
        self.lagged += square(ago(LAG - 1)) - square(ago(LAG + W_5M - 1));
        for (sum, n) in self.bipower.iter_mut().zip([W_10S, W_1M]) {
            *sum += whole(r, ago(0)) - whole(ago(n - 1), ago(n));
        }
    }

    /// Realised volatility over window `w` (0: 1 s, 1: 10 s, 2: 1 min, 3: 5 min) in per cent; `None` until the window is full.
    ///
    /// Between grid points `now` is the mid then, and the return since the last row counts too.
    #[must_use]
    pub fn rv(&self, w: usize, now: Option<i64>) -> Option<f64> {
        let r = self.open_return(now);
        (self.returns.len() > [W_1S, W_10S, W_1M, W_5M][w]).then(|| 100.0 * ((self.sums[w] + whole(r, r)) as f64 / SCALE).sqrt())
    }

    /// Share of squared variation that bipower variation does not explain (0: 10 s, 1: 1 min).
    #[must_use]
    pub fn jump_share(&self, w: usize) -> Option<f64> {
        let total = self.sums[w + 1] as f64;
        (self.returns.len() > [W_10S, W_1M][w] && total > 0.0)
            .then(|| ((total - core::f64::consts::FRAC_PI_2 * self.bipower[w] as f64) / total).max(0.0))
    }

    /// Move of the mid over ten seconds, per cent; `now` as in [`Returns::rv`].
    #[must_use]
    pub fn return_10s_pct(&self, now: Option<i64>) -> Option<f64> {
        let (now, then) = (now.unwrap_or(self.last), self.mids.ago(W_10S)?);
        (then > 0 && now > 0).then(|| 100.0 * (now as f64 / then as f64 - 1.0))
    }

    /// Volatility of the five minutes that ended ten seconds ago, scaled to ten seconds, per cent; needs one minute.
    #[must_use]
    pub fn sigma_10s_lagged_pct(&self) -> Option<f64> {
        let n = self.returns.len().saturating_sub(LAG).min(W_5M);
        (n >= W_1M).then(|| 100.0 * (self.lagged as f64 / SCALE * W_10S as f64 / n as f64).sqrt())
    }

    /// Mid `back` rows ago, or the oldest known in the window, twice the price in 1e-9.
    #[must_use]
    pub fn twice_mid_ago(&self, back: usize) -> Option<i64> {
        self.mids.ago(back.min(self.mids.len().checked_sub(1)?)).filter(|m| *m != UNKNOWN)
    }

    /// Lower median of the mids of five seconds, twice the price in 1e-9.
    #[must_use]
    pub fn slow_reference(&self) -> Option<i64> {
        self.recent.get()
    }

    /// Lowest and highest mid of five seconds, twice the price in 1e-9.
    #[must_use]
    pub fn range(&self) -> Option<(i64, i64)> {
        self.recent.range()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_equal_a_recount_after_many_windows() {
        let mut r = Returns::default();
        let (mut mids, mut x) = (Vec::new(), 9u64);
        for _ in 0..5_000 {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            mids.push(9_600_000_000_000 + i64::try_from(x >> 61).unwrap() * 250_000_000);
            r.push(mids.last().copied());
        }
        let logs: Vec<f64> = mids.iter().map(|m| (*m as f64).ln()).collect();
        let back: Vec<f64> = logs.windows(2).map(|w| w[1] - w[0]).collect();
        let rss = |n: usize, lag: usize| back[back.len() - n - lag..back.len() - lag].iter().map(|v| v * v).sum::<f64>();
        for (w, n) in [W_1S, W_10S, W_1M, W_5M].into_iter().enumerate() {
            assert!((r.rv(w, None).unwrap() / (100.0 * rss(n, 0).sqrt()) - 1.0).abs() < 1e-12);
        }
        assert!((r.sigma_10s_lagged_pct().unwrap() / (100.0 * (rss(W_5M, LAG) / 30.0).sqrt()) - 1.0).abs() < 1e-12);
        assert_eq!(r.twice_mid_ago(W_5M), Some(mids[mids.len() - 1 - W_5M]));
    }

    #[test]
    fn negative_prices_have_moves_in_price_but_no_returns() {
        let mut r = Returns::default();
        for _ in 0..200 {
            r.push(Some(-37_630_000_000));
        }
        assert_eq!((r.rv(0, None), r.return_10s_pct(None), r.slow_reference()), (Some(0.0), None, Some(-37_630_000_000)));
    }
}
