// SPDX-License-Identifier: Apache-2.0
//! The price rule of the auction: most volume, then least left over, then nearest the reference; then price and time.
use pretrade_records::Side;
use pretrade_venue::engine::auction::{AtMarket, Uncross};
use pretrade_venue::rng::Draws;
use pretrade_venue::{Engine, Sink};

#[derive(Default)]
struct Fills(Vec<(u64, i32, i64)>);

impl Sink for Fills {
    fn added(&mut self, _id: u64, _side: Side, _tick: i32, _size: i64) {}
    fn cancelled(&mut self, _id: u64, _side: Side, _tick: i32, _size: i64) {}
    fn modified(&mut self, _id: u64, _side: Side, _tick: i32, _size: i64) {}
    fn filled(&mut self, id: u64, _owner: u32, _side: Side, tick: i32, size: i64) {
        self.0.push((id, tick, size));
    }
}

const NONE_AT_MARKET: AtMarket = AtMarket { buys: 0, sells: 0 };

/// A book with these orders in this order, ids from 1; nothing trades.
fn book(orders: &[(Side, i32, i64)]) -> Engine {
    let mut engine = Engine::new(0, 256);
    for (side, tick, size) in orders {
        engine.rest(1, *side, *tick, *size, 0, &mut Fills::default()).unwrap();
    }
    engine
}

use Side::{Ask, Bid};

#[test]
fn volume_comes_before_everything_else() {
    let engine = book(&[(Bid, 110, 10), (Bid, 100, 50), (Ask, 90, 20), (Ask, 105, 5)]);
    assert_eq!(engine.indicative(NONE_AT_MARKET, 110).map(|u| (u.tick, u.volume)), Some((100, 20)));
}

#[test]
fn of_prices_with_one_volume_the_least_is_left_over() {
    // 95 to 104 trades 10; at 100 to 104 nothing is left over, below 20 more are bought.
    let engine = book(&[(Bid, 104, 10), (Bid, 99, 20), (Ask, 95, 10)]);
    let found = engine.indicative(NONE_AT_MARKET, 96).unwrap();
    assert_eq!(found, Uncross { tick: 100, volume: 10, imbalance: 0 });
}

#[test]
fn of_prices_as_good_the_one_nearest_the_reference_is_taken() {
    let engine = book(&[(Bid, 110, 10), (Ask, 90, 10)]);
    let tick = |reference| engine.indicative(NONE_AT_MARKET, reference).unwrap().tick;
    assert_eq!([tick(97), tick(200), tick(3)], [97, 110, 90]);
}

#[test]
fn a_book_that_does_not_cross_trades_nothing() {
    let engine = book(&[(Bid, 99, 10), (Ask, 100, 10)]);
    assert_eq!(engine.indicative(NONE_AT_MARKET, 100), None);
    assert_eq!(engine.indicative(AtMarket { buys: 4, sells: 0 }, 100).map(|u| (u.tick, u.volume)), Some((100, 4)));
}

#[test]
fn orders_at_market_go_first_then_price_then_time() {
    let mut engine = book(&[(Bid, 100, 5), (Bid, 102, 5), (Bid, 102, 5), (Ask, 98, 12)]);
    let mut fills = Fills::default();
    let (found, at_market) = engine.uncross(AtMarket { buys: 4, sells: 0 }, 102, &mut fills).unwrap();
    assert_eq!((found.tick, found.volume, at_market), (102, 12, AtMarket { buys: 4, sells: 0 }));
    assert_eq!(fills.0, [(2, 102, 5), (3, 102, 3), (4, 102, 12)]);
    assert!(!engine.is_crossed());
    assert_eq!(engine.last_trade(), Some(102));
}

#[test]
fn what_an_iceberg_hides_counts_and_trades_peak_by_peak() {
    let mut engine = Engine::new(0, 256);
    engine.rest(1, Ask, 100, 30, 10, &mut Fills::default()).unwrap();
    engine.rest(1, Ask, 100, 5, 0, &mut Fills::default()).unwrap();
    engine.rest(2, Bid, 100, 28, 0, &mut Fills::default()).unwrap();
    let mut fills = Fills::default();
    assert_eq!(engine.uncross(NONE_AT_MARKET, 100, &mut fills).unwrap().0.volume, 28);
    assert_eq!(fills.0, [(3, 100, 28), (1, 100, 10), (2, 100, 5), (1, 100, 10), (1, 100, 3)]);
}

/// The rule said again without levels: try every tick, count every order.
fn tried_out(orders: &[(Side, i32, i64)], market: AtMarket, reference: i32) -> Option<(i64, i64, i64)> {
    let at = |tick: i32| {
        let sum = |side, reached: &dyn Fn(i32) -> bool| -> i64 { orders.iter().filter(|o| o.0 == side && reached(o.1)).map(|o| o.2).sum() };
        let (buys, sells) = (market.buys + sum(Bid, &|t| t >= tick), market.sells + sum(Ask, &|t| t <= tick));
        (buys.min(sells), -(buys - sells).abs(), -i64::from((tick - reference).abs()))
    };
    (0..256).map(at).filter(|r| r.0 > 0).max()
}

#[test]
fn random_books_uncross_at_the_best_of_all_ticks_and_end_uncrossed() {
    let mut draws = Draws::new(21, 0);
    let mut crossed = 0;
    for _ in 0..2_000 {
        let n = 2 + draws.below(12);
        let orders: Vec<(Side, i32, i64)> =
            (0..n).map(|_| (if draws.below(2) == 0 { Bid } else { Ask }, 100 + draws.below(40) as i32, draws.geometric(5.0))).collect();
        let market = AtMarket { buys: draws.below(3) as i64 * 4, sells: draws.below(3) as i64 * 4 };
        let reference = 90 + draws.below(60) as i32;
        let mut engine = book(&orders);
        let best = tried_out(&orders, market, reference);
        let found = engine.indicative(market, reference);
        assert_eq!(found.map(|u| (u.volume, -u.imbalance.abs(), -i64::from((u.tick - reference).abs()))), best, "{orders:?} {market:?}");
        let mut fills = Fills::default();
        let Some((found, at_market)) = engine.uncross(market, reference, &mut fills) else { continue };
        crossed += 1;
        let sold: i64 = fills.0.iter().filter(|f| orders[f.0 as usize - 1].0 == Ask).map(|f| f.2).sum();
        let bought: i64 = fills.0.iter().filter(|f| orders[f.0 as usize - 1].0 == Bid).map(|f| f.2).sum();
        assert_eq!((bought + at_market.buys, sold + at_market.sells), (found.volume, found.volume));
        assert!(!engine.is_crossed(), "{orders:?}");
        assert!(fills.0.iter().all(|f| f.1 == found.tick));
    }
    assert!(crossed > 1_000, "{crossed}");
}
