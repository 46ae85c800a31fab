// SPDX-License-Identifier: Apache-2.0
//! Raw captures; the first byte picks the format.
#![no_main]
use libfuzzer_sys::fuzz_target;
use pretrade_feeds::capture::{FORMATS, Instruments};
use pretrade_feeds::table::TableInstrument;
use pretrade_feeds::{CaptureDecoder, Decoder, source};
use std::io::Cursor;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    let Some((pick, rest)) = bytes.split_first() else { return };
    let (_, reads) = FORMATS[usize::from(*pick) % FORMATS.len()];
    let path = Path::new("fuzz");
    let Ok(reader) = source::unpack(path, Cursor::new(rest.to_vec())) else { return };
    let btc = TableInstrument { instrument_id: 3, quantity_exponent: -8, allow_negative_price: false };
    let known = ["BINF", "BINS", "BSTP", "BMEX", "CBSE", "KRKN", "KRKF", "BYBT"].map(|venue| ((venue.to_owned(), "BTCUSDT".to_owned()), btc));
    let mut decoder = CaptureDecoder::from_readers(reads(Instruments::new(known, true)), vec![(path.to_path_buf(), reader)]);
    let mut events = Vec::new();
    while let Ok(true) = decoder.next_batch(&mut events) {
        events.clear();
    }
});
