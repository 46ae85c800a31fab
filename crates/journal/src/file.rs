// SPDX-License-Identifier: Apache-2.0
//! The few file operations a journal needs: create under a temporary name, lock, reserve, sync.
use crate::error::{JournalError, JournalErrorKind};
use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// The header page of every journal file.
pub(crate) const PAGE: u64 = 4096;

/// Makes `path` with one header page: temporary name, sync, rename, sync of the directory.
pub(crate) fn create(path: &Path, header: &[u8]) -> Result<File, JournalError> {
    let os = |what: &'static str| move |error: std::io::Error| JournalError::os(path, what, &error);
    let name = path.file_name().ok_or_else(|| JournalError::new(path, JournalErrorKind::Refused, "names no file"))?;
    let temporary = path.with_file_name(format!(".{}.{}.new", name.to_string_lossy(), std::process::id()));
    let made: Result<File, JournalError> = (|| {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o640).open(&temporary).map_err(os("create"))?;
        file.write_all_at(header, 0).map_err(os("write the header page"))?;
        file.sync_all().map_err(os("sync"))?;
        lock(&file, path)?;
        // `rename` would silently replace a journal another process made meanwhile; a link does not.
        std::fs::hard_link(&temporary, path).map_err(os("name"))?;
        Ok(file)
    })();
    let _ = std::fs::remove_file(&temporary);
    let file = made?;
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent).and_then(|directory| directory.sync_all()).map_err(os("sync the directory"))?;
    Ok(file)
}

/// Opens a journal for its one writer.
pub(crate) fn open_for_writing(path: &Path) -> Result<File, JournalError> {
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(|e| JournalError::os(path, "open", &e))?;
    lock(&file, path)?;
    Ok(file)
}

fn lock(file: &File, path: &Path) -> Result<(), JournalError> {
    // SAFETY: the descriptor is open for the whole call.
    if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
        return Ok(());
    }
    Err(JournalError::new(path, JournalErrorKind::Busy, "is being written by another process"))
}

/// Reserves `length` bytes from `offset`; they read as zeros, which is the end of data.
pub(crate) fn reserve(file: &File, offset: u64, length: u64) -> std::io::Result<()> {
    // SAFETY: the descriptor is open for the whole call.
    match unsafe { libc::posix_fallocate(file.as_raw_fd(), offset.cast_signed(), length.cast_signed()) } {
        0 => Ok(()),
        code => Err(std::io::Error::from_raw_os_error(code)),
    }
}

/// Reads up to `buffer.len()` bytes; fewer only at the end of the file.
pub(crate) fn read_at_most(file: &File, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match file.read_at(&mut buffer[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(done)
}
