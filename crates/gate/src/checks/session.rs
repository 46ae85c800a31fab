// SPDX-License-Identifier: Apache-2.0
//! Who may send at all: kill, breaker, reduce-only, party, instrument, phase.
use super::{Context, Request};
use crate::breach::{Breach, Check};
use crate::state::{Instrument, Ledger, flag};
use pretrade_records::{Phase, ReasonCode, TimeInForce, Unit};

/// Control 1: no kill word of an enclosing scope is set.
#[inline(always)]
pub fn check_kill(kill_word: u64, flags: u32) -> Check {
    if kill_word == 0 && flags & flag::KILLED == 0 { Ok(()) } else { Err(Breach::plain(1, ReasonCode::KillSwitch)) }
}

/// Control 2: the breaker of the instrument is not latched; a trip of this gateway's own is control 32.
#[inline(always)]
pub fn check_breaker(instrument: &Instrument) -> Check {
    if instrument.flags & flag::TRIPPED == 0 { Ok(()) } else { Err(tripped(instrument.flags)) }
}

#[cold]
#[inline(never)]
fn tripped(flags: u32) -> Breach {
    if flags & flag::TRIPPED_BY_GATEWAY != 0 { Breach::plain(32, ReasonCode::Velocity) } else { Breach::plain(2, ReasonCode::BreakerTripped) }
}

/// Control 3: under reduce-only the order is a verified reduction.
#[inline(always)]
pub fn check_reduce_only(c: &Context<'_>) -> Check {
    if c.flags & flag::REDUCE_ONLY == 0 || c.request.is_reduction() { Ok(()) } else { Err(Breach::plain(3, ReasonCode::ReduceOnly)) }
}

/// Control 5: the account is known and enabled, the strategy not disabled.
#[inline(always)]
pub fn check_party(account: Option<&Ledger>, strategy: &Ledger) -> Check {
    match account {
        Some(account) if account.flags & strategy.flags & flag::ENABLED != 0 => Ok(()),
        _ => Err(Breach::plain(5, ReasonCode::PartyNotAuthorised)),
    }
}

/// Control 6: the instrument is known and may trade.
#[inline(always)]
pub fn check_instrument(instrument: Option<&Instrument>) -> Check {
    match instrument {
        None => Err(Breach::plain(6, ReasonCode::UnknownInstrument)),
        Some(i) if i.flags & flag::ENABLED == 0 => Err(Breach::plain(6, ReasonCode::InstrumentNotPermitted)),
        Some(_) => Ok(()),
    }
}

/// Control 7: order type and time in force are allowed in the present phase; an unknown phase refuses.
#[inline(always)]
pub fn check_phase(request: &Request<'_>, phase: u8) -> Check {
    if phase == Phase::Continuous as u8 {
        return Ok(());
    }
    let can_wait = !request.is_market
        && request.order.time_in_force != TimeInForce::ImmediateOrCancel as u8
        && request.order.time_in_force != TimeInForce::FillOrKill as u8;
    let is_allowed = match Phase::try_from(phase) {
        Ok(Phase::PreOpen | Phase::Auction) => can_wait,
        Ok(Phase::LimitLocked) => !request.is_market,
        _ => false,
    };
    if is_allowed { Ok(()) } else { Err(Breach::new(7, ReasonCode::PhaseNotPermitted, i64::from(phase), Phase::Continuous as i64, Unit::None)) }
}
