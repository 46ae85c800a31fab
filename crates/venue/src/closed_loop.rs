// SPDX-License-Identifier: Apache-2.0
//! Market, gate and firm on one simulated clock: the firm looks, the gate decides, orders travel, the venue answers.
use crate::entry::Entry;
use crate::firm::{Answer, Firm, LOOKS_EVERY_NS, View};
use crate::rng::Draws;
use pretrade_records::{Event, Order, VenueKind};
use std::collections::VecDeque;

/// The firm's own infrastructure between it and the market.
pub trait Desk {
    /// Takes what was published up to `now`.
    fn hear_market(&mut self, events: &[Event], now: i64);
    /// Best bid and ask it knows, 1e-9.
    fn touch(&mut self) -> (i64, i64);
    /// Decides an order.
    fn decide(&mut self, order: &Order, now: i64) -> Answer;
    /// Takes the venue's answers.
    fn hear_venue(&mut self, answers: &[Event], now: i64);
}

/// Log-normal time an order takes from the gate to the venue.
#[derive(Clone, Copy, Debug)]
pub struct OrderLatency {
    /// Median, ns; 0 sends at once.
    pub median_ns: f64,
    /// Standard deviation of the logarithm.
    pub sigma: f64,
}

/// Owner of the firm's orders at the venue.
pub const FIRM: u32 = 1;
/// Agent number of the firm's link in the draws: nobody else's draws move with it.
const LINK: u64 = 900_000;

/// What is on its way and when the firm looks next.
pub struct ClosedLoop {
    firm: Firm,
    latency: OrderLatency,
    draws: Draws,
    /// Orders under way, earliest first; orders of one link do not overtake each other.
    under_way: VecDeque<(i64, Order)>,
    next_look: i64,
    onset: i64,
    /// Orders sent to the venue.
    pub sent: u64,
    /// Orders the gate refused.
    pub refused: u64,
    /// Orders the venue rejected.
    pub rejected: u64,
}

impl ClosedLoop {
    /// A firm that looks for the first time half a second after `from`; momentum buys before `onset`.
    #[must_use]
    pub fn new(firm: Firm, latency: OrderLatency, seed: u64, from: i64, onset: i64) -> Self {
        let draws = Draws::new(seed, LINK);
        Self { firm, latency, draws, under_way: VecDeque::new(), next_look: from + LOOKS_EVERY_NS, onset, sent: 0, refused: 0, rejected: 0 }
    }

    /// The firm.
    #[must_use]
    pub fn firm(&self) -> &Firm {
        &self.firm
    }

    /// Runs every look and every arrival up to and including `ts`.
    pub fn run_until(&mut self, ts: i64, entry: &mut Entry, desk: &mut impl Desk) {
        loop {
            let arrival = self.under_way.front().map_or(i64::MAX, |(at, _)| *at);
            let now = arrival.min(self.next_look);
            if now > ts {
                break;
            }
            entry.market.run_until(now);
            if arrival <= self.next_look {
                self.arrive(now, entry, desk);
            } else {
                self.look(now, entry, desk);
                self.next_look += LOOKS_EVERY_NS;
            }
        }
        entry.market.run_until(ts);
        Self::publish(ts, entry, desk);
        self.hear(ts, entry, desk);
    }

    fn publish(now: i64, entry: &mut Entry, desk: &mut impl Desk) {
        let events = std::mem::take(&mut entry.market.recorder.events);
        desk.hear_market(&events, now);
        // The buffer goes back: nothing is allocated from look to look.
        entry.market.recorder.events = events;
        entry.market.recorder.events.clear();
    }

    fn arrive(&mut self, now: i64, entry: &mut Entry, desk: &mut impl Desk) {
        while let Some((_, order)) = self.under_way.front().filter(|(at, _)| *at <= now) {
            entry.submit(order, FIRM);
            self.under_way.pop_front();
        }
        self.hear(now, entry, desk);
    }

    fn look(&mut self, now: i64, entry: &mut Entry, desk: &mut impl Desk) {
        Self::publish(now, entry, desk);
        let (bid, ask) = desk.touch();
        if !(0 < bid && bid < ask) {
            return;
        }
        self.hear(now, entry, desk);
        let orders = self.firm.act(View { now, onset: self.onset, bid, ask });
        // All are decided before the first is sent.
        let answers: Vec<Answer> = orders.iter().map(|order| desk.decide(order, now)).collect();
        for (order, answer) in orders.iter().zip(answers) {
            self.firm.answered(order, answer, now);
            if answer == Answer::Accepted {
                self.sent += 1;
                let at = now + self.travel_ns();
                self.under_way.push_back((at, *order));
            } else {
                self.refused += 1;
            }
        }
        if self.latency.median_ns <= 0.0 {
            self.arrive(now, entry, desk);
        }
    }

    fn travel_ns(&mut self) -> i64 {
        if self.latency.median_ns <= 0.0 {
            return 0;
        }
        let took = self.latency.median_ns * libm::exp(self.latency.sigma * self.draws.normal());
        let before = self.under_way.back().map_or(0, |(at, _)| *at);
        let now = self.next_look;
        (took as i64).max(before - now).max(1)
    }

    fn hear(&mut self, now: i64, entry: &mut Entry, desk: &mut impl Desk) {
        let answers = entry.reports(FIRM);
        if !answers.is_empty() {
            desk.hear_venue(&answers, now);
            answers.iter().for_each(|m| self.firm.told(m));
            self.rejected += answers.iter().filter(|m| (m.flags >> 8) as u8 == VenueKind::Rejected as u8).count() as u64;
        }
    }
}
