// SPDX-License-Identifier: Apache-2.0
//! Shared-memory tables: mapped files of fixed records, read and written through seqlocks.
//!
//! | table | writer | readers |
//! |---|---|---|
//! | [`LimitsTable`] | sidecar or agent | gateways |
//! | [`QuotesTable`] | capture | gateways |
//! | [`ControlsTable`] | humans, under a lock; kill, trip and reduce-only words outside it | gateways |
//! | [`GateTable`] | one gateway | command line, console |
//!
//! Payloads move as relaxed atomic 8-byte words between acquire and release on the sequence word,
//! so there is no data race; a reader gives up after [`seqlock::MAX_RETRIES`] and says `Torn`.
//! Unsafe code lives in `mapping`, `sigbus`, `memory` and `crc` only, each block with its reason.

pub mod layout;
pub mod seqlock;
mod sync;

#[cfg(not(feature = "loom"))]
pub mod clock;
#[cfg(not(feature = "loom"))]
pub mod controls;
#[cfg(not(feature = "loom"))]
pub mod crc;
#[cfg(not(feature = "loom"))]
pub mod error;
#[cfg(not(feature = "loom"))]
pub mod gate;
#[cfg(not(feature = "loom"))]
pub mod header;
#[cfg(not(feature = "loom"))]
pub mod layouts;
#[cfg(not(feature = "loom"))]
pub mod mapping;
#[cfg(not(feature = "loom"))]
pub mod memory;
#[cfg(not(feature = "loom"))]
pub mod sigbus;
#[cfg(not(feature = "loom"))]
pub mod table;

#[cfg(not(feature = "loom"))]
pub use controls::{ControlsRecord, ControlsTable, Level, ParameterBlock, StateWords};
#[cfg(not(feature = "loom"))]
pub use error::TableError;
#[cfg(not(feature = "loom"))]
pub use gate::{GateRecord, GateTable};
#[cfg(not(feature = "loom"))]
pub use mapping::Mapping;
pub use seqlock::ReadOutcome;
#[cfg(not(feature = "loom"))]
pub use table::{Access, CreateOptions, LimitsTable, QuotesTable, Spot, Table, TableRecord};
