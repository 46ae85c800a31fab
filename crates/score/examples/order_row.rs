// SPDX-License-Identifier: Apache-2.0
//! Nanoseconds to make the row of an order, and to take it into the habits.
use pretrade_score::{Arrival, OrderFeatures};
use std::time::Instant;

fn main() {
    let mut features = OrderFeatures::new(100, 4, 9);
    let arrivals: Vec<Arrival> = (0..65_536i64)
        .map(|i| Arrival {
            instrument: (i * 7919 % 100) as u32,
            trader: (i * 104_729 % 4) as u32,
            strategy: 1 + (i * 31 % 8) as u32,
            side: 1 + (i & 1) as u8,
            is_position_known: 1,
            quantity: 1 + i * 37 % 50,
            price: 4_800_000_000_000 + (i % 100) * 250_000_000,
            tick_size: 250_000_000,
            bid: 4_800_000_000_000,
            ask: 4_800_250_000_000,
            nbbo_bid: pretrade_score::arrival::UNDEFINED,
            nbbo_ask: pretrade_score::arrival::UNDEFINED,
            depth: 10_000,
            volume_1m: 50_000,
            adv: 1_000_000,
            mono: i * 1_000_000,
            utc: i * 1_000_000,
            notional: 1e9 + i as f64,
            rv_1m: 0.05,
            anomaly: 0.01,
            ..Default::default()
        })
        .collect();
    let (mut rows, mut accepts) = (Vec::new(), Vec::new());
    for a in &arrivals {
        let begun = Instant::now();
        std::hint::black_box(features.row(std::hint::black_box(a)));
        let made = Instant::now();
        features.accept(std::hint::black_box(a));
        accepts.push(made.elapsed().as_nanos());
        rows.push((made - begun).as_nanos());
    }
    rows.sort_unstable();
    accepts.sort_unstable();
    println!("row p50 {} ns, accept p50 {} ns, clock included", rows[rows.len() / 2], accepts[accepts.len() / 2]);
}
