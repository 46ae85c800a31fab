// SPDX-License-Identifier: Apache-2.0
//! The crowd: fundamental buyers and sellers, bargain hunters, followers of a trend, holders of stops.
use super::*;

impl Market {
    pub(super) fn trigger_stops(&mut self) {
        let (mid, trail, now) = (self.mid, self.trail, self.now);
        let mut due = Vec::new();
        for (i, stops) in self.stops.iter_mut().enumerate() {
            for stop in stops.iter_mut().filter(|s| s.armed_from <= now) {
                let hit = if i == 0 { mid <= trail * (1.0 - stop.distance) } else { mid >= trail * (1.0 + stop.distance) };
                if hit {
                    stop.armed_from = now + 900 * SECOND;
                    let wait = (stop.draws.exponential() * self.p.stop_delay_s * 1e9) as i64 + 1;
                    due.push((now + wait, Wake::Stop(stop.size as u32, u8::from(i == 0))));
                }
            }
        }
        for (at, wake) in due {
            self.push(at, wake);
        }
    }

    /// A filled deep order comes back after a delay, at a new price.
    pub(super) fn fundamental_filled(&mut self, i: u32, side: Side) {
        let side = u8::from(side == Side::Ask);
        let f = &mut self.fundamentals[i as usize];
        if self.engine.resting(f.orders[usize::from(side)]) == 0 {
            f.is_waiting[usize::from(side)] = true;
            let wait = (f.draws.between(self.p.fundamental_delay_s.0, self.p.fundamental_delay_s.1) * 1e9) as i64;
            self.push(self.now + wait, Wake::Restock(i, side));
        }
    }

    /// Rests one deep order around a private value.
    pub(super) fn fundamental_quote(&mut self, i: u32, side: u8) {
        let (value, mid) = (self.value, self.mid);
        let f = &mut self.fundamentals[i as usize];
        f.is_waiting[usize::from(side)] = false;
        let distance = f.draws.between(self.p.fundamental_distance.0, self.p.fundamental_distance.1);
        let size = f.draws.between(self.p.fundamental_size.0, self.p.fundamental_size.1) as i64;
        let (sign, anchor) = if side == 0 { (-1.0, value.min(mid)) } else { (1.0, value.max(mid)) };
        let tick = (anchor * (1.0 + f.bias + sign * distance)) as i32;
        if let Some(h) = self.engine.post(FIRST_FUNDAMENTAL + i, side_of(side), tick, size.max(1), &mut self.recorder) {
            self.fundamentals[i as usize].orders[usize::from(side)] = h;
        }
    }

    /// Looks every few minutes whether price has left a deep order behind.
    pub(super) fn fundamental_look(&mut self, i: u32, side: u8) {
        let f = &self.fundamentals[i as usize];
        let (old, is_waiting) = (f.orders[usize::from(side)], f.is_waiting[usize::from(side)]);
        let distance = (f64::from(self.engine.tick_of(old)) - self.mid).abs();
        let is_left = distance > 1.3 * self.p.fundamental_distance.1 * self.mid;
        if !is_waiting && (is_left || self.engine.resting(old) == 0) {
            self.engine.cancel(old, &mut self.recorder);
            self.fundamental_quote(i, side);
        }
        let wait = self.fundamentals[i as usize].draws.wait_ns(1.0 / 300.0);
        self.push(self.now + wait, Wake::Fundamental(i, side));
    }

    /// Opportunistic traders rest orders near the touch, the more the further price stands from value; they look with a delay.
    pub(super) fn bargain(&mut self) {
        let gap_pct = 100.0 * (self.value - self.slow_mid) / self.value;
        let excess = gap_pct.abs() - self.p.bargain_from_pct;
        let rate = self.p.bargain_rate * excess.max(0.0);
        if rate > 0.0 && self.bargain_draws.uniform() < (rate / BARGAIN_LOOKS).min(1.0) {
            let side = u8::from(gap_pct < 0.0);
            let step = if side == 0 { -1 } else { 1 };
            let size = self.bargain_draws.between(self.p.bargain_size.0, self.p.bargain_size.1) as i64;
            let tick = self.touch(side) + step * self.bargain_draws.below(10) as i32;
            if let Some(h) = self.engine.post(BARGAIN, side_of(side), tick, size, &mut self.recorder) {
                self.background.push(h);
            }
        }
        let wait = self.bargain_draws.wait_ns(if excess > 0.0 { BARGAIN_LOOKS } else { 1.0 });
        self.push(self.now + wait, Wake::Bargain);
    }

    /// The way back of a crash: once the price is far from value and has stopped going further, value traders take the touch towards
    /// value, and who bought the bargains offers them again in between.
    pub(super) fn turn(&mut self) {
        let gap_pct = 100.0 * (self.value - self.mid) / self.value;
        let (now, far) = (self.now, gap_pct.abs());
        let f = &mut self.furthest;
        if far <= self.p.return_until_pct {
            *f = Furthest { pct: 0.0, at: now, is_returning: false };
        } else if far > f.pct {
            (f.pct, f.at) = (far, now);
        }
        f.is_returning |= f.pct > self.p.bargain_from_pct && (now - f.at) as f64 > self.p.return_after_s * 1e9;
        let is_returning = f.is_returning;
        if is_returning {
            self.offer_bargains(gap_pct > 0.0);
            let is_slow = self.trend_ewma * gap_pct.signum() < self.p.return_pace;
            if is_slow && self.return_draws.uniform() < (self.p.return_rate * far / RETURN_LOOKS).min(1.0) {
                let size = self.return_draws.between(self.p.return_size.0, self.p.return_size.1) as i64;
                self.market_order(if gap_pct > 0.0 { Side::Bid } else { Side::Ask }, size, 4);
            }
        }
        let wait = self.return_draws.wait_ns(if is_returning { RETURN_LOOKS } else { 1.0 });
        self.push(self.now + wait, Wake::Return);
    }

    /// Lays some of what was bought below value, or sold above it, out between the touch and the value.
    fn offer_bargains(&mut self, is_below: bool) {
        let side = u8::from(is_below);
        for _ in 0..OFFERS_A_LOOK {
            let held = if is_below { self.bargains } else { -self.bargains };
            if held <= 0 {
                return;
            }
            let touch = self.touch(side);
            let size = (self.return_draws.between(self.p.bargain_size.0, self.p.bargain_size.1) as i64).min(held);
            let way = self.return_draws.uniform() * (self.value - f64::from(touch));
            if self.engine.post(OFFERED, side_of(side), touch + way as i32, size, &mut self.recorder).is_none() {
                return;
            }
            self.bargains -= if is_below { size } else { -size };
        }
    }

    pub(super) fn follow(&mut self, i: u32) {
        let trend = self.trend_ewma;
        let d = &mut self.momentum[i as usize];
        let size = d.between(self.p.momentum_size.0, self.p.momentum_size.1) as i64;
        let wait = d.wait_ns(0.5);
        if trend.abs() > self.p.momentum_threshold {
            self.market_order(if trend > 0.0 { Side::Bid } else { Side::Ask }, size, 4);
        }
        self.push(self.now + wait, Wake::Momentum(i));
    }
}
