// SPDX-License-Identifier: Apache-2.0
//! A shared mapping of one file, seen only as atomic words.
use crate::error::TableError;
use crate::sigbus;
use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64};

/// Page size every length is rounded up to.
pub const PAGE: usize = 4096;

/// One mapped file. Every access goes through atomics: other processes share the bytes.
#[derive(Debug)]
pub struct Mapping {
    start: *mut u8,
    length: usize,
    words: usize,
    ticket: Option<usize>,
    file: File,
    path: PathBuf,
    is_writable: bool,
}

// SAFETY: the memory is reached only through atomics; the pointer is fixed until `drop`.
unsafe impl Send for Mapping {}
// SAFETY: as above, shared references give atomics only.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Makes the file `path` of `length` zero bytes, owner-only, lets `fill` write it, and only then gives it its name.
    ///
    /// Space is reserved by `posix_fallocate`: a full tmpfs says ENOSPC here instead of killing the first writer.
    ///
    /// # Errors
    /// When space, directory or rights are missing.
    pub fn create(path: &Path, length: usize, fill: impl FnOnce(&Mapping) -> Result<(), TableError>) -> Result<Mapping, TableError> {
        let length = length.next_multiple_of(PAGE);
        let name = path.file_name().ok_or_else(|| TableError::new(path, "names no file"))?;
        let temporary = path.with_file_name(format!(".{}.{}.new", name.to_string_lossy(), std::process::id()));
        let made = Self::create_at(&temporary, path, length).and_then(|mapping| {
            fill(&mapping)?;
            std::fs::rename(&temporary, path).map_err(|e| TableError::os(path, "rename", &e))?;
            Ok(mapping)
        });
        if made.is_err() {
            let _ = std::fs::remove_file(&temporary);
        }
        made
    }

    fn create_at(temporary: &Path, path: &Path, length: usize) -> Result<Mapping, TableError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o640)
            .open(temporary)
            .map_err(|e| TableError::os(path, "create", &e))?;
        let size = libc::off_t::try_from(length).map_err(|_| TableError::new(path, format!("length {length} is above the largest file")))?;
        // SAFETY: the descriptor is open for writing for the whole call.
        let code = unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, size) };
        if code != 0 {
            return Err(TableError::os(path, &format!("reserve {length} bytes"), &std::io::Error::from_raw_os_error(code)));
        }
        Self::map(file, path, length, true)
    }

    /// Maps an existing file after checking owner, mode and that it has at least one page.
    ///
    /// # Errors
    /// When the file is absent, belongs to somebody else, is writable for others or is too short.
    pub fn open(path: &Path, is_writable: bool) -> Result<Mapping, TableError> {
        let file = OpenOptions::new()
            .read(true)
            .write(is_writable)
            .custom_flags(libc::O_NOFOLLOW)
            .open(path)
            .map_err(|e| TableError::os(path, "open", &e))?;
        let meta = file.metadata().map_err(|e| TableError::os(path, "stat", &e))?;
        // SAFETY: geteuid cannot fail and touches no memory.
        let me = unsafe { libc::geteuid() };
        if meta.uid() != me && meta.uid() != 0 {
            return Err(TableError::new(path, format!("owner is user {}; it must be this user {me} or root", meta.uid())));
        }
        if meta.mode() & 0o022 != 0 {
            return Err(TableError::new(path, format!("mode {:04o} lets others write; group and others must not", meta.mode() & 0o7777)));
        }
        if !meta.is_file() || meta.len() < PAGE as u64 {
            return Err(TableError::new(path, format!("size {} bytes is below the {PAGE}-byte header page", meta.len())));
        }
        let length = usize::try_from(meta.len()).map_err(|_| TableError::new(path, "larger than the address space"))?;
        Self::map(file, path, length, is_writable)
    }

    fn map(file: File, path: &Path, length: usize, is_writable: bool) -> Result<Mapping, TableError> {
        let protection = if is_writable { libc::PROT_READ | libc::PROT_WRITE } else { libc::PROT_READ };
        // SAFETY: a fresh mapping of an open file at an address the kernel chooses; MAP_POPULATE takes the page faults now.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), length, protection, libc::MAP_SHARED | libc::MAP_POPULATE, file.as_raw_fd(), 0) };
        if start == libc::MAP_FAILED {
            return Err(TableError::os(path, &format!("map {length} bytes"), &std::io::Error::last_os_error()));
        }
        let ticket = sigbus::watch(start as usize, length);
        Ok(Mapping { start: start.cast(), length, words: length / 8, ticket, file, path: path.to_owned(), is_writable })
    }

    /// False once the file has no name any more: another took it, or it was removed. A system call.
    #[must_use]
    pub fn is_linked(&self) -> bool {
        self.file.metadata().is_ok_and(|meta| meta.nlink() > 0)
    }

    /// The file's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes mapped.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length
    }

    /// True where this handle may write.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.is_writable
    }

    /// True once the file behind the mapping was found truncated (needs [`sigbus::install`]).
    #[inline]
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.ticket.is_some_and(sigbus::is_dead)
    }

    /// The whole mapping as 8-byte atomic words. Storing through a read-only mapping faults.
    #[inline]
    #[must_use]
    pub fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is page-aligned, `length` bytes long and lives as long as `self`; any bytes are
        // a valid atomic, and every process reaches them through atomics only.
        unsafe { std::slice::from_raw_parts(self.start.cast::<AtomicU64>(), self.words) }
    }

    /// The whole mapping as 4-byte atomics. A place is used as halves or as a word, never as both.
    #[inline]
    #[must_use]
    pub fn halves(&self) -> &[AtomicU32] {
        // SAFETY: as for `words`.
        unsafe { std::slice::from_raw_parts(self.start.cast::<AtomicU32>(), 2 * self.words) }
    }

    /// Takes the exclusive advisory lock of the file without waiting; `false` when somebody else holds it.
    ///
    /// # Errors
    /// When the operating system cannot lock this file.
    pub fn try_lock(&self) -> Result<bool, TableError> {
        // SAFETY: the descriptor is open for the whole call.
        if unsafe { libc::flock(self.file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
            return Ok(true);
        }
        let error = std::io::Error::last_os_error();
        if error.raw_os_error() == Some(libc::EWOULDBLOCK) { Ok(false) } else { Err(TableError::os(&self.path, "lock", &error)) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            sigbus::unwatch(ticket);
        }
        // SAFETY: start and length are those of our own mapping, unmapped once; no reference outlives `self`.
        unsafe { libc::munmap(self.start.cast(), self.length) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::atomic::Ordering;

    fn place(name: &str) -> PathBuf {
        let directory = std::env::temp_dir().join(format!("pretrade-mapping-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        directory.join(name)
    }

    #[test]
    fn what_one_mapping_stores_another_reads() {
        let path = place("shared");
        let one = Mapping::create(&path, 100, |_| Ok(())).unwrap();
        let two = Mapping::open(&path, false).unwrap();
        assert_eq!(two.length(), PAGE);
        one.words()[3].store(42, Ordering::Release);
        assert_eq!(two.words()[3].load(Ordering::Acquire), 42);
        one.halves()[0].store(1, Ordering::Release);
        assert_eq!(two.halves()[0].load(Ordering::Acquire), 1);
    }

    #[test]
    fn a_failed_fill_leaves_no_file() {
        let path = place("unfilled");
        assert!(Mapping::create(&path, 100, |m| Err(TableError::new(m.path(), "planted"))).is_err());
        assert!(!path.exists());
        assert!(Mapping::open(&path, false).unwrap_err().is_absent);
    }

    #[test]
    fn a_file_others_may_write_is_refused() {
        let path = place("open-to-all");
        drop(Mapping::create(&path, 100, |_| Ok(())).unwrap());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        assert!(Mapping::open(&path, false).unwrap_err().to_string().contains("mode 0666"));
    }

    #[test]
    fn a_second_lock_is_refused_until_the_first_is_gone() {
        let path = place("locked");
        let one = Mapping::create(&path, 100, |_| Ok(())).unwrap();
        let two = Mapping::open(&path, true).unwrap();
        assert!(one.try_lock().unwrap());
        assert!(!two.try_lock().unwrap());
        drop(one);
        assert!(two.try_lock().unwrap());
    }

    #[test]
    fn a_truncated_file_reads_as_zeros_and_is_dead() {
        sigbus::install().unwrap();
        let path = place("truncated");
        let mapping = Mapping::create(&path, 3 * PAGE, |_| Ok(())).unwrap();
        mapping.words()[600].store(7, Ordering::Relaxed);
        assert!(!mapping.is_dead());
        OpenOptions::new().write(true).open(&path).unwrap().set_len(100).unwrap();
        assert_eq!(mapping.words()[600].load(Ordering::Relaxed), 0);
        assert!(mapping.is_dead());
    }
}
