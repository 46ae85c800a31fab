// SPDX-License-Identifier: Apache-2.0
//! Raw captures: the lines a venue sent, each with the stamp of its receipt. The lines of several files are one stream.
//!
//! What a line means is a [`Venue`]'s; what all captures share is here: the order of lines, the clocks and the faults.
pub mod binance;
pub mod bitmex;
pub mod bitstamp;
pub mod bybit;
pub mod coinbase;
pub mod cryptofeed;
pub mod kraken;
pub mod kraken_futures;
mod number;
mod places;
mod sync;

use crate::error::{FaultKind, FaultLog, FeedError};
use crate::levels::{BookRow, LevelDiff};
use crate::lines::Lines;
use crate::source::{self, Source};
use crate::table::TableInstrument;
use crate::{BATCH, Decoder};
use pretrade_records::{Event, EventFlags, EventKind, Side};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A book of a thousand levels a side and more is one line.
const LONGEST_LINE: usize = 16 << 20;

/// Side of an order as most venues write it.
fn buy_or_sell(text: &str) -> Result<Side, String> {
    match text {
        "buy" => Ok(Side::Bid),
        "sell" => Ok(Side::Ask),
        other => Err(format!("side is {other:?}; it must be buy or sell")),
    }
}

/// Why a line is not read: it says nothing and is counted, or the recording is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A counted fault.
    Bad(String),
    /// The recording is refused.
    Refused(String),
}

impl From<String> for Trouble {
    fn from(what: String) -> Self {
        Self::Bad(what)
    }
}

impl From<serde_json::Error> for Trouble {
    fn from(e: serde_json::Error) -> Self {
        Self::Bad(format!("is no message of this venue: {e}"))
    }
}

/// Our instruments by venue code and the venue's symbol.
#[derive(Clone, Debug, Default)]
pub struct Instruments {
    known: HashMap<String, HashMap<String, TableInstrument>>,
    /// Only these are wanted: lines of others are left out, else they refuse the recording.
    only: bool,
}

impl Instruments {
    /// Instruments by (venue, symbol); where `only` is set, lines of others are left out.
    #[must_use]
    pub fn new(known: impl IntoIterator<Item = ((String, String), TableInstrument)>, only: bool) -> Self {
        let mut out = Self { known: HashMap::new(), only };
        for ((venue, symbol), instrument) in known {
            out.known.entry(venue).or_default().insert(symbol, instrument);
        }
        out
    }

    /// The only instrument of a venue, for captures that do not say what they are about.
    ///
    /// # Errors
    /// In words, if the configuration has none of the venue or several.
    pub fn the_one(&self, venue: &str) -> Result<TableInstrument, String> {
        let mut of_venue = self.known.get(venue).into_iter().flatten();
        match (of_venue.next(), of_venue.next()) {
            (Some((_, instrument)), None) => Ok(*instrument),
            (None, _) => Err(format!("is of venue {venue}, of which the configuration has no instrument; add an [[instrument]] for it")),
            _ => Err(format!("does not say which instrument of venue {venue} it is about; name one")),
        }
    }

    /// The instrument, or `None` where it is not wanted.
    ///
    /// # Errors
    /// If the configuration lacks it and every instrument is wanted.
    pub fn find(&self, venue: &str, symbol: &str) -> Result<Option<TableInstrument>, Trouble> {
        match self.known.get(venue).and_then(|v| v.get(symbol)) {
            Some(instrument) => Ok(Some(*instrument)),
            None if self.only => Ok(None),
            None => Err(Trouble::Refused(format!(
                "holds symbol {symbol} of venue {venue}, which the configuration lacks; add an [[instrument]] for it, or name those that are wanted"
            ))),
        }
    }
}

/// Makes the reader of a format.
pub type Reads = fn(Instruments) -> Box<dyn Venue>;

/// Formats of captures, and who reads each.
pub const FORMATS: [(&str, Reads); 4] = [
    ("binance", |instruments| Box::new(binance::Binance::new(instruments))),
    ("bitstamp", |instruments| Box::new(bitstamp::Bitstamp::new(&instruments))),
    ("cryptofeed", |instruments| Box::new(cryptofeed::Cryptofeed::new(instruments))),
    ("bybit", |instruments| Box::new(bybit::Bybit::new(instruments))),
];

/// A receive stamp of whole digits, a blank and the message.
fn stamped(line: &str) -> Result<Option<(i64, &str)>, String> {
    if line.is_empty() {
        return Ok(None);
    }
    let (stamp, message) = line.split_once(' ').ok_or("the line has no stamp before its message")?;
    let ts = number::digits(stamp).ok_or_else(|| format!("receive stamp is {stamp:?}; it must have 10, 13, 16 or 19 digits"))?;
    Ok(Some((ts, message)))
}

/// Where a venue's lines become events.
pub struct Sink<'a> {
    out: &'a mut Vec<Event>,
    faults: &'a mut FaultLog,
    path: &'a Path,
    line: u64,
    /// File of the line, from 0.
    pub file: usize,
    /// When the line was received.
    pub ts_recv: i64,
}

impl Sink<'_> {
    /// Counts a fault at this line.
    pub fn fault(&mut self, kind: FaultKind, what: impl FnOnce() -> String) {
        let line = self.line;
        self.faults.add(kind, self.path, || format!("line {line}"), what);
    }

    /// An event of the instrument that happened at `ts_event`.
    #[must_use]
    pub fn stamp(&self, instrument: &TableInstrument, ts_event: i64) -> Event {
        Event { ts_event, ts_recv: self.ts_recv, instrument_id: instrument.instrument_id, ..Event::default() }
    }

    /// Appends an event.
    pub fn push(&mut self, event: Event) {
        self.out.push(event);
    }

    /// Appends a print; `side` is the aggressor's.
    pub fn trade(&mut self, stamp: &Event, side: Side, price: i64, size: i64) {
        self.out.push(Event { kind: EventKind::Trade as u8, side: side as u8, price, size, ..*stamp });
    }

    /// Appends what a venue says is the best bid and ask beside the book that its other messages build.
    pub fn touches(&mut self, stamp: &Event, bid: (i64, i64), ask: (i64, i64)) {
        for (side, (price, size)) in [(Side::Bid, bid), (Side::Ask, ask)] {
            let flags = stamp.flags | EventFlags::INFORMATIVE;
            self.out.push(Event { kind: EventKind::Level as u8, side: side as u8, price, size, flags, ..*stamp });
        }
    }

    /// Appends what changed in a book that each message restates, and ends the event.
    pub fn levels(&mut self, diff: &mut LevelDiff, stamp: &Event, row: &BookRow) {
        let from = self.out.len();
        diff.update(stamp, row, EventFlags::DERIVED, self.out);
        if self.out.len() == from {
            self.out.push(diff.restated(stamp));
        }
        self.end();
    }

    /// Events of this line so far end one venue event.
    pub fn end(&mut self) {
        if let Some(last) = self.out.last_mut() {
            last.flags |= EventFlags::LAST;
        }
    }
}

/// What the lines of one venue, or one family of venues, mean.
pub trait Venue: Send {
    /// Receive stamp of a line and its message; `None` where the line is none of the market.
    ///
    /// # Errors
    /// In words, if the line has no stamp.
    fn split<'a>(&self, line: &'a str) -> Result<Option<(i64, &'a str)>, String>;

    /// Appends what a message says.
    ///
    /// # Errors
    /// If it says nothing, or the recording is refused for it; what was appended is taken back.
    fn say(&mut self, message: &str, sink: &mut Sink<'_>) -> Result<(), Trouble>;
}

/// One file with the line that comes next.
struct Lane {
    lines: Lines,
    /// Stamp of the next line; the end of time where it has none of its own.
    next: Option<i64>,
    newest: i64,
}

/// Decoder of captures of one venue.
pub struct CaptureDecoder {
    venue: Box<dyn Venue>,
    lanes: Vec<Lane>,
    faults: FaultLog,
    opened: bool,
}

impl CaptureDecoder {
    /// Opens files; their lines are taken in the order of their receive stamps.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn open(venue: Box<dyn Venue>, paths: &[PathBuf]) -> Result<Self, FeedError> {
        let sources: Result<Vec<_>, _> = paths.iter().map(|p| source::open(p).map(|s| (p.clone(), s))).collect();
        Ok(Self::from_readers(venue, sources?))
    }

    /// As [`CaptureDecoder::open`] for bytes; the paths are their names in errors.
    #[must_use]
    pub fn from_readers(venue: Box<dyn Venue>, sources: Vec<(PathBuf, Source)>) -> Self {
        let lane = |(path, source): (PathBuf, Source)| Lane { lines: Lines::with_longest(&path, source, LONGEST_LINE), next: None, newest: i64::MIN };
        Self { venue, lanes: sources.into_iter().map(lane).collect(), faults: FaultLog::default(), opened: false }
    }

    /// Reads lines of a file until one is of the market; a line without a stamp is counted and left out.
    fn advance(&mut self, at: usize) -> Result<(), FeedError> {
        let lane = &mut self.lanes[at];
        lane.next = None;
        while lane.lines.advance()? {
            match lane.lines.text().and_then(|text| self.venue.split(text)) {
                Ok(Some((ts, _))) => {
                    if ts < lane.newest {
                        let (lines, back) = (&lane.lines, lane.newest - ts);
                        let what = || format!("was received {back} ns before the line before it");
                        self.faults.add(FaultKind::OutOfOrder, lines.path(), || format!("line {}", lines.number()), what);
                    }
                    lane.newest = lane.newest.max(ts);
                    lane.next = Some(lane.newest);
                    return Ok(());
                }
                Ok(None) => {}
                Err(what) => {
                    let lines = &lane.lines;
                    self.faults.add(FaultKind::BadLine, lines.path(), || format!("line {}", lines.number()), || what);
                }
            }
        }
        Ok(())
    }

    /// Says the next line of all files; `false` at the end.
    fn step(&mut self, out: &mut Vec<Event>) -> Result<bool, FeedError> {
        if !std::mem::replace(&mut self.opened, true) {
            for at in 0..self.lanes.len() {
                self.advance(at)?;
            }
        }
        let first = self.lanes.iter().enumerate().filter_map(|(at, lane)| Some((lane.next?, at))).min();
        let Some((ts_recv, at)) = first else { return Ok(false) };
        let from = out.len();
        let lane = &self.lanes[at];
        let (path, line) = (lane.lines.path(), lane.lines.number());
        let message = lane.lines.text().and_then(|text| self.venue.split(text));
        if let Ok(Some((_, message))) = message {
            let mut sink = Sink { out, faults: &mut self.faults, path, line, file: at, ts_recv };
            let said = self.venue.say(message, &mut sink);
            match said {
                Ok(()) => count_age(&out[from..], &mut self.faults, path, line),
                Err(trouble) => {
                    out.truncate(from);
                    match trouble {
                        Trouble::Bad(what) => self.faults.add(FaultKind::BadLine, path, || format!("line {line}"), || what),
                        Trouble::Refused(what) => return Err(FeedError::new(path, format!("line {line}"), what)),
                    }
                }
            }
        }
        self.advance(at)?;
        Ok(true)
    }
}

/// Counts a line that was received before it happened.
fn count_age(events: &[Event], faults: &mut FaultLog, path: &Path, line: u64) {
    if let Some(e) = events.iter().find(|e| e.ts_recv < e.ts_event) {
        let what = || format!("ts_recv {} is before ts_event {}", e.ts_recv, e.ts_event);
        faults.add(FaultKind::NegativeAge, path, || format!("line {line}"), what);
    }
}

impl Decoder for CaptureDecoder {
    fn next_batch(&mut self, out: &mut Vec<Event>) -> Result<bool, FeedError> {
        let from = out.len();
        while out.len() - from < BATCH && self.step(out)? {}
        Ok(out.len() > from)
    }

    fn faults(&self) -> &FaultLog {
        &self.faults
    }
}
