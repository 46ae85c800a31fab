// SPDX-License-Identifier: Apache-2.0
//! Ten thousand orders through a real gate over real tables, and the features it scored against a recount from the raw events by
//! a Python program that imports nothing of ours.
mod world;
use pretrade_gate::VenueMessage;
use pretrade_records::{Action, LimitsRecord, Order, OrderType, QuotesRecord, Side, TimeInForce, Verdict};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use world::*;

const ORDERS: usize = 10_000;
const INSTRUMENTS: u64 = 3;
const ACCOUNTS: u64 = 2;

/// SplitMix64: every run makes the same events.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n) as i64
    }
}

fn quote(random: &mut Random, instrument: u32) -> QuotesRecord {
    let bid = BID + random.below(200) * TICK;
    let ask = bid + (1 + random.below(4)) * TICK;
    let has_nbbo = random.below(2) == 0;
    let base = calm_quotes();
    QuotesRecord {
        instrument_id: instrument,
        bid_price: bid,
        ask_price: ask,
        nbbo_bid: if has_nbbo { bid + TICK } else { base.nbbo_bid },
        nbbo_ask: if has_nbbo { ask } else { base.nbbo_ask },
        depth_bid: random.below(500),
        depth_ask: random.below(500),
        volume_1m: random.below(5_000),
        adv: random.below(2) * 100_000,
        rv_1m: [f32::NAN, 0.0, 0.05, 1.5][random.below(4) as usize],
        ..base
    }
}

fn quote_line(q: &QuotesRecord, instrument: u32) -> String {
    let rv = if q.rv_1m.is_nan() { "NaN".to_owned() } else { f64::from(q.rv_1m).to_string() };
    format!(
        r#"{{"kind":"quote","instrument":{instrument},"bid":{},"ask":{},"nbbo_bid":{},"nbbo_ask":{},"depth_bid":{},"depth_ask":{},"volume_1m":{},"adv":{},"rv_1m":{rv}}}"#,
        q.bid_price, q.ask_price, q.nbbo_bid, q.nbbo_ask, q.depth_bid, q.depth_ask, q.volume_1m, q.adv
    )
}

#[test]
fn ten_thousand_live_orders_equal_a_recount_from_raw_events() {
    let mut block = open_static();
    (block.order_error_hold, block.order_error_reject) = (0.2, 0.6);
    let mut rows: Vec<_> = (1..=INSTRUMENTS as u32).map(|id| pretrade_shm::ControlsRecord { id, ..instrument_row(block) }).collect();
    rows.extend([level_row(pretrade_shm::Level::Account, 1), level_row(pretrade_shm::Level::Account, 2)]);
    rows.extend([level_row(pretrade_shm::Level::Strategy, 1), level_row(pretrade_shm::Level::Strategy, 2), level_row(pretrade_shm::Level::Firm, 0)]);
    let mut world = World::over(&rows);
    world.files.order_error = Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../src/pretrade/models/shipped/order-error-starter"));
    world.restart();
    let (mut random, mut events, mut ours) = (Random(7), String::new(), Vec::new());
    let (mut version, mut last) = (10, [QuotesRecord::default(); INSTRUMENTS as usize + 1]);
    for id in 1..=INSTRUMENTS as u32 {
        let _ = writeln!(events, r#"{{"kind":"instrument","id":{id},"tick_size":{TICK},"lot_size":1,"value":125000}}"#);
        for account in 1..=ACCOUNTS {
            let _ = writeln!(events, r#"{{"kind":"position","account":{account},"instrument":{id},"value":0}}"#);
        }
    }
    let mut number = 0;
    while ours.len() < ORDERS {
        number += 1;
        world.now += random.below(400) * 1_000_000 + if number % 997 == 0 { 4_000 * S } else { 0 };
        if number % 3 == 1 || number % 997 == 0 {
            world.beat();
        }
        let id = 1 + random.below(INSTRUMENTS) as u32;
        for of in if number == 1 { 1..=INSTRUMENTS as u32 } else { id..=id } {
            if number == 1 || random.below(10) < 3 {
                last[of as usize] = quote(&mut random, of);
                world.tables.quotes.publish(world.tables.quotes.slot(of, 0).unwrap(), &last[of as usize]).unwrap();
                version += 1;
                let score = random.below(1_000) as f32 / 1_000.0;
                let record = LimitsRecord { instrument_id: of, score, ..record_of(&block, version) };
                world.tables.limits.publish(world.tables.limits.slot(of, 0).unwrap(), &record).unwrap();
                let _ = writeln!(events, "{}", quote_line(&last[of as usize], of));
                let _ = writeln!(events, r#"{{"kind":"score","instrument":{of},"value":{}}}"#, f64::from(score));
            }
        }
        let account = 1 + random.below(ACCOUNTS) as u32;
        if random.below(10) < 2 {
            let position = random.below(11) - 5;
            let message = VenueMessage { kind: 8, instrument_id: id, account_id: account, quantity: position, ..Default::default() };
            let now = world.now;
            assert!(world.gate().on_venue(&message, now, now));
            let _ = writeln!(events, r#"{{"kind":"position","account":{account},"instrument":{id},"value":{position}}}"#);
        }
        let order = Order {
            strategy_id: 1 + random.below(2) as u32,
            account_id: account,
            instrument_id: id,
            order_type: if random.below(10) == 0 { OrderType::Market } else { OrderType::Limit } as u8,
            time_in_force: TimeInForce::ImmediateOrCancel as u8,
            action: Action::New as u8,
            ..world.order(
                if random.below(2) == 0 { Side::BUY } else { Side::SELL },
                10i64.pow(random.below(4) as u32) + random.below(9),
                BID + (random.below(400) - 100) * TICK,
            )
        };
        let age = world.now - world.tables.quotes.channel(0).0;
        let decision = world.decide(&order);
        // What another control refused was never scored.
        if decision.verdict == Verdict::Reject as u8 && decision.control != 34 {
            continue;
        }
        let is_accepted = decision.verdict == Verdict::Accept as u8;
        ours.push((world.gate().order_error_row().unwrap(), is_accepted));
        let _ = writeln!(
            events,
            r#"{{"kind":"order","instrument":{id},"account":{account},"strategy":{},"side":{},"market":{},"price":{},"quantity":{},"quote_age":{age},"mono":{},"utc":{},"accepted":{is_accepted}}}"#,
            order.strategy_id,
            order.side,
            order.order_type == OrderType::Market as u8,
            order.price,
            order.quantity,
            world.now,
            world.now
        );
        let gone = VenueMessage { kind: 3, client_order_id: order.client_order_id, ..Default::default() };
        let now = world.now;
        world.gate().on_venue(&gone, now, now);
    }
    assert!(ours.iter().filter(|(_, is_accepted)| !is_accepted).count() > 100, "some orders must be refused");
    compare(&ours, &events);
}

/// Runs the recount and compares every value by its bits.
fn compare(ours: &[([f32; 24], bool)], events: &str) {
    let file = std::env::temp_dir().join(format!("pretrade-recount-{}.jsonl", std::process::id()));
    std::fs::write(&file, events).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/recount/order_error.py");
    let done = Command::new("python3").arg("-I").arg(script).arg(&file).output().expect("python3 runs");
    std::fs::remove_file(&file).unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = String::from_utf8(done.stdout).unwrap();
    assert_eq!(text.lines().count(), ours.len());
    for (number, (line, (row, _))) in text.lines().zip(ours).enumerate() {
        for ((name, told), value) in pretrade_score::order_features::NAMES.iter().zip(line.split(',')).zip(row) {
            let told: f32 = told.parse().unwrap();
            assert!(
                told.to_bits() == value.to_bits() || (told.is_nan() && value.is_nan()) || told == *value,
                "order {number}, {name}: {told} recounted, {value} live"
            );
        }
    }
}
