// SPDX-License-Identifier: Apache-2.0
//! The 192-byte record of the `quotes` table, written by the feed handler alone.
use bytemuck::{Pod, Zeroable};

/// One `quotes` record. Prices in 1e-9, [`crate::units::UNDEFINED_PRICE`] where unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct QuotesRecord {
    /// Seqlock word: odd while being written.
    pub seq: u32,
    /// CRC32C of bytes 8 to the end.
    pub crc: u32,
    /// Instrument.
    pub instrument_id: u32,
    /// Feed channel whose heartbeats say how old this is.
    pub channel: u16,
    /// [`crate::Phase`] code.
    pub phase: u8,
    /// [`crate::FeedState`] bits.
    pub feed_state: u8,
    /// Best bid.
    pub bid_price: i64,
    /// Best ask.
    pub ask_price: i64,
    /// Size at the best bid.
    pub bid_size: i64,
    /// Size at the best ask.
    pub ask_size: i64,
    /// Last traded price.
    pub last_price: i64,
    /// Monotonic ns of the last book change.
    pub mono_book: i64,
    /// Median mid price of the last 5 s.
    pub slow_reference: i64,
    /// Mid price at the start of the 10 s window.
    pub mid_10s: i64,
    /// Mid price at the start of the 5 min window.
    pub mid_5m: i64,
    /// Visible bid size within the depth window.
    pub depth_bid: i64,
    /// Visible ask size within the depth window.
    pub depth_ask: i64,
    /// Traded size of the last minute.
    pub volume_1m: i64,
    /// Average daily volume, 0 = absent.
    pub adv: i64,
    /// Venue time of the last book change, ns UTC.
    pub ts_event: i64,
    /// Receive time of the last book change, ns UTC.
    pub ts_recv: i64,
    /// Lowest reference inside the velocity window.
    pub velocity_low: i64,
    /// Highest reference inside the velocity window.
    pub velocity_high: i64,
    /// Monotonic ns of the last trade.
    pub mono_last: i64,
    /// Receive time of the last trade, ns UTC.
    pub ts_last: i64,
    /// Best bid over all venues, undefined where there is one venue.
    pub nbbo_bid: i64,
    /// Best ask over all venues, undefined where there is one venue.
    pub nbbo_ask: i64,
    /// Realised volatility of the last minute, per cent, NaN = absent.
    pub rv_1m: f32,
    /// Zero.
    pub spare: u32,
}

const _: () = assert!(core::mem::size_of::<QuotesRecord>() == 192);
