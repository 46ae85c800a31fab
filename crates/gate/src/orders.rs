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

/// Where the order of an id lies: one word of the index, so that eight ids share a line.
#[derive(Clone, Copy, Debug, Default, Zeroable)]
#[repr(C)]
struct Entry {
    /// What the home place of the id is made of; equal ids have equal keys.
    key: u32,
    /// Place of the order + 1, 0 = no order here.
    place: u32,
}

/// What the home place of an id is made of, and where the next new order goes.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    key: u32,
    next: u32,
}

/// The table: an open-addressing index over a pool whose last freed place is used first, so that an order flow stays on
/// few lines however large the table is.
#[derive(Debug)]
pub struct OrderTable {
    index: PrivateMemory<Entry>,
    orders: PrivateMemory<LiveOrder>,
    /// Place + 1 of the first free order; each free one holds the next in `other_id`. 0 = take a place never used.
    free: u32,
    /// Places used at least once.
    touched: u32,
    used: usize,
    most: usize,
}

impl OrderTable {
    /// Room for `most` orders.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn new(most: usize) -> std::io::Result<Self> {
        let index = PrivateMemory::new((2 * most).next_power_of_two().max(16))?;
        Ok(OrderTable { index, orders: PrivateMemory::new(most.max(2))?, free: 0, touched: 0, used: 0, most })
    }

    /// Ids that follow each other share lines of the index.
    #[inline(always)]
    fn key(id: u64, session: u32) -> u32 {
        let h = ((id >> 4) ^ u64::from(session).rotate_left(40)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        (h as u32) << 4 | (id as u32 & 15)
    }

    /// Asks for the lines an order with this id will be written to; what it returns holds until the table changes.
    #[inline(always)]
    pub fn prefetch(&self, id: u64, session: u32) -> Key {
        let key = self.key_of(id, session);
        prefetch_for_write(&self.index[key.key as usize & (self.index.len() - 1)]);
        if let Some(place) = self.orders.get(key.next as usize) {
            prefetch_for_write(place);
        }
        key
    }

    #[inline(always)]
    fn key_of(&self, id: u64, session: u32) -> Key {
        Key { key: Self::key(id, session), next: if self.free == 0 { self.touched } else { self.free - 1 } }
    }

    /// The index word of an id, or the first free one where it would be put.
    #[inline(always)]
    fn find(&self, id: u64, session: u32) -> Result<usize, usize> {
        self.find_from(Self::key(id, session), id, session)
    }

    #[inline(always)]
    fn find_from(&self, key: u32, id: u64, session: u32) -> Result<usize, usize> {
        let mut at = key as usize & (self.index.len() - 1);
        loop {
            let entry = self.index[at];
            if entry.place == 0 {
                return Err(at);
            }
            if entry.key == key {
                let order = &self.orders[entry.place as usize - 1];
                if order.client_order_id == id && order.session_id == session {
                    return Ok(at);
                }
            }
            at = (at + 1) & (self.index.len() - 1);
        }
    }

    #[inline(always)]
    fn place(&self, id: u64, session: u32) -> Option<usize> {
        self.find(id, session).ok().map(|at| self.index[at].place as usize - 1)
    }

    /// The order with this id.
    #[inline]
    #[must_use]
    pub fn get(&self, id: u64, session: u32) -> Option<&LiveOrder> {
        self.place(id, session).map(|place| &self.orders[place])
    }

    /// The order with this id, to change.
    #[inline]
    pub fn get_mut(&mut self, id: u64, session: u32) -> Option<&mut LiveOrder> {
        self.place(id, session).map(|place| &mut self.orders[place])
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
        self.insert_keyed(self.key_of(order.client_order_id, order.session_id), order);
    }

    /// As [`OrderTable::insert`] with the key that [`OrderTable::prefetch`] returned for the id.
    #[inline(always)]
    pub fn insert_keyed(&mut self, Key { key, next }: Key, order: LiveOrder) {
        let at = match self.find_from(key, order.client_order_id, order.session_id) {
            Ok(at) => {
                self.orders[self.index[at].place as usize - 1] = order;
                return;
            }
            Err(at) => at,
        };
        let slot = &mut self.orders[next as usize];
        if self.free == 0 {
            self.touched += 1;
        } else {
            self.free = slot.other_id as u32;
        }
        *slot = order;
        self.index[at] = Entry { key, place: next + 1 };
        self.used += 1;
    }

    /// Takes an order out.
    pub fn remove(&mut self, id: u64, session: u32) -> Option<LiveOrder> {
        let mut hole = self.find(id, session).ok()?;
        let (place, mask) = (self.index[hole].place, self.index.len() - 1);
        // Close the gap (Knuth 6.4 R) so that searches still end at the first empty place.
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let entry = self.index[at];
            if entry.place == 0 {
                break;
            }
            let home = entry.key as usize & mask;
            if (at.wrapping_sub(home) & mask) >= (at.wrapping_sub(hole) & mask) {
                self.index[hole] = entry;
                hole = at;
            }
        }
        self.index[hole] = Entry::default();
        let slot = &mut self.orders[place as usize - 1];
        let removed = *slot;
        (slot.state, slot.other_id) = (state::EMPTY, u64::from(self.free));
        self.free = place;
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

    /// Every place in use, ids of pending replaces included.
    pub fn iter_with_aliases(&self) -> impl Iterator<Item = &LiveOrder> {
        self.orders[..self.touched as usize].iter().filter(|o| o.state != state::EMPTY)
    }

    /// Every live order, aliases left out.
    pub fn iter(&self) -> impl Iterator<Item = &LiveOrder> {
        self.orders[..self.touched as usize].iter().filter(|o| o.state != state::EMPTY && o.state != state::ALIAS)
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
