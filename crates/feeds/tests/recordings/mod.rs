// SPDX-License-Identifier: Apache-2.0
//! Small recordings written by us, byte for byte, so that a decoder is held against something it did not write.
#![allow(dead_code, reason = "each test file takes the writers it needs")]
use pretrade_feeds::table::{Surroundings, TableInstrument};
use pretrade_feeds::{Decoder, FeedError, TableMap};
use pretrade_records::{Event, EventKind, Side};
use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, Cursor, Write};

/// Venue's and our id of the one instrument, and its symbol.
pub const VENUE_ID: u32 = 17_077;
pub const OURS: u32 = 2;
pub const SYMBOL: &str = "ESH4";

/// One `mbo` record.
#[derive(Clone, Copy, Debug)]
pub struct Mbo {
    pub ts_event: u64,
    pub ts_recv: u64,
    pub order_id: u64,
    pub price: i64,
    pub size: u32,
    pub flags: u8,
    pub action: u8,
    pub side: u8,
    pub sequence: u32,
}

/// A DBN file of one instrument, version 1 or 2 and up.
pub fn dbn(version: u8, schema: u16, records: &[Mbo]) -> Vec<u8> {
    let width = if version == 1 { 22 } else { 71 };
    let mut body = b"GLBX.MDP3\0\0\0\0\0\0\0".to_vec();
    body.extend(schema.to_le_bytes());
    body.extend([0; 24]);
    if version == 1 {
        body.extend([0; 8]);
    }
    body.extend([1, 0, 0]);
    if version > 1 {
        body.extend(u16::to_le_bytes(width));
    }
    body.extend(vec![0; if version == 1 { 47 } else { 53 }]);
    let count = |n: u32| n.to_le_bytes();
    let text = |t: &str| {
        let mut field = t.as_bytes().to_vec();
        field.resize(usize::from(width), 0);
        field
    };
    body.extend(count(0));
    body.extend(count(1));
    body.extend(text(SYMBOL));
    body.extend([0; 8]);
    body.extend(count(1));
    body.extend(text(SYMBOL));
    body.extend(count(1));
    body.extend(count(20_231_224));
    body.extend(count(20_231_226));
    body.extend(text(&VENUE_ID.to_string()));
    let mut out = vec![b'D', b'B', b'N', version];
    out.extend(count(u32::try_from(body.len()).unwrap()));
    out.extend(body);
    records.iter().for_each(|r| out.extend(mbo(r)));
    out
}

/// The 56 bytes of a record.
pub fn mbo(r: &Mbo) -> Vec<u8> {
    let mut out = vec![14, 0xA0, 1, 0];
    out.extend(VENUE_ID.to_le_bytes());
    out.extend(r.ts_event.to_le_bytes());
    out.extend(r.order_id.to_le_bytes());
    out.extend(r.price.to_le_bytes());
    out.extend(r.size.to_le_bytes());
    out.extend([r.flags, 0, r.action, r.side]);
    out.extend(r.ts_recv.to_le_bytes());
    out.extend(0_i32.to_le_bytes());
    out.extend(r.sequence.to_le_bytes());
    assert_eq!(out.len(), 56);
    out
}

/// Levels of bids and asks, best first, price in whole units and size.
pub type Book = [Vec<(i64, i64)>; 2];

/// A LOBSTER pair with `levels` levels; prices are units of a cent. Every message is a deletion far from the book.
pub fn lobster(rows: &[Book], levels: usize) -> (String, String) {
    let (mut messages, mut books) = (String::new(), String::new());
    for (i, row) in rows.iter().enumerate() {
        messages += &format!("34200.{i:09},3,{},1,10000,1\n", i + 1);
        let cell = |side: usize, n: usize| match row[side].get(n) {
            Some((price, size)) => (price * 100, *size),
            None => (if side == 0 { -9_999_999_999 } else { 9_999_999_999 }, 0),
        };
        let fields: Vec<String> = (0..levels)
            .map(|n| {
                let ((bid, bid_size), (ask, ask_size)) = (cell(0, n), cell(1, n));
                format!("{ask},{ask_size},{bid},{bid_size}")
            })
            .collect();
        books += &(fields.join(",") + "\n");
    }
    (messages, books)
}

/// A CSV file of quotes with `levels` levels; prices are units of a cent.
pub fn quotes(rows: &[Book], levels: usize) -> String {
    let names = |n: usize| format!("b{n},B{n},a{n},A{n}");
    let mut out = format!("t,{}\n", (0..levels).map(names).collect::<Vec<_>>().join(","));
    for (i, row) in rows.iter().enumerate() {
        let cell = |side: usize, n: usize| row[side].get(n).map_or(",".to_owned(), |(p, s)| format!("{}.{:02},{s}", p / 100, p % 100));
        let cells: Vec<String> = (0..levels).map(|n| format!("{},{}", cell(0, n), cell(1, n))).collect();
        out += &format!("{i},{}\n", cells.join(","));
    }
    out
}

/// The map of [`quotes`].
pub fn quotes_map(levels: usize) -> TableMap {
    let text = format!(
        r#"
        instrument = {{ symbol = "{SYMBOL}" }}
        clock = {{ ts_event = "t", unit = "ms" }}
        quotes = {{ levels = {levels}, first = 0, bid_price = "b{{}}", bid_size = "B{{}}", ask_price = "a{{}}", ask_size = "A{{}}" }}
    "#
    );
    TableMap::parse(&text, &around()).unwrap()
}

pub fn around() -> Surroundings {
    let instrument = TableInstrument { instrument_id: OURS, quantity_exponent: 0, allow_negative_price: false };
    Surroundings { instruments: [(SYMBOL.to_owned(), instrument)].into(), ..Surroundings::default() }
}

pub fn ids() -> HashMap<String, u32> {
    [(SYMBOL.to_owned(), OURS)].into()
}

/// Packed as gzip, zstd, xz or not at all.
pub fn packed(bytes: &[u8], how: usize) -> Vec<u8> {
    match how % 4 {
        0 => bytes.to_vec(),
        1 => {
            let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gz.write_all(bytes).unwrap();
            gz.finish().unwrap()
        }
        2 => zstd::encode_all(bytes, 1).unwrap(),
        _ => {
            let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 0);
            xz.write_all(bytes).unwrap();
            xz.finish().unwrap()
        }
    }
}

pub fn reader(bytes: Vec<u8>) -> Box<dyn BufRead + Send> {
    Box::new(Cursor::new(bytes))
}

/// Everything a decoder gives, and why it stopped.
pub fn drain(decoder: &mut dyn Decoder) -> (Vec<Event>, Option<FeedError>) {
    let mut out = Vec::new();
    loop {
        match decoder.next_batch(&mut out) {
            Ok(true) => {}
            Ok(false) => return (out, None),
            Err(e) => return (out, Some(e)),
        }
    }
}

/// The books that level events build, one at each event end; prices in cents.
pub fn books(events: &[Event]) -> Vec<Book> {
    books_at(events, 10_000_000)
}

/// As [`books`], with prices in units of `step` (1e-9).
pub fn books_at(events: &[Event], step: i64) -> Vec<Book> {
    let mut sides = [BTreeMap::new(), BTreeMap::new()];
    let mut out = Vec::new();
    for e in events {
        let side = usize::from(e.side == Side::Ask as u8);
        if e.kind == EventKind::Clear as u8 {
            sides.iter_mut().for_each(BTreeMap::clear);
        } else if e.kind == EventKind::Level as u8 {
            let key = if side == 0 { -e.price } else { e.price } / step;
            if e.size == 0 {
                sides[side].remove(&key)
            } else {
                sides[side].insert(key, e.size)
            };
        }
        if e.flags & pretrade_records::EventFlags::LAST != 0 {
            let book = |side: usize| sides[side].iter().map(|(k, s): (&i64, &i64)| (k.abs(), *s)).collect();
            out.push([book(0), book(1)]);
        }
    }
    out
}
