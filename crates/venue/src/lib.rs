// SPDX-License-Identifier: Apache-2.0
//! The simulated exchange: matching engine, agents, one event queue; same seed, same bytes.
//!
//! Reads parameters and a seed, gives the events a venue would publish. Never reads a clock.
#![forbid(unsafe_code)]

pub mod closed_loop;
pub mod engine;
pub mod entry;
pub mod exchange;
pub mod firm;
pub mod market;
pub mod parameters;
pub mod recorder;
pub mod rng;

pub use engine::{Engine, Handle, Sink};
pub use entry::Entry;
pub use market::Market;
pub use parameters::Parameters;
pub use recorder::{Fill, Recorder};
