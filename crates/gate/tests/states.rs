// SPDX-License-Identifier: Apache-2.0
//! Table 4.2, stages, breaker, replaces, restart: what passes in which state.
#![allow(clippy::type_complexity, reason = "a table of cases is read row by row")]
mod world;
use pretrade_gate::{Gate, GateOptions, VenueKind};
use pretrade_records::limits::flags;
use pretrade_records::{LimitsRecord, Order, ReasonCode, Side, Tier, Verdict};
use world::*;

fn limited(quantity: i64) -> pretrade_shm::ParameterBlock {
    let mut block = open_static();
    block.max_order_quantity = quantity;
    block
}

#[test]
fn s5_reduce_only_lets_exactly_the_position_out_once() {
    let mut world = World::with(limited(500), flat(), false);
    world.hold(500);
    assert_accepted(&world.new_order(Side::BUY, 1, BID));
    // The sidecar dies; the feed handler lives.
    for _ in 0..70 {
        world.now += S;
        world.tables.quotes.heartbeat(0, world.now, world.now).unwrap();
    }
    assert_rejected(&world.new_order(Side::BUY, 1, BID), ReasonCode::LimitsStale);
    assert_rejected(&world.new_order(Side::SELL, 501, ASK), ReasonCode::LimitsStale);
    let passed = world.new_order(Side::SELL, 500, ASK);
    assert_accepted(&passed);
    assert_eq!((passed.stage, passed.passed_as), (2, 1));
    let second = world.order(Side::SELL, 500, ASK);
    assert_rejected(&world.decide(&second), ReasonCode::LimitsStale);
    let id = passed.client_order_id;
    assert_accepted(&world.cancel(id));
}

#[test]
fn a_dead_sidecar_means_the_tighter_of_static_and_last_good_then_reductions_only() {
    let mut world = World::with(limited(500), flat(), false);
    let mut high = world.block;
    high.max_order_quantity = 50;
    world.publish(LimitsRecord { tier: Tier::High as u8, ..record_of(&high, 2) });
    assert_rejected(&world.new_order(Side::BUY, 51, BID), ReasonCode::OrderExceedsLimit);
    for _ in 0..30 {
        world.now += S;
        world.tables.quotes.heartbeat(0, world.now, world.now).unwrap();
        let decision = world.new_order(Side::BUY, 51, BID);
        assert_eq!((reason(&decision), decision.limit), (ReasonCode::OrderExceedsLimit, 50));
    }
    assert_eq!(world.gate().stage(ES), Some(1));
    // Back to life in NORMAL: ten advances, then the ramp, never a jump.
    for _ in 0..10 {
        world.publish_block(limited(500));
        world.advance(S / 10);
        assert_rejected(&world.new_order(Side::BUY, 51, BID), ReasonCode::OrderExceedsLimit);
    }
    assert_eq!(world.gate().stage(ES), Some(0));
    world.advance(S);
    // 500 in 10 s: one second later at most 50 + 50.
    assert_rejected(&world.new_order(Side::BUY, 101, BID), ReasonCode::OrderExceedsLimit);
    assert_accepted(&world.new_order(Side::BUY, 100, BID));
    world.advance(S);
    for _ in 0..8 {
        world.advance(S);
        world.new_order(Side::BUY, 1, BID);
    }
    assert_accepted(&world.new_order(Side::BUY, 500, BID));
}

#[test]
fn without_any_good_record_the_static_limit_is_halved() {
    let mut world = World::with(limited(500), flat(), false);
    world.publish(LimitsRecord { valid_mask: 0, ..record_of(&limited(500), 2) });
    let fresh = Gate::open(world.files.clone(), world.options);
    drop(world.gate.take());
    drop(fresh);
    world.gate = Some(Gate::open(world.files.clone(), world.options).unwrap());
    let decision = world.new_order(Side::BUY, 251, BID);
    assert_eq!((reason(&decision), decision.limit, decision.stage), (ReasonCode::OrderExceedsLimit, 250, 1));
}

#[test]
fn a_record_that_cannot_be_trusted_never_loosens() {
    let spoil: [(&str, fn(&mut LimitsRecord)); 7] = [
        ("old epoch", |r| r.epoch = 0),
        ("old version", |r| r.version = 1),
        ("negative quantity", |r| r.max_order_quantity = -1),
        ("score out of range", |r| r.score = 7.0),
        ("NaN score", |r| r.score = f32::NAN),
        ("parameter absent", |r| r.valid_mask &= !(1 << 6)),
        ("model absent", |r| r.flags |= flags::MODEL_ABSENT),
    ];
    for (name, change) in spoil {
        let mut world = World::with(limited(500), flat(), false);
        world.publish(record_of(&limited(50), 2));
        assert_accepted(&world.new_order(Side::BUY, 50, BID));
        let mut record = record_of(&limited(500), 3);
        change(&mut record);
        world.publish(record);
        let decision = world.new_order(Side::BUY, 51, BID);
        assert_eq!((reason(&decision), decision.limit, decision.stage), (ReasonCode::OrderExceedsLimit, 50, 1), "{name}");
    }
}

#[test]
fn a_record_whose_checksum_is_wrong_never_loosens() {
    use std::os::unix::fs::FileExt;
    let mut world = World::with(limited(500), flat(), false);
    world.publish(record_of(&limited(50), 2));
    assert_accepted(&world.new_order(Side::BUY, 50, BID));
    let file = std::fs::OpenOptions::new().read(true).write(true).open(&world.files.limits).unwrap();
    let record = file.metadata().unwrap().len() - 4096;
    file.write_all_at(&500i64.to_le_bytes(), record + 56).unwrap();
    let mut seq = [0; 4];
    file.read_exact_at(&mut seq, record).unwrap();
    file.write_all_at(&u32::from_le_bytes(seq).wrapping_add(2).to_le_bytes(), record).unwrap();
    let decision = world.new_order(Side::BUY, 51, BID);
    assert_eq!((reason(&decision), decision.limit, decision.stage), (ReasonCode::OrderExceedsLimit, 50, 1));
    // An odd sequence, as a writer killed in mid-write leaves it: bounded retries, then the same fallback.
    file.write_all_at(&u32::from_le_bytes(seq).wrapping_add(3).to_le_bytes(), record).unwrap();
    assert_rejected(&world.new_order(Side::BUY, 51, BID), ReasonCode::OrderExceedsLimit);
    assert!(world.gate().counters().torn > 0);
}

#[test]
fn dynamic_values_are_clamped_between_floor_and_static() {
    let mut block = limited(500);
    block.position_max_long = 1_000;
    let mut world = World::with(block, flat(), false);
    let mut row = instrument_row(block);
    row.floor = block;
    row.floor.max_order_quantity = 20;
    row.floor.valid_mask = 1;
    world.put(row);
    let mut wild = block;
    (wild.max_order_quantity, wild.position_max_long) = (1, 9_000);
    world.publish_block(wild);
    assert_accepted(&world.new_order(Side::BUY, 20, BID));
    let in_force = world.gate().limits_in_force(ES).unwrap();
    assert_eq!((in_force[0], in_force[2]), (20, 1_000), "a model alone neither tightens below the floor nor loosens above static");
}

#[test]
fn a_trip_latches_until_a_resume_names_it() {
    let mut world = World::new();
    let working = world.new_order(Side::BUY, 5, BID);
    assert_accepted(&working);
    world.publish(LimitsRecord { trip_id: 7, flags: flags::TRIPPED, tier: 3, ..record_of(&world.block, 2) });
    let tripped = world.new_order(Side::BUY, 1, BID);
    assert_rejected(&tripped, ReasonCode::BreakerTripped);
    assert_eq!(tripped.trip_id, 7);
    // The record forgets; the gate does not.
    world.publish(record_of(&world.block, 3));
    world.advance(S / 10);
    assert_rejected(&world.new_order(Side::BUY, 1, BID), ReasonCode::BreakerTripped);
    world.hold(100);
    assert_rejected(&world.new_order(Side::SELL, 1, ASK), ReasonCode::BreakerTripped);
    assert_accepted(&world.replace(working.client_order_id, Side::BUY, 4, BID));
    for id in [6, 7] {
        let row = pretrade_shm::ControlsRecord { resumed_sidecar: id, ..instrument_row(world.block) };
        world.put(row);
        let decision = world.new_order(Side::BUY, 1, BID);
        if id == 6 { assert_rejected(&decision, ReasonCode::BreakerTripped) } else { assert_accepted(&decision) }
    }
    // An old trip replayed does not trip again; a newer one does.
    world.publish(LimitsRecord { trip_id: 7, flags: flags::TRIPPED, ..record_of(&world.block, 4) });
    assert_accepted(&world.new_order(Side::BUY, 2, BID));
    world.publish(LimitsRecord { trip_id: 8, flags: flags::TRIPPED, ..record_of(&world.block, 5) });
    assert_rejected(&world.new_order(Side::BUY, 1, BID), ReasonCode::BreakerTripped);
    world.publish(LimitsRecord { trip_id: 7, flags: flags::TRIPPED, ..record_of(&world.block, 6) });
    assert_rejected(&world.new_order(Side::BUY, 1, BID), ReasonCode::BreakerTripped);
}

#[test]
fn kill_stops_everything_but_cancels_and_release_lets_trading_return() {
    let mut world = World::new();
    let working = world.new_order(Side::BUY, 5, BID);
    let number = world.tables.controls.arm_kill().unwrap();
    assert_rejected(&world.new_order(Side::BUY, 1, BID), ReasonCode::KillSwitch);
    assert_rejected(&world.replace(working.client_order_id, Side::BUY, 1, BID), ReasonCode::KillSwitch);
    assert_accepted(&world.cancel(working.client_order_id));
    assert!(world.tables.controls.release_kill(number).unwrap());
    assert_accepted(&world.new_order(Side::BUY, 1, BID));
}

#[test]
fn s16_replace_that_crosses_is_a_new_decision_and_down_to_the_limit_passes() {
    let mut world = World::with(limited(500), flat(), false);
    let working = world.new_order(Side::BUY, 500, BID);
    let mut high = limited(50);
    high.passive_standoff_ticks = 5;
    world.publish(LimitsRecord { tier: Tier::High as u8, ..record_of(&high, 2) });
    let crossing = world.replace(working.client_order_id, Side::BUY, 500, ASK);
    assert_rejected(&crossing, ReasonCode::OrderExceedsLimit);
    let shrinking = world.replace(working.client_order_id, Side::BUY, 50, BID);
    assert_accepted(&shrinking);
    assert_eq!(shrinking.passed_as, 2);
    assert_eq!(world.gate().cell(ES, 1).unwrap().working_buy, 500, "counts with the larger leaves until the venue answers");
    assert!(world.venue(VenueKind::Replaced, shrinking.client_order_id, working.client_order_id, 0));
    assert_eq!(world.gate().cell(ES, 1).unwrap().working_buy, 50);
}

#[test]
fn s17_exposure_is_never_below_the_worst_case_while_a_replace_is_pending() {
    let mut world = World::new();
    let old = world.new_order(Side::BUY, 100, BID).client_order_id;
    let new = world.replace(old, Side::BUY, 300, BID).client_order_id;
    let worst = |w: &mut World| {
        let c = w.gate().cell(ES, 1).unwrap();
        c.position + c.working_buy
    };
    assert_eq!(worst(&mut world), 300);
    assert!(world.venue(VenueKind::Filled, old, 0, 100));
    assert_eq!((worst(&mut world), world.gate().position(ES, 1)), (300, Some(100)));
    assert!(world.venue(VenueKind::Replaced, new, old, 0));
    assert_eq!(worst(&mut world), 300);
    assert!(world.venue(VenueKind::Filled, new, 0, 200));
    let cell = world.gate().cell(ES, 1).unwrap();
    assert_eq!((cell.position, cell.working_buy, world.gate().open_orders()), (300, 0, 0));
}

#[test]
fn a_refused_replace_restores_the_old_order() {
    let mut world = World::new();
    let old = world.new_order(Side::SELL, 100, ASK).client_order_id;
    let new = world.replace(old, Side::SELL, 300, ASK).client_order_id;
    assert_rejected(&world.replace(old, Side::SELL, 10, ASK), ReasonCode::UnknownOrder);
    assert!(world.venue(VenueKind::ReplaceRejected, new, old, 0));
    assert_eq!(world.gate().cell(ES, 1).unwrap().working_sell, 100);
    assert_accepted(&world.cancel(old));
    assert_eq!(world.gate().cell(ES, 1).unwrap().working_sell, 100, "a pending cancel counts until confirmed");
    assert!(world.venue(VenueKind::Cancelled, old, 0, 0));
    assert_eq!(world.gate().cell(ES, 1).unwrap().working_sell, 0);
}

#[test]
fn s18_widening_the_stand_off_never_admits_an_order_refused_before() {
    let mut world = World::new();
    let mut block = world.block;
    block.passive_standoff_ticks = 5;
    world.publish_block(block);
    assert_rejected(&world.new_order(Side::BUY, 1, BID), ReasonCode::PriceInsideStandoff);
    assert_rejected(&world.new_order(Side::BUY, 1, BID - 4 * TICK), ReasonCode::PriceInsideStandoff);
    assert_accepted(&world.new_order(Side::BUY, 1, BID - 5 * TICK));
    block.passive_standoff_ticks = 9;
    world.publish_block(block);
    assert_rejected(&world.new_order(Side::BUY, 1, BID - 5 * TICK), ReasonCode::PriceInsideStandoff);
    let decision = world.new_order(Side::BUY, 1, BID - 2 * TICK);
    assert_eq!((decision.measured, decision.limit), (2, 9));
}

#[test]
fn a_reduction_of_one_lot_passes_a_calibrated_zero_but_not_a_static_one() {
    let mut world = World::with(limited(500), flat(), false);
    world.hold(10);
    world.publish_block(limited(0));
    assert_rejected(&world.new_order(Side::BUY, 1, BID), ReasonCode::OrderExceedsLimit);
    assert_rejected(&world.new_order(Side::SELL, 2, ASK), ReasonCode::OrderExceedsLimit);
    assert_accepted(&world.new_order(Side::SELL, 1, ASK));
    world.put(instrument_row(limited(0)));
    assert_rejected(&world.new_order(Side::SELL, 1, ASK), ReasonCode::OrderExceedsLimit);
}

#[test]
fn an_unknown_position_is_missing_not_zero() {
    let mut world = World::with(open_static(), GateOptions::default(), false);
    let decision = world.new_order(Side::BUY, 1, BID);
    assert_rejected(&decision, ReasonCode::InputMissing);
    assert_eq!(decision.control, 18);
    world.hold(0);
    assert_accepted(&world.new_order(Side::BUY, 1, BID));
}

#[test]
fn an_absent_controls_table_refuses_the_start() {
    let mut world = World::with(limited(500), flat(), false);
    assert_accepted(&world.new_order(Side::BUY, 500, BID));
    std::fs::remove_file(&world.files.controls).unwrap();
    drop(world.gate.take());
    let refused = Gate::open(world.files.clone(), world.options).unwrap_err().to_string();
    assert!(refused.contains("controls.tbl"), "{refused}");
}

#[test]
fn a_caught_panic_poisons_the_gate_and_cancels_still_pass() {
    let mut world = World::new();
    let working = world.new_order(Side::BUY, 5, BID);
    world.gate().plant_panic();
    std::panic::set_hook(Box::new(|_| {}));
    let decision = world.new_order(Side::BUY, 1, BID);
    let _ = std::panic::take_hook();
    assert_rejected(&decision, ReasonCode::Internal);
    assert!(world.gate().is_poisoned());
    assert_rejected(&world.new_order(Side::BUY, 1, BID), ReasonCode::Internal);
    assert_accepted(&world.cancel(working.client_order_id));
}

#[test]
fn restart_rebuilds_exposure_ids_latches_and_last_good_limits() {
    let mut world = World::with(limited(500), flat(), true);
    world.publish(LimitsRecord { tier: Tier::High as u8, ..record_of(&limited(50), 2) });
    let buy = world.new_order(Side::BUY, 30, BID);
    let sell = world.new_order(Side::SELL, 20, ASK);
    assert!(world.venue(VenueKind::Filled, buy.client_order_id, 0, 10));
    let replaced = world.replace(sell.client_order_id, Side::SELL, 40, ASK);
    assert_accepted(&replaced);
    let refused = world.new_order(Side::BUY, 51, BID);
    assert_rejected(&refused, ReasonCode::OrderExceedsLimit);
    world.publish(LimitsRecord { trip_id: 3, flags: flags::TRIPPED, ..record_of(&limited(50), 3) });
    assert_rejected(&world.new_order(Side::BUY, 1, BID), ReasonCode::BreakerTripped);
    let before = (world.gate().cell(ES, 1).unwrap(), world.gate().open_orders(), world.gate().trips(ES));
    world.restart();
    let after = (world.gate().cell(ES, 1).unwrap(), world.gate().open_orders(), world.gate().trips(ES));
    assert_eq!(before, after);
    // I7: every id keeps its one decision, refused ones too.
    for id in [buy.client_order_id, refused.client_order_id] {
        let order = Order { client_order_id: id, ..world.order(Side::BUY, 1, BID) };
        assert_rejected(&world.decide(&order), ReasonCode::DuplicateClientOrderId);
    }
    // The record no longer says tripped and is loose: neither helps.
    world.publish(record_of(&limited(500), 4));
    assert_rejected(&world.new_order(Side::BUY, 1, BID), ReasonCode::BreakerTripped);
    world.put(pretrade_shm::ControlsRecord { resumed_sidecar: 3, ..instrument_row(limited(500)) });
    let decision = world.new_order(Side::BUY, 500, BID);
    assert_eq!((decision.verdict, reason(&decision)), (Verdict::Reject as u8, ReasonCode::OrderExceedsLimit));
    assert!(world.venue(VenueKind::Replaced, replaced.client_order_id, sell.client_order_id, 0));
    assert_eq!(world.gate().cell(ES, 1).unwrap().working_sell, 40);
}

/// What a static sidecar publishes: the static numbers and no score, marked as the control arm or not.
fn arm(flags: u8) -> LimitsRecord {
    LimitsRecord { score: f32::NAN, flags, ..record_of(&limited(500), 2) }
}

#[test]
fn only_a_record_marked_static_needs_no_model() {
    for (flags, stage, limit) in [(flags::STATIC, 0, 500), (0, 1, 250), (flags::STATIC | flags::MODEL_ABSENT, 1, 250)] {
        let mut world = World::with(limited(500), flat(), false);
        drop(world.gate.take());
        world.publish(arm(flags));
        world.gate = Some(Gate::open(world.files.clone(), world.options).unwrap());
        let decision = world.new_order(Side::BUY, 501, BID);
        assert_eq!((reason(&decision), decision.stage, decision.limit), (ReasonCode::OrderExceedsLimit, stage, limit), "flags {flags}");
    }
}

#[test]
fn the_static_mark_excuses_no_other_number_and_no_model_that_fell_silent() {
    let mut world = World::with(limited(500), flat(), false);
    drop(world.gate.take());
    world.publish(LimitsRecord { max_order_quantity: 400, ..arm(flags::STATIC) });
    world.gate = Some(Gate::open(world.files.clone(), world.options).unwrap());
    assert_eq!(world.new_order(Side::BUY, 501, BID).stage, 1);

    let mut world = World::with(limited(500), flat(), false);
    world.publish(record_of(&limited(50), 2));
    assert_accepted(&world.new_order(Side::BUY, 50, BID));
    world.publish(LimitsRecord { version: 3, ..arm(flags::STATIC) });
    let decision = world.new_order(Side::BUY, 51, BID);
    assert_eq!((decision.stage, decision.limit), (1, 50));
}

#[test]
fn a_strategy_without_a_row_is_refused_where_others_have_one_and_bound_by_the_account_where_none_has() {
    let mut world = World::new();
    let order = Order { strategy_id: 2, ..world.order(Side::BUY, 1, BID) };
    assert_rejected(&world.decide(&order), ReasonCode::PartyNotAuthorised);

    let mut account = level_row(pretrade_shm::Level::Account, 1);
    pretrade_gate::setup::set_parameter(&mut account.static_limits, pretrade_records::parameter::Parameter::MaxOrderQuantity, 9);
    let rows = [instrument_row(open_static()), account, level_row(pretrade_shm::Level::Firm, 0)];
    let mut world = World::over(&rows);
    let order = Order { strategy_id: 77, ..world.order(Side::BUY, 9, BID) };
    assert_accepted(&world.decide(&order));
    let order = Order { strategy_id: 77, ..world.order(Side::BUY, 10, BID) };
    assert_rejected(&world.decide(&order), ReasonCode::OrderExceedsLimit);
}

#[test]
fn a_gate_does_not_open_without_a_row_of_the_firm() {
    let world = World::new();
    let rows = [instrument_row(open_static()), level_row(pretrade_shm::Level::Account, 1)];
    let directory = world.files.limits.parent().unwrap().join("without");
    std::fs::create_dir(&directory).unwrap();
    let files = pretrade_gate::GateFiles::in_directory(&directory, 0, world.files.clock_domain);
    let _tables = pretrade_gate::setup::Tables::create(&files, &rows, 1).unwrap();
    let refused = Gate::open(files, world.options).unwrap_err().to_string();
    assert!(refused.contains("has no row of the firm"), "{refused}");
}

#[test]
fn a_cancel_said_again_passes_again_and_is_decided_once() {
    let mut world = World::with(open_static(), flat(), true);
    let first = world.new_order(Side::BUY, 5, BID).client_order_id;
    let cancel =
        pretrade_records::Order { action: pretrade_records::Action::Cancel as u8, original_client_order_id: first, ..world.order(Side::None, 0, 0) };
    assert_accepted(&world.decide(&cancel));
    assert_accepted(&world.decide(&cancel));
    world.restart();
    assert_accepted(&world.decide(&cancel));
    assert!(world.venue(VenueKind::Cancelled, first, 0, 0));
    assert_rejected(&world.decide(&cancel), ReasonCode::DuplicateClientOrderId);
    let other = pretrade_records::Order { client_order_id: 900, ..cancel };
    assert_rejected(&world.decide(&other), ReasonCode::UnknownOrder);
    let mut decided = 0;
    let mut reader = pretrade_journal::GateJournalReader::open(world.files.journal.as_ref().unwrap()).unwrap();
    let mut records = Vec::new();
    while reader.read(&mut records, 4_096).unwrap() > 0 {
        let of = |r: &pretrade_journal::GateJournalRecord| r.payload_as::<pretrade_gate::journal::DecisionEntry>().decision.client_order_id;
        decided += records.iter().filter(|r| r.kind() == Some(pretrade_journal::RecordKind::Decision) && of(r) == cancel.client_order_id).count();
        records.clear();
    }
    assert_eq!(decided, 1, "three times said, once decided");
}
