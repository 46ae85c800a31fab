// SPDX-License-Identifier: Apache-2.0
//! HOLD (`controls` 4.6): who waits, what ends a wait, and what a release checks again.
mod world;
use pretrade_gate::GateOptions;
use pretrade_gate::holds::{HoldOutcome, MOST_HELD, Reviewed};
use pretrade_records::units::UNLIMITED;
use pretrade_records::{Decision, Order, QuotesRecord, ReasonCode, Side, Verdict};
use world::*;

/// Above 100 lots an order waits (control 12 configured to hold); above 1,000 money units a release takes two.
fn world() -> World {
    let mut block = open_static();
    block.max_order_quantity = 100;
    World::with(block, GateOptions { hold_controls: 1 << 12 | 1 << 15, ..flat() }, true)
}

fn held(world: &mut World) -> Order {
    let order = world.order(Side::BUY, 200, BID);
    let decision = world.decide(&order);
    assert_eq!((decision.verdict, reason(&decision)), (Verdict::Hold as u8, ReasonCode::OrderExceedsLimit));
    order
}

fn by(persons: u8) -> Reviewed {
    Reviewed { entry: 7, ts: i64::MAX, persons }
}

fn release(world: &mut World, order: &Order, quantity: Option<i64>, reviewed: Reviewed) -> HoldOutcome {
    let now = world.now;
    world.gate().release_hold(order.client_order_id, order.session_id, quantity, reviewed, now, now)
}

#[track_caller]
fn decided(outcome: HoldOutcome) -> Decision {
    match outcome {
        HoldOutcome::Decided(decision, approval) => {
            assert_eq!(approval.is_some(), decision.verdict == Verdict::Accept as u8);
            decision
        }
        other => panic!("{other:?}"),
    }
}

fn poll(world: &mut World) -> Vec<Decision> {
    let now = world.now;
    world.gate().poll(now, now).unwrap();
    world.gate().take_resolved()
}

#[test]
fn a_held_order_counts_as_open_and_as_no_exposure_until_it_is_released() {
    let mut world = world();
    let order = held(&mut world);
    assert_eq!((world.gate().open_orders(), world.gate().cell(ES, 1).unwrap().working_buy), (1, 0));
    world.advance(30 * S);
    assert_accepted(&decided(release(&mut world, &order, None, by(1))));
    assert_eq!((world.gate().open_orders(), world.gate().cell(ES, 1).unwrap().working_buy), (1, 200));
    assert_eq!(world.gate().holds().len(), 0);
    assert_eq!(release(&mut world, &order, None, by(1)), HoldOutcome::Unknown, "an order is released once");
}

#[test]
fn a_reviewer_may_lower_the_quantity_and_never_raise_it() {
    let mut world = world();
    let order = held(&mut world);
    for more in [201, 0, -5] {
        assert_eq!(release(&mut world, &order, Some(more), by(2)), HoldOutcome::NotLower);
    }
    let decision = decided(release(&mut world, &order, Some(150), by(1)));
    assert_accepted(&decision);
    assert_eq!((decision.quantity, world.gate().cell(ES, 1).unwrap().working_buy), (150, 150));
}

#[test]
fn a_release_runs_every_other_control_on_present_limits() {
    let mut world = world();
    let order = held(&mut world);
    world.block.position_max_long = 199;
    let block = world.block;
    world.publish_block(block);
    assert_rejected(&decided(release(&mut world, &order, None, by(1))), ReasonCode::PositionExceedsLimit);
    assert_eq!((world.gate().open_orders(), world.gate().holds().len()), (0, 0));
}

#[test]
fn a_second_flag_at_the_release_rejects() {
    let mut world = world();
    let order = held(&mut world);
    world.block.collar_ticks = 1;
    let block = world.block;
    world.publish_block(block);
    let far = QuotesRecord { bid_price: BID - 400 * TICK, ask_price: BID - 399 * TICK, slow_reference: BID - 400 * TICK, ..calm_quotes() };
    world.quotes(far);
    assert_rejected(&decided(release(&mut world, &order, None, by(1))), ReasonCode::PriceOutsideCollar);
}

#[test]
fn a_refusal_rejects_with_its_own_reason() {
    let mut world = world();
    for reason in [ReasonCode::HoldRefused, ReasonCode::ClientDisconnected] {
        let order = held(&mut world);
        let now = world.now;
        let outcome = world.gate().refuse_hold(order.client_order_id, 0, reason, Some(by(1)), now, now);
        assert_rejected(&decided(outcome), reason);
    }
    assert_eq!(world.gate().open_orders(), 0);
}

#[test]
fn a_wait_of_a_minute_is_over() {
    let mut world = world();
    held(&mut world);
    world.advance(60 * S - 1);
    assert_eq!(poll(&mut world), []);
    world.advance(1);
    let over = poll(&mut world);
    assert_eq!(over.len(), 1);
    assert_rejected(&over[0], ReasonCode::HoldExpired);
    assert_eq!((over[0].control, world.gate().open_orders()), (41, 0));
}

#[test]
fn a_kill_ends_every_wait_at_once() {
    let mut world = world();
    held(&mut world);
    world.tables.controls.arm_kill().unwrap();
    let over = poll(&mut world);
    assert_eq!(over.len(), 1);
    assert_rejected(&over[0], ReasonCode::KillSwitch);
}

#[test]
fn a_trip_ends_the_waits_of_its_instrument() {
    let mut world = world();
    held(&mut world);
    let slot = world.instrument_slot();
    world.tables.controls.trip(slot).unwrap();
    let over = poll(&mut world);
    assert_eq!(over.len(), 1);
    assert_rejected(&over[0], ReasonCode::BreakerTripped);
}

#[test]
fn a_large_order_takes_two_persons_and_a_lowered_one_may_not() {
    let mut block = open_static();
    block.max_order_quantity = 100;
    // 150 lots at the bid, 19,200 ticks of 125,000 each.
    let second = 150 * 19_200 * 125_000;
    let mut world = World::with(block, GateOptions { hold_controls: 1 << 12, hold_second_notional: second, ..flat() }, false);
    let order = held(&mut world);
    assert_eq!(release(&mut world, &order, None, by(1)), HoldOutcome::NeedsSecond);
    assert_eq!(release(&mut world, &order, Some(151), by(1)), HoldOutcome::NeedsSecond);
    assert_accepted(&decided(release(&mut world, &order, Some(150), by(1))));
    let order = held(&mut world);
    assert_accepted(&decided(release(&mut world, &order, None, by(2))));
}

#[test]
fn a_client_may_cancel_what_waits() {
    let mut world = world();
    let order = held(&mut world);
    assert_accepted(&world.cancel(order.client_order_id));
    assert_eq!(release(&mut world, &order, None, by(2)), HoldOutcome::Unknown);
    assert_eq!((world.gate().open_orders(), world.gate().holds().len()), (0, 0));
}

#[test]
fn an_action_older_than_the_hold_is_about_another_order() {
    let mut world = world();
    let order = held(&mut world);
    let early = Reviewed { ts: world.now - 1, ..by(1) };
    assert_eq!(release(&mut world, &order, None, early), HoldOutcome::Unknown);
    let now = world.now;
    assert_eq!(world.gate().refuse_hold(order.client_order_id, 0, ReasonCode::HoldRefused, Some(early), now, now), HoldOutcome::Unknown);
}

#[test]
fn waits_and_their_ends_survive_a_kill_of_the_process() {
    let mut world = world();
    let (first, second) = (held(&mut world), held(&mut world));
    assert_accepted(&decided(release(&mut world, &first, Some(120), by(1))));
    world.restart();
    assert_eq!(world.gate().holds().iter().map(|h| h.order).collect::<Vec<_>>(), [second]);
    assert_eq!((world.gate().open_orders(), world.gate().cell(ES, 1).unwrap().working_buy), (2, 120));
    world.advance(60 * S);
    let over = poll(&mut world);
    assert_eq!(over.len(), 1, "the clock of the wait went on");
    world.restart();
    assert_eq!((world.gate().open_orders(), world.gate().holds().len()), (1, 0));
    assert_rejected(&world.decide(&second), ReasonCode::DuplicateClientOrderId);
}

#[test]
fn more_than_can_be_reviewed_are_refused() {
    let mut world = world();
    for _ in 0..MOST_HELD {
        held(&mut world);
    }
    assert_rejected(&world.new_order(Side::BUY, 200, BID), ReasonCode::HoldRefused);
    assert_eq!(world.gate().holds().len(), MOST_HELD);
}

#[test]
fn a_wait_is_bounded_and_the_bounds_are_checked() {
    for (timeout, second) in [(0, UNLIMITED), (900 * S + 1, UNLIMITED), (60 * S, -1)] {
        let options = GateOptions { hold_timeout_ns: timeout, hold_second_notional: second, ..flat() };
        assert!(options.problem().unwrap().contains("hold_timeout_ns"));
    }
}
