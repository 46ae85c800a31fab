// SPDX-License-Identifier: Apache-2.0
//! Scales and sentinels. Time is `i64` ns UTC, price `i64` in 1e-9, quantity and money `i64` with
//! the exponent of their instrument or currency.

/// Price units per 1.0 (prices are fixed point, 1e-9).
pub const PRICE_SCALE: i64 = 1_000_000_000;
/// Nanoseconds per second.
pub const NS_PER_S: i64 = 1_000_000_000;
/// Nanoseconds per millisecond.
pub const NS_PER_MS: i64 = 1_000_000;
/// Explicit "no bound" of an `i64` parameter; absent is invalid, zero means nothing is allowed.
pub const UNLIMITED: i64 = i64::MAX;
/// Explicit "no bound" of a `u32` parameter.
pub const UNLIMITED_U32: u32 = u32::MAX;
/// `passive_standoff_ticks` value that switches the control off.
pub const STANDOFF_OFF: i32 = i32::MIN;
/// A price that is not known.
pub const UNDEFINED_PRICE: i64 = i64::MIN;
/// Parts per million in one.
pub const PPM: u32 = 1_000_000;
/// `instrument_id` of the market-wide record.
pub const MARKET: u32 = 0;
/// First `instrument_id` that names a group of instruments.
pub const FIRST_GROUP: u32 = 0xFF00_0000;
/// `strategy_id` of a record that holds for every strategy.
pub const ANY_STRATEGY: u32 = 0;
