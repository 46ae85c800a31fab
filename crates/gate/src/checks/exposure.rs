// SPDX-License-Identifier: Apache-2.0
//! What the order would add up to: controls 18 and 28.
use super::Context;
use crate::arithmetic::{minus, plus};
use crate::breach::{Breach, Check};
use pretrade_records::{ReasonCode, Unit};
use std::hint::select_unpredictable;

/// Control 18: the worst case of the side stays within the maximum, for the account and over all accounts.
#[inline(always)]
pub fn check_position(c: &Context<'_>) -> Check {
    if c.request.is_reduction() {
        return Ok(());
    }
    if c.cell.is_known == 0 {
        return Err(Breach::missing(18));
    }
    let (i, x) = (c.instrument, c.request.added);
    let of_side = |buy: i64, sell: i64| select_unpredictable(c.request.is_buy, buy, sell);
    let signed = |position: i64| of_side(position, minus(0, position));
    let of_account = worst(signed(c.cell.position), of_side(c.cell.working_buy, c.cell.working_sell), x);
    let of_all = worst(signed(i.position), of_side(i.working_buy, i.working_sell), x);
    let limit = of_side(i.position_max_long, i.position_max_short);
    let account_limit = of_side(c.account.position_max_long, c.account.position_max_short);
    let account_limit = account_limit.min(limit);
    if of_account > account_limit {
        return Err(Breach::new(18, ReasonCode::PositionExceedsLimit, of_account, account_limit, Unit::Lots));
    }
    if of_all > limit {
        return Err(Breach::new(18, ReasonCode::PositionExceedsLimit, of_all, limit, Unit::Lots));
    }
    Ok(())
}

/// As if every order of the side filled and none of the other.
#[inline(always)]
fn worst(position: i64, working: i64, added: i64) -> i64 {
    plus(plus(position, working), added)
}

/// Control 28: a new order keeps the number of live orders within the limit of every level.
#[inline(always)]
pub fn check_open_orders(c: &Context<'_>) -> Check {
    if c.request.is_replace || c.request.is_reduction() {
        return Ok(());
    }
    has_place(i64::from(c.instrument.open_orders), c.instrument.open_orders_limit)?;
    has_place(c.account.open_orders, c.account.open_orders_limit)?;
    has_place(c.strategy.open_orders, c.strategy.open_orders_limit)?;
    has_place(c.firm.open_orders, c.firm.open_orders_limit)
}

#[inline(always)]
fn has_place(open: i64, limit: i64) -> Check {
    if open < limit { Ok(()) } else { Err(Breach::new(28, ReasonCode::OpenOrdersExceedLimit, open + 1, limit, Unit::Count)) }
}
