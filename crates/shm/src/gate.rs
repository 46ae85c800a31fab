// SPDX-License-Identifier: Apache-2.0
//! The `gate` table: what one gateway tells about itself, alive or dead.
use crate::error::TableError;
use crate::header::{GATE_WORDS, word_of};
use crate::layout::Layout;
use crate::layouts;
use crate::table::{Table, TableRecord, read_locked};
use bytemuck::{Pod, Zeroable};
use pretrade_records::ReasonCode;
use std::sync::atomic::Ordering;

/// State of one instrument in one gateway, 128 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct GateRecord {
    /// Seqlock word.
    pub seq: u32,
    /// CRC32C of bytes 8 to the end.
    pub crc: u32,
    /// Instrument.
    pub instrument_id: u32,
    /// Strategy, 0 for all.
    pub strategy_id: u32,
    /// Staleness stage 0 to 3.
    pub stage: u8,
    /// [`pretrade_records::Tier`] code in force.
    pub tier: u8,
    /// Bits are the gateway's.
    pub flags: u8,
    /// Zero.
    pub pad: u8,
    /// Orders working.
    pub open_orders: u32,
    /// Version of the limits last merged.
    pub limit_version: u64,
    /// Latched trip of the sidecar, 0 where none is in force.
    pub trip_sidecar: u64,
    /// Latched trip of this gateway, 0 where none is in force.
    pub trip_gateway: u64,
    /// Latched trip of a human, 0 where none is in force.
    pub trip_human: u64,
    /// Monotonic ns at which the stage was entered.
    pub mono_stage: i64,
    /// Signed position from fills.
    pub position: i64,
    /// Leaves of live buys.
    pub working_buy: i64,
    /// Leaves of live sells.
    pub working_sell: i64,
    /// Orders accepted.
    pub accepted: u64,
    /// Orders held.
    pub held: u64,
    /// Orders rejected.
    pub rejected: u64,
    /// Sequence of the gate-journal record behind this state.
    pub journal_sequence: u64,
    /// Epoch of the limits last merged.
    pub limit_epoch: u32,
    /// Orders now waiting for a reviewer.
    pub held_orders: u32,
}

const _: () = assert!(core::mem::size_of::<GateRecord>() == 128);

impl TableRecord for GateRecord {
    const MAGIC: u64 = u64::from_le_bytes(*b"PTGATE\0\0");
    const LAYOUT: Layout = layouts::GATE;
    fn key(&self) -> (u32, u32) {
        (self.instrument_id, self.strategy_id)
    }
    fn set_key(&mut self, key: (u32, u32)) {
        (self.instrument_id, self.strategy_id) = key;
    }
    fn invalidate(&mut self) {
        self.stage = 3;
    }
    read_locked!(16);
}

/// Second number of the key of a level's record is this plus the [`crate::Level`] code; `instrument_id` is then the row's id,
/// `stage` the control that stopped it and `trip_gateway` the stop.
pub const LEVEL_KEY: u32 = 0xFFFF_FF00;

/// The `gate` table of one gateway.
pub type GateTable = Table<GateRecord>;

/// Gateway-wide words in the header of a `gate` table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum GateWord {
    /// Sequence of the newest record in the gate journal.
    JournalHead = 0,
    /// Sequence of the newest durable record.
    JournalDurable = 1,
    /// Sequence of the record behind the last checkpoint.
    Checkpoint = 2,
    /// Orders accepted.
    Accepted = 3,
    /// Orders held.
    Held = 4,
    /// Orders rejected.
    Rejected = 5,
    /// Generation of `controls` last merged.
    Generation = 6,
    /// Kill word last seen.
    KillWord = 7,
    /// Strictest stage in force.
    Stage = 8,
    /// Monotonic ns of the last decision.
    MonoDecision = 9,
    /// Fill of the journal ring in ppm.
    RingFillPpm = 10,
    /// 1 once the gate is poisoned by a caught panic.
    Poisoned = 11,
    /// Torn reads so far.
    TornReads = 12,
    /// Stage changes so far.
    StageChanges = 13,
}

/// First of the counters per reason code, 64 of them.
const REASONS: usize = 32;
/// First of the counters of HOLDs by reason.
const HELD_AT: usize = 16;
/// Reasons an order may wait for.
const HOLDING: [ReasonCode; 7] = [
    ReasonCode::OrderExceedsLimit,
    ReasonCode::NotionalExceedsLimit,
    ReasonCode::SizeExceedsLiquidity,
    ReasonCode::PriceOutsideCollar,
    ReasonCode::PriceDrift,
    ReasonCode::DuplicateOrder,
    ReasonCode::OrderErrorScore,
];
const _: () = assert!(HELD_AT + HOLDING.len() <= REASONS);

impl Table<GateRecord> {
    /// Sets a gateway-wide word.
    ///
    /// # Errors
    /// When this handle only reads.
    pub fn set_word(&self, word: GateWord, value: u64) -> Result<(), TableError> {
        self.must_write()?;
        self.map().words()[word_of!(gate_words) + word as usize].store(value, Ordering::Release);
        Ok(())
    }

    /// Reads a gateway-wide word.
    #[must_use]
    pub fn word(&self, word: GateWord) -> u64 {
        self.map().words()[word_of!(gate_words) + word as usize].load(Ordering::Acquire)
    }

    /// Counts one refusal by reason code (codes above 63 share the last counter).
    ///
    /// # Errors
    /// When this handle only reads.
    pub fn count_reason(&self, reason: u8) -> Result<(), TableError> {
        self.must_write()?;
        let at = word_of!(gate_words) + REASONS + usize::from(reason).min(GATE_WORDS - REASONS - 1);
        let counter = &self.map().words()[at];
        // One writer: load and store, no locked instruction.
        counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        Ok(())
    }

    /// Counts one HOLD by reason code, beside [`Table::count_reason`]; a reason that never holds is not counted.
    ///
    /// # Errors
    /// When this handle only reads.
    pub fn count_hold(&self, reason: u8) -> Result<(), TableError> {
        self.must_write()?;
        if let Some(place) = HOLDING.iter().position(|code| *code as u8 == reason) {
            let counter = &self.map().words()[word_of!(gate_words) + HELD_AT + place];
            counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// HOLDs by reason code, of the reasons that may hold.
    #[must_use]
    pub fn held_reasons(&self) -> Vec<(u8, u64)> {
        let word = |place: usize| self.map().words()[word_of!(gate_words) + HELD_AT + place].load(Ordering::Relaxed);
        HOLDING.iter().enumerate().map(|(place, code)| (*code as u8, word(place))).collect()
    }

    /// Refusals by reason code, HOLDs included.
    #[must_use]
    pub fn reasons(&self) -> Vec<u64> {
        let start = word_of!(gate_words) + REASONS;
        self.map().words()[start..start + GATE_WORDS - REASONS].iter().map(|w| w.load(Ordering::Relaxed)).collect()
    }
}
