// SPDX-License-Identifier: Apache-2.0
//! Bitstamp's feed of 2015: `<stamp> <event> <json>` with orders, prints and, every few seconds, the visible book.
//!
//! The `order_book` messages are the book, for nobody says which orders rested before the log began; orders are its flow. An
//! order that shrinks was filled, for this venue cannot change orders. The log does not name its instrument.
use super::number::{Number, digits, level};
use super::{Instruments, Sink, Trouble, Venue};
use crate::FaultKind;
use crate::levels::{BookRow, LevelDiff, check_order};
use crate::table::TableInstrument;
use pretrade_records::{Event, EventFlags, EventKind, Side};
use serde::Deserialize;
use std::collections::VecDeque;

/// Our code of the venue.
pub const VENUE: &str = "BSTP";
/// How far apart the venue says a deletion twice; prints it says once, but not always in the order of their ids.
const RECENT: usize = 64;

/// The ids met last.
#[derive(Default)]
struct Recent(VecDeque<u64>);

impl Recent {
    /// False where the id was met lately; remembers it.
    fn is_new(&mut self, id: u64) -> bool {
        let new = !self.0.contains(&id);
        if new {
            if self.0.len() == RECENT {
                self.0.pop_front();
            }
            self.0.push_back(id);
        }
        new
    }
}

#[derive(Deserialize)]
struct Order<'a> {
    id: u64,
    #[serde(borrow)]
    price: Number<'a>,
    #[serde(borrow)]
    amount: Number<'a>,
    #[serde(borrow)]
    datetime: Number<'a>,
    order_type: u8,
}

#[derive(Deserialize)]
struct Print<'a> {
    id: u64,
    #[serde(borrow)]
    price: Number<'a>,
    #[serde(borrow)]
    amount: Number<'a>,
}

#[derive(Deserialize)]
struct Visible<'a> {
    #[serde(borrow)]
    bids: Vec<[Number<'a>; 2]>,
    #[serde(borrow)]
    asks: Vec<[Number<'a>; 2]>,
}

/// What Bitstamp's lines mean.
pub struct Bitstamp {
    instrument: Result<TableInstrument, String>,
    row: BookRow,
    levels: LevelDiff,
    traded: Recent,
    gone: Recent,
}

impl Bitstamp {
    /// Lines about the one instrument of this venue.
    #[must_use]
    pub fn new(instruments: &Instruments) -> Self {
        Self {
            instrument: instruments.the_one(VENUE),
            row: BookRow::default(),
            levels: LevelDiff::default(),
            traded: Recent::default(),
            gone: Recent::default(),
        }
    }

    fn order(&mut self, kind: EventKind, instrument: &TableInstrument, message: &str, sink: &mut Sink<'_>) -> Result<(), Trouble> {
        let order: Order<'_> = serde_json::from_str(message)?;
        let side = match order.order_type {
            0 => Side::Bid,
            1 => Side::Ask,
            other => return Err(Trouble::Bad(format!("order type is {other}; it must be 0 (bid) or 1 (ask)"))),
        };
        // The time of a change is not said: `datetime` stays that of the order's entry.
        let entered = digits(order.datetime.0).ok_or_else(|| format!("datetime is {:?}; it must be seconds since 1970", order.datetime.0))?;
        let ts_event = if kind == EventKind::Add { entered } else { sink.ts_recv };
        let (price, size) = (order.price.price(instrument)?, order.amount.size(instrument)?);
        if kind == EventKind::Cancel && !self.gone.is_new(order.id) {
            sink.fault(FaultKind::Duplicate, || format!("order {} was deleted before", order.id));
            return Ok(());
        }
        let filled = kind == EventKind::Modify || (kind == EventKind::Cancel && size == 0);
        let flags = EventFlags::INFORMATIVE | if filled { EventFlags::CAUSED_BY_FILL } else { 0 };
        let stamp = sink.stamp(instrument, ts_event);
        sink.push(Event { kind: kind as u8, side: side as u8, order_id: order.id, price, size, flags, ..stamp });
        Ok(())
    }

    fn trade(&mut self, instrument: &TableInstrument, message: &str, sink: &mut Sink<'_>) -> Result<(), Trouble> {
        let print: Print<'_> = serde_json::from_str(message)?;
        let (price, size) = (print.price.price(instrument)?, print.amount.traded(instrument)?);
        if !self.traded.is_new(print.id) {
            sink.fault(FaultKind::Duplicate, || format!("trade {} came before", print.id));
            return Ok(());
        }
        let stamp = Event { sequence: print.id, ..sink.stamp(instrument, sink.ts_recv) };
        sink.trade(&stamp, Side::None, price, size);
        Ok(())
    }

    fn book(&mut self, instrument: &TableInstrument, message: &str, sink: &mut Sink<'_>) -> Result<(), Trouble> {
        let visible: Visible<'_> = serde_json::from_str(message)?;
        for (mine, rows) in self.row.iter_mut().zip([&visible.bids, &visible.asks]) {
            mine.clear();
            for row in rows {
                let (price, size) = level(*row, instrument)?;
                if size > 0 {
                    mine.push((price, size));
                }
            }
        }
        check_order(&self.row)?;
        let stamp = sink.stamp(instrument, sink.ts_recv);
        sink.levels(&mut self.levels, &stamp, &self.row);
        Ok(())
    }
}

impl Venue for Bitstamp {
    fn split<'a>(&self, line: &'a str) -> Result<Option<(i64, &'a str)>, String> {
        super::stamped(line)
    }

    fn say(&mut self, message: &str, sink: &mut Sink<'_>) -> Result<(), Trouble> {
        let instrument = self.instrument.clone().map_err(Trouble::Refused)?;
        let (kind, body) = message.split_once(' ').ok_or_else(|| "the line has no message behind its event".to_owned())?;
        match kind {
            "order_created" => self.order(EventKind::Add, &instrument, body, sink),
            "order_changed" => self.order(EventKind::Modify, &instrument, body, sink),
            "order_deleted" => self.order(EventKind::Cancel, &instrument, body, sink),
            "trade" => self.trade(&instrument, body, sink),
            "order_book" => self.book(&instrument, body, sink),
            other => Err(Trouble::Bad(format!("event {other:?} is not read; order_created, order_changed, order_deleted, trade, order_book are"))),
        }
    }
}
