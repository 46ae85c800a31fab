// SPDX-License-Identifier: Apache-2.0
//! The copier: moves records from the ring to disk in hash-chained batches, off the hot thread.
use crate::error::{JournalError, JournalErrorKind};
use crate::file::{self, PAGE};
use crate::frame::Commit;
use crate::layouts::GATE_RECORD;
use crate::record::{Batch, GateJournalRecord, PAYLOAD_WORDS, RECORD, RecordKind};
use crate::ring::Ring;
use bytemuck::{Pod, Zeroable};
use pretrade_shm::clock::ClockDomain;
use pretrade_shm::crc::crc32c;
use pretrade_shm::header::BYTE_ORDER_MARK;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

/// Longest time a record waits in the ring before it is written and synced.
pub const COPY_INTERVAL: Duration = Duration::from_millis(10);
/// Records per batch at most.
const BATCH_RECORDS: usize = 8192;
/// First word of a gate journal on disk.
pub const GATE_JOURNAL_MAGIC: u64 = u64::from_le_bytes(*b"PTGATEJL");
/// Version of the file.
pub const GATE_JOURNAL_VERSION: u32 = 1;

/// Header page of a gate journal on disk.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct GateJournalHeader {
    /// [`GATE_JOURNAL_MAGIC`].
    pub magic: u64,
    /// [`GATE_JOURNAL_VERSION`].
    pub version: u32,
    /// Byte order mark.
    pub byte_order: u32,
    /// Hash of the record's layout.
    pub layout_hash: u64,
    /// Gateway row.
    pub gateway: u32,
    /// CRC32C of the 48 bytes around it, the field zero.
    pub header_crc: u32,
    /// Clock domain of the first process.
    pub clock_domain: [u8; 16],
    /// Zero.
    pub spare: [u64; 2],
    /// End of the durable batches, and the sequence number after them.
    pub commit: Commit,
}

const COMMIT_AT: u64 = core::mem::offset_of!(GateJournalHeader, commit) as u64;
const _: () = assert!(COMMIT_AT == 64);

impl GateJournalHeader {
    fn crc(&self) -> u32 {
        let covered = GateJournalHeader { header_crc: 0, ..*self };
        crc32c(&bytemuck::bytes_of(&covered)[..48])
    }

    /// Reads and checks the header page.
    pub(crate) fn read(file: &File, path: &Path) -> Result<Self, JournalError> {
        let refuse = |problem: String| Err(JournalError::new(path, JournalErrorKind::Refused, problem));
        let mut bytes = [0; size_of::<GateJournalHeader>()];
        let read = file::read_at_most(file, &mut bytes, 0).map_err(|e| JournalError::os(path, "read", &e))?;
        let header: GateJournalHeader = bytemuck::pod_read_unaligned(&bytes);
        if read < bytes.len() || (header.magic, header.version, header.byte_order) != (GATE_JOURNAL_MAGIC, GATE_JOURNAL_VERSION, BYTE_ORDER_MARK) {
            return refuse(format!("is no gate journal of version {GATE_JOURNAL_VERSION}: magic {:#018x}, version {}", header.magic, header.version));
        }
        if header.header_crc != header.crc() {
            return refuse(format!("header checksum is {:#010x}; its bytes give {:#010x}", header.header_crc, header.crc()));
        }
        if header.layout_hash != GATE_RECORD.hash() {
            return refuse(format!("record layout is {:#018x}; this program reads {:#018x}", header.layout_hash, GATE_RECORD.hash()));
        }
        Ok(header)
    }
}

/// The disk side of a gate journal.
#[derive(Debug)]
pub(crate) struct Disk {
    file: File,
    path: PathBuf,
    end: u64,
    last_sequence: u64,
    batch: Batch,
    buffer: Vec<u8>,
}

impl Disk {
    /// Opens or makes the file; seals whole records that a crash left without a batch, drops what is torn. Where the tail is
    /// not to be trusted (a write or sync failed), everything behind the committed offset is dropped.
    pub(crate) fn open(path: &Path, gateway: u16, domain: &ClockDomain, trusts_tail: bool) -> Result<Self, JournalError> {
        let is_new = !path.exists();
        let file = if is_new {
            let mut header = GateJournalHeader::zeroed();
            (header.magic, header.version, header.byte_order) = (GATE_JOURNAL_MAGIC, GATE_JOURNAL_VERSION, BYTE_ORDER_MARK);
            (header.layout_hash, header.gateway, header.clock_domain) = (GATE_RECORD.hash(), u32::from(gateway), *domain);
            header.header_crc = header.crc();
            header.commit = Commit::new(PAGE, 1);
            let mut page = vec![0; PAGE as usize];
            page[..size_of::<GateJournalHeader>()].copy_from_slice(bytemuck::bytes_of(&header));
            file::create(path, &page)?
        } else {
            file::open_for_writing(path)?
        };
        let header = GateJournalHeader::read(&file, path)?;
        if header.gateway != u32::from(gateway) {
            let problem = format!("belongs to gateway {}; this is gateway {gateway}", header.gateway);
            return Err(JournalError::new(path, JournalErrorKind::Refused, problem));
        }
        let mut disk = Disk { file, path: path.to_owned(), end: PAGE, last_sequence: 0, batch: Batch::default(), buffer: Vec::new() };
        disk.recover(header.commit.checked().map_or(PAGE, |(offset, _)| offset), trusts_tail)?;
        Ok(disk)
    }

    pub(crate) fn last_sequence(&self) -> u64 {
        self.last_sequence
    }

    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    fn recover(&mut self, committed: u64, trusts_tail: bool) -> Result<(), JournalError> {
        let corrupt = |path: &Path, text: String| Err(JournalError::new(path, JournalErrorKind::Corrupt, text));
        if committed < PAGE || !(committed - PAGE).is_multiple_of(RECORD as u64) {
            return corrupt(&self.path, format!("committed offset {committed} is no place of a record"));
        }
        if committed > PAGE {
            let last = self.record_at(committed - RECORD as u64)?.filter(|r| r.kind == RecordKind::Batch as u8);
            let Some(last) = last else {
                return corrupt(&self.path, format!("no intact batch record at offset {}, before the committed offset", committed - RECORD as u64));
            };
            (self.batch, self.last_sequence) = (last.payload_as(), last.sequence);
        }
        self.end = committed;
        let mut loose = Vec::new();
        let mut at = committed;
        while let Some(record) = if trusts_tail { self.record_at(at)? } else { None } {
            at += RECORD as u64;
            if record.kind == RecordKind::Batch as u8 {
                (self.batch, self.last_sequence, self.end) = (record.payload_as(), record.sequence, at);
                loose.clear();
            } else if record.sequence == self.last_sequence + loose.len() as u64 + 1 {
                loose.push(record);
            } else {
                break;
            }
        }
        self.file.set_len(self.end).map_err(|e| JournalError::stopped(&self.path, "truncating the torn tail", &e))?;
        self.append(&loose)
    }

    fn record_at(&self, offset: u64) -> Result<Option<GateJournalRecord>, JournalError> {
        let mut bytes = [0; RECORD];
        let read = file::read_at_most(&self.file, &mut bytes, offset).map_err(|e| JournalError::os(&self.path, "read", &e))?;
        let record: GateJournalRecord = bytemuck::pod_read_unaligned(&bytes);
        Ok((read == RECORD && record.is_intact()).then_some(record))
    }

    /// Writes records and their batch record, syncs, and moves the committed offset.
    pub(crate) fn append(&mut self, records: &[GateJournalRecord]) -> Result<(), JournalError> {
        let Some(last) = records.last() else { return Ok(()) };
        let bytes: &[u8] = bytemuck::cast_slice(records);
        let hash: [u8; 32] = Sha256::new().chain_update(self.batch.hash).chain_update(bytes).finalize().into();
        let batch = Batch {
            number: self.batch.number + 1,
            first_sequence: records[0].sequence,
            count: records.len() as u64,
            previous_hash: self.batch.hash,
            hash,
        };
        self.buffer.clear();
        self.buffer.extend_from_slice(bytes);
        self.buffer.extend_from_slice(bytemuck::bytes_of(&batch_record(&batch, last)));
        let stopped = |path: &Path, what: &str, e: std::io::Error| JournalError::stopped(path, what, &e);
        self.file.write_all_at(&self.buffer, self.end).map_err(|e| stopped(&self.path, "writing a batch", e))?;
        self.file.sync_data().map_err(|e| stopped(&self.path, "sync", e))?;
        self.end += self.buffer.len() as u64;
        (self.batch, self.last_sequence) = (batch, last.sequence);
        let commit = Commit::new(self.end, self.last_sequence + 1);
        self.file.write_all_at(bytemuck::bytes_of(&commit), COMMIT_AT).map_err(|e| stopped(&self.path, "writing the committed offset", e))
    }
}

fn batch_record(batch: &Batch, last: &GateJournalRecord) -> GateJournalRecord {
    let mut payload = [0; PAYLOAD_WORDS];
    let words = size_of::<Batch>() / 8;
    payload[..words].copy_from_slice(bytemuck::cast_slice(std::slice::from_ref(batch)));
    GateJournalRecord { payload, words: words as u32, kind: RecordKind::Batch as u8, version: 1, ..*last }.sealed()
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    /// End of the durable batches on disk.
    disk_end: AtomicU64,
}

/// Handle of the copier thread; stops and drains on drop.
#[derive(Debug)]
pub(crate) struct Copier {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Copier {
    pub(crate) fn start(ring: Arc<Ring>, disk: Disk) -> std::io::Result<Self> {
        let shared = Arc::new(Shared { disk_end: AtomicU64::new(disk.end()), ..Default::default() });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("journal-copier".into()).spawn(move || copy_until_stopped(&ring, disk, &theirs))?;
        Ok(Copier { shared, thread: Some(thread) })
    }

    pub(crate) fn wake(&self) {
        self.thread.as_ref().map(JoinHandle::thread).map(Thread::unpark);
    }

    pub(crate) fn disk_end(&self) -> u64 {
        self.shared.disk_end.load(Ordering::Acquire)
    }
}

impl Drop for Copier {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn copy_until_stopped(ring: &Ring, mut disk: Disk, shared: &Shared) {
    loop {
        let is_stopping = shared.stop.load(Ordering::Acquire);
        let before = disk.last_sequence();
        let drained = drain(ring, &mut disk);
        shared.disk_end.store(disk.end(), Ordering::Release);
        if drained.is_err() {
            // Fail-stop: nothing more becomes durable; the gate sees the word and refuses new risk (control 44).
            ring.set_failed();
        }
        // A last pass without progress ends too: what is left in the ring is damaged, and stays there to be seen.
        let is_done = disk.last_sequence() >= ring.head() || disk.last_sequence() == before;
        if drained.is_err() || (is_stopping && is_done) {
            return;
        }
        if !is_stopping {
            std::thread::park_timeout(COPY_INTERVAL);
        }
    }
}

/// Moves the whole records of the ring to disk and raises the ring's tail. Records that arrive meanwhile wait for the
/// next pass (one sync per pass), unless they fill a batch.
pub(crate) fn drain(ring: &Ring, disk: &mut Disk) -> Result<(), JournalError> {
    let mut batch = Vec::new();
    loop {
        gather(ring, disk.last_sequence(), &mut batch);
        if batch.is_empty() {
            return Ok(());
        }
        disk.append(&batch)?;
        ring.set_tail(disk.last_sequence());
        if batch.len() < BATCH_RECORDS {
            return Ok(());
        }
    }
}

/// The whole records after `last`, in order; one still on its way ends the batch.
fn gather(ring: &Ring, last: u64, batch: &mut Vec<GateJournalRecord>) {
    batch.clear();
    let head = ring.head();
    while batch.len() < BATCH_RECORDS && last + (batch.len() as u64) < head {
        match ring.get(last + batch.len() as u64 + 1) {
            Some(record) => batch.push(record),
            None => break,
        }
    }
}
