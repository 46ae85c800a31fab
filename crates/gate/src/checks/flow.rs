// SPDX-License-Identifier: Apache-2.0
//! How often: controls 24, 26, 27 and 44.
use super::Context;
use crate::breach::{Breach, Check};
use crate::duplicates::Duplicates;
use crate::rate::Bucket;
use pretrade_records::units::NS_PER_S;
use pretrade_records::{ReasonCode, Unit};

/// Control 24: a token is left at every level, for new orders and for replaces apart.
#[inline(always)]
pub fn check_message_rate(c: &Context<'_>) -> Check {
    let (i, a, s, f) = (c.instrument, c.account, c.strategy, c.firm);
    if c.request.is_replace {
        has_token(c, &i.bucket_replace, i.interval_replace)?;
        has_token(c, &a.bucket_replace, a.interval_replace)?;
        has_token(c, &s.bucket_replace, s.interval_replace)?;
        return has_token(c, &f.bucket_replace, f.interval_replace);
    }
    has_token(c, &i.bucket_new, i.interval_new)?;
    has_token(c, &a.bucket_new, a.interval_new)?;
    has_token(c, &s.bucket_new, s.interval_new)?;
    has_token(c, &f.bucket_new, f.interval_new)
}

#[inline(always)]
fn has_token(c: &Context<'_>, bucket: &Bucket, interval: i64) -> Check {
    if bucket.has_token(interval, c.request.now_mono) {
        return Ok(());
    }
    let limit = if interval == crate::rate::NEVER { 0 } else { NS_PER_S / interval.max(1) };
    Err(Breach::new(24, ReasonCode::MessageRate, bucket.taken(interval, c.request.now_mono) + 1, limit, Unit::PerSecond))
}

/// Control 26: not the same order more than n times inside the window. A verified reduction is judged too.
#[inline(always)]
pub fn check_duplicate_order(c: &Context<'_>, duplicates: &Duplicates) -> Check {
    if !duplicates.is_repeated(c.request.rank, c.request.fingerprint, c.request.now_mono) {
        return Ok(());
    }
    Err(Breach::new(26, ReasonCode::DuplicateOrder, duplicates.count() + 1, duplicates.count(), Unit::Count))
}

/// Control 27: the client order id is new in its session today.
#[inline(always)]
pub fn check_client_order_id(is_seen: bool) -> Check {
    if is_seen { Err(Breach::plain(27, ReasonCode::DuplicateClientOrderId)) } else { Ok(()) }
}

/// Control 44: the decision can be recorded, and state for it can be kept.
#[inline(always)]
pub fn check_audit(is_available: bool, is_exempt: bool) -> Check {
    if is_available || is_exempt { Ok(()) } else { Err(Breach::plain(44, ReasonCode::AuditUnavailable)) }
}
