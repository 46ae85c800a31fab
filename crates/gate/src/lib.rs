// SPDX-License-Identifier: Apache-2.0
//! The gate: order + limits in force + exposure + reference prices -> ACCEPT, HOLD or REJECT, with one closed reason.
//!
//! Reads the `limits`, `quotes` and `controls` tables, writes its own `gate` table and journal. It never reads a clock,
//! never changes an order, and in a check it never allocates, locks, logs or calls the system.
//! Standards: RTS 6 (2017/589) art. 12, 15, 17; SEC rule 15c3-5; FIX tag 103.
#![forbid(unsafe_code)]

pub mod annex;
mod apply;
pub mod arithmetic;
pub mod bounds;
pub mod breach;
pub mod checks;
pub mod decide;
pub mod directory;
pub mod duplicates;
pub mod evaluate;
pub mod exits;
pub mod extended;
pub mod gate;
pub mod holds;
pub mod ids;
pub mod journal;
pub mod look;
pub mod mass_cancel;
pub mod merge;
pub mod options;
pub mod orders;
pub mod rate;
mod refresh;
pub mod replay;
mod scoring;
pub mod setup;
pub mod stage;
pub mod state;
mod status;
pub mod text;
pub mod venue;

pub use decide::Approved;
pub use gate::{Counters, Gate, GateError, GateFiles};
pub use options::{GateOptions, MassCancel, SelfMatch};
pub use venue::{VenueKind, VenueMessage};
