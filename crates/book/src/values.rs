// SPDX-License-Identifier: Apache-2.0
//! The values of one row, from an instrument's state as it stands.
use crate::book::Levels;
use crate::features::{COUNT, Feature};
use crate::flow::Count;
use crate::instrument::Instrument;
use crate::row::Row;
use pretrade_records::Phase;
use std::sync::LazyLock;

const DAY_NS: i64 = 86_400 * 1_000_000_000;
const PRESSURE_LAMBDA_TICKS: f64 = 5.0;
const TABLE: usize = 512;

/// Weights of book pressure by distance in half ticks.
static WEIGHTS: LazyLock<[f64; TABLE]> = LazyLock::new(|| core::array::from_fn(|half| weight(half as f64 / 2.0)));

fn weight(ticks: f64) -> f64 {
    (-ticks / PRESSURE_LAMBDA_TICKS).exp()
}

/// Size of one side over its best levels.
#[derive(Clone, Copy, Debug, Default)]
struct Profile {
    best: i64,
    five: i64,
    all: i64,
    weighted: f64,
}

impl Profile {
    fn of(levels: &Levels, most: usize, twice_mid: Option<i64>, tick: i64) -> Self {
        let mut p = Self::default();
        for (i, (price, size)) in levels.iter().take(most).enumerate() {
            p.all += size;
            if i < 5 {
                p.five += size;
            }
            if i == 0 {
                p.best = size;
            }
            if let Some(mid) = twice_mid {
                let away = (2 * price - mid).abs();
                let half = away / tick;
                let on_table = away % tick == 0 && half < TABLE as i64;
                p.weighted += size as f64 * if on_table { WEIGHTS[half as usize] } else { weight(away as f64 / (2 * tick) as f64) };
            }
        }
        p
    }
}

impl Instrument {
    pub(crate) fn row(&self, ts: i64, phase: Phase, kind: u8) -> Row {
        let shown = self.book.bids().len().min(self.book.asks().len());
        let mut row = Row {
            ts_recv: ts,
            ts_event: self.ts_event,
            valid: 0,
            instrument_id: self.spec.instrument_id,
            phase: phase as u8,
            feed_state: self.feed_state(ts, phase),
            levels: shown.min(self.snapshot.depth_levels) as u8,
            kind,
            values: [0.0; COUNT],
        };
        if self.is_sound() {
            self.book_values(&mut row, ts);
            self.touch_values(&mut row);
            self.flow_values(&mut row, ts);
            self.return_values(&mut row, kind != 0);
        }
        self.context_values(&mut row, ts);
        row
    }

    fn book_values(&self, row: &mut Row, ts: i64) {
        let mid = self.twice_mid();
        let sides = [self.book.bids(), self.book.asks()].map(|l| Profile::of(l, self.snapshot.depth_levels, mid, self.spec.tick_size));
        let [b, a] = sides;
        if b.all + a.all == 0 {
            return;
        }
        let share = |b: i64, a: i64| b as f64 / (b + a) as f64;
        row.set(Feature::ImbalanceL1, share(b.best, a.best));
        row.set(Feature::ImbalanceL5, share(b.five, a.five));
        row.set(Feature::ImbalanceL10, share(b.all, a.all));
        row.set_if(Feature::BookPressure, mid.is_some(), b.weighted / (b.weighted + a.weighted));
        row.set(Feature::DepthBid, b.all as f64);
        row.set(Feature::DepthAsk, a.all as f64);
        for (side, depth) in [b.all as f64, a.all as f64].into_iter().enumerate() {
            // An empty side has no logarithm; half a unit keeps its order below every other.
            let relative = |base: i64| (depth.max(0.5) / base as f64).ln();
            if let Some(base) = self.recent_depth[side].get() {
                row.set([Feature::DepthRatioBid, Feature::DepthRatioAsk][side], depth / base as f64);
                row.set([Feature::DepthRelBid, Feature::DepthRelAsk][side], relative(base));
            }
            let usual = self.usual_depth[side].get(ts).filter(|u| *u > 0);
            row.set_some([Feature::DepthRelBidTod, Feature::DepthRelAskTod][side], usual.map(relative));
        }
    }

    fn touch_values(&self, row: &mut Row) {
        let (Some(b), Some(a)) = self.touches else { return };
        let mid = (b.0 + a.0) as f64 / 2.0;
        row.set(Feature::MidPrice, mid / 1e9);
        let spread = (a.0 - b.0) as f64;
        let tick = self.spec.tick_size as f64;
        row.set(Feature::SpreadNowTicks, spread / tick);
        let mean = if self.spread_time > 0 { self.spread_area as f64 / self.spread_time as f64 } else { spread };
        row.set(Feature::SpreadTicks, mean / tick);
        row.set_if(Feature::SpreadBps, mid > 0.0, mean / mid * 1e4);
        let imbalance = b.1 as f64 / (b.1 + a.1) as f64;
        row.set_if(Feature::MicropriceDevBps, mid > 0.0, spread * (imbalance - 0.5) / mid * 1e4);
    }

    fn flow_values(&self, row: &mut Row, ts: i64) {
        let (one, ten) = self.flow.windows(ts);
        let (has_one, has_ten) = self.flow.is_whole();
        for (feature, has, value) in [
            (Feature::NTrade1s, has_one, one.of(Count::Trade)),
            (Feature::NAdd1s, has_one, one.of(Count::Add)),
            (Feature::NCancel1s, has_one, one.of(Count::Cancel)),
            (Feature::NModify1s, has_one, one.of(Count::Modify)),
            (Feature::NTrade10s, has_ten, ten.of(Count::Trade)),
            (Feature::NAdd10s, has_ten, ten.of(Count::Add)),
            (Feature::NCancel10s, has_ten, ten.of(Count::Cancel)),
            (Feature::NModify10s, has_ten, ten.of(Count::Modify)),
            (Feature::QuoteRate1s, has_one, one.of(Count::Quote)),
        ] {
            row.set_if(feature, has, value);
        }
        let [sizes, rows] = &self.best_size;
        let mean_best = sizes.sum as f64 / (2 * rows.sum) as f64;
        row.set_if(Feature::Ofi1s, has_one && sizes.sum > 0, one.of(Count::Ofi) / mean_best);
        row.set_if(Feature::Ofi10s, has_ten && sizes.sum > 0, ten.of(Count::Ofi) / mean_best);
        let (volume_1s, volume_10s) = (one.of(Count::Volume), ten.of(Count::Volume));
        row.set_if(Feature::TradeFlow1s, has_one && volume_1s > 0.0, one.of(Count::Signed) / volume_1s);
        row.set_if(Feature::TradeFlow10s, has_ten && volume_10s > 0.0, ten.of(Count::Signed) / volume_10s);
        row.set_if(Feature::SideInferred10s, has_ten && volume_10s > 0.0, ten.of(Count::Inferred) / volume_10s);
        let entered = ten.of(Count::Add) + ten.of(Count::Cancel);
        let orders = entered + ten.of(Count::Modify);
        row.set_if(Feature::TradeToOrder, has_ten && orders > 0.0, ten.of(Count::Trade) / orders);
        row.set_if(Feature::CancelRate, has_ten && entered > 0.0, ten.of(Count::Cancel) / entered);
        let expected = ten.of(Count::Quote) / 1_000.0;
        row.set_if(Feature::BurstRatio, has_ten && expected > 0.0, self.flow.largest_burst_1s() / expected);
        row.set_some(Feature::Vpin, self.vpin.get());
        for (feature, side) in [(Feature::ResilienceBid, 0), (Feature::ResilienceAsk, 1)] {
            row.set_some(feature, self.resilience[side].share_1s());
        }
        if let Some((life, is_censored)) = self.half_life {
            row.set(Feature::RecoveryHalfLife, life);
            row.set(Feature::RecoveryCensored, f64::from(u8::from(is_censored)));
        }
    }

    fn return_values(&self, row: &mut Row, is_between: bool) {
        let r = &self.returns;
        let now = self.twice_mid().filter(|_| is_between);
        for (i, feature) in [Feature::Rv1s, Feature::Rv10s, Feature::Rv1m, Feature::Rv5m].into_iter().enumerate() {
            row.set_some(feature, r.rv(i, now));
        }
        row.set_some(Feature::JumpShare10s, r.jump_share(0));
        row.set_some(Feature::JumpShare1m, r.jump_share(1));
        if let (Some(short), Some(long)) = (r.rv(1, now), r.rv(3, now)) {
            row.set_if(Feature::RvRatio, long > 0.0, short * 30f64.sqrt() / long);
        }
        row.set_some(Feature::Return10sPct, r.return_10s_pct(now));
        row.set_some(Feature::Sigma10sLaggedPct, r.sigma_10s_lagged_pct());
    }

    fn context_values(&self, row: &mut Row, ts: i64) {
        row.set_if(Feature::BookAgeMs, self.ts_book > 0, (ts - self.ts_book) as f64 / 1e6);
        row.set(Feature::FeedLagMs, self.lag_ns as f64 / 1e6);
        let angle = ts.rem_euclid(DAY_NS) as f64 / DAY_NS as f64 * core::f64::consts::TAU;
        row.set(Feature::TodSin, angle.sin());
        row.set(Feature::TodCos, angle.cos());
        row.set_some(Feature::MinutesToClose, self.phase_end().map(|end| (end - ts) as f64 / 60e9));
        row.set_some(Feature::Sentiment, self.news.sentiment(ts));
        row.set_some(Feature::NewsSurge, self.news.surge(ts));
    }
}
