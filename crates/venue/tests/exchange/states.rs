// SPDX-License-Identifier: Apache-2.0
//! The table of trading states.
use super::*;
use pretrade_venue::exchange::{Lifetime, Refusal};

use Side::{Ask, Bid};

fn with(lifetime: Lifetime) -> Request {
    Request { lifetime, ..Request::limit(ARRIVING, Bid, 1_000, 5) }
}

fn at_open(owner: u32, side: Side, size: i64) -> Request {
    Request { lifetime: Lifetime::AtOpen, ..Request::market(owner, side, size) }
}

#[test]
fn before_the_opening_the_book_may_cross_and_nothing_trades() {
    let mut at = venue(Rules::off(), Phase::PreOpen);
    rest(&mut at, Ask, 995, 5);
    rest(&mut at, Bid, 1_005, 3);
    assert!(at.0.engine().is_crossed());
    assert_eq!(at.1.take(), ["add 1 ASK 995 5", "add 2 BID 1005 3"]);
}

#[test]
fn before_the_opening_immediate_and_market_orders_are_refused_and_market_on_open_is_not() {
    let mut at = venue(Rules::off(), Phase::PreOpen);
    rest(&mut at, Ask, 995, 5);
    for request in [with(Lifetime::ImmediateOrCancel), with(Lifetime::FillOrKill), Request::market(ARRIVING, Bid, 1)] {
        assert_eq!(at.0.enter(request, &mut at.1), Err(Refusal::NotInThisState), "{request:?}");
    }
    assert!(at.0.enter(at_open(ARRIVING, Bid, 4), &mut at.1).unwrap().waits.is_some());
    assert_eq!(open(Rules::off()).0.enter(at_open(ARRIVING, Bid, 4), &mut Log::default()), Err(Refusal::NotInThisState));
}

#[test]
fn before_the_opening_orders_change_and_cancel_without_trading() {
    let mut at = venue(Rules::off(), Phase::PreOpen);
    rest(&mut at, Ask, 1_005, 5);
    let bid = rest(&mut at, Bid, 995, 3);
    let bid = at.0.replace(bid, 1_010, 4, &mut at.1).unwrap().handle.unwrap();
    assert!(at.0.engine().is_crossed());
    assert_eq!(at.0.cancel(bid, &mut at.1), 4);
}

#[test]
fn the_auction_trades_at_one_price_and_opens_the_market() {
    let mut at = venue(Rules::off(), Phase::PreOpen);
    rest(&mut at, Ask, 998, 5);
    rest(&mut at, Ask, 1_002, 5);
    rest(&mut at, Bid, 1_002, 6);
    let waits = at.0.enter(at_open(ARRIVING, Bid, 3), &mut at.1).unwrap().waits.unwrap();
    at.1.take();
    at.0.open(&mut at.1);
    let expected = ["AUCTION", "fill-at-market 1 1002 3", "fill 3 1002 6", "fill 1 1002 5", "fill 2 1002 4", "CONTINUOUS"];
    assert_eq!(at.1.take(), expected);
    let report = at.0.reports().remove(0);
    assert_eq!((report.waited_as, report.outcome.unwrap().fills), (waits, vec![(1_002, 3)]));
    assert!(!at.0.engine().is_crossed());
}

#[test]
fn what_an_auction_leaves_of_an_order_at_market_is_cancelled() {
    let mut at = venue(Rules::off(), Phase::PreOpen);
    rest(&mut at, Ask, 998, 2);
    at.0.enter(at_open(ARRIVING, Bid, 5), &mut at.1).unwrap();
    at.0.open(&mut at.1);
    let entered = at.0.reports().remove(0).outcome.unwrap();
    assert_eq!((entered.filled(), entered.cancelled), (2, 3));
}

#[test]
fn a_reserved_instrument_takes_resting_orders_alone_and_cancels() {
    let mut at = venue(Rules::off(), Phase::Halted);
    let bid = rest(&mut at, Bid, 1_005, 3);
    rest(&mut at, Ask, 995, 3);
    for request in [with(Lifetime::ImmediateOrCancel), Request::market(ARRIVING, Bid, 1), at_open(ARRIVING, Bid, 1)] {
        assert_eq!(at.0.enter(request, &mut at.1), Err(Refusal::NotInThisState), "{request:?}");
    }
    assert!(at.0.engine().is_crossed());
    assert_eq!(at.0.cancel(bid, &mut at.1), 3);
}

#[test]
fn nothing_enters_changes_or_leaves_a_closed_market() {
    let mut at = open(Rules::off());
    let bid = rest(&mut at, Bid, 999, 3);
    at.0.close(&mut at.1);
    at.1.take();
    assert_eq!(at.0.enter(with(Lifetime::Day), &mut at.1), Err(Refusal::Closed));
    assert_eq!(at.0.replace(bid, 999, 1, &mut at.1), Err(Refusal::Closed));
    assert_eq!((at.0.cancel(bid, &mut at.1), at.0.cancel_all(RESTING, Side::None, &mut at.1)), (0, 0));
    assert!(at.1.take().is_empty());
    at.0.collect(None, &mut at.1);
    assert_eq!(at.0.cancel(bid, &mut at.1), 3);
}

#[test]
fn a_collection_with_an_end_opens_by_the_clock_and_one_without_waits() {
    let mut at = open(Rules::off());
    at.0.collect(Some(5 * SECOND), &mut at.1);
    at.0.advance(5 * SECOND - 1, &mut at.1);
    assert_eq!((at.0.phase(), at.0.pause_ends()), (Phase::PreOpen, Some(5 * SECOND)));
    at.0.advance(5 * SECOND, &mut at.1);
    assert_eq!(at.0.phase(), Phase::Continuous);
    at.0.collect(None, &mut at.1);
    at.0.advance(500 * SECOND, &mut at.1);
    assert_eq!(at.0.phase(), Phase::PreOpen);
}

#[test]
fn stops_wait_through_a_pause_and_are_triggered_by_the_auction() {
    let mut at = open(Rules::off());
    rest(&mut at, Bid, 980, 10);
    at.0.enter(Request { stop: Some(990), ..Request::market(ARRIVING, Ask, 2) }, &mut at.1).unwrap();
    at.0.collect(None, &mut at.1);
    rest(&mut at, Ask, 985, 1);
    rest(&mut at, Bid, 985, 1);
    assert!(at.0.reports().is_empty());
    at.0.open(&mut at.1);
    assert_eq!(at.0.reports().remove(0).outcome.unwrap().fills, [(980, 2)]);
}
