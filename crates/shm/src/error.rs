// SPDX-License-Identifier: Apache-2.0
//! Why a table is refused.
use std::fmt;
use std::path::{Path, PathBuf};

/// A table cannot be created, opened or written.
#[derive(Debug)]
pub struct TableError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong: value and bound.
    pub problem: String,
    /// True where the file simply is not there.
    pub is_absent: bool,
    /// True where the table is whole but of another clock domain.
    pub is_foreign_clock: bool,
}

impl TableError {
    /// An error about `path`.
    #[must_use]
    pub fn new(path: &Path, problem: impl Into<String>) -> Self {
        TableError { path: path.to_owned(), problem: problem.into(), is_absent: false, is_foreign_clock: false }
    }

    /// An operating-system error while doing `what`.
    #[must_use]
    pub fn os(path: &Path, what: &str, error: &std::io::Error) -> Self {
        let is_absent = error.kind() == std::io::ErrorKind::NotFound;
        TableError { is_absent, ..Self::new(path, format!("{what}: {error}")) }
    }
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.problem)
    }
}

impl std::error::Error for TableError {}
