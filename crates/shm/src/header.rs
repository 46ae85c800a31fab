// SPDX-License-Identifier: Apache-2.0
//! The 4096-byte header page of every table.
use crate::clock::{ClockDomain, domain_text};
use crate::crc::crc32c;
use crate::error::TableError;
use crate::mapping::{Mapping, PAGE};
use crate::table::TableRecord;
use bytemuck::{Pod, Zeroable};
use std::sync::atomic::Ordering;

/// Bytes of one index entry: key word, then slot + 1.
pub(crate) const INDEX_ENTRY: usize = 16;
/// Feed channels a header has room for.
pub const CHANNELS: usize = 128;
/// Words of the gateway-wide block of a `gate` table.
pub const GATE_WORDS: usize = 96;
/// Written as a native integer; a foreign byte order reads differently.
pub const BYTE_ORDER_MARK: u32 = 0x0102_0304;
/// Version of this page and of the index pages.
pub const HEADER_VERSION: u32 = 1;

/// Newest heartbeat of one feed channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Channel {
    /// Monotonic ns of the writer's last pass.
    pub mono_tick: i64,
    /// Monotonic ns of the newest message of the feed behind it, heartbeats included.
    pub mono_data: i64,
}

/// The header page. The first line never changes after creation; everything else is reached as atomics.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Header {
    /// Names the table kind.
    pub magic: u64,
    /// Layout of this page.
    pub header_version: u32,
    /// [`BYTE_ORDER_MARK`].
    pub byte_order: u32,
    /// Hash of the record's layout.
    pub layout_hash: u64,
    /// Version of the record's layout.
    pub layout_version: u32,
    /// Bytes from record to record.
    pub stride: u32,
    /// Records there is room for.
    pub record_count: u32,
    /// Entries of the index, a power of two; index pages follow this page.
    pub index_count: u32,
    /// Byte offset of record 0.
    pub records_offset: u64,
    /// Bytes of the file.
    pub file_size: u64,
    /// CRC32C of the 56 bytes before it and of `clock_domain`.
    pub header_crc: u32,
    /// Gateway row that owns a `gate` table, else 0.
    pub owner_id: u32,
    /// Boot id, or simulation run id.
    pub clock_domain: [u8; 16],
    /// When created, ns UTC.
    pub ts_created: i64,
    /// Zero.
    pub spare_1: [u64; 5],
    /// Rises with each writer.
    pub epoch: u32,
    /// Process id of the writer.
    pub writer_pid: u32,
    /// Monotonic ns of the writer's last sign of life.
    pub writer_heartbeat: i64,
    /// Records in use.
    pub used: u32,
    /// Not zero once a newer file has taken this one's name: re-open.
    pub retired: u32,
    /// Zero.
    pub spare_2: [u64; 5],
    /// `controls`: firm kill word, 0 = not armed, else the number of the arming.
    pub kill_word: u64,
    /// `controls`: rises with every change in the table; 0 only when the mapping is dead or the table retired.
    pub generation: u64,
    /// `controls`: number of armings so far.
    pub kill_count: u64,
    /// Zero.
    pub spare_3: [u64; 5],
    /// `gate`: gateway-wide words, see `gate.rs`.
    pub gate_words: [u64; GATE_WORDS],
    /// Zero.
    pub spare_4: [u64; 128],
    /// Heartbeats per feed channel.
    pub channels: [Channel; CHANNELS],
}

const _: () = assert!(core::mem::size_of::<Header>() == 4096);
const _: () = assert!(core::mem::offset_of!(Header, header_crc) == 56);
const _: () = assert!(core::mem::offset_of!(Header, kill_word) % 64 == 0);

/// Word index (8 bytes) of a header field.
macro_rules! word_of {
    ($field:ident) => {
        core::mem::offset_of!($crate::header::Header, $field) / 8
    };
}
/// Half-word index (4 bytes) of a header field.
macro_rules! half_of {
    ($field:ident) => {
        core::mem::offset_of!($crate::header::Header, $field) / 4
    };
}
pub(crate) use {half_of, word_of};

pub(crate) fn header_crc(header: &Header) -> u32 {
    let bytes = bytemuck::bytes_of(header);
    let mut covered = bytes[..56].to_vec();
    covered.extend_from_slice(&header.clock_domain);
    crc32c(&covered)
}

pub(crate) fn read_header(map: &Mapping) -> Header {
    let mut header: Header = bytemuck::Zeroable::zeroed();
    for (value, word) in bytemuck::cast_slice_mut::<_, u64>(std::slice::from_mut(&mut header)).iter_mut().zip(map.words()) {
        *value = word.load(Ordering::Acquire);
    }
    header
}

/// Refuses a header this program must not trust; names the value found and the bound.
pub(crate) fn check_header<R: TableRecord>(map: &Mapping, header: &Header, clock_domain: &ClockDomain) -> Result<(), TableError> {
    let refuse = |problem: String| Err(TableError::new(map.path(), problem));
    let text = |magic: u64| String::from_utf8_lossy(&magic.to_le_bytes()).into_owned();
    if header.magic != R::MAGIC {
        return refuse(format!("magic is {:?}; a {} table starts with {:?}", text(header.magic), R::LAYOUT.name, text(R::MAGIC)));
    }
    if header.byte_order != BYTE_ORDER_MARK {
        return refuse(format!("byte order mark is {:#010x}; this machine writes {BYTE_ORDER_MARK:#010x}", header.byte_order));
    }
    if (header.header_version, header.layout_version) != (HEADER_VERSION, R::LAYOUT.version) {
        let (h, l) = (header.header_version, header.layout_version);
        return refuse(format!("header version {h}, layout version {l}; this program reads {HEADER_VERSION} and {}", R::LAYOUT.version));
    }
    if header.layout_hash != R::LAYOUT.hash() {
        return refuse(format!("layout hash is {:#018x}; this program reads {:#018x}", header.layout_hash, R::LAYOUT.hash()));
    }
    if header.header_crc != header_crc(header) {
        return refuse(format!("header checksum is {:#010x}; its bytes give {:#010x}", header.header_crc, header_crc(header)));
    }
    if map.length() as u64 != header.file_size {
        return refuse(format!("size is {} bytes; the header says {}", map.length(), header.file_size));
    }
    let (count, stride, index) = (u64::from(header.record_count), u64::from(header.stride), u64::from(header.index_count));
    let end = header.records_offset + count * stride;
    let index_end = PAGE as u64 + index * INDEX_ENTRY as u64;
    if stride != size_of::<R>() as u64
        || !index.is_power_of_two()
        || index < 2 * count
        || header.records_offset != index_end
        || end > header.file_size
    {
        return refuse(format!("{count} records of {stride} bytes behind {index} index entries do not fit the file of {} bytes", header.file_size));
    }
    if header.clock_domain != *clock_domain {
        let problem = format!("clock domain is {}; this process lives in {}", domain_text(&header.clock_domain), domain_text(clock_domain));
        return Err(TableError { is_foreign_clock: true, ..TableError::new(map.path(), problem) });
    }
    Ok(())
}
