// SPDX-License-Identifier: Apache-2.0
//! The `controls` table: what humans allow, sign, stop and resume. A view; its truth is the control journal.
use crate::error::TableError;
use crate::header::word_of;
use crate::layout::Layout;
use crate::layouts;
use crate::table::{Table, TableRecord, read_locked};
use bytemuck::{Pod, Zeroable};
use pretrade_records::codes;
use pretrade_records::level_limit::{LEVEL_LIMIT_COUNT, LevelLimit};
use pretrade_records::parameter::Parameter;
use std::sync::atomic::Ordering;

codes! {
    /// Level a `controls` row speaks for; the second number of its key.
    Level {
        /// Instrument (I).
        Instrument = 0 => "instrument",
        /// Strategy or algorithm (S).
        Strategy = 1 => "strategy",
        /// Trader (T).
        Trader = 2 => "trader",
        /// Desk (D).
        Desk = 3 => "desk",
        /// Account (A).
        Account = 4 => "account",
        /// Venue session (V).
        Venue = 5 => "venue",
        /// Firm (F).
        Firm = 6 => "firm",
        /// Gateway: its shares of the other levels.
        Gateway = 7 => "gateway",
    }
}

impl Level {
    /// Parameters the gate judges at this level: a row lacking one of them is no static record (control 9).
    #[must_use]
    pub fn parameters(self) -> &'static [Parameter] {
        use Parameter::{MaxOrderNotional, MaxOrderQuantity, PositionMaxLong, PositionMaxShort, RateNewPerS, RateReplacePerS};
        match self {
            Level::Instrument => Parameter::ALL,
            Level::Account => &[MaxOrderQuantity, MaxOrderNotional, RateNewPerS, RateReplacePerS, PositionMaxLong, PositionMaxShort],
            Level::Strategy | Level::Trader | Level::Desk | Level::Venue | Level::Firm => {
                &[MaxOrderQuantity, MaxOrderNotional, RateNewPerS, RateReplacePerS]
            }
            Level::Gateway => &[],
        }
    }
}

/// All 21 parameters in their native widths, 104 bytes. An absent value (valid bit off) is invalid, 0 allows nothing,
/// the type's maximum is UNLIMITED.
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
#[repr(C)]
#[allow(missing_docs, reason = "fields are documented in pretrade_records::LimitsRecord")]
pub struct ParameterBlock {
    pub max_order_quantity: i64,
    pub max_order_notional: i64,
    pub position_max_long: i64,
    pub position_max_short: i64,
    pub collar_ticks: u32,
    pub collar_ppm: u32,
    pub passive_standoff_ticks: i32,
    pub drift_short_ticks: u32,
    pub drift_long_ticks: u32,
    pub max_depth_share_ppm: u32,
    pub max_volume_share_ppm: u32,
    pub max_adv_share_ppm: u32,
    pub order_error_hold: f32,
    pub order_error_reject: f32,
    pub impact_budget_bps: f32,
    pub margin_multiplier_ppm: u32,
    pub concentration_ppm: u32,
    pub rate_new_per_s: u32,
    pub rate_replace_per_s: u32,
    pub velocity_ticks: u32,
    pub loss_trigger_ppm: u32,
    /// Bit i set = parameter i is present.
    pub valid_mask: u32,
}

impl ParameterBlock {
    /// One parameter as an integer (floats in 1e-9), `None` where absent.
    #[must_use]
    pub fn get(&self, parameter: Parameter) -> Option<i64> {
        parameter.get(&pretrade_records::LimitsRecord {
            max_order_quantity: self.max_order_quantity,
            max_order_notional: self.max_order_notional,
            position_max_long: self.position_max_long,
            position_max_short: self.position_max_short,
            collar_ticks: self.collar_ticks,
            collar_ppm: self.collar_ppm,
            passive_standoff_ticks: self.passive_standoff_ticks,
            drift_short_ticks: self.drift_short_ticks,
            drift_long_ticks: self.drift_long_ticks,
            max_depth_share_ppm: self.max_depth_share_ppm,
            max_volume_share_ppm: self.max_volume_share_ppm,
            max_adv_share_ppm: self.max_adv_share_ppm,
            order_error_hold: self.order_error_hold,
            order_error_reject: self.order_error_reject,
            impact_budget_bps: self.impact_budget_bps,
            margin_multiplier_ppm: self.margin_multiplier_ppm,
            concentration_ppm: self.concentration_ppm,
            rate_new_per_s: self.rate_new_per_s,
            rate_replace_per_s: self.rate_replace_per_s,
            velocity_ticks: self.velocity_ticks,
            loss_trigger_ppm: self.loss_trigger_ppm,
            valid_mask: self.valid_mask,
            ..Default::default()
        })
    }
}

/// One row: an instrument, strategy, trader, desk, account, venue session, the firm, or a gateway. 768 bytes.
///
/// The first 704 bytes move under the seqlock; the last line holds the set-only state words, outside any lock.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct ControlsRecord {
    /// Seqlock word.
    pub seq: u32,
    /// CRC32C of bytes 8 to 704.
    pub crc: u32,
    /// Id within its level.
    pub id: u32,
    /// [`Level`] code.
    pub level: u8,
    /// Zero.
    pub pad: u8,
    /// Session calendar of an instrument.
    pub session_calendar_id: u16,
    /// Rises with each write of this row.
    pub version: u64,
    /// Position in the control journal of the action behind this write.
    pub generation: u64,
    /// 1e-9 price units; 0 = absent.
    pub tick_size: i64,
    /// Quantity units; 0 = absent.
    pub lot_size: i64,
    /// Money of one lot moving one tick; 0 = absent.
    pub value_per_tick_lot: i64,
    /// Bit i set = `level_limits[i]` is configured; the control of any other is off at this row.
    pub level_mask: u64,
    /// Last trip id of the sidecar that a human resumed.
    pub resumed_sidecar: u64,
    /// Last trip id of the gateway that a human resumed.
    pub resumed_gateway: u64,
    /// Last trip id of a human that a human resumed.
    pub resumed_human: u64,
    /// Control 28; `u32::MAX` = no bound.
    pub open_orders_limit: u32,
    /// Stage 1 without a last good value: static times this.
    pub fallback_factor_ppm: u32,
    /// Of quantities.
    pub quantity_exponent: i8,
    /// Of money.
    pub money_exponent: i8,
    /// See [`row_flags`].
    pub flags: u8,
    /// Zero.
    pub pad_2: u8,
    /// Feed channel of an instrument; of the firm's row the number of its annex, 0 = none (decision 0057).
    pub channel: u32,
    /// Gateway rows: share of each level's limits in ppm, by [`Level`] code.
    pub shares_ppm: [u32; 8],
    /// What humans allow; stays the fallback and the control arm.
    pub static_limits: ParameterBlock,
    /// Tightest a model alone may set.
    pub floor: ParameterBlock,
    /// Loosest a model may set; above static only when two persons signed.
    pub ceiling: ParameterBlock,
    /// By [`LevelLimit`] code; meaningful where `level_mask` says so.
    pub level_limits: [i64; LEVEL_LIMIT_COUNT],
    /// Set-only: 0 = not killed, else the number of the arming.
    pub kill: u64,
    /// Set-only: last trip id by a human; in force while above `resumed_human`.
    pub trip: u64,
    /// Set-only: 0 = off.
    pub reduce_only: u64,
    /// Zero.
    pub spare_state: [u64; 5],
}

const _: () = assert!(core::mem::size_of::<ControlsRecord>() == 768);
const _: () = assert!(core::mem::offset_of!(ControlsRecord, kill) == 704);

/// Bits of [`ControlsRecord::flags`].
pub mod row_flags {
    /// The instrument may trade at prices of zero and below.
    pub const ALLOW_NEGATIVE_PRICE: u8 = 1;
    /// The row speaks for something that may trade.
    pub const ENABLED: u8 = 2;
    /// Two persons signed a ceiling above static.
    pub const SIGNED_CEILING: u8 = 4;
    /// The instrument may not be sold short.
    pub const NO_SHORT: u8 = 16;
    /// The instrument may be sold short by an order that says it is located.
    pub const NEEDS_LOCATE: u8 = 32;
    /// A static limit of the row is tighter than the control journal knows: its writer could not record it yet.
    pub const UNRECORDED: u8 = 8;
}

impl Default for ControlsRecord {
    fn default() -> Self {
        bytemuck::Zeroable::zeroed()
    }
}

impl ControlsRecord {
    /// One level limit, `None` where it is not configured.
    #[must_use]
    pub fn level_limit(&self, limit: LevelLimit) -> Option<i64> {
        (self.level_mask >> limit as u32 & 1 != 0).then(|| self.level_limits[limit as usize])
    }

    /// Configures one level limit.
    pub fn set_level_limit(&mut self, limit: LevelLimit, value: i64) {
        self.level_mask |= 1 << limit as u32;
        self.level_limits[limit as usize] = value;
    }

    /// True while a human's trip waits for its resume.
    #[must_use]
    pub fn is_tripped_by_human(&self) -> bool {
        self.trip > self.resumed_human
    }
}

impl TableRecord for ControlsRecord {
    const MAGIC: u64 = u64::from_le_bytes(*b"PTCONTRL");
    const LAYOUT: Layout = layouts::CONTROLS;
    const LOCKED: usize = 88;
    fn key(&self) -> (u32, u32) {
        (self.id, u32::from(self.level))
    }
    fn set_key(&mut self, key: (u32, u32)) {
        self.id = key.0;
        self.level = key.1 as u8;
    }
    fn invalidate(&mut self) {
        self.static_limits.valid_mask = 0;
        self.floor.valid_mask = 0;
        self.ceiling.valid_mask = 0;
        self.level_mask = 0;
        self.flags = 0;
    }
    read_locked!(88);
}

/// The `controls` table; keys are (id, [`Level`] code).
pub type ControlsTable = Table<ControlsRecord>;

/// The set-only words of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateWords {
    /// 0 = not killed.
    pub kill: u64,
    /// Last trip id by a human.
    pub trip: u64,
    /// 0 = off.
    pub reduce_only: u64,
}

const KILL: usize = core::mem::offset_of!(ControlsRecord, kill) / 8;
const TRIP: usize = core::mem::offset_of!(ControlsRecord, trip) / 8;
const REDUCE_ONLY: usize = core::mem::offset_of!(ControlsRecord, reduce_only) / 8;

impl Table<ControlsRecord> {
    /// Slot of a row.
    #[must_use]
    pub fn row(&self, level: Level, id: u32) -> Option<usize> {
        self.slot(id, level as u32)
    }

    /// The set-only words of a row.
    #[must_use]
    pub fn state(&self, slot: usize) -> StateWords {
        StateWords {
            kill: self.free_word(slot, KILL).load(Ordering::Acquire),
            trip: self.free_word(slot, TRIP).load(Ordering::Acquire),
            reduce_only: self.free_word(slot, REDUCE_ONLY).load(Ordering::Acquire),
        }
    }

    /// Tells every gateway to merge again. Call after each change.
    ///
    /// # Errors
    /// When this handle only reads, or no gateway opens this table by its name any more: what was written reaches nobody.
    pub fn bump_generation(&self) -> Result<u64, TableError> {
        self.must_write()?;
        let word = &self.map().words()[word_of!(generation)];
        let moved = word.fetch_update(Ordering::AcqRel, Ordering::Acquire, |g| (g != 0).then(|| g + 1));
        match moved {
            Ok(before) if !self.is_detached() => Ok(before + 1),
            _ => Err(TableError::new(self.path(), "was replaced, removed or truncated; the change reaches no gateway, open it again")),
        }
    }

    /// Arms the firm kill, needing no lock and no other process; returns the number of this arming.
    ///
    /// # Errors
    /// When this handle only reads.
    pub fn arm_kill(&self) -> Result<u64, TableError> {
        self.must_write()?;
        let words = self.map().words();
        let number = words[word_of!(kill_count)].fetch_add(1, Ordering::AcqRel) + 1;
        words[word_of!(kill_word)].fetch_max(number, Ordering::AcqRel);
        self.bump_generation()?;
        Ok(number)
    }

    /// Rebuilding from the journal: no arming up to `number` happens again, so that a number names one arming for ever.
    ///
    /// # Errors
    /// When this handle only reads.
    pub fn raise_kill_count(&self, number: u64) -> Result<(), TableError> {
        self.must_write()?;
        self.map().words()[word_of!(kill_count)].fetch_max(number, Ordering::AcqRel);
        Ok(())
    }

    /// Rebuilding from the journal: puts the firm kill back under the number of its arming; never lowers it.
    ///
    /// # Errors
    /// As for [`Table::bump_generation`].
    pub fn raise_kill(&self, number: u64) -> Result<(), TableError> {
        self.raise_kill_count(number)?;
        self.map().words()[word_of!(kill_word)].fetch_max(number, Ordering::AcqRel);
        self.bump_generation().map(|_| ())
    }

    /// As [`Table::raise_kill`], for one row.
    ///
    /// # Errors
    /// As for [`Table::bump_generation`].
    pub fn raise_row_kill(&self, slot: usize, number: u64) -> Result<(), TableError> {
        self.raise_kill_count(number)?;
        self.free_word(slot, KILL).fetch_max(number, Ordering::AcqRel);
        self.bump_generation().map(|_| ())
    }

    /// Releases the firm kill if `number` is still the newest arming; `false` when it was armed again meanwhile.
    ///
    /// # Errors
    /// When this handle only reads.
    pub fn release_kill(&self, number: u64) -> Result<bool, TableError> {
        self.must_write()?;
        let released = self.map().words()[word_of!(kill_word)].compare_exchange(number, 0, Ordering::AcqRel, Ordering::Acquire).is_ok();
        self.bump_generation()?;
        Ok(released)
    }

    /// Arms the kill of one row.
    ///
    /// # Errors
    /// When this handle only reads.
    pub fn arm_row_kill(&self, slot: usize) -> Result<u64, TableError> {
        self.must_write()?;
        let number = self.map().words()[word_of!(kill_count)].fetch_add(1, Ordering::AcqRel) + 1;
        self.free_word(slot, KILL).fetch_max(number, Ordering::AcqRel);
        self.bump_generation()?;
        Ok(number)
    }

    /// Releases the kill of one row if `number` is still the newest arming.
    ///
    /// # Errors
    /// When this handle only reads.
    pub fn release_row_kill(&self, slot: usize, number: u64) -> Result<bool, TableError> {
        self.must_write()?;
        let released = self.free_word(slot, KILL).compare_exchange(number, 0, Ordering::AcqRel, Ordering::Acquire).is_ok();
        self.bump_generation()?;
        Ok(released)
    }

    /// Trips one row by hand; returns the new trip id, one above the last.
    ///
    /// # Errors
    /// When this handle only reads.
    pub fn trip(&self, slot: usize) -> Result<u64, TableError> {
        self.must_write()?;
        let id = self.free_word(slot, TRIP).fetch_add(1, Ordering::AcqRel) + 1;
        self.bump_generation()?;
        Ok(id)
    }

    /// Raises a row's trip word to `id` (rebuilding from the journal); never lowers it.
    ///
    /// # Errors
    /// When this handle only reads.
    pub fn raise_trip(&self, slot: usize, id: u64) -> Result<(), TableError> {
        self.must_write()?;
        self.free_word(slot, TRIP).fetch_max(id, Ordering::AcqRel);
        self.bump_generation().map(|_| ())
    }

    /// Sets or clears reduce-only of a row. Setting needs no lock; clearing is a loosening, under the lock.
    ///
    /// # Errors
    /// When this handle only reads.
    pub fn set_reduce_only(&self, slot: usize, is_on: bool) -> Result<(), TableError> {
        self.must_write()?;
        self.free_word(slot, REDUCE_ONLY).store(u64::from(is_on), Ordering::Release);
        self.bump_generation().map(|_| ())
    }
}
