// SPDX-License-Identifier: Apache-2.0
//! Kraken Futures: `book_snapshot`, `book` (one level a message, numbered by one) and `trade`.
use super::number::{Number, level, ms};
use super::places::Places;
use super::sync::{Diff, Rules, Sync};
use super::{Instruments, Sink, Trouble, buy_or_sell};
use crate::FaultKind;
use crate::table::TableInstrument;
use pretrade_records::{Event, Side};
use serde::Deserialize;

/// Our code of the venue.
pub const VENUE: &str = "KRKF";

#[derive(Deserialize)]
struct Head<'a> {
    feed: &'a str,
    product_id: &'a str,
}

#[derive(Deserialize)]
struct Level<'a> {
    #[serde(borrow)]
    price: Number<'a>,
    #[serde(borrow, rename = "qty")]
    size: Number<'a>,
}

#[derive(Deserialize)]
struct Snapshot<'a> {
    timestamp: i64,
    seq: u64,
    #[serde(borrow)]
    bids: Vec<Level<'a>>,
    #[serde(borrow)]
    asks: Vec<Level<'a>>,
}

#[derive(Deserialize)]
struct Change<'a> {
    timestamp: i64,
    seq: u64,
    side: &'a str,
    #[serde(borrow)]
    price: Number<'a>,
    #[serde(borrow, rename = "qty")]
    size: Number<'a>,
}

#[derive(Deserialize)]
struct Print<'a> {
    time: i64,
    seq: u64,
    side: &'a str,
    #[serde(borrow)]
    price: Number<'a>,
    #[serde(borrow, rename = "qty")]
    size: Number<'a>,
}

struct State {
    instrument: TableInstrument,
    sync: Sync,
    last_trade: Option<u64>,
}

/// What Kraken Futures' messages mean.
pub(super) struct KrakenFutures {
    places: Places<State>,
}

impl Default for KrakenFutures {
    fn default() -> Self {
        Self { places: Places::new(VENUE) }
    }
}

impl KrakenFutures {
    pub fn say(&mut self, instruments: &Instruments, message: &str, sink: &mut Sink<'_>) -> Result<(), Trouble> {
        let head: Head<'_> = serde_json::from_str(message)?;
        let make = |instrument| State { instrument, sync: Sync::new(Rules { ahead: 1 }), last_trade: None };
        let Some(state) = self.places.get(instruments, head.product_id, make)? else { return Ok(()) };
        match head.feed {
            "book_snapshot" => state.snapshot(&serde_json::from_str(message)?, sink)?,
            "book" => state.change(&serde_json::from_str(message)?, sink)?,
            "trade" => state.print(&serde_json::from_str(message)?, sink)?,
            // Prints before the subscription, and what the other feeds say.
            "trade_snapshot" | "ticker" | "ticker_lite" => {}
            other => return Err(Trouble::Bad(format!("feed {other:?} is not read; book and trade are"))),
        }
        Ok(())
    }
}

impl State {
    fn snapshot(&mut self, snapshot: &Snapshot<'_>, sink: &mut Sink<'_>) -> Result<(), String> {
        let instrument = &self.instrument;
        let of = |side: Side| move |l: &Level<'_>| level([l.price, l.size], instrument).map(|(price, size)| (side, price, size));
        let levels: Result<Vec<_>, _> = snapshot.bids.iter().map(of(Side::Bid)).chain(snapshot.asks.iter().map(of(Side::Ask))).collect();
        let stamp = sink.stamp(&self.instrument, ms(snapshot.timestamp)?);
        self.sync.restart(&stamp, snapshot.seq, levels?, sink);
        Ok(())
    }

    fn change(&mut self, change: &Change<'_>, sink: &mut Sink<'_>) -> Result<(), String> {
        let ts_event = ms(change.timestamp)?;
        let (price, size) = level([change.price, change.size], &self.instrument)?;
        let levels = vec![(buy_or_sell(change.side)?, price, size)];
        let diff = Diff { first: change.seq, last: change.seq, before: None, ts_event, levels };
        self.sync.diff(&sink.stamp(&self.instrument, ts_event), diff, sink);
        Ok(())
    }

    fn print(&mut self, print: &Print<'_>, sink: &mut Sink<'_>) -> Result<(), String> {
        let stamp = Event { sequence: print.seq, ..sink.stamp(&self.instrument, ms(print.time)?) };
        let (side, price, size) = (buy_or_sell(print.side)?, print.price.price(&self.instrument)?, print.size.traded(&self.instrument)?);
        if self.last_trade.is_some_and(|last| print.seq <= last) {
            sink.fault(FaultKind::Duplicate, || format!("trade {} came before", print.seq));
            return Ok(());
        }
        self.last_trade = Some(print.seq);
        sink.trade(&stamp, side, price, size);
        Ok(())
    }
}
