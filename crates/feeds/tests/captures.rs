// SPDX-License-Identifier: Apache-2.0
//! Raw captures of several venues: what their messages mean, what is counted, what is refused, and that noise never panics.
mod recordings;
use pretrade_feeds::capture::{FORMATS, Instruments, bitmex, bitstamp, bybit, coinbase, kraken, kraken_futures};
use pretrade_feeds::table::TableInstrument;
use pretrade_feeds::{CaptureDecoder, Decoder, FaultKind, FeedError, source};
use pretrade_records::{Event, EventFlags, EventKind, Side};
use proptest::prelude::*;
use recordings::{drain, packed};
use std::io::Cursor;
use std::path::PathBuf;

const VENUES: [&str; 6] = [bitmex::VENUE, bitstamp::VENUE, bybit::VENUE, coinbase::VENUE, kraken::VENUE, kraken_futures::VENUE];
const AT: &str = "1700000001.5: ";

fn decode_as(format: &str, text: &[u8], only: bool) -> (Vec<Event>, [u64; FaultKind::COUNT], Option<FeedError>) {
    let instrument = TableInstrument { instrument_id: 4, quantity_exponent: -2, allow_negative_price: false };
    let known = VENUES.map(|venue| ((venue.to_owned(), "X".to_owned()), instrument));
    let (_, reads) = FORMATS.into_iter().find(|(name, _)| *name == format).unwrap();
    let path = PathBuf::from("a.txt");
    let source = match source::unpack(&path, Cursor::new(text.to_vec())) {
        Ok(source) => source,
        Err(e) => return (Vec::new(), [0; FaultKind::COUNT], Some(e)),
    };
    let mut decoder = CaptureDecoder::from_readers(reads(Instruments::new(known, only)), vec![(path, source)]);
    let (events, refused) = drain(&mut decoder);
    (events, decoder.faults().counts, refused)
}

/// Messages of cryptofeed's form.
fn decode(messages: &[&str]) -> (Vec<Event>, [u64; FaultKind::COUNT]) {
    let text: Vec<String> = messages.iter().map(|m| format!("{AT}{m}")).collect();
    let (events, faults, refused) = decode_as("cryptofeed", text.join("\n").as_bytes(), false);
    assert!(refused.is_none(), "{refused:?}");
    (events, faults)
}

fn said(events: &[Event]) -> Vec<(EventKind, u8, i64, i64, u16)> {
    events.iter().map(|e| (EventKind::try_from(e.kind).unwrap(), e.side, e.price / 10_000_000, e.size, e.flags)).collect()
}

const BID: u8 = Side::Bid as u8;
const ASK: u8 = Side::Ask as u8;
const LAST: u16 = EventFlags::LAST;
const SNAP: u16 = EventFlags::SNAPSHOT;

#[test]
fn bitmex_levels_keep_the_price_of_their_id_and_an_unannounced_id_is_a_gap() {
    let partial = r#"{"table":"orderBookL2","action":"partial","data":[{"symbol":"X","id":1,"side":"Buy","size":5,"price":1.5},{"symbol":"X","id":2,"side":"Sell","size":7,"price":2}]}"#;
    let update = r#"{"table":"orderBookL2","action":"update","data":[{"symbol":"X","id":1,"side":"Buy","size":6}]}"#;
    let delete = r#"{"table":"orderBookL2","action":"delete","data":[{"symbol":"X","id":2,"side":"Sell"}]}"#;
    let print =
        r#"{"table":"trade","action":"insert","data":[{"timestamp":"2023-11-14T22:13:21.500Z","symbol":"X","side":"Sell","size":1,"price":1.5}]}"#;
    let (events, faults) = decode(&[update, partial, update, delete, print, delete, update]);
    let want = [
        (EventKind::Clear, 0, 0, 0, SNAP),
        (EventKind::Level, BID, 150, 500, SNAP),
        (EventKind::Level, ASK, 200, 700, SNAP | LAST),
        (EventKind::Level, BID, 150, 600, LAST),
        (EventKind::Level, ASK, 200, 0, LAST),
        (EventKind::Trade, ASK, 150, 100, 0),
        (EventKind::Heartbeat, 0, 0, 0, EventFlags::GAP),
    ];
    assert_eq!(said(&events), want);
    assert_eq!(faults, [1, 0, 0, 0, 0]);
    assert_eq!(events[5].ts_event, events[5].ts_recv);
}

#[test]
fn coinbase_says_the_resting_side_and_a_jump_of_its_trades_is_a_gap() {
    let snapshot = r#"{"type":"snapshot","product_id":"X","bids":[["1.5","5"]],"asks":[["2","7"]]}"#;
    let update = r#"{"type":"l2update","product_id":"X","changes":[["buy","1.5","0"]],"time":"2023-11-14T22:13:21Z"}"#;
    let print = |id: u64| {
        format!(r#"{{"type":"match","trade_id":{id},"side":"sell","size":"1","price":"2","product_id":"X","time":"2023-11-14T22:13:21Z"}}"#)
    };
    let last = r#"{"type":"last_match","trade_id":8,"side":"sell","size":"1","price":"2","product_id":"X","time":"2023-11-14T22:13:21Z"}"#;
    let (events, faults) = decode(&[snapshot, last, &print(9), update, &print(9), &print(11), update]);
    let want = [
        (EventKind::Clear, 0, 0, 0, SNAP),
        (EventKind::Level, BID, 150, 500, SNAP),
        (EventKind::Level, ASK, 200, 700, SNAP | LAST),
        (EventKind::Trade, BID, 200, 100, 0),
        (EventKind::Level, BID, 150, 0, LAST),
        (EventKind::Heartbeat, 0, 0, 0, EventFlags::GAP),
        (EventKind::Trade, BID, 200, 100, 0),
    ];
    assert_eq!(said(&events), want);
    assert_eq!(faults, [1, 0, 0, 1, 0]);
}

#[test]
fn kraken_holds_its_checksum_and_keeps_as_many_levels_as_were_asked_for() {
    // The digits of the ask, 2.00 x 7.00, and of the bid, 1.50 x 5.00.
    let entry = |price: &str, size: &str| format!(r#"["{price}","{size}","1700000000.123456"]"#);
    let snapshot = format!(r#"[7,{{"as":[{}],"bs":[{}]}},"book-1","X"]"#, entry("2.00", "7.00"), entry("1.40", "4.00"));
    let good = format!(r#"[7,{{"b":[{}],"c":"{}"}},"book-1","X"]"#, entry("1.50", "5.00"), crc("200700150500"));
    let wrong = format!(r#"[7,{{"b":[{}],"c":"12"}},"book-1","X"]"#, entry("1.50", "6.00"));
    let print = r#"[7,[["1.50","2","1700000000.5","s","m",""]],"trade","X"]"#;
    let (events, faults) = decode(&[&snapshot, &good, print, &wrong, &good]);
    let want = [
        (EventKind::Clear, 0, 0, 0, SNAP),
        (EventKind::Level, ASK, 200, 700, SNAP),
        (EventKind::Level, BID, 140, 400, SNAP | LAST),
        (EventKind::Level, BID, 150, 500, 0),
        (EventKind::Level, BID, 140, 0, LAST),
        (EventKind::Trade, ASK, 150, 200, 0),
        (EventKind::Level, BID, 150, 600, 0),
        (EventKind::Heartbeat, 0, 0, 0, EventFlags::GAP),
    ];
    assert_eq!(said(&events), want);
    assert_eq!((faults, events[3].ts_event), ([1, 0, 0, 0, 0], 1_700_000_000_123_456_000));
}

/// CRC32 (IEEE 802.3) by its definition, bit by bit.
fn crc(text: &str) -> u32 {
    !text.bytes().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(byte), |c, _| if c & 1 == 1 { (c >> 1) ^ 0xEDB8_8320 } else { c >> 1 }))
}

#[test]
fn kraken_futures_and_bybit_count_their_messages() {
    let snapshot = r#"{"feed":"book_snapshot","product_id":"X","timestamp":1700000000000,"seq":5,"bids":[{"price":1.5,"qty":5}],"asks":[]}"#;
    let change = |seq: u64| format!(r#"{{"feed":"book","product_id":"X","side":"sell","seq":{seq},"price":2,"qty":7,"timestamp":1700000000000}}"#);
    let (events, faults) = decode(&[&change(5), snapshot, &change(6), &change(6), &change(8), &change(9)]);
    let want = [
        (EventKind::Clear, 0, 0, 0, SNAP),
        (EventKind::Level, BID, 150, 500, SNAP | LAST),
        (EventKind::Level, ASK, 200, 700, LAST),
        (EventKind::Heartbeat, 0, 0, 0, EventFlags::GAP),
    ];
    assert_eq!((said(&events), faults), (want.to_vec(), [1, 0, 0, 1, 0]));
    let line = |kind: &str, u: u64| {
        format!(
            r#"{{"topic":"t","type":"{kind}","ts":1700000000{u:03},"data":{{"s":"X","b":[["1.5","5"]],"a":[],"u":{u},"seq":1}},"cts":1700000000000}}"#
        )
    };
    let text = [line("snapshot", 5), line("delta", 6), line("delta", 8), line("snapshot", 1), line("delta", 2)].join("\n");
    let (events, faults, refused) = decode_as("bybit", text.as_bytes(), false);
    assert!(refused.is_none());
    let kinds: Vec<_> = said(&events).iter().map(|s| (s.0, s.4)).collect();
    let level = |flags| (EventKind::Level, flags);
    let clear = (EventKind::Clear, SNAP);
    let gap = (EventKind::Heartbeat, EventFlags::GAP);
    assert_eq!(kinds, [clear, level(SNAP | LAST), level(LAST), gap, clear, level(SNAP | LAST), level(LAST)]);
    assert_eq!(faults, [1, 0, 0, 0, 2], "the stamps of the second snapshot and its change lie before the gap's");
}

#[test]
fn bitstamp_orders_are_flow_and_its_visible_book_is_the_book() {
    let order = |at: u32, kind: &str, amount: &str| {
        format!(r#"17000000005{at:02} order_{kind} {{"price":"1.50","amount":"{amount}","datetime":"1700000000","id":3,"order_type":1}}"#)
    };
    let text = [
        order(1, "created", "5"),
        r#"1700000000502 order_book {"bids":[["1.4","2"]],"asks":[["1.5","5"]]}"#.to_owned(),
        order(3, "changed", "4"),
        r#"1700000000504 trade {"price":1.5,"amount":1.0000000000001,"id":9}"#.to_owned(),
        r#"1700000000505 order_book {"bids":[["1.4","2"]],"asks":[["1.5","4"]]}"#.to_owned(),
        order(6, "deleted", "0"),
        order(7, "deleted", "0"),
    ]
    .join("\n");
    let (events, faults, _) = decode_as("bitstamp", text.as_bytes(), false);
    let (info, filled) = (EventFlags::INFORMATIVE, EventFlags::INFORMATIVE | EventFlags::CAUSED_BY_FILL);
    let want = [
        (EventKind::Add, ASK, 150, 500, info),
        (EventKind::Clear, 0, 0, 0, SNAP),
        (EventKind::Level, BID, 140, 200, SNAP),
        (EventKind::Level, ASK, 150, 500, SNAP | LAST),
        (EventKind::Modify, ASK, 150, 400, filled),
        (EventKind::Trade, 0, 150, 100, 0),
        (EventKind::Level, ASK, 150, 400, EventFlags::DERIVED | LAST),
        (EventKind::Cancel, ASK, 150, 0, filled),
    ];
    assert_eq!((said(&events), faults), (want.to_vec(), [0, 0, 0, 1, 0]));
    let mut of_two = Instruments::new([], false);
    assert!(of_two.the_one("BSTP").unwrap_err().contains("no instrument"));
    let instrument = TableInstrument { instrument_id: 4, quantity_exponent: -2, allow_negative_price: false };
    of_two = Instruments::new(["X", "Y"].map(|s| (("BSTP".to_owned(), s.to_owned()), instrument)), false);
    assert!(of_two.the_one("BSTP").unwrap_err().contains("name one"));
}

#[test]
fn messages_that_say_nothing_are_counted_and_leave_nothing_behind() {
    let bad = [
        "{",
        "[1]",
        "[1,2,3,4]",
        r#"[7,{"b":[["1","1"]]},"book-10","X"]"#,
        r#"[7,{"b":[],"c":"no"},"book-10","X"]"#,
        r#"[7,[["1","1","1"]],"trade","X"]"#,
        r#"[7,{},"book-ten","X"]"#,
        r#"{"table":"orderBookL2","action":"partial","data":[{"symbol":"X","id":1,"side":"Buy","size":5}]}"#,
        r#"{"table":"orderBookL2","action":"insert","data":[{"symbol":"X","id":1,"side":"Buy","price":5}]}"#,
        r#"{"table":"orderBookL2","action":"insert","data":[{"symbol":"X","id":1,"side":"Up","price":5,"size":1}]}"#,
        r#"{"table":"trade","action":"insert","data":[{"timestamp":"soon","symbol":"X","side":"Sell","size":1,"price":1.5}]}"#,
        r#"{"table":"wallet","action":"insert","data":[]}"#,
        r#"{"type":"snapshot","product_id":"X","bids":[["NaN","5"]],"asks":[]}"#,
        r#"{"type":"l2update","product_id":"X","changes":[["buy","1"]],"time":"2023-11-14T22:13:21Z"}"#,
        r#"{"type":"l2update","product_id":"X","changes":[],"time":"2023-11-14"}"#,
        r#"{"type":"open","product_id":"X"}"#,
        r#"{"feed":"book","product_id":"X","side":"sell","seq":-1,"price":2,"qty":7,"timestamp":1700000000000}"#,
        r#"{"feed":"trade","product_id":"X","side":"sell","seq":1,"price":2,"qty":0,"time":1700000000000}"#,
        r#"{"feed":"fills","product_id":"X"}"#,
    ];
    let (events, faults) = decode(&bad);
    assert_eq!((events.len(), faults), (0, [0, 0, bad.len() as u64, 0, 0]));
    let quiet = [r#"{"event":"heartbeat"}"#, r#"{"success":true}"#, r#"{"type":"subscriptions","channels":[]}"#];
    assert_eq!(decode(&quiet).1, [0; FaultKind::COUNT]);
    let client = b"wss://a <-> 1\nwss://a <- 2: {}\n\n\nno stamp\n-5: {}\n";
    assert_eq!(decode_as("cryptofeed", client, false).1, [0, 0, 2, 0, 0]);
    let other = format!("{AT}{}", r#"{"type":"snapshot","product_id":"Y","bids":[],"asks":[]}"#);
    assert!(decode_as("cryptofeed", other.as_bytes(), false).2.unwrap().to_string().contains("a.txt at line 1: holds symbol Y of venue CBSE"));
    assert!(decode_as("cryptofeed", other.as_bytes(), true).2.is_none());
}

/// Lines that resemble messages: known words with numbers and noise between.
fn likely() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"X\"",
        "\"table\"",
        "\"orderBookL2\"",
        "\"action\"",
        "\"partial\"",
        "\"data\"",
        "\"id\"",
        "\"side\"",
        "\"Buy\"",
        "\"price\"",
        "\"size\"",
        "\"type\"",
        "\"snapshot\"",
        "\"product_id\"",
        "\"feed\"",
        "\"book\"",
        "\"seq\"",
        "\"book-10\"",
        "1",
        "-1",
        "1e308",
        "\"1.5\"",
        "null",
        "99999999999999999999",
        "\n1700000000.1: ",
        "\n1700000000123 order_created ",
        "\"ts\":1700000000000",
    ]);
    prop::collection::vec(words, 0..60).prop_map(|w| w.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn noise_is_refused_or_counted(text in likely(), bytes in prop::collection::vec(any::<u8>(), 1..200), pick in any::<prop::sample::Index>()) {
        let (format, _) = FORMATS[pick.index(FORMATS.len())];
        let _ = decode_as(format, text.as_bytes(), true);
        let _ = decode_as(format, format!("{AT}{text}").as_bytes(), true);
        let _ = decode_as(format, &bytes, true);
    }

    #[test]
    fn a_cut_packed_file_is_refused(how in 1_usize..4, at in any::<prop::sample::Index>()) {
        let line = format!("{AT}{}\n", r#"{"type":"snapshot","product_id":"X","bids":[["1.5","5"]],"asks":[["2","7"]]}"#);
        let whole = packed(line.repeat(50).as_bytes(), how);
        let kept = 6 + at.index(whole.len() - 6);
        prop_assert!(decode_as("cryptofeed", &whole[..kept], false).2.unwrap().to_string().contains("a.txt"));
    }
}
