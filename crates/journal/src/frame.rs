// SPDX-License-Identifier: Apache-2.0
//! The frame of a journal: 72-byte header with two checksums, payload padded to 8 bytes.
use bytemuck::{Pod, Zeroable};
use pretrade_shm::crc::crc32c;

/// First word of every frame; doubles as resync marker.
pub const FRAME_MAGIC: u32 = u32::from_le_bytes(*b"PTFR");
/// Version of this header.
pub const FRAME_VERSION: u16 = 1;
/// First word of a journal file.
pub const JOURNAL_MAGIC: u64 = u64::from_le_bytes(*b"PTJOURNL");
/// Largest payload: one group commit.
pub const MAX_PAYLOAD: usize = 4 << 20;

/// Header of one frame. `header_crc` covers the 64 bytes before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct FrameHeader {
    /// [`FRAME_MAGIC`].
    pub magic: u32,
    /// [`FRAME_VERSION`].
    pub header_version: u16,
    /// Zero; later compression.
    pub flags: u16,
    /// Stream (market, control, ...).
    pub stream: u16,
    /// Shard of the stream.
    pub shard: u16,
    /// Version of the payload's layout.
    pub schema_version: u32,
    /// Who produced it; a producer that lost its log takes a new one.
    pub source: u64,
    /// Sequence number of the first record, ours and consecutive.
    pub first_seq: u64,
    /// Records.
    pub count: u32,
    /// Zero.
    pub reserved: u32,
    /// `ts_recv` of the first record, ns UTC.
    pub first_ts_recv: i64,
    /// `ts_recv` of the last record, ns UTC.
    pub last_ts_recv: i64,
    /// Bytes of payload, without padding.
    pub length: u32,
    /// CRC32C of the payload.
    pub payload_crc: u32,
    /// CRC32C of the 64 bytes before it.
    pub header_crc: u32,
    /// Zero.
    pub reserved_2: u32,
}

/// Bytes of a frame header.
pub const FRAME_HEADER: usize = 72;
const _: () = assert!(core::mem::size_of::<FrameHeader>() == FRAME_HEADER);
const _: () = assert!(core::mem::offset_of!(FrameHeader, header_crc) == 64);

impl FrameHeader {
    /// Fills both checksums.
    #[must_use]
    pub fn sealed(mut self, payload: &[u8]) -> Self {
        self.payload_crc = crc32c(payload);
        self.header_crc = crc32c(&bytemuck::bytes_of(&self)[..64]);
        self
    }

    /// The header at the start of `bytes`, `None` unless magic, version, length and checksum hold.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let header: FrameHeader = bytemuck::pod_read_unaligned(bytes.get(..FRAME_HEADER)?);
        let is_good = header.magic == FRAME_MAGIC
            && header.header_version == FRAME_VERSION
            && header.reserved_2 == 0
            && header.length as usize <= MAX_PAYLOAD
            && header.header_crc == crc32c(&bytes[..64]);
        is_good.then_some(header)
    }

    /// Bytes from this frame to the next.
    #[must_use]
    pub const fn frame_size(&self) -> u64 {
        (FRAME_HEADER + (self.length as usize).next_multiple_of(8)) as u64
    }

    /// Sequence number after this frame.
    #[must_use]
    pub const fn next_seq(&self) -> u64 {
        self.first_seq.wrapping_add(self.count as u64)
    }
}

/// The header page of a journal file; the rest of the page is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct JournalHeader {
    /// [`JOURNAL_MAGIC`].
    pub magic: u64,
    /// Version of this page.
    pub header_version: u32,
    /// [`pretrade_shm::header::BYTE_ORDER_MARK`].
    pub byte_order: u32,
    /// Stream.
    pub stream: u16,
    /// Shard.
    pub shard: u16,
    /// Version of the payload's layout.
    pub schema_version: u32,
    /// First source.
    pub source: u64,
    /// Hash of the payload's layout, 0 where it has no fixed one.
    pub layout_hash: u64,
    /// When created, ns UTC.
    pub ts_created: i64,
    /// CRC32C of the 48 bytes before it.
    pub header_crc: u32,
    /// Zero.
    pub reserved: u32,
    /// Zero.
    pub spare: u64,
    /// What is durable.
    pub commit: Commit,
}

const _: () = assert!(core::mem::offset_of!(JournalHeader, commit) == 64);

/// What is durable; moves after each sync, written in place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Commit {
    /// End of the durable frames.
    pub offset: u64,
    /// Sequence number after them.
    pub next_seq: u64,
    /// CRC32C of the 16 bytes before it.
    pub crc: u32,
    /// Zero.
    pub reserved: u32,
}

impl Commit {
    /// With its checksum.
    #[must_use]
    pub fn new(offset: u64, next_seq: u64) -> Self {
        let mut commit = Commit { offset, next_seq, crc: 0, reserved: 0 };
        commit.crc = crc32c(&bytemuck::bytes_of(&commit)[..16]);
        commit
    }

    /// The pair, `None` when its checksum is wrong (power failed while it moved).
    #[must_use]
    pub fn checked(&self) -> Option<(u64, u64)> {
        (self.crc == crc32c(&bytemuck::bytes_of(self)[..16])).then_some((self.offset, self.next_seq))
    }
}

impl JournalHeader {
    /// With its checksum.
    #[must_use]
    pub fn sealed(mut self) -> Self {
        self.header_crc = crc32c(&bytemuck::bytes_of(&self)[..48]);
        self
    }
}
