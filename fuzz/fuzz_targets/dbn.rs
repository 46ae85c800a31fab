// SPDX-License-Identifier: Apache-2.0
//! DBN of every schema, plain and packed.
#![no_main]
use libfuzzer_sys::fuzz_target;
use pretrade_feeds::{DbnDecoder, Decoder, source};
use std::io::Cursor;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    let path = Path::new("fuzz");
    let Ok(reader) = source::unpack(path, Cursor::new(bytes.to_vec())) else { return };
    let Ok(mut decoder) = DbnDecoder::from_reader(path, reader, &[("ESH4".to_owned(), 2)].into()) else { return };
    let mut events = Vec::new();
    while let Ok(true) = decoder.next_batch(&mut events) {
        events.clear();
    }
});
