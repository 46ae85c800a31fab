// SPDX-License-Identifier: Apache-2.0
//! Writes the seed corpora: small recordings made by the writers of the decoders' tests, never real data.
//!   cargo run --bin seeds
#[path = "../crates/feeds/tests/recordings/mod.rs"]
mod recordings;
use pretrade_journal::{JournalOptions, JournalWriter};
use pretrade_records::Event;
use recordings::{Book, Mbo, dbn, lobster, packed, quotes};
use std::fs;
use std::path::Path;

fn main() -> std::io::Result<()> {
    let rows: Vec<Book> = (0..20).map(|i| [vec![(100 + i % 7, 5), (90, 1 + i)], vec![(200, 9)]]).collect();
    let record = |i: u32| Mbo {
        ts_event: 10,
        ts_recv: 11,
        order_id: u64::from(i),
        price: 5,
        size: 1,
        flags: [0, 128, 32, 4][i as usize % 4],
        action: b"AMCTFRN"[i as usize % 7],
        side: b"ABN"[i as usize % 3],
        sequence: i,
    };
    let records: Vec<Mbo> = (0..40).map(record).collect();
    let (messages, books) = lobster(&rows, 2);
    for how in 0..4 {
        for version in 1..=3 {
            for schema in 0..=18 {
                write("dbn", &format!("{schema}-v{version}-{how}"), &packed(&of_schema(version, schema, &records), how))?;
            }
        }
        write("lobster", &how.to_string(), &[messages.as_bytes(), b"\0", books.as_bytes()].concat())?;
        for pick in 0..4 {
            let text = ["1,GC,7,99,1,101,1,98,2,102,2\n", "1,2,3.5,4,B\n", "1;A;7;1;100;5\n", "5,1,3,1,2,10\n"][pick].repeat(5);
            write("table", &format!("{pick}-{how}"), &[&[pick as u8][..], &packed(text.as_bytes(), how)].concat())?;
        }
    }
    for (pick, lines) in CAPTURES {
        write("capture", &format!("{pick}-{}", lines.len()), &[&[pick], lines.as_bytes()].concat())?;
    }
    write("journal", "events", &journal()?)?;
    write("trees", "stump", STUMP.as_bytes())?;
    write("fix", "talk", TALK.as_bytes())?;
    write("table", "quotes", quotes(&rows, 2).as_bytes())?;
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/maps"))? {
        let path = entry?.path();
        write("map", &path.file_stem().unwrap_or_default().to_string_lossy(), &fs::read(&path)?)?;
    }
    Ok(())
}

/// A market journal of three frames, two of them committed.
fn journal() -> std::io::Result<Vec<u8>> {
    let path = std::env::temp_dir().join(format!("pretrade-seed-{}.journal", std::process::id()));
    let mut writer = JournalWriter::open(&path, JournalOptions::default()).map_err(std::io::Error::other)?;
    for n in 0..3 {
        let events: Vec<Event> = (0..4).map(|i| Event { ts_recv: 10 * n + i, size: i, sequence: i as u64, ..Event::default() }).collect();
        writer.append(&events).map_err(std::io::Error::other)?;
        if n == 1 {
            writer.commit().map_err(std::io::Error::other)?;
        }
    }
    drop(writer);
    let bytes = fs::read(&path)?;
    fs::remove_file(&path)?;
    Ok(bytes)
}

/// A model of one split.
const STUMP: &str = "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=0\nobjective=binary sigmoid:1\n\
    feature_names=a\ntree_sizes=1\n\nTree=0\nnum_leaves=2\nnum_cat=0\nsplit_feature=0\nthreshold=0.5\ndecision_type=8\n\
    left_child=-1\nright_child=-2\nleaf_value=-1.25 0.5\n\nend of trees\n";

/// Lines of captures, by the place of their format.
const CAPTURES: [(u8, &str); 8] = [
    (
        0,
        concat!(
            r#"1700000000000000000 {"stream":"btcusdt@depth","data":{"e":"depthUpdate","E":1700000000000,"T":1700000000000,"s":"BTCUSDT","U":1,"u":2,"pu":0,"b":[["1.5","2"]],"a":[["2.5","0"]]}}"#,
            "
",
            r#"1700000000001000000 {"lastUpdateId":2,"E":1,"T":1700000000000,"bids":[["1.5","2"]],"asks":[["2.5","3"]]}"#,
            "
",
            r#"1700000000002000000 {"stream":"btcusdt@depth","data":{"e":"depthUpdate","E":1700000000000,"T":1700000000000,"s":"BTCUSDT","U":3,"u":5,"pu":2,"b":[["1.5","0"]],"a":[]}}"#,
            "
",
        ),
    ),
    (
        0,
        concat!(
            r#"1700000000000 {"stream":"btcusdt@trade","data":{"e":"trade","E":1,"T":1700000000000,"s":"BTCUSDT","t":1,"p":"1.5","q":"2","X":"MARKET","m":true}}"#,
            "
",
            r#"1700000000000 {"stream":"btcusdt@bookTicker","data":{"u":1,"s":"BTCUSDT","b":"1","B":"2","a":"3","A":"4"}}"#,
            "
",
            r#"1700000000000 {"stream":"btcusdt@markPrice@1s","data":{"e":"markPriceUpdate","E":1700000000000,"s":"BTCUSDT","p":"1.5","P":"1","i":"1.4","r":"0.0001","T":1}}"#,
            "
",
        ),
    ),
    (
        1,
        concat!(
            r#"1700000000501 order_created {"price":"1.50","amount":"5","datetime":"1700000000","id":3,"order_type":1}"#,
            "\n",
            r#"1700000000502 order_book {"bids":[["1.4","2"]],"asks":[["1.5","5"]]}"#,
            "\n",
            r#"1700000000504 trade {"price":1.5,"amount":1.0,"id":9}"#,
            "\n",
        ),
    ),
    (
        2,
        concat!(
            r#"1700000000.5: {"table":"orderBookL2","action":"partial","data":[{"symbol":"BTCUSDT","id":1,"side":"Buy","size":5,"price":1.5}]}"#,
            "\n",
            r#"1700000000.6: {"table":"orderBookL2","action":"update","data":[{"symbol":"BTCUSDT","id":1,"side":"Buy","size":6}]}"#,
            "\n",
            r#"1700000000.7: {"table":"quote","action":"insert","data":[{"timestamp":"2023-11-14T22:13:21Z","symbol":"BTCUSDT","bidSize":1,"bidPrice":1,"askPrice":2,"askSize":2}]}"#,
            "\n",
        ),
    ),
    (
        2,
        concat!(
            r#"1700000000.5: {"type":"snapshot","product_id":"BTCUSDT","bids":[["1.5","5"]],"asks":[["2","7"]]}"#,
            "\n",
            r#"1700000000.6: {"type":"l2update","product_id":"BTCUSDT","changes":[["buy","1.5","0"]],"time":"2023-11-14T22:13:21Z"}"#,
            "\n",
            r#"1700000000.7: {"type":"match","trade_id":9,"side":"sell","size":"1","price":"2","product_id":"BTCUSDT","time":"2023-11-14T22:13:21Z"}"#,
            "\n",
        ),
    ),
    (
        2,
        concat!(
            r#"1700000000.5: [7,{"as":[["2.0","1.0","1700000000.1"]],"bs":[["1.0","1.0","1700000000.1"]]},"book-10","BTCUSDT"]"#,
            "\n",
            r#"1700000000.6: [7,{"a":[["2.0","1.0","1700000000.1","r"]]},{"b":[["1.0","0","1700000000.1"]],"c":"1"},"book-10","BTCUSDT"]"#,
            "\n",
            r#"1700000000.7: [7,[["1.50","2","1700000000.5","s","m",""]],"trade","BTCUSDT"]"#,
            "\n",
        ),
    ),
    (
        2,
        concat!(
            r#"1700000000.5: {"feed":"book_snapshot","product_id":"BTCUSDT","timestamp":1700000000000,"seq":5,"bids":[{"price":1.5,"qty":5}],"asks":[]}"#,
            "\n",
            r#"1700000000.6: {"feed":"book","product_id":"BTCUSDT","side":"sell","seq":6,"price":2,"qty":7,"timestamp":1700000000000}"#,
            "\n",
        ),
    ),
    (
        3,
        concat!(
            r#"{"topic":"t","type":"snapshot","ts":1700000000000,"data":{"s":"BTCUSDT","b":[["1.5","5"]],"a":[],"u":5,"seq":1},"cts":1700000000000}"#,
            "\n",
            r#"{"topic":"t","type":"delta","ts":1700000000000,"data":{"s":"BTCUSDT","b":[],"a":[["2","1"]],"u":6,"seq":1},"cts":1700000000000}"#,
            "\n",
        ),
    ),
];

/// A file of any schema; all but orders hold records of noise with the right type and length.
fn of_schema(version: u8, schema: u16, records: &[Mbo]) -> Vec<u8> {
    const RTYPES: [(u8, usize); 19] = [
        (0xA0, 56),
        (0x01, 80),
        (0x0A, 368),
        (0x01, 80),
        (0x00, 48),
        (0x20, 56),
        (0x21, 56),
        (0x22, 56),
        (0x23, 56),
        (0x13, 520),
        (0x18, 80),
        (0x12, 40),
        (0x14, 112),
        (0x24, 56),
        (0xB1, 80),
        (0xC0, 80),
        (0xC1, 80),
        (0xC2, 80),
        (0xC3, 80),
    ];
    let mut out = dbn(version, schema, if schema == 0 { records } else { &[] });
    let (rtype, length) = RTYPES[usize::from(schema)];
    for n in 0..3_u8 {
        let mut record = vec![(length / 4) as u8, rtype, 1, 0];
        record.extend(recordings::VENUE_ID.to_le_bytes());
        record.resize(length, n);
        if length > 32 && schema != 11 && schema != 12 {
            record[28..30].copy_from_slice(b"TB");
        }
        out.extend(record);
    }
    out
}

fn write(target: &str, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(format!("seed-{name}")), bytes)
}

/// A short conversation: an order, data with a separator in it, a gap, a fill of it, a resend request, a test, a goodbye.
const TALK: &str = "35=D|34=2|49=E|52=20261124-14:30:00|56=G|11=a|1=ACC1|55=ES|54=1|38=10|40=2|44=4800.25|59=0|60=20261124-14:30:00|8011=x|
35=G|34=3|49=E|52=20261124-14:30:00|56=G|11=b|41=a|354=4|355=x|3y|38=5|
35=D|34=6|49=E|52=20261124-14:30:00|56=G|11=c|453=1|448=p|447=D|452=1|
35=4|34=4|43=Y|122=20261124-14:29:00|49=E|52=20261124-14:30:00|56=G|123=Y|36=6|
35=2|34=7|49=E|52=20261124-14:30:00|56=G|7=1|16=0|
35=1|34=8|49=E|52=20261124-14:30:00|56=G|112=T|
35=5|34=9|49=E|52=20261124-14:30:00|56=G|
";
