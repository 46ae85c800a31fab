// SPDX-License-Identifier: Apache-2.0
use super::*;

#[derive(Default)]
struct Log(Vec<(char, u64, i32, i64)>);

impl Sink for Log {
    fn added(&mut self, id: u64, _side: Side, tick: i32, size: i64) {
        self.0.push(('A', id, tick, size));
    }
    fn cancelled(&mut self, id: u64, _side: Side, tick: i32, size: i64) {
        self.0.push(('C', id, tick, size));
    }
    fn modified(&mut self, id: u64, _side: Side, tick: i32, size: i64) {
        self.0.push(('M', id, tick, size));
    }
    fn filled(&mut self, id: u64, _owner: u32, _side: Side, tick: i32, size: i64) {
        self.0.push(('F', id, tick, size));
    }
}

#[test]
fn an_iceberg_refill_keeps_its_id_and_goes_to_the_back() {
    let (mut e, mut log) = (Engine::new(0, 64), Log::default());
    e.iceberg(1, Side::Ask, 10, 25, 10, &mut log);
    e.limit(2, Side::Ask, 10, 5, true, &mut log);
    log.0.clear();
    assert_eq!(e.take(Side::Bid, 10, 18, &mut log), 18);
    assert_eq!(log.0, [('F', 1, 10, 10), ('A', 1, 10, 10), ('F', 2, 10, 5), ('F', 1, 10, 3)]);
}

#[test]
fn a_replace_keeps_priority_only_when_it_shrinks_in_place() {
    let (mut e, mut log) = (Engine::new(0, 64), Log::default());
    let first = e.limit(1, Side::Bid, 20, 9, true, &mut log).1.unwrap();
    let second = e.limit(2, Side::Bid, 20, 9, true, &mut log).1.unwrap();
    assert_eq!(e.replace(first, 20, 4, &mut log), (0, Some(first)));
    let (_, moved) = e.replace(second, 20, 9, &mut log);
    e.limit(3, Side::Bid, 20, 1, true, &mut log);
    let (_, first) = e.replace(first, 20, 5, &mut log);
    log.0.clear();
    e.take(Side::Ask, 20, 15, &mut log);
    assert_eq!(log.0, [('F', 2, 20, 9), ('F', 3, 20, 1), ('F', 1, 20, 5)]);
    assert_eq!((e.resting(moved.unwrap()), e.resting(first.unwrap())), (0, 0));
}

#[test]
fn a_replace_into_the_other_side_trades_and_rests_the_remainder() {
    let (mut e, mut log) = (Engine::new(0, 64), Log::default());
    e.limit(1, Side::Ask, 30, 4, true, &mut log);
    let bid = e.limit(2, Side::Bid, 20, 9, true, &mut log).1.unwrap();
    let (filled, rest) = e.replace(bid, 30, 9, &mut log);
    assert_eq!((filled, e.resting(rest.unwrap()), e.best_bid(), e.best_ask()), (4, 5, Some(30), None));
}

#[test]
fn fill_or_kill_counts_what_it_could_take() {
    let (mut e, mut log) = (Engine::new(0, 64), Log::default());
    e.limit(1, Side::Ask, 30, 4, true, &mut log);
    e.limit(1, Side::Ask, 33, 6, true, &mut log);
    assert_eq!((e.takeable(Side::Bid, 32, 99), e.takeable(Side::Bid, 33, 99), e.takeable(Side::Ask, 1, 9)), (4, 10, 0));
}

#[test]
fn a_post_only_order_that_would_trade_is_refused() {
    let (mut e, mut log) = (Engine::new(0, 64), Log::default());
    e.limit(1, Side::Ask, 30, 4, true, &mut log);
    assert_eq!(e.post(2, Side::Bid, 30, 1, &mut log), None);
    assert!(e.post(2, Side::Bid, 29, 1, &mut log).is_some());
}

#[test]
fn reducing_keeps_priority_and_an_ioc_never_rests() {
    let (mut e, mut log) = (Engine::new(0, 64), Log::default());
    let (_, first) = e.limit(1, Side::Bid, 20, 9, true, &mut log);
    e.limit(2, Side::Bid, 20, 9, true, &mut log);
    assert_eq!(e.reduce(first.unwrap(), 4, &mut log), 4);
    log.0.clear();
    assert_eq!(e.limit(3, Side::Ask, 20, 20, false, &mut log), (14, None));
    assert_eq!(log.0, [('F', 1, 20, 5), ('F', 2, 20, 9)]);
    assert_eq!((e.best_bid(), e.best_ask(), e.live_orders()), (None, None, 0));
}
