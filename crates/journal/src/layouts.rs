// SPDX-License-Identifier: Apache-2.0
//! The layouts of this crate as data; `schemas/` holds the same in JSON and C.
use crate::copier::GateJournalHeader;
use crate::frame::{Commit, FrameHeader, JournalHeader};
use crate::record::{Batch, GateJournalRecord};
use crate::ring::RingHeader;
use pretrade_shm::layout::Layout;
use pretrade_shm::record_layout;

/// [`FrameHeader`].
pub const FRAME: Layout = record_layout!("frame", version 1, FrameHeader {
    magic: u32, header_version: u16, flags: u16, stream: u16, shard: u16, schema_version: u32, source: u64, first_seq: u64,
    count: u32, reserved: u32, first_ts_recv: i64, last_ts_recv: i64, length: u32, payload_crc: u32, header_crc: u32,
    reserved_2: u32,
});

/// [`JournalHeader`]; `commit` has the layout [`COMMIT`].
pub const JOURNAL_HEADER: Layout = record_layout!("journal_header", version 1, JournalHeader {
    magic: u64, header_version: u32, byte_order: u32, stream: u16, shard: u16, schema_version: u32, source: u64,
    layout_hash: u64, ts_created: i64, header_crc: u32, reserved: u32, spare: u64, commit: u8[24],
});

/// [`Commit`].
pub const COMMIT: Layout = record_layout!("commit", version 1, Commit { offset: u64, next_seq: u64, crc: u32, reserved: u32 });

/// [`GateJournalRecord`].
pub const GATE_RECORD: Layout = record_layout!("gate_journal_record", version 1, GateJournalRecord {
    crc: u32, mark: u32, sequence: u64, mono: i64, ts: i64, kind: u8, version: u8, gateway: u16, words: u32,
    payload: u64[27],
});

/// [`Batch`].
pub const BATCH: Layout = record_layout!("gate_journal_batch", version 1, Batch {
    number: u64, first_sequence: u64, count: u64, previous_hash: u8[32], hash: u8[32],
});

/// [`RingHeader`].
pub const RING_HEADER: Layout = record_layout!("ring_header", version 1, RingHeader {
    magic: u64, version: u32, byte_order: u32, capacity: u64, gateway: u32, header_crc: u32, clock_domain: u8[16],
    spare: u64[2], head: u64, producer_pid: u64, spare_1: u64[6], tail: u64, failed: u64, spare_2: u64[6],
});

/// [`GateJournalHeader`]; `commit` has the layout [`COMMIT`].
pub const GATE_JOURNAL_HEADER: Layout = record_layout!("gate_journal_header", version 1, GateJournalHeader {
    magic: u64, version: u32, byte_order: u32, layout_hash: u64, gateway: u32, header_crc: u32, clock_domain: u8[16],
    spare: u64[2], commit: u8[24],
});

/// Every layout of this crate.
pub const ALL: [Layout; 7] = [FRAME, JOURNAL_HEADER, COMMIT, GATE_RECORD, BATCH, RING_HEADER, GATE_JOURNAL_HEADER];
