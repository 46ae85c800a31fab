// SPDX-License-Identifier: Apache-2.0
//! Stop orders that wait for a trade at or through their trigger.
use super::Request;
use pretrade_records::Side;
use std::collections::BTreeMap;

/// Waiting orders of both sides, in the order in which they are triggered: nearest trigger first, then time.
#[derive(Clone, Debug, Default)]
pub(super) struct Stops {
    /// A falling price meets the highest trigger first: keys are negated triggers.
    sells: BTreeMap<(i32, u64), Request>,
    buys: BTreeMap<(i32, u64), Request>,
}

/// True where a trade at `last` triggers a stop of `side`.
pub(super) const fn is_triggered(side: Side, trigger: i32, last: i32) -> bool {
    match side {
        Side::Ask => last <= trigger,
        _ => last >= trigger,
    }
}

impl Stops {
    pub fn len(&self) -> usize {
        self.sells.len() + self.buys.len()
    }

    pub fn wait(&mut self, id: u64, trigger: i32, request: Request) {
        match request.side {
            Side::Ask => self.sells.insert((-trigger, id), request),
            _ => self.buys.insert((trigger, id), request),
        };
    }

    /// The next stop that a trade at `last` triggers.
    pub fn next(&mut self, last: i32) -> Option<(u64, Request)> {
        let found = |stops: &mut BTreeMap<(i32, u64), Request>, sign: i32, side: Side| {
            let first = stops.first_entry()?;
            let (key, id) = *first.key();
            is_triggered(side, sign * key, last).then(|| (id, first.remove()))
        };
        found(&mut self.sells, -1, Side::Ask).or_else(|| found(&mut self.buys, 1, Side::Bid))
    }

    pub fn cancel(&mut self, id: u64) -> Option<Request> {
        let remove = |stops: &mut BTreeMap<(i32, u64), Request>| {
            let key = *stops.keys().find(|k| k.1 == id)?;
            stops.remove(&key)
        };
        remove(&mut self.sells).or_else(|| remove(&mut self.buys))
    }

    /// Ids of an owner's stops of a side, or of both (`Side::None`).
    pub fn of(&self, owner: u32, side: Side) -> Vec<u64> {
        let all = self.sells.iter().chain(&self.buys);
        all.filter(|(_, r)| r.owner == owner && (side == Side::None || r.side == side)).map(|(k, _)| k.1).collect()
    }
}
