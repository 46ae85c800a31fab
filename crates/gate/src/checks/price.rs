// SPDX-License-Identifier: Apache-2.0
//! Prices and size against the book: controls 11 to 17.
use super::{Context, beyond};
use crate::bounds::{SideBounds, missing};
use crate::breach::{Breach, Check};
use crate::state::Ledger;
use pretrade_records::units::UNLIMITED;
use pretrade_records::{ReasonCode, Unit};
use std::hint::select_unpredictable;

#[inline(always)]
fn side<'a>(c: &Context<'a>) -> &'a SideBounds {
    if c.request.is_buy { &c.instrument.bounds.buy } else { &c.instrument.bounds.sell }
}

/// The smallest of a limit over instrument, account, strategy and firm.
#[inline(always)]
fn tightest(c: &Context<'_>, instrument: i64, of: impl Fn(&Ledger) -> i64) -> i64 {
    instrument.min(of(c.account)).min(of(c.strategy)).min(of(c.firm))
}

/// Control 12: quantity within the maximum of every level. Below one lot a verified reduction of one lot still passes,
/// unless the static limit itself forbids it.
#[inline(always)]
pub fn check_max_quantity(c: &Context<'_>) -> Check {
    let limit = tightest(c, c.instrument.max_order_quantity, |level| level.max_order_quantity);
    if c.request.quantity <= limit {
        return Ok(());
    }
    let lot = c.instrument.lot_size;
    let statics = tightest(c, c.instrument.static_max_order_quantity, |level| level.max_order_quantity);
    if c.request.is_reduction() && limit < lot && c.request.quantity <= lot && statics >= lot {
        return Ok(());
    }
    Err(Breach::new(12, ReasonCode::OrderExceedsLimit, c.request.quantity, limit, Unit::Lots))
}

/// Control 11: the prices controls 13 to 17 need are there and fresh. A verified reduction needs a last good one only.
#[inline(always)]
pub fn check_reference_price(c: &Context<'_>) -> Check {
    if c.instrument.missing & missing::REFERENCE == 0 && c.is_quote_fresh {
        return Ok(());
    }
    if c.request.is_reduction() && c.instrument.missing & missing::LAST_GOOD == 0 {
        return Ok(());
    }
    Err(Breach::plain(11, ReasonCode::ReferencePriceMissing))
}

/// Control 13: quantity x implied price x value within the maximum of every level; 128 bits, a sell valued at the
/// higher of its price and the best bid.
#[inline(always)]
pub fn check_max_notional(c: &Context<'_>) -> Check {
    let limit = tightest(c, c.instrument.max_order_notional, |level| level.max_order_notional);
    if limit == UNLIMITED {
        return Ok(());
    }
    let price = select_unpredictable(c.request.is_buy, c.request.implied, c.request.implied.max(side(c).opposite_touch));
    let value = c.instrument.value_per_tick_lot;
    if c.instrument.tick_size <= 0 || c.instrument.lot_size <= 0 || value <= 0 {
        return Err(Breach::missing(13));
    }
    // Rounded away from zero where the touch or the lot do not divide.
    let ticks = if !c.request.is_market && price == c.request.order.price {
        c.request.ticks
    } else {
        price.unsigned_abs().div_ceil(c.instrument.tick_size.unsigned_abs())
    };
    let lots = if c.instrument.lot_size == 1 {
        c.request.quantity.unsigned_abs()
    } else {
        c.request.quantity.unsigned_abs().div_ceil(c.instrument.lot_size.unsigned_abs())
    };
    let (value, most) = (value.unsigned_abs(), limit.unsigned_abs());
    // The usual product fits 64 bits; one that does not is worked out apart.
    if let Some(notional) = lots.checked_mul(ticks).and_then(|lot_ticks| lot_ticks.checked_mul(value))
        && notional <= most
    {
        return Ok(());
    }
    let notional = (u128::from(lots) * u128::from(ticks)).saturating_mul(u128::from(value));
    if notional <= u128::from(most) {
        return Ok(());
    }
    let measured = i64::try_from(notional).unwrap_or(i64::MAX);
    Err(Breach::new(13, ReasonCode::NotionalExceedsLimit, measured, limit, Unit::Money))
}

/// Control 14: quantity within its share of visible depth, of the last minute's volume and of the daily volume.
#[inline(always)]
pub fn check_liquidity(c: &Context<'_>) -> Check {
    if c.instrument.missing & missing::ADV != 0 {
        return Err(Breach::missing(14));
    }
    let limit = side(c).liquidity;
    if c.request.quantity <= limit { Ok(()) } else { Err(Breach::new(14, ReasonCode::SizeExceedsLiquidity, c.request.quantity, limit, Unit::Lots)) }
}

/// Control 15: a buy not above the reference plus collar, a sell not below it minus collar. A verified reduction without
/// a fresh reference is held against the last good one and the static collar.
#[inline(always)]
pub fn check_collar(c: &Context<'_>) -> Check {
    let is_last_good = c.instrument.missing & missing::REFERENCE != 0 || !c.is_quote_fresh;
    let limit = if is_last_good { side(c).collar_static } else { side(c).collar };
    if beyond(c.request.is_buy, c.request.implied, limit) {
        return Err(Breach::new(15, ReasonCode::PriceOutsideCollar, c.request.implied, limit, Unit::Price));
    }
    Ok(())
}

/// Control 16: a passive order keeps its distance to its own touch. Verified reductions are exempt.
#[inline(always)]
pub fn check_standoff(c: &Context<'_>) -> Check {
    if !c.request.is_passive || c.request.is_reduction() {
        return Ok(());
    }
    let bounds = side(c);
    if !beyond(c.request.is_buy, c.request.implied, bounds.standoff) {
        return Ok(());
    }
    // By value: a closure over `c` that is not inlined would force the whole context into memory for every order.
    let (tick, touch, sign) = (c.instrument.tick_size.max(1), bounds.own_touch, if c.request.is_buy { 1 } else { -1 });
    let distance = move |price: i64| touch.saturating_sub(price).saturating_mul(sign).div_euclid(tick);
    Err(Breach::new(16, ReasonCode::PriceInsideStandoff, distance(c.request.implied), distance(bounds.standoff), Unit::Ticks))
}

/// Control 17: an aggressive price does not chase the market beyond its distance from where the windows started.
#[inline(always)]
pub fn check_drift(c: &Context<'_>) -> Check {
    if c.request.is_passive || !is_aggressive(c) {
        return Ok(());
    }
    if c.instrument.missing & missing::DRIFT != 0 {
        return Err(Breach::missing(17));
    }
    let limit = side(c).drift;
    if beyond(c.request.is_buy, c.request.implied, limit) {
        return Err(Breach::new(17, ReasonCode::PriceDrift, c.request.implied, limit, Unit::Price));
    }
    Ok(())
}

#[inline(always)]
fn is_aggressive(c: &Context<'_>) -> bool {
    let touch = side(c).opposite_touch;
    c.request.is_market || !beyond(!c.request.is_buy, c.request.implied, touch)
}
