// SPDX-License-Identifier: Apache-2.0
//! Protections, each a switch of its own; and the three profiles.
use super::*;
use pretrade_venue::exchange::{Breaker, Fall, Lifetime, Refusal, StopLogic, Velocity};

use Side::{Ask, Bid};

/// One lot on each of the ticks below the close, so that a seller walks down; the last trade is at the close.
fn ladder_of_bids(at: &mut (Exchange, Log), depth: i32) {
    print(at, CLOSE);
    for off in 1..=depth {
        rest(at, Bid, CLOSE - off, 1);
    }
    at.1.take();
}

fn sell(at: &mut (Exchange, Log), to: i32, size: i64, lifetime: Lifetime) -> pretrade_venue::exchange::Entered {
    at.0.enter(Request { lifetime, ..Request::limit(ARRIVING, Ask, to, size) }, &mut at.1).unwrap()
}

#[test]
fn without_protections_a_seller_walks_as_far_as_its_limit() {
    let mut at = open(Rules::off());
    ladder_of_bids(&mut at, 300);
    assert_eq!(sell(&mut at, CLOSE - 300, 300, Lifetime::Day).filled(), 300);
    assert_eq!(at.0.phase(), Phase::Continuous);
}

fn limits() -> Rules {
    Rules { price_limit_ticks: Some(10), ..Rules::off() }
}

#[test]
fn orders_beyond_the_price_limits_are_refused_in_every_state() {
    for phase in [Phase::PreOpen, Phase::Continuous] {
        let mut at = venue(limits(), phase);
        for (tick, is_fine) in [(990, true), (989, false), (1_010, true), (1_011, false)] {
            let entered = at.0.enter(Request { is_post_only: true, ..Request::limit(ARRIVING, Bid, tick, 1) }, &mut at.1);
            assert_eq!(entered == Err(Refusal::PriceOutOfRange), !is_fine, "{tick} in {phase:?}");
        }
    }
}

#[test]
fn a_trade_at_the_limit_locks_and_a_trade_away_from_it_unlocks() {
    let mut at = open(limits());
    ladder_of_bids(&mut at, 10);
    sell(&mut at, 990, 10, Lifetime::Day);
    assert_eq!((at.0.phase(), at.1.take().last().unwrap().as_str()), (Phase::LimitLocked, "LIMIT_LOCKED"));
    // Orders enter and match at the limit or better.
    rest(&mut at, Bid, 990, 2);
    assert_eq!(sell(&mut at, 990, 1, Lifetime::Day).filled(), 1);
    assert_eq!(at.0.phase(), Phase::LimitLocked);
    rest(&mut at, Bid, 993, 1);
    sell(&mut at, 993, 1, Lifetime::Day);
    assert_eq!((at.0.phase(), at.1.take().last().unwrap().as_str()), (Phase::Continuous, "CONTINUOUS"));
}

#[test]
fn a_market_order_never_trades_beyond_the_price_limit() {
    let mut at = open(limits());
    ladder_of_bids(&mut at, 10);
    let entered = at.0.enter(Request::market(ARRIVING, Ask, 50), &mut at.1).unwrap();
    assert_eq!((entered.filled(), entered.cancelled), (10, 40));
}

fn velocity() -> Rules {
    Rules { velocity: Some(Velocity { ticks: 8, window_ns: SECOND, pause_ns: 5 * SECOND }), ..Rules::off() }
}

#[test]
fn velocity_logic_collects_orders_before_the_move_is_larger_than_it_allows() {
    let mut at = open(velocity());
    ladder_of_bids(&mut at, 20);
    let entered = sell(&mut at, CLOSE - 20, 20, Lifetime::Day);
    assert_eq!((entered.filled(), at.0.engine().last_trade()), (8, Some(CLOSE - 8)));
    assert_eq!((at.0.phase(), at.0.pause_ends()), (Phase::PreOpen, Some(5 * SECOND)));
    assert_eq!(at.0.engine().resting(entered.handle.expect("the rest waits for the auction")), 12);
    at.1.take();
    at.0.advance(5 * SECOND, &mut at.1);
    let said = at.1.take();
    assert_eq!((said[0].as_str(), said.last().unwrap().as_str()), ("AUCTION", "CONTINUOUS"));
    assert!(!at.0.engine().is_crossed());
    assert_eq!(said.iter().filter(|s| s.starts_with("fill")).count(), 13, "12 lots bought, one order sold");
}

#[test]
fn velocity_logic_eliminates_an_immediate_or_market_order_that_would_cause_it() {
    for lifetime in [Lifetime::ImmediateOrCancel, Lifetime::Day] {
        let mut at = open(velocity());
        ladder_of_bids(&mut at, 20);
        let entered = match lifetime {
            Lifetime::Day => at.0.enter(Request::market(ARRIVING, Ask, 20), &mut at.1).unwrap(),
            _ => sell(&mut at, CLOSE - 20, 20, lifetime),
        };
        assert_eq!((entered.filled(), entered.cancelled, entered.handle), (8, 12, None));
        assert_eq!(at.0.phase(), Phase::PreOpen);
    }
}

#[test]
fn velocity_logic_forgets_what_lies_before_its_window() {
    let mut at = open(velocity());
    ladder_of_bids(&mut at, 20);
    sell(&mut at, CLOSE - 6, 6, Lifetime::Day);
    at.0.advance(SECOND + 1, &mut at.1);
    assert_eq!(sell(&mut at, CLOSE - 12, 6, Lifetime::Day).filled(), 6, "6 ticks from the price at which the window began");
    assert_eq!(at.0.phase(), Phase::Continuous);
    assert_eq!(sell(&mut at, CLOSE - 20, 6, Lifetime::Day).filled(), 2, "14 ticks below where the window began is the bound");
}

#[test]
fn velocity_logic_stops_a_rise_too() {
    let mut at = open(velocity());
    print(&mut at, CLOSE);
    for off in 1..=20 {
        rest(&mut at, Ask, CLOSE + off, 1);
    }
    let entered = at.0.enter(Request::limit(ARRIVING, Bid, CLOSE + 20, 20), &mut at.1).unwrap();
    assert_eq!((entered.filled(), at.0.phase()), (8, Phase::PreOpen));
}

fn stop_logic() -> Rules {
    Rules { stop_logic: Some(StopLogic { ticks: 5, reserved_ns: 5 * SECOND }), ..Rules::off() }
}

#[test]
fn a_cascade_of_stops_is_reserved_after_its_ticks_and_the_held_back_stop_trades_in_the_auction() {
    let mut at = open(stop_logic());
    ladder_of_bids(&mut at, 20);
    for off in 1..=12 {
        at.0.enter(Request { stop: Some(CLOSE - off), ..Request::market(ARRIVING, Ask, 1) }, &mut at.1).unwrap();
    }
    at.1.take();
    sell(&mut at, CLOSE - 1, 1, Lifetime::Day);
    // The trade at 999 began it: 998 to 994 trade, 993 would be six ticks away.
    assert_eq!((at.0.engine().last_trade(), at.0.phase(), at.0.pause_ends()), (Some(CLOSE - 6), Phase::Halted, Some(5 * SECOND)));
    let reports = at.0.reports();
    assert_eq!(reports.len(), 6);
    assert!(reports[5].outcome.as_ref().unwrap().waits.is_some(), "{:?}", reports[5]);
    assert_eq!(at.0.waiting(), 12 - 6 + 1);
    at.0.advance(5 * SECOND, &mut at.1);
    let after = at.0.reports();
    assert_eq!((after[0].waited_as, after[0].outcome.as_ref().unwrap().fills.clone()), (reports[5].waited_as, vec![(CLOSE - 7, 1)]));
}

#[test]
fn stop_logic_leaves_orders_that_are_no_stops_alone() {
    let mut at = open(stop_logic());
    ladder_of_bids(&mut at, 20);
    assert_eq!(sell(&mut at, CLOSE - 20, 20, Lifetime::Day).filled(), 20);
    assert_eq!(at.0.phase(), Phase::Continuous);
}

#[test]
fn the_dynamic_breaker_halts_a_move_within_its_window() {
    let mut at = open(Rules { breaker: Some(Breaker { ppm: 35_000, window_ns: 3_600 * SECOND, halt_ns: 120 * SECOND }), ..Rules::off() });
    ladder_of_bids(&mut at, 60);
    sell(&mut at, CLOSE - 30, 30, Lifetime::Day);
    at.0.advance(1_800 * SECOND, &mut at.1);
    assert_eq!(sell(&mut at, CLOSE - 60, 30, Lifetime::ImmediateOrCancel).filled(), 5, "35 of 1,000 ticks within an hour");
    assert_eq!((at.0.phase(), at.0.pause_ends()), (Phase::Halted, Some(1_920 * SECOND)));
    at.0.advance(1_920 * SECOND, &mut at.1);
    assert_eq!(at.0.phase(), Phase::Continuous);
}

#[test]
fn falls_below_the_close_halt_once_each_and_the_last_closes() {
    let falls = vec![Fall { ppm: 70_000, halt_ns: SECOND }, Fall { ppm: 130_000, halt_ns: SECOND }, Fall { ppm: 200_000, halt_ns: 0 }];
    let mut at = open(Rules { falls, ..Rules::off() });
    ladder_of_bids(&mut at, 300);
    sell(&mut at, 930, 70, Lifetime::Day);
    assert_eq!(at.0.phase(), Phase::Halted);
    at.0.advance(SECOND, &mut at.1);
    sell(&mut at, 929, 1, Lifetime::Day);
    assert_eq!(at.0.phase(), Phase::Continuous, "7 % was counted");
    sell(&mut at, 870, 59, Lifetime::Day);
    assert_eq!(at.0.phase(), Phase::Halted);
    at.0.advance(2 * SECOND, &mut at.1);
    sell(&mut at, 800, 70, Lifetime::Day);
    assert_eq!(at.0.phase(), Phase::Closed);
}

#[test]
fn profile_late_reserves_once_at_the_first_fall_of_two_per_cent() {
    let mut at = open(Rules::profile("late").unwrap());
    ladder_of_bids(&mut at, 60);
    sell(&mut at, CLOSE - 19, 19, Lifetime::Day);
    assert_eq!(at.0.phase(), Phase::Continuous);
    sell(&mut at, CLOSE - 20, 1, Lifetime::Day);
    assert_eq!((at.0.phase(), at.0.pause_ends()), (Phase::Halted, Some(10 * SECOND)));
    at.0.advance(10 * SECOND, &mut at.1);
    sell(&mut at, CLOSE - 60, 40, Lifetime::Day);
    assert_eq!(at.0.phase(), Phase::Continuous);
}

#[test]
fn profile_full_has_every_protection_but_price_limits_and_off_has_none() {
    let (off, full) = (Rules::profile("off").unwrap(), Rules::profile("full").unwrap());
    assert!(off.velocity.is_none() && off.stop_logic.is_none() && off.breaker.is_none() && off.falls.is_empty());
    assert_eq!(full.stop_logic, Some(StopLogic { ticks: 24, reserved_ns: 5 * SECOND }));
    assert!(full.velocity.is_some() && full.breaker.is_some() && full.falls.len() == 3);
    assert_eq!(Rules::profile("sometimes"), None);
}
