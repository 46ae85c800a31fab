// SPDX-License-Identifier: Apache-2.0
//! The simulated exchange: matching engine, agents, one event queue; same seed, same bytes.
//!
//! Reads parameters and a seed, gives the events a venue would publish. Never reads a clock.
#![forbid(unsafe_code)]

pub mod engine;
pub mod exchange;
pub mod market;
pub mod parameters;
pub mod recorder;
pub mod rng;

pub use engine::{Engine, Handle, Sink};
pub use market::Market;
pub use parameters::Parameters;
pub use recorder::{Fill, Recorder};
