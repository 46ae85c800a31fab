// SPDX-License-Identifier: Apache-2.0
//! BitMEX: `orderBookL2` (a level's id stands for its price after its first message), `trade` and `quote`.
//!
//! A book counts from its `partial`; a change of an id that nobody announced means that messages are missing.
use super::number::{Number, iso};
use super::places::Places;
use super::{Instruments, Sink, Trouble};
use crate::FaultKind;
use crate::table::TableInstrument;
use pretrade_records::{Event, EventFlags, EventKind, Side};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashMap;

/// Our code of the venue.
pub const VENUE: &str = "BMEX";

#[derive(Deserialize)]
struct Message<'a> {
    table: &'a str,
    action: &'a str,
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
struct Row<'a> {
    symbol: &'a str,
    id: u64,
    side: &'a str,
    #[serde(borrow)]
    size: Option<Number<'a>>,
    #[serde(borrow)]
    price: Option<Number<'a>>,
}

#[derive(Deserialize)]
struct Print<'a> {
    timestamp: &'a str,
    symbol: &'a str,
    side: &'a str,
    #[serde(borrow)]
    size: Number<'a>,
    #[serde(borrow)]
    price: Number<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Best<'a> {
    timestamp: &'a str,
    symbol: &'a str,
    #[serde(borrow)]
    bid_size: Number<'a>,
    #[serde(borrow)]
    bid_price: Number<'a>,
    #[serde(borrow)]
    ask_price: Number<'a>,
    #[serde(borrow)]
    ask_size: Number<'a>,
}

/// One instrument: the price of each level's id, while the book is known.
struct State {
    instrument: TableInstrument,
    prices: Option<HashMap<u64, i64>>,
}

/// What BitMEX's messages mean.
pub(super) struct Bitmex {
    places: Places<State>,
}

impl Default for Bitmex {
    fn default() -> Self {
        Self { places: Places::new(VENUE) }
    }
}

fn make(instrument: TableInstrument) -> State {
    State { instrument, prices: None }
}

fn side(text: &str) -> Result<Side, String> {
    match text {
        "Buy" => Ok(Side::Bid),
        "Sell" => Ok(Side::Ask),
        other => Err(format!("side is {other:?}; it must be Buy or Sell")),
    }
}

impl Bitmex {
    pub fn say(&mut self, instruments: &Instruments, message: &str, sink: &mut Sink<'_>) -> Result<(), Trouble> {
        let message: Message<'_> = serde_json::from_str(message)?;
        match (message.table, message.action) {
            ("orderBookL2", "partial" | "insert" | "update" | "delete") => self.book(instruments, &message, sink),
            // The partial of prints is history.
            ("trade", "partial") => Ok(()),
            ("trade", "insert") => self.trades(instruments, &message, sink),
            ("quote", "partial" | "insert") => self.best(instruments, &message, sink),
            (table, action) => Err(Trouble::Bad(format!("{action} of table {table} is not read; orderBookL2, trade and quote are"))),
        }
    }

    /// Rows of one message, each run of one instrument an event of its own.
    fn book(&mut self, instruments: &Instruments, message: &Message<'_>, sink: &mut Sink<'_>) -> Result<(), Trouble> {
        let rows: Vec<Row<'_>> = serde_json::from_str(message.data.get())?;
        for run in rows.chunk_by(|a, b| a.symbol == b.symbol) {
            let Some(state) = self.places.get(instruments, run[0].symbol, make)? else { continue };
            // A run is read whole before the book is touched, so that a bad row leaves nothing behind.
            let levels: Result<Vec<_>, String> = run.iter().map(|row| level(row, message.action, &state.instrument)).collect();
            state.apply(message.action, &levels?, sink);
        }
        Ok(())
    }

    fn trades(&mut self, instruments: &Instruments, message: &Message<'_>, sink: &mut Sink<'_>) -> Result<(), Trouble> {
        let rows: Vec<Print<'_>> = serde_json::from_str(message.data.get())?;
        for row in rows {
            let Some(State { instrument, .. }) = self.places.get(instruments, row.symbol, make)? else { continue };
            let stamp = sink.stamp(instrument, iso(row.timestamp)?);
            sink.trade(&stamp, side(row.side)?, row.price.price(instrument)?, row.size.traded(instrument)?);
        }
        Ok(())
    }

    fn best(&mut self, instruments: &Instruments, message: &Message<'_>, sink: &mut Sink<'_>) -> Result<(), Trouble> {
        let rows: Vec<Best<'_>> = serde_json::from_str(message.data.get())?;
        for row in rows {
            let Some(State { instrument, .. }) = self.places.get(instruments, row.symbol, make)? else { continue };
            let bid = (row.bid_price.price(instrument)?, row.bid_size.size(instrument)?);
            let ask = (row.ask_price.price(instrument)?, row.ask_size.size(instrument)?);
            sink.touches(&sink.stamp(instrument, iso(row.timestamp)?), bid, ask);
        }
        Ok(())
    }
}

/// Id, side, price and size of a row; the price where the message must give it, size 0 where the level goes.
fn level(row: &Row<'_>, action: &str, instrument: &TableInstrument) -> Result<(u64, Side, Option<i64>, i64), String> {
    let price = row.price.map(|p| p.price(instrument)).transpose()?;
    if price.is_none() && matches!(action, "partial" | "insert") {
        return Err(format!("{action} of level {} without a price", row.id));
    }
    let size = match row.size {
        _ if action == "delete" => 0,
        Some(size) => size.size(instrument)?,
        None => return Err(format!("{action} of level {} without a size", row.id)),
    };
    Ok((row.id, side(row.side)?, price, size))
}

impl State {
    fn apply(&mut self, action: &str, levels: &[(u64, Side, Option<i64>, i64)], sink: &mut Sink<'_>) {
        let mut stamp = sink.stamp(&self.instrument, sink.ts_recv);
        if action == "partial" {
            stamp.flags = EventFlags::SNAPSHOT;
            sink.push(Event { kind: EventKind::Clear as u8, ..stamp });
            self.prices = Some(HashMap::new());
        }
        let Some(prices) = &mut self.prices else { return };
        for &(id, side, price, size) in levels {
            let known = match price {
                Some(price) => Some(*prices.entry(id).and_modify(|p| *p = price).or_insert(price)),
                None => prices.get(&id).copied(),
            };
            let Some(price) = known else {
                sink.fault(FaultKind::SequenceGap, || format!("{action} of level {id}, which no message announced"));
                sink.push(Event { kind: EventKind::Heartbeat as u8, flags: EventFlags::GAP, ..stamp });
                self.prices = None;
                return;
            };
            if size == 0 {
                prices.remove(&id);
            }
            sink.push(Event { kind: EventKind::Level as u8, side: side as u8, price, size, ..stamp });
        }
        sink.end();
    }
}
