// SPDX-License-Identifier: Apache-2.0
//! The 256-byte record of the gate journal.
use bytemuck::{Pod, Zeroable};
use pretrade_records::codes;
use pretrade_shm::crc::crc32c_record;

codes! {
    /// What a gate-journal record holds. The payload is a fixed layout of the gateway, in 8-byte words.
    RecordKind {
        /// Order message in (`Order`).
        Order = 1 => "ORDER",
        /// Decision (`Decision`, then the quotes, ages and clocks it read).
        Decision = 2 => "DECISION",
        /// Order sent to the venue.
        Send = 3 => "SEND",
        /// Venue message, before it is acted on.
        Venue = 4 => "VENUE",
        /// A mark that moves a loss, drift or velocity state.
        Mark = 5 => "MARK",
        /// Control transition: kill, trip, resume, stage, reduce-only.
        Control = 6 => "CONTROL",
        /// Hold action.
        Hold = 7 => "HOLD",
        /// Copy of a limit version the first time an order uses it (`LimitsRecord`).
        Limits = 8 => "LIMITS",
        /// A checkpoint was written; the payload names it.
        Checkpoint = 9 => "CHECKPOINT",
        /// Start of a gateway process.
        Start = 10 => "START",
        /// End of a batch on disk: hash chain. Written by the copier alone.
        Batch = 255 => "BATCH",
    }
}

/// Payload words of a record.
pub const PAYLOAD_WORDS: usize = 27;
/// Words before the payload.
pub const HEADER_WORDS: usize = 5;
/// Bytes of a record.
pub const RECORD: usize = 256;
/// Second half of word 0.
pub const RECORD_MARK: u32 = u32::from_le_bytes(*b"GJR1");

/// One record. `crc` covers bytes 8 to the end; in the ring it is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C, align(8))]
pub struct GateJournalRecord {
    /// CRC32C of bytes 8 to 256.
    pub crc: u32,
    /// [`RECORD_MARK`].
    pub mark: u32,
    /// Consecutive from 1 per gateway; of a batch record, that of the last record before it.
    pub sequence: u64,
    /// Monotonic ns of the input, as given to the gate.
    pub mono: i64,
    /// ns UTC of the input, as given to the gate.
    pub ts: i64,
    /// [`RecordKind`] code.
    pub kind: u8,
    /// Version of the payload's layout.
    pub version: u8,
    /// Gateway row.
    pub gateway: u16,
    /// Payload words in use.
    pub words: u32,
    /// Fixed layout per kind; the rest is zero.
    pub payload: [u64; PAYLOAD_WORDS],
}

const _: () = assert!(core::mem::size_of::<GateJournalRecord>() == RECORD);

impl GateJournalRecord {
    /// As 32 words.
    #[must_use]
    pub fn as_words(&self) -> &[u64; 32] {
        bytemuck::cast_ref(self)
    }

    /// With mark and checksum.
    #[must_use]
    pub fn sealed(mut self) -> Self {
        self.mark = RECORD_MARK;
        self.crc = crc32c_record(self.as_words());
        self
    }

    /// True where mark and checksum hold.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.mark == RECORD_MARK && self.crc == crc32c_record(self.as_words())
    }

    /// The payload's first bytes as a fixed layout, e.g. `Decision` or `LimitsRecord`.
    ///
    /// # Panics
    /// If `T` is larger than the payload.
    #[must_use]
    pub fn payload_as<T: Pod>(&self) -> T {
        bytemuck::pod_read_unaligned(&bytemuck::cast_slice::<u64, u8>(&self.payload)[..size_of::<T>()])
    }

    /// Kind, `None` for a code this program does not know.
    #[must_use]
    pub fn kind(&self) -> Option<RecordKind> {
        RecordKind::try_from(self.kind).ok()
    }
}

/// Payload of a batch record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Batch {
    /// Number of the batch, from 1.
    pub number: u64,
    /// First record in it.
    pub first_sequence: u64,
    /// Records in it.
    pub count: u64,
    /// Hash of the batch before it, zeros for the first.
    pub previous_hash: [u8; 32],
    /// SHA-256 of `previous_hash` and the records' bytes.
    pub hash: [u8; 32],
}
