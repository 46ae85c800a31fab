// SPDX-License-Identifier: Apache-2.0
//! One instrument's book, windows and rows.
use crate::book::{Applied, Book, Levels};
use crate::features::{COUNT, Feature};
use crate::flow::{Flow, Touches};
use crate::resilience::Resilience;
use crate::returns::Returns;
use crate::window::{Median, Ring};
use bytemuck::{Pod, Zeroable};
use pretrade_records::units::UNDEFINED_PRICE;
use pretrade_records::{Event, EventKind, FeedState, Phase, QuotesRecord, Side};

const SECOND: i64 = 1_000_000_000;
const DAY_NS: i64 = 86_400 * SECOND;
/// Samples of the depth baseline: one a second over five minutes, ten seconds of delay, at least one minute.
const BASE_SAMPLES: usize = 300;
const BASE_DELAY: usize = 10;
const BASE_LEAST: usize = 60;
const SENTIMENT_HALF_LIFE_S: f64 = 300.0;
const PRESSURE_LAMBDA_TICKS: f64 = 5.0;

/// What an instrument is, as the engine needs it.
#[derive(Clone, Debug)]
pub struct InstrumentSpec {
    /// Our id.
    pub instrument_id: u32,
    /// Tick size in 1e-9.
    pub tick_size: i64,
    /// Average daily volume, 0 = absent.
    pub adv: i64,
    /// Calendar: sorted (start, end, phase) in ns UTC; outside it is CLOSED.
    pub phases: Vec<(i64, i64, u8)>,
}

/// How rows are closed.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotSpec {
    /// Grid step, ns.
    pub interval_ns: i64,
    /// Most levels looked at.
    pub depth_levels: usize,
    /// Age of the book beyond which it is stale, ns.
    pub stale_after_ns: i64,
    /// Window of visible depth in the quotes record, ticks.
    pub depth_window_ticks: i64,
}

/// One feature row.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Row {
    /// When the row closed, ns UTC.
    pub ts_recv: i64,
    /// Venue time of the last record in it.
    pub ts_event: i64,
    /// Bit i = feature i is defined.
    pub valid: u64,
    /// Instrument.
    pub instrument_id: u32,
    /// [`Phase`] code.
    pub phase: u8,
    /// [`FeedState`] bits.
    pub feed_state: u8,
    /// Levels used, the smaller side.
    pub levels: u8,
    /// 0 on the grid, 1 event-driven.
    pub kind: u8,
    /// Values, 0 where undefined.
    pub values: [f64; COUNT],
}

/// Counts of faults that only the book can see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Event ends with best bid above best ask in continuous trading.
    pub crossed_book: u64,
    /// Records that named an order nobody knows.
    pub unknown_order: u64,
}

/// State of one instrument.
pub struct Instrument {
    spec: InstrumentSpec,
    snapshot: SnapshotSpec,
    /// The book.
    pub book: Book,
    flow: Flow,
    returns: Returns,
    resilience: [Resilience; 2],
    baseline: [Median; 2],
    delayed: [Ring; 2],
    best_sizes: Ring,
    touches: Touches,
    status: Option<u8>,
    phase_at: usize,
    crossed: bool,
    negative_lag: bool,
    has_book: bool,
    ts_event: i64,
    ts_book: i64,
    lag_ns: i64,
    spread_area: i128,
    spread_since: i64,
    spread_time: i64,
    depth5: [i64; 2],
    last_trade: i64,
    ts_last_trade: i64,
    volume: Ring,
    volume_bucket: i64,
    sentiment: Option<(f64, i64)>,
    rows_in_second: u8,
    /// Faults so far.
    pub faults: Faults,
}

impl Instrument {
    /// A fresh instrument.
    #[must_use]
    pub fn new(spec: InstrumentSpec, snapshot: SnapshotSpec) -> Self {
        Self {
            spec,
            snapshot,
            book: Book::default(),
            flow: Flow::default(),
            returns: Returns::default(),
            resilience: [Resilience::default(), Resilience::default()],
            baseline: [Median::new(BASE_SAMPLES), Median::new(BASE_SAMPLES)],
            delayed: [Ring::new(BASE_DELAY + 1), Ring::new(BASE_DELAY + 1)],
            best_sizes: Ring::new(100),
            touches: (None, None),
            status: None,
            phase_at: 0,
            crossed: false,
            negative_lag: false,
            has_book: false,
            ts_event: 0,
            ts_book: 0,
            lag_ns: 0,
            spread_area: 0,
            spread_since: 0,
            spread_time: 0,
            depth5: [0; 2],
            last_trade: UNDEFINED_PRICE,
            ts_last_trade: 0,
            volume: Ring::new(600),
            volume_bucket: 0,
            sentiment: None,
            rows_in_second: 0,
            faults: Faults::default(),
        }
    }

    /// Instrument id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.spec.instrument_id
    }

    /// Phase at `ts` (not before the last call's): a status record holds until the calendar next changes.
    pub fn phase(&mut self, ts: i64) -> Phase {
        while let Some((_, end, _)) = self.spec.phases.get(self.phase_at) {
            if ts < *end {
                break;
            }
            self.phase_at += 1;
            self.status = None;
        }
        let calendar = match self.spec.phases.get(self.phase_at) {
            Some((start, _, phase)) if ts >= *start => *phase,
            _ => Phase::Closed as u8,
        };
        Phase::try_from(self.status.unwrap_or(calendar)).unwrap_or(Phase::Unknown)
    }

    /// Takes one event.
    pub fn push(&mut self, event: &Event) {
        let Ok(kind) = EventKind::try_from(event.kind) else { return };
        self.ts_event = event.ts_event;
        self.lag_ns = event.ts_recv - event.ts_event;
        self.negative_lag |= event.ts_recv < event.ts_event;
        match kind {
            EventKind::Status => self.status = u8::try_from(event.aux).ok(),
            EventKind::Sentiment => self.hear(event),
            EventKind::Trade => {
                self.last_trade = event.price;
                self.ts_last_trade = event.ts_recv;
                self.volume_bucket += event.size;
                self.before_trade(event);
            }
            EventKind::BarClose => self.last_trade = event.price,
            _ => {}
        }
        let changed = match self.book.apply(event) {
            Applied::Changed(by) => by,
            Applied::UnknownOrder => {
                self.faults.unknown_order += 1;
                0
            }
            Applied::Nothing => 0,
        };
        self.flow.count(event, kind, changed);
        if event.flags & pretrade_records::EventFlags::LAST != 0 && kind as u8 <= EventKind::Trade as u8 {
            self.end_of_event(event.ts_recv);
        }
    }

    /// The print comes before or after the book records of its event; depth is taken at the last event end.
    fn before_trade(&mut self, event: &Event) {
        let side = match Side::try_from(event.side) {
            Ok(Side::Bid) => 1,
            Ok(Side::Ask) => 0,
            _ => return,
        };
        self.resilience[side].on_trade(event.ts_recv, self.depth5[side]);
    }

    fn hear(&mut self, event: &Event) {
        let decayed = self.sentiment.map_or(0.0, |(v, ts)| v * decay(event.ts_recv - ts));
        self.sentiment = Some((decayed + event.price as f64 / 1e9, event.ts_recv));
    }

    /// Follows the touches after a venue event.
    fn end_of_event(&mut self, ts: i64) {
        self.has_book |= !self.book.bids().is_empty() || !self.book.asks().is_empty();
        self.ts_book = ts;
        let now = (self.book.bids().best(), self.book.asks().best());
        self.integrate_spread(ts);
        self.flow.quote(ts, self.touches, now);
        self.touches = now;
        let crossed = self.book.is_crossed();
        if crossed && self.phase(ts) == Phase::Continuous {
            self.faults.crossed_book += 1;
        }
        self.crossed = crossed;
        for side in 0..2 {
            let depth = if side == 0 { self.book.bids() } else { self.book.asks() }.depth(5);
            self.resilience[side].on_depth(ts, depth);
            self.depth5[side] = depth;
        }
    }

    fn integrate_spread(&mut self, ts: i64) {
        if let (Some(b), Some(a)) = self.touches {
            self.spread_area += i128::from(a.0 - b.0) * i128::from((ts - self.spread_since).max(0));
            self.spread_time += (ts - self.spread_since).max(0);
        }
        self.spread_since = ts;
    }

    /// What is wrong now.
    fn feed_state(&self, ts: i64, phase: Phase) -> u8 {
        let mut state = 0;
        if self.book.is_unsound() {
            state |= FeedState::RESYNC;
        }
        if !self.has_book || ts - self.ts_book > self.snapshot.stale_after_ns {
            state |= FeedState::STALE;
        }
        match self.touches {
            (Some(b), Some(a)) if b.0 > a.0 => state |= FeedState::CROSSED,
            (Some(b), Some(a)) if b.0 == a.0 => state |= FeedState::LOCKED,
            (Some(_), Some(_)) => {}
            _ => state |= FeedState::ONE_SIDED,
        }
        if self.negative_lag {
            state |= FeedState::NEGATIVE_LAG;
        }
        if phase == Phase::Halted {
            state |= FeedState::HALTED;
        }
        state
    }

    fn twice_mid(&self) -> Option<i64> {
        match self.touches {
            (Some(b), Some(a)) => Some(b.0 + a.0),
            _ => None,
        }
    }

    /// Closes the grid row at `ts`; `None` outside continuous trading, where windows of returns restart.
    pub fn close_row(&mut self, ts: i64) -> Option<Row> {
        let phase = self.phase(ts);
        self.flow.close();
        self.volume.push(i128::from(std::mem::take(&mut self.volume_bucket)));
        if phase != Phase::Continuous || !self.has_book {
            if phase != Phase::Continuous {
                self.returns = Returns::default();
            }
            self.spread_area = 0;
            self.spread_time = 0;
            self.spread_since = ts;
            return None;
        }
        self.integrate_spread(ts);
        self.returns.push(self.twice_mid());
        if let (Some(b), Some(a)) = self.touches {
            self.best_sizes.push(i128::from(b.1 + a.1));
        }
        for side in 0..2 {
            let depth = self.depth5[side];
            self.resilience[side].on_row(ts, depth);
        }
        self.sample_baseline();
        let row = self.row(ts, phase, 0);
        self.spread_area = 0;
        self.spread_time = 0;
        self.negative_lag = false;
        Some(row)
    }

    /// An event-driven row at `ts`; windows and grid stay where they are.
    #[must_use]
    pub fn row_now(&mut self, ts: i64) -> Option<Row> {
        let phase = self.phase(ts);
        (phase == Phase::Continuous && self.has_book).then(|| self.row(ts, phase, 1))
    }

    fn sample_baseline(&mut self) {
        self.rows_in_second += 1;
        if self.rows_in_second < 10 {
            return;
        }
        self.rows_in_second = 0;
        for side in 0..2 {
            let depth = if side == 0 { self.book.bids() } else { self.book.asks() }.depth(self.snapshot.depth_levels);
            self.delayed[side].push(i128::from(depth));
            if let Some(old) = self.delayed[side].ago(BASE_DELAY) {
                self.baseline[side].push(old as i64);
            }
        }
    }

    fn row(&self, ts: i64, phase: Phase, kind: u8) -> Row {
        let levels = self.book.bids().len().min(self.book.asks().len()).min(self.snapshot.depth_levels);
        let mut row = Row {
            ts_recv: ts,
            ts_event: self.ts_event,
            valid: 0,
            instrument_id: self.spec.instrument_id,
            phase: phase as u8,
            feed_state: self.feed_state(ts, phase),
            levels: levels as u8,
            kind,
            values: [0.0; COUNT],
        };
        self.book_values(&mut row);
        self.flow_values(&mut row);
        self.return_values(&mut row);
        self.context_values(&mut row, ts);
        row
    }

    fn book_values(&self, row: &mut Row) {
        let k = self.snapshot.depth_levels;
        let (bids, asks) = (self.book.bids(), self.book.asks());
        let depth = [bids.depth(k) as f64, asks.depth(k) as f64];
        row.set(Feature::DepthBid, depth[0]);
        row.set(Feature::DepthAsk, depth[1]);
        for side in 0..2 {
            let base = self.baseline[side].get().filter(|b| *b > 0 && self.baseline[side].len() >= BASE_LEAST);
            if let Some(base) = base {
                let ratio = depth[side] / base as f64;
                row.set([Feature::DepthRatioBid, Feature::DepthRatioAsk][side], ratio);
                // An empty side has no logarithm; half a unit keeps its order below every other.
                row.set([Feature::DepthRelBid, Feature::DepthRelAsk][side], (depth[side].max(0.5) / base as f64).ln());
            }
        }
        for (feature, n) in [(Feature::ImbalanceL1, 1), (Feature::ImbalanceL5, 5), (Feature::ImbalanceL10, k)] {
            let (b, a) = (bids.depth(n) as f64, asks.depth(n) as f64);
            row.set_if(feature, b + a > 0.0, b / (b + a));
        }
        let (Some(b), Some(a)) = self.touches else { return };
        let twice_mid = (b.0 + a.0) as f64;
        let mid = twice_mid / 2.0;
        row.set(Feature::MidPrice, mid / 1e9);
        let spread = (a.0 - b.0) as f64;
        let tick = self.spec.tick_size as f64;
        row.set(Feature::SpreadNowTicks, spread / tick);
        let mean = if self.spread_time > 0 { self.spread_area as f64 / self.spread_time as f64 } else { spread };
        row.set(Feature::SpreadTicks, mean / tick);
        row.set_if(Feature::SpreadBps, mid > 0.0, mean / mid * 1e4);
        let imbalance = b.1 as f64 / (b.1 + a.1) as f64;
        row.set_if(Feature::MicropriceDevBps, mid > 0.0, spread * (imbalance - 0.5) / mid * 1e4);
        let weigh = |levels: &Levels| -> f64 {
            levels.iter().take(k).map(|(p, s)| s as f64 * (-((p as f64 - mid).abs() / tick) / PRESSURE_LAMBDA_TICKS).exp()).sum()
        };
        let (wb, wa) = (weigh(bids), weigh(asks));
        row.set_if(Feature::BookPressure, wb + wa > 0.0, wb / (wb + wa));
    }

    fn flow_values(&self, row: &mut Row) {
        let f = &self.flow;
        for (feature, value) in [
            (Feature::NTrade1s, f.trades.one_s()),
            (Feature::NAdd1s, f.adds.one_s()),
            (Feature::NCancel1s, f.cancels.one_s()),
            (Feature::NModify1s, f.modifies.one_s()),
            (Feature::NTrade10s, f.trades.ten_s()),
            (Feature::NAdd10s, f.adds.ten_s()),
            (Feature::NCancel10s, f.cancels.ten_s()),
            (Feature::NModify10s, f.modifies.ten_s()),
            (Feature::QuoteRate1s, f.quotes.one_s()),
        ] {
            row.set(feature, value);
        }
        let n = self.best_sizes.len();
        let mean_best: f64 = (0..n).filter_map(|i| self.best_sizes.ago(i)).sum::<i128>() as f64 / (2 * n.max(1)) as f64;
        row.set_if(Feature::Ofi1s, mean_best > 0.0, f.ofi.one_s() / mean_best);
        row.set_if(Feature::Ofi10s, mean_best > 0.0, f.ofi.ten_s() / mean_best);
        row.set_if(Feature::TradeFlow1s, f.volume.one_s() > 0.0, f.signed.one_s() / f.volume.one_s());
        row.set_if(Feature::TradeFlow10s, f.volume.ten_s() > 0.0, f.signed.ten_s() / f.volume.ten_s());
        let orders = f.adds.ten_s() + f.cancels.ten_s() + f.modifies.ten_s();
        row.set_if(Feature::TradeToOrder, orders > 0.0, f.trades.ten_s() / orders);
        let entered = f.adds.ten_s() + f.cancels.ten_s();
        row.set_if(Feature::CancelRate, entered > 0.0, f.cancels.ten_s() / entered);
        let expected = f.quotes.ten_s() / 1_000.0;
        row.set_if(Feature::BurstRatio, expected > 0.0, f.bursts.largest_1s() / expected);
    }

    fn return_values(&self, row: &mut Row) {
        let r = &self.returns;
        for (i, feature) in [Feature::Rv1s, Feature::Rv10s, Feature::Rv1m, Feature::Rv5m].into_iter().enumerate() {
            row.set_some(feature, r.rv(i));
        }
        row.set_some(Feature::JumpShare10s, r.jump_share(0));
        row.set_some(Feature::JumpShare1m, r.jump_share(1));
        if let (Some(short), Some(long)) = (r.rv(1), r.rv(3)) {
            row.set_if(Feature::RvRatio, long > 0.0, short * 30f64.sqrt() / long);
        }
        row.set_some(Feature::Return10sPct, r.return_10s_pct());
        row.set_some(Feature::Sigma10sLaggedPct, r.sigma_10s_lagged_pct());
        row.set_some(Feature::ResilienceBid, self.resilience[0].share_1s());
        row.set_some(Feature::ResilienceAsk, self.resilience[1].share_1s());
        let mut lives: Vec<f64> = self.resilience.iter().flat_map(Resilience::half_lives).collect();
        lives.sort_unstable_by(f64::total_cmp);
        row.set_some(Feature::RecoveryHalfLife, lives.get(lives.len().saturating_sub(1) / 2).copied());
    }

    fn context_values(&self, row: &mut Row, ts: i64) {
        row.set(Feature::BookAgeMs, (ts - self.ts_book) as f64 / 1e6);
        row.set(Feature::FeedLagMs, self.lag_ns as f64 / 1e6);
        let angle = ts.rem_euclid(DAY_NS) as f64 / DAY_NS as f64 * core::f64::consts::TAU;
        row.set(Feature::TodSin, angle.sin());
        row.set(Feature::TodCos, angle.cos());
        if let Some((_, end, _)) = self.spec.phases.get(self.phase_at) {
            row.set(Feature::MinutesToClose, (end - ts) as f64 / 60e9);
        }
        row.set_some(Feature::Sentiment, self.sentiment.map(|(v, heard)| v * decay(ts - heard)));
    }

    /// The quotes record as the book stands; monotonic stamps and channel are the caller's.
    #[must_use]
    pub fn quotes(&mut self, ts: i64) -> QuotesRecord {
        let phase = self.phase(ts);
        let (bid, ask) = self.touches;
        let window = self.snapshot.depth_window_ticks * self.spec.tick_size;
        let within =
            |levels: &Levels| levels.best().map_or(0, |(best, _)| levels.iter().take_while(|(p, _)| (p - best).abs() < window).map(|l| l.1).sum());
        let price = |side: Option<(i64, i64)>| side.map_or(UNDEFINED_PRICE, |s| s.0);
        let half = |twice: Option<i64>| twice.filter(|m| *m > 0).map_or(UNDEFINED_PRICE, |m| m / 2);
        let recent = (0..50).filter_map(|i| self.returns.twice_mid_ago(i)).filter(|m| *m > 0);
        let (low, high) = recent.fold((i64::MAX, i64::MIN), |(l, h), m| (l.min(m), h.max(m)));
        QuotesRecord {
            instrument_id: self.spec.instrument_id,
            phase: phase as u8,
            feed_state: self.feed_state(ts, phase),
            bid_price: price(bid),
            ask_price: price(ask),
            bid_size: bid.map_or(0, |b| b.1),
            ask_size: ask.map_or(0, |a| a.1),
            last_price: self.last_trade,
            slow_reference: half(self.returns.median_mid(50).or(self.twice_mid())),
            mid_10s: half(self.returns.twice_mid_ago(100)),
            mid_5m: half(self.returns.twice_mid_ago(3_000)),
            depth_bid: within(self.book.bids()),
            depth_ask: within(self.book.asks()),
            volume_1m: (0..self.volume.len()).filter_map(|i| self.volume.ago(i)).sum::<i128>() as i64 + self.volume_bucket,
            adv: self.spec.adv,
            ts_event: self.ts_event,
            ts_recv: self.ts_book,
            velocity_low: half((low < i64::MAX).then_some(low)),
            velocity_high: half((high > i64::MIN).then_some(high)),
            ts_last: self.ts_last_trade,
            nbbo_bid: UNDEFINED_PRICE,
            nbbo_ask: UNDEFINED_PRICE,
            rv_1m: self.returns.rv(2).map_or(f32::NAN, |v| v as f32),
            ..QuotesRecord::default()
        }
    }
}

impl Row {
    fn set(&mut self, feature: Feature, value: f64) {
        if value.is_finite() {
            self.values[feature as usize] = value;
            self.valid |= 1 << feature as usize;
        }
    }

    fn set_if(&mut self, feature: Feature, defined: bool, value: f64) {
        if defined {
            self.set(feature, value);
        }
    }

    fn set_some(&mut self, feature: Feature, value: Option<f64>) {
        if let Some(value) = value {
            self.set(feature, value);
        }
    }
}

fn decay(age_ns: i64) -> f64 {
    (-core::f64::consts::LN_2 * age_ns as f64 / 1e9 / SENTIMENT_HALF_LIFE_S).exp()
}
