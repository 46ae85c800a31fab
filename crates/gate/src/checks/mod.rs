// SPDX-License-Identifier: Apache-2.0
//! One check, one function, one reason code. Each sees the same context and changes nothing.
pub mod exposure;
pub mod extended;
pub mod flow;
pub mod form;
pub mod limits;
pub mod order_error;
pub mod price;
pub mod session;
pub mod user;

use crate::duplicates::Rank;
use crate::options::GateOptions;
use crate::state::{Cell, Instrument, Ledger};
use pretrade_records::Order;
use std::hint::select_unpredictable;

/// How an order may pass (table 4.2).
pub mod passed_as {
    /// As new risk: every control.
    pub const NEW_RISK: u8 = 0;
    /// A verified reduction.
    pub const REDUCTION: u8 = 1;
    /// A shrinking replace.
    pub const SHRINKING: u8 = 2;
    /// A verified reduction with an exit ticket.
    pub const EXIT: u8 = 3;
}

/// One message as the checks see it: what a replace adds is already worked out.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The message.
    pub order: &'a Order,
    /// Buy, else sell.
    pub is_buy: bool,
    /// Executes at the touch.
    pub is_market: bool,
    /// True for a replace.
    pub is_replace: bool,
    /// Would rest on arrival.
    pub is_passive: bool,
    /// Whole ticks in the limit price, without sign: divided once for controls 8 and 13.
    pub ticks: u64,
    /// Quantity controls 12 to 17 judge: of a replace its new leaves.
    pub quantity: i64,
    /// Quantity the message adds to the working side.
    pub added: i64,
    /// Limit price, or the opposite touch moved by the slippage allowance.
    pub implied: i64,
    /// See [`passed_as`].
    pub passed_as: u8,
    /// Fingerprint for control 26.
    pub fingerprint: u64,
    /// Where control 26 keeps that kind of order.
    pub rank: Rank,
    /// Now, monotonic ns.
    pub now_mono: i64,
    /// Now, ns UTC.
    pub now_utc: i64,
}

impl Request<'_> {
    /// True for a verified reduction.
    #[inline(always)]
    #[must_use]
    pub fn is_reduction(&self) -> bool {
        self.passed_as == passed_as::REDUCTION
    }
}

/// True where a price is worse for the market than a bound of its side: a buy above it, a sell below it. Sides come in
/// no order a branch could learn, hence the selects.
#[inline(always)]
#[must_use]
pub fn beyond(is_buy: bool, price: i64, bound: i64) -> bool {
    select_unpredictable(is_buy, price, bound) > select_unpredictable(is_buy, bound, price)
}

/// Everything a check may look at.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The message.
    pub request: Request<'a>,
    /// Its instrument.
    pub instrument: &'a Instrument,
    /// Exposure of its account in its instrument.
    pub cell: &'a Cell,
    /// Its account.
    pub account: &'a Ledger,
    /// Its strategy; unlisted strategies share one ledger.
    pub strategy: &'a Ledger,
    /// The firm.
    pub firm: &'a Ledger,
    /// The flags of all four.
    pub flags: u32,
    /// The gate's own numbers.
    pub options: &'a GateOptions,
    /// Age of the limits record's channel, ns.
    pub limits_age: i64,
    /// True where the channel of the quotes is younger than its TTL.
    pub is_quote_fresh: bool,
}
