// SPDX-License-Identifier: Apache-2.0
//! Coinbase: `snapshot`, `l2update` and `match`.
//!
//! Book messages carry no numbers; prints are numbered by one, and come down the same connection: a jump of theirs means that
//! messages are missing. `last_match` repeats the print before the subscription, `ticker` what the other channels say.
use super::number::{Number, iso, level};
use super::places::Places;
use super::{Instruments, Sink, Trouble, buy_or_sell};
use crate::FaultKind;
use crate::table::TableInstrument;
use pretrade_records::{Event, EventFlags, EventKind};
use serde::Deserialize;

/// Our code of the venue.
pub const VENUE: &str = "CBSE";

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    product_id: &'a str,
}

#[derive(Deserialize)]
struct Snapshot<'a> {
    #[serde(borrow)]
    bids: Vec<[Number<'a>; 2]>,
    #[serde(borrow)]
    asks: Vec<[Number<'a>; 2]>,
}

#[derive(Deserialize)]
struct Update<'a> {
    time: &'a str,
    #[serde(borrow)]
    changes: Vec<(&'a str, Number<'a>, Number<'a>)>,
}

#[derive(Deserialize)]
struct Match<'a> {
    trade_id: u64,
    time: &'a str,
    side: &'a str,
    #[serde(borrow)]
    size: Number<'a>,
    #[serde(borrow)]
    price: Number<'a>,
}

struct State {
    instrument: TableInstrument,
    has_book: bool,
    last_trade: Option<u64>,
}

/// What Coinbase's messages mean.
pub(super) struct Coinbase {
    places: Places<State>,
}

impl Default for Coinbase {
    fn default() -> Self {
        Self { places: Places::new(VENUE) }
    }
}

impl Coinbase {
    pub fn say(&mut self, instruments: &Instruments, message: &str, sink: &mut Sink<'_>) -> Result<(), Trouble> {
        let head: Head<'_> = serde_json::from_str(message)?;
        let make = |instrument| State { instrument, has_book: false, last_trade: None };
        let Some(state) = self.places.get(instruments, head.product_id, make)? else { return Ok(()) };
        match head.kind {
            "snapshot" => state.snapshot(&serde_json::from_str(message)?, sink)?,
            "l2update" => state.update(&serde_json::from_str(message)?, sink)?,
            "match" => state.print(&serde_json::from_str(message)?, sink)?,
            "last_match" => state.last_trade = Some(serde_json::from_str::<Match<'_>>(message)?.trade_id),
            "ticker" => {}
            other => return Err(Trouble::Bad(format!("type {other:?} is not read; snapshot, l2update and match are"))),
        }
        Ok(())
    }
}

impl State {
    fn snapshot(&mut self, snapshot: &Snapshot<'_>, sink: &mut Sink<'_>) -> Result<(), String> {
        let levels = super::binance::both(&snapshot.bids, &snapshot.asks, &self.instrument)?;
        let stamp = Event { flags: EventFlags::SNAPSHOT, ..sink.stamp(&self.instrument, sink.ts_recv) };
        sink.push(Event { kind: EventKind::Clear as u8, ..stamp });
        for (side, price, size) in levels {
            sink.push(Event { kind: EventKind::Level as u8, side: side as u8, price, size, ..stamp });
        }
        sink.end();
        self.has_book = true;
        Ok(())
    }

    fn update(&self, update: &Update<'_>, sink: &mut Sink<'_>) -> Result<(), String> {
        let stamp = sink.stamp(&self.instrument, iso(update.time)?);
        for (which, price, size) in &update.changes {
            let (price, size) = level([*price, *size], &self.instrument)?;
            let side = buy_or_sell(which)?;
            if self.has_book {
                sink.push(Event { kind: EventKind::Level as u8, side: side as u8, price, size, ..stamp });
            }
        }
        if self.has_book {
            sink.end();
        }
        Ok(())
    }

    fn print(&mut self, print: &Match<'_>, sink: &mut Sink<'_>) -> Result<(), String> {
        let stamp = Event { sequence: print.trade_id, ..sink.stamp(&self.instrument, iso(print.time)?) };
        // The side is that of the order that rested.
        let (side, price, size) = (buy_or_sell(print.side)?.opposite(), print.price.price(&self.instrument)?, print.size.traded(&self.instrument)?);
        let last = self.last_trade.unwrap_or(print.trade_id.wrapping_sub(1));
        if print.trade_id <= last && self.last_trade.is_some() {
            sink.fault(FaultKind::Duplicate, || format!("trade {} came before", print.trade_id));
            return Ok(());
        }
        if print.trade_id != last.wrapping_add(1) {
            sink.fault(FaultKind::SequenceGap, || format!("trade {} follows trade {last}; those between are missing", print.trade_id));
            sink.push(Event { kind: EventKind::Heartbeat as u8, flags: EventFlags::GAP, ..stamp });
            self.has_book = false;
        }
        self.last_trade = Some(print.trade_id);
        sink.trade(&stamp, side, price, size);
        Ok(())
    }
}
