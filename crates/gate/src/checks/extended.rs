// SPDX-License-Identifier: Apache-2.0
//! Checks of the controls behind `Extended::is_on`: 7 (auctions), 8 (venue sizes), 19 to 23, 25, 29, 30, 24 per minute, 45.
use super::{Context, Request};
use crate::breach::{Breach, Check};
use crate::extended::book::{narrow, scaled, value};
use crate::extended::counts::Counts;
use crate::extended::party::{Loss, Party};
use crate::extended::{Current, Extended};
use crate::state::flag;
use pretrade_records::order::LOCATED;
use pretrade_records::parameter::Parameter;
use pretrade_records::units::{PPM, UNLIMITED};
use pretrade_records::{LevelLimit, Phase, ReasonCode, Unit};
use pretrade_shm::Level;

/// What the extended checks see beside [`Context`].
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// State and limits.
    pub extended: &'a Extended,
    /// The message, worked out.
    pub current: &'a Current,
    /// Value of the whole message, `None` without a price or reference data.
    pub value: Option<i128>,
    /// Value it adds to what works.
    pub added: Option<i128>,
    /// Margin of its account in its instrument with it and without it; `None` where not known.
    pub margin: Option<(i128, i128)>,
    /// Parameters in force of its instrument.
    pub concentration_ppm: i64,
    /// Place of its account in its instrument.
    pub cell: usize,
    /// What the buckets say (control 22).
    pub buckets: Check,
    /// What the user's own checks say (46).
    pub user: Check,
}

impl<'a> Scope<'a> {
    /// Works out what the message is worth: a sell at the higher of its price and the best bid.
    #[must_use]
    pub fn of(c: &Context<'_>, extended: &'a Extended, margin: Option<(i128, i128)>, in_force: &crate::merge::Values, cell: usize) -> Self {
        let current = &extended.current;
        let price = if c.request.is_buy { current.implied } else { current.implied.max(c.instrument.bounds.sell.opposite_touch) };
        let is_priced = price != i64::MAX;
        let whole = if is_priced { value(c.instrument, c.request.quantity, price) } else { None };
        let added = whole.map(|whole| (whole - current.old_value).max(0));
        Scope {
            extended,
            current,
            value: whole,
            added,
            margin,
            concentration_ppm: in_force[Parameter::ConcentrationPpm as usize],
            cell,
            buckets: Ok(()),
            user: Ok(()),
        }
    }

    fn parties(&self) -> impl Iterator<Item = &'a Party> + use<'a> {
        let extended = self.extended;
        self.current.involved.iter().map(move |place| &extended.parties[place])
    }
}

/// Control 5: where sessions have rows, the message comes from one, and its trader and desk are enabled.
pub fn check_party_above(enabled: bool) -> Check {
    if enabled { Ok(()) } else { Err(Breach::plain(5, ReasonCode::PartyNotAuthorised)) }
}

/// Control 6: the lists that bar orders can be read; without them only what adds no risk passes.
pub fn check_annex(is_missing: bool, request: Option<&Request<'_>>) -> Check {
    let adds_risk = request.is_none_or(|r| r.passed_as == super::passed_as::NEW_RISK);
    if is_missing && adds_risk { Err(Breach::plain(6, ReasonCode::InstrumentNotPermitted)) } else { Ok(()) }
}

/// Control 23, hard: no loss killed a level of this order.
pub fn check_loss_kill(extended: &Extended) -> Check {
    for place in extended.current.involved.iter() {
        let latch = &extended.parties[place].latch;
        if latch.id != 0 && latch.control == 23 {
            return Err(Breach::new(23, ReasonCode::LossLimit, latch.measured, latch.limit, Unit::Money));
        }
    }
    Ok(())
}

/// Control 6, short sale: a sell that would leave its account short needs permission, or a locate where that is enough.
pub fn check_short_sale(c: &Context<'_>) -> Check {
    let bounded = c.flags & (flag::NO_SHORT | flag::NEEDS_LOCATE);
    if bounded == 0 || c.request.is_buy || c.request.is_reduction() {
        return Ok(());
    }
    if c.cell.is_known == 0 {
        return Err(Breach::missing(6));
    }
    let left = c.cell.position.saturating_sub(c.cell.working_sell).saturating_sub(c.request.added);
    if left >= 0 || (bounded == flag::NEEDS_LOCATE && c.request.order.flags & LOCATED != 0) {
        return Ok(());
    }
    Err(Breach::new(6, ReasonCode::ShortSaleNotPermitted, left, 0, Unit::Lots))
}

/// Control 7, auctions: quantity and value within the auction's own maximum.
pub fn check_auction_size(c: &Context<'_>, s: &Scope<'_>) -> Check {
    if c.instrument.phase != Phase::PreOpen as u8 && c.instrument.phase != Phase::Auction as u8 {
        return Ok(());
    }
    let party = s.extended.parties_of_instrument(s.current);
    let (quantity, most) = (c.request.quantity, party.limit(LevelLimit::AuctionQuantity));
    if quantity > most {
        return Err(Breach::new(7, ReasonCode::PhaseNotPermitted, quantity, most, Unit::Lots));
    }
    let Some(most) = party.configured(LevelLimit::AuctionValue) else { return Ok(()) };
    let worth = s.value.ok_or(Breach::missing(7))?;
    if worth > i128::from(most) { Err(Breach::new(7, ReasonCode::PhaseNotPermitted, narrow(worth), most, Unit::Money)) } else { Ok(()) }
}

/// Control 8, quantity: within what the venue takes.
pub fn check_venue_size(c: &Context<'_>, s: &Scope<'_>) -> Check {
    let party = s.extended.parties_of_instrument(s.current);
    let quantity = c.request.order.quantity;
    let least = party.configured(LevelLimit::MinQuantity).unwrap_or(0);
    let most = party.limit(LevelLimit::MaxQuantity);
    if quantity < least {
        return Err(Breach::new(8, ReasonCode::IncorrectQuantity, quantity, least, Unit::Lots));
    }
    if quantity > most { Err(Breach::new(8, ReasonCode::IncorrectQuantity, quantity, most, Unit::Lots)) } else { Ok(()) }
}

/// Control 18 of strategy, trader and desk: the worst case of the side in the instrument stays within the maximum.
pub fn check_level_position(c: &Context<'_>, s: &Scope<'_>) -> Check {
    for place in s.current.involved.iter() {
        let party = &s.extended.parties[place];
        let most = if c.request.is_buy { party.position_max.0 } else { party.position_max.1 };
        let Some(book) = s.extended.book_of(place).filter(|_| most != UNLIMITED) else { continue };
        let (held, working) = if c.request.is_buy { (book.position, book.working_buy) } else { (book.position.saturating_neg(), book.working_sell) };
        let worst = c.request.added.saturating_add(held).saturating_add(working);
        if worst > most {
            return Err(Breach::new(18, ReasonCode::PositionExceedsLimit, worst, most, Unit::Lots));
        }
    }
    Ok(())
}

/// Control 42: the drop copy was heard, and says what we hold; else only what reduces both passes.
pub fn check_drop_copy(c: &Context<'_>, s: &Scope<'_>, cell: usize) -> Check {
    let Some(stray) = s.extended.drop_copy.stray(cell, c.request.now_mono) else { return Ok(()) };
    if c.request.is_reduction() {
        let working = if c.request.is_buy { c.cell.working_buy } else { c.cell.working_sell };
        let room = stray.stated.map_or(i64::MAX, |stated| if c.request.is_buy { stated.saturating_neg() } else { stated });
        if c.request.quantity.saturating_add(working) <= room {
            return Ok(());
        }
    }
    Err(match stray.stated {
        Some(stated) => Breach::new(42, ReasonCode::ReconciliationBreak, c.cell.position, stated, Unit::Lots),
        None => Breach::new(42, ReasonCode::ReconciliationBreak, stray.age, s.extended.drop_copy.most(), Unit::Nanoseconds),
    })
}

/// Control 43: the clock did not jump; where it did, every age is in doubt and only reductions pass.
pub fn check_clock(c: &Context<'_>, s: &Scope<'_>) -> Check {
    match s.extended.clock.jump() {
        Some(moved) if !c.request.is_reduction() => {
            Err(Breach::new(43, ReasonCode::ClockUnhealthy, moved, s.extended.clock.most(), Unit::Nanoseconds))
        }
        _ => Ok(()),
    }
}

/// Control 33: surveillance blocked nobody this order belongs to.
pub fn check_surveillance(is_blocked: bool) -> Check {
    if is_blocked { Err(Breach::plain(33, ReasonCode::SurveillanceBlock)) } else { Ok(()) }
}

/// Control 19: executed, working and this order within the gross and the net limit of every level, and within its credit.
pub fn check_exposure(c: &Context<'_>, s: &Scope<'_>) -> Check {
    for party in s.parties() {
        if let Some(most) = party.configured(LevelLimit::GrossExposure) {
            within(19, ReasonCode::ExposureExceedsLimit, gross(party, added(party, s)?), most)?;
        }
        if let Some(most) = party.configured(LevelLimit::NetExposure) {
            within(19, ReasonCode::ExposureExceedsLimit, net(c, party, added(party, s)?), most)?;
        }
    }
    Ok(())
}

/// Control 19, credit: gross exposure and what was lost this session within the credit of every level.
pub fn check_credit(s: &Scope<'_>) -> Check {
    for party in s.parties() {
        if let Some(most) = party.configured(LevelLimit::Credit) {
            within(19, ReasonCode::CreditExceedsLimit, credit(party, added(party, s)?), most)?;
        }
    }
    Ok(())
}

fn added(party: &Party, s: &Scope<'_>) -> Result<i128, Breach> {
    if party.exposure.unvalued > 0 {
        return Err(Breach::missing(19));
    }
    s.added.ok_or(Breach::missing(19))
}

fn gross(party: &Party, added: i128) -> i128 {
    let e = &party.exposure;
    e.gross + e.working_buy + e.working_sell + added
}

fn net(c: &Context<'_>, party: &Party, added: i128) -> i128 {
    let e = &party.exposure;
    if c.request.is_buy { e.net + e.working_buy + added } else { e.working_sell - e.net + added }
}

fn credit(party: &Party, added: i128) -> i128 {
    gross(party, added) + (-party.profit.realised).max(0)
}

fn within(control: u8, reason: ReasonCode, measured: i128, limit: i64) -> Check {
    if limit == UNLIMITED || measured <= i128::from(limit) {
        return Ok(());
    }
    Err(Breach::new(control, reason, narrow(measured), limit, Unit::Money))
}

/// Control 20: the session day and the rolling window of every level hold this message too; cancels and fills were counted.
pub fn check_accumulated(c: &Context<'_>, s: &Scope<'_>) -> Check {
    use LevelLimit::{
        DayCancels, DayOrders, DayQuantity, DayTrades, DayValue, WindowCancels, WindowOrders, WindowQuantity, WindowTrades, WindowValue,
    };
    const DAY: [LevelLimit; 5] = [DayValue, DayQuantity, DayOrders, DayCancels, DayTrades];
    const WINDOW: [LevelLimit; 5] = [WindowValue, WindowQuantity, WindowOrders, WindowCancels, WindowTrades];
    for party in s.parties() {
        for (counts, limits) in [(&party.day, DAY), (party.window.sum(), WINDOW)] {
            check_counts(c, s, party, counts, limits)?;
        }
    }
    Ok(())
}

fn check_counts(
    c: &Context<'_>,
    s: &Scope<'_>,
    party: &Party,
    counts: &Counts,
    [value, quantity, orders, cancels, trades]: [LevelLimit; 5],
) -> Check {
    let reason = ReasonCode::AccumulatedExceedsLimit;
    if let Some(most) = party.configured(value) {
        within(20, reason, counts.value + s.added.ok_or(Breach::missing(20))?, most)?;
    }
    let sums = [
        (quantity, counts.quantity.saturating_add(c.request.added), Unit::Lots),
        (orders, counts.orders + 1, Unit::Count),
        (cancels, counts.cancels, Unit::Count),
        (trades, counts.trades, Unit::Count),
    ];
    for (limit, sum, unit) in sums {
        let most = party.limit(limit);
        if sum > most {
            return Err(Breach::new(20, reason, sum, most, unit));
        }
    }
    Ok(())
}

/// Control 21: the margin the message adds is free on its account.
pub fn check_margin(s: &Scope<'_>) -> Check {
    for party in s.parties().filter(|p| p.level == Level::Account) {
        let Some(most) = party.configured(LevelLimit::Margin) else { continue };
        let (before, after) = s.margin.ok_or(Breach::missing(21))?;
        let used = party.margin - before + after;
        if after > before {
            within(21, ReasonCode::InsufficientMargin, used, most)?;
        }
    }
    Ok(())
}

/// Control 22: the worst case of one instrument within the concentration of every level, times what a model set.
pub fn check_concentration(c: &Context<'_>, s: &Scope<'_>) -> Check {
    let side = if c.request.is_buy { &c.instrument.bounds.buy } else { &c.instrument.bounds.sell };
    for party in s.parties() {
        let Some(most) = party.configured(LevelLimit::Concentration) else { continue };
        let (position, working) = match party.level {
            Level::Firm if c.request.is_buy => (c.instrument.position, c.instrument.working_buy),
            Level::Firm => (c.instrument.position, c.instrument.working_sell),
            Level::Account if c.request.is_buy => (c.cell.position, c.cell.working_buy),
            Level::Account => (c.cell.position, c.cell.working_sell),
            _ => continue,
        };
        let held = if c.request.is_buy { position } else { position.saturating_neg() };
        let worst = held.saturating_add(working).saturating_add(c.request.added);
        let worth = value(c.instrument, worst.max(0), side.reference).ok_or(Breach::missing(22))?;
        let most = scaled(most, s.concentration_ppm.clamp(0, i64::from(PPM)));
        within(22, ReasonCode::ConcentrationExceedsLimit, worth, most)?;
    }
    Ok(())
}

/// Control 23, soft: no level of this order lost more than its soft limit, and what it holds has a mark.
pub fn check_loss(s: &Scope<'_>) -> Check {
    let Some(party) = s.parties().find(|p| p.loss.is_soft) else { return Ok(()) };
    if party.loss == (Loss { is_soft: true, ..Loss::default() }) {
        return Err(Breach::missing(23));
    }
    Err(Breach::new(23, ReasonCode::LossLimit, party.loss.measured, party.loss.limit, Unit::Money))
}

/// Control 25: no level of this order waits for a human after too many executions.
pub fn check_execution_throttle(s: &Scope<'_>) -> Check {
    let Some(party) = s.parties().find(|p| p.latch.id != 0 && p.latch.control == 25) else { return Ok(()) };
    Err(Breach::new(25, ReasonCode::ExecutionThrottle, party.latch.measured, party.latch.limit, Unit::Count))
}

/// Control 29: messages per fill in the window, once there are enough messages.
pub fn check_order_to_trade(s: &Scope<'_>) -> Check {
    for party in s.parties() {
        let Some(most) = party.configured(LevelLimit::OrderToTrade) else { continue };
        let sum = party.window.sum();
        let messages = sum.orders + sum.cancels + 1;
        let ratio = messages / sum.trades.max(1);
        if messages >= party.configured(LevelLimit::OrderToTradeMessages).unwrap_or(0) && messages > most.saturating_mul(sum.trades.max(1)) {
            return Err(Breach::new(29, ReasonCode::OrderToTradeRatio, ratio.max(most.saturating_add(1)), most, Unit::Count));
        }
    }
    Ok(())
}

/// Control 30: the order would not trade with an own working order.
pub fn check_self_match(s: &Scope<'_>) -> Check {
    if !s.current.is_self_match {
        return Ok(());
    }
    Err(Breach::new(30, ReasonCode::SelfMatch, s.current.implied, s.current.own_price, Unit::Price))
}

/// Control 24 per minute: a token is left at every level, for new orders and for replaces apart.
pub fn check_minute_rate(c: &Context<'_>, s: &Scope<'_>) -> Check {
    for party in s.parties() {
        let (bucket, interval) =
            if c.request.is_replace { (&party.minute_replace, party.interval_replace) } else { (&party.minute_new, party.interval_new) };
        if !bucket.has_minute_token(interval, c.request.now_mono) {
            let limit = if interval == crate::rate::NEVER { 0 } else { crate::rate::MINUTE / interval.max(1) };
            return Err(Breach::new(24, ReasonCode::MessageRate, bucket.taken(interval, c.request.now_mono) + 1, limit, Unit::Count));
        }
    }
    Ok(())
}

/// Control 45: the control whose soft limit this order passes, 0 where none. Never a reason to refuse.
#[must_use]
pub fn soft_limit(c: &Context<'_>, s: &Scope<'_>) -> u8 {
    for party in s.parties() {
        let Some(ppm) = party.configured(LevelLimit::SoftLimitPpm) else { continue };
        let (Some(added), day) = (s.added, &party.day) else { continue };
        let measured = [
            (19, LevelLimit::GrossExposure, gross(party, added)),
            (19, LevelLimit::NetExposure, net(c, party, added)),
            (19, LevelLimit::Credit, credit(party, added)),
            (20, LevelLimit::DayValue, day.value + added),
            (20, LevelLimit::DayQuantity, i128::from(day.quantity) + i128::from(c.request.added)),
            (20, LevelLimit::DayOrders, i128::from(day.orders) + 1),
        ];
        for (control, limit, amount) in measured {
            let most = party.limit(limit);
            if most != UNLIMITED && amount * i128::from(PPM) >= i128::from(most) * i128::from(ppm) {
                return control;
            }
        }
    }
    0
}
