// SPDX-License-Identifier: Apache-2.0
//! The bare limits table: 10,000 records of 128 bytes under a seqlock, and its writer.
use crate::mapping::Words;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering, fence};

/// Records.
pub const RECORDS: usize = 10_000;
/// Words of a record; word 0 is the sequence.
pub const WORDS: usize = 16;
/// Words before the records: kill word (line 0), heartbeat (line 1), writer's progress (line 2).
const HEADER: usize = 64;

/// Places of fields in a record.
pub mod field {
    /// When published, ns.
    pub const TIME: usize = 1;
    /// 1 = halted, 2 = reduce-only.
    pub const STATE: usize = 2;
    /// Lot.
    pub const LOT: usize = 3;
    /// Tick.
    pub const TICK: usize = 4;
    /// Maximum quantity.
    pub const QUANTITY: usize = 5;
    /// Maximum notional.
    pub const NOTIONAL: usize = 6;
    /// Lowest price.
    pub const LOW: usize = 7;
    /// Highest price.
    pub const HIGH: usize = 8;
    /// Maximum position, either side.
    pub const POSITION: usize = 9;
    /// Maximum open orders.
    pub const OPEN: usize = 10;
    /// Maximum gross of the instrument.
    pub const GROSS: usize = 11;
    /// Version; the last word repeats it.
    pub const VERSION: usize = 12;
    /// The repeat.
    pub const LAST: usize = 15;
}

/// The mapped table.
#[derive(Debug)]
pub struct FloorTable {
    words: Words,
}

impl FloorTable {
    /// Maps the table and fills it.
    ///
    /// # Errors
    /// When the file cannot be mapped.
    pub fn create(path: &Path) -> io::Result<Self> {
        let table = Self::open(path)?;
        for at in 0..RECORDS {
            table.write(at, 1, 0);
        }
        Ok(table)
    }

    /// Maps a table as it is.
    ///
    /// # Errors
    /// When the file cannot be mapped.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(FloorTable { words: Words::open(path, HEADER + RECORDS * WORDS)? })
    }

    /// Reads one record; `false` after 64 attempts.
    #[inline(always)]
    pub fn read(&self, at: usize, out: &mut [u64; WORDS]) -> bool {
        let start = HEADER + at * WORDS;
        let words = &self.words.as_slice()[start..start + WORDS];
        for _ in 0..64 {
            let before = words[0].load(Ordering::Acquire);
            if before & 1 == 0 {
                for i in 1..WORDS {
                    out[i] = words[i].load(Ordering::Relaxed);
                }
                fence(Ordering::Acquire);
                if words[0].load(Ordering::Relaxed) == before {
                    out[0] = before;
                    return true;
                }
            }
            std::hint::spin_loop();
        }
        false
    }

    /// Publishes one record.
    pub fn write(&self, at: usize, version: u64, now: i64) {
        let start = HEADER + at * WORDS;
        let words = &self.words.as_slice()[start..start + WORDS];
        let sequence = words[0].load(Ordering::Relaxed);
        words[0].store(sequence + 1, Ordering::Relaxed);
        fence(Ordering::Release);
        let values = [
            (field::TIME, now.cast_unsigned()),
            (field::STATE, 0),
            (field::LOT, 1),
            (field::TICK, 25),
            (field::QUANTITY, 500),
            (field::NOTIONAL, u64::MAX / 4),
            (field::LOW, 25),
            (field::HIGH, 2_000_000),
            (field::POSITION, 1_000_000),
            (field::OPEN, 1_000),
            (field::GROSS, u64::MAX / 4),
            (field::VERSION, version),
            (13, version),
            (14, version),
            (field::LAST, version),
        ];
        for (i, value) in values {
            words[i].store(value, Ordering::Relaxed);
        }
        words[0].store(sequence + 2, Ordering::Release);
    }

    /// The firm kill word.
    #[inline(always)]
    #[must_use]
    pub fn kill(&self) -> u64 {
        self.words.as_slice()[0].load(Ordering::Acquire)
    }

    /// Stamps the heartbeat.
    pub fn beat(&self, now: i64) {
        self.words.as_slice()[8].store(now.cast_unsigned(), Ordering::Release);
    }

    /// The heartbeat.
    #[inline(always)]
    #[must_use]
    pub fn heartbeat(&self) -> i64 {
        self.words.as_slice()[8].load(Ordering::Acquire).cast_signed()
    }

    /// How much the writer wrote.
    #[must_use]
    pub fn progress(&self) -> &AtomicU64 {
        &self.words.as_slice()[16]
    }
}

/// Calls `write` at `per_second` (0 = flat out) until told to stop; `progress` counts.
pub fn pace(per_second: u64, progress: &AtomicU64, mut is_stopped: impl FnMut() -> bool, mut write: impl FnMut(u64)) {
    let started = std::time::Instant::now();
    let mut done = 0u64;
    loop {
        let due = if per_second == 0 { done + 256 } else { (started.elapsed().as_nanos() * u128::from(per_second) / 1_000_000_000) as u64 };
        while done < due {
            write(done);
            done += 1;
        }
        progress.store(done, Ordering::Relaxed);
        if is_stopped() {
            return;
        }
        if per_second != 0 {
            std::thread::sleep(std::time::Duration::from_micros(20));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_record_is_read_whole_and_an_odd_one_is_given_up() {
        let path = std::env::temp_dir().join(format!("pretrade-floor-{}", std::process::id()));
        let table = FloorTable::create(&path).unwrap();
        let mut out = [0; WORDS];
        table.write(7, 9, 5);
        assert!(table.read(7, &mut out));
        assert_eq!((out[field::VERSION], out[field::LAST], out[field::TIME]), (9, 9, 5));
        table.words.as_slice()[HEADER + 7 * WORDS].fetch_add(1, Ordering::Relaxed);
        assert!(!table.read(7, &mut out));
        std::fs::remove_file(path).unwrap();
    }
}
