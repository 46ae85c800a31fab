// SPDX-License-Identifier: Apache-2.0
//! The controls of level limits: each fires alone by tightening its one limit, survives a restart, and lets reductions pass (S10).
mod world;
use pretrade_gate::{GateOptions, SelfMatch, VenueKind, VenueMessage};
use pretrade_records::units::UNDEFINED_PRICE;
use pretrade_records::{Decision, LevelLimit, Order, OrderType, Phase, ReasonCode, Side, TimeInForce, Unit, Verdict};
use pretrade_shm::{ControlsRecord, Level};
use world::*;

/// Money of one lot at the bid: 19,200 ticks of 12.5.
const LOT: i64 = 19_200 * 125_000;

fn options() -> GateOptions {
    GateOptions { duplicate_window_ns: 0, ..flat() }
}

fn row(level: Level, id: u32) -> ControlsRecord {
    if level == Level::Instrument { instrument_row(open_static()) } else { level_row(level, id) }
}

fn rows() -> Vec<ControlsRecord> {
    let mut session = row(Level::Venue, 0);
    session.set_level_limit(LevelLimit::ParentId, 7);
    let mut trader = row(Level::Trader, 7);
    trader.set_level_limit(LevelLimit::ParentId, 3);
    let mut rows = vec![row(Level::Instrument, ES), session, trader, row(Level::Desk, 3)];
    rows.extend([(Level::Account, 1), (Level::Account, 2), (Level::Strategy, 1), (Level::Firm, 0)].map(|(level, id)| row(level, id)));
    rows
}

fn everyone() -> World {
    World::of(&rows(), open_static(), options(), true)
}

/// Tightens one limit of one row that had none.
fn limit(world: &mut World, level: Level, id: u32, limits: &[(LevelLimit, i64)]) {
    let mut row = rows().into_iter().find(|r| r.level == level as u8 && r.id == id).unwrap();
    for (limit, value) in limits {
        row.set_level_limit(*limit, *value);
    }
    world.put(row);
}

fn buy(world: &mut World) -> Decision {
    world.new_order(Side::BUY, 10, BID)
}

/// An accepted buy of 10 at the bid, filled.
fn bought(world: &mut World) {
    let decision = buy(world);
    assert_accepted(&decision);
    assert!(fill(world, decision.client_order_id, 10, BID));
}

fn fill(world: &mut World, id: u64, quantity: i64, price: i64) -> bool {
    let now = world.now;
    let message = VenueMessage { kind: VenueKind::Filled as u8, client_order_id: id, quantity, price, ..Default::default() };
    world.gate().on_venue(&message, now, now)
}

fn poll(world: &mut World) {
    let now = world.now;
    world.gate().poll(now, now).unwrap();
}

fn nothing(_: &mut World) {}

fn two_sold(world: &mut World) {
    let decision = world.new_order(Side::SELL, 10, ASK);
    assert_accepted(&decision);
    bought(world);
}

fn cancelled(world: &mut World) {
    let decision = buy(world);
    assert_accepted(&world.cancel(decision.client_order_id));
    world.venue(VenueKind::Cancelled, decision.client_order_id, 0, 0);
}

type Before = fn(&mut World);
type Case = (&'static str, ReasonCode, u8, LevelLimit, i64, &'static [(LevelLimit, i64)], &'static [(Level, u32)], Before);

const ABOVE: &[(Level, u32)] =
    &[(Level::Account, 1), (Level::Strategy, 1), (Level::Trader, 7), (Level::Desk, 3), (Level::Venue, 0), (Level::Firm, 0), (Level::Instrument, ES)];
const MONEY: &[(Level, u32)] = &[(Level::Account, 1), (Level::Strategy, 1), (Level::Trader, 7), (Level::Desk, 3), (Level::Firm, 0)];
const ES_ROW: &[(Level, u32)] = &[(Level::Instrument, ES)];
const OWNERS: &[(Level, u32)] = &[(Level::Account, 1), (Level::Firm, 0)];

/// One control a line: the highest value of its one limit at which the next buy of 10 at the bid is refused.
const CASES: &[Case] = &[
    ("19 gross", ReasonCode::ExposureExceedsLimit, 19, LevelLimit::GrossExposure, 20 * LOT - 1, &[], MONEY, bought),
    ("19 gross counts both sides", ReasonCode::ExposureExceedsLimit, 19, LevelLimit::GrossExposure, 30 * LOT, &[], MONEY, two_sold),
    ("19 net", ReasonCode::ExposureExceedsLimit, 19, LevelLimit::NetExposure, 20 * LOT - 1, &[], MONEY, two_sold),
    ("19 credit", ReasonCode::CreditExceedsLimit, 19, LevelLimit::Credit, 20 * LOT - 1, &[], MONEY, bought),
    ("20 day value", ReasonCode::AccumulatedExceedsLimit, 20, LevelLimit::DayValue, 20 * LOT - 1, &[], ABOVE, bought),
    ("20 day quantity", ReasonCode::AccumulatedExceedsLimit, 20, LevelLimit::DayQuantity, 19, &[], ABOVE, bought),
    ("20 day orders", ReasonCode::AccumulatedExceedsLimit, 20, LevelLimit::DayOrders, 1, &[], ABOVE, bought),
    ("20 day cancels", ReasonCode::AccumulatedExceedsLimit, 20, LevelLimit::DayCancels, 0, &[], ABOVE, cancelled),
    ("20 day trades", ReasonCode::AccumulatedExceedsLimit, 20, LevelLimit::DayTrades, 0, &[], ABOVE, bought),
    ("20 window value", ReasonCode::AccumulatedExceedsLimit, 20, LevelLimit::WindowValue, 20 * LOT - 1, &[], ABOVE, bought),
    ("20 window quantity", ReasonCode::AccumulatedExceedsLimit, 20, LevelLimit::WindowQuantity, 19, &[], ABOVE, bought),
    ("20 window orders", ReasonCode::AccumulatedExceedsLimit, 20, LevelLimit::WindowOrders, 1, &[], ABOVE, bought),
    ("20 window cancels", ReasonCode::AccumulatedExceedsLimit, 20, LevelLimit::WindowCancels, 0, &[], ABOVE, cancelled),
    ("20 window trades", ReasonCode::AccumulatedExceedsLimit, 20, LevelLimit::WindowTrades, 0, &[], ABOVE, bought),
    ("24 per minute", ReasonCode::MessageRate, 24, LevelLimit::RateNewPerMin, 1, &[], ABOVE, bought),
    ("29", ReasonCode::OrderToTradeRatio, 29, LevelLimit::OrderToTrade, 2, &[(LevelLimit::OrderToTradeMessages, 3)], ABOVE, cancelled),
    ("21", ReasonCode::InsufficientMargin, 21, LevelLimit::Margin, 1_999, &[], &[(Level::Account, 1)], bought),
    ("22", ReasonCode::ConcentrationExceedsLimit, 22, LevelLimit::Concentration, 20 * LOT - 1, &[], OWNERS, bought),
    ("8 least", ReasonCode::IncorrectQuantity, 8, LevelLimit::MinQuantity, 11, &[], ES_ROW, nothing),
    ("8 most", ReasonCode::IncorrectQuantity, 8, LevelLimit::MaxQuantity, 9, &[], ES_ROW, nothing),
];

/// With margin 21 the instrument says what a lot needs.
fn prepared(case: &Case) -> World {
    let mut world = everyone();
    if case.3 == LevelLimit::Margin {
        limit(&mut world, Level::Instrument, ES, &[(LevelLimit::MarginPerLot, 100)]);
    }
    world
}

#[test]
fn each_limit_fires_alone_at_every_level_it_has() {
    for case in CASES {
        let (name, expected, control, which, value, beside, levels, before) = *case;
        let looser = if which == LevelLimit::MinQuantity { value - 1 } else { value + 1 };
        for &(level, id) in levels {
            for (bound, is_refused) in [(value, true), (looser, false)] {
                // Gross of both sides: one unit more is still too little where the value says so.
                let bound = if is_refused || control != 19 || value != 30 * LOT { bound } else { 31 * LOT };
                let mut world = prepared(case);
                let mut limits = beside.to_vec();
                limits.push((which, bound));
                // A bucket without a bound spends nothing: a rate is there from the first order.
                let open = if which == LevelLimit::MinQuantity { 0 } else { i64::MAX };
                limit(&mut world, level, id, &[(which, if which == LevelLimit::RateNewPerMin { bound } else { open })]);
                before(&mut world);
                limit(&mut world, level, id, &limits);
                let decision = buy(&mut world);
                let at = format!("{name} at {} with {bound}", level.name());
                if is_refused {
                    assert_eq!((reason(&decision), decision.control, decision.verdict), (expected, control, Verdict::Reject as u8), "{at}");
                    assert!(decision.unit != Unit::None as u8 && decision.measured != decision.limit, "{at}: {decision:?}");
                } else {
                    assert_eq!(reason(&decision), ReasonCode::None, "{at}");
                }
            }
        }
    }
}

#[test]
fn limits_of_the_levels_above_bind_as_those_of_the_account_do() {
    use pretrade_gate::setup::set_parameter;
    use pretrade_records::parameter::Parameter;
    for (level, id) in [(Level::Trader, 7), (Level::Desk, 3), (Level::Venue, 0)] {
        let tighten = |change: fn(&mut ControlsRecord)| {
            let mut world = everyone();
            assert_accepted(&buy(&mut world));
            let mut row = rows().into_iter().find(|r| r.level == level as u8 && r.id == id).unwrap();
            change(&mut row);
            world.put(row);
            reason(&buy(&mut world))
        };
        assert_eq!(tighten(|_| ()), ReasonCode::None);
        assert_eq!(
            tighten(|r| set_parameter(&mut r.static_limits, Parameter::MaxOrderQuantity, 9)),
            ReasonCode::OrderExceedsLimit,
            "{}",
            level.name()
        );
        assert_eq!(tighten(|r| set_parameter(&mut r.static_limits, Parameter::MaxOrderNotional, 1)), ReasonCode::NotionalExceedsLimit);
        assert_eq!(tighten(|r| set_parameter(&mut r.static_limits, Parameter::RateNewPerS, 0)), ReasonCode::MessageRate);
        assert_eq!(tighten(|r| r.open_orders_limit = 1), ReasonCode::OpenOrdersExceedLimit);
        assert_eq!(tighten(|r| r.flags = 0), ReasonCode::PartyNotAuthorised);
        assert_eq!(tighten(|r| r.static_limits.valid_mask &= !1), ReasonCode::LimitsInvalid);
        let mut world = everyone();
        world.tables.controls.arm_row_kill(world.tables.controls.row(level, id).unwrap()).unwrap();
        assert_rejected(&buy(&mut world), ReasonCode::KillSwitch);
        let mut world = everyone();
        world.tables.controls.set_reduce_only(world.tables.controls.row(level, id).unwrap(), true).unwrap();
        assert_rejected(&buy(&mut world), ReasonCode::ReduceOnly);
    }
    let mut world = everyone();
    let stranger = Order { session_id: 99, ..world.order(Side::BUY, 10, BID) };
    assert_rejected(&world.decide(&stranger), ReasonCode::PartyNotAuthorised);
}

#[test]
fn the_rate_of_a_session_is_spent_and_its_orders_are_counted_until_they_end() {
    let mut world = everyone();
    limit(&mut world, Level::Desk, 3, &[]);
    let mut desk = row(Level::Desk, 3);
    desk.open_orders_limit = 2;
    world.put(desk);
    let first = buy(&mut world);
    assert_accepted(&buy(&mut world));
    assert_rejected(&buy(&mut world), ReasonCode::OpenOrdersExceedLimit);
    world.venue(VenueKind::Cancelled, first.client_order_id, 0, 0);
    assert_accepted(&buy(&mut world));
}

#[test]
fn a_verified_reduction_passes_exposure_counters_margin_and_losses() {
    for which in [
        LevelLimit::GrossExposure,
        LevelLimit::NetExposure,
        LevelLimit::Credit,
        LevelLimit::DayValue,
        LevelLimit::WindowOrders,
        LevelLimit::Margin,
        LevelLimit::Concentration,
        LevelLimit::OrderToTrade,
        LevelLimit::LossSoft,
    ] {
        let mut world = everyone();
        bought(&mut world);
        limit(&mut world, Level::Account, 1, &[(which, 0)]);
        poll(&mut world);
        let sold = world.new_order(Side::SELL, 10, ASK);
        assert_eq!((reason(&sold), sold.passed_as), (ReasonCode::None, 1), "{}", which.name());
    }
}

#[test]
fn ten_small_orders_are_not_the_way_round_a_large_one() {
    let mut world = everyone();
    limit(&mut world, Level::Account, 1, &[(LevelLimit::WindowQuantity, 200), (LevelLimit::WindowMs, 1_600)]);
    let passed = (0..10).filter(|_| world.new_order(Side::BUY, 50, BID).verdict == Verdict::Accept as u8).count();
    assert_eq!(passed, 4);
    world.advance(1_600_000_000);
    assert_rejected(&world.new_order(Side::BUY, 50, BID), ReasonCode::AccumulatedExceedsLimit);
    world.advance(100_000_000);
    assert_accepted(&world.new_order(Side::BUY, 50, BID));
}

#[test]
fn the_day_ends_when_the_session_begins_and_not_by_a_restart() {
    let mut world = everyone();
    world.options.session_start_ns = 3_600 * S;
    world.restart();
    limit(&mut world, Level::Firm, 0, &[(LevelLimit::DayOrders, 2)]);
    assert_accepted(&buy(&mut world));
    world.restart();
    assert_accepted(&buy(&mut world));
    world.restart();
    assert_rejected(&buy(&mut world), ReasonCode::AccumulatedExceedsLimit);
    // T0 is 1,000 s after midnight: the session that begins at one o'clock is 2,600 s away.
    world.advance(2_599 * S);
    assert_rejected(&buy(&mut world), ReasonCode::AccumulatedExceedsLimit);
    world.advance(S);
    assert_accepted(&buy(&mut world));
}

#[test]
fn a_strategy_that_executed_too_often_waits_for_a_human_also_over_a_restart() {
    let mut world = everyone();
    limit(&mut world, Level::Strategy, 1, &[(LevelLimit::Executions, 2)]);
    bought(&mut world);
    bought(&mut world);
    let refused = buy(&mut world);
    assert_rejected(&refused, ReasonCode::ExecutionThrottle);
    assert_eq!((refused.control, refused.measured, refused.limit), (25, 2, 2));
    // A reduction is refused too: automated trading waits.
    assert_rejected(&world.new_order(Side::SELL, 5, ASK), ReasonCode::ExecutionThrottle);
    world.restart();
    assert_rejected(&buy(&mut world), ReasonCode::ExecutionThrottle);
    let mut resumed = row(Level::Strategy, 1);
    resumed.set_level_limit(LevelLimit::Executions, 2);
    resumed.resumed_gateway = world.gate().party(Level::Strategy, 1).unwrap().latch.id;
    world.put(resumed);
    bought(&mut world);
    bought(&mut world);
    assert_rejected(&buy(&mut world), ReasonCode::ExecutionThrottle);
    assert_eq!(world.gate().party(Level::Strategy, 1).unwrap().latch.id, resumed.resumed_gateway + 1, "a new stop has a new id");
}

#[test]
fn an_own_resting_order_is_not_traded_with() {
    let mut world = everyone();
    world.options.self_match = SelfMatch::Account;
    world.restart();
    let resting = world.new_order(Side::SELL, 10, ASK);
    assert_accepted(&resting);
    assert_accepted(&buy(&mut world));
    let refused = world.new_order(Side::BUY, 1, ASK);
    assert_rejected(&refused, ReasonCode::SelfMatch);
    assert_eq!((refused.control, refused.measured, refused.limit), (30, ASK, ASK));
    let market = Order {
        order_type: OrderType::Market as u8,
        time_in_force: TimeInForce::ImmediateOrCancel as u8,
        ..world.order(Side::BUY, 1, UNDEFINED_PRICE)
    };
    assert_rejected(&world.decide(&market), ReasonCode::SelfMatch);
    world.restart();
    assert_rejected(&world.new_order(Side::BUY, 1, ASK), ReasonCode::SelfMatch);
    // Another account's order is its own business, unless the whole firm is one owner.
    let other = Order { account_id: 2, ..world.order(Side::BUY, 1, ASK) };
    assert_accepted(&world.decide(&other));
    world.options.self_match = SelfMatch::Firm;
    world.restart();
    let other = Order { account_id: 2, ..world.order(Side::BUY, 1, ASK) };
    assert_rejected(&world.decide(&other), ReasonCode::SelfMatch);
    // A replace that is pending may rest at either price.
    assert_accepted(&world.replace(resting.client_order_id, Side::SELL, 10, ASK + TICK));
    assert_rejected(&world.new_order(Side::BUY, 1, ASK), ReasonCode::SelfMatch);
    let replace = world.next_id - 1;
    assert!(world.venue(VenueKind::Replaced, replace, resting.client_order_id, 0));
    assert_accepted(&world.new_order(Side::BUY, 1, ASK));
    world.venue(VenueKind::Cancelled, replace, 0, 0);
    assert_accepted(&world.new_order(Side::BUY, 1, ASK + TICK));
    // Nor is one that a pending replace brings nearer.
    let resting = world.new_order(Side::SELL, 10, ASK + 5 * TICK);
    assert_accepted(&world.replace(resting.client_order_id, Side::SELL, 10, ASK + 3 * TICK));
    assert_rejected(&world.new_order(Side::BUY, 1, ASK + 3 * TICK), ReasonCode::SelfMatch);
}

#[test]
fn a_warning_comes_before_a_refusal_and_refuses_nothing() {
    let mut world = everyone();
    limit(&mut world, Level::Account, 1, &[(LevelLimit::GrossExposure, 40 * LOT), (LevelLimit::SoftLimitPpm, 700_000)]);
    let warnings: Vec<_> = (0..5).map(|_| buy(&mut world)).map(|d| (d.warning, reason(&d))).collect();
    let (none, warned) = ((0, ReasonCode::None), (19, ReasonCode::None));
    assert_eq!(warnings, [none, none, warned, warned, (0, ReasonCode::ExposureExceedsLimit)]);
}

#[test]
fn an_auction_has_its_own_maximum() {
    let mut world = everyone();
    limit(&mut world, Level::Instrument, ES, &[(LevelLimit::AuctionQuantity, 9)]);
    assert_accepted(&buy(&mut world));
    let mut quotes = calm_quotes();
    quotes.phase = Phase::Auction as u8;
    world.quotes(quotes);
    assert_rejected(&buy(&mut world), ReasonCode::PhaseNotPermitted);
    limit(&mut world, Level::Instrument, ES, &[(LevelLimit::AuctionValue, 10 * LOT - 1)]);
    assert_rejected(&buy(&mut world), ReasonCode::PhaseNotPermitted);
    limit(&mut world, Level::Instrument, ES, &[(LevelLimit::AuctionValue, 10 * LOT)]);
    assert_accepted(&buy(&mut world));
}

#[test]
fn a_missing_input_is_named_and_refuses() {
    // No margin of the instrument, no price of a stated position.
    let mut world = everyone();
    limit(&mut world, Level::Account, 1, &[(LevelLimit::Margin, 1_000_000)]);
    let refused = buy(&mut world);
    assert_eq!((reason(&refused), refused.control), (ReasonCode::InputMissing, 21));
}

#[test]
fn while_a_replace_is_pending_the_worse_of_both_counts() {
    let mut world = everyone();
    limit(&mut world, Level::Account, 1, &[(LevelLimit::GrossExposure, i64::MAX)]);
    let first = buy(&mut world);
    let gross = |world: &mut World| world.gate().gross_exposure(Level::Account, 1).unwrap();
    assert_eq!(gross(&mut world), 10 * LOT);
    assert_accepted(&world.replace(first.client_order_id, Side::BUY, 30, BID));
    assert_eq!(gross(&mut world), 30 * LOT);
    assert!(fill(&mut world, first.client_order_id, 10, BID));
    assert_eq!(gross(&mut world), 30 * LOT, "ten held, twenty may still come");
    let replace = world.next_id;
    assert!(world.venue(VenueKind::ReplaceRejected, replace, first.client_order_id, 0));
    assert_eq!(gross(&mut world), 10 * LOT);
    for level in [Level::Firm, Level::Desk, Level::Strategy] {
        let id = [0, 3, 1][[Level::Firm, Level::Desk, Level::Strategy].iter().position(|l| *l == level).unwrap()];
        assert_eq!(world.gate().gross_exposure(level, id), Some(10 * LOT), "{}", level.name());
    }
}

fn quote(world: &mut World, bid: i64) {
    let mut quotes = calm_quotes();
    (quotes.bid_price, quotes.ask_price, quotes.slow_reference) = (bid, bid + TICK, bid);
    world.quotes(quotes);
}

#[test]
fn a_drawdown_counts_from_the_peak_and_a_day_without_trades_is_no_loss() {
    let mut world = everyone();
    limit(&mut world, Level::Strategy, 1, &[(LevelLimit::DrawdownSoft, 29 * 1_250_000), (LevelLimit::DrawdownHard, 40 * 1_250_000)]);
    bought(&mut world);
    poll(&mut world);
    assert_accepted(&buy(&mut world));
    // Ten lots: a tick is 1,250,000. Up a hundred ticks, down thirty.
    quote(&mut world, BID + 100 * TICK);
    poll(&mut world);
    assert_accepted(&buy(&mut world));
    quote(&mut world, BID + 71 * TICK);
    poll(&mut world);
    assert_accepted(&buy(&mut world));
    world.restart();
    quote(&mut world, BID + 70 * TICK);
    poll(&mut world);
    let refused = buy(&mut world);
    assert_rejected(&refused, ReasonCode::LossLimit);
    assert_eq!((refused.control, refused.measured, refused.limit), (23, 30 * 1_250_000, 29 * 1_250_000));
    assert_accepted(&world.new_order(Side::SELL, 10, BID + 80 * TICK));
    quote(&mut world, BID + 59 * TICK);
    poll(&mut world);
    assert_rejected(&world.new_order(Side::SELL, 1, BID + 80 * TICK), ReasonCode::LossLimit);
    // Killed for good, whatever the price does, until a human names the stop.
    quote(&mut world, BID + 100 * TICK);
    poll(&mut world);
    world.restart();
    poll(&mut world);
    assert_rejected(&buy(&mut world), ReasonCode::LossLimit);
    let mut resumed = row(Level::Strategy, 1);
    resumed.resumed_gateway = world.gate().party(Level::Strategy, 1).unwrap().latch.id;
    world.put(resumed);
    assert_accepted(&buy(&mut world));

    let mut world = everyone();
    limit(&mut world, Level::Firm, 0, &[(LevelLimit::LossSoft, 0), (LevelLimit::LossHard, 0), (LevelLimit::DrawdownSoft, 0)]);
    poll(&mut world);
    world.advance(86_400 * S);
    poll(&mut world);
    assert_accepted(&buy(&mut world));
}

#[test]
fn a_loss_without_a_mark_lets_only_reductions_pass() {
    let mut world = everyone();
    limit(&mut world, Level::Account, 1, &[(LevelLimit::LossHard, 1_000_000_000_000)]);
    bought(&mut world);
    world.now += 2 * S;
    world.tables.limits.heartbeat(0, world.now, world.now).unwrap();
    poll(&mut world);
    world.beat();
    let refused = buy(&mut world);
    assert_eq!((reason(&refused), refused.control), (ReasonCode::InputMissing, 23));
    assert_accepted(&world.new_order(Side::SELL, 10, ASK));
    poll(&mut world);
    assert_accepted(&buy(&mut world));
}

#[test]
fn a_model_may_tighten_the_loss_limit_and_never_loosens_it() {
    for (ppm, is_refused) in [(500_000, true), (1_000_000, false), (4_000_000, false)] {
        let mut world = everyone();
        limit(&mut world, Level::Account, 1, &[(LevelLimit::LossSoft, 100 * 1_250_000)]);
        bought(&mut world);
        quote(&mut world, BID - 60 * TICK);
        let mut block = world.block;
        block.loss_trigger_ppm = ppm;
        world.publish_block(block);
        poll(&mut world);
        assert_eq!(reason(&buy(&mut world)) == ReasonCode::LossLimit, is_refused, "{ppm}");
    }
}

#[test]
fn a_fast_reference_trips_the_breaker_until_a_human_resumes_that_trip() {
    let mut world = everyone();
    let mut block = world.block;
    block.velocity_ticks = 20;
    world.publish_block(block);
    let mut quotes = calm_quotes();
    (quotes.velocity_low, quotes.velocity_high) = (BID, BID + 20 * TICK);
    world.quotes(quotes);
    assert_accepted(&buy(&mut world));
    quotes.velocity_high += TICK;
    world.quotes(quotes);
    let refused = buy(&mut world);
    assert_rejected(&refused, ReasonCode::Velocity);
    assert_eq!((refused.control, refused.trip_id, refused.measured, refused.limit, refused.unit), (32, 1, 21, 20, Unit::Ticks as u8));
    assert!(world.gate().is_tripped(ES));
    world.quotes(calm_quotes());
    assert_rejected(&buy(&mut world), ReasonCode::Velocity);
    world.restart();
    assert_rejected(&buy(&mut world), ReasonCode::Velocity);
    let mut resumed = instrument_row(block);
    resumed.resumed_gateway = 1;
    world.put(resumed);
    assert_accepted(&buy(&mut world));
    quotes.velocity_high += TICK;
    world.quotes(quotes);
    let refused = buy(&mut world);
    assert_eq!((reason(&refused), refused.trip_id), (ReasonCode::Velocity, 2), "armed again under a new id");
}

#[test]
fn an_own_fill_far_from_the_market_trips_too() {
    let mut world = everyone();
    let mut block = world.block;
    block.velocity_ticks = 20;
    world.publish_block(block);
    limit(&mut world, Level::Firm, 0, &[(LevelLimit::DayTrades, 100)]);
    let order = buy(&mut world);
    assert!(fill(&mut world, order.client_order_id, 5, BID + 20 * TICK));
    assert_accepted(&buy(&mut world));
    assert!(fill(&mut world, order.client_order_id, 5, BID + 21 * TICK));
    assert_rejected(&buy(&mut world), ReasonCode::Velocity);
}

#[test]
fn what_was_configured_after_orders_were_sent_counts_them() {
    let mut world = World::of(&[row(Level::Instrument, ES), row(Level::Account, 1), row(Level::Firm, 0)], open_static(), options(), true);
    bought(&mut world);
    assert_accepted(&world.new_order(Side::SELL, 30, ASK));
    limit(&mut world, Level::Account, 1, &[(LevelLimit::GrossExposure, i64::MAX)]);
    assert_accepted(&buy(&mut world));
    let found = world.gate().gross_exposure(Level::Account, 1).unwrap();
    world.restart();
    // The journal knows what the ten cost; the recount took the mid.
    let folded = world.gate().gross_exposure(Level::Account, 1).unwrap();
    assert_eq!(folded, 20 * LOT + 30 * 19_201 * 125_000);
    assert!((found - folded).abs() <= 10 * 125_000);
}

#[test]
fn a_short_sale_needs_permission_or_a_locate() {
    use pretrade_records::order::LOCATED;
    use pretrade_shm::controls::row_flags::{ENABLED, NEEDS_LOCATE, NO_SHORT};
    for (flags, order_flags, is_refused) in
        [(ENABLED, 0, false), (ENABLED | NO_SHORT, LOCATED, true), (ENABLED | NEEDS_LOCATE, 0, true), (ENABLED | NEEDS_LOCATE, LOCATED, false)]
    {
        let mut world = everyone();
        world.put(ControlsRecord { flags, ..row(Level::Instrument, ES) });
        bought(&mut world);
        assert_accepted(&world.new_order(Side::SELL, 6, ASK));
        // Ten held, six on their way out: four may go, the fifth would be short.
        assert_accepted(&world.new_order(Side::SELL, 4, ASK));
        let order = Order { flags: order_flags, ..world.order(Side::SELL, 1, ASK) };
        let decision = world.decide(&order);
        assert_eq!(reason(&decision) == ReasonCode::ShortSaleNotPermitted, is_refused, "{flags} {order_flags}");
        if is_refused {
            assert_eq!((decision.control, decision.measured, decision.limit, decision.unit), (6, -1, 0, Unit::Lots as u8));
        }
        assert_accepted(&buy(&mut world));
    }
}

#[test]
fn a_kill_of_the_desk_ends_what_waits_for_review() {
    let options = GateOptions { hold_controls: 1 << 12, ..options() };
    let mut block = open_static();
    block.max_order_quantity = 9;
    let mut world = World::of(&rows(), block, options, false);
    world.publish_block(block);
    let held = buy(&mut world);
    assert_eq!(held.verdict, Verdict::Hold as u8);
    world.tables.controls.arm_row_kill(world.tables.controls.row(Level::Desk, 3).unwrap()).unwrap();
    poll(&mut world);
    poll(&mut world);
    let over = world.gate().take_resolved();
    assert_eq!(over.iter().map(reason).collect::<Vec<_>>(), [ReasonCode::KillSwitch]);
}
