// SPDX-License-Identifier: Apache-2.0
//! CSV tables. A field may be quoted; a quoted field holds no line end and no quote.
use super::cell::Cell;
use super::map::{Column, TableMap};
use super::row::RowDecoder;
use crate::error::{FaultLog, FeedError};
use crate::lines::Lines;
use crate::source::{self, Source};
use crate::{BATCH, Decoder};
use pretrade_records::Event;
use std::path::Path;

/// Decoder of one CSV file.
pub struct CsvDecoder {
    lines: Lines,
    rows: RowDecoder,
    places: Vec<usize>,
    width: Option<usize>,
    done: bool,
}

impl CsvDecoder {
    /// Opens a file.
    ///
    /// # Errors
    /// If it cannot be read or lacks a column of the map.
    pub fn open(path: &Path, map: TableMap) -> Result<Self, FeedError> {
        Self::from_reader(path, source::open(path)?, map)
    }

    /// As [`CsvDecoder::open`] for bytes; `path` is their name in errors.
    ///
    /// # Errors
    /// As [`CsvDecoder::open`].
    pub fn from_reader(path: &Path, reader: Source, map: TableMap) -> Result<Self, FeedError> {
        let mut lines = Lines::new(path, reader);
        for _ in 0..map.skip_lines {
            if !lines.advance()? {
                break;
            }
        }
        let mut width = None;
        let mut names = Vec::new();
        if map.header {
            let refuse = |what: String| FeedError::new(path, "line 1", what);
            if !lines.advance()? {
                return Err(refuse("has no header line".into()));
            }
            let text = lines.text().map_err(refuse)?.trim_start_matches('\u{FEFF}');
            split(text, map.delimiter, |field| names.push(field.to_owned())).map_err(refuse)?;
            width = Some(names.len());
        }
        let place = |column: &Column| match column {
            Column::Place(place) if width.is_none_or(|w| *place <= w) => Ok(place - 1),
            Column::Place(place) => Err(format!("column {place} does not exist; the header has {}", names.len())),
            Column::Name(name) => {
                names.iter().position(|n| n == name).ok_or_else(|| format!("column {name:?} is not in the header: {}", names.join(", ")))
            }
        };
        let places: Result<Vec<_>, _> = map.columns().iter().map(place).collect();
        let places = places.map_err(|what| FeedError::new(path, "line 1", what))?;
        Ok(Self { lines, rows: RowDecoder::new(map, path, "line"), places, width, done: false })
    }

    /// Decodes the line read last.
    fn line(&mut self, out: &mut Vec<Event>) -> Result<(), String> {
        let text = self.lines.text()?;
        if text.is_empty() {
            return Ok(());
        }
        let mut fields = Vec::with_capacity(self.width.unwrap_or(16));
        split(text, self.rows.map().delimiter, |field| fields.push(field))?;
        let least = self.places.iter().max().map_or(0, |p| p + 1);
        match self.width {
            Some(width) if fields.len() != width => return Err(format!("the line has {} fields; it must have {width}", fields.len())),
            None if fields.len() < least => return Err(format!("the line has {} fields; the map needs {least}", fields.len())),
            _ => {}
        }
        let map = self.rows.map();
        let cell = |place: &usize| match fields[*place] {
            text if map.is_null(text) => Cell::Null,
            text => Cell::Text(text),
        };
        let cells: Vec<Cell<'_>> = self.places.iter().map(cell).collect();
        self.rows.decode(&cells, self.lines.number(), out);
        Ok(())
    }
}

/// Splits a line into trimmed fields.
fn split<'a>(text: &'a str, delimiter: u8, mut give: impl FnMut(&'a str)) -> Result<(), String> {
    let delimiter = char::from(delimiter);
    if !text.contains('"') {
        text.split(delimiter).for_each(|field| give(field.trim()));
        return Ok(());
    }
    let mut rest = text;
    loop {
        let (field, after) = match rest.trim_start().strip_prefix('"') {
            Some(quoted) => {
                let (field, after) = quoted.split_once('"').ok_or("a quoted field does not end in its line")?;
                let after = after.trim_start();
                if !after.is_empty() && !after.starts_with(delimiter) {
                    return Err("a quoted field goes on behind its quote".into());
                }
                (field, after.strip_prefix(delimiter))
            }
            None => rest.split_once(delimiter).map_or((rest, None), |(field, after)| (field, Some(after))),
        };
        give(field.trim());
        match after {
            Some(after) => rest = after,
            None => return Ok(()),
        }
    }
}

impl Decoder for CsvDecoder {
    fn next_batch(&mut self, out: &mut Vec<Event>) -> Result<bool, FeedError> {
        let from = out.len();
        while !self.done && out.len() - from < BATCH - 64 {
            if !self.lines.advance()? {
                self.done = true;
            } else if let Err(what) = self.line(out) {
                self.rows.bad(self.lines.number(), what);
            }
        }
        Ok(out.len() > from)
    }

    fn faults(&self) -> &FaultLog {
        &self.rows.faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::map::{Surroundings, TableInstrument};
    use pretrade_records::{EventFlags, EventKind};

    const QUOTES: &str = r#"
        instrument = { symbol = "GC" }
        clock = { ts_event = "t", unit = "s" }
        sequence = "n"
        quotes = { levels = 2, bid_price = "b{}", bid_size = "B{}", ask_price = "a{}", ask_size = "A{}" }
    "#;

    fn around() -> Surroundings {
        let gold = TableInstrument { instrument_id: 3, quantity_exponent: 0, allow_negative_price: false };
        Surroundings { instruments: [("GC".to_owned(), gold)].into(), ..Surroundings::default() }
    }

    fn read(map: &str, text: &str) -> (Vec<Event>, CsvDecoder) {
        let map = TableMap::parse(map, &around()).unwrap();
        let bytes = std::io::Cursor::new(text.as_bytes().to_vec());
        let mut d = CsvDecoder::from_reader(Path::new("t.csv"), Box::new(bytes), map).unwrap();
        let mut out = Vec::new();
        while d.next_batch(&mut out).unwrap() {}
        (out, d)
    }

    #[test]
    fn quote_rows_become_level_changes_and_a_gap_restates_the_book() {
        let head = "t,n,b1,B1,b2,B2,a1,A1,a2,A2\n";
        let rows =
            "10,1,100,5,99,1,101,2,,\n10.1,2,100,5,99,1,101,2,,\n10.2,3,100,6,99,1,101,2,102,9\n10.3,5,100,6,99,1,101,2,102,9\n10.4,6,,,,,,,,\n";
        let (events, d) = read(QUOTES, &(head.to_owned() + rows));
        let kinds: Vec<_> = events.iter().map(|e| (e.kind, e.price / 1_000_000_000, e.size, e.flags)).collect();
        let (s, last, gap, derived) = (EventFlags::SNAPSHOT, EventFlags::LAST, EventFlags::GAP, EventFlags::DERIVED);
        let first = [(5, 0, 0, s), (6, 100, 5, s), (6, 99, 1, s), (6, 101, 2, s | last)];
        let then = [(6, 100, 5, derived | last), (6, 100, 6, 0), (6, 102, 9, last)];
        let lost = [(5, 0, 0, s | gap), (6, 100, 6, s | gap), (6, 99, 1, s | gap), (6, 101, 2, s | gap), (6, 102, 9, s | gap | last)];
        let empty = [(6, 100, 0, 0), (6, 99, 0, 0), (6, 101, 0, 0), (6, 102, 0, last)];
        assert_eq!(kinds, [&first[..], &then, &lost, &empty].concat());
        assert_eq!(d.faults().counts, [1, 0, 0, 0, 0]);
        assert_eq!(d.faults().first[0].place, "line 5");
    }

    #[test]
    fn bad_lines_are_counted_with_their_place_and_leave_nothing_behind() {
        let head = "t,n,b1,B1,b2,B2,a1,A1,a2,A2\n";
        let bad = [
            "x,1,100,5,99,1,101,2,,",
            "10,1,100,5,99,1,101,2,",
            "10,1,nan,5,99,1,101,2,,",
            "10,1,100,,99,1,101,2,,",
            "10,1,99,5,100,1,101,2,,",
            "10,1,100,-5,99,1,101,2,,",
            "10,1,100,0.5,99,1,101,2,,",
            "10,1,-1,5,-2,1,101,2,,",
            "10,1,1e12,5,99,1,101,2,,",
            "9e99,1,100,5,99,1,101,2,,",
            "\"10,1,100,5,99,1,101,2,,",
        ];
        let (events, d) = read(QUOTES, &format!("{head}{}\n10,1,100,5,,,101,2,,\n9,2,100,5,,,101,2,,\n", bad.join("\n")));
        assert_eq!(events.len(), 3);
        assert_eq!(d.faults().counts, [0, 0, bad.len() as u64 + 1, 0, 0]);
        let places: Vec<_> = d.faults().first.iter().map(|f| f.place.clone()).collect();
        assert_eq!((places[0].as_str(), places.last().unwrap().as_str()), ("line 2", "line 14"));
    }

    #[test]
    fn trades_orders_and_bars_map_to_their_kinds() {
        let trades = r#"
            instrument = { symbol = "GC" }
            clock = { ts_event = "at", unit = "iso", zone = "+01:00" }
            trades = { price = "p", size = "q", side = "s", side_says = "resting", bid = ["B"], ask = ["O"] }
        "#;
        let (e, d) = read(trades, "at,p,q,s\n\"2023-05-01 01:00:00\",19.5,3,O\n2023-05-01T01:00:01,19.5,3,\n2023-05-01T01:00:01,19.5,3,X\n");
        assert_eq!((e[0].kind, e[0].side, e[0].price, e[0].size, e[0].ts_recv), (7, 1, 19_500_000_000, 3, 1_682_899_200_000_000_000));
        assert_eq!((e.len(), e[1].side, d.faults().counts[2]), (2, 0, 1));

        let orders = r#"
            instrument = { column = 2 }
            csv = { header = false, delimiter = ";" }
            clock = { ts_event = 1, ts_recv = 8, unit = "ms" }
            [orders]
            action = 3
            order_id = 4
            side = 5
            price = 6
            size = 7
            bid = ["1"]
            ask = ["2"]
            actions = { snapshot = ["S"], add = ["A"], cancel = ["D"], clear = ["R"] }
        "#;
        let text = "1;GC;S;7;1;5;1;1\n2;GC;S;8;2;6;1;2\n3;GC;A;9;1;5;2;1\n3;GC;A;9;1;5;2;4\n4;GC;D;9;;;2;4\n5;GC;R;;;;;5\n6;XX;D;9;1;5;2;6\n";
        let (e, d) = read(orders, text);
        let got: Vec<_> = e.iter().map(|e| (e.kind, e.order_id, e.flags)).collect();
        assert_eq!(got, [(5, 0, 2), (1, 7, 3), (1, 8, 3), (1, 9, 1), (3, 9, 1), (5, 0, 1)]);
        assert_eq!(d.faults().counts, [0, 0, 2, 0, 0]);

        let bars = r#"
            instrument = { symbol = "GC" }
            clock = { ts_event = "t", unit = "s" }
            bars = { open = "o", high = "h", low = "l", close = "c", size = "v", interval_s = 60 }
        "#;
        let (e, d) = read(bars, "t,o,h,l,c,v\n60,1,3,1,2,9\n120,1,1,2,2,9\n");
        let got: Vec<_> =
            e.iter().map(|e| (e.kind, e.price / 1_000_000_000, e.size, e.ts_event / 1_000_000_000, e.ts_recv / 1_000_000_000)).collect();
        assert_eq!(got, [(8, 1, 0, 60, 120), (9, 3, 0, 60, 120), (10, 1, 0, 60, 120), (11, 2, 9, 60, 120)]);
        assert_eq!((e[3].flags, d.faults().counts[2]), (EventFlags::LAST, 1));
        assert_eq!(e[0].kind, EventKind::BarOpen as u8);
    }

    #[test]
    fn negative_age_is_counted_and_the_row_kept() {
        let map = r#"
            instrument = { symbol = "GC" }
            clock = { ts_event = "e", ts_recv = "r", unit = "ns" }
            trades = { price = "p", size = "q" }
        "#;
        let (e, d) = read(map, "e,r,p,q\n10,9,1,1\n10,11,1,1\n");
        assert_eq!((e.len(), d.faults().counts), (2, [0, 1, 0, 0, 0]));
    }

    #[test]
    fn a_map_that_does_not_fit_is_refused_in_words() {
        let cases = [
            ("x = 1", "unknown field"),
            ("instrument = { symbol = \"ZZ\" }\nclock = { ts_event = \"t\", unit = \"s\" }\ntrades = { price = \"p\", size = \"q\" }", "ZZ is not"),
            ("instrument = { symbol = \"GC\" }\nclock = { ts_event = \"t\", unit = \"h\" }\ntrades = { price = \"p\", size = \"q\" }", "unit"),
            ("instrument = { symbol = \"GC\" }\nclock = { ts_event = \"t\", unit = \"s\" }", "exactly one"),
        ];
        for (text, want) in cases {
            let said = TableMap::parse(text, &around()).unwrap_err();
            assert!(said.contains(want), "{said}");
        }
        let map = TableMap::parse(QUOTES, &around()).unwrap();
        let refused = CsvDecoder::from_reader(Path::new("t.csv"), Box::new(&b"t,n\n"[..]), map).err().unwrap();
        assert!(refused.to_string().contains("b1"), "{refused}");
    }
}
