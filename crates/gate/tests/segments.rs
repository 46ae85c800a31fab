// SPDX-License-Identifier: Apache-2.0
//! Tables deleted, replaced, of another clock or epoch under a running gate: the stage of the sheet (4.3), and it lives on.
//! (Cut off under a mapping: tests/integration/test_table_cut_off.py, in a process with our SIGBUS handler.)
mod world;
use pretrade_records::units::ANY_STRATEGY;
use pretrade_records::{ReasonCode, Side};
use pretrade_shm::clock::{ClockDomain, simulated_domain};
use pretrade_shm::{CreateOptions, LimitsTable, QuotesTable};
use world::*;

const OWN: u64 = 9;

fn limits(world: &World, domain: ClockDomain, epoch: u32) -> LimitsTable {
    LimitsTable::create(&world.files.limits, &[(ES, ANY_STRATEGY)], &CreateOptions { epoch, ..CreateOptions::new(domain) }).unwrap()
}

fn look(world: &mut World) {
    let now = world.now;
    world.gate().poll(now, now).unwrap();
}

/// A new writer publishes what was in force, `version` of its own epoch, and beats.
fn publish(world: &World, table: &mut LimitsTable, version: u64, epoch: u32) {
    let record = pretrade_records::LimitsRecord { epoch, ..record_of(&world.block, version) };
    let slot = table.slot(ES, ANY_STRATEGY).unwrap();
    table.publish(slot, &record).unwrap();
    table.heartbeat(0, world.now, world.now).unwrap();
}

#[test]
fn deleted_limits_are_stage_1_after_t1_and_stage_2_after_t2() {
    let mut world = World::new();
    world.hold(5);
    assert_accepted(&world.new_order(Side::BUY, 1, BID));
    std::fs::remove_file(&world.files.limits).unwrap();
    look(&mut world);
    assert_eq!(world.gate().stage(ES), Some(0), "what is mapped is still fresh");
    world.now += S + 1;
    world.tables.quotes.heartbeat(0, world.now, world.now).unwrap();
    look(&mut world);
    assert_eq!(world.gate().stage(ES), Some(1));
    assert_accepted(&world.new_order(Side::BUY, 1, BID));
    world.now += 61 * S;
    world.tables.quotes.heartbeat(0, world.now, world.now).unwrap();
    assert_rejected(&world.new_order(Side::BUY, 1, BID), ReasonCode::LimitsStale);
    assert_accepted(&world.new_order(Side::SELL, 3, ASK));
}

#[test]
fn limits_of_another_clock_are_never_read_and_the_old_ones_age() {
    let mut world = World::new();
    assert_accepted(&world.new_order(Side::BUY, 1, BID));
    std::fs::remove_file(&world.files.limits).unwrap();
    let mut foreign = limits(&world, simulated_domain(77), 1);
    for step in 0..20 {
        world.now += S / 10;
        world.tables.quotes.heartbeat(0, world.now, world.now).unwrap();
        publish(&world, &mut foreign, 2 + step, 1);
        look(&mut world);
    }
    assert_eq!(world.gate().stage(ES), Some(1), "its heartbeats are of a clock that is not ours");
}

#[test]
fn limits_of_a_new_epoch_are_taken_and_none_of_an_older_one() {
    let mut world = World::new();
    assert_accepted(&world.new_order(Side::BUY, 1, BID));
    std::fs::remove_file(&world.files.limits).unwrap();
    let mut table = limits(&world, simulated_domain(OWN), 5);
    world.block.max_order_quantity = 7;
    publish(&world, &mut table, 1, 5);
    look(&mut world);
    assert_rejected(&world.new_order(Side::BUY, 8, BID), ReasonCode::OrderExceedsLimit);
    // A record that says it is of an epoch before: invalid, stage 1, never looser.
    world.block.max_order_quantity = 1_000;
    publish(&world, &mut table, 9, 4);
    look(&mut world);
    assert_eq!(world.gate().stage(ES), Some(1));
    assert_rejected(&world.new_order(Side::BUY, 8, BID), ReasonCode::OrderExceedsLimit);
}

#[test]
fn deleted_or_foreign_quotes_leave_no_reference_price() {
    for is_foreign in [false, true] {
        let mut world = World::new();
        world.hold(5);
        assert_accepted(&world.new_order(Side::BUY, 1, BID));
        std::fs::remove_file(&world.files.quotes).unwrap();
        if is_foreign {
            let options = CreateOptions::new(simulated_domain(77));
            let mut table = QuotesTable::create(&world.files.quotes, &[(ES, 0)], &options).unwrap();
            let slot = table.slot(ES, 0).unwrap();
            table.publish(slot, &calm_quotes()).unwrap();
            table.heartbeat(0, world.now + 2 * S, world.now + 2 * S).unwrap();
        }
        world.now += S + 1;
        world.tables.limits.heartbeat(0, world.now, world.now).unwrap();
        look(&mut world);
        assert_rejected(&world.new_order(Side::BUY, 1, BID), ReasonCode::ReferencePriceMissing);
        assert_accepted(&world.new_order(Side::SELL, 3, ASK));
    }
}

#[test]
fn a_directory_in_the_place_of_every_table_is_survived() {
    let mut world = World::new();
    let first = world.new_order(Side::BUY, 1, BID).client_order_id;
    for path in [world.files.limits.clone(), world.files.quotes.clone(), world.files.controls.clone()] {
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
    }
    look(&mut world);
    assert_eq!(world.gate().stage(ES), Some(3));
    assert_rejected(&world.new_order(Side::BUY, 1, BID), ReasonCode::ControlsUnavailable);
    assert_accepted(&world.cancel(first));
}
