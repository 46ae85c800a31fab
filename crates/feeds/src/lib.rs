// SPDX-License-Identifier: Apache-2.0
//! Recordings to events: streaming, constant memory, faults counted with their place.
//!
//! Every decoder reads bytes that anybody may have written: it refuses (a [`FeedError`] names file and place) or counts a fault,
//! and never panics. What is plainly cut or no recording is refused; a line that says nothing is counted and the file goes on.
#![forbid(unsafe_code)]

pub mod capture;
pub mod dbn;
pub mod error;
pub mod levels;
pub mod lines;
pub mod lobster;
pub mod merge;
pub mod source;
pub mod table;
pub mod taq;
mod zip;

pub use crate::capture::CaptureDecoder;
pub use crate::dbn::DbnDecoder;
pub use error::{Fault, FaultKind, FaultLog, FeedError};
pub use lobster::LobsterDecoder;
pub use merge::Merge;
use pretrade_records::Event;
pub use table::{Cell, CsvDecoder, RowDecoder, TableInstrument, TableMap};

/// Events of one batch, at most a little more.
pub const BATCH: usize = 65_536;

/// One recording.
pub trait Decoder: Send {
    /// Appends at least one event, about [`BATCH`] at most; `false` at a clean end.
    ///
    /// # Errors
    /// If the recording is refused at this place; what was appended before stands.
    fn next_batch(&mut self, out: &mut Vec<Event>) -> Result<bool, FeedError>;

    /// Faults so far.
    fn faults(&self) -> &FaultLog;
}

/// Rows that somebody else takes out of their file, cell by cell.
pub trait RowReader: Send {
    /// True where a text stands for nothing.
    fn is_null(&self, text: &str) -> bool;

    /// True where NaN stands for nothing.
    fn nan_is_null(&self) -> bool;

    /// Appends the events of one row; a row that says nothing is a counted fault.
    fn decode(&mut self, cells: &[Cell<'_>], line: u64, out: &mut Vec<Event>);

    /// Faults so far.
    fn faults(&self) -> &FaultLog;
}

impl RowReader for RowDecoder {
    fn is_null(&self, text: &str) -> bool {
        self.map().is_null(text)
    }

    fn nan_is_null(&self) -> bool {
        self.map().nan_is_null()
    }

    fn decode(&mut self, cells: &[Cell<'_>], line: u64, out: &mut Vec<Event>) {
        Self::decode(self, cells, line, out);
    }

    fn faults(&self) -> &FaultLog {
        &self.faults
    }
}
