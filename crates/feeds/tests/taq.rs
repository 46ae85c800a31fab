// SPDX-License-Identifier: Apache-2.0
//! The national best bid and offer by side, and rows that say nothing are counted.
use pretrade_feeds::table::{Cell, TableInstrument};
use pretrade_feeds::taq::{NOT_NOW, TaqRows};
use pretrade_feeds::{FaultKind, RowReader};
use pretrade_records::{Event, EventFlags, EventKind};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;

const HOUR: i64 = 3_600_000_000_000;

fn rows(quotes: bool) -> TaqRows {
    TaqRows::new(Path::new("t"), TableInstrument { instrument_id: 5, quantity_exponent: 0, allow_negative_price: false }, quotes)
}

fn quote<'a>(ts: i64, bid: (i64, i64), ask: (i64, i64), venue: &'a str, condition: &'a str) -> [Cell<'a>; 8] {
    [ts, bid.0, bid.1, ask.0, ask.1]
        .map(Cell::Int)
        .into_iter()
        .chain([Cell::Text(venue), Cell::Text(condition), Cell::Int(0)])
        .collect::<Vec<_>>()
        .try_into()
        .unwrap()
}

/// Bids and asks by price in 1e-4.
fn apply(events: &[Event], book: &mut [BTreeMap<i64, i64>; 2]) {
    for e in events {
        if e.kind == EventKind::Clear as u8 {
            book.iter_mut().for_each(BTreeMap::clear);
        } else if e.kind == EventKind::Level as u8 {
            let side = &mut book[usize::from(e.side == 2)];
            if e.size == 0 {
                side.remove(&(e.price / 100_000))
            } else {
                side.insert(e.price / 100_000, e.size)
            };
        }
    }
}

proptest! {
    #[test]
    fn the_book_is_the_last_row_of_each_side(steps in prop::collection::vec((any::<bool>(), 1_i64..30, 0_i64..5), 1..80)) {
        let (mut decoder, mut book) = (rows(true), <[BTreeMap<i64, i64>; 2]>::default());
        let mut want = <[BTreeMap<i64, i64>; 2]>::default();
        for (n, (ask, price, size)) in steps.into_iter().enumerate() {
            let side = (price, size);
            let cells = if ask { quote(n as i64, (0, 0), side, "N", "1") } else { quote(n as i64, side, (0, 0), "Q", "1") };
            let mut out = Vec::new();
            decoder.decode(&cells, n as u64, &mut out);
            prop_assert!(out.last().unwrap().has(EventFlags::LAST));
            apply(&out, &mut book);
            want[usize::from(ask)] = if size > 0 { BTreeMap::from([side]) } else { BTreeMap::new() };
            prop_assert_eq!(&book, &want);
        }
        prop_assert_eq!(decoder.faults().counts, [0; FaultKind::COUNT]);
    }

    #[test]
    fn any_cells_are_read_or_counted(cells in prop::collection::vec(prop_oneof![Just(Cell::Null), any::<i64>().prop_map(Cell::Int), (0_i64..9).prop_map(Cell::Int), any::<f64>().prop_map(Cell::Float), prop::sample::select(vec!["", "1", "800", "FFFFFFFFFFFFFFFF", "é", "nan"]).prop_map(Cell::Text)], 0..10), quotes in any::<bool>()) {
        let (mut decoder, mut out) = (rows(quotes), Vec::new());
        decoder.decode(&cells, 1, &mut out);
        decoder.decode(&cells, 2, &mut out);
    }
}

#[test]
fn quotes_end_with_the_day_and_those_that_are_not_firm_are_withdrawn() {
    let (mut decoder, mut out) = (rows(true), Vec::new());
    decoder.decode(&quote(0, (100, 5), (0, 0), "N", "1"), 1, &mut out);
    decoder.decode(&quote(1, (100, 7), (0, 0), "N", "8"), 2, &mut out);
    decoder.decode(&quote(2, (100, 7), (0, 0), "N", "800"), 3, &mut out);
    decoder.decode(&quote(3 + 4 * HOUR, (90, 1), (0, 0), "Q", "1"), 4, &mut out);
    let got: Vec<_> = out.iter().map(|e| (e.kind, e.price / 100_000, e.size, e.flags)).collect();
    assert_eq!(got, [(5, 0, 0, 2), (6, 100, 5, 3), (6, 100, 0, 1), (6, 100, 7, 1), (5, 0, 0, 2), (6, 90, 1, 3)]);
    assert_eq!(out[5].aux, u64::from(b'Q'), "the venue that makes the best");
}

#[test]
fn a_print_of_another_moment_moves_no_last_price() {
    let (mut decoder, mut out) = (rows(false), Vec::new());
    let print = |condition| [Cell::Int(9), Cell::Int(100), Cell::Int(3), Cell::Text("D"), Cell::Text(condition), Cell::Int(0)];
    for condition in ["1", "20000020", "2000", "20100000", "4000", "800"] {
        decoder.decode(&print(condition), 1, &mut out);
    }
    let got: Vec<_> = out.iter().map(|e| (e.kind, e.size, e.kind == EventKind::Trade as u8 && e.aux & NOT_NOW == 0)).collect();
    assert_eq!(got, [(7, 3, true), (7, 3, true), (7, 3, true), (17, 3, false), (17, 3, false), (17, 3, false)]);
    assert_eq!(out[3].order_id, 0x2010_0000);
    for bad in [Cell::Null, Cell::Int(0), Cell::Int(-1), Cell::Float(1.0), Cell::Text("1")] {
        let mut cells = print("1");
        cells[1] = bad;
        decoder.decode(&cells, 2, &mut out);
    }
    let mut suspicious = print("1");
    suspicious[5] = Cell::Int(1);
    decoder.decode(&suspicious, 3, &mut out);
    decoder.decode(&print("xyz"), 4, &mut out);
    let mut back = print("1");
    back[0] = Cell::Int(8);
    decoder.decode(&back, 5, &mut out);
    assert_eq!((out.len(), decoder.faults().counts), (6, [0, 0, 8, 0, 0]));
}
