// SPDX-License-Identifier: Apache-2.0
//! Column maps.
#![no_main]
use libfuzzer_sys::fuzz_target;
use pretrade_feeds::TableMap;
use pretrade_feeds::table::{Surroundings, TableInstrument};

fuzz_target!(|text: &str| {
    let gold = TableInstrument { instrument_id: 3, quantity_exponent: 0, allow_negative_price: false };
    let around = Surroundings { instruments: [("GC".to_owned(), gold)].into(), date: Some("2024-03-10".to_owned()), ..Surroundings::default() };
    let _ = TableMap::parse(text, &around);
});
