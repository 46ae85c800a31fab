// SPDX-License-Identifier: Apache-2.0
//! What the venue answers: the only inputs besides orders that move exposure.
use crate::gate::Gate;
use crate::orders::{LiveOrder, state};
use bytemuck::{Pod, Zeroable};
use pretrade_journal::RecordKind;
use pretrade_records::Side;

pub use pretrade_records::VenueKind;

/// One message of the venue, 64 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct VenueMessage {
    /// The order it is about.
    pub client_order_id: u64,
    /// The order a replace took the place of.
    pub original_client_order_id: u64,
    /// Executed quantity, or signed position.
    pub quantity: i64,
    /// Execution price.
    pub price: i64,
    /// Venue time, ns UTC.
    pub ts_event: i64,
    /// Session of the ids.
    pub session_id: u32,
    /// Instrument, needed where the order is not known.
    pub instrument_id: u32,
    /// Account, needed where the order is not known.
    pub account_id: u32,
    /// [`VenueKind`] code.
    pub kind: u8,
    /// [`Side`] code, needed for a fill of an unknown order.
    pub side: u8,
    /// Zero.
    pub pad: [u8; 10],
}

const _: () = assert!(core::mem::size_of::<VenueMessage>() == 64);

impl Gate {
    /// Journals a venue message, then acts on it. `false` where it names an order the gate does not know.
    pub fn on_venue(&mut self, message: &VenueMessage, now_mono: i64, now_utc: i64) -> bool {
        let message = self.priced(message);
        self.record(RecordKind::Venue, bytemuck::cast_slice(std::slice::from_ref(&message)), now_mono, now_utc);
        self.extended.observe(now_mono, now_utc);
        let is_known = self.apply_venue(&message);
        self.counters.unknown_venue += u64::from(!is_known);
        is_known
    }

    /// Acts on a venue message without journalling it: the undo of a timed loop, never part of trading.
    #[doc(hidden)]
    pub fn undo(&mut self, message: &VenueMessage) -> bool {
        self.apply_venue(message)
    }

    /// A stated position without a price is held at the mid of the last good quotes; the journal says so.
    fn priced(&self, m: &VenueMessage) -> VenueMessage {
        let is_due = self.extended.is_on && m.kind == VenueKind::Position as u8 && m.price == 0;
        let price = self.instrument_index.get(m.instrument_id).filter(|_| is_due).and_then(|at| self.mid(at));
        VenueMessage { price: price.unwrap_or(m.price), ..*m }
    }

    pub(crate) fn apply_venue(&mut self, m: &VenueMessage) -> bool {
        if self.extended.is_on { self.apply_venue_extended(m) } else { self.apply_message(m) }
    }

    pub(crate) fn apply_message(&mut self, m: &VenueMessage) -> bool {
        let Ok(kind) = VenueKind::try_from(m.kind) else { return false };
        match kind {
            VenueKind::Position => return self.set_position(m),
            VenueKind::DropCopy => return self.compare_position(m),
            _ => {}
        }
        let id = match kind {
            VenueKind::Replaced | VenueKind::ReplaceRejected if m.original_client_order_id != 0 => m.original_client_order_id,
            _ => m.client_order_id,
        };
        let Some(order) = self.find_order(id, m.session_id) else {
            return kind == VenueKind::Filled && self.fill_unknown(m);
        };
        if !self.is_about(m, &order) {
            // Another order of the same number, of another session or gateway: whose fill it is nobody can say.
            return kind == VenueKind::Filled && self.fill_unknown(m);
        }
        let is_alias = order.client_order_id != id;
        match kind {
            VenueKind::Acknowledged | VenueKind::Position | VenueKind::DropCopy => {}
            VenueKind::Filled => self.fill(order, m.quantity.max(0)),
            // The id of a replace that is still pending: the replace is gone, the order it was to change lives on.
            VenueKind::Rejected if is_alias => self.refuse_replace(order),
            VenueKind::Cancelled if is_alias => return false,
            VenueKind::Cancelled | VenueKind::Rejected => self.finish(order),
            VenueKind::Replaced => self.replace(order),
            VenueKind::ReplaceRejected => self.refuse_replace(order),
            VenueKind::CancelRejected => {
                if order.state == state::PENDING_CANCEL {
                    self.orders.insert(LiveOrder { state: state::WORKING, ..order });
                }
            }
        }
        true
    }

    /// What a message says of instrument, account and side (0 = nothing) agrees with the order.
    pub(crate) fn is_about(&self, m: &VenueMessage, order: &LiveOrder) -> bool {
        (m.instrument_id == 0 || self.instrument_index.get(m.instrument_id) == Some(order.instrument as usize))
            && (m.account_id == 0 || self.account_index.get(m.account_id) == Some(usize::from(order.account)))
            && (m.side == Side::None as u8 || m.side == order.side)
    }

    /// The order behind an id or behind the id of a pending replace.
    pub(crate) fn find_order(&self, id: u64, session: u32) -> Option<LiveOrder> {
        let order = *self.orders.get(id, session)?;
        if order.state == state::ALIAS { self.orders.get(order.other_id, session).copied() } else { Some(order) }
    }

    fn fill(&mut self, order: LiveOrder, quantity: i64) {
        let released = quantity.min(order.counted);
        self.move_position(&order, quantity);
        self.move_working(&order, -released);
        let left = LiveOrder { leaves: (order.leaves - quantity.min(order.leaves)), counted: order.counted - released, ..order };
        // While a replace is pending an order filled to the end may still grow.
        if left.leaves == 0 && left.state != state::PENDING_REPLACE { self.finish(left) } else { self.orders.insert(left) }
    }

    fn replace(&mut self, order: LiveOrder) {
        let Some(alias) = (order.state == state::PENDING_REPLACE).then(|| self.orders.get(order.other_id, order.session_id).copied()).flatten()
        else {
            return;
        };
        let filled = order.quantity - order.leaves;
        let leaves = (alias.quantity - filled).max(0);
        self.move_working(&order, leaves - order.counted);
        self.orders.remove(order.client_order_id, order.session_id);
        let replaced = LiveOrder {
            client_order_id: alias.client_order_id,
            state: state::WORKING,
            order_type: alias.order_type,
            time_in_force: alias.time_in_force,
            price: alias.price,
            quantity: alias.quantity,
            leaves,
            counted: leaves,
            other_id: 0,
            ..order
        };
        self.orders.insert(replaced);
        if leaves == 0 {
            self.finish(replaced);
        }
    }

    fn refuse_replace(&mut self, order: LiveOrder) {
        if order.state != state::PENDING_REPLACE {
            return;
        }
        self.orders.remove(order.other_id, order.session_id);
        self.move_working(&order, order.leaves - order.counted);
        let restored = LiveOrder { state: state::WORKING, counted: order.leaves, other_id: 0, ..order };
        if restored.leaves == 0 { self.finish(restored) } else { self.orders.insert(restored) }
    }

    fn finish(&mut self, order: LiveOrder) {
        self.move_working(&order, -order.counted);
        if order.state == state::PENDING_REPLACE {
            self.orders.remove(order.other_id, order.session_id);
        }
        self.orders.remove(order.client_order_id, order.session_id);
        self.count_open(&order, -1);
    }

    #[inline(always)]
    pub(crate) fn count_open(&mut self, order: &LiveOrder, by: i64) {
        let instrument = &mut self.instruments[order.instrument as usize];
        instrument.open_orders = instrument.open_orders.saturating_add_signed(by as i32);
        self.accounts[usize::from(order.account)].open_orders += by;
        self.strategies[usize::from(order.strategy)].open_orders += by;
        self.firm.open_orders += by;
        if self.extended.is_on {
            self.count_open_above(order, by);
        }
    }

    #[inline(always)]
    pub(crate) fn move_working(&mut self, order: &LiveOrder, by: i64) {
        let at = self.cell_at(order.instrument as usize, usize::from(order.account));
        let (cell, instrument) = (&mut self.cells[at], &mut self.instruments[order.instrument as usize]);
        let (of_account, of_all) = if order.side == Side::BUY as u8 {
            (&mut cell.working_buy, &mut instrument.working_buy)
        } else {
            (&mut cell.working_sell, &mut instrument.working_sell)
        };
        *of_account = of_account.saturating_add(by);
        *of_all = of_all.saturating_add(by);
    }

    fn move_position(&mut self, order: &LiveOrder, quantity: i64) {
        let at = self.cell_at(order.instrument as usize, usize::from(order.account));
        let signed = if order.side == Side::BUY as u8 { quantity } else { quantity.saturating_neg() };
        self.cells[at].position = self.cells[at].position.saturating_add(signed);
        self.settle_break(at);
        let instrument = &mut self.instruments[order.instrument as usize];
        instrument.position = instrument.position.saturating_add(signed);
    }

    fn fill_unknown(&mut self, m: &VenueMessage) -> bool {
        let (Some(i), Some(a)) = (self.instrument_index.get(m.instrument_id), self.account_index.get(m.account_id)) else { return false };
        if Side::try_from(m.side).unwrap_or(Side::None) == Side::None {
            // Position of the cell can no longer be trusted.
            let at = self.cell_at(i, a);
            self.cells[at].is_known = 0;
            return false;
        }
        let order = LiveOrder { instrument: i as u32, account: a as u16, side: m.side, ..Default::default() };
        self.move_position(&order, m.quantity.max(0));
        false
    }

    fn set_position(&mut self, m: &VenueMessage) -> bool {
        let (Some(i), Some(a)) = (self.instrument_index.get(m.instrument_id), self.account_index.get(m.account_id)) else { return false };
        let at = self.cell_at(i, a);
        let change = m.quantity.saturating_sub(self.cells[at].position);
        (self.cells[at].position, self.cells[at].is_known) = (m.quantity, 1);
        self.settle_break(at);
        self.instruments[i].position = self.instruments[i].position.saturating_add(change);
        true
    }
}
