// SPDX-License-Identifier: Apache-2.0
//! Whatever the bytes, a decoder refuses or counts; it never panics, and a cut file never passes for a whole one.
mod recordings;
use pretrade_feeds::{CsvDecoder, DbnDecoder, Decoder, FeedError, LobsterDecoder, TableMap, source};
use proptest::prelude::*;
use recordings::{Book, Mbo, around, dbn, drain, ids, lobster, packed, quotes, quotes_map};
use std::io::Cursor;
use std::path::Path;

const NAME: &str = "cut.bin";

fn read_dbn(bytes: Vec<u8>) -> Result<u64, FeedError> {
    let mut d = DbnDecoder::from_reader(Path::new(NAME), source::unpack(Path::new(NAME), Cursor::new(bytes))?, &ids())?;
    finish(&mut d)
}

fn read_lobster(messages: Vec<u8>, books: Vec<u8>) -> Result<u64, FeedError> {
    let open = |bytes| source::unpack(Path::new(NAME), Cursor::new(bytes));
    finish(&mut LobsterDecoder::from_readers((Path::new(NAME), open(messages)?), (Path::new("b"), open(books)?), i64::MAX - 5, 1))
}

fn read_csv(bytes: Vec<u8>) -> Result<u64, FeedError> {
    finish(&mut CsvDecoder::from_reader(Path::new(NAME), source::unpack(Path::new(NAME), Cursor::new(bytes))?, quotes_map(2))?)
}

/// Faults of a file that was read to its end.
fn finish(decoder: &mut dyn Decoder) -> Result<u64, FeedError> {
    let (_, refused) = drain(decoder);
    refused.map_or_else(|| Ok(decoder.faults().counts.iter().sum()), Err)
}

fn records() -> Vec<Mbo> {
    let record =
        |i: u32| Mbo { ts_event: 10, ts_recv: 11, order_id: u64::from(i), price: 5, size: 1, flags: 128, action: b'A', side: b'A', sequence: i };
    (0..200).map(record).collect()
}

fn rows() -> Vec<Book> {
    (0..200).map(|i| [vec![(100 + i % 7, 5), (90, 1 + i)], vec![(200, 9)]]).collect()
}

/// Bytes that begin like something.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let starts: Vec<&[u8]> =
        vec![b"", b"DBN\x01", b"DBN\x02", b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"t,b0,B0,a0,A0,b1,B1,a1,A1\n"];
    (prop::sample::select(starts), prop::collection::vec(any::<u8>(), 0..300)).prop_map(|(start, rest)| [start, &rest].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn noise_is_refused_or_counted(bytes in noise()) {
        let _ = read_dbn(bytes.clone());
        let _ = read_lobster(bytes.clone(), bytes.clone());
        let _ = read_csv(bytes);
    }

    #[test]
    fn lines_of_likely_characters_are_refused_or_counted(text in "(([0-9.,eE+-]|nan|\"|\n){0,40}\n){0,20}") {
        let head = "t,b0,B0,a0,A0,b1,B1,a1,A1\n".to_owned();
        let _ = read_csv((head + &text).into_bytes());
        let _ = read_lobster(text.clone().into_bytes(), text.into_bytes());
    }

    #[test]
    fn a_flipped_byte_is_refused_or_counted_or_another_value(at in any::<prop::sample::Index>(), to in any::<u8>(), how in 0_usize..4) {
        let mut bytes = packed(&dbn(3, 0, &records()), how);
        let i = at.index(bytes.len());
        bytes[i] = to;
        let _ = read_dbn(bytes);
        let mut bytes = packed(quotes(&rows(), 2).as_bytes(), how);
        let i = at.index(bytes.len());
        bytes[i] = to;
        let _ = read_csv(bytes);
    }

    #[test]
    fn a_cut_packed_file_is_refused_by_name(at in any::<prop::sample::Index>(), how in 1_usize..4) {
        let cut = |bytes: Vec<u8>| { let n = at.index(bytes.len()); bytes[..n].to_vec() };
        let refused = read_dbn(cut(packed(&dbn(2, 0, &records()), how))).unwrap_err();
        prop_assert!(refused.to_string().contains(NAME));
        let refused = read_csv(cut(packed(quotes(&rows(), 2).as_bytes(), how))).unwrap_err();
        prop_assert!(refused.to_string().contains(NAME));
        let (messages, books) = lobster(&rows(), 2);
        prop_assert!(read_lobster(cut(packed(messages.as_bytes(), how)), packed(books.as_bytes(), how)).is_err());
    }

    #[test]
    fn a_raw_dbn_file_cut_inside_a_record_is_refused(records_kept in 0_usize..200, more in 1_usize..56) {
        let bytes = dbn(2, 0, &records());
        let n = bytes.len() - 56 * (200 - records_kept) + more;
        let refused = read_dbn(bytes[..n].to_vec()).unwrap_err();
        prop_assert!(refused.to_string().contains("cut inside a record"));
    }

    #[test]
    fn any_text_is_a_map_or_is_refused(text in ".{0,200}") {
        let _ = TableMap::parse(&text, &around());
    }
}

#[test]
fn other_schemas_and_versions_are_refused_by_name() {
    assert!(read_dbn(dbn(2, 13, &[])).unwrap_err().what.contains("ohlcv-eod"));
    assert!(read_dbn(dbn(2, u16::MAX, &[])).unwrap_err().what.contains("mixed"));
    assert!(read_dbn(dbn(4, 0, &[])).unwrap_err().what.contains("version 4"));
    let huge = [b"DBN\x02".as_slice(), &u32::MAX.to_le_bytes()].concat();
    assert!(read_dbn(huge).unwrap_err().what.contains("header of 4294967295 bytes"));
    assert!(read_dbn((0..=255).cycle().take(2_048).collect()).unwrap_err().what.contains("no DBN file"));
    assert!(read_dbn(Vec::new()).unwrap_err().what.contains("empty"));
}

#[test]
fn a_pair_of_unequal_length_is_refused() {
    let (messages, books) = lobster(&rows(), 2);
    let short: String = books.lines().take(150).map(|l| l.to_owned() + "\n").collect();
    let refused = read_lobster(messages.into_bytes(), short.into_bytes()).unwrap_err();
    assert_eq!((refused.path.to_str(), refused.place.as_str()), (Some("b"), "line 151"));
}

#[test]
fn a_bad_line_of_a_pair_is_counted_and_the_next_row_says_what_changed() {
    let messages = "34200.1,1,11,5,9900,1\nnot,a,line\n34200.3,1,12,5,9800,1\n";
    let books = "10000,4,9900,5\n10000,4,9900,6\n10000,4,9900,7\n";
    let open = |text: &str| recordings::reader(text.as_bytes().to_vec());
    let mut d = LobsterDecoder::from_readers((Path::new("m"), open(messages)), (Path::new("b"), open(books)), 0, 1);
    let (events, refused) = drain(&mut d);
    assert!(refused.is_none());
    assert_eq!((d.faults().counts, d.faults().first[0].place.as_str()), ([0, 0, 1, 0, 0], "line 2"));
    assert_eq!(events.last().map(|e| (e.kind, e.size)), Some((6, 7)));
}
