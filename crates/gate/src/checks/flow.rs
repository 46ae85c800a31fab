// SPDX-License-Identifier: Apache-2.0
//! How often: controls 24, 26, 27 and 44.
use super::Context;
use crate::breach::{Breach, Check};
use crate::duplicates::Duplicates;
use crate::ids::IdSet;
use pretrade_records::units::NS_PER_S;
use pretrade_records::{Order, ReasonCode, Unit};

/// Control 24: a token is left at every level, for new orders and for replaces apart.
#[inline(always)]
pub fn check_message_rate(c: &Context<'_>) -> Check {
    let i = c.instrument;
    let instrument = if c.request.is_replace { (&i.bucket_replace, i.interval_replace) } else { (&i.bucket_new, i.interval_new) };
    let levels = c.levels().map(|l| if c.request.is_replace { (&l.bucket_replace, l.interval_replace) } else { (&l.bucket_new, l.interval_new) });
    let now = c.request.now_mono;
    match std::iter::once(instrument).chain(levels).find(|(bucket, interval)| !bucket.has_token(*interval, now)) {
        None => Ok(()),
        Some((bucket, interval)) => {
            let limit = if interval == i64::MAX { 0 } else { NS_PER_S / interval.max(1) };
            Err(Breach::new(24, ReasonCode::MessageRate, bucket.taken(interval, now) + 1, limit, Unit::PerSecond))
        }
    }
}

/// Control 26: not the same order more than n times inside the window. A verified reduction is judged too.
#[inline(always)]
pub fn check_duplicate_order(c: &Context<'_>, duplicates: &Duplicates) -> Check {
    if !duplicates.is_repeated(c.request.fingerprint, c.request.now_mono) {
        return Ok(());
    }
    Err(Breach::new(26, ReasonCode::DuplicateOrder, duplicates.count() + 1, duplicates.count(), Unit::Count))
}

/// Control 27: the client order id is new in its session today.
#[inline(always)]
pub fn check_client_order_id(order: &Order, ids: &IdSet) -> Check {
    if ids.contains(order.client_order_id, order.session_id) { Err(Breach::plain(27, ReasonCode::DuplicateClientOrderId)) } else { Ok(()) }
}

/// Control 44: the decision can be recorded, and state for it can be kept.
#[inline(always)]
pub fn check_audit(is_available: bool, is_exempt: bool) -> Check {
    if is_available || is_exempt { Ok(()) } else { Err(Breach::plain(44, ReasonCode::AuditUnavailable)) }
}
