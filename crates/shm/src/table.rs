// SPDX-License-Identifier: Apache-2.0
//! A table: header page, index pages, seqlocked records.
use crate::clock::ClockDomain;
use crate::crc::crc32c;
use crate::error::TableError;
use crate::header::{BYTE_ORDER_MARK, CHANNELS, HEADER_VERSION, Header, INDEX_ENTRY, check_header, half_of, header_crc, read_header, word_of};
use crate::layout::Layout;
use crate::layouts;
use crate::mapping::{Mapping, PAGE};
use crate::memory::prefetch;
use crate::seqlock::{self, ReadOutcome};
use bytemuck::Pod;
use pretrade_records::{LimitsRecord, QuotesRecord};
use std::marker::PhantomData;
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// A record a [`Table`] can hold. `LOCKED` of its 8-byte words move under the seqlock; the rest are plain atomics.
pub trait TableRecord: Pod {
    /// First word of the file.
    const MAGIC: u64;
    /// Its fields.
    const LAYOUT: Layout;
    /// 8-byte words under the seqlock, the sequence word included.
    const LOCKED: usize = size_of::<Self>() / 8;
    /// The two numbers it is found by.
    fn key(&self) -> (u32, u32);
    /// Writes the key of an empty record.
    fn set_key(&mut self, key: (u32, u32));
    /// Makes a half-written record one that every reader refuses, keeping identity, version and trip id.
    fn invalidate(&mut self);
    /// Reads the locked words; the length is a constant of the type so that the loop unrolls.
    fn read_locked(seq: &AtomicU32, crc: &AtomicU32, words: &[AtomicU64], out: &mut Self) -> ReadOutcome;
}

/// Implements [`TableRecord::read_locked`] for `$words` locked words.
macro_rules! read_locked {
    ($words:expr) => {
        #[inline]
        fn read_locked(
            seq: &std::sync::atomic::AtomicU32,
            crc: &std::sync::atomic::AtomicU32,
            words: &[std::sync::atomic::AtomicU64],
            out: &mut Self,
        ) -> $crate::seqlock::ReadOutcome {
            let out: &mut [u64] = bytemuck::cast_slice_mut(std::slice::from_mut(out));
            match out.first_chunk_mut::<{ $words }>() {
                Some(out) => $crate::seqlock::read_words::<{ $words }>(seq, crc, words, out),
                None => $crate::seqlock::ReadOutcome::Torn,
            }
        }
    };
}
pub(crate) use read_locked;

impl TableRecord for LimitsRecord {
    const MAGIC: u64 = u64::from_le_bytes(*b"PTLIMITS");
    const LAYOUT: Layout = layouts::LIMITS;
    fn key(&self) -> (u32, u32) {
        (self.instrument_id, self.strategy_id)
    }
    fn set_key(&mut self, key: (u32, u32)) {
        (self.instrument_id, self.strategy_id) = key;
    }
    fn invalidate(&mut self) {
        self.valid_mask = 0;
        self.flags |= pretrade_records::limits::flags::MODEL_ABSENT;
        self.score = f32::NAN;
    }
    read_locked!(24);
}

impl TableRecord for QuotesRecord {
    const MAGIC: u64 = u64::from_le_bytes(*b"PTQUOTES");
    const LAYOUT: Layout = layouts::QUOTES;
    fn key(&self) -> (u32, u32) {
        (self.instrument_id, 0)
    }
    fn set_key(&mut self, key: (u32, u32)) {
        self.instrument_id = key.0;
    }
    fn invalidate(&mut self) {
        use pretrade_records::units::UNDEFINED_PRICE;
        (self.bid_price, self.ask_price, self.last_price) = (UNDEFINED_PRICE, UNDEFINED_PRICE, UNDEFINED_PRICE);
        (self.slow_reference, self.bid_size, self.ask_size) = (UNDEFINED_PRICE, 0, 0);
        self.phase = 0;
    }
    read_locked!(24);
}

/// The `limits` table.
pub type LimitsTable = Table<LimitsRecord>;
/// The `quotes` table.
pub type QuotesTable = Table<QuotesRecord>;

/// What a handle may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Look, never write: gateways, viewers.
    Read,
    /// The one writer: takes the file's lock, repairs odd records, starts a new epoch.
    Write,
    /// Writes set-only words, or records under a lock kept elsewhere (`controls`); no repair, no new epoch.
    Shared,
}

/// How a table is made.
#[derive(Clone, Copy, Debug)]
pub struct CreateOptions {
    /// Boot id, or simulation run id.
    pub clock_domain: ClockDomain,
    /// First epoch.
    pub epoch: u32,
    /// Records there is room for; at least the number of keys.
    pub capacity: usize,
    /// Gateway row of a `gate` table, else 0.
    pub owner_id: u32,
    /// Now, ns UTC.
    pub ts_created: i64,
}

impl CreateOptions {
    /// Room for the keys alone, epoch 1.
    #[must_use]
    pub fn new(clock_domain: ClockDomain) -> Self {
        CreateOptions { clock_domain, epoch: 1, capacity: 0, owner_id: 0, ts_created: 0 }
    }
}

/// Where a record starts in its table's file: worked out once, so that a hot path does no arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Zeroable)]
#[repr(transparent)]
pub struct Spot(u32);

impl Spot {
    /// No record.
    pub const NONE: Spot = Spot(u32::MAX);
}

/// A mapped table of records `R`.
#[derive(Debug)]
pub struct Table<R> {
    map: Mapping,
    shape: Shape,
    repaired: Vec<usize>,
    _records: PhantomData<R>,
}

impl<R: TableRecord> Table<R> {
    /// Makes a table with one empty (invalid) record per key. A table already there is marked retired and replaced.
    ///
    /// # Errors
    /// When the file cannot be made or a key comes twice.
    pub fn create(path: &Path, keys: &[(u32, u32)], options: &CreateOptions) -> Result<Self, TableError> {
        let count = options.capacity.max(keys.len()).max(1);
        let index_count = (2 * count).next_power_of_two().max(PAGE / INDEX_ENTRY);
        let records_offset = PAGE + index_count * INDEX_ENTRY;
        let file_size = (records_offset + count * size_of::<R>()).next_multiple_of(PAGE);
        let number = |n: usize| u32::try_from(n).map_err(|_| TableError::new(path, format!("{n} records are above {}", u32::MAX)));
        let mut header: Header = bytemuck::Zeroable::zeroed();
        header.magic = R::MAGIC;
        header.header_version = HEADER_VERSION;
        header.byte_order = BYTE_ORDER_MARK;
        header.layout_hash = R::LAYOUT.hash();
        header.layout_version = R::LAYOUT.version;
        header.stride = number(size_of::<R>())?;
        header.record_count = number(count)?;
        header.index_count = number(index_count)?;
        header.records_offset = records_offset as u64;
        header.file_size = file_size as u64;
        header.owner_id = options.owner_id;
        header.clock_domain = options.clock_domain;
        header.ts_created = options.ts_created;
        header.header_crc = header_crc(&header);
        header.epoch = options.epoch;
        header.writer_pid = std::process::id();
        header.generation = 1;
        let old = Mapping::open(path, true).ok();
        if let Some(old) = old.as_ref().filter(|o| o.words()[0].load(Ordering::Relaxed) == R::MAGIC)
            && !old.try_lock()?
        {
            return Err(TableError::new(path, format!("is being written by process {}", old.halves()[half_of!(writer_pid)].load(Ordering::Relaxed))));
        }
        let map = Mapping::create(path, file_size, |map| {
            for (word, value) in map.words().iter().zip(bytemuck::cast_slice::<_, u64>(std::slice::from_ref(&header))) {
                word.store(*value, Ordering::Relaxed);
            }
            let builder = Builder::<R> { map, shape: Shape::of(&header), _records: PhantomData };
            for &(first, second) in keys {
                builder.insert(first, second)?;
            }
            if !map.try_lock()? {
                return Err(TableError::new(map.path(), "is locked by another process"));
            }
            // Before the new file takes the name: a gate never trusts the old one while others already write the new one.
            if let Some(old) = old.as_ref().filter(|o| o.words()[0].load(Ordering::Relaxed) == R::MAGIC) {
                old.words()[word_of!(generation)].store(0, Ordering::Release);
                old.halves()[half_of!(retired)].store(1, Ordering::Release);
            }
            Ok(())
        })?;
        Ok(Self::over(map, Shape::of(&header)))
    }

    /// Opens a table after checking owner, mode, size, magic, versions, layout hash, byte order, header checksum and clock domain.
    ///
    /// # Errors
    /// Names the value found and the bound it misses.
    pub fn open(path: &Path, clock_domain: &ClockDomain, access: Access) -> Result<Self, TableError> {
        let map = Mapping::open(path, access != Access::Read)?;
        let header = read_header(&map);
        check_header::<R>(&map, &header, clock_domain)?;
        let mut table = Self::over(map, Shape::of(&header));
        if access == Access::Write {
            table.take_over()?;
        }
        Ok(table)
    }

    fn over(map: Mapping, shape: Shape) -> Self {
        Table { map, shape, repaired: Vec::new(), _records: PhantomData }
    }

    /// First word of such a file.
    #[must_use]
    pub const fn magic() -> u64 {
        R::MAGIC
    }

    /// Slot of a key, `None` where the table has no such record. Slots are append-only within an epoch.
    #[must_use]
    pub fn slot(&self, first: u32, second: u32) -> Option<usize> {
        find(self.map.words(), self.shape.index_mask, key_word((first, second))).ok()
    }

    /// Every (key, slot) in use.
    #[must_use]
    pub fn keys(&self) -> Vec<((u32, u32), usize)> {
        (0..self.used()).map(|slot| (self.key_of(slot), slot)).collect()
    }

    /// The key of a slot, read from its record.
    fn key_of(&self, slot: usize) -> (u32, u32) {
        let mut record = R::zeroed();
        // Both numbers of every record's key lie in its second word.
        bytemuck::cast_slice_mut::<R, u64>(std::slice::from_mut(&mut record))[1] = self.place(slot).2[1].load(Ordering::Relaxed);
        record.key()
    }

    /// Adds an empty (invalid) record for a new key while there is room; an existing key keeps its slot.
    ///
    /// # Errors
    /// When the table is full or this handle only reads.
    pub fn insert(&mut self, first: u32, second: u32) -> Result<usize, TableError> {
        self.must_write()?;
        Builder::<R> { map: &self.map, shape: self.shape, _records: PhantomData }.insert(first, second)
    }

    /// Reads one record; `Torn` when no consistent state was seen within the bounded retries.
    ///
    /// Does not verify the checksum: see [`Table::is_intact`], needed only when `version` moved.
    ///
    /// # Panics
    /// If `slot` is not below [`Table::count`].
    #[inline(always)]
    pub fn read(&self, slot: usize, out: &mut R) -> ReadOutcome {
        let (seq, crc, words) = self.place(slot);
        let outcome = R::read_locked(seq, crc, words, out);
        if R::LOCKED < size_of::<R>() / 8 {
            let out: &mut [u64] = bytemuck::cast_slice_mut(std::slice::from_mut(out));
            for (value, word) in out.iter_mut().zip(words).skip(R::LOCKED) {
                *value = word.load(Ordering::Acquire);
            }
        }
        outcome
    }

    /// Reads the first 64 bytes under the seqlock: line 0, all that most orders need.
    ///
    /// # Panics
    /// If `slot` is not below [`Table::count`].
    #[inline]
    pub fn read_line_0(&self, slot: usize, out: &mut [u64; 8]) -> ReadOutcome {
        let (seq, crc, words) = self.place(slot);
        seqlock::read_words::<8>(seq, crc, words, out)
    }

    /// The sequence word of a record: even when at rest, moves with each write.
    #[inline(always)]
    #[must_use]
    pub fn sequence(&self, slot: usize) -> u32 {
        assert!(slot < self.shape.count, "slot is not below the record count");
        self.map.halves()[2 * (self.shape.first_word + slot * self.shape.stride_words)].load(Ordering::Acquire)
    }

    /// Where the record of a slot starts; [`Spot::NONE`] where there is no such slot.
    #[must_use]
    pub fn spot(&self, slot: Option<usize>) -> Spot {
        let at = slot.filter(|slot| *slot < self.shape.count).map(|slot| self.shape.first_word + slot * self.shape.stride_words);
        at.and_then(|at| u32::try_from(at).ok()).map_or(Spot::NONE, Spot)
    }

    /// As [`Table::sequence`], without arithmetic; `None` at [`Spot::NONE`].
    #[inline(always)]
    #[must_use]
    pub fn sequence_at(&self, spot: Spot) -> Option<u32> {
        self.map.halves().get(2 * spot.0 as usize).map(|seq| seq.load(Ordering::Acquire))
    }

    /// As [`Table::read`]; `Torn` at [`Spot::NONE`].
    #[inline]
    pub fn read_at(&self, spot: Spot, out: &mut R) -> ReadOutcome {
        if spot == Spot::NONE {
            return ReadOutcome::Torn;
        }
        self.read((spot.0 as usize - self.shape.first_word) / self.shape.stride_words, out)
    }

    /// Asks for every line of a record.
    #[inline]
    pub fn prefetch_at(&self, spot: Spot) {
        for line in (0..self.shape.stride_words).step_by(8) {
            if let Some(word) = self.map.words().get(spot.0 as usize + line) {
                prefetch(word);
            }
        }
    }

    /// The read without any sequence check that the stress test must catch.
    #[doc(hidden)]
    pub fn read_unguarded(&self, slot: usize, out: &mut R) {
        self.read_raw(slot, out);
    }

    fn read_raw(&self, slot: usize, out: &mut R) {
        let (seq, crc, words) = self.place(slot);
        let out: &mut [u64] = bytemuck::cast_slice_mut(std::slice::from_mut(out));
        for (value, word) in out.iter_mut().zip(words).skip(1) {
            *value = word.load(Ordering::Relaxed);
        }
        out[0] = u64::from(seq.load(Ordering::Relaxed)) | (u64::from(crc.load(Ordering::Relaxed)) << 32);
    }

    /// Publishes a record into its slot: fills `seq` and `crc`. One writer at a time per table (`&mut self`; between
    /// processes the file lock, or the lock of `controls`).
    ///
    /// # Errors
    /// When this handle only reads, or the record's key is not that of the slot.
    ///
    /// # Panics
    /// If `slot` is not below [`Table::count`].
    pub fn publish(&mut self, slot: usize, record: &R) -> Result<(), TableError> {
        self.must_write()?;
        if self.key_of(slot) != record.key() {
            let (has, key) = (self.key_of(slot), record.key());
            return Err(TableError::new(self.map.path(), format!("slot {slot} holds the record of {has:?}; {key:?} does not belong there")));
        }
        let (seq, crc, words) = self.place(slot);
        let payload: &[u64] = bytemuck::cast_slice(std::slice::from_ref(record));
        seqlock::write_words(seq, crc, words, &payload[..R::LOCKED], checksum(record));
        Ok(())
    }

    /// True where a record read from this table carries the checksum of its own bytes.
    #[must_use]
    pub fn is_intact(record: &R) -> bool {
        let words: &[u64] = bytemuck::cast_slice(std::slice::from_ref(record));
        (words[0] >> 32) as u32 == checksum(record)
    }

    /// Newest heartbeat of a channel as (`mono_tick`, `mono_data`); (0, 0) for a channel that never beat or does not exist.
    #[inline(always)]
    #[must_use]
    pub fn channel(&self, channel: u16) -> (i64, i64) {
        let at = word_of!(channels) + 2 * usize::from(channel);
        if usize::from(channel) >= CHANNELS {
            return (0, 0);
        }
        let words = self.map.words();
        (words[at].load(Ordering::Acquire).cast_signed(), words[at + 1].load(Ordering::Acquire).cast_signed())
    }

    /// Stamps a channel.
    ///
    /// # Errors
    /// When this handle only reads or there is no such channel.
    pub fn heartbeat(&self, channel: u16, mono_tick: i64, mono_data: i64) -> Result<(), TableError> {
        self.must_write()?;
        if usize::from(channel) >= CHANNELS {
            return Err(TableError::new(self.map.path(), format!("channel {channel} is not below {CHANNELS}")));
        }
        let at = word_of!(channels) + 2 * usize::from(channel);
        // Data first: a reader between the two stores sees the older tick, hence the older age.
        self.map.words()[at + 1].store(mono_data.cast_unsigned(), Ordering::Release);
        self.map.words()[at].store(mono_tick.cast_unsigned(), Ordering::Release);
        self.map.words()[word_of!(writer_heartbeat)].store(mono_tick.cast_unsigned(), Ordering::Relaxed);
        Ok(())
    }

    /// Epoch of the present writer.
    #[inline(always)]
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.map.halves()[half_of!(epoch)].load(Ordering::Acquire)
    }

    /// The generation word: moves with every change of `controls`; 0 only when the mapping is dead or the table retired.
    #[inline(always)]
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.map.words()[word_of!(generation)].load(Ordering::Acquire)
    }

    /// The firm kill word: 0 = not armed.
    #[inline(always)]
    #[must_use]
    pub fn kill_word(&self) -> u64 {
        self.map.words()[word_of!(kill_word)].load(Ordering::Acquire)
    }

    /// Process id of the last writer.
    #[must_use]
    pub fn writer_pid(&self) -> u32 {
        self.map.halves()[half_of!(writer_pid)].load(Ordering::Relaxed)
    }

    /// Monotonic ns of the writer's last heartbeat.
    #[must_use]
    pub fn writer_heartbeat(&self) -> i64 {
        self.map.words()[word_of!(writer_heartbeat)].load(Ordering::Relaxed).cast_signed()
    }

    /// A copy of the header page.
    #[must_use]
    pub fn header(&self) -> Header {
        read_header(&self.map)
    }

    /// Clock domain of every `mono_*` stamp inside.
    #[must_use]
    pub fn clock_domain(&self) -> ClockDomain {
        self.header().clock_domain
    }

    /// Records there is room for.
    #[inline]
    #[must_use]
    pub fn count(&self) -> usize {
        self.shape.count
    }

    /// Records in use.
    #[must_use]
    pub fn used(&self) -> usize {
        (self.map.halves()[half_of!(used)].load(Ordering::Acquire) as usize).min(self.shape.count)
    }

    /// True once a newer file took this one's name: open again.
    #[must_use]
    pub fn is_retired(&self) -> bool {
        self.map.halves()[half_of!(retired)].load(Ordering::Acquire) != 0
    }

    /// True once nobody who opens the table by its name gets this one: retired, replaced by hand, or removed. A system call.
    #[must_use]
    pub fn is_detached(&self) -> bool {
        self.is_retired() || !self.map.is_linked()
    }

    /// True once the file behind the mapping was found truncated.
    #[inline]
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.map.is_dead()
    }

    /// Slots that a writer found half written when it took over; their records are invalid until published anew.
    #[must_use]
    pub fn repaired(&self) -> &[usize] {
        &self.repaired
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.map.path()
    }

    /// Asks for every line of a record and, by the way, costs nothing when they are there.
    #[inline]
    pub fn prefetch(&self, slot: usize) {
        let words = self.map.words();
        let start = self.shape.first_word + slot * self.shape.stride_words;
        for line in (0..self.shape.stride_words).step_by(8) {
            if let Some(word) = words.get(start + line) {
                prefetch(word);
            }
        }
    }

    pub(crate) fn map(&self) -> &Mapping {
        &self.map
    }

    pub(crate) fn must_write(&self) -> Result<(), TableError> {
        if self.map.is_writable() { Ok(()) } else { Err(TableError::new(self.map.path(), "is open for reading; it cannot be written")) }
    }

    /// Word `index` of a record beyond the locked ones.
    pub(crate) fn free_word(&self, slot: usize, index: usize) -> &AtomicU64 {
        assert!(index >= R::LOCKED, "word {index} is under the seqlock");
        &self.place(slot).2[index]
    }

    #[inline(always)]
    fn place(&self, slot: usize) -> (&AtomicU32, &AtomicU32, &[AtomicU64]) {
        assert!(slot < self.shape.count, "slot is not below the record count");
        place(&self.map, self.shape.first_word + slot * self.shape.stride_words, self.shape.stride_words)
    }

    fn take_over(&mut self) -> Result<(), TableError> {
        if !self.map.try_lock()? {
            return Err(TableError::new(self.map.path(), format!("is being written by process {}", self.writer_pid())));
        }
        for slot in 0..self.used() {
            if self.sequence(slot) & 1 == 1 {
                let mut record = R::zeroed();
                self.read_raw(slot, &mut record);
                if !Self::is_intact(&record) {
                    record.invalidate();
                }
                self.publish(slot, &record)?;
                self.repaired.push(slot);
            }
        }
        let halves = self.map.halves();
        halves[half_of!(epoch)].fetch_add(1, Ordering::AcqRel);
        halves[half_of!(writer_pid)].store(std::process::id(), Ordering::Relaxed);
        Ok(())
    }
}

#[derive(Clone, Copy, Debug)]
struct Shape {
    count: usize,
    stride_words: usize,
    first_word: usize,
    index_mask: usize,
}

impl Shape {
    fn of(header: &Header) -> Self {
        Shape {
            count: header.record_count as usize,
            stride_words: header.stride as usize / 8,
            first_word: header.records_offset as usize / 8,
            index_mask: (header.index_count as usize).wrapping_sub(1),
        }
    }
}

/// Adds records to a mapping whose header is written.
struct Builder<'a, R> {
    map: &'a Mapping,
    shape: Shape,
    _records: PhantomData<R>,
}

impl<R: TableRecord> Builder<'_, R> {
    fn insert(&self, first: u32, second: u32) -> Result<usize, TableError> {
        let words = self.map.words();
        let key = key_word((first, second));
        let entry = match find(words, self.shape.index_mask, key) {
            Ok(slot) => return Ok(slot),
            Err(entry) => entry,
        };
        let used = &self.map.halves()[half_of!(used)];
        let slot = used.load(Ordering::Relaxed) as usize;
        if slot >= self.shape.count {
            return Err(TableError::new(
                self.map.path(),
                format!("is full: record {} above {} for key ({first}, {second})", slot + 1, self.shape.count),
            ));
        }
        let mut record = R::zeroed();
        record.set_key((first, second));
        record.invalidate();
        let (seq, crc, target) = place(self.map, self.shape.first_word + slot * self.shape.stride_words, self.shape.stride_words);
        let payload: &[u64] = bytemuck::cast_slice(std::slice::from_ref(&record));
        seqlock::write_words(seq, crc, target, &payload[..R::LOCKED], checksum(&record));
        words[entry].store(key, Ordering::Relaxed);
        used.store(slot as u32 + 1, Ordering::Release);
        // hand-over: the entry counts only once its slot is there, after key and record.
        words[entry + 1].store(slot as u64 + 1, Ordering::Release);
        Ok(slot)
    }
}

#[inline(always)]
fn place(map: &Mapping, start: usize, stride_words: usize) -> (&AtomicU32, &AtomicU32, &[AtomicU64]) {
    let halves = &map.halves()[2 * start..2 * start + 2];
    (&halves[0], &halves[1], &map.words()[start..start + stride_words])
}

fn key_word(key: (u32, u32)) -> u64 {
    (u64::from(key.0) << 32) | u64::from(key.1)
}

/// `Ok(slot)`, or `Err(word index of the first free entry)`.
fn find(words: &[AtomicU64], mask: usize, key: u64) -> Result<usize, usize> {
    let mut at = (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & mask;
    loop {
        let entry = (PAGE + at * INDEX_ENTRY) / 8;
        match words[entry + 1].load(Ordering::Acquire) {
            0 => return Err(entry),
            slot if words[entry].load(Ordering::Relaxed) == key => return Ok(slot as usize - 1),
            // At most half of the entries are ever used, so an empty one ends every search.
            _ => at = (at + 1) & mask,
        }
    }
}

fn checksum<R: TableRecord>(record: &R) -> u32 {
    crc32c(&bytemuck::bytes_of(record)[8..8 * R::LOCKED])
}

#[cfg(test)]
mod tests;
