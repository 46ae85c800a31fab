// SPDX-License-Identifier: Apache-2.0
//! Client order ids seen today (control 27): exact, per session, 64 consecutive ids in one entry.
use bytemuck::Zeroable;
use pretrade_shm::memory::{PrivateMemory, prefetch};

/// Presence of 64 consecutive ids of one session; half a cache line.
#[derive(Clone, Copy, Debug, Default, Zeroable)]
#[repr(C, align(32))]
struct Block {
    /// id / 64.
    number: u64,
    session: u64,
    /// Never zero in a used entry.
    present: u64,
    spare: u64,
}

/// Place of a block.
#[derive(Clone, Copy, Debug)]
pub struct Place(usize);

/// The set; open addressing, grown outside checks.
#[derive(Debug)]
pub struct IdSet {
    blocks: PrivateMemory<Block>,
    used: usize,
}

impl IdSet {
    /// Room for `blocks` blocks before it grows.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn new(blocks: usize) -> std::io::Result<Self> {
        Ok(IdSet { blocks: PrivateMemory::new((2 * blocks).next_power_of_two())?, used: 0 })
    }

    #[inline(always)]
    fn home(&self, number: u64, session: u64) -> usize {
        let h = (number ^ session.rotate_left(40)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (h >> 32) as usize & (self.blocks.len() - 1)
    }

    /// Asks for the line of an id; returns where the search for it starts.
    #[inline(always)]
    pub fn prefetch(&self, id: u64, session: u32) -> Place {
        let home = self.home(id >> 6, u64::from(session));
        prefetch(&self.blocks[home]);
        Place(home)
    }

    /// The place of a block: used by it, or the first free one.
    #[inline(always)]
    fn place(&self, mut at: usize, number: u64, session: u64) -> usize {
        loop {
            let block = &self.blocks[at];
            if block.present == 0 || (block.number == number && block.session == session) {
                return at;
            }
            at = (at + 1) & (self.blocks.len() - 1);
        }
    }

    /// Where an id belongs and whether it was seen, searched from where [`IdSet::prefetch`] said; the place holds until
    /// the set changes.
    #[inline(always)]
    #[must_use]
    pub fn look_up(&self, Place(home): Place, id: u64, session: u32) -> (Place, bool) {
        let at = self.place(home, id >> 6, u64::from(session));
        (Place(at), self.blocks[at].present & (1 << (id & 63)) != 0)
    }

    /// True where the id was seen.
    #[inline(always)]
    #[must_use]
    pub fn contains(&self, id: u64, session: u32) -> bool {
        self.look_up(Place(self.home(id >> 6, u64::from(session))), id, session).1
    }

    /// Adds an id. [`IdSet::has_room`] must hold.
    #[inline(always)]
    pub fn insert(&mut self, id: u64, session: u32) {
        let (place, _) = self.look_up(Place(self.home(id >> 6, u64::from(session))), id, session);
        self.insert_at(place, id, session);
    }

    /// Adds an id at the place that [`IdSet::look_up`] found.
    #[inline(always)]
    pub fn insert_at(&mut self, Place(at): Place, id: u64, session: u32) {
        let (number, session) = (id >> 6, u64::from(session));
        let block = &mut self.blocks[at];
        if block.present == 0 {
            (block.number, block.session) = (number, session);
            self.used += 1;
        }
        block.present |= 1 << (id & 63);
    }

    /// True while at most half of the entries are used: a new id may be added and every search ends.
    #[inline(always)]
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.used < self.blocks.len() / 2
    }

    /// Doubles the room when it is nearly used up. Allocates, hence never inside a check.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn reserve(&mut self) -> std::io::Result<()> {
        if self.used < self.blocks.len() / 8 * 3 {
            return Ok(());
        }
        let mut grown = IdSet { blocks: PrivateMemory::new(2 * self.blocks.len())?, used: self.used };
        for block in self.blocks.iter().filter(|b| b.present != 0) {
            let at = grown.place(grown.home(block.number, block.session), block.number, block.session);
            grown.blocks[at] = *block;
        }
        *self = grown;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_exact_per_session_and_survive_growth() {
        let mut set = IdSet::new(4).unwrap();
        let ids: Vec<u64> = (0..5_000u64).map(|i| if i % 2 == 0 { i } else { i.wrapping_mul(0x5851_f42d_4c95_7f2d) }).collect();
        for &id in &ids {
            set.reserve().unwrap();
            assert!(set.has_room());
            assert!(!set.contains(id, 1));
            set.insert(id, 1);
            assert!(set.contains(id, 1));
        }
        assert!(ids.iter().all(|&id| set.contains(id, 1)));
        assert!(ids.iter().all(|&id| !set.contains(id, 2)));
        assert!(!set.contains(5_001, 1));
    }
}
