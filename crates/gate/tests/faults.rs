// SPDX-License-Identifier: Apache-2.0
//! What breaks around a gate (`controls` section 7), and what must hold then.
mod world;
use pretrade_gate::{Gate, VenueKind, VenueMessage};
use pretrade_records::parameter::Parameter;
use pretrade_records::units::STANDOFF_OFF;
use pretrade_records::{Order, ReasonCode, Side};
use pretrade_shm::clock::simulated_domain;
use pretrade_shm::controls::row_flags;
use pretrade_shm::{ControlsRecord, Level};
use std::os::unix::fs::FileExt;
use world::*;

fn journalled() -> World {
    World::with(open_static(), flat(), true)
}

/// Byte offset of the ring's `failed` word (`schemas/ring.json`).
const FAILED: u64 = 136;

fn set_failed(world: &World, value: u64) {
    let ring = &world.files.journal.as_ref().unwrap().ring;
    std::fs::OpenOptions::new().write(true).open(ring).unwrap().write_at(&value.to_le_bytes(), FAILED).unwrap();
}

#[test]
fn a_controls_table_that_lost_its_name_halts_the_gate_and_cancels_pass() {
    let mut world = World::new();
    let working = world.new_order(Side::BUY, 10, BID);
    assert_accepted(&working);
    std::fs::remove_file(&world.files.controls).unwrap();
    let now = world.now;
    world.gate().poll(now, now).unwrap();
    assert_eq!(world.gate().stage(ES), Some(3));
    assert_rejected(&world.new_order(Side::BUY, 1, BID), ReasonCode::ControlsUnavailable);
    assert_accepted(&world.cancel(working.client_order_id));
}

#[test]
fn a_kill_in_a_table_that_replaced_the_old_one_stops_the_gate_too() {
    let mut world = World::new();
    assert_accepted(&world.new_order(Side::BUY, 1, BID));
    std::fs::remove_file(&world.files.controls).unwrap();
    std::fs::write(&world.files.controls, b"another").unwrap();
    let now = world.now;
    world.gate().poll(now, now).unwrap();
    assert_rejected(&world.new_order(Side::BUY, 1, BID), ReasonCode::ControlsUnavailable);
}

#[test]
fn a_kill_of_the_gateways_own_row_stops_it() {
    let rows = [
        instrument_row(open_static()),
        level_row(Level::Account, 1),
        level_row(Level::Firm, 0),
        ControlsRecord { shares_ppm: [1_000_000; 8], ..level_row(Level::Gateway, 0) },
    ];
    let mut world = World::over(&rows);
    assert_accepted(&world.new_order(Side::BUY, 1, BID));
    let slot = world.tables.controls.row(Level::Gateway, 0).unwrap();
    world.tables.controls.arm_row_kill(slot).unwrap();
    assert_rejected(&world.new_order(Side::BUY, 1, BID), ReasonCode::KillSwitch);
}

#[test]
fn a_gateway_gets_its_share_of_an_accounts_rate() {
    let mut account = level_row(Level::Account, 1);
    pretrade_gate::setup::set_parameter(&mut account.static_limits, Parameter::RateNewPerS, 10);
    let gateway = ControlsRecord { shares_ppm: [500_000; 8], ..level_row(Level::Gateway, 0) };
    let mut world = World::over(&[instrument_row(open_static()), account, level_row(Level::Firm, 0), gateway]);
    for i in 1..=5 {
        let order = Order { price: BID - i * TICK, ..world.order(Side::BUY, 1, BID) };
        assert_accepted(&world.decide(&order));
    }
    let refused = world.new_order(Side::BUY, 1, BID - 6 * TICK);
    assert_eq!((reason(&refused), refused.limit), (ReasonCode::MessageRate, 5));
}

#[test]
fn a_torn_row_of_the_firm_refuses() {
    let mut world = World::new();
    assert_accepted(&world.new_order(Side::BUY, 1, BID));
    world.put(ControlsRecord { flags: row_flags::ENABLED, ..ControlsRecord { id: 0, level: Level::Firm as u8, ..Default::default() } });
    assert_rejected(&world.new_order(Side::BUY, 1, BID), ReasonCode::LimitsInvalid);
}

#[test]
fn a_message_about_another_order_of_the_same_number_moves_what_it_says_and_not_that_order() {
    let mut world = World::new();
    let sell = world.new_order(Side::SELL, 100, ASK);
    let now = world.now;
    let message = VenueMessage {
        kind: VenueKind::Filled as u8,
        client_order_id: sell.client_order_id,
        instrument_id: ES,
        account_id: 1,
        side: Side::BUY as u8,
        quantity: 300,
        ..Default::default()
    };
    assert!(!world.gate().on_venue(&message, now, now), "counted as unknown");
    let cell = world.gate().cell(ES, 1).unwrap();
    assert_eq!((cell.position, cell.working_sell), (300, 100));
    let other_account = VenueMessage { account_id: 2, kind: VenueKind::Cancelled as u8, quantity: 0, side: 0, ..message };
    assert!(!world.gate().on_venue(&other_account, now, now));
    assert_eq!(world.gate().cell(ES, 1).unwrap().working_sell, 100);
}

#[test]
fn the_end_of_a_pending_replace_is_not_the_end_of_the_order() {
    for kind in [VenueKind::Cancelled, VenueKind::Rejected] {
        let mut world = World::new();
        let old = world.new_order(Side::SELL, 500, ASK).client_order_id;
        let new = world.replace(old, Side::SELL, 700, ASK).client_order_id;
        world.venue(kind, new, 0, 0);
        assert!(world.gate().cell(ES, 1).unwrap().working_sell >= 500, "{}: 500 still work at the venue", kind.name());
    }
}

#[test]
fn a_lost_ring_or_a_failed_journal_leaves_no_known_position() {
    for break_it in [(|w: &World| std::fs::remove_file(&w.files.journal.as_ref().unwrap().ring).unwrap()) as fn(&World), |w| set_failed(w, 1)] {
        let mut world = journalled();
        world.hold(300);
        assert_accepted(&world.new_order(Side::BUY, 1, BID));
        drop(world.gate.take());
        break_it(&world);
        for _ in 0..2 {
            world.restart();
            assert_eq!(world.gate().position(ES, 1), None, "a second restart knows no more than the first");
        }
        assert_rejected(&world.new_order(Side::BUY, 1, BID), ReasonCode::InputMissing);
        world.hold(-20);
        assert_accepted(&world.new_order(Side::BUY, 1, BID));
        world.restart();
        assert_eq!(world.gate().position(ES, 1), Some(-20));
    }
}

#[test]
fn a_fill_that_could_not_be_recorded_ends_the_journal_and_is_remembered_as_lost() {
    let mut world = journalled();
    world.hold(300);
    let sell = world.new_order(Side::SELL, 300, ASK);
    assert_accepted(&sell);
    world.gate().plant_refusal();
    assert!(world.venue(VenueKind::Filled, sell.client_order_id, 0, 300));
    assert_eq!(world.gate().position(ES, 1), Some(0));
    world.restart();
    assert_eq!(world.gate().position(ES, 1), None, "300 would be a guess");
    assert_rejected(&world.new_order(Side::SELL, 300, ASK), ReasonCode::InputMissing);
}

/// The journal may stop between the check of control 44 and the record.
#[test]
fn an_order_whose_record_is_refused_at_the_last_moment_is_not_accepted_and_its_reduction_ends_the_journal() {
    let mut world = journalled();
    world.hold(300);
    assert_accepted(&world.new_order(Side::BUY, 1, BID));
    let before = (world.gate().cell(ES, 1).unwrap(), world.gate().counters());
    world.gate().plant_refusal();
    let refused = world.new_order(Side::BUY, 1, BID);
    assert_rejected(&refused, ReasonCode::AuditUnavailable);
    let after = (world.gate().cell(ES, 1).unwrap(), world.gate().counters());
    assert_eq!((after.0, after.1.accepted, after.1.rejected), (before.0, before.1.accepted, before.1.rejected + 1));
    let again = Order { client_order_id: refused.client_order_id, ..world.order(Side::BUY, 1, BID) };
    assert_rejected(&world.decide(&again), ReasonCode::DuplicateClientOrderId);
    // A verified reduction passes all the same, and its loss is remembered.
    assert_accepted(&world.new_order(Side::SELL, 300, ASK));
    world.restart();
    assert_eq!(world.gate().position(ES, 1), None);
}

#[test]
fn what_waits_for_the_stand_off_lends_no_time_to_the_size() {
    let mut block = open_static();
    block.max_order_quantity = 500;
    let mut world = World::with(block, flat(), false);
    let mut tight = block;
    (tight.max_order_quantity, tight.passive_standoff_ticks) = (50, 5);
    world.publish_block(tight);
    assert_rejected(&world.new_order(Side::BUY, 51, ASK), ReasonCode::OrderExceedsLimit);
    tight.passive_standoff_ticks = STANDOFF_OFF;
    world.publish_block(tight);
    for _ in 0..98 {
        world.advance(S / 10);
        assert_rejected(&world.new_order(Side::BUY, 51, ASK), ReasonCode::OrderExceedsLimit);
    }
    world.publish_block(block);
    let decision = world.new_order(Side::BUY, 500, ASK);
    assert_eq!((reason(&decision), decision.limit), (ReasonCode::OrderExceedsLimit, 50), "the size begins its own way now");
    world.advance(S);
    assert_eq!(world.new_order(Side::BUY, 500, ASK).limit, 100);
}

#[test]
fn a_restart_is_no_way_round_a_ramp() {
    let mut block = open_static();
    block.max_order_quantity = 500;
    let mut world = World::with(block, flat(), true);
    let mut tight = block;
    tight.max_order_quantity = 50;
    world.publish_block(tight);
    assert_accepted(&world.new_order(Side::BUY, 1, ASK));
    world.publish_block(block);
    assert_eq!(world.new_order(Side::BUY, 500, ASK).limit, 50);
    world.advance(S);
    assert_eq!(world.new_order(Side::BUY, 500, ASK).limit, 100);
    world.restart();
    assert_eq!(world.new_order(Side::BUY, 500, ASK).limit, 100);
    world.advance(S);
    assert_eq!(world.new_order(Side::BUY, 500, ASK).limit, 150);
}

#[test]
fn stamps_of_another_boot_bind_nobody() {
    let mut block = open_static();
    block.rate_new_per_s = 3;
    let mut world = World::with(block, flat(), true);
    world.hold(0);
    for i in 0..3 {
        assert_accepted(&world.new_order(Side::BUY, 1, BID - i * TICK));
    }
    assert_rejected(&world.new_order(Side::BUY, 1, BID - 9 * TICK), ReasonCode::MessageRate);
    // The machine boots again: no ring, tables of a new clock domain, a monotonic clock that starts again.
    drop(world.gate.take());
    std::fs::remove_file(&world.files.journal.as_ref().unwrap().ring).unwrap();
    let rows =
        [instrument_row(block), level_row(Level::Account, 1), level_row(Level::Account, 2), level_row(Level::Strategy, 1), level_row(Level::Firm, 0)];
    for table in [&world.files.limits, &world.files.quotes, &world.files.controls] {
        std::fs::remove_file(table).unwrap();
    }
    world.files.clock_domain = simulated_domain(10);
    world.files.journal.as_mut().unwrap().clock_domain = simulated_domain(10);
    world.tables = pretrade_gate::setup::Tables::create(&world.files, &rows, 1).unwrap();
    world.now = 5 * S;
    world.version = 0;
    world.publish_block(block);
    world.quotes(calm_quotes());
    world.beat();
    world.gate = Some(Gate::open(world.files.clone(), world.options).unwrap());
    world.hold(0);
    assert_accepted(&world.new_order(Side::BUY, 1, BID));
    assert_eq!(world.gate().stage(ES), Some(0));
}
