// SPDX-License-Identifier: Apache-2.0
use super::*;

fn run(seed: u64, p: Parameters, seconds: i64) -> Market {
    let mut m = Market::new(p, seed, 0);
    for s in 1..=seconds {
        m.run_until(s * SECOND);
        let (bid, ask) = (m.engine.best_bid(), m.engine.best_ask());
        assert!(bid.zip(ask).is_none_or(|(b, a)| b < a), "crossed at {s} s: {bid:?} {ask:?}");
    }
    m
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_does_not() {
    let a = run(5, Parameters::default(), 60);
    let b = run(5, Parameters::default(), 60);
    assert_eq!(a.recorder.events, b.recorder.events);
    assert_eq!(a.recorder.hash(), b.recorder.hash());
    assert_ne!(a.recorder.hash(), run(6, Parameters::default(), 60).recorder.hash());
}

#[test]
fn before_the_seller_starts_nothing_knows_of_it() {
    let with = Parameters { seller_start: 60 * SECOND, ..Parameters::default() };
    let (a, b) = (run(5, with, 59), run(5, Parameters::default(), 59));
    assert_eq!(a.recorder.hash(), b.recorder.hash());
}

#[test]
fn contracts_and_cash_sum_to_zero_and_no_order_is_overdrawn() {
    let m = run(9, Parameters { seller_start: 30 * SECOND, ..Parameters::default() }, 80);
    let mut live = std::collections::HashMap::new();
    let (mut contracts, mut cash, mut traded) = (0i64, 0i128, 0i64);
    for e in &m.recorder.events {
        match e.kind {
            1 => *live.entry(e.order_id).or_insert(0) += e.size,
            3 | 4 => {
                let left = live.get_mut(&e.order_id).expect("an order that was added");
                *left -= e.size;
                assert!(*left >= 0, "order {} overdrawn", e.order_id);
            }
            7 => {}
            k => panic!("kind {k} is never published"),
        }
        if e.kind == 4 || e.kind == 7 {
            let signed = if e.side == Side::Bid as u8 { e.size } else { -e.size };
            contracts += signed;
            cash -= i128::from(signed) * i128::from(e.price);
            traded += e.size;
        }
        if e.has(pretrade_records::EventFlags::LAST) {
            assert_eq!((contracts, cash), (0, 0), "after event {}", e.sequence);
        }
    }
    assert!(traded > 1_000);
}

#[test]
fn every_event_ends_uncrossed_and_the_published_book_is_the_engines() {
    let m = run(4, Parameters { seller_start: 20 * SECOND, ..Parameters::default() }, 70);
    let mut levels = [std::collections::BTreeMap::<i64, i64>::new(), std::collections::BTreeMap::new()];
    for e in &m.recorder.events {
        let change = match e.kind {
            1 => e.size,
            3 | 4 => -e.size,
            _ => 0,
        };
        if change != 0 {
            let book = &mut levels[usize::from(e.side == Side::Ask as u8)];
            let size = book.entry(e.price).or_insert(0);
            *size += change;
            if *size == 0 {
                book.remove(&e.price);
            }
        }
        if e.has(pretrade_records::EventFlags::LAST) {
            let (bid, ask) = (levels[0].keys().next_back(), levels[1].keys().next());
            assert!(bid.zip(ask).is_none_or(|(b, a)| b < a), "crossed after event {}: {bid:?} {ask:?}", e.sequence);
        }
    }
    let depth = |side: usize| levels[side].values().sum::<i64>();
    assert_eq!([depth(0), depth(1)], [m.engine.depth(Side::Bid, 100_000), m.engine.depth(Side::Ask, 100_000)]);
}

#[test]
fn an_agent_that_never_acts_shifts_nobody_elses_draws() {
    let quiet = |momentum: u32| Parameters { momentum, momentum_threshold: 1e9, ..Parameters::default() };
    assert_eq!(run(5, quiet(20), 60).recorder.hash(), run(5, quiet(27), 60).recorder.hash());
}

#[test]
fn outside_orders_trade_rest_are_told_of_their_fills_and_leave() {
    let mut m = run(3, Parameters::default(), 10);
    let (bid, ask) = (m.engine.best_bid().unwrap(), m.engine.best_ask().unwrap());
    let (prints, rest) = m.enter(Side::Bid, ask, 3, false);
    assert_eq!((prints, rest), (vec![(ask, 3)], None));
    let (prints, rest) = m.enter(Side::Ask, bid + 1, 5, true);
    let handle = rest.expect("it rests");
    assert!(prints.is_empty());
    m.run_until(15 * SECOND);
    let filled: i64 = m.outside_fills().iter().filter(|f| f.order_id == handle.order_id).map(|f| f.size).sum();
    assert_eq!(filled + m.cancel(handle), 5);
    assert_eq!(m.cancel(handle), 0);
}

/// Fall of the mid within a minute of the seller's start, in per cent.
fn fall_pct(seed: u64, p: Parameters) -> f64 {
    let mut m = Market::new(Parameters { seller_start: 300 * SECOND, ..p }, seed, 0);
    m.run_until(300 * SECOND);
    let before = m.mid;
    m.run_until(360 * SECOND);
    100.0 * (1.0 - m.mid / before)
}

#[test]
fn the_seller_breaks_the_market_and_larger_caps_or_half_the_rate_hold_it() {
    let with = |scale: f64, rate: f64| Parameters { maker_cap_scale: scale, seller_rate: rate, ..Parameters::default() };
    let median = |p: Parameters| {
        let mut falls: Vec<f64> = (40..45).map(|seed| fall_pct(seed, p.clone())).collect();
        falls.sort_by(f64::total_cmp);
        falls[2]
    };
    let (full, caps3, caps10) = (median(with(1.0, 1.0)), median(with(3.0, 1.0)), median(with(10.0, 1.0)));
    assert!(full > 2.0 && caps3 < 0.9 * full && caps10 < 0.9 * caps3, "{full} {caps3} {caps10}");
    let (half, off) = (median(with(1.0, 0.5)), median(with(1.0, 0.0)));
    assert!(half < 0.9 * full && off < 0.2, "{full} {half} {off}");
}

#[test]
fn numbers_change_while_the_market_runs_and_what_agents_were_made_of_does_not() {
    let mut m = run(5, Parameters::default(), 30);
    let near = |m: &Market| m.engine.depth(Side::Bid, 10);
    let before = near(&m);
    m.change(Parameters { depth_scale: 0.05, ..Parameters::default() }).unwrap();
    m.run_until(60 * SECOND);
    let thin = near(&m);
    assert!(4 * thin < before, "{before} lots on ten levels became {thin}");
    m.change(Parameters::default()).unwrap();
    m.run_until(120 * SECOND);
    assert!(2 * near(&m) > before, "{before} lots came back as {}", near(&m));
    assert_eq!(m.change(Parameters { makers: 3, ..Parameters::default() }), Err("makers"));
}

#[test]
fn the_price_follows_a_jump_and_a_drift_of_the_value() {
    let mid_after = |drift: f64, jump: f64| {
        let mut m = run(6, Parameters { value_drift: drift, ..Parameters::default() }, 10);
        m.shift_value(jump);
        m.run_until(400 * SECOND);
        m.mid
    };
    let still = mid_after(0.0, 0.0);
    assert!(mid_after(0.0, -40.0) < still - 15.0 && mid_after(0.0, 40.0) > still + 15.0);
    assert!(mid_after(-0.1, 0.0) < still - 15.0);
}

#[test]
fn the_price_comes_back_after_a_crash_and_the_way_down_does_not_know() {
    let crash = Parameters { seller_start: 60 * SECOND, seller_ends_s: 62.0, ..Parameters::default() };
    let (back, stays) = (crash.clone(), Parameters { return_rate: 0.0, ..crash });
    let (mut with, mut without) = (Market::new(back, 11, 0), Market::new(stays, 11, 0));
    with.run_until(60 * SECOND);
    let before = with.mid;
    with.run_until(110 * SECOND);
    without.run_until(110 * SECOND);
    assert_eq!(with.recorder.hash(), without.recorder.hash());
    with.run_until(122 * SECOND);
    let low = with.mid;
    assert!(low < before * 0.985, "no crash: {before} to {low}");
    with.run_until(360 * SECOND);
    without.run_until(360 * SECOND);
    let retraced = |mid: f64| (mid - low) / (before - low);
    assert!(retraced(with.mid) > 0.5, "only {} of the fall is undone", retraced(with.mid));
    assert!(retraced(without.mid) < 0.25, "nobody buys, yet {} of the fall is undone", retraced(without.mid));
}
