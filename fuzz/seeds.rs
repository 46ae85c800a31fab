// SPDX-License-Identifier: Apache-2.0
//! Writes the seed corpora: small recordings made by the writers of the decoders' tests, never real data.
//!   cargo run --bin seeds
#[path = "../crates/feeds/tests/recordings/mod.rs"]
mod recordings;
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
    write("table", "quotes", quotes(&rows, 2).as_bytes())?;
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/maps"))? {
        let path = entry?.path();
        write("map", &path.file_stem().unwrap_or_default().to_string_lossy(), &fs::read(&path)?)?;
    }
    Ok(())
}

/// Lines of captures, by the place of their format.
const CAPTURES: [(u8, &str); 2] = [
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
