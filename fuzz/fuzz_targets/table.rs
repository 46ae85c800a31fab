// SPDX-License-Identifier: Apache-2.0
//! CSV tables of every kind of row; the first byte picks the map.
#![no_main]
use libfuzzer_sys::fuzz_target;
use pretrade_feeds::table::{Surroundings, TableInstrument};
use pretrade_feeds::{CsvDecoder, Decoder, TableMap, source};
use std::io::Cursor;
use std::path::Path;

const MAPS: [&str; 4] = [
    "instrument={column=2}\nsequence=3\ncsv={header=false}\nclock={ts_event=1,unit=\"ms\"}\nquotes={levels=2,step=4,bid_price=4,bid_size=5,ask_price=6,ask_size=7}",
    "instrument={symbol=\"GC\"}\nclock={ts_event=1,ts_recv=2,unit=\"iso\",zone=\"Z\"}\ntrades={price=3,size=4,side=5,side_says=\"resting\",bid=[\"B\"],ask=[\"O\"]}",
    "instrument={symbol=\"GC\"}\ncsv={header=false,delimiter=\";\"}\nclock={ts_event=1,unit=\"ns\"}\n[orders]\naction=2\norder_id=3\nside=4\nprice=5\nsize=6\nbid=[\"1\"]\nask=[\"2\"]\nactions={add=[\"A\"],modify=[\"M\"],cancel=[\"D\"],snapshot=[\"S\"],clear=[\"R\"]}",
    "instrument={symbol=\"GC\"}\ncsv={header=false}\nnulls=[\"nan\"]\nscale={price=0.01}\nclock={ts_event=1,unit=\"s\",since=\"midnight\",date=\"2024-03-10\",zone=\"Z\"}\nbars={open=2,high=3,low=4,close=5,size=6,interval_s=60}",
];

fuzz_target!(|bytes: &[u8]| {
    let Some((pick, rest)) = bytes.split_first() else { return };
    let path = Path::new("fuzz");
    let gold = TableInstrument { instrument_id: 3, quantity_exponent: -3, allow_negative_price: true };
    let around = Surroundings { instruments: [("GC".to_owned(), gold)].into(), ..Surroundings::default() };
    let map = TableMap::parse(MAPS[usize::from(*pick) % 4], &around).expect("a map of ours parses");
    let Ok(reader) = source::unpack(path, Cursor::new(rest.to_vec())) else { return };
    let Ok(mut decoder) = CsvDecoder::from_reader(path, reader, map) else { return };
    let mut events = Vec::new();
    while let Ok(true) = decoder.next_batch(&mut events) {
        events.clear();
    }
});
