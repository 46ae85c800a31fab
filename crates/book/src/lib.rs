// SPDX-License-Identifier: Apache-2.0
//! Order books from L3 orders or L2 levels, and the 100 ms feature rows computed from them.
//!
//! Reads events in receive order; gives rows that use nothing received after them. Never reads a clock.
#![forbid(unsafe_code)]

pub mod baseline;
pub mod book;
pub mod cross;
pub mod engine;
pub mod features;
pub mod flow;
pub mod instrument;
pub mod news;
pub mod quotes;
mod recap;
pub mod resilience;
pub mod returns;
pub mod row;
mod split;
pub mod state;
mod values;
pub mod window;

pub use book::{Applied, Book, Levels};
pub use cross::GroupSpec;
pub use engine::FeatureEngine;
pub use features::{COUNT, Feature, NAMES, code_hash};
pub use instrument::{Faults, Instrument};
pub use row::{InstrumentSpec, Row, SnapshotSpec};
pub use state::StateError;
