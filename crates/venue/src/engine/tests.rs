// SPDX-License-Identifier: Apache-2.0
use super::*;
use std::collections::{BTreeMap, VecDeque};

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

/// The plain book every operation is held against: price-time priority in ordered maps.
#[derive(Default)]
struct Plain {
    sides: [BTreeMap<i32, VecDeque<(u64, i64)>>; 2],
    next: u64,
    log: Vec<(char, u64, i32, i64)>,
}

impl Plain {
    fn limit(&mut self, side: Side, tick: i32, mut left: i64) -> u64 {
        let other = 1 - index(side);
        while left > 0 {
            let best = if side == Side::Bid { self.sides[other].keys().next().copied() } else { self.sides[other].keys().next_back().copied() };
            let Some(best) = best.filter(|b| if side == Side::Bid { *b <= tick } else { *b >= tick }) else { break };
            let queue = self.sides[other].get_mut(&best).unwrap();
            let front = queue.front_mut().unwrap();
            let size = front.1.min(left);
            self.log.push(('F', front.0, best, size));
            left -= size;
            front.1 -= size;
            if front.1 == 0 {
                queue.pop_front();
                if queue.is_empty() {
                    self.sides[other].remove(&best);
                }
            }
        }
        if left > 0 {
            self.next += 1;
            self.sides[index(side)].entry(tick).or_default().push_back((self.next, left));
            self.log.push(('A', self.next, tick, left));
            return self.next;
        }
        0
    }

    fn shrink(&mut self, id: u64, by: i64) {
        for (tick, queue) in self.sides.iter_mut().flatten() {
            if let Some(o) = queue.iter_mut().find(|o| o.0 == id) {
                o.1 -= by;
                self.log.push(('C', id, *tick, by));
            }
        }
    }

    fn cancel(&mut self, id: u64) {
        for side in &mut self.sides {
            for (tick, queue) in side.iter_mut() {
                if let Some(i) = queue.iter().position(|o| o.0 == id) {
                    let (_, size) = queue.remove(i).unwrap();
                    self.log.push(('C', id, *tick, size));
                    let (tick, empty) = (*tick, queue.is_empty());
                    if empty {
                        side.remove(&tick);
                    }
                    return;
                }
            }
        }
    }
}

#[test]
fn random_operations_match_the_plain_book_order_by_order() {
    let mut draws = crate::rng::Draws::new(11, 0);
    let (mut engine, mut plain, mut log) = (Engine::new(900, 256), Plain::default(), Log::default());
    let mut live: Vec<Handle> = Vec::new();
    for _ in 0..100_000 {
        if draws.uniform() < 0.45 && !live.is_empty() {
            let h = live.swap_remove(draws.below(live.len() as u64) as usize);
            engine.cancel(h, &mut log);
            plain.cancel(h.order_id);
        } else if draws.uniform() < 0.1 && !live.is_empty() {
            let h = live[draws.below(live.len() as u64) as usize];
            if engine.resting(h) > 1 {
                engine.reduce(h, 1, &mut log);
                plain.shrink(h.order_id, 1);
            }
        } else {
            let side = if draws.below(2) == 0 { Side::Bid } else { Side::Ask };
            let tick = 1_000 + draws.below(21) as i32 - 10;
            let size = draws.geometric(4.0);
            plain.limit(side, tick, size);
            if let (_, Some(h)) = engine.limit(1, side, tick, size, true, &mut log) {
                live.push(h);
            }
        }
        assert_eq!(log.0, plain.log);
        log.0.clear();
        plain.log.clear();
        if let (Some(b), Some(a)) = (engine.best_bid(), engine.best_ask()) {
            assert!(b < a, "book is crossed: {b} {a}");
        }
        assert_eq!(engine.best_bid(), plain.sides[0].keys().next_back().copied());
        assert_eq!(engine.best_ask(), plain.sides[1].keys().next().copied());
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
