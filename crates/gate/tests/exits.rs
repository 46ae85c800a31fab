// SPDX-License-Identifier: Apache-2.0
//! Control 4: what an exit ticket lets through, what it never does, and that it is good once.
mod world;
use pretrade_gate::checks::passed_as;
use pretrade_gate::{GateOptions, VenueKind, VenueMessage};
use pretrade_records::order::EXIT_TICKET;
use pretrade_records::units::UNDEFINED_PRICE;
use pretrade_records::{Action, Decision, LevelLimit, Order, Phase, ReasonCode, Side, Verdict};
use pretrade_shm::{ControlsRecord, Level};
use world::*;

const TICKET: u64 = 40;

fn ticket(world: &World, changes: &str) -> String {
    let until = world.now + 60 * S;
    let mut words = vec![
        format!("id={TICKET}"),
        "gateway=0".into(),
        "account=1".into(),
        format!("instrument={ES}"),
        "side=2".into(),
        "quantity=500".into(),
        format!("price={}", BID - 10 * TICK),
        "kill=0".into(),
        "persons=1".into(),
        format!("until={until}"),
    ];
    for change in changes.split_whitespace() {
        let name = change.split('=').next().unwrap();
        let place = words.iter().position(|w| w.split('=').next() == Some(name)).unwrap();
        words[place] = change.to_owned();
    }
    format!("ticket {}\n", words.join(" "))
}

/// Long 500, breaker tripped, one ticket changed so.
fn tripped(changes: &str) -> World {
    let mut world = World::with(open_static(), GateOptions { duplicate_window_ns: 0, ..flat() }, true);
    world.hold(500);
    let slot = world.instrument_slot();
    world.tables.controls.trip(slot).unwrap();
    let line = ticket(&world, changes);
    world.annex(41, &line);
    world
}

fn exit(world: &mut World, quantity: i64, price: i64) -> Order {
    let order = world.order(Side::SELL, quantity, price);
    Order { flags: EXIT_TICKET, original_client_order_id: TICKET, ..order }
}

fn leave(world: &mut World, quantity: i64) -> Decision {
    let order = exit(world, quantity, BID);
    world.decide(&order)
}

#[test]
fn a_ticket_passes_a_breaker_once_and_the_same_order_without_one_does_not() {
    let mut world = tripped("");
    assert_rejected(&world.new_order(Side::SELL, 500, BID), ReasonCode::BreakerTripped);
    let decision = leave(&mut world, 500);
    assert_accepted(&decision);
    assert_eq!(decision.passed_as, passed_as::EXIT);
    assert_eq!(world.gate().cell(ES, 1).unwrap().working_sell, 500);
    assert!(world.venue(VenueKind::Cancelled, decision.client_order_id, 0, 0));
    assert_rejected(&leave(&mut world, 500), ReasonCode::ExitNotVerified);
    world.restart();
    assert_rejected(&leave(&mut world, 1), ReasonCode::ExitNotVerified);
}

#[test]
fn a_ticket_issued_before_a_restart_is_good_after_it_and_a_refused_order_spends_none() {
    let mut world = tripped("");
    assert_rejected(&leave(&mut world, 501), ReasonCode::ExitNotVerified);
    world.restart();
    assert_accepted(&leave(&mut world, 500));
}

#[test]
fn outside_its_own_bounds_a_ticket_is_good_for_nothing() {
    for (what, changes) in [
        ("another number", "id=39"),
        ("another gateway", "gateway=1"),
        ("another account", "account=2"),
        ("another instrument", "instrument=2"),
        ("the other side", "side=1"),
        ("a smaller quantity", "quantity=499"),
        ("a higher price", &format!("price={}", BID + 1)),
        ("over since a moment", &format!("until={}", T0 - 1)),
        ("good for more than 15 minutes", &format!("until={}", T0 + 902 * S)),
    ] {
        let mut world = tripped(changes);
        let refused = leave(&mut world, 500);
        assert_eq!((reason(&refused), refused.control), (ReasonCode::ExitNotVerified, 4), "{what}");
    }
    assert_accepted(&leave(&mut tripped(&format!("quantity=500 price={BID}")), 500));
}

#[test]
fn what_enlarges_or_flips_is_no_exit() {
    let mut world = tripped("quantity=900");
    let refused = leave(&mut world, 501);
    assert_rejected(&refused, ReasonCode::ExitNotVerified);
    world.hold(0);
    assert_rejected(&leave(&mut world, 1), ReasonCode::ExitNotVerified);
    world.hold(-5);
    assert_rejected(&leave(&mut world, 1), ReasonCode::ExitNotVerified);
    world.hold(901);
    assert_accepted(&leave(&mut world, 900));
}

#[test]
fn a_position_nobody_knows_takes_two_persons() {
    for (persons, verdict) in [(1, Verdict::Reject), (2, Verdict::Accept)] {
        let mut world = tripped(&format!("persons={persons}"));
        let now = world.now;
        // A fill whose side nobody says: the position can no longer be trusted.
        let lost = VenueMessage {
            kind: VenueKind::Filled as u8,
            client_order_id: 9_999,
            instrument_id: ES,
            account_id: 1,
            quantity: 1,
            ..Default::default()
        };
        world.gate().on_venue(&lost, now, now);
        assert_eq!(world.gate().position(ES, 1), None);
        assert_rejected(&world.new_order(Side::SELL, 1, BID), ReasonCode::BreakerTripped);
        assert_eq!(leave(&mut world, 500).verdict, verdict as u8, "{persons}");
    }
}

#[test]
fn a_kill_is_passed_only_where_the_ticket_names_it() {
    let mut world = tripped("kill=1");
    assert_eq!(world.tables.controls.arm_kill().unwrap(), 1);
    assert_rejected(&world.new_order(Side::SELL, 1, BID), ReasonCode::KillSwitch);
    let slot = world.tables.controls.row(Level::Account, 1).unwrap();
    assert_eq!(world.tables.controls.arm_row_kill(slot).unwrap(), 2);
    assert_rejected(&leave(&mut world, 500), ReasonCode::KillSwitch);
    assert!(world.tables.controls.release_row_kill(slot, 2).unwrap());
    assert_accepted(&leave(&mut world, 500));
    let mut world = tripped("kill=0");
    world.tables.controls.arm_kill().unwrap();
    assert_rejected(&leave(&mut world, 500), ReasonCode::KillSwitch);
}

#[test]
fn form_frequency_and_the_record_bind_an_exit_too() {
    let mut world = tripped("");
    let odd = Order { price: BID + 1, ..exit(&mut world, 500, BID) };
    assert_rejected(&world.decide(&odd), ReasonCode::InvalidPriceIncrement);
    let old = Order { ts_event: T0 - 6 * S, ..exit(&mut world, 500, BID) };
    assert_rejected(&world.decide(&old), ReasonCode::StaleOrder);
    let replace = Order { action: Action::Replace as u8, ..exit(&mut world, 500, BID) };
    assert_rejected(&world.decide(&replace), ReasonCode::ExitNotVerified);
    let mut quotes = calm_quotes();
    quotes.phase = Phase::Closed as u8;
    world.quotes(quotes);
    assert_rejected(&leave(&mut world, 500), ReasonCode::PhaseNotPermitted);
    world.quotes(calm_quotes());
    let mut block = world.block;
    block.rate_new_per_s = 0;
    world.publish_block(block);
    assert_rejected(&leave(&mut world, 500), ReasonCode::MessageRate);
    world.publish_block(world.block);
    world.gate().plant_refusal();
    assert_rejected(&leave(&mut world, 500), ReasonCode::AuditUnavailable);
}

#[test]
fn no_limit_no_age_and_no_missing_price_stops_an_exit() {
    let mut world = tripped("");
    let mut block = world.block;
    (block.max_order_quantity, block.max_order_notional, block.collar_ticks) = (1, 1, 0);
    world.publish_block(block);
    let mut row = level_row(Level::Account, 1);
    for limit in [LevelLimit::GrossExposure, LevelLimit::DayQuantity, LevelLimit::Executions, LevelLimit::OrderToTrade, LevelLimit::LossSoft] {
        row.set_level_limit(limit, 0);
    }
    row.open_orders_limit = 0;
    world.put(row);
    let mut quotes = calm_quotes();
    (quotes.bid_price, quotes.ask_price) = (UNDEFINED_PRICE, UNDEFINED_PRICE);
    world.quotes(quotes);
    world.now += 100 * S;
    let line = ticket(&world, "");
    world.annex(42, &line);
    let now = world.now;
    world.gate().poll(now, now).unwrap();
    assert_accepted(&leave(&mut world, 500));
}

#[test]
fn an_account_barred_from_an_instrument_trades_another_and_an_unreadable_list_adds_no_risk() {
    let mut world = World::new();
    assert_accepted(&world.new_order(Side::BUY, 1, BID));
    world.annex(1, &format!("restrict account=1 instrument={ES}\n"));
    let first = world.next_id;
    assert_rejected(&world.new_order(Side::BUY, 1, BID), ReasonCode::InstrumentNotPermitted);
    let other = Order { account_id: 2, ..world.order(Side::BUY, 1, BID) };
    assert_accepted(&world.decide(&other));
    assert_accepted(&world.cancel(first));
    world.annex(2, "");
    assert_accepted(&world.new_order(Side::BUY, 1, BID));
    // The row names one that is not there: what is known stays, and no risk is added.
    world.hold(5);
    world.name_annex(3);
    assert_rejected(&world.new_order(Side::BUY, 1, BID), ReasonCode::InstrumentNotPermitted);
    assert_accepted(&world.new_order(Side::SELL, 5, ASK));
    std::fs::write(&world.files.annex, "pretrade-annex 1 3\ncrc32c 00000000\n").unwrap();
    assert_rejected(&world.new_order(Side::BUY, 1, BID), ReasonCode::InstrumentNotPermitted);
    world.annex(3, "");
    assert_accepted(&world.new_order(Side::BUY, 1, BID));
}

#[test]
fn a_short_sale_bound_does_not_trap_who_leaves_blind() {
    let mut world = tripped("persons=2");
    world.put(ControlsRecord { flags: 2 | 16, ..instrument_row(open_static()) });
    assert_accepted(&leave(&mut world, 500));
}
