// SPDX-License-Identifier: Apache-2.0
//! Controls 18 (strategy, trader, desk), 33, 38, 40, 42 and 43: each fires alone, and what it lets through.
mod world;
use pretrade_gate::setup::set_parameter;
use pretrade_gate::{GateOptions, MassCancel, VenueKind, VenueMessage};
use pretrade_records::parameter::Parameter;
use pretrade_records::{LevelLimit, Order, ReasonCode, Side, TimeInForce};
use pretrade_shm::{ControlsRecord, Level};
use world::*;

fn rows() -> Vec<ControlsRecord> {
    let mut trader = level_row(Level::Trader, 7);
    trader.set_level_limit(LevelLimit::ParentId, 3);
    let mut session = level_row(Level::Venue, 0);
    session.set_level_limit(LevelLimit::ParentId, 7);
    vec![
        instrument_row(open_static()),
        level_row(Level::Account, 1),
        level_row(Level::Account, 2),
        level_row(Level::Strategy, 1),
        level_row(Level::Strategy, 2),
        trader,
        level_row(Level::Desk, 3),
        session,
        level_row(Level::Firm, 0),
    ]
}

fn over(options: GateOptions) -> World {
    World::of(&rows(), open_static(), GateOptions { duplicate_window_ns: 0, ..options }, true)
}

fn bounded(level: Level, id: u32, long: i64, short: i64) -> ControlsRecord {
    let mut row = rows().into_iter().find(|r| r.level == level as u8 && r.id == id).unwrap();
    set_parameter(&mut row.static_limits, Parameter::PositionMaxLong, long);
    set_parameter(&mut row.static_limits, Parameter::PositionMaxShort, short);
    row
}

fn at(world: &mut World, strategy: u32, account: u32, side: Side, quantity: i64) -> pretrade_records::Decision {
    let order = Order { strategy_id: strategy, account_id: account, ..world.order(side, quantity, BID) };
    world.decide(&order)
}

#[test]
fn a_strategy_is_bound_over_all_its_accounts_and_by_what_works() {
    let mut world = over(flat());
    world.put(bounded(Level::Strategy, 1, 10, 5));
    let first = at(&mut world, 1, 1, Side::BUY, 6);
    assert_accepted(&first);
    assert!(world.venue(VenueKind::Filled, first.client_order_id, 0, 6));
    assert_accepted(&at(&mut world, 1, 2, Side::BUY, 4));
    let refused = at(&mut world, 1, 2, Side::BUY, 1);
    assert_eq!((reason(&refused), refused.control, refused.measured, refused.limit), (ReasonCode::PositionExceedsLimit, 18, 11, 10));
    assert_accepted(&at(&mut world, 2, 2, Side::BUY, 100));
    assert_accepted(&at(&mut world, 1, 2, Side::SELL, 11));
    assert_rejected(&at(&mut world, 1, 2, Side::SELL, 1), ReasonCode::PositionExceedsLimit);
    world.restart();
    assert_rejected(&at(&mut world, 1, 2, Side::BUY, 1), ReasonCode::PositionExceedsLimit);
}

#[test]
fn a_desk_and_a_trader_are_bound_over_all_strategies() {
    for (level, id) in [(Level::Desk, 3), (Level::Trader, 7)] {
        let mut world = over(flat());
        world.put(bounded(level, id, 10, 10));
        assert_accepted(&at(&mut world, 1, 1, Side::BUY, 6));
        let second = at(&mut world, 2, 2, Side::BUY, 4);
        assert_accepted(&second);
        assert_rejected(&at(&mut world, 2, 1, Side::BUY, 1), ReasonCode::PositionExceedsLimit);
        assert!(world.venue(VenueKind::Cancelled, second.client_order_id, 0, 0));
        assert_accepted(&at(&mut world, 2, 1, Side::BUY, 4));
    }
}

#[test]
fn a_pending_replace_counts_with_the_larger_leaves_at_its_strategy() {
    let mut world = over(flat());
    world.put(bounded(Level::Strategy, 1, 10, 10));
    let first = at(&mut world, 1, 1, Side::BUY, 4).client_order_id;
    let second = world.replace(first, Side::BUY, 9, BID);
    assert_accepted(&second);
    assert_rejected(&at(&mut world, 1, 1, Side::BUY, 2), ReasonCode::PositionExceedsLimit);
    assert!(world.venue(VenueKind::ReplaceRejected, second.client_order_id, first, 0));
    assert_accepted(&at(&mut world, 1, 1, Side::BUY, 6));
}

#[test]
fn surveillance_blocks_a_row_at_every_level_and_cancels_pass() {
    for (level, id) in [
        (Level::Account, 1),
        (Level::Strategy, 1),
        (Level::Trader, 7),
        (Level::Desk, 3),
        (Level::Venue, 0),
        (Level::Firm, 0),
        (Level::Instrument, ES),
    ] {
        let mut world = over(flat());
        let first = at(&mut world, 1, 1, Side::BUY, 1);
        assert_accepted(&first);
        world.annex(1, &format!("block level={} id={id}\n", level as u8));
        let refused = at(&mut world, 1, 1, Side::BUY, 1);
        assert_eq!((reason(&refused), refused.control), (ReasonCode::SurveillanceBlock, 33), "{}", level.name());
        assert_accepted(&world.cancel(first.client_order_id));
        world.annex(2, &format!("block level={} id=99\n", level as u8));
        assert_accepted(&at(&mut world, 1, 1, Side::BUY, 1));
    }
}

fn copy(world: &mut World, position: i64) {
    let now = world.now;
    let said = VenueMessage { kind: VenueKind::DropCopy as u8, instrument_id: ES, account_id: 1, quantity: position, ..Default::default() };
    assert!(world.gate().on_venue(&said, now, now));
}

#[test]
fn a_drop_copy_that_says_otherwise_lets_only_reductions_of_both_pass() {
    let mut world = over(GateOptions { drop_copy_ns: S, ..flat() });
    world.hold(10);
    copy(&mut world, 10);
    assert_accepted(&world.new_order(Side::BUY, 1, BID));
    copy(&mut world, 4);
    world.advance(S / 2);
    assert_accepted(&world.new_order(Side::BUY, 1, BID));
    world.advance(S / 2 + 1);
    copy(&mut world, 4);
    let refused = world.new_order(Side::BUY, 1, BID);
    assert_eq!((reason(&refused), refused.control, refused.measured, refused.limit), (ReasonCode::ReconciliationBreak, 42, 10, 4));
    assert_rejected(&world.new_order(Side::SELL, 5, ASK), ReasonCode::ReconciliationBreak);
    assert_accepted(&world.new_order(Side::SELL, 4, ASK));
    // Another account is not meant; the same position again ends it.
    assert_accepted(&at(&mut world, 1, 2, Side::BUY, 1));
    copy(&mut world, 10);
    assert_accepted(&world.new_order(Side::BUY, 1, BID));
    assert_eq!(world.gate().position(ES, 1), Some(10), "a drop copy is compared, never taken over");
}

#[test]
fn a_fill_on_its_way_to_one_of_the_two_is_no_break() {
    let mut world = over(GateOptions { drop_copy_ns: S, ..flat() });
    let order = world.new_order(Side::BUY, 3, BID);
    copy(&mut world, 3);
    world.advance(S / 2);
    assert!(world.venue(VenueKind::Filled, order.client_order_id, 0, 3));
    world.advance(S);
    copy(&mut world, 3);
    assert_accepted(&world.new_order(Side::BUY, 1, BID));
}

#[test]
fn a_silent_drop_copy_lets_only_reductions_pass() {
    let mut world = over(GateOptions { drop_copy_ns: S, ..flat() });
    world.hold(5);
    copy(&mut world, 5);
    world.advance(S);
    assert_accepted(&world.new_order(Side::BUY, 1, BID));
    world.advance(1);
    let refused = world.new_order(Side::BUY, 1, BID);
    assert_eq!((reason(&refused), refused.measured, refused.limit), (ReasonCode::ReconciliationBreak, S + 1, S));
    assert_accepted(&world.new_order(Side::SELL, 4, ASK));
    copy(&mut world, 5);
    assert_accepted(&world.new_order(Side::BUY, 1, BID));
}

#[test]
fn a_clock_that_jumped_stops_new_risk_and_the_age_of_an_order_is_a_warning() {
    let mut world = over(GateOptions { clock_jump_ns: S, ..flat() });
    world.hold(5);
    assert_accepted(&world.new_order(Side::BUY, 1, BID));
    let (mono, utc) = (world.now, world.now + 3_600 * S);
    let order = world.order(Side::BUY, 1, BID);
    let refused = world.gate().decide(&order, mono, utc);
    assert_eq!((reason(&refused), refused.control, refused.measured, refused.limit), (ReasonCode::ClockUnhealthy, 43, 3_600 * S, S));
    // An hour old by the clock that jumped: the reduction passes, with a warning.
    let order = world.order(Side::SELL, 5, ASK);
    let passed = world.gate().decide(&order, mono, utc);
    assert_accepted(&passed);
    assert_eq!(passed.warning, 31);
    assert_accepted(&world.new_order(Side::BUY, 1, BID));
}

fn cancels(world: &mut World) -> Vec<u64> {
    let now = world.now;
    world.gate().poll(now, now).unwrap();
    let mut due: Vec<u64> = world.gate().due_cancels(now, now).iter().map(|approved| approved.order().original_client_order_id).collect();
    due.sort_unstable();
    due
}

#[test]
fn a_kill_takes_its_scope_out_of_the_venue_until_each_order_is_confirmed() {
    let mut world = over(GateOptions { mass_cancel: MassCancel::Day, ..flat() });
    let first = at(&mut world, 1, 1, Side::BUY, 1).client_order_id;
    let other = at(&mut world, 1, 2, Side::BUY, 1).client_order_id;
    let long = Order { time_in_force: TimeInForce::GoodTillCancel as u8, ..world.order(Side::BUY, 1, BID) };
    assert_accepted(&world.decide(&long));
    assert_eq!(cancels(&mut world), [0_u64; 0]);
    let slot = world.tables.controls.row(Level::Account, 1).unwrap();
    world.tables.controls.arm_row_kill(slot).unwrap();
    assert_eq!(cancels(&mut world), [first], "not of another account, and no good-till order");
    assert_eq!(cancels(&mut world), [0_u64; 0], "not again at once");
    for _ in 0..2 {
        world.advance(S);
        assert_eq!(cancels(&mut world), [first]);
    }
    assert_eq!(world.gate().unconfirmed_cancels(), [(first, 0)]);
    world.tables.controls.arm_kill().unwrap();
    world.advance(S);
    assert_eq!(cancels(&mut world), [first, other]);
    assert!(world.venue(VenueKind::Cancelled, first, 0, 0));
    world.advance(S);
    assert_eq!(cancels(&mut world), [other]);
    assert_eq!(world.gate().unconfirmed_cancels(), [(0, 0); 0]);
    let mut world = over(GateOptions { mass_cancel: MassCancel::All, ..flat() });
    assert_accepted(&world.decide(&long));
    let slot = world.instrument_slot();
    world.tables.controls.trip(slot).unwrap();
    assert_eq!(cancels(&mut world), [long.client_order_id], "a trip, good-till orders too");
}

#[test]
fn a_lost_session_is_cancelled_after_its_grace_and_not_when_it_came_back() {
    let mut world = over(GateOptions { disconnect_grace_ns: 5 * S, ..flat() });
    let first = world.new_order(Side::BUY, 1, BID).client_order_id;
    let now = world.now;
    world.gate().disconnect(0, now);
    world.advance(5 * S - 1);
    assert_eq!(cancels(&mut world), [0_u64; 0]);
    world.gate().reconnect(0);
    world.advance(2);
    assert_eq!(cancels(&mut world), [0_u64; 0]);
    let now = world.now;
    world.gate().disconnect(0, now);
    world.advance(5 * S);
    assert_eq!(cancels(&mut world), [first]);
    let seen = world.gate().live_order(first, 0).unwrap();
    assert_eq!(seen.state, pretrade_gate::orders::state::PENDING_CANCEL);
    // What was never configured cancels nothing.
    let mut world = over(flat());
    assert_accepted(&world.new_order(Side::BUY, 1, BID));
    let now = world.now;
    world.gate().disconnect(0, now);
    world.advance(3_600 * S);
    assert_eq!(cancels(&mut world), [0_u64; 0]);
}

fn buckets(world: &mut World, number: u64, level: Level, row: u32, most: i64, until: i64) {
    let lines = format!("bucket id=1 level={} row={row} most={most} until={until}\nweight bucket=1 instrument={ES} per_lot=-40\n", level as u8);
    world.annex(number, &lines);
}

#[test]
fn a_bucket_bounds_the_worst_case_of_a_row_and_lets_what_brings_it_down() {
    for (level, row) in [(Level::Firm, 0), (Level::Account, 1), (Level::Desk, 3)] {
        let mut world = over(flat());
        let until = world.now + 60 * S;
        buckets(&mut world, 1, level, row, 400, until);
        assert_accepted(&world.new_order(Side::BUY, 10, BID));
        let refused = world.new_order(Side::BUY, 1, BID);
        assert_eq!((reason(&refused), refused.control), (ReasonCode::ConcentrationExceedsLimit, 22), "{}", level.name());
        assert_eq!((refused.measured, refused.limit), (440, 400), "{}", level.name());
        assert_accepted(&world.new_order(Side::SELL, 10, ASK));
        assert_rejected(&world.new_order(Side::SELL, 1, ASK), ReasonCode::ConcentrationExceedsLimit);
        buckets(&mut world, 2, level, row, 440, until);
        assert_accepted(&world.new_order(Side::BUY, 1, BID));
        buckets(&mut world, 3, level, row, 4_000, T0 - 1);
        assert_rejected(&world.new_order(Side::BUY, 1, BID), ReasonCode::InputMissing);
    }
}

#[test]
fn a_position_that_nobody_stated_is_missing_in_a_bucket_and_not_zero() {
    let mut world = over(GateOptions { is_flat_at_start: false, ..flat() });
    let until = world.now + 60 * S;
    world.hold(0);
    buckets(&mut world, 1, Level::Account, 1, 400, until);
    assert_accepted(&world.new_order(Side::BUY, 1, BID));
    buckets(&mut world, 2, Level::Firm, 0, 400, until);
    let refused = world.new_order(Side::BUY, 1, BID);
    assert_eq!((reason(&refused), refused.control), (ReasonCode::InputMissing, 22), "account 2 never said what it holds");
    let stated = VenueMessage { kind: VenueKind::Position as u8, instrument_id: ES, account_id: 2, quantity: 0, ..VenueMessage::default() };
    let now = world.now;
    assert!(world.gate().on_venue(&stated, now, now));
    assert_accepted(&world.new_order(Side::BUY, 1, BID));
}

#[test]
fn another_row_or_instrument_is_not_in_the_bucket_and_a_reduction_passes_it() {
    let mut world = over(flat());
    let until = world.now + 60 * S;
    buckets(&mut world, 1, Level::Account, 1, 0, until);
    assert_accepted(&at(&mut world, 1, 2, Side::BUY, 5));
    assert_rejected(&at(&mut world, 1, 1, Side::BUY, 1), ReasonCode::ConcentrationExceedsLimit);
    world.hold(5);
    assert_accepted(&world.new_order(Side::SELL, 5, ASK));
}

#[test]
fn each_input_of_a_users_check_fires_alone_at_its_bound_and_not_before() {
    use pretrade_gate::checks::user::Input;
    for (input, bound) in [
        (Input::Quantity, 10),
        (Input::Notional, 24_001_250_000_i64),
        (Input::DistanceTicks, 1),
        (Input::SpreadTicks, 1),
        (Input::Position, 10),
        (Input::OpenOrders, 1),
        (Input::Tier, 0),
        (Input::Stage, 0),
        (Input::ScorePpm, 9_999),
    ] {
        for (is_above, bound, expected) in
            [(1, bound, ReasonCode::None), (1, bound - 1, ReasonCode::UserCheck), (0, bound, ReasonCode::None), (0, bound + 1, ReasonCode::UserCheck)]
        {
            let mut world = over(flat());
            world.annex(1, &format!("check level=4 row=1 input={} is_above={is_above} bound={bound}\n", input as u8));
            let decision = world.new_order(Side::BUY, 10, ASK);
            assert_eq!(reason(&decision), expected, "{} {is_above} {bound} measured {}", input.name(), decision.measured);
            assert_accepted(&at(&mut world, 1, 2, Side::BUY, 10));
        }
    }
}

#[test]
fn a_users_check_whose_input_is_missing_refuses() {
    let mut world = over(flat());
    world.annex(1, "check level=6 row=0 input=9 is_above=1 bound=1000000\n");
    assert_accepted(&world.new_order(Side::BUY, 1, BID));
    let record = record_of(&world.block, world.version + 1);
    world.publish(pretrade_records::LimitsRecord { score: f32::NAN, ..record });
    world.hold(3);
    let refused = world.new_order(Side::BUY, 1, BID);
    assert_eq!((reason(&refused), refused.control), (ReasonCode::InputMissing, 46));
    assert_accepted(&world.new_order(Side::SELL, 3, ASK));
}
