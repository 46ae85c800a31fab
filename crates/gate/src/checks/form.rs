// SPDX-License-Identifier: Apache-2.0
//! Well-formed orders and their time: controls 8 and 31.
use super::{Context, Request};
use crate::arithmetic::minus;
use crate::breach::{Breach, Check};
use crate::state::{Instrument, flag};
use pretrade_records::order::POST_ONLY;
use pretrade_records::units::UNDEFINED_PRICE;
use pretrade_records::{Action, Order, OrderType, ReasonCode, Side, TimeInForce, Unit};

/// Control 8, form: action, side, type and time in force are known and fit together.
#[inline(always)]
pub fn check_form(order: &Order) -> Check {
    let is_sided = order.side == Side::BUY as u8 || order.side == Side::SELL as u8;
    let is_limit = order.order_type == OrderType::Limit as u8;
    let is_market = order.order_type == OrderType::Market as u8 && order.flags & POST_ONLY == 0;
    let is_timed = (TimeInForce::Day as u8..=TimeInForce::GoodTillCancel as u8).contains(&order.time_in_force);
    let is_post_only_waiting =
        order.flags & POST_ONLY == 0 || order.time_in_force == TimeInForce::Day as u8 || order.time_in_force == TimeInForce::GoodTillCancel as u8;
    let is_action = order.action == Action::New as u8 || order.action == Action::Replace as u8;
    if is_action && is_sided && (is_limit || is_market) && is_timed && is_post_only_waiting {
        Ok(())
    } else {
        Err(Breach::plain(8, ReasonCode::UnsupportedOrder))
    }
}

/// Control 8, quantity: above zero and a multiple of the lot.
#[inline(always)]
pub fn check_quantity(order: &Order, instrument: &Instrument) -> Check {
    let lot = instrument.lot_size;
    if order.quantity > 0 && lot > 0 && (lot == 1 || order.quantity % lot == 0) {
        Ok(())
    } else {
        Err(Breach::new(8, ReasonCode::IncorrectQuantity, order.quantity, lot, Unit::Lots))
    }
}

/// Control 8, price: a tick multiple, above zero unless the class allows otherwise.
#[inline(always)]
pub fn check_price_increment(request: &Request<'_>, instrument: &Instrument) -> Check {
    let order = request.order;
    if order.order_type == OrderType::Market as u8 {
        return Ok(());
    }
    let (price, tick) = (order.price, instrument.tick_size);
    let is_allowed = price > 0 || (instrument.flags & flag::NEGATIVE_PRICE != 0 && price != UNDEFINED_PRICE);
    let is_multiple = request.ticks.wrapping_mul(tick.unsigned_abs()) == price.unsigned_abs();
    if is_allowed && tick > 0 && is_multiple { Ok(()) } else { Err(Breach::new(8, ReasonCode::InvalidPriceIncrement, price, tick, Unit::Price)) }
}

/// Control 8: all three.
#[inline(always)]
pub fn check_well_formed(request: &Request<'_>, instrument: &Instrument) -> Check {
    check_form(request.order)?;
    check_quantity(request.order, instrument)?;
    check_price_increment(request, instrument)
}

/// Control 31: the order's own time is neither old nor in the future.
#[inline(always)]
pub fn check_order_age(c: &Context<'_>) -> Check {
    let bound = c.options.stale_order_ns;
    let age = minus(c.request.now_utc, c.request.order.ts_event);
    if bound == 0 || (age <= bound && age >= -bound) { Ok(()) } else { Err(Breach::new(31, ReasonCode::StaleOrder, age, bound, Unit::Nanoseconds)) }
}
