// SPDX-License-Identifier: Apache-2.0
//! Whether the limits may be used at all: controls 9 and 10.
use super::Context;
use crate::breach::{Breach, Check};
use crate::stage::cause;
use crate::state::flag;
use pretrade_records::{ReasonCode, Unit};

/// Control 9: instrument, account, strategy and firm each have a static record; reduce-only that came from an invalid record lets verified reductions pass.
#[inline(always)]
pub fn check_limits_valid(c: &Context<'_>) -> Check {
    let is_refused = c.instrument.stage >= 2 && c.instrument.cause == cause::INVALID && !c.request.is_reduction();
    if c.flags & flag::NO_STATIC == 0 && !is_refused { Ok(()) } else { Err(Breach::plain(9, ReasonCode::LimitsInvalid)) }
}

/// Control 10: not in reduce-only through age, or a verified reduction.
#[inline(always)]
pub fn check_limits_fresh(c: &Context<'_>) -> Check {
    if c.instrument.stage < 2 || c.instrument.cause != cause::STALE || c.request.is_reduction() {
        return Ok(());
    }
    Err(Breach::new(10, ReasonCode::LimitsStale, c.limits_age, c.options.t1_ns, Unit::Nanoseconds))
}
