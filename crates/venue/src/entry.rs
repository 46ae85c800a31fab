// SPDX-License-Identifier: Apache-2.0
//! Direct order entry: order records in, answers and executions out, as the venue tells each owner of its own orders alone.
use crate::engine::Handle;
use crate::market::Market;
use pretrade_records::order::{Action, POST_ONLY};
use pretrade_records::{Event, EventFlags, EventKind, Order, OrderType, Phase, Side, TimeInForce, VenueKind};
use std::collections::HashMap;

/// Furthest an outside market order walks, ticks.
const PROTECTION: i32 = 40;

/// Whose order: owner, session, client order id.
type Key = (u32, u32, u64);

/// The order-entry side of a simulated market.
pub struct Entry {
    /// The market behind it.
    pub market: Market,
    tick_size: i64,
    /// By owner, session and client order id. The quantity of an order counts what was filled before a replace.
    working: HashMap<Key, (Order, Handle)>,
    /// Reports by owner, not yet taken.
    untold: HashMap<u32, Vec<Event>>,
    /// Signed position of (account, instrument): every outside fill so far.
    positions: HashMap<(u32, u32), i64>,
}

impl Entry {
    /// Order entry of a market whose prices are multiples of `tick_size`.
    #[must_use]
    pub fn new(market: Market, tick_size: i64) -> Self {
        Self { market, tick_size, working: HashMap::new(), untold: HashMap::new(), positions: HashMap::new() }
    }

    /// Enters one outside order of an owner now; the answer waits in [`Entry::reports`].
    pub fn submit(&mut self, order: &Order, owner: u32) {
        self.note_fills();
        self.enter(order, owner);
    }

    /// What an owner has not been told yet.
    pub fn reports(&mut self, owner: u32) -> Vec<Event> {
        self.note_fills();
        self.untold.remove(&owner).unwrap_or_default()
    }

    /// Takes everything an owner has working out of the book; nobody is told. Returns how many orders.
    pub fn withdraw(&mut self, owner: u32) -> usize {
        self.note_fills();
        let mut keys: Vec<(u64, Key)> = self.working.iter().filter(|(key, _)| key.0 == owner).map(|(key, (_, h))| (h.order_id, *key)).collect();
        keys.sort_unstable();
        for (_, key) in &keys {
            if let Some((_, handle)) = self.working.remove(key) {
                self.market.cancel(handle);
            }
        }
        self.untold.remove(&owner);
        keys.len()
    }

    /// Signed position of an account in an instrument: the sum of its fills here.
    pub fn position(&mut self, account_id: u32, instrument_id: u32) -> i64 {
        self.note_fills();
        self.positions.get(&(account_id, instrument_id)).copied().unwrap_or(0)
    }

    fn enter(&mut self, order: &Order, owner: u32) {
        match Action::try_from(order.action) {
            Ok(Action::New) => self.enter_new(order, owner),
            Ok(Action::Replace) => self.enter_replace(order, owner),
            Ok(Action::Cancel) => self.enter_cancel(order, owner),
            Err(_) => self.answer(owner, order, VenueKind::Rejected, 0),
        }
    }

    /// True where the venue's state takes such an order: resting ones alone while it collects, none when it is closed.
    fn admits(&self, rests: bool) -> bool {
        match self.market.engine.phase() {
            Phase::Continuous | Phase::LimitLocked => true,
            Phase::PreOpen | Phase::Halted => rests,
            _ => false,
        }
    }

    fn enter_cancel(&mut self, order: &Order, owner: u32) {
        if self.market.engine.phase() == Phase::Closed {
            return self.answer(owner, &Order { client_order_id: order.original_client_order_id, ..*order }, VenueKind::CancelRejected, 0);
        }
        match self.working.remove(&(owner, order.session_id, order.original_client_order_id)) {
            Some((known, handle)) => {
                self.market.cancel(handle);
                self.answer(owner, &known, VenueKind::Cancelled, 0);
            }
            // The answer is about the order that was to be cancelled: a cancel has no life of its own.
            None => self.answer(owner, &Order { client_order_id: order.original_client_order_id, ..*order }, VenueKind::CancelRejected, 0),
        }
    }

    /// Price in ticks: an order off the tick grid has none and is refused; a market order walks a protected way.
    fn tick_of(&self, order: &Order, side: Side) -> Option<i32> {
        if order.order_type == OrderType::Market as u8 {
            return match side {
                Side::Ask => self.market.engine.best_bid().map(|t| t - PROTECTION),
                _ => self.market.engine.best_ask().map(|t| t + PROTECTION),
            };
        }
        (order.price % self.tick_size == 0).then(|| i32::try_from(order.price / self.tick_size).ok()).flatten()
    }

    fn enter_new(&mut self, order: &Order, owner: u32) {
        let side = Side::try_from(order.side).unwrap_or(Side::None);
        let key = (owner, order.session_id, order.client_order_id);
        if self.working.contains_key(&key) {
            // An answer under this id would be taken for one about the order that works.
            return;
        }
        let is_sound = side != Side::None && order.quantity > 0;
        let Some(tick) = self.tick_of(order, side).filter(|_| is_sound) else {
            return self.answer(owner, order, VenueKind::Rejected, 0);
        };
        let is_fok = order.time_in_force == TimeInForce::FillOrKill as u8;
        let is_market = order.order_type == OrderType::Market as u8;
        let rests = !(is_market || is_fok || order.time_in_force == TimeInForce::ImmediateOrCancel as u8);
        if !self.admits(rests) {
            return self.answer(owner, order, VenueKind::Rejected, 0);
        }
        let takeable = self.market.engine.takeable(side, tick, order.quantity);
        if order.flags & POST_ONLY != 0 && takeable > 0 {
            return self.answer(owner, order, VenueKind::Rejected, 0);
        }
        self.answer(owner, order, VenueKind::Acknowledged, order.quantity);
        if is_fok && takeable < order.quantity {
            return self.answer(owner, order, VenueKind::Cancelled, 0);
        }
        let (prints, handle) = self.market.enter_for(order.account_id, side, tick, order.quantity, rests);
        self.executed(owner, order, &prints);
        let left = handle.map_or(0, |h| self.market.engine.resting(h));
        if let Some(handle) = handle.filter(|_| left > 0) {
            self.working.insert(key, (*order, handle));
        } else if prints.iter().map(|(_, size)| size).sum::<i64>() < order.quantity {
            self.answer(owner, order, VenueKind::Cancelled, 0);
        }
    }

    /// The new quantity counts what was filled before; with nothing left of it the order is done.
    fn enter_replace(&mut self, order: &Order, owner: u32) {
        let key = (owner, order.session_id, order.original_client_order_id);
        let known = self.working.get(&key).copied().filter(|(_, handle)| self.market.engine.resting(*handle) > 0);
        let Some((known, handle)) = known else {
            return self.answer(owner, order, VenueKind::ReplaceRejected, 0);
        };
        // Only id, price, quantity and type change: account and side of the order stay, whatever the message says.
        let order =
            Order { side: known.side, account_id: known.account_id, strategy_id: known.strategy_id, instrument_id: known.instrument_id, ..*order };
        let resting = self.market.engine.resting(handle);
        let tick = self.tick_of(&order, Side::try_from(known.side).unwrap_or(Side::None)).filter(|t| self.market.engine.is_on_ladder(*t));
        let (Some(tick), true) = (tick, order.quantity > 0 && self.admits(true)) else {
            return self.answer(owner, &order, VenueKind::ReplaceRejected, resting);
        };
        self.working.remove(&key);
        let leaves = (order.quantity - (known.quantity - resting)).max(0);
        self.answer(owner, &order, VenueKind::Replaced, leaves);
        if leaves == 0 {
            self.market.cancel(handle);
            return;
        }
        let (prints, handle) = self.market.replace(handle, tick, leaves);
        self.executed(owner, &order, &prints);
        if let Some(handle) = handle.filter(|h| self.market.engine.resting(*h) > 0) {
            self.working.insert((owner, order.session_id, order.client_order_id), (order, handle));
        }
    }

    /// Takes in the fills of outside orders that rested.
    fn note_fills(&mut self) {
        for fill in self.market.outside_fills() {
            let known = self.working.iter().find(|(_, (_, h))| h.order_id == fill.order_id).map(|(key, (order, _))| (key.0, *order));
            if let Some((owner, order)) = known {
                self.executed_at(owner, &order, (fill.tick, fill.size), fill.ts);
            }
        }
        // Only now: several of these fills may be of one order.
        self.working.retain(|_, (_, handle)| self.market.engine.resting(*handle) > 0);
    }

    fn executed(&mut self, owner: u32, order: &Order, prints: &[(i32, i64)]) {
        for print in prints {
            self.executed_at(owner, order, *print, self.market.now());
        }
    }

    fn executed_at(&mut self, owner: u32, order: &Order, (tick, size): (i32, i64), ts: i64) {
        let signed = if order.side == Side::Ask as u8 { -size } else { size };
        *self.positions.entry((order.account_id, order.instrument_id)).or_default() += signed;
        let price = i64::from(tick) * self.tick_size;
        let report = Event { kind: EventKind::OwnExecution as u8, price, ts_event: ts, ..self.report(order, VenueKind::Filled, size) };
        self.untold.entry(owner).or_default().push(report);
    }

    fn answer(&mut self, owner: u32, order: &Order, said: VenueKind, size: i64) {
        let report = self.report(order, said, size);
        self.untold.entry(owner).or_default().push(report);
    }

    fn report(&self, order: &Order, said: VenueKind, size: i64) -> Event {
        let now = self.market.now();
        Event {
            ts_event: now,
            ts_recv: now,
            order_id: order.client_order_id,
            price: 0,
            size,
            sequence: u64::from(order.session_id),
            aux: u64::from(order.strategy_id) << 32 | u64::from(order.account_id),
            instrument_id: order.instrument_id,
            kind: EventKind::OwnOrder as u8,
            side: order.side,
            flags: EventFlags::answering(said as u8),
        }
    }
}
