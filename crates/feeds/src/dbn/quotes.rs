// SPDX-License-Identifier: Apache-2.0
//! Schemas of quotes and prints: `mbp-1`, `mbp-10`, `cmbp-1`, `tbbo`, `tcbbo`, `bbo-*`, `cbbo-*`, `trades`.
//!
//! Every record of quotes restates the visible book, so a book that missed messages is whole again with the next one.
use super::orders::side;
use super::record::{F_LAST, F_MAYBE_BAD_BOOK, Record};
use crate::levels::{BookRow, LevelDiff, check_order};
use pretrade_records::units::UNDEFINED_PRICE;
use pretrade_records::{Event, EventFlags, EventKind, Side};

/// Where the levels begin in every record of quotes, and how long one is.
const LEVELS_AT: usize = 48;
const LEVEL: usize = 32;

/// What the records of one schema of quotes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quotes {
    /// Each change of the visible book, and the print that caused it before it.
    Changes,
    /// The book before each print, and the print.
    BeforePrints,
    /// The book at the end of each interval.
    Sampled,
}

/// What is remembered of one instrument's quotes.
#[derive(Default)]
pub(super) struct Book {
    row: BookRow,
    levels: LevelDiff,
    /// Messages are missing before the next record.
    pub gap: bool,
}

impl Book {
    /// Appends one record of quotes with `levels` levels.
    pub fn say(&mut self, r: &Record, instrument_id: u32, levels: usize, what: Quotes, out: &mut Vec<Event>) -> Result<(), String> {
        let stamp = stamp(r, instrument_id, what)?;
        read_levels(r, levels, &mut self.row)?;
        let flow = match what {
            Quotes::Changes => flow(r, &stamp)?,
            Quotes::BeforePrints => Some(print(r, &stamp)?),
            Quotes::Sampled => None,
        };
        let from = out.len();
        let stamp = Event { flags: if std::mem::take(&mut self.gap) { EventFlags::GAP } else { 0 }, ..stamp };
        if stamp.flags != 0 {
            self.levels.lose();
        }
        if what == Quotes::Changes {
            out.extend(flow);
        }
        self.levels.update(&stamp, &self.row, EventFlags::DERIVED, out);
        if what == Quotes::BeforePrints {
            out.extend(flow);
        }
        if out.len() == from {
            out.push(self.levels.restated(&stamp));
        }
        if let Some(last) = out.last_mut().filter(|_| what != Quotes::Changes || r.u8(30) & F_LAST != 0) {
            last.flags |= EventFlags::LAST;
        }
        Ok(())
    }
}

/// Stamps and sequence; a sample without a trade before it has no time of its own.
fn stamp(r: &Record, instrument_id: u32, what: Quotes) -> Result<Event, String> {
    let ts_recv = r.needed_stamp(32, "ts_recv")?;
    let ts_event = if what == Quotes::Sampled { r.stamp(8).unwrap_or(ts_recv) } else { r.needed_stamp(8, "ts_event")? };
    Ok(Event { ts_event, ts_recv, sequence: u64::from(r.u32(44)), instrument_id, ..Event::default() })
}

/// What happened: a print, or an order's entry, change or exit that the levels answer.
fn flow(r: &Record, stamp: &Event) -> Result<Option<Event>, String> {
    let kind = match r.u8(28) {
        b'T' => return print(r, stamp).map(Some),
        b'A' => EventKind::Add,
        b'M' => EventKind::Modify,
        b'C' => EventKind::Cancel,
        b'R' | b'N' => return Ok(None),
        other => return Err(format!("action is {:?}; known are A M C R T N", char::from(other))),
    };
    let (side, price) = (side(r.u8(29))?, r.price(16));
    if side == Side::None || price == UNDEFINED_PRICE {
        return Err(format!("{} without side or price", kind.name()));
    }
    let flags = EventFlags::INFORMATIVE;
    Ok(Some(Event { kind: kind as u8, side: side as u8, price, size: i64::from(r.u32(24)), flags, ..*stamp }))
}

/// A print; the side is the aggressor's.
fn print(r: &Record, stamp: &Event) -> Result<Event, String> {
    let (price, size) = (r.price(16), r.u32(24));
    if price == UNDEFINED_PRICE || size == u32::MAX || size == 0 {
        return Err("a print without price or size".into());
    }
    Ok(Event { kind: EventKind::Trade as u8, side: side(r.u8(29))? as u8, price, size: i64::from(size), ..*stamp })
}

/// Reads levels of bid and ask price and size, best first; a level without price or size is none.
fn read_levels(r: &Record, levels: usize, row: &mut BookRow) -> Result<(), String> {
    row.iter_mut().for_each(Vec::clear);
    for n in 0..levels {
        for (i, side) in row.iter_mut().enumerate() {
            let (price, size) = (r.price(LEVELS_AT + n * LEVEL + i * 8), r.u32(LEVELS_AT + n * LEVEL + 16 + i * 4));
            if price != UNDEFINED_PRICE && size != 0 {
                side.push((price, i64::from(size)));
            }
        }
    }
    check_order(row)
}

/// A record of schema `trades`.
pub(super) fn trade(r: &Record, instrument_id: u32) -> Result<Event, String> {
    let stamp = stamp(r, instrument_id, Quotes::BeforePrints)?;
    let gap = if r.u8(30) & F_MAYBE_BAD_BOOK != 0 { EventFlags::GAP } else { 0 };
    let last = if r.u8(30) & F_LAST != 0 { EventFlags::LAST } else { 0 };
    Ok(Event { flags: gap | last, ..print(r, &stamp)? })
}
