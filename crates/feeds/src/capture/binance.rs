// SPDX-License-Identifier: Apache-2.0
//! Binance, spot and USD-margined perpetuals: `<stamp> <json>`, as the combined stream sends it, and REST snapshots between.
//!
//! Rules of the book (Binance API documents, "How to manage a local order book correctly"): changes are kept until a snapshot
//! comes; the first one taken holds the snapshot's update (perpetual: `U <= id <= u`; spot: `U <= id + 1 <= u`); from then on
//! each follows the one before (perpetual: `pu` is its `u`; spot: `U` is its `u + 1`), else messages are missing.
use super::number::{Number, level, ms};
use super::sync::{Diff, Rules, Sync};
use super::{Instruments, Sink, Trouble, Venue};
use crate::table::TableInstrument;
use pretrade_records::{Event, EventKind, ReferenceKind, Side};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashMap;

/// Our codes of the two markets; ISO 10383 has none.
pub const SPOT: &str = "BINS";
/// See [`SPOT`].
pub const PERPETUAL: &str = "BINF";

/// The line: a stream with its data, a bare event, or a REST snapshot.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    e: Option<&'a str>,
    #[serde(rename = "lastUpdateId")]
    update: Option<u64>,
}

/// What tells one event from another.
#[derive(Deserialize)]
struct Head<'a> {
    e: Option<&'a str>,
    s: &'a str,
}

#[derive(Deserialize)]
struct Depth<'a> {
    #[serde(rename = "E")]
    sent: i64,
    #[serde(rename = "T")]
    happened: Option<i64>,
    #[serde(rename = "U")]
    first: u64,
    u: u64,
    pu: Option<u64>,
    #[serde(borrow)]
    b: Vec<[Number<'a>; 2]>,
    #[serde(borrow)]
    a: Vec<[Number<'a>; 2]>,
}

#[derive(Deserialize)]
struct Snapshot<'a> {
    #[serde(rename = "lastUpdateId")]
    update: u64,
    #[serde(rename = "T")]
    happened: Option<i64>,
    #[serde(borrow)]
    bids: Vec<[Number<'a>; 2]>,
    #[serde(borrow)]
    asks: Vec<[Number<'a>; 2]>,
}

#[derive(Deserialize)]
struct Print<'a> {
    #[serde(rename = "T")]
    happened: i64,
    t: u64,
    #[serde(borrow)]
    p: Number<'a>,
    #[serde(borrow)]
    q: Number<'a>,
    #[serde(rename = "X")]
    how: Option<&'a str>,
    m: bool,
    /// Only spot has it.
    #[serde(rename = "M")]
    spot: Option<bool>,
}

#[derive(Deserialize)]
struct BestQuotes<'a> {
    u: u64,
    #[serde(rename = "T")]
    happened: Option<i64>,
    #[serde(borrow)]
    b: Number<'a>,
    #[serde(rename = "B", borrow)]
    bid_size: Number<'a>,
    #[serde(borrow)]
    a: Number<'a>,
    #[serde(rename = "A", borrow)]
    ask_size: Number<'a>,
}

#[derive(Deserialize)]
struct Mark<'a> {
    #[serde(rename = "E")]
    sent: i64,
    #[serde(borrow)]
    p: Number<'a>,
    #[serde(borrow)]
    i: Option<Number<'a>>,
    r: Option<&'a str>,
}

/// One instrument.
struct State {
    instrument: TableInstrument,
    sync: Sync,
    last_trade: Option<u64>,
}

/// What Binance's lines mean.
pub struct Binance {
    instruments: Instruments,
    states: Vec<State>,
    /// Place in `states` by market and symbol; `None` where it is not wanted.
    places: HashMap<(bool, String), Option<usize>>,
    /// What the messages of each file are about: a REST snapshot does not say whose book it is.
    of_file: HashMap<usize, Of>,
}

/// The one market and symbol of a file's messages.
#[derive(Clone, Debug)]
enum Of {
    One(bool, String),
    Several,
}

impl Binance {
    /// Lines about `instruments`.
    #[must_use]
    pub fn new(instruments: Instruments) -> Self {
        Self { instruments, states: Vec::new(), places: HashMap::new(), of_file: HashMap::new() }
    }

    /// Where the state of an instrument is; notes what the file is about.
    fn place(&mut self, spot: bool, symbol: &str, sink: &Sink<'_>) -> Result<Option<usize>, Trouble> {
        let of = self.of_file.entry(sink.file).or_insert_with(|| Of::One(spot, symbol.to_owned()));
        if !matches!(of, Of::One(s, name) if *s == spot && name == symbol) {
            *of = Of::Several;
        }
        // A capture holds few instruments, so the key is made once per message; a lookup by parts would need a type of its own.
        let key = (spot, symbol.to_owned());
        if let Some(place) = self.places.get(&key) {
            return Ok(*place);
        }
        let found = self.instruments.find(if spot { SPOT } else { PERPETUAL }, symbol)?;
        let place = found.map(|instrument| {
            let sync = Sync::new(Rules { ahead: u64::from(spot) });
            self.states.push(State { instrument, sync, last_trade: None });
            self.states.len() - 1
        });
        self.places.insert(key, place);
        Ok(place)
    }

    fn depth(&mut self, symbol: &str, message: &str, sink: &mut Sink<'_>) -> Result<(), Trouble> {
        let depth: Depth<'_> = serde_json::from_str(message)?;
        let spot = depth.pu.is_none();
        let Some(place) = self.place(spot, symbol, sink)? else { return Ok(()) };
        let State { instrument, sync, .. } = &mut self.states[place];
        let ts_event = ms(depth.happened.unwrap_or(depth.sent))?;
        if depth.u < depth.first {
            return Err(Trouble::Bad(format!("updates run from {} to {}", depth.first, depth.u)));
        }
        let levels = both(&depth.b, &depth.a, instrument)?;
        let diff = Diff { first: depth.first, last: depth.u, before: depth.pu, ts_event, levels };
        sync.diff(&sink.stamp(instrument, ts_event), diff, sink);
        Ok(())
    }

    fn snapshot(&mut self, message: &str, sink: &mut Sink<'_>) -> Result<(), Trouble> {
        let snapshot: Snapshot<'_> = serde_json::from_str(message)?;
        let (spot, symbol) = match self.of_file.get(&sink.file) {
            Some(Of::One(spot, symbol)) => (*spot, symbol.clone()),
            Some(Of::Several) => return Err(Trouble::Bad("a snapshot in a file of several books does not say which one it is".into())),
            None => return Err(Trouble::Bad("a snapshot before any other message does not say whose it is".into())),
        };
        let Some(place) = self.place(spot, &symbol, sink)? else { return Ok(()) };
        let State { instrument, sync, .. } = &mut self.states[place];
        let ts_event = snapshot.happened.map_or(Ok(sink.ts_recv), ms)?;
        let levels = both(&snapshot.bids, &snapshot.asks, instrument)?;
        sync.snapshot(&sink.stamp(instrument, ts_event), snapshot.update, levels, sink);
        Ok(())
    }

    fn trade(&mut self, symbol: &str, message: &str, sink: &mut Sink<'_>) -> Result<(), Trouble> {
        let print: Print<'_> = serde_json::from_str(message)?;
        let Some(place) = self.place(print.spot.is_some(), symbol, sink)? else { return Ok(()) };
        let State { instrument, last_trade, .. } = &mut self.states[place];
        let stamp = Event { sequence: print.t, ..sink.stamp(instrument, ms(print.happened)?) };
        let (price, size) = (print.p.price(instrument)?, print.q.traded(instrument)?);
        if last_trade.is_some_and(|last| print.t <= last) {
            sink.fault(crate::FaultKind::Duplicate, || format!("trade {} came before", print.t));
            return Ok(());
        }
        *last_trade = Some(print.t);
        // A buyer who rested was hit by a seller. What did not meet the book (an insurance fund) has no aggressor.
        let side = match print.how {
            None | Some("MARKET") if print.m => Side::Ask,
            None | Some("MARKET") => Side::Bid,
            Some(_) => Side::None,
        };
        sink.trade(&stamp, side, price, size);
        Ok(())
    }

    fn quotes(&mut self, spot: bool, symbol: &str, message: &str, sink: &mut Sink<'_>) -> Result<(), Trouble> {
        let quotes: BestQuotes<'_> = serde_json::from_str(message)?;
        let Some(place) = self.place(spot, symbol, sink)? else { return Ok(()) };
        let instrument = &self.states[place].instrument;
        let ts_event = quotes.happened.map_or(Ok(sink.ts_recv), ms)?;
        let stamp = Event { sequence: quotes.u, ..sink.stamp(instrument, ts_event) };
        let (bid, ask) = (level([quotes.b, quotes.bid_size], instrument)?, level([quotes.a, quotes.ask_size], instrument)?);
        sink.touches(&stamp, bid, ask);
        Ok(())
    }

    fn mark(&mut self, symbol: &str, message: &str, sink: &mut Sink<'_>) -> Result<(), Trouble> {
        let mark: Mark<'_> = serde_json::from_str(message)?;
        let Some(place) = self.place(false, symbol, sink)? else { return Ok(()) };
        let instrument = &self.states[place].instrument;
        let stamp = Event { kind: EventKind::Reference as u8, ..sink.stamp(instrument, ms(mark.sent)?) };
        sink.push(Event { aux: ReferenceKind::Mark as u64, price: mark.p.price(instrument)?, ..stamp });
        if let Some(index) = mark.i {
            sink.push(Event { aux: ReferenceKind::Index as u64, price: index.price(instrument)?, ..stamp });
        }
        if let Some(rate) = mark.r.filter(|r| !r.is_empty()) {
            let price = super::number::fixed(rate, 9).ok_or_else(|| format!("funding rate is {rate:?}; it must be a multiple of 1e-9"))?;
            sink.push(Event { aux: ReferenceKind::FundingRate as u64, price, ..stamp });
        }
        Ok(())
    }
}

/// Levels of both sides.
pub(super) fn both(bids: &[[Number<'_>; 2]], asks: &[[Number<'_>; 2]], instrument: &TableInstrument) -> Result<Vec<(Side, i64, i64)>, String> {
    let side = |side: Side| move |row: &[Number<'_>; 2]| level(*row, instrument).map(|(price, size)| (side, price, size));
    bids.iter().map(side(Side::Bid)).chain(asks.iter().map(side(Side::Ask))).collect()
}

impl Venue for Binance {
    fn split<'a>(&self, line: &'a str) -> Result<Option<(i64, &'a str)>, String> {
        super::stamped(line)
    }

    fn say(&mut self, message: &str, sink: &mut Sink<'_>) -> Result<(), Trouble> {
        let line: Line<'_> = serde_json::from_str(message)?;
        if line.update.is_some() {
            return self.snapshot(message, sink);
        }
        let message = match (line.data, line.e) {
            (Some(data), _) => data.get(),
            (None, Some(_)) => message,
            (None, None) => return Err(Trouble::Bad("is neither a stream's message nor a snapshot".into())),
        };
        let head: Head<'_> = serde_json::from_str(message)?;
        match head.e {
            Some("depthUpdate") => self.depth(head.s, message, sink),
            Some("trade") => self.trade(head.s, message, sink),
            Some("bookTicker") => self.quotes(false, head.s, message, sink),
            Some("markPriceUpdate") => self.mark(head.s, message, sink),
            Some(other) => Err(Trouble::Bad(format!("event {other:?} is not read; depthUpdate, trade, bookTicker and markPriceUpdate are"))),
            None => self.quotes(true, head.s, message, sink),
        }
    }
}
