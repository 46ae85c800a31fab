// SPDX-License-Identifier: Apache-2.0
//! The closed-loop market: one event queue, agents that see the book and their own inventory, and nothing else.
//!
//! Nobody but the seller knows when the selling starts; the crash emerges from inventory limits, withdrawal and stops
//! (Paddrik et al. 2012; Kirilenko et al. 2017 for the roles).
use crate::engine::{Engine, Handle};
use crate::exchange::{Exchange, Lifetime, Request};
use crate::parameters::Parameters;
use crate::recorder::Recorder;
use crate::rng::Draws;
use pretrade_records::{Phase, Side};
use std::collections::{BinaryHeap, VecDeque};

mod background;
mod crowd;
mod makers;
mod programmes;

/// Orders that opportunistic traders lay out at one look.
const OFFERS_A_LOOK: u32 = 10;
/// How often value traders look whether the price has stopped, a second.
const RETURN_LOOKS: f64 = 20.0;
const SECOND: i64 = 1_000_000_000;
const TIMER_NS: i64 = 100_000_000;
const BACKGROUND: u32 = 0;
const FIRST_MAKER: u32 = 1;
/// Owner of opportunistic orders, and of those that offer what they bought.
const BARGAIN: u32 = 90_000;
const OFFERED: u32 = 90_001;
const FIRST_FUNDAMENTAL: u32 = 100_000;
/// First owner of orders entered from outside, that of account 0; the venue keeps the accounts apart.
pub const OUTSIDE: u32 = 1 << 31;
/// Furthest an aggressive background order walks, ticks.
const PROTECTION: i32 = 40;
/// How often opportunistic traders look while price is off value, a second.
const BARGAIN_LOOKS: f64 = 30.0;
/// Inventory from which a withdrawn maker keeps the reducing side, lots.
const REDUCE_FROM: i64 = 10;

/// Who acts.
#[derive(Clone, Copy, Debug)]
enum Wake {
    Timer,
    Add(u8),
    Cancel,
    Fade(u64, u32),
    Burst,
    Message,
    MarketOrder,
    Refill(u8),
    Maker(u32),
    Fundamental(u32, u8),
    Restock(u32, u8),
    Bargain,
    Return,
    Momentum(u32),
    Stop(u32, u8),
    Metaorder,
    Child(u8, u32, u32),
    Clip,
    Seller,
}

impl Wake {
    /// The fixed class order of the queue, for what is due at the same nanosecond.
    const fn class(self) -> u64 {
        match self {
            Wake::Timer => 0,
            Wake::Add(_) | Wake::Cancel | Wake::Fade(..) | Wake::Burst | Wake::Message | Wake::MarketOrder => 1,
            Wake::Refill(_) | Wake::Maker(_) => 2,
            Wake::Fundamental(..) | Wake::Restock(..) | Wake::Bargain | Wake::Return | Wake::Momentum(_) | Wake::Stop(..) => 3,
            Wake::Metaorder | Wake::Child(..) | Wake::Clip | Wake::Seller => 4,
        }
    }
}

/// One entry of the event queue, due in the order `(ts_ns, class, seq)`; the heap gives the greatest first, so it is turned round.
#[derive(Clone, Copy, Debug)]
struct Due {
    at: i64,
    rank: u64,
    wake: Wake,
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        (other.at, other.rank).cmp(&(self.at, self.rank))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Due {}

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
    is_waiting: [bool; 2],
}

#[derive(Debug)]
struct Stop {
    draws: Draws,
    distance: f64,
    size: i64,
    armed_from: i64,
}

/// Log Ornstein-Uhlenbeck factor, stepped by the timer.
#[derive(Clone, Copy, Debug)]
struct Regime {
    x: f64,
    factor: f64,
    keep: f64,
    noise: f64,
}

impl Regime {
    /// In its stationary law, with log standard deviation `sd` and time constant `tau_s`.
    fn new(sd: f64, tau_s: f64, draws: &mut Draws) -> Self {
        let x = sd * draws.normal();
        let keep = libm::exp(-(TIMER_NS as f64) / 1e9 / tau_s);
        Self { x, factor: libm::exp(x), keep, noise: sd * libm::sqrt(1.0 - keep * keep) }
    }

    fn step(&mut self, draws: &mut Draws) {
        self.x = self.x * self.keep + self.noise * draws.normal();
        self.factor = libm::exp(self.x);
    }
}

/// How far the price has been from value in its present excursion, and since when it has not gone further.
#[derive(Clone, Copy, Debug)]
struct Furthest {
    pct: f64,
    at: i64,
    is_returning: bool,
}

/// The simulated market of one instrument.
pub struct Market {
    p: Parameters,
    /// The venue: book, states, protections.
    pub engine: Exchange,
    /// What has been published.
    pub recorder: Recorder,
    queue: BinaryHeap<Due>,
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
    hawkes_bound: f64,
    market_draws: Draws,
    background: Vec<Handle>,
    background_draws: Draws,
    value_draws: Draws,
    burst_draws: Draws,
    refill_draws: Draws,
    bargain_draws: Draws,
    return_draws: Draws,
    metaorder_draws: Draws,
    clip_draws: Draws,
    regime_draws: Draws,
    seller_draws: Draws,
    makers: Vec<Maker>,
    fundamentals: Vec<Fundamental>,
    momentum: Vec<Draws>,
    stops: [Vec<Stop>; 2],
    regimes: [Regime; 4],
    recent_volume: VecDeque<(i64, i64)>,
    furthest: Furthest,
    bargains: i64,
    refill_due: [bool; 2],
    outside: Vec<crate::recorder::Fill>,
}

fn venue_of(p: &Parameters) -> Exchange {
    let engine = Engine::new(p.open_tick - p.ladder_ticks, 2 * p.ladder_ticks as usize);
    Exchange::new(engine, p.protections.rules().unwrap_or_default(), Phase::Continuous, p.open_tick)
}

const fn side_of(i: u8) -> Side {
    if i == 0 { Side::Bid } else { Side::Ask }
}

impl Market {
    /// A market that opens at `ts_start` (ns UTC) with a filled book.
    #[must_use]
    pub fn new(p: Parameters, seed: u64, ts_start: i64) -> Self {
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
                Fundamental { bias: 0.0005 * draws.normal(), orders: [Handle::default(); 2], is_waiting: [false; 2], draws }
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
                        draws,
                    }
                })
                .collect()
        });
        let open = f64::from(p.open_tick);
        let mut setup = Draws::new(seed, 1);
        let regimes = [(p.regime_sd.0, 1_200.0), (p.regime_sd.1, 600.0), (p.regime_sd.2, 1_800.0), (p.flow_sd, 40.0)]
            .map(|(sd, tau_s)| Regime::new(sd, tau_s, &mut setup));
        let mut market = Self {
            engine: venue_of(&p),
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
            hawkes_bound: 1.0,
            market_draws: Draws::new(seed, 2),
            background: Vec::new(),
            background_draws: Draws::new(seed, 3),
            value_draws: Draws::new(seed, 4),
            burst_draws: Draws::new(seed, 5),
            refill_draws: Draws::new(seed, 8),
            bargain_draws: Draws::new(seed, 9),
            return_draws: Draws::new(seed, 12),
            metaorder_draws: Draws::new(seed, 10),
            clip_draws: Draws::new(seed, 11),
            regime_draws: Draws::new(seed, 6),
            seller_draws: Draws::new(seed, 7),
            makers,
            fundamentals,
            momentum: (0..p.momentum).map(|i| Draws::new(seed, 300_000 + u64::from(i))).collect(),
            stops,
            regimes,
            recent_volume: VecDeque::new(),
            furthest: Furthest { pct: 0.0, at: ts_start, is_returning: false },
            bargains: 0,
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
        while let Some(Due { at, wake, .. }) = self.queue.peek().copied() {
            if at > ts {
                break;
            }
            if self.engine.pause_ends().is_some_and(|ends| ends <= at) {
                self.end_pause();
                continue;
            }
            self.queue.pop();
            self.now = at;
            self.recorder.now = at;
            self.engine.advance(at, &mut self.recorder);
            self.act(wake);
            self.after_event();
        }
        if self.engine.pause_ends().is_some_and(|ends| ends <= ts) {
            self.end_pause();
        }
        self.now = ts;
        self.recorder.now = ts;
        self.engine.advance(ts, &mut self.recorder);
    }

    /// A pause of trading ends with an auction.
    fn end_pause(&mut self) {
        self.now = self.engine.pause_ends().unwrap_or(self.now);
        self.recorder.now = self.now;
        self.engine.advance(self.now, &mut self.recorder);
        self.trades(Side::None);
        self.after_event();
    }

    /// Goes on under other numbers from the present.
    ///
    /// # Errors
    /// The name of a number that cannot change while the market runs.
    pub fn change(&mut self, next: Parameters) -> Result<(), &'static str> {
        self.p.change_to(next)
    }

    /// News: the fundamental value jumps by so many ticks.
    pub fn shift_value(&mut self, ticks: f64) {
        self.value += ticks;
    }

    /// Enters an order from outside at the present; returns what was filled at once, by price, and the resting handle.
    pub fn enter(&mut self, side: Side, tick: i32, quantity: i64, rests: bool) -> (Vec<(i32, i64)>, Option<Handle>) {
        self.enter_for(0, side, tick, quantity, rests)
    }

    /// As [`Market::enter`] for an account: self-trade prevention goes by it.
    pub fn enter_for(&mut self, account: u32, side: Side, tick: i32, quantity: i64, rests: bool) -> (Vec<(i32, i64)>, Option<Handle>) {
        let owner = OUTSIDE | account;
        // What lies off the ladder trades what it can and rests nothing.
        let lifetime = if rests && self.engine.is_on_ladder(tick) { Lifetime::Day } else { Lifetime::ImmediateOrCancel };
        let tick = tick.clamp(self.engine.lowest_tick(), self.engine.highest_tick());
        let entered = self.engine.enter(Request { lifetime, ..Request::limit(owner, side, tick, quantity) }, &mut self.recorder);
        self.trades(side);
        self.after_event();
        entered.map_or((Vec::new(), None), |e| (e.fills, e.handle))
    }

    /// Cancels an outside order; returns the size that left the book.
    pub fn cancel(&mut self, handle: Handle) -> i64 {
        let size = self.engine.cancel(handle, &mut self.recorder);
        self.after_event();
        size
    }

    /// Replaces an outside order, see [`Engine::replace`]; returns what was filled at once, by price, and the resting handle.
    pub fn replace(&mut self, handle: Handle, tick: i32, quantity: i64) -> (Vec<(i32, i64)>, Option<Handle>) {
        let Some(side) = self.engine.side_of(handle) else { return (Vec::new(), None) };
        let entered = self.engine.replace(handle, tick, quantity, &mut self.recorder);
        self.trades(side);
        self.after_event();
        // What the venue refuses to change stays as it is.
        entered.map_or((Vec::new(), Some(handle)), |e| (e.fills, e.handle))
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
            for side in 0..2u8 {
                self.fundamental_look(f, side);
            }
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
        self.push(self.now + SECOND, Wake::Return);
        self.push(self.now + 1, Wake::Burst);
        let wait = self.metaorder_draws.wait_ns(self.p.metaorders_per_hour / 3_600.0);
        self.push(self.now + wait, Wake::Metaorder);
        let wait = self.clip_draws.wait_ns(self.p.clips_per_day / 86_400.0);
        self.push(self.now + wait, Wake::Clip);
        if self.p.seller_start < i64::MAX && self.p.seller_rate > 0.0 {
            self.push(self.p.seller_start.max(self.now), Wake::Seller);
        }
        self.after_event();
    }

    fn push(&mut self, at: i64, wake: Wake) {
        self.queued += 1;
        self.queue.push(Due { at, rank: wake.class() << 56 | self.queued, wake });
    }

    fn act(&mut self, wake: Wake) {
        match wake {
            Wake::Timer => self.timer(),
            Wake::Add(side) => self.background_add(side),
            Wake::Cancel => self.background_cancel(),
            Wake::Fade(order_id, slot) => self.fade(Handle { slot, order_id }),
            Wake::Burst => self.burst(),
            Wake::Message => self.message(),
            Wake::MarketOrder => self.background_market(),
            Wake::Refill(side) => self.refill(side),
            Wake::Maker(i) => self.maker(i),
            Wake::Fundamental(i, side) => self.fundamental_look(i, side),
            Wake::Restock(i, side) => self.fundamental_quote(i, side),
            Wake::Bargain => self.bargain(),
            Wake::Return => self.turn(),
            Wake::Momentum(i) => self.follow(i),
            Wake::Stop(size, side) => self.market_order(side_of(side), i64::from(size), PROTECTION),
            Wake::Metaorder => self.metaorder(),
            Wake::Child(side, left, gap_ns) => self.child(side, left, gap_ns),
            Wake::Clip => self.clip(),
            Wake::Seller => self.sell(),
        }
    }

    /// Tells owners of their fills, follows the touch, asks for a refill of an opened spread.
    fn after_event(&mut self) {
        let fills = std::mem::take(&mut self.recorder.fills);
        for fill in &fills {
            if fill.owner >= OUTSIDE {
                self.outside.push(*fill);
            } else if (FIRST_MAKER..FIRST_MAKER + self.p.makers).contains(&fill.owner) {
                let signed = if fill.side == Side::Bid { fill.size } else { -fill.size };
                self.makers[(fill.owner - FIRST_MAKER) as usize].inventory += signed;
            } else if fill.owner == BARGAIN {
                self.bargains += if fill.side == Side::Bid { fill.size } else { -fill.size };
            } else if fill.owner >= FIRST_FUNDAMENTAL {
                self.fundamental_filled(fill.owner - FIRST_FUNDAMENTAL, fill.side);
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
                        let wait = self.refill_wait();
                        self.push(self.now + wait, Wake::Refill(side));
                    }
                }
            }
        }
    }

    fn timer(&mut self) {
        let dt = TIMER_NS as f64 / 1e9;
        let vol = self.regimes[0].factor * self.p.value_volatility;
        self.value += self.p.value_drift * dt + vol * libm::sqrt(dt) * self.value_draws.normal();
        for r in &mut self.regimes {
            r.step(&mut self.regime_draws);
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
            if self.burst_draws.uniform() < self.p.burst_after_trade {
                self.scatter();
            }
        }
        while self.recent_volume.front().is_some_and(|(t, _)| *t < self.now - 2 * SECOND) {
            self.recent_volume.pop_front();
        }
    }
}

#[cfg(test)]
mod tests;
