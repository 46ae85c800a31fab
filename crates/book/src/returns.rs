// SPDX-License-Identifier: Apache-2.0
//! Returns of the 100 ms mid price: realised volatility, jump share, moves; sums are exact integers.
use crate::window::{Ring, Sum};

/// Squared log returns are kept as integers of this scale.
const SCALE: f64 = 1e30;

/// Rows of the windows.
const W_1S: usize = 10;
const W_10S: usize = 100;
const W_1M: usize = 600;
const W_5M: usize = 3_000;
const LAG: usize = 100;

/// Returns of one instrument's mid.
#[derive(Clone, Debug)]
pub struct Returns {
    squares: Ring,
    products: Ring,
    sums: [Sum; 4],
    lagged: Sum,
    bipower: [Sum; 2],
    mids: Ring,
    previous: Option<(f64, f64)>,
}

impl Default for Returns {
    fn default() -> Self {
        Self {
            squares: Ring::new(W_5M + LAG + 1),
            products: Ring::new(W_1M + 1),
            sums: [Sum::new(W_1S, 0), Sum::new(W_10S, 0), Sum::new(W_1M, 0), Sum::new(W_5M, 0)],
            lagged: Sum::new(W_5M, LAG),
            bipower: [Sum::new(W_10S, 0), Sum::new(W_1M, 0)],
            mids: Ring::new(W_5M + 1),
            previous: None,
        }
    }
}

impl Returns {
    /// Takes the mid (twice the price in 1e-9, so that it is whole) at a grid row; an unknown mid repeats the last.
    pub fn push(&mut self, twice_mid: Option<i64>) {
        let log = twice_mid.filter(|m| *m > 0).map(|m| (m as f64).ln());
        let (r, before) = match (log, self.previous) {
            (Some(l), Some((last, r0))) => (l - last, r0),
            _ => (0.0, 0.0),
        };
        if let Some(l) = log {
            self.previous = Some((l, r));
        } else if let Some((l, _)) = self.previous {
            self.previous = Some((l, 0.0));
        }
        self.squares.push((r * r * SCALE) as i128);
        self.products.push((r.abs() * before.abs() * SCALE) as i128);
        for s in &mut self.sums {
            s.slide(&self.squares);
        }
        self.lagged.slide(&self.squares);
        for s in &mut self.bipower {
            s.slide(&self.products);
        }
        self.mids.push(i128::from(twice_mid.unwrap_or_else(|| self.mids.ago(0).unwrap_or(0) as i64)));
    }

    /// Realised volatility over window `w` (0: 1 s, 1: 10 s, 2: 1 min, 3: 5 min) in per cent; `None` until the window is full.
    #[must_use]
    pub fn rv(&self, w: usize) -> Option<f64> {
        let full = [W_1S, W_10S, W_1M, W_5M][w];
        (self.squares.len() > full).then(|| 100.0 * (self.sums[w].total as f64 / SCALE).sqrt())
    }

    /// Share of squared variation that bipower variation does not explain (0: 10 s, 1: 1 min).
    #[must_use]
    pub fn jump_share(&self, w: usize) -> Option<f64> {
        let total = self.sums[w + 1].total as f64;
        let full = [W_10S, W_1M][w];
        (self.squares.len() > full && total > 0.0).then(|| {
            let bpv = core::f64::consts::FRAC_PI_2 * self.bipower[w].total as f64;
            ((total - bpv) / total).max(0.0)
        })
    }

    /// Move of the mid over ten seconds, per cent.
    #[must_use]
    pub fn return_10s_pct(&self) -> Option<f64> {
        let (now, then) = (self.mids.ago(0)?, self.mids.ago(W_10S)?);
        (then > 0 && now > 0).then(|| 100.0 * (now as f64 / then as f64 - 1.0))
    }

    /// Volatility of the five minutes that ended ten seconds ago, scaled to ten seconds, per cent; needs one minute.
    #[must_use]
    pub fn sigma_10s_lagged_pct(&self) -> Option<f64> {
        let n = self.lagged.count(&self.squares);
        (n >= W_1M).then(|| 100.0 * (self.lagged.total as f64 / SCALE * W_10S as f64 / n as f64).sqrt())
    }

    /// Mid `back` rows ago, twice the price in 1e-9.
    #[must_use]
    pub fn twice_mid_ago(&self, back: usize) -> Option<i64> {
        self.mids.ago(back).or_else(|| self.mids.len().checked_sub(1).and_then(|n| self.mids.ago(n))).map(|m| m as i64)
    }

    /// Lower median of the last `n` mids, twice the price in 1e-9.
    #[must_use]
    pub fn median_mid(&self, n: usize) -> Option<i64> {
        let mut v: Vec<i64> = (0..n).filter_map(|i| self.mids.ago(i)).map(|m| m as i64).filter(|m| *m > 0).collect();
        v.sort_unstable();
        v.get(v.len().saturating_sub(1) / 2).copied()
    }
}
