// SPDX-License-Identifier: Apache-2.0
//! Why a journal is refused or stopped.
use std::fmt;
use std::path::{Path, PathBuf};

/// What kind of trouble it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalErrorKind {
    /// The file is not there.
    Absent,
    /// The file is no journal this program reads.
    Refused,
    /// Another process writes it.
    Busy,
    /// Bytes inside the journal are wrong although good ones follow.
    Corrupt,
    /// A write or sync failed: the writer has stopped for good.
    Stopped,
    /// The ring has no room.
    Full,
}

/// A journal cannot be opened, read or written.
#[derive(Clone, Debug)]
pub struct JournalError {
    /// The file.
    pub path: PathBuf,
    /// Kind of trouble.
    pub kind: JournalErrorKind,
    /// What is wrong: value, bound, offset.
    pub problem: String,
}

impl JournalError {
    /// An error about `path`.
    #[must_use]
    pub fn new(path: &Path, kind: JournalErrorKind, problem: impl Into<String>) -> Self {
        JournalError { path: path.to_owned(), kind, problem: problem.into() }
    }

    /// An operating-system error while opening or reading.
    #[must_use]
    pub fn os(path: &Path, what: &str, error: &std::io::Error) -> Self {
        let kind = if error.kind() == std::io::ErrorKind::NotFound { JournalErrorKind::Absent } else { JournalErrorKind::Refused };
        JournalError::new(path, kind, format!("{what}: {error}"))
    }

    /// A failed write or sync.
    #[must_use]
    pub fn stopped(path: &Path, what: &str, error: &std::io::Error) -> Self {
        JournalError::new(path, JournalErrorKind::Stopped, format!("{what} failed ({error}); the writer has stopped and will not retry"))
    }
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.problem)
    }
}

impl std::error::Error for JournalError {}

impl From<pretrade_shm::TableError> for JournalError {
    fn from(error: pretrade_shm::TableError) -> Self {
        let kind = if error.is_absent { JournalErrorKind::Absent } else { JournalErrorKind::Refused };
        JournalError { path: error.path, kind, problem: error.problem }
    }
}
