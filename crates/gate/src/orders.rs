// SPDX-License-Identifier: Apache-2.0
//! Live orders by client order id: everything sent and not yet finished, in one preallocated open-addressing table.
use bytemuck::Zeroable;
use pretrade_shm::memory::{PrivateMemory, prefetch_for_write};

/// States of a [`LiveOrder`].
pub mod state {
    /// No order here.
    pub const EMPTY: u8 = 0;
    /// Sent: unacknowledged or working.
    pub const WORKING: u8 = 1;
    /// A cancel was forwarded and not answered; counts until confirmed.
    pub const PENDING_CANCEL: u8 = 2;
    /// A replace was forwarded and not answered; counts with the larger leaves.
    pub const PENDING_REPLACE: u8 = 3;
    /// The id of a pending replace; the order is `other_id`.
    pub const ALIAS: u8 = 4;
    /// Waits for a reviewer; not sent, no exposure.
    pub const HELD: u8 = 5;
}

/// One live order; one cache line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Zeroable)]
#[repr(C, align(64))]
pub struct LiveOrder {
    /// Its id.
    pub client_order_id: u64,
    /// Session of the id.
    pub session_id: u32,
    /// Index of the instrument in the gate.
    pub instrument: u32,
    /// Index of the account.
    pub account: u16,
    /// Index of the strategy.
    pub strategy: u16,
    /// [`pretrade_records::Side`] code.
    pub side: u8,
    /// See [`state`].
    pub state: u8,
    /// [`pretrade_records::OrderType`] code.
    pub order_type: u8,
    /// [`pretrade_records::TimeInForce`] code.
    pub time_in_force: u8,
    /// Limit price.
    pub price: i64,
    /// Order quantity.
    pub quantity: i64,
    /// Quantity not filled.
    pub leaves: i64,
    /// What the working quantity of its side holds for it: the larger leaves while a replace is pending.
    pub counted: i64,
    /// PENDING_REPLACE: id of the replace. ALIAS: id of the order.
    pub other_id: u64,
}

/// The table.
#[derive(Debug)]
pub struct OrderTable {
    orders: PrivateMemory<LiveOrder>,
    used: usize,
    most: usize,
}

impl OrderTable {
    /// Room for `most` orders.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn new(most: usize) -> std::io::Result<Self> {
        Ok(OrderTable { orders: PrivateMemory::new((2 * most).next_power_of_two().max(16))?, used: 0, most })
    }

    /// Ids that follow each other share lines of the index, so that a session's newest orders stay in the cache.
    #[inline(always)]
    fn home(&self, id: u64, session: u32) -> usize {
        let h = ((id >> 4) ^ u64::from(session).rotate_left(40)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        ((h as usize) << 4 | (id as usize & 15)) & (self.orders.len() - 1)
    }

    /// Asks for the line an id will be written to.
    #[inline]
    pub fn prefetch(&self, id: u64, session: u32) {
        prefetch_for_write(&self.orders[self.home(id, session)]);
    }

    #[inline(always)]
    fn find(&self, id: u64, session: u32) -> Result<usize, usize> {
        let mut at = self.home(id, session);
        loop {
            let order = &self.orders[at];
            if order.state == state::EMPTY {
                return Err(at);
            }
            if order.client_order_id == id && order.session_id == session {
                return Ok(at);
            }
            at = (at + 1) & (self.orders.len() - 1);
        }
    }

    /// The order with this id.
    #[inline]
    #[must_use]
    pub fn get(&self, id: u64, session: u32) -> Option<&LiveOrder> {
        self.find(id, session).ok().map(|at| &self.orders[at])
    }

    /// The order with this id, to change.
    #[inline]
    pub fn get_mut(&mut self, id: u64, session: u32) -> Option<&mut LiveOrder> {
        self.find(id, session).ok().map(|at| &mut self.orders[at])
    }

    /// True where two more entries fit (an order, or a replace and its alias).
    #[inline]
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.used + 2 <= self.most
    }

    /// Adds or overwrites an order. [`OrderTable::has_room`] must hold.
    #[inline(always)]
    pub fn insert(&mut self, order: LiveOrder) {
        match self.find(order.client_order_id, order.session_id) {
            Ok(at) => self.orders[at] = order,
            Err(at) => {
                self.orders[at] = order;
                self.used += 1;
            }
        }
    }

    /// Takes an order out.
    pub fn remove(&mut self, id: u64, session: u32) -> Option<LiveOrder> {
        let mut hole = self.find(id, session).ok()?;
        let (removed, mask) = (self.orders[hole], self.orders.len() - 1);
        // Close the gap (Knuth 6.4 R) so that searches still end at the first empty place.
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let order = self.orders[at];
            if order.state == state::EMPTY {
                break;
            }
            let home = self.home(order.client_order_id, order.session_id);
            if (at.wrapping_sub(home) & mask) >= (at.wrapping_sub(hole) & mask) {
                self.orders[hole] = order;
                hole = at;
            }
        }
        self.orders[hole] = LiveOrder::default();
        self.used -= 1;
        Some(removed)
    }

    /// Entries in use.
    #[must_use]
    pub fn len(&self) -> usize {
        self.used
    }

    /// True where nothing lives.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Every live order, aliases left out.
    pub fn iter(&self) -> impl Iterator<Item = &LiveOrder> {
        self.orders.iter().filter(|o| o.state != state::EMPTY && o.state != state::ALIAS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        #[test]
        fn the_table_is_a_map(steps in proptest::collection::vec((0u64..60, 0u32..3, any::<bool>()), 1..400)) {
            let mut table = OrderTable::new(400).unwrap();
            let mut twin: HashMap<(u64, u32), i64> = HashMap::new();
            for (i, (id, session, is_insert)) in steps.into_iter().enumerate() {
                if is_insert {
                    let leaves = i as i64;
                    table.insert(LiveOrder { client_order_id: id, session_id: session, state: state::WORKING, leaves, ..Default::default() });
                    twin.insert((id, session), leaves);
                } else {
                    prop_assert_eq!(table.remove(id, session).map(|o| o.leaves), twin.remove(&(id, session)));
                }
                prop_assert_eq!(table.len(), twin.len());
                for (key, leaves) in &twin {
                    prop_assert_eq!(table.get(key.0, key.1).map(|o| o.leaves), Some(*leaves));
                }
            }
        }
    }
}
