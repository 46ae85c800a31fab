// SPDX-License-Identifier: Apache-2.0
//! Events a second through book and features, from a file of 64-byte records: `throughput FILE [rounds]`.
use pretrade_book::{Book, FeatureEngine, InstrumentSpec, SnapshotSpec};
use pretrade_records::Event;

/// Seconds this process has run on a processor; a busy machine does not count.
fn cpu_s() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").expect("the kernel keeps scheduler statistics");
    text.split(' ').next().and_then(|n| n.parse::<f64>().ok()).expect("schedstat begins with nanoseconds") / 1e9
}

fn main() {
    let mut args = std::env::args().skip(1);
    let bytes = std::fs::read(args.next().expect("a file of events")).expect("the file can be read");
    let rounds: u32 = args.next().map_or(3, |n| n.parse().expect("rounds is a number"));
    let events: Vec<Event> = bytes.chunks_exact(64).map(bytemuck::pod_read_unaligned).collect();
    let id = events[0].instrument_id;
    for with_quotes in [false, true] {
        let (mut book_s, mut features_s, mut rows) = (f64::MAX, f64::MAX, 0);
        for _ in 0..rounds {
            let begun = cpu_s();
            let mut book = Book::default();
            for e in &events {
                std::hint::black_box(book.apply(e));
            }
            book_s = book_s.min(cpu_s() - begun);
            let spec = InstrumentSpec { instrument_id: id, tick_size: 250_000_000, adv: 0, phases: vec![(i64::MIN, i64::MAX, 3)] };
            let snapshot = SnapshotSpec { interval_ns: 100_000_000, depth_levels: 10, stale_after_ns: 5_000_000_000, depth_window_ticks: 10 };
            let begun = cpu_s();
            let mut engine = FeatureEngine::new(vec![spec], snapshot, with_quotes);
            rows = 0;
            for chunk in events.chunks(65_536) {
                chunk.iter().for_each(|e| engine.push(e));
                rows += engine.rows.len();
                engine.rows.clear();
                engine.quote_rows.clear();
            }
            features_s = features_s.min(cpu_s() - begun);
        }
        let n = events.len() as f64;
        println!(
            "{n} events, {rows} rows, quotes {with_quotes}: book {:.1} M/s, features {:.2} M/s, {:.0} ns a row",
            n / book_s / 1e6,
            n / features_s / 1e6,
            features_s / f64::from(u32::try_from(rows.max(1)).unwrap_or(u32::MAX)) * 1e9
        );
    }
}
