// SPDX-License-Identifier: Apache-2.0
//! Carries the stores of the sessions from the run directory to disk, behind the hot path.
//!
//! Per session a copy of its log, for all of them one file of numbers: 64 bytes each with a checksum, written in place.
use crate::ids::order_id;
use crate::store::{Numbers, StoreError, generations, log_path, make_words, numbers_of, words_path};
use pretrade_shm::Mapping;
use pretrade_shm::crc::crc32c;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Longest time between two copies of what was sent: what a power failure may cost.
pub const INTERVAL: Duration = Duration::from_millis(10);
/// Copies of the logs to one of the numbers. What a power failure loses of them is made up for: see [`SKIPPED`].
const COPIES_PER_NUMBERS: u32 = 50;
/// Added to a number that comes back from disk: the counterparty sees a gap, asks for it and gets it filled, which no number
/// below the one it expects would be.
pub const SKIPPED: u64 = 1_000;
const SLOT: usize = 64;

/// The copying thread. Dropping it copies once more.
#[derive(Debug)]
pub struct Keeper {
    is_stopped: Arc<AtomicBool>,
    has_failed: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Brings stores that the run directory lost (a reboot empties shared memory) back from `disk`, for each of `names`.
    ///
    /// # Errors
    /// When a copy cannot be read or written.
    pub fn restore(run: &Path, disk: &Path, names: &[String]) -> Result<(), StoreError> {
        let failed = |path: &Path, e: io::Error| StoreError { path: path.to_owned(), problem: e.to_string() };
        let Ok(kept) = std::fs::read(numbers_path(disk)) else { return Ok(()) };
        for name in names.iter().filter(|name| !words_path(run, name).exists()) {
            let Some(numbers) = kept.chunks_exact(SLOT).find_map(|slot| read_slot(slot, name)) else { continue };
            for generation in generations(disk, name) {
                let log = log_path(disk, name, generation);
                std::fs::copy(&log, log_path(run, name, generation)).map_err(|e| failed(&log, e))?;
            }
            make_words(run, name, [numbers[0], numbers[1], numbers[2] + SKIPPED])?;
        }
        Ok(())
    }

    /// Starts copying the stores of `names`, which must be there, from `run` to `disk`.
    ///
    /// # Errors
    /// When a store or the copy cannot be opened, or the thread cannot be started.
    pub fn start(run: &Path, disk: &Path, names: &[String]) -> Result<Self, StoreError> {
        let (is_stopped, has_failed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let mut copies = Copies::open(run, disk, names)?;
        let (stopped, failed) = (Arc::clone(&is_stopped), Arc::clone(&has_failed));
        let work = move || {
            loop {
                let is_last = stopped.load(Ordering::Acquire);
                if copies.run(is_last).is_err() {
                    failed.store(true, Ordering::Release);
                    return;
                }
                if is_last {
                    return;
                }
                std::thread::sleep(INTERVAL);
            }
        };
        let thread = std::thread::Builder::new().name("fix-keeper".to_owned()).spawn(work);
        let thread = thread.map_err(|e| StoreError { path: disk.to_owned(), problem: format!("start the keeper: {e}") })?;
        Ok(Keeper { is_stopped, has_failed, thread: Some(thread) })
    }

    /// True once a copy failed: from then on nothing more becomes durable.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Acquire)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.is_stopped.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn numbers_path(disk: &Path) -> PathBuf {
    disk.join("fix-numbers")
}

fn slot_of(name: &str, numbers: Numbers) -> [u8; SLOT] {
    let mut slot = [0; SLOT];
    let words = [order_id(name.as_bytes()), numbers[0], numbers[1], numbers[2]];
    for (place, word) in slot[8..].chunks_exact_mut(8).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    let crc = u64::from(crc32c(&slot[8..]));
    slot[..8].copy_from_slice(&crc.to_le_bytes());
    slot
}

fn read_slot(slot: &[u8], name: &str) -> Option<Numbers> {
    let word = |at: usize| slot.get(8 * at..8 * at + 8).map(|b| u64::from_le_bytes(b.try_into().unwrap_or_default()));
    let is_intact = word(0)? == u64::from(crc32c(&slot[8..])) && word(1)? == order_id(name.as_bytes());
    if is_intact { Some([word(2)?, word(3)?, word(4)?]) } else { None }
}

struct Copies {
    sessions: Vec<Copy>,
    numbers: File,
    written: Vec<u8>,
    generations: Vec<u64>,
    round: u32,
}

struct Copy {
    run: PathBuf,
    disk: PathBuf,
    name: String,
    words: Mapping,
    log: Option<Log>,
}

struct Log {
    generation: u64,
    from: File,
    to: File,
    at: u64,
}

impl Copies {
    fn open(run: &Path, disk: &Path, names: &[String]) -> Result<Self, StoreError> {
        let path = numbers_path(disk);
        let numbers = open_copy(&path, false).map_err(|e| StoreError { path, problem: e.to_string() })?;
        let open = |name: &String| {
            let path = words_path(run, name);
            let words = Mapping::open(&path, false).map_err(|e| StoreError { path, problem: e.to_string() })?;
            Ok(Copy { run: run.to_owned(), disk: disk.to_owned(), name: name.clone(), words, log: None })
        };
        Ok(Copies {
            sessions: names.iter().map(open).collect::<Result<_, StoreError>>()?,
            numbers,
            written: Vec::new(),
            generations: Vec::new(),
            round: 0,
        })
    }

    /// Numbers are read first and written last: the copy of a log is never behind them. They are written now and then, at the
    /// end, and at once where a session began anew.
    fn run(&mut self, is_last: bool) -> io::Result<()> {
        let mut slots = Vec::with_capacity(self.sessions.len() * SLOT);
        let mut generations = Vec::with_capacity(self.sessions.len());
        for session in &mut self.sessions {
            let numbers = numbers_of(&session.words).map_err(|e| io::Error::other(e.to_string()))?;
            session.copy_log(numbers[0])?;
            generations.push(numbers[0]);
            slots.extend_from_slice(&slot_of(&session.name, numbers));
        }
        self.round += 1;
        let is_due = is_last || self.round.is_multiple_of(COPIES_PER_NUMBERS) || generations != self.generations;
        if is_due && slots != self.written {
            self.numbers.write_all_at(&slots, 0)?;
            self.numbers.sync_data()?;
            (self.written, self.generations) = (slots, generations);
        }
        Ok(())
    }
}

impl Copy {
    fn copy_log(&mut self, generation: u64) -> io::Result<()> {
        if self.log.as_ref().is_none_or(|log| log.generation != generation) {
            if let Some(old) = &mut self.log {
                old.copy()?;
            }
            let from = File::open(log_path(&self.run, &self.name, generation))?;
            let to = open_copy(&log_path(&self.disk, &self.name, generation), true)?;
            self.log = Some(Log { generation, from, to, at: 0 });
        }
        self.log.as_mut().map_or(Ok(()), Log::copy)
    }
}

impl Log {
    fn copy(&mut self) -> io::Result<()> {
        let end = self.from.metadata()?.len();
        if self.at >= end {
            return Ok(());
        }
        let mut bytes = vec![0; (end - self.at) as usize];
        self.from.read_exact_at(&mut bytes, self.at)?;
        self.to.write_all_at(&bytes, self.at)?;
        self.to.sync_data()?;
        self.at = end;
        Ok(())
    }
}

fn open_copy(path: &Path, is_new: bool) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(is_new).mode(0o640).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn what_the_run_directory_lost_comes_back_from_disk() {
        let root = std::env::temp_dir().join(format!("pretrade-fix-keeper-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        let (run, disk) = (root.join("run"), root.join("disk"));
        std::fs::create_dir_all(&run).unwrap();
        std::fs::create_dir_all(&disk).unwrap();
        let names = ["EMS".to_owned(), "VENUE".to_owned()];
        let mut store = Store::open(&run, "EMS").unwrap();
        let other = Store::open(&run, "VENUE").unwrap();
        let keeper = Keeper::start(&run, &disk, &names).unwrap();
        store.reset().unwrap();
        let seq = store.take_number();
        store.keep(seq, b"kept");
        store.set_next_in(5);
        store.commit().unwrap();
        drop(keeper);
        drop((store, other));
        std::fs::remove_dir_all(&run).unwrap();
        std::fs::create_dir_all(&run).unwrap();
        Keeper::restore(&run, &disk, &names).unwrap();
        let store = Store::open(&run, "EMS").unwrap();
        assert_eq!((store.next_in(), store.next_out()), (5, 2 + SKIPPED));
        assert_eq!(store.sent(1).unwrap().unwrap(), b"kept");
        assert_eq!(Store::open(&run, "VENUE").unwrap().next_out(), 1 + SKIPPED);
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn numbers_half_written_are_not_believed() {
        let mut slot = slot_of("EMS", [1, 2, 3]);
        assert_eq!(read_slot(&slot, "EMS"), Some([1, 2, 3]));
        assert_eq!(read_slot(&slot, "OTHER"), None);
        slot[40] ^= 1;
        assert_eq!(read_slot(&slot, "EMS"), None);
    }
}
