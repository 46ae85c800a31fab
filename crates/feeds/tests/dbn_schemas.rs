// SPDX-License-Identifier: Apache-2.0
//! Every DBN schema, versions 1 to 3: records whose bytes the `dbn` crate lays out come back as events, field by field.
mod recordings;
use dbn::record as v3;
use dbn::{BidAskPair, FlagSet, RecordHeader, v1, v2};
use pretrade_feeds::{DbnDecoder, Decoder, FaultKind, FeedError};
use pretrade_records::{Event, EventFlags, EventKind, Phase, ReferenceKind, Side};
use proptest::prelude::*;
use recordings::{OURS, VENUE_ID, drain, ids, packed, reader};
use std::path::Path;

const T: u64 = 1_703_545_200_000_000_000;

fn header<R: dbn::record::HasRType>(rtype: u8) -> RecordHeader {
    RecordHeader::new::<R>(rtype, 1, VENUE_ID, T)
}

fn file(version: u8, schema: dbn::Schema, records: &[&[u8]]) -> Vec<u8> {
    let mut out = recordings::dbn(version, schema as u16, &[]);
    records.iter().for_each(|r| out.extend(*r));
    out
}

fn decode(bytes: Vec<u8>) -> Result<(Vec<Event>, [u64; FaultKind::COUNT]), FeedError> {
    let mut decoder = DbnDecoder::from_reader(Path::new("t.dbn"), reader(bytes), &ids())?;
    let (events, refused) = drain(&mut decoder);
    refused.map_or_else(|| Ok((events, decoder.faults().counts)), Err)
}

/// Events of records without a fault.
fn events(version: u8, schema: dbn::Schema, records: &[&[u8]]) -> Vec<Event> {
    let (events, faults) = decode(file(version, schema, records)).unwrap();
    assert_eq!(faults.iter().sum::<u64>(), 0, "{schema} version {version}");
    assert!(events.iter().all(|e| e.instrument_id == OURS));
    events
}

fn said(events: &[Event]) -> Vec<(EventKind, u8, i64, i64, u16)> {
    events.iter().map(|e| (EventKind::try_from(e.kind).unwrap(), e.side, e.price, e.size, e.flags)).collect()
}

fn pair(bid: (i64, u32), ask: (i64, u32)) -> BidAskPair {
    BidAskPair { bid_px: bid.0, ask_px: ask.0, bid_sz: bid.1, ask_sz: ask.1, bid_ct: 1, ask_ct: 1 }
}

fn mbp1(action: u8, side: u8, price: i64, size: u32, flags: u8, levels: BidAskPair) -> v3::Mbp1Msg {
    v3::Mbp1Msg {
        hd: header::<v3::Mbp1Msg>(dbn::rtype::MBP_1),
        price,
        size,
        action: action as i8,
        side: side as i8,
        flags: FlagSet::new(flags),
        depth: 0,
        ts_recv: T + 5,
        ts_in_delta: 0,
        sequence: 9,
        levels: [levels],
    }
}

const BID: u8 = Side::Bid as u8;
const ASK: u8 = Side::Ask as u8;
const INFO: u16 = EventFlags::INFORMATIVE;
const SNAP: u16 = EventFlags::SNAPSHOT;
const DERIVED: u16 = EventFlags::DERIVED;
const LAST: u16 = EventFlags::LAST;

#[test]
fn changes_are_the_flow_then_the_levels_that_differ() {
    let records = [
        mbp1(b'A', b'B', 100, 5, 128, pair((100, 5), (102, 7))),
        mbp1(b'T', b'A', 100, 2, 0, pair((100, 5), (102, 7))),
        mbp1(b'C', b'B', 100, 2, 128, pair((100, 3), (102, 7))),
        mbp1(b'C', b'A', 102, 7, 128, pair((100, 3), (i64::MAX, 0))),
    ];
    let bytes: Vec<&[u8]> = records.iter().map(AsRef::as_ref).collect();
    let want = [
        (EventKind::Add, BID, 100, 5, INFO),
        (EventKind::Clear, 0, 0, 0, SNAP),
        (EventKind::Level, BID, 100, 5, SNAP),
        (EventKind::Level, ASK, 102, 7, SNAP | LAST),
        (EventKind::Trade, ASK, 100, 2, 0),
        (EventKind::Cancel, BID, 100, 2, INFO),
        (EventKind::Level, BID, 100, 3, DERIVED | LAST),
        (EventKind::Cancel, ASK, 102, 7, INFO),
        (EventKind::Level, ASK, 102, 0, DERIVED | LAST),
    ];
    for version in 1..=3 {
        let got = events(version, dbn::Schema::Mbp1, &bytes);
        assert_eq!(said(&got), want);
        assert!(got.iter().all(|e| (e.ts_event as u64, e.ts_recv as u64, e.sequence) == (T, T + 5, 9)));
    }
}

#[test]
fn a_gap_of_quotes_is_counted_and_the_next_record_restates_the_book() {
    let records = [mbp1(b'A', b'B', 100, 5, 128, pair((100, 5), (102, 7))), mbp1(b'M', b'B', 100, 6, 128 | 4, pair((100, 6), (102, 7)))];
    let (got, faults) = decode(file(3, dbn::Schema::Mbp1, &records.each_ref().map(AsRef::as_ref))).unwrap();
    assert_eq!(faults[FaultKind::SequenceGap as usize], 1);
    assert_eq!(got.iter().filter(|e| e.kind == EventKind::Clear as u8).count(), 2);
    assert!(got[5..].iter().all(|e| e.has(EventFlags::SNAPSHOT | EventFlags::GAP)));
}

#[test]
fn a_print_comes_after_the_book_it_met_and_samples_carry_no_flow() {
    let record = mbp1(b'T', b'B', 102, 2, 128, pair((100, 5), (102, 7)));
    let tbbo = events(2, dbn::Schema::Tbbo, &[record.as_ref()]);
    assert_eq!(said(&tbbo)[3], (EventKind::Trade, BID, 102, 2, LAST));
    let bbo = |side: u8, size: u32| v3::BboMsg {
        hd: RecordHeader::new::<v3::BboMsg>(dbn::rtype::BBO_1S, 1, VENUE_ID, u64::MAX),
        price: i64::MAX,
        size: 0,
        side: side as i8,
        flags: FlagSet::new(0),
        ts_recv: T + 7,
        sequence: 3,
        levels: [pair((100, size), (102, 7))],
        ..v3::BboMsg::default_for_schema(dbn::Schema::Bbo1S)
    };
    let (first, second) = (bbo(b'N', 5), bbo(b'N', 6));
    let got = events(3, dbn::Schema::Bbo1S, &[first.as_ref(), second.as_ref()]);
    assert_eq!(said(&got)[3..], [(EventKind::Level, BID, 100, 6, DERIVED | LAST)]);
    assert!(got.iter().all(|e| e.ts_event == e.ts_recv && e.ts_recv as u64 == T + 7), "a sample without a trade has no time of its own");
}

#[test]
fn prints_bars_and_phases() {
    let trade = v3::TradeMsg {
        hd: header::<v3::TradeMsg>(dbn::rtype::MBP_0),
        price: 7,
        size: 3,
        action: b'T' as i8,
        side: b'B' as i8,
        flags: FlagSet::new(128),
        depth: 0,
        ts_recv: T + 1,
        ts_in_delta: 0,
        sequence: 4,
    };
    assert_eq!(said(&events(1, dbn::Schema::Trades, &[trade.as_ref()])), [(EventKind::Trade, BID, 7, 3, LAST)]);
    let bar = v3::OhlcvMsg { hd: header::<v3::OhlcvMsg>(dbn::rtype::OHLCV_1M), open: 5, high: 9, low: 4, close: 6, volume: 77 };
    let got = events(3, dbn::Schema::Ohlcv1M, &[bar.as_ref()]);
    assert_eq!(said(&got).iter().map(|e| (e.2, e.3, e.4)).collect::<Vec<_>>(), [(5, 0, 0), (9, 0, 0), (4, 0, 0), (6, 77, LAST)]);
    assert!(got.iter().all(|e| e.ts_recv as u64 == T + 60_000_000_000), "a bar is known at its end");
    let status = |action: u16| v3::StatusMsg { hd: header::<v3::StatusMsg>(dbn::rtype::STATUS), ts_recv: T + 2, action, ..Default::default() };
    let records: Vec<_> = [1, 4, 7, 8, 12, 14].into_iter().map(status).collect();
    let bytes: Vec<&[u8]> = records.iter().map(AsRef::as_ref).collect();
    let phases: Vec<_> = events(2, dbn::Schema::Status, &bytes).iter().map(|e| (e.kind, e.aux)).collect();
    let status = |phase: Phase| (EventKind::Status as u8, phase as u64);
    let alive = (EventKind::Heartbeat as u8, 0);
    assert_eq!(
        phases,
        [status(Phase::PreOpen), status(Phase::Auction), status(Phase::Continuous), status(Phase::Halted), status(Phase::Closed), alive]
    );
}

#[test]
fn statistics_definitions_and_imbalances_are_references() {
    let reference =
        |events: &[Event]| events.iter().map(|e| (ReferenceKind::try_from(e.aux as u8).unwrap(), e.price, e.size, e.order_id)).collect::<Vec<_>>();
    let hd = || header::<v3::StatMsg>(dbn::rtype::STATISTICS);
    for (code, kind, order_id) in [(3, ReferenceKind::Settlement, 0), (9, ReferenceKind::OpenInterest, 0), (14, ReferenceKind::Other, 14)] {
        let old = v1::StatMsg { hd: hd(), ts_recv: T + 3, price: 8, quantity: 21, sequence: 6, stat_type: code, ..Default::default() };
        let new = v3::StatMsg { hd: hd(), ts_recv: T + 3, price: 8, quantity: 21 << 40, sequence: 6, stat_type: code, ..Default::default() };
        for version in 1..=2 {
            let got = events(version, dbn::Schema::Statistics, &[old.as_ref()]);
            assert_eq!((reference(&got), got[0].sequence), (vec![(kind, 8, 21, order_id)], 6));
        }
        assert_eq!(reference(&events(3, dbn::Schema::Statistics, &[new.as_ref()])), [(kind, 8, 21 << 40, order_id)]);
    }
    macro_rules! definition {
        ($version:expr, $record:ty) => {{
            let hd = header::<$record>(dbn::rtype::INSTRUMENT_DEF);
            let record = <$record>::default_with(hd, T + 3);
            let got = events($version, dbn::Schema::Definition, &[record.as_ref()]);
            assert_eq!(reference(&got), [(ReferenceKind::TickSize, 25, 0, 0), (ReferenceKind::UpperLimit, 900, 0, 0)], "version {}", $version);
        }};
    }
    definition!(1, v1::InstrumentDefMsg);
    definition!(2, v2::InstrumentDefMsg);
    definition!(3, v3::InstrumentDefMsg);
    let imbalance = v3::ImbalanceMsg {
        hd: header::<v3::ImbalanceMsg>(dbn::rtype::IMBALANCE),
        ts_recv: T + 3,
        ref_price: 50,
        cont_book_clr_price: 51,
        ind_match_price: i64::MAX,
        paired_qty: 600,
        total_imbalance_qty: 40,
        side: b'A' as i8,
        ..Default::default()
    };
    let got = events(3, dbn::Schema::Imbalance, &[imbalance.as_ref()]);
    assert_eq!(reference(&got), [(ReferenceKind::Indicative, 51, 600, 0), (ReferenceKind::Imbalance, 50, 40, 0)]);
    assert_eq!(got[1].side, ASK);
    let indicative = v3::ImbalanceMsg { ind_match_price: 52, ssr_filling_price: 53, ..imbalance };
    assert_eq!(reference(&events(3, dbn::Schema::Imbalance, &[indicative.as_ref()]))[0], (ReferenceKind::Indicative, 52, 600, 0));
}

/// A definition with a tick of 25, an upper limit of 900 and no lower one.
trait DefaultWith: Default {
    fn default_with(hd: RecordHeader, ts_recv: u64) -> Self;
}
macro_rules! default_with {
    ($($record:ty),+) => {$(
        impl DefaultWith for $record {
            fn default_with(hd: RecordHeader, ts_recv: u64) -> Self {
                Self { hd, ts_recv, min_price_increment: 25, high_limit_price: 900, low_limit_price: i64::MAX, ..Self::default() }
            }
        }
    )+};
}
default_with!(v1::InstrumentDefMsg, v2::InstrumentDefMsg, v3::InstrumentDefMsg);

fn levels() -> impl Strategy<Value = [BidAskPair; 10]> {
    (1_u32..1_000, 0_usize..=10, 0_usize..=10).prop_map(|(size, bids, asks)| {
        std::array::from_fn(|n| {
            let side = |kept: bool, price: i64| if kept { (price, size + n as u32) } else { (i64::MAX, 0) };
            pair(side(n < bids, 500 - n as i64), side(n < asks, 501 + n as i64))
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ten_levels_rebuild_the_book(rows in prop::collection::vec(levels(), 1..20), version in 1_u8..=3, how in 0_usize..4) {
        let records: Vec<v3::Mbp10Msg> = rows.iter().map(|levels| v3::Mbp10Msg {
            hd: header::<v3::Mbp10Msg>(dbn::rtype::MBP_10),
            price: 500,
            size: 1,
            action: b'A' as i8,
            side: b'B' as i8,
            flags: FlagSet::new(128),
            ts_recv: T,
            levels: levels.clone(),
            ..Default::default()
        }).collect();
        let bytes: Vec<&[u8]> = records.iter().map(AsRef::as_ref).collect();
        let (got, faults) = decode_packed(packed(&file(version, dbn::Schema::Mbp10, &bytes), how));
        prop_assert_eq!(faults.iter().sum::<u64>(), 0);
        let side = |levels: &[BidAskPair], bid: bool| -> Vec<(i64, i64)> {
            levels.iter().map(|l| if bid { (l.bid_px, i64::from(l.bid_sz)) } else { (l.ask_px, i64::from(l.ask_sz)) }).filter(|l| l.1 > 0).collect()
        };
        let want: Vec<recordings::Book> = rows.iter().map(|l| [side(l, true), side(l, false)]).collect();
        prop_assert_eq!(recordings::books_at(&got, 1), want);
    }

    #[test]
    fn noise_in_any_schema_is_counted_or_refused(schema in prop::sample::select(vec![0_u16, 1, 2, 3, 4, 6, 9, 10, 11, 12, 14, 15, 18]), version in 1_u8..=3, rtype in any::<u8>(), noise in prop::collection::vec(any::<u8>(), 0..1_200)) {
        let mut bytes = recordings::dbn(version, schema, &[]);
        for chunk in noise.chunks(400) {
            let mut record = vec![100, rtype, 1, 0];
            record.extend(VENUE_ID.to_le_bytes());
            record.extend(chunk);
            record.resize(400, 0xFF);
            bytes.extend(record);
        }
        let _ = decode(bytes);
    }
}

fn decode_packed(bytes: Vec<u8>) -> (Vec<Event>, [u64; FaultKind::COUNT]) {
    let source = pretrade_feeds::source::unpack(Path::new("t"), std::io::Cursor::new(bytes)).unwrap();
    let mut decoder = DbnDecoder::from_reader(Path::new("t"), source, &ids()).unwrap();
    let (events, refused) = drain(&mut decoder);
    assert!(refused.is_none());
    (events, decoder.faults().counts)
}

#[test]
fn what_says_nothing_is_counted_and_a_cut_is_refused_in_every_schema() {
    let nothing = mbp1(b'Z', b'B', 100, 5, 128, pair((100, 5), (102, 7)));
    let crossed_order = mbp1(b'A', b'X', 100, 5, 128, pair((100, 5), (102, 7)));
    let no_print = mbp1(b'T', b'B', i64::MAX, 5, 128, pair((100, 5), (102, 7)));
    let (got, faults) = decode(file(3, dbn::Schema::Mbp1, &[nothing.as_ref(), crossed_order.as_ref(), no_print.as_ref()])).unwrap();
    assert_eq!((got.len(), faults[FaultKind::BadLine as usize]), (0, 3));
    let good = mbp1(b'A', b'B', 100, 5, 128, pair((100, 5), (102, 7)));
    let whole = file(3, dbn::Schema::Mbp1, &[good.as_ref()]);
    assert!(decode(whole[..whole.len() - 9].to_vec()).unwrap_err().what.contains("cut inside a record"));
    let other = v3::OhlcvMsg { hd: header::<v3::OhlcvMsg>(dbn::rtype::OHLCV_1M), open: 5, high: 9, low: 4, close: 6, volume: 77 };
    assert_eq!(decode(file(3, dbn::Schema::Mbp1, &[other.as_ref()])).unwrap().1[FaultKind::BadLine as usize], 1, "a record of another schema");
    let absurd = v3::OhlcvMsg { low: 8, ..other };
    assert_eq!(decode(file(3, dbn::Schema::Ohlcv1M, &[absurd.as_ref()])).unwrap().1[FaultKind::BadLine as usize], 1);
}
