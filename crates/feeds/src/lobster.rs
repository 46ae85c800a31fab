// SPDX-License-Identifier: Apache-2.0
//! LOBSTER recordings: a message file with its orderbook file. The orderbook file is the book; messages are the flow.
use crate::error::{FaultKind, FaultLog, FeedError};
use crate::levels::{BookRow, LevelDiff, check_order};
use crate::lines::Lines;
use crate::source::{self, Source};
use crate::{BATCH, Decoder};
use pretrade_records::{Event, EventFlags, EventKind, Phase, Side};
use std::path::Path;

/// LOBSTER prices are dollars x 10,000.
const PRICE_STEP: i64 = 100_000;
/// Prices that stand for an empty level, of asks and of bids.
const EMPTY: i64 = 9_999_999_999;
const NO_BID: i64 = -EMPTY;
const LARGEST_SIZE: i64 = 1_000_000_000_000;

/// Decoder of one message file with its orderbook file.
pub struct LobsterDecoder {
    messages: Lines,
    books: Lines,
    midnight_ns: i64,
    instrument_id: u32,
    row: BookRow,
    levels: LevelDiff,
    ts_last: i64,
    faults: FaultLog,
    done: bool,
}

/// One message line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        Ok(Self::from_readers((message, source::open(message)?), (book, source::open(book)?), midnight_ns, instrument_id))
    }

    /// As [`LobsterDecoder::open`] for bytes; the paths are their names in errors.
    #[must_use]
    pub fn from_readers(message: (&Path, Source), book: (&Path, Source), midnight_ns: i64, instrument_id: u32) -> Self {
        Self {
            messages: Lines::new(message.0, message.1),
            books: Lines::new(book.0, book.1),
            midnight_ns,
            instrument_id,
            row: BookRow::default(),
            levels: LevelDiff::default(),
            ts_last: i64::MIN,
            faults: FaultLog::default(),
            done: false,
        }
    }

    /// Both lines, or where and why one of them says nothing.
    fn parse(&mut self) -> Result<Message, (bool, String)> {
        let message = self.messages.text().and_then(|t| parse_message(t, self.midnight_ns)).map_err(|what| (true, what))?;
        self.books.text().and_then(|t| parse_book(t, &mut self.row)).map_err(|what| (false, what))?;
        if message.ts < self.ts_last {
            return Err((true, format!("time goes back by {} ns", self.ts_last - message.ts)));
        }
        Ok(message)
    }

    /// Flow of one message, then the book: the levels in which its row differs from the row before.
    fn say(&mut self, m: &Message, out: &mut Vec<Event>) {
        let side = if m.direction > 0 { Side::Bid } else { Side::Ask };
        let stamp = Event { ts_event: m.ts, ts_recv: m.ts, sequence: self.messages.number(), instrument_id: self.instrument_id, ..Event::default() };
        let event = |kind: EventKind, side: Side, flags: u16| Event {
            order_id: m.order_id,
            price: m.price,
            size: m.size,
            kind: kind as u8,
            side: side as u8,
            flags,
            ..stamp
        };
        let from = out.len();
        match m.kind {
            1 => out.push(event(EventKind::Add, side, EventFlags::INFORMATIVE)),
            2 | 3 => out.push(event(EventKind::Cancel, side, EventFlags::INFORMATIVE)),
            4 => {
                out.push(event(EventKind::Trade, side.opposite(), 0));
                out.push(event(EventKind::Execute, side, EventFlags::INFORMATIVE));
            }
            5 => out.push(event(EventKind::Trade, side.opposite(), 0)),
            6 => out.push(event(EventKind::Trade, Side::None, 0)),
            _ => {
                // A halt carries the price -1 (halted), 0 (quoting resumes), 1 (trading resumes).
                let phase = match m.price {
                    1.. => Phase::Continuous,
                    0 => Phase::PreOpen,
                    _ => Phase::Halted,
                };
                out.push(Event { kind: EventKind::Status as u8, aux: phase as u64, ..stamp });
            }
        }
        self.levels.update(&stamp, &self.row, EventFlags::DERIVED, out);
        if let Some(last) = out[from..].last_mut() {
            last.flags |= EventFlags::LAST;
        }
    }
}

/// Parses `seconds,type,order id,size,price,direction`.
fn parse_message(text: &str, midnight_ns: i64) -> Result<Message, String> {
    let mut fields = [""; 6];
    let mut count = 0;
    for field in text.split(',') {
        if let Some(slot) = fields.get_mut(count) {
            *slot = field.trim();
        }
        count += 1;
    }
    if count != 6 {
        return Err(format!("a message has {count} fields; it must have 6"));
    }
    let whole = |i: usize| fields[i].parse::<i64>().map_err(|_| format!("field {} is {:?}; it must be a whole number", i + 1, fields[i]));
    let seconds = parse_seconds(fields[0])?;
    let kind = whole(1)?;
    if !(1..=7).contains(&kind) {
        return Err(format!("message type is {kind}; it must be from 1 to 7"));
    }
    let (size, price, direction) = (whole(3)?, whole(4)?, whole(5)?);
    let lowest = if kind == 7 { -1 } else { 0 };
    if !(0..=LARGEST_SIZE).contains(&size) || !(lowest..EMPTY).contains(&price) || direction.abs() != 1 {
        return Err(format!("size {size}, price {price} and direction {direction} are out of range"));
    }
    let order_id = u64::try_from(whole(2)?).map_err(|_| "order id is negative".to_owned())?;
    Ok(Message { ts: midnight_ns.saturating_add(seconds), kind: kind as u8, order_id, size, price: price * PRICE_STEP, direction })
}

/// Seconds after midnight with up to nine decimals, in ns.
fn parse_seconds(text: &str) -> Result<i64, String> {
    let bad = || format!("time is {text:?}; it must be seconds after midnight below 86400 with at most 9 decimals");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if fraction.len() > 9 || !digits(fraction) || !digits(whole) {
        return Err(bad());
    }
    let seconds: i64 = whole.parse().map_err(|_| bad())?;
    if seconds >= 86_400 {
        return Err(bad());
    }
    let nanos = fraction.bytes().chain(std::iter::repeat(b'0')).take(9).fold(0, |n, b| n * 10 + i64::from(b - b'0'));
    Ok(seconds * 1_000_000_000 + nanos)
}

/// Parses `ask price, ask size, bid price, bid size` per level into bids and asks.
fn parse_book(text: &str, row: &mut BookRow) -> Result<(), String> {
    row.iter_mut().for_each(Vec::clear);
    let (mut count, mut price) = (0, 0);
    for (i, field) in text.split(',').enumerate() {
        let value: i64 = field.trim().parse().map_err(|_| format!("field {} is {field:?}; it must be a whole number", i + 1))?;
        count += 1;
        if i % 2 == 0 {
            price = value;
            continue;
        }
        match (price, value) {
            (NO_BID | EMPTY | 0, _) => {}
            (1..EMPTY, 1..=LARGEST_SIZE) => row[usize::from(i % 4 == 1)].push((price * PRICE_STEP, value)),
            _ => return Err(format!("level {} has price {price} and size {value}, which are out of range", i / 4 + 1)),
        }
    }
    if count == 0 || count % 4 != 0 {
        return Err(format!("a book row has {count} fields; it must be a multiple of 4"));
    }
    check_order(row)
}

impl Decoder for LobsterDecoder {
    fn next_batch(&mut self, out: &mut Vec<Event>) -> Result<bool, FeedError> {
        let from = out.len();
        while !self.done && out.len() - from < BATCH - 64 {
            let (more, also) = (self.messages.advance()?, self.books.advance()?);
            if more != also {
                let (shorter, longer) = if more { (&self.books, &self.messages) } else { (&self.messages, &self.books) };
                let what = "ends before the other file of the pair; they must have as many lines";
                return Err(FeedError::new(shorter.path(), format!("line {}", longer.number()), what));
            }
            if !more {
                self.done = true;
                break;
            }
            match self.parse() {
                Ok(m) => {
                    self.ts_last = m.ts;
                    self.say(&m, out);
                }
                Err((in_message, what)) => {
                    let lines = if in_message { &self.messages } else { &self.books };
                    self.faults.add(FaultKind::BadLine, lines.path(), || format!("line {}", lines.number()), || what);
                }
            }
        }
        Ok(out.len() > from)
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
        for bad in ["not,a,line", "1,1,1,1,1,1,1", "1.0,8,1,1,1,1", "1.0,1,1,-5,1,1", "1.0,1,1,5,9999999999,1", "1.0,1,1,5,-1,1", "1.0,1,-1,5,1,1"] {
            assert!(parse_message(bad, 0).is_err(), "{bad}");
        }
        assert!(parse_message("1.0,7,0,0,-1,-1", 0).is_ok());
    }

    #[test]
    fn empty_levels_are_left_out_and_levels_out_of_order_refused() {
        let mut row = BookRow::default();
        parse_book("5859400,200,5853300,18,9999999999,0,-9999999999,0", &mut row).unwrap();
        assert_eq!(row, [vec![(585_330_000_000, 18)], vec![(585_940_000_000, 200)]]);
        for bad in ["1,2,3", "", "5,1,4,1,5,1,3,1", "-5,1,4,1", "5,-1,4,1", "5,1,4,99999999999999"] {
            assert!(parse_book(bad, &mut row).is_err(), "{bad}");
        }
    }
}
