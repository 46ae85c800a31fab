// SPDX-License-Identifier: Apache-2.0
//! A book said again, for a reader that starts in the middle of a journal; who followed from before leaves it out.
use crate::book::Book;
use crate::instrument::Instrument;
use pretrade_records::{Event, EventFlags, EventKind, Side};

const SAID: u16 = EventFlags::RECAP | EventFlags::SNAPSHOT;

impl Book {
    /// The events that build this book: order by order, and levels where orders do not make them up.
    fn said(&self, stamp: &Event, out: &mut Vec<Event>) {
        let mut made = Self::default();
        for (order_id, price, size, side) in self.resting() {
            let event = Event { kind: EventKind::Add as u8, order_id, side: side as u8, price, size, ..*stamp };
            made.apply(&Event { flags: 0, ..event });
            out.push(event);
        }
        for (side, levels, theirs) in [(Side::Bid, self.bids(), made.bids()), (Side::Ask, self.asks(), made.asks())] {
            let level = |(price, size)| Event { kind: EventKind::Level as u8, side: side as u8, price, size, ..*stamp };
            out.extend(levels.iter().filter(|(price, size)| theirs.size_at(*price) != *size).map(level));
            out.extend(theirs.iter().filter(|(price, _)| levels.size_at(*price) == 0).map(|(price, _)| level((price, 0))));
        }
    }
}

impl Instrument {
    /// Appends the recap of this instrument as of `now`; nothing where it never received an event.
    pub(crate) fn say_again(&self, now: i64, out: &mut Vec<Event>) {
        if !self.is_started {
            return;
        }
        let stamp = Event { ts_event: self.ts_book_event, ts_recv: now, instrument_id: self.spec.instrument_id, flags: SAID, ..Event::default() };
        let gap = if self.book.is_unsound() { EventFlags::GAP } else { 0 };
        let (order_id, aux) = (self.ts_last.cast_unsigned(), self.ts_book.cast_unsigned());
        out.push(Event { kind: EventKind::Clear as u8, price: self.last_price, order_id, aux, flags: SAID | gap, ..stamp });
        self.book.said(&stamp, out);
        if let Some(status) = self.status {
            out.push(Event { kind: EventKind::Status as u8, aux: u64::from(status), ..stamp });
        }
        if let Some(last) = out.last_mut() {
            last.flags |= EventFlags::LAST;
        }
    }

    /// Takes one event of a recap, unless events were received before it.
    pub(crate) fn hear_again(&mut self, event: &Event) {
        if self.is_started {
            return;
        }
        let flags = event.flags & !SAID;
        match EventKind::try_from(event.kind) {
            Ok(EventKind::Clear) => {
                self.last_price = event.price;
                self.ts_last = event.order_id.cast_signed();
                self.ts_book = event.aux.cast_signed();
                self.ts_book_event = event.ts_event;
                // Silent since then: who starts here has heard nothing himself.
                self.ts_alive = self.ts_book;
                self.book.apply(&Event { flags, order_id: 0, ..*event });
            }
            Ok(EventKind::Status) => {
                self.phase(event.ts_recv);
                self.status = u8::try_from(event.aux).ok();
            }
            _ => {
                self.book.apply(&Event { flags, ..*event });
            }
        }
        self.touches = (self.book.bids().best(), self.book.asks().best());
        self.has_book |= !self.book.bids().is_empty() || !self.book.asks().is_empty();
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::FeatureEngine;
    use crate::row::{InstrumentSpec, SnapshotSpec};
    use pretrade_records::{Event, EventFlags, EventKind, Side};

    const S: i64 = 1_000_000_000;

    fn engine() -> FeatureEngine {
        let spec = |instrument_id| InstrumentSpec { instrument_id, tick_size: 1, adv: 0, phases: vec![(0, i64::MAX, 3)] };
        let snapshot = SnapshotSpec { interval_ns: S / 10, depth_levels: 10, stale_after_ns: 5 * S, depth_window_ticks: 10 };
        FeatureEngine::new(vec![spec(7), spec(8)], snapshot, false)
    }

    /// A random walk of orders of one instrument, levels and prints of another.
    fn market(n: u64) -> Vec<Event> {
        let mut x = 9u64;
        let mut out = Vec::new();
        for k in 1..n {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let r = x >> 33;
            let side = if r.is_multiple_of(2) { Side::Bid } else { Side::Ask };
            let price = if side == Side::Bid { 990 - (r >> 3) % 9 } else { 1_010 + (r >> 3) % 9 };
            let (kind, order_id, size) = match r % 7 {
                0 | 1 => (EventKind::Cancel, 1 + (r >> 5) % k, 1 + (r >> 9) % 3),
                2 => (EventKind::Modify, 1 + (r >> 5) % k, 1 + (r >> 9) % 30),
                _ => (EventKind::Add, k, 1 + (r >> 9) % 30),
            };
            let instrument_id = if k % 3 == 0 { 8 } else { 7 };
            let (kind, order_id) = match (instrument_id, k % 5) {
                (7, _) => (kind, order_id),
                (_, 0) => (EventKind::Trade, 0),
                _ => (EventKind::Level, 0),
            };
            let ts = S + i64::try_from(k).unwrap() * 7_000_000;
            let (price, size, side) = (price.cast_signed(), size.cast_signed(), side as u8);
            // Every tenth event goes on in the next one: a recap may stand between the two.
            let (kind, flags) = (kind as u8, if k % 10 == 0 { 0 } else { EventFlags::LAST });
            out.push(Event {
                ts_event: ts - 9,
                ts_recv: ts,
                order_id,
                price,
                size,
                side,
                kind,
                flags,
                instrument_id,
                sequence: k,
                ..Event::default()
            });
        }
        out
    }

    #[test]
    fn who_followed_leaves_a_recap_out_and_who_starts_there_has_the_same_books() {
        let events = market(2_000);
        let (mut followed, mut unaware) = (engine(), engine());
        let mut late: Option<FeatureEngine> = None;
        for (k, e) in events.iter().enumerate() {
            followed.push(e);
            unaware.push(e);
            if let Some(late) = &mut late {
                late.push(e);
                for id in [7, 8] {
                    let (theirs, ours) = (&followed.instrument(id).unwrap().book, &late.instrument(id).unwrap().book);
                    assert!(theirs.bids().iter().eq(ours.bids().iter()) && theirs.asks().iter().eq(ours.asks().iter()), "event {k}");
                    assert_eq!((theirs.order_count(), theirs.is_unsound()), (ours.order_count(), ours.is_unsound()));
                }
            }
            if k % 500 == 499 {
                let recap = followed.recap().unwrap();
                assert!(recap.iter().all(|e| e.flags & EventFlags::RECAP != 0));
                let before = followed.state();
                recap.iter().for_each(|e| followed.push(e));
                assert_eq!(followed.state(), before);
                let mut fresh = engine();
                recap.iter().for_each(|e| fresh.push(e));
                for id in [7, 8] {
                    let (theirs, ours) = (followed.instrument(id).unwrap(), fresh.instrument(id).unwrap());
                    assert_eq!((theirs.last_price, theirs.ts_last, theirs.ts_book), (ours.last_price, ours.ts_last, ours.ts_book));
                }
                assert_eq!(fresh.recap().unwrap(), [], "a reader that heard no event itself says nothing again");
                late.get_or_insert(fresh);
            }
        }
        assert_eq!(followed.state(), unaware.state());
        assert!(followed.instrument(7).unwrap().book.is_unsound(), "cancels of unknown orders are among them");
    }

    #[test]
    fn inside_a_snapshot_of_the_venue_nothing_is_said_again() {
        let mut e = engine();
        let add =
            |order_id, flags| Event { kind: 1, order_id, side: 1, price: 100, size: 5, ts_recv: S, flags, instrument_id: 7, ..Event::default() };
        e.push(&add(1, EventFlags::SNAPSHOT));
        assert_eq!(e.recap(), None);
        e.push(&add(2, EventFlags::LAST));
        assert_eq!(e.recap().unwrap().len(), 3);
    }
}
