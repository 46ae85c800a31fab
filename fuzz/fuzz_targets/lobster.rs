// SPDX-License-Identifier: Apache-2.0
//! A LOBSTER pair: the bytes before and after the first NUL.
#![no_main]
use libfuzzer_sys::fuzz_target;
use pretrade_feeds::{Decoder, LobsterDecoder, source};
use std::io::Cursor;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    let path = Path::new("fuzz");
    let at = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    let open = |part: &[u8]| source::unpack(path, Cursor::new(part.to_vec()));
    let (Ok(messages), Ok(books)) = (open(&bytes[..at]), open(bytes.get(at + 1..).unwrap_or_default())) else { return };
    let mut decoder = LobsterDecoder::from_readers((path, messages), (path, books), 1_340_251_200_000_000_000, 5);
    let mut events = Vec::new();
    while let Ok(true) = decoder.next_batch(&mut events) {
        events.clear();
    }
});
