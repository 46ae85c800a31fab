// SPDX-License-Identifier: Apache-2.0
//! The vocabulary every process shares: units, codes and fixed layouts of events, orders,
//! decisions and table records.
//!
//! Reads nothing, knows nobody. A change of any layout here changes the ABI: `schemas/` and the
//! layout tests in Rust, Python and C move with it.
#![forbid(unsafe_code)]

pub mod code;
pub mod decision;
pub mod event;
pub mod level_limit;
pub mod limits;
pub mod order;
pub mod parameter;
pub mod quotes;
pub mod units;

pub use code::{FeedState, Phase, Side, Tier, Verdict};
pub use decision::{Decision, ReasonCode, Unit};
pub use event::{Event, EventFlags, EventKind, ReferenceKind};
pub use level_limit::LevelLimit;
pub use limits::LimitsRecord;
pub use order::{Action, Order, OrderType, TimeInForce, VenueKind};
pub use quotes::QuotesRecord;
