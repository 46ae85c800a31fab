// SPDX-License-Identifier: Apache-2.0
//! A shared file mapping as atomic words.
use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::atomic::AtomicU64;

/// Words of a file mapped for reading and writing by several processes.
#[derive(Debug)]
pub struct Words {
    start: *const AtomicU64,
    count: usize,
}

// SAFETY: the words are atomics in shared memory; any thread may use them.
unsafe impl Send for Words {}
// SAFETY: as above.
unsafe impl Sync for Words {}

impl Words {
    /// Maps `count` words of a file, made and sized where absent.
    ///
    /// # Errors
    /// When the file cannot be made or mapped.
    pub fn open(path: &Path, count: usize) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let length = count * 8;
        file.set_len(length as u64)?;
        // SAFETY: a fresh shared mapping of a file of that length.
        let start = unsafe {
            libc::mmap(std::ptr::null_mut(), length, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_POPULATE, file.as_raw_fd(), 0)
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Words { start: start.cast(), count })
    }

    /// The words.
    #[inline(always)]
    #[must_use]
    pub fn as_slice(&self) -> &[AtomicU64] {
        // SAFETY: `count` aligned words lie there for the life of `self`; they are only reached as atomics.
        unsafe { std::slice::from_raw_parts(self.start, self.count) }
    }
}

impl Drop for Words {
    fn drop(&mut self) {
        // SAFETY: start and length are those of our own mapping.
        unsafe { libc::munmap(self.start.cast_mut().cast(), self.count * 8) };
    }
}
