// SPDX-License-Identifier: Apache-2.0
//! Random orders of every type through every state, under all protections: what is published and told adds up after every event.
use super::*;
use pretrade_records::{Event, EventFlags, EventKind};
use pretrade_venue::Recorder;
use pretrade_venue::engine::SelfTrade;
use pretrade_venue::exchange::{Breaker, Entered, Lifetime, Price, StopLogic, Velocity};
use pretrade_venue::rng::Draws;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Follows the published events: every order's size, both sides, and what was bought and sold since the last event end.
#[derive(Default)]
struct Published {
    orders: HashMap<u64, (u8, i64, i64)>,
    levels: [BTreeMap<i64, i64>; 2],
    phase: u64,
    contracts: i64,
    cash: i128,
    seen: HashSet<u64>,
}

impl Published {
    fn take(&mut self, e: &Event) {
        match EventKind::try_from(e.kind).unwrap() {
            EventKind::Add => self.change(e, e.size),
            EventKind::Cancel => self.change(e, -e.size),
            EventKind::Modify => {
                let (side, price, size) = self.orders[&e.order_id];
                self.change(&Event { side, price, ..*e }, -size);
                self.change(e, e.size);
            }
            EventKind::Execute => {
                if !e.has(EventFlags::INFORMATIVE) {
                    self.change(e, -e.size);
                }
                self.exchange(e);
            }
            EventKind::Trade if e.side != Side::None as u8 => self.exchange(e),
            EventKind::Status => {
                self.phase = e.aux;
                self.seen.insert(e.aux);
            }
            _ => {}
        }
        if e.has(EventFlags::LAST) {
            assert_eq!((self.contracts, self.cash), (0, 0), "after event {}: {e:?}", e.sequence);
            let (bid, ask) = (self.levels[0].keys().next_back(), self.levels[1].keys().next());
            if self.phase == Phase::Continuous as u64 || self.phase == Phase::LimitLocked as u64 {
                assert!(bid.zip(ask).is_none_or(|(b, a)| b < a), "crossed after event {}: {bid:?} {ask:?}", e.sequence);
            }
        }
    }

    /// An order grows or shrinks where it stands; it is never overdrawn.
    fn change(&mut self, e: &Event, by: i64) {
        let order = self.orders.entry(e.order_id).or_insert((e.side, e.price, 0));
        if by > 0 {
            (order.0, order.1) = (e.side, e.price);
        }
        order.2 += by;
        let (side, price, left) = *order;
        assert!(left >= 0, "order {} has {left} lots left at event {}", e.order_id, e.sequence);
        let level = self.levels[usize::from(side - 1)].entry(price).or_insert(0);
        *level += by;
        if *level == 0 {
            self.levels[usize::from(side - 1)].remove(&price);
        }
    }

    fn exchange(&mut self, e: &Event) {
        let signed = if e.side == Side::Bid as u8 { e.size } else { -e.size };
        self.contracts += signed;
        self.cash -= i128::from(signed) * i128::from(e.price);
    }
}

/// What owners hold by what each was told: fills of resting orders, and what arriving orders came back with.
#[derive(Default)]
struct Told {
    contracts: i64,
    cash: i64,
    traded: i64,
    /// Numbers of orders at market in an auction: they are told by the fill.
    at_open: HashSet<u64>,
}

impl Told {
    fn add(&mut self, side: Side, (tick, size): (i32, i64)) {
        let signed = if side == Side::Bid { size } else { -size };
        self.contracts += signed;
        self.cash -= signed * i64::from(tick);
        self.traded += size;
    }
}

struct Run {
    exchange: Exchange,
    recorder: Recorder,
    draws: Draws,
    live: Vec<pretrade_venue::Handle>,
    stops: HashMap<u64, Side>,
    published: Published,
    told: Told,
}

impl Run {
    fn new(seed: u64, rules: Rules) -> Self {
        let exchange = Exchange::new(Engine::new(0, 2_048), rules, Phase::PreOpen, CLOSE);
        let published = Published { phase: Phase::PreOpen as u64, ..Published::default() };
        let recorder = Recorder::new(1, 1, 0);
        Self { exchange, recorder, draws: Draws::new(seed, 0), live: Vec::new(), stops: HashMap::new(), published, told: Told::default() }
    }

    fn request(&mut self) -> Request {
        let d = &mut self.draws;
        let middle = self.exchange.engine().last_trade().unwrap_or(CLOSE);
        let side = if d.below(2) == 0 { Side::Bid } else { Side::Ask };
        let step = if side == Side::Bid { 1 } else { -1 };
        let tick = (middle + step * (4 - d.below(16) as i32)).clamp(700, 1_300);
        let limit = Request::limit(d.below(5) as u32, side, tick, d.geometric(6.0));
        match d.below(20) {
            0..=1 => Request { price: Price::Market, quantity: limit.quantity * 4, ..limit },
            2 => Request { lifetime: Lifetime::ImmediateOrCancel, ..limit },
            3 => Request { lifetime: Lifetime::FillOrKill, ..limit },
            4 => Request { peak: 1 + limit.quantity / 3, ..limit },
            5..=6 => Request { is_post_only: true, ..limit },
            7..=8 => Request { stop: Some(middle + step * (2 + d.below(9) as i32)), price: Price::Market, ..limit },
            9 => Request { stop: Some(middle + step * (2 + d.below(9) as i32)), ..limit },
            10..=11 => Request { lifetime: Lifetime::AtOpen, price: Price::Market, ..limit },
            _ => limit,
        }
    }

    fn step(&mut self, now: i64) {
        self.recorder.now = now;
        self.exchange.advance(now, &mut self.recorder);
        let chosen = (!self.live.is_empty()).then(|| self.draws.below(self.live.len() as u64) as usize);
        match (self.draws.below(1_000), chosen) {
            (0, _) => self.exchange.collect(Some(SECOND), &mut self.recorder),
            (1, _) => self.exchange.open(&mut self.recorder),
            (2, _) => _ = self.exchange.cancel_all(self.draws.below(5) as u32, Side::None, &mut self.recorder),
            (3..=250, Some(i)) => _ = self.exchange.cancel(self.live.swap_remove(i), &mut self.recorder),
            (251..=330, Some(i)) => {
                let (tick, size) = (CLOSE + self.draws.below(60) as i32 - 30, self.draws.geometric(6.0));
                let side = self.exchange.engine().side_of(self.live[i]);
                if let (Some(side), Ok(entered)) = (side, self.exchange.replace(self.live[i], tick, size, &mut self.recorder)) {
                    self.entered(side, &entered);
                }
            }
            _ => {
                let request = self.request();
                if let Ok(entered) = self.exchange.enter(request, &mut self.recorder) {
                    let is_whole = entered.filled() == request.quantity || entered.cancelled == request.quantity;
                    assert!(request.lifetime != Lifetime::FillOrKill || is_whole, "{request:?} became {entered:?}");
                    assert!(request.lifetime == Lifetime::Day || entered.handle.is_none(), "{request:?} rests");
                    self.entered(request.side, &entered);
                    if let Some(waits) = entered.waits {
                        match request.stop {
                            Some(_) => _ = self.stops.insert(waits, request.side),
                            None => _ = self.told.at_open.insert(waits),
                        }
                    }
                }
            }
        }
        self.hear();
    }

    fn entered(&mut self, side: Side, entered: &Entered) {
        entered.fills.iter().for_each(|fill| self.told.add(side, *fill));
        self.live.extend(entered.handle);
    }

    fn hear(&mut self) {
        for report in self.exchange.reports() {
            let Ok(entered) = &report.outcome else { continue };
            if !self.told.at_open.contains(&report.waited_as) {
                self.entered(self.stops[&report.waited_as], entered);
            }
            if entered.waits.is_some() {
                self.told.at_open.insert(report.waited_as);
            }
        }
        for fill in std::mem::take(&mut self.recorder.fills) {
            self.told.add(fill.side, (fill.tick, fill.size));
        }
        assert_eq!((self.told.contracts, self.told.cash), (0, 0), "what owners were told does not add up");
        for event in std::mem::take(&mut self.recorder.events) {
            self.published.take(&event);
        }
        self.live.retain(|h| self.exchange.engine().resting(*h) > 0);
    }

    fn compare(&self) {
        for (i, side) in [Side::Bid, Side::Ask].into_iter().enumerate() {
            let shown: Vec<(i64, i64)> = self.exchange.engine().levels(side).map(|(t, s)| (i64::from(t), s)).collect();
            let mut published: Vec<(i64, i64)> = self.published.levels[i].iter().map(|(p, s)| (*p, *s)).collect();
            if side == Side::Bid {
                published.reverse();
            }
            assert_eq!(shown, published);
        }
    }
}

fn tight(self_trade: SelfTrade) -> Rules {
    Rules {
        protection_ticks: 12,
        self_trade,
        market_remainder_rests: self_trade == SelfTrade::CancelBoth,
        post_only_slides: self_trade == SelfTrade::CancelOldest,
        price_limit_ticks: Some(60),
        velocity: Some(Velocity { ticks: 9, window_ns: SECOND / 10, pause_ns: SECOND / 4 }),
        stop_logic: Some(StopLogic { ticks: 4, reserved_ns: SECOND / 2 }),
        breaker: Some(Breaker { ppm: 25_000, window_ns: 20 * SECOND, halt_ns: SECOND }),
        falls: Vec::new(),
    }
}

#[test]
fn contracts_and_cash_add_up_and_the_book_is_never_crossed_while_it_trades() {
    let policies = [SelfTrade::Allow, SelfTrade::CancelNewest, SelfTrade::CancelOldest, SelfTrade::CancelBoth, SelfTrade::Decrement];
    let (mut traded, mut seen) = (0, HashSet::new());
    for (seed, policy) in policies.into_iter().cycle().take(10).enumerate() {
        let mut run = Run::new(seed as u64, tight(policy));
        for i in 0..30_000i64 {
            run.step(i * 5_000_000);
            if i % 200 == 0 {
                run.compare();
            }
        }
        traded += run.told.traded;
        seen.extend(run.published.seen);
    }
    let expected = [Phase::PreOpen, Phase::Auction, Phase::Continuous, Phase::Halted, Phase::LimitLocked];
    assert_eq!(expected.map(|p| seen.contains(&(p as u64))), [true; 5], "{seen:?}");
    assert!(traded > 100_000, "{traded} lots are too few to say anything");
}
