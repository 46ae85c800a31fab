// SPDX-License-Identifier: Apache-2.0
//! Makers: inventory-limited, withdrawing when the market moves faster than they bear.
use super::*;

impl Market {
    /// Time until somebody quotes inside an opened spread; it grows with the speed of the market.
    pub(super) fn refill_wait(&mut self) -> i64 {
        let slow = self.refill_draws.uniform() < self.p.refill_slow;
        let mean = if slow { self.p.refill_s.1 } else { self.p.refill_s.0 } * (1.0 + self.p.caution * self.move_ewma);
        (self.refill_draws.exponential() * mean * 1e9) as i64 + 1
    }

    /// A maker with room on that side quotes inside the opened spread.
    pub(super) fn refill(&mut self, side: u8) {
        self.refill_due[side as usize] = false;
        let (Some(bid), Some(ask)) = (self.engine.best_bid(), self.engine.best_ask()) else { return };
        if ask - bid <= 1 {
            return;
        }
        let i = self.refill_draws.below(self.makers.len() as u64) as usize;
        let maker = &self.makers[i];
        let room = room(maker, side);
        if room <= 0.05 || (maker.away_until > self.now && !reduces(maker, side)) {
            return;
        }
        let size = ((maker.quote * room * self.regimes[2].factor * self.p.depth_scale) as i64).max(1);
        let inside = ((f64::from(ask - bid) * self.p.undercut) as i32).max(1);
        let tick = if side == 0 { bid + inside } else { ask - inside };
        if let Some(h) = self.engine.post(FIRST_MAKER + i as u32, side_of(side), tick, size, &mut self.recorder) {
            self.makers[i].quotes[side as usize].push(h);
        }
    }

    pub(super) fn maker(&mut self, i: u32) {
        let (threshold, away) = (self.makers[i as usize].threshold, self.makers[i as usize].away_until);
        if self.move_ewma > threshold {
            let m = &mut self.makers[i as usize];
            let s = m.draws.between(self.p.maker_away_s.0, self.p.maker_away_s.1);
            m.away_until = self.now + (s * 1e9) as i64;
            self.maker_withdraw(i);
        } else if away <= self.now {
            self.maker_requote(i);
        }
        if away > self.now {
            self.maker_reduce(i);
        }
        self.maker_unload(i);
        let rate = self.makers[i as usize].rate;
        let wait = self.makers[i as usize].draws.wait_ns(rate);
        self.push(self.now + wait, Wake::Maker(i));
    }

    /// Pulls quotes; a maker with inventory keeps the side that reduces it.
    pub(super) fn maker_withdraw(&mut self, i: u32) {
        for side in 0..2u8 {
            if !reduces(&self.makers[i as usize], side) {
                for h in std::mem::take(&mut self.makers[i as usize].quotes[side as usize]) {
                    self.engine.cancel(h, &mut self.recorder);
                }
            }
        }
    }

    /// A withdrawn maker still quotes the side that brings its inventory down.
    pub(super) fn maker_reduce(&mut self, i: u32) {
        let inventory = self.makers[i as usize].inventory;
        if inventory.abs() > REDUCE_FROM {
            self.maker_requote_side(i, u8::from(inventory > 0));
        }
    }

    pub(super) fn maker_requote(&mut self, i: u32) {
        for side in 0..2u8 {
            self.maker_requote_side(i, side);
        }
    }

    pub(super) fn maker_requote_side(&mut self, i: u32, side: u8) {
        let touch = self.touch(side);
        let step = if side == 0 { -1 } else { 1 };
        let room = room(&self.makers[i as usize], side);
        let wanted = (self.makers[i as usize].quote * room * self.regimes[2].factor * self.p.depth_scale) as i64;
        let mut kept = Vec::with_capacity(self.p.maker_quotes as usize + 1);
        for h in std::mem::take(&mut self.makers[i as usize].quotes[side as usize]) {
            let size = self.engine.resting(h);
            let distance = (self.engine.tick_of(h) - touch) * step;
            let stale =
                size > 0 && (distance > 9 || wanted == 0 || size > 2 * wanted || 2 * size < wanted || kept.len() >= self.p.maker_quotes as usize);
            if stale || (size > 0 && self.makers[i as usize].draws.uniform() < 0.03) {
                self.engine.cancel(h, &mut self.recorder);
            } else if size > 0 {
                kept.push(h);
            }
        }
        while wanted > 0 && kept.len() < self.p.maker_quotes as usize {
            let u = self.makers[i as usize].draws.uniform();
            let offset = (10.0 * libm::pow(u, self.p.maker_spread)) as i32;
            match self.engine.post(FIRST_MAKER + i, side_of(side), touch + step * offset, wanted, &mut self.recorder) {
                Some(h) => kept.push(h),
                None => break,
            }
        }
        self.makers[i as usize].quotes[side as usize] = kept;
    }

    /// Above its cap a maker sells a little at market (hot potato).
    pub(super) fn maker_unload(&mut self, i: u32) {
        let m = &mut self.makers[i as usize];
        let over = m.inventory.unsigned_abs() as f64 / m.cap;
        if over > 1.1 && m.draws.uniform() < 0.3 {
            let side = if m.inventory > 0 { Side::Ask } else { Side::Bid };
            let size = 1 + m.draws.below(5) as i64;
            let before = self.recorder.fills.len();
            self.market_order(side, size, 2);
            let filled: i64 = self.recorder.fills[before..].iter().map(|f| f.size).sum();
            let signed = if side == Side::Ask { -filled } else { filled };
            self.makers[i as usize].inventory += signed;
        }
    }
}

/// True where a quote on that side would bring a maker's inventory down.
const fn reduces(maker: &Maker, side: u8) -> bool {
    if side == 0 { maker.inventory < -REDUCE_FROM } else { maker.inventory > REDUCE_FROM }
}

/// Share of a maker's quote size on a side: 0 where its inventory leaves no room, up to 1.5 on the side that reduces it.
fn room(maker: &Maker, side: u8) -> f64 {
    let filled = if side == 0 { maker.inventory } else { -maker.inventory } as f64 / maker.cap;
    if filled > 0.0 { (1.0 - filled).max(0.0) } else { (1.0 - 0.5 * filled).min(1.5) }
}
