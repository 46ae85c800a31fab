// SPDX-License-Identifier: Apache-2.0
//! Every number of the simulated market; Python holds the values a user changes, these are the defaults.
use crate::exchange::Rules;
use serde::{Deserialize, Serialize};

/// Protections of the venue: a profile by its name, or rules of one's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Protections {
    /// `off`, `late` or `full`.
    Profile(String),
    /// Every rule written out; what is left out is off.
    Own(Rules),
}

impl Protections {
    /// The rules, `None` where no profile has that name.
    #[must_use]
    pub fn rules(&self) -> Option<Rules> {
        match self {
            Protections::Profile(name) => Rules::profile(name),
            Protections::Own(rules) => Some(rules.clone()),
        }
    }
}

/// Parameters of one simulated market. Rates are per second, sizes in lots, distances in ticks unless named otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// Our instrument id.
    pub instrument_id: u32,
    /// Tick size in 1e-9.
    pub tick_size: i64,
    /// Opening price in ticks.
    pub open_tick: i32,
    /// Ladder half width in ticks.
    pub ladder_ticks: i32,
    /// Receive latency of the published feed, ns.
    pub feed_latency_ns: i64,
    /// When the venue stops trading: `off`, `late`, `full`, or rules of one's own.
    pub protections: Protections,

    /// Standard deviation of the fundamental value, ticks per square-root second.
    pub value_volatility: f64,
    /// Drift of the fundamental value, ticks a second.
    pub value_drift: f64,
    /// Factor on what small traders and makers rest near the touch.
    pub depth_scale: f64,
    /// Background limit orders a side and second.
    pub add_rate: f64,
    /// Hazard of cancellation of one background order.
    pub cancel_hazard: f64,
    /// Mean size of a background limit order.
    pub add_size: f64,
    /// Share of background orders that join the touch.
    pub touch_share: f64,
    /// Share of background orders at the touch that improve on it where the spread is open.
    pub improve: f64,
    /// Bursts of fleeting background messages a second.
    pub burst_rate: f64,
    /// Share of trades that set off a burst.
    pub burst_after_trade: f64,
    /// Mean messages of a burst.
    pub burst_messages: f64,
    /// Mean gap between the messages of a burst, s.
    pub burst_gap_s: f64,
    /// Median life of a fleeting order, s, and the standard deviation of its logarithm.
    pub fleeting_life_s: (f64, f64),
    /// Base rate of background market orders a side.
    pub market_rate: f64,
    /// Branching ratio of market orders (Hawkes).
    pub market_branching: f64,
    /// Decay of the Hawkes kernel.
    pub market_decay: f64,
    /// Mean size of a background market order.
    pub market_size: f64,
    /// Bias of market orders per tick of mispricing against the value.
    pub value_pull: f64,

    /// Number of makers.
    pub makers: u32,
    /// Lowest and highest inventory cap of a maker.
    pub maker_cap: (f64, f64),
    /// Factor on every cap.
    pub maker_cap_scale: f64,
    /// Lowest and highest size of one quote.
    pub maker_quote: (f64, f64),
    /// Quotes a side and maker.
    pub maker_quotes: u32,
    /// Exponent of the distance of a quote from the touch, 10 levels: 1 spreads evenly, below 1 goes deeper.
    pub maker_spread: f64,
    /// Lowest and highest wake rate.
    pub maker_wake_rate: (f64, f64),
    /// Lowest and highest withdrawal threshold, EWMA of absolute 100 ms moves in ticks.
    pub maker_threshold: (f64, f64),
    /// Lowest and highest time a withdrawal lasts, s.
    pub maker_away_s: (f64, f64),
    /// Mean time to quote inside an opened spread, s: quick hands and slow ones.
    pub refill_s: (f64, f64),
    /// Share of slow hands.
    pub refill_slow: f64,

    /// Growth of the refill time per tick of the move EWMA.
    pub caution: f64,
    /// Share of an opened spread by which a refill undercuts.
    pub undercut: f64,
    /// Opportunistic orders a second and per cent of distance from value beyond `bargain_from_pct`.
    pub bargain_rate: f64,
    /// Distance from value from which opportunistic traders act, per cent.
    pub bargain_from_pct: f64,
    /// Size of an opportunistic order.
    pub bargain_size: (f64, f64),
    /// Time constant of the price they look at, s.
    pub bargain_delay_s: f64,
    /// Orders a second and per cent of distance from value with which value traders take the touch, once the price has stopped running.
    pub return_rate: f64,
    /// Size of such an order.
    pub return_size: (f64, f64),
    /// How long the price must not have gone further from value, s.
    pub return_after_s: f64,
    /// Trend towards value above which they wait, EWMA in ticks per 100 ms.
    pub return_pace: f64,
    /// Distance from value at which they stop, per cent.
    pub return_until_pct: f64,
    /// Fundamental traders, each with one bid and one ask.
    pub fundamentals: u32,
    /// Distance from the private value, fraction of price.
    pub fundamental_distance: (f64, f64),
    /// Size of a fundamental order.
    pub fundamental_size: (f64, f64),
    /// Delay of a refill, s.
    pub fundamental_delay_s: (f64, f64),

    /// Stop holders a side.
    pub stops: u32,
    /// Distance of the trigger from a slow reference, fraction of price.
    pub stop_distance: (f64, f64),
    /// Size of a stop.
    pub stop_size: (f64, f64),
    /// Mean delay from trigger to market order, s.
    pub stop_delay_s: f64,

    /// Momentum traders.
    pub momentum: u32,
    /// Trend EWMA in ticks per 100 ms above which they follow.
    pub momentum_threshold: f64,
    /// Size of a momentum order.
    pub momentum_size: (f64, f64),

    /// Benign metaorders an hour.
    pub metaorders_per_hour: f64,
    /// Size of a benign metaorder, log-uniform.
    pub metaorder_size: (f64, f64),
    /// Child orders a second of a benign metaorder, log-uniform.
    pub metaorder_rate: (f64, f64),
    /// Rare large benign clips a day.
    pub clips_per_day: f64,
    /// Size of a benign clip.
    pub clip_size: (f64, f64),
    /// Log standard deviations of the regimes: volatility, activity, depth.
    pub regime_sd: (f64, f64, f64),
    /// Log standard deviation of the fast (40 s) swing of background activity.
    pub flow_sd: f64,

    /// When the seller starts, ns UTC; `i64::MAX` never.
    pub seller_start: i64,
    /// Clips a second at the start.
    pub seller_rate: f64,
    /// Time over which the rate grows by its first value, s.
    pub seller_ramp_s: f64,
    /// Size of a clip.
    pub seller_clip: i64,
    /// Share of the last two seconds' volume the programme follows where that asks for more clips.
    pub seller_share: f64,
    /// Most clips a second.
    pub seller_max_rate: f64,
    /// How long the programme runs, s.
    pub seller_ends_s: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            instrument_id: 1,
            tick_size: 250_000_000,
            open_tick: 19_200,
            ladder_ticks: 4_096,
            feed_latency_ns: 50_000,
            protections: Protections::Profile("off".to_owned()),
            value_volatility: 0.3,
            value_drift: 0.0,
            depth_scale: 1.0,
            add_rate: 14.0,
            cancel_hazard: 0.25,
            add_size: 2.2,
            touch_share: 0.4,
            improve: 0.15,
            burst_rate: 1.2,
            burst_after_trade: 0.2,
            burst_messages: 28.0,
            burst_gap_s: 0.000_3,
            fleeting_life_s: (0.15, 1.6),
            market_rate: 1.7,
            market_branching: 0.7,
            market_decay: 3.0,
            market_size: 2.6,
            value_pull: 0.06,
            makers: 30,
            maker_cap: (100.0, 180.0),
            maker_cap_scale: 1.0,
            maker_quote: (4.0, 11.0),
            maker_quotes: 2,
            maker_spread: 0.85,
            maker_wake_rate: (2.0, 4.0),
            maker_threshold: (0.9, 3.5),
            maker_away_s: (4.0, 10.0),
            refill_s: (0.008, 0.45),
            refill_slow: 0.24,
            caution: 0.25,
            undercut: 0.6,
            bargain_rate: 5.5,
            bargain_from_pct: 0.5,
            bargain_size: (10.0, 40.0),
            bargain_delay_s: 1.5,
            return_rate: 2.0,
            return_size: (10.0, 40.0),
            return_after_s: 20.0,
            return_pace: 0.15,
            return_until_pct: 0.1,
            fundamentals: 300,
            fundamental_distance: (0.003, 0.024),
            fundamental_size: (2.0, 12.0),
            fundamental_delay_s: (5.0, 30.0),
            stops: 50,
            stop_distance: (0.002, 0.02),
            stop_size: (2.0, 20.0),
            stop_delay_s: 1.0,
            momentum: 20,
            momentum_threshold: 0.8,
            momentum_size: (2.0, 9.0),
            metaorders_per_hour: 4.0,
            metaorder_size: (150.0, 1_200.0),
            metaorder_rate: (0.4, 4.0),
            clips_per_day: 6.0,
            clip_size: (60.0, 120.0),
            regime_sd: (0.6, 0.2, 0.1),
            flow_sd: 0.45,
            seller_start: i64::MAX,
            seller_rate: 1.0,
            seller_ramp_s: 27.0,
            seller_clip: 100,
            seller_share: 0.35,
            seller_max_rate: 12.0,
            seller_ends_s: 1e9,
        }
    }
}

impl Parameters {
    /// Takes over what may change while the market runs: everything but what its participants were made of.
    ///
    /// # Errors
    /// The name of the first number that may not change.
    pub fn change_to(&mut self, next: Parameters) -> Result<(), &'static str> {
        macro_rules! must_stay {
            ($($name:ident),*) => { $(if self.$name != next.$name { return Err(stringify!($name)); })* };
        }
        must_stay!(protections, instrument_id, tick_size, open_tick, ladder_ticks, makers, maker_cap, maker_cap_scale, maker_quote, maker_wake_rate);
        must_stay!(maker_threshold, fundamentals, stops, stop_distance, stop_size, momentum, regime_sd, flow_sd, seller_start);
        *self = next;
        Ok(())
    }
}
