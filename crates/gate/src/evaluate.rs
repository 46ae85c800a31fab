// SPDX-License-Identifier: Apache-2.0
//! The order of evaluation (`controls` 4.1): the first REJECT ends it, a hold-type breach is noted and it goes on.
use crate::breach::{Breach, Check};
use crate::checks::{Context, exposure, flow, form, limits, passed_as, price, session};
use crate::duplicates::Duplicates;
use crate::options::GateOptions;
use pretrade_records::ReasonCode;

/// Judges one order whose id, kill, journal, party and instrument already passed.
///
/// # Errors
/// The first hard breach: the reason of the REJECT. `Ok(Some)` is the first breach of a control configured to hold.
#[inline(always)]
pub fn evaluate(c: &Context<'_>, duplicates: &Duplicates) -> Result<Option<Breach>, Breach> {
    if c.request.passed_as == passed_as::SHRINKING {
        form::check_well_formed(&c.request, c.instrument)?;
        return Ok(None);
    }
    let mut held = None;
    // A macro and not a closure: the breach is never moved while every check passes.
    macro_rules! note {
        ($check:expr) => {
            if let Err(breach) = $check {
                hold_or_reject(c.options, breach, &mut held)?;
            }
        };
    }
    session::check_phase(&c.request, c.instrument.phase)?;
    limits::check_limits_valid(c)?;
    limits::check_limits_fresh(c)?;
    session::check_breaker(c.instrument)?;
    session::check_reduce_only(c)?;
    form::check_well_formed(&c.request, c.instrument)?;
    form::check_order_age(c)?;
    note!(price::check_max_quantity(c));
    price::check_reference_price(c)?;
    note!(price::check_max_notional(c));
    note!(price::check_liquidity(c));
    note!(price::check_collar(c));
    price::check_standoff(c)?;
    note!(price::check_drift(c));
    exposure::check_position(c)?;
    exposure::check_open_orders(c)?;
    note!(flow::check_duplicate_order(c, duplicates));
    flow::check_message_rate(c)?;
    Ok(held)
}

#[cold]
#[inline(never)]
fn hold_or_reject(options: &GateOptions, breach: Breach, held: &mut Option<Breach>) -> Check {
    if options.waived_controls & (1 << breach.control) != 0 && breach.reason != ReasonCode::InputMissing {
        return Ok(());
    }
    let can_hold = options.hold_controls & (1 << breach.control) != 0 && breach.reason != ReasonCode::InputMissing;
    if !can_hold {
        return Err(breach);
    }
    held.get_or_insert(breach);
    Ok(())
}
