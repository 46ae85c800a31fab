// SPDX-License-Identifier: Apache-2.0
//! One price for all: the price that trades most, then leaves least over, then lies nearest the reference.
use super::{Engine, Sink, reaches};
use pretrade_records::Side;

/// What an auction gives, or would give now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uncross {
    /// The one price, ticks.
    pub tick: i32,
    /// Lots that trade.
    pub volume: i64,
    /// Lots left over at that price: above 0 more is bought than sold.
    pub imbalance: i64,
}

/// Lots to buy and to sell at whatever price, outside the book.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AtMarket {
    /// To buy.
    pub buys: i64,
    /// To sell.
    pub sells: i64,
}

/// What an auction traded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auctioned {
    /// Price, volume, what was left over.
    pub uncross: Uncross,
    /// Orders at market that traded, by number.
    pub at_market: Vec<(u64, i64)>,
}

impl Engine {
    /// As [`Engine::uncross`], with the orders at market one by one (number, owner, side, lots), in time order: each is told.
    pub fn uncross_and_tell(
        &mut self,
        market: AtMarket,
        reference: i32,
        orders: &[(u64, u32, Side, i64)],
        sink: &mut impl Sink,
    ) -> Option<Auctioned> {
        let found = self.indicative(market, reference)?;
        let mut at_market = Vec::new();
        for side in [Side::Bid, Side::Ask] {
            let mut left = found.volume;
            for (number, owner, _, quantity) in orders.iter().filter(|o| o.2 == side) {
                let size = left.min(*quantity);
                left -= size;
                if size > 0 {
                    sink.filled_at_market(*number, *owner, side, found.tick, size);
                    at_market.push((*number, size));
                }
            }
        }
        self.uncross(market, reference, sink)?;
        Some(Auctioned { uncross: found, at_market })
    }

    /// What an auction would give now; `None` where nothing would trade. Hidden quantity counts.
    #[must_use]
    pub fn indicative(&self, market: AtMarket, reference: i32) -> Option<Uncross> {
        let bids = self.whole_levels(Side::Bid);
        let asks = self.whole_levels(Side::Ask);
        let mut ticks: Vec<i32> = bids.iter().chain(&asks).map(|(tick, _)| *tick).chain([reference]).collect();
        ticks.sort_unstable();
        ticks.dedup();
        // Between two of them, and beyond the outermost, nothing changes: there the tick nearest the reference stands for all.
        let beyond = [ticks[0].saturating_sub(1), ticks[ticks.len() - 1].saturating_add(1)];
        let between = ticks.windows(2).filter(|w| w[1] - w[0] > 1).map(|w| reference.clamp(w[0] + 1, w[1] - 1));
        let candidates = ticks.iter().copied().chain(beyond).chain(between);
        candidates.map(|tick| outcome(&bids, &asks, market, tick)).filter(|u| u.volume > 0).max_by_key(|u| {
            let distance = (i64::from(u.tick) - i64::from(reference)).abs();
            // Of two prices as near, the higher where more is bought, the lower else.
            let lean = if u.imbalance > 0 { i64::from(u.tick) } else { -i64::from(u.tick) };
            (u.volume, -u.imbalance.abs(), -distance, lean)
        })
    }

    /// Trades at the one price: orders at market first, then by price and time. Returns what was traded and what of it at market.
    pub fn uncross(&mut self, market: AtMarket, reference: i32, sink: &mut impl Sink) -> Option<(Uncross, AtMarket)> {
        let found = self.indicative(market, reference)?;
        let at_market = AtMarket { buys: market.buys.min(found.volume), sells: market.sells.min(found.volume) };
        self.fill_side(Side::Bid, found.tick, found.volume - at_market.buys, sink);
        self.fill_side(Side::Ask, found.tick, found.volume - at_market.sells, sink);
        self.last_trade = Some(found.tick);
        sink.traded(Side::None);
        Some((found, at_market))
    }

    fn fill_side(&mut self, side: Side, tick: i32, quantity: i64, sink: &mut impl Sink) {
        let mut left = quantity;
        while left > 0 {
            let best = self.ladder.best(side);
            let Some(slot) = self.ladder.front(side, best).filter(|_| reaches(side.opposite(), tick, best)) else { break };
            left -= self.fill(slot, tick, left, sink);
        }
    }

    fn whole_levels(&self, side: Side) -> Vec<(i32, i64)> {
        let whole = |slot| self.ladder.order(slot).size + self.ladder.reserve(slot).hidden;
        self.ladder.ticks(side).map(|t| (t, self.ladder.queue(side, t).map(whole).sum())).collect()
    }
}

fn outcome(bids: &[(i32, i64)], asks: &[(i32, i64)], market: AtMarket, tick: i32) -> Uncross {
    let sum = |levels: &[(i32, i64)], side: Side| -> i64 { levels.iter().take_while(|(t, _)| reaches(side, tick, *t)).map(|(_, size)| size).sum() };
    // A bid trades at or below its price: it is what a seller at `tick` reaches.
    let buys = market.buys + sum(bids, Side::Ask);
    let sells = market.sells + sum(asks, Side::Bid);
    Uncross { tick, volume: buys.min(sells), imbalance: buys - sells }
}
