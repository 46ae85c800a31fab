// SPDX-License-Identifier: Apache-2.0
//! Background flow: small traders without a view who add, cancel and cross.
use super::*;

impl Market {
    /// Own-side touch, or the slow reference where that side is empty.
    pub(super) fn touch(&self, side: u8) -> i32 {
        let (own, other) =
            if side == 0 { (self.engine.best_bid(), self.engine.best_ask()) } else { (self.engine.best_ask(), self.engine.best_bid()) };
        let step = if side == 0 { -1 } else { 1 };
        own.or_else(|| other.map(|t| t + 4 * step)).unwrap_or(self.slow_reference as i32 + 4 * step)
    }

    /// Where a small trader rests: often at the touch, sometimes inside an opened spread, else deeper.
    fn small_tick(&mut self, side: u8) -> i32 {
        let step = if side == 0 { -1 } else { 1 };
        let d = &mut self.background_draws;
        let offset = if d.uniform() < self.p.touch_share { 0 } else { d.geometric(7.0).min(60) as i32 };
        let tick = self.touch(side) + step * offset;
        let spread = self.engine.best_bid().zip(self.engine.best_ask()).map_or(0, |(b, a)| a - b);
        if offset == 0 && spread > 1 && self.background_draws.uniform() < self.p.improve {
            return tick - step * (1 + self.background_draws.below(((spread - 1) as u64).min(8)) as i32);
        }
        tick
    }

    pub(super) fn background_add(&mut self, side: u8) {
        let size = self.background_draws.geometric(self.p.add_size);
        let tick = self.small_tick(side);
        if let Some(h) = self.engine.post(BACKGROUND, side_of(side), tick, size, &mut self.recorder) {
            self.background.push(h);
        }
        let wait = self.background_draws.wait_ns(self.p.add_rate * self.activity() * self.p.depth_scale);
        self.push(self.now + wait, Wake::Add(side));
    }

    /// Slow and fast swings of background activity together.
    pub(super) fn activity(&self) -> f64 {
        self.regimes[1].factor * self.regimes[3].factor
    }

    /// Fast traders place and pull small orders in bursts, of their own accord and after trades.
    pub(super) fn burst(&mut self) {
        self.scatter();
        let wait = self.burst_draws.wait_ns(self.p.burst_rate * self.activity());
        self.push(self.now + wait, Wake::Burst);
    }

    pub(super) fn scatter(&mut self) {
        let mut at = self.now;
        for _ in 0..self.burst_draws.geometric(self.p.burst_messages).min(60) {
            at += (self.burst_draws.exponential() * self.p.burst_gap_s * 1e9) as i64 + 1;
            self.push(at, Wake::Message);
        }
    }

    /// One fleeting order; it fades after a heavy-tailed life.
    pub(super) fn message(&mut self) {
        let side = self.burst_draws.below(2) as u8;
        let step = if side == 0 { -1 } else { 1 };
        let offset = if self.burst_draws.uniform() < 0.55 { 0 } else { self.burst_draws.geometric(6.0).min(40) as i32 };
        let tick = self.touch(side) + step * offset;
        if let Some(h) = self.engine.post(BACKGROUND, side_of(side), tick, 1, &mut self.recorder) {
            let (median, sigma) = self.p.fleeting_life_s;
            let life = (median * libm::exp(sigma * self.burst_draws.normal())).min(600.0);
            self.push(self.now + (life * 1e9) as i64 + 1, Wake::Fade(h.order_id, h.slot));
        }
    }

    pub(super) fn fade(&mut self, handle: Handle) {
        self.engine.cancel(handle, &mut self.recorder);
    }

    pub(super) fn background_cancel(&mut self) {
        if !self.background.is_empty() {
            let i = self.background_draws.below(self.background.len() as u64) as usize;
            let handle = self.background.swap_remove(i);
            self.engine.cancel(handle, &mut self.recorder);
        }
        let rate = self.p.cancel_hazard * self.activity() * self.background.len().max(1) as f64;
        let wait = self.background_draws.wait_ns(rate);
        self.push(self.now + wait, Wake::Cancel);
    }

    /// Market orders excite market orders of their side (Hawkes 1971, exponential kernel), simulated by thinning (Ogata 1981).
    pub(super) fn background_market(&mut self) {
        let fade = libm::exp(-self.p.market_decay * (self.now - self.hawkes_at) as f64 / 1e9);
        self.hawkes_at = self.now;
        self.hawkes.iter_mut().for_each(|h| *h *= fade);
        let base = self.p.market_rate * self.activity();
        let pull = (self.p.value_pull * (self.value - self.mid)).clamp(-0.8, 0.8);
        let buys = base * (1.0 + pull) + self.hawkes[0];
        let sells = base * (1.0 - pull) + self.hawkes[1];
        let u = self.market_draws.uniform() * self.hawkes_bound;
        if u < buys + sells {
            let side = u8::from(u >= buys);
            let heavy = if self.market_draws.uniform() < 0.01 { 8 } else { 1 };
            let size = self.market_draws.geometric(self.p.market_size) * heavy;
            self.hawkes[usize::from(side)] += self.p.market_branching * self.p.market_decay;
            self.market_order(side_of(side), size, 6);
        }
        self.hawkes_bound = (2.0 * base + self.hawkes[0] + self.hawkes[1]).max(0.1);
        let wait = self.market_draws.wait_ns(self.hawkes_bound);
        self.push(self.now + wait, Wake::MarketOrder);
    }
}
