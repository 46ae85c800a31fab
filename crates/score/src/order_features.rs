// SPDX-License-Identifier: Apache-2.0
//! The order-error features: one kernel, used by the gate for every order and by training for a batch.
//!
//! A row is made of what is known when the order arrives: the market, and habits kept of orders accepted before.
//! `docs/models/order_error.md` states each feature as a formula; a recount that shares no code holds them.
use crate::ShapeError;
use crate::arrival::{Arrival, UNDEFINED};
use crate::habit::{FEWEST, Habit, Pace, Running, Trader};

/// Values of a row.
pub const WIDTH: usize = 24;
/// Names, in the order of a row.
pub const NAMES: [&str; WIDTH] = [
    "quantity_to_usual",
    "quantity_z",
    "quantity_to_minute",
    "quantity_to_day",
    "quantity_to_depth",
    "notional_z",
    "notional_firm_z",
    "aggression_ticks",
    "aggression_spreads",
    "aggression_volatility",
    "aggression_nbbo_ticks",
    "decade_distance",
    "repeats_1s",
    "repeats_60s",
    "strategy_rate",
    "instrument_share",
    "price_elsewhere",
    "side_vs_position",
    "side_vs_flow",
    "hour_share",
    "reference_age_s",
    "rv_1m",
    "anomaly_score",
    "notional_60s",
];
/// 1 where a larger value must never score lower.
pub const MONOTONE: [i8; WIDTH] = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1];

/// Values below which a spread of sizes is not believed, in decades.
const LEAST_SPREAD: f64 = 0.05;
/// Median absolute deviation to standard deviation of a normal distribution.
const TO_SIGMA: f64 = 1.4826;
/// Orders of the firm below which it has no habit.
const FEWEST_OF_FIRM: u32 = 20;
const NS_PER_HOUR: i64 = 3_600_000_000_000;

/// Habits of every trader, instrument and strategy.
#[derive(Clone, Debug)]
pub struct OrderFeatures {
    habits: Vec<Habit>,
    traders: Vec<Trader>,
    paces: Vec<Pace>,
    firm: Running,
}

impl OrderFeatures {
    /// No habits yet. 384 bytes a trader and instrument, touched once they trade.
    #[must_use]
    pub fn new(instruments: usize, traders: usize, strategies: usize) -> Self {
        Self {
            habits: bytemuck::allocation::zeroed_vec(instruments * traders),
            traders: bytemuck::allocation::zeroed_vec(traders),
            paces: bytemuck::allocation::zeroed_vec(strategies),
            firm: Running::default(),
        }
    }

    /// Makes the row of an order. `None` where its places are outside the directory.
    #[inline]
    #[must_use]
    pub fn row(&self, a: &Arrival) -> Option<[f32; WIDTH]> {
        let (habit, trader) = (self.habits.get(self.place(a)?)?, self.traders.get(a.trader as usize)?);
        let pace = self.paces.get(a.strategy as usize)?;
        let size = log10_or_nan(a.quantity as f64);
        let money = log10_or_nan(a.notional);
        let to_usual = if habit.count < FEWEST { f64::NAN } else { size - f64::from(habit.usual.median) };
        let z = |distance: f64, spread: f64| distance / spread.max(LEAST_SPREAD);
        let of_trader = if trader.count < FEWEST { f64::NAN } else { money - f64::from(trader.usual.median) };
        let of_firm = if self.firm.count < FEWEST_OF_FIRM { f64::NAN } else { money - self.firm.mean };
        let (is_buy, tick) = (a.side == 1, a.tick_size.max(1) as f64);
        let beyond = beyond(a, a.bid, a.ask);
        let mid = if a.bid == UNDEFINED || a.ask == UNDEFINED { f64::NAN } else { (a.bid as f64 + a.ask as f64) / 2.0 };
        let spread = if mid.is_nan() { mid } else { (a.ask as f64 - a.bid as f64).max(tick) };
        let (second, minute) = habit.repeats(a.quantity, is_buy, a.mono);
        let hour = hour_of(a.utc);
        let share = if trader.count == 0 { f64::NAN } else { f64::from(habit.count) / f64::from(trader.count) };
        let from_mid = (a.price as f64 - mid).abs() / mid.abs();
        let row = [
            to_usual,
            z(to_usual, f64::from(habit.usual.deviation) * TO_SIGMA),
            if a.volume_1m < 0 { f64::NAN } else { size - (a.volume_1m.max(1) as f64).log10() },
            if a.adv <= 0 { f64::NAN } else { size - (a.adv as f64).log10() },
            if a.depth < 0 { f64::NAN } else { size - (a.depth.max(1) as f64).log10() },
            z(of_trader, f64::from(trader.usual.deviation) * TO_SIGMA),
            z(of_firm, self.firm.deviation),
            beyond / tick,
            beyond / spread,
            if a.rv_1m > 0.0 { (a.price as f64 / mid - 1.0) * a.sign() * 100.0 / f64::from(a.rv_1m) } else { f64::NAN },
            beyond_nbbo(a) / tick,
            decade_distance(to_usual),
            f64::from(second),
            f64::from(minute),
            (1.0 + pace.per_second(a.mono)).log10(),
            share,
            from_mid - trader.elsewhere(a.price, a.instrument),
            if a.is_position_known == 1 { a.sign() * a.position.signum() as f64 } else { f64::NAN },
            a.sign() * habit.flow(),
            trader.hour_share(hour),
            a.reference_age as f64 * 1e-9,
            f64::from(a.rv_1m),
            f64::from(a.anomaly),
            log10_or_nan(a.notional + trader.minute(a.mono)),
        ];
        Some(row.map(|v| v as f32))
    }

    /// Takes an accepted order into the habits. One without a size or a value is no habit.
    #[inline]
    pub fn accept(&mut self, a: &Arrival) {
        let is_usable = a.quantity > 0 && a.notional > 0.0 && a.notional.is_finite();
        let (Some(place), true) = (self.place(a), is_usable) else { return };
        let (Some(habit), Some(trader)) = (self.habits.get_mut(place), self.traders.get_mut(a.trader as usize)) else { return };
        let Some(pace) = self.paces.get_mut(a.strategy as usize) else { return };
        habit.remember(a.quantity, a.side == 1, a.mono);
        trader.remember(a.notional, a.price, a.instrument, a.mono, hour_of(a.utc));
        pace.remember(a.mono);
        self.firm.take(a.notional.log10());
    }

    /// Monotonic stamps of another boot mean nothing: no order counts as recent.
    pub fn forget_monotonic(&mut self) {
        self.habits.iter_mut().filter(|habit| habit.count > 0).for_each(Habit::forget_stamps);
        self.traders.iter_mut().for_each(Trader::forget_stamps);
        self.paces.iter_mut().for_each(Pace::forget_stamps);
    }

    /// Rows of a batch, flat; an order whose flag is set is accepted after its row was made.
    ///
    /// # Errors
    /// If there is not one flag an order, or an order's places are outside the directory.
    pub fn rows(&mut self, arrivals: &[Arrival], is_accepted: &[bool]) -> Result<Vec<f32>, ShapeError> {
        if arrivals.len() != is_accepted.len() {
            return Err(ShapeError(format!("{} orders and {} flags; there must be one flag an order", arrivals.len(), is_accepted.len())));
        }
        let mut out = Vec::with_capacity(arrivals.len() * WIDTH);
        for (number, (a, is_accepted)) in arrivals.iter().zip(is_accepted).enumerate() {
            let row = self.row(a).ok_or_else(|| {
                let (instruments, traders) = (self.habits.len() / self.traders.len().max(1), self.traders.len());
                ShapeError(format!(
                    "order {number} is of instrument {}, trader {}, strategy {}; there are {instruments}, {traders} and {}",
                    a.instrument,
                    a.trader,
                    a.strategy,
                    self.paces.len()
                ))
            })?;
            out.extend(row);
            if *is_accepted {
                self.accept(a);
            }
        }
        Ok(out)
    }

    #[inline(always)]
    fn place(&self, a: &Arrival) -> Option<usize> {
        let traders = self.traders.len();
        ((a.trader as usize) < traders).then(|| a.instrument as usize * traders + a.trader as usize)
    }
}

/// How far the price goes beyond the touch it would take, positive = through it.
#[inline(always)]
fn beyond(a: &Arrival, bid: i64, ask: i64) -> f64 {
    let touch = if a.side == 1 { ask } else { bid };
    if touch == UNDEFINED { f64::NAN } else { a.price.wrapping_sub(touch) as f64 * a.sign() }
}

#[inline(always)]
fn beyond_nbbo(a: &Arrival) -> f64 {
    beyond(a, a.nbbo_bid, a.nbbo_ask)
}

/// Distance to the nearest whole power of ten other than one, in decades; 1 where one is nearest.
#[inline(always)]
fn decade_distance(to_usual: f64) -> f64 {
    let whole = to_usual.round();
    if whole == 0.0 { 1.0 } else { (to_usual - whole).abs() }
}

#[inline(always)]
fn log10_or_nan(x: f64) -> f64 {
    if x > 0.0 { x.log10() } else { f64::NAN }
}

#[inline(always)]
fn hour_of(utc: i64) -> usize {
    utc.div_euclid(NS_PER_HOUR).rem_euclid(24) as usize
}
