// SPDX-License-Identifier: Apache-2.0
//! Why a recording is refused, and what is wrong with the lines of one that is read.
use std::path::{Path, PathBuf};

/// A recording is refused.
#[derive(Clone, Debug)]
pub struct FeedError {
    /// The file.
    pub path: PathBuf,
    /// Line or offset.
    pub place: String,
    /// What is wrong.
    pub what: String,
    /// Events of this file given before; they stand.
    pub events: u64,
}

impl FeedError {
    /// A refusal of `path` at `place`.
    #[must_use]
    pub fn new(path: &Path, place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { path: path.to_path_buf(), place: place.into(), what: what.into(), events: 0 }
    }
}

impl std::fmt::Display for FeedError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}: {}", self.path.display(), self.place, self.what)?;
        if self.events > 0 {
            write!(f, " ({} events were read before it)", self.events)?;
        }
        Ok(())
    }
}

impl std::error::Error for FeedError {}

/// What is wrong with a part of a recording that is read nevertheless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Messages are missing.
    SequenceGap,
    /// Receive stamp before event stamp.
    NegativeAge,
    /// A line or record that says nothing.
    BadLine,
    /// A message that came before; it is left out.
    Duplicate,
    /// Receive stamp before that of the message before it; the message is taken at the present.
    OutOfOrder,
}

impl FaultKind {
    /// Every kind, in the order of [`FaultLog::counts`].
    pub const ALL: [Self; Self::COUNT] = [Self::SequenceGap, Self::NegativeAge, Self::BadLine, Self::Duplicate, Self::OutOfOrder];
    /// How many kinds there are.
    pub const COUNT: usize = 5;

    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SequenceGap => "sequence_gap",
            Self::NegativeAge => "negative_age",
            Self::BadLine => "bad_line",
            Self::Duplicate => "duplicate",
            Self::OutOfOrder => "out_of_order",
        }
    }
}

/// One fault with its place.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Kind.
    pub kind: FaultKind,
    /// The file.
    pub path: PathBuf,
    /// Line or offset.
    pub place: String,
    /// What was found.
    pub what: String,
}

/// Most faults kept in words; all are counted.
const KEPT: usize = 1_000;

/// Counts of faults and the first thousand in words.
#[derive(Clone, Debug, Default)]
pub struct FaultLog {
    /// By [`FaultKind`].
    pub counts: [u64; FaultKind::COUNT],
    /// The first thousand.
    pub first: Vec<Fault>,
}

impl FaultLog {
    /// Counts a fault; the words are only made for those that are kept.
    pub fn add(&mut self, kind: FaultKind, path: &Path, place: impl FnOnce() -> String, what: impl FnOnce() -> String) {
        self.counts[kind as usize] += 1;
        if self.first.len() < KEPT {
            self.first.push(Fault { kind, path: path.to_path_buf(), place: place(), what: what() });
        }
    }

    /// How many of one kind.
    #[must_use]
    pub const fn count(&self, kind: FaultKind) -> u64 {
        self.counts[kind as usize]
    }
}
