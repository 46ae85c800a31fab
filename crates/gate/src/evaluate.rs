// SPDX-License-Identifier: Apache-2.0
//! The order of evaluation (`controls` 4.1): the first REJECT ends it, a hold-type breach is noted and it goes on.
use crate::breach::{Breach, Check};
use crate::checks::extended::Scope;
use crate::checks::{Context, exposure, extended, flow, form, limits, passed_as, price, session};
use crate::duplicates::Duplicates;
use crate::options::GateOptions;
use pretrade_records::ReasonCode;

/// Judges one order whose id, kill, journal, party and instrument already passed.
///
/// # Errors
/// The first hard breach: the reason of the REJECT. `Ok(Some)` is the first breach of a control configured to hold.
#[inline(always)]
pub fn evaluate<const EXTENDED: bool>(c: &Context<'_>, duplicates: &Duplicates, scope: Option<&Scope<'_>>) -> Result<Option<Breach>, Breach> {
    // Known when compiled: one list of controls, and of an order without extended ones none is even asked for.
    let scope = if EXTENDED { scope } else { None };
    let above = scope.map(|s| {
        let [trader, desk, session] = s.extended.ledgers_above();
        Context { account: desk, strategy: trader, firm: session, ..*c }
    });
    if c.request.passed_as == passed_as::SHRINKING {
        form::check_well_formed(&c.request, c.instrument)?;
        scope.map_or(Ok(()), |s| extended::check_venue_size(c, s))?;
        return Ok(None);
    }
    let exempt = c.request.is_reduction();
    let mut held = None;
    // A macro and not a closure: the breach is never moved while every check passes.
    macro_rules! note {
        ($check:expr) => {
            if let Err(breach) = $check {
                hold_or_reject(c.options, breach, &mut held)?;
            }
        };
    }
    scope.map_or(Ok(()), |_| extended::check_short_sale(c))?;
    session::check_phase(&c.request, c.instrument.phase)?;
    scope.map_or(Ok(()), |s| extended::check_auction_size(c, s))?;
    limits::check_limits_valid(c)?;
    limits::check_limits_fresh(c)?;
    scope.map_or(Ok(()), |s| extended::check_clock(c, s))?;
    session::check_breaker(c.instrument)?;
    session::check_reduce_only(c)?;
    scope.map_or(Ok(()), |s| extended::check_drop_copy(c, s, s.cell))?;
    form::check_well_formed(&c.request, c.instrument)?;
    scope.map_or(Ok(()), |s| extended::check_venue_size(c, s))?;
    // With a clock that jumped the age of an order is nobody's guess: 31 is a warning then.
    if scope.is_none_or(|s| s.extended.clock.jump().is_none()) {
        form::check_order_age(c)?;
    }
    note!(price::check_max_quantity(c));
    note!(above.as_ref().map_or(Ok(()), price::check_max_quantity));
    price::check_reference_price(c)?;
    note!(price::check_max_notional(c));
    note!(above.as_ref().map_or(Ok(()), price::check_max_notional));
    note!(price::check_liquidity(c));
    note!(price::check_collar(c));
    price::check_standoff(c)?;
    note!(price::check_drift(c));
    exposure::check_position(c)?;
    if let Some(s) = scope {
        // Reductions pass 18 to 23, 28 and 29 (table 4.2), and never 25, 30 and 24.
        if !exempt {
            extended::check_level_position(c, s)?;
            extended::check_exposure(c, s)?;
            extended::check_credit(s)?;
            extended::check_accumulated(c, s)?;
            extended::check_margin(s)?;
            extended::check_concentration(c, s)?;
            s.buckets?;
            extended::check_loss(s)?;
        }
        extended::check_execution_throttle(s)?;
    }
    exposure::check_open_orders(c)?;
    above.as_ref().map_or(Ok(()), exposure::check_open_orders)?;
    if let Some(s) = scope {
        if !exempt {
            extended::check_order_to_trade(s)?;
        }
        extended::check_self_match(s)?;
    }
    note!(flow::check_duplicate_order(c, duplicates));
    flow::check_message_rate(c)?;
    above.as_ref().map_or(Ok(()), flow::check_message_rate)?;
    if let Some(s) = scope {
        extended::check_minute_rate(c, s)?;
        s.user?;
    }
    Ok(held)
}

/// What is asked of an order whose exit ticket is good (control 4): form and frequency, and no limit. It never waits.
///
/// # Errors
/// The first breach.
pub fn evaluate_exit(c: &Context<'_>, duplicates: &Duplicates, scope: Option<&Scope<'_>>) -> Check {
    if scope.is_some() {
        extended::check_short_sale(c)?;
    }
    session::check_phase(&c.request, c.instrument.phase)?;
    scope.map_or(Ok(()), |s| extended::check_auction_size(c, s))?;
    form::check_well_formed(&c.request, c.instrument)?;
    scope.map_or(Ok(()), |s| extended::check_venue_size(c, s))?;
    form::check_order_age(c)?;
    scope.map_or(Ok(()), extended::check_self_match)?;
    flow::check_duplicate_order(c, duplicates)?;
    flow::check_message_rate(c)?;
    let Some(s) = scope else { return Ok(()) };
    let [trader, desk, session] = s.extended.ledgers_above();
    flow::check_message_rate(&Context { account: desk, strategy: trader, firm: session, ..*c })?;
    extended::check_minute_rate(c, s)
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
