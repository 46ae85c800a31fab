// SPDX-License-Identifier: Apache-2.0
//! US equity tapes: the national best bid and offer, and prints with their sale conditions.
//!
//! Each quote row says one side of the national best, and the venue that makes it; the book is one level a side. (Taken as quotes
//! of each venue, the same rows give a book that is crossed nearly always, since no row ever withdraws a quote.) A print whose sale
//! condition says that its price is none of this moment is a `REFERENCE` event with the condition's bits, and moves no last price.
use crate::RowReader;
use crate::error::{FaultKind, FaultLog};
use crate::levels::{BookRow, LevelDiff};
use crate::table::{Cell, TableInstrument};
use pretrade_records::{Event, EventFlags, EventKind, ReferenceKind};
use std::path::{Path, PathBuf};

/// Columns of a file of quotes, in the order in which cells are wanted.
pub const QUOTES: [&str; 8] = ["ts_ns_utc", "bid_1e4", "bid_size", "ask_1e4", "ask_size", "exchange", "condition", "suspicious"];
/// Columns of a file of prints.
pub const TRADES: [&str; 6] = ["ts_ns_utc", "price_1e4", "size", "exchange", "condition", "suspicious"];

const PRICE_STEP: i64 = 100_000;
const LARGEST: i64 = 1_000_000_000_000;
/// Quotes do not live over a night: after this long without a row they are gone.
const NIGHT_NS: i64 = 4 * 3_600_000_000_000;
/// Quote conditions that are firm: regular, and the opening quote.
const FIRM: u64 = 0x801;
/// Sale conditions whose price is none of this moment: cash, next day, seller, derivatively priced, sold late, out of sequence,
/// acquisition, stock-option, distribution, average price, price variation, official close and open (said again), prior reference.
pub const NOT_NOW: u64 =
    0x2 | 0x4 | 0x8 | 0x200 | 0x800 | 0x4000 | 0x1_0000 | 0x4_0000 | 0x8_0000 | 0x10_0000 | 0x40_0000 | 0x100_0000 | 0x200_0000 | 0x400_0000;

/// Rows of one file of quotes or prints of one instrument.
pub struct TaqRows {
    path: PathBuf,
    instrument: TableInstrument,
    quotes: bool,
    row: BookRow,
    levels: LevelDiff,
    ts_last: i64,
    faults: FaultLog,
}

impl TaqRows {
    /// Rows of the file `path`, of [`QUOTES`] or else of [`TRADES`].
    #[must_use]
    pub fn new(path: &Path, instrument: TableInstrument, quotes: bool) -> Self {
        Self {
            path: path.to_path_buf(),
            instrument,
            quotes,
            row: BookRow::default(),
            levels: LevelDiff::default(),
            ts_last: i64::MIN,
            faults: FaultLog::default(),
        }
    }

    fn row(&mut self, cells: &[Cell<'_>], out: &mut Vec<Event>) -> Result<(), String> {
        let wanted = if self.quotes { QUOTES.len() } else { TRADES.len() };
        if cells.len() != wanted {
            return Err(format!("{} cells were given for {wanted} columns", cells.len()));
        }
        let ts = whole(cells[0], "ts_ns_utc", i64::MAX)?;
        if ts < self.ts_last {
            return Err(format!("time goes back by {} ns", self.ts_last.saturating_sub(ts)));
        }
        if cells[wanted - 1] != Cell::Int(0) {
            return Err("is marked suspicious".into());
        }
        let Cell::Text(venue) = cells[wanted - 3] else { return Err("exchange is no text".into()) };
        let condition = condition(cells[wanted - 2])?;
        let stamp = Event { ts_event: ts, ts_recv: ts, aux: condition, instrument_id: self.instrument.instrument_id, ..Event::default() };
        if self.quotes {
            self.quote(cells, venue, condition, stamp, out)?
        } else {
            out.push(print(cells, condition, stamp)?)
        }
        self.ts_last = ts;
        Ok(())
    }

    fn quote(&mut self, cells: &[Cell<'_>], venue: &str, condition: u64, stamp: Event, out: &mut Vec<Event>) -> Result<(), String> {
        let [bid, bid_size, ask, ask_size] =
            [(1, "bid"), (2, "bid size"), (3, "ask"), (4, "ask size")].map(|(at, name)| whole(cells[at], name, LARGEST));
        let sides = [(bid?, bid_size?), (ask?, ask_size?)];
        if sides.iter().all(|s| s.0 == 0) {
            return Err("neither bid nor ask stands".into());
        }
        if self.ts_last != i64::MIN && stamp.ts_recv - self.ts_last > NIGHT_NS {
            self.row.iter_mut().for_each(Vec::clear);
            self.levels.lose();
        }
        for (mine, (price, size)) in self.row.iter_mut().zip(sides).filter(|(_, s)| s.0 != 0) {
            mine.clear();
            if size > 0 && condition & FIRM != 0 {
                mine.push((price * PRICE_STEP, size));
            }
        }
        let stamp = Event { aux: u64::from(venue.bytes().next().unwrap_or_default()), ..stamp };
        let from = out.len();
        self.levels.update(&stamp, &self.row, 0, out);
        if out.len() == from {
            out.push(self.levels.restated(&stamp));
        }
        if let Some(last) = out.last_mut() {
            last.flags |= EventFlags::LAST;
        }
        Ok(())
    }
}

/// A print; one whose price is none of this moment is a reference.
fn print(cells: &[Cell<'_>], condition: u64, stamp: Event) -> Result<Event, String> {
    let (price, size) = (whole(cells[1], "price", LARGEST)? * PRICE_STEP, whole(cells[2], "size", LARGEST)?);
    if price == 0 || size == 0 {
        return Err(format!("price is {price} and size {size}; both must be above 0"));
    }
    if condition & NOT_NOW != 0 {
        let aux = ReferenceKind::Other as u64;
        return Ok(Event { kind: EventKind::Reference as u8, order_id: condition, aux, price, size, ..stamp });
    }
    Ok(Event { kind: EventKind::Trade as u8, price, size, ..stamp })
}

fn whole(cell: Cell<'_>, name: &str, most: i64) -> Result<i64, String> {
    match cell {
        Cell::Int(value) if (0..=most).contains(&value) => Ok(value),
        other => Err(format!("{name} is {other}; it must be a whole number from 0 to {most}")),
    }
}

/// Bits of a condition, in hexadecimal digits.
fn condition(cell: Cell<'_>) -> Result<u64, String> {
    match cell {
        Cell::Text(text) => u64::from_str_radix(text, 16).map_err(|_| format!("condition is {text:?}; it must be hexadecimal digits")),
        other => Err(format!("condition is {other}; it must be hexadecimal digits")),
    }
}

impl RowReader for TaqRows {
    fn is_null(&self, text: &str) -> bool {
        text.is_empty()
    }

    fn nan_is_null(&self) -> bool {
        false
    }

    fn decode(&mut self, cells: &[Cell<'_>], line: u64, out: &mut Vec<Event>) {
        if let Err(what) = self.row(cells, out) {
            self.faults.add(FaultKind::BadLine, &self.path, || format!("row {line}"), || what);
        }
    }

    fn faults(&self) -> &FaultLog {
        &self.faults
    }
}
