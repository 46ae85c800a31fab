// SPDX-License-Identifier: Apache-2.0
//! Recordings to events: streaming, constant memory, faults counted with their place.
#![forbid(unsafe_code)]

pub mod dbn;
pub mod error;
pub mod lobster;
pub mod merge;
pub mod source;

pub use crate::dbn::DbnDecoder;
pub use error::{Fault, FaultKind, FaultLog, FeedError};
pub use lobster::LobsterDecoder;
pub use merge::Merge;
use pretrade_records::Event;

/// Events of one batch, about.
pub const BATCH: usize = 65_536;

/// One recording.
pub trait Decoder: Send {
    /// Appends at least one event, about [`BATCH`] at most; `false` at a clean end.
    ///
    /// # Errors
    /// If the recording is refused at this place.
    fn next_batch(&mut self, out: &mut Vec<Event>) -> Result<bool, FeedError>;

    /// Faults so far.
    fn faults(&self) -> &FaultLog;
}
