// SPDX-License-Identifier: Apache-2.0
//! The shared-memory ring in front of a gate journal: one producer (the gate), one consumer (the copier).
//!
//! It survives the gate's death. Records are published by their head: the words of a record are stored before the head
//! that counts it, so what a dead producer left up to its head is whole. The checksum is made by whoever takes a record
//! out: on the hot thread it would cost a tenth of the check.
use crate::error::{JournalError, JournalErrorKind};
use crate::record::{GateJournalRecord, HEADER_WORDS, RECORD, RECORD_MARK};
use bytemuck::{Pod, Zeroable};
use pretrade_shm::Mapping;
use pretrade_shm::clock::{ClockDomain, domain_text};
use pretrade_shm::crc::crc32c;
use pretrade_shm::header::BYTE_ORDER_MARK;
use pretrade_shm::memory::prefetch_for_write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering, fence};

/// First word of a ring file.
pub const RING_MAGIC: u64 = u64::from_le_bytes(*b"PTGRING\0");
/// Version of the header and record.
pub const RING_VERSION: u32 = 1;
const PAGE_WORDS: usize = 512;
const RECORD_WORDS: usize = RECORD / 8;
const LINE_WORDS: usize = 8;

/// Header page of a ring; head and tail on lines of their own.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct RingHeader {
    /// [`RING_MAGIC`].
    pub magic: u64,
    /// [`RING_VERSION`].
    pub version: u32,
    /// Byte order mark.
    pub byte_order: u32,
    /// Records the ring holds, a power of two.
    pub capacity: u64,
    /// Gateway row.
    pub gateway: u32,
    /// CRC32C of this line with the field zero.
    pub header_crc: u32,
    /// Boot id, or simulation run id.
    pub clock_domain: [u8; 16],
    /// Zero.
    pub spare: [u64; 2],
    /// Sequence of the newest record written.
    pub head: u64,
    /// Process that wrote it.
    pub producer_pid: u64,
    /// Zero.
    pub spare_1: [u64; 6],
    /// Sequence of the newest record durable on disk.
    pub tail: u64,
    /// Not zero once the copier stopped for good: no further record becomes durable.
    pub failed: u64,
    /// Zero.
    pub spare_2: [u64; 6],
}

const HEAD: usize = core::mem::offset_of!(RingHeader, head) / 8;
const TAIL: usize = core::mem::offset_of!(RingHeader, tail) / 8;
const FAILED: usize = core::mem::offset_of!(RingHeader, failed) / 8;
const PRODUCER: usize = core::mem::offset_of!(RingHeader, producer_pid) / 8;

/// A mapped ring.
#[derive(Debug)]
pub struct Ring {
    map: Mapping,
    mask: u64,
}

impl Ring {
    /// Makes a ring whose next record is `last_sequence + 1`; every page is touched.
    ///
    /// # Errors
    /// When there is no room, or the capacity is no power of two.
    pub fn create(path: &Path, capacity: u64, gateway: u16, domain: &ClockDomain, last_sequence: u64) -> Result<Self, JournalError> {
        if !capacity.is_power_of_two() {
            return Err(JournalError::new(path, JournalErrorKind::Refused, format!("capacity {capacity} is no power of two")));
        }
        let mut header = RingHeader::zeroed();
        (header.magic, header.version, header.byte_order) = (RING_MAGIC, RING_VERSION, BYTE_ORDER_MARK);
        (header.capacity, header.gateway, header.clock_domain) = (capacity, u32::from(gateway), *domain);
        header.header_crc = line_crc(&header);
        (header.head, header.tail) = (last_sequence, last_sequence);
        let length = PAGE_WORDS * 8 + capacity as usize * RECORD;
        let map = Mapping::create(path, length, |map| {
            for (word, value) in map.words().iter().zip(bytemuck::cast_slice::<_, u64>(std::slice::from_ref(&header))) {
                word.store(*value, Ordering::Relaxed);
            }
            for word in map.words()[PAGE_WORDS..].iter().step_by(PAGE_WORDS) {
                word.store(0, Ordering::Relaxed);
            }
            Ok(())
        })?;
        Ok(Ring { map, mask: capacity - 1 })
    }

    /// Opens a ring left by a process, alive or dead.
    ///
    /// # Errors
    /// When it is absent, of another layout, another gateway or a foreign clock domain.
    pub fn open(path: &Path, gateway: u16, domain: &ClockDomain, is_writable: bool) -> Result<Self, JournalError> {
        let map = Mapping::open(path, is_writable)?;
        let mut header = RingHeader::zeroed();
        for (value, word) in bytemuck::cast_slice_mut::<_, u64>(std::slice::from_mut(&mut header)).iter_mut().zip(map.words()) {
            *value = word.load(Ordering::Acquire);
        }
        let refuse = |problem: String| Err(JournalError::new(path, JournalErrorKind::Refused, problem));
        if (header.magic, header.version, header.byte_order) != (RING_MAGIC, RING_VERSION, BYTE_ORDER_MARK) {
            return refuse(format!("is no ring of version {RING_VERSION}: magic {:#018x}, version {}", header.magic, header.version));
        }
        if header.header_crc != line_crc(&header) {
            return refuse(format!("header checksum is {:#010x}; its bytes give {:#010x}", header.header_crc, line_crc(&header)));
        }
        let length = (PAGE_WORDS * 8) as u64 + header.capacity * RECORD as u64;
        if !header.capacity.is_power_of_two() || (map.length() as u64) < length {
            return refuse(format!("size is {} bytes; {} records need {length}", map.length(), header.capacity));
        }
        if header.gateway != u32::from(gateway) {
            return refuse(format!("belongs to gateway {}; this is gateway {gateway}", header.gateway));
        }
        if header.clock_domain != *domain {
            return refuse(format!("clock domain is {}; this process lives in {}", domain_text(&header.clock_domain), domain_text(domain)));
        }
        Ok(Ring { map, mask: header.capacity - 1 })
    }

    /// Takes the producer's lock; `false` when another process holds it.
    ///
    /// # Errors
    /// When the file cannot be locked.
    pub fn try_lock(&self) -> Result<bool, JournalError> {
        let locked = self.map.try_lock()?;
        if locked {
            self.map.words()[PRODUCER].store(u64::from(std::process::id()), Ordering::Relaxed);
        }
        Ok(locked)
    }

    /// Sequence of the newest record.
    #[inline]
    #[must_use]
    pub fn head(&self) -> u64 {
        self.map.words()[HEAD].load(Ordering::Acquire)
    }

    /// Sequence of the newest durable record.
    #[inline]
    #[must_use]
    pub fn tail(&self) -> u64 {
        self.map.words()[TAIL].load(Ordering::Acquire)
    }

    /// True once the copier stopped for good.
    #[inline]
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.map.words()[FAILED].load(Ordering::Acquire) != 0
    }

    /// Records the ring holds.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.mask + 1
    }

    /// The record's place.
    #[inline(always)]
    fn place(&self, sequence: u64) -> &[AtomicU64; RECORD_WORDS] {
        let at = PAGE_WORDS + (sequence.wrapping_sub(1) & self.mask) as usize * RECORD_WORDS;
        self.map.words()[at..].first_chunk().expect("the mapping was checked to hold every record")
    }

    /// Writes a record's words, the first `N` of its payload also into `first`, and publishes it. One producer; the caller
    /// has checked for room.
    #[inline(always)]
    pub fn push<const N: usize>(&self, sequence: u64, words: &[u64; RECORD_WORDS], first: &mut [u64; N]) {
        // A reader that meets a word of this record sees the head before it, too, and drops what it copied.
        fence(Ordering::Release);
        let place = self.place(sequence);
        for at in 0..HEADER_WORDS {
            place[at].store(words[at], Ordering::Relaxed);
        }
        for at in 0..N {
            place[HEADER_WORDS + at].store(words[HEADER_WORDS + at], Ordering::Relaxed);
            first[at] = words[HEADER_WORDS + at];
        }
        for at in HEADER_WORDS + N..RECORD_WORDS {
            place[at].store(words[at], Ordering::Relaxed);
        }
        self.map.words()[HEAD].store(sequence, Ordering::Release);
        // Else the stores of the next record would wait for lines that the copier holds.
        let next = self.place(sequence + 1);
        for line in next.chunks_exact(LINE_WORDS) {
            prefetch_for_write(&line[0]);
        }
    }

    /// The record with this sequence number, with its checksum, `None` while it is not (or no longer) there.
    #[must_use]
    pub fn get(&self, sequence: u64) -> Option<GateJournalRecord> {
        if sequence > self.head() {
            return None;
        }
        let mut record = GateJournalRecord::zeroed();
        for (value, word) in bytemuck::cast_slice_mut::<_, u64>(std::slice::from_mut(&mut record)).iter_mut().zip(self.place(sequence)) {
            *value = word.load(Ordering::Relaxed);
        }
        fence(Ordering::Acquire);
        // The record that takes this place is written once this one is durable, while the head stands one before it.
        let (tail, head) = (self.tail(), self.head());
        let is_kept = tail < sequence || head + 1 < sequence + self.capacity();
        (is_kept && record.sequence == sequence && record.mark == RECORD_MARK).then(|| record.sealed())
    }

    /// Of a ring left by a dead producer: puts the head where the disk is ahead of it, and returns it. Only for a new
    /// producer that holds the lock.
    pub(crate) fn recover_head(&self) -> u64 {
        let head = self.head().max(self.tail());
        self.map.words()[HEAD].store(head, Ordering::Release);
        head
    }

    pub(crate) fn set_tail(&self, sequence: u64) {
        self.map.words()[TAIL].store(sequence, Ordering::Release);
    }

    pub(crate) fn set_failed(&self) {
        self.map.words()[FAILED].store(1, Ordering::Release);
    }

    pub(crate) fn clear_failed(&self) {
        self.map.words()[FAILED].store(0, Ordering::Release);
    }
}

fn line_crc(header: &RingHeader) -> u32 {
    let covered = RingHeader { header_crc: 0, ..*header };
    crc32c(&bytemuck::bytes_of(&covered)[..64])
}
