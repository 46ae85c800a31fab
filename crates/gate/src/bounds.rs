// SPDX-License-Identifier: Apache-2.0
//! Bounds derived from one quotes record and the limits in force, kept beside the instrument's state so that a check is
//! a comparison. Derived again whenever quotes or limits change.
use crate::merge::{Values, is_unbounded};
use bytemuck::Zeroable;
use pretrade_records::parameter::Parameter;
use pretrade_records::units::{PPM, STANDOFF_OFF, UNDEFINED_PRICE};
use pretrade_records::{FeedState, QuotesRecord};

/// Bits of [`Bounds::missing`].
pub mod missing {
    /// A price that controls 13, 15 and 16 need (control 11).
    pub const REFERENCE: u8 = 1;
    /// A window start of control 17.
    pub const DRIFT: u8 = 2;
    /// Average daily volume while control 14 is bounded by it.
    pub const ADV: u8 = 4;
    /// There never was a reference price.
    pub const LAST_GOOD: u8 = 8;
}

/// What one side of the book allows; prices in 1e-9.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Zeroable)]
#[repr(C)]
pub struct SideBounds {
    /// Control 15: no buy above, no sell below.
    pub collar: i64,
    /// Control 16: no passive buy above, no passive sell below.
    pub standoff: i64,
    /// Control 17: no aggressive buy above, no aggressive sell below.
    pub drift: i64,
    /// Control 14: largest quantity the visible depth, the last minute and the daily volume allow.
    pub liquidity: i64,
    /// The touch an order of this side crosses to.
    pub opposite_touch: i64,
    /// The touch an order of this side joins.
    pub own_touch: i64,
    /// Collar reference.
    pub reference: i64,
    /// The static collar, for verified reductions without a fresh reference.
    pub collar_static: i64,
}

/// Both sides and what could not be derived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Zeroable)]
#[repr(C)]
pub struct Bounds {
    /// Of buys.
    pub buy: SideBounds,
    /// Of sells.
    pub sell: SideBounds,
    /// See [`missing`].
    pub missing: u8,
    /// [`pretrade_records::Phase`] code.
    pub phase: u8,
    /// [`FeedState`] bits.
    pub feed_state: u8,
    /// Zero.
    pub pad: [u8; 5],
}

const UNSOUND: u8 = FeedState::GAP | FeedState::STALE | FeedState::CROSSED | FeedState::RESYNC;

impl Bounds {
    /// Nothing known: every price is missing, the phase unknown.
    #[must_use]
    pub fn unknown() -> Self {
        Bounds { missing: missing::REFERENCE | missing::DRIFT | missing::ADV | missing::LAST_GOOD, ..Default::default() }
    }

    /// Derives the bounds from the quotes read last; without a reference in them, from the `last_good` ones.
    #[must_use]
    pub fn derive(now: Option<&QuotesRecord>, last_good: Option<&QuotesRecord>, limits: &Values, statics: &Values, tick_size: i64) -> Self {
        let is_missing = !now.is_some_and(has_reference);
        let Some(quotes) = (if is_missing { last_good } else { now }) else {
            return Bounds { phase: now.map_or(0, |q| q.phase), feed_state: now.map_or(0, |q| q.feed_state), ..Self::unknown() };
        };
        let mut bounds = Self::from_quotes(quotes, limits, statics, tick_size);
        (bounds.phase, bounds.feed_state) = now.map_or((0, 0), |q| (q.phase, q.feed_state));
        if is_missing {
            bounds.missing |= missing::REFERENCE;
        }
        bounds
    }

    fn from_quotes(quotes: &QuotesRecord, limits: &Values, statics: &Values, tick_size: i64) -> Self {
        let mut bounds = Bounds::default();
        let reference_buy = quotes.ask_price.min(quotes.slow_reference);
        let reference_sell = quotes.bid_price.max(quotes.slow_reference);
        bounds.buy = SideBounds {
            collar: collar_distance(limits, reference_buy, tick_size).map_or(i64::MAX, |d| reference_buy.saturating_add(d)),
            standoff: standoff_distance(limits, tick_size).map_or(i64::MAX, |d| quotes.bid_price.saturating_sub(d)),
            drift: i64::MAX,
            liquidity: liquidity(quotes, limits, quotes.depth_ask),
            opposite_touch: quotes.ask_price,
            own_touch: quotes.bid_price,
            reference: reference_buy,
            collar_static: collar_distance(statics, reference_buy, tick_size).map_or(i64::MAX, |d| reference_buy.saturating_add(d)),
        };
        bounds.sell = SideBounds {
            collar: collar_distance(limits, reference_sell, tick_size).map_or(i64::MIN, |d| reference_sell.saturating_sub(d)),
            standoff: standoff_distance(limits, tick_size).map_or(i64::MIN, |d| quotes.ask_price.saturating_add(d)),
            drift: i64::MIN,
            liquidity: liquidity(quotes, limits, quotes.depth_bid),
            opposite_touch: quotes.bid_price,
            own_touch: quotes.ask_price,
            reference: reference_sell,
            collar_static: collar_distance(statics, reference_sell, tick_size).map_or(i64::MIN, |d| reference_sell.saturating_sub(d)),
        };
        for (p, mid) in [(Parameter::DriftShortTicks, quotes.mid_10s), (Parameter::DriftLongTicks, quotes.mid_5m)] {
            bounds.apply_drift(p, limits[p as usize], mid, tick_size);
        }
        if quotes.adv <= 0 && !is_unbounded(Parameter::MaxAdvSharePpm, limits[Parameter::MaxAdvSharePpm as usize]) {
            bounds.missing |= missing::ADV;
        }
        bounds
    }

    fn apply_drift(&mut self, p: Parameter, ticks: i64, mid: i64, tick_size: i64) {
        if is_unbounded(p, ticks) {
            return;
        }
        if mid == UNDEFINED_PRICE {
            self.missing |= missing::DRIFT;
            return;
        }
        let distance = ticks.saturating_mul(tick_size);
        self.buy.drift = self.buy.drift.min(mid.saturating_add(distance));
        self.sell.drift = self.sell.drift.max(mid.saturating_sub(distance));
    }
}

/// Control 11: both touches and the slow reference there, uncrossed, from a sound book.
#[must_use]
pub fn has_reference(quotes: &QuotesRecord) -> bool {
    quotes.bid_price != UNDEFINED_PRICE
        && quotes.ask_price != UNDEFINED_PRICE
        && quotes.slow_reference != UNDEFINED_PRICE
        && quotes.bid_price <= quotes.ask_price
        && quotes.feed_state & UNSOUND == 0
}

/// The tighter of the collar in ticks and in ppm of the reference, `None` where both are unbounded.
#[must_use]
pub fn collar_distance(limits: &Values, reference: i64, tick_size: i64) -> Option<i64> {
    let ticks = limits[Parameter::CollarTicks as usize];
    let ppm = limits[Parameter::CollarPpm as usize];
    let by_ticks = (!is_unbounded(Parameter::CollarTicks, ticks)).then(|| ticks.saturating_mul(tick_size));
    let by_ppm = (!is_unbounded(Parameter::CollarPpm, ppm)).then(|| share(i128::from(reference).abs(), ppm));
    match (by_ticks, by_ppm) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

fn standoff_distance(limits: &Values, tick_size: i64) -> Option<i64> {
    let ticks = limits[Parameter::PassiveStandoffTicks as usize];
    (ticks != i64::from(STANDOFF_OFF)).then(|| ticks.saturating_mul(tick_size))
}

fn liquidity(quotes: &QuotesRecord, limits: &Values, depth: i64) -> i64 {
    let shares = [(Parameter::MaxDepthSharePpm, depth), (Parameter::MaxVolumeSharePpm, quotes.volume_1m), (Parameter::MaxAdvSharePpm, quotes.adv)];
    shares
        .into_iter()
        .filter(|(p, _)| !is_unbounded(*p, limits[*p as usize]))
        .map(|(p, of)| share(i128::from(of.max(0)), limits[p as usize]))
        .min()
        .unwrap_or(i64::MAX)
}

/// `whole` times ppm, rounded to the tighter side.
fn share(whole: i128, ppm: i64) -> i64 {
    let product = whole * i128::from(ppm);
    // A 128-bit division costs 30 ns; the usual product fits 64 bits.
    match i64::try_from(product) {
        Ok(product) => product / i64::from(PPM),
        Err(_) => i64::try_from(product / i128::from(PPM)).unwrap_or(i64::MAX),
    }
}
