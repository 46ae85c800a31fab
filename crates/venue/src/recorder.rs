// SPDX-License-Identifier: Apache-2.0
//! Turns what the engine says into published events and keeps the fills owners must hear of.
use crate::engine::Sink;
use pretrade_records::{Event, EventFlags, EventKind, Phase, Side};

/// A fill of a resting order.
#[derive(Clone, Copy, Debug)]
pub struct Fill {
    /// The resting order.
    pub order_id: u64,
    /// Owner of the resting order.
    pub owner: u32,
    /// Its side.
    pub side: Side,
    /// Price in ticks.
    pub tick: i32,
    /// Size in lots.
    pub size: i64,
    /// When, ns UTC.
    pub ts: i64,
}

/// Collects events and fills at one instant after another.
#[derive(Debug)]
pub struct Recorder {
    /// Events not yet handed out.
    pub events: Vec<Event>,
    /// Fills of resting orders not yet told to their owners.
    pub fills: Vec<Fill>,
    /// The present, ns UTC.
    pub now: i64,
    sequence: u64,
    hash: u64,
    instrument_id: u32,
    tick_size: i64,
    latency_ns: i64,
    prints: Vec<(i32, i64)>,
    printed: i64,
}

impl Recorder {
    /// An empty recorder for one instrument.
    #[must_use]
    pub fn new(instrument_id: u32, tick_size: i64, latency_ns: i64) -> Self {
        Self {
            events: Vec::new(),
            fills: Vec::new(),
            now: 0,
            sequence: 0,
            hash: 0xCBF2_9CE4_8422_2325,
            instrument_id,
            tick_size,
            latency_ns,
            prints: Vec::new(),
            printed: 0,
        }
    }

    /// Hash over every event so far (FNV-1a over its words).
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Events recorded so far.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Trades of the aggressor at work, by price, not yet printed.
    #[must_use]
    pub fn prints(&self) -> &[(i32, i64)] {
        &self.prints
    }

    fn put(&mut self, kind: EventKind, order_id: u64, side: Side, tick: i32, size: i64, last: bool) {
        self.record(kind, order_id, side, (tick, size), 0, if last { EventFlags::LAST } else { 0 });
    }

    fn record(&mut self, kind: EventKind, order_id: u64, side: Side, (tick, size): (i32, i64), aux: u64, flags: u16) {
        self.sequence += 1;
        let event = Event {
            ts_event: self.now,
            ts_recv: self.now + self.latency_ns,
            order_id,
            price: i64::from(tick) * self.tick_size,
            size,
            sequence: self.sequence,
            aux,
            instrument_id: self.instrument_id,
            kind: kind as u8,
            side: side as u8,
            flags,
        };
        for word in [
            event.ts_event as u64,
            order_id,
            event.price as u64,
            size as u64,
            aux << 32 | u64::from(event.flags) << 16 | u64::from(event.kind) << 8 | u64::from(event.side),
        ] {
            self.hash = (self.hash ^ word).wrapping_mul(0x0000_0100_0000_01B3);
        }
        self.events.push(event);
    }

    /// Prints the trades of one aggressor, a print per price; ends its venue event. Returns the lots printed since the last call.
    pub fn print_trades(&mut self, aggressor: Side) -> i64 {
        self.traded(aggressor);
        std::mem::take(&mut self.printed)
    }

    fn note(&mut self, fill: Fill) {
        self.fills.push(fill);
        match self.prints.last_mut() {
            Some((t, s)) if *t == fill.tick => *s += fill.size,
            _ => self.prints.push((fill.tick, fill.size)),
        }
    }
}

impl Sink for Recorder {
    fn added(&mut self, order_id: u64, side: Side, tick: i32, size: i64) {
        self.put(EventKind::Add, order_id, side, tick, size, self.prints.is_empty());
    }

    fn cancelled(&mut self, order_id: u64, side: Side, tick: i32, size: i64) {
        self.put(EventKind::Cancel, order_id, side, tick, size, self.prints.is_empty());
    }

    fn modified(&mut self, order_id: u64, side: Side, tick: i32, size: i64) {
        self.put(EventKind::Modify, order_id, side, tick, size, self.prints.is_empty());
    }

    fn filled(&mut self, order_id: u64, owner: u32, side: Side, tick: i32, size: i64) {
        self.put(EventKind::Execute, order_id, side, tick, size, false);
        self.note(Fill { order_id, owner, side, tick, size, ts: self.now });
    }

    fn filled_at_market(&mut self, order_id: u64, owner: u32, side: Side, tick: i32, size: i64) {
        // Nobody has seen the order: it counts as flow and is in no book.
        self.record(EventKind::Execute, order_id, side, (tick, size), 0, EventFlags::INFORMATIVE);
        self.note(Fill { order_id, owner, side, tick, size, ts: self.now });
    }

    fn traded(&mut self, aggressor: Side) {
        let mut prints = std::mem::take(&mut self.prints);
        let n = prints.len();
        for (i, (tick, size)) in prints.iter().enumerate() {
            // An auction fills buyers and sellers, an aggressor only those it meets.
            let size = if aggressor == Side::None { *size / 2 } else { *size };
            self.printed += size;
            self.put(EventKind::Trade, 0, aggressor, *tick, size, i + 1 == n);
        }
        prints.clear();
        self.prints = prints;
    }

    fn status(&mut self, phase: Phase) {
        let last = if self.prints.is_empty() { EventFlags::LAST } else { 0 };
        self.record(EventKind::Status, 0, Side::None, (0, 0), phase as u64, last);
    }
}
