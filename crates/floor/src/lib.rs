// SPDX-License-Identifier: Apache-2.0
//! The bare programs every ratio is measured against: a 128-byte seqlock read and a 20-rule check over their own
//! mapping. Frozen: a change needs a decision record. No crate of ours is used here, so nothing judged can leak in.
//!
//! Single thread, all state preloaded, no checksum, no decision record: what a check can cost at best.

pub mod check;
pub mod mapping;
pub mod table;
pub mod timer;

pub use check::{FloorCheck, FloorOrder};
pub use table::FloorTable;
pub use timer::{Measured, Slices};
