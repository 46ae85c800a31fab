// SPDX-License-Identifier: Apache-2.0
//! The gate journal: ring first, disk by the copier; read back as disk, then the ring's tail.
use crate::copier::{Copier, Disk, GateJournalHeader, drain};
use crate::error::{JournalError, JournalErrorKind};
use crate::file::{self, PAGE};
use crate::record::{GateJournalRecord, HEADER_WORDS, PAYLOAD_WORDS, RECORD, RECORD_MARK, RecordKind};
use crate::ring::Ring;
use pretrade_shm::clock::ClockDomain;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a gate journal lives and whose it is.
#[derive(Clone, Debug)]
pub struct GateJournalOptions {
    /// Ring file, in /dev/shm.
    pub ring: PathBuf,
    /// Journal file, on disk.
    pub disk: PathBuf,
    /// Gateway row.
    pub gateway: u16,
    /// Records the ring holds, a power of two.
    pub capacity: u64,
    /// Boot id, or simulation run id.
    pub clock_domain: ClockDomain,
}

impl GateJournalOptions {
    /// A ring of 65,536 records (16 MiB).
    #[must_use]
    pub fn new(ring: &Path, disk: &Path, gateway: u16, clock_domain: ClockDomain) -> Self {
        GateJournalOptions { ring: ring.to_owned(), disk: disk.to_owned(), gateway, capacity: 1 << 16, clock_domain }
    }
}

/// The producing side, owned by the gate. Dropping it drains the ring to disk.
#[derive(Debug)]
pub struct GateJournal {
    ring: Arc<Ring>,
    head: u64,
    /// Last seen tail: the real one is never lower, so the room computed from it is never too large.
    tail: u64,
    /// Records in a quarter of the ring, and in 90 % of it.
    quarter: u64,
    almost_full: u64,
    gateway: u16,
    /// Records from tail to head at which the next one has no place: the ring's capacity.
    places: u64,
    is_whole: bool,
    copier: Copier,
}

impl GateJournal {
    /// Opens or makes ring and disk file; records that a killed gate left in the ring go to disk first.
    ///
    /// # Errors
    /// When another process holds ring or file, a header is refused, or the two do not belong together.
    pub fn open(options: &GateJournalOptions) -> Result<Self, JournalError> {
        let left = match Ring::open(&options.ring, options.gateway, &options.clock_domain, true) {
            Ok(ring) => Some(ring),
            Err(e) if e.kind == JournalErrorKind::Absent => None,
            Err(e) => return Err(e),
        };
        // After a failed write or sync the page cache proves nothing: what was not committed comes from the ring again.
        let has_failed = left.as_ref().is_some_and(Ring::has_failed);
        let mut disk = Disk::open(&options.disk, options.gateway, &options.clock_domain, !has_failed)?;
        let last = disk.last_sequence();
        let is_whole = !has_failed && (left.is_some() || last == 0);
        let ring = match left {
            Some(ring) => ring,
            None => Ring::create(&options.ring, options.capacity, options.gateway, &options.clock_domain, last)?,
        };
        if !ring.try_lock()? {
            return Err(JournalError::new(&options.ring, JournalErrorKind::Busy, "is being written by another gateway"));
        }
        if ring.tail() > last {
            let problem = format!("ends at record {last}, but the ring says {} is durable: records are missing on disk", ring.tail());
            return Err(JournalError::new(&options.disk, JournalErrorKind::Corrupt, problem));
        }
        ring.set_tail(last);
        ring.clear_failed();
        let head = ring.recover_head();
        drain(&ring, &mut disk)?;
        if ring.tail() < head {
            let problem = format!("holds records up to {head}; record {} is damaged", ring.tail() + 1);
            return Err(JournalError::new(&options.ring, JournalErrorKind::Corrupt, problem));
        }
        let (tail, ring) = (ring.tail(), Arc::new(ring));
        let copier = Copier::start(Arc::clone(&ring), disk).map_err(|e| JournalError::os(&options.disk, "start the copier", &e))?;
        let (quarter, almost_full) = (ring.capacity() / 4, ring.capacity() * 9 / 10);
        let (places, gateway) = (ring.capacity(), options.gateway);
        Ok(GateJournal { places, ring, head, tail, quarter, almost_full, gateway, is_whole, copier })
    }

    /// Writes one record into the ring; no allocation, no system call, no lock. Returns its sequence number, `None`
    /// when the ring is full or the copier has stopped: nothing was written, and new risk must be refused.
    ///
    /// # Panics
    /// If the payload is longer than [`crate::record::PAYLOAD_WORDS`].
    #[inline(always)]
    #[must_use]
    pub fn append(&mut self, kind: RecordKind, mono: i64, ts: i64, payload: &[u64]) -> Option<u64> {
        if !self.has_place() {
            return None;
        }
        let mut words = [0; RECORD / 8];
        words[HEADER_WORDS..HEADER_WORDS + payload.len()].copy_from_slice(payload);
        Some(self.write(kind, mono, ts, payload.len() as u64, words, &mut []))
    }

    /// As [`GateJournal::append`] for a whole record whose payload stands in `words[HEADER_WORDS..]`. The payload's first
    /// words go into `first` in the same pass: a second one would read what was just stored.
    #[inline(always)]
    #[must_use]
    pub fn append_words<const N: usize>(
        &mut self,
        kind: RecordKind,
        mono: i64,
        ts: i64,
        words: [u64; RECORD / 8],
        first: &mut [u64; N],
    ) -> Option<u64> {
        if !self.has_place() {
            return None;
        }
        Some(self.write(kind, mono, ts, PAYLOAD_WORDS as u64, words, first))
    }

    #[inline(always)]
    fn write<const N: usize>(&mut self, kind: RecordKind, mono: i64, ts: i64, count: u64, mut words: [u64; RECORD / 8], first: &mut [u64; N]) -> u64 {
        let sequence = self.head + 1;
        let marks = u64::from(kind as u8) | 1 << 8 | u64::from(self.gateway) << 16 | count << 32;
        words[..HEADER_WORDS].copy_from_slice(&[u64::from(RECORD_MARK) << 32, sequence, mono.cast_unsigned(), ts.cast_unsigned(), marks]);
        self.ring.push(sequence, &words, first);
        self.head = sequence;
        sequence
    }

    #[inline(always)]
    fn has_place(&mut self) -> bool {
        if self.head - self.tail >= self.places {
            self.tail = self.ring.tail();
            if self.head - self.tail >= self.places {
                return false;
            }
        }
        !self.ring.has_failed()
    }

    /// True while the ring is at most 90 % full and the copier runs: beyond that control 44 refuses new risk.
    #[inline(always)]
    #[must_use]
    pub fn has_room(&mut self) -> bool {
        // The shared tail is read only when the last seen one says the ring is a quarter full.
        if self.head - self.tail > self.quarter {
            self.tail = self.ring.tail();
        }
        self.head - self.tail <= self.almost_full && !self.ring.has_failed()
    }

    /// False where an earlier life could not record everything that changed its state, or the ring it left is gone: what is
    /// folded from here is not the whole truth.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// The next record finds no place although there is room: the planted fault of the gate's tests.
    #[doc(hidden)]
    pub fn plant_refusal(&mut self) {
        self.places = 0;
    }

    /// A record that changed the gate's state could not be written: from now on the journal is not whole, takes nothing more,
    /// and says so to the next life too.
    #[cold]
    pub fn give_up(&self) {
        self.ring.set_failed();
    }

    /// Sequence number of the newest record.
    #[inline]
    #[must_use]
    pub fn head(&self) -> u64 {
        self.head
    }

    /// Sequence number of the newest durable record.
    #[must_use]
    pub fn durable(&self) -> u64 {
        self.ring.tail()
    }

    /// Fill of the ring in ppm: above 500,000 alarm, above 900,000 control 44.
    #[inline]
    #[must_use]
    pub fn fill_ppm(&mut self) -> u32 {
        // The shared tail is read only when the last seen one says the ring is a quarter full.
        if self.head - self.tail > self.quarter {
            self.tail = self.ring.tail();
        }
        ((self.head - self.tail) * 1_000_000 / self.ring.capacity()) as u32
    }

    /// True once the copier stopped for good.
    #[inline]
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.ring.has_failed()
    }

    /// End of the durable batches on disk: where a fold that starts at a checkpoint may begin to read.
    #[must_use]
    pub fn disk_end(&self) -> u64 {
        self.copier.disk_end()
    }

    /// Waits until everything appended is durable; `false` when the copier stopped.
    #[must_use]
    pub fn flush(&self) -> bool {
        while self.ring.tail() < self.head {
            if self.ring.has_failed() {
                return false;
            }
            self.copier.wake();
            std::thread::yield_now();
        }
        true
    }
}

/// Reads a gate journal: disk from an offset, then what only the ring holds. Works with every process dead.
#[derive(Debug)]
pub struct GateJournalReader {
    file: File,
    path: PathBuf,
    ring: Option<Ring>,
    at: u64,
    last: u64,
}

impl GateJournalReader {
    /// Opens the disk file, and the ring where it exists (after a reboot it does not).
    ///
    /// # Errors
    /// When either is refused.
    pub fn open(options: &GateJournalOptions) -> Result<Self, JournalError> {
        let file = File::open(&options.disk).map_err(|e| JournalError::os(&options.disk, "open", &e))?;
        GateJournalHeader::read(&file, &options.disk)?;
        let ring = match Ring::open(&options.ring, options.gateway, &options.clock_domain, false) {
            Ok(ring) => Some(ring),
            Err(e) if e.kind == JournalErrorKind::Absent => None,
            Err(e) => return Err(e),
        };
        Ok(GateJournalReader { file, path: options.disk.clone(), ring, at: PAGE, last: 0 })
    }

    /// Starts at `disk_end` of a checkpoint instead of the beginning; records up to `sequence` are skipped.
    #[must_use]
    pub fn from(mut self, disk_end: u64, sequence: u64) -> Self {
        (self.at, self.last) = (disk_end.max(PAGE), sequence);
        self
    }

    /// Appends the next records (at most about `at_most`) in order; returns how many, 0 at the end. Batch records are left out.
    ///
    /// # Errors
    /// When a record inside the journal is corrupt or missing: a state folded past it would be wrong.
    pub fn read(&mut self, into: &mut Vec<GateJournalRecord>, at_most: usize) -> Result<usize, JournalError> {
        let before = into.len();
        self.read_disk(into, at_most)?;
        if into.len() - before < at_most {
            self.read_ring(into, at_most - (into.len() - before))?;
        }
        Ok(into.len() - before)
    }

    fn read_disk(&mut self, into: &mut Vec<GateJournalRecord>, at_most: usize) -> Result<(), JournalError> {
        let mut bytes = vec![0; at_most.min(1 << 14) * RECORD];
        let start = into.len();
        while into.len() - start < at_most {
            let read = file::read_at_most(&self.file, &mut bytes, self.at).map_err(|e| JournalError::os(&self.path, "read", &e))?;
            for chunk in bytes[..read].chunks_exact(RECORD) {
                let record: GateJournalRecord = bytemuck::pod_read_unaligned(chunk);
                if !record.is_intact() {
                    return self.bad_record();
                }
                self.at += RECORD as u64;
                if record.kind != RecordKind::Batch as u8 && record.sequence > self.last {
                    self.accept(record, into)?;
                }
            }
            if read < bytes.len() {
                break;
            }
        }
        Ok(())
    }

    /// A bad record: a tail when only the ring could follow it, corruption when committed or followed by good ones.
    fn bad_record(&self) -> Result<(), JournalError> {
        let committed = GateJournalHeader::read(&self.file, &self.path)?.commit.checked().map_or(0, |(offset, _)| offset);
        if self.at >= committed {
            return Ok(());
        }
        let problem = format!("corrupt record at offset {}, after record {}, before the committed offset {committed}", self.at, self.last);
        Err(JournalError::new(&self.path, JournalErrorKind::Corrupt, problem))
    }

    fn read_ring(&mut self, into: &mut Vec<GateJournalRecord>, at_most: usize) -> Result<(), JournalError> {
        for _ in 0..at_most {
            let Some(record) = self.ring.as_ref().and_then(|ring| ring.get(self.last + 1)) else { break };
            self.accept(record, into)?;
        }
        Ok(())
    }

    fn accept(&mut self, record: GateJournalRecord, into: &mut Vec<GateJournalRecord>) -> Result<(), JournalError> {
        if record.sequence != self.last + 1 {
            let problem = format!("record {} follows record {}; records between are missing", record.sequence, self.last);
            return Err(JournalError::new(&self.path, JournalErrorKind::Corrupt, problem));
        }
        self.last = record.sequence;
        into.push(record);
        Ok(())
    }

    /// Sequence number of the last record returned.
    #[must_use]
    pub fn last_sequence(&self) -> u64 {
        self.last
    }
}
