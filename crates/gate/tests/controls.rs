// SPDX-License-Identifier: Apache-2.0
//! Each control: a generated order makes it fire, alone, and tightening that one limit alone is enough (S10).
mod world;
use pretrade_gate::{GateOptions, VenueKind};
use pretrade_records::order::POST_ONLY;
use pretrade_records::units::{PRICE_SCALE, UNDEFINED_PRICE};
use pretrade_records::{Action, Order, OrderType, Phase, QuotesRecord, ReasonCode, Side, TimeInForce, Unit, Verdict};
use pretrade_shm::{ControlsRecord, Level, ParameterBlock};
use world::*;

/// The order of the table below: buy 10 at the bid.
fn probe(world: &mut World) -> Order {
    world.order(Side::BUY, 10, BID)
}

fn fires(name: &str, expected: ReasonCode, order: impl Fn(&mut World) -> Order, tighten: impl Fn(&mut World)) {
    let mut world = World::new();
    let o = order(&mut world);
    let before = world.decide(&o);
    assert_eq!(before.verdict, Verdict::Accept as u8, "{name}: passes while nothing is tightened");
    let mut world = World::new();
    tighten(&mut world);
    let o = order(&mut world);
    let after = world.decide(&o);
    assert_eq!((reason(&after), after.verdict), (expected, Verdict::Reject as u8), "{name}: the one change is enough");
}

fn tighter(change: impl Fn(&mut ParameterBlock)) -> impl Fn(&mut World) {
    move |world: &mut World| {
        let mut block = world.block;
        change(&mut block);
        world.publish_block(block);
    }
}

fn quoted(change: impl Fn(&mut QuotesRecord)) -> impl Fn(&mut World) {
    move |world: &mut World| {
        let mut quotes = calm_quotes();
        change(&mut quotes);
        world.quotes(quotes);
    }
}

fn market_buy(world: &mut World) -> Order {
    Order { order_type: OrderType::Market as u8, time_in_force: TimeInForce::ImmediateOrCancel as u8, ..world.order(Side::BUY, 10, UNDEFINED_PRICE) }
}

fn aggressive_buy(world: &mut World) -> Order {
    world.order(Side::BUY, 10, ASK)
}

#[test]
fn calibrated_limits_fire_alone() {
    fires("12", ReasonCode::OrderExceedsLimit, probe, tighter(|b| b.max_order_quantity = 9));
    // 10 lots x 19,200 ticks x 12.5 = 2,400,000.0000
    fires("13", ReasonCode::NotionalExceedsLimit, probe, tighter(|b| b.max_order_notional = 24_000_000_000 - 1));
    fires("14 depth", ReasonCode::SizeExceedsLiquidity, probe, tighter(|b| b.max_depth_share_ppm = 9_999));
    fires("14 volume", ReasonCode::SizeExceedsLiquidity, probe, tighter(|b| b.max_volume_share_ppm = 999));
    fires("14 daily volume", ReasonCode::SizeExceedsLiquidity, probe, tighter(|b| b.max_adv_share_ppm = 9));
    fires("15 ticks", ReasonCode::PriceOutsideCollar, aggressive_buy, tighter(|b| b.collar_ticks = 0));
    fires("15 ppm", ReasonCode::PriceOutsideCollar, aggressive_buy, tighter(|b| b.collar_ppm = 52));
    fires("15 market", ReasonCode::PriceOutsideCollar, market_buy, tighter(|b| b.collar_ticks = 0));
    fires("16", ReasonCode::PriceInsideStandoff, probe, tighter(|b| b.passive_standoff_ticks = 1));
    fires("17 short", ReasonCode::PriceDrift, aggressive_buy, tighter(|b| b.drift_short_ticks = 0));
    fires("17 long", ReasonCode::PriceDrift, market_buy, tighter(|b| b.drift_long_ticks = 0));
    fires("18", ReasonCode::PositionExceedsLimit, probe, tighter(|b| b.position_max_long = 9));
    fires("24", ReasonCode::MessageRate, probe, tighter(|b| b.rate_new_per_s = 0));
}

#[test]
fn a_sell_is_held_against_the_short_side() {
    let sell = |world: &mut World| world.order(Side::SELL, 10, ASK);
    fires("18 short", ReasonCode::PositionExceedsLimit, sell, tighter(|b| b.position_max_short = 9));
    fires("16 sell", ReasonCode::PriceInsideStandoff, sell, tighter(|b| b.passive_standoff_ticks = 1));
    let crossing = |world: &mut World| world.order(Side::SELL, 10, BID - 2 * TICK);
    fires("15 sell", ReasonCode::PriceOutsideCollar, crossing, tighter(|b| b.collar_ticks = 1));
    fires("17 sell", ReasonCode::PriceDrift, crossing, tighter(|b| b.drift_short_ticks = 1));
    // A sell far below the bid is valued at the bid.
    fires("13 sell", ReasonCode::NotionalExceedsLimit, |w| w.order(Side::SELL, 10, BID / 2), tighter(|b| b.max_order_notional = 24_000_000_000 - 1));
}

#[test]
fn quotes_fire_alone() {
    fires("7", ReasonCode::PhaseNotPermitted, probe, quoted(|q| q.phase = Phase::Closed as u8));
    fires("7 unknown", ReasonCode::PhaseNotPermitted, probe, quoted(|q| q.phase = 0));
    fires("7 auction", ReasonCode::PhaseNotPermitted, market_buy, quoted(|q| q.phase = Phase::Auction as u8));
    fires("11 bid", ReasonCode::ReferencePriceMissing, probe, quoted(|q| q.bid_price = UNDEFINED_PRICE));
    fires("11 slow", ReasonCode::ReferencePriceMissing, probe, quoted(|q| q.slow_reference = UNDEFINED_PRICE));
    fires("11 crossed", ReasonCode::ReferencePriceMissing, probe, quoted(|q| q.bid_price = ASK + TICK));
    fires("11 unsound", ReasonCode::ReferencePriceMissing, probe, quoted(|q| q.feed_state = pretrade_records::FeedState::GAP));
    let age = |world: &mut World| {
        world.now += S + 1;
        world.tables.limits.heartbeat(0, world.now, world.now).unwrap();
    };
    fires("11 old", ReasonCode::ReferencePriceMissing, probe, age);
    let bounded = |world: &mut World| {
        tighter(|b| b.drift_long_ticks = 1_000)(world);
        quoted(|q| q.mid_5m = UNDEFINED_PRICE)(world);
    };
    fires("17 missing", ReasonCode::InputMissing, aggressive_buy, bounded);
    let bounded = |world: &mut World| {
        tighter(|b| b.max_adv_share_ppm = 900_000)(world);
        quoted(|q| q.adv = 0)(world);
    };
    fires("14 missing", ReasonCode::InputMissing, probe, bounded);
}

#[test]
fn humans_fire_alone() {
    fires("1", ReasonCode::KillSwitch, probe, |w| {
        w.tables.controls.arm_kill().unwrap();
    });
    for (level, id) in [(Level::Account, 1), (Level::Strategy, 1), (Level::Firm, 0)] {
        fires("1 by row", ReasonCode::KillSwitch, probe, move |w| {
            let slot = w.tables.controls.row(level, id).unwrap();
            w.tables.controls.arm_row_kill(slot).unwrap();
        });
    }
    fires("2", ReasonCode::BreakerTripped, probe, |w| {
        w.tables.controls.trip(w.instrument_slot()).unwrap();
    });
    fires("3", ReasonCode::ReduceOnly, probe, |w| w.tables.controls.set_reduce_only(w.instrument_slot(), true).unwrap());
    fires("5", ReasonCode::PartyNotAuthorised, probe, |w| w.put(ControlsRecord { flags: 0, ..level_row(Level::Account, 1) }));
    fires("6", ReasonCode::InstrumentNotPermitted, probe, |w| w.put(ControlsRecord { flags: 0, ..instrument_row(w.block) }));
    fires("9", ReasonCode::LimitsInvalid, probe, |w| {
        let mut block = w.block;
        block.valid_mask &= !1;
        w.put(instrument_row(block));
    });
    for (level, id) in [(Level::Account, 1), (Level::Strategy, 1), (Level::Firm, 0)] {
        for (i, p) in level.parameters().iter().enumerate() {
            fires(&format!("9 by {} without {}", level.name(), p.name()), ReasonCode::LimitsInvalid, probe, move |w| {
                let mut row = level_row(level, id);
                row.static_limits.valid_mask &= !(1 << level.parameters()[i] as u32);
                w.put(row);
            });
        }
    }
    fires("28", ReasonCode::OpenOrdersExceedLimit, probe, |w| w.put(ControlsRecord { open_orders_limit: 0, ..instrument_row(w.block) }));
    fires("12 by account", ReasonCode::OrderExceedsLimit, probe, |w| {
        let mut row = level_row(Level::Account, 1);
        pretrade_gate::setup::set_parameter(&mut row.static_limits, pretrade_records::parameter::Parameter::MaxOrderQuantity, 9);
        w.put(row);
    });
}

#[test]
fn malformed_orders_are_refused() {
    let changed = |change: fn(&mut Order)| {
        let mut world = World::new();
        let mut order = probe(&mut world);
        change(&mut order);
        reason(&world.decide(&order))
    };
    assert_eq!(changed(|o| o.quantity = 0), ReasonCode::IncorrectQuantity);
    assert_eq!(changed(|o| o.quantity = -5), ReasonCode::IncorrectQuantity);
    assert_eq!(changed(|o| o.price += 1), ReasonCode::InvalidPriceIncrement);
    assert_eq!(changed(|o| o.price = -TICK), ReasonCode::InvalidPriceIncrement);
    assert_eq!(changed(|o| o.price = 0), ReasonCode::InvalidPriceIncrement);
    assert_eq!(changed(|o| o.side = 0), ReasonCode::UnsupportedOrder);
    assert_eq!(changed(|o| o.order_type = 9), ReasonCode::UnsupportedOrder);
    assert_eq!(changed(|o| o.time_in_force = 5), ReasonCode::UnsupportedOrder);
    assert_eq!(changed(|o| (o.flags, o.time_in_force) = (POST_ONLY, TimeInForce::FillOrKill as u8)), ReasonCode::UnsupportedOrder);
    assert_eq!(changed(|o| o.instrument_id = 77), ReasonCode::UnknownInstrument);
    assert_eq!(changed(|o| o.instrument_id = u32::MAX), ReasonCode::UnknownInstrument);
    assert_eq!(changed(|o| o.account_id = 77), ReasonCode::PartyNotAuthorised);
    assert_eq!(changed(|o| o.ts_event -= 6 * S), ReasonCode::StaleOrder);
    assert_eq!(changed(|o| o.ts_event += 6 * S), ReasonCode::StaleOrder);
    assert_eq!(changed(|o| o.action = 9), ReasonCode::UnsupportedOrder);
}

#[test]
fn negative_prices_pass_where_the_class_allows_them() {
    let mut world = World::new();
    let row = instrument_row(world.block);
    world.put(ControlsRecord { flags: row.flags | pretrade_shm::controls::row_flags::ALLOW_NEGATIVE_PRICE, ..row });
    assert_accepted(&world.new_order(Side::BUY, 1, -37 * PRICE_SCALE));
}

#[test]
fn ten_times_the_market_is_refused_by_the_collar_and_the_sum_of_everything_by_the_notional() {
    let mut block = open_static();
    block.collar_ppm = 50_000;
    let mut world = World::with(block, flat(), false);
    let decision = world.new_order(Side::BUY, 1, 10 * BID);
    assert_rejected(&decision, ReasonCode::PriceOutsideCollar);
    assert_eq!((decision.measured, decision.unit, decision.control), (10 * BID, Unit::Price as u8, 15));
    let mut block = open_static();
    block.max_order_notional = i64::MAX - 1;
    let mut world = World::with(block, flat(), false);
    assert_rejected(&world.new_order(Side::BUY, i64::MAX, BID), ReasonCode::NotionalExceedsLimit);
}

#[test]
fn the_rate_passes_exactly_its_number_and_every_cancel() {
    let mut block = open_static();
    block.rate_new_per_s = 100;
    let options = GateOptions { duplicate_window_ns: 0, ..flat() };
    let mut world = World::with(block, options, false);
    let decisions: Vec<_> = (0..150).map(|_| world.new_order(Side::BUY, 1, BID)).collect();
    let accepted: Vec<_> = decisions.iter().filter(|d| d.verdict == Verdict::Accept as u8).map(|d| d.client_order_id).collect();
    assert_eq!(accepted.len(), 100);
    assert!(decisions[100..].iter().all(|d| reason(d) == ReasonCode::MessageRate && d.limit == 100 && d.measured == 101));
    for id in accepted {
        assert_accepted(&world.cancel(id));
    }
}

#[test]
fn equal_orders_beyond_the_count_inside_the_window_are_repeated_and_spaced_ones_pass_all_day() {
    let mut world = World::new();
    let decisions: Vec<_> = (0..6).map(|_| reason(&world.new_order(Side::BUY, 1, BID))).collect();
    assert_eq!(decisions, [[ReasonCode::None; 5].as_slice(), &[ReasonCode::DuplicateOrder]].concat());
    for _ in 0..500 {
        world.advance(50 * S / 1_000);
        assert_accepted(&world.new_order(Side::BUY, 1, BID));
    }
}

#[test]
fn a_repeated_client_order_id_is_refused_whatever_the_first_decision_was() {
    let mut world = World::new();
    let first = world.order(Side::BUY, 0, BID);
    assert_rejected(&world.decide(&first), ReasonCode::IncorrectQuantity);
    assert_rejected(&world.decide(&Order { quantity: 1, ..first }), ReasonCode::DuplicateClientOrderId);
    assert_accepted(&world.decide(&Order { quantity: 1, session_id: 7, ..first }));
}

#[test]
fn a_hold_type_breach_holds_unless_a_hard_one_follows() {
    let options = GateOptions { hold_controls: 1 << 12, ..flat() };
    let mut block = open_static();
    block.max_order_quantity = 9;
    let mut world = World::with(block, options, false);
    let held = world.new_order(Side::BUY, 10, BID);
    assert_eq!((held.verdict, reason(&held)), (Verdict::Hold as u8, ReasonCode::OrderExceedsLimit));
    assert_eq!(world.gate().open_orders(), 1, "a held order counts as open");
    assert_eq!(world.gate().cell(ES, 1).unwrap().working_buy, 0, "and is no exposure");
    block.position_max_long = 9;
    world.publish_block(block);
    assert_rejected(&world.new_order(Side::BUY, 10, BID), ReasonCode::PositionExceedsLimit);
    assert_accepted(&world.cancel(held.client_order_id));
    assert_eq!(world.gate().open_orders(), 0);
}

#[test]
fn the_order_that_breaks_the_sum_is_refused_and_ledgers_move_on_accept_only() {
    let mut block = open_static();
    block.position_max_long = 95;
    let mut world = World::with(block, GateOptions { duplicate_window_ns: 0, ..flat() }, false);
    for i in 0..20 {
        let decision = world.new_order(Side::BUY, 5, BID);
        if i < 19 { assert_accepted(&decision) } else { assert_rejected(&decision, ReasonCode::PositionExceedsLimit) }
    }
    let cell = world.gate().cell(ES, 1).unwrap();
    assert_eq!((cell.working_buy, world.gate().open_orders()), (95, 19));
    // Another account is bound by the instrument's sum.
    let order = Order { account_id: 2, ..world.order(Side::BUY, 1, BID) };
    assert_rejected(&world.decide(&order), ReasonCode::PositionExceedsLimit);
    assert!(world.venue(VenueKind::Cancelled, 1, 0, 0));
    let order = Order { account_id: 2, ..world.order(Side::BUY, 5, BID) };
    assert_accepted(&world.decide(&order));
}

#[test]
fn a_cancel_of_an_unknown_order_is_answered_no_and_a_replace_too() {
    let mut world = World::new();
    assert_rejected(&world.cancel(404), ReasonCode::UnknownOrder);
    assert_rejected(&world.replace(404, Side::BUY, 1, BID), ReasonCode::UnknownOrder);
    let order = world.order(Side::BUY, 5, BID);
    assert_accepted(&world.decide(&order));
    assert_rejected(&world.replace(order.client_order_id, Side::SELL, 1, BID), ReasonCode::UnknownOrder);
    assert_eq!(Action::Replace as u8, 2);
}
