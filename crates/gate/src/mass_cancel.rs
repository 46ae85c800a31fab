// SPDX-License-Identifier: Apache-2.0
//! Controls 38 and 40: what a kill, a trip or a lost session takes out of the venue, asked for again until each order is confirmed.
use crate::decide::Approved;
use crate::gate::Gate;
use crate::options::MassCancel;
use crate::orders::{LiveOrder, state};
use crate::state::flag;
use pretrade_records::units::NS_PER_S;
use pretrade_records::{Action, Order, TimeInForce, Verdict};
use std::collections::HashMap;

/// Bit that marks the ids of cancels the gate asks for itself.
pub const OWN_CANCEL: u64 = 1 << 63;
/// How long a cancel may stay unanswered before it is asked for again.
const AGAIN_NS: i64 = NS_PER_S;
/// From so many requests on an order is a human's to see.
const ASKED: u32 = 3;

/// What was asked for, and who is gone.
#[derive(Debug, Default)]
pub struct Cancelling {
    /// By order: when it was asked for last, and how often.
    asked: HashMap<(u64, u32), (i64, u32)>,
    /// Sessions whose sender is gone, and since when.
    lost: HashMap<u32, i64>,
}

impl Gate {
    /// The sender of a session is gone (38).
    pub fn disconnect(&mut self, session_id: u32, now_mono: i64) {
        self.cancelling.lost.entry(session_id).or_insert(now_mono);
    }

    /// The sender of a session is back before its orders were all cancelled.
    pub fn reconnect(&mut self, session_id: u32) {
        self.cancelling.lost.remove(&session_id);
    }

    /// Cancels that are due now, each decided and journalled; to be sent at once. Ask after every [`Gate::poll`].
    pub fn due_cancels(&mut self, now_mono: i64, now_utc: i64) -> Vec<Approved<Order>> {
        let is_off = self.options.mass_cancel == MassCancel::Off && self.cancelling.lost.is_empty();
        if is_off || self.is_poisoned {
            self.cancelling.asked.clear();
            return Vec::new();
        }
        let stopped: Vec<LiveOrder> = self.orders.iter().filter(|order| self.is_stopped(order, now_mono)).copied().collect();
        let is_there = |key: &(u64, u32)| stopped.iter().any(|o| (o.client_order_id, o.session_id) == *key);
        self.cancelling.asked.retain(|key, _| is_there(key));
        stopped.iter().filter_map(|order| self.ask(order, now_mono, now_utc)).collect()
    }

    /// Orders whose cancel was asked for again and again and is not confirmed, by id and session.
    #[must_use]
    pub fn unconfirmed_cancels(&self) -> Vec<(u64, u32)> {
        let mut keys: Vec<_> = self.cancelling.asked.iter().filter(|(_, (_, times))| *times >= ASKED).map(|(key, _)| *key).collect();
        keys.sort_unstable();
        keys
    }

    fn ask(&mut self, live: &LiveOrder, now_mono: i64, now_utc: i64) -> Option<Approved<Order>> {
        let key = (live.client_order_id, live.session_id);
        let (last, times) = self.cancelling.asked.get(&key).copied().unwrap_or((now_mono - AGAIN_NS, 0));
        if now_mono.saturating_sub(last) < AGAIN_NS {
            return None;
        }
        self.cancelling.asked.insert(key, (now_mono, times + 1));
        let (instrument_id, account_id) = self.owner_of(live);
        let order = Order {
            client_order_id: live.client_order_id | OWN_CANCEL,
            original_client_order_id: live.client_order_id,
            ts_event: now_utc,
            session_id: live.session_id,
            instrument_id,
            account_id,
            side: live.side,
            action: Action::Cancel as u8,
            ..Order::default()
        };
        let decision = self.decide(&order, now_mono, now_utc);
        (decision.verdict == Verdict::Accept as u8).then(|| Approved::made(order))
    }

    /// True where a kill, a trip or a lost session stands over a live order that is at the venue.
    fn is_stopped(&self, order: &LiveOrder, now_mono: i64) -> bool {
        if order.state == state::HELD {
            return false;
        }
        let grace = self.options.disconnect_grace_ns;
        if grace >= 0 && self.cancelling.lost.get(&order.session_id).is_some_and(|since| now_mono.saturating_sub(*since) >= grace) {
            return true;
        }
        let is_meant = match self.options.mass_cancel {
            MassCancel::Off => false,
            MassCancel::Day => order.time_in_force != TimeInForce::GoodTillCancel as u8,
            MassCancel::All => true,
        };
        let instrument = self.instruments[order.instrument as usize].flags;
        let above = self.accounts[usize::from(order.account)].flags
            | self.strategies[usize::from(order.strategy)].flags
            | self.firm.flags
            | self.extended.flags_of(order.session_id);
        is_meant && (self.controls.kill_word() != 0 || (instrument | above) & flag::KILLED != 0 || instrument & flag::TRIPPED != 0)
    }
}
