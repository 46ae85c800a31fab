// SPDX-License-Identifier: Apache-2.0
//! The engine against a plain book in ordered maps that shares no code with it: a million random operations, compared after each.
use pretrade_records::Side;
use pretrade_venue::rng::Draws;
use pretrade_venue::{Engine, Handle, Sink};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// What either book says: kind, order id, tick, size.
type Said = (char, u64, i32, i64);

#[derive(Default)]
struct Log(Vec<Said>);

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

#[derive(Clone, Copy)]
struct Lot {
    id: u64,
    shown: i64,
    hidden: i64,
    peak: i64,
}

/// Price-time priority, said as simply as it can be: a map of queues a side, bids under negated prices so that the first is the best.
#[derive(Default)]
struct Plain {
    sides: [BTreeMap<i32, VecDeque<Lot>>; 2],
    place: HashMap<u64, (usize, i32)>,
    next: u64,
    log: Vec<Said>,
}

impl Plain {
    fn take(&mut self, side: usize, limit: i32, mut left: i64) -> i64 {
        let other = 1 - side;
        while left > 0 {
            let Some((&key, queue)) = self.sides[other].iter_mut().next() else { break };
            let tick = if other == 0 { -key } else { key };
            if if side == 0 { tick > limit } else { tick < limit } {
                break;
            }
            let mut lot = queue.pop_front().unwrap();
            let size = lot.shown.min(left);
            self.log.push(('F', lot.id, tick, size));
            left -= size;
            lot.shown -= size;
            if lot.shown > 0 {
                queue.push_front(lot);
            } else if lot.hidden > 0 {
                lot.shown = lot.hidden.min(lot.peak);
                lot.hidden -= lot.shown;
                self.log.push(('A', lot.id, tick, lot.shown));
                queue.push_back(lot);
            } else {
                self.place.remove(&lot.id);
            }
            if queue.is_empty() {
                self.sides[other].remove(&key);
            }
        }
        left
    }

    fn put(&mut self, side: usize, tick: i32, lot: Lot) {
        let key = if side == 0 { -tick } else { tick };
        self.sides[side].entry(key).or_default().push_back(lot);
        self.place.insert(lot.id, (side, key));
    }

    fn enter(&mut self, side: usize, tick: i32, quantity: i64, peak: i64) -> u64 {
        let left = self.take(side, tick, quantity);
        if left == 0 {
            return 0;
        }
        self.next += 1;
        let shown = if peak > 0 { left.min(peak) } else { left };
        self.log.push(('A', self.next, tick, shown));
        self.put(side, tick, Lot { id: self.next, shown, hidden: left - shown, peak });
        self.next
    }

    fn out(&mut self, id: u64) -> Lot {
        let (side, key) = self.place.remove(&id).unwrap();
        let queue = self.sides[side].get_mut(&key).unwrap();
        let lot = queue.remove(queue.iter().position(|o| o.id == id).unwrap()).unwrap();
        if queue.is_empty() {
            self.sides[side].remove(&key);
        }
        lot
    }

    fn cancel(&mut self, id: u64) {
        let (side, key) = self.place[&id];
        let lot = self.out(id);
        self.log.push(('C', id, if side == 0 { -key } else { key }, lot.shown));
    }

    fn shrink(&mut self, id: u64, by: i64) {
        let (side, key) = self.place[&id];
        let lot = self.sides[side].get_mut(&key).unwrap().iter_mut().find(|o| o.id == id).unwrap();
        lot.shown -= by;
        self.log.push(('C', id, if side == 0 { -key } else { key }, by));
    }

    fn replace(&mut self, id: u64, tick: i32, quantity: i64) -> u64 {
        let (side, key) = self.place[&id];
        let (old, best) = (if side == 0 { -key } else { key }, self.best(1 - side));
        if best.is_some_and(|b| if side == 0 { tick >= b } else { tick <= b }) {
            self.cancel(id);
            return self.enter(side, tick, quantity, 0);
        }
        self.log.push(('M', id, tick, quantity));
        let lot = self.sides[side].get_mut(&key).unwrap().iter_mut().find(|o| o.id == id).unwrap();
        if tick == old && quantity < lot.shown {
            lot.shown = quantity;
        } else {
            let lot = self.out(id);
            self.put(side, tick, Lot { shown: quantity, ..lot });
        }
        id
    }

    fn best(&self, side: usize) -> Option<i32> {
        self.sides[side].keys().next().map(|k| if side == 0 { -k } else { *k })
    }
}

#[derive(Default)]
struct Pair {
    plain: Plain,
    log: Log,
    live: Vec<Handle>,
}

fn step(engine: &mut Engine, pair: &mut Pair, draws: &mut Draws) {
    let (u, n) = (draws.uniform(), pair.live.len());
    let (side, at) = if draws.below(2) == 0 { (Side::Bid, 0) } else { (Side::Ask, 1) };
    let (tick, size) = (1_000 + draws.below(31) as i32 - 15, draws.geometric(4.0));
    let chosen = (n > 0).then(|| draws.below(n as u64) as usize);
    let Pair { plain, log, live } = pair;
    match chosen {
        Some(i) if u < 0.35 => {
            engine.cancel(live[i], log);
            plain.cancel(live[i].order_id);
        }
        Some(i) if u < 0.42 => {
            let shown = shown(plain, live[i].order_id);
            if shown > 1 {
                assert_eq!(engine.reduce(live[i], shown / 2, log), shown / 2);
                plain.shrink(live[i].order_id, shown / 2);
            }
        }
        Some(i) if u < 0.52 => {
            let (_, handle) = engine.replace(live[i], tick, size, log);
            let id = plain.replace(live[i].order_id, tick, size);
            assert_eq!(handle.map_or(0, |h| h.order_id), id);
            live[i] = handle.unwrap_or_default();
        }
        _ if u < 0.60 => {
            assert_eq!(engine.take(side, tick, 3 * size, log), 3 * size - plain.take(at, tick, 3 * size));
        }
        _ => {
            let peak = if u < 0.66 { 1 + size / 3 } else { 0 };
            let entered = if peak > 0 { engine.iceberg(7, side, tick, size, peak, log) } else { engine.limit(7, side, tick, size, true, log) };
            assert_eq!(entered.1.map_or(0, |h| h.order_id), plain.enter(at, tick, size, peak));
            live.extend(entered.1);
        }
    }
    live.retain(|h| plain.place.contains_key(&h.order_id));
}

fn shown(plain: &Plain, id: u64) -> i64 {
    let (side, key) = plain.place[&id];
    plain.sides[side][&key].iter().find(|o| o.id == id).unwrap().shown
}

fn compare(engine: &Engine, pair: &Pair, at: &str) {
    assert_eq!((engine.best_bid(), engine.best_ask()), (pair.plain.best(0), pair.plain.best(1)), "{at}");
    assert!(!engine.is_crossed(), "{at}: the book is crossed");
    assert_eq!(engine.live_orders() as usize, pair.plain.place.len(), "{at}");
}

/// Every queue of both sides, in order.
fn compare_whole(engine: &Engine, pair: &Pair, at: &str) {
    for (side, of) in [(Side::Bid, 0), (Side::Ask, 1)] {
        let ours: Vec<(i32, Vec<(u64, i64)>)> = engine.levels(side).map(|(t, _)| (t, engine.queue(side, t).collect())).collect();
        let tick = |key: i32| if of == 0 { -key } else { key };
        let plain: Vec<_> = pair.plain.sides[of].iter().map(|(k, q)| (tick(*k), q.iter().map(|o| (o.id, o.shown)).collect())).collect();
        assert_eq!(ours, plain, "{at}");
    }
}

#[test]
fn a_million_random_operations_match_the_plain_book_fill_by_fill() {
    let mut fills = 0;
    for seed in 0..10 {
        let (mut draws, mut engine, mut pair) = (Draws::new(seed, 0), Engine::new(900, 256), Pair::default());
        for i in 0..100_000 {
            step(&mut engine, &mut pair, &mut draws);
            let at = format!("seed {seed}, operation {i}");
            assert_eq!(pair.log.0, pair.plain.log, "{at}");
            fills += pair.log.0.iter().filter(|s| s.0 == 'F').count();
            pair.log.0.clear();
            pair.plain.log.clear();
            compare(&engine, &pair, &at);
            if i % 500 == 0 {
                compare_whole(&engine, &pair, &at);
            }
        }
    }
    assert!(fills > 100_000, "{fills} fills are too few to say anything");
}
