// SPDX-License-Identifier: Apache-2.0
//! One order as the order-error features see it: the order, its reference data, and the market at its arrival.
use bytemuck::{Pod, Zeroable};

/// A price nobody knows.
pub const UNDEFINED: i64 = i64::MIN;

/// One arriving order, 144 bytes; instrument, trader and strategy are places in the directory, counted from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Arrival {
    /// Place of the instrument.
    pub instrument: u32,
    /// Place of the trader.
    pub trader: u32,
    /// Place of the strategy.
    pub strategy: u32,
    /// 1 for a buy, anything else is a sell.
    pub side: u8,
    /// 1 where `position` is known.
    pub is_position_known: u8,
    /// Zero.
    pub pad: u16,
    /// Quantity.
    pub quantity: i64,
    /// Limit price; of a market order the opposite touch moved by its allowance.
    pub price: i64,
    /// Price step, above 0.
    pub tick_size: i64,
    /// Best bid, [`UNDEFINED`] where there is none.
    pub bid: i64,
    /// Best ask, [`UNDEFINED`] where there is none.
    pub ask: i64,
    /// National best bid, [`UNDEFINED`] where there is one venue.
    pub nbbo_bid: i64,
    /// National best ask, [`UNDEFINED`] where there is one venue.
    pub nbbo_ask: i64,
    /// Visible size on the side the order would take, within the depth window; negative = unknown.
    pub depth: i64,
    /// Traded size of the last minute; negative = unknown.
    pub volume_1m: i64,
    /// Average daily volume; 0 = unknown.
    pub adv: i64,
    /// Age of the quotes, ns.
    pub reference_age: i64,
    /// Signed position of the account.
    pub position: i64,
    /// Monotonic ns at arrival.
    pub mono: i64,
    /// UTC ns at arrival.
    pub utc: i64,
    /// Money: lots x ticks x value of one tick of one lot.
    pub notional: f64,
    /// Realised volatility of the last minute, per cent; NaN = unknown.
    pub rv_1m: f32,
    /// Anomaly score of the instrument; NaN = unknown.
    pub anomaly: f32,
}

const _: () = assert!(size_of::<Arrival>() == 144);

impl Arrival {
    /// 1 for a buy, -1 for a sell.
    #[inline(always)]
    #[must_use]
    pub fn sign(&self) -> f64 {
        if self.side == 1 { 1.0 } else { -1.0 }
    }
}
