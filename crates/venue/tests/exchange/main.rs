// SPDX-License-Identifier: Apache-2.0
//! Order types, states and protections of the venue: a test per row of the tables of section 2 of the simulation sheet.
mod order_types;
mod protections;
mod random;
mod states;

use pretrade_records::{Phase, Side};
use pretrade_venue::exchange::{Exchange, Request, Rules};
use pretrade_venue::{Engine, Sink};

/// Everything said, in order, as short words.
#[derive(Default)]
pub(crate) struct Log(pub(crate) Vec<String>);

impl Sink for Log {
    fn added(&mut self, id: u64, side: Side, tick: i32, size: i64) {
        self.0.push(format!("add {id} {} {tick} {size}", side.name()));
    }
    fn cancelled(&mut self, id: u64, _side: Side, tick: i32, size: i64) {
        self.0.push(format!("cancel {id} {tick} {size}"));
    }
    fn modified(&mut self, id: u64, _side: Side, tick: i32, size: i64) {
        self.0.push(format!("modify {id} {tick} {size}"));
    }
    fn filled(&mut self, id: u64, _owner: u32, _side: Side, tick: i32, size: i64) {
        self.0.push(format!("fill {id} {tick} {size}"));
    }
    fn filled_at_market(&mut self, id: u64, _owner: u32, _side: Side, tick: i32, size: i64) {
        self.0.push(format!("fill-at-market {id} {tick} {size}"));
    }
    fn status(&mut self, phase: Phase) {
        self.0.push(phase.name().to_owned());
    }
}

impl Log {
    pub(crate) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.0)
    }
}

pub(crate) const SECOND: i64 = 1_000_000_000;
/// Price of the last close in these tests.
pub(crate) const CLOSE: i32 = 1_000;
/// Owners: those who rest, and those who arrive.
pub(crate) const RESTING: u32 = 1;
pub(crate) const ARRIVING: u32 = 2;

pub(crate) fn venue(rules: Rules, phase: Phase) -> (Exchange, Log) {
    (Exchange::new(Engine::new(0, 2_048), rules, phase, CLOSE), Log::default())
}

pub(crate) fn open(rules: Rules) -> (Exchange, Log) {
    venue(rules, Phase::Continuous)
}

/// Rests a limit order of [`RESTING`].
pub(crate) fn rest(at: &mut (Exchange, Log), side: Side, tick: i32, size: i64) -> pretrade_venue::Handle {
    at.0.enter(Request::limit(RESTING, side, tick, size), &mut at.1).unwrap().handle.expect("it rests")
}

/// Trades one lot at a tick between two others.
pub(crate) fn print(at: &mut (Exchange, Log), tick: i32) {
    at.0.enter(Request::limit(8, Side::Ask, tick, 1), &mut at.1).unwrap();
    at.0.enter(Request::limit(9, Side::Bid, tick, 1), &mut at.1).unwrap();
    at.1.take();
}
