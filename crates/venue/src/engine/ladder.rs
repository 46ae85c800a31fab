// SPDX-License-Identifier: Apache-2.0
//! Resting orders by price and time: a bounded tick ladder a side with an occupancy bitmap, an intrusive queue per level, pooled orders.
//!
//! The ladder never matches: before an auction both sides may stand at one price.
use super::Handle;
use pretrade_records::Side;

/// No order, no level.
pub(super) const NONE: u32 = u32::MAX;

/// One resting order, 40 bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resting {
    pub order_id: u64,
    /// Shown size; 0 where the slot is free.
    pub size: i64,
    pub tick: i32,
    pub owner: u32,
    pub next: u32,
    pub previous: u32,
    pub side: Side,
    /// Something lies in `reserves` of this slot.
    pub is_iceberg: bool,
}

const _: () = assert!(core::mem::size_of::<Resting>() == 40);

/// Hidden quantity of an iceberg and the size it shows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reserve {
    pub hidden: i64,
    pub peak: i64,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    head: u32,
    tail: u32,
    size: i64,
}

const EMPTY: Level = Level { head: NONE, tail: NONE, size: 0 };

#[derive(Clone, Debug)]
pub(super) struct Ladder {
    levels: [Vec<Level>; 2],
    occupied: [Vec<u64>; 2],
    lowest_tick: i32,
    best: [i32; 2],
    pool: Vec<Resting>,
    reserves: Vec<Reserve>,
    free: Vec<u32>,
}

pub(super) const fn index(side: Side) -> usize {
    match side {
        Side::Ask => 1,
        _ => 0,
    }
}

/// Best tick of an empty side: worse than every price.
const fn nothing(side: Side) -> i32 {
    match side {
        Side::Ask => i32::MAX,
        _ => i32::MIN,
    }
}

impl Ladder {
    pub fn new(lowest_tick: i32, ticks: usize) -> Self {
        let words = ticks.div_ceil(64);
        Self {
            levels: [vec![EMPTY; words * 64], vec![EMPTY; words * 64]],
            occupied: [vec![0; words], vec![0; words]],
            lowest_tick,
            best: [i32::MIN, i32::MAX],
            pool: Vec::new(),
            reserves: Vec::new(),
            free: Vec::new(),
        }
    }

    pub fn lowest(&self) -> i32 {
        self.lowest_tick
    }

    pub fn highest(&self) -> i32 {
        self.lowest_tick + self.levels[0].len() as i32 - 1
    }

    pub fn live(&self) -> u32 {
        (self.pool.len() - self.free.len()) as u32
    }

    /// Best tick of a side; `i32::MIN` or `i32::MAX` where a bid or an ask is missing.
    #[inline]
    pub fn best(&self, side: Side) -> i32 {
        self.best[index(side)]
    }

    pub fn best_of(&self, side: Side) -> Option<i32> {
        Some(self.best(side)).filter(|t| *t != nothing(side))
    }

    #[inline]
    pub fn at(&self, tick: i32) -> Option<usize> {
        let i = i64::from(tick) - i64::from(self.lowest_tick);
        (i >= 0 && (i as usize) < self.levels[0].len()).then_some(i as usize)
    }

    pub fn size_at(&self, side: Side, tick: i32) -> i64 {
        self.at(tick).map_or(0, |i| self.levels[index(side)][i].size)
    }

    #[inline]
    pub fn order(&self, slot: u32) -> &Resting {
        &self.pool[slot as usize]
    }

    /// The live order behind a handle.
    #[inline]
    pub fn find(&self, handle: Handle) -> Option<&Resting> {
        self.pool.get(handle.slot as usize).filter(|o| o.order_id == handle.order_id && o.size > 0)
    }

    pub fn slot(&self, slot: u32) -> Option<&Resting> {
        self.pool.get(slot as usize)
    }

    #[inline]
    pub fn reserve(&self, slot: u32) -> Reserve {
        if self.pool[slot as usize].is_iceberg { self.reserves[slot as usize] } else { Reserve::default() }
    }

    /// Slot of the oldest order of a level.
    #[inline]
    pub fn front(&self, side: Side, tick: i32) -> Option<u32> {
        let slot = self.levels[index(side)][self.at(tick)?].head;
        (slot != NONE).then_some(slot)
    }

    /// Slots of a level, oldest first.
    pub fn queue(&self, side: Side, tick: i32) -> impl Iterator<Item = u32> + '_ {
        let mut slot = self.at(tick).map_or(NONE, |i| self.levels[index(side)][i].head);
        std::iter::from_fn(move || {
            let here = (slot != NONE).then_some(slot)?;
            slot = self.pool[here as usize].next;
            Some(here)
        })
    }

    /// Occupied ticks of a side, best first.
    pub fn ticks(&self, side: Side) -> impl Iterator<Item = i32> + '_ {
        std::iter::successors(self.best_of(side), move |t| self.next_level(side, *t))
    }

    /// Next occupied tick of a side, away from the touch.
    pub fn next_level(&self, side: Side, tick: i32) -> Option<i32> {
        let i = self.at(tick)?;
        let words = &self.occupied[index(side)];
        let (mut w, b) = (i / 64, i % 64);
        if side == Side::Ask {
            let mut word = words[w] & (u64::MAX.checked_shl(b as u32 + 1).unwrap_or(0));
            loop {
                if word != 0 {
                    return Some(self.lowest_tick + (w * 64) as i32 + word.trailing_zeros() as i32);
                }
                w += 1;
                word = *words.get(w)?;
            }
        }
        let mut word = words[w] & ((1u64 << b) - 1);
        loop {
            if word != 0 {
                return Some(self.lowest_tick + (w * 64) as i32 + 63 - word.leading_zeros() as i32);
            }
            w = w.checked_sub(1)?;
            word = words[w];
        }
    }

    /// Puts an order at the back of its level; the tick lies on the ladder.
    pub fn link(&mut self, mut o: Resting, reserve: Reserve) -> u32 {
        let Some(i) = self.at(o.tick) else { return NONE };
        let side = index(o.side);
        o.previous = self.levels[side][i].tail;
        o.next = NONE;
        o.is_iceberg = reserve.peak > 0;
        let slot = match self.free.pop() {
            Some(slot) => {
                self.pool[slot as usize] = o;
                slot
            }
            None => {
                self.pool.push(o);
                (self.pool.len() - 1) as u32
            }
        };
        if o.is_iceberg {
            self.reserves.resize(self.reserves.len().max(slot as usize + 1), Reserve::default());
            self.reserves[slot as usize] = reserve;
        }
        let level = &mut self.levels[side][i];
        level.size += o.size;
        if level.tail == NONE {
            level.head = slot;
            level.tail = slot;
            self.occupied[side][i / 64] |= 1 << (i % 64);
            let best = &mut self.best[side];
            *best = if o.side == Side::Ask { (*best).min(o.tick) } else { (*best).max(o.tick) };
        } else {
            let tail = std::mem::replace(&mut level.tail, slot);
            self.pool[tail as usize].next = slot;
        }
        slot
    }

    /// Takes `by`, less than it shows, off an order; it keeps its place.
    #[inline]
    pub fn shrink(&mut self, slot: u32, by: i64) {
        let o = &mut self.pool[slot as usize];
        o.size -= by;
        let (tick, side) = (o.tick, index(o.side));
        if let Some(i) = self.at(tick) {
            self.levels[side][i].size -= by;
        }
    }

    /// Takes an order out of its level and frees its slot.
    pub fn unlink(&mut self, slot: u32) {
        let o = &mut self.pool[slot as usize];
        let size = std::mem::replace(&mut o.size, 0);
        let (tick, side, next, previous) = (o.tick, o.side, o.next, o.previous);
        self.free.push(slot);
        let Some(i) = self.at(tick) else { return };
        let of = index(side);
        if previous != NONE {
            self.pool[previous as usize].next = next;
        }
        if next != NONE {
            self.pool[next as usize].previous = previous;
        }
        let level = &mut self.levels[of][i];
        level.size -= size;
        if previous == NONE {
            level.head = next;
        }
        if next == NONE {
            level.tail = previous;
        }
        if level.head == NONE {
            self.occupied[of][i / 64] &= !(1 << (i % 64));
            if self.best[of] == tick {
                self.best[of] = self.next_level(side, tick).unwrap_or(nothing(side));
            }
        }
    }
}
