// SPDX-License-Identifier: Apache-2.0
//! HOLD (control 41): flagged orders wait for a named person. Every end of a wait is journalled as the action, then as a decision.
use crate::breach::Breach;
use crate::decide::Approved;
use crate::gate::Gate;
use crate::orders::state;
use crate::state::flag;
use bytemuck::{Pod, Zeroable};
use pretrade_journal::RecordKind;
use pretrade_records::{Action, Decision, Order, OrderType, ReasonCode, Side, Verdict};

/// Orders that may wait at once; one more is refused.
pub const MOST_HELD: usize = 1_024;
/// A wait that began before every clock: of an earlier boot, over at the next look.
const LONG_AGO: i64 = i64::MIN / 4;

/// One waiting order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Held {
    /// The order, as it would be sent.
    pub order: Order,
    /// The HOLD.
    pub decision: Decision,
    /// Monotonic ns at which the wait began.
    pub mono: i64,
}

/// What was done to a held order, in the gate journal; 40 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct HoldAction {
    /// The order.
    pub client_order_id: u64,
    /// Entry of the control journal that names the persons; [`u64::MAX`] where no person acted.
    pub entry: u64,
    /// Quantity released; 0 where the order was refused.
    pub quantity: i64,
    /// Session of the order.
    pub session_id: u32,
    /// [`ReasonCode`] code of a refusal, 0 of a release.
    pub reason: u8,
    /// Persons who acted.
    pub persons: u8,
    /// Zero.
    pub pad: [u8; 10],
}

const _: () = assert!(size_of::<HoldAction>() == 40);

/// Who releases, as the control journal recorded it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reviewed {
    /// Entry of the control journal.
    pub entry: u64,
    /// When it was recorded, ns UTC: an action older than the hold is about another order.
    pub ts: i64,
    /// Different persons named.
    pub persons: u8,
}

/// What became of an action on a held order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HoldOutcome {
    /// Nobody waits under that id, or not since before the action.
    Unknown,
    /// The order is large: a second person must release it. It still waits.
    NeedsSecond,
    /// A reviewer may only lower the quantity. It still waits.
    NotLower,
    /// The wait is over; what was accepted may be sent.
    Decided(Decision, Option<Approved<Order>>),
}

impl Gate {
    /// Orders that wait, oldest first.
    #[must_use]
    pub fn holds(&self) -> &[Held] {
        &self.held
    }

    /// Waits that ended without a person since last asked, the newest 1,024: timed out, or stopped by a kill or a trip.
    pub fn take_resolved(&mut self) -> Vec<Decision> {
        std::mem::take(&mut self.resolved)
    }

    /// As [`Gate::take_resolved`], at most `most` of them, oldest first.
    pub fn take_some_resolved(&mut self, most: usize) -> Vec<Decision> {
        self.resolved.drain(..most.min(self.resolved.len())).collect()
    }

    /// True where the order's value needs two persons to release it.
    #[must_use]
    pub fn needs_second(&self, held: &Held, quantity: i64) -> bool {
        self.value_of(&held.order, quantity) > u128::from(self.options.hold_second_notional.unsigned_abs())
    }

    /// Releases a held order, with a lower quantity where one is given: every control runs again on present limits and prices,
    /// only the one that flagged it is waived, and any breach rejects.
    pub fn release_hold(
        &mut self,
        client_order_id: u64,
        session_id: u32,
        quantity: Option<i64>,
        by: Reviewed,
        now_mono: i64,
        now_utc: i64,
    ) -> HoldOutcome {
        let Some(held) = self.waiting(client_order_id, session_id, by.ts) else { return HoldOutcome::Unknown };
        let quantity = quantity.unwrap_or(held.order.quantity);
        if quantity <= 0 || quantity > held.order.quantity {
            return HoldOutcome::NotLower;
        }
        if by.persons < 2 && self.needs_second(&held, quantity) {
            return HoldOutcome::NeedsSecond;
        }
        let order = Order { quantity, ..held.order };
        self.record_hold(&held, &HoldAction { entry: by.entry, quantity, persons: by.persons, ..action_on(&held) }, now_mono, now_utc);
        self.unhold(client_order_id, session_id);
        let mut decision = Decision::default();
        self.decide_again(&order, held.decision.control, now_utc.saturating_sub(held.decision.ts_decision), now_mono, now_utc, &mut decision);
        HoldOutcome::Decided(decision, Approved::of(&order, &decision))
    }

    /// Refuses a held order for a closed reason: `HOLD_REFUSED` by a reviewer, `CLIENT_DISCONNECTED` when its sender left.
    pub fn refuse_hold(
        &mut self,
        client_order_id: u64,
        session_id: u32,
        reason: ReasonCode,
        by: Option<Reviewed>,
        now_mono: i64,
        now_utc: i64,
    ) -> HoldOutcome {
        let Some(held) = self.waiting(client_order_id, session_id, by.map_or(i64::MAX, |by| by.ts)) else { return HoldOutcome::Unknown };
        HoldOutcome::Decided(self.end_hold(&held, control_of(reason), reason, by, now_mono, now_utc), None)
    }

    /// Ends waits that may not go on: too long, killed, tripped. Called by [`Gate::poll`].
    pub(crate) fn watch_holds(&mut self, now_mono: i64, now_utc: i64) {
        let over: Vec<(Held, ReasonCode)> = self.held.iter().filter_map(|held| Some((*held, self.why_over(held, now_mono)?))).collect();
        for (held, reason) in over {
            let decision = self.end_hold(&held, control_of(reason), reason, None, now_mono, now_utc);
            // Somebody who never asks loses the oldest: the journal has them all.
            if self.resolved.len() >= MOST_HELD {
                self.resolved.remove(0);
            }
            self.resolved.push(decision);
        }
    }

    fn why_over(&self, held: &Held, now_mono: i64) -> Option<ReasonCode> {
        let instrument = self.instrument_index.get(held.order.instrument_id).map_or(0, |at| self.instruments[at].flags);
        let account = self.account_index.get(held.order.account_id).map_or(0, |at| self.accounts[at].flags);
        let strategy = self.strategies[self.strategy_index.get(held.order.strategy_id).unwrap_or(0)].flags;
        if self.controls.kill_word() != 0
            || (instrument | account | strategy | self.firm.flags | self.extended.flags_of(held.order.session_id)) & flag::KILLED != 0
        {
            return Some(ReasonCode::KillSwitch);
        }
        if instrument & flag::TRIPPED != 0 {
            return Some(ReasonCode::BreakerTripped);
        }
        let waited = now_mono.saturating_sub(held.mono);
        (waited >= self.options.hold_timeout_ns).then_some(ReasonCode::HoldExpired)
    }

    fn end_hold(&mut self, held: &Held, control: u8, reason: ReasonCode, by: Option<Reviewed>, now_mono: i64, now_utc: i64) -> Decision {
        let (entry, persons) = by.map_or((u64::MAX, 0), |by| (by.entry, by.persons));
        self.record_hold(held, &HoldAction { entry, persons, reason: reason as u8, ..action_on(held) }, now_mono, now_utc);
        self.unhold(held.order.client_order_id, held.order.session_id);
        self.conclude_hold(&held.order, Breach::plain(control, reason), now_mono, now_utc)
    }

    /// Puts an order among the waiting; `false` where there is no room. Never grows: the room was made at the start.
    pub(crate) fn keep_held(&mut self, order: &Order, decision: &Decision, mono: i64) -> bool {
        if self.held.len() >= MOST_HELD {
            return false;
        }
        self.held.push(Held { order: *order, decision: *decision, mono });
        true
    }

    /// Takes an order out of the waiting and out of the count of live orders; `None` where it does not wait.
    pub(crate) fn unhold(&mut self, client_order_id: u64, session_id: u32) -> Option<Held> {
        let place = self.held.iter().position(|h| h.order.client_order_id == client_order_id && h.order.session_id == session_id)?;
        let held = self.held.remove(place);
        if let Some(live) = self.orders.get(client_order_id, session_id).copied().filter(|live| live.state == state::HELD) {
            self.orders.remove(client_order_id, session_id);
            self.count_open(&live, -1);
        }
        Some(held)
    }

    /// A held order whose client cancelled it.
    pub(crate) fn forget_held(&mut self, client_order_id: u64, session_id: u32) {
        self.held.retain(|h| h.order.client_order_id != client_order_id || h.order.session_id != session_id);
    }

    /// Waits of another boot are over.
    pub(crate) fn age_holds(&mut self) {
        self.held.iter_mut().for_each(|held| held.mono = LONG_AGO);
    }

    fn waiting(&self, client_order_id: u64, session_id: u32, acted: i64) -> Option<Held> {
        let is_it = |h: &&Held| h.order.client_order_id == client_order_id && h.order.session_id == session_id;
        self.held.iter().find(is_it).filter(|h| h.decision.ts_decision <= acted).copied()
    }

    fn record_hold(&mut self, held: &Held, action: &HoldAction, now_mono: i64, now_utc: i64) {
        debug_assert_eq!(held.order.client_order_id, action.client_order_id);
        self.record(RecordKind::Hold, bytemuck::cast_slice(std::slice::from_ref(action)), now_mono, now_utc);
    }

    /// Lots x ticks x value, as control 13 values it; an unknown instrument is worth everything.
    fn value_of(&self, order: &Order, quantity: i64) -> u128 {
        let Some(at) = self.instrument_index.get(order.instrument_id) else { return u128::MAX };
        let i = &self.instruments[at];
        let bounds = if order.side == Side::BUY as u8 { &i.bounds.buy } else { &i.bounds.sell };
        let price = if order.order_type == OrderType::Market as u8 { bounds.opposite_touch } else { order.price };
        let ticks = price.unsigned_abs().div_ceil(i.tick_size.unsigned_abs().max(1));
        let lots = quantity.unsigned_abs().div_ceil(i.lot_size.unsigned_abs().max(1));
        (u128::from(lots) * u128::from(ticks)).saturating_mul(u128::from(i.value_per_tick_lot.unsigned_abs()))
    }
}

fn action_on(held: &Held) -> HoldAction {
    HoldAction { client_order_id: held.order.client_order_id, session_id: held.order.session_id, ..Default::default() }
}

/// The control a refusal belongs to.
fn control_of(reason: ReasonCode) -> u8 {
    match reason {
        ReasonCode::KillSwitch => 1,
        ReasonCode::BreakerTripped => 2,
        ReasonCode::ClientDisconnected => 38,
        _ => 41,
    }
}

impl Approved<Order> {
    /// The approval of an accepted new order or replace; a refused one has none.
    fn of(order: &Order, decision: &Decision) -> Option<Self> {
        let is_sent = decision.verdict == Verdict::Accept as u8 && order.action != Action::Cancel as u8;
        is_sent.then(|| Approved::made(*order))
    }
}
