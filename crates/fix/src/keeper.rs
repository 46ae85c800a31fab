// SPDX-License-Identifier: Apache-2.0
//! Carries the stores of the sessions from the run directory to disk, behind the hot path.
use crate::store::{StoreError, generations, log_path, read_words, words_path};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Longest time between two copies: what a power failure may cost.
pub const INTERVAL: Duration = Duration::from_millis(10);

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
        for name in names {
            let (from, to) = (words_path(disk, name), words_path(run, name));
            if to.exists() || !from.exists() {
                continue;
            }
            let failed = |path: &Path, e: std::io::Error| StoreError { path: path.to_owned(), problem: e.to_string() };
            let bytes = std::fs::read(&from).map_err(|e| failed(&from, e))?;
            read_words(&from, &bytes)?;
            for generation in generations(disk, name) {
                let log = log_path(disk, name, generation);
                std::fs::copy(&log, log_path(run, name, generation)).map_err(|e| failed(&log, e))?;
            }
            std::fs::copy(&from, &to).map_err(|e| failed(&to, e))?;
        }
        Ok(())
    }

    /// Starts copying the stores of `names` from `run` to `disk`.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(run: &Path, disk: &Path, names: &[String]) -> std::io::Result<Self> {
        let (is_stopped, has_failed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let mut copies: Vec<Copy> = names.iter().map(|name| Copy::new(run, disk, name)).collect();
        let (stopped, failed) = (Arc::clone(&is_stopped), Arc::clone(&has_failed));
        let thread = std::thread::Builder::new().name("fix-keeper".to_owned()).spawn(move || {
            loop {
                let is_last = stopped.load(Ordering::Acquire);
                if copies.iter_mut().any(|copy| copy.run().is_err()) {
                    failed.store(true, Ordering::Release);
                    return;
                }
                if is_last {
                    return;
                }
                std::thread::sleep(INTERVAL);
            }
        })?;
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

struct Copy {
    run: PathBuf,
    disk: PathBuf,
    name: String,
    words: Vec<u8>,
    log: Option<(u64, File, File, u64)>,
}

impl Copy {
    fn new(run: &Path, disk: &Path, name: &str) -> Self {
        Copy { run: run.to_owned(), disk: disk.to_owned(), name: name.to_owned(), words: Vec::new(), log: None }
    }

    /// The words first and the log after them: the copy of the log is never behind the copy of the words.
    fn run(&mut self) -> std::io::Result<()> {
        let Ok(words) = std::fs::read(words_path(&self.run, &self.name)) else { return Ok(()) };
        let words = words[..words.len().min(64)].to_vec();
        let Ok([generation, ..]) = read_words(&self.run, &words) else { return Ok(()) };
        self.copy_log(generation)?;
        if words != self.words {
            let path = words_path(&self.disk, &self.name);
            let temporary = path.with_extension("new");
            let mut page = words.clone();
            page.resize(4096, 0);
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(&temporary)?;
            file.write_all(&page)?;
            file.sync_data()?;
            std::fs::rename(temporary, path)?;
            self.words = words;
        }
        Ok(())
    }

    fn copy_log(&mut self, generation: u64) -> std::io::Result<()> {
        if self.log.as_ref().is_none_or(|(of, ..)| *of != generation) {
            let Ok(from) = File::open(log_path(&self.run, &self.name, generation)) else { return Ok(()) };
            let to = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o640)
                .open(log_path(&self.disk, &self.name, generation))?;
            self.log = Some((generation, from, to, 0));
        }
        let Some((_, from, to, at)) = &mut self.log else { return Ok(()) };
        let end = from.metadata()?.len();
        if *at >= end {
            return Ok(());
        }
        let mut bytes = vec![0; (end - *at) as usize];
        from.read_exact_at(&mut bytes, *at)?;
        to.write_all_at(&bytes, *at)?;
        to.sync_data()?;
        *at = end;
        Ok(())
    }
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
        let names = ["EMS".to_owned()];
        let keeper = Keeper::start(&run, &disk, &names).unwrap();
        let mut store = Store::open(&run, "EMS").unwrap();
        store.reset().unwrap();
        let seq = store.take_number();
        store.keep(seq, b"kept");
        store.set_next_in(5);
        store.commit().unwrap();
        drop(keeper);
        drop(store);
        std::fs::remove_dir_all(&run).unwrap();
        std::fs::create_dir_all(&run).unwrap();
        Keeper::restore(&run, &disk, &names).unwrap();
        let store = Store::open(&run, "EMS").unwrap();
        assert_eq!((store.next_in(), store.next_out()), (5, 2));
        assert_eq!(store.sent(1).unwrap().unwrap(), b"kept");
        std::fs::remove_dir_all(root).unwrap();
    }
}
