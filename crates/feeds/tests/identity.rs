// SPDX-License-Identifier: Apache-2.0
//! What is written is what is read, for every format and every packing.
mod recordings;
use pretrade_feeds::{CsvDecoder, DbnDecoder, FaultKind, LobsterDecoder, source};
use pretrade_records::{Event, EventFlags, EventKind};
use proptest::prelude::*;
use recordings::{Book, Mbo, around, books, dbn, drain, ids, lobster, packed, quotes, quotes_map, reader};
use std::io::Cursor;
use std::path::Path;

fn mbo() -> impl Strategy<Value = Mbo> {
    let codes = (prop::sample::select(b"AMCTFR".to_vec()), prop::sample::select(b"AB".to_vec()), prop::sample::select(vec![0_u8, 128]));
    (codes, 1_u64..1 << 60, 0_u64..1_000_000, any::<u64>(), -1_i64 << 60..1 << 60, 0_u32..1_000_000, any::<u32>()).prop_map(
        |((action, side, flags), ts_event, lag, order_id, price, size, sequence)| Mbo {
            ts_event,
            ts_recv: ts_event + lag,
            order_id,
            price,
            size,
            flags,
            action,
            side,
            sequence,
        },
    )
}

/// Books of at most `levels` levels a side, bids below 500, asks from 500 on.
fn book(levels: usize) -> impl Strategy<Value = Book> {
    let side = |from: i64, to: i64| prop::collection::btree_map(from..to, 1_i64..1_000, 0..=levels);
    (side(1, 500), side(500, 999)).prop_map(|(bids, asks)| [bids.into_iter().rev().collect(), asks.into_iter().collect()])
}

proptest! {
    #[test]
    fn dbn_records_come_back_field_by_field(records in prop::collection::vec(mbo(), 0..50), version in 1_u8..=3, how in 0_usize..4) {
        let bytes = packed(&dbn(version, 0, &records), how);
        let source = source::unpack(Path::new("t.dbn"), Cursor::new(bytes)).unwrap();
        let mut decoder = DbnDecoder::from_reader(Path::new("t.dbn"), source, &ids()).unwrap();
        let (events, refused) = drain(&mut decoder);
        prop_assert!(refused.is_none());
        prop_assert_eq!(events.len(), records.len());
        for (e, r) in events.iter().zip(&records) {
            let kind = match r.action { b'A' => 1, b'M' => 2, b'C' => 3, b'F' => 4, b'R' => 5, _ => 7 };
            let side = if r.side == b'B' { 1 } else { 2 };
            prop_assert_eq!((e.kind, e.side, e.order_id, e.price, e.size), (kind, side, r.order_id, r.price, i64::from(r.size)));
            prop_assert_eq!((e.ts_event as u64, e.ts_recv as u64, e.sequence, e.instrument_id), (r.ts_event, r.ts_recv, u64::from(r.sequence), 2));
            prop_assert_eq!(e.flags & EventFlags::LAST != 0, r.flags == 128);
        }
    }

    #[test]
    fn lobster_levels_rebuild_the_orderbook_file(rows in prop::collection::vec(book(4), 1..40), how in 0_usize..4) {
        let (messages, rows_text) = lobster(&rows, 4);
        let open = |text: &str| source::unpack(Path::new("t"), Cursor::new(packed(text.as_bytes(), how))).unwrap();
        let mut decoder = LobsterDecoder::from_readers((Path::new("m"), open(&messages)), (Path::new("b"), open(&rows_text)), 0, 5);
        let (events, refused) = drain(&mut decoder);
        prop_assert!(refused.is_none());
        prop_assert_eq!(books(&events), rows);
    }

    #[test]
    fn quote_rows_rebuild_the_table(rows in prop::collection::vec(book(3), 1..40), how in 0_usize..4) {
        let source = source::unpack(Path::new("t"), Cursor::new(packed(quotes(&rows, 3).as_bytes(), how))).unwrap();
        let mut decoder = CsvDecoder::from_reader(Path::new("t"), source, quotes_map(3)).unwrap();
        let (events, refused) = drain(&mut decoder);
        prop_assert!(refused.is_none());
        prop_assert_eq!(books(&events), rows);
    }
}

fn record(action: u8, order_id: u64, flags: u8) -> Mbo {
    Mbo { ts_event: 10, ts_recv: 11, order_id, price: 5, size: 1, flags, action, side: b'B', sequence: 1 }
}

fn decode(records: &[Mbo]) -> (Vec<Event>, DbnDecoder) {
    let mut decoder = DbnDecoder::from_reader(Path::new("t.dbn"), reader(dbn(2, 0, records)), &ids()).unwrap();
    let (events, refused) = drain(&mut decoder);
    assert!(refused.is_none());
    (events, decoder)
}

#[test]
fn a_snapshot_run_after_live_records_clears_the_book_once() {
    let records = [record(b'A', 1, 32), record(b'A', 2, 32 | 128), record(b'A', 3, 128), record(b'A', 1, 32), record(b'A', 2, 32 | 128)];
    let got: Vec<_> = decode(&records).0.iter().map(|e| (e.kind, e.order_id, e.flags)).collect();
    assert_eq!(got, [(5, 0, 2), (1, 1, 2), (1, 2, 3), (1, 3, 1), (5, 0, 2), (1, 1, 2), (1, 2, 3)]);
    let own_clear = [record(b'R', 0, 32), record(b'A', 2, 32 | 128)];
    assert_eq!(decode(&own_clear).0.len(), 2, "a feed that clears for itself needs no second clear");
}

#[test]
fn a_cancel_after_its_own_fill_is_caused_by_it_and_later_ones_are_not() {
    let records = [record(b'T', 0, 0), record(b'F', 7, 0), record(b'C', 7, 0), record(b'C', 8, 128), record(b'C', 7, 128)];
    let caused: Vec<_> = decode(&records).0.iter().map(|e| e.flags & EventFlags::CAUSED_BY_FILL != 0).collect();
    assert_eq!(caused, [false, false, true, false, false]);
    assert_eq!(decode(&records).0[1].flags, EventFlags::INFORMATIVE);
}

#[test]
fn gaps_negative_ages_and_nonsense_are_counted_with_their_offset() {
    let late = Mbo { ts_recv: 9, ..record(b'A', 1, 128) };
    let no_side = Mbo { side: b'N', ..record(b'A', 1, 128) };
    let no_price = Mbo { price: i64::MAX, ..record(b'A', 1, 128) };
    let no_time = Mbo { ts_recv: u64::MAX, ..record(b'A', 1, 128) };
    let (events, decoder) = decode(&[record(b'A', 1, 4 | 128), late, record(b'Z', 1, 128), no_side, no_price, no_time]);
    assert_eq!(events.iter().map(|e| (e.kind, e.flags)).collect::<Vec<_>>(), [(EventKind::Add as u8, 5), (EventKind::Add as u8, 1)]);
    let faults = pretrade_feeds::Decoder::faults(&decoder);
    assert_eq!(faults.counts, [1, 1, 4, 0, 0]);
    let header = dbn(2, 0, &[]).len();
    assert_eq!(faults.first[1].place, format!("offset {}", header + 56));
    assert_eq!(faults.first[1].kind, FaultKind::NegativeAge);
}

#[test]
fn executions_halts_and_hidden_prints_of_lobster_map_to_their_kinds() {
    let messages =
        "34200.1,1,11,5,9900,1\n34200.2,4,11,2,9900,1\n34200.3,5,0,7,9950,-1\n34200.4,7,0,0,-1,-1\n34200.5,7,0,0,1,-1\n34200.6,3,11,3,9900,1\n";
    let rows = "10000,4,9900,5\n10000,4,9900,3\n10000,4,9900,3\n10000,4,9900,3\n10000,4,9900,3\n10000,4,-9999999999,0\n";
    let open = |text: &str| reader(text.as_bytes().to_vec());
    let midnight = 1_340_251_200_000_000_000;
    let mut decoder = LobsterDecoder::from_readers((Path::new("m"), open(messages)), (Path::new("b"), open(rows)), midnight, 5);
    let (events, _) = drain(&mut decoder);
    let got: Vec<_> = events.iter().map(|e| (e.kind, e.side, e.size, e.flags)).collect();
    let want = [
        (1, 1, 5, 16),
        (5, 0, 0, 2),
        (6, 1, 5, 2),
        (6, 2, 4, 3),
        (7, 2, 2, 0),
        (4, 1, 2, 16),
        (6, 1, 3, 33),
        (7, 1, 7, 1),
        (12, 0, 0, 1),
        (12, 0, 0, 1),
        (3, 1, 3, 16),
        (6, 1, 0, 33),
    ];
    assert_eq!(got, want);
    assert_eq!(events[0].ts_recv, midnight + 34_200_100_000_000);
    assert_eq!((events[8].aux, events[9].aux), (4, 3));
}

#[test]
fn a_map_that_names_zones_needs_their_steps() {
    let text =
        "instrument = { symbol = \"ESH4\" }\nclock = { ts_event = 1, unit = \"s\", zone = \"America/New_York\" }\ntrades = { price = 2, size = 3 }";
    assert!(pretrade_feeds::TableMap::parse(text, &around()).unwrap_err().contains("America/New_York"));
}
