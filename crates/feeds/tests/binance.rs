// SPDX-License-Identifier: Apache-2.0
//! Binance lines written by a small venue of our own: what its book was is what comes back, and what is missing is said.
mod recordings;
use pretrade_feeds::capture::Instruments;
use pretrade_feeds::capture::binance::{Binance, PERPETUAL, SPOT};
use pretrade_feeds::table::TableInstrument;
use pretrade_feeds::{CaptureDecoder, Decoder, FaultKind, FeedError, source};
use pretrade_records::{Event, EventFlags, EventKind, ReferenceKind, Side};
use proptest::prelude::*;
use recordings::{Book, books_at, drain, packed};
use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::PathBuf;

/// Prices are written in cents; the step of [`books_at`].
const CENT: i64 = 10_000_000;

fn instruments(only: bool) -> Instruments {
    let of = |instrument_id| TableInstrument { instrument_id, quantity_exponent: 0, allow_negative_price: false };
    let known = [(PERPETUAL, "BTCUSDT", 7), (SPOT, "BTCUSDT", 8), (PERPETUAL, "ETHUSDT", 9)];
    Instruments::new(known.map(|(venue, symbol, id)| ((venue.to_owned(), symbol.to_owned()), of(id))), only)
}

fn decode_as(files: &[&str], only: bool, how: usize) -> (Vec<Event>, [u64; FaultKind::COUNT], Option<FeedError>) {
    let open = |(n, text): (usize, &&str)| {
        let name = PathBuf::from(format!("{n}.txt"));
        source::unpack(&name.clone(), Cursor::new(packed(text.as_bytes(), how))).map(|s| (name, s)).unwrap()
    };
    let mut decoder = CaptureDecoder::from_readers(Box::new(Binance::new(instruments(only))), files.iter().enumerate().map(open).collect());
    let (events, refused) = drain(&mut decoder);
    (events, decoder.faults().counts, refused)
}

fn decode(files: &[&str]) -> (Vec<Event>, [u64; FaultKind::COUNT]) {
    let (events, faults, refused) = decode_as(files, false, 0);
    assert!(refused.is_none(), "{refused:?}");
    (events, faults)
}

/// A venue that changes one book and writes what it would send.
#[derive(Default)]
struct Market {
    spot: bool,
    sides: [BTreeMap<i64, i64>; 2],
    update: u64,
    lines: Vec<String>,
}

impl Market {
    fn stamp(&self) -> (i64, i64) {
        let n = self.lines.len() as i64;
        (1_700_000_000_000_000_000 + n * 1_000_000, 1_700_000_000_000 + n - 1)
    }

    fn levels(rows: impl Iterator<Item = (i64, i64)>) -> String {
        let rows: Vec<String> = rows.map(|(p, s)| format!("[\"{}.{:02}\",\"{s}.000\"]", p / 100, p % 100)).collect();
        format!("[{}]", rows.join(","))
    }

    /// One message of changes: (bid, price, size); `updates` is how many update ids it takes.
    fn change(&mut self, changes: &[(bool, i64, i64)], updates: u64) {
        let (before, (ts, ms)) = (self.update, self.stamp());
        self.update += updates;
        let mut last = BTreeMap::new();
        for &(bid, price, size) in changes {
            last.insert((bid, price), size);
            let side = &mut self.sides[usize::from(!bid)];
            if size == 0 {
                side.remove(&price)
            } else {
                side.insert(price, size)
            };
        }
        let side = |bid: bool| Self::levels(last.iter().filter(|(k, _)| k.0 == bid).map(|(k, s)| (k.1, *s)));
        let own = if self.spot { String::new() } else { format!(",\"T\":{ms},\"pu\":{before}") };
        let (first, u, b, a) = (before + 1, self.update, side(true), side(false));
        self.lines.push(format!(
            r#"{ts} {{"stream":"btcusdt@depth","data":{{"e":"depthUpdate","E":{ms},"s":"BTCUSDT","U":{first},"u":{u}{own},"b":{b},"a":{a}}}}}"#
        ));
    }

    fn snapshot(&mut self) -> String {
        let (b, a) = (Self::levels(self.sides[0].iter().map(|(p, s)| (*p, *s))), Self::levels(self.sides[1].iter().map(|(p, s)| (*p, *s))));
        format!(r#"{{"lastUpdateId":{},"bids":{b},"asks":{a}}}"#, self.update)
    }

    fn book(&self) -> Book {
        [self.sides[0].iter().rev().map(|(p, s)| (*p, *s)).collect(), self.sides[1].iter().map(|(p, s)| (*p, *s)).collect()]
    }
}

type Changes = Vec<(bool, i64, i64)>;

fn changes() -> impl Strategy<Value = Vec<(Changes, u64)>> {
    let one = (any::<bool>(), 1_i64..500, 0_i64..50).prop_map(|(bid, price, size)| (bid, if bid { price } else { price + 500 }, size));
    prop::collection::vec((prop::collection::vec(one, 0..6), 1_u64..5), 4..30)
}

/// Plays `steps`; the snapshot is taken after step `at` and received `late` steps later. Books after each later step, and the lines.
fn play(spot: bool, steps: &[(Changes, u64)], at: usize, late: usize) -> (Vec<Book>, Vec<String>) {
    let mut market = Market { spot, update: 1_000, ..Market::default() };
    let (mut books, mut taken) = (Vec::new(), String::new());
    for (n, (step, updates)) in steps.iter().enumerate() {
        market.change(step, *updates);
        if n == at {
            taken = market.snapshot();
        }
        if n == at + late {
            let (ts, _) = market.stamp();
            market.lines.push(format!("{ts} {taken}"));
        }
        if n >= at + late {
            books.push(market.book());
        }
    }
    (books, market.lines)
}

proptest! {
    #[test]
    fn the_book_is_the_venues_from_the_snapshot_on(steps in changes(), spot in any::<bool>(), at in any::<prop::sample::Index>(), late in 0_usize..3, how in 0_usize..4, cut in any::<prop::sample::Index>()) {
        let at = at.index(steps.len() - 3);
        let (want, lines) = play(spot, &steps, at, late);
        let split = cut.index(lines.len());
        let files = [lines[..split].join("\n"), lines[split..].join("\n")];
        let files: Vec<&str> = files.iter().map(String::as_str).filter(|t| !t.is_empty()).collect();
        let snapshot_in_second = split <= at + late + 1 && split > 0 && split == at + late + 1;
        prop_assume!(!snapshot_in_second);
        let (events, faults, refused) = decode_as(&files, false, how);
        prop_assert!(refused.is_none());
        prop_assert_eq!(faults, [0; FaultKind::COUNT]);
        prop_assert_eq!(books_at(&events, CENT), want);
    }

    #[test]
    fn one_lost_message_is_one_gap_and_nothing_moves_until_the_next_snapshot(steps in changes(), spot in any::<bool>(), lost in any::<prop::sample::Index>()) {
        let (_, mut lines) = play(spot, &steps, 0, 0);
        let lost = 3 + lost.index(lines.len() - 4);
        let (whole, _) = decode(&[&lines.join("\n")]);
        lines.remove(lost);
        let (events, faults) = decode(&[&lines.join("\n")]);
        prop_assert_eq!(faults, [1, 0, 0, 0, 0]);
        let (gap, before) = events.split_last().unwrap();
        prop_assert!(gap.has(EventFlags::GAP));
        prop_assert_eq!(before, &whole[..before.len()]);
    }

    #[test]
    fn a_repeated_message_is_a_duplicate_and_changes_nothing(steps in changes(), spot in any::<bool>(), again in any::<prop::sample::Index>()) {
        let (want, mut lines) = play(spot, &steps, 0, 0);
        let again = 2 + again.index(lines.len() - 2);
        lines.insert(again + 1, lines[again].clone());
        let (events, faults) = decode(&[&lines.join("\n")]);
        prop_assert_eq!(faults, [0, 0, 0, 1, 0]);
        prop_assert_eq!(books_at(&events, CENT), want);
    }

    #[test]
    fn a_cut_packed_file_is_refused_and_noise_is_counted(steps in changes(), how in 1_usize..4, cut in any::<prop::sample::Index>(), noise in "[ -~\n]{0,300}", flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6)) {
        let (_, lines) = play(false, &steps, 0, 0);
        let text = lines.join("\n");
        let whole = packed(text.as_bytes(), how);
        let bytes = whole[..cut.index(whole.len() - 1) + 1].to_vec();
        let name = PathBuf::from("cut.txt");
        let refused = source::unpack(&name, Cursor::new(bytes)).map_or_else(Some, |s| {
            drain(&mut CaptureDecoder::from_readers(Box::new(Binance::new(instruments(false))), vec![(name.clone(), s)])).1
        });
        let kept = cut.index(whole.len() - 1) + 1;
        // Of less than a magic nobody can tell that it was packed: it is a line that says nothing.
        prop_assert!(kept == whole.len() || kept < 6 || refused.unwrap().to_string().contains("cut.txt"));
        let _ = decode_as(&[&format!("{AT} {noise}")], true, 0);
        let mut bytes = text.into_bytes();
        for (at, to) in flips {
            let at = at.index(bytes.len());
            bytes[at] = to;
        }
        let _ = decode_as(&[&String::from_utf8_lossy(&bytes)], true, 0);
    }
}

/// A book of one bid and one ask at update 10: five events, because the change that the snapshot holds is restated.
fn opened(spot: bool) -> Vec<String> {
    let mut market = Market { spot, update: 9, ..Market::default() };
    market.change(&[(true, 100, 5), (false, 200, 7)], 1);
    let snapshot = market.snapshot();
    let (ts, _) = market.stamp();
    market.lines.push(format!("{ts} {snapshot}"));
    market.lines
}

const AT: i64 = 1_700_000_001_000_000_000;

fn kinds(events: &[Event]) -> Vec<(EventKind, u8, i64, i64)> {
    events.iter().map(|e| (EventKind::try_from(e.kind).unwrap(), e.side, e.price, e.size)).collect()
}

#[test]
fn prints_tickers_and_marks_are_said_and_never_move_the_book() {
    let mut lines = opened(false);
    for message in [
        r#"{"e":"trade","E":1,"T":1700000000500,"s":"BTCUSDT","t":5,"p":"1.50","q":"3","X":"MARKET","m":true}"#,
        r#"{"e":"trade","E":1,"T":1700000000500,"s":"BTCUSDT","t":6,"p":"1.50","q":"3","X":"INSURANCE_FUND","m":true}"#,
        r#"{"e":"trade","E":1,"T":1700000000500,"s":"BTCUSDT","t":6,"p":"1.50","q":"3","X":"MARKET","m":true}"#,
        r#"{"e":"bookTicker","u":10,"s":"BTCUSDT","b":"1.00","B":"5","a":"2.00","A":"7","T":1700000000500,"E":1}"#,
        r#"{"e":"markPriceUpdate","E":1700000000500,"s":"BTCUSDT","p":"1.60","P":"1.7","i":"1.61","r":"-0.00012345","T":1}"#,
    ] {
        lines.push(format!(r#"{AT} {{"stream":"x","data":{message}}}"#));
    }
    let (events, faults) = decode(&[&lines.join("\n")]);
    assert_eq!(faults, [0, 0, 0, 1, 0], "trade 6 came twice");
    let cents = |p: i64| p * CENT;
    let said = kinds(&events[5..]);
    let want = [
        (EventKind::Trade, Side::Ask as u8, cents(150), 3),
        (EventKind::Trade, Side::None as u8, cents(150), 3),
        (EventKind::Level, Side::Bid as u8, cents(100), 5),
        (EventKind::Level, Side::Ask as u8, cents(200), 7),
        (EventKind::Reference, 0, cents(160), 0),
        (EventKind::Reference, 0, cents(161), 0),
        (EventKind::Reference, 0, -123_450, 0),
    ];
    assert_eq!(said, want);
    assert!(events[7..9].iter().all(|e| e.flags == EventFlags::INFORMATIVE && e.sequence == 10), "no quotes ends an event of the book");
    let funding = ReferenceKind::FundingRate as u64;
    assert_eq!((events[11].aux, events[11].ts_event, events[11].ts_recv), (funding, 1_700_000_000_500_000_000, AT));
}

#[test]
fn spot_and_perpetual_of_one_symbol_are_two_instruments() {
    let spot = format!(r#"{AT} {{"stream":"x","data":{{"u":10,"s":"BTCUSDT","b":"1","B":"5","a":"2","A":"7"}}}}"#);
    let trade =
        format!(r#"{AT} {{"stream":"x","data":{{"e":"trade","E":1,"s":"BTCUSDT","t":1,"p":"1","q":"2","T":1700000000500,"m":false,"M":true}}}}"#);
    let (events, _) = decode(&[&format!("{}\n{spot}\n{trade}", opened(false).join("\n"))]);
    let ids: Vec<u32> = events.iter().map(|e| e.instrument_id).collect();
    assert_eq!(ids, [7, 7, 7, 7, 7, 8, 8, 8]);
    assert_eq!((events[7].side, events[5].ts_event), (Side::Bid as u8, AT), "a spot quotes has no time but its receipt");
}

#[test]
fn clocks_that_jump_are_counted_and_never_turn_time_back() {
    let mut lines = opened(false);
    lines.push(r#"1600000000000 {"e":"trade","E":1,"T":1700000000999,"s":"BTCUSDT","t":5,"p":"1","q":"3","m":true}"#.to_owned());
    let (events, faults) = decode(&[&lines.join("\n")]);
    assert_eq!(faults, [0, 1, 0, 0, 1], "the line is out of order, and so it precedes its event");
    assert!(events.windows(2).all(|w| w[0].ts_recv <= w[1].ts_recv));
}

#[test]
fn what_says_nothing_is_counted_with_its_line_and_an_unknown_symbol_refuses_unless_left_out() {
    let depth =
        |levels: &str| format!(r#"{AT} {{"data":{{"e":"depthUpdate","E":1700000000500,"s":"BTCUSDT","U":1,"u":2,"pu":0,"b":[{levels}],"a":[]}}}}"#);
    let bad = [
        "not a line".to_owned(),
        format!("{AT} {{"),
        format!("{AT} {{\"stream\":\"btcusdt@depth\",\"data\":{{"),
        format!("{AT} []"),
        format!("{AT} {{}}"),
        format!(r#"{AT} {{"data":{{"e":"kline","s":"BTCUSDT"}}}}"#),
        depth(r#"["1.5"]"#),
        depth(r#"["1.5","2","3"]"#),
        depth(r#"["NaN","2"]"#),
        depth(r#"["1.5","-2"]"#),
        depth(r#"["1.5",null]"#),
        format!(r#"{AT} {{"data":{{"e":"depthUpdate","E":1700000000500,"s":"BTCUSDT","U":3,"u":2,"pu":0,"b":[],"a":[]}}}}"#),
        format!(r#"{AT} {{"data":{{"e":"trade","E":1,"T":-5,"s":"BTCUSDT","t":5,"p":"1","q":"3","m":true}}}}"#),
        format!(r#"{AT} {{"data":{{"e":"trade","E":1,"T":1700000000500,"s":"BTCUSDT","t":5,"p":"1","q":"0","m":true}}}}"#),
        r#"12 {"e":"trade"}"#.to_owned(),
    ];
    let (events, faults, refused) = decode_as(&[&bad.join("\n")], false, 0);
    assert!(refused.is_none() && events.is_empty(), "{events:?}");
    assert_eq!(faults, [0, 0, bad.len() as u64, 0, 0]);
    let orphan = format!(r#"{AT} {{"lastUpdateId":3,"bids":[],"asks":[]}}"#);
    assert_eq!(decode(&[&orphan]).1, [0, 0, 1, 0, 0], "a snapshot of nobody knows which book");
    let other = format!(r#"{AT} {{"e":"trade","E":1,"T":1700000000500,"s":"XRPUSDT","t":5,"p":"1","q":"3","m":true}}"#);
    let (_, _, refused) = decode_as(&[&other], false, 0);
    assert!(refused.unwrap().to_string().contains("0.txt at line 1: holds symbol XRPUSDT of venue BINF"));
    let (events, faults, refused) = decode_as(&[&other], true, 0);
    assert!(events.is_empty() && refused.is_none() && faults == [0; FaultKind::COUNT]);
}

#[test]
fn after_a_gap_the_next_snapshot_heals_the_book() {
    let mut market = Market { update: 9, lines: opened(false), ..Market::default() };
    market.sides = [BTreeMap::from([(100, 5)]), BTreeMap::from([(200, 7)])];
    market.update = 10;
    market.change(&[(true, 99, 1)], 1);
    market.lines.pop();
    market.change(&[(true, 98, 1)], 1);
    let snapshot = market.snapshot();
    let (ts, _) = market.stamp();
    market.lines.push(format!("{ts} {snapshot}"));
    market.change(&[(false, 200, 0)], 1);
    let (events, faults) = decode(&[&market.lines.join("\n")]);
    assert_eq!(faults, [1, 0, 0, 0, 0]);
    assert_eq!(books_at(&events, CENT).last(), Some(&market.book()));
    assert!(events.iter().any(|e| e.has(EventFlags::SNAPSHOT) && e.kind == EventKind::Clear as u8 && e.sequence == 12));
}

#[test]
fn a_change_that_begins_where_the_snapshot_ends_joins_it() {
    let trade = r#"{"e":"trade","E":1,"T":1700000000500,"s":"BTCUSDT","t":5,"p":"1","q":"3","m":true}"#;
    let snapshot = r#"{"lastUpdateId":10,"T":1700000000500,"bids":[["1.00","5"]],"asks":[]}"#;
    let change = |pu: u64| {
        format!(r#"{{"e":"depthUpdate","E":1,"T":1700000000500,"s":"BTCUSDT","U":{},"u":{},"pu":{pu},"b":[],"a":[["2.00","7"]]}}"#, pu + 3, pu + 4)
    };
    let text = [trade, snapshot, &change(10), &change(14)].map(|m| format!("{AT} {m}")).join("\n");
    let (events, faults) = decode(&[&text]);
    assert_eq!((events.len(), faults), (5, [0; FaultKind::COUNT]), "perpetual updates skip numbers: only pu tells");
    let text = [trade, snapshot, &change(11)].map(|m| format!("{AT} {m}")).join("\n");
    assert_eq!(decode(&[&text]).1, [1, 0, 0, 0, 0]);
}
