// SPDX-License-Identifier: Apache-2.0
//! Control 34 in the path: off without a model, fails closed with one, alerts only on reductions, habits survive a restart.
mod world;
use pretrade_gate::{GateOptions, VenueKind};
use pretrade_records::{OrderType, QuotesRecord, ReasonCode, Side, Verdict};
use std::path::{Path, PathBuf};
use world::*;

const HOLD: f32 = 0.045;
const REJECT: f32 = 0.087;
/// About 400 and 20 times the volatility of a minute.
const FAR: i64 = 4_000 * TICK;
const MIDDLE: i64 = 200 * TICK;

fn starter() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../src/pretrade/models/shipped/order-error-starter")
}

/// A gate with the starter model, and a trader who has bought ten lots thirty times, a few seconds apart.
fn accustomed(hold: f32, reject: f32, options: GateOptions) -> World {
    let mut block = open_static();
    (block.order_error_hold, block.order_error_reject) = (hold, reject);
    let mut world = World::with(block, options, true);
    world.files.order_error = Some(starter());
    world.restart();
    world.quotes(QuotesRecord { rv_1m: 0.05, ..calm_quotes() });
    for i in 0..30 {
        world.advance(5 * S);
        assert_accepted(&world.new_order(Side::BUY, 9 + i % 3, BID - 4 * TICK));
    }
    world.advance(5 * S);
    world
}

fn strict() -> World {
    accustomed(HOLD, REJECT, flat())
}

#[test]
fn without_a_model_the_control_is_off_whatever_the_levels_say() {
    let mut block = open_static();
    (block.order_error_hold, block.order_error_reject) = (0.0, 0.0);
    let mut world = World::with(block, flat(), false);
    assert_accepted(&world.new_order(Side::BUY, 1_000_000, BID + FAR));
    assert_eq!(world.gate().order_error_row(), None);
}

#[test]
fn an_order_far_through_the_market_is_rejected_with_score_and_level() {
    let mut world = strict();
    let no = world.new_order(Side::BUY, 10, BID + FAR);
    assert_rejected(&no, ReasonCode::OrderErrorScore);
    assert_eq!((no.control, no.limit), (34, (f64::from(REJECT) * 1e9) as i64));
    assert!(no.measured >= no.limit);
    assert_accepted(&world.new_order(Side::BUY, 10, BID - 4 * TICK));
}

#[test]
fn between_the_levels_an_order_waits_and_tightening_either_alone_is_enough() {
    let judged = |hold: f32, reject: f32| {
        let mut world = accustomed(hold, reject, flat());
        world.new_order(Side::BUY, 10, BID + MIDDLE)
    };
    let score = judged(HOLD, f32::MAX).measured as f32 / 1e9;
    assert!(score > HOLD && score < 0.8, "{score}");
    let verdict = |hold: f32, reject: f32| judged(hold, reject).verdict;
    let (below, above) = (score * 0.99, score * 1.01);
    assert_eq!(verdict(above, above), Verdict::Accept as u8);
    assert_eq!(verdict(below, above), Verdict::Hold as u8);
    assert_eq!(verdict(above, below), Verdict::Reject as u8);
    assert_eq!(verdict(below, f32::MAX), Verdict::Hold as u8);
    assert_eq!(verdict(f32::MAX, f32::MAX), Verdict::Accept as u8);
}

#[test]
fn what_cannot_be_scored_waits_and_is_counted() {
    let mut world = strict();
    world.gate().plant_blindness();
    let held = world.new_order(Side::BUY, 10, BID - 4 * TICK);
    assert_eq!((held.verdict, held.control, reason(&held)), (Verdict::Hold as u8, 34, ReasonCode::InputMissing));
    assert_eq!(world.gate().counters().unscored, 1);
    assert_accepted(&world.new_order(Side::BUY, 10, BID - 4 * TICK));
}

#[test]
fn a_verified_reduction_only_alerts() {
    let mut world = strict();
    world.hold(-50);
    for id in 1..=30 {
        assert!(world.venue(VenueKind::Cancelled, id, 0, 0));
    }
    assert_accepted(&world.new_order(Side::BUY, 50, BID + FAR));
    world.gate().plant_blindness();
    world.hold(-60);
    assert_accepted(&world.new_order(Side::BUY, 1, BID + FAR));
    assert_eq!(world.gate().counters().alerted, 2);
}

#[test]
fn a_shrinking_replace_is_not_scored() {
    let mut world = strict();
    let order = world.order(Side::BUY, 10, BID - 4 * TICK);
    assert_accepted(&world.decide(&order));
    world.gate().plant_blindness();
    assert_accepted(&world.replace(order.client_order_id, Side::BUY, 9, BID - 5 * TICK));
    let again = world.new_order(Side::BUY, 10, BID - 4 * TICK);
    assert_eq!(again.verdict, Verdict::Hold as u8, "the planted blindness was still there");
}

#[test]
fn a_larger_replace_is_judged_by_its_new_leaves() {
    let mut world = strict();
    let order = world.order(Side::BUY, 10, BID - 4 * TICK);
    assert_accepted(&world.decide(&order));
    assert!(world.venue(VenueKind::Filled, order.client_order_id, 0, 4));
    world.replace(order.client_order_id, Side::BUY, 104, BID - 4 * TICK);
    let row = world.gate().order_error_row().unwrap();
    assert!((row[0] - 1.0).abs() < 0.05, "100 lots are ten times ten lots, got {}", row[0]);
}

#[test]
fn a_hard_control_comes_first_and_a_reject_beats_a_hold() {
    let mut block = open_static();
    (block.order_error_hold, block.order_error_reject, block.max_order_quantity) = (HOLD, REJECT, 100);
    let mut world = World::with(block, GateOptions { hold_controls: 1 << 12, ..flat() }, false);
    world.files.order_error = Some(starter());
    world.restart();
    world.quotes(QuotesRecord { rv_1m: 0.05, ..calm_quotes() });
    let both = world.new_order(Side::BUY, 101, BID + FAR);
    assert_rejected(&both, ReasonCode::OrderErrorScore);
    let one = world.new_order(Side::BUY, 101, BID - 4 * TICK);
    assert_eq!((one.verdict, reason(&one)), (Verdict::Hold as u8, ReasonCode::OrderExceedsLimit));
    let hard = world.order(Side::BUY, 0, BID + FAR);
    assert_rejected(&world.decide(&hard), ReasonCode::IncorrectQuantity);
}

#[test]
fn refused_and_held_orders_are_no_habit() {
    let mut world = strict();
    world.new_order(Side::BUY, 10, BID - 4 * TICK);
    let before = world.gate().order_error_row().unwrap();
    for _ in 0..20 {
        let no = world.new_order(Side::BUY, 5_000, BID + FAR);
        assert_ne!(no.verdict, Verdict::Accept as u8);
    }
    world.new_order(Side::BUY, 10, BID - 4 * TICK);
    let after = world.gate().order_error_row().unwrap();
    assert_eq!(before[0], after[0]);
}

#[test]
fn habits_are_the_same_after_a_restart() {
    let rows = [false, true].map(|is_restarted| {
        let mut world = strict();
        let market = pretrade_records::Order { order_type: OrderType::Market as u8, ..world.order(Side::SELL, 7, 0) };
        world.decide(&market);
        if is_restarted {
            world.restart();
            // A stage needs its advances before it is left; the market is the same.
            for _ in 0..12 {
                world.beat();
                let now = world.now;
                world.gate().poll(now, now).unwrap();
            }
        }
        world.new_order(Side::SELL, 12, ASK + 3 * TICK);
        world.gate().order_error_row().unwrap().map(f32::to_bits)
    });
    assert_eq!(rows[0], rows[1]);
}

#[test]
fn a_gate_does_not_start_with_a_changed_model() {
    let mut world = World::new();
    let folder = world.files.limits.parent().unwrap().join("model");
    std::fs::create_dir(&folder).unwrap();
    for file in ["model.txt", "check.csv", "manifest.json", "card.json"] {
        std::fs::copy(starter().join(file), folder.join(file)).unwrap();
    }
    let text = std::fs::read_to_string(folder.join("model.txt")).unwrap();
    std::fs::write(folder.join("model.txt"), text.replacen("leaf_value=0", "leaf_value=1", 1).replacen("leaf_value=-", "leaf_value=", 1)).unwrap();
    world.files.order_error = Some(folder);
    drop(world.gate.take());
    let error = pretrade_gate::Gate::open(world.files.clone(), flat()).unwrap_err().to_string();
    assert!(error.contains("model.txt was changed after it was saved"), "{error}");
}
