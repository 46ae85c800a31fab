// SPDX-License-Identifier: Apache-2.0
//! Rows of US equity tapes: each byte picks a cell.
#![no_main]
use libfuzzer_sys::fuzz_target;
use pretrade_feeds::RowReader;
use pretrade_feeds::table::{Cell, TableInstrument};
use pretrade_feeds::taq::TaqRows;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    let Some((pick, rest)) = bytes.split_first() else { return };
    let quotes = pick % 2 == 0;
    let ibm = TableInstrument { instrument_id: 3, quantity_exponent: 0, allow_negative_price: false };
    let mut rows = TaqRows::new(Path::new("fuzz"), ibm, quotes);
    let mut events = Vec::new();
    for (n, row) in rest.chunks(if quotes { 8 } else { 6 }).enumerate() {
        let text = String::from_utf8_lossy(row).into_owned();
        let last = row.len() - 1;
        let cell = |(at, byte): (usize, &u8)| match byte % 8 {
            0 => Cell::Null,
            1 => Cell::Float(f64::NAN),
            2 => Cell::Int(i64::MAX >> (byte / 8)),
            3 => Cell::Int(-i64::from(*byte)),
            _ if at == last => Cell::Int(0),
            _ if at + 1 == last || at + 2 == last => Cell::Text(["1", "8", "800", "20000020", text.as_str()][usize::from(byte / 8) % 5]),
            _ => Cell::Int(i64::from(*byte) + n as i64),
        };
        rows.decode(&row.iter().enumerate().map(cell).collect::<Vec<_>>(), n as u64, &mut events);
        events.clear();
    }
});
