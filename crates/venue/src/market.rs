// SPDX-License-Identifier: Apache-2.0
//! The closed-loop market: one event queue, agents that see the book and their own inventory, and nothing else.
//!
//! Nobody but the seller knows when the selling starts; the crash emerges from inventory limits, withdrawal and stops
//! (Paddrik et al. 2012; Kirilenko et al. 2017 for the roles).
use crate::engine::{Engine, Handle};
use crate::parameters::Parameters;
use crate::recorder::Recorder;
use crate::rng::Draws;
use pretrade_records::Side;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

const SECOND: i64 = 1_000_000_000;
const TIMER_NS: i64 = 100_000_000;
const BACKGROUND: u32 = 0;
const FIRST_MAKER: u32 = 1;
const FIRST_FUNDAMENTAL: u32 = 100_000;
/// Owner of orders entered from outside.
pub const OUTSIDE: u32 = u32::MAX - 1;
/// Furthest an aggressive background order walks, ticks.
const PROTECTION: i32 = 40;
/// How often opportunistic traders look while price is off value, a second.
const BARGAIN_LOOKS: f64 = 30.0;
/// Inventory from which a withdrawn maker keeps the reducing side, lots.
const REDUCE_FROM: i64 = 10;

/// Who acts; the order is the fixed class order of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wake {
    Timer,
    Add(u8),
    Cancel,
    MarketOrder,
    Refill(u8),
    Maker(u32),
    Fundamental(u32),
    Bargain,
    Momentum(u32),
    Stop(i64, u8),
    Metaorder,
    Child(u8, i64),
    Clip,
    Seller,
}

#[derive(Debug)]
struct Maker {
    draws: Draws,
    cap: f64,
    quote: f64,
    rate: f64,
    threshold: f64,
    inventory: i64,
    away_until: i64,
    quotes: [Vec<Handle>; 2],
}

#[derive(Debug)]
struct Fundamental {
    draws: Draws,
    bias: f64,
    orders: [Handle; 2],
    due: [i64; 2],
}

#[derive(Debug)]
struct Stop {
    distance: f64,
    size: i64,
    armed_from: i64,
}

/// Log Ornstein-Uhlenbeck factor.
#[derive(Clone, Copy, Debug)]
struct Regime {
    x: f64,
    sd: f64,
    tau_s: f64,
}

impl Regime {
    fn step(&mut self, dt_s: f64, draws: &mut Draws) {
        let a = libm::exp(-dt_s / self.tau_s);
        self.x = self.x * a + self.sd * libm::sqrt(1.0 - a * a) * draws.normal();
    }

    fn factor(&self) -> f64 {
        libm::exp(self.x)
    }
}

/// The simulated market of one instrument.
pub struct Market {
    p: Parameters,
    /// The matching engine.
    pub engine: Engine,
    /// What has been published.
    pub recorder: Recorder,
    queue: BinaryHeap<Reverse<(i64, Wake, u64)>>,
    queued: u64,
    now: i64,
    value: f64,
    mid: f64,
    timer_mid: f64,
    slow_mid: f64,
    slow_reference: f64,
    trail: f64,
    move_ewma: f64,
    trend_ewma: f64,
    hawkes: [f64; 2],
    hawkes_at: i64,
    market_draws: Draws,
    background: Vec<Handle>,
    background_draws: Draws,
    value_draws: Draws,
    event_draws: Draws,
    regime_draws: Draws,
    seller_draws: Draws,
    makers: Vec<Maker>,
    fundamentals: Vec<Fundamental>,
    momentum: Vec<Draws>,
    stops: [Vec<Stop>; 2],
    regimes: [Regime; 3],
    recent_volume: VecDeque<(i64, i64)>,
    refill_due: [bool; 2],
    outside: Vec<crate::recorder::Fill>,
}

const fn side_of(i: u8) -> Side {
    if i == 0 { Side::Bid } else { Side::Ask }
}

impl Market {
    /// A market that opens at `ts_start` (ns UTC) with a filled book.
    #[must_use]
    pub fn new(p: Parameters, seed: u64, ts_start: i64) -> Self {
        let mut setup = Draws::new(seed, 1);
        let makers = (0..p.makers)
            .map(|i| {
                let mut draws = Draws::new(seed, 1_000 + u64::from(i));
                Maker {
                    cap: draws.between(p.maker_cap.0, p.maker_cap.1) * p.maker_cap_scale,
                    quote: draws.between(p.maker_quote.0, p.maker_quote.1),
                    rate: draws.between(p.maker_wake_rate.0, p.maker_wake_rate.1),
                    threshold: draws.between(p.maker_threshold.0, p.maker_threshold.1),
                    inventory: 0,
                    away_until: 0,
                    quotes: [Vec::new(), Vec::new()],
                    draws,
                }
            })
            .collect();
        let fundamentals = (0..p.fundamentals)
            .map(|i| {
                let mut draws = Draws::new(seed, 100_000 + u64::from(i));
                Fundamental { bias: 0.0005 * draws.normal(), orders: [Handle::default(); 2], due: [0; 2], draws }
            })
            .collect();
        let stops = [0u64, 1].map(|side| {
            (0..p.stops)
                .map(|i| {
                    let mut draws = Draws::new(seed, 200_000 + 2 * u64::from(i) + side);
                    Stop {
                        distance: draws.between(p.stop_distance.0, p.stop_distance.1),
                        size: draws.between(p.stop_size.0, p.stop_size.1) as i64,
                        armed_from: ts_start,
                    }
                })
                .collect()
        });
        let open = f64::from(p.open_tick);
        let (v, a, d) = p.regime_sd;
        let regime = |sd: f64, tau_s: f64, draws: &mut Draws| Regime { x: sd * draws.normal(), sd, tau_s };
        let regimes = [regime(v, 1_200.0, &mut setup), regime(a, 600.0, &mut setup), regime(d, 1_800.0, &mut setup)];
        let mut market = Self {
            engine: Engine::new(p.open_tick - p.ladder_ticks, 2 * p.ladder_ticks as usize),
            recorder: Recorder::new(p.instrument_id, p.tick_size, p.feed_latency_ns),
            queue: BinaryHeap::new(),
            queued: 0,
            now: ts_start,
            value: open,
            mid: open + 0.5,
            timer_mid: open + 0.5,
            slow_mid: open + 0.5,
            slow_reference: open + 0.5,
            trail: open + 0.5,
            move_ewma: 0.0,
            trend_ewma: 0.0,
            hawkes: [0.0; 2],
            hawkes_at: ts_start,
            market_draws: Draws::new(seed, 2),
            background: Vec::new(),
            background_draws: Draws::new(seed, 3),
            value_draws: Draws::new(seed, 4),
            event_draws: Draws::new(seed, 5),
            regime_draws: Draws::new(seed, 6),
            seller_draws: Draws::new(seed, 7),
            makers,
            fundamentals,
            momentum: (0..p.momentum).map(|i| Draws::new(seed, 300_000 + u64::from(i))).collect(),
            stops,
            regimes,
            recent_volume: VecDeque::new(),
            refill_due: [false; 2],
            outside: Vec::new(),
            p,
        };
        market.open();
        market
    }

    /// The present, ns UTC.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.now
    }

    /// Runs every event up to and including `ts`.
    pub fn run_until(&mut self, ts: i64) {
        while let Some(Reverse((at, wake, _))) = self.queue.peek().copied() {
            if at > ts {
                break;
            }
            self.queue.pop();
            self.now = at;
            self.recorder.now = at;
            self.act(wake);
            self.after_event();
        }
        self.now = ts;
        self.recorder.now = ts;
    }

    /// Enters an order from outside at the present; returns the quantity filled at once and the resting handle.
    pub fn enter(&mut self, side: Side, tick: i32, quantity: i64, rests: bool) -> (i64, Option<Handle>) {
        let (filled, handle) = self.engine.limit(OUTSIDE, side, tick, quantity, rests, &mut self.recorder);
        self.trades(side);
        self.after_event();
        (filled, handle)
    }

    /// Fills of outside orders that rested, since the last call.
    pub fn outside_fills(&mut self) -> Vec<crate::recorder::Fill> {
        std::mem::take(&mut self.outside)
    }

    fn open(&mut self) {
        self.recorder.now = self.now;
        let open = self.p.open_tick;
        for i in 0..60 {
            for side in 0..2u8 {
                let off = i / 4;
                let tick = if side == 0 { open - off } else { open + 1 + off };
                let size = self.background_draws.geometric(self.p.add_size);
                if let Some(h) = self.engine.post(BACKGROUND, side_of(side), tick, size, &mut self.recorder) {
                    self.background.push(h);
                }
            }
        }
        for m in 0..self.makers.len() as u32 {
            self.maker_requote(m);
            let rate = self.makers[m as usize].rate;
            let wait = self.makers[m as usize].draws.wait_ns(rate);
            self.push(self.now + wait, Wake::Maker(m));
        }
        for f in 0..self.fundamentals.len() as u32 {
            self.fundamental_quote(f);
            let wait = self.fundamentals[f as usize].draws.wait_ns(0.25);
            self.push(self.now + wait, Wake::Fundamental(f));
        }
        for m in 0..self.momentum.len() as u32 {
            let wait = self.momentum[m as usize].wait_ns(0.5);
            self.push(self.now + wait, Wake::Momentum(m));
        }
        self.push(self.now + TIMER_NS, Wake::Timer);
        self.push(self.now + 1, Wake::Add(0));
        self.push(self.now + 1, Wake::Add(1));
        self.push(self.now + 1, Wake::Cancel);
        self.push(self.now + 1, Wake::MarketOrder);
        self.push(self.now + SECOND, Wake::Bargain);
        let wait = self.event_draws.wait_ns(self.p.metaorders_per_hour / 3_600.0);
        self.push(self.now + wait, Wake::Metaorder);
        let wait = self.event_draws.wait_ns(self.p.clips_per_day / 86_400.0);
        self.push(self.now + wait, Wake::Clip);
        if self.p.seller_start < i64::MAX && self.p.seller_rate > 0.0 {
            self.push(self.p.seller_start.max(self.now), Wake::Seller);
        }
        self.after_event();
    }

    fn push(&mut self, at: i64, wake: Wake) {
        self.queued += 1;
        self.queue.push(Reverse((at, wake, self.queued)));
    }

    fn act(&mut self, wake: Wake) {
        match wake {
            Wake::Timer => self.timer(),
            Wake::Add(side) => self.background_add(side),
            Wake::Cancel => self.background_cancel(),
            Wake::MarketOrder => self.background_market(),
            Wake::Refill(side) => self.refill(side),
            Wake::Maker(i) => self.maker(i),
            Wake::Fundamental(i) => self.fundamental(i),
            Wake::Bargain => self.bargain(),
            Wake::Momentum(i) => self.follow(i),
            Wake::Stop(size, side) => self.market_order(side_of(side), size, PROTECTION),
            Wake::Metaorder => self.metaorder(),
            Wake::Child(side, left) => self.child(side, left),
            Wake::Clip => self.clip(),
            Wake::Seller => self.sell(),
        }
    }

    /// Tells owners of their fills, follows the touch, asks for a refill of an opened spread.
    fn after_event(&mut self) {
        let fills = std::mem::take(&mut self.recorder.fills);
        for fill in &fills {
            if fill.owner == OUTSIDE {
                self.outside.push(*fill);
            } else if (FIRST_MAKER..FIRST_MAKER + self.p.makers).contains(&fill.owner) {
                let signed = if fill.side == Side::Bid { fill.size } else { -fill.size };
                self.makers[(fill.owner - FIRST_MAKER) as usize].inventory += signed;
            }
            self.slow_reference += 0.02 * (f64::from(fill.tick) - self.slow_reference);
        }
        self.recorder.fills = fills;
        self.recorder.fills.clear();
        if let (Some(bid), Some(ask)) = (self.engine.best_bid(), self.engine.best_ask()) {
            self.mid = f64::from(bid + ask) / 2.0;
            if ask - bid > 1 {
                for side in 0..2u8 {
                    if !self.refill_due[side as usize] {
                        self.refill_due[side as usize] = true;
                        let wait = (self.event_draws.exponential() * self.p.refill_s * (1.0 + self.p.caution * self.move_ewma) * 1e9) as i64 + 1;
                        self.push(self.now + wait, Wake::Refill(side));
                    }
                }
            }
        }
    }

    fn timer(&mut self) {
        let dt = TIMER_NS as f64 / 1e9;
        let vol = self.regimes[0].factor() * self.p.value_volatility;
        self.value += vol * libm::sqrt(dt) * self.value_draws.normal();
        for r in &mut self.regimes {
            r.step(dt, &mut self.regime_draws);
        }
        let moved = self.mid - self.timer_mid;
        self.timer_mid = self.mid;
        self.move_ewma += 0.07 * (moved.abs() - self.move_ewma);
        self.trend_ewma += 0.07 * (moved - self.trend_ewma);
        self.slow_mid += (dt / self.p.bargain_delay_s) * (self.mid - self.slow_mid);
        self.trail += (dt / 600.0) * (self.mid - self.trail);
        self.trigger_stops();
        self.push(self.now + TIMER_NS, Wake::Timer);
    }

    fn trigger_stops(&mut self) {
        let (mid, trail, now) = (self.mid, self.trail, self.now);
        let mut due = Vec::new();
        for (i, stops) in self.stops.iter_mut().enumerate() {
            for stop in stops.iter_mut().filter(|s| s.armed_from <= now) {
                let hit = if i == 0 { mid <= trail * (1.0 - stop.distance) } else { mid >= trail * (1.0 + stop.distance) };
                if hit {
                    stop.armed_from = now + 900 * SECOND;
                    due.push((stop.size, if i == 0 { 1u8 } else { 0u8 }));
                }
            }
        }
        for (size, side) in due {
            let wait = (self.event_draws.exponential() * self.p.stop_delay_s * 1e9) as i64 + 1;
            self.push(self.now + wait, Wake::Stop(size, side));
        }
    }

    /// Own-side touch, or the slow reference where that side is empty.
    fn touch(&self, side: u8) -> i32 {
        let (own, other) =
            if side == 0 { (self.engine.best_bid(), self.engine.best_ask()) } else { (self.engine.best_ask(), self.engine.best_bid()) };
        let step = if side == 0 { -1 } else { 1 };
        own.or_else(|| other.map(|t| t + 4 * step)).unwrap_or(self.slow_reference as i32 + 4 * step)
    }

    fn background_add(&mut self, side: u8) {
        let d = &mut self.background_draws;
        let u = d.uniform();
        let size = d.geometric(self.p.add_size);
        let offset = if u < 0.52 { 0 } else { d.geometric(7.0).min(60) as i32 };
        let step = if side == 0 { -1 } else { 1 };
        let mut tick = self.touch(side) + step * offset;
        let spread = self.engine.best_bid().zip(self.engine.best_ask()).map_or(0, |(b, a)| a - b);
        if offset == 0 && spread > 1 && self.background_draws.uniform() < self.p.improve {
            tick -= step * (1 + self.background_draws.below(((spread - 1) as u64).min(8)) as i32);
        }
        if let Some(h) = self.engine.post(BACKGROUND, side_of(side), tick, size, &mut self.recorder) {
            self.background.push(h);
        }
        let wait = self.background_draws.wait_ns(self.p.add_rate * self.regimes[1].factor());
        self.push(self.now + wait, Wake::Add(side));
    }

    fn background_cancel(&mut self) {
        if !self.background.is_empty() {
            let i = self.background_draws.below(self.background.len() as u64) as usize;
            let handle = self.background.swap_remove(i);
            self.engine.cancel(handle, &mut self.recorder);
        }
        let rate = self.p.cancel_hazard * self.regimes[1].factor() * self.background.len().max(1) as f64;
        let wait = self.background_draws.wait_ns(rate);
        self.push(self.now + wait, Wake::Cancel);
    }

    fn background_market(&mut self) {
        let dt = (self.now - self.hawkes_at) as f64 / 1e9;
        let fade = libm::exp(-self.p.market_decay * dt);
        self.hawkes[0] *= fade;
        self.hawkes[1] *= fade;
        self.hawkes_at = self.now;
        let pull = (self.p.value_pull * (self.value - self.mid)).clamp(-0.8, 0.8);
        let base = self.p.market_rate * self.regimes[1].factor();
        let rates = [base * (1.0 + pull) + self.hawkes[0], base * (1.0 - pull) + self.hawkes[1]];
        let bound = 2.0 * base + self.hawkes[0] + self.hawkes[1];
        let side = usize::from(self.market_draws.uniform() * bound >= rates[0]);
        let mut size = self.market_draws.geometric(self.p.market_size);
        if self.market_draws.uniform() < 0.01 {
            size *= 8;
        }
        self.hawkes[side] += self.p.market_branching * self.p.market_decay;
        self.market_order(side_of(side as u8), size, 6);
        // Thinning is not needed: the intensity only falls until the next arrival, and the bound is refreshed at each.
        let wait = self.market_draws.wait_ns((2.0 * base + self.hawkes[0] + self.hawkes[1]).max(0.1));
        self.push(self.now + wait, Wake::MarketOrder);
    }

    /// Takes up to `walk` ticks beyond the touch; the remainder is cancelled.
    fn market_order(&mut self, side: Side, size: i64, walk: i32) {
        let bound = match side {
            Side::Ask => self.engine.best_bid().map(|t| t - walk),
            _ => self.engine.best_ask().map(|t| t + walk),
        };
        if let Some(tick) = bound {
            self.engine.take(side, tick, size, &mut self.recorder);
            self.trades(side);
        }
    }

    fn trades(&mut self, aggressor: Side) {
        let size = self.recorder.print_trades(aggressor);
        if size > 0 {
            self.recent_volume.push_back((self.now, size));
        }
        while self.recent_volume.front().is_some_and(|(t, _)| *t < self.now - 2 * SECOND) {
            self.recent_volume.pop_front();
        }
    }

    /// A maker with room on that side quotes inside the opened spread.
    fn refill(&mut self, side: u8) {
        self.refill_due[side as usize] = false;
        let (Some(bid), Some(ask)) = (self.engine.best_bid(), self.engine.best_ask()) else { return };
        if ask - bid <= 1 {
            return;
        }
        let i = self.event_draws.below(self.makers.len() as u64) as usize;
        let maker = &self.makers[i];
        let room = room(maker, side);
        if room <= 0.05 || (maker.away_until > self.now && !reduces(maker, side)) {
            return;
        }
        let size = ((maker.quote * room * self.regimes[2].factor()) as i64).max(1);
        let inside = ((f64::from(ask - bid) * self.p.undercut) as i32).max(1);
        let tick = if side == 0 { bid + inside } else { ask - inside };
        if let Some(h) = self.engine.post(FIRST_MAKER + i as u32, side_of(side), tick, size, &mut self.recorder) {
            self.makers[i].quotes[side as usize].push(h);
        }
    }

    fn maker(&mut self, i: u32) {
        let (threshold, away) = (self.makers[i as usize].threshold, self.makers[i as usize].away_until);
        if self.move_ewma > threshold {
            let m = &mut self.makers[i as usize];
            let s = m.draws.between(self.p.maker_away_s.0, self.p.maker_away_s.1);
            m.away_until = self.now + (s * 1e9) as i64;
            self.maker_withdraw(i);
        } else if away <= self.now {
            self.maker_requote(i);
        }
        if away > self.now {
            self.maker_reduce(i);
        }
        self.maker_unload(i);
        let rate = self.makers[i as usize].rate;
        let wait = self.makers[i as usize].draws.wait_ns(rate);
        self.push(self.now + wait, Wake::Maker(i));
    }

    /// Pulls quotes; a maker with inventory keeps the side that reduces it.
    fn maker_withdraw(&mut self, i: u32) {
        for side in 0..2u8 {
            if !reduces(&self.makers[i as usize], side) {
                for h in std::mem::take(&mut self.makers[i as usize].quotes[side as usize]) {
                    self.engine.cancel(h, &mut self.recorder);
                }
            }
        }
    }

    /// A withdrawn maker still quotes the side that brings its inventory down.
    fn maker_reduce(&mut self, i: u32) {
        let inventory = self.makers[i as usize].inventory;
        if inventory.abs() > REDUCE_FROM {
            self.maker_requote_side(i, u8::from(inventory > 0));
        }
    }

    fn maker_requote(&mut self, i: u32) {
        for side in 0..2u8 {
            self.maker_requote_side(i, side);
        }
    }

    fn maker_requote_side(&mut self, i: u32, side: u8) {
        let touch = self.touch(side);
        let step = if side == 0 { -1 } else { 1 };
        let room = room(&self.makers[i as usize], side);
        let wanted = (self.makers[i as usize].quote * room * self.regimes[2].factor()) as i64;
        let mut kept = Vec::with_capacity(self.p.maker_quotes as usize + 1);
        for h in std::mem::take(&mut self.makers[i as usize].quotes[side as usize]) {
            let size = self.engine.resting(h);
            let distance = (self.engine.tick_of(h) - touch) * step;
            let stale =
                size > 0 && (distance > 9 || wanted == 0 || size > 2 * wanted || 2 * size < wanted || kept.len() >= self.p.maker_quotes as usize);
            if stale || (size > 0 && self.makers[i as usize].draws.uniform() < 0.03) {
                self.engine.cancel(h, &mut self.recorder);
            } else if size > 0 {
                kept.push(h);
            }
        }
        while wanted > 0 && kept.len() < self.p.maker_quotes as usize {
            let offset = self.makers[i as usize].draws.below(10) as i32;
            match self.engine.post(FIRST_MAKER + i, side_of(side), touch + step * offset, wanted, &mut self.recorder) {
                Some(h) => kept.push(h),
                None => break,
            }
        }
        self.makers[i as usize].quotes[side as usize] = kept;
    }

    /// Above its cap a maker sells a little at market (hot potato).
    fn maker_unload(&mut self, i: u32) {
        let m = &mut self.makers[i as usize];
        let over = m.inventory.unsigned_abs() as f64 / m.cap;
        if over > 1.1 && m.draws.uniform() < 0.3 {
            let side = if m.inventory > 0 { Side::Ask } else { Side::Bid };
            let size = 1 + m.draws.below(5) as i64;
            let before = self.recorder.fills.len();
            self.market_order(side, size, 2);
            let filled: i64 = self.recorder.fills[before..].iter().map(|f| f.size).sum();
            let signed = if side == Side::Ask { -filled } else { filled };
            self.makers[i as usize].inventory += signed;
        }
    }

    fn fundamental(&mut self, i: u32) {
        self.fundamental_quote(i);
        let wait = self.fundamentals[i as usize].draws.wait_ns(0.25);
        self.push(self.now + wait, Wake::Fundamental(i));
    }

    /// Keeps one deep bid and one deep ask; a filled one comes back after a delay.
    fn fundamental_quote(&mut self, i: u32) {
        let (value, now) = (self.value, self.now);
        for side in 0..2usize {
            let f = &mut self.fundamentals[i as usize];
            if self.engine.resting(f.orders[side]) > 0 {
                continue;
            }
            if f.due[side] == 0 && f.orders[side] != Handle::default() {
                f.due[side] = now + (f.draws.between(self.p.fundamental_delay_s.0, self.p.fundamental_delay_s.1) * 1e9) as i64;
                continue;
            }
            if f.due[side] > now {
                continue;
            }
            let distance = f.draws.between(self.p.fundamental_distance.0, self.p.fundamental_distance.1);
            let sign = if side == 0 { -1.0 } else { 1.0 };
            let anchor = if side == 0 { value.min(self.mid) } else { value.max(self.mid) };
            let tick = (anchor * (1.0 + f.bias + sign * distance)) as i32;
            let size = f.draws.between(self.p.fundamental_size.0, self.p.fundamental_size.1) as i64;
            if let Some(h) = self.engine.post(FIRST_FUNDAMENTAL + i, side_of(side as u8), tick, size, &mut self.recorder) {
                let f = &mut self.fundamentals[i as usize];
                f.orders[side] = h;
                f.due[side] = 0;
            }
        }
    }

    /// Opportunistic traders rest orders near the touch, the more the further price stands from value; they look with a delay.
    fn bargain(&mut self) {
        let gap_pct = 100.0 * (self.value - self.slow_mid) / self.value;
        let excess = gap_pct.abs() - self.p.bargain_from_pct;
        let rate = self.p.bargain_rate * excess.max(0.0);
        if rate > 0.0 && self.event_draws.uniform() < (rate / BARGAIN_LOOKS).min(1.0) {
            let side = u8::from(gap_pct < 0.0);
            let step = if side == 0 { -1 } else { 1 };
            let size = self.event_draws.between(self.p.bargain_size.0, self.p.bargain_size.1) as i64;
            let tick = self.touch(side) + step * self.event_draws.below(10) as i32;
            if let Some(h) = self.engine.post(BACKGROUND, side_of(side), tick, size, &mut self.recorder) {
                self.background.push(h);
            }
        }
        let wait = self.event_draws.wait_ns(if excess > 0.0 { BARGAIN_LOOKS } else { 1.0 });
        self.push(self.now + wait, Wake::Bargain);
    }

    fn follow(&mut self, i: u32) {
        let trend = self.trend_ewma;
        let d = &mut self.momentum[i as usize];
        let size = d.between(self.p.momentum_size.0, self.p.momentum_size.1) as i64;
        let wait = d.wait_ns(0.5);
        if trend.abs() > self.p.momentum_threshold {
            self.market_order(if trend > 0.0 { Side::Bid } else { Side::Ask }, size, 4);
        }
        self.push(self.now + wait, Wake::Momentum(i));
    }

    fn metaorder(&mut self) {
        let side = self.event_draws.below(2) as u8;
        let size = self.event_draws.between(self.p.metaorder_size.0, self.p.metaorder_size.1) as i64;
        self.push(self.now + 1, Wake::Child(side, size));
        let wait = self.event_draws.wait_ns(self.p.metaorders_per_hour / 3_600.0);
        self.push(self.now + wait, Wake::Metaorder);
    }

    fn child(&mut self, side: u8, left: i64) {
        let size = left.min(2 + self.event_draws.below(5) as i64);
        self.market_order(side_of(side), size, 3);
        if left > size {
            let wait = self.event_draws.wait_ns(0.5);
            self.push(self.now + wait, Wake::Child(side, left - size));
        }
    }

    fn clip(&mut self) {
        let side = self.event_draws.below(2) as u8;
        let size = self.event_draws.between(self.p.clip_size.0, self.p.clip_size.1) as i64;
        self.market_order(side_of(side), size, 8);
        let wait = self.event_draws.wait_ns(self.p.clips_per_day / 86_400.0);
        self.push(self.now + wait, Wake::Clip);
    }

    /// The programme: clips at a rising rate, or a share of recent volume where that is more.
    fn sell(&mut self) {
        let t = (self.now - self.p.seller_start) as f64 / 1e9;
        let volume: i64 = self.recent_volume.iter().map(|(_, s)| s).sum();
        let size = self.p.seller_clip.max((self.p.seller_share * volume as f64 / self.p.seller_max_rate) as i64);
        self.market_order(Side::Ask, size, PROTECTION);
        let rate = (self.p.seller_rate * (1.0 + t / self.p.seller_ramp_s)).min(self.p.seller_max_rate);
        let wait = (self.seller_draws.between(0.7, 1.3) / rate * 1e9) as i64 + 1;
        self.push(self.now + wait, Wake::Seller);
    }
}

/// True where a quote on that side would bring a maker's inventory down.
const fn reduces(maker: &Maker, side: u8) -> bool {
    if side == 0 { maker.inventory < -REDUCE_FROM } else { maker.inventory > REDUCE_FROM }
}

/// Share of a maker's quote size on a side: 0 where its inventory leaves no room, up to 1.5 on the side that reduces it.
fn room(maker: &Maker, side: u8) -> f64 {
    let filled = if side == 0 { maker.inventory } else { -maker.inventory } as f64 / maker.cap;
    if filled > 0.0 { (1.0 - filled).max(0.0) } else { (1.0 - 0.5 * filled).min(1.5) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(seed: u64, p: Parameters, seconds: i64) -> Market {
        let mut m = Market::new(p, seed, 0);
        for s in 1..=seconds {
            m.run_until(s * SECOND);
            let (bid, ask) = (m.engine.best_bid(), m.engine.best_ask());
            assert!(bid.zip(ask).is_none_or(|(b, a)| b < a), "crossed at {s} s: {bid:?} {ask:?}");
        }
        m
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_another_seed_does_not() {
        let a = run(5, Parameters::default(), 60);
        let b = run(5, Parameters::default(), 60);
        assert_eq!(a.recorder.events, b.recorder.events);
        assert_eq!(a.recorder.hash(), b.recorder.hash());
        assert_ne!(a.recorder.hash(), run(6, Parameters::default(), 60).recorder.hash());
    }

    #[test]
    fn before_the_seller_starts_nothing_knows_of_it() {
        let with = Parameters { seller_start: 60 * SECOND, ..Parameters::default() };
        let (a, b) = (run(5, with, 59), run(5, Parameters::default(), 59));
        assert_eq!(a.recorder.hash(), b.recorder.hash());
    }

    #[test]
    fn every_execution_reduces_an_order_that_was_added() {
        let m = run(9, Parameters { seller_start: 30 * SECOND, ..Parameters::default() }, 80);
        let mut live = std::collections::HashMap::new();
        let mut traded = 0;
        for e in &m.recorder.events {
            match e.kind {
                1 => *live.entry(e.order_id).or_insert(0) += e.size,
                3 | 4 => {
                    let left = live.get_mut(&e.order_id).expect("an order that was added");
                    *left -= e.size;
                    assert!(*left >= 0, "order {} overdrawn", e.order_id);
                    traded += if e.kind == 4 { e.size } else { 0 };
                }
                7 => traded -= e.size,
                k => panic!("kind {k} is never published"),
            }
        }
        assert_eq!(traded, 0, "prints and fills must balance");
    }

    #[test]
    fn the_seller_breaks_the_market_and_larger_caps_hold_it() {
        let fall = |scale: f64| {
            let p = Parameters { seller_start: 300 * SECOND, maker_cap_scale: scale, ..Parameters::default() };
            let mut m = Market::new(p, 21, 0);
            m.run_until(300 * SECOND);
            let before = m.mid;
            m.run_until(360 * SECOND);
            1.0 - m.mid / before
        };
        let (weak, strong) = (fall(1.0), fall(10.0));
        assert!(weak > 0.015 && strong < 0.5 * weak, "{weak} {strong}");
    }
}
