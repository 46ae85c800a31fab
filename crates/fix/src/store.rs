// SPDX-License-Identifier: Apache-2.0
//! What a session must remember: both sequence numbers, and every application message it sent.
//!
//! Messages go to an append-only log with one write per batch, before any byte of the batch is sent; the numbers are words
//! of a mapped file. Both survive the process (`kill -9`); [`crate::keeper`] carries them to disk behind the hot path.
use pretrade_shm::Mapping;
use pretrade_shm::crc::crc32c;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

const MAGIC: u64 = u64::from_le_bytes(*b"PTFIXSEQ");
const VERSION: u64 = 1;
const GENERATION: usize = 2;
const NEXT_IN: usize = 3;
const NEXT_OUT: usize = 4;
const FRAME: usize = 16;
const ROOM: usize = 1 << 16;

/// A store that cannot be read or written.
#[derive(Debug)]
pub struct StoreError {
    /// Which file.
    pub path: PathBuf,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FIX store {}: {}", self.path.display(), self.problem)
    }
}

impl std::error::Error for StoreError {}

fn refuse(path: &Path, problem: impl fmt::Display) -> StoreError {
    StoreError { path: path.to_owned(), problem: problem.to_string() }
}

/// Where one message lies in the log; length 0 = a message of the session layer, never sent again.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    at: u64,
    length: u32,
}

/// Sequence numbers and sent messages of one session.
#[derive(Debug)]
pub struct Store {
    files: Option<Files>,
    /// Of a store without files: the messages themselves.
    memory: Vec<u8>,
    index: Vec<Entry>,
    pending: Vec<u8>,
    next_in: u64,
    next_out: u64,
    end: u64,
    writes: u64,
}

#[derive(Debug)]
struct Files {
    directory: PathBuf,
    name: String,
    words: Mapping,
    log: File,
    log_path: PathBuf,
}

/// File of the sequence words.
#[must_use]
pub fn words_path(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("fix-{name}.seq"))
}

/// File of the sent messages of one generation; a reset of the sequence numbers begins the next.
#[must_use]
pub fn log_path(directory: &Path, name: &str, generation: u64) -> PathBuf {
    directory.join(format!("fix-{name}.{generation}.log"))
}

/// Generation, next inbound and next outbound number of a session.
pub type Numbers = [u64; 3];

/// Makes the words file of session `name`.
///
/// # Errors
/// When there is no room for it.
pub fn make_words(directory: &Path, name: &str, numbers: Numbers) -> Result<Mapping, StoreError> {
    let path = words_path(directory, name);
    let values = [MAGIC, VERSION, numbers[0], numbers[1], numbers[2]];
    let fill = |map: &Mapping| {
        map.words().iter().zip(values).for_each(|(word, value)| word.store(value, Ordering::Relaxed));
        Ok(())
    };
    Mapping::create(&path, 4096, fill).map_err(|e| refuse(&path, e))
}

/// Numbers in a mapped words file. The generation is read first and last: a reset in between is read again.
///
/// # Errors
/// When it is no such file.
pub fn numbers_of(words: &Mapping) -> Result<Numbers, StoreError> {
    let word = |at: usize| words.words()[at].load(Ordering::Acquire);
    if (word(0), word(1)) != (MAGIC, VERSION) {
        return Err(refuse(words.path(), format!("is no store of version {VERSION}: magic {:#018x}, version {}", word(0), word(1))));
    }
    loop {
        let numbers = [word(GENERATION), word(NEXT_IN), word(NEXT_OUT)];
        if word(GENERATION) == numbers[0] {
            return Ok(numbers);
        }
    }
}

impl Store {
    /// A store that forgets everything at the end of the process: for tests and the acceptance suite.
    #[must_use]
    pub fn memory() -> Self {
        Store {
            files: None,
            memory: Vec::new(),
            index: Vec::with_capacity(ROOM),
            pending: Vec::with_capacity(ROOM),
            next_in: 1,
            next_out: 1,
            end: 0,
            writes: 0,
        }
    }

    /// Opens or makes the store of session `name` in `directory`. A torn last message is cut off: it was never sent.
    ///
    /// # Errors
    /// When a file cannot be read or written, is no store, or another process holds it.
    pub fn open(directory: &Path, name: &str) -> Result<Self, StoreError> {
        let path = words_path(directory, name);
        let words = if path.exists() { Mapping::open(&path, true).map_err(|e| refuse(&path, e))? } else { make_words(directory, name, [1, 1, 1])? };
        if !words.try_lock().map_err(|e| refuse(&path, e))? {
            return Err(refuse(&path, "is held by another gateway"));
        }
        let [generation, next_in, next_out] = numbers_of(&words)?;
        let log_path = log_path(directory, name, generation);
        let log = open_log(&log_path)?;
        let files = Files { directory: directory.to_owned(), name: name.to_owned(), words, log, log_path };
        let mut store = Store { files: Some(files), ..Store::memory() };
        (store.next_in, store.next_out) = (next_in, next_out);
        store.load()?;
        Ok(store)
    }

    /// Reads the log into the index.
    fn load(&mut self) -> Result<(), StoreError> {
        let Some(files) = &self.files else { return Ok(()) };
        let bytes = std::fs::read(&files.log_path).map_err(|e| refuse(&files.log_path, e))?;
        let mut at = 0;
        while let Some((seq, message)) = frame_at(&bytes, at) {
            let entry = Entry { at: (at + FRAME) as u64, length: message.len() as u32 };
            put_entry(&mut self.index, seq, entry);
            self.next_out = self.next_out.max(seq + 1);
            at += FRAME + message.len();
        }
        self.end = at as u64;
        if at < bytes.len() {
            files.log.set_len(self.end).map_err(|e| refuse(&files.log_path, e))?;
        }
        Ok(())
    }

    /// Number the next message of the counterparty must carry.
    #[inline]
    #[must_use]
    pub fn next_in(&self) -> u64 {
        self.next_in
    }

    /// Number of the next message sent.
    #[inline]
    #[must_use]
    pub fn next_out(&self) -> u64 {
        self.next_out
    }

    /// Moves the inbound number; kept at the next [`Store::commit`].
    #[inline]
    pub fn set_next_in(&mut self, next: u64) {
        self.next_in = next;
    }

    /// Takes the next outbound number for a message of the session layer.
    #[inline]
    pub fn take_number(&mut self) -> u64 {
        self.next_out += 1;
        self.next_out - 1
    }

    /// Keeps an application message that was given the number `seq`; written at the next [`Store::commit`].
    #[inline]
    pub fn keep(&mut self, seq: u64, message: &[u8]) {
        let at = self.end + self.pending.len() as u64 + FRAME as u64;
        put_entry(&mut self.index, seq, Entry { at, length: message.len() as u32 });
        self.pending.extend_from_slice(&(message.len() as u32).to_le_bytes());
        self.pending.extend_from_slice(&crc32c(message).to_le_bytes());
        self.pending.extend_from_slice(&seq.to_le_bytes());
        self.pending.extend_from_slice(message);
    }

    /// Writes what was kept, then the numbers. Nothing may be sent before this returned.
    ///
    /// # Errors
    /// When the log cannot be written: the session must stop, since it could not answer a resend request.
    #[inline]
    pub fn commit(&mut self) -> Result<(), StoreError> {
        let Some(files) = &self.files else {
            self.end += self.pending.len() as u64;
            self.memory.append(&mut self.pending);
            return Ok(());
        };
        if !self.pending.is_empty() {
            files.log.write_all_at(&self.pending, self.end).map_err(|e| refuse(&files.log_path, e))?;
            self.end += self.pending.len() as u64;
            self.pending.clear();
            self.writes += 1;
        }
        let words = files.words.words();
        words[NEXT_OUT].store(self.next_out, Ordering::Release);
        words[NEXT_IN].store(self.next_in, Ordering::Release);
        Ok(())
    }

    /// The application message sent under `seq`, `None` where the session layer used the number.
    ///
    /// # Errors
    /// When the log cannot be read or does not hold what it held.
    pub fn sent(&self, seq: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let entry = seq.checked_sub(1).and_then(|at| self.index.get(usize::try_from(at).ok()?)).copied().unwrap_or_default();
        if entry.length == 0 {
            return Ok(None);
        }
        let (length, end) = (entry.length as usize, entry.at + u64::from(entry.length));
        if let Some(at) = entry.at.checked_sub(self.end) {
            return Ok(Some(self.pending[at as usize..at as usize + length].to_vec()));
        }
        let Some(files) = &self.files else { return Ok(Some(self.memory[entry.at as usize..end as usize].to_vec())) };
        let mut message = vec![0; length];
        files.log.read_exact_at(&mut message, entry.at).map_err(|e| refuse(&files.log_path, e))?;
        Ok(Some(message))
    }

    /// Both numbers begin at 1 again, and a new log; older logs stay until [`remove_past_logs`].
    ///
    /// # Errors
    /// When the new log cannot be made.
    pub fn reset(&mut self) -> Result<(), StoreError> {
        self.index.clear();
        self.pending.clear();
        self.memory.clear();
        (self.next_in, self.next_out, self.end) = (1, 1, 0);
        let Some(files) = &mut self.files else { return Ok(()) };
        let generation = files.words.words()[GENERATION].load(Ordering::Acquire) + 1;
        let path = log_path(&files.directory, &files.name, generation);
        let log = open_log(&path)?;
        log.set_len(0).map_err(|e| refuse(&path, e))?;
        let words = files.words.words();
        words[NEXT_IN].store(1, Ordering::Release);
        words[NEXT_OUT].store(1, Ordering::Release);
        words[GENERATION].store(generation, Ordering::Release);
        (files.log, files.log_path) = (log, path);
        Ok(())
    }

    /// Room for more messages, outside the order path.
    pub fn reserve(&mut self) {
        if self.index.capacity() - self.index.len() < ROOM / 4 {
            self.index.reserve(ROOM);
        }
    }

    /// Writes to the log so far.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.writes
    }
}

/// Every application message that the logs of session `name` hold, those of earlier generations first.
///
/// # Errors
/// When a log cannot be read.
pub fn for_each_sent(directory: &Path, name: &str, mut take: impl FnMut(&[u8])) -> Result<(), StoreError> {
    for generation in generations(directory, name) {
        let path = log_path(directory, name, generation);
        let bytes = std::fs::read(&path).map_err(|e| refuse(&path, e))?;
        let mut at = 0;
        while let Some((_, message)) = frame_at(&bytes, at) {
            take(message);
            at += FRAME + message.len();
        }
    }
    Ok(())
}

/// Removes the logs of earlier generations: nothing in them is open any more.
pub fn remove_past_logs(directory: &Path, name: &str) {
    let generations = generations(directory, name);
    for generation in generations.iter().rev().skip(1) {
        let _ = std::fs::remove_file(log_path(directory, name, *generation));
    }
}

/// Generations of which a log is there, ascending.
#[must_use]
pub fn generations(directory: &Path, name: &str) -> Vec<u64> {
    let prefix = format!("fix-{name}.");
    let of = |entry: std::fs::DirEntry| entry.file_name().to_str()?.strip_prefix(&prefix)?.strip_suffix(".log")?.parse().ok();
    let mut out: Vec<u64> = std::fs::read_dir(directory).into_iter().flatten().flatten().filter_map(of).collect();
    out.sort_unstable();
    out
}

fn open_log(path: &Path) -> Result<File, StoreError> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o640).open(path).map_err(|e| refuse(path, e))
}

fn put_entry(index: &mut Vec<Entry>, seq: u64, entry: Entry) {
    let Some(at) = seq.checked_sub(1).and_then(|at| usize::try_from(at).ok()) else { return };
    if index.len() <= at {
        index.resize(at + 1, Entry::default());
    }
    index[at] = entry;
}

/// The whole and intact frame at `at`, `None` at the end or at a torn one.
fn frame_at(bytes: &[u8], at: usize) -> Option<(u64, &[u8])> {
    let head = bytes.get(at..at + FRAME)?;
    let length = u32::from_le_bytes(head[..4].try_into().ok()?) as usize;
    let crc = u32::from_le_bytes(head[4..8].try_into().ok()?);
    let seq = u64::from_le_bytes(head[8..].try_into().ok()?);
    let message = bytes.get(at + FRAME..at + FRAME + length)?;
    (length > 0 && crc32c(message) == crc).then_some((seq, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("pretrade-fix-store-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn numbers_and_messages_survive_the_process() {
        let path = directory("survive");
        let mut store = Store::open(&path, "EMS").unwrap();
        assert_eq!(store.take_number(), 1);
        let seq = store.take_number();
        store.keep(seq, b"message two");
        store.set_next_in(7);
        store.commit().unwrap();
        drop(store);
        let store = Store::open(&path, "EMS").unwrap();
        assert_eq!((store.next_in(), store.next_out()), (7, 3));
        assert_eq!(store.sent(1).unwrap(), None);
        assert_eq!(store.sent(2).unwrap().unwrap(), b"message two");
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_message_that_was_logged_but_not_counted_keeps_its_number() {
        let path = directory("number");
        let mut store = Store::open(&path, "V").unwrap();
        let seq = store.take_number();
        store.keep(seq, b"sent");
        // Killed between the log and the words.
        let files = store.files.as_ref().unwrap();
        files.log.write_all_at(&store.pending, 0).unwrap();
        drop(store);
        assert_eq!(Store::open(&path, "V").unwrap().next_out(), 2);
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_torn_message_is_cut_off() {
        let path = directory("torn");
        let mut store = Store::open(&path, "V").unwrap();
        for text in [b"first message", b"other message"] {
            let seq = store.take_number();
            store.keep(seq, text);
            store.commit().unwrap();
        }
        let log = log_path(&path, "V", 1);
        let length = std::fs::metadata(&log).unwrap().len();
        store.files.as_ref().unwrap().log.set_len(length - 3).unwrap();
        drop(store);
        let mut store = Store::open(&path, "V").unwrap();
        assert_eq!(store.sent(1).unwrap().unwrap(), b"first message");
        assert_eq!(store.sent(2).unwrap(), None);
        assert_eq!(store.next_out(), 3, "a number once taken is never given again");
        let seq = store.take_number();
        store.keep(seq, b"third");
        store.commit().unwrap();
        drop(store);
        assert_eq!(Store::open(&path, "V").unwrap().sent(3).unwrap().unwrap(), b"third");
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_reset_begins_at_one_and_two_processes_do_not_share() {
        let path = directory("reset");
        let mut store = Store::open(&path, "V").unwrap();
        let seq = store.take_number();
        store.keep(seq, b"old");
        store.commit().unwrap();
        store.reset().unwrap();
        assert_eq!((store.next_in(), store.next_out(), store.sent(1).unwrap()), (1, 1, None));
        let mut old = Vec::new();
        for_each_sent(&path, "V", |message| old.push(message.to_vec())).unwrap();
        assert_eq!(old, [b"old"]);
        remove_past_logs(&path, "V");
        assert_eq!(generations(&path, "V"), [2]);
        assert!(Store::open(&path, "V").unwrap_err().to_string().contains("held by another"));
        drop(store);
        assert_eq!(Store::open(&path, "V").unwrap().next_out(), 1);
        std::fs::remove_dir_all(path).unwrap();
    }
}
