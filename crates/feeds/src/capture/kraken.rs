// SPDX-License-Identifier: Apache-2.0
//! Kraken, websocket version 1: book snapshots and changes with the checksum of the ten best levels, and prints.
//!
//! A book holds as many levels a side as were subscribed to; what a change pushes beyond them goes. The checksum (CRC32 over
//! the digits of the ten best asks, then bids) is the venue's own proof: where it differs, messages are missing.
use super::cryptofeed::seconds;
use super::number::{Number, level};
use super::places::Places;
use super::{Instruments, Sink, Trouble};
use crate::FaultKind;
use crate::table::TableInstrument;
use flate2::Crc;
use pretrade_records::{Event, EventFlags, EventKind, Side};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Our code of the venue.
pub const VENUE: &str = "KRKN";
/// Levels a side that the checksum covers.
const CHECKED: usize = 10;

/// Price, volume, stamp, and `r` where a level is only published again.
type Entry<'a> = Vec<Number<'a>>;

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow, rename = "as")]
    all_asks: Option<Vec<Entry<'a>>>,
    #[serde(borrow, rename = "bs")]
    all_bids: Option<Vec<Entry<'a>>>,
    #[serde(borrow)]
    a: Option<Vec<Entry<'a>>>,
    #[serde(borrow)]
    b: Option<Vec<Entry<'a>>>,
    c: Option<&'a str>,
}

/// One side by its rank from the best; each level with the digits the checksum is made of.
type Ranked = BTreeMap<i64, String>;

struct State {
    instrument: TableInstrument,
    /// Bids and asks, while the book is known.
    sides: Option<[Ranked; 2]>,
}

/// What Kraken's messages mean.
pub(super) struct Kraken {
    places: Places<State>,
}

impl Default for Kraken {
    fn default() -> Self {
        Self { places: Places::new(VENUE) }
    }
}

/// One level as read: side, price, size, digits, stamp.
struct Change {
    side: Side,
    price: i64,
    size: i64,
    digits: String,
    ts_event: i64,
}

impl Kraken {
    pub fn say(&mut self, instruments: &Instruments, message: &str, sink: &mut Sink<'_>) -> Result<(), Trouble> {
        let parts: Vec<&RawValue> = serde_json::from_str(message)?;
        let [_, parts @ .., channel, symbol] = parts.as_slice() else {
            return Err(Trouble::Bad(format!("a message has {} parts; it must have at least 4", parts.len())));
        };
        let (channel, symbol): (&str, &str) = (serde_json::from_str(channel.get())?, serde_json::from_str(symbol.get())?);
        let make = |instrument| State { instrument, sides: None };
        let Some(state) = self.places.get(instruments, symbol, make)? else { return Ok(()) };
        let (name, depth) = channel.split_once('-').unwrap_or((channel, ""));
        match (name, depth.parse::<usize>()) {
            ("book", Ok(depth)) if !parts.is_empty() => {
                let parts: Result<Vec<Part<'_>>, _> = parts.iter().map(|p| serde_json::from_str(p.get())).collect();
                state.book(&parts?, depth, sink)?;
            }
            ("trade", _) if parts.len() == 1 => state.trades(&serde_json::from_str::<Vec<Entry<'_>>>(parts[0].get())?, sink)?,
            ("ticker" | "spread" | "ohlc", _) => {}
            _ => return Err(Trouble::Bad(format!("channel {channel:?} is not read; book and trade are"))),
        }
        Ok(())
    }
}

impl State {
    fn read(&self, side: Side, entries: &[Entry<'_>], out: &mut Vec<Change>, sink: &mut Sink<'_>) -> Result<(), String> {
        for entry in entries {
            let [price, size, stamp, ..] = entry.as_slice() else {
                return Err(format!("a level has {} fields; it must have at least 3", entry.len()));
            };
            if price.is_beyond() {
                sink.fault(FaultKind::BadLine, || format!("a level at {} is out of range and left out", price.0));
                continue;
            }
            let digits = [price, size].map(|n| n.0.replace('.', "").trim_start_matches('0').to_owned()).concat();
            let ts_event = seconds(stamp.0).ok_or_else(|| format!("stamp is {:?}; it must be seconds since 1970", stamp.0))?;
            let (price, size) = level([*price, *size], &self.instrument)?;
            out.push(Change { side, price, size, digits, ts_event });
        }
        Ok(())
    }

    fn book(&mut self, parts: &[Part<'_>], depth: usize, sink: &mut Sink<'_>) -> Result<(), String> {
        let mut changes = Vec::new();
        let whole = parts.iter().any(|p| p.all_asks.is_some() || p.all_bids.is_some());
        for part in parts {
            for (side, entries) in [(Side::Ask, &part.all_asks), (Side::Bid, &part.all_bids), (Side::Ask, &part.a), (Side::Bid, &part.b)] {
                self.read(side, entries.as_deref().unwrap_or_default(), &mut changes, sink)?;
            }
        }
        let checksum =
            parts.iter().find_map(|p| p.c).map(|c| c.parse::<u32>().map_err(|_| format!("checksum is {c:?}; it must be a number of 32 bits")));
        let checksum = checksum.transpose()?;
        let newest = changes.iter().map(|c| c.ts_event).max().unwrap_or(sink.ts_recv);
        let mut stamp = sink.stamp(&self.instrument, newest);
        if whole {
            stamp.flags = EventFlags::SNAPSHOT;
            self.sides = Some([Ranked::new(), Ranked::new()]);
            sink.push(Event { kind: EventKind::Clear as u8, ..stamp });
        }
        let Some(sides) = &mut self.sides else { return Ok(()) };
        for change in changes {
            put(sides, change, depth, &stamp, sink);
        }
        if let Some(wanted) = checksum.filter(|c| *c != sum(sides)) {
            let found = sum(sides);
            sink.fault(FaultKind::SequenceGap, || {
                format!("checksum of the ten best levels is {found}, the venue's is {wanted}; messages are missing")
            });
            sink.push(Event { kind: EventKind::Heartbeat as u8, flags: EventFlags::GAP, ..stamp });
            self.sides = None;
        } else {
            sink.end();
        }
        Ok(())
    }

    fn trades(&self, rows: &[Entry<'_>], sink: &mut Sink<'_>) -> Result<(), String> {
        for row in rows {
            let [price, size, stamp, side, ..] = row.as_slice() else {
                return Err(format!("a print has {} fields; it must have at least 4", row.len()));
            };
            let side = match side.0 {
                "b" => Side::Bid,
                "s" => Side::Ask,
                other => return Err(format!("side is {other:?}; it must be b or s")),
            };
            let ts_event = seconds(stamp.0).ok_or_else(|| format!("stamp is {:?}; it must be seconds since 1970", stamp.0))?;
            sink.trade(&sink.stamp(&self.instrument, ts_event), side, price.price(&self.instrument)?, size.traded(&self.instrument)?);
        }
        Ok(())
    }
}

/// Sets a level, and takes away what falls behind the last one that is kept.
fn put(sides: &mut [Ranked; 2], change: Change, depth: usize, stamp: &Event, sink: &mut Sink<'_>) {
    let Change { side, price, size, digits, .. } = change;
    let ranked = &mut sides[usize::from(side == Side::Ask)];
    let rank = |price: i64| if side == Side::Bid { -price } else { price };
    let level = |price: i64, size: i64| Event { kind: EventKind::Level as u8, side: side as u8, price, size, ..*stamp };
    if size == 0 {
        ranked.remove(&rank(price));
    } else {
        ranked.insert(rank(price), digits);
    }
    sink.push(level(price, size));
    if ranked.len() > depth
        && let Some((last, _)) = ranked.pop_last()
    {
        sink.push(level(rank(last), 0));
    }
}

/// The venue's checksum: asks from the best on, then bids.
fn sum(sides: &[Ranked; 2]) -> u32 {
    let mut crc = Crc::new();
    for side in [&sides[1], &sides[0]] {
        side.values().take(CHECKED).for_each(|digits| crc.update(digits.as_bytes()));
    }
    crc.sum()
}
