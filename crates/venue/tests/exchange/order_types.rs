// SPDX-License-Identifier: Apache-2.0
//! The table of order types.
use super::*;
use pretrade_venue::engine::SelfTrade;
use pretrade_venue::exchange::{Entered, Lifetime, Price, Refusal};

use Side::{Ask, Bid};

fn arrive(at: &mut (Exchange, Log), request: Request) -> Result<Entered, Refusal> {
    at.1.take();
    at.0.enter(request, &mut at.1)
}

#[test]
fn a_limit_order_takes_by_price_then_time_and_rests_what_is_left() {
    let mut at = open(Rules::off());
    rest(&mut at, Ask, 1_002, 3);
    rest(&mut at, Ask, 1_001, 3);
    rest(&mut at, Ask, 1_001, 3);
    let entered = arrive(&mut at, Request::limit(ARRIVING, Bid, 1_002, 11)).unwrap();
    assert_eq!(at.1.take(), ["fill 2 1001 3", "fill 3 1001 3", "fill 1 1002 3", "add 4 BID 1002 2"]);
    assert_eq!((entered.fills, entered.cancelled), (vec![(1_001, 6), (1_002, 3)], 0));
}

#[test]
fn a_post_only_order_that_would_take_is_refused_or_slides_one_tick() {
    let post = Request { is_post_only: true, ..Request::limit(ARRIVING, Bid, 1_005, 4) };
    let mut at = open(Rules::off());
    rest(&mut at, Ask, 1_002, 3);
    assert_eq!(arrive(&mut at, post), Err(Refusal::WouldTrade));
    assert!(at.1.take().is_empty());
    let mut at = open(Rules { post_only_slides: true, ..Rules::off() });
    rest(&mut at, Ask, 1_002, 3);
    arrive(&mut at, post).unwrap();
    assert_eq!(at.1.take(), ["add 2 BID 1001 4"]);
}

#[test]
fn a_market_order_stops_at_its_protection_price() {
    for (rests, said) in [(false, None), (true, Some("add 4 BID 1005 3"))] {
        let mut at = open(Rules { protection_ticks: 4, market_remainder_rests: rests, ..Rules::off() });
        for tick in [1_001, 1_005, 1_006] {
            rest(&mut at, Ask, tick, 1);
        }
        let entered = arrive(&mut at, Request::market(ARRIVING, Bid, 5)).unwrap();
        let expected = ["fill 1 1001 1", "fill 2 1005 1"].into_iter().chain(said);
        assert_eq!(at.1.take(), expected.collect::<Vec<_>>());
        assert_eq!(entered.cancelled, if rests { 0 } else { 3 });
    }
}

#[test]
fn a_market_order_meets_an_empty_side_with_a_refusal() {
    let mut at = open(Rules::off());
    assert_eq!(arrive(&mut at, Request::market(ARRIVING, Bid, 5)), Err(Refusal::NothingThere));
}

#[test]
fn an_immediate_or_cancel_order_never_rests() {
    let mut at = open(Rules::off());
    rest(&mut at, Ask, 1_001, 3);
    let request = Request { lifetime: Lifetime::ImmediateOrCancel, ..Request::limit(ARRIVING, Bid, 1_001, 5) };
    let entered = arrive(&mut at, request).unwrap();
    assert_eq!((at.1.take(), entered.cancelled, entered.handle), (vec!["fill 1 1001 3".to_owned()], 2, None));
}

#[test]
fn a_fill_or_kill_order_takes_everything_or_nothing() {
    let mut at = open(Rules::off());
    rest(&mut at, Ask, 1_001, 3);
    rest(&mut at, Ask, 1_003, 3);
    let all = |tick| Request { lifetime: Lifetime::FillOrKill, ..Request::limit(ARRIVING, Bid, tick, 5) };
    let entered = arrive(&mut at, all(1_002)).unwrap();
    assert_eq!((at.1.take().len(), entered.filled(), entered.cancelled), (0, 0, 5));
    assert_eq!(arrive(&mut at, all(1_003)).unwrap().filled(), 5);
}

#[test]
fn a_stop_waits_for_a_trade_at_or_through_its_trigger() {
    let mut at = open(Rules::off());
    rest(&mut at, Bid, 990, 10);
    let stop = Request { stop: Some(995), ..Request::market(ARRIVING, Ask, 2) };
    let waits = arrive(&mut at, stop).unwrap().waits.expect("it waits");
    print(&mut at, 996);
    assert!(at.0.reports().is_empty());
    print(&mut at, 995);
    let reports = at.0.reports();
    assert_eq!((reports.len(), reports[0].waited_as, reports[0].owner), (1, waits, ARRIVING));
    assert_eq!(reports[0].outcome.as_ref().unwrap().fills, [(990, 2)]);
    assert_eq!(at.0.waiting(), 0);
}

#[test]
fn a_stop_limit_rests_at_its_limit_once_triggered() {
    let mut at = open(Rules::off());
    rest(&mut at, Bid, 980, 10);
    let stop = Request { stop: Some(995), ..Request::limit(ARRIVING, Ask, 993, 2) };
    arrive(&mut at, stop).unwrap();
    print(&mut at, 994);
    let report = at.0.reports().remove(0);
    assert_eq!(at.0.engine().tick_of(report.outcome.unwrap().handle.unwrap()), 993);
}

#[test]
fn a_stop_whose_trigger_has_passed_enters_at_once() {
    let mut at = open(Rules::off());
    rest(&mut at, Bid, 990, 10);
    print(&mut at, 995);
    let stop = Request { stop: Some(995), ..Request::market(ARRIVING, Ask, 2) };
    assert_eq!(arrive(&mut at, stop).unwrap().fills, [(990, 2)]);
}

#[test]
fn triggered_stops_enter_by_trigger_then_time() {
    let mut at = open(Rules::off());
    rest(&mut at, Bid, 990, 100);
    let stop = |owner, trigger| Request { stop: Some(trigger), ..Request::market(owner, Ask, 1) };
    for (owner, trigger) in [(11, 994), (12, 996), (13, 995), (14, 996)] {
        arrive(&mut at, stop(owner, trigger)).unwrap();
    }
    print(&mut at, 993);
    let owners: Vec<u32> = at.0.reports().iter().map(|r| r.owner).collect();
    assert_eq!(owners, [12, 14, 13, 11]);
}

#[test]
fn stops_of_buyers_are_triggered_by_a_rise() {
    let mut at = open(Rules::off());
    rest(&mut at, Ask, 1_010, 100);
    for (owner, trigger) in [(11, 1_004), (12, 1_003)] {
        arrive(&mut at, Request { stop: Some(trigger), ..Request::market(owner, Bid, 1) }).unwrap();
    }
    print(&mut at, 1_003);
    let owners: Vec<u32> = at.0.reports().iter().map(|r| r.owner).collect();
    assert_eq!(owners, [12, 11], "the first stop's own trade at 1010 triggers the second");
}

#[test]
fn an_iceberg_shows_a_peak_and_each_refill_goes_to_the_back() {
    let mut at = open(Rules::off());
    at.0.enter(Request { peak: 4, ..Request::limit(RESTING, Ask, 1_001, 10) }, &mut at.1).unwrap();
    rest(&mut at, Ask, 1_001, 5);
    arrive(&mut at, Request::limit(ARRIVING, Bid, 1_001, 11)).unwrap();
    assert_eq!(at.1.take(), ["fill 1 1001 4", "add 1 ASK 1001 4", "fill 2 1001 5", "fill 1 1001 2"]);
}

#[test]
fn a_change_keeps_the_place_only_where_it_makes_smaller() {
    for (size, first) in [(4, 1), (5, 2), (6, 2)] {
        let mut at = open(Rules::off());
        let handle = rest(&mut at, Bid, 999, 5);
        rest(&mut at, Bid, 999, 5);
        at.0.replace(handle, 999, size, &mut at.1).unwrap();
        arrive(&mut at, Request::limit(ARRIVING, Ask, 999, 1)).unwrap();
        assert_eq!(at.1.take(), [format!("fill {first} 999 1")], "changed from 5 lots to {size}");
    }
}

#[test]
fn a_change_of_price_loses_the_place_and_may_trade() {
    let mut at = open(Rules::off());
    let moved = rest(&mut at, Bid, 998, 5);
    rest(&mut at, Bid, 999, 5);
    let moved = at.0.replace(moved, 999, 5, &mut at.1).unwrap().handle.unwrap();
    arrive(&mut at, Request::limit(ARRIVING, Ask, 999, 6)).unwrap();
    assert_eq!(at.1.take(), ["fill 2 999 5", "fill 1 999 1"]);
    rest(&mut at, Ask, 1_001, 3);
    let entered = at.0.replace(moved, 1_001, 4, &mut at.1).unwrap();
    assert_eq!((entered.fills, at.0.engine().resting(entered.handle.unwrap())), (vec![(1_001, 3)], 1));
}

#[test]
fn a_mass_cancel_takes_an_owners_orders_of_a_side_or_of_both_and_what_waits() {
    let mut at = open(Rules::off());
    rest(&mut at, Bid, 999, 5);
    rest(&mut at, Ask, 1_001, 5);
    at.0.enter(Request::limit(ARRIVING, Bid, 998, 7), &mut at.1).unwrap();
    arrive(&mut at, Request { stop: Some(990), ..Request::market(RESTING, Ask, 2) }).unwrap();
    assert_eq!(at.0.cancel_all(RESTING, Ask, &mut at.1), 2);
    assert_eq!(at.1.take(), ["cancel 2 1001 5"]);
    assert_eq!((at.0.cancel_all(RESTING, Side::None, &mut at.1), at.0.waiting(), at.0.engine().live_orders()), (1, 0, 1));
}

/// Own 3 lots in front of 4 of another at one price, 5 arrive.
fn meet_oneself(policy: SelfTrade) -> (Vec<String>, Entered) {
    let mut at = open(Rules { self_trade: policy, ..Rules::off() });
    at.0.enter(Request::limit(ARRIVING, Ask, 1_001, 3), &mut at.1).unwrap();
    rest(&mut at, Ask, 1_001, 4);
    let entered = arrive(&mut at, Request::limit(ARRIVING, Bid, 1_001, 5)).unwrap();
    (at.1.take(), entered)
}

#[test]
fn without_self_trade_prevention_an_owner_trades_with_itself() {
    assert_eq!(meet_oneself(SelfTrade::Allow).0, ["fill 1 1001 3", "fill 2 1001 2"]);
}

#[test]
fn cancel_newest_ends_the_order_that_arrives() {
    let (said, entered) = meet_oneself(SelfTrade::CancelNewest);
    assert_eq!((said.len(), entered.prevented, entered.handle), (0, 5, None));
}

#[test]
fn cancel_oldest_takes_the_resting_order_away() {
    let (said, entered) = meet_oneself(SelfTrade::CancelOldest);
    assert_eq!((said, entered.prevented), (vec!["cancel 1 1001 3".to_owned(), "fill 2 1001 4".into(), "add 3 BID 1001 1".into()], 0));
}

#[test]
fn cancel_both_ends_the_two() {
    let (said, entered) = meet_oneself(SelfTrade::CancelBoth);
    assert_eq!((said, entered.prevented), (vec!["cancel 1 1001 3".to_owned()], 5));
}

#[test]
fn decrement_shrinks_both_by_the_smaller() {
    let (said, entered) = meet_oneself(SelfTrade::Decrement);
    assert_eq!((said, entered.prevented), (vec!["cancel 1 1001 3".to_owned(), "fill 2 1001 2".into()], 3));
}

#[test]
fn a_fill_or_kill_order_does_not_count_on_what_its_owner_rests() {
    for (policy, killed) in
        [(SelfTrade::CancelOldest, false), (SelfTrade::CancelNewest, true), (SelfTrade::CancelBoth, true), (SelfTrade::Decrement, true)]
    {
        let mut at = open(Rules { self_trade: policy, ..Rules::off() });
        at.0.enter(Request::limit(ARRIVING, Ask, 1_001, 3), &mut at.1).unwrap();
        rest(&mut at, Ask, 1_001, 4);
        let all = |size| Request { lifetime: Lifetime::FillOrKill, ..Request::limit(ARRIVING, Bid, 1_001, size) };
        assert_eq!(arrive(&mut at, all(5)).unwrap().filled(), 0, "{policy:?}: others rest 4");
        assert!(at.1.take().is_empty());
        assert_eq!(arrive(&mut at, all(4)).unwrap().filled(), if killed { 0 } else { 4 }, "{policy:?}");
    }
}

#[test]
fn self_trade_prevention_looks_at_the_account_key_alone() {
    let mut at = open(Rules { self_trade: SelfTrade::CancelNewest, ..Rules::off() });
    rest(&mut at, Ask, 1_001, 4);
    assert_eq!(arrive(&mut at, Request::limit(ARRIVING, Bid, 1_001, 4)).unwrap().filled(), 4);
}

#[test]
fn an_order_without_sense_is_refused() {
    let mut at = open(Rules::off());
    assert_eq!(arrive(&mut at, Request::limit(ARRIVING, Bid, 1_000, 0)), Err(Refusal::BadQuantity));
    assert_eq!(arrive(&mut at, Request { price: Price::Limit(-5), ..Request::limit(ARRIVING, Bid, 0, 1) }), Err(Refusal::PriceOutOfRange));
}
