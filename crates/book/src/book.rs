// SPDX-License-Identifier: Apache-2.0
//! One order book from L3 orders or L2 levels, and whether it can be trusted.
use crate::state;
use crate::state::{Reader, State, StateError, fresh};
use pretrade_records::{Event, EventFlags, EventKind, Side};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Multiplicative hash for order ids, which are near-sequential numbers of the venue.
#[derive(Default)]
pub struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for b in bytes {
            self.write_u64(u64::from(*b));
        }
    }
    fn write_u64(&mut self, id: u64) {
        let x = (self.0 ^ id).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = x ^ (x >> 29);
    }
}

#[derive(Clone, Copy, Debug)]
struct Resting {
    price: i64,
    size: i64,
    side: Side,
}

/// Price levels of one side, best last, so that changes near the touch move little memory.
#[derive(Clone, Debug, Default)]
pub struct Levels {
    rows: Vec<(i64, i64)>,
    descending: bool,
}

impl Levels {
    /// Key that grows towards the touch.
    const fn key(&self, price: i64) -> i64 {
        if self.descending { price } else { -price }
    }

    /// Best price and size.
    #[must_use]
    pub fn best(&self) -> Option<(i64, i64)> {
        self.rows.last().map(|(k, s)| (if self.descending { *k } else { -*k }, *s))
    }

    /// Number of levels.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True where the side is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Levels from the best on, as (price, size).
    pub fn iter(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        self.rows.iter().rev().map(|(k, s)| (if self.descending { *k } else { -*k }, *s))
    }

    /// Sum of sizes of the best `n` levels.
    #[must_use]
    pub fn depth(&self, n: usize) -> i64 {
        self.rows.iter().rev().take(n).map(|r| r.1).sum()
    }

    /// Size at a price.
    #[must_use]
    pub fn size_at(&self, price: i64) -> i64 {
        let key = self.key(price);
        self.find(key).map_or(0, |i| self.rows[i].1)
    }

    fn find(&self, key: i64) -> Result<usize, usize> {
        for (steps, i) in (0..self.rows.len()).rev().enumerate() {
            match self.rows[i].0.cmp(&key) {
                std::cmp::Ordering::Equal => return Ok(i),
                std::cmp::Ordering::Less => return Err(i + 1),
                std::cmp::Ordering::Greater if steps > 12 => return self.rows[..i].binary_search_by_key(&key, |r| r.0),
                std::cmp::Ordering::Greater => {}
            }
        }
        Err(0)
    }

    /// Adds `delta` to the size at a price; a level that reaches zero or below goes.
    pub fn change(&mut self, price: i64, delta: i64) {
        match self.find(self.key(price)) {
            Ok(i) => {
                self.rows[i].1 += delta;
                if self.rows[i].1 <= 0 {
                    self.rows.remove(i);
                }
            }
            Err(i) if delta > 0 => self.rows.insert(i, (self.key(price), delta)),
            Err(_) => {}
        }
    }

    /// Sets the size at a price; returns what stood there before.
    pub fn set(&mut self, price: i64, size: i64) -> i64 {
        match self.find(self.key(price)) {
            Ok(i) if size > 0 => std::mem::replace(&mut self.rows[i].1, size),
            Ok(i) => self.rows.remove(i).1,
            Err(i) if size > 0 => {
                self.rows.insert(i, (self.key(price), size));
                0
            }
            Err(_) => 0,
        }
    }
}

state!(Levels { rows });

/// What applying one event did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The book did not change.
    Nothing,
    /// The book changed; for an L2 level, the change of its size.
    Changed(i64),
    /// A cancel, modify or execution named an order that is not in the book.
    UnknownOrder,
}

/// One instrument's book.
#[derive(Clone, Debug)]
pub struct Book {
    orders: HashMap<u64, Resting, BuildHasherDefault<IdHasher>>,
    bids: Levels,
    asks: Levels,
    unsound: bool,
    in_snapshot: bool,
}

impl Default for Book {
    fn default() -> Self {
        Self {
            orders: HashMap::default(),
            bids: Levels { rows: Vec::new(), descending: true },
            asks: Levels { rows: Vec::new(), descending: false },
            unsound: false,
            in_snapshot: false,
        }
    }
}

impl Book {
    /// Bid levels.
    #[must_use]
    pub fn bids(&self) -> &Levels {
        &self.bids
    }

    /// Ask levels.
    #[must_use]
    pub fn asks(&self) -> &Levels {
        &self.asks
    }

    /// Number of orders known by id.
    #[must_use]
    pub fn order_count(&self) -> usize {
        self.orders.len()
    }

    /// True from a gap or an unknown order until the end of the next snapshot.
    #[must_use]
    pub fn is_unsound(&self) -> bool {
        self.unsound
    }

    /// True where the best bid is above the best ask.
    #[must_use]
    pub fn is_crossed(&self) -> bool {
        matches!((self.bids.best(), self.asks.best()), (Some(b), Some(a)) if b.0 > a.0)
    }

    /// Marks the book unsound until the next snapshot.
    pub fn lose(&mut self) {
        self.unsound = true;
    }

    fn side(&mut self, side: Side) -> &mut Levels {
        match side {
            Side::Ask => &mut self.asks,
            _ => &mut self.bids,
        }
    }

    /// True inside a snapshot, whose end the next record says.
    #[must_use]
    pub fn is_in_snapshot(&self) -> bool {
        self.in_snapshot
    }

    /// Orders known by id, as (id, price, size, side), by id.
    #[must_use]
    pub fn resting(&self) -> Vec<(u64, i64, i64, Side)> {
        let mut orders: Vec<_> = self.orders.iter().map(|(id, o)| (*id, o.price, o.size, o.side)).collect();
        orders.sort_unstable_by_key(|o| o.0);
        orders
    }

    /// Forgets every order and level; whether the book can be trusted stays as it is.
    pub fn empty(&mut self) {
        self.clear(Side::None);
    }

    /// Applies one event. Informative records and prints change nothing.
    pub fn apply(&mut self, event: &Event) -> Applied {
        let snapshot = event.flags & EventFlags::SNAPSHOT != 0;
        if snapshot && !self.in_snapshot {
            self.in_snapshot = true;
        } else if !snapshot && self.in_snapshot {
            self.in_snapshot = false;
            self.unsound = false;
        }
        if event.flags & EventFlags::GAP != 0 {
            self.unsound = true;
        }
        if event.flags & EventFlags::INFORMATIVE != 0 {
            return Applied::Nothing;
        }
        let (Ok(kind), Ok(side)) = (EventKind::try_from(event.kind), Side::try_from(event.side)) else { return Applied::Nothing };
        match kind {
            EventKind::Add => self.add(event, side),
            EventKind::Modify => self.modify(event),
            EventKind::Cancel | EventKind::Execute => self.take(event),
            EventKind::Level => {
                let before = self.side(side).set(event.price, event.size.max(0));
                Applied::Changed(event.size.max(0) - before)
            }
            EventKind::Clear => {
                self.clear(side);
                Applied::Changed(0)
            }
            _ => Applied::Nothing,
        }
    }

    /// Ends a snapshot that nothing follows (end of file).
    pub fn end_snapshot(&mut self) {
        if std::mem::take(&mut self.in_snapshot) {
            self.unsound = false;
        }
    }

    fn clear(&mut self, side: Side) {
        match side {
            Side::None => {
                self.orders.clear();
                self.bids.rows.clear();
                self.asks.rows.clear();
            }
            side => {
                self.orders.retain(|_, o| o.side != side);
                self.side(side).rows.clear();
            }
        }
    }

    fn add(&mut self, event: &Event, side: Side) -> Applied {
        if let Some(old) = self.orders.insert(event.order_id, Resting { price: event.price, size: event.size, side }) {
            self.side(old.side).change(old.price, -old.size);
        }
        self.side(side).change(event.price, event.size);
        Applied::Changed(event.size)
    }

    fn modify(&mut self, event: &Event) -> Applied {
        let Some(order) = self.orders.get_mut(&event.order_id) else {
            self.unsound = true;
            return Applied::UnknownOrder;
        };
        let old = std::mem::replace(order, Resting { price: event.price, size: event.size, side: order.side });
        if event.size <= 0 {
            self.orders.remove(&event.order_id);
        }
        self.side(old.side).change(old.price, -old.size);
        self.side(old.side).change(event.price, event.size);
        Applied::Changed(event.size - old.size)
    }

    fn take(&mut self, event: &Event) -> Applied {
        let Some(order) = self.orders.get_mut(&event.order_id) else {
            self.unsound = true;
            return Applied::UnknownOrder;
        };
        let size = event.size.clamp(0, order.size.max(0));
        let (side, price) = (order.side, order.price);
        order.size -= size;
        if order.size <= 0 {
            self.orders.remove(&event.order_id);
        }
        self.side(side).change(price, -size);
        Applied::Changed(-size)
    }
}

impl State for Book {
    fn write(&self, out: &mut Vec<u8>) {
        let mut orders: Vec<_> = self.orders.iter().collect();
        orders.sort_unstable_by_key(|(id, _)| **id);
        orders.len().write(out);
        for (id, order) in orders {
            id.write(out);
            (order.side as u8).write(out);
            (order.price, order.size).write(out);
        }
        self.bids.write(out);
        self.asks.write(out);
        (self.unsound, self.in_snapshot).write(out);
    }

    fn read(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        self.orders.clear();
        for _ in 0..from.length()? {
            let id = fresh(from)?;
            let side = Side::try_from(fresh::<u8>(from)?).map_err(|e| StateError(e.to_string()))?;
            let (price, size) = fresh(from)?;
            self.orders.insert(id, Resting { price, size, side });
        }
        self.bids.read(from)?;
        self.asks.read(from)?;
        (self.unsound, self.in_snapshot) = fresh(from)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: EventKind, id: u64, side: Side, price: i64, size: i64, flags: u16) -> Event {
        Event { kind: kind as u8, order_id: id, side: side as u8, price, size, flags, ..Event::default() }
    }

    #[test]
    fn orders_build_levels_and_fills_take_them_away() {
        let mut b = Book::default();
        b.apply(&event(EventKind::Add, 1, Side::Bid, 100, 5, 0));
        b.apply(&event(EventKind::Add, 2, Side::Bid, 101, 7, 0));
        b.apply(&event(EventKind::Add, 3, Side::Ask, 103, 2, 0));
        assert_eq!(b.bids().best(), Some((101, 7)));
        b.apply(&event(EventKind::Execute, 2, Side::Bid, 101, 7, 0));
        b.apply(&event(EventKind::Modify, 1, Side::Bid, 102, 4, 0));
        assert_eq!((b.bids().best(), b.asks().best(), b.order_count()), (Some((102, 4)), Some((103, 2)), 2));
    }

    #[test]
    fn an_unknown_order_makes_it_unsound_until_after_the_next_snapshot() {
        let mut b = Book::default();
        assert_eq!(b.apply(&event(EventKind::Cancel, 9, Side::Bid, 100, 5, 0)), Applied::UnknownOrder);
        assert!(b.is_unsound());
        b.apply(&event(EventKind::Clear, 0, Side::None, 0, 0, EventFlags::SNAPSHOT));
        b.apply(&event(EventKind::Add, 1, Side::Bid, 100, 5, EventFlags::SNAPSHOT));
        assert!(b.is_unsound(), "inside the snapshot the book is incomplete");
        b.apply(&event(EventKind::Add, 2, Side::Ask, 103, 5, 0));
        assert!(!b.is_unsound());
    }

    #[test]
    fn levels_far_from_the_touch_are_found_too() {
        let mut l = Levels { rows: Vec::new(), descending: false };
        for p in 0..200 {
            l.change(p, p + 1);
        }
        assert_eq!((l.best(), l.len(), l.size_at(150)), (Some((0, 1)), 200, 151));
        l.change(150, -151);
        assert_eq!((l.len(), l.size_at(150), l.depth(3)), (199, 0, 6));
    }
}
