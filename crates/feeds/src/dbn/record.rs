// SPDX-License-Identifier: Apache-2.0
//! The bytes of one DBN record, and what every schema shares.
use pretrade_records::Event;
use pretrade_records::units::UNDEFINED_PRICE;

/// A record's length is one byte, in words of four.
pub(super) const LONGEST: usize = 255 * 4;

/// One record; what lies behind its length is not read.
pub(super) struct Record {
    pub bytes: [u8; LONGEST],
    pub length: usize,
}

impl Record {
    pub const fn new() -> Self {
        Self { bytes: [0; LONGEST], length: 0 }
    }

    pub fn field<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut out = [0; N];
        out.copy_from_slice(&self.bytes[at..at + N]);
        out
    }

    pub const fn u8(&self, at: usize) -> u8 {
        self.bytes[at]
    }

    pub fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.field(at))
    }

    pub fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.field(at))
    }

    pub fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.field(at))
    }

    /// Record type.
    pub const fn rtype(&self) -> u8 {
        self.bytes[1]
    }

    /// The venue's instrument id.
    pub fn venue_id(&self) -> u32 {
        self.u32(4)
    }

    /// A price; [`UNDEFINED_PRICE`] where the venue gives none.
    pub fn price(&self, at: usize) -> i64 {
        match i64::from_le_bytes(self.field(at)) {
            i64::MAX => UNDEFINED_PRICE,
            price => price,
        }
    }

    /// A stamp; `None` where the venue gives none or it is out of range.
    pub fn stamp(&self, at: usize) -> Option<i64> {
        i64::try_from(self.u64(at)).ok()
    }

    /// A stamp that must stand.
    pub fn needed_stamp(&self, at: usize, name: &str) -> Result<i64, String> {
        self.stamp(at).ok_or_else(|| format!("{name} is {}; it is absent or out of range", self.u64(at)))
    }

    /// Both stamps, the receive stamp at `at`; flags, kind and the rest are left to the caller.
    pub fn stamped(&self, at: usize, instrument_id: u32) -> Result<Event, String> {
        let ts_recv = self.needed_stamp(at, "ts_recv")?;
        Ok(Event { ts_event: self.needed_stamp(8, "ts_event")?, ts_recv, instrument_id, ..Event::default() })
    }
}

/// DBN flag bits.
pub(super) const F_LAST: u8 = 128;
pub(super) const F_SNAPSHOT: u8 = 32;
pub(super) const F_MAYBE_BAD_BOOK: u8 = 4;
