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
    let (action, side, kind, time) = (order.action, order.side, order.order_type, order.time_in_force);
    let is_known = (action | side | kind) < 1 << CODE_BITS && time < 1 << TIME_BITS;
    let place = place_of(action, side, kind, time, order.flags & POST_ONLY != 0);
    if is_known && FORMS[place / 64 % FORMS.len()] >> (place % 64) & 1 != 0 { Ok(()) } else { Err(Breach::plain(8, ReasonCode::UnsupportedOrder)) }
}

/// Bits of an action, side or order type, and of a time in force, in the place of a form.
const CODE_BITS: u32 = 2;
const TIME_BITS: u32 = 3;

#[inline(always)]
const fn place_of(action: u8, side: u8, kind: u8, time: u8, is_post_only: bool) -> usize {
    let codes = action as usize | (side as usize) << CODE_BITS | (kind as usize) << (2 * CODE_BITS);
    codes | (time as usize) << (3 * CODE_BITS) | (is_post_only as usize) << (3 * CODE_BITS + TIME_BITS)
}

/// The rule itself.
const fn is_supported(action: u8, side: u8, kind: u8, time: u8, is_post_only: bool) -> bool {
    let is_action = action == Action::New as u8 || action == Action::Replace as u8;
    let is_sided = side == Side::BUY as u8 || side == Side::SELL as u8;
    let is_typed = kind == OrderType::Limit as u8 || kind == OrderType::Market as u8 && !is_post_only;
    let is_timed = time >= TimeInForce::Day as u8 && time <= TimeInForce::GoodTillCancel as u8;
    let can_rest = time == TimeInForce::Day as u8 || time == TimeInForce::GoodTillCancel as u8;
    is_action && is_sided && is_typed && is_timed && (can_rest || !is_post_only)
}

/// The rule for every form, one bit each: worked out once and not for every order.
const FORMS: [u64; 16] = {
    let (mut forms, mut at) = ([0; 16], 0);
    while at < 64 * forms.len() {
        let codes = (1 << CODE_BITS) - 1;
        let (action, side, kind) = (at & codes, at >> CODE_BITS & codes, at >> (2 * CODE_BITS) & codes);
        let (time, post_only) = (at >> (3 * CODE_BITS) & ((1 << TIME_BITS) - 1), at >> (3 * CODE_BITS + TIME_BITS));
        if is_supported(action as u8, side as u8, kind as u8, time as u8, post_only != 0) {
            forms[at / 64] |= 1 << (at % 64);
        }
        at += 1;
    }
    forms
};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_every_byte_is_judged_as_the_rule_says() {
        let mut supported = 0;
        for action in 0..=u8::MAX {
            for (side, kind) in (0..9).flat_map(|side| (0..9).map(move |kind| (side, kind))) {
                for (time, flags) in (0..20).flat_map(|time| [0, POST_ONLY].map(|flags| (time, flags))) {
                    let order = Order { action, side, order_type: kind, time_in_force: time, flags, ..Order::default() };
                    let is_supported = is_supported(action, side, kind, time, flags != 0);
                    assert_eq!(check_form(&order).is_ok(), is_supported, "{order:?}");
                    supported += u32::from(is_supported);
                }
            }
        }
        // Two actions, two sides; limit with four times, market with four, post-only limit with two.
        assert_eq!(supported, 2 * 2 * (4 + 4 + 2));
    }
}
