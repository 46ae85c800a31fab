// SPDX-License-Identifier: Apache-2.0
//! What a venue does to orders and when it stops trading: every protection a switch with its own numbers.
use crate::engine::SelfTrade;
use serde::{Deserialize, Serialize};

const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;

/// The market moves more than `ticks` within `window_ns`: PRE_OPEN for `pause_ns`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Velocity {
    /// Ticks from the lowest or highest trade of the window.
    pub ticks: i32,
    /// Look-back, ns.
    pub window_ns: i64,
    /// How long PRE_OPEN lasts, ns.
    pub pause_ns: i64,
}

/// A cascade of stops travels more than `ticks`: RESERVED for `reserved_ns`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopLogic {
    /// Ticks from the trade that triggered the first stop.
    pub ticks: i32,
    /// How long the instrument stays reserved, ns.
    pub reserved_ns: i64,
}

/// The market moves by `ppm` within `window_ns`: halted for `halt_ns`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaker {
    /// Parts in a million of the lowest or highest trade of the window.
    pub ppm: u32,
    /// Look-back, ns.
    pub window_ns: i64,
    /// How long the halt lasts, ns.
    pub halt_ns: i64,
}

/// A fall by `ppm` below the reference price stops trading once a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fall {
    /// Parts in a million of the reference.
    pub ppm: u32,
    /// How long, ns; 0 closes for the day.
    pub halt_ns: i64,
}

/// How a venue treats orders and when it protects the market.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Furthest a market order goes from the best price it meets, ticks.
    pub protection_ticks: i32,
    /// What is left of a market order rests at its protection price instead of being cancelled.
    pub market_remainder_rests: bool,
    /// A post-only order that would take is put one tick away from the price it would take, instead of being refused.
    pub post_only_slides: bool,
    /// What happens where an owner would trade with itself.
    pub self_trade: SelfTrade,
    /// Price limits this many ticks on either side of the reference.
    pub price_limit_ticks: Option<i32>,
    /// Velocity logic.
    pub velocity: Option<Velocity>,
    /// Stop logic.
    pub stop_logic: Option<StopLogic>,
    /// Dynamic circuit breaker.
    pub breaker: Option<Breaker>,
    /// Falls that stop trading, smallest first, each once: the market-wide breaker.
    pub falls: Vec<Fall>,
}

impl Default for Rules {
    fn default() -> Self {
        Self::off()
    }
}

impl Rules {
    /// No protection.
    #[must_use]
    pub const fn off() -> Self {
        Self {
            protection_ticks: 40,
            market_remainder_rests: false,
            post_only_slides: false,
            self_trade: SelfTrade::Allow,
            price_limit_ticks: None,
            velocity: None,
            stop_logic: None,
            breaker: None,
            falls: Vec::new(),
        }
    }

    /// One reservation at the first fall of 2 %, ten seconds long.
    #[must_use]
    pub fn late() -> Self {
        Self { falls: vec![Fall { ppm: 20_000, halt_ns: 10 * SECOND }], ..Self::off() }
    }

    /// Stop logic of 24 ticks and five seconds (as on 6 May 2010), velocity logic, a dynamic breaker of 3.5 % in an hour, and falls of 7, 13
    /// and 20 % (CME rule pages).
    #[must_use]
    pub fn full() -> Self {
        let fall = |ppm, halt_ns| Fall { ppm, halt_ns };
        Self {
            velocity: Some(Velocity { ticks: 48, window_ns: SECOND, pause_ns: 5 * SECOND }),
            stop_logic: Some(StopLogic { ticks: 24, reserved_ns: 5 * SECOND }),
            breaker: Some(Breaker { ppm: 35_000, window_ns: 60 * MINUTE, halt_ns: 2 * MINUTE }),
            falls: vec![fall(70_000, 15 * MINUTE), fall(130_000, 15 * MINUTE), fall(200_000, 0)],
            ..Self::off()
        }
    }

    /// A profile by its name: `off`, `late` or `full`.
    #[must_use]
    pub fn profile(name: &str) -> Option<Self> {
        match name {
            "off" => Some(Self::off()),
            "late" => Some(Self::late()),
            "full" => Some(Self::full()),
            _ => None,
        }
    }
}
