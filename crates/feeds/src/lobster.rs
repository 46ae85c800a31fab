// SPDX-License-Identifier: Apache-2.0
//! LOBSTER recordings: a message file with its orderbook file. The orderbook file is the book; messages are the flow.
use crate::error::{FaultKind, FaultLog, FeedError};
use crate::{BATCH, Decoder, source};
use pretrade_records::{Event, EventFlags, EventKind, Phase, Side};
use std::io::BufRead;
use std::path::{Path, PathBuf};

/// LOBSTER prices are dollars x 10,000.
const PRICE_STEP: i64 = 100_000;
/// Price that stands for an empty level.
const EMPTY: i64 = 9_999_999_999;

/// Decoder of one message file with its orderbook file.
pub struct LobsterDecoder {
    message_path: PathBuf,
    book_path: PathBuf,
    messages: Box<dyn BufRead + Send>,
    books: Box<dyn BufRead + Send>,
    midnight_ns: i64,
    instrument_id: u32,
    line: u64,
    book: [Vec<(i64, i64)>; 2],
    started: bool,
    faults: FaultLog,
    done: bool,
}

/// One message line.
struct Message {
    ts: i64,
    kind: u8,
    order_id: u64,
    size: i64,
    price: i64,
    direction: i64,
}

impl LobsterDecoder {
    /// Opens the pair; `midnight_ns` is 00:00 New York of the recording's date in ns UTC.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn open(message: &Path, book: &Path, midnight_ns: i64, instrument_id: u32) -> Result<Self, FeedError> {
        Ok(Self {
            message_path: message.to_path_buf(),
            book_path: book.to_path_buf(),
            messages: source::open(message)?,
            books: source::open(book)?,
            midnight_ns,
            instrument_id,
            line: 0,
            book: [Vec::new(), Vec::new()],
            started: false,
            faults: FaultLog::default(),
            done: false,
        })
    }

    fn line(reader: &mut dyn BufRead, path: &Path, number: u64, text: &mut String) -> Result<bool, FeedError> {
        text.clear();
        match reader.read_line(text) {
            Ok(0) => Ok(false),
            Ok(_) => Ok(true),
            Err(e) => Err(FeedError::new(path, format!("line {number}"), format!("cannot be read: {e}"))),
        }
    }

    /// Flow of one message, without touching the book.
    fn flow(&self, m: &Message, out: &mut Vec<Event>) {
        let side = if m.direction > 0 { Side::Bid } else { Side::Ask };
        let event = |kind: EventKind, side: Side, flags: u16| Event {
            ts_event: m.ts,
            ts_recv: m.ts,
            order_id: m.order_id,
            price: m.price,
            size: m.size,
            sequence: self.line,
            aux: 0,
            instrument_id: self.instrument_id,
            kind: kind as u8,
            side: side as u8,
            flags,
        };
        match m.kind {
            1 => out.push(event(EventKind::Add, side, EventFlags::INFORMATIVE)),
            2 | 3 => out.push(event(EventKind::Cancel, side, EventFlags::INFORMATIVE)),
            4 => {
                out.push(event(EventKind::Trade, side.opposite(), 0));
                out.push(event(EventKind::Execute, side, EventFlags::INFORMATIVE));
            }
            5 => out.push(event(EventKind::Trade, side.opposite(), 0)),
            7 => {
                // A halt carries price -1 (halt), 0 (quoting resumes), 1 (trading resumes), times the price step.
                let phase = if m.price > 0 { Phase::Continuous } else { Phase::Halted };
                out.push(Event { aux: phase as u64, price: 0, size: 0, ..event(EventKind::Status, Side::None, 0) });
            }
            _ => {}
        }
    }

    /// Levels that differ from the row before.
    fn differences(&mut self, m: &Message, row: [Vec<(i64, i64)>; 2], out: &mut Vec<Event>) {
        let first = !std::mem::replace(&mut self.started, true);
        let flags = if first { EventFlags::SNAPSHOT } else { EventFlags::DERIVED };
        let event = |kind: EventKind, side: Side, price: i64, size: i64| Event {
            ts_event: m.ts,
            ts_recv: m.ts,
            order_id: 0,
            price,
            size,
            sequence: self.line,
            aux: 0,
            instrument_id: self.instrument_id,
            kind: kind as u8,
            side: side as u8,
            flags,
        };
        if first {
            out.push(event(EventKind::Clear, Side::None, 0, 0));
        }
        for (i, side) in [Side::Bid, Side::Ask].into_iter().enumerate() {
            for (price, _) in self.book[i].iter().filter(|(p, _)| !row[i].iter().any(|(q, _)| q == p)) {
                out.push(event(EventKind::Level, side, *price, 0));
            }
            for (price, size) in row[i].iter().filter(|l| !self.book[i].contains(l)) {
                out.push(event(EventKind::Level, side, *price, *size));
            }
        }
        self.book = row;
    }
}

/// Parses `seconds,type,order id,size,price,direction`.
fn parse_message(text: &str, midnight_ns: i64) -> Result<Message, String> {
    let fields: Vec<&str> = text.trim_end().split(',').collect();
    if fields.len() != 6 {
        return Err(format!("a message has {} fields; it must have 6", fields.len()));
    }
    let whole = |i: usize| fields[i].trim().parse::<i64>().map_err(|_| format!("field {} is {:?}; it must be a whole number", i + 1, fields[i]));
    let seconds = parse_seconds(fields[0])?;
    let kind = whole(1)?;
    if !(1..=7).contains(&kind) {
        return Err(format!("message type is {kind}; it must be from 1 to 7"));
    }
    let (size, price, direction) = (whole(3)?, whole(4)?, whole(5)?);
    if !(0..=1_000_000_000_000).contains(&size) || !(-1..EMPTY).contains(&price) || direction.abs() != 1 {
        return Err(format!("size {size}, price {price} and direction {direction} are out of range"));
    }
    let order_id = u64::try_from(whole(2)?).map_err(|_| "order id is negative".to_owned())?;
    Ok(Message { ts: midnight_ns + seconds, kind: kind as u8, order_id, size, price: price * PRICE_STEP, direction })
}

/// Seconds after midnight with up to nine decimals, in ns.
fn parse_seconds(text: &str) -> Result<i64, String> {
    let bad = || format!("time is {text:?}; it must be seconds after midnight below 86400 with at most 9 decimals");
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    if fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) || !whole.bytes().all(|b| b.is_ascii_digit()) {
        return Err(bad());
    }
    let seconds: i64 = whole.parse().map_err(|_| bad())?;
    let nanos: i64 = format!("{fraction:0<9}").parse().map_err(|_| bad())?;
    if seconds >= 86_400 {
        return Err(bad());
    }
    Ok(seconds * 1_000_000_000 + nanos)
}

/// Parses `ask price, ask size, bid price, bid size` per level into bids and asks.
fn parse_book(text: &str) -> Result<[Vec<(i64, i64)>; 2], String> {
    let mut sides = [Vec::new(), Vec::new()];
    let mut count = 0;
    let mut pending = 0;
    for (i, field) in text.trim_end().split(',').enumerate() {
        let value: i64 = field.trim().parse().map_err(|_| format!("field {} is {field:?}; it must be a whole number", i + 1))?;
        count += 1;
        if i % 2 == 0 {
            pending = value;
        } else if pending.abs() < EMPTY && value > 0 {
            sides[if i % 4 == 1 { 1 } else { 0 }].push((pending * PRICE_STEP, value));
        }
    }
    if count == 0 || count % 4 != 0 {
        return Err(format!("a book row has {count} fields; it must be a multiple of 4"));
    }
    Ok(sides)
}

impl Decoder for LobsterDecoder {
    fn next_batch(&mut self, out: &mut Vec<Event>) -> Result<bool, FeedError> {
        let (mut message, mut book) = (String::new(), String::new());
        while !self.done && out.len() < BATCH {
            let number = self.line + 1;
            let more = Self::line(&mut *self.messages, &self.message_path, number, &mut message)?;
            let also = Self::line(&mut *self.books, &self.book_path, number, &mut book)?;
            if more != also {
                let shorter = if more { &self.book_path } else { &self.message_path };
                return Err(FeedError::new(
                    shorter,
                    format!("line {number}"),
                    "ends before the other file of the pair; they must have as many lines",
                ));
            }
            if !more {
                self.done = true;
                break;
            }
            self.line = number;
            match (parse_message(&message, self.midnight_ns), parse_book(&book)) {
                (Ok(m), Ok(row)) => {
                    let from = out.len();
                    self.flow(&m, out);
                    self.differences(&m, row, out);
                    if out.len() > from
                        && let Some(last) = out.last_mut()
                    {
                        last.flags |= EventFlags::LAST;
                    }
                }
                (m, row) => {
                    let path = if m.is_err() { self.message_path.clone() } else { self.book_path.clone() };
                    let what = m.err().or(row.err()).unwrap_or_default();
                    self.faults.add(FaultKind::BadLine, &path, || format!("line {number}"), || what);
                }
            }
        }
        Ok(!out.is_empty())
    }

    fn faults(&self) -> &FaultLog {
        &self.faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_decimals_are_exact_and_nonsense_is_said() {
        assert_eq!(parse_seconds("34200.004241176").unwrap(), 34_200_004_241_176);
        assert_eq!(parse_seconds("34200.01").unwrap(), 34_200_010_000_000);
        for bad in ["nan", "-1", "86400", "1.0000000001", "1e3", ""] {
            assert!(parse_seconds(bad).is_err(), "{bad}");
        }
        assert!(parse_message("not,a,line", 0).is_err());
        assert!(parse_book("1,2,3").is_err());
    }

    #[test]
    fn empty_levels_are_left_out() {
        let [bids, asks] = parse_book("5859400,200,5853300,18,9999999999,0,-9999999999,0").unwrap();
        assert_eq!((bids, asks), (vec![(585_330_000_000, 18)], vec![(585_940_000_000, 200)]));
    }
}
