// SPDX-License-Identifier: Apache-2.0
//! A recording laid into the engine order by order, and what the engine would have traded in its place.
//!
//! Recorded fills change nothing here: the cancel or modify that follows one does (as in the recording itself).
use super::auction::{AtMarket, Uncross};
use super::{Engine, Handle, Sink};
use pretrade_records::{Event, EventFlags, EventKind, Side};
use std::collections::HashMap;

/// One order's share in a match: id and lots.
pub type Share = (u64, i64);

/// A book that follows recorded L3 events under the venue's own order ids.
#[derive(Debug)]
pub struct Replay {
    engine: Engine,
    handles: HashMap<u64, Handle>,
    tick_size: i64,
    /// Events that named an order nobody had added.
    pub unknown: u64,
    /// Orders whose price lies off the tick grid or the ladder.
    pub unplaced: u64,
}

/// Keeps who was filled.
#[derive(Default)]
struct Shares(Vec<Share>);

impl Sink for Shares {
    fn added(&mut self, _order_id: u64, _side: Side, _tick: i32, _size: i64) {}
    fn cancelled(&mut self, _order_id: u64, _side: Side, _tick: i32, _size: i64) {}
    fn modified(&mut self, _order_id: u64, _side: Side, _tick: i32, _size: i64) {}
    fn filled(&mut self, order_id: u64, _owner: u32, _side: Side, _tick: i32, size: i64) {
        self.0.push((order_id, size));
    }
}

impl Replay {
    /// An empty book over `lowest_tick .. lowest_tick + ticks`.
    #[must_use]
    pub fn new(tick_size: i64, lowest_tick: i32, ticks: usize) -> Self {
        Self { engine: Engine::new(lowest_tick, ticks), handles: HashMap::new(), tick_size: tick_size.max(1), unknown: 0, unplaced: 0 }
    }

    /// The book.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Takes one recorded event.
    pub fn push(&mut self, event: &Event) {
        if event.has(EventFlags::INFORMATIVE) {
            return;
        }
        match EventKind::try_from(event.kind) {
            Ok(EventKind::Add) => self.add(event),
            Ok(EventKind::Cancel | EventKind::Execute) => self.take_off(event),
            Ok(EventKind::Modify) => self.modify(event),
            Ok(EventKind::Clear) => self.clear(),
            _ => {}
        }
    }

    /// Who an aggressor of `side` would trade with now, and how much with each; the book stays as it is.
    #[must_use]
    pub fn would_fill(&self, side: Side, quantity: i64) -> Vec<Share> {
        let (mut tried, mut shares) = (self.engine.clone(), Shares::default());
        let worst = if side == Side::Ask { i32::MIN } else { i32::MAX };
        tried.take(side, worst, quantity, &mut shares);
        shares.0
    }

    /// What an auction would give now, and who would trade how much; the book stays as it is.
    #[must_use]
    pub fn would_uncross(&self, market: AtMarket, reference: i32) -> Option<(Uncross, Vec<Share>)> {
        let (mut tried, mut shares) = (self.engine.clone(), Shares::default());
        tried.uncross(market, reference, &mut shares).map(|(found, _)| (found, shares.0))
    }

    fn tick(&self, event: &Event) -> Option<i32> {
        let tick = i32::try_from(event.price / self.tick_size).ok()?;
        (event.price % self.tick_size == 0 && self.engine.is_on_ladder(tick)).then_some(tick)
    }

    fn add(&mut self, event: &Event) {
        let side = Side::try_from(event.side).unwrap_or(Side::None);
        let (Some(tick), true) = (self.tick(event), side != Side::None && event.size > 0) else {
            self.unplaced += 1;
            return;
        };
        let handle = self.engine.rest_as(event.order_id, 0, side, tick, event.size, 0, &mut Shares::default());
        if let Some(old) = self.handles.insert(event.order_id, handle) {
            self.unknown += u64::from(self.engine.resting(old) > 0);
            self.engine.cancel(old, &mut Shares::default());
        }
    }

    fn take_off(&mut self, event: &Event) {
        let Some(handle) = self.handles.get(&event.order_id).copied() else {
            self.unknown += 1;
            return;
        };
        self.engine.reduce(handle, event.size, &mut Shares::default());
        if self.engine.resting(handle) == 0 {
            self.handles.remove(&event.order_id);
        }
    }

    fn modify(&mut self, event: &Event) {
        let Some(handle) = self.handles.get(&event.order_id).copied() else {
            self.unknown += 1;
            return;
        };
        let Some(tick) = self.tick(event) else {
            self.unplaced += 1;
            return;
        };
        if let Some(moved) = self.engine.move_to(handle, tick, event.size, &mut Shares::default()) {
            self.handles.insert(event.order_id, moved);
        }
    }

    fn clear(&mut self) {
        let mut left: Vec<Handle> = self.handles.drain().map(|(_, handle)| handle).collect();
        left.sort_unstable_by_key(|h| h.order_id);
        for handle in left {
            self.engine.cancel(handle, &mut Shares::default());
        }
    }
}
