// SPDX-License-Identifier: Apache-2.0
//! Orders sent and not yet finished, as FIX names them: whose they are, and how a cancel must name them.
use crate::ids::Text;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// One order.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// ClOrdID.
    pub text: Text,
    /// Session that sent it.
    pub owner: u16,
    /// Place of its instrument in the settings.
    pub instrument: u16,
    /// Side (54) as sent.
    pub side: u8,
    /// A cancel of ours or the client's is on its way.
    pub is_cancelling: bool,
    /// Left by an earlier life; the venue has not said yet what became of it.
    pub is_in_doubt: bool,
    /// When the gateway may cancel it (again) by itself, monotonic ns.
    pub cancel_due: i64,
    /// OrderQty (38) as sent, in the instrument's unit.
    pub quantity: i64,
    /// Account id.
    pub account_id: u32,
}

/// Ids are hashes or counters already.
#[derive(Clone, Copy, Debug, Default)]
pub struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|b| self.0 = self.0.rotate_left(8) ^ u64::from(*b));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// Orders by the gate's id.
pub type Book = HashMap<u64, Entry, BuildHasherDefault<IdHasher>>;

/// An empty book with room for `most` orders, every page of it touched: an order flow neither allocates nor faults.
#[must_use]
pub fn book(most: usize) -> Book {
    let mut book = Book::with_capacity_and_hasher(most, BuildHasherDefault::default());
    let nobody = Entry {
        text: Text::default(),
        owner: 0,
        instrument: 0,
        side: 0,
        is_cancelling: false,
        is_in_doubt: false,
        cancel_due: 0,
        quantity: 0,
        account_id: 0,
    };
    book.extend((0..book.capacity() as u64).map(|id| (id, nobody)));
    book.clear();
    book
}
