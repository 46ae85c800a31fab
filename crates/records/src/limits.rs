// SPDX-License-Identifier: Apache-2.0
//! The 192-byte record of the `limits` table: what calibration allows one instrument now.
use bytemuck::{Pod, Zeroable};

/// One `limits` record. All calibrated limits of an instrument stand in one record, so that one
/// read is one consistent set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct LimitsRecord {
    /// Seqlock word: odd while being written.
    pub seq: u32,
    /// CRC32C of bytes 8 to the end.
    pub crc: u32,
    /// Instrument.
    pub instrument_id: u32,
    /// Strategy, [`crate::units::ANY_STRATEGY`] for all.
    pub strategy_id: u32,
    /// Rises by one whenever a parameter, tier or flag changes.
    pub version: u64,
    /// Epoch of the writer.
    pub epoch: u32,
    /// Row of the model directory.
    pub model_set: u32,
    /// Monotonic ns of publication.
    pub mono_published: i64,
    /// Trip id, monotonic per instrument; 0 where never tripped.
    pub trip_id: u64,
    /// Feed channel whose heartbeats say how old this is.
    pub channel: u16,
    /// [`crate::Tier`] code.
    pub tier: u8,
    /// See [`flags`].
    pub flags: u8,
    /// Feature codes that drove the tier, 0 where none.
    pub reasons: [u8; 3],
    /// Zero.
    pub pad: u8,
    /// Control 12.
    pub max_order_quantity: i64,
    /// Control 13.
    pub max_order_notional: i64,
    /// Control 18, long side.
    pub position_max_long: i64,
    /// Control 18, short side, as a positive number.
    pub position_max_short: i64,
    /// Control 15 in ticks.
    pub collar_ticks: u32,
    /// Control 15 in ppm of the reference.
    pub collar_ppm: u32,
    /// Control 16; [`crate::units::STANDOFF_OFF`] switches it off. Bigger is tighter.
    pub passive_standoff_ticks: i32,
    /// Control 17, 10 s window.
    pub drift_short_ticks: u32,
    /// Control 17, 5 min window.
    pub drift_long_ticks: u32,
    /// Control 14, share of visible depth.
    pub max_depth_share_ppm: u32,
    /// Control 14, share of the last minute's volume.
    pub max_volume_share_ppm: u32,
    /// Control 14, share of average daily volume.
    pub max_adv_share_ppm: u32,
    /// Zero.
    pub spare: u64,
    /// When published, ns UTC.
    pub ts_published: i64,
    /// `ts_recv` of the data behind the score.
    pub ts_data: i64,
    /// Calibrated score in [0, 1], NaN = absent.
    pub score: f32,
    /// Control 34, hold level.
    pub order_error_hold: f32,
    /// Control 34, reject level.
    pub order_error_reject: f32,
    /// Control 35.
    pub impact_budget_bps: f32,
    /// Control 21 factor. Bigger is tighter.
    pub margin_multiplier_ppm: u32,
    /// Control 22 factor.
    pub concentration_ppm: u32,
    /// Control 24, new orders.
    pub rate_new_per_s: u32,
    /// Control 24, replaces.
    pub rate_replace_per_s: u32,
    /// Control 32.
    pub velocity_ticks: u32,
    /// Control 23 factor.
    pub loss_trigger_ppm: u32,
    /// Market-wide score in [0, 1], NaN = absent.
    pub systemic_score: f32,
    /// Bit i set = parameter i of [`crate::parameter::Parameter`] is present.
    pub valid_mask: u32,
}

/// Bits of [`LimitsRecord::flags`].
pub mod flags {
    /// Tier CRITICAL tripped the breaker; a resume must name `trip_id`.
    pub const TRIPPED: u8 = 1;
    /// The model behind the score is provisional (short history).
    pub const PROVISIONAL: u8 = 2;
    /// The score is absent or NaN: stage 1.
    pub const MODEL_ABSENT: u8 = 4;
    /// The tier was raised by the state of the feed, not by the score.
    pub const FEED_FAULT: u8 = 8;
    /// No model stands behind this record, by configuration: the control arm. It must hold exactly the static limits.
    pub const STATIC: u8 = 16;
}

const _: () = assert!(core::mem::size_of::<LimitsRecord>() == 192);
