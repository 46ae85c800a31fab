// SPDX-License-Identifier: Apache-2.0
//! What a border may look at between messages: live orders, and the posture of an instrument.
use crate::gate::Gate;
use crate::orders::LiveOrder;

/// What is in force for an instrument, as alerts tell it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Posture {
    /// [`pretrade_records::Tier`] code.
    pub tier: u8,
    /// The breaker is latched.
    pub is_tripped: bool,
    /// Anomaly score, NaN where none.
    pub score: f32,
    /// Version of the limits in force.
    pub version: u64,
    /// Latched trip, 0 where none.
    pub trip_id: u64,
}

impl Gate {
    /// The live order behind an id, or behind the id of a pending replace.
    #[must_use]
    pub fn live_order(&self, client_order_id: u64, session_id: u32) -> Option<LiveOrder> {
        self.find_order(client_order_id, session_id)
    }

    /// Every live order.
    pub fn live_orders(&self) -> impl Iterator<Item = &LiveOrder> {
        self.orders.iter()
    }

    /// True where this client order id was decided before, in this life or an earlier one.
    #[must_use]
    pub fn is_decided(&self, client_order_id: u64, session_id: u32) -> bool {
        self.ids.contains(client_order_id, session_id)
    }

    /// Instrument id and account id of a live order.
    #[must_use]
    pub fn owner_of(&self, order: &LiveOrder) -> (u32, u32) {
        (self.cold[order.instrument as usize].instrument_id, self.accounts[usize::from(order.account)].id)
    }

    /// What is in force for an instrument.
    #[must_use]
    pub fn posture(&self, instrument_id: u32) -> Option<Posture> {
        let i = &self.instruments[self.instrument_index.get(instrument_id)?];
        let is_tripped = i.flags & crate::state::flag::TRIPPED != 0;
        Some(Posture { tier: i.tier, is_tripped, score: i.score, version: i.version, trip_id: i.trip_id })
    }
}
