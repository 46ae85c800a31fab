// SPDX-License-Identifier: Apache-2.0
//! Journals: framed append-only files for market data and control actions, and the gate journal with its
//! shared-memory ring and copier.
//!
//! Written before use; synced in groups; a bad last frame is a tail, a bad frame with good ones after it is
//! corruption; a failed sync stops the writer for good. Unsafe code: none beyond the system calls in `file`.

pub mod copier;
pub mod error;
mod file;
pub mod frame;
pub mod gate;
pub mod layouts;
pub mod reader;
pub mod record;
pub mod ring;
pub mod verify;
pub mod writer;

pub use error::JournalError;
pub use frame::FrameHeader;
pub use gate::{GateJournal, GateJournalOptions, GateJournalReader};
pub use reader::{JournalReader, Problem};
pub use record::{GateJournalRecord, RecordKind};
pub use ring::Ring;
pub use verify::{GateVerification, verify_gate_journal};
pub use writer::{JournalOptions, JournalWriter, Position};
